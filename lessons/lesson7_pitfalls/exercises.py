"""Exercises to lesson 7: how accuracies lie.

    pytest lessons/lesson7_pitfalls -x

Plain NumPy; nothing here is differentiated.
"""

import numpy as np

from fewshot_np.lesson2_episodes import t_factor  # for pitfalls.2


def ask_in_groups(network, queries, groups):
    """The scores of all queries, in the order of the queries, when they go through the network group by group.

    network: a function, (M,D) -> (M,N), from images that go together to their scores. The scores of an image may
    depend on the others, as they do with batch norm.   queries: (M,D).   groups: integers (B,G), M = B G: row b has the
    numbers of the G queries of group b, in any order; each query is in one group.   Returns (M,N): row m is of query m.

    By hand, with a network that subtracts the mean of the images: 2 and 7 go together and get -2.5 and 2.5, 8 and 16 go
    together and get -4 and 4.

    >>> network = lambda images: images - images.mean(axis=0)
    >>> ask_in_groups(network, np.array([[2.0], [8.0], [7.0], [16.0]]), np.array([[0, 2], [1, 3]]))
    array([[-2.5],
           [-4. ],
           [ 2.5],
           [ 4. ]])
    """
    raise NotImplementedError("pitfalls.1: queries in groups")


def paired_difference(flattering, honest):
    """How far one result lies above another, with an interval, when both are of the same episodes.

    flattering, honest: (E,), E >= 2 accuracies; flattering[e] and honest[e] are of the same episode e. Returns the
    tuple (mean of flattering - honest, half-width of its 95 % interval). The interval is that of lesson 2,
    t s / sqrt(E) with E - 1 in the denominator of s and t = t_factor(E), taken over one difference per episode.

    By hand: the differences are 0.1, 0.3 and 0.2, s^2 = (0.1^2 + 0.1^2 + 0) / 2 = 0.01, s / sqrt(3) = 0.0577, and t is
    4.303 for 3 values.

    >>> mean, half_width = paired_difference(np.array([0.7, 0.7, 0.9]), np.array([0.6, 0.4, 0.7]))
    >>> round(float(mean), 3), round(float(half_width), 3)
    (0.2, 0.248)
    """
    raise NotImplementedError("pitfalls.2: the paired difference")


def find_leaks(support_ids, query_ids):
    """Which queries are leaks: their image is also in the support of the same task.

    support_ids: (T,N*K) and query_ids: (T,N*Q), numbers of images.   Returns booleans (T,N*Q). It is no leak if the
    image is in the support of another task, or if a query is asked twice; a leak that is asked twice is a leak twice.

    By hand: in task 0 the images 7 and 3 are in the support. Image 1 is in the support of task 1 only.

    >>> find_leaks(np.array([[3, 7], [1, 5]]), np.array([[7, 1, 3], [2, 8, 5]]))
    array([[ True, False,  True],
           [False, False,  True]])
    """
    raise NotImplementedError("pitfalls.3: queries that are in the support")


def choose_on_test(accuracy, size):
    """The accuracy of the best of several models on the episodes that chose it, and on the others.

    accuracy: (models,E), of each model on the same E test episodes. Cut the episodes, in their order, into groups of
    `size`, at least two; those left over at the end are not used. Each group is a short test of its own, on which the
    model with the highest mean is chosen. Returns the tuple (flattering, on_others), each with one number per group:
    the mean of the chosen model on the group itself, and the mean of the *same* model on all other groups together.

    By hand, groups of 2: the first model has the means 0.9 and 0.5, the second 0.6 and 0.8. So the first group chooses
    the first model and the second group the second.

    >>> flattering, on_others = choose_on_test(np.array([[1.0, 0.8, 0.4, 0.6], [0.6, 0.6, 0.8, 0.8]]), 2)
    >>> [round(float(a), 3) for a in flattering], [round(float(a), 3) for a in on_others]
    ([0.9, 0.8], [0.5, 0.6])
    """
    raise NotImplementedError("pitfalls.4: a model chosen on the test")
