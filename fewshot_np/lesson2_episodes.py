"""Lesson 2: episodes. N classes, K examples of each, and the question: which class is the new drawing of?

Few-shot learning is measured on *episodes* (Vinyals et al. 2016). An N-way K-shot episode draws N classes that the
learner has never seen, shows it K labelled images of each (the **support**), and asks for the class of Q further
images of each (the **query**). Guessing scores 1/N. One episode is one small classification task, and its
accuracy is one draw of a random variable: a result is a mean over many episodes, with an interval.

    python -m fewshot_np.lesson2_episodes
"""

import time
from typing import NamedTuple

import numpy as np

from fewshot_np.data.classes import to_float
from fewshot_np.data.splits import group_phrase, load_splits
from fewshot_np.experiment.evaluation import evaluate
from fewshot_np.experiment.figures import draw_episode, save_figure
from fewshot_np.experiment.options import parse_options, run
from fewshot_np.experiment.records import write_record

# ---------------------------------------------------------------- the episode


class Episode(NamedTuple):
    """T tasks. Images (T, M, H, W, C) float32 in [0, 1]; labels (T, M) integers 0...N-1, M = N K or N Q.

    support_ids and query_ids (T, M) are the images' positions in `ImageClasses.images`: they prove what was drawn.
    """

    support_x: np.ndarray
    support_y: np.ndarray
    query_x: np.ndarray
    query_y: np.ndarray
    support_ids: np.ndarray
    query_ids: np.ndarray


def sample_episodes(classes, n_way, k_shot, n_query, n_tasks, rng):
    """Draw n_tasks episodes from `classes` (ImageClasses) with the Generator `rng`.

    In each task the N classes are distinct and in random order, so that a label says nothing about the class; the
    K + Q images of a class are distinct, so that no query was seen in the support. The order is by class: the support
    is K images of label 0, then K of label 1, ...

    ValueError for a number that is no positive integer, for more ways than classes, and, naming the class, where a
    class has fewer than K + Q images.
    """
    for name, n in [("n_way", n_way), ("k_shot", k_shot), ("n_query", n_query), ("n_tasks", n_tasks)]:
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
            raise ValueError(f"{name} must be a positive integer, got {n!r}")
    images_of = classes.images_of
    if n_way > len(images_of):
        raise ValueError(f"{n_way}-way episodes need {n_way} classes, there are {len(images_of)}")
    for name, ids in zip(classes.names, images_of, strict=True):
        if len(ids) < k_shot + n_query:
            raise ValueError(f"class {name!r} has {len(ids)} images; {k_shot} support + {n_query} query need "
                             f"{k_shot + n_query}")
    ids = np.empty((n_tasks, n_way, k_shot + n_query), dtype=int)
    for task in range(n_tasks):
        for label, c in enumerate(rng.choice(len(images_of), n_way, replace=False)):
            ids[task, label] = rng.choice(images_of[c], k_shot + n_query, replace=False)
    support_ids = ids[:, :, :k_shot].reshape(n_tasks, -1)
    query_ids = ids[:, :, k_shot:].reshape(n_tasks, -1)
    labels = np.arange(n_way)
    return Episode(to_float(classes.images[support_ids]), np.tile(labels.repeat(k_shot), (n_tasks, 1)),
                   to_float(classes.images[query_ids]), np.tile(labels.repeat(n_query), (n_tasks, 1)),
                   support_ids, query_ids)


# ---------------------------------------------------------------- accuracy, and how sure we are of it


def accuracies(scores, labels):
    """The share of queries whose own class has the highest score: (T,M,N), (T,M) -> (T,).

    A query with a score that is NaN is answered wrong. ValueError where there is not one label per row of scores.
    """
    if np.shape(scores)[:-1] != np.shape(labels):
        raise ValueError(f"scores {np.shape(scores)} need labels {np.shape(scores)[:-1]}, got {np.shape(labels)}")
    right = np.argmax(scores, axis=-1) == labels
    return np.mean(right & ~np.isnan(scores).any(axis=-1), axis=-1)  # argmax would answer NaN with a class


def mean_confidence_interval(values):
    """(mean, half-width of the 95 % interval) of independent values, one per *episode*: 1.96 s / sqrt(n).

    s is the standard deviation with n - 1 in the denominator. The queries of one episode share its support and are not
    independent: an interval over queries would be too narrow. ValueError for fewer than 2 values.
    """
    values = np.asarray(values, dtype=float)
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(f"an interval needs 2 or more values in one row, got shape {values.shape}")
    return float(values.mean()), float(1.96 * values.std(ddof=1) / len(values) ** 0.5)


