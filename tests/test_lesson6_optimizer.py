"""Lesson 6: Meta-SGD by hand; the LSTM by slow loops, its derivatives, its memory; SGD and Adam by grid; the run."""

import contextlib
import inspect
import io
from functools import partial
from types import SimpleNamespace

import autograd.numpy as np
import numpy as onp
import pytest
from autograd.test_util import check_grads
from PIL import Image

from fewshot_np import lesson6_optimizer
from fewshot_np.data.splits import load_splits
from fewshot_np.experiment.records import load_params, read_record
from fewshot_np.lesson2_episodes import Episode
from fewshot_np.lesson3_initialisation import classification_loss, query_logits
from fewshot_np.lesson4_maml import adapt, maml_objective, sample_sinusoids, squared_error
from fewshot_np.lesson6_optimizer import (
    BEYOND,
    LEARNER,
    RATES,
    RIVALS,
    STEP_SIZE,
    compare,
    init_optimizer,
    initial_rates,
    initial_state,
    lstm_cell,
    lstm_optimizer,
    lstm_update,
    main,
    meta_sgd_objective,
    meta_sgd_scores,
    meta_sgd_step,
    named_rates,
    optimise,
    optimizer_objective,
    paths,
    preprocess,
    rows,
    run_meta_sgd,
    sample_practice,
    sample_segments,
    sigmoid,
    tanh,
    tile,
    tuned_rates,
)
from fewshot_np.nn.networks import conv4, mlp
from fewshot_np.nn.optimizers import adam, sgd
from fewshot_np.nn.trees import grad, leaves, repeat, tree_map, value_and_grad

N_WAY, N_TASKS = 3, 3


def shaken(params, seed=1):
    """float64 parameters away from the special values 0 and 1."""
    rng = onp.random.default_rng(seed)
    return tree_map(lambda p: p.astype(float) + 0.1 * rng.normal(size=p.shape), params)


def random_like(tree, seed):
    rng = onp.random.default_rng(seed)
    return tree_map(lambda p: rng.normal(size=p.shape), tree)


def dot(a, b):
    return sum(np.sum(x * y) for x, y in zip(leaves(a), leaves(b), strict=True))


def slope(f, at, direction, eps=1e-6):
    ahead, behind = (f(tree_map(lambda p, d, s=sign: p + s * eps * d, at, direction)) for sign in (1, -1))
    return (ahead - behind) / (2 * eps)


def assert_derivatives(f, at, rel=1e-6, idle=0):
    """The gradient of f, 0 in `idle` leaves, and the gradient of its gradient are slopes along random directions."""
    gradient = grad(f)(at)
    assert sum(not leaf.any() for leaf in leaves(gradient)) == idle
    for seed in (10, 11):
        direction = random_like(at, seed)
        assert dot(gradient, direction) == pytest.approx(slope(f, at, direction), rel=rel, abs=1e-9)
    cotangent, direction = random_like(at, 12), random_like(at, 13)

    def along(p):
        return dot(grad(f)(p), cotangent)
    assert dot(grad(along)(at), direction) == pytest.approx(slope(along, at, direction), rel=20 * rel, abs=1e-8)


# ---------------------------------------------------------------- Meta-SGD


def tiny_conv4():
    return conv4(input_shape=(8, 8, 1), outputs=N_WAY, channels=3, down="stride", features="mean")


def classification(network, shape, dtype=float, n_query=2):
    """(loss, {"start", "rates"}, an episode of noise with class-dependent means)."""
    rng, labels = onp.random.default_rng(0), onp.arange(N_WAY)
    means = rng.normal(size=(N_TASKS, N_WAY, *shape))

    def part(n):
        x = means.repeat(n, axis=1) + 0.5 * rng.normal(size=(N_TASKS, N_WAY * n, *shape))
        return x.astype(dtype), onp.tile(labels.repeat(n), (N_TASKS, 1))
    start = shaken(network.init(rng))
    params = {"start": start, "rates": tree_map(lambda p: rng.uniform(-0.3, 0.8, p.shape), start)}
    episode = Episode(*part(2), *part(n_query), None, None)
    return partial(classification_loss, network), tree_map(lambda p: p.astype(dtype), params), episode


PROBLEMS = {"mlp": lambda dtype=float: classification(mlp([4, 5, N_WAY]), (4,), dtype),
            "conv4": lambda dtype=float: classification(tiny_conv4(), (8, 8, 1), dtype)}
every_problem = pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)


def test_arguments_have_their_fixed_names():
    assert list(inspect.signature(meta_sgd_step).parameters) == ["loss", "start", "rates", "x", "y"]
    assert list(inspect.signature(meta_sgd_objective).parameters) == ["loss", "params", "episode"]
    assert list(inspect.signature(meta_sgd_scores).parameters) == ["network", "params", "episode", "transductive"]
    assert list(inspect.signature(lstm_update).parameters) == ["params", "gradients", "state"]


def test_a_meta_sgd_step_by_hand():
    # loss (w0 - y)^2 + (w1 - y)^2 with y = 1 from w = (3, 0): gradient (4, -2)
    def loss(params, x, y):
        return np.sum((params["w"] - y) ** 2)
    moved = meta_sgd_step(loss, {"w": onp.array([3.0, 0.0])}, {"w": onp.array([0.25, -0.5])}, None, 1.0)
    onp.testing.assert_allclose(moved["w"], [2.0, -1.0])  # the second rate is negative: it climbs


