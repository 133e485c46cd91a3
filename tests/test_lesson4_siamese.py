"""Lesson 4: the contrastive loss by hand and by differences, pairs, partners, curves, thresholds, and the run."""

import inspect
import itertools
from functools import partial

import autograd
import autograd.numpy as np
import numpy as onp
import pytest
from PIL import Image

from fewshot_np import lesson4_siamese
from fewshot_np.data import ImageClasses
from fewshot_np.data.classes import to_float
from fewshot_np.data.splits import load_splits
from fewshot_np.experiment.options import parse_options
from fewshot_np.experiment.records import load_params, read_record
from fewshot_np.lesson2_episodes import Episode, accuracies, sample_episodes
from fewshot_np.lesson2_episodes import scores as pixel_scores
from fewshot_np.lesson4_siamese import (
    balanced_pairs,
    choose_partners,
    choose_threshold,
    contrastive_loss,
    document_formula,
    embed_by_reference,
    equal_error_rate,
    main,
    objective,
    pair_distances,
    roc_curve,
    scores,
    slopes_at_distance_zero,
    verification,
)
from fewshot_np.nn.networks import conv4
from fewshot_np.nn.optimizers import adam, cosine_decay
from fewshot_np.nn.trees import grad, leaves, tree_map, value_and_grad
from tests.nn.derivatives import assert_close, assert_differentiates

both_losses = pytest.mark.parametrize("loss", [contrastive_loss, document_formula])


def random_pairs(n_tasks=None, n_pairs=7, n_features=5, seed=0):
    """Embeddings whose distances lie on both sides of a margin of 3, and labels of both kinds."""
    rng = onp.random.default_rng(seed)
    shape = (n_pairs,) if n_tasks is None else (n_tasks, n_pairs)
    e1, e2 = rng.normal(size=(2, *shape, n_features))
    same = rng.integers(0, 2, shape)
    same[..., :2] = 0, 1
    return e1, e2, same


def loss_loops(e1, e2, same, margin):
    """The definition, pair by pair."""
    values = []
    for a, b, s in zip(e1, e2, same, strict=True):
        d = sum((x - y) ** 2 for x, y in zip(a, b, strict=True)) ** 0.5
        values.append(d ** 2 if s == 1 else max(0, margin - d) ** 2)
    return sum(values) / len(values)


def vector(tree):
    return onp.concatenate([onp.ravel(leaf) for leaf in leaves(tree)])


# ---------------------------------------------------------------- the contrastive loss: values


def test_arguments_have_their_fixed_names():
    assert str(inspect.signature(contrastive_loss)) == "(e1, e2, same, margin=1.0)"
    assert list(inspect.signature(scores).parameters)[1:] == ["params", "episode", "transductive"]
    assert list(inspect.signature(objective).parameters)[1:3] == ["params", "episode"]


@pytest.mark.parametrize(("same", "margin", "expected"), [
    (1, 1.0, 25.0), (1, 7.0, 25.0),                 # D = 5
    (0, 7.0, 4.0), (0, 5.0, 0.0), (0, 1.0, 0.0),    # (7 - 5)^2, and nothing beyond the margin
])
def test_contrastive_loss_of_one_pair_by_hand(same, margin, expected):
    e1, e2 = onp.array([[1.0, 2.0]]), onp.array([[4.0, 6.0]])
    assert contrastive_loss(e1, e2, [same], margin) == pytest.approx(expected, abs=1e-12)
    assert document_formula(e1, e2, [1 - same], margin) == pytest.approx(expected, abs=1e-12)


def test_contrastive_loss_is_the_mean_over_pairs_without_a_half():
    e1, e2 = onp.zeros((3, 2)), onp.array([[3.0, 4.0], [0.6, 0.8], [0.0, 0.0]])
    assert contrastive_loss(e1, e2, [1, 0, 0], 3.0) == pytest.approx((25 + 4 + 9) / 3)


@pytest.mark.parametrize("margin", [0.5, 3.0, 10.0])
def test_contrastive_loss_is_that_of_the_loops(margin):
    e1, e2, same = random_pairs(4)
    found = contrastive_loss(e1, e2, same, margin)
    assert found.shape == (4,)
    onp.testing.assert_allclose(found, [loss_loops(*task, margin) for task in zip(e1, e2, same, strict=True)])


@both_losses
def test_tasks_at_once_are_those_one_by_one(loss):
    e1, e2, same = random_pairs(4)
    alone = [loss(*task, 3.0) for task in zip(e1, e2, same, strict=True)]
    assert alone[0].shape == ()
    onp.testing.assert_allclose(loss(e1, e2, same, 3.0), alone, rtol=1e-12)


def test_the_documents_formula_is_the_right_one_with_the_labels_turned_round():
    e1, e2, same = random_pairs(3)
    onp.testing.assert_allclose(document_formula(e1, e2, same, 3.0), contrastive_loss(e1, e2, 1 - same, 3.0))


