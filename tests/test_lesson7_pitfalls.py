"""Lesson 7: each spoiler does what it says and nothing else, the reports by hand, and the run."""

import math
from functools import partial

import numpy as np
import pytest
from PIL import Image

from fewshot_np import lesson7_pitfalls
from fewshot_np.data.classes import ImageClasses, to_float
from fewshot_np.experiment.records import load_params, read_record
from fewshot_np.lesson2_episodes import accuracies, mean_confidence_interval, sample_episodes
from fewshot_np.lesson3_initialisation import classification_loss, query_logits
from fewshot_np.lesson4_maml import adapt, maml_objective
from fewshot_np.lesson7_pitfalls import (
    chosen_on_test,
    company,
    coverage,
    difference,
    elsewhere,
    hear_neighbours,
    in_groups,
    interval_over_images,
    logits_in_batches,
    main,
    overlap,
    sample_with_replacement,
    sort_labels,
    support_as_query,
)
from fewshot_np.nn.networks import conv4
from fewshot_np.nn.trees import leaves, repeat, tree_map

N_WAY, K_SHOT, N_QUERY, N_TASKS = 4, 2, 5, 3
SETTING = N_WAY, K_SHOT, N_QUERY, N_TASKS


@pytest.fixture(scope="module")
def classes():
    """9 classes of 12 images of 16x16: noise around a picture of the class's own; ids in no order of anything."""
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.repeat(np.arange(9), 12))
    means = rng.uniform(60, 190, (9, 16, 16, 1))
    images = (means[labels] + rng.uniform(-60, 60, (len(labels), 16, 16, 1))).astype(np.uint8)
    return ImageClasses(images, labels, tuple("abcdefghi"), ("letters",) * 9)


@pytest.fixture
def episode(classes):
    return sample_episodes(classes, *SETTING, np.random.default_rng(1))


@pytest.fixture(scope="module")
def network():
    return conv4((16, 16, 1), N_WAY, channels=4, down="stride", features="mean")


@pytest.fixture
def adapted(network, episode):
    start = repeat(network.init(np.random.default_rng(0)), N_TASKS)
    return adapt(partial(classification_loss, network), start, episode.support_x, episode.support_y, 0.4, 2)


def copy_of(episode):
    return type(episode)(*(field.copy() for field in episode))


def assert_same(episode, other, but=()):
    for name, mine, theirs in zip(episode._fields, episode, other, strict=True):
        assert mine.dtype == theirs.dtype
        if name not in but:
            np.testing.assert_array_equal(mine, theirs, err_msg=name)


def assert_images_are_those_of_the_ids(episode, classes):
    np.testing.assert_array_equal(episode.support_x, to_float(classes.images[episode.support_ids]))
    np.testing.assert_array_equal(episode.query_x, to_float(classes.images[episode.query_ids]))


# ---------------------------------------------------------------- batch norm


def test_who_goes_together_by_hand():
    found = company(n_way=2, n_query=10)
    assert list(found) == ["1 of each class", "5 of each class", "10 of each class", "alone", "of one class"]
    np.testing.assert_array_equal(found["1 of each class"], [[i, 10 + i] for i in range(10)])
    np.testing.assert_array_equal(found["5 of each class"], [[0, 1, 2, 3, 4, 10, 11, 12, 13, 14],
                                                             [5, 6, 7, 8, 9, 15, 16, 17, 18, 19]])
    np.testing.assert_array_equal(found["10 of each class"], [range(20)])
    np.testing.assert_array_equal(found["alone"], [[i] for i in range(20)])
    np.testing.assert_array_equal(found["of one class"], [range(10), range(10, 20)])


