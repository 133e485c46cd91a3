"""What the answers to the exercises of lesson 3, part 2, are compared with, and on what."""

from autograd import numpy as np

from fewshot_np import lesson3_initialisation as lesson
from fewshot_np.nn.optimizers import adam, sgd
from fewshot_np.nn.primitives import cross_entropy
from fewshot_np.nn.trees import repeat
from lessons.teacher.checking import case, exercise


def library_head(features, labels, n_way, learning_rate, steps):
    empty = {"w": np.zeros((features.shape[1], n_way)), "b": np.zeros(n_way)}
    return lesson.fine_tune(lesson.head_loss, empty, [(features, labels)] * steps, learning_rate)


@exercise("initialisation.1", library_head, gradients=("features",))
def test_fine_tune_head(rng):
    yield case("by hand", expected={"w": [[0.2, -0.2]], "b": [0.0, 0.0]}, features=np.array([[3.0], [1.0]]),
               labels=np.array([0, 1]), n_way=2, learning_rate=0.4, steps=1)
    features, labels = rng.normal(size=(6, 4)), np.array([2, 0, 2, 1, 0, 2])
    for name, steps in [("one step", 1), ("5 steps", 5)]:
        yield case(f"6 examples of 3 classes, {name}", features=features, labels=labels, n_way=3, learning_rate=0.8,
                   steps=steps)
    yield case("one example of each class", features=rng.normal(size=(3, 4)), labels=np.array([1, 2, 0]), n_way=3,
               learning_rate=0.8, steps=2)
    for name, missing in [("the last class has no example", 2), ("class 1 has no example", 1)]:
        yield case(name, features=features, labels=np.where(labels == missing, 0, labels), n_way=3, learning_rate=0.8,
                   steps=2)
    yield case("no step", expected={"w": np.zeros((4, 3)), "b": np.zeros(3)}, features=features, labels=labels, n_way=3,
               learning_rate=0.8, steps=0)


# ---------------------------------------------------------------- T tasks


def line(params, x, y):
    return np.sum((params["slope"] * x - y) ** 2, axis=-1) / 2


def softmax_regression(params, x, y):
    """Cross-entropy of one task, or, with T in front of everything, of T."""
    return cross_entropy(np.matmul(x, params["w"]) + np.expand_dims(params["b"], -2), y)


def adam_without_momentum(params, gradient, state, learning_rate):
    return adam(params, gradient, state, learning_rate, beta1=0.0, beta2=0.9)


def library_tasks(loss, params, x, y, learning_rate, steps, update):
    return lesson.fine_tune(loss, repeat(params, len(x)), [(x, y)] * steps, learning_rate, update)


@exercise("initialisation.2", library_tasks)
def test_fine_tune_tasks(rng):
    by_hand = {"loss": line, "params": {"slope": np.array([1.0])}, "x": np.array([[2.0], [1.0]]),
               "y": np.array([[6.0], [3.0]]), "learning_rate": 0.1}
    yield case("by hand", expected={"slope": [[1.8], [1.2]]}, **by_hand, steps=1, update=sgd)
    # from 1.8 the derivative is (3.6 - 6) * 2 = -4.8, from 1.2 it is 1.2 - 3 = -1.8
    yield case("by hand, two steps", expected={"slope": [[2.28], [1.38]]}, **by_hand, steps=2, update=sgd)
    params = {"w": rng.normal(size=(4, 3)), "b": rng.normal(size=3)}
    for update in (sgd, adam_without_momentum):
        for name, n_tasks, steps in [("2 tasks, 3 steps", 2, 3), ("3 tasks, one step", 3, 1), ("one task", 1, 4)]:
            yield case(name, loss=softmax_regression, params=params, x=rng.normal(size=(n_tasks, 5, 4)),
                       y=rng.integers(0, 3, size=(n_tasks, 5)), learning_rate=0.3, steps=steps, update=update)


@exercise("initialisation.3", lesson.reptile_step)
def test_reptile_step(rng):
    yield case("by hand", expected={"w": [3.0]}, params={"w": np.array([1.0])}, adapted={"w": np.array([[3.0], [7.0]])},
               outer_lr=0.5)
    params = {"w": rng.normal(size=(4, 3)), "b": rng.normal(size=3)}
    for n_tasks, outer_lr in [(3, 0.3), (5, 0.7), (1, 0.4)]:
        adapted = {"w": rng.normal(size=(n_tasks, 4, 3)), "b": rng.normal(size=(n_tasks, 3))}
        yield case(f"T = {n_tasks}", params=params, adapted=adapted, outer_lr=outer_lr)
    yield case("no step", expected=params, params=params, adapted=adapted, outer_lr=0.0)
    yield case("the whole way", expected={key: adapted[key][0] for key in adapted}, params=params, adapted=adapted,
               outer_lr=1.0)


# ---------------------------------------------------------------- frozen features


@exercise("initialisation.4", lesson.nearest_mean_logits)
def test_frozen_scores(rng):
    yield case("by hand", expected=[[-0.8, -0.4]], features_s=np.array([[2.0, 1.0], [1.0, 3.0]]),
               labels_s=np.array([0, 1]), features_q=np.array([[4.0, 5.0]]), n_way=2, mean=np.array([1.0, 1.0]))
    for name, labels in [("2 of each of 3 classes", [2, 0, 1, 2, 1, 0]),
                         ("2, 2 and 4 of 3 classes", [2, 0, 2, 1, 2, 0, 2, 1]), ("one example of each", [2, 0, 1])]:
        yield case(name, features_s=rng.normal(size=(len(labels), 5)) + 1, labels_s=np.array(labels),
                   features_q=rng.normal(size=(4, 5)) + 1, n_way=3, mean=rng.normal(size=5))
    mean = rng.normal(size=4)
    yield case("a query that is the mean, and an example, too", features_s=np.array([*rng.normal(size=(2, 4)), mean]),
               labels_s=np.array([1, 0, 1]), features_q=np.array([mean, *rng.normal(size=(2, 4))]), n_way=2, mean=mean)
    yield case("a query near the mean", features_s=rng.normal(size=(3, 4)), labels_s=np.array([1, 0, 1]),
               features_q=0.1 * mean + 3e-3 * rng.normal(size=(2, 4)), n_way=2, mean=0.1 * mean)