def test_one_close_same_pair_and_one_far_different_pair_cost_nothing_but_in_the_document():
    e1, e2 = onp.zeros((2, 2)), onp.array([[0.0, 0.0], [3.0, 4.0]])
    assert contrastive_loss(e1, e2, [1, 0]) == 0
    assert document_formula(e1, e2, [1, 0]) == (1 + 25) / 2


def test_the_best_that_equal_distances_can_do_for_the_documents_formula_is_half_the_margin():
    margin, same = 10.0, onp.array([1, 0])
    lengths = onp.linspace(0, 15, 301)
    values = [document_formula(onp.zeros((2, 1)), onp.full((2, 1), d), same, margin) for d in lengths]
    assert lengths[onp.argmin(values)] == pytest.approx(margin / 2)
    assert min(values) == pytest.approx((margin / 2) ** 2)


@both_losses
def test_labels_may_be_of_any_integer_type_and_lists_and_truth_values(loss):
    e1, e2, same = random_pairs()
    expected = loss(e1, e2, same)
    for labels in (same.astype("uint8"), same.astype(bool), same.tolist()):
        assert loss(e1, e2, labels) == expected


# ---------------------------------------------------------------- its derivatives


@pytest.mark.parametrize("n_tasks", [None, 3])
@both_losses
def test_first_and_second_derivatives_match_finite_differences(loss, n_tasks):
    e1, e2, same = random_pairs(n_tasks)
    assert_differentiates(lambda a, b: loss(a, b, same, 3.0), e1, e2)


def test_gradient_by_hand():
    e1, e2, same = random_pairs()
    difference = e1 - e2
    d = onp.linalg.norm(difference, axis=-1, keepdims=True)
    pull, push = 2 * difference, -2 * onp.maximum(0, 3.0 - d) * difference / d
    expected = onp.where(same[:, None] == 1, pull, push) / len(same)
    assert_close(grad(lambda e: contrastive_loss(e, e2, same, 3.0))(e1), expected)
    assert_close(grad(lambda e: contrastive_loss(e1, e, same, 3.0))(e2), -expected)


def test_a_different_pair_beyond_the_margin_is_left_alone():
    e1, e2 = onp.array([[0.0, 0.0]]), onp.array([[3.0, 4.0]])
    for margin in (5.0, 4.0):
        onp.testing.assert_array_equal(grad(lambda e, m=margin: contrastive_loss(e, e2, [0], m))(e1), [[0, 0]])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("same", [0, 1])
@both_losses
def test_an_identical_pair_has_gradient_zero_and_not_nan(loss, same):
    e = onp.ones((1, 3))
    onp.testing.assert_array_equal(grad(lambda e1: loss(e1, e, [same], 2.0))(e), onp.zeros((1, 3)))
    # both twins at once, through shared parameters
    onp.testing.assert_array_equal(grad(lambda w: loss(w * e, w * e, [same], 2.0))(onp.array(1.5)), 0)


def test_an_identical_same_pair_has_the_hessian_of_the_square():
    e, v = onp.ones((1, 3)), onp.array([[1.0, -2.0, 3.0]])
    slope = grad(lambda e1: contrastive_loss(e1, e, [1]))
    product = grad(lambda e1: np.sum(slope(e1) * v))(e)  # d^2 |e1 - e|^2 = 2 I
    onp.testing.assert_allclose(product, 2 * v)


def test_the_lesson_shows_what_the_plain_root_does():
    found = slopes_at_distance_zero()
    assert onp.isnan(found["plain root"]).all()
    onp.testing.assert_array_equal(found["safe_norm"], onp.zeros(3))


@both_losses
def test_float32_stays_float32(loss):
    e1, e2, same = random_pairs(2)
    e1, e2 = e1.astype("float32"), e2.astype("float32")
    assert loss(e1, e2, same, 3.0).dtype == "float32"
    assert grad(lambda e: np.sum(loss(e, e2, same, 3.0)))(e1).dtype == "float32"


# ---------------------------------------------------------------- what it refuses


