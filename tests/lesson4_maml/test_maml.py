"""MAML: the meta-gradient by finite differences, T tasks at once and one by one, what is refused."""

from functools import partial

import autograd.numpy as np
import numpy as onp
import pytest

from fewshot_np import lesson4_maml as lesson
from fewshot_np.lesson3_initialisation import query_logits
from fewshot_np.lesson4_maml import adapt, maml_objective
from fewshot_np.nn.networks import mlp
from fewshot_np.nn.trees import grad, leaves, repeat, tree_map, value_and_grad
from tests.lesson4_maml.problems import CONV4, LINEAR, MLP, N_TASKS, POOLING_CONV4, TINY_CONV4
from tests.scaffolding import assert_same_tree, assert_slope, assert_trained_as_in_a_run, episode_of_noise, task_of

NETWORKS = {"mlp": MLP, "conv4": CONV4}
PROBLEMS = {"linear": LINEAR, **NETWORKS, "pooling conv4": POOLING_CONV4}
every_problem = pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
every_network = pytest.mark.parametrize("problem", NETWORKS.values(), ids=NETWORKS)


def objective(problem, inner_lr, steps, first_order=False):
    loss, _, episode = problem
    return lambda params: maml_objective(loss, params, episode, inner_lr, steps, first_order)


def adapted(problem, inner_lr, steps, first_order=False):
    loss, params, episode = problem
    start = repeat(params, len(episode.support_x))
    return adapt(loss, start, episode.support_x, episode.support_y, inner_lr, steps, first_order)


def rates_like(params):
    rng = onp.random.default_rng(9)
    return tree_map(lambda p: rng.uniform(0.02, 0.2, onp.shape(p)), params)


# ---------------------------------------------------------------- values


@every_problem
def test_no_step_changes_nothing(problem):
    loss, params, episode = problem
    start = repeat(params, len(episode.support_x))
    assert_same_tree(adapted(problem, 0.4, 0), start, rtol=0)
    plain = np.mean(loss(start, episode.query_x, episode.query_y))
    assert objective(problem, 0.4, 0)(params) == pytest.approx(plain, rel=1e-12)


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("first_order", [False, True])
@every_problem
def test_tasks_at_once_have_the_mean_of_the_values_and_meta_gradients_one_by_one(problem, first_order, steps):
    loss, params, episode = problem
    n_tasks = len(episode.support_x)
    value, gradient = value_and_grad(objective(problem, 0.2, steps, first_order))(params)
    alone = [value_and_grad(objective((loss, params, task_of(episode, t)), 0.2, steps, first_order))(params)
             for t in range(n_tasks)]
    assert value == pytest.approx(sum(v for v, _ in alone) / n_tasks, rel=1e-12)
    assert_same_tree(gradient, tree_map(lambda *gradients: sum(gradients) / n_tasks, *(g for _, g in alone)))


@pytest.mark.filterwarnings("ignore:Output seems independent")
def test_a_nested_partial_tree_moves_what_it_names_and_an_empty_one_nothing():      # arrays as rates: optimizer.1
    moved, full = adapted(MLP, {"head": {"b": 0.3}, "dense1": 0.1}, 1), adapted(MLP, 0.1, 1)
    start = repeat(MLP[1], N_TASKS)
    assert_same_tree(moved["head"]["w"], start["head"]["w"], rtol=0)
    assert_same_tree(moved["dense2"], start["dense2"], rtol=0)
    assert_same_tree(moved["dense1"], full["dense1"])
    assert_same_tree(moved["head"]["b"] - start["head"]["b"], 3 * (full["head"]["b"] - start["head"]["b"]))
    assert_same_tree(adapted(MLP, {}, 2), start, rtol=0)


def test_a_still_parameter_may_be_shared_by_all_tasks():
    loss, params, episode = MLP
    shared = {**params, "head": repeat(params["head"], N_TASKS)}
    moved = adapt(loss, shared, episode.support_x, episode.support_y, {"head": 0.3}, 2)
    assert_same_tree(moved["head"], adapted(MLP, {"head": 0.3}, 2)["head"])
    assert_same_tree(moved["dense1"], params["dense1"], rtol=0)


def test_scores_are_adaptation_then_logits():
    _, params, episode = CONV4
    moved = adapted(CONV4, {"head": 0.3}, 2)
    for statistics in ("support", "queries"):
        onp.testing.assert_allclose(lesson.maml_scores(TINY_CONV4, params, episode, statistics, {"head": 0.3}, 2),
                                    query_logits(TINY_CONV4, moved, episode, statistics), rtol=1e-12)


# ---------------------------------------------------------------- the meta-gradient by finite differences


@pytest.mark.parametrize("steps", [1, 2, 5])
@every_problem
def test_meta_gradient_is_the_slope_of_the_objective(problem, steps):
    assert_slope(objective(problem, 0.1, steps), problem[1])


@pytest.mark.parametrize("inner_lr", [{"head": 0.3}, {"head": {"b": 0.3}}], ids=["ANIL", "nested"])
@every_network
def test_meta_gradient_where_only_a_part_moves(problem, inner_lr):
    assert_slope(objective(problem, inner_lr, 3), problem[1])


@pytest.mark.parametrize("steps", [1, 3])
@every_problem
def test_gradient_with_respect_to_rates_and_parameters(problem, steps):
    loss, params, episode = problem
    both = {"params": params, "rates": rates_like(params)}
    assert_slope(lambda both: maml_objective(loss, both["params"], episode, both["rates"], steps), both)


