"""Lesson 3: prototypes, distances and attention by slow loops, derivatives, T tasks at once and one by one, the run."""

import inspect
from functools import partial
from types import SimpleNamespace

import numpy as onp
import pytest
from autograd import numpy as np
from PIL import Image

from fewshot_np import lesson3_metric
from fewshot_np.data import glyphs
from fewshot_np.experiment.records import load_params, read_record
from fewshot_np.lesson2_episodes import Episode, accuracies, sample_episodes
from fewshot_np.lesson2_episodes import scores as pixel_scores
from fewshot_np.lesson3_metric import (
    attend,
    cosines,
    draw_embedding,
    embed,
    main,
    matching_log_probabilities,
    matching_objective,
    matching_scores,
    methods,
    nearest_prototype,
    plain_distances,
    possible_settings,
    principal_components,
    prototypes,
    prototypical_loss,
    prototypical_objective,
    prototypical_scores,
    squared_distances,
)
from fewshot_np.nn.networks import conv4
from fewshot_np.nn.optimizers import adam
from fewshot_np.nn.primitives import cross_entropy, log_softmax
from fewshot_np.nn.trees import grad, leaves, tree_map, value_and_grad
from tests.nn.derivatives import assert_autograd_agrees, assert_close, assert_differentiates

T, N, K, Q, D = 3, 4, 2, 3, 5  # all different, so that no axis can be taken for another


def rng_of(seed=0):
    return onp.random.default_rng(seed)


def shuffled_labels(per_class=K, n_tasks=None, seed=0):
    """(M,) or (T,M): each class `per_class` times, in no order."""
    rng = rng_of(seed)
    labels = onp.arange(N).repeat(per_class)
    return rng.permutation(labels) if n_tasks is None else onp.stack([rng.permutation(labels) for _ in range(n_tasks)])


def points(*shape, seed=0):
    return rng_of(seed).normal(size=shape)


SUPPORT, QUERY = points(T, N * K, D, seed=1), points(T, N * Q, D, seed=2)
SUPPORT_Y, QUERY_Y = shuffled_labels(K, T, seed=3), shuffled_labels(Q, T, seed=4)


def tiny_network():
    return conv4((16, 16, 1), channels=3, down="stride", features="mean")


def shaken_params(network=None, seed=1):
    """float64 parameters away from the special values 0 and 1."""
    rng = rng_of(seed)
    return tree_map(lambda p: p.astype(float) + 0.1 * rng.normal(size=p.shape), (network or tiny_network()).init(rng))


def episode_of_noise(dtype=float, n_tasks=T, seed=0):
    rng = rng_of(seed)
    support_x, query_x = (rng.normal(size=(n_tasks, N * n, 16, 16, 1)).astype(dtype) for n in (K, Q))
    return Episode(support_x, shuffled_labels(K, n_tasks, 3), query_x, shuffled_labels(Q, n_tasks, 4), None, None)


def task_of(episode, t):
    return Episode(*(None if field is None else field[t:t + 1] for field in episode))


OBJECTIVES = {"prototypical": prototypical_objective, "matching": matching_objective,
              "plain": partial(prototypical_objective, distances=plain_distances),
              "sharper": partial(matching_objective, temperature=0.1)}
SCORES = {"prototypical": prototypical_scores, "matching": matching_scores,
          "plain": partial(prototypical_scores, distances=plain_distances),
          "sharper": partial(matching_scores, temperature=0.1)}
every_method = pytest.mark.parametrize("name", OBJECTIVES)
both_modes = pytest.mark.parametrize("transductive", [False, True])


# ---------------------------------------------------------------- prototypes


def test_arguments_have_their_fixed_names():
    def names(f):
        return list(inspect.signature(f).parameters)
    assert names(prototypes) == ["embeddings", "labels", "n_way"]
    assert names(squared_distances) == ["a", "b"]
    assert names(prototypical_loss)[:5] == ["embeddings_s", "labels_s", "embeddings_q", "labels_q", "n_way"]
    assert names(prototypical_scores)[:4] == names(matching_scores)[:4] == [
        "network", "params", "episode", "transductive"]
    assert names(prototypical_objective)[:3] == names(matching_objective)[:3] == ["network", "params", "episode"]


def test_prototypes_anchor():
    embeddings = onp.array([[4.0, 0], [1, 1], [0, 2], [6, 0], [3, 1], [0, 4]])
    # the classes come as 2, 0, 1: an order that is not its own inverse
    found = prototypes(embeddings, onp.array([2, 0, 1, 2, 0, 1]), 3)
    onp.testing.assert_allclose(found, [[2, 1], [0, 3], [5, 0]], rtol=1e-12)


def test_one_example_is_its_own_prototype():
    embeddings = points(3, D)
    onp.testing.assert_allclose(prototypes(embeddings, onp.array([2, 0, 1]), 3), embeddings[[1, 2, 0]], rtol=1e-12)


