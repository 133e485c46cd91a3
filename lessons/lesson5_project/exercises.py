"""Exercises to lesson 5: the project.

    pytest lessons/lesson5_project -x

`np` is autograd's NumPy. The first two exercises must be differentiable, the others need no derivative.
"""

from autograd import numpy as np


def same_log_odds(query, support, w, b):
    """The rewired head: w . |q - s| + b, the log-odds that q and s are of one class, for all Q x S pairs.

    query: embeddings (Q,D); support: embeddings (S,D); w: (D,), any signs; b: a number. |q - s| is the absolute value
    of each of the D differences. Returns (Q,S). Differentiable; where a difference is 0, the derivative of its absolute
    value counts as 0. (np.abs does so.)

    By hand: q = (1, 5) and s = (3, 2) differ by 2 and 3; -1 * 2 + -0.5 * 3 + 4 = 0.5. With s = (1, 5) nothing differs.

    >>> w, b = np.array([-1.0, -0.5]), 4.0
    >>> same_log_odds(np.array([[1.0, 5.0]]), np.array([[3.0, 2.0], [1.0, 5.0]]), w, b)
    array([[0.5, 4. ]])
    """
    raise NotImplementedError("project.1: compare first, then one number")


def pair_losses(logits, same):
    """The cross-entropy of each pair: -log p where same is 1, -log(1 - p) where same is 0; p = 1 / (1 + exp(-logit)).

    logits: (P,) log-odds of *same*; same: (P,) integers, 1 or 0. Returns (P,): no mean, no weights. Differentiable.
    Value and gradient must be right for logits of -1000 and 1000, too: there exp(1000) is infinite, and the log of a
    p that has become 0 is minus infinity. np.logaddexp(a, b) is log(exp(a) + exp(b)), and never overflows.

    By hand: at the logit 0, p is 1/2, and either loss is log 2 = 0.693. A pair at 1000 that is not the same costs
    1000: -log(1 - p) = log(1 + exp(1000)).

    >>> [round(float(loss), 3) for loss in pair_losses(np.array([0.0, 1000.0, 1000.0]), np.array([1, 1, 0]))]
    [0.693, 0.0, 1000.0]
    """
    raise NotImplementedError("project.2: the cross-entropy of pairs, also of large logits")


def pair_weights(logits, same_class, n_hard):
    """What each pair counts in training: same pairs add up to 1/2, and so do the hard pairs; all other pairs count 0.

    logits: (Q,S) log-odds of *same* of query q with example s; same_class: (Q,S) booleans, True where they are of one
    class; there are True and False in every row. The hard pairs of a query are its n_hard *different* pairs with the
    largest logits: those that the network is most likely to take for the same. Every query has n_hard different pairs
    or more. All same pairs weigh the same, even where one query has more of them than another, and so do all hard
    pairs. Returns (Q,S). Nothing is differentiated. No two logits of a row are equal.

    By hand, n_hard = 1: the row (4, 3, -2), whose first pair is the same, has the hard pair 3, and the row (1, -5, 0),
    whose last pair is the same, the hard pair 1. Two same pairs, two hard pairs: each counts 1/4.

    >>> same_class = np.array([[True, False, False], [False, False, True]])
    >>> pair_weights(np.array([[4.0, 3.0, -2.0], [1.0, -5.0, 0.0]]), same_class, 1)
    array([[0.25, 0.25, 0.  ],
           [0.25, 0.  , 0.25]])
    """
    raise NotImplementedError("project.3: the weights of hard pairs")


def decide(logits, labels, threshold):
    """Which class each query is of, or -1 for "none of these".

    logits: (Q,S) log-odds of *same* of query q with example s; labels: (S,) integers 0...N-1, each at least once, some
    more often than others, in any order; threshold: a probability, between 0 and 1. The score of a class is the *mean*
    of its examples' logits. The class with the highest score is the answer if p = 1 / (1 + exp(-score)) is above the
    threshold, else -1, so also where p is exactly the threshold. Returns (Q,) integers. Nothing is differentiated.

    By hand, two examples of class 0, one of class 1. First query: the scores (4 - 6) / 2 = -1 and 0.9, p of 0.9 is
    0.71, above 0.6. Second: -1 and 0.2, p of 0.2 is 0.55, not above 0.6.

    >>> logits = np.array([[4.0, -6.0, 0.9], [-2.0, 0.0, 0.2]])
    >>> [int(label) for label in decide(logits, np.array([0, 0, 1]), 0.6)]
    [1, -1]
    """
    raise NotImplementedError("project.4: which class, or none of these")