@every_problem
def test_every_parameter_moves_against_its_gradient_at_its_own_rate(problem):
    loss, params, episode = problem()
    start = repeat(params["start"], N_TASKS)
    moved = meta_sgd_step(loss, start, params["rates"], episode.support_x, episode.support_y)
    for t in range(N_TASKS):
        gradient = grad(lambda p, t=t: loss(p, episode.support_x[t], episode.support_y[t]))(params["start"])
        expected = tree_map(lambda p, a, g: p - a * g, params["start"], params["rates"], gradient)
        for one, other in zip(leaves(moved), leaves(expected), strict=True):
            onp.testing.assert_allclose(one[t], other, rtol=1e-9, atol=1e-12)


@every_problem
def test_with_equal_rates_it_is_maml(problem):
    loss, params, episode = problem()
    equal = {**params, "rates": tree_map(lambda p: onp.full(p.shape, 0.4), params["start"])}
    assert meta_sgd_objective(loss, equal, episode) == pytest.approx(
        maml_objective(loss, params["start"], episode, 0.4, 1), rel=1e-12)


@every_problem
def test_the_objective_is_the_mean_over_tasks(problem):
    loss, params, episode = problem()
    each = [meta_sgd_objective(loss, params, Episode(*(part[t:t + 1] for part in episode[:4]), None, None))
            for t in range(N_TASKS)]
    assert meta_sgd_objective(loss, params, episode) == pytest.approx(onp.mean(each), rel=1e-10)


@every_problem
def test_derivatives_with_respect_to_start_and_rates(problem):
    loss, params, episode = problem()
    assert_derivatives(lambda p: meta_sgd_objective(loss, p, episode), params)


def test_the_gradient_of_a_rate_is_minus_support_gradient_times_query_gradient():
    loss, params, episode = PROBLEMS["mlp"]()
    rates = grad(lambda p: meta_sgd_objective(loss, p, episode))(params)["rates"]
    start = repeat(params["start"], N_TASKS)
    moved = meta_sgd_step(loss, start, params["rates"], episode.support_x, episode.support_y)
    support = grad(lambda p: np.sum(loss(p, episode.support_x, episode.support_y)))(start)
    query = grad(lambda p: np.sum(loss(p, episode.query_x, episode.query_y)))(moved)
    for found, s, q in zip(leaves(rates), leaves(support), leaves(query), strict=True):
        onp.testing.assert_allclose(found, -onp.mean(s * q, axis=0), rtol=1e-8, atol=1e-12)


@every_problem
def test_meta_sgd_stays_float32(problem):
    loss, params, episode = problem("float32")
    value, gradient = value_and_grad(partial(meta_sgd_objective, loss))(params, episode)
    assert value.dtype == "float32"
    assert all(leaf.dtype == "float32" for leaf in leaves(gradient))


def test_scores_are_a_step_then_logits_and_do_not_see_the_query_labels():
    loss, params, episode = PROBLEMS["conv4"]()
    moved = adapt(loss, repeat(params["start"], N_TASKS), episode.support_x, episode.support_y, params["rates"], 1)
    for mode in (False, True):
        found = meta_sgd_scores(tiny_conv4(), params, episode._replace(query_y=None), mode)
        onp.testing.assert_allclose(found, query_logits(tiny_conv4(), moved, episode, mode), rtol=1e-12)
        assert found.shape == (N_TASKS, 2 * N_WAY, N_WAY)


def test_a_query_hears_of_its_neighbours_only_if_transductive():
    _, params, episode = PROBLEMS["conv4"]()
    other = episode.query_x.copy()
    other[:, 1:] += 1
    for mode in (False, True):
        before, after = (meta_sgd_scores(tiny_conv4(), params, e, mode)[:, 0]
                         for e in (episode, episode._replace(query_x=other)))
        assert (onp.abs(after - before).max() > 1e-3) == mode


def test_initial_rates_are_uniform_one_for_each_number():
    start = {"a": {"w": onp.zeros((200, 100), "float32")}, "b": onp.zeros(3, "float32")}
    rates = initial_rates(start, onp.random.default_rng(0))
    assert rates["a"]["w"].shape == (200, 100)
    assert rates["b"].shape == (3,)
    assert rates["a"]["w"].dtype == rates["b"].dtype == "float32"
    w = rates["a"]["w"]
    assert 0.00499 < w.min() < 0.0051
    assert 0.0999 < w.max() <= 0.1001
    assert w.mean() == pytest.approx(0.0525, abs=0.001)
    onp.testing.assert_array_equal(initial_rates(start, onp.random.default_rng(0), 0.4, 0.4)["b"],
                                   onp.full(3, 0.4, "float32"))


def test_a_start_without_the_task_axis_is_refused():
    loss, params, episode = PROBLEMS["mlp"]()
    with pytest.raises(ValueError, match="without a task axis"):
        meta_sgd_step(loss, params["start"], params["rates"], episode.support_x, episode.support_y)


