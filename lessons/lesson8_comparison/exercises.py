"""Exercises to lesson 8: the comparison.

    pytest lessons/lesson8_comparison -x

Plain NumPy; nothing here is differentiated. Loops are welcome.
"""

import numpy as np


def rank_methods(accuracy):
    """The order of several methods, and by how much each lies below the best, when all had the same episodes.

    accuracy: (methods,E), on the same E >= 2 episodes. Returns the tuple (order, behind, half_width), one number per
    method each.
    order: the numbers of the methods (rows of `accuracy`), highest mean first; of equal means the smaller number first.
    behind, half_width: for the methods *in this order*, the mean of (method - best), 0 or below, and the half-width of
    its 95 % interval, taken episode by episode: 1.96 s / sqrt(E), s with E - 1 in the denominator.

    By hand: method 1 has the mean 0.75 and is the best, method 0 has 0.5. Method 0 minus method 1, episode by episode:
    -0.125 and -0.375. Both are 0.125 from their mean -0.25, s^2 = 2 * 0.125^2 / 1, and s / sqrt(2) = 0.125.

    >>> order, behind, half_width = rank_methods(np.array([[0.75, 0.25], [0.875, 0.625]]))
    >>> [int(a) for a in order], [float(b) for b in behind], [round(float(h), 3) for h in half_width]
    ([1, 0], [0.0, -0.25], [0.0, 0.245])
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