@pytest.mark.parametrize(("e1", "e2", "same", "margin", "message"), [
    ((4, 3), (4, 2), [0, 1, 0, 1], 1.0, r"got \(4, 3\) and \(4, 2\)"),
    ((4, 3), (1, 3), [0, 1, 0, 1], 1.0, r"got \(4, 3\) and \(1, 3\)"),
    ((3,), (3,), [1, 0, 1], 1.0, r"\(P,D\) or \(T,P,D\)"),
    ((4, 3), (4, 3), [0, 1, 0], 1.0, r"need labels \(4,\), got \(3,\)"),
    ((4, 3), (4, 3), [[0], [1], [0], [1]], 1.0, r"need labels \(4,\), got \(4, 1\)"),
    ((2, 4, 3), (2, 4, 3), [0, 1, 0, 1], 1.0, r"need labels \(2, 4\), got \(4,\)"),
    ((0, 3), (0, 3), [], 1.0, "1 or more"),
    ((2, 3), (2, 3), [0, 2], 1.0, "integers 0 and 1, got int64"),
    ((2, 3), (2, 3), [-1, 1], 1.0, "integers 0 and 1"),
    ((2, 3), (2, 3), [0.0, 1.0], 1.0, "integers 0 and 1, got float64"),
    ((2, 3), (2, 3), [0, 1], 0.0, "margin must be a positive number, got 0.0"),
    ((2, 3), (2, 3), [0, 1], float("nan"), "margin must be a positive number, got nan"),
])
@both_losses
def test_what_does_not_fit_is_refused(loss, e1, e2, same, margin, message):
    with pytest.raises(ValueError, match=message):
        loss(onp.zeros(e1), onp.zeros(e2), same, margin)
    if e1[0]:
        with pytest.raises(ValueError, match=message):  # inside grad, too
            grad(lambda e: np.sum(loss(e, onp.zeros(e2), same, margin)))(onp.zeros(e1))


# ---------------------------------------------------------------- balanced pairs


def classes_of(*sizes, side=2, seed=0):
    """Classes of these sizes, "class 0" and so on; the images are noise, and lie in random order."""
    rng = onp.random.default_rng(seed)
    labels = rng.permutation(onp.repeat(onp.arange(len(sizes)), sizes))
    images = rng.integers(0, 256, (len(labels), side, side, 1)).astype(onp.uint8)
    return ImageClasses(images, labels, [f"class {c}" for c in range(len(sizes))], ["script"] * len(sizes))


def test_half_of_the_pairs_are_of_the_same_class_and_in_turn():
    classes = classes_of(3, 5, 2, 9)
    pairs = balanced_pairs(classes, 500, onp.random.default_rng(0))
    onp.testing.assert_array_equal(classes.labels[pairs.first_ids] == classes.labels[pairs.second_ids], pairs.same)
    onp.testing.assert_array_equal(pairs.same, [1, 0] * 250)
    assert pairs.same.dtype.kind == "i"
    assert (pairs.first_ids != pairs.second_ids).all()


def test_a_pairs_images_are_those_of_its_ids():
    classes = classes_of(3, 5, 2)
    pairs = balanced_pairs(classes, 20, onp.random.default_rng(0))
    for images, ids in [(pairs.first_x, pairs.first_ids), (pairs.second_x, pairs.second_ids)]:
        onp.testing.assert_array_equal(images, to_float(classes.images[ids]))
        assert images.dtype == "float32"


def test_classes_and_images_are_equally_likely_whatever_their_sizes():
    classes, n = classes_of(2, 4, 10), 12000
    pairs = balanced_pairs(classes, n, onp.random.default_rng(0))
    first, second = classes.labels[pairs.first_ids], classes.labels[pairs.second_ids]
    same = pairs.same == 1
    deviation = 4 * (n / 2 * 1 / 3 * 2 / 3) ** 0.5
    onp.testing.assert_allclose(onp.bincount(first[same]), n / 6, atol=deviation)
    couples = onp.bincount(3 * first[~same] + second[~same], minlength=9)
    for a, b in itertools.product(range(3), repeat=2):
        assert abs(couples[3 * a + b] - (n / 12 if a != b else 0)) <= deviation * (a != b)
    for c, ids in enumerate(classes.images_of):
        drawn = pairs.first_ids[same & (first == c)]
        onp.testing.assert_allclose([(drawn == i).mean() for i in ids], 1 / len(ids), atol=0.05)


def test_pairs_are_repeated_by_their_seed_and_not_from_draw_to_draw():
    classes, rng = classes_of(5, 5, 5), onp.random.default_rng(0)
    first, second = (balanced_pairs(classes, 40, rng) for _ in range(2))
    onp.testing.assert_array_equal(balanced_pairs(classes, 40, onp.random.default_rng(0)).first_ids, first.first_ids)
    assert not onp.array_equal(first.first_ids, second.first_ids)


@pytest.mark.parametrize("n_pairs", [0, -2, 3, 2.0, "4", True])
def test_a_number_of_pairs_that_has_no_half_is_refused(n_pairs):
    with pytest.raises(ValueError, match=f"even positive integer.*got {n_pairs!r}"):
        balanced_pairs(classes_of(3, 3), n_pairs, onp.random.default_rng(0))


def test_too_few_classes_or_images_are_refused_by_name():
    with pytest.raises(ValueError, match="need 2 classes, there are 1"):
        balanced_pairs(classes_of(9), 2, onp.random.default_rng(0))
    with pytest.raises(ValueError, match="class 'class 1' has 1 image"):
        balanced_pairs(classes_of(4, 1, 3), 2, onp.random.default_rng(0))


# ---------------------------------------------------------------- the partners of a query