def test_rates_of_unknown_parameters_are_refused():
    loss, params, episode = PROBLEMS["mlp"]()
    with pytest.raises(ValueError, match="tail"):
        meta_sgd_step(loss, repeat(params["start"], N_TASKS), {"tail": 0.1}, episode.support_x, episode.support_y)


# ---------------------------------------------------------------- the pieces of the LSTM


def test_sigmoid_and_tanh_by_their_formulas():
    x = onp.linspace(-6, 6, 25)
    onp.testing.assert_allclose(sigmoid(x), 1 / (1 + onp.exp(-x)), rtol=1e-12)
    onp.testing.assert_allclose(tanh(x), onp.tanh(x), rtol=1e-15)
    check_grads(tanh, modes=["rev"], order=3)(x)
    check_grads(sigmoid, modes=["rev"], order=2)(x)


@pytest.mark.filterwarnings("error")
def test_nothing_overflows_far_out():
    x = onp.array([-1e4, -100, 0, 100, 1e4], "float32")
    for f in (sigmoid, tanh):
        gradient = grad(lambda x, f=f: np.sum(f(x)))(x)
        assert onp.isfinite(f(x)).all()
        assert gradient.dtype == "float32"
        onp.testing.assert_array_equal(gradient[[0, 1, 3, 4]], 0)


def test_preprocess_by_hand():
    p = 10.0
    given = onp.array([1.0, -1.0, onp.e, -onp.exp(-5), 0.0, 0.5 * onp.exp(-p), -1e-9, 1e8])
    expected = [[0, 1], [0, -1], [0.1, 1], [-0.5, -1], [-1, 0], [-1, 0.5], [-1, -1e-9 * onp.exp(p)],
                [onp.log(1e8) / p, 1]]
    onp.testing.assert_allclose(preprocess(given), expected, atol=1e-12)
    onp.testing.assert_allclose(preprocess(onp.array([onp.exp(-2.0) / 2]), p=2.0), [[-1, 0.5]], atol=1e-12)


def test_preprocess_has_no_jump_between_its_two_cases():
    edge = onp.exp(-10.0)
    for sign in (1, -1):
        below, above = preprocess(sign * edge * onp.array([1 - 1e-9, 1 + 1e-9]))
        onp.testing.assert_allclose(below, above, atol=1e-8)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_preprocess_keeps_type_and_count(dtype):
    found = preprocess(onp.array([0.0, 3.0, -1e-30], dtype))
    assert found.shape == (3, 2)
    assert found.dtype == dtype
    assert onp.isfinite(found).all()


def cell_by_hand(params, x, h, c):
    """One row through one LSTM layer, number by number."""
    def layer(gate, j, squash):
        total = params[gate]["b"][j]
        for i, value in enumerate([*x, *h]):
            total += value * params[gate]["w"][i, j]
        return squash(total)

    def logistic(z):
        return 1 / (1 + onp.exp(-z))
    new_c = onp.array([layer("forget", j, logistic) * c[j]
                       + layer("input", j, logistic) * layer("candidate", j, onp.tanh) for j in range(len(c))])
    new_h = onp.array([layer("output", j, logistic) * onp.tanh(new_c[j]) for j in range(len(c))])
    return new_h, new_c


def small_optimizer(seed=0, hidden=4):
    return shaken(init_optimizer(onp.random.default_rng(seed), hidden), seed + 1)


def random_state(n_rows, hidden=4, seed=3):
    rng = onp.random.default_rng(seed)
    return {name: {"h": rng.uniform(-1, 1, (n_rows, hidden)), "c": rng.normal(size=(n_rows, hidden))}
            for name in ("lstm1", "lstm2")}


def test_the_cell_is_a_loop_over_rows_and_numbers():
    params, state = small_optimizer()["lstm1"], random_state(5)["lstm1"]
    x = onp.random.default_rng(2).normal(size=(5, 2))
    h, c = lstm_cell(params, x, state["h"], state["c"])
    for r in range(5):
        by_hand = cell_by_hand(params, x[r], state["h"][r], state["c"][r])
        onp.testing.assert_allclose((h[r], c[r]), by_hand, rtol=1e-10)


def test_cell_anchor():
    # no weights: all gates 1/2, candidate tanh(0) = 0, so that half of the memory is kept
    zero = {"w": onp.zeros((3, 1)), "b": onp.zeros(1)}
    params = dict.fromkeys(("forget", "input", "output", "candidate"), zero)
    h, c = lstm_cell(params, onp.ones((1, 2)), onp.ones((1, 1)), onp.full((1, 1), 2.0))
    assert c[0, 0] == pytest.approx(1.0)
    assert h[0, 0] == pytest.approx(0.5 * onp.tanh(1.0))


def test_an_open_forget_gate_and_a_shut_input_gate_keep_the_memory():
    def constant(b):
        return {"w": onp.zeros((3, 1)), "b": onp.full(1, b)}
    params = {"forget": constant(50.0), "input": constant(-50.0), "output": constant(50.0), "candidate": constant(3.0)}
    h, c = lstm_cell(params, onp.ones((1, 2)), onp.zeros((1, 1)), onp.full((1, 1), 0.7))
    assert c[0, 0] == pytest.approx(0.7)
    assert h[0, 0] == pytest.approx(onp.tanh(0.7))