@pytest.mark.parametrize("n_query", [1, 2, 5, 7, 15])
def test_every_query_is_asked_once_in_every_mode(n_query):
    modes = company(3, n_query)
    assert f"{n_query} of each class" in modes
    for batches in modes.values():
        np.testing.assert_array_equal(np.sort(batches.ravel()), np.arange(3 * n_query))
    for name, batches in modes.items():
        if name.endswith("of each class"):
            per_class = int(name.split()[0])
            for batch in batches:
                np.testing.assert_array_equal(np.bincount(batch // n_query, minlength=3), [per_class] * 3)


def test_all_queries_together_are_lesson_4s_transductive_logits(network, adapted, episode):
    together = company(N_WAY, N_QUERY)[f"{N_QUERY} of each class"]
    np.testing.assert_allclose(logits_in_batches(network, adapted, episode.query_x, together),
                               query_logits(network, adapted, episode, "queries"), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("mode", ["1 of each class", "alone", "of one class"])
def test_batches_against_a_loop_over_tasks_and_batches(network, adapted, episode, mode):
    batches = company(N_WAY, N_QUERY)[mode]
    found = logits_in_batches(network, adapted, episode.query_x, batches)
    assert found.shape == (N_TASKS, N_WAY * N_QUERY, N_WAY)
    assert found.dtype == np.float32
    for t in range(N_TASKS):
        own = tree_map(lambda p, t=t: p[t], adapted)
        for batch in batches:
            np.testing.assert_allclose(found[t, batch], network.apply(own, episode.query_x[t, batch]),
                                       rtol=1e-4, atol=1e-5)


def test_a_query_alone_does_not_hear_of_the_others_and_one_in_company_does(network, adapted, episode):
    changed = episode.query_x.copy()
    changed[:, 1:] = 1 - changed[:, 1:]
    for mode, moves in [("alone", False), ("1 of each class", True), ("of one class", True)]:
        batches = company(N_WAY, N_QUERY)[mode]
        before, after = (logits_in_batches(network, adapted, x, batches)[:, 0] for x in (episode.query_x, changed))
        assert np.abs(before - after).max() > 1e-3 if moves else np.abs(before - after).max() < 1e-5


# ---------------------------------------------------------------- spoiled episodes


def test_support_as_query_asks_for_what_was_shown(episode):
    before = copy_of(episode)
    spoiled = support_as_query(episode)
    assert_same(episode, before)
    np.testing.assert_array_equal(spoiled.query_x, episode.support_x)
    np.testing.assert_array_equal(spoiled.query_y, episode.support_y)
    np.testing.assert_array_equal(spoiled.query_ids, spoiled.support_ids)


def test_the_objective_on_such_episodes_is_the_loss_on_the_support(network, episode):
    loss, params = partial(classification_loss, network), network.init(np.random.default_rng(0))
    moved = adapt(loss, repeat(params, N_TASKS), episode.support_x, episode.support_y, 0.4, 1)
    expected = loss(moved, episode.support_x, episode.support_y).mean()
    assert maml_objective(loss, params, support_as_query(episode), 0.4, 1) == pytest.approx(expected, rel=1e-5)
    assert maml_objective(loss, params, episode, 0.4, 1) != pytest.approx(expected, rel=1e-2)


def test_overlap_leaks_one_support_image_into_each_class(episode, classes):
    before = copy_of(episode)
    spoiled = overlap(episode)
    assert_same(episode, before)
    assert_same(spoiled, episode, but=("query_x", "query_ids"))
    assert_images_are_those_of_the_ids(spoiled, classes)
    for t in range(N_TASKS):
        both = np.intersect1d(spoiled.support_ids[t], spoiled.query_ids[t])
        np.testing.assert_array_equal(np.sort(spoiled.support_ids[t, ::K_SHOT]), both)
    moved = spoiled.query_ids != episode.query_ids
    np.testing.assert_array_equal(np.flatnonzero(moved[0]), np.arange(N_WAY) * N_QUERY)
    np.testing.assert_array_equal(classes.labels[spoiled.query_ids], classes.labels[episode.query_ids])


def test_drawing_with_replacement_gives_a_class_one_label(classes):
    drawn = sample_with_replacement(classes, *SETTING, np.random.default_rng(0))
    assert drawn.support_x.shape == (N_TASKS, N_WAY * K_SHOT, 16, 16, 1)
    assert drawn.query_x.shape == (N_TASKS, N_WAY * N_QUERY, 16, 16, 1)
    assert drawn.support_x.dtype == np.float32
    assert_images_are_those_of_the_ids(drawn, classes)
    for t in range(N_TASKS):
        pairs = {*zip(drawn.support_y[t], classes.labels[drawn.support_ids[t]], strict=True),
                 *zip(drawn.query_y[t], classes.labels[drawn.query_ids[t]], strict=True)}
        labels, ids = zip(*pairs, strict=True)
        assert len(set(labels)) == len(set(ids)) == len(pairs)


def test_drawing_with_replacement_repeats_classes_as_often_as_it_must(classes):
    drawn = sample_with_replacement(classes, 4, 1, 1, 4000, np.random.default_rng(0))
    fewer = np.mean([len(set(labels)) < 4 for labels in drawn.support_y])
    assert fewer == pytest.approx(1 - 8 * 7 * 6 / 9 ** 3, abs=0.03)  # a birthday problem: 4 of 9 days
    assert drawn.support_y.max() < 4
    first = classes.labels[drawn.support_ids[:, 0]]
    assert np.bincount(first, minlength=9).min() > 4000 / 9 * 0.75


def test_drawing_with_replacement_of_one_class_is_all_one_label(classes):
    drawn = sample_with_replacement(classes.subset([3]), *SETTING, np.random.default_rng(0))
    assert (drawn.support_y == 0).all()
    assert (drawn.query_y == 0).all()


def test_drawing_with_replacement_tells_of_impossible_requests(classes):
    with pytest.raises(ValueError, match=r"has 12 images; 3 support \+ 10 query need 13"):
        sample_with_replacement(classes, 4, 3, 10, 2, np.random.default_rng(0))


def test_sorted_labels_follow_the_class_ids(episode, classes):
    before = copy_of(episode)
    spoiled = sort_labels(episode, classes)
    assert_same(episode, before)
    assert_same(spoiled, episode, but=("support_y", "query_y"))
    for t in range(N_TASKS):
        ids = sorted(set(classes.labels[episode.support_ids[t]]))
        np.testing.assert_array_equal(np.array(ids)[spoiled.support_y[t]], classes.labels[spoiled.support_ids[t]])
        np.testing.assert_array_equal(np.array(ids)[spoiled.query_y[t]], classes.labels[spoiled.query_ids[t]])


def test_honest_labels_do_not(classes):
    tasks = sample_episodes(classes, 3, 1, 1, 3000, np.random.default_rng(0))
    ascending = (np.diff(classes.labels[tasks.support_ids], axis=1) > 0).all(axis=1).mean()
    assert ascending == pytest.approx(1 / math.factorial(3), abs=0.03)
    in_order = sort_labels(tasks, classes)
    agree = (in_order.support_y == tasks.support_y).all(axis=1).mean()
    assert agree == ascending


def test_neighbours_against_a_loop():
    rng = np.random.default_rng(0)
    logits, order = rng.normal(size=(2, 6, 3)).astype("float32"), rng.permutation(6)
    found = hear_neighbours(logits, order)
    assert found.dtype == np.float32
    for place, query in enumerate(order):
        heard = [order[max(place - 1, 0)], query, order[min(place + 1, 5)]]
        np.testing.assert_allclose(found[:, query], logits[:, heard].mean(axis=1), rtol=1e-5, atol=1e-6)


def test_neighbours_help_in_order_of_class_alone():
    rng = np.random.default_rng(0)
    labels = np.tile(np.arange(5).repeat(15), (200, 1))
    logits = np.eye(5)[labels] + rng.normal(size=(200, 75, 5))
    honest = accuracies(logits, labels).mean()
    assert accuracies(hear_neighbours(logits, np.arange(75)), labels).mean() > honest + 0.1
    assert accuracies(hear_neighbours(logits, rng.permutation(75)), labels).mean() < honest


# ---------------------------------------------------------------- spoiled reports


def test_groups_are_consecutive_and_drop_the_rest():
    np.testing.assert_array_equal(in_groups(np.arange(7), 3), [[0, 1, 2], [3, 4, 5]])
    assert in_groups(np.zeros((4, 10)), 5).shape == (4, 2, 5)
    with pytest.raises(ValueError, match="a group of 5 needs as many values, got 4"):
        in_groups(np.zeros(4), 5)


def test_the_model_chosen_on_the_test_tasks_by_hand():
    accuracy = np.array([[1.0, 0.8, 0.0, 0.2, 0.5, 0.5],
                         [0.5, 0.5, 0.6, 0.8, 0.0, 0.0]])
    np.testing.assert_allclose(chosen_on_test(accuracy, 2), [0.9, 0.7, 0.5])
    np.testing.assert_allclose(elsewhere(accuracy, 2), [(0.1 + 0.5) / 2, (0.5 + 0.0) / 2, (0.9 + 0.1) / 2])


def test_choosing_among_equals_flatters_and_other_tasks_expose_it():
    accuracy = np.random.default_rng(0).normal(0.7, 0.1, size=(9, 50000))
    assert chosen_on_test(accuracy, 25).mean() - 0.7 == pytest.approx(1.485 * 0.02, abs=0.001)  # E max of 9 normals
    assert elsewhere(accuracy, 25).mean() == pytest.approx(0.7, abs=0.001)


def test_the_interval_over_images_is_that_of_single_zeros_and_ones():
    right = np.random.default_rng(0).random((40, 75)) < 0.7
    expected = mean_confidence_interval(right.ravel().astype(float))[1]
    assert interval_over_images(right.mean(axis=1), 75) == pytest.approx(expected, rel=1e-9)


def test_intervals_over_images_cover_too_little_where_tasks_differ():
    rng = np.random.default_rng(0)
    tasks = np.clip(rng.normal(0.75, 0.1, 25 * 400), 0, 1)
    accuracy = rng.binomial(75, tasks) / 75
    assert coverage(accuracy, 25, lambda g: mean_confidence_interval(g)[1]) == pytest.approx(0.94, abs=0.03)
    assert coverage(accuracy, 25, partial(interval_over_images, n_images=75)) < 0.75


def test_coverage_by_hand():
    accuracy = np.array([0.4, 0.6, 0.8, 1.0])  # the mean of all is 0.7, those of pairs 0.5 and 0.9
    assert coverage(accuracy, 2, lambda group: 0.21) == 1
    assert coverage(accuracy, 2, lambda group: 0.19) == 0
    assert coverage(accuracy, 2, lambda group: 0.21 if group[0] < 0.5 else 0) == 0.5


def test_differences_by_hand():
    says, honest = np.array([0.5, 0.7, 0.9]), np.array([0.3, 0.6, 0.6])
    mean, interval = difference(says, honest, paired=True)
    assert (mean, interval) == pytest.approx((0.2, 1.96 * 0.1 / 3 ** 0.5))
    mean, interval = difference(says, honest[:2], paired=False)
    assert mean == pytest.approx(0.7 - 0.45)
    assert interval == pytest.approx(1.96 * (0.04 / 3 + 0.045 / 2) ** 0.5)


def test_a_pair_needs_as_many_values():
    with pytest.raises(ValueError, match="broadcast"):
        difference(np.zeros(3), np.zeros(4), paired=True)


# ---------------------------------------------------------------- the run

TINY = ["--quick", "--iterations", "3", "--small-iterations", "3", "--episodes", "12", "--meta-batch", "2",
        "--channels", "4", "--small-channels", "4", "--n-query", "5"]
NETWORKS = {"network.npz", "seed-0.npz", "seed-1.npz", "seed-2.npz", "on-support.npz", "few-characters.npz",
            "sorted-labels.npz"}
PITFALLS = ["batch norm sees 1 of each class", "a class drawn twice", "scores hear their neighbours",
            "1 query in 5 is a support image", "all queries are support images", "5 episodes, the best of 4 tries",
            "outer loss on the support", "tested on training characters", "labels follow sorted class ids",
            "model chosen on the test tasks", "the best of 3 seeds"]


@pytest.fixture(scope="module")
def tiny_run(tmp_path_factory, cache_of_the_session):
    """(folder, what was printed, record) of a tiny run."""
    out = tmp_path_factory.mktemp("pitfalls")
    with pytest.MonkeyPatch.context() as patch:
        lines = []
        patch.setattr("builtins.print", lambda *words: lines.append(" ".join(map(str, words))))
        main([*TINY, "--out", str(out)])
    return out, "\n".join(lines), read_record(out / "record.json")


def test_the_quick_run_end_to_end(tiny_run):
    out, text, record = tiny_run
    assert text.startswith("A better accuracy without a better network")
    assert text.replace("±", "").isascii()
    assert all(len(line) <= 80 for line in text.split("\nWritten")[0].splitlines())
    assert {path.name for path in out.iterdir()} == {*NETWORKS, "pitfalls.png", "luck.png", "record.json"}
    assert all(str(path) in text for path in out.iterdir())
    for name in ("pitfalls.png", "luck.png"):
        with Image.open(out / name) as picture:
            picture.verify()
    for name in NETWORKS:
        assert all(leaf.dtype == "float32" for leaf in leaves(load_params(out / name)))
    assert record["lesson"] == "lesson7_pitfalls"


def test_the_record_holds_every_number_of_the_tables(tiny_run):
    _, text, record = tiny_run
    names = {f"statistics of {who}" for who in (
        "the support (honest)", "queries, 1 of each class", "queries, 5 of each class", "the query alone",
        "5 queries of one class")} | {"nearest pixels"}
    names |= {"results on 5 episodes", "results on 12 episodes", "interval over episodes", "interval over images"}
    names |= {"seed 0", "seed 1", "seed 2"}
    names |= {f"{pitfall}: {what}" for pitfall in PITFALLS for what in ("says", "honest", "difference")}
    assert set(record["metrics"]) == names
    assert all({"mean", "interval"} <= set(metric) for metric in record["metrics"].values())
    assert all(np.isfinite(list(metric.values())).all() for metric in record["metrics"].values())
    assert all(pitfall in text for pitfall in PITFALLS)


def test_the_differences_are_those_of_the_numbers_beside_them(tiny_run):
    metrics = tiny_run[2]["metrics"]
    for pitfall in PITFALLS:
        says, honest, more = (metrics[f"{pitfall}: {what}"]["mean"] for what in ("says", "honest", "difference"))
        assert more == pytest.approx(says - honest, abs=1e-9)
    assert metrics["the best of 3 seeds: says"]["mean"] == max(metrics[f"seed {seed}"]["mean"] for seed in range(3))
    honest = metrics["statistics of the support (honest)"]["mean"]
    assert metrics["scores hear their neighbours: honest"]["mean"] == pytest.approx(honest)
    assert metrics["5 episodes, the best of 4 tries: difference"]["mean"] >= 0


def test_the_same_seed_gives_the_same_numbers(tiny_run, tmp_path):
    metrics = tiny_run[2]["metrics"]
    for seed, same in [("0", True), ("1", False)]:
        main([*TINY, "--seed", seed, "--out", str(tmp_path)])
        assert (read_record(tmp_path / "record.json")["metrics"] == metrics) == same


def test_other_ways_shots_and_steps_run(tmp_path):
    main([*TINY, "--n-way", "3", "--k-shot", "2", "--inner-steps", "2", "--n-query", "2", "--iterations", "7",
          "--small-iterations", "1", "--out", str(tmp_path)])
    metrics = read_record(tmp_path / "record.json")["metrics"]
    assert "1 query in 2 is a support image: says" in metrics


@pytest.fixture
def no_training(monkeypatch):
    """main() must not come as far as training."""
    def train(*args, **kwargs):
        raise AssertionError("training started")
    monkeypatch.setattr(lesson7_pitfalls, "train", train)


@pytest.mark.parametrize(("argv", "error", "message"), [
    (["--episodes", "9"], ValueError, "need 10 or more of them, got 9"),
    (["--n-way", "60"], ValueError, "60-way episodes need 60 classes"),
    (["--n-query", "20"], ValueError, r"1 support \+ 20 query need 21"),
    (["--few-classes", "4"], ValueError, "5-way episodes need 5 classes, there are 4"),
    (["--epochs", "3"], SystemExit, "2"),
    (["--data", "nowhere"], FileNotFoundError, "--data nowhere is neither glyphs nor omniglot")])
@pytest.mark.usefixtures("no_training")
def test_what_cannot_be_done_is_told_before_training(argv, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        main(["--quick", *argv, "--out", str(tmp_path / "out")])


@pytest.mark.slow
@pytest.mark.parametrize("seed", ["0", "1", "2"])
def test_every_pitfall_flatters(seed, tmp_path):
    """On the quick set, with the settings of a few minutes made smaller."""
    main(["--quick", "--iterations", "300", "--small-iterations", "300", "--channels", "16", "--small-channels", "16",
          "--meta-batch", "8", "--episodes", "200", "--seed", seed, "--out", str(tmp_path)])
    metrics = read_record(tmp_path / "record.json")["metrics"]
    differences = {name.partition(":")[0]: metric for name, metric in metrics.items() if name.endswith(": difference")}
    certain = {"batch norm sees 1 of each class", "a class drawn twice", "scores hear their neighbours",
               "1 query in 15 is a support image", "all queries are support images", "8 episodes, the best of 4 tries",
               "outer loss on the support", "labels follow sorted class ids", "model chosen on the test tasks"}
    for name in differences:
        assert differences[name]["mean"] > (differences[name]["interval"] if name in certain else 0), name
    assert metrics["outer loss on the support: says"]["mean"] > 0.97
    assert metrics["outer loss on the support: honest"]["mean"] < metrics["seed " + seed]["mean"] - 0.05
    assert metrics["statistics of the query alone"]["mean"] < 0.35
    assert metrics["statistics of 15 queries of one class"]["mean"] < 0.35
    assert metrics["interval over images"]["coverage"] < metrics["interval over episodes"]["coverage"]
    assert metrics["interval over images"]["interval"] < 0.7 * metrics["interval over episodes"]["interval"]
