"""Matching Networks: the vote by slow loops, its relation to prototypes, and the trap of a missing temperature."""

import numpy as onp
import pytest
from autograd import numpy as np

from fewshot_np.lesson3_metric import attend, cosines, matching_log_probabilities, prototypes, squared_distances
from fewshot_np.nn.primitives import log_softmax
from fewshot_np.nn.trees import grad
from tests.lesson3_metric.examples import QUERY, SUPPORT, SUPPORT_Y, D, N, Q, T, points, shuffled_labels


@pytest.mark.parametrize("temperature", [1.0, 0.1])
def test_matching_is_the_vote_of_slow_loops(temperature):
    log_p = matching_log_probabilities(SUPPORT, SUPPORT_Y, QUERY, N, temperature)
    assert log_p.shape == (T, N * Q, N)
    for t in range(T):
        for i, q in enumerate(QUERY[t]):
            weights = [onp.exp(q @ s / onp.linalg.norm(q) / onp.linalg.norm(s) / temperature) for s in SUPPORT[t]]
            votes = [sum(w for w, y in zip(weights, SUPPORT_Y[t], strict=True) if y == n) for n in range(N)]
            onp.testing.assert_allclose(onp.exp(log_p[t, i]), onp.array(votes) / sum(weights), rtol=1e-10)
        alone = matching_log_probabilities(SUPPORT[t], SUPPORT_Y[t], QUERY[t], N, temperature)
        onp.testing.assert_allclose(alone, log_p[t], rtol=1e-10)


def test_only_with_one_example_matching_by_squared_distances_is_the_prototypical_network():
    def difference(support, labels):
        by_votes = attend(-squared_distances(QUERY, support), labels, N)
        return onp.abs(by_votes - log_softmax(-squared_distances(QUERY, prototypes(support, labels, N)))).max()

    assert difference(points(T, N, D, seed=5), shuffled_labels(1)) < 1e-9
    assert difference(SUPPORT, SUPPORT_Y) > 0.1


@pytest.mark.parametrize(("n_way", "bound"), [(5, 0.405), (20, 0.1252)])
def test_without_a_temperature_no_query_is_ever_sure(n_way, bound):
    best = onp.eye(n_way)  # embeddings as far apart as a ReLU leaves them: every cosine is 1 or 0
    sure = onp.exp(matching_log_probabilities(best, onp.arange(n_way), best, n_way)).max()
    assert sure == pytest.approx(onp.e / (onp.e + n_way - 1), rel=1e-12) == pytest.approx(bound, abs=1e-3)
    assert onp.exp(matching_log_probabilities(best, onp.arange(n_way), best, n_way, 0.1)).max() > 0.99


def test_a_row_of_zeros_has_cosine_zero_and_a_finite_derivative():
    a = points(3, D)
    a[1] = 0
    onp.testing.assert_allclose(cosines(a, a)[1], 0)
    onp.testing.assert_allclose(onp.diag(cosines(a, a)), [1, 0, 1])
    assert onp.isfinite(grad(lambda a: np.sum(cosines(a, points(2, D)) ** 2))(a)).all()


def test_votes_for_a_class_without_an_example_are_refused():
    with pytest.raises(ValueError, match="class 2 has no example"):
        attend(points(2, 3), onp.array([0, 1, 3]), 4)
    with pytest.raises(ValueError, match=r"\(4,\).*\(3,\)"):
        attend(points(2, 4), onp.array([0, 1, 2]), 3)