def test_the_update_is_two_layers_and_a_head():
    params, state = small_optimizer(), random_state(5)
    gradients = onp.array([0.3, -2.0, 0.0, 1e-7, 40.0])
    steps, new = lstm_update(params, gradients, state)
    assert steps.shape == (5,)
    for r, inputs in enumerate(preprocess(gradients)):
        h1, c1 = cell_by_hand(params["lstm1"], inputs, state["lstm1"]["h"][r], state["lstm1"]["c"][r])
        h2, c2 = cell_by_hand(params["lstm2"], h1, state["lstm2"]["h"][r], state["lstm2"]["c"][r])
        for name, pair in [("lstm1", (h1, c1)), ("lstm2", (h2, c2))]:
            onp.testing.assert_allclose((new[name]["h"][r], new[name]["c"][r]), pair, rtol=1e-10)
        assert steps[r] == pytest.approx(STEP_SIZE * (h2 @ params["head"]["w"][:, 0] + params["head"]["b"][0]))


def test_a_parameter_does_not_hear_of_the_others():
    params, state = small_optimizer(), random_state(5)
    gradients = onp.random.default_rng(0).normal(size=5)
    steps, new = lstm_update(params, gradients, state)
    order = onp.array([3, 0, 4, 2, 1])
    shuffled, _ = lstm_update(params, gradients[order], tree_map(lambda s: s[order], state))
    onp.testing.assert_allclose(shuffled, steps[order], rtol=1e-12)
    alone, new_alone = lstm_update(params, gradients[2:3], tree_map(lambda s: s[2:3], state))
    onp.testing.assert_allclose(alone, steps[2:3], rtol=1e-12)
    onp.testing.assert_allclose(new_alone["lstm2"]["c"], new["lstm2"]["c"][2:3], rtol=1e-12)


def test_the_memory_matters():
    params, gradients = small_optimizer(), onp.full(2, 0.5)
    first, state = lstm_update(params, gradients, initial_state(params, 2))
    second, _ = lstm_update(params, gradients, state)
    assert onp.abs(second - first).min() > 1e-6


def test_the_first_memory_is_empty():
    state = initial_state(init_optimizer(onp.random.default_rng(0)), 7)
    assert set(state) == {"lstm1", "lstm2"}
    assert all(leaf.shape == (7, 20) and leaf.dtype == "float32" and not leaf.any() for leaf in leaves(state))


def test_new_optimizers_remember_and_take_small_steps():
    params = init_optimizer(onp.random.default_rng(0))
    assert (params["lstm1"]["forget"]["b"] == 1).all()
    assert not params["lstm2"]["input"]["b"].any()
    assert params["lstm1"]["input"]["w"].shape == (22, 20)
    assert params["lstm2"]["input"]["w"].shape == (40, 20)
    steps, _ = lstm_update(params, onp.random.default_rng(1).normal(size=100).astype("float32"),
                           initial_state(params, 100))
    assert 0 < onp.abs(steps).max() < STEP_SIZE
    assert steps.dtype == "float32"


@pytest.mark.parametrize(("shape", "n_rows"), [((3,), 4), ((2, 2), 4), ((), 1)])
def test_gradients_that_do_not_fit_the_memory_are_refused(shape, n_rows):
    with pytest.raises(ValueError, match=rf"got \({', '.join(map(str, shape))},?\) and a state of {n_rows}"):
        lstm_update(small_optimizer(), onp.zeros(shape), random_state(n_rows))


def test_derivatives_of_the_update():
    params, state = small_optimizer(hidden=3), random_state(4, hidden=3)
    gradients, cotangent = onp.random.default_rng(0).normal(size=4), onp.random.default_rng(1).normal(size=4)

    def f(p):
        first, new = lstm_update(p["params"], gradients, p["state"])
        second, _ = lstm_update(p["params"], 2 * gradients, new)
        return np.sum(cotangent * (first + second * second))
    assert_derivatives(f, {"params": params, "state": state}, rel=1e-5)


@pytest.mark.filterwarnings("ignore:Output seems independent of input")
def test_no_derivative_flows_through_the_gradients():
    params, state = small_optimizer(), random_state(3)
    through = grad(lambda g: np.sum(lstm_update(params, g, state)[0]))(onp.array([0.1, 2.0, -3.0]))
    assert not onp.any(through)


# ---------------------------------------------------------------- whole learners


def test_the_optimizer_of_trees_is_the_update_of_their_numbers():
    params, rng = small_optimizer(), onp.random.default_rng(0)
    learner = {"a": {"w": rng.normal(size=(2, 3)), "b": rng.normal(size=2)}, "c": rng.normal(size=(1, 2))}
    first, second = random_like(learner, 1), random_like(learner, 2)
    moved, state = lstm_optimizer(params, learner, first, None)
    again, _ = lstm_optimizer(params, moved, second, state)
    flat, memory = onp.concatenate([leaf.ravel() for leaf in leaves(learner)]), initial_state(params, 10)
    for gradients, found in [(first, moved), (second, again)]:
        steps, memory = lstm_update(params, onp.concatenate([g.ravel() for g in leaves(gradients)]), memory)
        flat = flat + steps
        onp.testing.assert_allclose(onp.concatenate([leaf.ravel() for leaf in leaves(found)]), flat, rtol=1e-12)
    assert tree_map(onp.shape, again) == tree_map(onp.shape, learner)


