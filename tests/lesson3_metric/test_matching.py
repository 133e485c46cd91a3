"""Matching Networks (the vote by slow loops, and its derivatives: exercise metric.4): tasks at once, far away, and the
trap of a missing temperature."""

import numpy as onp
import pytest
from autograd import numpy as np

from fewshot_np.lesson3_metric import attend, cosines, matching_log_probabilities, squared_distances
from fewshot_np.nn.trees import grad
from tests.lesson3_metric.examples import QUERY, SUPPORT, SUPPORT_Y, D, N, Q, T, points


def test_tasks_at_once_attend_as_one_by_one_and_the_temperature_divides_the_cosines():
    log_p = matching_log_probabilities(SUPPORT, SUPPORT_Y, QUERY, N, 0.1)
    assert log_p.shape == (T, N * Q, N)
    for t in range(T):
        onp.testing.assert_allclose(attend(10 * cosines(QUERY[t], SUPPORT[t]), SUPPORT_Y[t], N), log_p[t], rtol=1e-10)


def test_attend_far_from_every_example():
    """Support 0 and 40, query 1: minus the squared distances are -1 and -1521, and exp(-1520) is 0 for a computer."""
    log_p = attend(-squared_distances(onp.array([[1.0]]), onp.array([[0.0], [40.0]])), onp.array([0, 1]), 2)
    onp.testing.assert_allclose(log_p, [[0, -1520]])
    two_each = onp.array([[0.0, -2000, -2000, -9000]])  # class 1: log(2 e^-2000), to all digits
    onp.testing.assert_allclose(attend(two_each, onp.array([0, 1, 1, 0]), 2), [[0, -2000 + onp.log(2)]])


def test_attend_differentiates_far_from_every_example():
    labels, weights = onp.array([1, 0, 1, 2, 0]), points(4, 3, seed=1)
    gradient = grad(lambda s: np.sum(weights * attend(s, labels, 3)))(3000 * points(4, 5, seed=3))
    assert onp.isfinite(gradient).all()
    onp.testing.assert_allclose(gradient.sum(axis=1), 0, atol=1e-12)  # to add a number to all changes nothing


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
