"""Pairs out of an episode, the objective and its derivatives, the loop; then recognition, which uses the same parts."""

import itertools
from functools import partial

import autograd.numpy as np
import numpy as onp
import pytest

from fewshot_np import lesson4_siamese as lesson
from fewshot_np.nn.networks import conv4
from fewshot_np.nn.trees import grad, leaves, tree_map, value_and_grad
from tests.nn.derivatives import assert_close
from tests.scaffolding import assert_slope, episode_of_noise, shaken, vector

N_WAY, N_TASKS = 3, 2
NETWORK = conv4((16, 16, 1), channels=3, down="stride")
PARAMS = shaken(NETWORK.init(onp.random.default_rng(0)), seed=2)  # 1 lies on a kink
both_losses = pytest.mark.parametrize("loss", [lesson.contrastive_loss, lesson.document_formula])
either_negatives = pytest.mark.parametrize("negatives", ["random", "hardest"])


tiny_episode = partial(episode_of_noise, (16, 16, 1), N_WAY, n_tasks=N_TASKS)


def one_number(values):
    return onp.array(values, dtype=float)[None, :, None]  # one task, one feature


# ---------------------------------------------------------------- the partners of a query


def test_partners_by_hand():
    support, query = one_number([0.0, 1.0, 10.0]), one_number([0.1, 9.0, 1.2, 0.4])
    support_y, query_y = onp.array([[0, 1, 2]]), onp.array([[0, 1, 2, 0]])
    random, hardest = (lesson.choose_partners(support, query, support_y, query_y, how) for how in ("random", "hardest"))
    onp.testing.assert_array_equal(random, [[[0, 1], [1, 2], [2, 0], [0, 1]]])   # its own, the next
    onp.testing.assert_array_equal(hardest, [[[0, 1], [1, 2], [2, 1], [0, 1]]])  # its own, the nearest other


@pytest.mark.parametrize(("k_shot", "shuffled"), [(1, False), (2, True), (3, True)])
@either_negatives
def test_a_query_is_paired_with_all_of_its_class_and_as_many_others(negatives, k_shot, shuffled):
    episode = tiny_episode(n_tasks=4, k_shot=k_shot, shuffled=shuffled)
    rng = onp.random.default_rng(1)
    support, query = (rng.normal(size=(*y.shape, 5)) for y in (episode.support_y, episode.query_y))
    partners = lesson.choose_partners(support, query, episode.support_y, episode.query_y, negatives)
    for t, m in itertools.product(range(4), range(len(episode.query_y[0]))):
        own = onp.flatnonzero(episode.support_y[t] == episode.query_y[t, m])
        others = onp.setdiff1d(onp.arange(N_WAY * k_shot), own)
        positive, negative = set(partners[t, m, :k_shot]), set(partners[t, m, k_shot:])
        assert positive == set(own)
        assert len(negative) == k_shot
        assert negative <= set(others)
        if negatives == "hardest":
            apart = onp.linalg.norm(query[t, m] - support[t, others], axis=-1)
            assert negative == set(others[onp.argsort(apart)[:k_shot]])


@pytest.mark.parametrize(("support_y", "query_y"), [
    ([[0, 0]], [[0]]), ([[0, 1, 1]], [[0, 1]]), ([[0, 1]], [[0, 2]]), ([[0, 0, 1]], [[0, 0]])])
def test_partners_that_cannot_be_balanced_are_refused(support_y, query_y):
    support_y, query_y = onp.array(support_y), onp.array(query_y)
    support, query = onp.zeros((*support_y.shape, 2)), onp.zeros((*query_y.shape, 2))
    with pytest.raises(ValueError, match="2 or more classes with equally many support images"):
        lesson.choose_partners(support, query, support_y, query_y, "random")
    with pytest.raises(ValueError, match="got 'easiest'"):
        lesson.objective(NETWORK, PARAMS, tiny_episode(), negatives="easiest")


# ---------------------------------------------------------------- the objective


