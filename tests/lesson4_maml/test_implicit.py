"""Implicit MAML: values by hand, MAML's gradient where the inner problem is solved, memory, what is refused."""

import tracemalloc
from functools import partial

import autograd.numpy as np
import numpy as onp
import pytest

from fewshot_np import lesson4_maml as lesson
from fewshot_np.lesson2_episodes import Episode
from fewshot_np.lesson4_maml import implicit_objective
from fewshot_np.nn.networks import mlp
from fewshot_np.nn.primitives import cross_entropy
from fewshot_np.nn.trees import grad, leaves, repeat, task_gradient, tree_map, value_and_grad
from tests.lesson4_maml.problems import CONV4, LINEAR, MLP, N_TASKS, N_WAY, TINY_CONV4
from tests.scaffolding import assert_same_tree, assert_trained_as_in_a_run, episode_of_noise, task_of, vector

SOLVED = {"inner_lr": 0.3, "steps": 100, "strength": 2.0, "cg_steps": 21}


def tanh_problem():
    """A hidden layer without kinks: with ReLU the solution may lie on one, where there is no Hessian."""
    rng = onp.random.default_rng(4)

    def loss(params, x, y):
        return cross_entropy(np.matmul(np.tanh(np.matmul(x, params["body"])), params["head"]), y)
    return loss, {"body": rng.normal(size=(4, 3)), "head": rng.normal(size=(3, N_WAY))}, episode_of_noise((4,))


smooth_problem = pytest.mark.parametrize("problem", [LINEAR, tanh_problem()], ids=["linear", "tanh"])


def objective_of(problem, **inner):
    loss, _, episode = problem
    return lambda params: implicit_objective(loss, params, episode, **inner)


def unrolled(problem, inner_lr, steps, strength):
    """MAML on the same inner problem: the derivative flows back through every step, and through the spring."""
    loss, _, episode = problem

    def objective(params):
        start = repeat(params, N_TASKS)
        adapted = lesson.solve(loss, start, episode.support_x, episode.support_y, inner_lr, steps, strength)
        return np.sum(loss(adapted, episode.query_x, episode.query_y)) * (1 / N_TASKS)
    return objective


def gaps(problem, *changes):
    """How far the implicit gradient is from that of MAML with 100 steps, as a share of its length, for each change."""
    exact = vector(grad(unrolled(problem, SOLVED["inner_lr"], SOLVED["steps"], SOLVED["strength"]))(problem[1]))
    found = [vector(grad(objective_of(problem, **SOLVED | change))(problem[1])) for change in changes]
    return [onp.linalg.norm(gradient - exact) / onp.linalg.norm(exact) for gradient in found]


# ---------------------------------------------------------------- the meta-gradient


def test_the_parabola_by_hand():
    # (2 w - 6)^2 has H = 8 and its minimum at 3; a spring of strength 2 from 1 ends at (8 3 + 2 1) / 10 = 2.6, where
    # the query (w - 4)^2 is 1.96 and has the gradient -2.8; of that 2 / (8 + 2) arrives at the start
    def parabola(params, x, y):
        return np.sum((params["w"] * x - y) ** 2, axis=-1)
    task = Episode(*(onp.array([[number]]) for number in (2.0, 6.0, 1.0, 4.0)), None, None)
    value, gradient = value_and_grad(partial(implicit_objective, parabola))(
        {"w": onp.array([1.0])}, task, 0.05, 200, 2.0, 1)
    assert value == pytest.approx(1.96)
    assert gradient["w"] == pytest.approx(-0.56)


@smooth_problem
def test_where_the_inner_problem_is_solved_it_is_the_gradient_of_maml(problem):
    solved, not_solved = gaps(problem, {}, {"steps": 2})
    assert solved < 1e-8
    assert not_solved > 1e-3  # the comparison can fail


@smooth_problem
@pytest.mark.parametrize("steps", [0, 3])
def test_the_value_is_mamls_after_any_number_of_steps(problem, steps):
    inner = {"inner_lr": 0.2, "steps": steps, "strength": 0.7}
    assert objective_of(problem, **inner, cg_steps=1)(problem[1]) == pytest.approx(
        unrolled(problem, **inner)(problem[1]), rel=1e-12)


def test_more_steps_of_either_kind_come_nearer():
    by_steps = gaps(LINEAR, *({"steps": n} for n in (1, 10, 40)))
    by_products = gaps(LINEAR, *({"cg_steps": n} for n in (1, 3, 6)))
    for each in (by_steps, by_products):
        assert each == sorted(each, reverse=True)
        assert each[-1] < 0.01 * each[0]


