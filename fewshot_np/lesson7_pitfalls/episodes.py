"""Spoiled episodes: each function takes honest episodes, or draws dishonest ones, and breaks one rule of lesson 2.

None of them changes the episode that it is given. An Episode lists support and query by class: of T tasks of N classes,
support_y is (T, N K), K times 0, K times 1, ...; query_y is (T, N Q), and the ids say which images these are.
Nothing is differentiated, so `np` is plain NumPy.
"""

import numpy as np

from fewshot_np.data.classes import to_float
from fewshot_np.lesson2_episodes import Episode, sample_episodes


def support_as_query(episode):
    """The queries are the support images. A *training* on such episodes takes its outer loss on the support."""
    return episode._replace(query_x=episode.support_x, query_y=episode.support_y, query_ids=episode.support_ids)


def overlap(episode):
    """One query of each class is a support image, which happens where the two are drawn independently."""
    n_tasks, n_way = len(episode.support_y), episode.support_y.max() + 1

    def leak(support, query):
        query = query.reshape(n_tasks, n_way, -1, *query.shape[2:]).copy()
        query[:, :, 0] = support.reshape(n_tasks, n_way, -1, *support.shape[2:])[:, :, 0]
        return query.reshape(n_tasks, -1, *query.shape[3:])

    return episode._replace(query_x=leak(episode.support_x, episode.query_x),
                            query_ids=leak(episode.support_ids, episode.query_ids))


def sample_with_replacement(classes, n_way, k_shot, n_query, n_tasks, rng):
    """Episodes as `sample_episodes` draws them, except that a class may be drawn twice; it then has one label, not two.

    This happens where `replace=False` is forgotten and labels are looked up by class. Some label then has no image, so
    the task has fewer than N ways. The two draws of one class are independent, so a query of one may also be a
    support image of the other.
    """
    ones = sample_episodes(classes, 1, k_shot, n_query, n_tasks * n_way, rng)  # N tasks of one class make one of N
    drawn = classes.labels[ones.support_ids[:, 0]].reshape(n_tasks, n_way)
    labels = np.argmax(drawn[:, :, None] == drawn[:, None, :], axis=-1)  # the first place of the same class
    support_ids, query_ids = (ids.reshape(n_tasks, -1) for ids in (ones.support_ids, ones.query_ids))
    return Episode(to_float(classes.images[support_ids]), labels.repeat(k_shot, axis=1),
                   to_float(classes.images[query_ids]), labels.repeat(n_query, axis=1), support_ids, query_ids)


def sort_labels(episode, classes):
    """Label 0 is the class with the smallest id, label 1 the next, so the label says something about the class.

    This happens where the classes of an episode go through `sorted`, `set` or `numpy.unique`.
    """
    n_way = episode.support_y.max() + 1
    ids = classes.labels[episode.support_ids].reshape(len(episode.support_y), n_way, -1)[:, :, 0]
    rank = np.argsort(np.argsort(ids, axis=1), axis=1)  # (T, N): the rank of each class among those of its task
    return episode._replace(support_y=np.take_along_axis(rank, episode.support_y, axis=1),
                            query_y=np.take_along_axis(rank, episode.query_y, axis=1))


def smooth_along_list(logits, order):
    """Average each query's scores with those of the queries before and after it in the list `order`, integers (M,).

    This stands for any layer that runs along the list of queries: a recurrent network, a convolution, a position code.
    Episodes list their queries in order of class, so that neighbours mostly share their label.
    """
    listed = logits[:, order]
    listed = np.concatenate([listed[:, :1], listed, listed[:, -1:]], axis=1)  # both ends are their own neighbours
    smooth = (listed[:, :-2] + listed[:, 1:-1] + listed[:, 2:]) * (1 / 3)
    return smooth[:, np.argsort(order)]
