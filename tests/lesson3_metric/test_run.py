"""The run: which methods meet which settings, with few classes and with a folder; its figure; and what it claims."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from fewshot_np.data import glyphs
from fewshot_np.experiment.records import load_params, read_record
from fewshot_np.lesson2_episodes import accuracies, sample_episodes
from fewshot_np.lesson2_episodes import scores as pixel_scores
from fewshot_np.lesson3_metric import prototypical_scores, relation_loss
from fewshot_np.lesson3_metric.__main__ import methods, possible_settings
from fewshot_np.lesson3_metric.figures import draw_embedding
from fewshot_np.nn.networks import conv4
from fewshot_np.nn.optimizers import adam
from fewshot_np.nn.primitives import cross_entropy
from fewshot_np.nn.trees import grad
from tests.lesson3_metric.examples import NETWORK, PARAMS, K, N, Q, shuffled_episode
from tests.scaffolding import classes_of, run_tiny, vector

TINY = ["--iterations", "3", "--episodes", "5", "--channels", "4", "--n-query", "2", "--train-way", "8",
        "--curve-ways", "3", "--scratch-iterations", "1"]
NAMES = ["prototypical, 8-way", "prototypical, 5-way", "prototypical, 8-way, not squared", "matching, 5-way",
         "matching, 8-way", "matching, 8-way, sharper", "ridge regression, 8-way", "Relation, 5-way",
         "Relation, 8-way, cross-entropy"]
run = partial(run_tiny, "lesson3_metric")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    out = tmp_path_factory.mktemp("tiny")
    run(out, *TINY)
    return out


def test_the_record_has_finite_numbers_and_the_differences_of_all_methods(tiny):
    metrics = read_record(tiny / "record.json")["metrics"]
    assert all(np.isfinite([metric["mean"], metric["interval"]]).all() for metric in metrics.values())
    for name in NAMES[1:]:
        difference, ours, reference = (metrics[f"{row}, 5-way 1-shot"]["mean"]
                                       for row in (f"{name} minus {NAMES[0]}", name, NAMES[0]))
        assert difference == pytest.approx(ours - reference)


def test_no_two_methods_end_alike(tiny):
    ends = [vector(load_params(path)) for path in sorted(tiny.glob("*.npz"))]
    assert len(ends) == len(NAMES)
    for i, one in enumerate(ends):
        assert all(np.abs(one - other).max() > 1e-6 for other in ends[:i] if other.shape == one.shape)


def test_what_trains_is_what_tests():
    candidates, episode = methods(20, 5), shuffled_episode()
    assert [method.train_way for method in candidates.values()] == [20, 5, 20, 5, 20, 20, 20, 5, 20]
    for name, method in candidates.items():
        scores = method.scores(NETWORK, PARAMS, episode, "support and queries")
        loss = relation_loss if name == "Relation, 5-way" else cross_entropy
        assert method.objective(NETWORK, PARAMS, episode) == pytest.approx(loss(scores, episode.query_y).mean(),
                                                                          rel=1e-10)


def test_training_with_the_ways_of_the_test_leaves_fewer_methods(tmp_path):
    metrics = run(tmp_path, *TINY, "--train-way", "5")["metrics"]
    assert sum("5-way 1-shot" in name and "minus" not in name for name in metrics) == 11  # nine without the two equal


@pytest.mark.parametrize(("n_classes", "n_images", "expected"), [
    (20, 7, [(5, 1), (5, 5), (20, 1)]), (19, 7, [(5, 1), (5, 5)]), (20, 6, [(5, 1), (20, 1)]), (5, 3, [(5, 1)])])
def test_settings_are_those_for_which_there_is_enough(n_classes, n_images, expected):
    options = SimpleNamespace(n_way=5, k_shot=1, n_query=2)
    assert possible_settings(classes_of(*[n_images] * n_classes), options) == expected


def test_the_picture_marks_as_prototypes_the_means_of_the_support():
    start, other = (NETWORK.init(np.random.default_rng(seed)) for seed in (0, 1))
    panel = draw_embedding(NETWORK, start, other, shuffled_episode(dtype="float32", n_tasks=1)).axes[1]
    lines = [np.transpose(line.get_data()) for line in panel.lines]
    assert len(lines) == 3 * N  # of each class its examples, its queries, its prototype
    for support, query, centre in zip(lines[0::3], lines[1::3], lines[2::3], strict=True):
        assert (len(support), len(query)) == (K, Q)
        np.testing.assert_allclose(centre[0], support.mean(axis=0), rtol=1e-3, atol=1e-4)


@pytest.fixture(scope="module", params=range(3))
def claims(request):
    """{row: mean accuracy} of a short training on glyphs with this seed: 20-way 1-shot on unseen scripts."""
    training, test, seed = glyphs.load("train"), glyphs.load("test"), request.param
    network = conv4(channels=16, down="stride", features="mean")
    start = network.init(np.random.default_rng(seed))
    episode = sample_episodes(test, 20, 1, 5, 60, np.random.default_rng(100 + seed))

    def accuracy(scores):
        return accuracies(scores, episode.query_y).mean()

    results = {"pixels": accuracy(pixel_scores(None, episode)),
               "no training": accuracy(prototypical_scores(network, start, episode, "support"))}
    for name, method in methods(20, 5).items():
        rng, params, state = np.random.default_rng(seed), method.start(start, np.random.default_rng(seed)), None
        for iteration in range(500):  # after 250 the last bits of a sum still move the order
            batch = sample_episodes(training, method.train_way, 1, 5, 20 // method.train_way, rng)
            gradient = grad(partial(method.objective, network))(params, batch)
            params, state = adam(params, gradient, state, 1e-2 * (1 - iteration / 500))
        results[name] = accuracy(method.scores(network, params, episode, "support"))
    return results


@pytest.mark.slow
def test_what_the_lesson_claims(claims):
    ours = claims["prototypical, 20-way"]
    assert ours > max(claims["pixels"], claims["no training"]) + 0.2  # a trained embedding beats both
    assert ours > claims["prototypical, 5-way"] + 0.02  # more ways in training than in the test help
    assert ours > claims["matching, 5-way"] + 0.1
    for name in ("ridge regression, 20-way", "Relation, 20-way, cross-entropy"):
        assert claims[name] > claims["pixels"] + 0.1
    for name in ("matching, 5-way", "matching, 20-way"):  # cosines alone hold Matching Networks back
        assert claims["matching, 20-way, sharper"] > claims[name] + 0.05