def as_metric(values):
    """The mean of the values and its interval as a record holds them, {"mean", "interval"}."""
    mean, interval = mean_confidence_interval(values)
    return {"mean": mean, "interval": interval}


# ---------------------------------------------------------------- the baseline: pixels, nothing learned


def scores(params, episode, statistics=None):
    """1-nearest neighbour on pixels: minus the squared distance to the nearest support image of each class.

    (T, N Q, N). There is nothing to learn, so `params` is ignored; there is no batch norm, so `statistics` is too.
    """
    support, query = (x.reshape(*x.shape[:2], -1) for x in (episode.support_x, episode.query_x))
    distances = (np.sum(query ** 2, axis=-1)[:, :, None] - 2 * query @ support.swapaxes(1, 2)
                 + np.sum(support ** 2, axis=-1)[:, None, :])  # |q - s|^2 = |q|^2 - 2 q.s + |s|^2
    n_way = episode.support_y.max() + 1
    nearest = [np.where(episode.support_y[:, None, :] == label, distances, np.inf).min(axis=-1)
               for label in range(n_way)]
    return -np.stack(nearest, axis=-1)


# ---------------------------------------------------------------- the run

SETTINGS = [(5, 1), (5, 5), (20, 1), (20, 5)]  # (ways, shots)


def main(argv=None):
    options = parse_options("lesson2_episodes", "Episodes, splits, intervals, and the pixel baseline.",
                            {"n_query": 15, "episodes": 600}, quick={"episodes": 50}, full={"episodes": 10000},
                            argv=argv)
    started = time.perf_counter()
    rng = np.random.default_rng(options.seed)
    train, validation, test = load_splits(options)
    print(f"Characters{group_phrase(test, options)} that nobody has trained on, a few examples of each; "
          "which is which?\n")
    for name, part in [("train", train), ("validation", validation), ("test", test)]:
        print(f"  {name:11}{len(part):5} characters{group_phrase(part, options)}")
    metrics = measure_pixels(test, options, rng)
    picture = save_figure(draw_pixels(test, rng), options.out / "episode.png")
    record = write_record(options.out, "lesson2_episodes", options, time.perf_counter() - started, metrics)
    print(f"\nWritten: {picture}, {record}\nNext: python -m fewshot_np.lesson3_metric")


def measure_pixels(classes, options, rng):
    """Print the baseline's accuracy in the SETTINGS for which there are classes and images; returns it by name."""
    print(f"\n  1-nearest neighbour on pixels, {options.episodes} episodes\n"
          f"  {'':14}{'accuracy':>10}{'95 % interval':>16}{'guessing':>10}{'queries per class':>20}")
    smallest, name = min((len(ids), name) for ids, name in zip(classes.images_of, classes.names, strict=True))
    few = [(len(classes), k_shot) for k_shot in (1, 5)]  # of a small folder: all classes at once
    metrics = {}
    for n_way, k_shot in SETTINGS if len(classes) >= 5 else few:
        setting, n_query = f"{n_way}-way {k_shot}-shot", min(options.n_query, smallest - k_shot)
        if n_way > len(classes) or n_query < 1:
            lack = f"classes: {len(classes)}" if n_way > len(classes) else f"images of {name!r}: {smallest}"
            print(f"  {setting:>13}   left out, too few {lack}")
            continue
        mean, interval = mean_confidence_interval(pixel_accuracies(classes, n_way, k_shot, n_query, options, rng))
        metrics[f"pixels {setting}"] = {"mean": mean, "interval": interval, "n_query": n_query}
        print(f"  {setting:>13} {100 * mean:9.1f} %{'±':>8} {100 * interval:.1f} %{100 / n_way:10.1f} %{n_query:12}")
    return metrics


def pixel_accuracies(classes, n_way, k_shot, n_query, options, rng):
    """The accuracy of nearest pixels on each of `options.episodes` episodes."""
    def measure(episode):
        return {"pixels": accuracies(scores(None, episode), episode.query_y)}

    def sample(n_tasks):
        return sample_episodes(classes, n_way, k_shot, n_query, n_tasks, rng)

    return evaluate(measure, sample, options.episodes)["pixels"]


def draw_pixels(classes, rng):
    """A figure of one episode, one example of each class, with what nearest pixels take the queries for."""
    n_query = min(5, min(map(len, classes.images_of)) - 1)
    episode = sample_episodes(classes, min(5, len(classes)), 1, max(1, n_query), 1, rng)
    return draw_episode(episode.support_x[0], episode.support_y[0], episode.query_x[0], episode.query_y[0],
                        scores(None, episode)[0].argmax(-1), "One example of each (left); nearest pixels decide")


if __name__ == "__main__":
    run(main)
