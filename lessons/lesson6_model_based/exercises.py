"""Exercises to lesson 6: model-based, the conditional neural process and learning in context.

    pytest lessons/lesson6_model_based -x

`np` is autograd's NumPy. T tasks, K examples in a support, Q queries, R numbers in an encoding.
"""

from autograd import numpy as np


def encode(h, params, x, y):
    """One vector for the support of each task: the mean over its K examples of what h makes of (x, y). Differentiable.

    x, y: (T,K,1), the examples. h(params, pairs) is a network: it takes one array of pairs (T,K,2), x first and y
    second, and gives (T,K,R), one vector for each example. Returns (T,R). Garnelo et al. 2018.

    The order of the examples must not matter, and the result must be as long for one example as for a thousand.

    By hand, one task of two examples (1, 5) and (2, 7), and an h that returns x y and y: the vectors are (5, 5) and
    (14, 7), their mean is (9.5, 6).

    >>> h = lambda params, pairs: np.stack([pairs[..., 0] * pairs[..., 1], pairs[..., 1]], axis=-1)
    >>> encode(h, {}, np.array([[[1.0], [2.0]]]), np.array([[[5.0], [7.0]]]))
    array([[9.5, 6. ]])
    """
    raise NotImplementedError("model_based.1: encode a support, in whatever order it comes")


def decode(g, params, r, x):
    """The answers of each task at its queries: what g makes of (r, x), for all queries the same r. Differentiable.

    r: (T,R), the encoding of each task's support; x: (T,Q,1), the queries. g(params, rows) is a network: it takes one
    array of rows (T,Q,R+1), the R numbers of r first and x last, and returns (T,Q,1). Returns (T,Q,1).
    Garnelo et al. 2018.

    By hand, two tasks with r = 10 and r = 20, three queries each, and a g that returns r + 2 x.

    >>> g = lambda params, rows: rows[..., :1] + 2 * rows[..., 1:]
    >>> decode(g, {}, np.array([[10.0], [20.0]]), np.array([[[1.0], [2.0], [3.0]], [[1.0], [0.0], [4.0]]]))[:, :, 0]
    array([[12., 14., 16.],
           [22., 20., 28.]])
    """
    raise NotImplementedError("model_based.2: answer all queries")


def add_point(r, n_points, r_new):
    """The encoding of n_points + 1 examples, from that of n_points of them, r, and the vector of the new one, r_new.

    r and r_new: (R,). r is the mean of n_points vectors, which are forgotten: they must not be needed again. n_points
    may be 0; whatever r then is, NaN for example, the mean of nothing, the result is r_new. Returns (R,).

    By hand: the mean of three numbers is 4, so their sum is 12; with 8 it is 20, and the mean of four is 5.

    >>> add_point(np.array([4.0]), 3, np.array([8.0]))
    array([5.])
    """
    raise NotImplementedError("model_based.3: one example more")


# ---------------------------------------------------------------- learning in context


def attend(query, keys, values):
    """What one query gets by attention: the mean of the values, weighted by how much the query agrees with each key.

    query: (D,); keys: (B,D), one for each example; values: (B,E). Returns (E,). Differentiable. The weights are
    softmax over b of (query . key_b) / sqrt(D): positive, and they add up to 1. Vaswani et al. 2017, eq. 1. Scores may
    be as large as a thousand.

    By hand, D = 1: the scores are 0 and log 3, the weights 1/4 and 3/4, and the mean of 4 and 8 is 7.

    >>> attend(np.array([1.0]), np.array([[0.0], [np.log(3)]]), np.array([[4.0], [8.0]])).round(6)
    array([7.])
    """
    raise NotImplementedError("model_based.4: attention for one query")


