"""The papers' protocols: the evaluator's parts by hand and by slow loops; nothing of the test is trained on."""

import os
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from fewshot_np import lesson8_comparison, lesson8_protocols
from fewshot_np.data import ImageClasses, omniglot
from fewshot_np.experiment.records import load_params, read_record, save_params, write_record
from fewshot_np.lesson2_episodes import sample_episodes
from fewshot_np.lesson4_maml import adapted_after, sample_sinusoids, squared_error
from fewshot_np.lesson8_protocols import (
    FINN,
    LAKE,
    alphabets,
    as_episode,
    best_later_rate,
    distort,
    errors_after,
    find_row,
    finn_splits,
    hausdorff_errors,
    ink_points,
    keep_best,
    main,
    modified_hausdorff,
    sample_within,
    sibling_of,
    with_reference,
)
from fewshot_np.lesson8_variants import variants
from fewshot_np.nn.networks import conv4, mlp
from fewshot_np.nn.trees import leaves

needs_omniglot = pytest.mark.skipif(not os.environ.get("FEWSHOT_NP_DATA"),
                                    reason="FEWSHOT_NP_DATA names no folder with Omniglot")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def characters(sizes, rng, n_images=20):
    """Classes of random images; sizes: how many characters each alphabet has."""
    groups = [f"alphabet{i}" for i, size in enumerate(sizes) for _ in range(size)]
    images = rng.integers(0, 256, (len(groups) * n_images, 28, 28, 1), dtype=np.uint8)
    return ImageClasses(images, np.repeat(np.arange(len(groups)), n_images),
                        [f"{group}/{k}" for k, group in enumerate(groups)], groups)


# ---------------------------------------------------------------- the modified Hausdorff distance


def test_modified_hausdorff_by_hand():
    a, b = np.array([[0.0, 0], [0, 2]]), np.array([[0.0, 0]])
    assert modified_hausdorff(a, b) == 1.0            # a to b: (0 + 2) / 2; b to a: 0
    assert modified_hausdorff(b, a) == 1.0
    assert modified_hausdorff(a, a) == 0.0


def test_modified_hausdorff_equals_loops(rng):
    for m, n in ((3, 5), (7, 2), (1, 1)):
        a, b = rng.normal(size=(m, 2)), rng.normal(size=(n, 2))
        there = np.mean([min(np.hypot(*(p - q)) for q in b) for p in a])
        back = np.mean([min(np.hypot(*(p - q)) for q in a) for p in b])
        np.testing.assert_allclose(modified_hausdorff(a, b), max(there, back), rtol=1e-7)


def test_ink_points_are_centred_rows_and_columns():
    image = np.zeros((5, 5, 1), np.uint8)
    image[1, 2], image[3, 2] = 255, 255
    np.testing.assert_array_equal(ink_points(image), [[-1, 0], [1, 0]])


def test_hausdorff_errors_of_runs_that_are_easy_and_spoiled(rng):
    training = rng.integers(0, 2, (20, 12, 12, 1), dtype=np.uint8) * 255
    order = rng.permutation(20)
    easy = omniglot.Run(training, training[order], order)
    spoiled = omniglot.Run(training, training[order], np.roll(order, 1))
    np.testing.assert_array_equal(hausdorff_errors([easy, spoiled]), [0, 1])


def test_a_run_becomes_a_task(rng):
    runs = [omniglot.Run(*rng.integers(0, 256, (2, 20, 28, 28, 1), dtype=np.uint8), rng.permutation(20))
            for _ in range(3)]
    episode = as_episode(runs)
    assert episode.support_x.shape == episode.query_x.shape == (3, 20, 28, 28, 1)
    np.testing.assert_array_equal(episode.query_y[2], runs[2].test_labels)
    np.testing.assert_allclose(episode.query_x[1, 4], runs[1].test_images[4] / 255, rtol=1e-6)


# ---------------------------------------------------------------- training within alphabets


