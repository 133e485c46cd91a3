"""An episode: a small classification task, drawn at random. `np` is plain NumPy."""

from typing import NamedTuple

import numpy as np

from fewshot_np.data.classes import to_float


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
    K + Q images of a class are distinct, so that no query was seen in the support. The images are sorted by label: the
    support is K images of label 0, then K of label 1, ...

    Raises: ValueError for a number that is not a positive integer, for more ways than classes, and for a class with
    fewer than K + Q images, which it names.
    """
    _check_draw(classes, n_way, k_shot, n_query, n_tasks)
    ids = np.empty((n_tasks, n_way, k_shot + n_query), dtype=int)
    for task in range(n_tasks):
        for label, c in enumerate(rng.choice(len(classes), n_way, replace=False)):
            ids[task, label] = rng.choice(classes.images_of[c], k_shot + n_query, replace=False)
    support_ids = ids[:, :, :k_shot].reshape(n_tasks, -1)
    query_ids = ids[:, :, k_shot:].reshape(n_tasks, -1)
    labels = np.arange(n_way)
    return Episode(to_float(classes.images[support_ids]), np.tile(labels.repeat(k_shot), (n_tasks, 1)),
                   to_float(classes.images[query_ids]), np.tile(labels.repeat(n_query), (n_tasks, 1)),
                   support_ids, query_ids)


# ---------------------------------------------------------------- bad input


def _check_draw(classes, n_way, k_shot, n_query, n_tasks):
    for name, n in [("n_way", n_way), ("k_shot", k_shot), ("n_query", n_query), ("n_tasks", n_tasks)]:
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
            raise ValueError(f"{name} must be a positive integer, got {n!r}")
    if n_way > len(classes):
        raise ValueError(f"{n_way}-way episodes need {n_way} classes, there are {len(classes)}")
    for name, ids in zip(classes.names, classes.images_of, strict=True):
        if len(ids) < k_shot + n_query:
            raise ValueError(f"class {name!r} has {len(ids)} images; {k_shot} support + {n_query} query need "
                             f"{k_shot + n_query}")
