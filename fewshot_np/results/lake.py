"""The protocol `lake`: 20 characters of one alphabet. Lake, Salakhutdinov & Tenenbaum 2015."""

from functools import partial

import numpy as np

from fewshot_np.data import omniglot
from fewshot_np.data.classes import to_float
from fewshot_np.experiment.methods import build_network
from fewshot_np.experiment.report import metric
from fewshot_np.lesson2_episodes import Episode, accuracies, mean_confidence_interval
from fewshot_np.lesson2_episodes import scores as pixel_scores
from fewshot_np.results.statistics import mean_accuracy, metrics_of, sample_reference, scores_by_statistics
from fewshot_np.results.training import load_trained, sample_for, train_row

# ---------------------------------------------------------------- a distance that learns nothing


def modified_hausdorff(a, b):
    """The modified Hausdorff distance of two sets of points, each (points, 2). Dubuisson & Jain 1994.

    From each point of one to the nearest of the other, on average; the larger of the two directions.
    """
    apart = np.sqrt(np.maximum(np.sum(a * a, 1)[:, None] + np.sum(b * b, 1) - 2 * a @ b.T, 0))  # each a, each b
    return max(apart.min(axis=1).mean(), apart.min(axis=0).mean())


def ink_points(image):
    """Where the ink of an image (H,W,1) uint8 is: (points, 2), the mean moved to 0, as in Lake's demonstration."""
    points = np.argwhere(image[..., 0] > 127).astype(float)
    return points - points.mean(axis=0)


def hausdorff_errors(runs):
    """The share of the 20 test images of each run (105 x 105) whose nearest training image is of another character."""
    errors = []
    for one in runs:
        support, query = ([ink_points(image) for image in images] for images in one[:2])
        nearest = [np.argmin([modified_hausdorff(q, s) for s in support]) for q in query]
        errors.append(np.mean(nearest != one.test_labels))
    return np.array(errors)


# ---------------------------------------------------------------- the 20 runs, and training within alphabets


def as_episode(runs):
    """The 20 runs as an Episode of 20 tasks, 20-way 1-shot, one query per class."""
    support, query = (to_float(np.stack([getattr(one, name) for one in runs]))
                      for name in ("train_images", "test_images"))
    return Episode(support, np.tile(np.arange(20), (len(runs), 1)), query, np.stack([one.test_labels for one in runs]),
                   None, None)


def alphabets(classes):
    """Each alphabet of the classes upright, and turned by 90, 180 and 270 degrees: a list of ImageClasses."""
    turned = omniglot.with_rotations(classes)
    parts = [(group, turn) for group in dict.fromkeys(classes.groups) for turn in range(4)]
    n = len(classes)
    return [turned.subset([turn * n + k for k in range(n) if classes.groups[k] == group]) for group, turn in parts]


def sample_within(parts, row, method, rng):
    """Episodes of one alphabet, which is drawn by its number of characters, and has as many ways as the row says, or
    as many as the alphabet has characters."""
    sizes = np.array([len(part) for part in parts])
    part = parts[rng.choice(len(parts), p=sizes / sizes.sum())]
    return sample_for(row, method, part, row.train_way, 1, rng)


# ---------------------------------------------------------------- the protocol


def run_lake(options, method, row, folder):
    """The error on the 20 runs of one row; nothing of their alphabets is trained on: (metrics, history or None)."""
    if row is None:
        return {"error": metric(*mean_confidence_interval(errors_without_training(options)))}, None
    trained = load_trained(options, row) if options.network else None
    episode = as_episode(omniglot.load_runs(options.data_root, size=28))
    classes = omniglot.load(options.data_root, options.background)
    training, rng = alphabets(classes), np.random.default_rng(options.seed)
    network, reference = build_network(method, row, classes, n_way=20), sample_reference(classes, rng)

    same = np.random.default_rng(1)  # there are no other alphabets to choose by: new episodes of the same
    episodes = [sample_within(training, row, method, same) for _ in range(10)]
    params, history = trained or train_row(
        options, method, row, network, rng, folder, partial(mean_accuracy, method, row, network, reference, episodes),
        partial(sample_within, training, row, method, rng))
    errors = {statistics: 1 - accuracies(scores(episode), episode.query_y)
              for statistics, scores in scores_by_statistics(method, row, network, params, reference).items()}
    return metrics_of(errors, "error"), history


def errors_without_training(options):
    """The error on each run of the modified Hausdorff distance, or of nearest pixels."""
    runs = omniglot.load_runs(options.data_root, size=105)
    if options.method == "modified Hausdorff":
        return hausdorff_errors(runs)
    episode = as_episode(runs)
    return 1 - accuracies(pixel_scores(None, episode), episode.query_y)