def context_weights(scores, n_context):
    """The weights of attention where only the first n_context of the B keys, the labelled examples, may be looked at.

    scores: (A,B), of A queries and B keys, already divided by sqrt(D); n_context in 1...B. Returns (A,B), rows that add
    up to 1, in which the keys after the first n_context have exactly the weight 0. Differentiable. Scores may be as
    large as a thousand.

    By hand, the second query: the third key is hidden, and the scores 0 and log 3 have the weights 1/4 and 3/4.

    >>> context_weights(np.array([[1.0, 1.0, 5.0], [0.0, np.log(3), 9.0]]), 2).round(6)
    array([[0.5 , 0.5 , 0.  ],
           [0.25, 0.75, 0.  ]])
    """
    raise NotImplementedError("model_based.5: look at the context alone")


def ignores_order(answer, x, y, query_x, order):
    """Whether a learner answers the same when its examples come in another order: True or False. A test, in short.

    answer(x, y, query_x) -> (Q,E) is the learner; x: (C,F) and y: (C,E), its examples; query_x: (Q,F); order: (C,), a
    permutation of 0...C-1. Sums in another order round differently, so answers that differ by a hundred-thousandth of
    the largest or less are the same.

    >>> ignores_order(lambda x, y, q: q * np.mean(y, axis=0), *map(np.eye, (2, 2, 2)), np.array([1, 0]))
    True
    >>> ignores_order(lambda x, y, q: q * y[0], *map(np.eye, (2, 2, 2)), np.array([1, 0]))
    False
    """
    raise NotImplementedError("model_based.6: does the order matter?")


def sample_straight(n_features, k_shot, n_query, rng):
    """Draw one made-up task of two classes, whose rule is straight: the smallest prior that a network can learn from.

    The rule is w, F = n_features standard normal numbers, drawn anew in every call. A point x is F standard normal
    numbers; its class is 1 where w . x > 0, and 0 elsewhere. Returns (support_x, support_y, query_x, query_y): K =
    k_shot points of class 0 and then K of class 1, (2K,F) and (2K,) integers; Q = n_query of class 0 and then Q of
    class 1, (2Q,F) and (2Q,). Support and query follow the same rule, and no point is in both.

    rng is a numpy Generator. Points may be drawn until there are enough of each class; or turned around: -x is as
    likely as x, and on the other side of the rule.
    """
    raise NotImplementedError("model_based.7: a task from the prior")


# ---------------------------------------------------------------- streams: a memory


def late_labels(labels, n_way):
    """What a network may know of the labels at each step of a stream: that of the step before, as one-hot vectors.

    labels: integers (T,L) in 0...N-1, N = n_way; T streams of L steps. Returns floats (T,L,N). At the first step
    nothing is known: zeros. The label of the last step is never needed. Santoro et al. 2016, section 2.

    By hand, a stream with the labels 2, 0, 1:

    >>> late_labels(np.array([[2, 0, 1]]), 3)
    array([[[0., 0., 0.],
            [0., 0., 1.],
            [1., 0., 0.]]])
    """
    raise NotImplementedError("model_based.8: labels that come a step late")


def recall_weights(query, keys, filled, sharpness, blank):
    """How much a memory's S slots are looked at: a softmax over those that hold something, and one blank besides.

    query: (D,); keys: (S,D), both of length 1, so that their products are cosines; filled: (S,) booleans. The score of
    a slot is sharpness * (query . key), that of the blank is the number `blank`. An empty slot has the weight 0.
    Returns (S,), the weights of the slots; that of the blank is left out, so they add up to less than 1, and the rest
    says how new the query is. It may be that nothing is filled yet. Scores may be as large as some thousands, and as
    far below 0. Differentiable. Santoro et al. 2016, eq. 2 and 3.

    By hand: the scores are log 3, 0 and, for the blank, 0; in the sum of 3, 1 and 1 the first has 3 fifths.

    >>> memory = np.array([[1.0], [0.0], [1.0]]), np.array([True, True, False])
    >>> recall_weights(np.array([1.0]), *memory, np.log(3), 0.0).round(6)
    array([0.6, 0.2, 0. ])
    """
    raise NotImplementedError("model_based.9: look a query up in a memory")
