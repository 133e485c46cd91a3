"""Lesson 6, the CNP: its encoding by a slow loop, its derivatives, its invariances; MAML beside it; the run."""

import contextlib
import inspect
import io
from functools import partial

import autograd.numpy as np
import numpy as onp
import pytest
from PIL import Image

from fewshot_np import lesson6_model_based
from fewshot_np.experiment.records import load_params, read_record
from fewshot_np.lesson4_maml import adapt, maml_objective, sample_sinusoids, squared_error
from fewshot_np.lesson6_model_based import (
    MAML_NETWORK,
    add_point,
    answer,
    check_order,
    cnp_loss,
    condition,
    decode,
    descent_rate,
    encode,
    init,
    learners,
    main,
    maml_loss,
    milliseconds,
    objective,
    stretched,
    whole_curve,
)
from fewshot_np.nn.networks import mlp
from fewshot_np.nn.optimizers import adam, cosine_decay
from fewshot_np.nn.trees import grad, leaves, repeat, tree_map, value_and_grad


def narrow_params(seed=0, n_features=5, width=7):
    """float64 parameters of another width than the lesson's, away from special values."""
    rng = onp.random.default_rng(seed)
    networks = {"encoder": mlp([2, width, 6, 4, n_features]), "decoder": mlp([n_features + 1, width, 6, 4, 1])}
    return tree_map(lambda p: p.astype(float) + 0.1 * rng.normal(size=p.shape),
                    {name: network.init(rng) for name, network in networks.items()})


def curves(k_shot, n_query=4, n_tasks=3, seed=1, dtype=float):
    tasks = sample_sinusoids(k_shot, n_query, n_tasks, onp.random.default_rng(seed))
    return tasks._replace(**{name: getattr(tasks, name).astype(dtype)
                             for name in ("support_x", "support_y", "query_x", "query_y")})


def dense_by_hand(params, x):
    """One example through four layers, number by number."""
    for name in ("dense1", "dense2", "dense3", "head"):
        w, b = params[name]["w"], params[name]["b"]
        x = [sum(x[d] * w[d, o] for d in range(len(x))) + b[o] for o in range(w.shape[1])]
        if name != "head":
            x = [max(number, 0.0) for number in x]
    return onp.array(x)


def encode_by_hand(params, x, y):
    return sum(dense_by_hand(params["encoder"], [x[i, 0], y[i, 0]]) for i in range(len(x))) / len(x)


# ---------------------------------------------------------------- values


def test_arguments_have_their_fixed_names():
    assert list(inspect.signature(encode).parameters) == ["params", "x", "y"]
    assert list(inspect.signature(objective).parameters) == ["params", "episode"]


@pytest.mark.parametrize("k_shot", [1, 3])
def test_encode_is_the_mean_of_what_a_loop_makes_of_each_point(k_shot):
    params, tasks = narrow_params(), curves(k_shot)
    together = encode(params, tasks.support_x, tasks.support_y)
    assert together.shape == (3, 5)
    for t in range(3):
        by_hand = encode_by_hand(params, tasks.support_x[t], tasks.support_y[t])
        onp.testing.assert_allclose(together[t], by_hand, rtol=1e-12)
        onp.testing.assert_allclose(encode(params, tasks.support_x[t], tasks.support_y[t]), by_hand, rtol=1e-12)


def test_encode_anchor():
    # every layer is the identity on (x, y), which are positive: r is the mean of the points themselves
    identity = {"w": onp.eye(2), "b": onp.zeros(2)}
    params = {"encoder": dict.fromkeys(("dense1", "dense2", "dense3", "head"), identity)}
    r = encode(params, onp.array([[1.0], [2.0], [6.0]]), onp.array([[4.0], [0.0], [5.0]]))
    onp.testing.assert_allclose(r, [3.0, 3.0])