N_WAY, N_TASKS = 3, 2


def tiny_network():
    return conv4((16, 16, 1), channels=3, down="stride")


def tiny_params(dtype=float, seed=0):
    rng = onp.random.default_rng(seed)
    params = tiny_network().init(rng)
    return tree_map(lambda p: (p + 0.1 * rng.normal(size=p.shape)).astype(dtype), params)


def tiny_episode(n_tasks=N_TASKS, k_shot=2, n_query=2, seed=0, dtype=float, shuffled=False):
    rng = onp.random.default_rng(seed)

    def part(n):
        y = onp.tile(onp.arange(N_WAY).repeat(n), (n_tasks, 1))
        if shuffled:
            y = onp.stack([rng.permutation(row) for row in y])
        return rng.uniform(size=(*y.shape, 16, 16, 1)).astype(dtype), y

    return Episode(*part(k_shot), *part(n_query), None, None)


def one_number(values):
    return onp.array(values, dtype=float)[None, :, None]  # one task, one feature


def test_partners_by_hand():
    support, query = one_number([0.0, 1.0, 10.0]), one_number([0.1, 9.0, 1.2, 0.4])
    support_y, query_y = onp.array([[0, 1, 2]]), onp.array([[0, 1, 2, 0]])
    random, hardest = (choose_partners(support, query, support_y, query_y, how) for how in ("random", "hardest"))
    onp.testing.assert_array_equal(random, [[[0, 1], [1, 2], [2, 0], [0, 1]]])   # its own, the next
    onp.testing.assert_array_equal(hardest, [[[0, 1], [1, 2], [2, 1], [0, 1]]])  # its own, the nearest other


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("k_shot", [1, 2, 3])
@pytest.mark.parametrize("negatives", ["random", "hardest"])
def test_a_query_meets_all_of_its_class_and_as_many_others(negatives, k_shot, shuffled):
    episode = tiny_episode(4, k_shot=k_shot, shuffled=shuffled)
    rng = onp.random.default_rng(1)
    support, query = (rng.normal(size=(*y.shape, 5)) for y in (episode.support_y, episode.query_y))
    found = choose_partners(support, query, episode.support_y, episode.query_y, negatives)
    for t, m in itertools.product(range(4), range(len(episode.query_y[0]))):
        own = onp.flatnonzero(episode.support_y[t] == episode.query_y[t, m])
        others = onp.setdiff1d(onp.arange(N_WAY * k_shot), own)
        assert set(found[t, m, :k_shot]) == set(own)
        negative = found[t, m, k_shot:]
        assert len(set(negative)) == k_shot
        assert set(negative) <= set(others)
        if negatives == "hardest":
            apart = onp.linalg.norm(query[t, m] - support[t, others], axis=-1)
            assert set(negative) == set(others[onp.argsort(apart)[:k_shot]])


@pytest.mark.parametrize(("support_y", "query_y"), [
    ([[0, 0]], [[0]]), ([[0, 1, 1]], [[0, 1]]), ([[0, 1]], [[0, 2]]), ([[0, 0, 1]], [[0, 0]])])
def test_partners_that_cannot_be_balanced_are_refused(support_y, query_y):
    support_y, query_y = onp.array(support_y), onp.array(query_y)
    support, query = onp.zeros((*support_y.shape, 2)), onp.zeros((*query_y.shape, 2))
    with pytest.raises(ValueError, match="2 or more classes with equally many support images"):
        choose_partners(support, query, support_y, query_y, "random")


def test_unknown_negatives_are_refused():
    episode = tiny_episode()
    with pytest.raises(ValueError, match="got 'easiest'"):
        objective(tiny_network(), tiny_params(), episode, negatives="easiest")


# ---------------------------------------------------------------- the objective

either_negatives = pytest.mark.parametrize("negatives", ["random", "hardest"])


@both_losses
@either_negatives
def test_objective_is_the_mean_over_tasks_of_the_loss_of_the_pairs(negatives, loss):
    network, params, episode = tiny_network(), tiny_params(), tiny_episode()
    values = []
    for t in range(N_TASKS):
        images = onp.concatenate([episode.support_x[t], episode.query_x[t]])
        support, query = onp.split(network.apply(params, images), [episode.support_x.shape[1]])
        partners = choose_partners(support[None], query[None], episode.support_y[t:t + 1], episode.query_y[t:t + 1],
                                   negatives)[0]
        pairs = [(m, s) for m in range(len(query)) for s in partners[m]]
        same = [int(episode.query_y[t, m] == episode.support_y[t, s]) for m, s in pairs]
        assert onp.mean(same) == 0.5
        first, second = (onp.array(e) for e in zip(*((query[m], support[s]) for m, s in pairs), strict=True))
        values.append(loss(first, second, same, 4.0))
    found = objective(network, params, episode, 4.0, negatives, loss)
    assert onp.shape(found) == ()
    assert found == pytest.approx(onp.mean(values), rel=1e-10)


