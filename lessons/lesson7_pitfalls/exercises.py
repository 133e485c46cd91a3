"""Exercises to lesson 7: how accuracies lie.

    pytest lessons/lesson7_pitfalls -x

Plain NumPy; nothing here is differentiated.
"""

import numpy as np


def ask_in_groups(network, queries, groups):
    """The scores of all queries, when they go through the network group by group, in the order of the queries.

    network(images) returns the scores of the images that go through it together, (M,D) -> (M,N); they may depend on
    one another, as batch norm makes them. queries: (M,D). groups: integers (B,G), M = B G: row b has the numbers of
    the G queries of group b, in any order; each query is in one group. Returns (M,N): row m is of query m.

    By hand, a network that subtracts the mean of what it sees: 2 and 7 go together and get -2.5 and 2.5, 8 and 16 go
    together and get -4 and 4.

    >>> network = lambda images: images - images.mean(axis=0)
    >>> ask_in_groups(network, np.array([[2.0], [8.0], [7.0], [16.0]]), np.array([[0, 2], [1, 3]]))
    array([[-2.5],
           [-4. ],
           [ 2.5],
           [ 4. ]])
    """
    raise NotImplementedError("pitfalls.1: queries in groups")


def paired_difference(says, honest):
    """By how much one result lies above another, and how sure that is, when both are of the same episodes.

    says, honest: (E,), E >= 2 accuracies; says[e] and honest[e] are of the same episode e. Returns the tuple (mean of
    says - honest, half-width of its 95 % interval). The interval is the one of lesson 2, 1.96 s / sqrt(E) with E - 1
    in the denominator of s, but of one number per episode: its difference.

    By hand: the differences are 0.1 and 0.3, both 0.1 from their mean, s^2 = (0.1^2 + 0.1^2) / 1, s / sqrt(2) = 0.1.

    >>> mean, half_width = paired_difference(np.array([0.7, 0.7]), np.array([0.6, 0.4]))
    >>> round(float(mean), 3), round(float(half_width), 3)
    (0.2, 0.196)
    """
    raise NotImplementedError("pitfalls.2: the paired difference")


def find_leaks(support_ids, query_ids):
    """Which queries were shown before: those whose image is also in the support of the same task.

    support_ids: (T,N*K) and query_ids: (T,N*Q), numbers of images. Returns booleans (T,N*Q). That another task has a
    query's image in its support is no leak, and neither is a query that is asked twice.

    By hand: in task 0 the images 7 and 3 were shown. Image 1 was shown in task 1 alone.

    >>> find_leaks(np.array([[3, 7], [1, 5]]), np.array([[7, 1, 3], [2, 8, 5]]))
    array([[ True, False,  True],
           [False, False,  True]])
    """
    raise NotImplementedError("pitfalls.3: queries that are in the support")


def choose_on_test(accuracy, size):
    """What the best of several models seems to be worth on the episodes that chose it, and what on others.

    accuracy: (models,E), of each model on the same E test episodes. Cut the episodes, in their order, into groups of
    `size`; what is left over at the end is not used. Each group is a short test of its own: it chooses the model with
    the highest mean on it. Returns the tuple (says, elsewhere), each one number per group: the mean of the chosen
    model on the group itself, and the mean of the *same* model on all other groups together. There are two or more.

    By hand, groups of 2: the first model has the means 0.9 and 0.5, the second 0.6 and 0.8. So the first group chooses
    the first model and the second group the second.

    >>> says, elsewhere = choose_on_test(np.array([[1.0, 0.8, 0.4, 0.6], [0.6, 0.6, 0.8, 0.8]]), 2)
    >>> [round(float(a), 3) for a in says], [round(float(a), 3) for a in elsewhere]
    ([0.9, 0.8], [0.5, 0.6])
    """
    raise NotImplementedError("pitfalls.4: a model chosen on the test")
