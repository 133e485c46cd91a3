"""Relation networks: learn the comparison, too. Sung et al. 2018.

Prototypical networks learn an embedding and compare by a fixed rule, the distance. Here a second, small network looks
at a class and a query together and says how well they match: a number between 0 and 1, the *relation score*. It is
trained to say 1 for the query's own class and 0 for every other.

Training is that of prototypical networks (`train_on_episodes`), with another objective. Shapes: as in `prototypical`,
and H is the width of the hidden layer. In the paper the second network begins with convolutions over a map of features;
here it has two dense layers over a vector.
"""

import numpy as onp  # plain NumPy, for labels and what else is not differentiated
from autograd import numpy as np  # whatever is computed with `np` can be differentiated

from fewshot_np.lesson3_metric.embedding import embed, ways
from fewshot_np.lesson3_metric.prototypical import check_pairs, prototypes
from fewshot_np.nn.layers import dense
from fewshot_np.nn.networks import mlp
from fewshot_np.nn.primitives import linear, relu

# ---------------------------------------------------------------- the method, on points


def relation_logits(params, classes, queries):
    """How well each class matches each query: (N,D), (A,D) -> (A,N), or with T in front. Sung et al. 2018, eq. 1.

    params: two dense layers, {"dense1": {"w": (2D,H), "b": (H,)}, "head": {"w": (H,1), "b": (1,)}}, with ReLU between
    them. What goes in is a *pair*: the D numbers of the class, and after them the D of the query. The sigmoid of what
    comes out is the relation score.

    The first layer of a pair is the sum of two products, class @ w[:D] and query @ w[D:], so N + A rows are multiplied
    with it, and not A N pairs.
    Raises: ValueError where the shapes do not fit.
    """
    _check_relation(params, classes, queries)
    w, n_features = params["dense1"]["w"], classes.shape[-1]
    of_classes, of_queries = linear(classes, w[:n_features]), linear(queries, w[n_features:])
    hidden = relu(np.expand_dims(of_queries, -2) + np.expand_dims(of_classes, -3) + params["dense1"]["b"])
    logits = dense(params["head"], np.reshape(hidden, (-1, hidden.shape[-1])))  # (A,1,H) + (1,N,H) -> (A N, 1)
    return np.reshape(logits, hidden.shape[:-1])


def relation_loss(logits, labels):
    """Mean over queries and classes of (relation score - 1 or 0)^2, () or (T,). Sung et al. 2018, eq. 2.

    logits: (A,N) or (T,A,N). The score should be 1 for the query's own class and 0 for the others. Each pair is judged
    by itself, so nothing in this loss knows that exactly one of the N classes is right. This is a trap where N is
    large, because "0" for every pair is wrong in one of N only: in tasks of 20 classes training ends there. A
    cross-entropy, which compares the N logits of a query with each other, does not.
    Raises: ValueError unless labels are integers in 0...N-1, one for each query.
    """
    labels = onp.asarray(labels)
    _check_labels(logits, labels)
    targets = onp.eye(logits.shape[-1], dtype=logits.dtype)[labels]
    gaps = 0.5 * np.tanh(0.5 * logits) + 0.5 - targets  # (1 + tanh(z/2)) / 2 is the sigmoid of z, without an overflow
    return np.sum(gaps * gaps, axis=(-2, -1)) * (1 / (logits.shape[-2] * logits.shape[-1]))


# ---------------------------------------------------------------- the method, on episodes of images


def start_relation(params, rng, n_hidden=64):
    """The parameters of an embedding, with those of the comparison: {..., "relation": {"dense1", "head"}}.

    params: of a `conv4` that averages its last map, so that D is the number of channels of its last block.
    """
    n_features = len(params["block4"]["gamma"])
    return {**params, "relation": mlp([2 * n_features, n_hidden, 1]).init(rng)}


def relation_objective(network, params, episode, loss=relation_loss):
    """Mean over tasks of the loss; all images of a task share their batch statistics.

    loss: (logits (T,A,N), labels) -> (T,), that of the paper, or `cross_entropy`.
    """
    logits = relation_scores(network, params, episode, "support and queries")
    return np.sum(loss(logits, episode.query_y)) * (1 / len(episode.support_y))


def relation_scores(network, params, episode, statistics):
    """The relation of each query to each class, before the sigmoid: (T, N Q, N). `statistics`: as in `embed`.

    A class is the mean of its embedded examples. (The paper takes their sum, which suits one number of examples only.)
    """
    support, query = embed(network, params, episode, statistics)
    return relation_logits(params["relation"], prototypes(support, episode.support_y, ways(episode)), query)


# ---------------------------------------------------------------- what is refused


def _check_relation(params, classes, queries):
    check_pairs(classes, queries)
    if params["dense1"]["w"].shape[0] != 2 * classes.shape[-1]:
        raise ValueError(f"a pair of {classes.shape[-1]} features each needs weights for twice as many, got "
                         f"{params['dense1']['w'].shape}")


def _check_labels(logits, labels):
    if labels.shape != logits.shape[:-1] or not onp.issubdtype(labels.dtype, onp.integer):
        raise ValueError(f"logits {logits.shape} need integer labels {logits.shape[:-1]}, got {labels.shape} "
                         f"{labels.dtype}")
    if labels.size and not 0 <= labels.min() <= labels.max() < logits.shape[-1]:
        raise ValueError(f"labels must lie in 0...{logits.shape[-1] - 1}, got {labels.min()}...{labels.max()}")
