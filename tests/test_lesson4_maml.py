"""Lesson 4: adaptation by hand, the meta-gradient by finite differences, T tasks at once and one by one, the run."""

import inspect
import itertools
import re
from functools import partial

import autograd
import autograd.numpy as np
import numpy as onp
import pytest
from PIL import Image

from fewshot_np import lesson4_maml
from fewshot_np.experiment.records import load_checkpoint, load_params, read_record
from fewshot_np.experiment.training import Stopped
from fewshot_np.lesson2_episodes import Episode, sample_episodes
from fewshot_np.lesson4_maml import (
    adapt,
    check_meta_gradient,
    classification_loss,
    joint_objective,
    linear_loss,
    main,
    maml_objective,
    maml_scores,
    meta_gradient_by_hand,
    query_logits,
    sample_sinusoids,
    squared_error,
    tune_rate,
)
from fewshot_np.nn.networks import conv4, mlp
from fewshot_np.nn.trees import grad, leaves, repeat, tree_map

N_WAY, N_TASKS = 3, 3


def of_type(params, dtype):
    return tree_map(lambda p: p.astype(dtype), params)


def shaken(params, seed=1):
    """float64 parameters away from the special values 0 and 1."""
    rng = onp.random.default_rng(seed)
    return tree_map(lambda p: p.astype(float) + 0.1 * rng.normal(size=p.shape), params)


def random_episode(shape, n_tasks=N_TASKS, k_shot=2, n_query=2, seed=0, dtype=float):
    """Noise of class-dependent mean, so that there is something to learn; `shape` is that of one input."""
    rng = onp.random.default_rng(seed)
    labels = onp.arange(N_WAY)
    means = rng.normal(size=(n_tasks, N_WAY, *shape))

    def part(n):
        y = onp.tile(labels.repeat(n), (n_tasks, 1))
        return (means.repeat(n, axis=1) + 0.5 * rng.normal(size=(n_tasks, N_WAY * n, *shape))).astype(dtype), y

    (support_x, support_y), (query_x, query_y) = part(k_shot), part(n_query)
    return Episode(support_x, support_y, query_x, query_y, None, None)


def linear_problem():
    return linear_loss, {"w": onp.random.default_rng(5).normal(size=(4, N_WAY))}, random_episode((4,))


def mlp_problem():
    network = mlp([4, 7, 6, N_WAY])
    params = shaken(network.init(onp.random.default_rng(0)))
    return partial(classification_loss, network), params, random_episode((4,))


def conv4_problem():
    network = tiny_conv4()
    params = shaken(network.init(onp.random.default_rng(0)))
    return partial(classification_loss, network), params, random_episode((16, 16, 1))


def pooling_conv4_problem():
    network = conv4((16, 16, 1), N_WAY, channels=3)
    params = shaken(network.init(onp.random.default_rng(0)))
    return partial(classification_loss, network), params, random_episode((16, 16, 1), n_tasks=2)


def tiny_conv4():
    return conv4((16, 16, 1), N_WAY, channels=4, down="stride", features="mean")


every_problem = pytest.mark.parametrize(
    "problem", [linear_problem, mlp_problem, conv4_problem, pooling_conv4_problem])
network_problem = pytest.mark.parametrize("problem", [mlp_problem, conv4_problem])


def task_of(tree, task):
    return tree_map(lambda p: p[task], tree)


def episode_of(episode, task):
    return Episode(*(None if field is None else field[task:task + 1] for field in episode))


def vector(tree):
    return onp.concatenate([onp.ravel(leaf) for leaf in leaves(tree)])


def assert_same_tree(mine, other, rtol=1e-10):
    """Deviation relative to the largest entry of each array."""
    def compare(a, b):
        assert onp.shape(a) == onp.shape(b)
        onp.testing.assert_allclose(a, b, rtol=0, atol=rtol * onp.abs(b).max(initial=0) + 1e-14)
    tree_map(compare, mine, other)


def assert_gradient(objective, at, grad=grad, rtol=1e-6, eps=1e-7, directions=3, seed=3):
    """Hold grad(objective) against central differences along random directions of the tree `at`.

    eps is small: where an inner step crosses a kink of ReLU the objective jumps, and no slope is right.
    """
    rng, gradient = onp.random.default_rng(seed), grad(objective)(at)
    for _ in range(directions):
        move = tree_map(lambda p: rng.normal(size=onp.shape(p)), at)
        ahead, behind = (objective(tree_map(lambda p, m, s=sign: p + s * eps * m, at, move)) for sign in (1, -1))
        slope = vector(gradient) @ vector(move)
        assert abs(slope - (ahead - behind) / (2 * eps)) < rtol * onp.linalg.norm(vector(gradient)) + 1e-8


def meta_gradient(problem, inner_lr, steps, **kwargs):
    loss, params, episode = problem
    return grad(lambda p: maml_objective(loss, p, episode, inner_lr, steps, **kwargs))(params)


def adapted(problem, inner_lr, steps, **kwargs):
    loss, params, episode = problem
    return adapt(loss, repeat(params, len(episode.support_x)), episode.support_x, episode.support_y, inner_lr, steps,
                 **kwargs)


# ---------------------------------------------------------------- anchors worked by hand


def parabola(params, x, y):
    """(w x - y)^2 of one example, (1,) -> () or (T, 1) -> (T,)."""
    return np.sum((params["w"] * x - y) ** 2, axis=-1)


ANCHOR = Episode(*(onp.array([[number]]) for number in (2.0, 6.0, 1.0, 4.0)), None, None)