@either_negatives
def test_tasks_of_an_objective_do_not_mix(negatives):
    network, params, episode = tiny_network(), tiny_params(), tiny_episode(3)
    f = value_and_grad(partial(objective, network, margin=4.0, negatives=negatives))
    alone = [f(params, Episode(*(field[t:t + 1] for field in episode[:4]), None, None)) for t in range(3)]
    value, gradient = f(params, episode)
    assert value == pytest.approx(onp.mean([v for v, _ in alone]), rel=1e-10)
    assert_close(vector(gradient), onp.mean([vector(g) for _, g in alone], axis=0))


@both_losses
@either_negatives
def test_gradient_of_the_objective_and_of_its_gradient(negatives, loss):
    """Second order as well: along random directions, against differences of the order below."""
    network, params, episode = tiny_network(), tiny_params(), tiny_episode()
    rng, eps = onp.random.default_rng(5), 1e-6
    f = partial(objective, network, episode=episode, margin=4.0, negatives=negatives, loss=loss)
    u, v = (tree_map(lambda p: rng.normal(size=p.shape), params) for _ in range(2))

    def slope(params):
        return sum(np.sum(a * b) for a, b in zip(leaves(grad(f)(params)), leaves(u), strict=True))

    for function, direction, gradient in [(f, u, grad(f)(params)), (slope, v, grad(slope)(params))]:
        ahead, behind = (function(tree_map(lambda p, d, s=sign: p + s * eps * d, params, direction))
                         for sign in (1, -1))
        assert vector(gradient) @ vector(direction) == pytest.approx((ahead - behind) / (2 * eps), rel=2e-5)
    assert_close(vector(grad(f)(params)), vector(autograd.grad(f)(params)))


def test_the_hardest_negatives_cost_at_least_as_much():
    network, params = tiny_network(), tiny_params()
    for seed in range(5):
        episode = tiny_episode(seed=seed)
        random, hardest = (objective(network, params, episode, 4.0, how) for how in ("random", "hardest"))
        assert hardest >= random


@either_negatives
def test_identical_images_leave_the_gradient_finite(negatives):
    episode = tiny_episode(k_shot=1, n_query=1)
    blank = episode._replace(support_x=onp.zeros_like(episode.support_x), query_x=onp.zeros_like(episode.query_x))
    value, gradient = value_and_grad(partial(objective, tiny_network(), negatives=negatives))(tiny_params(), blank)
    assert value == pytest.approx(50.0)  # half of the pairs: 10^2
    assert onp.isfinite(vector(gradient)).all()


@either_negatives
def test_float32_parameters_have_float32_gradients(negatives):
    f = value_and_grad(partial(objective, tiny_network(), negatives=negatives))
    value, gradient = f(tiny_params("float32"), tiny_episode(dtype="float32"))
    assert value.dtype == "float32"
    assert {leaf.dtype for leaf in leaves(gradient)} == {onp.dtype("float32")}


# ---------------------------------------------------------------- one-shot scores


@pytest.mark.parametrize("transductive", [False, True])
@pytest.mark.parametrize("shuffled", [False, True])
def test_scores_are_minus_the_distance_to_the_nearest_of_each_class(transductive, shuffled):
    network, params, episode = tiny_network(), tiny_params(), tiny_episode(shuffled=shuffled)
    found = scores(network, params, episode, transductive)
    assert found.shape == (N_TASKS, 2 * N_WAY, N_WAY)
    n = episode.support_x.shape[1]
    for t in range(N_TASKS):
        images = onp.concatenate([episode.support_x[t], episode.query_x[t]])
        e = network.apply(params, images, n_reference=None if transductive else n)
        for m, c in itertools.product(range(2 * N_WAY), range(N_WAY)):
            nearest = min(onp.linalg.norm(e[n + m] - e[s]) for s in range(n) if episode.support_y[t, s] == c)
            assert found[t, m, c] == pytest.approx(-nearest, rel=1e-9)


def test_a_query_is_scored_by_itself_with_the_statistics_of_the_support():
    network, params, episode = tiny_network(), tiny_params(), tiny_episode()
    one = episode._replace(query_x=episode.query_x[:, :1])
    onp.testing.assert_allclose(scores(network, params, one, False)[:, 0],
                                scores(network, params, episode, False)[:, 0], rtol=0, atol=1e-10)
    assert onp.abs(scores(network, params, one, True)[:, 0] - scores(network, params, episode, True)[:, 0]).max() > 1e-3


def test_scores_do_not_see_the_query_labels_and_know_a_support_image_again():
    network, params, episode = tiny_network(), tiny_params("float32"), tiny_episode(dtype="float32")
    known = episode._replace(query_x=episode.support_x, query_y=None)
    found = scores(network, params, known, False)
    assert found.dtype == "float32"
    own = onp.eye(N_WAY, dtype=bool)[episode.support_y]
    onp.testing.assert_allclose(found[own], 0, atol=1e-5)  # an identical pair: distance 0
    assert (found <= 0).all()