def test_prototypes_are_the_means_of_slow_loops():
    found = prototypes(SUPPORT, SUPPORT_Y, N)
    assert found.shape == (T, N, D)
    for t in range(T):
        onp.testing.assert_allclose(prototypes(SUPPORT[t], SUPPORT_Y[t], N), found[t], rtol=1e-12)
        for n in range(N):
            members = [SUPPORT[t, m] for m in range(N * K) if SUPPORT_Y[t, m] == n]
            onp.testing.assert_allclose(found[t, n], sum(members) / len(members), rtol=1e-12)


def test_classes_may_have_different_numbers_of_examples():
    embeddings, labels = points(6, D), onp.array([1, 0, 1, 1, 2, 1])
    found = prototypes(embeddings, labels, 3)
    onp.testing.assert_allclose(found[1], embeddings[[0, 2, 3, 5]].mean(axis=0), rtol=1e-12)
    onp.testing.assert_allclose(found[[0, 2]], embeddings[[1, 4]], rtol=1e-12)


def test_no_point_is_closer_to_all_examples_than_their_mean():
    labels = onp.zeros(7, int)
    examples = points(7, D)
    centre = prototypes(examples, labels, 1)
    others = centre + 0.1 * points(50, D, seed=9)
    assert (squared_distances(others, examples).sum(axis=1) > squared_distances(centre, examples).sum()).all()


@pytest.mark.parametrize(("embeddings", "labels", "n_way", "message"), [
    (points(4, D), onp.array([0, 1, 2]), 3, r"\(4,\).*\(3,\)"),
    (points(2, 4, D), onp.array([0, 1, 2, 0]), 3, r"\(2, 4\).*\(4,\)"),
    (points(D), onp.array([0, 1, 2, 0, 1]), 3, r"\(M,D\) or \(T,M,D\), got \(5,\)"),
    (points(3, D), onp.array([0.0, 1, 2]), 3, "integers.*float64"),
    (points(3, D), onp.array([0, 1, 3]), 3, r"0\.\.\.2 for 3 classes, got 0\.\.\.3"),
    (points(3, D), onp.array([0, 1, -1]), 3, r"0\.\.\.2 for 3 classes, got -1\.\.\.1"),
    (points(3, D), onp.array([0, 2, 2]), 3, "class 1 has no example"),
    (points(2, 3, D), onp.array([[0, 1, 2], [2, 1, 1]]), 3, "class 0 of task 1 has no example"),
    (points(3, D), onp.array([0, 1, 2]), 4, "class 3 has no example"),
    (points(3, D), onp.array([0, 1, 2]), 0, "n_way must be a positive integer, got 0"),
    (points(3, D), onp.array([0, 1, 2]), 3.0, "n_way must be a positive integer"),
    (points(0, D), onp.array([], int), 2, "class 0 has no example"),
])
@pytest.mark.filterwarnings("error")
def test_prototypes_refuse_what_has_no_mean(embeddings, labels, n_way, message):
    with pytest.raises(ValueError, match=message):
        prototypes(embeddings, labels, n_way)


# ---------------------------------------------------------------- distances


def test_squared_distances_anchor():
    found = squared_distances(onp.array([[0.0, 0], [3, 4]]), onp.array([[3.0, 4], [0, 1], [6, 0]]))
    onp.testing.assert_allclose(found, [[25, 1, 36], [0, 18, 25]], rtol=1e-12)


def test_distances_are_those_of_slow_loops():
    squared, plain, angles = (f(QUERY, SUPPORT) for f in (squared_distances, plain_distances, cosines))
    assert squared.shape == plain.shape == angles.shape == (T, N * Q, N * K)
    for t in range(T):
        for i, q in enumerate(QUERY[t]):
            for j, s in enumerate(SUPPORT[t]):
                expected = sum((q[d] - s[d]) ** 2 for d in range(D))
                assert squared[t, i, j] == pytest.approx(expected, rel=1e-12)
                assert plain[t, i, j] == pytest.approx(expected ** 0.5, rel=1e-12)
                lengths = sum(q * q) ** 0.5 * sum(s * s) ** 0.5
                assert angles[t, i, j] == pytest.approx(sum(q * s) / lengths, rel=1e-12)


@pytest.mark.parametrize("f", [squared_distances, plain_distances, cosines])
def test_pairs_of_tasks_at_once_are_those_one_by_one(f):
    together = f(QUERY, SUPPORT)
    for t in range(T):
        onp.testing.assert_allclose(f(QUERY[t], SUPPORT[t]), together[t], rtol=1e-12)


def test_distances_far_from_the_origin_keep_their_digits_in_float32():
    near = points(4, D).astype("float32") * 0.01
    far = near + onp.float32(1000)  # |a|^2 - 2 a.b + |b|^2 would be nothing but rounding here
    exact = squared_distances(far.astype(float), far.astype(float))
    onp.testing.assert_allclose(squared_distances(far, far), exact, rtol=1e-5, atol=0)
    assert (onp.diag(squared_distances(far, far)) == 0).all()


