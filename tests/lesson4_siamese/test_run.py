"""The run of lesson 4, the loop on its page, and what the lesson claims, over three seeds."""

import itertools
from functools import partial

import numpy as np
import pytest

from fewshot_np import lesson4_siamese as lesson
from fewshot_np.data.classes import to_float
from fewshot_np.experiment.records import load_params
from fewshot_np.lesson2_episodes import accuracies, sample_episodes
from fewshot_np.lesson2_episodes import scores as pixel_scores
from fewshot_np.nn.networks import conv4
from tests.scaffolding import glyph_splits, run_tiny, vector

TINY = ["--iterations", "3", "--episodes", "5", "--channels", "4", "--n-query", "2", "--train-ways", "6",
        "--pairs", "40"]
NETWORKS = ("as-in-the-document.npz", "contrastive-loss.npz", "hard-negatives.npz")


def test_the_three_trainings_differ_and_the_pages_loop_is_theirs(tmp_path):
    run_tiny("lesson4_siamese", tmp_path, *TINY)
    networks = [vector(load_params(tmp_path / name)) for name in NETWORKS]
    for one, two in itertools.combinations(networks, 2):
        assert np.abs(one - two).max() > 1e-5
    training = glyph_splits(quick=True)[0]
    mine = lesson.train_siamese(conv4(channels=4, down="stride"), training, 3, np.random.default_rng(0), n_way=6,
                         negatives="hardest")
    np.testing.assert_array_equal(vector(mine), networks[2])


# ---------------------------------------------------------------- what the lesson claims


def measured(splits, seed, iterations, **settings):
    """Train, then measure: (one-shot accuracy, that of pixels, equal error rate, right decisions, mean distances)."""
    training, validation, test = splits
    network = conv4(channels=32, down="stride")
    params = lesson.train_siamese(network, training, iterations, np.random.default_rng(seed), **settings)
    rng = np.random.default_rng(seed + 100)
    episode = sample_episodes(test, 5, 1, 10, 100, rng)
    accuracy = accuracies(lesson.scores(network, params, episode, "support"), episode.query_y).mean()
    pixels = accuracies(pixel_scores(None, episode), episode.query_y).mean()
    reference = to_float(training.images[rng.choice(len(training.images), 128, replace=False)])
    embedding = partial(lesson.embed_by_reference, network, params, reference)
    chosen, pairs = (lesson.balanced_pairs(part, 1000, rng) for part in (validation, test))
    threshold = lesson.choose_threshold(lesson.pair_distances(embedding, chosen), chosen.same)
    apart = lesson.pair_distances(embedding, pairs)
    right = np.mean((apart < threshold) == pairs.same)
    means = [apart[pairs.same == kind].mean() for kind in (1, 0)]
    return accuracy, pixels, lesson.equal_error_rate(apart, pairs.same), right, means


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_trained_distance_beats_pixels_and_the_documents_formula_fails(seed):
    accuracy, pixels, error, right, (near, far) = measured(glyph_splits(), seed, 400)
    assert accuracy > pixels + 0.15
    assert error < 0.25
    assert right > 0.7
    assert far > 1.5 * near
    accuracy, pixels, error, right, means = measured(glyph_splits(), seed, 400, loss=lesson.document_formula)
    assert accuracy < pixels - 0.1
    assert accuracy < 0.3  # guessing scores 0.2
    assert 0.4 < error < 0.6
    assert 0.4 < right < 0.6
    np.testing.assert_allclose(means, 5.0, rtol=0.15)  # half the margin, whatever the pair


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_hard_negatives_help(seed):
    random, hardest = (measured(glyph_splits(), seed, 1000, negatives=negatives) for negatives in ("random", "hardest"))
    assert hardest[0] > random[0] + 0.01
    assert hardest[2] < random[2]