def test_arguments_have_their_fixed_names():
    assert list(inspect.signature(adapt).parameters) == [
        "loss", "params", "x", "y", "inner_lr", "steps", "first_order"]
    assert list(inspect.signature(maml_objective).parameters) == [
        "loss", "params", "episode", "inner_lr", "steps", "first_order"]


@pytest.mark.parametrize(("steps", "expected"), [(0, 1.0), (1, 2.6), (2, 2.92)])
def test_adapt_anchor(steps, expected):
    # w = 1: the gradient of (2 w - 6)^2 is 2 (2 - 6) 2 = -16, then 2 (5.2 - 6) 2 = -3.2
    found = adapt(parabola, {"w": onp.array([1.0])}, ANCHOR.support_x[0], ANCHOR.support_y[0], 0.1, steps)
    onp.testing.assert_allclose(found["w"], [expected], rtol=1e-12)


@pytest.mark.parametrize(("steps", "value", "second_order", "first_order"), [
    (0, 9.0, -6.0, -6.0),           # (1 - 4)^2, 2 (1 - 4)
    (1, 1.96, -0.56, -2.8),         # 1 - 0.1 H = 1 - 0.1 8 = 0.2, times 2 (2.6 - 4)
    (2, 1.1664, -0.0864, -2.16),    # 0.2^2 times 2 (2.92 - 4)
])
def test_meta_gradient_anchor(steps, value, second_order, first_order):
    params = {"w": onp.array([1.0])}
    for flag, expected in [(False, second_order), (True, first_order)]:
        objective = partial(maml_objective, parabola, episode=ANCHOR, inner_lr=0.1, steps=steps, first_order=flag)
        assert objective(params) == pytest.approx(value, rel=1e-12)
        assert grad(objective)(params)["w"] == pytest.approx(expected, rel=1e-12)


def test_objective_is_the_mean_over_tasks():
    two = Episode(*(onp.array([[a], [b]]) for a, b in [(2.0, 2.0), (6.0, 0.0), (1.0, 1.0), (4.0, 0.0)]), None, None)
    # the second task: gradient 2 (2 - 0) 2 = 8, w = 0.2, query loss 0.04
    assert maml_objective(parabola, {"w": onp.array([1.0])}, two, 0.1, 1) == pytest.approx((1.96 + 0.04) / 2)


def test_one_step_on_softmax_regression_by_hand():
    _, params, episode = linear_problem()
    x, y = episode.support_x, episode.support_y
    moved = adapt(linear_loss, repeat(params, N_TASKS), x, y, 0.3, 1)["w"]
    for t in range(N_TASKS):
        logits = x[t] @ params["w"]
        p = onp.exp(logits) / onp.exp(logits).sum(axis=1, keepdims=True)
        expected = params["w"] - 0.3 * x[t].T @ (p - onp.eye(N_WAY)[y[t]]) / len(y[t])
        onp.testing.assert_allclose(moved[t], expected, rtol=1e-12)


@every_problem
def test_no_step_changes_nothing(problem):
    loss, params, episode = problem()
    assert_same_tree(adapted((loss, params, episode), 0.4, 0), repeat(params, len(episode.support_x)), rtol=0)
    plain = np.mean(loss(repeat(params, len(episode.query_x)), episode.query_x, episode.query_y))
    assert maml_objective(loss, params, episode, 0.4, 0) == pytest.approx(plain, rel=1e-12)


@every_problem
def test_steps_taken_in_two_parts_are_the_same_steps(problem):
    loss, params, episode = problem()
    halfway = adapted((loss, params, episode), 0.1, 2)
    onwards = adapt(loss, halfway, episode.support_x, episode.support_y, 0.1, 3)
    assert_same_tree(onwards, adapted((loss, params, episode), 0.1, 5))


@every_problem
def test_adapting_lowers_the_support_loss_and_leaves_the_start_alone(problem):
    loss, params, episode = problem()
    before = tree_map(onp.copy, params)
    start = repeat(params, len(episode.support_x))
    moved = adapt(loss, start, episode.support_x, episode.support_y, 0.05, 3)
    support = episode.support_x, episode.support_y
    assert (loss(moved, *support) < loss(start, *support)).all()
    assert_same_tree(params, before, rtol=0)


# ---------------------------------------------------------------- T tasks at once, and one by one


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("first_order", [False, True])
@every_problem
def test_tasks_at_once_adapt_as_they_do_one_by_one(problem, first_order, steps):
    loss, params, episode = problem()
    together = adapted((loss, params, episode), 0.2, steps, first_order=first_order)
    for t in range(len(episode.support_x)):
        alone = adapt(loss, params, episode.support_x[t], episode.support_y[t], 0.2, steps, first_order)
        assert_same_tree(task_of(together, t), alone)


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("first_order", [False, True])
@every_problem
def test_meta_gradient_at_once_is_the_mean_of_those_one_by_one(problem, first_order, steps):
    loss, params, episode = problem()
    n_tasks = len(episode.support_x)
    together = meta_gradient((loss, params, episode), 0.2, steps, first_order=first_order)
    alone = [meta_gradient((loss, params, episode_of(episode, t)), 0.2, steps, first_order=first_order)
             for t in range(n_tasks)]
    assert_same_tree(together, tree_map(lambda *gradients: sum(gradients) / n_tasks, *alone))