def test_a_row_of_zeros_has_cosine_zero_and_a_finite_derivative():
    a = points(3, D)
    a[1] = 0
    onp.testing.assert_allclose(cosines(a, a)[1], 0)
    onp.testing.assert_allclose(onp.diag(cosines(a, a)), [1, 0, 1])
    assert onp.isfinite(grad(lambda a: np.sum(cosines(a, points(2, D)) ** 2))(a)).all()


def test_the_plain_distance_has_derivative_zero_where_two_points_are_one():
    a = points(2, D)
    gradient = grad(lambda a: np.sum(plain_distances(a, onp.array([points(2, D)[0]]))))(a)
    assert (gradient[0] == 0).all()
    onp.testing.assert_allclose(onp.linalg.norm(gradient[1]), 1, rtol=1e-12)


@pytest.mark.parametrize("f", [squared_distances, plain_distances, cosines])
@pytest.mark.parametrize(("a", "b"), [((4, 5), (4, 6)), ((2, 4, 5), (3, 4, 5)), ((2, 4, 5), (4, 5)), ((5,), (5,)),
                                      ((4, 5), (5,)), ((1, 2, 3, 4), (1, 2, 3, 4))])
def test_rows_that_do_not_pair_are_refused(f, a, b):
    with pytest.raises(ValueError, match=r"same T and D, got"):
        f(points(*a), points(*b))


# ---------------------------------------------------------------- the prototypical loss


def test_prototypical_loss_anchor():
    support, query = onp.array([[4.0], [0], [2], [0]]), onp.array([[1.0], [3]])
    # class 1 is (4 + 2) / 2 = 3, class 0 is 0: squared distances of 1 to them 1 and 4, of 3: 9 and 0
    found = prototypical_loss(support, onp.array([1, 0, 1, 0]), query, onp.array([0, 0]), 2)
    assert found == pytest.approx((onp.log(1 + onp.exp(-3)) + onp.log(1 + onp.exp(9))) / 2, rel=1e-12)
    plain = prototypical_loss(support, onp.array([1, 0, 1, 0]), query, onp.array([0, 0]), 2, plain_distances)
    assert plain == pytest.approx((onp.log(1 + onp.exp(-1)) + onp.log(1 + onp.exp(3))) / 2, rel=1e-12)


def test_prototypical_loss_is_that_of_slow_loops():
    found = prototypical_loss(SUPPORT, SUPPORT_Y, QUERY, QUERY_Y, N)
    assert found.shape == (T,)
    for t in range(T):
        centres = [SUPPORT[t][SUPPORT_Y[t] == n].mean(axis=0) for n in range(N)]
        losses = []
        for q, label in zip(QUERY[t], QUERY_Y[t], strict=True):
            weights = [onp.exp(-((q - c) ** 2).sum()) for c in centres]
            losses.append(-onp.log(weights[label] / sum(weights)))
        assert found[t] == pytest.approx(sum(losses) / len(losses), rel=1e-10)
        alone = prototypical_loss(SUPPORT[t], SUPPORT_Y[t], QUERY[t], QUERY_Y[t], N)
        assert alone == pytest.approx(found[t], rel=1e-12)
        assert onp.shape(alone) == ()


def test_the_order_of_the_examples_makes_no_difference():
    order, other = rng_of(7).permutation(N * K), rng_of(8).permutation(N * Q)
    moved = prototypical_loss(SUPPORT[:, order], SUPPORT_Y[:, order], QUERY[:, other], QUERY_Y[:, other], N)
    onp.testing.assert_allclose(moved, prototypical_loss(SUPPORT, SUPPORT_Y, QUERY, QUERY_Y, N), rtol=1e-12)


def test_the_numbers_of_the_classes_make_no_difference():
    new = onp.array([2, 0, 3, 1])
    renamed = prototypical_loss(SUPPORT, new[SUPPORT_Y], QUERY, new[QUERY_Y], N)
    onp.testing.assert_allclose(renamed, prototypical_loss(SUPPORT, SUPPORT_Y, QUERY, QUERY_Y, N), rtol=1e-12)
    assert not onp.allclose(renamed, prototypical_loss(SUPPORT, new[SUPPORT_Y], QUERY, QUERY_Y, N))


def test_squared_distances_make_a_linear_classifier():
    centres = prototypes(SUPPORT[0], SUPPORT_Y[0], N)
    linear = QUERY[0] @ (2 * centres).T - (centres ** 2).sum(axis=1)
    onp.testing.assert_allclose(log_softmax(-squared_distances(QUERY[0], centres)), log_softmax(linear), rtol=1e-10)


def test_plain_and_squared_distances_choose_alike_but_not_with_the_same_certainty():
    centres = prototypes(SUPPORT, SUPPORT_Y, N)
    squared, plain = -squared_distances(QUERY, centres), -plain_distances(QUERY, centres)
    onp.testing.assert_array_equal(squared.argmax(-1), plain.argmax(-1))
    assert onp.abs(log_softmax(squared) - log_softmax(plain)).max() > 0.5


