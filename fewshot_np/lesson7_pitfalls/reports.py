"""Spoiled reports: the episodes are honest, and the way in which their accuracies are summed up is not.

`difference` is the honest way to compare two results: where both are of the same episodes, it is taken episode by
episode, which makes its interval much narrower than theirs. Accuracies are (E,), one for each of E episodes, or
(models, E). `np` is plain NumPy.
"""

from typing import NamedTuple

import numpy as np

from fewshot_np.lesson2_episodes import mean_confidence_interval, t_factor


class Pitfall(NamedTuple):
    """The accuracies with a mistake and without it, one per episode or per group of episodes, and what exposes it.

    paired: both are of the same episodes in the same order.
    """

    name: str
    flattering: np.ndarray
    honest: np.ndarray
    paired: bool
    exposed_by: str


def difference(flattering, honest, paired):
    """(mean of flattering - mean of honest, half-width of its 95 % interval)."""
    if paired:
        return mean_confidence_interval(flattering - honest)
    (mean_f, interval_f), (mean_h, interval_h) = mean_confidence_interval(flattering), mean_confidence_interval(honest)
    return mean_f - mean_h, float(np.hypot(interval_f, interval_h))  # variances of independent results add up


def chosen_on_test(accuracy, size):
    """The accuracy, on each group of `size` test episodes, of the model that is best on just this group.

    accuracy: (models, E).   Returns (E // size,).
    """
    return in_groups(accuracy, size).mean(axis=-1).max(axis=0)


def accuracy_on_other_groups(accuracy, size):
    """What the models that `chosen_on_test` picks score on all *other* groups, (E // size,): it exposes the choice."""
    of_group = in_groups(accuracy, size).mean(axis=-1)  # (models, groups)
    n_groups = of_group.shape[1]
    others = (of_group.sum(axis=1, keepdims=True) - of_group) / (n_groups - 1)
    return others[of_group.argmax(axis=0), np.arange(n_groups)]


def interval_over_images(accuracy, n_images):
    """The half-width that `mean_confidence_interval` gives for single queries, right 1 or wrong 0, n_images per task.

    It treats the images of a task as independent, but they share its support, and are easy or hard together.
    """
    p, n = np.mean(accuracy), len(accuracy) * n_images
    return float(t_factor(n) * (p * (1 - p) / (n - 1)) ** 0.5)


def coverage(accuracy, size, half_width):
    """How often the interval around a result on `size` episodes contains the mean of all; it should be 0.95.

    half_width: a function of the accuracies of one group.
    """
    return float(np.mean([abs(group.mean() - accuracy.mean()) <= half_width(group)
                          for group in in_groups(accuracy, size)]))


def in_groups(values, size):
    """Cut E episodes into short evaluations of `size` each: (..., E) -> (..., E // size, size); the rest is dropped.

    Raises: ValueError where there are too few values for one group.
    """
    n_groups = np.shape(values)[-1] // size
    if not n_groups:
        raise ValueError(f"a group of {size} needs as many values, got {np.shape(values)[-1]}")
    return values[..., :n_groups * size].reshape(*values.shape[:-1], n_groups, size)