def test_decode_is_a_loop_over_the_queries():
    params, tasks = narrow_params(), curves(3)
    r = encode(params, tasks.support_x, tasks.support_y)
    answers = decode(params, r, tasks.query_x)
    assert answers.shape == (3, 4, 1)
    for t in range(3):
        onp.testing.assert_allclose(decode(params, r[t], tasks.query_x[t]), answers[t], rtol=1e-12)
        for q in range(4):
            by_hand = dense_by_hand(params["decoder"], [*r[t], tasks.query_x[t, q, 0]])
            onp.testing.assert_allclose(answers[t, q], by_hand, rtol=1e-12)


def test_objective_is_the_mean_squared_error_over_tasks_and_queries():
    params, tasks = narrow_params(), curves(3)
    answers = answer(condition(params, tasks.support_x, tasks.support_y), tasks.query_x)
    assert objective(params, tasks) == pytest.approx(onp.mean((answers - tasks.query_y) ** 2), rel=1e-12)


def test_conditioning_takes_the_decoder_along_and_leaves_the_encoder():
    params, tasks = narrow_params(), curves(3)
    conditioned = condition(params, tasks.support_x, tasks.support_y)
    assert set(conditioned) == {"decoder", "r"}
    assert cnp_loss(conditioned, tasks.query_x, tasks.query_y).shape == (3,)


# ---------------------------------------------------------------- invariances


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_the_points_does_not_matter(seed):
    params, tasks = narrow_params(seed), curves(6, seed=seed)
    order = onp.random.default_rng(seed).permutation(6)
    onp.testing.assert_allclose(encode(params, tasks.support_x[:, order], tasks.support_y[:, order]),
                                encode(params, tasks.support_x, tasks.support_y), rtol=1e-12)


def test_pairs_matter_which_x_has_which_y():
    params, tasks = narrow_params(), curves(6)
    there, other = (encode(params, tasks.support_x, y) for y in (tasks.support_y, tasks.support_y[:, ::-1]))
    assert onp.abs(there - other).max() > 1e-3


def test_points_given_twice_change_nothing():
    params, tasks = narrow_params(), curves(4)
    twice = [onp.concatenate([part, part], axis=1) for part in (tasks.support_x, tasks.support_y)]
    onp.testing.assert_allclose(encode(params, *twice), encode(params, tasks.support_x, tasks.support_y), rtol=1e-12)


def test_points_added_one_by_one_give_the_encoding_of_all():
    params, tasks = narrow_params(), curves(5)
    x, y = tasks.support_x, tasks.support_y
    r = encode(params, x[:, :1], y[:, :1])
    for n in range(1, 5):
        r = add_point(params, r, n, x[:, n:n + 1], y[:, n:n + 1])
        onp.testing.assert_allclose(r, encode(params, x[:, :n + 1], y[:, :n + 1]), rtol=1e-10)


def test_a_task_does_not_hear_of_the_others_nor_a_query_of_its_neighbours():
    params, tasks = narrow_params(), curves(3)
    answers = answer(condition(params, tasks.support_x, tasks.support_y), tasks.query_x)
    other_y, other_x = tasks.support_y.copy(), tasks.query_x.copy()
    other_y[1:] += 1
    other_x[0, 1:] += 1
    after = answer(condition(params, tasks.support_x, other_y), other_x)
    onp.testing.assert_allclose(after[0, 0], answers[0, 0], rtol=1e-12)
    assert onp.abs(after[1:] - answers[1:]).max() > 1e-3


def test_the_lessons_own_check_of_the_order():
    moved, spread = check_order(init(onp.random.default_rng(0)), onp.random.default_rng(1))
    assert moved < 1e-4 * spread


# ---------------------------------------------------------------- derivatives and types


def slope(f, at, direction, eps=1e-6):
    ahead, behind = (f(tree_map(lambda p, d, s=sign: p + s * eps * d, at, direction)) for sign in (1, -1))
    return (ahead - behind) / (2 * eps)


def dot(a, b):
    return sum(onp.sum(x * y) for x, y in zip(leaves(a), leaves(b), strict=True))