def test_a_moved_and_turned_space_gives_the_same_loss():
    turn, _ = onp.linalg.qr(points(D, D, seed=6))
    moved = prototypical_loss(SUPPORT @ turn + 3, SUPPORT_Y, QUERY @ turn + 3, QUERY_Y, N)
    onp.testing.assert_allclose(moved, prototypical_loss(SUPPORT, SUPPORT_Y, QUERY, QUERY_Y, N), rtol=1e-10)


def test_embeddings_far_apart_do_not_overflow():
    loss = prototypical_loss(1e3 * SUPPORT, SUPPORT_Y, 1e3 * QUERY, QUERY_Y, N)
    assert onp.isfinite(loss).all()


# ---------------------------------------------------------------- attention


def test_attend_anchor():
    similarities = onp.log([[1.0, 2, 3, 2]])  # weights 1/8, 2/8, 3/8, 2/8
    onp.testing.assert_allclose(onp.exp(attend(similarities, onp.array([1, 0, 1, 2]), 3)), [[2 / 8, 4 / 8, 2 / 8]])


def test_matching_is_the_vote_of_slow_loops():
    for temperature in (1.0, 0.1):
        found = matching_log_probabilities(SUPPORT, SUPPORT_Y, QUERY, N, temperature)
        assert found.shape == (T, N * Q, N)
        for t in range(T):
            for i, q in enumerate(QUERY[t]):
                weights = [onp.exp(q @ s / onp.linalg.norm(q) / onp.linalg.norm(s) / temperature) for s in SUPPORT[t]]
                votes = [sum(w for w, y in zip(weights, SUPPORT_Y[t], strict=True) if y == n) for n in range(N)]
                onp.testing.assert_allclose(onp.exp(found[t, i]), onp.array(votes) / sum(weights), rtol=1e-10)
            onp.testing.assert_allclose(
                matching_log_probabilities(SUPPORT[t], SUPPORT_Y[t], QUERY[t], N, temperature), found[t], rtol=1e-10)


def test_the_votes_sum_to_one():
    onp.testing.assert_allclose(onp.exp(matching_log_probabilities(SUPPORT, SUPPORT_Y, QUERY, N)).sum(-1), 1)


def test_with_one_example_matching_by_squared_distances_is_the_prototypical_network():
    support, labels = points(T, N, D, seed=5), shuffled_labels(1, T)
    matching = attend(-squared_distances(QUERY, support), labels, N)
    prototypical = log_softmax(-squared_distances(QUERY, prototypes(support, labels, N)))
    onp.testing.assert_allclose(matching, prototypical, rtol=1e-9)


def test_with_more_examples_the_two_methods_differ():
    matching = attend(-squared_distances(QUERY, SUPPORT), SUPPORT_Y, N)
    prototypical = log_softmax(-squared_distances(QUERY, prototypes(SUPPORT, SUPPORT_Y, N)))
    assert onp.abs(matching - prototypical).max() > 0.1


@pytest.mark.parametrize(("n_way", "bound"), [(5, 0.405), (20, 0.1252)])
def test_without_a_temperature_no_query_is_ever_sure(n_way, bound):
    best = onp.eye(n_way)  # embeddings as far apart as a ReLU leaves them: every cosine is 1 or 0
    sure = onp.exp(matching_log_probabilities(best, onp.arange(n_way), best, n_way)).max()
    assert sure == pytest.approx(onp.e / (onp.e + n_way - 1), rel=1e-12) == pytest.approx(bound, abs=1e-3)
    assert onp.exp(matching_log_probabilities(best, onp.arange(n_way), best, n_way, 0.1)).max() > 0.99


def test_votes_for_a_class_without_an_example_are_refused():
    with pytest.raises(ValueError, match="class 2 has no example"):
        attend(points(2, 3), onp.array([0, 1, 3]), 4)
    with pytest.raises(ValueError, match=r"\(4,\).*\(3,\)"):
        attend(points(2, 4), onp.array([0, 1, 2]), 3)


# ---------------------------------------------------------------- derivatives


FUNCTIONS = {
    "prototypes": lambda s, q, labels_s, labels_q: prototypes(s, labels_s, N),
    "squared": lambda s, q, labels_s, labels_q: squared_distances(q, s),
    "plain": lambda s, q, labels_s, labels_q: plain_distances(q, s),
    "cosines": lambda s, q, labels_s, labels_q: cosines(q, s),
    "loss": lambda s, q, labels_s, labels_q: prototypical_loss(s, labels_s, q, labels_q, N),
    "plain loss": lambda s, q, labels_s, labels_q: prototypical_loss(s, labels_s, q, labels_q, N, plain_distances),
    "matching": lambda s, q, labels_s, labels_q: matching_log_probabilities(s, labels_s, q, N, 0.3)}


