"""Meta-SGD: derivatives with respect to start and rates, training, what is refused."""

from functools import partial

import numpy as onp
import pytest

from fewshot_np import lesson6_optimizer as lesson
from fewshot_np.lesson3_initialisation import classification_loss, query_logits
from fewshot_np.lesson4_maml import adapt
from fewshot_np.nn.networks import conv4, mlp
from fewshot_np.nn.trees import grad, leaves, repeat, tree_map
from tests.nn.derivatives import assert_differentiates, rebuilt
from tests.scaffolding import assert_trained_as_in_a_run, episode_of_noise, shaken

N_WAY, N_TASKS = 3, 3
CONV4 = conv4(input_shape=(8, 8, 1), outputs=N_WAY, channels=3, down="stride", features="mean")


def classification(network, shape, dtype=float):
    """(loss, {"start", "rates"}, an episode of noise with class-dependent means)."""
    rng = onp.random.default_rng(0)
    start = shaken(network.init(rng))
    params = {"start": start, "rates": tree_map(lambda p: rng.uniform(-0.3, 0.8, p.shape), start)}
    return (partial(classification_loss, network), tree_map(lambda p: p.astype(dtype), params),
            episode_of_noise(shape, n_tasks=N_TASKS, dtype=dtype))


PROBLEMS = {"mlp": partial(classification, mlp([4, 5, N_WAY]), (4,)),
            "conv4": partial(classification, CONV4, (8, 8, 1))}
every_problem = pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)


@every_problem
def test_derivatives_with_respect_to_start_and_rates(problem):
    loss, params, episode = problem()
    objective = partial(lesson.meta_sgd_objective, loss)
    assert_differentiates(lambda *arrays: objective(rebuilt(params, arrays), episode), *leaves(params), step=1e-6)
    assert all(leaf.any() for leaf in leaves(grad(objective)(params, episode)))


def test_the_five_lines_of_training_are_what_the_run_does(tmp_path):
    loss, params, episode = PROBLEMS["mlp"]("float32")
    page = lesson.meta_sgd_train(loss, params["start"], params["rates"], lambda: episode, 1e-2, 5)
    objective = partial(lesson.meta_sgd_objective, loss)
    assert_trained_as_in_a_run(page, objective, params, lambda: episode, 1e-2, 5, tmp_path)


@pytest.mark.parametrize("statistics", ["support", "queries"])
def test_scores_are_a_step_then_logits_without_the_query_labels(statistics):
    loss, params, episode = PROBLEMS["conv4"]()
    moved = adapt(loss, repeat(params["start"], N_TASKS), episode.support_x, episode.support_y, params["rates"], 1)
    scores = lesson.meta_sgd_scores(CONV4, params, episode._replace(query_y=None), statistics)
    assert scores.shape == (N_TASKS, 2 * N_WAY, N_WAY)
    onp.testing.assert_allclose(scores, query_logits(CONV4, moved, episode, statistics), rtol=1e-12)


def test_initial_rates_are_uniform_one_for_each_number():
    start = {"a": {"w": onp.zeros((200, 100), "float32")}, "b": onp.zeros(3, "float32")}
    rates = lesson.initial_rates(start, onp.random.default_rng(0))
    assert tree_map(onp.shape, rates) == tree_map(onp.shape, start)
    assert rates["a"]["w"].dtype == rates["b"].dtype == "float32"
    w = rates["a"]["w"]
    assert 0.00499 < w.min() < 0.0051
    assert 0.0999 < w.max() <= 0.1001
    assert w.mean() == pytest.approx(0.0525, abs=0.001)
    equal = lesson.initial_rates(start, onp.random.default_rng(0), 0.4, 0.4)
    onp.testing.assert_array_equal(equal["b"], onp.full(3, 0.4, "float32"))