def test_alphabets_are_kept_apart_and_turned(rng):
    classes = characters([3, 2], rng, n_images=2)
    parts = alphabets(classes)
    assert [len(part) for part in parts] == [3, 3, 3, 3, 2, 2, 2, 2]
    assert all(len(set(part.groups)) == 1 for part in parts)
    np.testing.assert_array_equal(parts[0].images, classes.images[:6])
    np.testing.assert_array_equal(parts[5].images[0], np.rot90(classes.images[6]))


def test_episodes_are_of_one_alphabet_with_as_many_ways_as_it_has(rng):
    classes = characters([5, 3], rng, n_images=6)
    parts = [classes.subset(range(5)), classes.subset(range(5, 8))]
    row = LAKE["prototypical", "small1"]._replace(train_way=4)
    ways = {sample_within(parts, row, rng).support_x.shape[1] for _ in range(40)}
    assert ways == {4, 3}


def test_distortions_are_small_and_half_of_the_images_may_be_as_they_were(rng):
    images = np.zeros((400, 28, 28, 1), "float32")
    images[:, 12:16, 12:16] = 1
    moved = distort(images, rng)
    assert moved.shape == images.shape
    assert moved.dtype == np.float32
    assert 0 <= moved.min() <= moved.max() <= 1
    untouched = np.mean([np.array_equal(a, b) for a, b in zip(images, moved, strict=True)])
    assert untouched == pytest.approx(0.5 ** 7, abs=0.02)  # seven coins: an angle, and two each of the other three
    rows = (moved[..., 0].sum(axis=2) * np.arange(28)).sum(axis=1) / moved.sum(axis=(1, 2, 3))
    assert np.abs(rows - 13.5).max() < 2.6                 # shifted by up to 2, and never away
    assert np.abs(rows - 13.5).max() > 1.5


def test_distort_keeps_axes_in_front(rng):
    images = rng.random((2, 3, 28, 28, 1), dtype=np.float32)
    assert distort(images, rng).shape == images.shape


def test_an_affine_map_turns_about_the_centre():
    image = np.zeros((9, 9), "float32")
    image[4, 6] = 1
    turned = lesson8_protocols._affine(image, np.pi / 2, np.zeros(2), np.ones(2), np.zeros(2))
    assert np.argwhere(turned > 0.9).tolist() == [[6, 4]]
    shifted = lesson8_protocols._affine(image, 0.0, np.zeros(2), np.ones(2), np.array([1.0, -2.0]))
    assert np.argwhere(shifted > 0.9).tolist() == [[2, 7]]   # x + 1, y - 2


# ---------------------------------------------------------------- batch statistics, and the choice of a network


def test_with_reference_a_query_does_not_depend_on_its_neighbours(rng):
    network = conv4(outputs=None, channels=4)
    params = network.init(rng)
    fixed = with_reference(network, rng.random((6, 28, 28, 1), dtype=np.float32))
    images = rng.random((2, 3, 28, 28, 1), dtype=np.float32)
    together = fixed.apply(params, images, n_reference=1)
    assert together.shape[:2] == (2, 3)
    np.testing.assert_allclose(fixed.apply(params, images[1, 2:])[0], together[1, 2], rtol=1e-4, atol=1e-5)
    assert not np.allclose(network.apply(params, images)[1, 2], together[1, 2], rtol=1e-2)


def test_the_best_network_is_kept_and_a_worse_one_is_not(tmp_path):
    path = tmp_path / "best.npz"
    for value, weight in ((0.5, 1.0), (0.9, 2.0), (0.7, 3.0)):
        assert keep_best(path, lambda params, value=value: value, {"w": np.array([weight])}) == value
    assert load_params(path)["params"]["w"] == [2.0]
    keep_best(path, lambda params: 0.9, {"w": np.array([4.0])})  # as good, and later
    assert load_params(path)["params"]["w"] == [4.0]


# ---------------------------------------------------------------- rows