@pytest.mark.parametrize("k_shot", [1, 4])
def test_gradient_of_the_objective_is_its_slope(k_shot):
    params, tasks, rng = narrow_params(), curves(k_shot), onp.random.default_rng(2)
    gradient = grad(objective)(params, tasks)
    assert all(onp.abs(leaf).max() > 0 for leaf in leaves(gradient))
    for _ in range(3):
        direction = tree_map(lambda p: rng.normal(size=p.shape), params)
        found = slope(lambda p: objective(p, tasks), params, direction)
        assert dot(gradient, direction) == pytest.approx(found, rel=1e-6, abs=1e-8)


def test_gradient_of_the_gradient_is_the_slope_of_the_gradient():
    params, tasks, rng = narrow_params(), curves(4), onp.random.default_rng(2)
    cotangent = tree_map(lambda p: rng.normal(size=p.shape), params)

    def along(p):
        gradient = grad(objective)(p, tasks)
        return sum(np.sum(g * c) for g, c in zip(leaves(gradient), leaves(cotangent), strict=True))

    direction = tree_map(lambda p: rng.normal(size=p.shape), params)
    assert dot(grad(along)(params), direction) == pytest.approx(slope(along, params, direction), rel=1e-5)


def test_gradient_with_respect_to_the_points_of_a_support():
    params, tasks, rng = narrow_params(), curves(4), onp.random.default_rng(2)
    cotangent, direction = rng.normal(size=(3, 5)), {name: rng.normal(size=(3, 4, 1)) for name in "xy"}

    def f(points):
        return np.sum(cotangent * encode(params, points["x"], points["y"]))

    at = {"x": tasks.support_x, "y": tasks.support_y}
    assert dot(grad(f)(at), direction) == pytest.approx(slope(f, at, direction), rel=1e-6)


def test_float32_stays_float32_in_value_and_gradient():
    params, tasks = init(onp.random.default_rng(0)), curves(3, dtype="float32")
    value, gradient = value_and_grad(objective)(params, tasks)
    assert value.dtype == "float32"
    assert all(leaf.dtype == "float32" for leaf in leaves(gradient))
    r = encode(params, tasks.support_x, tasks.support_y)
    assert add_point(params, r, 3, tasks.query_x[:, :1], tasks.query_y[:, :1]).dtype == "float32"


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(("x_shape", "y_shape", "message"), [
    ((3, 1), (4, 1), r"x and y must both be .* got \(3, 1\) and \(4, 1\)"),
    ((2, 3, 1), (3, 1), r"got \(2, 3, 1\) and \(3, 1\)"),
    ((3,), (3,), r"got \(3,\)"),
    ((2, 0, 1), (2, 0, 1), "no examples is undefined: at least 1")])
def test_encode_refuses_what_is_no_set_of_pairs(x_shape, y_shape, message):
    with pytest.raises(ValueError, match=message):
        encode(narrow_params(), onp.zeros(x_shape), onp.zeros(y_shape))


@pytest.mark.parametrize(("r_shape", "x_shape"), [((5,), (2, 4, 1)), ((2, 5), (4, 1)), ((2, 5), (3, 4, 1))])
def test_decode_refuses_an_encoding_of_other_tasks(r_shape, x_shape):
    with pytest.raises(ValueError, match="does not fit x"):
        decode(narrow_params(), onp.zeros(r_shape), onp.zeros(x_shape))


# ---------------------------------------------------------------- what the run measures


def test_learners_answer_as_their_own_functions_do():
    rng = onp.random.default_rng(0)
    cnp, maml, tasks = init(rng), MAML_NETWORK.init(rng), curves(4, dtype="float32")
    methods = learners(cnp, maml, 0.01, 0.002)
    support = tasks.support_x, tasks.support_y
    expected = {"CNP": decode(cnp, encode(cnp, *support), tasks.query_x)}
    for name, rate, steps in [("MAML, 1 step", 0.01, 1), ("MAML, 10 steps", 0.002, 10)]:
        expected[name] = MAML_NETWORK.apply(adapt(maml_loss, repeat(maml, 3), *support, rate, steps), tasks.query_x)
    assert set(methods) == set(expected)
    for name, learn in methods.items():
        onp.testing.assert_array_equal(learn(*support)(tasks.query_x), expected[name])