# ---------------------------------------------------------------- distances of pairs


def test_an_embedding_by_reference_does_not_hear_of_its_neighbours():
    network, params = tiny_network(), tiny_params()
    reference, images = onp.random.default_rng(0).uniform(size=(2, 5, 16, 16, 1))
    together = embed_by_reference(network, params, reference, images)
    assert together.shape == (5, 3)
    for m in range(5):
        assert_close(embed_by_reference(network, params, reference, images[m:m + 1])[0], together[m])
    assert_close(embed_by_reference(network, params, reference, reference), network.apply(params, reference))
    assert onp.abs(embed_by_reference(network, params, reference[::2], images) - together).max() > 1e-3


def test_pair_distances_are_those_of_each_pair():
    pairs = balanced_pairs(classes_of(4, 4, 4), 10, onp.random.default_rng(0))
    found = pair_distances(lambda images: images.reshape(len(images), -1), pairs)
    onp.testing.assert_allclose(
        found, [onp.linalg.norm(a - b) for a, b in zip(pairs.first_x, pairs.second_x, strict=True)], rtol=1e-6)


# ---------------------------------------------------------------- ROC, equal error rate, threshold

DISTANCES, SAME = onp.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), onp.array([1, 1, 0, 1, 0, 0])


def noisy_distances(seed, n=60, decimals=1):
    """Overlapping distances with ties, and unequal numbers of both kinds."""
    rng = onp.random.default_rng(seed)
    same = (onp.arange(n) % 3 == 0).astype(int)
    return onp.round(rng.normal(size=n) + 1.5 * (1 - same), decimals), same


def test_roc_curve_by_hand():
    thresholds, false_accepts, true_accepts = roc_curve(DISTANCES, SAME)
    onp.testing.assert_allclose(thresholds, [1, 1.5, 2.5, 3.5, 4.5, 5.5, onp.inf])
    onp.testing.assert_allclose(false_accepts, onp.array([0, 0, 0, 1, 1, 2, 3]) / 3)
    onp.testing.assert_allclose(true_accepts, onp.array([0, 1, 2, 2, 3, 3, 3]) / 3)


@pytest.mark.parametrize("seed", range(4))
def test_roc_curve_counts_what_lies_below_each_threshold(seed):
    distances, same = noisy_distances(seed)
    thresholds, *rates = roc_curve(distances, same)
    assert len(thresholds) == len(onp.unique(distances)) + 1
    for kind, rate in enumerate(rates):
        onp.testing.assert_allclose(rate, [(distances[same == kind] < t).mean() for t in thresholds])
        assert (rate[0], rate[-1]) == (0, 1)
        assert (onp.diff(rate) >= 0).all()


@pytest.mark.parametrize(("distances", "same", "expected"), [
    (DISTANCES, SAME, 1 / 3),                        # between 2 and 3: 1 of 3 wrong on either side
    ([1.0, 2.0, 3.0, 4.0], [1, 1, 0, 0], 0.0),
    ([1.0, 2.0, 3.0, 4.0], [0, 0, 1, 1], 1.0),
    ([7.0, 7.0, 7.0, 7.0], [1, 0, 1, 0], 0.5),       # one tie: straight from (0, 0) to (1, 1)
    ([1.0, 2.0, 3.0], [1, 0, 1], 0.5),               # from (0, 1/2) to (1, 1/2): 1 - 1/2
])
def test_equal_error_rate_by_hand(distances, same, expected):
    assert equal_error_rate(onp.array(distances), onp.array(same)) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(4))
def test_equal_error_rate_lies_between_the_two_rates_around_it_and_sees_only_the_order(seed):
    distances, same = noisy_distances(seed)
    found = equal_error_rate(distances, same)
    _, false_accepts, true_accepts = roc_curve(distances, same)
    after = onp.argmax(false_accepts >= 1 - true_accepts)
    assert false_accepts[after - 1] <= found <= false_accepts[after]
    assert 1 - true_accepts[after] <= found <= 1 - true_accepts[after - 1]
    assert equal_error_rate(onp.exp(distances), same) == pytest.approx(found)
    assert equal_error_rate(-distances, 1 - same) == pytest.approx(found)  # both kinds and the order turned round
    assert equal_error_rate(-distances, same) == pytest.approx(1 - found)


