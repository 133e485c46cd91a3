"""Relation networks: every pair by itself in slow loops, the loss, derivatives, what is refused, and PyTorch."""

import numpy as onp
import pytest
from autograd import numpy as np

from fewshot_np.lesson3_metric import prototypes, relation_logits, relation_loss, relation_scores, start_relation
from fewshot_np.nn.trees import grad, leaves
from tests.lesson3_metric.examples import NETWORK, PARAMS, QUERY, QUERY_Y, SUPPORT, D, N, Q, T, points, shuffled_episode
from tests.nn.derivatives import assert_close, assert_differentiates, rebuilt
from tests.scaffolding import vector

H = 7
LAYERS = {"dense1": {"w": points(2 * D, H, seed=11), "b": points(H, seed=12)},
          "head": {"w": points(H, 1, seed=13), "b": points(1, seed=14)}}
CLASSES = SUPPORT[:, :N]


def test_each_pair_is_judged_by_itself():
    together = relation_logits(LAYERS, CLASSES, QUERY)
    assert together.shape == (T, N * Q, N)
    for t in range(T):
        onp.testing.assert_allclose(relation_logits(LAYERS, CLASSES[t], QUERY[t]), together[t], rtol=1e-10)
        for n in range(N):
            for i, query in enumerate(QUERY[t]):
                pair = onp.concatenate([CLASSES[t, n], query])
                hidden = onp.maximum(pair @ LAYERS["dense1"]["w"] + LAYERS["dense1"]["b"], 0)
                expected = hidden @ LAYERS["head"]["w"] + LAYERS["head"]["b"]
                assert together[t, i, n] == pytest.approx(expected[0], rel=1e-10)


def test_the_loss_is_the_mean_of_squared_gaps_and_does_not_overflow():
    logits, labels = onp.array([[0.0, 800.0], [-800.0, 0.0]]), onp.array([0, 0])
    # scores 1/2 and 1, then 0 and 1/2; they should be 1, 0 and 1, 0
    assert relation_loss(logits, labels) == pytest.approx((0.25 + 1 + 1 + 0.25) / 4)
    logits = relation_logits(LAYERS, CLASSES, QUERY)
    assert relation_loss(logits, QUERY_Y).shape == (T,)
    gaps = 1 / (1 + onp.exp(-logits)) - onp.eye(N)[QUERY_Y]
    onp.testing.assert_allclose(relation_loss(logits, QUERY_Y), (gaps ** 2).mean(axis=(1, 2)), rtol=1e-12)


def test_gradients_and_their_gradients_are_slopes():
    def loss(classes, queries, *weights):
        return relation_loss(relation_logits(rebuilt(LAYERS, weights), classes, queries), QUERY_Y[:2])

    assert_differentiates(loss, CLASSES[:2], QUERY[:2], *leaves(LAYERS), order=2)


def test_a_class_is_the_mean_of_its_examples_and_both_networks_learn():
    episode = shuffled_episode()
    scores = relation_scores(NETWORK, PARAMS, episode, "support")
    images = onp.concatenate([episode.support_x, episode.query_x], axis=1)
    points_of = NETWORK.apply(PARAMS, images, n_reference=episode.support_x.shape[1])
    classes = prototypes(points_of[:, :episode.support_x.shape[1]], episode.support_y, N)
    onp.testing.assert_allclose(
        scores, relation_logits(PARAMS["relation"], classes, points_of[:, episode.support_x.shape[1]:]), rtol=1e-9)
    gradient = grad(lambda p: np.sum(relation_scores(NETWORK, p, episode, "support") ** 2))(PARAMS)
    assert vector(gradient["relation"]).any()
    assert gradient["block1"]["w"].any()


def test_the_start_leaves_the_embedding_as_it_is():
    bare = NETWORK.init(onp.random.default_rng(0))
    params = start_relation(bare, onp.random.default_rng(1), n_hidden=4)
    assert params["relation"]["dense1"]["w"].shape == (2 * 3, 4)
    assert all(params[name] is bare[name] for name in bare)


@pytest.mark.parametrize(("classes", "queries", "message"), [
    ((4, 5), (3, 6), "same T and D"), ((2, 4, 5), (4, 5), "same T and D"), ((4, 6), (3, 6), "twice as many")])
def test_shapes_that_do_not_fit_are_refused(classes, queries, message):
    with pytest.raises(ValueError, match=message):
        relation_logits(LAYERS, points(*classes), points(*queries))


@pytest.mark.parametrize(("labels", "message"), [
    (QUERY_Y[0], "need integer labels"), (QUERY_Y + 0.0, "need integer labels"), (QUERY_Y - 1, r"lie in 0\.\.\.3")])
def test_bad_labels_are_refused(labels, message):
    with pytest.raises(ValueError, match=message):
        relation_loss(relation_logits(LAYERS, CLASSES, QUERY), labels)


def test_value_and_gradients_are_pytorchs():
    torch = pytest.importorskip("torch")
    arrays = [CLASSES, QUERY, *leaves(LAYERS)]
    classes, queries, w, b, v, c = theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
    pairs = torch.cat([classes[:, None].expand(T, N * Q, N, D), queries[:, :, None].expand(T, N * Q, N, D)], dim=-1)
    scores = torch.sigmoid(torch.relu(pairs @ w + b) @ v + c)[..., 0]
    targets = torch.nn.functional.one_hot(torch.tensor(QUERY_Y), N).double()
    loss = torch.nn.functional.mse_loss(scores, targets)

    def ours(classes, queries, *weights):
        return np.sum(relation_loss(relation_logits(rebuilt(LAYERS, weights), classes, queries), QUERY_Y)) / T

    assert ours(*arrays) == pytest.approx(loss.item(), rel=1e-10)
    for index, expected in enumerate(torch.autograd.grad(loss, theirs)):
        gradient = grad(lambda a, i=index: ours(*arrays[:i], a, *arrays[i + 1:]))(arrays[index])
        assert_close(gradient, expected.numpy(), 1e-9)
