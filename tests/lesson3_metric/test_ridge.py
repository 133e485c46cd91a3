"""The ridge head: least squares by slow means, both forms of the equations, what they refuse, and PyTorch."""

import numpy as onp
import pytest
from autograd import numpy as np

from fewshot_np.lesson3_metric import ridge_logits, ridge_weights, start_ridge
from fewshot_np.nn.primitives import cross_entropy
from fewshot_np.nn.trees import grad
from tests.lesson3_metric.examples import PARAMS, QUERY, QUERY_Y, SUPPORT, SUPPORT_Y, D, K, N, T, points
from tests.nn.derivatives import assert_close, assert_differentiates

TARGETS = onp.eye(N)[SUPPORT_Y]


def error(w, x, y, strength):
    return onp.sum((x @ w - y) ** 2) + strength * onp.sum(w ** 2)


@pytest.mark.parametrize("n_examples", [N * K, D, 3])  # more examples than features, as many, fewer
def test_no_other_weights_have_a_smaller_error(n_examples):
    x, y = SUPPORT[0, :n_examples], TARGETS[0, :n_examples]
    w = ridge_weights(x, y, 0.7)
    assert w.shape == (D, N)
    for move in points(20, D, N, seed=8):
        for size in (1e-3, 1.0):
            assert error(w + size * move, x, y, 0.7) > error(w, x, y, 0.7)


@pytest.mark.parametrize("n_examples", [N * K, 3])
def test_both_forms_of_the_equations_and_tasks_at_once(n_examples):
    x, y = SUPPORT[:, :n_examples], TARGETS[:, :n_examples]
    together = ridge_weights(x, y, 0.3)
    for t in range(T):
        by_features = onp.linalg.inv(x[t].T @ x[t] + 0.3 * onp.eye(D)) @ x[t].T @ y[t]
        by_examples = x[t].T @ onp.linalg.inv(x[t] @ x[t].T + 0.3 * onp.eye(n_examples)) @ y[t]
        onp.testing.assert_allclose(by_features, by_examples, rtol=1e-9)
        onp.testing.assert_allclose(together[t], by_features, rtol=1e-9)
        onp.testing.assert_allclose(ridge_weights(x[t], y[t], 0.3), by_features, rtol=1e-9)


def test_a_weak_ridge_fits_few_examples_exactly_and_a_strong_one_weighs_the_sums_of_the_classes():
    x, labels = points(3, D), onp.array([2, 0, 1])
    onp.testing.assert_allclose(x @ ridge_weights(x, onp.eye(3)[labels], 1e-9), onp.eye(3)[labels], atol=1e-6)
    strong = 1e8 * ridge_weights(SUPPORT[0], TARGETS[0], 1e8)
    for n in range(N):
        onp.testing.assert_allclose(strong[:, n], SUPPORT[0][SUPPORT_Y[0] == n].sum(axis=0), rtol=1e-5)


@pytest.mark.parametrize("n_examples", [N * K, 3])
def test_gradients_and_their_gradients_are_slopes(n_examples):
    assert_differentiates(ridge_weights, SUPPORT[:2, :n_examples], TARGETS[:2, :n_examples], onp.array(0.8), order=2)


def test_learned_numbers_start_as_they_are_told_and_are_learned():
    ridge = start_ridge(PARAMS, strength=2.0, scale=7.0)["ridge"]
    assert onp.exp(ridge["strength"]) == pytest.approx(2.0)
    assert onp.exp(ridge["scale"]) == pytest.approx(7.0)

    def loss(ridge):
        logits = ridge_logits(SUPPORT, SUPPORT_Y, QUERY, N, np.exp(ridge["strength"]), np.exp(ridge["scale"]))
        return np.sum(cross_entropy(logits, QUERY_Y))

    gradient = grad(loss)(ridge)
    assert abs(gradient["strength"]) > 1e-3
    assert abs(gradient["scale"]) > 1e-3


@pytest.mark.parametrize("strength", [0.0, -1.0, float("nan")])
def test_a_strength_that_is_not_positive_is_refused(strength):
    with pytest.raises(ValueError, match="must be positive"):
        ridge_weights(SUPPORT, TARGETS, strength)


@pytest.mark.parametrize(("x", "y"), [((4, 5), (3, 2)), ((2, 4, 5), (3, 4, 2)), ((2, 4, 5), (4, 2)), ((5,), (5,)),
                                      ((1, 2, 4, 5), (1, 2, 4, 2))])
def test_shapes_that_do_not_fit_are_refused(x, y):
    with pytest.raises(ValueError, match="same T and M, got"):
        ridge_weights(points(*x), points(*y), 1.0)


def test_bad_labels_tasks_and_starts_are_refused():
    with pytest.raises(ValueError, match="class 1 has no example"):
        ridge_logits(SUPPORT[0], onp.zeros(N * K, int), QUERY[0], 2, 1.0, 1.0)
    with pytest.raises(ValueError, match="same T and D"):
        ridge_logits(SUPPORT, SUPPORT_Y, QUERY[0], N, 1.0, 1.0)
    with pytest.raises(ValueError, match="the scale must be positive, got 0"):
        start_ridge(PARAMS, scale=0.0)


@pytest.mark.parametrize("n_examples", [N * K, 3])
def test_value_and_gradients_are_pytorchs(n_examples):
    torch = pytest.importorskip("torch")
    x, y = SUPPORT[:, :n_examples], TARGETS[:, :n_examples]
    theirs = [torch.tensor(a, requires_grad=True) for a in (x, QUERY, onp.array(0.6))]
    system = theirs[0].mT @ theirs[0] + theirs[2] * torch.eye(D, dtype=torch.float64)
    logits = theirs[1] @ torch.linalg.solve(system, theirs[0].mT @ torch.tensor(y))
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), torch.tensor(QUERY_Y).flatten())
    expected = torch.autograd.grad(loss, theirs)

    def ours(arguments):
        x, query, strength = arguments
        return np.sum(cross_entropy(np.matmul(query, ridge_weights(x, y, strength)), QUERY_Y)) / T

    arguments = (x, QUERY, onp.array(0.6))
    assert ours(arguments) == pytest.approx(loss.item(), rel=1e-10)
    for index, e in enumerate(expected):
        gradient = grad(lambda a, i=index: ours((*arguments[:i], a, *arguments[i + 1:])))(arguments[index])
        assert_close(gradient, e.numpy(), 1e-9)
