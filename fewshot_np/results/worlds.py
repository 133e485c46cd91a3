"""The protocol `worlds`: learn from printed or from handwritten characters, and be tested on both."""

from functools import partial
from types import SimpleNamespace

import numpy as np

from fewshot_np.data.splits import load_splits
from fewshot_np.experiment.methods import build_network
from fewshot_np.experiment.report import metric
from fewshot_np.lesson2_episodes import mean_confidence_interval
from fewshot_np.lesson2_episodes import scores as pixel_scores
from fewshot_np.results.statistics import (
    mean_accuracy,
    measure_accuracies,
    metrics_of,
    sample_reference,
    scores_by_statistics,
    validation_episodes,
)
from fewshot_np.results.training import load_trained, sample_for, train_row

N_WAY, K_SHOT, PIXELS = 5, 1, "pixels"


def run_worlds(options, method, row, folder):
    """Learn from one world, be tested on the test characters of both: (metrics, history)."""
    trained = load_trained(options, row) if options.network else None
    worlds = {name: load_splits(SimpleNamespace(data=name, data_root=options.data_root, seed=0, quick=False))
              for name in ("glyphs", "omniglot")}
    training, validation, _ = worlds[options.background]
    network, rng = build_network(method, row, training, N_WAY), np.random.default_rng(options.seed)
    reference = sample_reference(training, rng)
    episodes = validation_episodes(validation, N_WAY, K_SHOT, 5)

    params, history = trained or train_row(
        options, method, row, network, rng, folder, partial(mean_accuracy, method, row, network, reference, episodes),
        partial(sample_for, row, method, training, N_WAY, K_SHOT, rng))
    scores = scores_by_statistics(method, row, network, params, reference) | {PIXELS: partial(pixel_scores, None)}
    metrics = {}
    for name, (*_, test) in worlds.items():
        results = measure_accuracies(test, scores, N_WAY, K_SHOT, row.n_query_test, options.episodes, f"test on {name}")
        metrics[f"accuracy on {name}, pixels"] = metric(*mean_confidence_interval(results.pop(PIXELS)))
        metrics |= metrics_of(results, f"accuracy on {name}")
    return metrics, history
