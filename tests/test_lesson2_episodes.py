"""Lesson 2: what an episode must be, drawn thousands of times; splits, intervals, pixels, and the run."""

import inspect
import itertools

import numpy as np
import pytest
from PIL import Image

from fewshot_np.data import ImageClasses
from fewshot_np.data.classes import to_float
from fewshot_np.data.splits import split_classes
from fewshot_np.experiment.records import read_record
from fewshot_np.lesson2_episodes import Episode, accuracies, main, mean_confidence_interval, sample_episodes, scores


def classes_of(*sizes, side=2, seed=0):
    """Classes of these sizes, "class 0" and so on; the images are noise, and lie in random order."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    images = rng.integers(0, 256, (len(labels), side, side, 1)).astype(np.uint8)
    return ImageClasses(images, labels, [f"class {c}" for c in range(len(sizes))], ["script"] * len(sizes))


def draw(classes, n_way=3, k_shot=2, n_query=4, n_tasks=5, seed=0):
    return sample_episodes(classes, n_way, k_shot, n_query, n_tasks, np.random.default_rng(seed))


def assert_same_episode(first, second):
    for mine, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(mine, other)


def classes_drawn(classes, episode, k_shot):
    """(T, N): the class that stands behind each label."""
    return classes.labels[episode.support_ids[:, ::k_shot]]


def assert_counts(counts, n, probability, sigmas=4.5):
    """Every count is binomial(n, probability) or narrower."""
    deviation = np.abs(np.asarray(counts) - n * probability).max()
    assert deviation < sigmas * np.sqrt(n * probability * (1 - probability)), (deviation, counts)


# ---------------------------------------------------------------- one episode


def test_fields_and_arguments_have_their_fixed_names():
    assert Episode._fields == ("support_x", "support_y", "query_x", "query_y", "support_ids", "query_ids")
    assert list(inspect.signature(sample_episodes).parameters) == [
        "classes", "n_way", "k_shot", "n_query", "n_tasks", "rng"]


def test_shapes_and_types():
    episode = draw(classes_of(*[8] * 5, side=3))
    assert episode.support_x.shape == (5, 3 * 2, 3, 3, 1)
    assert episode.query_x.shape == (5, 3 * 4, 3, 3, 1)
    assert episode.support_y.shape == episode.support_ids.shape == (5, 6)
    assert episode.query_y.shape == episode.query_ids.shape == (5, 12)
    for images in (episode.support_x, episode.query_x):
        assert images.dtype == np.float32
        assert images.min() >= 0
        assert images.max() <= 1
    for integers in (episode.support_y, episode.query_y, episode.support_ids, episode.query_ids):
        assert np.issubdtype(integers.dtype, np.integer)


def test_ink_is_one_and_paper_zero():
    images = to_float(np.array([0, 51, 255], np.uint8))
    assert images.dtype == np.float32
    np.testing.assert_allclose(images, [0, 0.2, 1], rtol=1e-6)


def test_labels_run_from_zero_class_by_class():
    episode = draw(classes_of(*[8] * 5))
    np.testing.assert_array_equal(episode.support_y, np.tile([0, 0, 1, 1, 2, 2], (5, 1)))
    np.testing.assert_array_equal(episode.query_y, np.tile([0] * 4 + [1] * 4 + [2] * 4, (5, 1)))


def test_ids_are_the_images_positions():
    classes = classes_of(7, 6, 9, 8)
    episode = draw(classes)
    np.testing.assert_allclose(episode.support_x, classes.images[episode.support_ids] / 255, rtol=1e-6)
    np.testing.assert_allclose(episode.query_x, classes.images[episode.query_ids] / 255, rtol=1e-6)


def test_a_label_is_one_class_in_support_and_query_and_classes_are_distinct():
    classes = classes_of(7, 6, 9, 8)
    episode = draw(classes, n_tasks=50)
    behind = classes_drawn(classes, episode, k_shot=2)
    np.testing.assert_array_equal(classes.labels[episode.support_ids], behind.repeat(2, axis=1))
    np.testing.assert_array_equal(classes.labels[episode.query_ids], behind.repeat(4, axis=1))
    assert all(len(set(row)) == 3 for row in behind)


@pytest.mark.parametrize(("k_shot", "n_query"), [(1, 5), (3, 3), (5, 1), (1, 1)])
def test_support_and_query_never_share_an_image(k_shot, n_query):
    classes = classes_of(*[6] * 4)  # in three of the four cases every image of a class is used
    episode = draw(classes, n_way=4, k_shot=k_shot, n_query=n_query, n_tasks=40)
    for support, query in zip(episode.support_ids, episode.query_ids, strict=True):
        assert len({*support, *query}) == 4 * (k_shot + n_query)


def test_all_classes_at_once_and_one_class_alone():
    classes = classes_of(3, 3, 3)
    everything = draw(classes, n_way=3, k_shot=1, n_query=2, n_tasks=4)
    assert all(sorted({*s, *q}) == list(range(9))
               for s, q in zip(everything.support_ids, everything.query_ids, strict=True))
    assert draw(classes, n_way=1, k_shot=1, n_query=1, n_tasks=1).support_x.shape == (1, 1, 2, 2, 1)


def test_the_images_of_the_source_are_not_handed_out():
    classes = classes_of(*[8] * 5)
    before = classes.images.copy()
    draw(classes).support_x[:] = 7
    np.testing.assert_array_equal(classes.images, before)


def test_numpy_integers_are_integers():
    assert draw(classes_of(*[8] * 5), np.int64(3), np.int32(2), np.uint8(4), np.int16(5)).query_y.shape == (5, 12)


def test_same_seed_same_episodes_and_another_seed_others():
    classes = classes_of(*[8] * 5)
    assert_same_episode(draw(classes, seed=3), draw(classes, seed=3))
    assert not np.array_equal(draw(classes, seed=3).support_ids, draw(classes, seed=4).support_ids)


def test_one_generator_goes_on_and_the_global_one_is_not_touched():
    classes, rng = classes_of(*[8] * 5), np.random.default_rng(0)
    np.random.seed(5)  # noqa: NPY002
    expected = np.random.rand()  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    first, second = (sample_episodes(classes, 3, 2, 4, 5, rng) for _ in range(2))
    assert not np.array_equal(first.support_ids, second.support_ids)
    assert np.random.rand() == expected  # noqa: NPY002


# ---------------------------------------------------------------- many episodes

N_DRAWS = 3000


@pytest.fixture(scope="module")
def many():
    """Three of five classes of unequal size, one support and two query images each, many times."""
    classes = classes_of(4, 8, 5, 3, 6)
    return classes, draw(classes, n_way=3, k_shot=1, n_query=2, n_tasks=N_DRAWS, seed=1)


def test_every_class_is_as_likely_under_every_label(many):
    classes, episode = many
    behind = classes_drawn(classes, episode, k_shot=1)
    for label in range(3):
        assert_counts(np.bincount(behind[:, label], minlength=5), N_DRAWS, 1 / 5)


def test_every_order_of_the_classes_is_as_likely(many):
    classes, episode = many
    behind = classes_drawn(classes, episode, k_shot=1)
    orders = [tuple(np.argsort(row)) for row in behind]
    counts = [orders.count(order) for order in itertools.permutations(range(3))]  # the first: ascending
    assert sum(counts) == N_DRAWS
    assert_counts(counts, N_DRAWS, 1 / 6)


def test_every_set_of_classes_is_as_likely(many):
    classes, episode = many
    sets = [frozenset(row) for row in classes_drawn(classes, episode, k_shot=1)]
    assert_counts([sets.count(frozenset(s)) for s in itertools.combinations(range(5), 3)], N_DRAWS, 1 / 10)


def test_every_image_of_a_class_is_as_likely_in_support_and_query(many):
    classes, episode = many
    support = np.bincount(episode.support_ids.ravel(), minlength=len(classes.images))
    query = np.bincount(episode.query_ids.ravel(), minlength=len(classes.images))
    for ids in classes.images_of:
        assert_counts(support[ids], N_DRAWS, 3 / 5 / len(ids))
        assert_counts(query[ids], N_DRAWS, 3 / 5 * 2 / len(ids))


def test_tasks_do_not_repeat_each_other(many):
    _, episode = many
    assert len({tuple(ids) for ids in episode.support_ids}) > 500  # of (26^3 minus repetitions) possible ones


# ---------------------------------------------------------------- what cannot be drawn


def test_more_ways_than_classes():
    with pytest.raises(ValueError, match="6-way episodes need 6 classes, there are 5"):
        draw(classes_of(*[8] * 5), n_way=6)


def test_a_class_with_too_few_images_is_named():
    with pytest.raises(ValueError, match=r"'class 2' has 5 images; 2 support.*4 query need 6"):
        draw(classes_of(8, 9, 5, 7, 6))


@pytest.mark.parametrize("name", ["n_way", "k_shot", "n_query", "n_tasks"])
@pytest.mark.parametrize("value", [0, -1, 1.0, 2.5, True, None, "2", np.float64(2), float("nan")])
def test_numbers_must_be_positive_integers(name, value):
    with pytest.raises(ValueError, match=f"{name} must be a positive integer"):
        draw(classes_of(*[8] * 5), **{name: value})


# ---------------------------------------------------------------- splits


def test_split_parts_are_disjoint_and_as_large_as_asked():
    classes = classes_of(*[3] * 10)
    parts = split_classes(classes, (5, 3, 1), np.random.default_rng(0))
    assert [len(part) for part in parts] == [5, 3, 1]
    names = [name for part in parts for name in part.names]
    assert len(set(names)) == 9
    for part in parts:
        for name, ids in zip(part.names, part.images_of, strict=True):
            original = classes.images[classes.images_of[classes.names.index(name)]]
            np.testing.assert_array_equal(part.images[ids], original)


def test_splits_are_random_and_a_seed_repeats_them():
    classes = classes_of(*[2] * 12)

    def names(seed):
        return [part.names for part in split_classes(classes, (6, 6), np.random.default_rng(seed))]

    assert names(0) == names(0)
    assert len({tuple(sorted(names(seed)[0])) for seed in range(5)}) > 1
    firsts = [name for seed in range(300) for name in names(seed)[0]]
    assert_counts([firsts.count(f"class {c}") for c in range(12)], 300, 1 / 2)


def test_parts_larger_than_the_whole_are_refused():
    with pytest.raises(ValueError, match=r"\(3, 2\) classes need 5, there are 4"):
        split_classes(classes_of(2, 2, 2, 2), (3, 2), np.random.default_rng(0))


@pytest.mark.parametrize("sizes", [(-1, 3), (0, 2), (1.0, 2), (1.5, 2), (True, 2), (2, "1"), (2, None)])
def test_sizes_of_parts_must_be_positive_integers(sizes):
    with pytest.raises(ValueError, match="positive integer"):
        split_classes(classes_of(2, 2, 2, 2), sizes, np.random.default_rng(0))


# ---------------------------------------------------------------- accuracy and interval


def test_interval_anchor_worked_by_hand():
    mean, interval = mean_confidence_interval([0.0, 1.0, 2.0, 5.0])  # s^2 = (4 + 1 + 0 + 9)/3
    assert mean == 2.0
    assert interval == pytest.approx(1.96 * (14 / 3) ** 0.5 / 2)
    assert isinstance(mean, float)
    assert isinstance(interval, float)


def test_interval_of_two_values_of_equal_values_and_of_float32():
    assert mean_confidence_interval([1, 3]) == pytest.approx((2, 1.96))
    assert mean_confidence_interval([0.25] * 7) == (0.25, 0.0)
    values = np.random.default_rng(0).uniform(size=500)
    assert mean_confidence_interval(values.astype("float32")) == pytest.approx(mean_confidence_interval(values), 1e-6)


def test_the_interval_holds_the_truth_in_95_percent_of_cases():
    rng = np.random.default_rng(0)
    intervals = [mean_confidence_interval(rng.normal(size=100)) for _ in range(1000)]
    assert 0.93 < np.mean([abs(mean) < interval for mean, interval in intervals]) < 0.97


@pytest.mark.parametrize("values", [[], [0.5], 0.5, [[0.1, 0.2], [0.3, 0.4]]])
def test_an_interval_needs_two_values_in_a_row(values):
    with pytest.raises(ValueError, match="2 or more values"):
        mean_confidence_interval(values)


def test_accuracies_are_shares_per_task():
    task_scores = np.array([[[3, 1, 2], [0, 5, 1], [0, 1, 2], [9, 0, 0]], [[-3, -1, -2]] * 4])
    labels = np.array([[0, 1, 1, 2], [1, 1, 1, 0]])
    np.testing.assert_allclose(accuracies(task_scores, labels), [0.5, 0.75])


def test_a_query_with_a_score_that_is_nan_is_answered_wrong():
    nan, inf = np.nan, np.inf
    task_scores = np.array([[[nan, 0, 1], [nan, 0, 1], [0, 5, nan], [-inf, inf, 0]], [[nan, nan, nan]] * 4])
    np.testing.assert_array_equal(accuracies(task_scores, np.array([[0, 2, 1, 1], [0, 0, 1, 2]])), [0.25, 0])


@pytest.mark.parametrize("shape", [(2,), (4,), (1, 4), (2, 1), (2, 4, 3), (4, 2), ()])
def test_accuracies_need_one_label_per_query(shape):
    with pytest.raises(ValueError, match=r"scores \(2, 4, 3\) need labels \(2, 4\)"):
        accuracies(np.zeros((2, 4, 3)), np.zeros(shape, int))


# ---------------------------------------------------------------- pixels


def slow_scores(episode):
    n_tasks, n_queries = episode.query_y.shape
    n_way = len(set(episode.support_y[0]))
    table = np.zeros((n_tasks, n_queries, n_way))
    for t in range(n_tasks):
        for q in range(n_queries):
            for label in range(n_way):
                distances = [float(np.sum((episode.query_x[t, q].astype(float) - image) ** 2))
                             for image, y in zip(episode.support_x[t], episode.support_y[t], strict=True) if y == label]
                table[t, q, label] = -min(distances)
    return table


@pytest.mark.parametrize(("n_way", "k_shot"), [(2, 1), (3, 3), (5, 2)])
def test_pixel_scores_are_what_loops_give(n_way, k_shot):
    episode = draw(classes_of(*[6] * 6, side=4), n_way=n_way, k_shot=k_shot, n_query=3)
    table = scores(None, episode)
    assert table.shape == (5, 3 * n_way, n_way)
    np.testing.assert_allclose(table, slow_scores(episode), rtol=1e-5, atol=1e-5)


def test_pixel_scores_do_not_need_the_support_in_order():
    episode = draw(classes_of(*[6] * 6, side=4), k_shot=3, n_query=3)
    order = np.random.default_rng(0).permutation(9)
    shuffled = episode._replace(support_x=episode.support_x[:, order], support_y=episode.support_y[:, order])
    np.testing.assert_allclose(scores(None, shuffled), scores(None, episode), rtol=1e-5)


def test_pixels_recognise_what_was_shown_and_guess_on_noise():
    classes = classes_of(*[6] * 6, side=5)
    episode = draw(classes, k_shot=2, n_query=4, n_tasks=400)
    shown = episode._replace(query_x=episode.support_x, query_y=episode.support_y)
    np.testing.assert_array_equal(accuracies(scores(None, shown), shown.query_y), 1)
    mean, interval = mean_confidence_interval(accuracies(scores(None, episode), episode.query_y))
    assert abs(mean - 1 / 3) < 2.5 * interval  # noise: chance


def test_pixel_scores_ignore_mode_and_parameters():
    episode = draw(classes_of(*[6] * 6), k_shot=1, n_query=3)
    np.testing.assert_array_equal(scores(None, episode), scores({"w": 1}, episode, "support"))


# ---------------------------------------------------------------- the run


def test_the_quick_run_prints_a_table_draws_an_episode_and_keeps_a_record(tmp_path, capsys):
    out = tmp_path / "new" / "folder"
    main(["--quick", "--out", str(out), "--episodes", "10"])
    printed = capsys.readouterr().out
    assert printed.splitlines()[0].startswith("Characters of 4 scripts that nobody has trained on")
    assert all(f"{n:2}-way {k}-shot" in printed for n in (5, 20) for k in (1, 5))
    assert str(out / "episode.png") in printed
    assert str(out / "record.json") in printed
    assert printed.splitlines()[-1].startswith("Next: python -m fewshot_np.")
    assert printed.replace("±", "").isascii()
    with Image.open(out / "episode.png") as picture:
        picture.verify()
    record = read_record(out / "record.json")
    assert record["lesson"] == "lesson2_episodes"
    assert record["options"]["quick"] is True
    assert record["options"]["episodes"] == 10
    assert set(record["metrics"]) == {f"pixels {n}-way {k}-shot" for n in (5, 20) for k in (1, 5)}
    for metric in record["metrics"].values():
        assert 0 <= metric["mean"] <= 1
        assert 0 < metric["interval"] < 0.2
        assert metric["n_query"] == 15
    assert sorted(path.name for path in out.iterdir()) == ["episode.png", "record.json"]


def test_the_same_seed_gives_the_same_table(tmp_path):
    def metrics(seed):
        main(["--quick", "--episodes", "5", "--n-query", "3", "--seed", str(seed), "--out", str(tmp_path)])
        return read_record(tmp_path / "record.json")["metrics"]

    assert metrics(0) == metrics(0) != metrics(1)


@pytest.mark.parametrize("argv", [["--iterations", "5"], ["--epi", "5"], ["extra"], ["--quick", "--full"]])
def test_unknown_options_end_with_code_2(argv, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main([*argv, "--out", str(tmp_path)])
    assert stop.value.code == 2
    assert argv[0] in capsys.readouterr().err