@pytest.mark.parametrize(("distances", "same", "expected"), [
    (DISTANCES, SAME, 2.5),                          # 2.5 and 4.5 make one error each: the smaller
    ([1.0, 2.0, 3.0, 4.0], [1, 1, 0, 0], 2.5),
    ([4.0, 1.0, 3.0, 2.0], [0, 1, 0, 1], 2.5),       # order is no matter
    ([1.0, 9.0], [0, 1], 1.0),                       # hopeless: accept nothing
    ([0.0, 1.0, 1.0, 5.0], [1, 1, 0, 0], 0.5),       # a tie cannot be parted
    ([1.0, 2.0, 3.0, 4.0, 5.0], [1, 0, 1, 1, 1], 1.5),   # one different pair counts as much as all four same ones
])
def test_threshold_by_hand(distances, same, expected):
    assert choose_threshold(onp.array(distances), onp.array(same)) == expected


@pytest.mark.parametrize("seed", range(6))
def test_no_threshold_makes_fewer_errors(seed):
    distances, same = noisy_distances(seed)

    def right(threshold):
        return sum(((distances < threshold) == same)[same == kind].mean() for kind in (0, 1)) / 2

    found = choose_threshold(distances, same)
    grid = onp.linspace(distances.min() - 1, distances.max() + 1, 2000)
    assert isinstance(found, float)
    assert right(found) >= max(map(right, grid)) - 1e-12
    assert all(right(t) < right(found) - 1e-12 for t in grid if t < onp.max(distances[distances < found], initial=-9))


@pytest.mark.parametrize(("distances", "same", "message"), [
    ([1.0, 2.0], [1, 1], "2 same, 0 different"), ([1.0, 2.0], [0, 0], "0 same, 2 different"),
    ([1.0, onp.nan], [1, 0], "1 not finite"), ([1.0, onp.inf], [1, 0], "1 not finite"),
    ([], [], "0 same, 0 different"), ([1.0, 2.0], [1], r"\(2,\) and \(1,\)"),
    ([[1.0, 2.0]], [[1, 0]], r"\(1, 2\)"), ([1.0, 2.0], [1, 2], "of 0 and 1"), ([1.0, 2.0], [1, -1], "of 0 and 1")])
@pytest.mark.parametrize("f", [roc_curve, equal_error_rate, choose_threshold])
def test_curves_refuse_what_has_none(f, distances, same, message):
    with pytest.raises(ValueError, match=message):
        f(onp.array(distances), onp.array(same))


def test_verification_by_hand():
    distances, same = onp.tile([1.0, 3.0, 2.0, 5.0], 20), onp.tile([1, 0, 1, 0], 20)
    found = verification(distances, same, threshold=4.0)
    assert {what: mean for what, (mean, _) in found.items()} == {
        "distance, same": 1.5, "distance, different": 4.0, "equal error rate": 0.0, "right": 0.75}
    assert found["right"][1] == pytest.approx(1.96 * onp.tile([1, 0, 1, 1], 20).std(ddof=1) / 80 ** 0.5)
    assert found["equal error rate"][1] == 0


# ---------------------------------------------------------------- the run

TINY = ["--quick", "--iterations", "3", "--episodes", "4", "--channels", "4", "--n-query", "2", "--train-ways", "6",
        "--pairs", "40"]
NETWORKS = {"as-in-the-document.npz", "contrastive-loss.npz", "hard-negatives.npz"}
FILES = {*NETWORKS, "distances.png", "roc.png", "pairs.png", "episode.png", "record.json"}
LEARNERS = ("nearest pixels", "as in the document", "contrastive loss", "hard negatives")


def run_tiny(out, *argv):
    main([*TINY, "--out", str(out), *argv])
    return read_record(out / "record.json")


def test_the_quick_run_end_to_end(tmp_path, capsys):
    record = run_tiny(tmp_path)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Two drawings of characters it has never seen: one character, or two of them?"
    assert {path.name for path in tmp_path.iterdir()} == FILES
    text = "\n".join(lines)
    assert text.replace("±", "").isascii()
    assert max(len(line) for line in lines if str(tmp_path) not in line) <= 80
    assert all(str(tmp_path / name) in text for name in FILES)
    for name in FILES:
        if name.endswith(".png"):
            with Image.open(tmp_path / name) as picture:
                picture.verify()
        elif name.endswith(".npz"):
            assert {leaf.dtype for leaf in leaves(load_params(tmp_path / name))} == {onp.dtype("float32")}
    assert record["lesson"] == "lesson4_siamese"
    names = {f"verification, {who}, {what}" for who in LEARNERS
             for what in ("distance, same", "distance, different", "equal error rate", "right")}
    names |= {f"one-shot, {who}, statistics of {whose}"
              for who in LEARNERS[1:] for whose in ("the support", "all queries")}
    assert set(record["metrics"]) == names | {"one-shot, nearest pixels"}
    assert all(onp.isfinite(value) for metric in record["metrics"].values() for value in metric.values())


def test_the_three_trainings_differ_and_the_same_seed_repeats_them(tmp_path):
    first, again, other = (run_tiny(tmp_path / name, "--seed", seed)["metrics"]
                           for name, seed in [("first", "0"), ("again", "0"), ("other", "1")])
    assert first == again
    assert first != other
    networks = [vector(load_params(tmp_path / "first" / name)) for name in sorted(NETWORKS)]
    for one, two in itertools.combinations(networks, 2):
        assert onp.abs(one - two).max() > 1e-5