def test_every_row_names_a_method_and_its_training_can_be_drawn(rng):
    classes = characters([70], rng, n_images=20)
    methods = lesson8_comparison.METHODS | variants(lesson8_comparison.METHODS)
    for (name, n_way, k_shot), row in FINN.items():
        batch = lesson8_protocols.sample_training(classes, row._replace(batch=1), n_way, k_shot, rng)
        assert batch.support_x.shape[1] == (row.train_way or n_way) * k_shot
        network = conv4(outputs=None if methods[name].head is None else n_way, channels=2, features=row.features)
        params = methods[name].start(network, n_way, rng, **row.start)
        if row.train_way is None:  # the others have many images
            assert np.isfinite(methods[name].objective(network, params, batch, **row.objective))
    assert {background for _, background in LAKE} == {"background", "small1", "small2"}


def test_a_row_that_is_not_there_is_refused_with_those_that_are():
    options = SimpleNamespace(protocol="finn", method="Reptile", n_way=20, k_shot=5, background="background")
    with pytest.raises(ValueError, match=r"no row --method 'Reptile' --n-way 20 --k-shot 5; (.|\n)*"
                       "--method 'prototypical' --n-way 20 --k-shot 5"):
        find_row(options)
    with pytest.raises(ValueError, match="no row"):
        find_row(SimpleNamespace(protocol="finn", method="pixels", n_way=5, k_shot=1, background="small1"))


def test_later_steps_at_the_same_rate_are_those_of_lesson_4_and_others_are_not(rng):
    network = mlp([1, 8, 1])
    params, tasks, loss = network.init(rng), sample_sinusoids(5, 20, 7, rng), partial(squared_error, network)
    errors = dict(errors_after(loss, params, tasks, 0.02, 0.02))
    for steps, adapted in adapted_after(loss, params, tasks, 0.02, (0, 1, 5, 10)):
        np.testing.assert_allclose(errors[steps], loss(adapted, tasks.query_x, tasks.query_y), rtol=1e-5)
    still = dict(errors_after(loss, params, tasks, 0.02, 0.0))
    np.testing.assert_array_equal(still[1], errors[1])
    np.testing.assert_array_equal(still[10], still[1])


def test_the_later_rate_is_smaller_where_steps_overshoot_and_as_large_as_may_be_where_they_creep(rng):
    network = mlp([1, 8, 1])
    params, loss = network.init(rng), partial(squared_error, network)
    assert best_later_rate(loss, params, 0.05, n_tasks=50) < 0.05
    assert best_later_rate(loss, params, 1e-4, n_tasks=50) == 1e-4