def test_the_drawn_curve_is_the_one_its_points_are_from():
    x = onp.linspace(-5, 5, 11)
    for seed in range(5):
        task = curves(12, 1, 1, seed=seed)
        first = task._replace(support_x=task.support_x[:, :3], support_y=task.support_y[:, :3])
        onp.testing.assert_allclose(whole_curve(first, x), whole_curve(task, x), atol=1e-4)
        onp.testing.assert_allclose(whole_curve(task, task.query_x[0, :, 0]), task.query_y[0, :, 0], atol=1e-4)


def test_stretched_curves_are_as_many_times_as_tall():
    tasks = curves(3, dtype="float32")
    tall = stretched(tasks, 2)
    onp.testing.assert_array_equal(tall.support_y, 2 * tasks.support_y)
    onp.testing.assert_array_equal(tall.query_y, 2 * tasks.query_y)
    onp.testing.assert_array_equal(tall.query_x, tasks.query_x)
    assert tall.query_y.dtype == "float32"


def test_the_fastest_call_is_timed(monkeypatch):
    ticks = iter([0.0, 5.0, 10.0, 12.0, 20.0, 29.0])
    monkeypatch.setattr(lesson6_model_based.time, "perf_counter", lambda: next(ticks))
    assert milliseconds(lambda: None, repeats=3) == pytest.approx(2000.0)


# ---------------------------------------------------------------- the run

TINY = ["--quick", "--iterations", "3", "--maml-iterations", "3", "--episodes", "4", "--meta-batch", "2"]
FILES = {"cnp.npz", "maml.npz", "curves.png", "errors.png", "record.json"}


@pytest.fixture(scope="module")
def quick_run(tmp_path_factory):
    """The folder of one tiny run; what it printed is in the file `printed` beside it."""
    out = tmp_path_factory.mktemp("model_based") / "out"
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        main([*TINY, "--out", str(out)])
    (out.parent / "printed").write_text(printed.getvalue(), encoding="utf-8")
    return out


def test_the_quick_run_end_to_end(quick_run):
    lines = (quick_run.parent / "printed").read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("A curve from a few of its points, two ways")
    assert all(len(line) <= 80 for line in lines if str(quick_run) not in line)
    assert "\n".join(lines).replace("±", "").isascii()
    assert {path.name for path in quick_run.iterdir()} == FILES
    assert all(any(str(quick_run / name) in line for line in lines) for name in FILES)
    for name in ("curves.png", "errors.png"):
        with Image.open(quick_run / name) as picture:
            picture.verify()


def test_the_record_holds_every_number_of_the_tables(quick_run):
    record = read_record(quick_run / "record.json")
    methods = ("CNP", "MAML, 1 step", "MAML, 10 steps")
    errors = {f"{name}, {n} points" for name in methods for n in (1, 2, 3, 5, 10, 20, 50)}
    errors |= {f"{name}, {n} points, twice as tall" for name in methods for n in (5, 10, 50)}
    costs = {f"{name}, {n} points, cost" for name in methods for n in (10, 100, 1000)} | {"CNP, one more point, cost"}
    metrics = record["metrics"]
    assert set(metrics) == errors | costs | {"order"}
    assert all({"mean", "interval"} == set(metrics[name]) for name in errors)
    assert all(metrics[name]["milliseconds"] > 0 for name in costs)
    assert record["lesson"] == "lesson6_model_based"


def test_the_saved_networks_are_finite_and_float32(quick_run):
    for name, keys in [("cnp.npz", {"encoder", "decoder"}), ("maml.npz", {"dense1", "dense2", "head"})]:
        params = load_params(quick_run / name)
        assert set(params) == keys
        assert all(leaf.dtype == "float32" and onp.isfinite(leaf).all() for leaf in leaves(params))