@pytest.mark.filterwarnings("ignore:Output seems independent")  # prototypes of the queries
@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_and_their_gradients_are_slopes(name):
    f = partial(FUNCTIONS[name], labels_s=SUPPORT_Y[:2], labels_q=QUERY_Y[:2])
    assert_differentiates(f, SUPPORT[:2], QUERY[:2], order=2)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_autograds_own_check_agrees_without_a_task_axis(name):
    f = partial(FUNCTIONS[name], q=QUERY[0], labels_s=SUPPORT_Y[0], labels_q=QUERY_Y[0])
    assert_autograd_agrees(f, SUPPORT[0])


def test_the_second_derivative_of_a_squared_distance_at_zero_is_two():
    def curvature(x):
        return grad(lambda a: np.sum(squared_distances(a, onp.zeros((1, 1)))))(x)
    assert grad(lambda x: np.sum(curvature(x)))(onp.zeros((1, 1))) == pytest.approx(2)


def vector(tree):
    return onp.concatenate([onp.ravel(leaf) for leaf in leaves(tree)])


def assert_slope(objective, at, seed=3, eps=1e-6, rtol=1e-6):
    rng, gradient = rng_of(seed), vector(grad(objective)(at))
    for _ in range(3):
        move = tree_map(lambda p: rng.normal(size=p.shape), at)
        ahead, behind = (objective(tree_map(lambda p, m, s=sign: p + s * eps * m, at, move)) for sign in (1, -1))
        slope = (ahead - behind) / (2 * eps)
        assert abs(gradient @ vector(move) - slope) < rtol * onp.linalg.norm(gradient) + 1e-8


@every_method
def test_the_gradient_of_the_objective_is_its_slope(name):
    assert_slope(lambda p: OBJECTIVES[name](tiny_network(), p, episode_of_noise()), shaken_params())


@every_method
def test_the_objective_differentiates_twice(name):
    """An inner step on the objective, and the objective after it: what lesson 4 would do with it."""
    episode, objective = episode_of_noise(n_tasks=2), partial(OBJECTIVES[name], tiny_network())

    def after_a_step(p):
        gradient = grad(lambda p: objective(p, episode))(p)
        return objective(tree_map(lambda p, g: p - 0.05 * g, p, gradient), episode)

    assert_slope(after_a_step, shaken_params(), eps=1e-7, rtol=1e-5)


# ---------------------------------------------------------------- objective and scores of episodes


@every_method
def test_the_objective_is_the_mean_over_tasks_one_by_one(name):
    network, params, episode = tiny_network(), shaken_params(), episode_of_noise()
    value, gradient = value_and_grad(partial(OBJECTIVES[name], network))(params, episode)
    assert onp.shape(value) == ()
    alone = [value_and_grad(partial(OBJECTIVES[name], network))(params, task_of(episode, t)) for t in range(T)]
    assert value == pytest.approx(sum(v for v, _ in alone) / T, rel=1e-10)
    tree_map(lambda g, *others: assert_close(g, sum(others) / T), gradient, *(g for _, g in alone))


@every_method
def test_the_objective_is_the_cross_entropy_of_the_transductive_scores(name):
    network, params, episode = tiny_network(), shaken_params(), episode_of_noise()
    scores = SCORES[name](network, params, episode, True)
    assert OBJECTIVES[name](network, params, episode) == pytest.approx(
        cross_entropy(scores, episode.query_y).mean(), rel=1e-10)


@both_modes
@every_method
def test_scores_at_once_are_those_one_by_one(name, transductive):
    network, params, episode = tiny_network(), shaken_params(), episode_of_noise()
    together = SCORES[name](network, params, episode, transductive)
    assert together.shape == (T, N * Q, N)
    for t in range(T):
        alone = SCORES[name](network, params, task_of(episode, t), transductive)
        onp.testing.assert_allclose(together[t:t + 1], alone, rtol=0, atol=1e-10)


def with_other_neighbours(episode):
    query_x = episode.query_x.copy()
    query_x[:, 1:] = query_x[:, 1:] ** 2 + 1
    return episode._replace(query_x=query_x)


@every_method
def test_a_query_is_scored_by_itself_with_the_statistics_of_the_support(name):
    episode, one = episode_of_noise(), episode_of_noise()
    one = one._replace(query_x=one.query_x[:, :1])
    alone, before, after = (SCORES[name](tiny_network(), shaken_params(), e, False)[:, 0]
                            for e in (one, episode, with_other_neighbours(episode)))
    onp.testing.assert_allclose(alone, before, rtol=0, atol=1e-10)
    onp.testing.assert_allclose(after, before, rtol=0, atol=1e-10)


@every_method
def test_transductive_scores_depend_on_the_neighbours(name):
    before, after = (SCORES[name](tiny_network(), shaken_params(), e, True)[:, 0]
                     for e in (episode_of_noise(), with_other_neighbours(episode_of_noise())))
    assert onp.abs(after - before).max(axis=-1).min() > 1e-4