def test_all_rows_of_a_protocol_one_after_the_other_and_none_twice(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(lesson8_protocols.TABLES, "sinusoids", {key: row._replace(iterations=40000) for key, row in
                                                                lesson8_protocols.SINUSOIDS.items()})
    run = partial(main, lesson8_comparison.METHODS, ["--protocol", "sinusoids", "--quick", "--out", str(tmp_path)])
    run()
    folders = {path.name for path in tmp_path.iterdir()}
    assert folders == {f"sinusoids-{name}-curves-seed0" for name in ("MAML", "pretraining")}
    (tmp_path / "sinusoids-pretraining-curves-seed0" / "record.json").unlink()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/record.json")}
    capsys.readouterr()
    run()
    assert all(path.stat().st_mtime_ns == when for path, when in before.items())
    text = capsys.readouterr().out
    assert text.count("already") == 1
    assert text.count("Written") == 1


def test_a_row_takes_the_network_of_its_sibling_and_of_no_other(tmp_path):
    options = SimpleNamespace(protocol="finn", method="prototypical", n_way=20, k_shot=1, seed=0, out=tmp_path,
                              background="background", effort=1.0, episodes=1000, quick=False)

    def leave(name):
        (tmp_path / name).mkdir()
        write_record(tmp_path / name, "lesson8_comparison", options, 1.0, {})
        (tmp_path / name / "best.npz").touch()

    assert sibling_of(options) is None
    for name in ("finn-prototypical-5-way-1-shot-seed0", "finn-prototypical-5-way-1-shot-seed1",
                 "finn-MAML-5-way-1-shot-seed0", "lake-prototypical-small1-seed0"):
        leave(name)
    assert sibling_of(options).name == "finn-prototypical-5-way-1-shot-seed0"
    for other in ({"k_shot": 5}, {"method": "MAML"}, {"method": "extended prototypical"}, {"seed": 2}):
        assert sibling_of(SimpleNamespace(**{**vars(options), **other})) is None
    lake = {**vars(options), "protocol": "lake", "method": "extended prototypical", "background": "small1"}
    assert sibling_of(SimpleNamespace(**lake)).name == "lake-prototypical-small1-seed0"
    assert sibling_of(SimpleNamespace(**{**lake, "background": "small2"})) is None
    assert sibling_of(SimpleNamespace(**{**lake, "method": "Siamese"})) is None


def test_a_row_of_another_length_is_no_reason_to_skip_one(tmp_path, capsys):
    run = partial(main, lesson8_comparison.METHODS)
    argv = ["--protocol", "sinusoids", "--method", "pretraining", "--quick", "--out", str(tmp_path)]
    run(argv)
    run(argv)
    assert capsys.readouterr().out.count("already") == 1
    with pytest.raises(ValueError, match=r"holds this row with episodes 12, not 20; choose another --out"):
        run([*argv, "--episodes", "20"])


def test_a_network_is_refused_where_it_would_be_ignored(tmp_path):
    with pytest.raises(ValueError, match="--network is for one row of the protocols finn and lake"):
        main(lesson8_comparison.METHODS, ["--protocol", "sinusoids", "--method", "MAML", "--quick",
                                          "--network", "there", "--out", str(tmp_path)])


# ---------------------------------------------------------------- on the real data


@needs_omniglot
def test_the_split_of_finn_is_disjoint_and_turned():
    parts = finn_splits(None)
    assert [len(part) for part in parts] == [4400, 400, 1692]
    upright = [{name for name in part.names if "/rot" not in name} for part in parts]
    assert [len(names) for names in upright] == [1100, 100, 423]
    assert not upright[0] & upright[1] | upright[0] & upright[2] | upright[1] & upright[2]
    assert finn_splits(None)[2].names == parts[2].names


@needs_omniglot
def test_nothing_of_the_alphabets_of_the_runs_is_trained_on():
    """Each image of the runs is a drawing of the evaluation set, and the backgrounds have none of its alphabets."""
    evaluation = omniglot.load(None, "evaluation")
    drawings = {image.tobytes(): evaluation.groups[label]
                for image, label in zip(evaluation.images, evaluation.labels, strict=True)}
    asked = {drawings[image.tobytes()] for one in omniglot.load_runs(None) for images in one[:2] for image in images}
    assert len(asked) == 10
    for background in ("background", "small1", "small2"):
        trained = omniglot.load(None, background)
        assert not asked & set(trained.groups)
        assert not drawings.keys() & {image.tobytes() for image in trained.images}


@needs_omniglot
@pytest.mark.slow
def test_the_modified_hausdorff_distance_scores_as_published():
    """Lake et al. 2015: 38.8 % error; a re-implementation: 38.75. It is deterministic."""
    errors = hausdorff_errors(omniglot.load_runs(None, size=105))
    assert errors.shape == (20,)
    assert round(100 * errors.mean(), 2) == 38.75


def test_sinusoids_end_to_end(tmp_path, capsys):
    main(lesson8_comparison.METHODS, ["--protocol", "sinusoids", "--method", "MAML", "--quick", "--out", str(tmp_path)])
    assert "error from 5 points, 10 steps" in capsys.readouterr().out
    metrics = read_record(tmp_path / "sinusoids-MAML-curves-seed0" / "record.json")["metrics"]
    assert metrics["error from 10 points, 10 steps"]["mean"] < metrics["error from 10 points, 0 steps"]["mean"]


@needs_omniglot
def test_a_network_is_tested_with_other_ways(tmp_path, capsys):
    """The row 20-way takes the network that was trained, 60-way, for the row 5-way; no other row may."""
    row = partial(main, lesson8_comparison.METHODS)
    here = ["--protocol", "finn", "--quick", "--out", str(tmp_path)]
    row([*here, "--method", "prototypical"])
    (folder,) = tmp_path.iterdir()
    row([*here, "--method", "prototypical", "--n-way", "20", "--network", str(folder)])
    first, second = (read_record(tmp_path / f"finn-prototypical-{n}-way-1-shot-seed0" / "record.json") for n in (5, 20))
    assert second["options"]["network"] == folder.name
    for name in ("training seconds", "validation"):
        assert first["metrics"]["row"][name] == second["metrics"]["row"][name]
    mode = "accuracy, statistics of training images"
    assert second["metrics"][mode]["mean"] < first["metrics"][mode]["mean"]  # more ways are harder
    for argv, why in ((["--method", "Siamese"], "method, n_query, objective"),
                      (["--method", "MAML"], "features"),
                      (["--method", "prototypical", "--n-way", "20", "--seed", "1"], "seed"),
                      (["--method", "prototypical", "--n-way", "20", "--k-shot", "5"], "iterations, k_shot"),
                      (["--method", "extended prototypical"], "distorted, iterations")):
        with pytest.raises(ValueError, match=f"was trained otherwise: .*{why}"):
            row([*here, *argv, "--network", str(folder)])
    save_params(folder / "best.npz", {**load_params(folder / "best.npz"), "value": np.array(2.0)})
    with pytest.raises(ValueError, match=r"best\.npz is not the network of its record"):
        row([*here, "--method", "prototypical", "--n-way", "20", "--network", str(folder)])
    capsys.readouterr()


@needs_omniglot
@pytest.mark.parametrize("argv", [
    ["--protocol", "finn", "--method", "MAML"], ["--protocol", "lake", "--method", "pixels"],
    ["--protocol", "finn", "--method", "extended MAML"],
    ["--protocol", "lake", "--method", "extended prototypical", "--background", "small2"],
    ["--protocol", "lake", "--method", "prototypical", "--background", "small1"],
    ["--protocol", "worlds", "--method", "prototypical", "--background", "omniglot"]])
def test_a_row_end_to_end(tmp_path, capsys, argv):
    row = partial(main, lesson8_comparison.METHODS, [*argv, "--quick", "--out", str(tmp_path)])
    row()
    text = capsys.readouterr().out
    assert max(map(len, text.replace(str(tmp_path), "").splitlines())) <= 80
    (folder,) = tmp_path.iterdir()
    record = read_record(folder / "record.json")
    assert all(0 <= metric["mean"] <= 1 for name, metric in record["metrics"].items() if name != "row")
    assert "machine" in record["metrics"]["row"]
    if "pixels" in argv:
        assert record["metrics"]["error"]["mean"] == pytest.approx(0.81)
        return
    assert {path.name for path in folder.iterdir()} == {"record.json", "learning_curve.png", "best.npz", "last.npz"}
    first = load_params(folder / "best.npz")["params"]
    (folder / "record.json").unlink()
    row()  # the same seed, the same bits
    again = load_params(folder / "best.npz")["params"]
    for a, b in zip(leaves(first), leaves(again), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_sampler_of_the_rows_is_lesson_2s(rng):
    """A row's episodes are `sample_episodes`, with the numbers of the row."""
    classes, row = characters([8], rng), FINN["MAML", 5, 5]
    mine = lesson8_protocols.sample_training(classes, row, 5, 5, np.random.default_rng(3))
    theirs = sample_episodes(classes, 5, 5, row.n_query, row.batch, np.random.default_rng(3))
    np.testing.assert_array_equal(mine.query_ids, theirs.query_ids)
