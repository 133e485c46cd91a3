"""An episode: a small classification task, drawn at random. `np` is plain NumPy.

Each of T = n_tasks tasks has N = n_way classes, with K = k_shot labelled images of each, the support, and Q = n_query
others of each, the query. An image is H x W pixels of C channels.
"""

from typing import NamedTuple

import numpy as np

from fewshot_np.data.classes import to_float


class Episode(NamedTuple):
    """T tasks. Images (T, M, H, W, C) float32 in [0, 1]; labels (T, M) integers 0...N-1, M = N K or N Q.

    support_ids and query_ids (T, M) are the images' positions in `ImageClasses.images`: they say which were drawn.
    """

    support_x: np.ndarray
    support_y: np.ndarray
    query_x: np.ndarray
    query_y: np.ndarray
    support_ids: np.ndarray
    query_ids: np.ndarray


def sample_episodes(classes, n_way, k_shot, n_query, n_tasks, rng):
    """Draw n_tasks episodes from `classes` (ImageClasses) with the Generator `rng`.

    classes: len(classes) is their number, images all their images in one array, images_of[c] those of class c, as
    positions in that array.
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
    support_ids = ids[:, :, :k_shot].reshape(n_tasks, -1)  # (T, N K)
    query_ids = ids[:, :, k_shot:].reshape(n_tasks, -1)  # (T, N Q)
    labels = np.arange(n_way)  # repeated and tiled: for K = 2 each task has 0 0 1 1 2 2 ...; to_float: uint8 to float32
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
    fewest, name = min((len(ids), name) for ids, name in zip(classes.images_of, classes.names, strict=True))
    if fewest < k_shot + n_query:
        raise ValueError(f"class {name!r} has {fewest} images; {k_shot} support + {n_query} query need "
                         f"{k_shot + n_query}: {_cure(fewest, k_shot, n_query)}")


def _cure(n_images, k_shot, n_query):
    """Which option of a run would help, with a value that works for a class of n_images."""
    if n_images < 2:
        return "add an image to it, or take the class out"
    if k_shot == n_query:  # as MAML draws its training tasks, with K queries: there --n-query would change nothing
        return f"choose --k-shot {n_images // 2} or less, and no more with --n-query"
    if k_shot < n_images:
        return f"choose --n-query {n_images - k_shot} or less"
    most = max(1, n_images - n_query)
    return f"choose --k-shot {most} or less" + f" and --n-query {n_images - most} or less" * (most + n_query > n_images)