def test_gradients_may_come_with_their_keys_in_another_order():
    params, rng = small_optimizer(), onp.random.default_rng(0)
    learner = {"a": rng.normal(size=3), "b": rng.normal(size=3)}
    gradients = random_like(learner, 1)
    moved, _ = lstm_optimizer(params, learner, gradients, None)
    other, _ = lstm_optimizer(params, learner, {"b": gradients["b"], "a": gradients["a"]}, None)
    for key in "ab":
        onp.testing.assert_array_equal(moved[key], other[key])
    with pytest.raises(ValueError, match="trees differ"):
        lstm_optimizer(params, learner, {"a": gradients["a"]}, None)


def curve_problem(n_tasks=3, steps_before=0, dtype=float, k_shot=5):
    network = mlp([1, 4, 1])
    practice = sample_practice(network, k_shot, n_tasks, steps_before, onp.random.default_rng(0))
    as_type = partial(tree_map, lambda a: a.astype(dtype))
    practice = practice._replace(learner=as_type(practice.learner), x=as_type(practice.x), y=as_type(practice.y))
    return partial(squared_error, network), practice


def test_optimise_with_sgd_is_gradient_descent():
    loss, practice = curve_problem()
    losses, learner, state = optimise(partial(sgd, learning_rate=0.01), loss, *practice[:3], 3)
    assert len(losses) == 3
    assert state is None
    for t in range(3):
        params = tree_map(lambda p, t=t: p[t], practice.learner)
        for step in range(3):
            gradient = grad(loss)(params, practice.x[t], practice.y[t])
            params = tree_map(lambda p, g: p - 0.01 * g, params, gradient)
            assert losses[step][t] == pytest.approx(loss(params, practice.x[t], practice.y[t]), rel=1e-10)
        for one, other in zip(leaves(learner), leaves(params), strict=True):
            onp.testing.assert_allclose(one[t], other, rtol=1e-10)


@pytest.mark.parametrize("update", [partial(adam, learning_rate=0.05), partial(lstm_optimizer, small_optimizer())],
                         ids=["adam", "lstm"])
def test_optimise_goes_on_where_it_stopped(update):
    loss, practice = curve_problem()
    whole, _, _ = optimise(update, loss, *practice[:3], 5)
    first, learner, state = optimise(update, loss, *practice[:3], 2)
    rest, _, _ = optimise(update, loss, learner, practice.x, practice.y, 3, state)
    onp.testing.assert_allclose(whole, [*first, *rest], rtol=1e-12)


def test_tasks_at_once_are_tasks_one_by_one():
    loss, practice = curve_problem()
    update = partial(lstm_optimizer, small_optimizer())
    together, _, _ = optimise(update, loss, *practice[:3], 4)
    for t in range(3):
        alone, _, _ = optimise(update, loss, tree_map(lambda p, t=t: p[t:t + 1], practice.learner),
                               practice.x[t:t + 1], practice.y[t:t + 1], 4)
        onp.testing.assert_allclose([losses[t] for losses in together], onp.concatenate(alone), rtol=1e-9)


def test_practice_is_new_networks_and_curves():
    practice = sample_practice(LEARNER, 10, 4, 30, onp.random.default_rng(0))
    assert practice.x.shape == practice.y.shape == (4, 10, 1)
    assert practice.steps_before == 30
    w = practice.learner["dense1"]["w"]
    assert w.shape == (4, 1, 20)
    assert all(onp.abs(w[0] - w[t]).min() > 0 for t in range(1, 4))
    assert all(leaf.dtype == "float32" for leaf in leaves(practice.learner))
    curves = sample_sinusoids(10, 1, 4, onp.random.default_rng(0))
    assert practice.y.dtype == curves.support_y.dtype


def test_the_objective_is_the_mean_of_the_losses_after_each_step():
    params, (loss, practice) = small_optimizer(), curve_problem(steps_before=2)
    losses, _, _ = optimise(partial(lstm_optimizer, params), loss, *practice[:3], 5)
    assert optimizer_objective(loss, params, practice, 3) == pytest.approx(onp.mean(losses[2:]), rel=1e-10)


def test_derivatives_of_the_objective_where_the_gradients_do_not_depend_on_the_steps():
    # a loss linear in the parameters has the same gradient everywhere: nothing is dropped, and finite differences agree
    params, (_, practice) = small_optimizer(hidden=3), curve_problem(n_tasks=2)
    slopes = random_like(practice.learner, 5)

    def loss(learner, x, y):
        return sum(np.sum(np.reshape(a * b, (2, -1)), axis=1)
                   for a, b in zip(leaves(learner), leaves(slopes), strict=True))
    assert_derivatives(lambda p: optimizer_objective(loss, p, practice, 3), params, rel=1e-5)


def test_derivatives_of_the_objective_after_one_step():
    params, (loss, practice) = small_optimizer(hidden=3), curve_problem()
    idle = 4  # the forget gates of both layers: there is nothing to forget yet
    assert_derivatives(lambda p: optimizer_objective(loss, p, practice, 1), params, rel=1e-5, idle=idle)


