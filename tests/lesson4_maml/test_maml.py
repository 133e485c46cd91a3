"""MAML: the meta-gradient by finite differences, T tasks at once and one by one, what is refused."""

from functools import partial

import autograd.numpy as np
import numpy as onp
import pytest

from fewshot_np.lesson3_initialisation import query_logits
from fewshot_np.lesson4_maml import (
    adapt,
    adapted_after,
    check_meta_gradient,
    maml_objective,
    maml_scores,
    meta_train,
    sample_sinusoids,
    squared_error,
)
from fewshot_np.nn.networks import mlp
from fewshot_np.nn.trees import grad, leaves, repeat, tree_map
from tests.lesson4_maml.problems import (
    N_TASKS,
    conv4_problem,
    linear_problem,
    mlp_problem,
    pooling_conv4_problem,
    tiny_conv4,
)
from tests.scaffolding import (
    assert_same_tree,
    assert_slope,
    assert_trained_as_in_a_run,
    episode_of_noise,
    task_of,
    vector,
)

every_problem = pytest.mark.parametrize(
    "problem", [linear_problem, mlp_problem, conv4_problem, pooling_conv4_problem])
network_problem = pytest.mark.parametrize("problem", [mlp_problem, conv4_problem])


def meta_gradient(problem, inner_lr, steps, **kwargs):
    loss, params, episode = problem
    return grad(lambda p: maml_objective(loss, p, episode, inner_lr, steps, **kwargs))(params)


def adapted(problem, inner_lr, steps, **kwargs):
    loss, params, episode = problem
    return adapt(loss, repeat(params, len(episode.support_x)), episode.support_x, episode.support_y, inner_lr, steps,
                 **kwargs)


# ---------------------------------------------------------------- what adapting changes, and what not


@every_problem
def test_no_step_changes_nothing(problem):
    loss, params, episode = problem()
    assert_same_tree(adapted((loss, params, episode), 0.4, 0), repeat(params, len(episode.support_x)), rtol=0)
    plain = np.mean(loss(repeat(params, len(episode.query_x)), episode.query_x, episode.query_y))
    assert maml_objective(loss, params, episode, 0.4, 0) == pytest.approx(plain, rel=1e-12)
    first, second = (meta_gradient((loss, params, episode), 0.4, 0, first_order=flag) for flag in (True, False))
    assert_same_tree(first, second)


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
        assert_same_tree(tree_map(lambda p, t=t: p[t], together), alone)


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("first_order", [False, True])
@every_problem
def test_meta_gradient_at_once_is_the_mean_of_those_one_by_one(problem, first_order, steps):
    loss, params, episode = problem()
    n_tasks = len(episode.support_x)
    together = meta_gradient((loss, params, episode), 0.2, steps, first_order=first_order)
    alone = [meta_gradient((loss, params, task_of(episode, t)), 0.2, steps, first_order=first_order)
             for t in range(n_tasks)]
    assert_same_tree(together, tree_map(lambda *gradients: sum(gradients) / n_tasks, *alone))


# ---------------------------------------------------------------- the meta-gradient by finite differences


@pytest.mark.parametrize("steps", [1, 2, 5])
@every_problem
def test_meta_gradient_is_the_slope_of_the_objective(problem, steps):
    loss, params, episode = problem()
    assert_slope(lambda p: maml_objective(loss, p, episode, 0.1, steps), params)


def test_the_lessons_own_check_agrees_three_ways_and_its_gap_grows_with_the_steps():
    gaps = []
    for seed in range(20):
        rows = check_meta_gradient(onp.random.default_rng(seed))
        gaps.append([row["first-order gap"] for row in rows])
        assert [row["steps"] for row in rows] == [1, 2, 5]
        for row in rows:
            assert row["by hand"] == pytest.approx(row["autograd"], rel=1e-9, abs=1e-12)
            assert row["finite differences"] == pytest.approx(row["autograd"], rel=1e-6, abs=1e-8)
            assert row["first-order gap"] > 0.005
    one, two, five = onp.median(gaps, axis=0)
    assert one < two < five


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
    assert_slope(lambda p: maml_objective(loss, p, episode, {"head": 0.3}, steps), params)
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


@pytest.mark.parametrize("steps", [1, 3])
@every_problem
def test_gradient_with_respect_to_rates_and_parameters(problem, steps):
    loss, params, episode = problem()
    both = {"params": params, "rates": rates_like(params)}
    assert_slope(lambda both: maml_objective(loss, both["params"], episode, both["rates"], steps), both)


def test_gradient_with_respect_to_one_rate_for_everything():
    loss, params, episode = mlp_problem()
    assert grad(lambda rate: maml_objective(loss, params, episode, rate, 2))(onp.float64(0.1)).shape == ()
    assert_slope(lambda rate: maml_objective(loss, params, episode, rate["all"], 2), {"all": onp.array(0.1)})


