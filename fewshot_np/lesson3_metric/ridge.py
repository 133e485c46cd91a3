"""Ridge regression as the last layer, solved anew for every task. Bertinetto et al. 2019, "R2-D2".

A prototype is a rule for the last layer that somebody thought of. Here the last layer is the *best* one for the few
examples, in the sense of least squares: the weights W with the smallest |X W - Y|^2 + strength |W|^2, where X are the
embeddings and Y the labels, one-hot. There is a formula for them, a *closed form*, so a task needs no steps; and the
formula can be differentiated, so training can ask: which embedding makes this solution right on the queries?

Training is that of prototypical networks (`train_on_episodes`), with another objective. Shapes: T tasks, N classes, K
support examples and Q queries of each, D features; M = N K support examples and A = N Q queries in a task.
"""

import numpy as onp  # plain NumPy, for labels and what else is not differentiated
from autograd import numpy as np  # whatever is computed with `np` can be differentiated

from fewshot_np.lesson3_metric.embedding import embed, ways
from fewshot_np.lesson3_metric.prototypical import check_pairs, memberships
from fewshot_np.nn.primitives import cross_entropy

# ---------------------------------------------------------------- the method, on points


def ridge_weights(x, y, strength):
    """The W (D,N) with the smallest |x W - y|^2 + strength |W|^2: (M,D), (M,N) -> (D,N), or with T in front of all.

    Where the derivative of that sum is 0, (x'x + strength I) W = x'y: a system of D equations. It has the same solution
    as W = x' (x x' + strength I)^-1 y (Woodbury's formula), which asks for M equations only, and M is five for one
    example of each of five classes. So the smaller of the two is solved. Bertinetto et al. 2019, section 3.

    Raises: ValueError for other shapes, and for a strength that is not positive.
    """
    _check_ridge(x, y, strength)
    n_examples, n_features = x.shape[-2:]
    xt = np.swapaxes(x, -1, -2)
    if n_examples <= n_features:
        return np.matmul(xt, np.linalg.solve(np.matmul(x, xt) + strength * _identity(n_examples, x), y))
    return np.linalg.solve(np.matmul(xt, x) + strength * _identity(n_features, x), np.matmul(xt, y))


def ridge_logits(embeddings_s, labels_s, embeddings_q, n_way, strength, scale):
    """`scale` times what the ridge regression from the support predicts for each query, (A,N) or (T,A,N).

    Predictions of one-hot labels lie between 0 and 1 or near, where a softmax can hardly tell them apart, so the scale
    is learned. The paper also adds one learned number to all logits of all classes, which the softmax ignores.

    Raises: ValueError for shapes and labels that do not fit, and for a strength that is not positive.
    """
    check_pairs(embeddings_q, embeddings_s)
    targets = memberships(labels_s, embeddings_s.shape[:-1], n_way, embeddings_s.dtype)  # one-hot: (M,N) or (T,M,N)
    return scale * np.matmul(embeddings_q, ridge_weights(embeddings_s, targets, strength))


# ---------------------------------------------------------------- the method, on episodes of images


def start_ridge(params, strength=1.0, scale=5.0):
    """The parameters of an embedding, with two more that are learned: {..., "ridge": {"strength", "scale"}}.

    Both must stay positive, so their logarithms are kept.
    Raises: ValueError where one of them is not.
    """
    _check_positive(strength=strength, scale=scale)
    dtype = params["block1"]["w"].dtype
    return {**params, "ridge": {"strength": onp.full((), onp.log(strength), dtype),
                                "scale": onp.full((), onp.log(scale), dtype)}}


def ridge_objective(network, params, episode):
    """Mean over tasks and queries of -log p(right class); all images of a task share their batch statistics."""
    logits = ridge_scores(network, params, episode, "support and queries")
    loss = cross_entropy(logits, episode.query_y)  # the mean over each task's queries: (T,)
    return np.sum(loss) * (1 / len(loss))


def ridge_scores(network, params, episode, statistics):
    """The logits of the queries: (T, N Q, N).

    statistics: the images from which batch norm takes its mean and variance, "support" or "support and queries".
    """
    support, query = embed(network, params, episode, statistics)  # (T,NK,D), (T,NQ,D)
    learned = params["ridge"]
    return ridge_logits(support, episode.support_y, query, ways(episode), np.exp(learned["strength"]),
                        np.exp(learned["scale"]))


# ---------------------------------------------------------------- what is refused


def _identity(n, x):
    return onp.eye(n, dtype=x.dtype)


def _check_ridge(x, y, strength):
    if x.ndim not in (2, 3) or y.ndim != x.ndim or x.shape[:-1] != y.shape[:-1]:
        raise ValueError(f"need (M,D) and (M,N), or (T,M,D) and (T,M,N), with the same T and M, got {x.shape} and "
                         f"{y.shape}")
    _check_positive(strength=strength)  # or the equations may have no solution


def _check_positive(**numbers):
    for name, value in numbers.items():
        if not value > 0:
            raise ValueError(f"the {name} must be positive, got {value}")