@every_problem
def test_meta_gradient_without_any_task_axis(problem):
    loss, params, episode = problem()

    def one_task(p, t):
        moved = adapt(loss, p, episode.support_x[t], episode.support_y[t], 0.2, 2)
        return loss(moved, episode.query_x[t], episode.query_y[t])

    n_tasks = len(episode.support_x)
    alone = [grad(one_task)(params, t) for t in range(n_tasks)]
    assert_same_tree(meta_gradient((loss, params, episode), 0.2, 2),
                     tree_map(lambda *gradients: sum(gradients) / n_tasks, *alone))


@pytest.mark.parametrize("transductive", [False, True])
def test_logits_at_once_are_those_one_by_one(transductive):
    loss, params, episode = conv4_problem()
    together = adapted((loss, params, episode), 0.2, 2)
    logits = query_logits(tiny_conv4(), together, episode, transductive)
    assert logits.shape == (N_TASKS, 2 * N_WAY, N_WAY)
    for t in range(N_TASKS):
        part = tree_map(lambda p, t=t: p[t:t + 1], together)
        alone = query_logits(tiny_conv4(), part, episode_of(episode, t), transductive)
        onp.testing.assert_allclose(logits[t:t + 1], alone, rtol=0, atol=1e-10)


@pytest.mark.parametrize("transductive", [False, True])
def test_meta_gradient_through_the_logits_in_both_modes(transductive):
    loss, params, episode = conv4_problem()

    def objective(p, episode):
        moved = adapt(loss, repeat(p, len(episode.support_x)), episode.support_x, episode.support_y, 0.2, 2)
        return np.sum(query_logits(tiny_conv4(), moved, episode, transductive) ** 2)

    assert_gradient(lambda p: objective(p, episode), params)
    alone = [grad(objective)(params, episode_of(episode, t)) for t in range(N_TASKS)]
    assert_same_tree(grad(objective)(params, episode), tree_map(lambda *gradients: sum(gradients), *alone))


def test_a_task_does_not_hear_of_the_others():
    loss, params, episode = conv4_problem()
    before = adapted((loss, params, episode), 0.2, 2)
    other_x = episode.support_x.copy()
    other_x[1:] += 1
    after = adapted((loss, params, episode._replace(support_x=other_x)), 0.2, 2)
    assert_same_tree(task_of(after, 0), task_of(before, 0), rtol=1e-12)
    assert onp.abs(vector(task_of(after, 1)) - vector(task_of(before, 1))).max() > 1e-4


# ---------------------------------------------------------------- the meta-gradient by finite differences


@pytest.mark.parametrize("steps", [1, 2, 5])
@every_problem
def test_meta_gradient_is_the_slope_of_the_objective(problem, steps):
    loss, params, episode = problem()
    assert_gradient(lambda p: maml_objective(loss, p, episode, 0.1, steps), params)


@every_problem
def test_meta_gradient_is_that_of_autograds_own_grad(problem):
    loss, params, episode = problem()
    for rates, first_order in [(0.1, False), (0.1, True), ({"head" if "head" in params else "w": 0.1}, False)]:
        own = autograd.grad(lambda p, r=rates, f=first_order: maml_objective(loss, p, episode, r, 2, f))(params)
        assert_same_tree(meta_gradient((loss, params, episode), rates, 2, first_order=first_order), own)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_meta_gradient_by_hand_is_that_of_autograd(steps):
    loss, params, episode = linear_problem()
    hand = [meta_gradient_by_hand(params["w"], *(field[t] for field in episode[:4]), 0.3, steps)
            for t in range(N_TASKS)]
    onp.testing.assert_allclose(meta_gradient((loss, params, episode), 0.3, steps)["w"], sum(hand) / N_TASKS,
                                rtol=1e-9, atol=1e-12)


def test_the_lessons_own_check_agrees_three_ways():
    for seed in range(5):
        rows = check_meta_gradient(onp.random.default_rng(seed))
        assert [row["steps"] for row in rows] == [1, 2, 5]
        for row in rows:
            assert row["by hand"] == pytest.approx(row["autograd"], rel=1e-9, abs=1e-12)
            assert row["finite differences"] == pytest.approx(row["autograd"], rel=1e-6, abs=1e-8)
            assert row["first-order gap"] > 0.005


def test_the_lessons_own_gap_grows_with_the_steps():
    gaps = onp.array([[row["first-order gap"] for row in check_meta_gradient(onp.random.default_rng(seed))]
                      for seed in range(20)])
    one, two, five = onp.median(gaps, axis=0)
    assert one < two < five


def test_the_lessons_own_check_takes_other_rates_and_steps():
    rows = check_meta_gradient(onp.random.default_rng(0), inner_lr=0.1, steps=(0, 3))
    assert [row["steps"] for row in rows] == [0, 3]
    assert rows[0]["first-order gap"] == 0
    assert rows[1]["by hand"] == pytest.approx(rows[1]["finite differences"], rel=1e-6)


# ---------------------------------------------------------------- first order


@pytest.mark.parametrize("steps", [1, 2, 5])
@every_problem
def test_first_order_has_the_same_value(problem, steps):
    loss, params, episode = problem()
    assert_same_tree(adapted((loss, params, episode), 0.2, steps, first_order=True),
                     adapted((loss, params, episode), 0.2, steps), rtol=1e-12)
    first, second = (maml_objective(loss, params, episode, 0.2, steps, flag) for flag in (True, False))
    assert first == pytest.approx(second, rel=1e-12)


@pytest.mark.parametrize("inner_lr", [0.2, {"head": 0.2}])
@network_problem
def test_first_order_is_the_query_gradient_at_the_adapted_parameters(problem, inner_lr):
    loss, params, episode = problem()
    there = adapted((loss, params, episode), inner_lr, 3)
    at_adapted = grad(lambda p: np.sum(loss(p, episode.query_x, episode.query_y)))(there)
    expected = tree_map(lambda g: g.mean(axis=0), at_adapted)
    assert_same_tree(meta_gradient((loss, params, episode), inner_lr, 3, first_order=True), expected)


