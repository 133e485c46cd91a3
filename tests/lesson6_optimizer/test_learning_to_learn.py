"""Training an optimiser (the objective, and which gradients are constants: exercise optimizer.5): what else is cut off,
what it is trained on; SGD and Adam by grid."""

from functools import partial

import autograd.numpy as np
import numpy as onp
import pytest

from fewshot_np import lesson6_optimizer as lesson
from fewshot_np.lesson4_maml import sample_sinusoids, squared_error
from fewshot_np.nn.networks import mlp
from fewshot_np.nn.optimizers import sgd
from fewshot_np.nn.trees import grad, leaves, tree_map, value_and_grad
from tests.nn.derivatives import assert_differentiates, rebuilt
from tests.scaffolding import assert_same_tree, assert_slope, assert_trained_as_in_a_run, shaken, vector

NETWORK = mlp([1, 4, 1])
LOSS = partial(squared_error, NETWORK)


def small_optimizer(hidden=4):
    return shaken(lesson.init_optimizer(onp.random.default_rng(0), hidden))


def three_tasks(steps_before=0, dtype=float):
    tasks = lesson.sample_optimizer_tasks(NETWORK, 5, 3, steps_before, onp.random.default_rng(0))
    as_type = partial(tree_map, lambda a: a.astype(dtype))
    return tasks._replace(learner=as_type(tasks.learner), x=as_type(tasks.x), y=as_type(tasks.y))


def test_optimise_with_sgd_is_gradient_descent_and_gives_the_losses_in_order():
    tasks = three_tasks()
    losses, learner, _ = lesson.optimise(partial(sgd, learning_rate=0.01), LOSS, *tasks[:3], 3)
    for t in range(3):
        params = tree_map(lambda p, t=t: p[t], tasks.learner)
        for step in range(3):
            gradient = grad(LOSS)(params, tasks.x[t], tasks.y[t])
            params = tree_map(lambda p, g: p - 0.01 * g, params, gradient)
            assert losses[step][t] == pytest.approx(LOSS(params, tasks.x[t], tasks.y[t]), rel=1e-10)
        assert_same_tree(tree_map(lambda p, t=t: p[t], learner), params)


# ---------------------------------------------------------------- the objective and its derivatives


def test_derivatives_where_the_gradients_do_not_depend_on_the_steps():
    # a loss linear in the parameters has the same gradient everywhere: nothing is dropped, and finite differences agree
    params, tasks, rng = small_optimizer(hidden=3), three_tasks(), onp.random.default_rng(5)
    slopes = [rng.normal(size=leaf.shape) for leaf in leaves(tasks.learner)]

    def loss(learner, x, y):
        return sum(np.sum(np.reshape(a * b, (3, -1)), axis=1) for a, b in zip(leaves(learner), slopes, strict=True))
    assert_differentiates(lambda *arrays: lesson.optimizer_objective(loss, rebuilt(params, arrays), tasks, 3),
                          *leaves(params))
    assert all(leaf.any() for leaf in leaves(grad(lambda p: lesson.optimizer_objective(loss, p, tasks, 3))(params)))


def test_no_derivative_flows_through_the_steps_beforehand():
    params, tasks = small_optimizer(), three_tasks(steps_before=2)
    _, learner, state = lesson.optimise(partial(lesson.lstm_optimizer, params), LOSS, *tasks[:3], 2)

    def after(p):
        moved, _ = lesson.lstm_optimizer(p, learner, grad(lambda q: np.sum(LOSS(q, tasks.x, tasks.y)))(learner), state)
        return np.sum(LOSS(moved, tasks.x, tasks.y)) * (1 / 3)
    gradient = vector(grad(lambda p: lesson.optimizer_objective(LOSS, p, tasks, 1))(params))
    assert_slope(after, params, gradient=gradient, eps=1e-6)


@pytest.mark.filterwarnings("error")
def test_training_stays_float32_and_its_five_lines_are_what_the_run_does(tmp_path):
    tasks, params = three_tasks(steps_before=1, dtype="float32"), lesson.init_optimizer(onp.random.default_rng(0))
    objective = partial(lesson.optimizer_objective, LOSS, segment=2)
    value, gradient = value_and_grad(objective)(params, tasks)
    assert value.dtype == "float32"
    assert all(leaf.dtype == "float32" for leaf in leaves(gradient))
    page = lesson.optimizer_train(LOSS, params, lambda: tasks, 2, 1e-2, 4)
    assert_trained_as_in_a_run(page, objective, params, lambda: tasks, 1e-2, 4, tmp_path)


# ---------------------------------------------------------------- what it is trained on


def test_tasks_are_new_networks_and_curves():
    tasks = lesson.sample_optimizer_tasks(mlp([1, 20, 1]), 10, 4, 30, onp.random.default_rng(0))
    assert tasks.x.shape == tasks.y.shape == (4, 10, 1)
    assert tasks.steps_before == 30
    w = tasks.learner["dense1"]["w"]
    assert w.shape == (4, 1, 20)
    assert all(onp.abs(w[0] - w[t]).min() > 0 for t in range(1, 4))
    assert all(leaf.dtype == "float32" for leaf in leaves(tasks.learner))
    assert tasks.y.dtype == sample_sinusoids(10, 1, 4, onp.random.default_rng(0)).support_y.dtype


def test_segments_start_anywhere_in_the_horizon_with_equal_chance():
    sample = lesson.sample_segments(mlp([1, 1]), 10, 1, 20, 5, onp.random.default_rng(0))
    counts = onp.bincount([sample().steps_before for _ in range(800)], minlength=20)
    assert set(onp.flatnonzero(counts)) == {0, 5, 10, 15}
    assert counts[[0, 5, 10, 15]].min() > 150
    with pytest.raises(ValueError, match="horizon of 20 steps is not made of whole segments of 7"):
        lesson.sample_segments(mlp([1, 1]), 10, 1, 20, 7, onp.random.default_rng(0))


# ---------------------------------------------------------------- SGD and Adam by grid


def test_the_rate_of_each_step_is_that_of_the_lowest_mean_loss():
    losses = {("SGD", 0.1): onp.array([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0]]),
              ("SGD", 0.5): onp.array([[1.0, 1.0, 5.0], [2.0, 1.0, 0.0]]),
              ("SGD", 0.9): onp.array([[0.0, 3.0, 0.0], [0.1, 0.0, 9.0]]),
              ("Adam", 0.2): onp.array([[0.0, 0.0, 0.0]])}
    onp.testing.assert_array_equal(lesson.tuned_rates(losses, "SGD"), [0.9, 0.5, 0.1])
    onp.testing.assert_array_equal(lesson.tuned_rates(losses, "Adam"), [0.2] * 3)


@pytest.mark.filterwarnings("error")
def test_paths_are_the_losses_after_each_step_and_those_of_before_where_it_diverges():
    tasks = three_tasks(dtype="float32")
    slow, wild = (partial(sgd, learning_rate=rate) for rate in (0.001, 1e6))
    losses = lesson.paths({"slow": slow, "wild": wild}, LOSS, tasks, 30)
    onp.testing.assert_array_equal(losses["slow"], onp.stack(lesson.optimise(slow, LOSS, *tasks[:3], 30)[0], axis=1))
    before = LOSS(tasks.learner, tasks.x, tasks.y)
    onp.testing.assert_array_equal(losses["wild"], onp.repeat(before[:, None], 30, axis=1))
    assert losses["wild"].dtype == "float32"
