"""What the answers to the zero-shot exercises are compared with, and on what."""

import numpy as np

from fewshot_np import lesson2_zero_shot as zero_shot
from lessons.teacher.checking import case, exercise

# ---------------------------------------------------------------- names as numbers


@exercise("zero_shot.1", zero_shot.signatures)
def test_signatures(rng):
    yield case("by hand", expected=[[1.0, 0, 0, 1], [0, 1, 0, 1], [1, 0, 1, 0]],
               parts=[("e", "tilde"), ("o", "tilde"), ("e", "acute")])
    yield case("the same word in two places", expected=[[1.0, 0, 0, 1], [0, 1, 0, 1], [0, 1, 1, 0]],
               parts=[("1", "2"), ("2", "2"), ("2", "1")])
    yield case("a part left out", expected=[[0.0, 1, 1, 0], [0, 1, 0, 1], [1, 0, 0, 1]],
               parts=[("p", ""), ("p", "i"), ("", "i")])
    yield case("5 Braille characters of 3 dots", parts=list(zip(
        *(np.array(["", dot])[rng.permutation([0, 1, *rng.integers(0, 2, 3)])].tolist() for dot in "123"),
        strict=True)))
    yield case("7 classes, three places", parts=list(zip(
        *(np.array(list(words))[rng.integers(0, len(words), 7)].tolist() for words in ("eaou", "zyx", "ba")),
        strict=True)))
    yield case("one class", expected=[[1.0, 1.0]], parts=[("e", "tilde")])
    yield case("three words in a place", expected=[[0.0, 1, 0, 1], [1, 0, 0, 1], [0, 0, 1, 1]],
               parts=[("i", "x"), ("e", "x"), ("o", "x")])
    yield case("a part that is in another", expected=[[1.0, 0, 1, 0], [0, 1, 0, 1]], parts=[("a", "ab"), ("ab", "b")])
    yield case("two classes of one name", expected=[[1.0, 0, 1], [0, 1, 1], [1, 0, 1]],
               parts=[("e", "tilde"), ("o", "tilde"), ("e", "tilde")])


# ---------------------------------------------------------------- the closed form


def problem(rng, m, d, z, a):
    """Features (M,D), labels (M,) in which each class occurs, signatures (Z,A)."""
    return {"features": rng.normal(size=(m, d)), "labels": rng.permutation(np.arange(m) % z),
            "signatures": rng.normal(size=(z, a))}


@exercise("zero_shot.2", zero_shot.eszsl)
def test_eszsl(rng):
    yield case("by hand", expected=[[0.2]], features=np.array([[2.0]]), labels=np.array([0]),
               signatures=np.array([[1.0]]), gamma=1.0, lam=1.0)
    yield case("two classes, by hand", expected=[[0.25, -0.25], [-0.2, 0.2]],  # diag(1/2, 1/5) [[1, -1], [-2, 2]] / 2
               features=np.array([[1.0, 0.0], [0.0, 2.0]]), labels=np.array([0, 1]), signatures=np.eye(2), gamma=1.0,
               lam=1.0)
    yield case("two parts, by hand", expected=[[0.03]], features=np.array([[3.0]]), labels=np.array([1]),
               signatures=np.array([[1.0], [2.0]]), gamma=1.0, lam=5.0)  # Y S = -1 + 2; 3 * 1 / (9 + 1) / (1 + 4 + 5)
    yield case("11 images, 5 features, 4 classes, 3 parts", **problem(rng, 11, 5, 4, 3), gamma=0.5, lam=2.0)
    yield case("more parts than classes", **problem(rng, 9, 4, 3, 6), gamma=3.0, lam=0.1)
    yield case("more features than images", **problem(rng, 5, 7, 2, 3), gamma=0.2, lam=0.7)
    yield case("one class", **problem(rng, 4, 3, 1, 2), gamma=1.0, lam=0.5)
    for name, missing in [("the last class has no image", 3), ("class 1 has no image", 1)]:
        given = problem(rng, 8, 3, 4, 3)
        yield case(name, **{**given, "labels": np.where(given["labels"] == missing, 0, given["labels"])}, gamma=0.5,
                   lam=2.0)


# ---------------------------------------------------------------- any class may be the answer


def generalised_accuracy(scores, labels, unseen):
    """As `measure` does it, image by image: the library's `accuracy` and `harmonic_mean`."""
    is_unseen = np.isin(labels, unseen)
    s, u = (zero_shot.accuracy(scores[group][:, None], labels[group]) for group in (~is_unseen, is_unseen))
    return s, u, zero_shot.harmonic_mean(s, u)


@exercise("zero_shot.3", generalised_accuracy)
def test_generalised_accuracy(rng):
    yield case("by hand", expected=(2 / 3, 1 / 2, 4 / 7),
               scores=np.array([[3.0, 1, 2], [1, 2, 0], [0, 4, 3], [0, 1, 5], [2, 0, 1]]),
               labels=np.array([0, 0, 1, 2, 2]), unseen=np.array([2]))
    labels = rng.permutation(np.arange(20) % 5)
    right, noise = np.eye(5)[labels], rng.normal(size=(20, 5))
    yield case("20 images, 5 classes, two of them unseen", scores=1.5 * right + noise, labels=labels,
               unseen=np.array([1, 3]))
    yield case("scores below 0, classes of unequal size", scores=right[:17] + noise[:17] - 9, labels=labels[:17],
               unseen=np.array([0, 2, 4]))
    yield case("no unseen class recognised, by hand", expected=(1.0, 0.0, 0.0),
               scores=np.array([[2.0, 1.0], [1.0, 0.0], [3.0, 0.0]]), labels=np.array([0, 1, 1]), unseen=np.array([1]))
    yield case("nothing recognised", expected=(0.0, 0.0, 0.0), scores=np.array([[1.0, 2.0], [2.0, 1.0]]),
               labels=np.array([0, 1]), unseen=np.array([0]))
    yield case("everything recognised", expected=(1.0, 1.0, 1.0), scores=right, labels=labels, unseen=np.array([4]))