def test_a_nested_partial_tree_moves_what_it_names():
    loss, params, episode = mlp_problem()
    moved = adapted((loss, params, episode), {"head": {"b": 0.3}, "dense1": 0.1}, 1)
    full = adapted((loss, params, episode), 0.1, 1)
    start = repeat(params, N_TASKS)
    assert_same_tree(moved["head"]["w"], start["head"]["w"], rtol=0)
    assert_same_tree(moved["dense2"], start["dense2"], rtol=0)
    assert_same_tree(moved["dense1"], full["dense1"])
    assert_same_tree(moved["head"]["b"] - start["head"]["b"], 3 * (full["head"]["b"] - start["head"]["b"]))
    assert_slope(
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


# ---------------------------------------------------------------- float32, of images: tests/lesson8_comparison


@pytest.mark.parametrize("inner_lr", [0.01, onp.array(0.01)])
def test_float32_sinusoids_stay_float32_whatever_number_the_rate_is(inner_lr):
    network = mlp([1, 8, 1])
    problem = (partial(squared_error, network), network.init(onp.random.default_rng(0)),
               sample_sinusoids(5, 5, 3, onp.random.default_rng(1)))
    assert {leaf.dtype for leaf in leaves(adapted(problem, inner_lr, 2))} == {onp.dtype("float32")}
    assert {leaf.dtype for leaf in leaves(meta_gradient(problem, inner_lr, 2))} == {onp.dtype("float32")}


# ---------------------------------------------------------------- what adapt refuses


@every_problem
def test_parameters_without_a_task_axis_are_refused(problem):
    loss, params, episode = problem()
    with pytest.raises(ValueError, match=r"without a task axis.*use repeat\(params, [23]\)"):
        adapt(loss, params, episode.support_x, episode.support_y, 0.1, 1)


def test_one_parameter_without_a_task_axis_is_refused_inside_grad_too():
    loss, params, episode = mlp_problem()
    mixed = {**repeat(params, N_TASKS), "head": params["head"]}
    with pytest.raises(ValueError, match="task axis"):
        adapt(loss, mixed, episode.support_x, episode.support_y, 0.1, 1)
    with pytest.raises(ValueError, match="without a task axis"):
        grad(lambda p: np.sum(adapt(loss, p, episode.support_x, episode.support_y, 0.1, 1)["head"]["b"]))(params)


@pytest.mark.parametrize(("n_params", "n_x", "n_y"), [(2, 3, 3), (3, 2, 3), (3, 3, 2), (1, 3, 3), (3, 1, 1)])
@every_problem
def test_task_axes_that_do_not_match_are_refused(problem, n_params, n_x, n_y):
    loss, params, _ = problem()
    shape = (16, 16, 1) if "block1" in params else (4,)
    x, y = episode_of_noise(shape, n_tasks=n_x).support_x, episode_of_noise(shape, n_tasks=n_y).support_y
    with pytest.raises(ValueError, match=r"\d"):
        adapt(loss, repeat(params, n_params), x, y, 0.1, 1)


def test_a_loss_of_one_number_per_example_is_refused():
    with pytest.raises(ValueError, match=r"\(\) or \(T,\).*\(2, 3\)"):
        adapt(lambda params, x, y: (params["w"] - x) ** 2, {"w": onp.ones((2, 3))}, onp.zeros((2, 3)), None, 0.1, 1)


@pytest.mark.parametrize("inner_lr", [{"haed": 0.1}, {"head": {"typo": 0.1}}, {"head": {"w": {"deeper": 0.1}}}])
def test_rates_of_parameters_that_do_not_exist_are_refused(inner_lr):
    loss, params, episode = mlp_problem()
    with pytest.raises(ValueError, match="inner_lr names"):
        adapt(loss, repeat(params, N_TASKS), episode.support_x, episode.support_y, inner_lr, 1)


@pytest.mark.parametrize("rates", [onp.ones(7), {"head": onp.ones(1)}, {"head": {"w": onp.ones(7)}}])
def test_rates_of_another_shape_are_refused(rates):
    loss, params, episode = mlp_problem()
    with pytest.raises(ValueError, match=r"inner_lr has an array of rates \(\d,\) where the parameters are"):
        adapt(loss, repeat(params, N_TASKS), episode.support_x, episode.support_y, rates, 1)


@pytest.mark.parametrize("steps", [-1, 1.5, True, "2", None, float("nan"), float("inf")])
def test_steps_must_be_an_integer_from_zero(steps):
    loss, params, episode = mlp_problem()
    with pytest.raises(ValueError, match="steps must be an integer from 0"):
        adapt(loss, repeat(params, N_TASKS), episode.support_x, episode.support_y, 0.1, steps)


# ---------------------------------------------------------------- scores


def test_scores_are_adaptation_then_logits():
    loss, params, episode = conv4_problem()
    moved = adapted((loss, params, episode), {"head": 0.3}, 2)
    for statistics in ("support", "queries"):
        onp.testing.assert_allclose(maml_scores(tiny_conv4(), params, episode, statistics, {"head": 0.3}, 2),
                                    query_logits(tiny_conv4(), moved, episode, statistics), rtol=1e-12)


# ---------------------------------------------------------------- training


def test_steps_counted_together_are_steps_taken_one_after_the_other():
    loss, params, episode = mlp_problem()
    for steps, moved in adapted_after(loss, params, episode, 0.1, (0, 1, 4)):
        assert_same_tree(moved, adapted((loss, params, episode), 0.1, steps), rtol=1e-12)


def test_the_five_lines_of_training_are_what_the_run_does(tmp_path):
    network = mlp([1, 8, 1])
    loss, start = partial(squared_error, network), network.init(onp.random.default_rng(0))
    first, second = (partial(sample_sinusoids, 5, 5, 4, onp.random.default_rng(1)) for _ in range(2))
    assert_trained_as_in_a_run(meta_train(loss, start, first, 0.01, 1, 1e-2, 7),
                               partial(maml_objective, loss, inner_lr=0.01, steps=1), start, second, 1e-2, 7, tmp_path)
