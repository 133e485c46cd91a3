"""What the answers to lesson 8's exercises are compared with, and on what."""

import numpy as np

from fewshot_np import lesson8_protocols
from fewshot_np.lesson8_comparison import paired_differences
from lessons.checking import case, exercise

# ---------------------------------------------------------------- methods on the same episodes


def ranked_by_the_library(accuracy):
    found = dict(enumerate(accuracy))
    order = sorted(found, key=lambda name: -found[name].mean())
    pairs = {**paired_differences(found), (order[0], order[0]): (0.0, 0.0)}
    return order, *(np.array([pairs[name, order[0]][i] for name in order]) for i in (0, 1))


def episodes(means, n, rng):
    """Accuracies (methods,n) with these means, in which an episode that is hard is hard for all."""
    noise = rng.normal(0, 0.1, n) + rng.normal(0, 0.04, (len(means), n))
    return np.array(means)[:, None] + noise - noise.mean(axis=1, keepdims=True)


@exercise("comparison.1", ranked_by_the_library)
def test_rank_methods(rng):
    yield case("by hand", expected=([1, 0], [0.0, -0.25], [0.0, 0.245]),
               accuracy=np.array([[0.75, 0.25], [0.875, 0.625]]))
    yield case("by hand, the better one first", expected=([0, 1], [0.0, -0.25], [0.0, 0.245]),
               accuracy=np.array([[0.875, 0.625], [0.75, 0.25]]))
    for means in ([0.6, 0.8, 0.5, 0.7], [0.55, 0.62, 0.9, 0.7, 0.48]):
        yield case(f"{len(means)} methods, 11 episodes", accuracy=episodes(means, 11, rng))
    yield case("two methods, 30 episodes", accuracy=episodes([0.7, 0.74], 30, rng))
    yield case("the best comes twice", expected=([1, 2, 0], [0.0, 0.0, -0.125], [0.0, 0.0, 0.0]),
               accuracy=np.array([[0.375, 0.75], [0.5, 0.875], [0.5, 0.875]]))
    yield case("one method", expected=([0], [0.0], [0.0]), accuracy=np.array([[0.25, 0.75, 0.5]]))


# ---------------------------------------------------------------- sets of points


def drawing(n_points, rng):
    """Pixels of a 12 x 9 grid, all different."""
    pixels = rng.choice(12 * 9, n_points, replace=False)
    return np.stack([pixels // 9, pixels % 9], axis=1).astype(float)


@exercise("comparison.2", lesson8_protocols.modified_hausdorff)
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