def test_the_same_seed_gives_the_same_errors(quick_run, tmp_path):
    def errors(out):
        metrics = read_record(out / "record.json")["metrics"]
        return {name: value for name, value in metrics.items() if "cost" not in name}
    main([*TINY, "--out", str(tmp_path / "again")])
    main([*TINY, "--seed", "1", "--out", str(tmp_path / "other")])
    assert errors(tmp_path / "again") == errors(quick_run)
    assert errors(tmp_path / "other") != errors(quick_run)


@pytest.fixture
def no_training(monkeypatch):
    def train(*args, **kwargs):
        raise AssertionError("training started")
    monkeypatch.setattr(lesson6_model_based, "train", train)


@pytest.mark.usefixtures("no_training")
def test_images_are_refused_where_curves_are_learned(tmp_path):
    with pytest.raises(ValueError, match="learns sinusoids, not images"):
        main(["--quick", "--data", "omniglot", "--out", str(tmp_path)])


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize("argv", [["--n-way", "5"], ["--episodes", "1"], ["--inner-lr", "nan"], ["--iterations", "0"]])
def test_impossible_options_end_with_code_2(argv, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main([*argv, "--out", str(tmp_path)])
    assert stop.value.code == 2
    assert argv[0] in capsys.readouterr().err


# ---------------------------------------------------------------- what the lesson claims


def trained(loss, params, sample, rate, iterations):
    step, state, schedule = value_and_grad(loss), None, cosine_decay(rate, iterations)
    for iteration in range(iterations):
        _, gradient = step(params, sample())
        params, state = adam(params, gradient, state, schedule(iteration))
    return params


@pytest.fixture(scope="module", params=[0, 1, 2])
def trained_pair(request):
    """A CNP and a MAML after about 10 seconds each."""
    rng = onp.random.default_rng(request.param)
    cnp = trained(objective, init(rng), lambda: sample_sinusoids(rng.integers(1, 11), 20, 32, rng), 3e-3, 4000)
    maml = trained(partial(maml_objective, maml_loss, inner_lr=0.01, steps=1), MAML_NETWORK.init(rng),
                   lambda: sample_sinusoids(10, 10, 25, rng), 1e-2, 4000)
    return cnp, maml


def errors_of(cnp, maml, n_points, height=1):
    rng = onp.random.default_rng(99)
    methods = learners(cnp, maml, 0.01, descent_rate(maml, n_points, rng, height))
    tasks = stretched(sample_sinusoids(n_points, 50, 400, rng), height)
    return {name: onp.mean((learn(tasks.support_x, tasks.support_y)(tasks.query_x) - tasks.query_y) ** 2)
            for name, learn in methods.items()}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_forward_pass_beats_gradient_steps_where_both_were_trained(trained_pair):
    for n_points, bound in [(3, 0.6), (5, 0.3), (10, 0.15)]:
        errors = errors_of(*trained_pair, n_points)
        assert errors["CNP"] < bound
        assert errors["CNP"] < 0.7 * min(errors["MAML, 1 step"], errors["MAML, 10 steps"])


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_gradient_steps_beat_a_forward_pass_on_curves_unlike_those_of_training(trained_pair):
    errors = errors_of(*trained_pair, 50, height=2)
    assert errors["MAML, 10 steps"] < 0.8 * errors["CNP"]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_more_points_help(trained_pair):
    few, more = (errors_of(*trained_pair, n) for n in (2, 10))
    for name in ("CNP", "MAML, 1 step"):  # ten steps at this rate can diverge after so short a training (seed 1 does)
        assert more[name] < 0.5 * few[name]


def test_squared_error_is_lesson_4s_with_the_cnp_for_a_network():
    params, tasks = narrow_params(), curves(3)
    conditioned = condition(params, tasks.support_x, tasks.support_y)
    expected = squared_error(lesson6_model_based.CNP, conditioned, tasks.query_x, tasks.query_y)
    onp.testing.assert_array_equal(cnp_loss(conditioned, tasks.query_x, tasks.query_y), expected)
