"""Exercises to lesson 8: the comparison.

    pytest lessons/lesson8_comparison -x

Plain NumPy; nothing here is differentiated. Loops are welcome.
"""

import numpy as np

from fewshot_np.lesson2_episodes import t_factor  # for comparison.1


def rank_methods(accuracy):
    """The order of several methods, and by how much each lies below the best, when all had the same episodes.

    accuracy: (methods,E), on the same E >= 2 episodes. Returns the tuple (order, behind, half_width), one number per
    method each.
    order: the numbers of the methods (rows of `accuracy`), highest mean first; of equal means the smaller number first.
    behind, half_width: for the methods *in this order*, the mean of (method - best), 0 or below, and the half-width of
    its 95 % interval, taken episode by episode: t s / sqrt(E), s with E - 1 in the denominator, t = t_factor(E).

    By hand: method 1 has the mean 0.75 and is the best, method 0 has 0.5. Method 0 minus method 1, episode by episode:
    -0.125, -0.375 and -0.25. Their mean is -0.25, s^2 = 2 * 0.125^2 / 2, s / sqrt(3) = 0.0722, and for 3 values t is
    4.303.

    >>> order, behind, half_width = rank_methods(np.array([[0.75, 0.25, 0.5], [0.875, 0.625, 0.75]]))
    >>> [int(a) for a in order], [float(b) for b in behind], [round(float(h), 3) for h in half_width]
    ([1, 0], [0.0, -0.25], [0.0, 0.311])
    """
    raise NotImplementedError("comparison.1: rank methods by the same episodes")


def modified_hausdorff(a, b):
    """How far apart two drawings are, each a set of points: the modified Hausdorff distance.

    a, b: (points,2), the coordinates of their points. They may have different numbers of points, in any order.
    From each point of a go to the nearest point of b, and take the mean of these Euclidean distances. Do the same from
    b to a. The larger of the two means is the distance, one number.

    By hand: from a to b it is 0 for the first point and 3 for the second (to (0, 0)), 1.5 on average. From b to a it is
    0 and 4, 2 on average.

    >>> float(modified_hausdorff(np.array([[0.0, 0.0], [0.0, 3.0]]), np.array([[0.0, 0.0], [4.0, 0.0]])))
    2.0
    """
    raise NotImplementedError("comparison.2: the modified Hausdorff distance")


def refine(centres, support, support_y, query, rounds):
    """Move the prototypes of each task to where its queries show the classes to be: soft k-means.

    T tasks: centres (T,N,D), the prototypes at the start; support (T,M,D) and its labels support_y (T,M), integers in
    0...N-1 in any order, at least one example of each class, often not equally many; query (T,Q,D), without labels.
    Returns the prototypes (T,N,D) after so many rounds; 0 rounds give `centres`. Each round has two parts:
    1. Query q belongs to class n with the probability p(n | q): the softmax over the classes of minus the *squared*
       distance of q to each prototype. This must be right also where q is far from all of them.
    2. The new prototype n is a weighted mean of support and queries: an example has the weight 1 for its own class and
       0 for the others, query q the weight p(n | q). The old prototype is not one of the points.

    By hand, on a line: the prototypes are 0 and 6, each the only example of its class. The query 3 is in the middle and
    belongs to each by half. The query 9 belongs to class 1 (all but e^-72). So the new ones are (0 + 3/2) / (1 + 1/2)
    and (6 + 3/2 + 9) / (1 + 1/2 + 1).

    >>> start = np.array([[[0.0], [6.0]]])
    >>> refine(start, start, np.array([[0, 1]]), np.array([[[3.0], [9.0]]]), rounds=1).round(3).tolist()
    [[[1.0], [6.6]]]
    """
    raise NotImplementedError("comparison.3: prototypes refined by the queries")