@both_modes
def test_one_pass_embeds_support_and_query_with_the_statistics_that_it_promises(transductive):
    network, params, episode = tiny_network(), shaken_params(), episode_of_noise()
    support, query = embed(network, params, episode, transductive)
    images = onp.concatenate([episode.support_x, episode.query_x], axis=1)
    whole = network.apply(params, images, n_reference=N * (K + Q) if transductive else N * K)
    onp.testing.assert_allclose(onp.concatenate([support, query], axis=1), whole, rtol=0, atol=1e-12)
    if not transductive:
        onp.testing.assert_allclose(support, network.apply(params, episode.support_x), rtol=0, atol=1e-12)


@both_modes
@every_method
def test_the_order_of_the_support_makes_no_difference_to_the_scores(name, transductive):
    episode, order = episode_of_noise(), rng_of(9).permutation(N * K)
    moved = episode._replace(support_x=episode.support_x[:, order], support_y=episode.support_y[:, order])
    before, after = (SCORES[name](tiny_network(), shaken_params(), e, transductive) for e in (episode, moved))
    onp.testing.assert_allclose(after, before, rtol=0, atol=1e-9)


@both_modes
@every_method
def test_scores_do_not_see_the_query_labels(name, transductive):
    episode = episode_of_noise()
    hidden = SCORES[name](tiny_network(), shaken_params(), episode._replace(query_y=None), transductive)
    onp.testing.assert_array_equal(hidden, SCORES[name](tiny_network(), shaken_params(), episode, transductive))


@both_modes
@every_method
def test_float32_stays_float32(name, transductive):
    network = tiny_network()
    params, episode = network.init(rng_of()), episode_of_noise("float32")
    value, gradient = value_and_grad(partial(OBJECTIVES[name], network))(params, episode)
    assert value.dtype == "float32"
    assert {leaf.dtype for leaf in leaves(gradient)} == {onp.dtype("float32")}
    assert SCORES[name](network, params, episode, transductive).dtype == "float32"


@every_method
def test_a_few_steps_on_one_episode_teach_it(name):
    network, episode, state = tiny_network(), episode_of_noise("float32", n_tasks=1), None
    params, losses = network.init(rng_of()), []
    for _ in range(40):
        loss, gradient = value_and_grad(partial(OBJECTIVES[name], network))(params, episode)
        params, state = adam(params, gradient, state, 0.02)
        losses.append(loss)
    assert losses[-1] < losses[0] - 0.02
    assert losses[-1] == min(losses[::10] + losses[-1:])


def test_the_learner_of_the_curve_answers_as_the_scores_do():
    network, params, episode = tiny_network(), shaken_params(), episode_of_noise()
    expected = prototypical_scores(network, params, episode, False).argmax(-1)
    for t in range(T):
        found = nearest_prototype(network, params, episode.support_x[t], episode.support_y[t], episode.query_x[t], N,
                                  rng_of())
        onp.testing.assert_array_equal(found, expected[t])


# ---------------------------------------------------------------- the picture


def test_principal_components_keep_the_distances_in_a_plane():
    plane = points(9, 2) @ points(2, D, seed=1) + 4
    onp.testing.assert_allclose(squared_distances(*[principal_components(plane)] * 2),
                                squared_distances(plane, plane), atol=1e-10)


def test_principal_components_are_ordered_centred_and_uncorrelated():
    found = principal_components(points(30, D) * onp.arange(1, D + 1), 3)
    onp.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-12)
    covariance = found.T @ found
    onp.testing.assert_allclose(covariance, onp.diag(onp.diag(covariance)), atol=1e-9)
    assert (onp.diff(onp.diag(covariance)) < 0).all()


def test_the_picture_marks_as_prototypes_the_means_of_the_support():
    network = tiny_network()
    start, other = (network.init(rng_of(seed)) for seed in (0, 1))
    figure = draw_embedding(network, start, other, episode_of_noise("float32", n_tasks=1))
    panel = figure.axes[1]
    lines = [onp.transpose(line.get_data()) for line in panel.lines]
    assert len(lines) == 3 * N  # of each class its examples, its queries, its prototype
    for support, query, centre in zip(lines[0::3], lines[1::3], lines[2::3], strict=True):
        assert (len(support), len(query)) == (K, Q)
        onp.testing.assert_allclose(centre[0], support.mean(axis=0), rtol=1e-3, atol=1e-4)


# ---------------------------------------------------------------- the run

TINY = ["--quick", "--iterations", "3", "--episodes", "4", "--channels", "4", "--n-query", "2", "--train-way", "8",
        "--curve-ways", "3", "--scratch-iterations", "1"]
NAMES = ["prototypical, 8-way", "prototypical, 5-way", "prototypical, 8-way, not squared", "matching, 5-way",
         "matching, 8-way", "matching, 8-way, sharper"]
FILES = {"curve.png", "embedding.png", "training.png", "record.json",
         *(name.replace(",", "").replace(" ", "-") + ".npz" for name in NAMES)}


