"""The CNP (its values: exercises model_based.1 to .3): its invariance, its derivatives, what is refused."""

from functools import partial

import numpy as onp
import pytest

from fewshot_np import lesson6_model_based as lesson
from fewshot_np.lesson4_maml import sample_sinusoids
from fewshot_np.nn.networks import mlp
from fewshot_np.nn.trees import grad, leaves, value_and_grad
from tests.nn.derivatives import assert_differentiates, rebuilt
from tests.scaffolding import assert_trained_as_in_a_run, shaken


def narrow_params(seed=0, n_features=5, width=7):
    """float64 parameters of another width than the lesson's, away from special values."""
    rng = onp.random.default_rng(seed)
    networks = {"encoder": mlp([2, width, 6, 4, n_features]), "decoder": mlp([n_features + 1, width, 6, 4, 1])}
    return shaken({name: network.init(rng) for name, network in networks.items()}, seed)


def curves(k_shot, n_query=4, n_tasks=3, seed=1, dtype=float):
    tasks = sample_sinusoids(k_shot, n_query, n_tasks, onp.random.default_rng(seed))
    return tasks._replace(**{name: getattr(tasks, name).astype(dtype)
                             for name in ("support_x", "support_y", "query_x", "query_y")})


# ---------------------------------------------------------------- values


def test_tasks_at_once_are_encoded_and_decoded_as_one_by_one():
    params, tasks = narrow_params(), curves(3)
    r = lesson.encode(params, tasks.support_x, tasks.support_y)
    answers = lesson.decode(params, r, tasks.query_x)
    assert answers.shape == (3, 4, 1)
    for t in range(3):
        x, y = tasks.support_x[t], tasks.support_y[t]
        onp.testing.assert_allclose(lesson.encode(params, x, y), r[t], rtol=1e-12)
        onp.testing.assert_allclose(lesson.decode(params, r[t], tasks.query_x[t]), answers[t], rtol=1e-12)


def test_the_objective_is_the_mean_squared_error_of_the_decoded_answers():
    params, tasks = narrow_params(), curves(3)
    conditioned = lesson.condition(params, tasks.support_x, tasks.support_y)
    assert set(conditioned) == {"decoder", "r"}  # the encoder has done its work
    answers = lesson.answer(conditioned, tasks.query_x)
    onp.testing.assert_array_equal(answers, lesson.decode(params, conditioned["r"], tasks.query_x))
    assert lesson.objective(params, tasks) == pytest.approx(onp.mean((answers - tasks.query_y) ** 2), rel=1e-12)


def test_the_order_of_the_points_does_not_matter_but_which_x_has_which_y_does():
    moved, spread = lesson.check_order(lesson.init(onp.random.default_rng(0)), onp.random.default_rng(1))
    assert moved < 1e-4 * spread
    params, tasks = narrow_params(), curves(6)
    r = lesson.encode(params, tasks.support_x, tasks.support_y)
    assert onp.abs(lesson.encode(params, tasks.support_x, tasks.support_y[:, ::-1]) - r).max() > 1e-3


# ---------------------------------------------------------------- derivatives, types, training


@pytest.mark.parametrize("k_shot", [1, 4])
def test_derivatives_of_the_objective(k_shot):
    params, tasks = narrow_params(), curves(k_shot)
    assert all(leaf.any() for leaf in leaves(grad(lesson.objective)(params, tasks)))
    assert_differentiates(lambda *arrays: lesson.objective(rebuilt(params, arrays), tasks), *leaves(params), step=1e-6)


def test_derivatives_with_respect_to_the_points_of_a_support():
    params, tasks = narrow_params(), curves(4)
    assert_differentiates(partial(lesson.encode, params), tasks.support_x, tasks.support_y, order=1, step=1e-6)


def test_training_stays_float32_and_its_five_lines_are_what_the_run_does(tmp_path):
    params, tasks = lesson.init(onp.random.default_rng(0)), curves(3, dtype="float32")
    value, gradient = value_and_grad(lesson.objective)(params, tasks)
    r = lesson.encode(params, tasks.support_x, tasks.support_y)
    more = lesson.add_point(params, r, 3, tasks.query_x[:, :1], tasks.query_y[:, :1])
    assert all(a.dtype == "float32" for a in [value, more, *leaves(gradient)])
    page = lesson.train_cnp(params, lambda: tasks, 1e-2, 5)
    assert_trained_as_in_a_run(page, lesson.objective, params, lambda: tasks, 1e-2, 5, tmp_path)


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(("f", "first", "second", "message"), [
    (lesson.encode, (3, 1), (4, 1), r"x and y must both be .* got \(3, 1\) and \(4, 1\)"),
    (lesson.encode, (2, 3, 1), (3, 1), r"got \(2, 3, 1\) and \(3, 1\)"),
    (lesson.encode, (3,), (3,), r"got \(3,\)"),
    (lesson.encode, (2, 0, 1), (2, 0, 1), "no examples is undefined: at least 1"),
    *((lesson.decode, r, x, "does not fit x") for r, x in [((5,), (2, 4, 1)), ((2, 5), (4, 1)), ((2, 5), (3, 4, 1))])])
def test_what_is_no_set_of_pairs_and_an_encoding_of_other_tasks_are_refused(f, first, second, message):
    with pytest.raises(ValueError, match=message):
        f(narrow_params(), onp.zeros(first), onp.zeros(second))
