"""Exercises to lesson 2, zero-shot learning: recognise classes of which you have seen no example.

    pytest lessons/lesson2_zero_shot -x

Plain NumPy; nothing here is differentiated.
"""

import numpy as np


def signatures(parts):
    """Names as numbers: a row for each class, a column for each part that a name can have; 1 where it has it, else 0.

    parts: a list of Z tuples of the same length, one for each class: the parts of its name. The same word in another
    place is another part: ("1", "2") and ("2", "1") have nothing in common. The empty string is a part, too.
    Returns (Z,A). Columns: those of the first place before those of the second, ...; within a place the words sorted.

    By hand: the first place holds e and o, the second acute and tilde, so the columns are e, o, acute, tilde.

    >>> signatures([("e", "tilde"), ("o", "tilde"), ("e", "acute")])
    array([[1., 0., 0., 1.],
           [0., 1., 0., 1.],
           [1., 0., 1., 0.]])
    """
    raise NotImplementedError("zero_shot.1: names as numbers")


def eszsl(features, labels, signatures, gamma, lam):
    """The matrix V (D,A) that minimises ESZSL's objective, in closed form. The score of f for signature s is f V s.

    features F: (M,D) of the seen images; labels: (M,) integers 0...Z-1; signatures S: (Z,A) of the seen classes.
    Y (M,Z) is 1 for the image's own class and -1 for the others; a class may have no image here, and still has its
    column. gamma and lam are numbers above 0. V minimises

        |F V S' - Y|^2  +  gamma |V S'|^2  +  lam |F V|^2  +  gamma lam |V|^2

    ' transposes, |A|^2 is the sum of the squares of all numbers in A. Half of the gradient with respect to V is

        F'(F V S' - Y) S  +  gamma V S'S  +  lam F'F V  +  gamma lam V.

    Set it to 0 and solve for V: the four terms with V are one product, (something) V (something).

    By hand, one image, one class, one part, so that all are numbers: half of the gradient is
    f (f v s - y) s + gamma v s^2 + lam f^2 v + gamma lam v. With f = 2, s = 1, y = 1, gamma = 1, lam = 1 that is
    (4 v - 2) + v + 4 v + v = 10 v - 2.

    >>> eszsl(np.array([[2.0]]), np.array([0]), np.array([[1.0]]), 1.0, 1.0).round(3)
    array([[0.2]])
    """
    raise NotImplementedError("zero_shot.2: ESZSL in closed form")


def generalised_accuracy(scores, labels, unseen):
    """The accuracy for images of seen classes, that for images of unseen classes, and their harmonic mean.

    Any class may be the answer, seen or unseen: the one with the highest score. scores: (M,Z), the score of image m for
    class z; labels: (M,) integers 0...Z-1, the image's class; unseen: the numbers of the unseen classes.
    Returns the tuple (seen, unseen, harmonic mean). The harmonic mean of s and u is 2 s u / (s + u); 0 if both are 0.

    By hand, class 2 is unseen. Images of the classes 0 0 1 2 2 are answered 0 1 1 2 0: of the seen 2/3 are right, of
    the unseen 1/2, and 2 * 2/3 * 1/2 / (2/3 + 1/2) = 4/7.

    >>> scores = np.array([[3.0, 1, 2], [1, 2, 0], [0, 4, 3], [0, 1, 5], [2, 0, 1]])
    >>> [round(float(a), 3) for a in generalised_accuracy(scores, np.array([0, 0, 1, 2, 2]), np.array([2]))]
    [0.667, 0.5, 0.571]
    """
    raise NotImplementedError("zero_shot.3: any class may be the answer")