@every_problem
def test_first_order_differs_from_second_order_more_with_every_step(problem):
    gaps = []
    for steps in (1, 2, 5):
        second = vector(meta_gradient(problem(), 0.05, steps))
        first = vector(meta_gradient(problem(), 0.05, steps, first_order=True))
        gaps.append(onp.linalg.norm(first - second) / onp.linalg.norm(second))
    assert 0.01 < gaps[0] < gaps[1] < gaps[2]


def test_without_a_step_first_order_is_second_order():
    assert_same_tree(meta_gradient(mlp_problem(), 0.2, 0, first_order=True), meta_gradient(mlp_problem(), 0.2, 0))


# ---------------------------------------------------------------- ANIL, Meta-SGD, partial trees


@network_problem
def test_anil_moves_the_head_alone(problem):
    loss, params, episode = problem()
    moved = adapted((loss, params, episode), {"head": 0.4}, 2)
    assert set(moved) == set(params)
    for key in set(params) - {"head"}:
        assert_same_tree(moved[key], repeat(params[key], N_TASKS), rtol=0)
    full = adapted((loss, params, episode), 0.4, 1)
    anil = adapted((loss, params, episode), {"head": 0.4}, 1)
    assert_same_tree(anil["head"], full["head"])  # the first step of the head is the same


@pytest.mark.parametrize("steps", [1, 3])
@network_problem
def test_meta_gradient_of_anil_reaches_all_parameters(problem, steps):
    loss, params, episode = problem()
    assert_gradient(lambda p: maml_objective(loss, p, episode, {"head": 0.3}, steps), params)
    gradient = meta_gradient((loss, params, episode), {"head": 0.3}, steps)
    assert all(onp.abs(vector(part)).max() > 0 for part in gradient.values())


def rates_like(params, seed=9):
    rng = onp.random.default_rng(seed)
    return tree_map(lambda p: rng.uniform(0.02, 0.2, onp.shape(p)), params)


@every_problem
def test_arrays_as_rates_give_every_entry_its_own_step(problem):
    loss, params, episode = problem()
    rates = rates_like(params)
    start, n_tasks = repeat(params, len(episode.support_x)), len(episode.support_x)
    gradient = grad(lambda p: np.sum(loss(p, episode.support_x, episode.support_y)))(start)
    expected = tree_map(lambda p, g, rate: p - rate * g, start, gradient, repeat(rates, n_tasks))
    assert_same_tree(adapted((loss, params, episode), rates, 1), expected)


@every_problem
def test_equal_rates_as_number_tree_and_arrays_are_the_same(problem):
    loss, params, episode = problem()
    number = adapted((loss, params, episode), 0.1, 2)
    assert_same_tree(adapted((loss, params, episode), tree_map(lambda p: 0.1, params), 2), number)
    assert_same_tree(adapted((loss, params, episode), tree_map(lambda p: onp.full(p.shape, 0.1), params), 2), number)


@pytest.mark.parametrize("steps", [1, 3])
@every_problem
def test_gradient_with_respect_to_rates_and_parameters(problem, steps):
    loss, params, episode = problem()
    both = {"params": params, "rates": rates_like(params)}
    assert_gradient(lambda both: maml_objective(loss, both["params"], episode, both["rates"], steps), both)


def test_gradient_with_respect_to_rates_by_autograds_own_grad():
    loss, params, episode = mlp_problem()
    assert_gradient(lambda rates: maml_objective(loss, params, episode, rates, 2), rates_like(params), autograd.grad)


def test_gradient_with_respect_to_one_rate_for_everything():
    loss, params, episode = mlp_problem()
    assert_gradient(lambda rate: maml_objective(loss, params, episode, rate["all"], 2), {"all": onp.array(0.1)})


def test_a_nested_partial_tree_moves_what_it_names():
    loss, params, episode = mlp_problem()
    moved = adapted((loss, params, episode), {"head": {"b": 0.3}, "dense1": 0.1}, 1)
    full = adapted((loss, params, episode), 0.1, 1)
    start = repeat(params, N_TASKS)
    assert_same_tree(moved["head"]["w"], start["head"]["w"], rtol=0)
    assert_same_tree(moved["dense2"], start["dense2"], rtol=0)
    assert_same_tree(moved["dense1"], full["dense1"])
    assert_same_tree(moved["head"]["b"] - start["head"]["b"], 3 * (full["head"]["b"] - start["head"]["b"]))
    assert_gradient(
        lambda p: maml_objective(loss, p, episode, {"head": {"b": 0.3}, "dense1": {"w": 0.1}}, 3), params)


@pytest.mark.filterwarnings("ignore:Output seems independent")
def test_an_empty_tree_of_rates_moves_nothing():
    loss, params, episode = mlp_problem()
    assert_same_tree(adapted((loss, params, episode), {}, 2), repeat(params, N_TASKS), rtol=0)


def test_a_still_parameter_may_be_shared_by_all_tasks():
    loss, params, episode = mlp_problem()
    shared = {**params, "head": repeat(params["head"], N_TASKS)}
    moved = adapt(loss, shared, episode.support_x, episode.support_y, {"head": 0.3}, 2)
    assert_same_tree(moved["head"], adapted((loss, params, episode), {"head": 0.3}, 2)["head"])
    assert_same_tree(moved["dense1"], params["dense1"], rtol=0)


# ---------------------------------------------------------------- float32