def test_more_ways_and_shots_run(tmp_path):
    record = run_tiny(tmp_path, "--n-way", "7", "--k-shot", "3", "--train-ways", "400")
    assert record["options"]["k_shot"] == 3


@pytest.fixture
def no_training(monkeypatch):
    """main() must not come as far as training."""
    def train(*args, **kwargs):
        raise AssertionError("training started")
    monkeypatch.setattr(lesson4_siamese, "train", train)


@pytest.mark.parametrize(("argv", "error", "message"), [
    (["--n-way", "60"], ValueError, "60-way episodes need 60 classes"),
    (["--n-query", "20"], ValueError, r"1 support \+ 20 query need 21"),
    (["--pairs", "201"], ValueError, "even positive integer"),
    (["--pairs", "20"], ValueError, "--pairs must be 40 or more"),
    (["--margin", "0"], SystemExit, "2"),
    (["--data", "nowhere"], FileNotFoundError, "--data nowhere is neither glyphs nor omniglot")])
@pytest.mark.usefixtures("no_training")
def test_what_cannot_be_done_is_told_before_training(argv, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        main(["--quick", *argv, "--out", str(tmp_path / "out")])


@pytest.mark.parametrize("name", ["record.json", "hard-negatives.npz"])
@pytest.mark.usefixtures("no_training")
def test_foreign_files_are_refused_before_training(name, tmp_path, capsys):
    (tmp_path / name).write_bytes(b"my own")
    with pytest.raises(SystemExit) as stop:
        main(["--quick", "--out", str(tmp_path)])
    assert stop.value.code == 2
    assert name in capsys.readouterr().err
    assert (tmp_path / name).read_bytes() == b"my own"


# ---------------------------------------------------------------- what the lesson claims, over three seeds


@pytest.fixture(scope="module")
def glyph_splits(cache_of_the_session, tmp_path_factory):
    options = parse_options("lesson4_siamese", "", {}, {}, {}, argv=["--out", str(tmp_path_factory.mktemp("out"))])
    return load_splits(options)


def trained(training, seed, iterations, **settings):
    rng = onp.random.default_rng(seed)
    network = conv4(channels=32, down="stride")
    params, state, schedule = network.init(rng), None, cosine_decay(3e-3, iterations)
    step = value_and_grad(partial(objective, network, **settings))
    for iteration in range(iterations):
        _, gradient = step(params, sample_episodes(training, 32, 1, 1, 1, rng))
        params, state = adam(params, gradient, state, schedule(iteration))
    return network, params


def measured(splits, network, params, seed):
    """(one-shot accuracy, that of pixels, equal error rate, share of right decisions, mean distances)."""
    training, validation, test = splits
    rng = onp.random.default_rng(seed + 100)
    episode = sample_episodes(test, 5, 1, 10, 100, rng)
    accuracy = accuracies(scores(network, params, episode, False), episode.query_y).mean()
    pixels = accuracies(pixel_scores(None, episode), episode.query_y).mean()
    reference = to_float(training.images[rng.choice(len(training.images), 128, replace=False)])
    embedding = partial(embed_by_reference, network, params, reference)
    chosen, pairs = (balanced_pairs(part, 1000, rng) for part in (validation, test))
    threshold = choose_threshold(pair_distances(embedding, chosen), chosen.same)
    apart = pair_distances(embedding, pairs)
    right = onp.mean((apart < threshold) == pairs.same)
    means = [apart[pairs.same == kind].mean() for kind in (1, 0)]
    return accuracy, pixels, equal_error_rate(apart, pairs.same), right, means


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_trained_distance_beats_pixels_and_the_documents_formula_fails(glyph_splits, seed):
    network, params = trained(glyph_splits[0], seed, 400)
    accuracy, pixels, error, right, (near, far) = measured(glyph_splits, network, params, seed)
    assert accuracy > pixels + 0.15
    assert error < 0.25
    assert right > 0.7
    assert far > 1.5 * near
    network, params = trained(glyph_splits[0], seed, 400, loss=document_formula)
    accuracy, pixels, error, right, means = measured(glyph_splits, network, params, seed)
    assert accuracy < pixels - 0.1
    assert accuracy < 0.3  # guessing scores 0.2
    assert 0.4 < error < 0.6
    assert 0.4 < right < 0.6
    onp.testing.assert_allclose(means, 5.0, rtol=0.15)  # half the margin, whatever the pair


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_hard_negatives_help(glyph_splits, seed):
    random, hardest = (measured(glyph_splits, *trained(glyph_splits[0], seed, 1000, negatives=negatives), seed)
                       for negatives in ("random", "hardest"))
    assert hardest[0] > random[0] + 0.01
    assert hardest[2] < random[2]