def test_the_gradients_that_are_read_are_constants_in_later_steps():
    params, (loss, practice) = small_optimizer(), curve_problem()
    read = []

    def recorded(p, learner, gradients, state):
        read.append(gradients)
        return lstm_optimizer(p, learner, gradients, state)
    optimise(partial(recorded, params), loss, *practice[:3], 3)

    def with_these_gradients(p):
        learner, state, total = practice.learner, None, 0.0
        for gradients in read:
            learner, state = lstm_optimizer(p, learner, gradients, state)
            total = total + np.sum(loss(learner, practice.x, practice.y)) * (1 / 9)
        return total
    direction = random_like(params, 4)
    found = dot(grad(lambda p: optimizer_objective(loss, p, practice, 3))(params), direction)
    assert found == pytest.approx(slope(with_these_gradients, params, direction), rel=1e-5)
    whole = slope(lambda p: optimizer_objective(loss, p, practice, 3), params, direction)
    assert abs(found - whole) > 1e-4 * abs(whole)  # what is dropped was not nothing


def test_no_derivative_flows_through_the_steps_beforehand():
    params, (loss, practice) = small_optimizer(), curve_problem(steps_before=2)
    _, learner, state = optimise(partial(lstm_optimizer, params), loss, *practice[:3], 2)

    def after(p):
        moved, _ = lstm_optimizer(p, learner, grad(lambda q: np.sum(loss(q, practice.x, practice.y)))(learner), state)
        return np.sum(loss(moved, practice.x, practice.y)) * (1 / 3)
    direction = random_like(params, 4)
    found = dot(grad(lambda p: optimizer_objective(loss, p, practice, 1))(params), direction)
    assert found == pytest.approx(slope(after, params, direction), rel=1e-6)


@pytest.mark.filterwarnings("error")
def test_the_lstm_stays_float32():
    loss, practice = curve_problem(steps_before=1, dtype="float32")
    params = init_optimizer(onp.random.default_rng(0))
    value, gradient = value_and_grad(lambda p: optimizer_objective(loss, p, practice, 2))(params)
    assert value.dtype == "float32"
    assert all(leaf.dtype == "float32" for leaf in leaves(gradient))


def test_segments_start_anywhere_in_the_horizon_with_equal_chance():
    options = SimpleNamespace(horizon=20, segment=5, lstm_batch=1)
    sample = sample_segments(mlp([1, 1]), options, onp.random.default_rng(0))
    counts = onp.bincount([sample().steps_before for _ in range(800)], minlength=20)
    assert set(onp.flatnonzero(counts)) == {0, 5, 10, 15}
    assert counts[[0, 5, 10, 15]].min() > 150
    with pytest.raises(ValueError, match="horizon of 20 steps is not made of whole segments of 7"):
        sample_segments(mlp([1, 1]), SimpleNamespace(horizon=20, segment=7, lstm_batch=1), onp.random.default_rng(0))


# ---------------------------------------------------------------- SGD and Adam by grid


def test_the_rate_of_each_step_is_that_of_the_lowest_mean_loss():
    found = {("SGD", 0.1): onp.array([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0]]),
             ("SGD", 0.5): onp.array([[1.0, 1.0, 5.0], [2.0, 1.0, 0.0]]),
             ("SGD", 0.9): onp.array([[0.0, 3.0, 0.0], [0.1, 0.0, 9.0]]),
             ("Adam", 0.2): onp.array([[0.0, 0.0, 0.0]])}
    onp.testing.assert_array_equal(tuned_rates(found, "SGD"), [0.9, 0.5, 0.1])
    onp.testing.assert_array_equal(tuned_rates(found, "Adam"), [0.2] * 3)


def test_the_rivals_are_sgd_and_adam_at_every_rate():
    assert set(RIVALS) == {(name, rate) for name in ("SGD", "Adam") for rate in RATES}
    params, gradients = {"w": onp.ones(2)}, {"w": onp.array([1.0, -2.0])}
    onp.testing.assert_allclose(RIVALS["SGD", 0.1](params, gradients, None)[0]["w"], [0.9, 1.2])
    onp.testing.assert_allclose(RIVALS["Adam", 0.1](params, gradients, None)[0]["w"], [0.9, 1.1], rtol=1e-6)


def test_paths_are_the_losses_after_each_step():
    loss, practice = curve_problem(dtype="float32")
    update = partial(sgd, learning_rate=0.001)
    losses, _, _ = optimise(update, loss, *practice[:3], 30)
    onp.testing.assert_array_equal(paths({"slow": update}, loss, practice, 30)["slow"], onp.stack(losses, axis=1))


@pytest.mark.filterwarnings("error")
def test_a_path_that_diverges_counts_as_it_began():
    loss, practice = curve_problem(dtype="float32")
    found = paths({"wild": partial(sgd, learning_rate=1e6)}, loss, practice, 30)["wild"]
    before = loss(practice.learner, practice.x, practice.y)
    onp.testing.assert_array_equal(found, onp.repeat(before[:, None], 30, axis=1))
    assert found.dtype == "float32"


