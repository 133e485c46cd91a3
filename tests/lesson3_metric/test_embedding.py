"""Every method on episodes: which images batch norm takes its statistics from, tasks at once and one by one,
gradients and their gradients, training; and the projection of an embedding."""

from functools import partial

import numpy as np
import pytest

from fewshot_np import lesson3_metric as lesson
from fewshot_np.nn.primitives import cross_entropy
from fewshot_np.nn.trees import grad, tree_map, value_and_grad
from tests.lesson3_metric.examples import BARE, METHODS, NETWORK, PARAMS, D, K, N, Q, T, points, shuffled_episode
from tests.nn.derivatives import assert_close
from tests.scaffolding import assert_slope, task_of

STATISTICS = ("support", "support and queries")
every_method = pytest.mark.parametrize("name", METHODS)
both_statistics = pytest.mark.parametrize("statistics", STATISTICS)


def objective(name):
    return partial(METHODS[name][0], NETWORK)


def scores(name, episode, statistics, params=PARAMS):
    return METHODS[name][1](NETWORK, params, episode, statistics)


# ---------------------------------------------------------------- statistics


@both_statistics
def test_one_pass_embeds_support_and_query_with_the_statistics_that_it_promises(statistics):
    episode = shuffled_episode()
    support, query = lesson.embed(NETWORK, PARAMS, episode, statistics)
    images = np.concatenate([episode.support_x, episode.query_x], axis=1)
    whole = NETWORK.apply(PARAMS, images, n_reference=N * K if statistics == "support" else N * (K + Q))
    np.testing.assert_allclose(np.concatenate([support, query], axis=1), whole, rtol=0, atol=1e-12)
    if statistics == "support":
        np.testing.assert_allclose(support, NETWORK.apply(PARAMS, episode.support_x), rtol=0, atol=1e-12)


@pytest.mark.parametrize("statistics", ["queries", "training images", True, None])
def test_other_statistics_are_refused_by_name(statistics):
    with pytest.raises(ValueError, match=f'"support" or "support and queries", got {statistics!r}'):
        lesson.embed(NETWORK, PARAMS, shuffled_episode(), statistics)


# ---------------------------------------------------------------- objective and scores


@both_statistics
@every_method
def test_scores_are_those_of_tasks_one_by_one_ignore_the_order_of_the_support_and_the_query_labels(name, statistics):
    episode, order = shuffled_episode(), np.random.default_rng(9).permutation(N * K)
    together = scores(name, episode, statistics)
    assert together.shape == (T, N * Q, N)
    for t in range(T):
        np.testing.assert_allclose(together[t:t + 1], scores(name, task_of(episode, t), statistics), rtol=0, atol=1e-10)
    moved = episode._replace(support_x=episode.support_x[:, order], support_y=episode.support_y[:, order])
    np.testing.assert_allclose(scores(name, moved, statistics), together, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(scores(name, episode._replace(query_y=None), statistics), together)


@every_method
def test_the_objective_is_the_mean_over_tasks_one_by_one_and_a_loss_of_the_scores(name):
    episode = shuffled_episode()
    value, gradient = value_and_grad(objective(name))(PARAMS, episode)
    assert np.shape(value) == ()
    alone = [value_and_grad(objective(name))(PARAMS, task_of(episode, t)) for t in range(T)]
    assert value == pytest.approx(sum(v for v, _ in alone) / T, rel=1e-10)
    tree_map(lambda g, *others: assert_close(g, sum(others) / T), gradient, *(g for _, g in alone))
    loss = lesson.relation_loss if name == "relation" else cross_entropy
    answers = scores(name, episode, "support and queries")
    assert value == pytest.approx(loss(answers, episode.query_y).mean(), rel=1e-10)


@every_method
def test_the_objective_differentiates_and_does_so_twice(name):
    """Twice: an inner step on the objective, and the objective after it, which is what lesson 4 would do with it."""
    episode = shuffled_episode(n_tasks=2)

    def after_a_step(p):
        return objective(name)(tree_map(lambda p, g: p - 0.05 * g, p, grad(objective(name))(p, episode)), episode)

    assert_slope(lambda p: objective(name)(p, episode), PARAMS, eps=1e-6, rtol=1e-6)
    assert_slope(after_a_step, PARAMS, eps=1e-7, rtol=1e-5)


@every_method
def test_training_on_one_episode_teaches_it(name):
    episode, params = shuffled_episode(dtype="float32", n_tasks=1), BARE
    trained = lesson.train_on_episodes(objective(name), params, lambda: episode, 0.02, 40)
    assert objective(name)(trained, episode) < objective(name)(params, episode) - 0.05


# ---------------------------------------------------------------- the projection


def test_principal_components_are_ordered_centred_uncorrelated_and_keep_the_distances_in_a_plane():
    plane = points(9, 2) @ points(2, D, seed=1) + 4
    components = lesson.principal_components(plane)
    np.testing.assert_allclose(lesson.squared_distances(components, components), lesson.squared_distances(plane, plane),
                               atol=1e-10)
    components = lesson.principal_components(points(30, D) * np.arange(1, D + 1), 3)
    np.testing.assert_allclose(components.mean(axis=0), 0, atol=1e-12)
    covariance = components.T @ components
    np.testing.assert_allclose(covariance, np.diag(np.diag(covariance)), atol=1e-9)
    assert (np.diff(np.diag(covariance)) < 0).all()
