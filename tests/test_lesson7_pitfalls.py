"""Lesson 7: each spoiler does what it says and nothing else, the reports by hand, and the run."""

from functools import partial

import numpy as np
import pytest

from fewshot_np import lesson7_pitfalls as lesson
from fewshot_np.data.classes import to_float
from fewshot_np.lesson2_episodes import mean_confidence_interval, sample_episodes
from fewshot_np.lesson3_initialisation import classification_loss
from fewshot_np.lesson4_maml import adapt, maml_objective
from fewshot_np.nn.networks import conv4
from fewshot_np.nn.trees import repeat, tree_map
from tests.scaffolding import classes_of, run_tiny

N_WAY, K_SHOT, N_QUERY, N_TASKS = 4, 2, 5, 3
SETTING = N_WAY, K_SHOT, N_QUERY, N_TASKS


@pytest.fixture(scope="module")
def classes():
    return classes_of(*[12] * 9, side=16)


@pytest.fixture
def episode(classes):
    """Episodes that must not have changed at the end of the test."""
    episode = sample_episodes(classes, *SETTING, np.random.default_rng(1))
    before = [field.copy() for field in episode]
    yield episode
    for field, copy in zip(episode, before, strict=True):
        np.testing.assert_array_equal(field, copy)


@pytest.fixture(scope="module")
def network():
    return conv4((16, 16, 1), N_WAY, channels=4, down="stride", features="mean")


@pytest.fixture
def adapted(network, episode):
    start = repeat(network.init(np.random.default_rng(0)), N_TASKS)
    return adapt(partial(classification_loss, network), start, episode.support_x, episode.support_y, 0.4, 2)


def assert_only_differs_in(fields, spoiled, episode):
    for name, mine, theirs in zip(episode._fields, spoiled, episode, strict=True):
        assert mine.dtype == theirs.dtype
        assert np.array_equal(mine, theirs) == (name not in fields), name


def assert_images_are_those_of_the_ids(episode, classes):
    np.testing.assert_array_equal(episode.support_x, to_float(classes.images[episode.support_ids]))
    np.testing.assert_array_equal(episode.query_x, to_float(classes.images[episode.query_ids]))


# ---------------------------------------------------------------- batch norm