def test_all_optimisers_get_the_same_curves_and_the_rates_come_from_others():
    options = SimpleNamespace(horizon=4, episodes=6)
    loss, rng = partial(squared_error, LEARNER), onp.random.default_rng(0)
    losses, rates = compare(init_optimizer(rng), loss, LEARNER, options, onp.random.default_rng(5))
    assert list(losses) == ["LSTM", "Adam", "SGD"]
    assert all(values.shape == (6, 4 * BEYOND) for values in losses.values())
    rng = onp.random.default_rng(5)
    validation, test = (sample_practice(LEARNER, 10, 6, 0, rng) for _ in range(2))
    on_validation, on_test = (paths(RIVALS, loss, practice, 4 * BEYOND) for practice in (validation, test))
    for name in ("Adam", "SGD"):
        onp.testing.assert_array_equal(rates[name], tuned_rates(on_validation, name))
        for step, rate in enumerate(rates[name]):
            onp.testing.assert_array_equal(losses[name][:, step], on_test[name, rate][:, step])


# ---------------------------------------------------------------- pictures and tables


def test_tiles_are_the_kernels_with_gaps():
    kernels = onp.arange(3 * 3 * 10, dtype="float32").reshape(3, 3, 10)
    tiles = tile(kernels)
    assert tiles.shape == (7, 31)
    onp.testing.assert_array_equal(tiles[:3, 4:7], kernels[:, :, 1])
    onp.testing.assert_array_equal(tiles[4:, :3], kernels[:, :, 8])
    assert onp.isnan(tiles[3]).all()
    assert onp.isnan(tiles[:, 3]).all()
    assert tile(kernels[:, :, :2]).shape == (3, 7)


def test_rates_are_named_by_layer():
    rates = tiny_conv4().init(onp.random.default_rng(0))
    named = named_rates(rates)
    assert list(named)[:3] == ["block1 w", "block1 gamma", "block1 beta"]
    assert list(named)[-2:] == ["head w", "head b"]
    assert sum(map(len, named.values())) == sum(leaf.size for leaf in leaves(rates))


def test_the_rows_of_the_table_hold_the_horizon_and_go_beyond():
    assert rows(100) == [10, 20, 50, 100, 200, 300]
    assert rows(20) == [2, 4, 10, 20, 40, 60]
    assert rows(1) == [1, 2, 3]


# ---------------------------------------------------------------- the run

TINY = ["--quick", "--iterations", "2", "--lstm-iterations", "2", "--episodes", "4", "--meta-batch", "2", "--channels",
        "4", "--horizon", "10", "--n-query", "2"]
FILES = {"maml.npz", "meta_sgd.npz", "meta_sgd_small.npz", "lstm.npz", "rates.png", "optimisers.png", "record.json"}
METHODS = ("MAML", "Meta-SGD from 0.4", "Meta-SGD from U[0.005, 0.1]")


@pytest.fixture(scope="module")
def quick_run(tmp_path_factory):
    """The folder of one tiny run; what it printed is in the file `printed` beside it."""
    out = tmp_path_factory.mktemp("optimizer") / "out"
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        main([*TINY, "--out", str(out)])
    (out.parent / "printed").write_text(printed.getvalue(), encoding="utf-8")
    return out


def test_the_quick_run_end_to_end(quick_run):
    lines = (quick_run.parent / "printed").read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("Gradient descent with a learned step")
    assert all(len(line) <= 80 and line == line.rstrip() for line in lines if str(quick_run) not in line)
    assert "\n".join(lines).replace("±", "").isascii()
    assert sum("10 steps: so far the LSTM was trained" in line for line in lines) == 1
    assert {path.name for path in quick_run.iterdir()} == FILES
    assert all(any(str(quick_run / name) in line for line in lines) for name in FILES)
    for name in ("rates.png", "optimisers.png"):
        with Image.open(quick_run / name) as picture:
            picture.verify()


def test_the_record_holds_every_number_of_the_tables(quick_run):
    record = read_record(quick_run / "record.json")
    modes = ("statistics of the support", "statistics of all queries")
    accuracies = {f"{name}, {mode}" for name in (*METHODS, "Meta-SGD from 0.4 minus MAML") for mode in modes}
    losses = {f"{name}, {n} steps" for name in ("LSTM", "Adam", "SGD") for n in (1, 2, 5, 10, 20, 30)}
    rates = {f"rates, {name}" for name in [*(f"block{i} {p}" for i in range(1, 5) for p in ("w", "gamma", "beta")),
                                           "head w", "head b", "all"]}
    metrics = record["metrics"]
    assert set(metrics) == accuracies | losses | rates
    assert all({"mean", "interval"} <= set(metrics[name]) for name in accuracies | losses)
    assert all("rate" in metrics[name] for name in losses if not name.startswith("LSTM"))
    assert all(0 <= metrics[name]["negative"] <= 1 for name in rates)
    assert record["lesson"] == "lesson6_optimizer"


def test_the_saved_networks_are_finite_and_float32(quick_run):
    for name, keys in [("maml.npz", {"block1", "block2", "block3", "block4", "head"}),
                       ("meta_sgd.npz", {"start", "rates"}), ("meta_sgd_small.npz", {"start", "rates"}),
                       ("lstm.npz", {"lstm1", "lstm2", "head"})]:
        params = load_params(quick_run / name)
        assert set(params) == keys
        assert all(leaf.dtype == "float32" and onp.isfinite(leaf).all() for leaf in leaves(params))