@pytest.mark.parametrize("rates", ["number", "head alone", "arrays"])
@pytest.mark.parametrize("first_order", [False, True])
@pytest.mark.parametrize("network", [mlp([4, 7, N_WAY]), tiny_conv4()])
def test_float32_stays_float32(network, first_order, rates):
    params = network.init(onp.random.default_rng(0))
    episode = random_episode((16, 16, 1) if "block1" in params else (4,), dtype="float32")
    inner_lr = {"number": 0.1, "head alone": {"head": 0.1}, "arrays": of_type(rates_like(params), "float32")}[rates]
    problem = partial(classification_loss, network), params, episode
    dtypes = {leaf.dtype for leaf in leaves(adapted(problem, inner_lr, 2, first_order=first_order))}
    assert dtypes == {onp.dtype("float32")}
    gradient = meta_gradient(problem, inner_lr, 2, first_order=first_order)
    assert {leaf.dtype for leaf in leaves(gradient)} == {onp.dtype("float32")}
    assert maml_objective(*problem, inner_lr, 2).dtype == "float32"
    moved = adapted(problem, inner_lr, 1)
    assert {query_logits(network, moved, episode, mode).dtype for mode in (False, True)} == {onp.dtype("float32")}


def test_float32_sinusoids_stay_float32():
    network = mlp([1, 8, 1])
    problem = (partial(squared_error, network), network.init(onp.random.default_rng(0)),
               sample_sinusoids(5, 5, 3, onp.random.default_rng(1)))
    assert {leaf.dtype for leaf in leaves(meta_gradient(problem, 0.01, 2))} == {onp.dtype("float32")}


# ---------------------------------------------------------------- what adapt refuses


@every_problem
def test_parameters_without_a_task_axis_are_refused(problem):
    loss, params, episode = problem()
    with pytest.raises(ValueError, match=r"without a task axis.*use repeat\(params, [23]\)"):
        adapt(loss, params, episode.support_x, episode.support_y, 0.1, 1)


def test_one_parameter_without_a_task_axis_is_refused():
    loss, params, episode = mlp_problem()
    mixed = {**repeat(params, N_TASKS), "head": params["head"]}
    with pytest.raises(ValueError, match="task axis"):
        adapt(loss, mixed, episode.support_x, episode.support_y, 0.1, 1)


def test_the_refusal_holds_inside_grad_too():
    loss, params, episode = mlp_problem()
    with pytest.raises(ValueError, match="without a task axis"):
        grad(lambda p: np.sum(adapt(loss, p, episode.support_x, episode.support_y, 0.1, 1)["head"]["b"]))(params)


@pytest.mark.parametrize(("n_params", "n_x", "n_y"), [(2, 3, 3), (3, 2, 3), (3, 3, 2), (1, 3, 3), (3, 1, 1)])
@every_problem
def test_task_axes_that_do_not_match_are_refused(problem, n_params, n_x, n_y):
    loss, params, _ = problem()
    shape = (16, 16, 1) if "block1" in params else (4,)
    x, y = random_episode(shape, n_x).support_x, random_episode(shape, n_y).support_y
    with pytest.raises(ValueError, match=r"\d"):
        adapt(loss, repeat(params, n_params), x, y, 0.1, 1)


def test_a_loss_of_one_number_per_example_is_refused():
    with pytest.raises(ValueError, match=r"\(\) or \(T,\).*\(2, 3\)"):
        adapt(lambda params, x, y: (params["w"] - x) ** 2, {"w": onp.ones((2, 3))}, onp.zeros((2, 3)), None, 0.1, 1)


def test_unknown_keys_of_rates_are_named():
    loss, params, episode = mlp_problem()
    with pytest.raises(ValueError, match=r"haed.*dense1.*head"):
        adapt(loss, repeat(params, N_TASKS), episode.support_x, episode.support_y, {"haed": 0.1}, 1)


@pytest.mark.parametrize("inner_lr", [{"head": {"typo": 0.1}}, {"head": {"w": {"deeper": 0.1}}}])
def test_unknown_keys_deeper_down_are_refused(inner_lr):
    loss, params, episode = mlp_problem()
    with pytest.raises(ValueError, match="inner_lr"):
        adapt(loss, repeat(params, N_TASKS), episode.support_x, episode.support_y, inner_lr, 1)


@pytest.mark.parametrize("steps", [-1, 1.5, True, "2"])
def test_steps_must_be_an_integer_from_zero(steps):
    loss, params, episode = mlp_problem()
    with pytest.raises(ValueError, match="steps must be an integer from 0"):
        adapt(loss, repeat(params, N_TASKS), episode.support_x, episode.support_y, 0.1, steps)


@pytest.mark.parametrize("steps", [None, "two", float("nan"), float("inf")])
def test_steps_that_are_no_number_get_the_same_message(steps):
    loss, params, episode = mlp_problem()
    with pytest.raises(ValueError, match="steps must be an integer from 0"):
        adapt(loss, repeat(params, N_TASKS), episode.support_x, episode.support_y, 0.1, steps)


@pytest.mark.parametrize("wrong", [N_WAY, -1])
@every_problem
def test_labels_outside_are_refused(problem, wrong):
    loss, params, episode = problem()
    labels = episode.support_y.copy()
    labels[0, 0] = wrong
    with pytest.raises(ValueError, match=rf"0\.\.\.{N_WAY - 1}"):
        adapted((loss, params, episode._replace(support_y=labels)), 0.1, 1)


