"""The extended methods: against slow loops, against the plain methods, and their derivatives."""

from functools import partial

import numpy as np

from fewshot_np.lesson3_initialisation import classification_loss, query_logits
from fewshot_np.lesson3_metric import embed, prototypical_objective, prototypical_scores
from fewshot_np.lesson4_maml import adapt, maml_objective
from fewshot_np.nn.networks import Network, conv4
from fewshot_np.nn.trees import grad, leaves, repeat, tree_map, value_and_grad
from fewshot_np.results.variants import (
    cross_entropy_objective,
    cross_entropy_scores,
    ensemble_objective,
    ensemble_scores,
    refined_scores,
    start_of_networks,
    start_of_steps,
    start_with_comparison,
    steps_objective,
    steps_scores,
)
from tests.scaffolding import assert_slope, episode_of_noise, shaken, vector

episode_of_images = partial(episode_of_noise, (8, 8, 1), k_shot=1, n_tasks=2, dtype="float32")
EPISODE, STATISTICS = episode_of_images(), ("support", "support and queries")
EMBEDDING = conv4((8, 8, 1), None, 4, down="stride")
CLASSIFIER = conv4((8, 8, 1), 3, 4, down="stride", features="mean")
IDENTITY = Network(None, lambda params, x, n_reference=None: x)  # the points are their own embeddings


def test_refined_scores_are_those_of_the_prototypes_without_the_queries_and_never_see_their_labels(rng):
    params, turned = EMBEDDING.init(rng), EPISODE._replace(query_y=EPISODE.query_y[:, ::-1])
    plain = {statistics: prototypical_scores(EMBEDDING, params, EPISODE, statistics) for statistics in STATISTICS}
    refined, again = ({statistics: refined_scores(EMBEDDING, params, episode, statistics, 5)
                       for statistics in STATISTICS} for episode in (EPISODE, turned))
    np.testing.assert_array_equal(refined["support"], plain["support"])
    assert not np.allclose(refined["support and queries"], plain["support and queries"])
    np.testing.assert_equal(again, refined)


def test_an_ensemble_takes_the_mean_of_its_networks_distances_and_trains_each_as_if_alone(rng):
    params = start_of_networks(EMBEDDING, 3, rng, n_networks=2)
    for statistics in STATISTICS:
        alone = [prototypical_scores(EMBEDDING, each, EPISODE, statistics) for each in params.values()]
        scores = ensemble_scores(EMBEDDING, params, EPISODE, statistics, rounds=0, copies=0)
        np.testing.assert_allclose(scores, np.mean(alone, axis=0), rtol=1e-4, atol=1e-5)
        assert scores.dtype == np.float32
    gradient = grad(partial(ensemble_objective, EMBEDDING))(params, EPISODE)
    for name, each in params.items():
        expected = vector(grad(partial(prototypical_objective, EMBEDDING))(each, EPISODE)) / 2
        np.testing.assert_allclose(vector(gradient[name]), expected, rtol=1e-5)


def test_copies_are_distorted_and_averaged_and_the_same_each_time(rng):
    params = {"only": {}}
    images = Network(None, lambda params, x, n_reference=None: x.reshape(*x.shape[:2], -1))
    none, some, again = (ensemble_scores(images, params, EPISODE, "support", rounds=0, copies=copies)
                         for copies in (0, 40, 40))
    np.testing.assert_array_equal(some, again)
    assert np.abs(some).mean() < np.abs(none).mean() / 2  # of noise not much is left: the means are smooth


def test_the_cross_entropy_siamese_network_compares_as_lesson_5_does_and_learns(rng):
    network, episode = conv4((28, 28, 1), None, 2, down="stride", features="flatten"), episode_of_noise(
        (28, 28, 1), k_shot=1, n_tasks=1, dtype="float32")
    params = start_with_comparison(network, 5, rng)
    support, query = embed(network, params["network"], episode, "support")
    expected = -0.01 * np.abs(query[:, :, None] - support[:, None]).sum(axis=-1)
    order = np.argsort(episode.support_y[0])
    np.testing.assert_allclose(cross_entropy_scores(network, params, episode, "support"), expected[:, :, order],
                               rtol=1e-4, atol=1e-5)
    loss, gradient = value_and_grad(partial(cross_entropy_objective, network))(params, episode)
    moved = tree_map(lambda p, g: p - 1e-3 * g, params, gradient)
    assert cross_entropy_objective(network, moved, episode) < loss
    assert all(leaf.any() and leaf.dtype == "float32" for leaf in leaves(gradient["head"]))


def test_one_step_at_one_rate_is_maml(rng):
    params = start_of_steps(CLASSIFIER, 3, rng, steps=1, inner_lr=0.7)
    plain = partial(maml_objective, partial(classification_loss, CLASSIFIER), inner_lr=0.7, steps=1)
    np.testing.assert_allclose(steps_objective(CLASSIFIER, params, EPISODE), plain(params["start"], EPISODE), rtol=1e-5)
    ours = grad(partial(steps_objective, CLASSIFIER))(params, EPISODE)["start"]
    theirs = grad(plain)(params["start"], EPISODE)
    np.testing.assert_allclose(vector(ours), vector(theirs), rtol=1e-3, atol=1e-6)


def test_the_queries_are_asked_after_every_step(rng):
    params = start_of_steps(CLASSIFIER, 3, rng, steps=3, inner_lr=0.5)
    loss = partial(classification_loss, CLASSIFIER)
    after = [np.mean(loss(adapt(loss, repeat(params["start"], 2), EPISODE.support_x, EPISODE.support_y, 0.5, steps),
                          EPISODE.query_x, EPISODE.query_y)) for steps in (1, 2, 3)]
    np.testing.assert_allclose(steps_objective(CLASSIFIER, params, EPISODE), np.mean(after), rtol=1e-4)
    last = adapt(loss, repeat(params["start"], 2), EPISODE.support_x, EPISODE.support_y, 0.5, 3)
    np.testing.assert_allclose(steps_scores(CLASSIFIER, params, EPISODE, "queries"),
                               query_logits(CLASSIFIER, last, EPISODE, "queries"), rtol=1e-3, atol=1e-5)


def test_gradients_of_start_and_rates_by_finite_differences(rng):
    """The rates are of each step and array, and the gradient goes through the steps."""
    network = conv4((8, 8, 1), 3, 2, down="stride", features="mean")
    params = shaken(start_of_steps(network, 3, rng, steps=2, inner_lr=0.4))
    params["rates"]["step2"]["block1"]["w"] = np.array(0.1)
    assert_slope(partial(steps_objective, network, episode=episode_of_images(dtype="float64")), params)


def test_float32_stays_float32(rng):
    params = start_of_steps(CLASSIFIER, 3, rng, steps=2, inner_lr=0.4)
    gradient = grad(partial(steps_objective, CLASSIFIER))(params, EPISODE)
    assert {np.asarray(leaf).dtype for leaf in [*leaves(params), *leaves(gradient)]} == {np.dtype("float32")}
    assert refined_scores(IDENTITY, {}, EPISODE._replace(support_x=EPISODE.support_x.reshape(2, 3, 64),
                                                         query_x=EPISODE.query_x.reshape(2, 6, 64)),
                          "support and queries", 5).dtype == np.float32
