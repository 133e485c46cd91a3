"""Verification: are two images of the same class? They are if their distance is below a threshold.

`np` is the plain NumPy: nothing is differentiated here.
"""

from typing import NamedTuple

import numpy as np

from fewshot_np.data.classes import to_float
from fewshot_np.lesson2_episodes import mean_confidence_interval
from fewshot_np.nn.primitives import safe_norm

# ---------------------------------------------------------------- pairs to ask about


class Pairs(NamedTuple):
    """P pairs: images (P,H,W,C) float32 in [0, 1], same (P,) integers 1 or 0, and their ids in ImageClasses.images."""

    first_x: np.ndarray
    second_x: np.ndarray
    same: np.ndarray
    first_ids: np.ndarray
    second_ids: np.ndarray


def balanced_pairs(classes, n_pairs, rng):
    """Draw pairs of images of `classes` (ImageClasses), alternately of the same class and of different classes.

    All classes are equally likely, and so are a class's images; no image is paired with itself.

    Raises: ValueError unless n_pairs is an even positive integer, for a single class, and, naming it, for a class
    with a single image.
    """
    _check_draw(classes, n_pairs)
    ids = np.empty((n_pairs, 2), dtype=int)
    for pair in range(0, n_pairs, 2):
        ids[pair] = rng.choice(classes.images_of[rng.integers(len(classes))], 2, replace=False)
        ids[pair + 1] = [rng.choice(classes.images_of[c]) for c in rng.choice(len(classes), 2, replace=False)]
    first, second = ids.T
    return Pairs(to_float(classes.images[first]), to_float(classes.images[second]),
                 np.tile([1, 0], n_pairs // 2), first, second)


def pair_distances(embedding, pairs):
    """The distance of each pair, (P,); embedding: a function, images (M,H,W,C) -> (M,D)."""
    embeddings = embedding(np.concatenate([pairs.first_x, pairs.second_x]))
    return safe_norm(embeddings[:len(pairs.same)] - embeddings[len(pairs.same):])


# ---------------------------------------------------------------- a threshold, and all thresholds


def choose_threshold(distances, same):
    """The threshold with the fewest errors, where both kinds of pairs count half; of equally good ones the smallest.

    A pair counts as the same class if its distance is *below* it. Choose it on pairs of validation classes, because one
    that was chosen on the test pairs would flatter.

    Raises: ValueError as `roc_curve`.
    """
    thresholds, false_accepts, true_accepts = roc_curve(distances, same)
    return float(thresholds[np.argmax(np.round(true_accepts - false_accepts, 12))])  # rounded, so that equal is equal


def roc_curve(distances, same):
    """(thresholds, false accepts, true accepts): the shares of the different and of the same pairs below a threshold.

    The thresholds rise: one below all distances, one midway between any two neighbouring ones, one above all.

    distances, same: (P,), labels 0 and 1 -> three arrays (number of different distances + 1,).

    Raises: ValueError unless there are pairs of both kinds, and all distances are finite.
    """
    distances, same = np.asarray(distances, dtype=float), np.asarray(same)
    _check_curve(distances, same)
    values = np.unique(distances)
    thresholds = np.concatenate([values[:1], (values[:-1] + values[1:]) / 2, [np.inf]])
    accepts = [np.searchsorted(np.sort(distances[same == kind]), thresholds) / np.sum(same == kind) for kind in (0, 1)]
    return thresholds, *accepts


def equal_error_rate(distances, same):
    """The error rate where different pairs are accepted as often as same pairs are rejected.

    Between its points the ROC curve is taken to be straight.

    Raises: ValueError as `roc_curve`.
    """
    _, false_accepts, true_accepts = roc_curve(distances, same)
    return float(np.interp(0, false_accepts - (1 - true_accepts), false_accepts))  # where their difference is 0


DRAWS = 20  # parts of the test pairs, for the interval of the equal error rate


def verification(distances, same, threshold):
    """{what: (mean, half-width of the 95 % interval)} of the pairs' distances, errors, and decisions at a threshold.

    An equal error rate is not a mean over pairs, so it is measured on each of DRAWS parts of them, and averaged.
    """
    parts = zip(np.array_split(distances, DRAWS), np.array_split(same, DRAWS), strict=True)
    values = {"distance, same": distances[same == 1], "distance, different": distances[same == 0],
              "equal error rate": [equal_error_rate(*part) for part in parts],
              "right": (distances < threshold) == same}
    return {what: mean_confidence_interval(value) for what, value in values.items()}


# ---------------------------------------------------------------- what does not fit is refused


def _check_draw(classes, n_pairs):
    if isinstance(n_pairs, bool) or not isinstance(n_pairs, (int, np.integer)) or n_pairs < 2 or n_pairs % 2:
        raise ValueError(f"n_pairs must be an even positive integer, half of them for each kind, got {n_pairs!r}")
    if len(classes) < 2:
        raise ValueError(f"pairs of different classes need 2 classes, there are {len(classes)}")
    for name, images in zip(classes.names, classes.images_of, strict=True):
        if len(images) < 2:
            raise ValueError(f"class {name!r} has 1 image; a pair of the same class needs 2")


def _check_curve(distances, same):
    if distances.ndim != 1 or distances.shape != same.shape or not ((same == 0) | (same == 1)).all():
        raise ValueError(f"distances (P,) need labels (P,) of 0 and 1, got {distances.shape} and {same.shape}")
    if not np.isfinite(distances).all() or same.all() or not same.any():
        raise ValueError(f"a ROC curve needs finite distances of both kinds of pairs, got {np.sum(same == 1)} same, "
                         f"{np.sum(same == 0)} different, {np.sum(~np.isfinite(distances))} not finite")