@pytest.mark.parametrize("spoil", [lambda x: x * onp.nan, lambda x: (255 * x).astype("uint8")])
def test_images_of_integers_or_nan_are_refused(spoil):
    loss, params, episode = conv4_problem()
    with pytest.raises(ValueError, match="images"):
        adapted((loss, params, episode._replace(support_x=spoil(abs(episode.support_x)))), 0.1, 1)


# ---------------------------------------------------------------- scores


def one_query_changed(episode):
    query_x = episode.query_x.copy()
    query_x[:, 1:] = query_x[:, 1:] ** 2 + 1
    return episode._replace(query_x=query_x)


def test_a_query_is_scored_by_itself_with_the_statistics_of_the_support():
    _, params, episode = conv4_problem()
    inner = {"inner_lr": 0.2, "steps": 2}
    one = episode._replace(query_x=episode.query_x[:, :1])
    alone, before, after = (maml_scores(tiny_conv4(), params, e, False, **inner)[:, 0]
                            for e in (one, episode, one_query_changed(episode)))
    onp.testing.assert_allclose(after, before, rtol=0, atol=1e-12)
    onp.testing.assert_allclose(alone, before, rtol=0, atol=1e-12)


def test_transductive_scores_depend_on_the_neighbours():
    _, params, episode = conv4_problem()
    before, after = (maml_scores(tiny_conv4(), params, e, True, 0.2, 2)[:, 0]
                     for e in (episode, one_query_changed(episode)))
    assert onp.abs(after - before).max(axis=-1).min() > 1e-3


def test_scores_are_adaptation_then_logits():
    loss, params, episode = conv4_problem()
    moved = adapted((loss, params, episode), {"head": 0.3}, 2)
    for mode in (False, True):
        onp.testing.assert_allclose(maml_scores(tiny_conv4(), params, episode, mode, {"head": 0.3}, 2),
                                    query_logits(tiny_conv4(), moved, episode, mode), rtol=1e-12)


def test_scores_do_not_see_the_query_labels():
    _, params, episode = conv4_problem()
    hidden = episode._replace(query_y=None)
    onp.testing.assert_array_equal(maml_scores(tiny_conv4(), params, hidden, False, 0.2, 1),
                                   maml_scores(tiny_conv4(), params, episode, False, 0.2, 1))


def test_without_batch_norm_both_modes_are_the_same():
    loss, params, episode = mlp_problem()
    moved = adapted((loss, params, episode), 0.2, 1)
    first, second = (query_logits(mlp([4, 7, 6, N_WAY]), moved, episode, mode) for mode in (False, True))
    onp.testing.assert_allclose(first, second, rtol=0, atol=1e-12)


# ---------------------------------------------------------------- sinusoids


def test_sinusoids_have_their_shapes_and_ranges():
    tasks = sample_sinusoids(7, 13, 2000, onp.random.default_rng(0))
    assert tasks.support_x.shape == tasks.support_y.shape == (2000, 7, 1)
    assert tasks.query_x.shape == tasks.query_y.shape == (2000, 13, 1)
    assert {field.dtype for field in tasks[:4]} == {onp.dtype("float32")}
    assert tasks.support_ids is tasks.query_ids is None
    x = onp.concatenate([tasks.support_x, tasks.query_x], axis=1)
    assert -5 <= x.min() < -4.99
    assert 4.99 < x.max() <= 5
    assert abs(x.mean()) < 0.1
    assert onp.abs(tasks.query_y).max() <= 5


def test_every_sinusoid_is_one_curve_of_the_stated_family():
    tasks = sample_sinusoids(10, 10, 500, onp.random.default_rng(1))
    found = []
    for xs, ys, xq, yq in zip(*tasks[:4], strict=True):
        basis = onp.concatenate([onp.sin(xs), -onp.cos(xs)], axis=1).astype(float)  # a sin(x - p)
        (a, b), *_ = onp.linalg.lstsq(basis, ys[:, 0].astype(float), rcond=None)
        onp.testing.assert_allclose(a * onp.sin(xq) - b * onp.cos(xq), yq, atol=2e-4)
        found.append((onp.hypot(a, b), onp.arctan2(b, a)))
    amplitude, phase = onp.array(found).T
    assert amplitude.min() > 0.0999
    assert amplitude.max() < 5.0001
    assert amplitude.mean() == pytest.approx(2.55, abs=0.3)
    assert phase.min() > -0.01
    assert phase.max() < onp.pi + 0.01
    assert phase.mean() == pytest.approx(onp.pi / 2, abs=0.2)


def test_sinusoids_are_repeated_by_their_seed():
    first, again, other = (sample_sinusoids(3, 2, 4, onp.random.default_rng(seed)) for seed in (0, 0, 1))
    onp.testing.assert_array_equal(first.query_y, again.query_y)
    assert not onp.array_equal(first.query_y, other.query_y)


def test_squared_error_is_the_mean_over_points():
    network = mlp([1, 4, 1])
    params = network.init(onp.random.default_rng(0))
    tasks = sample_sinusoids(6, 1, 5, onp.random.default_rng(1))
    together = squared_error(network, params, tasks.support_x, tasks.support_y)
    assert together.shape == (5,)
    for t in range(5):
        difference = network.apply(params, tasks.support_x[t]) - tasks.support_y[t]
        assert together[t] == pytest.approx((difference ** 2).mean(), rel=1e-5)
        assert squared_error(network, params, tasks.support_x[t], tasks.support_y[t]).shape == ()