def test_gradient_with_respect_to_one_rate_for_everything():
    loss, params, episode = MLP
    assert grad(lambda rate: maml_objective(loss, params, episode, rate, 2))(onp.float64(0.1)).shape == ()
    assert_slope(lambda rate: maml_objective(loss, params, episode, rate["all"], 2), {"all": onp.array(0.1)})


def test_the_lessons_own_check_agrees_three_ways_and_its_gap_grows_with_the_steps():
    gaps = []
    for seed in range(20):
        rows = lesson.check_meta_gradient(onp.random.default_rng(seed))
        gaps.append([row["first-order gap"] for row in rows])
        assert [row["steps"] for row in rows] == [1, 2, 5]
        for row in rows:
            assert row["by hand"] == pytest.approx(row["autograd"], rel=1e-9, abs=1e-12)
            assert row["finite differences"] == pytest.approx(row["autograd"], rel=1e-6, abs=1e-8)
            assert row["first-order gap"] > 0.005
    one, two, five = onp.median(gaps, axis=0)
    assert one < two < five


@pytest.mark.parametrize("inner_lr", [0.2, {"head": 0.2}], ids=["all", "ANIL"])
@every_network
def test_first_order_has_the_same_value_and_the_query_gradient_at_the_adapted_parameters(problem, inner_lr):
    loss, params, episode = problem
    there = adapted(problem, inner_lr, 3)
    assert_same_tree(adapted(problem, inner_lr, 3, first_order=True), there, rtol=1e-12)
    at_adapted = grad(lambda p: np.sum(loss(p, episode.query_x, episode.query_y)))(there)
    assert_same_tree(grad(objective(problem, inner_lr, 3, first_order=True))(params),
                     tree_map(lambda g: g.mean(axis=0), at_adapted))


# ---------------------------------------------------------------- float32 (of images: lesson 8), training

SINUSOIDS = mlp([1, 8, 1])
START = SINUSOIDS.init(onp.random.default_rng(0))
LOSS = partial(lesson.squared_error, SINUSOIDS)


@pytest.mark.parametrize("inner_lr", [0.01, onp.array(0.01)])
def test_float32_sinusoids_stay_float32_whatever_number_the_rate_is(inner_lr):
    problem = LOSS, START, lesson.sample_sinusoids(5, 5, 3, onp.random.default_rng(1))
    for tree in (adapted(problem, inner_lr, 2), grad(objective(problem, inner_lr, 2))(START)):
        assert {leaf.dtype for leaf in leaves(tree)} == {onp.dtype("float32")}


def test_steps_counted_together_are_steps_taken_one_after_the_other():
    for steps, moved in lesson.adapted_after(*MLP, 0.1, (0, 1, 4)):
        assert_same_tree(moved, adapted(MLP, 0.1, steps), rtol=1e-12)


def test_the_five_lines_of_training_are_what_the_run_does(tmp_path):
    first, second = (partial(lesson.sample_sinusoids, 5, 5, 4, onp.random.default_rng(1)) for _ in range(2))
    assert_trained_as_in_a_run(lesson.meta_train(LOSS, START, first, 0.01, 1, 1e-2, 7),
                               partial(maml_objective, LOSS, inner_lr=0.01, steps=1), START, second, 1e-2, 7, tmp_path)


# ---------------------------------------------------------------- what adapt refuses


def adapt_with(problem, **change):
    loss, params, episode = problem
    return adapt(**{"loss": loss, "params": repeat(params, len(episode.support_x)), "x": episode.support_x,
                    "y": episode.support_y, "inner_lr": 0.1, "steps": 1} | change)


@every_problem
def test_parameters_without_a_task_axis_are_refused_inside_grad_too(problem):
    def moved(params):
        return leaves(adapt_with(problem, params=params))[0]
    for call in (moved, grad(lambda params: np.sum(moved(params)))):
        with pytest.raises(ValueError, match=r"without a task axis.*use repeat\(params, [23]\)"):
            call(problem[1])


@pytest.mark.parametrize(("n_params", "n_x", "n_y"), [(2, 3, 3), (3, 2, 3), (3, 3, 2), (1, 3, 3), (3, 1, 1)])
@every_problem
def test_task_axes_that_do_not_match_are_refused(problem, n_params, n_x, n_y):
    shape = problem[2].support_x.shape[2:]
    x, y = episode_of_noise(shape, n_tasks=n_x).support_x, episode_of_noise(shape, n_tasks=n_y).support_y
    with pytest.raises(ValueError, match=r"\d"):
        adapt_with(problem, params=repeat(problem[1], n_params), x=x, y=y)


@pytest.mark.parametrize(("change", "message"), [
    ({"params": {**repeat(MLP[1], N_TASKS), "head": MLP[1]["head"]}}, "task axis"),
    ({"loss": lambda params, x, y: (params["w"] - x) ** 2, "params": {"w": onp.ones((2, 3))}, "x": onp.zeros((2, 3))},
     r"\(\) or \(T,\).*\(2, 3\)"),
    *(({"inner_lr": unknown}, "inner_lr names") for unknown in
      ({"haed": 0.1}, {"head": {"typo": 0.1}}, {"head": {"w": {"deeper": 0.1}}})),
    *(({"inner_lr": rates}, r"inner_lr has an array of rates \(\d,\) where the parameters are") for rates in
      (onp.ones(7), {"head": onp.ones(1)}, {"head": {"w": onp.ones(7)}})),
    *(({"steps": steps}, "steps must be an integer from 0") for steps in
      (-1, 1.5, True, "2", None, float("nan"), float("inf")))])
def test_what_makes_no_sense_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        adapt_with(MLP, **change)