def run_tiny(out, *argv):
    main([*TINY, "--out", str(out), *argv])
    return read_record(out / "record.json")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """The folder of one tiny run."""
    out = tmp_path_factory.mktemp("tiny")
    run_tiny(out)
    return out


def metrics_of(folder):
    return read_record(folder / "record.json")["metrics"]


def test_the_quick_run_end_to_end(tmp_path, capsys):
    record = run_tiny(tmp_path)
    text = capsys.readouterr().out
    lines = text.splitlines()
    assert lines[0].startswith("5 characters that it has never seen, 1 example(s) of each")
    assert max(map(len, (line for line in lines if str(tmp_path) not in line))) <= 80
    assert text.replace("±", "").isascii()
    assert lines[-1].startswith("Next:")
    assert {path.name for path in tmp_path.iterdir()} == FILES
    assert all(str(tmp_path / name) in text for name in FILES)
    for name in FILES:
        if name.endswith(".png"):
            with Image.open(tmp_path / name) as picture:
                picture.verify()
        elif name.endswith(".npz"):
            assert all(onp.isfinite(leaf).all() and leaf.dtype == "float32"
                       for leaf in leaves(load_params(tmp_path / name)))
    assert all(onp.isfinite(value) for metric in record["metrics"].values() for value in metric.values())
    assert record["lesson"] == "lesson3_metric"
    assert record["seconds"] > 0


def test_the_record_holds_every_number_of_the_tables(tiny):
    metrics = metrics_of(tiny)
    transductive = [f"{name}, transductive" for name in (NAMES[0], NAMES[-1])]
    rows = ["nearest pixels", "no training", *NAMES, *transductive]
    rows += [f"{name} minus {NAMES[0]}" for name in NAMES[1:] + transductive]
    settings = ["5-way 1-shot", "5-way 5-shot", "20-way 1-shot"]
    curves = {f"{learner}, {n} images per class" for n in (1, 2, 5, 10, 15)
              for learner in ("nearest pixels", "network from scratch", "nearest prototype")}
    assert set(metrics) == curves | {f"{row}, {setting}" for row in rows for setting in settings}
    assert all(set(metric) == {"mean", "interval"} for metric in metrics.values())


def test_a_difference_is_that_of_the_means(tiny):
    metrics = metrics_of(tiny)
    for name in NAMES[1:]:
        difference = metrics[f"{name} minus {NAMES[0]}, 5-way 1-shot"]
        assert difference["mean"] == pytest.approx(
            metrics[f"{name}, 5-way 1-shot"]["mean"] - metrics[f"{NAMES[0]}, 5-way 1-shot"]["mean"])


def test_the_same_seed_gives_the_same_numbers(tiny, tmp_path):
    assert run_tiny(tmp_path)["metrics"] == metrics_of(tiny)
    assert run_tiny(tmp_path, "--seed", "1")["metrics"] != metrics_of(tiny)


def test_no_two_methods_end_alike(tiny):
    found = [vector(load_params(tiny / name)) for name in sorted(FILES) if name.endswith(".npz")]
    for i, one in enumerate(found):
        assert all(onp.abs(one - other).max() > 1e-6 for other in found[:i])


def test_more_ways_shots_and_pooling_run(tmp_path):
    record = run_tiny(tmp_path, "--n-way", "7", "--k-shot", "2", "--down", "pool")
    assert "prototypical, 7-way, 28-way 2-shot" in record["metrics"]
    assert "prototypical, 7-way, 7-way 10-shot" in record["metrics"]


def test_training_with_the_ways_of_the_test_leaves_fewer_methods(tmp_path):
    metrics = run_tiny(tmp_path, "--train-way", "5")["metrics"]
    assert sum("5-way 1-shot" in name and "minus" not in name for name in metrics) == 8  # six without the two equal


def test_what_trains_is_what_tests():
    found = methods(20, 5)
    assert [method.train_way for method in found.values()] == [20, 5, 20, 5, 20, 20]
    network, episode = tiny_network(), episode_of_noise()
    params = shaken_params()
    for method in found.values():
        scores = method.scores(network, params, episode, True)
        assert method.objective(network, params, episode) == pytest.approx(
            cross_entropy(scores, episode.query_y).mean(), rel=1e-10)


def write_folder(root, n_classes, n_images):
    rng = rng_of()
    for c in range(n_classes):
        (root / f"class{c:02}").mkdir(parents=True)
        for i in range(n_images):
            Image.fromarray((255 * rng.random((28, 28))).astype("uint8")).save(root / f"class{c:02}" / f"{i}.png")


def test_a_folder_of_the_readers_own(tmp_path, capsys):
    write_folder(tmp_path / "mine", 12, 5)
    metrics = run_tiny(tmp_path / "out", "--data", str(tmp_path / "mine"), "--n-way", "3")["metrics"]
    text = capsys.readouterr().out
    assert "There are 6 classes to train on: 6-way episodes in place of 8-way." in text
    assert "prototypical, 6-way, 3-way 1-shot" in metrics
    assert not [name for name in metrics if "12-way" in name or "5-shot" in name]  # 3 classes, 5 images of each
    assert "nearest prototype, 1 images per class" in metrics


