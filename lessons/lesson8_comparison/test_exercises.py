"""What the answers to lesson 8's exercises are compared with, and on what."""

import numpy as np

from fewshot_np.lesson8_comparison import best_first, paired_differences
from fewshot_np.results.lake import modified_hausdorff
from fewshot_np.results.variants import refine
from lessons.teacher.checking import case, exercise

# ---------------------------------------------------------------- methods on the same episodes


def ranked_by_the_library(accuracy):
    results = dict(enumerate(accuracy))
    order = best_first(results)
    pairs = {**paired_differences(results), (order[0], order[0]): (0.0, 0.0)}
    return order, *(np.array([pairs[name, order[0]][i] for name in order]) for i in (0, 1))


def episodes(means, n, rng):
    """Accuracies (methods,n) with these means, in which an episode that is hard is hard for all."""
    noise = rng.normal(0, 0.1, n) + rng.normal(0, 0.04, (len(means), n))
    return np.array(means)[:, None] + noise - noise.mean(axis=1, keepdims=True)


@exercise("comparison.1", ranked_by_the_library, tolerance=1e-3)  # printed tables of t have 4 digits
def test_rank_methods(rng):
    yield case("by hand", expected=([1, 0], [0.0, -0.25], [0.0, 0.31054]),
               accuracy=np.array([[0.75, 0.25, 0.5], [0.875, 0.625, 0.75]]))
    yield case("by hand, the better one first", expected=([0, 1], [0.0, -0.25], [0.0, 0.31054]),
               accuracy=np.array([[0.875, 0.625, 0.75], [0.75, 0.25, 0.5]]))
    for means in ([0.6, 0.8, 0.5, 0.7], [0.55, 0.62, 0.9, 0.7, 0.48]):
        yield case(f"{len(means)} methods, 11 episodes", accuracy=episodes(means, 11, rng))
    yield case("two methods, 30 episodes", accuracy=episodes([0.7, 0.74], 30, rng))
    yield case("the best comes twice", expected=([1, 2, 0], [0.0, 0.0, -0.125], [0.0, 0.0, 0.0]),
               accuracy=np.array([[0.375, 0.75], [0.5, 0.875], [0.5, 0.875]]))
    # the means 0.5 and 0.375, the medians 0.25 and 0.375; the differences -0.625, 0.125, 0.125 have s^2 = 0.1875,
    # so s / sqrt(3) = 0.25, times 4.303
    yield case("one very good episode", expected=([1, 0], [0.0, -0.125], [0.0, 1.07575]),
               accuracy=np.array([[0.375, 0.375, 0.375], [1.0, 0.25, 0.25]]))
    # the means are 1/4, 1/2 and 3/4, exactly; np.argsort keeps the order of up to 16 equal ones without being asked to
    means = rng.integers(1, 4, size=24) / 4
    yield case("24 methods, many of equal means", accuracy=means[:, None] + rng.choice([-1, 1], size=(24, 1)) * (
        np.array([1.0, -1.0, 1.0, -1.0]) / 8))
    yield case("one method", expected=([0], [0.0], [0.0]), accuracy=np.array([[0.25, 0.75, 0.5]]))


# ---------------------------------------------------------------- sets of points


