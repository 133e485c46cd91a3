"""Lesson 2, zero-shot: the closed form is the minimum (by other formulas: exercise zero_shot.2); what is refused."""

import numpy as np
import pytest
from autograd import grad

from fewshot_np.lesson2_zero_shot import eszsl, eszsl_objective, fit, scores, standardised
from tests.lesson2_zero_shot.described import ATTRIBUTES, described_features


def random_problem(m=11, d=5, z=4, a=3, seed=0):
    """Features (M,D), labels (M,), signatures (Z,A)."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(m, d)), rng.permutation(np.arange(m) % z), rng.normal(size=(z, a))


@pytest.mark.parametrize(("gamma", "lam"), [(0.5, 2.0), (10.0, 0.01), (1e-3, 30.0)])
def test_gradient_of_the_objective_is_zero_at_the_closed_form(gamma, lam):
    features, labels, signatures = random_problem()
    slope = grad(eszsl_objective)(eszsl(features, labels, signatures, gamma, lam), features, labels, signatures, gamma,
                                  lam)
    np.testing.assert_allclose(slope, 0, atol=1e-10)


def test_float32_is_solved_in_float64():
    problem = [array.astype("float32") if array.dtype == float else array for array in random_problem()]
    exact = eszsl(*(array.astype(float) if array.dtype == "float32" else array for array in problem), 1e-6, 1e-6)
    np.testing.assert_array_equal(eszsl(*problem, 1e-6, 1e-6), exact)


def test_objective_anchor_worked_by_hand():
    one = np.ones((1, 1))  # f = 2, s = y = 1, all other numbers 1: 10 v^2 - 4 v + 1, smallest at v = 0.2
    for v, value in [(0.2, 0.6), (1.0, 7.0)]:
        assert eszsl_objective(v * one, 2 * one, np.array([0]), one, 1, 1) == pytest.approx(value)


@pytest.mark.parametrize(("change", "message"), [
    *((change, "gamma and lam must be above 0") for change in
      ({"gamma": 0}, {"lam": 0}, {"gamma": -1}, {"lam": float("nan")})),
    ({"labels": np.full(11, -1)}, r"labels must lie in 0\.\.\.3, got -1"),
    ({"labels": np.arange(11) % 5}, r"labels must lie in 0\.\.\.3, got 0\.\.\.4"),
    ({"labels": np.zeros(10, int)}, r"features \(11, 5\) need labels \(11,\), got \(10,\)"),
])
def test_what_is_no_problem_of_eszsl_is_refused(change, message):
    features, labels, attributes = random_problem()
    arguments = {"features": features, "labels": labels, "signatures": attributes, "gamma": 1, "lam": 1}
    with pytest.raises(ValueError, match=message):
        eszsl(**arguments | change)


def test_fit_is_eszsl_on_centred_features():
    features, attributes = described_features(), ATTRIBUTES
    params = fit(features, attributes, 2.0, 0.5)
    rows = features.reshape(-1, 12).astype(float)
    centred = np.c_[(rows - rows.mean(axis=0)) / rows.std(), np.ones(len(rows))]
    np.testing.assert_allclose(standardised(params, features).reshape(-1, 13), centred, atol=1e-12)
    np.testing.assert_allclose(params["v"], eszsl(centred, np.repeat(np.arange(25), 20), attributes, 2.0, 0.5))
    np.testing.assert_allclose(scores(params, features, attributes)[3, 7],
                               [centred[3 * 20 + 7] @ params["v"] @ s for s in attributes])