@both_losses
@either_negatives
def test_objective_is_the_mean_over_tasks_of_the_loss_of_the_pairs(negatives, loss):
    episode, values = tiny_episode(), []
    for t in range(N_TASKS):
        images = onp.concatenate([episode.support_x[t], episode.query_x[t]])
        support, query = onp.split(NETWORK.apply(PARAMS, images), [episode.support_x.shape[1]])
        [partners] = lesson.choose_partners(support[None], query[None], episode.support_y[t:t + 1],
                                            episode.query_y[t:t + 1], negatives)
        pairs = [(m, s) for m in range(len(query)) for s in partners[m]]
        same = [int(episode.query_y[t, m] == episode.support_y[t, s]) for m, s in pairs]
        assert onp.mean(same) == 0.5
        first, second = (onp.array(e) for e in zip(*((query[m], support[s]) for m, s in pairs), strict=True))
        values.append(loss(first, second, same, 4.0))
    value = lesson.objective(NETWORK, PARAMS, episode, 4.0, negatives, loss)
    assert onp.shape(value) == ()
    assert value == pytest.approx(onp.mean(values), rel=1e-10)


@both_losses
@either_negatives
def test_gradient_of_the_objective_and_of_its_gradient(negatives, loss):
    f = partial(lesson.objective, NETWORK, episode=tiny_episode(), margin=4.0, negatives=negatives, loss=loss)
    direction = tree_map(lambda p: onp.random.default_rng(5).normal(size=p.shape), PARAMS)

    def slope(params):
        return sum(np.sum(a * b) for a, b in zip(leaves(grad(f)(params)), leaves(direction), strict=True))

    assert_slope(f, PARAMS, rtol=2e-5)
    assert_slope(slope, PARAMS, rtol=2e-5)


@either_negatives
def test_identical_images_leave_the_gradient_finite_and_float32(negatives):
    params = tree_map(lambda p: p.astype("float32"), PARAMS)
    f = value_and_grad(partial(lesson.objective, NETWORK, negatives=negatives))
    for episode in (tiny_episode(k_shot=1, n_query=1, dtype="float32"), tiny_episode(dtype="float32")):
        blank = episode._replace(support_x=0 * episode.support_x, query_x=0 * episode.query_x)
        value, gradient = f(params, blank)
        assert value == pytest.approx(50.0)  # half of the pairs: 10^2
        assert onp.isfinite(vector(gradient)).all()
        value, gradient = f(params, episode)
        assert {value.dtype, *(leaf.dtype for leaf in leaves(gradient))} == {onp.dtype("float32")}


# ---------------------------------------------------------------- recognition


@pytest.mark.parametrize("statistics", ["support", "support and queries"])
@pytest.mark.parametrize("shuffled", [False, True])
def test_scores_are_minus_the_distance_to_the_nearest_of_each_class(statistics, shuffled):
    episode = tiny_episode(shuffled=shuffled)
    values = lesson.scores(NETWORK, PARAMS, episode, statistics)
    assert values.shape == (N_TASKS, 2 * N_WAY, N_WAY)
    n = episode.support_x.shape[1]
    for t in range(N_TASKS):
        images = onp.concatenate([episode.support_x[t], episode.query_x[t]])
        e = NETWORK.apply(PARAMS, images, n_reference=n if statistics == "support" else None)
        for m, c in itertools.product(range(2 * N_WAY), range(N_WAY)):
            nearest = min(onp.linalg.norm(e[n + m] - e[s]) for s in range(n) if episode.support_y[t, s] == c)
            assert values[t, m, c] == pytest.approx(-nearest, rel=1e-9)


def test_scores_need_no_query_labels_recognise_a_support_image_and_stay_float32():
    episode = tiny_episode(dtype="float32")
    values = lesson.scores(NETWORK, tree_map(lambda p: p.astype("float32"), PARAMS),
                    episode._replace(query_x=episode.support_x, query_y=None), "support")
    assert values.dtype == "float32"
    onp.testing.assert_allclose(values[onp.eye(N_WAY, dtype=bool)[episode.support_y]], 0, atol=1e-5)  # distance 0
    assert (values <= 0).all()


def test_an_embedding_by_reference_does_not_depend_on_its_neighbours():
    reference, images = onp.random.default_rng(0).uniform(size=(2, 5, 16, 16, 1))
    together = lesson.embed_by_reference(NETWORK, PARAMS, reference, images)
    assert together.shape == (5, 3)
    for m in range(5):
        assert_close(lesson.embed_by_reference(NETWORK, PARAMS, reference, images[m:m + 1])[0], together[m])
    assert_close(lesson.embed_by_reference(NETWORK, PARAMS, reference, reference), NETWORK.apply(PARAMS, reference))
    assert onp.abs(lesson.embed_by_reference(NETWORK, PARAMS, reference[::2], images) - together).max() > 1e-3