def drawing(n_points, rng):
    """Pixels of a 12 x 9 grid, all different."""
    pixels = rng.choice(12 * 9, n_points, replace=False)
    return np.stack([pixels // 9, pixels % 9], axis=1).astype(float)


@exercise("comparison.2", modified_hausdorff)
def test_modified_hausdorff(rng):
    a, b = np.array([[0.0, 0], [0, 3]]), np.array([[0.0, 0], [4, 0]])
    yield case("by hand", expected=2.0, a=a, b=b)
    yield case("by hand, the other way round", expected=2.0, a=b, b=a)
    yield case("5 points and 3 points", a=drawing(5, rng), b=drawing(3, rng))
    yield case("2 points and 6 points", a=drawing(2, rng), b=drawing(6, rng))
    yield case("coordinates below 0", a=drawing(4, rng) - 6.5, b=drawing(7, rng) - 4.0)
    yield case("one point each", expected=5.0, a=np.array([[1.0, 2]]), b=np.array([[4.0, -2]]))
    # of the three points of b, one is in a and the others are 6 and 9 away: (0 + 6 + 9) / 3; from a to b it is 0
    yield case("a part of the other drawing", expected=5.0, a=np.array([[0.0, 0]]),
               b=np.array([[0.0, 6], [0, 0], [9, 0]]))
    yield case("the same points in another order", expected=0.0, a=np.array([[0.0, 0], [2, 1], [5, 5]]),
               b=np.array([[5.0, 5], [0, 0], [2, 1]]))


# ---------------------------------------------------------------- prototypes refined by the queries


def tasks(n_tasks, n_way, n_support, n_query, n_features, rng):
    """Inputs without `rounds`: in each task the classes have examples in another order, and not equally many."""
    support = 0.7 * rng.normal(size=(n_tasks, n_support, n_features))
    labels = np.stack([rng.permutation([*range(n_way), *rng.integers(0, n_way, n_support - n_way)])
                       for _ in range(n_tasks)])
    centres = np.stack([[x[y == n].mean(axis=0) for n in range(n_way)] for x, y in zip(support, labels, strict=True)])
    return {"centres": centres, "support": support, "support_y": labels,
            "query": 0.7 * rng.normal(size=(n_tasks, n_query, n_features))}


def on_a_line(centres, support, support_y, query):
    """One task with one feature."""
    return {"centres": np.reshape(centres, (1, -1, 1)), "support": np.reshape(support, (1, -1, 1)),
            "support_y": np.array([support_y]), "query": np.reshape(query, (1, -1, 1))}


@exercise("comparison.3", refine)
def test_refine(rng):
    yield case("by hand", expected=[[[1.0], [6.6]]], **on_a_line([0.0, 6], [0.0, 6], [0, 1], [3.0, 9]), rounds=1)
    # 1.5 has the squared distances 2.25 and 0.25: two apart
    p = 1 / (1 + np.exp(2.0))
    yield case("by hand, the queries 1 and 1.5",
               expected=[[[(0.5 + p * 1.5) / (1.5 + p)], [(2.5 + (1 - p) * 1.5) / (2.5 - p)]]],
               **on_a_line([0.0, 2], [0.0, 2], [0, 1], [1, 1.5]), rounds=1)
    # class 0: (0 + 1.5) / 1.5; class 1: (4 + 8 + 1.5) / 2.5
    yield case("by hand, two examples of class 1", expected=[[[1.0], [5.4]]],
               **on_a_line([0.0, 6], [4.0, 0, 8], [1, 0, 1], [3.0]), rounds=1)
    for n_tasks, n_way, n_support, n_query, n_features, rounds in [(2, 3, 7, 5, 4, 1), (3, 4, 6, 7, 2, 3)]:
        yield case(f"{n_tasks} tasks, {n_way} classes, {n_support} examples, {n_query} queries, {rounds} rounds",
                   **tasks(n_tasks, n_way, n_support, n_query, n_features, rng), rounds=rounds)
    yield case("one example of each class, one query", **tasks(2, 3, 3, 1, 5, rng), rounds=2)
    others = tasks(2, 3, 5, 4, 6, rng)
    yield case("prototypes that are not the means of the examples",
               **{**others, "centres": others["centres"] + 0.5 * rng.normal(size=(2, 3, 6))}, rounds=2)
    yield case("0 rounds", expected=others["centres"] + 1.0, **{**others, "centres": others["centres"] + 1.0}, rounds=0)
    # 1 and 5, and the query is in the middle again
    yield case("a query in the middle, 4 rounds", expected=[[[1.0], [5.0]]],
               **on_a_line([0.0, 6], [0.0, 6], [0, 1], [3.0]), rounds=4)
    # exp(-54^2) is 0 for a computer, but class 1 is nearer: (6 + 1.5 + 60) / 2.5
    yield case("a query far from both prototypes", expected=[[[1.0], [27.0]]],
               **on_a_line([0.0, 6], [0.0, 6], [0, 1], [3.0, 60]), rounds=1)
    yield case("one class", expected=[[[4.0]]], **on_a_line([2.0], [1.0, 3], [0, 0], [3.0, 9]), rounds=2)
