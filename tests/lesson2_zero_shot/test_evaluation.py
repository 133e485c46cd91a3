"""Lesson 2, zero-shot: the measurement takes no glance at the unseen; the run."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from fewshot_np import lesson2_zero_shot as zero_shot
from fewshot_np.lesson2_zero_shot.__main__ import run_writing
from tests.lesson2_zero_shot.described import ATTRIBUTES, described_features
from tests.scaffolding import run_of, run_tiny


def test_unseen_combinations_of_seen_parts_are_recognised_and_only_by_their_names():
    features, rng = described_features(), np.random.default_rng(0)
    split = zero_shot.split_unseen(ATTRIBUTES, 0.2, rng)
    results, rehearsals, answers = zero_shot.measure(features, ATTRIBUTES, *split, rng)
    assert results["unseen"] > 0.9
    assert results["guessing"] == 1 / 5
    assert results["all: guessing"] == 1 / 25
    assert results["all: harmonic"] == pytest.approx(2 / (1 / results["all: seen"] + 1 / results["all: unseen"]))
    assert rehearsals.shape == (len(zero_shot.GAMMAS), len(zero_shot.LAMS))
    assert answers.shape == (5, 20)
    assert np.mean(answers == np.arange(5)[:, None]) == results["unseen"]
    exchanged = ATTRIBUTES.copy()
    exchanged[split[1]] = np.roll(ATTRIBUTES[split[1]], 1, axis=0)
    assert zero_shot.measure(features, exchanged, *split, rng)[0]["unseen"] < 0.1


def test_regularisers_are_those_of_the_best_rehearsal():
    features = described_features(noise=1.0)
    (gamma, lam), table = zero_shot.choose_regularisers(features, ATTRIBUTES, np.random.default_rng(1))
    assert table[zero_shot.GAMMAS.index(gamma), zero_shot.LAMS.index(lam)] == table.max()
    teach, play = zero_shot.split_unseen(ATTRIBUTES, 0.2, np.random.default_rng(1))
    params = zero_shot.fit(features[teach], ATTRIBUTES[teach], gamma, lam)
    again = zero_shot.scores(params, features[play], ATTRIBUTES[play])
    assert zero_shot.accuracy(again, np.arange(len(play))) == table.max()


def test_no_unseen_class_occurs_in_training(monkeypatch):
    """Whatever is known of the unseen, images or names, is spoiled; nothing that is fitted or chosen may change."""
    features = described_features(noise=1.0)
    seen, unseen = zero_shot.split_unseen(ATTRIBUTES, 0.2, np.random.default_rng(0))
    taught = []

    def spy(*arguments):
        taught.append(arguments)
        return zero_shot.eszsl(*arguments)

    monkeypatch.setattr("fewshot_np.lesson2_zero_shot.closed_form.eszsl", spy)
    honest = zero_shot.measure(features, ATTRIBUTES, seen, unseen, np.random.default_rng(1))
    honestly_taught, taught = taught, []
    spoiled_features, spoiled_attributes = features.copy(), ATTRIBUTES.copy()
    spoiled_features[unseen], spoiled_attributes[unseen] = np.nan, -7
    spoiled = zero_shot.measure(spoiled_features, spoiled_attributes, seen, unseen, np.random.default_rng(1))
    assert len(taught) == len(honestly_taught) == len(zero_shot.GAMMAS) * len(zero_shot.LAMS) + 1
    for mine, other in zip(taught, honestly_taught, strict=True):
        for a, b in zip(mine, other, strict=True):
            np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(spoiled[1], honest[1])
    assert np.isfinite(taught[-1][0]).all()
    assert len(taught[-1][2]) == len(seen)


def test_what_is_tested_for_the_seen_was_not_trained_on():
    features = described_features()
    seen, unseen = zero_shot.split_unseen(ATTRIBUTES, 0.2, np.random.default_rng(0))
    spoiled = features.copy()
    spoiled[seen, 15:] = np.nan  # the last five drawings of each seen class
    honest, of_spoiled = (zero_shot.measure(f, ATTRIBUTES, seen, unseen, np.random.default_rng(1))
                          for f in (features, spoiled))
    assert honest[0]["unseen"] == of_spoiled[0]["unseen"]
    assert honest[0]["all: seen"] > of_spoiled[0]["all: seen"] == 0


# ---------------------------------------------------------------- the run


@pytest.mark.parametrize("writing", zero_shot.NAMES)
def test_the_quick_settings_know_more_than_chance(writing):
    metrics = run_tiny_writing(writing, seed=0, filters=8)
    assert metrics["strokes, unseen"] > 2 * metrics["strokes, guessing"]


def run_tiny_writing(writing, seed, filters=2, quick=True):
    """{"features, name": mean} of two splits."""
    options = SimpleNamespace(quick=quick, repetitions=2, seed=seed)
    kernels = zero_shot.random_kernels(filters, np.random.default_rng(seed))
    extractors = {"strokes": partial(zero_shot.random_convolution, kernels)}
    if not quick:
        extractors["pixels"] = zero_shot.pixels
    metrics, _, _ = run_writing(writing, options, extractors)
    return {name.removeprefix(f"{writing}, "): value["mean"] for name, value in metrics.items()}


@pytest.mark.parametrize("data", ["omniglot", "a folder"])
def test_data_without_names_are_refused_with_the_reason(tmp_path, monkeypatch, data):
    monkeypatch.setattr(run_of("lesson2_zero_shot"), "run_writing", None)
    with pytest.raises(ValueError, match=f"--data {data}: zero-shot learning needs side information"):
        run_tiny("lesson2_zero_shot", tmp_path, "--data", data)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_names_are_worth_ten_times_chance_and_most_of_braille(seed):
    for writing in ("Latin", "Canadian"):
        metrics = run_tiny_writing(writing, seed, filters=16, quick=False)
        assert metrics["strokes, unseen"] > 10 * metrics["strokes, guessing"]
        assert metrics["strokes, shuffled"] < 4 * metrics["strokes, guessing"]
        assert metrics["strokes, all: unseen"] > 10 * metrics["strokes, all: guessing"]
    braille = run_tiny_writing("Braille", seed, filters=16, quick=False)
    assert braille["pixels, unseen"] > 0.85
    assert braille["strokes, unseen"] > 0.95