@pytest.mark.parametrize("n_query", [1, 2, 5, 7, 15])
def test_every_query_is_asked_once_in_batches_of_every_kind(n_query):
    kinds = lesson.query_batches(3, n_query)
    assert {"1 of each class", f"{n_query} of each class"} <= set(kinds)
    assert ("5 of each class" in kinds) == (n_query % 5 == 0)
    assert kinds["alone"].shape == (3 * n_query, 1)
    np.testing.assert_array_equal(kinds["of one class"] // n_query, np.arange(3)[:, None].repeat(n_query, axis=1))
    for name, batches in kinds.items():
        np.testing.assert_array_equal(np.sort(batches.ravel()), np.arange(3 * n_query))
        if name.endswith("of each class"):
            for batch in batches:
                np.testing.assert_array_equal(np.bincount(batch // n_query, minlength=3), [int(name.split()[0])] * 3)


@pytest.mark.parametrize("kind", ["1 of each class", f"{N_QUERY} of each class", "alone", "of one class"])
def test_batches_against_a_loop_over_tasks_and_batches(network, adapted, episode, kind):
    batches = lesson.query_batches(N_WAY, N_QUERY)[kind]
    logits = lesson.logits_in_batches(network, adapted, episode.query_x, batches)
    assert logits.shape == (N_TASKS, N_WAY * N_QUERY, N_WAY)
    assert logits.dtype == np.float32
    for t in range(N_TASKS):
        params = tree_map(lambda p, t=t: p[t], adapted)
        for batch in batches:
            np.testing.assert_allclose(logits[t, batch], network.apply(params, episode.query_x[t, batch]),
                                       rtol=1e-4, atol=1e-5)


# ---------------------------------------------------------------- spoiled episodes


def test_the_objective_with_the_support_as_query_is_the_loss_on_the_support(network, episode):
    spoiled = lesson.support_as_query(episode)
    for what in ("x", "y", "ids"):
        assert getattr(spoiled, f"query_{what}") is getattr(spoiled, f"support_{what}")
        assert getattr(spoiled, f"support_{what}") is getattr(episode, f"support_{what}")
    loss, params = partial(classification_loss, network), network.init(np.random.default_rng(0))
    moved = adapt(loss, repeat(params, N_TASKS), episode.support_x, episode.support_y, 0.4, 1)
    expected = loss(moved, episode.support_x, episode.support_y).mean()
    assert maml_objective(loss, params, spoiled, 0.4, 1) == pytest.approx(expected, rel=1e-5)
    assert maml_objective(loss, params, episode, 0.4, 1) != pytest.approx(expected, rel=1e-2)


def test_overlap_leaks_one_support_image_into_each_class(episode, classes):
    spoiled = lesson.overlap(episode)
    assert_only_differs_in({"query_x", "query_ids"}, spoiled, episode)
    assert_images_are_those_of_the_ids(spoiled, classes)
    np.testing.assert_array_equal(classes.labels[spoiled.query_ids], classes.labels[episode.query_ids])
    for t in range(N_TASKS):
        np.testing.assert_array_equal(np.flatnonzero(spoiled.query_ids[t] != episode.query_ids[t]),
                                      np.arange(N_WAY) * N_QUERY)
        both = np.intersect1d(spoiled.support_ids[t], spoiled.query_ids[t])
        np.testing.assert_array_equal(np.sort(spoiled.support_ids[t, ::K_SHOT]), both)


def test_a_class_drawn_twice_has_one_label(classes):
    drawn = lesson.sample_with_replacement(classes, *SETTING, np.random.default_rng(0))
    assert drawn.support_x.shape == (N_TASKS, N_WAY * K_SHOT, 16, 16, 1)
    assert drawn.query_x.shape == (N_TASKS, N_WAY * N_QUERY, 16, 16, 1)
    assert drawn.support_x.dtype == np.float32
    assert_images_are_those_of_the_ids(drawn, classes)
    for t in range(N_TASKS):
        pairs = {*zip(drawn.support_y[t], classes.labels[drawn.support_ids[t]], strict=True),
                 *zip(drawn.query_y[t], classes.labels[drawn.query_ids[t]], strict=True)}
        labels, ids = zip(*pairs, strict=True)
        assert len(set(labels)) == len(set(ids)) == len(pairs)
    only = lesson.sample_with_replacement(classes.subset([3]), *SETTING, np.random.default_rng(0))
    assert not only.support_y.any()
    assert not only.query_y.any()


def test_drawing_with_replacement_repeats_classes_as_often_as_chance_does(classes):
    drawn = lesson.sample_with_replacement(classes, 4, 1, 1, 4000, np.random.default_rng(0))
    fewer = np.mean([len(set(labels)) < 4 for labels in drawn.support_y])
    assert fewer == pytest.approx(1 - 8 * 7 * 6 / 9 ** 3, abs=0.03)  # a birthday problem: 4 of 9 days
    assert drawn.support_y.max() < 4
    assert np.bincount(classes.labels[drawn.support_ids[:, 0]], minlength=9).min() > 4000 / 9 * 0.75


def test_sorted_labels_follow_the_class_ids_and_honest_ones_do_not(episode, classes):
    spoiled = lesson.sort_labels(episode, classes)
    assert_only_differs_in({"support_y", "query_y"}, spoiled, episode)
    for t in range(N_TASKS):
        ids = np.unique(classes.labels[episode.support_ids[t]])
        np.testing.assert_array_equal(ids[spoiled.support_y[t]], classes.labels[spoiled.support_ids[t]])
        np.testing.assert_array_equal(ids[spoiled.query_y[t]], classes.labels[spoiled.query_ids[t]])
    tasks = sample_episodes(classes, 3, 1, 1, 3000, np.random.default_rng(0))
    unchanged = (lesson.sort_labels(tasks, classes).support_y == tasks.support_y).all(axis=1).mean()
    assert unchanged == pytest.approx(1 / 6, abs=0.03)


def test_smoothing_against_a_loop():
    rng = np.random.default_rng(0)
    logits, order = rng.normal(size=(2, 6, 3)).astype("float32"), rng.permutation(6)
    smooth = lesson.smooth_along_list(logits, order)
    assert smooth.dtype == np.float32
    for place, query in enumerate(order):
        together = [order[max(place - 1, 0)], query, order[min(place + 1, 5)]]
        np.testing.assert_allclose(smooth[:, query], logits[:, together].mean(axis=1), rtol=1e-5, atol=1e-6)


# ---------------------------------------------------------------- spoiled reports


def test_the_interval_over_images_is_that_of_single_zeros_and_ones():
    right = np.random.default_rng(0).random((40, 75)) < 0.7
    expected = mean_confidence_interval(right.ravel().astype(float))[1]
    assert lesson.interval_over_images(right.mean(axis=1), 75) == pytest.approx(expected, rel=1e-9)


def test_coverage_by_hand():
    accuracy = np.array([0.4, 0.6, 0.8, 1.0])  # the mean of all is 0.7, those of pairs 0.5 and 0.9
    assert lesson.coverage(accuracy, 2, lambda group: 0.21) == 1
    assert lesson.coverage(accuracy, 2, lambda group: 0.19) == 0
    assert lesson.coverage(accuracy, 2, lambda group: 0.21 if group[0] < 0.5 else 0) == 0.5


def test_an_unpaired_difference_by_hand():
    flattering, honest = np.array([0.5, 0.7, 0.9]), np.array([0.3, 0.6])
    assert lesson.difference(flattering, honest, paired=False) == pytest.approx(
        (0.7 - 0.45, (4.303**2 * 0.04 / 3 + 12.706**2 * 0.045 / 2) ** 0.5))


@pytest.mark.parametrize(("call", "message"), [
    (lambda classes: lesson.in_groups(np.zeros(4), 5), "a group of 5 needs as many values, got 4"),
    (lambda classes: lesson.difference(np.zeros(3), np.zeros(4), paired=True), "broadcast"),
    (lambda classes: lesson.sample_with_replacement(classes, 4, 3, 10, 2, np.random.default_rng(0)),
     r"has 12 images; 3 support \+ 10 query need 13")])
def test_too_few_values_or_images_are_refused(call, message, classes):
    with pytest.raises(ValueError, match=message):
        call(classes)


# ---------------------------------------------------------------- the run

TINY = ["--iterations", "3", "--small-iterations", "3", "--episodes", "12", "--meta-batch", "2", "--channels", "4",
        "--small-channels", "4", "--n-query", "5"]


def test_the_numbers_of_a_run_fit_together(tmp_path):
    metrics = run_tiny("lesson7_pitfalls", tmp_path, *TINY)["metrics"]
    pitfalls = [name.removesuffix(": difference") for name in metrics if name.endswith(": difference")]
    assert len(pitfalls) == 11
    mean = {name: metric["mean"] for name, metric in metrics.items()}
    for pitfall in pitfalls:
        gain = mean[f"{pitfall}: flattering"] - mean[f"{pitfall}: honest"]
        assert mean[f"{pitfall}: difference"] == pytest.approx(gain, abs=1e-9)
    assert mean["the best of 3 seeds: flattering"] == max(mean[f"seed {seed}"] for seed in range(3))
    assert mean["scores smoothed along the list: honest"] == pytest.approx(mean["statistics of the support"])
    assert mean["5 episodes, the best of 4 tries: difference"] >= 0
    assert len(list(tmp_path.glob("*.npz"))) == 7


@pytest.mark.slow
@pytest.mark.parametrize("seed", ["0", "1", "2"])
def test_every_pitfall_flatters(seed, tmp_path):
    """On the quick set, with the settings of a few minutes made smaller."""
    metrics = run_tiny("lesson7_pitfalls", tmp_path, "--iterations", "300", "--small-iterations", "300", "--channels",
                       "16", "--small-channels", "16", "--meta-batch", "8", "--episodes", "200",
                       "--seed", seed)["metrics"]
    uncertain = {"tested on training characters", "the best of 3 seeds"}
    for name, metric in metrics.items():
        pitfall, _, what = name.partition(": ")
        if what == "difference":
            assert metric["mean"] > (0 if pitfall in uncertain else metric["interval"]), pitfall
    assert metrics["outer loss on the support: flattering"]["mean"] > 0.97
    assert metrics["outer loss on the support: honest"]["mean"] < metrics["seed " + seed]["mean"] - 0.05
    assert metrics["statistics of the query alone"]["mean"] < 0.35
    assert metrics["statistics of 15 queries of one class"]["mean"] < 0.35
    images, episodes = metrics["interval over images"], metrics["interval over episodes"]
    assert images["coverage"] < episodes["coverage"]
    assert images["interval"] < 0.7 * episodes["interval"]
