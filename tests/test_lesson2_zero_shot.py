"""Lesson 2, zero-shot: the closed form three ways, names and splits, no glance at the unseen, the run."""

import inspect
import unicodedata
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from autograd import grad

from fewshot_np import lesson2_zero_shot
from fewshot_np.data import glyphs
from fewshot_np.experiment.records import read_record
from fewshot_np.lesson2_zero_shot import (
    GAMMAS,
    LAMS,
    LEAST_SEEN,
    NAMES,
    QUICK_NAMES,
    accuracy,
    characters,
    choose_regularisers,
    drawings,
    eszsl,
    eszsl_objective,
    features_of,
    fit,
    main,
    measure,
    pixels,
    random_convolution,
    random_kernels,
    run_writing,
    scores,
    signatures,
    split_unseen,
    standardised,
    targets,
)
from tests.nn.derivatives import assert_differentiates


def random_problem(m=11, d=5, z=4, a=3, seed=0):
    """Features (M,D), labels (M,), signatures (Z,A)."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(m, d)), rng.permutation(np.arange(m) % z), rng.normal(size=(z, a))


def described_classes(n_features=12, n_images=20, noise=0.3, seed=0):
    """25 classes of two parts with 5 values each; an image is the sum of what its parts look like, and noise."""
    rng = np.random.default_rng(seed)
    attributes = signatures([(letter, mark) for letter in "abcde" for mark in "01234"])
    looks = rng.normal(size=(attributes.shape[1], n_features))
    shape = (len(attributes), n_images, n_features)
    return ((attributes @ looks)[:, None] + noise * rng.normal(size=shape)).astype("float32"), attributes


# ---------------------------------------------------------------- the closed form


def test_arguments_have_their_fixed_names():
    assert list(inspect.signature(eszsl).parameters) == ["features", "labels", "signatures", "gamma", "lam"]


def test_eszsl_anchor_of_one_class_worked_by_hand():
    v = eszsl(np.array([[1.0], [2.0]]), np.array([0, 0]), np.array([[1.0]]), gamma=1, lam=2)
    np.testing.assert_allclose(v, [[1 / 6]])  # (1 + 4 + 1)^-1 (1 + 2) (1 + 2)^-1


def test_eszsl_anchor_of_two_classes_worked_by_hand():
    v = eszsl(np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([0, 1]), np.eye(2), gamma=1, lam=1)
    np.testing.assert_allclose(v, [[0.25, -0.25], [-0.2, 0.2]])  # diag(1/2, 1/5) [[1, -1], [-2, 2]] / 2


def test_eszsl_anchor_with_unequal_regularisers():
    v = eszsl(np.array([[3.0]]), np.array([1]), np.array([[1.0], [2.0]]), gamma=1, lam=5)
    np.testing.assert_allclose(v, [[3 * (-1 + 2) / 10 / 10]])  # Y S = -1 + 2; 9 + 1; 1 + 4 + 5


@pytest.mark.parametrize(("gamma", "lam"), [(0.5, 2.0), (10.0, 0.01), (1e-3, 30.0)])
def test_gradient_of_the_objective_is_zero_at_the_closed_form(gamma, lam):
    problem = random_problem()
    v = eszsl(*problem, gamma, lam)
    objective = partial(eszsl_objective, features=problem[0], labels=problem[1], signatures=problem[2], gamma=gamma,
                        lam=lam)
    np.testing.assert_allclose(grad(objective)(v), 0, atol=1e-10)
    direction = np.random.default_rng(1).normal(size=v.shape)
    np.testing.assert_allclose(objective(v + direction) - objective(v),  # a parabola: the slope at v is 0
                               objective(v - direction) - objective(v))
    assert objective(v + 1e-3 * direction) > objective(v)


def test_objective_differentiates_twice():
    features, labels, attributes = random_problem()
    v = np.random.default_rng(2).normal(size=(5, 3))
    assert_differentiates(lambda v: eszsl_objective(v, features, labels, attributes, 0.7, 0.3), v)


def test_objective_by_loops():
    features, labels, attributes = random_problem()
    v, gamma, lam = np.random.default_rng(3).normal(size=(5, 3)), 0.7, 0.3
    expected = gamma * lam * sum(number ** 2 for number in v.ravel())
    for k, f in enumerate(features):
        expected += lam * sum((f @ v[:, a]) ** 2 for a in range(3))
        expected += sum((f @ v @ s - (1 if labels[k] == z else -1)) ** 2 for z, s in enumerate(attributes))
    expected += gamma * sum((v[d] @ s) ** 2 for d in range(5) for s in attributes)
    np.testing.assert_allclose(eszsl_objective(v, features, labels, attributes, gamma, lam), expected)


def test_closed_form_is_the_solution_of_one_large_linear_system():
    features, labels, attributes = random_problem()
    left, right = features.T @ features + 0.7 * np.eye(5), attributes.T @ attributes + 0.3 * np.eye(3)
    expected = np.linalg.solve(np.kron(left, right), (features.T @ targets(labels, 4) @ attributes).ravel())
    np.testing.assert_allclose(eszsl(features, labels, attributes, 0.7, 0.3).ravel(), expected)


def test_the_order_of_images_and_classes_makes_no_difference():
    features, labels, attributes = random_problem()
    v = eszsl(features, labels, attributes, 0.7, 0.3)
    rng = np.random.default_rng(4)
    images, classes = rng.permutation(11), np.array([2, 0, 3, 1])
    np.testing.assert_allclose(eszsl(features[images], labels[images], attributes, 0.7, 0.3), v)
    new_label = np.argsort(classes)
    np.testing.assert_allclose(eszsl(features, new_label[labels], attributes[classes], 0.7, 0.3), v)


def test_targets_are_one_for_the_own_class_and_minus_one_for_others():
    np.testing.assert_array_equal(targets(np.array([2, 0]), 3), [[-1, -1, 1], [1, -1, -1]])


@pytest.mark.parametrize(("gamma", "lam"), [(0, 1), (1, 0), (-1, 1), (float("nan"), 1)])
def test_regularisers_must_be_above_zero(gamma, lam):
    with pytest.raises(ValueError, match="gamma and lam must be above 0"):
        eszsl(*random_problem(), gamma, lam)


@pytest.mark.parametrize("wrong", [-1, 4])
def test_labels_outside_the_classes_are_refused(wrong):
    features, labels, attributes = random_problem()
    labels[3] = wrong
    with pytest.raises(ValueError, match=rf"labels must lie in 0\.\.\.3, got .*{wrong}"):
        eszsl(features, labels, attributes, 1, 1)


def test_one_label_per_row_is_needed():
    features, labels, attributes = random_problem()
    with pytest.raises(ValueError, match=r"features \(11, 5\) need labels \(11,\), got \(10,\)"):
        eszsl(features, labels[:10], attributes, 1, 1)


# ---------------------------------------------------------------- names


def parts_of(writing, character):
    code_points, names, parts = characters(NAMES[writing])
    position = code_points.index(ord(character))
    assert names[position] == unicodedata.name(character)
    return parts[position]


@pytest.mark.parametrize(("writing", "name", "parts"), [
    ("Latin", "LATIN SMALL LETTER E WITH TILDE", ("SMALL LETTER E", "TILDE")),
    ("Latin", "LATIN CAPITAL LETTER O WITH DOUBLE ACUTE", ("CAPITAL LETTER O", "DOUBLE ACUTE")),
    ("Canadian", "CANADIAN SYLLABICS PI", ("P", "I")),
    ("Canadian", "CANADIAN SYLLABICS SHAA", ("SH", "AA")),
    ("Canadian", "CANADIAN SYLLABICS AAI", ("", "AAI")),
    ("Braille", "BRAILLE PATTERN DOTS-1235", ("1", "2", "3", "", "5", "", "", "")),
])
def test_names_fall_into_their_parts(writing, name, parts):
    assert parts_of(writing, unicodedata.lookup(name)) == parts


@pytest.mark.parametrize("writing", NAMES)
@pytest.mark.parametrize("patterns", [NAMES, QUICK_NAMES])
def test_characters_are_distinct_drawable_and_of_common_parts(writing, patterns):
    code_points, names, parts = characters(patterns[writing])
    assert len(set(code_points)) == len(set(names)) == len(set(parts)) == len(code_points)
    assert all(glyphs.faces_of(code_point) for code_point in code_points)
    assert signatures(parts).sum(axis=0).min() > LEAST_SEEN


def test_each_writing_has_enough_characters_for_its_claim():
    latin, canadian, braille = (len(characters(NAMES[writing])[0]) for writing in NAMES)
    assert latin > 300
    assert canadian > 100
    assert braille == 2 ** 8 - 1  # all but the blank


def test_letters_with_two_marks_and_other_tails_are_left_out():
    names = characters(NAMES["Latin"])[1]
    assert not any(" AND " in name or "STROKE" in name or "TOPBAR" in name for name in names)


def test_signatures_anchor():
    np.testing.assert_array_equal(signatures([("e", "tilde"), ("o", "tilde"), ("e", "acute")]),
                                  [[1, 0, 0, 1], [0, 1, 0, 1], [1, 0, 1, 0]])  # e, o; acute, tilde


def test_products_of_signatures_count_the_parts_in_common():
    parts = characters(QUICK_NAMES["Braille"])[2]
    attributes = signatures(parts)
    common = [[sum(a == b for a, b in zip(one, other, strict=True)) for other in parts] for one in parts]
    np.testing.assert_array_equal(attributes @ attributes.T, common)


# ---------------------------------------------------------------- splits


@pytest.mark.parametrize("writing", NAMES)
@pytest.mark.parametrize("seed", range(5))
def test_unseen_classes_are_others_and_each_of_their_parts_is_seen(writing, seed):
    attributes = signatures(characters(NAMES[writing])[2])
    seen, unseen = split_unseen(attributes, 0.2, np.random.default_rng(seed))
    np.testing.assert_array_equal(np.sort(np.concatenate([seen, unseen])), np.arange(len(attributes)))
    assert attributes[seen].sum(axis=0).min() >= LEAST_SEEN
    assert len(unseen) == int(np.ceil(0.2 * len(attributes)))


def test_every_class_is_unseen_in_some_split():
    attributes = signatures([(letter, mark) for letter in "abcde" for mark in "01234"])
    counts = np.zeros(25, dtype=int)
    for seed in range(300):
        counts[split_unseen(attributes, 0.2, np.random.default_rng(seed))[1]] += 1
    assert counts.min() > 300 / 5 - 4.5 * (300 * 0.2 * 0.8) ** 0.5


def test_where_no_class_can_be_spared_it_is_said():
    with pytest.raises(ValueError, match="of 3 classes none can be held out"):
        split_unseen(np.eye(3), 0.2, np.random.default_rng(0))


# ---------------------------------------------------------------- features


def test_pixels_are_the_ink():
    images = np.arange(12.0).reshape(2, 3, 2, 1)
    np.testing.assert_array_equal(pixels(images), np.arange(12.0).reshape(2, 6))


def test_random_convolution_by_loops():
    rng = np.random.default_rng(0)
    images, kernels = rng.random((2, 8, 4, 1)).astype("float32"), random_kernels(3, rng, side=3)
    padded = np.pad(images[..., 0], ((0, 0), (1, 1), (1, 1)))
    expected = np.zeros((2, 2, 1, 3))
    for m, i, j, o in np.ndindex(2, 8, 4, 3):
        response = np.sum(padded[m, i:i + 3, j:j + 3] * kernels[:, :, 0, o])
        expected[m, i // 4, j // 4, o] += max(0, response - 0.1) / 16
    found = random_convolution(kernels, images)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected.reshape(2, -1), rtol=1e-4, atol=1e-6)


def test_random_kernels_find_nothing_in_plain_ink():
    kernels = random_kernels(5, np.random.default_rng(0))
    assert kernels.shape == (7, 7, 1, 5)
    assert kernels.dtype == np.float32
    np.testing.assert_allclose(kernels.mean(axis=(0, 1, 2)), 0, atol=1e-7)


def test_features_keep_the_classes_apart():
    images = np.random.default_rng(0).integers(0, 256, (3, 2, 4, 4, 1)).astype(np.uint8)
    features = features_of(images, pixels)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, images.reshape(3, 2, 16) / 255, rtol=1e-6)


def test_drawings_are_kept(monkeypatch):
    code_points = characters(QUICK_NAMES["Canadian"])[0][:3]
    first = drawings(code_points, 7)
    assert first.shape == (3, glyphs.DRAWINGS, glyphs.SIZE, glyphs.SIZE, 1)
    assert first.dtype == np.uint8
    monkeypatch.setattr(glyphs, "draw_character", None)
    np.testing.assert_array_equal(drawings(code_points, 7), first)


def test_drawings_keep_their_place_so_that_dots_differ():
    one, four = drawings((0x2801, 0x2808), 0).mean(axis=(1, 4))  # dot 1 is in the left column, dot 4 in the right
    columns = np.arange(glyphs.SIZE)
    assert (one.sum(axis=0) @ columns) / one.sum() + 3 < (four.sum(axis=0) @ columns) / four.sum()


# ---------------------------------------------------------------- fitting, choosing, measuring


def test_fit_is_eszsl_on_centred_features():
    features, attributes = described_classes()
    params = fit(features, attributes, 2.0, 0.5)
    rows = features.reshape(-1, 12).astype(float)
    centred = np.c_[(rows - rows.mean(axis=0)) / rows.std(), np.ones(len(rows))]
    np.testing.assert_allclose(standardised(params, features).reshape(-1, 13), centred, atol=1e-12)
    np.testing.assert_allclose(params["v"], eszsl(centred, np.repeat(np.arange(25), 20), attributes, 2.0, 0.5))
    np.testing.assert_allclose(scores(params, features, attributes)[3, 7],
                               [centred[3 * 20 + 7] @ params["v"] @ s for s in attributes])


def test_unseen_combinations_of_seen_parts_are_recognised_and_only_by_their_names():
    features, attributes = described_classes()
    rng = np.random.default_rng(0)
    found, rehearsals, answers = measure(features, attributes, *(split := split_unseen(attributes, 0.2, rng)), rng)
    assert found["unseen"] > 0.9
    assert found["guessing"] == 1 / 5
    assert found["all: guessing"] == 1 / 25
    assert found["all: harmonic"] == pytest.approx(2 / (1 / found["all: seen"] + 1 / found["all: unseen"]))
    assert rehearsals.shape == (len(GAMMAS), len(LAMS))
    assert answers.shape == (5, 20)
    assert np.mean(answers == np.arange(5)[:, None]) == found["unseen"]
    exchanged = attributes.copy()
    exchanged[split[1]] = np.roll(attributes[split[1]], 1, axis=0)
    assert measure(features, exchanged, *split, rng)[0]["unseen"] < 0.1


def test_regularisers_are_those_of_the_best_rehearsal():
    features, attributes = described_classes(noise=1.0)
    (gamma, lam), table = choose_regularisers(features, attributes, np.random.default_rng(1))
    assert table[GAMMAS.index(gamma), LAMS.index(lam)] == table.max()
    teach, play = split_unseen(attributes, 0.2, np.random.default_rng(1))
    again = scores(fit(features[teach], attributes[teach], gamma, lam), features[play], attributes[play])
    assert accuracy(again, np.arange(len(play))) == table.max()


def test_accuracy_anchor():
    table = np.array([[[3, 1, 2], [0, 5, 1]], [[0, 0, 9], [0, 0, 9]]])  # 2 classes, 2 images each, 3 answers
    assert accuracy(table, np.array([0, 2])) == 0.75


def test_no_unseen_class_occurs_in_training(monkeypatch):
    """Whatever is known of the unseen, images or names, is spoiled; nothing that is fitted or chosen may change."""
    features, attributes = described_classes(noise=1.0)
    seen, unseen = split_unseen(attributes, 0.2, np.random.default_rng(0))
    taught = []

    def spy(features, labels, signatures, gamma, lam):
        taught.append((features, labels, signatures, gamma, lam))
        return eszsl(features, labels, signatures, gamma, lam)

    monkeypatch.setattr(lesson2_zero_shot, "eszsl", spy)
    honest = measure(features, attributes, seen, unseen, np.random.default_rng(1))
    honestly_taught, taught = taught, []
    spoiled_features, spoiled_attributes = features.copy(), attributes.copy()
    spoiled_features[unseen], spoiled_attributes[unseen] = np.nan, -7
    spoiled = measure(spoiled_features, spoiled_attributes, seen, unseen, np.random.default_rng(1))
    assert len(taught) == len(honestly_taught) == len(GAMMAS) * len(LAMS) + 1
    for mine, other in zip(taught, honestly_taught, strict=True):
        for a, b in zip(mine, other, strict=True):
            np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(spoiled[1], honest[1])
    assert np.isfinite(taught[-1][0]).all()
    assert len(taught[-1][2]) == len(seen)


def test_what_is_tested_for_the_seen_was_not_trained_on():
    features, attributes = described_classes()
    seen, unseen = split_unseen(attributes, 0.2, np.random.default_rng(0))
    spoiled = features.copy()
    spoiled[seen, 15:] = np.nan  # the last five drawings of each seen class
    honest, of_spoiled = (measure(f, attributes, seen, unseen, np.random.default_rng(1)) for f in (features, spoiled))
    assert honest[0]["unseen"] == of_spoiled[0]["unseen"]
    assert honest[0]["all: seen"] > of_spoiled[0]["all: seen"] == 0


# ---------------------------------------------------------------- the run


def test_the_quick_run_end_to_end(tmp_path, capsys):
    main(["--quick", "--out", str(tmp_path)])
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert lines[0] == "Characters of which it has seen no example, recognised by their Unicode names."
    assert all(len(line) <= 80 for line in lines if str(tmp_path) not in line)
    assert set(out) - set(map(chr, range(128))) <= {"±"}
    assert lines[-1].startswith("Next:")
    assert {path.name for path in tmp_path.iterdir()} == {"accuracy.png", "predictions.png", "record.json"}
    metrics = read_record(tmp_path / "record.json")["metrics"]
    assert {name.split(", ")[0] for name in metrics} == set(NAMES)
    assert all(0 <= m["mean"] <= 1 and m["interval"] >= 0 for m in metrics.values())
    for writing in NAMES:
        chance = metrics[f"{writing}, random convolution, guessing"]["mean"]
        assert metrics[f"{writing}, random convolution, unseen"]["mean"] > 2 * chance


def test_the_same_seed_gives_the_same_numbers():
    def metrics(seed):
        options = SimpleNamespace(quick=True, repetitions=2, seed=seed)
        kernels = random_kernels(2, np.random.default_rng(seed))
        return run_writing("Canadian", options, {"strokes": partial(random_convolution, kernels)})[0]

    assert metrics(3) == metrics(3) != metrics(4)


@pytest.mark.parametrize("data", ["omniglot", "a folder"])
def test_data_without_names_are_refused_with_the_reason(tmp_path, monkeypatch, data):
    monkeypatch.setattr(lesson2_zero_shot, "run_writing", None)
    with pytest.raises(ValueError, match=f"--data {data}: zero-shot learning needs side information"):
        main(["--quick", "--data", data, "--out", str(tmp_path)])


def test_one_split_has_no_interval(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["--quick", "--repetitions", "1", "--out", str(tmp_path)])
    assert "--repetitions: '1' is not an integer of at least 2" in capsys.readouterr().err


# ---------------------------------------------------------------- the claims


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_names_are_worth_ten_times_chance_and_most_of_braille(seed):
    options = SimpleNamespace(quick=False, repetitions=2, seed=seed)
    extractors = {"pixels": pixels,
                  "random convolution": partial(random_convolution, random_kernels(16, np.random.default_rng(seed)))}
    metrics = {}
    for writing in NAMES:
        metrics |= {name: m["mean"] for name, m in run_writing(writing, options, extractors)[0].items()}
    for writing in ("Latin", "Canadian"):
        chance = metrics[f"{writing}, random convolution, guessing"]
        assert metrics[f"{writing}, random convolution, unseen"] > 10 * chance
        assert metrics[f"{writing}, random convolution, shuffled"] < 4 * chance
        assert metrics[f"{writing}, random convolution, all: unseen"] > \
            10 * metrics[f"{writing}, random convolution, all: guessing"]
    assert metrics["Braille, pixels, unseen"] > 0.85
    assert metrics["Braille, random convolution, unseen"] > 0.95