def test_the_same_seed_gives_the_same_numbers(quick_run, tmp_path):
    main([*TINY, "--out", str(tmp_path / "again")])
    main([*TINY, "--seed", "1", "--out", str(tmp_path / "other")])
    first, again, other = (read_record(out / "record.json")["metrics"]
                           for out in (quick_run, tmp_path / "again", tmp_path / "other"))
    assert first == again
    assert first != other


@pytest.fixture
def no_training(monkeypatch):
    def train(*args, **kwargs):
        raise AssertionError("training started")
    monkeypatch.setattr(lesson6_optimizer, "train", train)


@pytest.mark.parametrize(("argv", "error", "message"), [
    (["--n-way", "60"], ValueError, "60-way episodes need 60 classes"),
    (["--n-query", "20"], ValueError, r"1 support \+ 20 query need 21"),
    (["--k-shot", "11"], ValueError, r"11 support \+ 11 query need 22"),
    (["--horizon", "25"], ValueError, "horizon of 25 steps is not made of whole segments of 10"),
    (["--episodes", "1"], SystemExit, "2"),
    (["--data", "nowhere"], FileNotFoundError, "--data nowhere is neither glyphs nor omniglot")])
@pytest.mark.usefixtures("no_training")
def test_what_cannot_be_is_told_before_training(argv, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        main(["--quick", *argv, "--out", str(tmp_path / "out")])


def test_contenders_share_start_and_episodes(tmp_path, monkeypatch):
    seen = []

    def train(objective, params, sample, **kwargs):
        seen.append((params, sample().support_ids, sample().query_ids))
        return params, None
    monkeypatch.setattr(lesson6_optimizer, "train", train)
    options = SimpleNamespace(seed=3, n_way=5, k_shot=1, meta_batch=2, channels=4, inner_lr=0.4, learning_rate=1e-2,
                              iterations=1, out=tmp_path, data="glyphs", quick=True)
    network = conv4(outputs=5, channels=4, down="stride", features="mean")
    trained = lesson6_optimizer.train_contenders(network, load_splits(options)[0], options)
    assert tuple(trained) == METHODS
    starts = [params.get("start", params) for params, *_ in seen]
    for start, (_, support_ids, query_ids) in zip(starts, seen, strict=True):
        for one, other in zip(leaves(start), leaves(starts[0]), strict=True):
            onp.testing.assert_array_equal(one, other)
        onp.testing.assert_array_equal(support_ids, seen[0][1])
        onp.testing.assert_array_equal(query_ids, seen[0][2])
    assert all((leaf == onp.float32(0.4)).all() for leaf in leaves(seen[1][0]["rates"]))
    assert all(leaf.min() >= 0.0049 and leaf.max() <= 0.1001 for leaf in leaves(seen[2][0]["rates"]))


# ---------------------------------------------------------------- what the lesson claims, over three seeds


@pytest.fixture(scope="module", params=[0, 1, 2])
def characters(request, tmp_path_factory):
    """The metrics of the first part of a run with the default settings, and half of its test episodes."""
    options = SimpleNamespace(seed=request.param, n_way=5, k_shot=1, n_query=15, meta_batch=16, channels=32,
                              inner_lr=0.4, learning_rate=1e-2, iterations=400, episodes=300, data="glyphs",
                              quick=False, out=tmp_path_factory.mktemp("characters"))
    training, _, test = load_splits(options)
    return run_meta_sgd(options, training, test)[0]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("mode", ["statistics of the support", "statistics of all queries"])
def test_learned_rates_beat_mamls_one_rate(characters, mode):
    difference = characters[f"Meta-SGD from 0.4 minus MAML, {mode}"]
    assert difference["mean"] > difference["interval"]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_higher_convolutions_learn_larger_rates_and_the_bias_of_the_head_a_negative_one(characters):
    means = [characters[f"rates, block{i} w"]["mean"] for i in range(1, 5)]
    assert means == sorted(means)
    assert means[0] < 0.4 < means[-1]
    assert characters["rates, head b"]["mean"] < 0
    assert characters["rates, all"]["negative"] < 0.05


@pytest.fixture(scope="module", params=[0, 1, 2])
def fitted(request, tmp_path_factory):
    """{name: mean losses (steps,)} of the second part of a run with the default settings, on half of its curves."""
    options = SimpleNamespace(seed=request.param, horizon=100, segment=10, lstm_batch=16, lstm_iterations=400,
                              lstm_learning_rate=1e-2, episodes=300, out=tmp_path_factory.mktemp("lstm"))
    return {name: metric["mean"] for name, metric in lesson6_optimizer.run_lstm(options)[0].items()}


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_within_its_horizon_the_lstm_is_faster_than_tuned_sgd_and_adam(fitted):
    for steps in (10, 20, 50):
        assert fitted[f"LSTM, {steps} steps"] < 0.9 * fitted[f"Adam, {steps} steps"]
        assert fitted[f"LSTM, {steps} steps"] < 0.9 * fitted[f"SGD, {steps} steps"]
    assert fitted["LSTM, 100 steps"] < 0.2 * fitted["SGD, 100 steps"]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_beyond_its_horizon_the_lstm_loses_its_lead_over_adam(fitted):
    def share(steps):
        return fitted[f"LSTM, {steps} steps"] / fitted[f"Adam, {steps} steps"]
    assert share(300) > 1.2 * share(50)
