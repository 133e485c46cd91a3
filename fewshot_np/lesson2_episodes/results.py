"""The accuracy of an episode, and how sure we are of the mean over many. `np` is plain NumPy."""

import numpy as np

from fewshot_np.lesson1_data_hunger import t_factor


def accuracies(scores, labels):
    """The share of queries whose own class has the highest score: (T,M,N), (T,M) -> (T,).

    In the shapes T is the number of tasks, M of queries in each, N of classes.
    A query with a score that is NaN counts as wrong.
    Raises: ValueError unless there is one label per row of scores.
    """
    _check_labels(scores, labels)
    right = np.argmax(scores, axis=-1) == labels
    return np.mean(right & ~np.isnan(scores).any(axis=-1), axis=-1)  # argmax would answer NaN with a class


def mean_confidence_interval(values):
    """(mean, half-width of the 95 % interval) of independent values, one per *episode*: t s / sqrt(n).

    s is the standard deviation with n - 1 in the denominator, t is Student's `t_factor(n)`. The
    queries of one episode share its support and so are not independent: an interval over queries would be too narrow.
    Raises: ValueError for fewer than 2 values, and for values that are not in one row.
    """
    values = _in_one_row(values)
    return float(values.mean()), float(t_factor(len(values)) * values.std(ddof=1) / len(values) ** 0.5)


# ---------------------------------------------------------------- bad input


def _check_labels(scores, labels):
    if np.shape(scores)[:-1] != np.shape(labels):
        raise ValueError(f"scores {np.shape(scores)} need labels {np.shape(scores)[:-1]}, got {np.shape(labels)}")


def _in_one_row(values):
    values = np.asarray(values, dtype=float)
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(f"an interval needs 2 or more values in one row, got shape {values.shape}")
    return values