def test_squared_error_refuses_targets_of_another_shape():
    network = mlp([1, 4, 1])
    tasks = sample_sinusoids(6, 1, 6, onp.random.default_rng(1))
    with pytest.raises(ValueError, match=r"output is \(6, 6, 1\), y is \(6, 6\)"):
        squared_error(network, network.init(onp.random.default_rng(0)), tasks.support_x, tasks.support_y[..., 0])


def test_pretraining_is_the_mean_query_loss_without_adaptation():
    network = mlp([1, 4, 1])
    loss, params = partial(squared_error, network), of_type(network.init(onp.random.default_rng(0)), float)
    tasks = sample_sinusoids(3, 6, 5, onp.random.default_rng(1))
    value = joint_objective(loss, params, tasks)
    assert value == pytest.approx(loss(params, tasks.query_x, tasks.query_y).mean())
    assert value == pytest.approx(maml_objective(loss, params, tasks, 0.1, 0))


def test_tune_rate_is_the_one_with_the_lowest_query_loss():
    # (w - y)^2 from w = 0: the error is multiplied by 1 - 2 rate at each step
    tasks = Episode(*(onp.full((2, 1), value) for value in (1.0, 3.0, 1.0, 3.0)), None, None)
    start = {"w": onp.array([0.0])}
    assert tune_rate(parabola, start, tasks, steps=1, rates=(0.1, 0.5, 0.9)) == 0.5
    assert tune_rate(parabola, start, tasks, steps=3, rates=(0.1, 0.2, 2.0)) == 0.2


@pytest.mark.filterwarnings("error")
def test_tune_rate_passes_over_rates_that_diverge():
    tasks = Episode(*(onp.full((1, 1), value) for value in (1.0, 3.0, 1.0, 3.0)), None, None)
    start = {"w": onp.array([0.0])}
    assert tune_rate(parabola, start, tasks, steps=50, rates=(1e100, 0.01, 1e6)) == 0.01


# ---------------------------------------------------------------- the run

TINY = ["--quick", "--iterations", "3", "--sinusoid-iterations", "3", "--episodes", "4", "--meta-batch", "2",
        "--channels", "4", "--n-query", "2"]
FILES = {"characters.npz", "episode.png", "learning_curve.png", "record.json", "sinusoids-maml.npz",
         "sinusoids-pretrained.npz", "sinusoids.png"}


def run_tiny(out, *argv):
    main([*TINY, "--out", str(out), *argv])
    return read_record(out / "record.json")


def assert_finite(metrics):
    assert all(onp.isfinite(value) for metric in metrics.values() for value in metric.values())


def test_the_quick_run_end_to_end(tmp_path, capsys):
    record = run_tiny(tmp_path)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("5 characters that it has never seen, 1 example(s) of each")
    assert any(re.match(r"3\. New characters: 5 at a time, out of \d+ of \d+ scripts?;", line) for line in lines)
    assert {path.name for path in tmp_path.iterdir()} == FILES
    text = "\n".join(lines)
    assert text.replace("±", "").isascii()
    assert all(str(tmp_path / name) in text for name in FILES if not name.endswith(".npz"))
    for name in FILES:
        if name.endswith(".png"):
            with Image.open(tmp_path / name) as picture:
                picture.verify()
        elif name.endswith(".npz"):
            assert all(onp.isfinite(leaf).all() and leaf.dtype == "float32"
                       for leaf in leaves(load_params(tmp_path / name)))
    assert_finite(record["metrics"])
    assert record["lesson"] == "lesson4_maml"
    assert record["seconds"] > 0
    assert record["options"]["channels"] == 4
    assert set(load_params(tmp_path / "characters.npz")) == {"block1", "block2", "block3", "block4", "head"}


def test_the_record_holds_every_number_of_the_tables(tmp_path):
    metrics = run_tiny(tmp_path)["metrics"]
    names = {f"meta-gradient, {n} inner steps" for n in (1, 2, 5)}
    names |= {f"sinusoids, {who}, {n} steps" for who in ("MAML", "pretrained") for n in (0, 1, 5, 10)}
    names |= {f"characters, {n} steps, statistics of {whose}"
              for n in (0, 1, 3, 5) for whose in ("the support", "all queries")}
    assert set(metrics) == names | {"characters, pixel nearest neighbour"}
    assert all({"mean", "interval"} <= set(metric) for name, metric in metrics.items() if "meta" not in name)


@pytest.mark.parametrize("method", ["first-order", "anil"])
def test_the_other_methods_run_and_differ_from_maml(tmp_path, method):
    record = run_tiny(tmp_path / "other", "--method", method)
    assert record["options"]["method"] == method
    assert_finite(record["metrics"])
    run_tiny(tmp_path / "maml")
    other, maml = (vector(load_params(tmp_path / name / "characters.npz")) for name in ("other", "maml"))
    assert onp.abs(other - maml).max() > 1e-5


def test_more_ways_and_shots_and_steps_run(tmp_path):
    record = run_tiny(tmp_path, "--n-way", "7", "--k-shot", "3", "--inner-steps", "2")
    assert_finite(record["metrics"])


def test_the_same_seed_gives_the_same_numbers(tmp_path):
    first, again, other = (run_tiny(tmp_path, "--seed", seed)["metrics"] for seed in ("0", "0", "1"))
    assert first == again
    assert first != other


@pytest.fixture
def no_training(monkeypatch):
    """main() must not come as far as training."""
    def train(*args, **kwargs):
        raise AssertionError("training started")
    monkeypatch.setattr(lesson4_maml, "train", train)


@pytest.mark.parametrize("argv", [["--epochs", "5"], ["--iter", "5"], ["--method", "reptile"], ["--inner-lr", "nan"],
                                  ["--n-way", "0"], ["--k-shot", "1.5"], ["--episodes", "-3"], ["--seed", "-1"]])