def test_the_gradient_at_once_is_the_mean_of_those_one_by_one():
    loss, params, episode = MLP
    inner = {"inner_lr": 0.2, "steps": 3, "strength": 0.7, "cg_steps": 3}
    alone = [grad(objective_of((loss, params, task_of(episode, t)), **inner))(params) for t in range(N_TASKS)]
    assert_same_tree(grad(objective_of(MLP, **inner))(params),
                     tree_map(lambda *gradients: sum(gradients) / N_TASKS, *alone))


# ---------------------------------------------------------------- what it is made of


def test_equations_at_once_are_solved_as_one_by_one_and_a_solved_one_stays():
    rng = onp.random.default_rng(0)
    roots, b = rng.normal(size=(3, 5, 5)), rng.normal(size=(3, 5))
    a = roots @ roots.swapaxes(1, 2) + onp.eye(5)
    a[1], b[2] = 2 * onp.eye(5), 0  # solved after one step, and solved from the beginning
    for steps in (1, 3, 9):
        together = lesson.conjugate_gradients(lambda v: (a @ v[..., None])[..., 0], b, steps)
        for t in range(3):
            onp.testing.assert_allclose(together[t], lesson.conjugate_gradients(lambda v, t=t: a[t] @ v, b[t], steps),
                                        rtol=1e-9, atol=1e-12)
    onp.testing.assert_allclose(together, onp.linalg.solve(a, b[..., None])[..., 0], rtol=1e-9, atol=1e-12)


def test_products_with_the_hessian_are_how_the_gradient_changes():
    rng = onp.random.default_rng(1)
    loss, params, episode = CONV4
    params, support = repeat(params, N_TASKS), (episode.support_x, episode.support_y)
    v = tree_map(lambda p: rng.normal(size=p.shape), params)
    ahead, behind = (task_gradient(loss)(tree_map(lambda p, d, s=s: p + s * 1e-6 * d, params, v), *support)
                     for s in (1, -1))
    slope = tree_map(lambda a, b: (a - b) / 2e-6, ahead, behind)
    found = vector(lesson.hessian_product(loss, params, *support)(v))
    assert onp.linalg.norm(found - vector(slope)) < 1e-5 * onp.linalg.norm(found)


# ---------------------------------------------------------------- memory, dtype, training, bad input


def peak(objective, params):
    tracemalloc.start()
    grad(objective)(params)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most


def test_memory_does_not_grow_with_the_steps_and_mamls_does():
    few, many = ({"inner_lr": 0.1, "steps": n, "strength": 0.7} for n in (3, 15))
    by_implicit = [peak(objective_of(CONV4, **inner, cg_steps=3), CONV4[1]) for inner in (few, many)]
    assert by_implicit[1] < 1.2 * by_implicit[0]  # arrays of images: of smaller ones the nodes of the tape would weigh
    assert peak(unrolled(CONV4, **many), CONV4[1]) > 2.5 * peak(unrolled(CONV4, **few), CONV4[1])


def test_float32_stays_float32():
    params, episode = TINY_CONV4.init(onp.random.default_rng(0)), episode_of_noise((16, 16, 1), dtype="float32")
    objective = objective_of((CONV4[0], params, episode), inner_lr=0.1, steps=2, strength=0.7, cg_steps=2)
    value, gradient = value_and_grad(objective)(params)
    assert {leaf.dtype for leaf in [value, *leaves(gradient)]} == {onp.dtype("float32")}


def test_the_five_lines_of_training_are_what_a_run_does(tmp_path):
    network, inner = mlp([1, 8, 1]), {"inner_lr": 0.05, "steps": 3, "strength": 1.0, "cg_steps": 2}
    loss, start = partial(lesson.squared_error, network), network.init(onp.random.default_rng(0))
    first, second = (partial(lesson.sample_sinusoids, 5, 5, 4, onp.random.default_rng(1)) for _ in range(2))
    assert_trained_as_in_a_run(lesson.implicit_train(loss, start, first, inner, 1e-2, 5),
                               partial(implicit_objective, loss, **inner), start, second, 1e-2, 5, tmp_path)


@pytest.mark.parametrize(("name", "values"), [
    ("inner_lr", (0, -0.1, float("nan"), {"head": 0.1}, True)), ("strength", (0, -1, float("inf"), None)),
    ("steps", (-1, 1.5, True)), ("cg_steps", (0, 2.0, None))])
def test_what_makes_no_sense_is_refused(name, values):
    for value in values:
        with pytest.raises(ValueError, match=f"^{name} must be"):
            objective_of(LINEAR, **SOLVED | {name: value})(LINEAR[1])
