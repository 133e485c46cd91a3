"""Exercises to lesson 4: Siamese networks.

    pytest lessons/lesson4_siamese -x

`np` is autograd's NumPy; the first two exercises must be differentiable, the others need no derivative.
"""

from autograd import numpy as np

from fewshot_np.nn.primitives import relu, safe_norm


def contrastive_loss(e1, e2, same, margin):
    """The contrastive loss: the mean over P pairs of d^2 where same is 1, max(0, margin - d)^2 where same is 0.

    d is the Euclidean distance of a pair, |e1 - e2|. e1, e2: embeddings (P,D), a pair in equal rows; same: (P,)
    integers, 1 for the same class, 0 for two classes. Returns a number. No factor 1/2. Differentiable.

    safe_norm(a) is the length of each row of a, (P,D) -> (P,), and its derivative at length 0 is 0 (exercise siamese.2
    is about that). relu(a) is max(0, a) of each number in a; Python's own max does not work on arrays.

    By hand, margin 5: a same pair at distance 2 costs 2^2 = 4, different pairs at 1 and at 4 cost (5 - 1)^2 = 16 and
    (5 - 4)^2 = 1. The mean is 7.

    >>> e1, e2 = np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 9.0]]), np.array([[2.0, 0.0], [1.0, 2.0], [4.0, 9.0]])
    >>> float(contrastive_loss(e1, e2, np.array([1, 0, 0]), 5.0))
    7.0
    """
    raise NotImplementedError("siamese.1: the contrastive loss")


def distance(a, b):
    """The Euclidean distance of each row of a to the same row of b, with a safe derivative: 0 where the rows are equal.

    a, b: (P,D) -> (P,). Equal rows have the distance 0, exactly, so a small number added under the root will not do;
    and there the derivative with respect to a and b counts as 0. The root's own derivative, 1 / (2 sqrt(s)), is
    infinite at s = 0, and infinity times 0 is not a number. Everywhere else value and derivative are those of the root.
    Differentiable. Do it with np.sqrt, not with safe_norm.

    A warning: np.where(s > 0, np.sqrt(s), 0) still takes the derivative of the root at 0, and multiplies it with 0.

    By hand: the rows (0, 3) and (4, 0) differ by -4 and 3, and 16 + 9 = 25.

    >>> distance(np.array([[0.0, 3.0], [7.0, 7.0]]), np.array([[4.0, 0.0], [7.0, 7.0]]))
    array([5., 0.])
    """
    raise NotImplementedError("siamese.2: a distance that survives an identical pair")


def recognise(support, labels, query):
    """One-shot recognition: the label of the support example that is nearest to each query, by Euclidean distance.

    support: embeddings (S,D), some classes with more examples than others, in any order; labels: (S,) their integers
    0...N-1; query: embeddings (Q,D). Returns (Q,) integers: for each query the *label* of its nearest example. No query
    is equally far from two.

    By hand: the query 4 lies 1 from the example 5, whose label is 0, and 3 from the example 1, whose label is 1.

    >>> [int(label) for label in recognise(np.array([[1.0], [5.0]]), np.array([1, 0]), np.array([[4.0], [1.5]]))]
    [0, 1]
    """
    raise NotImplementedError("siamese.3: one-shot recognition")


def balanced_pairs(images_of, n_pairs, rng):
    """Draw n_pairs pairs of images, exactly half of them of the same class, half of different ones, in any order.

    images_of: for each class the array of its images' numbers; classes may have different numbers of images, and none
    fewer than 2. n_pairs is even. rng: the numpy Generator that all chance comes from (rng.choice, rng.integers, ...).
    Returns (first_ids, second_ids, same), each (n_pairs,): the numbers of a pair's images; same is 1 for one class,
    0 for two.

    A pair of the same class: all classes are equally likely, however many images they have, then any two different
    images of it. A pair of different classes: any two classes are equally likely, then any image of the one and, drawn
    apart from it, any image of the other. Every pair is drawn anew. All numbers returned are integers.

    For example images_of = [[0 1 2], [3 4], [5 6 7 8]], 4 pairs: 8 and 5 of class 2, then 4 of class 1 and 0 of class
    0, then 3 and 4 of class 1, then 1 of class 0 and 7 of class 2:

        ([8, 4, 3, 1], [5, 0, 4, 7], [1, 0, 1, 0])
    """
    raise NotImplementedError("siamese.4: balanced pairs")


def choose_threshold(distances, same):
    """The threshold with the highest mean of two shares: same pairs below it, different pairs not below it.

    A pair is taken for the same when its distance is below the threshold. distances: (P,); same: (P,) integers, 1 or 0;
    both kinds occur, not equally often. To choose from: the midpoints between neighbouring distances, of those that are
    different from each other. Of equally good ones the smallest. (There is one that is better than chance.)
    Returns a number. Nothing is differentiated.

    By hand: the distances 1 and 3 are of same pairs, 2, 6 and 7 of different ones. Below 1.5 lie 1/2 and 0/3 of them,
    below 2.5 lie 1/2 and 1/3, below 4.5 lie 2/2 and 1/3, below 6.5 lie 2/2 and 2/3. The means: (1/2 + 3/3) / 2 = 0.75,
    (1/2 + 2/3) / 2 = 0.58, (2/2 + 2/3) / 2 = 0.83, (2/2 + 1/3) / 2 = 0.67.

    >>> float(choose_threshold(np.array([1.0, 6.0, 3.0, 2.0, 7.0]), np.array([1, 0, 1, 0, 0])))
    4.5
    """
    raise NotImplementedError("siamese.5: choose a threshold")
