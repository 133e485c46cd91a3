"""Lesson 8: every row of the table is the lesson's own method; pairs, costs, saved networks; the run and its claims."""

import itertools
import json
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from fewshot_np import lesson8_comparison
from fewshot_np.data.classes import ImageClasses
from fewshot_np.experiment.records import load_params, read_record, save_params, write_record
from fewshot_np.lesson2_episodes import mean_confidence_interval, sample_episodes
from fewshot_np.lesson3_initialisation import classification_loss, mini_batches, reptile_step
from fewshot_np.lesson4_maml import adapt, maml_objective
from fewshot_np.lesson8_comparison import (
    METHODS,
    METRIC,
    MODES,
    OPTIMISATION,
    OPTIMIZERS,
    SCHEDULES,
    SETTINGS,
    Learner,
    Settings,
    adaptation_milliseconds,
    at_effort,
    count_images,
    digest,
    draw_matrix,
    draw_scatter,
    file_of,
    label_heights,
    learners_of,
    main,
    network_of,
    paired_differences,
    saved_networks,
    training_episodes,
    training_options,
)
from fewshot_np.nn.trees import leaves, repeat, value_and_grad

NAMES = list(METHODS)


@pytest.fixture(scope="module")
def classes():
    """8 classes of 12 images of 16x16: noise around a picture of the class's own."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(8), 12)
    means = rng.uniform(60, 190, (8, 16, 16, 1))
    images = (means[labels] + rng.uniform(-60, 60, (len(labels), 16, 16, 1))).astype(np.uint8)
    return ImageClasses(images, labels, tuple("abcdefgh"), ("letters",) * 8)


@pytest.fixture
def options(tmp_path):
    return SimpleNamespace(data="glyphs", seed=0, n_way=3, k_shot=2, n_query=4, channels=4, effort=0.002, episodes=6,
                           out=tmp_path)


@pytest.fixture
def episode(classes):
    return sample_episodes(classes, 3, 2, 4, 3, np.random.default_rng(1))


def untrained(name, options, classes):
    """(settings, network, start, a batch to train on) of a method."""
    method, settings, rng = METHODS[name], SETTINGS[name], np.random.default_rng(0)
    network = network_of(name, settings, options, classes)
    batch = method.sample(classes, options.k_shot, options.n_way, settings, rng)
    return settings, network, method.start(network, options.n_way, rng, **settings.start or {}), batch


def scores_of(name, options, classes):
    settings, network, params, _ = untrained(name, options, classes)
    return partial(METHODS[name].scores, network, params, **settings.scores or {})


def loss_of(name, options, classes):
    settings, network, params, batch = untrained(name, options, classes)
    return partial(METHODS[name].objective, network, **settings.objective or {}), params, batch


# ---------------------------------------------------------------- every method can be trained, and answers


def test_every_method_has_settings_that_a_record_can_hold():
    assert list(SETTINGS) == NAMES
    assert [name.lower() for name in ["pixels", *NAMES]] == [
        "pixels", "fine-tuning", "siamese", "matching", "prototypical", "maml", "first-order maml", "anil", "reptile",
        "meta-sgd"]
    for settings in SETTINGS.values():
        assert settings.optimizer in OPTIMIZERS
        assert settings.schedule in SCHEDULES
        assert json.loads(json.dumps(settings._asdict())) == settings._asdict()


@pytest.mark.parametrize("name", NAMES)
def test_the_objective_is_one_number_with_a_float32_gradient(name, options, classes):
    loss, params, batch = loss_of(name, options, classes)
    value, gradient = value_and_grad(loss)(params, batch)
    assert np.shape(value) == ()
    assert np.isfinite(value)
    for p, g in zip(leaves(params), leaves(gradient), strict=True):
        assert p.shape == g.shape
        assert p.dtype == g.dtype == np.float32
        assert np.isfinite(g).all()
    assert any(g.any() for g in leaves(gradient))


@pytest.mark.parametrize("transductive", MODES)
@pytest.mark.parametrize("name", NAMES)
def test_scores_of_tasks_at_once_are_those_of_each_task(name, transductive, options, classes, episode):
    scores = scores_of(name, options, classes)
    together = scores(episode, transductive)
    assert together.shape == (3, 12, 3)
    assert together.dtype == np.float32
    for task in range(3):
        alone = scores(type(episode)(*(field[task:task + 1] for field in episode)), transductive)
        np.testing.assert_allclose(together[task], alone[0], rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("name", NAMES)
def test_a_query_hears_its_neighbours_only_in_the_transductive_mode(name, options, classes, episode):
    scores = scores_of(name, options, classes)
    others = episode._replace(query_x=np.concatenate([episode.query_x[:, :1], 1 - episode.query_x[:, 1:]], axis=1))
    for transductive in MODES:
        first, second = (scores(e, transductive)[:, 0] for e in (episode, others))
        assert np.allclose(first, second, rtol=1e-3, atol=1e-4) != transductive


def test_the_methods_of_one_family_differ_as_they_should(options, classes):
    """MAML is lesson 4's; first order has its value and another gradient; ANIL's inner loop moves the head alone."""
    losses = {name: loss_of(name, options, classes) for name in ("MAML", "first-order MAML", "ANIL")}
    _, network, params, batch = untrained("MAML", options, classes)
    loss, rate = partial(classification_loss, network), SETTINGS["MAML"].objective["inner_lr"]
    found = {name: value_and_grad(loss)(params, batch) for name, (loss, _, _) in losses.items()}
    assert found["MAML"][0] == maml_objective(loss, params, batch, rate, 1)
    first_order = maml_objective(loss, params, batch, SETTINGS["first-order MAML"].objective["inner_lr"], 1)
    assert found["first-order MAML"][0] == first_order
    head = maml_objective(loss, params, batch, {"head": SETTINGS["ANIL"].objective["inner_lr"]["head"]}, 1)
    assert found["ANIL"][0] == head
    for one, two in itertools.combinations(found, 2):
        assert not np.allclose(found[one][1]["block1"]["w"], found[two][1]["block1"]["w"])
    adapted = adapt(loss, repeat(params, len(batch.support_y)), batch.support_x, batch.support_y,
                    SETTINGS["ANIL"].objective["inner_lr"], 1)
    assert np.array_equal(adapted["block1"]["w"][0], params["block1"]["w"])


def test_a_step_down_reptiles_objective_is_a_reptile_step(options, classes):
    loss, params, batch = loss_of("Reptile", options, classes)
    inner = SETTINGS["Reptile"].objective
    network = untrained("Reptile", options, classes)[1]
    phi = repeat(params, len(batch.support_y))
    for x, y in mini_batches(batch, inner["inner_batch"], inner["inner_steps"]):
        phi = adapt(partial(classification_loss, network), phi, x, y, inner["inner_lr"], 1)
    expected = reptile_step(params, phi, 0.5)
    _, gradient = value_and_grad(loss)(params, batch)
    for p, g, e in zip(leaves(params), leaves(gradient), leaves(expected), strict=True):
        np.testing.assert_allclose(p - 0.5 * g, e, rtol=1e-3, atol=1e-5)


def test_pretraining_tells_all_characters_apart_and_answers_with_a_new_head(options, classes, episode):
    _, _, params, (images, labels) = untrained("fine-tuning", options, classes)
    assert params["head"]["w"].shape[1] == len(classes)
    assert labels.max() < len(classes)
    assert len(images) == min(64, len(classes.images))
    assert scores_of("fine-tuning", options, classes)(episode, False).shape[-1] == 3


def test_training_episodes_are_of_as_many_classes_and_queries_as_there_are(classes):
    rng = np.random.default_rng(0)
    many = training_episodes(classes, 2, 5, Settings(1, 0.1, batch=2, train_way=20, n_query=99), rng)
    assert many.support_x.shape[:2] == (2, 8 * 2)
    assert many.query_x.shape[:2] == (2, 8 * 10)
    own = training_episodes(classes, 2, 5, Settings(1, 0.1, batch=2, n_query=3), rng)
    assert own.support_x.shape[:2] == (2, 5 * 2)
    assert own.query_x.shape[:2] == (2, 5 * 3)


# ---------------------------------------------------------------- costs and pairs, by hand


def test_effort_scales_the_iterations_and_nothing_else():
    settings = Settings(1000, 0.1, batch=2)
    assert at_effort(settings, 0.25) == settings._replace(iterations=250)
    assert at_effort(settings, 2.0).iterations == 2000
    assert at_effort(settings, 1e-6).iterations == 1


def test_images_are_counted(classes, episode):
    assert count_images(episode) == 3 * 3 * (2 + 4)
    assert count_images((classes.images[:7], classes.labels[:7])) == 7


def test_paired_differences_by_hand():
    found = {"a": np.array([0.9, 0.5, 0.7]), "b": np.array([0.8, 0.4, 0.6])}
    pairs = paired_differences(found)
    assert set(pairs) == {("a", "b"), ("b", "a")}
    assert pairs["a", "b"] == pytest.approx((0.1, 0.0), abs=1e-12)  # each episode the same: no doubt at all
    assert pairs["b", "a"][0] == -pairs["a", "b"][0]


def test_pairing_narrows_the_interval_where_episodes_are_hard_for_both():
    rng = np.random.default_rng(0)
    hardness = rng.normal(0, 0.1, 400)
    found = {name: 0.5 + hardness + rng.normal(0, 0.02, 400) for name in "ab"}
    widths = [mean_confidence_interval(values)[1] for values in found.values()]
    assert paired_differences(found)["a", "b"][1] < 0.5 * np.hypot(*widths)


def test_the_time_of_a_new_task_is_that_of_one_task_and_one_query(episode):
    seen = []

    def scores(one, transductive):
        seen.append((one.support_x.shape[:2], one.query_x.shape[:2], one.query_y.shape, transductive))

    milliseconds = adaptation_milliseconds(Learner("metric-based", scores), episode, repetitions=3)
    assert milliseconds >= 0
    assert seen == [((1, 6), (1, 1), (1, 1), False)] * 3


# ---------------------------------------------------------------- networks of an earlier run


@pytest.fixture
def saved(options, classes):
    """A folder with the networks and the record of a run in which no method learned anything."""
    learners = learners_of(options, classes, {})
    trainings = {name: {"options": learners[name].options, "seconds": 1.5,
                        "sha256": digest(options.out / file_of(name))} for name in METHODS}
    write_record(options.out, "lesson8_comparison", options, 1.0, {"trainings": trainings})
    return options.out


def test_all_networks_are_taken_where_nothing_differs(saved, options, classes):
    taken, refused = saved_networks(saved, options, classes)
    assert list(taken) == NAMES
    assert refused == []
    for name, (params, seconds) in taken.items():
        assert seconds == 1.5
        there = load_params(saved / file_of(name))
        assert all(np.array_equal(a, b) for a, b in zip(leaves(params), leaves(there), strict=True))


@pytest.mark.parametrize(("option", "value", "message"), [
    ("seed", 7, "seed 0 there, 7 here"), ("channels", 8, "channels 4 there, 8 here"),
    ("n_way", 4, "n_way 3 there, 4 here"), ("k_shot", 1, "k_shot 2 there, 1 here"),
    ("effort", 0.01, "iterations"), ("data", "omniglot", "data glyphs there, omniglot here")])
def test_no_network_is_taken_where_an_option_differs(option, value, message, saved, options, classes):
    setattr(options, option, value)
    taken, refused = saved_networks(saved, options, classes)
    assert taken == {}
    assert len(refused) == len(METHODS)
    assert all(message in reason for reason in refused)


@pytest.mark.parametrize(("option", "value"), [("n_query", 9), ("episodes", 99)])
def test_options_of_the_test_alone_may_differ(option, value, saved, options, classes):
    setattr(options, option, value)
    assert saved_networks(saved, options, classes)[1] == []


def test_no_network_is_taken_that_was_trained_on_other_images(saved, options, classes):
    images = classes.images.copy()
    images[5, 3, 3] ^= 1
    other = ImageClasses(images, classes.labels, classes.names, classes.groups)
    taken, refused = saved_networks(saved, options, other)
    assert taken == {}
    assert all("training images" in reason for reason in refused)


def test_a_method_whose_settings_differ_is_trained_anew_and_the_others_are_taken(saved, options, classes, monkeypatch):
    learning_rate = SETTINGS["ANIL"].learning_rate
    monkeypatch.setitem(SETTINGS, "ANIL", SETTINGS["ANIL"]._replace(learning_rate=0.123))
    taken, refused = saved_networks(saved, options, classes)
    assert list(taken) == [name for name in NAMES if name != "ANIL"]
    assert refused == [f"ANIL: learning_rate {learning_rate} there, 0.123 here"]


def test_a_file_that_is_not_the_one_recorded_is_not_taken(saved, options, classes):
    (saved / "reptile.npz").unlink()
    save_params(saved / "maml.npz", {"w": np.zeros(3, "float32")})
    (saved / "anil.npz").write_bytes(b"cut off")
    taken, refused = saved_networks(saved, options, classes)
    assert set(NAMES) - set(taken) == {"MAML", "ANIL", "Reptile"}
    assert refused == ["MAML: maml.npz is not the file that the record describes",
                       "ANIL: anil.npz is not the file that the record describes",
                       "Reptile: there is no reptile.npz"]


def test_a_folder_without_a_run_of_this_lesson_is_refused(tmp_path, options, classes):
    with pytest.raises(FileNotFoundError, match=r"--from-runs .*nothing: there is no record\.json"):
        saved_networks(tmp_path / "nothing", options, classes)
    write_record(tmp_path, "lesson4_maml", options, 1.0, {})
    with pytest.raises(ValueError, match="a run of lesson4_maml, not of lesson8_comparison"):
        saved_networks(tmp_path, options, classes)


def test_the_protocol_is_recognised_however_it_is_written(monkeypatch):
    asked = []
    monkeypatch.setattr(lesson8_comparison.lesson8_protocols, "main", lambda methods, argv: asked.append(argv))
    lesson8_comparison.main(["--protocol=finn", "--seed", "1"])
    lesson8_comparison.main(["--protocol", "lake"])
    assert asked == [["--protocol=finn", "--seed", "1"], ["--protocol", "lake"]]


# ---------------------------------------------------------------- the figures


def test_the_figures_name_every_method(options):
    rng = np.random.default_rng(0)
    learners = {name: Learner(family, None) for name, family in
                [("pixels", "nothing learned"), *((name, method.family) for name, method in METHODS.items())]}
    found = {(name, mode): rng.random(20) for name in learners for mode in MODES}
    scatter = draw_scatter(learners, dict.fromkeys(learners, 1.0), found, options)
    assert {text.get_text() for text in scatter.axes[0].texts} == set(learners)
    inductive = {name: found[name, False] for name in learners}
    matrix = draw_matrix(found, paired_differences(inductive), list(learners))
    assert [label.get_text() for label in matrix.axes[0].get_xticklabels()] == list(learners)
    assert len(matrix.axes[0].texts) == 10 * 11 / 2


# ---------------------------------------------------------------- the run

TINY = ["--quick", "--effort", "0.002", "--episodes", "6", "--channels", "4", "--n-query", "3"]


@pytest.fixture(scope="module")
def tiny_run(tmp_path_factory):
    """(folder, what it printed, record) of a run that shows that it runs."""
    out = tmp_path_factory.mktemp("tiny")
    with pytest.MonkeyPatch.context() as patch:
        printed = []
        patch.setattr("builtins.print", lambda *words, **_: printed.append(" ".join(map(str, words))))
        main([*TINY, "--out", str(out)])
    return out, "\n".join(printed), read_record(out / "record.json")


def test_the_quick_run_end_to_end(tiny_run):
    out, text, record = tiny_run
    lines = text.splitlines()
    assert lines[0] == "Ten ways to learn 5 new characters from 1 example(s) of each: which of"
    assert text.replace("±", "").isascii()
    assert max(len(line) for line in lines if str(out) not in line) <= 80
    files = {file_of(name) for name in METHODS} | {"scatter.png", "differences.png", "record.json"}
    assert {path.name for path in out.iterdir()} == files
    assert all(str(out / name) in text for name in files)
    for name in ("scatter.png", "differences.png"):
        with Image.open(out / name) as picture:
            picture.verify()
    for name in METHODS:
        assert {leaf.dtype for leaf in leaves(load_params(out / file_of(name)))} == {np.dtype("float32")}
    assert record["lesson"] == "lesson8_comparison"


def test_the_record_holds_every_number_of_the_tables(tiny_run):
    _, text, record = tiny_run
    metrics = dict(record["metrics"])
    costs, trainings = metrics.pop("costs"), metrics.pop("trainings")
    names = ["pixels", *NAMES]
    assert set(costs) == set(names)
    assert set(trainings) == set(NAMES)
    modes = {f"{name}, {mode}" for name in names for mode in MODES.values()}
    gains = {f"{name}, all queries minus the support" for name in names}
    pairs = set(metrics) - modes - gains
    assert len(pairs) == 45
    assert {frozenset(pair.split(" minus ")) for pair in pairs} == set(map(frozenset, itertools.combinations(names, 2)))
    assert all(np.isfinite([metric["mean"], metric["interval"]]).all() for metric in metrics.values())
    support = MODES[False]
    for pair in pairs:
        a, b = pair.split(" minus ")
        expected = metrics[f"{a}, {support}"]["mean"] - metrics[f"{b}, {support}"]["mean"]
        assert metrics[pair]["mean"] == pytest.approx(expected, abs=1e-9)
        assert metrics[pair]["mean"] > -1e-9  # the better one first
    rows = [line[3:19].strip() for line in text.split("(inductive)")[-1].splitlines()[1:11]]
    assert sorted(rows) == sorted(names)
    means = [metrics[f"{name}, {support}"]["mean"] for name in rows]
    assert means == sorted(means, reverse=True)


def test_costs_are_of_what_was_trained(tiny_run):
    out, _, record = tiny_run
    costs = record["metrics"]["costs"]
    assert costs["pixels"]["parameters"] == costs["pixels"]["training seconds"] == costs["pixels"]["images"] == 0
    for name in NAMES:
        assert costs[name]["parameters"] == sum(leaf.size for leaf in leaves(load_params(out / file_of(name))))
        assert costs[name]["training seconds"] > 0
        assert costs[name]["adaptation milliseconds"] > 0
    assert costs["Meta-SGD"]["parameters"] == 2 * costs["MAML"]["parameters"]
    assert costs["Reptile"]["images"] == 1 * 5 * 50  # 0.002 x 340 is 1 iteration of 5 tasks of 50 images


def numbers(record):
    """The metrics without what a clock measured."""
    return {name: metric for name, metric in record["metrics"].items() if name not in ("costs", "trainings")}


@pytest.mark.parametrize(("seed", "same"), [("0", True), ("1", False)])
def test_the_same_seed_gives_the_same_numbers(seed, same, tiny_run, tmp_path):
    main([*TINY, "--seed", seed, "--out", str(tmp_path)])
    record = read_record(tmp_path / "record.json")
    assert (numbers(record) == numbers(tiny_run[2])) == same
    if same:  # so are the networks that it was the same training of
        assert all(record["metrics"]["trainings"][name]["options"] == there["options"]
                   for name, there in tiny_run[2]["metrics"]["trainings"].items())


@pytest.fixture
def no_training(monkeypatch):
    """main() must not come as far as training."""
    def train(*args, **kwargs):
        raise AssertionError("training started")
    monkeypatch.setattr(lesson8_comparison, "train", train)


@pytest.mark.usefixtures("no_training")
def test_an_earlier_run_is_taken_whole(tiny_run, tmp_path, capsys):
    folder, _, record = tiny_run
    main([*TINY, "--from-runs", str(folder), "--out", str(tmp_path)])
    again = read_record(tmp_path / "record.json")
    assert numbers(again) == numbers(record)
    assert {name: costs["training seconds"] for name, costs in again["metrics"]["costs"].items()} == {
        name: costs["training seconds"] for name, costs in record["metrics"]["costs"].items()}
    assert f"Taken from {folder}: {', '.join(NAMES)}." in capsys.readouterr().out


def test_what_differs_is_said_and_trained_anew(tiny_run, tmp_path, capsys):
    main([*TINY, "--from-runs", str(tiny_run[0]), "--channels", "3", "--out", str(tmp_path)])
    text = capsys.readouterr().out
    assert "MAML: channels 4 there, 3 here" in text
    assert "Taken from" not in text
    assert load_params(tmp_path / "maml.npz")["block1"]["w"].shape[-1] == 3


@pytest.mark.parametrize(("argv", "error", "message"), [
    (["--n-way", "60"], ValueError, "60-way episodes need 60 classes"),
    (["--n-query", "20"], ValueError, r"1 support \+ 20 query need 21"),
    (["--k-shot", "20", "--n-query", "1"], ValueError, r"20 support \+ 1 query need 21"),
    (["--from-runs", "nowhere"], FileNotFoundError, "there is no record.json"),
    (["--from-runs"], SystemExit, "2"), (["--effort", "0"], SystemExit, "2"), (["--epochs", "3"], SystemExit, "2"),
    (["--data", "nowhere"], FileNotFoundError, "there is no folder")])
@pytest.mark.usefixtures("no_training")
def test_what_cannot_be_done_is_told_before_training(argv, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        main(["--quick", *argv, "--out", str(tmp_path / "out")])


def test_a_folder_of_ones_own_images_runs(tmp_path):
    rng = np.random.default_rng(0)
    for name in range(20):
        folder = tmp_path / "mine" / f"class{name:02}"
        folder.mkdir(parents=True)
        for drawing in range(4):  # fewer than Reptile's ten
            picture = np.full((28, 28), 255, "uint8")
            picture[rng.integers(4, 20):, 8:12] = 0
            picture[14:18, rng.integers(4, 20):] = 0
            Image.fromarray(picture).save(folder / f"{drawing}.png")
    main([*TINY, "--data", str(tmp_path / "mine"), "--out", str(tmp_path / "out")])
    assert read_record(tmp_path / "out" / "record.json")["metrics"]["costs"]["Reptile"]["images"] == 5 * 5 * 4


def test_the_images_hash_sees_labels_too(options, classes):
    other = ImageClasses(classes.images, classes.labels[::-1].copy(), classes.names, classes.groups)
    settings = SETTINGS["MAML"]
    one, two = (training_options(options, settings, part)["training images"] for part in (classes, other))
    assert one != two


def test_labels_that_would_lie_on_each_other_are_moved_apart():
    points = {"a": (1.0, 50.0), "b": (1.1, 50.5), "c": (30.0, 50.2), "d": (1.2, 60.0)}
    assert label_heights(points, spacing=2.0) == {"a": 50.0, "b": 52.0, "c": 50.2, "d": 60.0}


# ---------------------------------------------------------------- what the lesson claims, over three seeds


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_what_a_comparison_finds(seed, tmp_path):
    """With half of the effort and of the channels."""
    main(["--effort", "0.5", "--channels", "16", "--episodes", "200", "--seed", str(seed), "--out", str(tmp_path)])
    metrics = read_record(tmp_path / "record.json")["metrics"]
    accuracy, gain = ({name: metrics[f"{name}, {what}"] for name in ["pixels", *NAMES]}
                      for what in (MODES[False], "all queries minus the support"))
    metric, optimisation = ([name for name, method in METHODS.items() if method.family == family]
                            for family in (METRIC, OPTIMISATION))
    for name in NAMES:
        assert accuracy[name]["mean"] > accuracy["pixels"]["mean"] + 0.03, name
    for one, two in itertools.product(metric, optimisation):  # in so short a training
        assert metrics[f"{one} minus {two}"]["mean"] > 2 * metrics[f"{one} minus {two}"]["interval"], (one, two)
    for name in optimisation:
        assert gain[name]["mean"] > gain[name]["interval"], name
    for one, two in itertools.combinations(NAMES, 2):
        pair = metrics.get(f"{one} minus {two}") or metrics[f"{two} minus {one}"]
        assert pair["interval"] < np.hypot(accuracy[one]["interval"], accuracy[two]["interval"])
