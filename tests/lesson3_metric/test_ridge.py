"""The ridge head: both forms of the equations for tasks at once, its learned numbers, what it refuses.

By hand, by other formulas, and the derivatives: exercise metric.5."""

import numpy as onp
import pytest

from fewshot_np.lesson3_metric import ridge_logits, ridge_weights, start_ridge
from tests.lesson3_metric.examples import PARAMS, QUERY, SUPPORT, SUPPORT_Y, D, K, N, points

TARGETS = onp.eye(N)[SUPPORT_Y]


@pytest.mark.parametrize("n_examples", [N * K, D, 3])  # more examples than features, as many, fewer
def test_tasks_at_once_are_solved_by_either_form_of_the_equations(n_examples):
    x, y = SUPPORT[:, :n_examples], TARGETS[:, :n_examples]
    xt = x.swapaxes(1, 2)
    by_features = onp.linalg.inv(xt @ x + 0.3 * onp.eye(D)) @ xt @ y
    onp.testing.assert_allclose(ridge_weights(x, y, 0.3), by_features, rtol=1e-9)
    onp.testing.assert_allclose(xt @ onp.linalg.inv(x @ xt + 0.3 * onp.eye(n_examples)) @ y, by_features, rtol=1e-9)


def test_learned_numbers_start_as_they_are_told():
    ridge = start_ridge(PARAMS, strength=2.0, scale=7.0)["ridge"]
    assert onp.exp(ridge["strength"]) == pytest.approx(2.0)
    assert onp.exp(ridge["scale"]) == pytest.approx(7.0)


@pytest.mark.parametrize(("x", "y", "strength", "message"), [
    *((points(*x), points(*y), 1.0, "same T and M, got") for x, y in [
        ((4, 5), (3, 2)), ((2, 4, 5), (3, 4, 2)), ((2, 4, 5), (4, 2)), ((5,), (5,)), ((1, 2, 4, 5), (1, 2, 4, 2))]),
    *((SUPPORT, TARGETS, strength, "must be positive") for strength in (0.0, -1.0, float("nan")))])
def test_shapes_that_do_not_fit_and_a_strength_that_is_not_positive_are_refused(x, y, strength, message):
    with pytest.raises(ValueError, match=message):
        ridge_weights(x, y, strength)


def test_bad_labels_tasks_and_starts_are_refused():
    with pytest.raises(ValueError, match="class 1 has no example"):
        ridge_logits(SUPPORT[0], onp.zeros(N * K, int), QUERY[0], 2, 1.0, 1.0)
    with pytest.raises(ValueError, match="same T and D"):
        ridge_logits(SUPPORT, SUPPORT_Y, QUERY[0], N, 1.0, 1.0)
    with pytest.raises(ValueError, match="the scale must be positive, got 0"):
        start_ridge(PARAMS, scale=0.0)
