"""Prototypes and distances: several tasks, what they refuse; the learner of lesson 1's curve.

By hand and by slow loops, the loss, and the derivatives: exercises metric.1 to metric.3."""

import numpy as onp
import pytest
from autograd import numpy as np

from fewshot_np.lesson3_metric import cosines, nearest_prototype, plain_distances, prototypes, squared_distances
from fewshot_np.nn.trees import grad
from tests.lesson3_metric import examples
from tests.lesson3_metric.examples import METHODS, NETWORK, PARAMS, QUERY, SUPPORT, D, K, N, Q, T, points


@pytest.mark.parametrize(("embeddings", "labels", "n_way", "message"), [
    (points(4, D), [0, 1, 2], 3, r"\(4,\).*\(3,\)"),
    (points(2, 4, D), [0, 1, 2, 0], 3, r"\(2, 4\).*\(4,\)"),
    (points(D), [0, 1, 2, 0, 1], 3, r"\(M,D\) or \(T,M,D\), got \(5,\)"),
    (points(3, D), [0.0, 1, 2], 3, "integers.*float64"),
    (points(3, D), [0, 1, 3], 3, r"0\.\.\.2 for 3 classes, got 0\.\.\.3"),
    (points(3, D), [0, 1, -1], 3, r"0\.\.\.2 for 3 classes, got -1\.\.\.1"),
    (points(3, D), [0, 2, 2], 3, "class 1 has no example"),
    (points(2, 3, D), [[0, 1, 2], [2, 1, 1]], 3, "class 0 of task 1 has no example"),
    (points(3, D), [0, 1, 2], 4, "class 3 has no example"),
    (points(3, D), [0, 1, 2], 0, "n_way must be a positive integer, got 0"),
    (points(3, D), [0, 1, 2], 3.0, "n_way must be a positive integer"),
    (points(0, D), onp.array([], int), 2, "class 0 has no example")])
@pytest.mark.filterwarnings("error")
def test_prototypes_refuse_what_has_no_mean(embeddings, labels, n_way, message):
    with pytest.raises(ValueError, match=message):
        prototypes(embeddings, onp.array(labels), n_way)


@pytest.mark.parametrize(("f", "of_a_pair"), [
    (squared_distances, lambda q, s: sum((q - s) ** 2)), (plain_distances, lambda q, s: sum((q - s) ** 2) ** 0.5),
    (cosines, lambda q, s: sum(q * s) / (sum(q * q) * sum(s * s)) ** 0.5)])
def test_distances_and_cosines_of_tasks_at_once_are_those_of_slow_loops(f, of_a_pair):
    together = f(QUERY, SUPPORT)
    assert together.shape == (T, N * Q, N * K)
    for (t, i, j), value in onp.ndenumerate(together):
        assert value == pytest.approx(of_a_pair(QUERY[t, i], SUPPORT[t, j]), rel=1e-12)


def test_distances_far_from_the_origin_keep_their_digits_in_float32():
    near = points(4, D).astype("float32") * 0.01
    far = near + onp.float32(1000)  # |a|^2 - 2 a.b + |b|^2 would be nothing but rounding here
    exact = squared_distances(far.astype(float), far.astype(float))
    onp.testing.assert_allclose(squared_distances(far, far), exact, rtol=1e-5, atol=0)
    assert (onp.diag(squared_distances(far, far)) == 0).all()


def test_the_plain_distance_has_derivative_zero_where_two_points_are_one():
    a = points(2, D)
    gradient = grad(lambda a: np.sum(plain_distances(a, onp.array([points(2, D)[0]]))))(a)
    assert (gradient[0] == 0).all()
    onp.testing.assert_allclose(onp.linalg.norm(gradient[1]), 1, rtol=1e-12)


@pytest.mark.parametrize("f", [squared_distances, plain_distances, cosines])
@pytest.mark.parametrize(("a", "b"), [((4, 5), (4, 6)), ((2, 4, 5), (3, 4, 5)), ((2, 4, 5), (4, 5)), ((5,), (5,)),
                                      ((4, 5), (5,)), ((1, 2, 3, 4), (1, 2, 3, 4))])
def test_rows_that_do_not_pair_are_refused(f, a, b):
    with pytest.raises(ValueError, match=r"same T and D, got"):
        f(points(*a), points(*b))


def test_the_learner_of_the_curve_answers_as_the_scores_do():
    episode = examples.shuffled_episode()
    _, scores = METHODS["prototypical"]
    expected = scores(NETWORK, PARAMS, episode, "support").argmax(-1)
    for t in range(T):
        answers = nearest_prototype(NETWORK, PARAMS, episode.support_x[t], episode.support_y[t], episode.query_x[t], N,
                                    onp.random.default_rng())
        onp.testing.assert_array_equal(answers, expected[t])
