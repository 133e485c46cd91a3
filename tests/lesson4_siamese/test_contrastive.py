"""The contrastive loss (by hand and by loops: exercise siamese.1) and the document's formula."""

import autograd.numpy as np
import numpy as onp
import pytest

from fewshot_np.lesson4_siamese import contrastive_loss, document_formula, slopes_at_distance_zero
from fewshot_np.nn.trees import grad
from tests.nn.derivatives import assert_differentiates

both_losses = pytest.mark.parametrize("loss", [contrastive_loss, document_formula])


def random_pairs(n_tasks=None, n_pairs=7, n_features=5, seed=0):
    """Embeddings whose distances lie on both sides of a margin of 3, and labels of both kinds."""
    rng = onp.random.default_rng(seed)
    shape = (n_pairs,) if n_tasks is None else (n_tasks, n_pairs)
    e1, e2 = rng.normal(size=(2, *shape, n_features))
    same = rng.integers(0, 2, shape)
    same[..., :2] = 0, 1
    return e1, e2, same


# ---------------------------------------------------------------- values


@pytest.mark.parametrize("margin", [0.5, 3.0, 10.0])
def test_several_tasks_have_the_loss_of_each_and_the_document_exchanges_the_labels(margin):
    e1, e2, same = random_pairs(4)
    each = [contrastive_loss(*task, margin) for task in zip(e1, e2, same, strict=True)]
    assert {loss.shape for loss in each} == {()}
    onp.testing.assert_allclose(contrastive_loss(e1, e2, same, margin), each)
    onp.testing.assert_allclose(document_formula(e1, e2, 1 - same, margin), each)


@both_losses
def test_labels_may_be_integers_of_any_type_lists_and_truth_values_and_float32_stays(loss):
    e1, e2, same = random_pairs()
    for labels in (same.astype("uint8"), same.astype(bool), same.tolist()):
        assert loss(e1, e2, labels) == loss(e1, e2, same)
    e1, e2 = e1.astype("float32"), e2.astype("float32")
    assert loss(e1, e2, same, 3.0).dtype == "float32"
    assert grad(lambda e: loss(e, e2, same, 3.0))(e1).dtype == "float32"


# ---------------------------------------------------------------- derivatives


@pytest.mark.parametrize("n_tasks", [None, 3])
@both_losses
def test_first_and_second_derivatives_match_finite_differences(loss, n_tasks):
    e1, e2, same = random_pairs(n_tasks)
    assert_differentiates(lambda a, b: loss(a, b, same, 3.0), e1, e2)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("same", [0, 1])
@both_losses
def test_an_identical_pair_has_gradient_zero_and_not_nan(loss, same):
    e = onp.ones((1, 3))
    onp.testing.assert_array_equal(grad(lambda e1: loss(e1, e, [same], 2.0))(e), onp.zeros((1, 3)))
    # both twins at once, through shared parameters
    onp.testing.assert_array_equal(grad(lambda w: loss(w * e, w * e, [same], 2.0))(onp.array(1.5)), 0)


def test_an_identical_same_pair_has_the_hessian_of_the_square():
    e, v = onp.ones((1, 3)), onp.array([[1.0, -2.0, 3.0]])
    slope = grad(lambda e1: contrastive_loss(e1, e, [1]))
    onp.testing.assert_allclose(grad(lambda e1: np.sum(slope(e1) * v))(e), 2 * v)  # d^2 |e1 - e|^2 = 2 I


def test_the_lesson_shows_what_the_plain_root_does():
    slopes = slopes_at_distance_zero()
    assert onp.isnan(slopes["plain root"]).all()
    onp.testing.assert_array_equal(slopes["safe_norm"], onp.zeros(3))


# ---------------------------------------------------------------- what it refuses


@pytest.mark.parametrize(("e1", "e2", "same", "margin", "message"), [
    ((4, 3), (4, 2), [0, 1, 0, 1], 1.0, r"got \(4, 3\) and \(4, 2\)"),
    ((4, 3), (1, 3), [0, 1, 0, 1], 1.0, r"got \(4, 3\) and \(1, 3\)"),
    ((3,), (3,), [1, 0, 1], 1.0, r"\(P,D\) or \(T,P,D\)"),
    ((4, 3), (4, 3), [0, 1, 0], 1.0, r"need labels \(4,\), got \(3,\)"),
    ((4, 3), (4, 3), [[0], [1], [0], [1]], 1.0, r"need labels \(4,\), got \(4, 1\)"),
    ((2, 4, 3), (2, 4, 3), [0, 1, 0, 1], 1.0, r"need labels \(2, 4\), got \(4,\)"),
    ((0, 3), (0, 3), [], 1.0, "1 or more"),
    ((2, 3), (2, 3), [0, 2], 1.0, "integers 0 and 1, got int64"),
    ((2, 3), (2, 3), [-1, 1], 1.0, "integers 0 and 1"),
    ((2, 3), (2, 3), [0.0, 1.0], 1.0, "integers 0 and 1, got float64"),
    ((2, 3), (2, 3), [0, 1], 0.0, "margin must be a positive number, got 0.0"),
    ((2, 3), (2, 3), [0, 1], float("nan"), "margin must be a positive number, got nan"),
])
@both_losses
def test_what_does_not_fit_is_refused(loss, e1, e2, same, margin, message):
    with pytest.raises(ValueError, match=message):
        loss(onp.zeros(e1), onp.zeros(e2), same, margin)
    if e1[0]:
        with pytest.raises(ValueError, match=message):  # inside grad, too
            grad(lambda e: np.sum(loss(e, onp.zeros(e2), same, margin)))(onp.zeros(e1))
