"""Prototypes, distances and the prototypical loss: several tasks, what they ignore, what they refuse, derivatives.

By hand and by slow loops: lessons/lesson3_metric/test_exercises.py, where the library is the reference."""

from functools import partial

import numpy as onp
import pytest
from autograd import numpy as np

from fewshot_np.lesson3_metric import (
    cosines,
    matching_log_probabilities,
    nearest_prototype,
    plain_distances,
    prototypes,
    prototypical_loss,
    prototypical_scores,
    squared_distances,
)
from fewshot_np.nn.primitives import log_softmax
from fewshot_np.nn.trees import grad
from tests.lesson3_metric.examples import (
    NETWORK,
    PARAMS,
    QUERY,
    QUERY_Y,
    SUPPORT,
    SUPPORT_Y,
    D,
    K,
    N,
    Q,
    T,
    points,
    shuffled_episode,
)
from tests.nn.derivatives import assert_differentiates

# ---------------------------------------------------------------- prototypes


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


# ---------------------------------------------------------------- distances, and cosines beside them


def test_distances_and_cosines_are_those_of_slow_loops():
    comparisons = (squared_distances, plain_distances, cosines)
    squared, plain, angles = (f(QUERY, SUPPORT) for f in comparisons)
    for f, together in zip(comparisons, (squared, plain, angles), strict=True):
        onp.testing.assert_allclose(onp.stack([f(*task) for task in zip(QUERY, SUPPORT, strict=True)]), together)
    assert squared.shape == plain.shape == angles.shape == (T, N * Q, N * K)
    for (t, i, j), value in onp.ndenumerate(squared):
        q, s = QUERY[t, i], SUPPORT[t, j]
        expected = sum((q[d] - s[d]) ** 2 for d in range(D))
        assert value == pytest.approx(expected, rel=1e-12)
        assert plain[t, i, j] == pytest.approx(expected ** 0.5, rel=1e-12)
        assert angles[t, i, j] == pytest.approx(sum(q * s) / (sum(q * q) * sum(s * s)) ** 0.5, rel=1e-12)


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


# ---------------------------------------------------------------- the loss

LOSS = prototypical_loss(SUPPORT, SUPPORT_Y, QUERY, QUERY_Y, N)


@pytest.mark.parametrize("distances", [squared_distances, plain_distances])
def test_the_loss_of_several_tasks_is_that_of_each_by_either_distance(distances):
    together = prototypical_loss(SUPPORT, SUPPORT_Y, QUERY, QUERY_Y, N, distances)
    assert together.shape == (T,)
    for t in range(T):
        alone = prototypical_loss(SUPPORT[t], SUPPORT_Y[t], QUERY[t], QUERY_Y[t], N, distances)
        log_p = log_softmax(-distances(QUERY[t], prototypes(SUPPORT[t], SUPPORT_Y[t], N)))
        assert onp.shape(alone) == ()
        assert together[t] == pytest.approx(alone, rel=1e-12)
        assert alone == pytest.approx(-log_p[range(N * Q), QUERY_Y[t]].mean(), rel=1e-10)


def test_the_loss_ignores_the_order_of_the_examples_the_numbers_of_the_classes_and_where_the_space_lies():
    order, other = (onp.random.default_rng(seed).permutation(N * n) for seed, n in [(7, K), (8, Q)])
    new, (turn, _) = onp.array([2, 0, 3, 1]), onp.linalg.qr(points(D, D, seed=6))
    for unchanged in (
            prototypical_loss(SUPPORT[:, order], SUPPORT_Y[:, order], QUERY[:, other], QUERY_Y[:, other], N),
            prototypical_loss(SUPPORT, new[SUPPORT_Y], QUERY, new[QUERY_Y], N),
            prototypical_loss(SUPPORT @ turn + 3, SUPPORT_Y, QUERY @ turn + 3, QUERY_Y, N)):
        onp.testing.assert_allclose(unchanged, LOSS, rtol=1e-10)
    assert not onp.allclose(prototypical_loss(SUPPORT, new[SUPPORT_Y], QUERY, QUERY_Y, N), LOSS)


def test_plain_and_squared_distances_choose_alike_but_not_with_the_same_certainty():
    centres = prototypes(SUPPORT, SUPPORT_Y, N)
    squared, plain = -squared_distances(QUERY, centres), -plain_distances(QUERY, centres)
    onp.testing.assert_array_equal(squared.argmax(-1), plain.argmax(-1))
    assert onp.abs(log_softmax(squared) - log_softmax(plain)).max() > 0.5


# ---------------------------------------------------------------- derivatives, those of matching.py among them

FUNCTIONS = {
    "prototypes": lambda s, q, labels_s, labels_q: prototypes(s, labels_s, N),
    "squared": lambda s, q, labels_s, labels_q: squared_distances(q, s),
    "plain": lambda s, q, labels_s, labels_q: plain_distances(q, s),
    "cosines": lambda s, q, labels_s, labels_q: cosines(q, s),
    "loss": lambda s, q, labels_s, labels_q: prototypical_loss(s, labels_s, q, labels_q, N),
    "plain loss": lambda s, q, labels_s, labels_q: prototypical_loss(s, labels_s, q, labels_q, N, plain_distances),
    "matching": lambda s, q, labels_s, labels_q: matching_log_probabilities(s, labels_s, q, N, 0.3)}


@pytest.mark.filterwarnings("ignore:Output seems independent")  # prototypes of the queries
@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_and_their_gradients_are_slopes(name):
    f = partial(FUNCTIONS[name], labels_s=SUPPORT_Y[:2], labels_q=QUERY_Y[:2])
    assert_differentiates(f, SUPPORT[:2], QUERY[:2], order=2)


# ---------------------------------------------------------------- lesson 1's learner


def test_the_learner_of_the_curve_answers_as_the_scores_do():
    episode = shuffled_episode()
    expected = prototypical_scores(NETWORK, PARAMS, episode, "support").argmax(-1)
    for t in range(T):
        answers = nearest_prototype(NETWORK, PARAMS, episode.support_x[t], episode.support_y[t], episode.query_x[t], N,
                                    onp.random.default_rng())
        onp.testing.assert_array_equal(answers, expected[t])
