"""The transformer: who depends on whom, its derivatives, its training, what is refused."""

from functools import partial

import numpy as onp
import pytest

from fewshot_np import lesson6_model_based as lesson
from fewshot_np.lesson4_maml import sample_sinusoids
from fewshot_np.nn.trees import leaves, value_and_grad
from tests.nn.derivatives import assert_close, assert_differentiates, rebuilt
from tests.scaffolding import assert_trained_as_in_a_run, shaken

NETWORK = lesson.transformer(n_features=3, n_targets=2, width=8, layers=2, n_heads=2)


def params_of(network=NETWORK):
    return shaken(network.init(onp.random.default_rng(0)))


def task(n_context=4, n_query=5, n_tasks=2):
    rng = onp.random.default_rng(1)
    labels = rng.integers(0, 2, (n_tasks, n_context))
    return (rng.normal(size=(n_tasks, n_context, 3)), onp.eye(2)[labels], rng.normal(size=(n_tasks, n_query, 3)))


# ---------------------------------------------------------------- who depends on whom


def test_the_order_of_the_context_does_not_matter_but_which_example_has_which_label_does():
    (x, y, q), params = task(6), params_of()
    answers, order = NETWORK.apply(params, x, y, q), onp.random.default_rng(2).permutation(6)
    assert_close(NETWORK.apply(params, x[:, order], y[:, order], q), answers, 1e-11)
    assert onp.abs(NETWORK.apply(params, x, y[:, order], q) - answers).max() > 1e-3


def test_a_query_sees_the_context_alone_neither_other_queries_nor_other_tasks():
    (x, y, q), params = task(), params_of()
    answers = NETWORK.apply(params, x, y, q)
    for i in range(5):
        assert_close(NETWORK.apply(params, x, y, q[:, i:i + 1]), answers[:, i:i + 1], 1e-11)
    for t in range(2):
        assert_close(NETWORK.apply(params, x[t:t + 1], y[t:t + 1], q[t:t + 1]), answers[t:t + 1], 1e-11)
    for array, at in [(x, (0, 2, 1)), (y, (0, 2, 0))]:  # every query sees every example, its features and its label
        changed = array.copy()
        changed[at] += 1
        moved = NETWORK.apply(params, *(changed if a is array else a for a in (x, y, q))) - answers
        assert (onp.abs(moved[0]).max(axis=-1) > 1e-6).all()
        assert not moved[1].any()


# ---------------------------------------------------------------- derivatives, types, training


def test_derivatives_with_respect_to_all_weights_and_inputs():
    (x, y, q), params = task(3, 2), params_of()
    arrays = leaves(params)
    assert_differentiates(lambda x, y, q, *arrays: NETWORK.apply(rebuilt(params, arrays), x, y, q), x, y, q, *arrays,
                          step=1e-6, rtol=1e-5)


def test_objectives_are_the_losses_of_the_answers():
    params = params_of()
    tables = lesson.sample_tables(2, 3, 4, onp.random.default_rng(0), n_features=3)
    scores = lesson.class_scores(NETWORK, params, tables)
    log_p = scores - onp.log(onp.exp(scores).sum(axis=-1, keepdims=True))
    expected = -onp.take_along_axis(log_p, tables.query_y[..., None], axis=-1).mean()
    assert lesson.classification_objective(NETWORK, params, tables) == pytest.approx(expected, rel=1e-6)
    network = lesson.transformer(1, 1, width=8, layers=1, n_heads=2)
    params, curves = params_of(network), sample_sinusoids(3, 4, 2, onp.random.default_rng(0))
    answers = network.apply(params, curves.support_x, curves.support_y, curves.query_x)
    assert lesson.regression_objective(network, params, curves) == pytest.approx(
        onp.mean((answers - curves.query_y) ** 2), rel=1e-6)


def test_training_stays_float32_and_its_five_lines_are_what_the_run_does(tmp_path):
    params = NETWORK.init(onp.random.default_rng(0))
    tables = lesson.sample_tables(2, 3, 4, onp.random.default_rng(0), n_features=3)
    objective = partial(lesson.classification_objective, NETWORK)
    value, gradient = value_and_grad(objective)(params, tables)
    assert all(a.dtype == "float32" for a in [value, *leaves(gradient)])
    assert all(leaf.any() for leaf in leaves(gradient))
    page = lesson.train_in_context(objective, params, lambda: tables, 1e-2, 8)
    assert_trained_as_in_a_run(page, objective, params, lambda: tables, 1e-2, 8, tmp_path)
    assert objective(page, tables) < value


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(("shapes", "message"), [
    (((4, 3), (4, 2), (5, 3)), r"got \(4, 3\), \(4, 2\) and \(5, 3\)"),
    (((2, 4, 3), (2, 3, 2), (2, 5, 3)), "need a support"),
    (((2, 4, 3), (2, 4, 2), (1, 5, 3)), "need a support"),
    (((2, 0, 3), (2, 0, 2), (2, 5, 3)), "at least one example"),
    (((2, 4, 2), (2, 4, 2), (2, 5, 3)), "reads 3 numbers of each support_x, got 2"),
    (((2, 4, 3), (2, 4, 1), (2, 5, 3)), "reads 2 numbers of each support_y, got 1"),
    (((2, 4, 3), (2, 4, 2), (2, 5, 4)), "reads 3 numbers of each query_x, got 4")])
def test_apply_refuses_what_is_no_task(shapes, message):
    with pytest.raises(ValueError, match=message):
        NETWORK.apply(params_of(), *map(onp.zeros, shapes))


@pytest.mark.parametrize("settings", [{"n_features": 0}, {"n_targets": 1.5}, {"width": 10}, {"layers": True}])
def test_impossible_sizes_are_refused(settings):
    with pytest.raises(ValueError, match=r"positive integer|do not divide"):
        lesson.transformer(**{"n_features": 3, "n_targets": 2, **settings})