@pytest.mark.usefixtures("no_training")
def test_impossible_options_end_with_code_2(argv, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main([*argv, "--out", str(tmp_path)])
    assert stop.value.code == 2
    assert argv[0] in capsys.readouterr().err


@pytest.mark.usefixtures("no_training")
def test_a_foreign_record_is_refused_before_training(tmp_path, capsys):
    (tmp_path / "record.json").write_bytes(b'{"my": "own"}')
    with pytest.raises(SystemExit) as stop:
        main(["--quick", "--out", str(tmp_path)])
    assert stop.value.code == 2
    assert "record.json" in capsys.readouterr().err
    assert (tmp_path / "record.json").read_bytes() == b'{"my": "own"}'


@pytest.mark.parametrize(("argv", "error", "message"), [
    (["--n-way", "60"], ValueError, "60-way episodes need 60 classes"),
    (["--n-query", "20"], ValueError, r"1 support \+ 20 query need 21"),
    (["--k-shot", "11"], ValueError, r"11 support \+ 11 query need 22"),
    (["--episodes", "1"], SystemExit, "2"),
    (["--data", "nowhere"], FileNotFoundError, "--data nowhere is neither glyphs nor omniglot")])
@pytest.mark.usefixtures("no_training")
def test_what_the_data_cannot_give_is_told_before_training(argv, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        main(["--quick", *argv, "--out", str(tmp_path / "out")])


@pytest.mark.parametrize("name", ["characters.npz", "sinusoids-pretrained.npz", "episode.png"])
@pytest.mark.usefixtures("no_training")
def test_foreign_files_are_refused_before_training(name, tmp_path, capsys):
    (tmp_path / name).write_bytes(b"my own")
    with pytest.raises(SystemExit) as stop:
        main(["--quick", "--out", str(tmp_path)])
    assert stop.value.code == 2
    assert name in capsys.readouterr().err
    assert (tmp_path / name).read_bytes() == b"my own"


def test_a_run_that_was_stopped_can_be_repeated_in_its_folder(tmp_path, monkeypatch):
    def stop(*args):
        raise Stopped("characters: stopped by hand")
    with monkeypatch.context() as patch:
        patch.setattr(lesson4_maml, "run_characters", stop)
        with pytest.raises(Stopped):
            run_tiny(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "sinusoids-maml.npz", "sinusoids-pretrained.npz", "sinusoids.png"}
    run_tiny(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == FILES


def test_a_run_that_was_stopped_twice_and_resumed_is_the_one_that_never_stopped(tmp_path, monkeypatch):
    whole = run_tiny(tmp_path / "whole")
    for resume, stop_at, done in [([], 5, 0), (["--resume"], 7, 1)]:  # 3 draws show that there is data enough; then
        calls = itertools.count(1)                                    # one to train and one to validate, in turns

        def stop(*args, calls=calls, stop_at=stop_at):
            if next(calls) == stop_at:
                raise KeyboardInterrupt
            return sample_episodes(*args)

        with monkeypatch.context() as patch:
            patch.setattr(lesson4_maml, "sample_episodes", stop)
            with pytest.raises(Stopped, match=f"characters: stopped by hand after {done} of 3"):
                run_tiny(tmp_path / "resumed", *resume)
    resumed = run_tiny(tmp_path / "resumed", "--resume")
    assert resumed["metrics"] == whole["metrics"]
    for name in FILES:
        if name.endswith(".npz"):
            first, second = (load_checkpoint(tmp_path / run / name) for run in ("whole", "resumed"))
            assert first.generator == second.generator
            assert first.history["loss"].tolist() == second.history["loss"].tolist()
            assert vector(first.params).tobytes() == vector(second.params).tobytes()
    assert (tmp_path / "whole" / "learning_curve.png").read_bytes() == (
        tmp_path / "resumed" / "learning_curve.png").read_bytes()


def test_workers_train_the_same_network_up_to_rounding(tmp_path):
    record = run_tiny(tmp_path / "two", "--workers", "2")
    assert record["options"]["workers"] == 2
    run_tiny(tmp_path / "one")
    two, one = (vector(load_params(tmp_path / name / "characters.npz")) for name in ("two", "one"))
    moved = onp.abs(one - vector(conv4(outputs=5, channels=4, down="stride", features="mean").init(
        onp.random.default_rng(0)))).max()
    assert onp.abs(two - one).max() < 0.1 * moved


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_default_run_keeps_its_promise(tmp_path, capsys):
    """What the README says: characters of scripts never seen, learned in one step."""
    main(["--out", str(tmp_path)])
    with capsys.disabled():
        metrics = read_record(tmp_path / "record.json")["metrics"]
    pixels = metrics["characters, pixel nearest neighbour"]["mean"]
    assert 0.4 <= pixels <= 0.6
    for steps in (1, 3, 5):
        assert metrics[f"characters, {steps} steps, statistics of the support"]["mean"] >= pixels + 0.15
    for whose in ("the support", "all queries"):
        before = metrics[f"characters, 0 steps, statistics of {whose}"]
        assert abs(before["mean"] - 0.2) <= 4 * before["interval"] / 1.96
    errors = {name: metric["mean"] for name, metric in metrics.items() if name.startswith("sinusoids")}
    assert errors["sinusoids, MAML, 10 steps"] < 0.5 * errors["sinusoids, MAML, 0 steps"]
    assert errors["sinusoids, MAML, 10 steps"] < 0.5 * errors["sinusoids, pretrained, 10 steps"]
