"""Lesson 4's curves: which tasks are drawn, their loss, and the error that a rate is chosen by."""

from functools import partial

import numpy as onp
import pytest

from fewshot_np.lesson2_episodes import Episode
from fewshot_np.lesson4_maml import error_after, joint_objective, maml_objective, sample_sinusoids, squared_error
from fewshot_np.nn.networks import mlp
from tests.scaffolding import shaken


def test_every_sinusoid_is_one_curve_of_the_stated_family():
    tasks, curves = sample_sinusoids(10, 15, 500, onp.random.default_rng(1)), []
    assert tasks.support_x.shape == tasks.support_y.shape == (500, 10, 1)
    assert tasks.query_x.shape == tasks.query_y.shape == (500, 15, 1)
    assert {field.dtype for field in tasks[:4]} == {onp.dtype("float32")}
    x = onp.concatenate([tasks.support_x, tasks.query_x], axis=1)
    assert -5 <= x.min() < -4.99
    assert 4.99 < x.max() <= 5
    assert abs(x.mean()) < 0.1
    for xs, ys, xq, yq in zip(*tasks[:4], strict=True):
        basis = onp.concatenate([onp.sin(xs), -onp.cos(xs)], axis=1).astype(float)  # a sin(x - p)
        (a, b), *_ = onp.linalg.lstsq(basis, ys[:, 0].astype(float), rcond=None)
        onp.testing.assert_allclose(a * onp.sin(xq) - b * onp.cos(xq), yq, atol=2e-4)
        curves.append((onp.hypot(a, b), onp.arctan2(b, a)))
    amplitude, phase = onp.array(curves).T
    assert amplitude.min() > 0.0999
    assert amplitude.max() < 5.0001
    assert amplitude.mean() == pytest.approx(2.55, abs=0.3)
    assert phase.min() > -0.01
    assert phase.max() < onp.pi + 0.01
    assert phase.mean() == pytest.approx(onp.pi / 2, abs=0.2)


def test_squared_error_is_the_mean_over_points_and_refuses_targets_of_another_shape():
    network = mlp([1, 4, 1])
    params = network.init(onp.random.default_rng(0))
    tasks = sample_sinusoids(6, 1, 5, onp.random.default_rng(1))
    together = squared_error(network, params, tasks.support_x, tasks.support_y)
    expected = ((network.apply(params, tasks.support_x) - tasks.support_y) ** 2).mean(axis=(1, 2))
    onp.testing.assert_allclose(together, expected, rtol=1e-5)
    assert squared_error(network, params, tasks.support_x[0], tasks.support_y[0]) == pytest.approx(together[0])
    with pytest.raises(ValueError, match=r"output is \(5, 6, 1\), y is \(5, 6\)"):
        squared_error(network, params, tasks.support_x, tasks.support_y[..., 0])


def test_pretraining_is_the_mean_query_loss_without_adaptation():
    network = mlp([1, 4, 1])
    loss, params = partial(squared_error, network), shaken(network.init(onp.random.default_rng(0)))
    tasks = sample_sinusoids(3, 6, 5, onp.random.default_rng(1))
    value = joint_objective(loss, params, tasks)
    assert value == pytest.approx(loss(params, tasks.query_x, tasks.query_y).mean())
    assert value == pytest.approx(maml_objective(loss, params, tasks, 0.1, 0))


def test_the_error_after_some_steps_by_hand():
    def parabola(params, x, y):  # (w - y)^2 from w = 0: the error is multiplied by 1 - 2 rate at each step
        return ((params["w"] * x - y) ** 2).sum(axis=-1)

    tasks = Episode(*(onp.full((2, 1), value) for value in (1.0, 3.0, 1.0, 3.0)), None, None)
    for steps, rate in [(0, 0.1), (1, 0.1), (3, 0.2)]:
        expected = 9 * (1 - 2 * rate) ** (2 * steps)
        assert error_after(parabola, {"w": onp.array([0.0])}, tasks, steps, rate) == pytest.approx(expected)