def test_a_small_folder_is_tested_on_and_glyphs_are_trained_on(tmp_path):
    write_folder(tmp_path / "mine", 5, 4)
    metrics = run_tiny(tmp_path / "out", "--data", str(tmp_path / "mine"))["metrics"]
    assert {name.split(", ")[-1] for name in metrics} == {"5-way 1-shot", "1 images per class"}


@pytest.mark.parametrize(("n_classes", "n_images", "expected"), [
    (20, 7, [(5, 1), (5, 5), (20, 1)]), (19, 7, [(5, 1), (5, 5)]), (20, 6, [(5, 1), (20, 1)]), (5, 3, [(5, 1)])])
def test_settings_are_those_for_which_there_is_enough(n_classes, n_images, expected):
    class Classes:
        images_of = [range(n_images)] * n_classes

        def __len__(self):
            return n_classes
    assert possible_settings(Classes(), SimpleNamespace(n_way=5, k_shot=1, n_query=2)) == expected


@pytest.fixture
def no_training(monkeypatch):
    """main() must not come as far as training."""
    def train(*args, **kwargs):
        raise AssertionError("training started")
    monkeypatch.setattr(lesson3_metric, "train", train)


@pytest.mark.parametrize(("argv", "error", "message"), [
    (["--n-way", "60"], ValueError, "60-way episodes need 60 classes"),
    (["--n-query", "20"], ValueError, r"1 support \+ 20 query need 21"),
    (["--k-shot", "19"], ValueError, r"19 support \+ 2 query need 21"),
    (["--data", "nowhere"], FileNotFoundError, "--data nowhere is neither glyphs nor omniglot"),
    (["--repetitions", "1"], SystemExit, "2"), (["--train-way", "1"], SystemExit, "2"),
    (["--iter", "5"], SystemExit, "2"), (["--train-way", "0"], SystemExit, "2"), (["--down", "up"], SystemExit, "2")])
@pytest.mark.usefixtures("no_training")
def test_what_cannot_be_is_told_before_training(argv, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        main([*TINY, *argv, "--out", str(tmp_path / "out")])


@pytest.mark.parametrize("name", ["prototypical-8-way.npz", "embedding.png", "record.json"])
@pytest.mark.usefixtures("no_training")
def test_foreign_files_are_refused_before_training(name, tmp_path, capsys):
    (tmp_path / name).write_bytes(b"my own")
    with pytest.raises(SystemExit) as stop:
        main([*TINY, "--out", str(tmp_path)])
    assert stop.value.code == 2
    assert name in capsys.readouterr().err
    assert (tmp_path / name).read_bytes() == b"my own"


# ---------------------------------------------------------------- what the lesson claims


@pytest.fixture(scope="module")
def claims():
    """{seed: {row: mean accuracy}} of short training runs on glyphs: 20-way 1-shot on unseen scripts."""
    training, test = glyphs.load("train"), glyphs.load("test")
    found = {}
    for seed in range(3):
        network = conv4(channels=16, down="stride", features="mean")
        start = network.init(rng_of(seed))
        episode = sample_episodes(test, 20, 1, 5, 60, rng_of(100 + seed))
        found[seed] = {"pixels": accuracies(pixel_scores(None, episode), episode.query_y).mean(),
                       "no training": accuracies(prototypical_scores(network, start, episode, False),
                                                 episode.query_y).mean()}
        for name, method in methods(20, 5).items():
            rng, params, state = rng_of(seed), start, None
            for iteration in range(500):  # after 250 the last bits of a sum still move the order
                batch = sample_episodes(training, method.train_way, 1, 5, 20 // method.train_way, rng)
                _, gradient = value_and_grad(partial(method.objective, network))(params, batch)
                params, state = adam(params, gradient, state, 1e-2 * (1 - iteration / 500))
            scores = method.scores(network, params, episode, False)
            found[seed][name] = accuracies(scores, episode.query_y).mean()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_trained_embedding_beats_pixels_and_an_untrained_one(claims, seed):
    ours = claims[seed]["prototypical, 20-way"]
    assert ours > claims[seed]["pixels"] + 0.2
    assert ours > claims[seed]["no training"] + 0.2


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_more_ways_in_training_than_in_the_test_help(claims, seed):
    assert claims[seed]["prototypical, 20-way"] > claims[seed]["prototypical, 5-way"] + 0.02


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_cosines_alone_hold_matching_networks_back(claims, seed):
    for name in ("matching, 5-way", "matching, 20-way"):
        assert claims[seed]["matching, 20-way, sharper"] > claims[seed][name] + 0.05
    assert claims[seed]["prototypical, 20-way"] > claims[seed]["matching, 5-way"] + 0.1
