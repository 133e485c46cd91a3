"""The protocol `finn`: 5 or 20 characters from anywhere. Finn, Abbeel & Levine 2017."""

from functools import partial

import numpy as np

from fewshot_np.data import omniglot
from fewshot_np.data.splits import split_classes
from fewshot_np.experiment.methods import build_network
from fewshot_np.lesson2_episodes import sample_episodes
from fewshot_np.results.distortion import turn_classes
from fewshot_np.results.statistics import (
    mean_accuracy,
    measure_accuracies,
    metrics_of,
    sample_reference,
    scores_by_statistics,
    validation_episodes,
)
from fewshot_np.results.training import load_trained, sample_for, train_row


def finn_splits(root, seed=0):
    """1,100, 100 and 423 characters of all 50 alphabets."""
    return split_classes(omniglot.load(root), [1100, 100, 423], np.random.default_rng(seed))


def sample_turned(classes, n_way, k_shot, n_query, n_tasks, rng):
    """Episodes as in the code of Finn et al.: different characters, each turned by one random quarter turn."""
    return turn_classes(sample_episodes(classes, n_way, k_shot, n_query, n_tasks, rng), rng)


def run_finn(options, method, row, folder):
    """Train one row, choose its network on the validation characters, test it once: (metrics, history)."""
    trained = load_trained(options, row) if options.network else None
    training, validation, test = finn_splits(options.data_root)
    rotations = omniglot.with_rotations(training)
    if method.head == "classes":
        training = rotations
    network, rng = build_network(method, row, training, options.n_way), np.random.default_rng(options.seed)
    reference = sample_reference(rotations, rng)
    episodes = validation_episodes(validation, options.n_way, options.k_shot, min(5, row.n_query_test), sample_turned)

    params, history = trained or train_row(
        options, method, row, network, rng, folder, partial(mean_accuracy, method, row, network, reference, episodes),
        partial(sample_for, row, method, training, options.n_way, options.k_shot, rng))
    results = measure_accuracies(test, scores_by_statistics(method, row, network, params, reference), options.n_way,
                                 options.k_shot, row.n_query_test, options.episodes, sample=sample_turned)
    return metrics_of(results, "accuracy"), history
