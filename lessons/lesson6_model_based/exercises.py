"""Exercises to lesson 6: model-based, the conditional neural process.

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
