"""Exercises to lesson 2: episodes, and how sure a result is.

    pytest lessons/lesson2_episodes -x

Plain NumPy; nothing here is differentiated.
"""

import numpy as np

from fewshot_np.lesson2_episodes import t_factor  # for episodes.3


def draw_task(images_of, n_way, k_shot, n_query, rng):
    """Draw one N-way K-shot task: N classes, and of each class K images for the support and Q others for the query.

    images_of: for each class the array of its images' numbers; classes may have different numbers of images, but never
    fewer than K + Q. rng: the numpy Generator that makes all random draws (rng.choice, rng.permutation, ...).
    Returns (support_ids, support_y, query_ids, query_y): numbers of images, and their labels 0...N-1 in this task;
    N*K of each for the support, N*Q of each for the query. All four are integers.

    Any N classes are equally likely, and so is any order of them, so that a label says nothing about the class. The
    K + Q images of a class are all different, any K + Q of them are equally likely, and so is any choice of the K for
    the support among them. They are drawn for each class separately.

    For example images_of = [[0 1 2], [3 4 5], [6 7 8]], 2-way 1-shot, 2 queries: the classes 2 and 0 are drawn, in that
    order, image 7 of class 2 and image 0 of class 0 for the support:

        ([7, 0], [0, 1], [8, 6, 1, 2], [0, 0, 1, 1])
    """
    raise NotImplementedError("episodes.1: draw a task")


def accuracies(scores, labels):
    """For each task the share of queries whose own class has the highest score.

    scores: (T,M,N), the score of query m for class n; labels: (T,M) integers 0...N-1. Returns (T,).

    By hand, one task of two queries, both of class 1: the first is answered 1, the second 2.

    >>> accuracies(np.array([[[0.1, 0.7, 0.2], [0.0, 0.3, 0.4]]]), np.array([[1, 1]]))
    array([0.5])
    """
    raise NotImplementedError("episodes.2: accuracy")


def mean_confidence_interval(values):
    """The mean of the values, one accuracy per episode, and the half-width of its 95 % interval, t s / sqrt(n).

    s is the standard deviation of the values estimated from the n of them, so with n - 1 in the denominator. t is
    Student's factor for n values: t_factor(n), imported above.
    Returns the tuple (mean, half-width).

    By hand: 0.4, 0.6, 0.8 have the mean 0.6, s^2 = (0.2^2 + 0 + 0.2^2) / 2 = 0.04, s / sqrt(3) = 0.1155. For 3 values
    t is 4.303.

    >>> mean, half_width = mean_confidence_interval(np.array([0.4, 0.6, 0.8]))
    >>> round(float(mean), 3), round(float(half_width), 3)
    (0.6, 0.497)
    """
    raise NotImplementedError("episodes.3: the confidence interval")
