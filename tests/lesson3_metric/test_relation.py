"""Relation networks: the loss, classes as means, what is refused. Every pair by itself in slow loops, and the
derivatives: exercise metric.6."""

import numpy as onp
import pytest

from fewshot_np.lesson3_metric import prototypes, relation_logits, relation_loss, relation_scores, start_relation
from tests.lesson3_metric import examples
from tests.lesson3_metric.examples import NETWORK, PARAMS, QUERY, QUERY_Y, SUPPORT, D, K, N, Q, T, points

LAYERS = {"dense1": {"w": points(2 * D, 7, seed=11), "b": points(7, seed=12)},
          "head": {"w": points(7, 1, seed=13), "b": points(1, seed=14)}}
LOGITS = relation_logits(LAYERS, SUPPORT[:, :N], QUERY)


def test_the_loss_is_the_mean_of_squared_gaps_and_does_not_overflow():
    logits, labels = onp.array([[0.0, 800.0], [-800.0, 0.0]]), onp.array([0, 0])
    # scores 1/2 and 1, then 0 and 1/2; they should be 1, 0 and 1, 0
    assert relation_loss(logits, labels) == pytest.approx((0.25 + 1 + 1 + 0.25) / 4)
    assert LOGITS.shape == (T, N * Q, N)
    gaps = 1 / (1 + onp.exp(-LOGITS)) - onp.eye(N)[QUERY_Y]
    onp.testing.assert_allclose(relation_loss(LOGITS, QUERY_Y), (gaps ** 2).mean(axis=(1, 2)), rtol=1e-12)


def test_a_class_is_the_mean_of_its_examples():
    episode = examples.shuffled_episode()
    images = onp.concatenate([episode.support_x, episode.query_x], axis=1)
    support, query = onp.split(NETWORK.apply(PARAMS, images, n_reference=N * K), [N * K], axis=1)
    onp.testing.assert_allclose(
        relation_scores(NETWORK, PARAMS, episode, "support"),
        relation_logits(PARAMS["relation"], prototypes(support, episode.support_y, N), query), rtol=1e-9)


def test_the_start_leaves_the_embedding_as_it_is():
    bare = NETWORK.init(onp.random.default_rng(0))
    params = start_relation(bare, onp.random.default_rng(1), n_hidden=4)
    assert params["relation"]["dense1"]["w"].shape == (2 * 3, 4)
    assert all(params[name] is bare[name] for name in bare)


@pytest.mark.parametrize(("call", "message"), [
    *((lambda a=a, b=b: relation_logits(LAYERS, points(*a), points(*b)), message) for a, b, message in [
        ((4, 5), (3, 6), "same T and D"), ((2, 4, 5), (4, 5), "same T and D"), ((4, 6), (3, 6), "twice as many")]),
    *((lambda labels=labels: relation_loss(LOGITS, labels), message) for labels, message in [
        (QUERY_Y[0], "need integer labels"), (QUERY_Y + 0.0, "need integer labels"),
        (QUERY_Y - 1, r"lie in 0\.\.\.3")])])
def test_shapes_and_labels_that_do_not_fit_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
