"""Prototypical networks. Snell et al. 2017.

Each class is summed up in one point, its *prototype* c_n: the mean of its embedded examples. A query belongs to the
class whose prototype is nearest:  p(n | query) = softmax over the classes of -|query - c_n|^2.

Training imitates the test: draw an episode, compute p, and let the gradient of -log p(right class) improve the
embedding, which is all there is to learn.

In the shapes T is the number of tasks, N of classes, M of support examples, D of features; A and B are any numbers of
rows. Every function on points takes one task or, with T in front, several at once.
"""

import numpy as onp  # plain NumPy, for labels and what else is not differentiated
from autograd import numpy as np  # whatever is computed with `np` can be differentiated

from fewshot_np.lesson3_metric.embedding import embed, ways
from fewshot_np.nn.optimizers import adam
from fewshot_np.nn.primitives import cross_entropy, safe_norm
from fewshot_np.nn.trees import grad

# ---------------------------------------------------------------- the method, on points


def prototypes(embeddings, labels, n_way):
    """The mean embedding of each class: (M,D), (M,) -> (N,D), or (T,M,D), (T,M) -> (T,N,D). Snell et al. 2017, eq. 1.

    labels: integers in 0...N-1 in any order.
    Raises: ValueError for other labels, and for a class without an example.
    """
    _check_points(embeddings)
    members = memberships(labels, embeddings.shape[:-1], n_way, embeddings.dtype)
    shares = members / onp.sum(members, axis=-2, keepdims=True)  # each of n's K examples has the share 1/K
    return np.matmul(onp.swapaxes(shares, -1, -2), embeddings)  # (N,M) @ (M,D)


def squared_distances(a, b):
    """|a_i - b_j|^2 of every pair of rows: (A,D), (B,D) -> (A,B), or (T,A,D), (T,B,D) -> (T,A,B)."""
    return np.sum(np.square(differences(a, b)), axis=-1)


def prototypical_loss(embeddings_s, labels_s, embeddings_q, labels_q, n_way, distances=squared_distances):
    """Mean over the queries of -log p(right class), () or (T,). Snell et al. 2017, eq. 2 and Algorithm 1.

    _s: of the support.   _q: of the queries.
    The *squared* distance makes the mean the right summary of a class, because no other point has a smaller sum of
    squared distances to the examples. It also makes the classifier linear in the query q: of the three terms in
    -|q - c|^2 = -|q|^2 + 2 c.q - |c|^2 the first is the same for all classes, so the softmax ignores it.
    """
    logits = -distances(embeddings_q, prototypes(embeddings_s, labels_s, n_way))
    return cross_entropy(logits, labels_q)


# ---------------------------------------------------------------- the method, on episodes of images


def prototypical_objective(network, params, episode, distances=squared_distances):
    """Mean over tasks of the prototypical loss; all images of a task share their batch statistics."""
    support, query = embed(network, params, episode, "support and queries")
    loss = prototypical_loss(support, episode.support_y, query, episode.query_y, ways(episode), distances)
    return np.sum(loss) * (1 / len(episode.support_y))


def prototypical_scores(network, params, episode, statistics, distances=squared_distances):
    """Minus the distance of each query to each prototype: (T, N Q, N). `statistics`: as in `embed`."""
    support, query = embed(network, params, episode, statistics)
    return -distances(query, prototypes(support, episode.support_y, ways(episode)))


def train_on_episodes(objective, params, sample, learning_rate, iterations):
    """The training in five lines: draw an episode, differentiate objective(params, episode), let Adam take a step.

    objective: for instance partial(prototypical_objective, network).   sample() -> Episode.   Returns params.
    The run does the same with `experiment.training.train`, which also shows progress and saves.
    """
    gradient, state = grad(objective), None
    for _ in range(iterations):
        params, state = adam(params, gradient(params, sample()), state, learning_rate)
    return params


def nearest_prototype(network, params, support_x, support_y, query_x, n_way, rng):
    """A learner for lesson 1's curve: the class of the nearest prototype, (number of queries,). Nothing is trained."""
    images = onp.concatenate([support_x, query_x])
    embeddings = network.apply(params, images, n_reference=len(support_x))  # batch norm: statistics of the support
    centres = prototypes(embeddings[:len(support_x)], support_y, n_way)
    return squared_distances(embeddings[len(support_x):], centres).argmin(axis=-1)


# ---------------------------------------------------------------- what the method is made of


def plain_distances(a, b):
    """|a_i - b_j| without the square, as a contrast; where the two are equal its derivative is 0, not NaN."""
    return safe_norm(differences(a, b))


def differences(a, b):
    """a_i - b_j of every pair of rows: (A,D), (B,D) -> (A,B,D), or with the same T in front of all."""
    check_pairs(a, b)
    return np.expand_dims(a, -2) - np.expand_dims(b, -3)  # (A,1,D) - (1,B,D)


def memberships(labels, shape, n_way, dtype):
    """1 where example m is of class n, else 0: labels of that shape, (M,) -> (M,N) or (T,M) -> (T,M,N).

    Raises: ValueError for labels that are not integers in 0...N-1, and for a class without an example.
    """
    labels = onp.asarray(labels)
    _check_labels(labels, shape, n_way)
    return onp.eye(n_way, dtype=dtype)[labels]


# ---------------------------------------------------------------- what is refused


def check_pairs(a, b):
    """Raises: ValueError unless a and b are (A,D) and (B,D), or (T,A,D) and (T,B,D)."""
    if a.ndim not in (2, 3) or a.ndim != b.ndim or a.shape[-1] != b.shape[-1] or a.shape[:-2] != b.shape[:-2]:
        raise ValueError(f"need (A,D) and (B,D), or (T,A,D) and (T,B,D), with the same T and D, got {a.shape} and "
                         f"{b.shape}")


def _check_points(embeddings):
    if embeddings.ndim not in (2, 3):
        raise ValueError(f"embeddings must be (M,D) or (T,M,D), got {embeddings.shape}")


def _check_labels(labels, shape, n_way):
    if labels.shape != shape or not onp.issubdtype(labels.dtype, onp.integer):
        raise ValueError(f"labels must be integers, {shape}, got {labels.shape} {labels.dtype}")
    if isinstance(n_way, bool) or not isinstance(n_way, (int, onp.integer)) or n_way < 1:
        raise ValueError(f"n_way must be a positive integer, got {n_way!r}")
    if labels.size and not 0 <= labels.min() <= labels.max() < n_way:
        raise ValueError(f"labels must lie in 0...{n_way - 1} for {n_way} classes, got {labels.min()}...{labels.max()}")
    present = onp.any(onp.eye(n_way, dtype=bool)[labels], axis=-2)  # (N,) or (T,N)
    for *task, label in onp.argwhere(~present):
        raise ValueError(f"class {label}{f' of task {task[0]}' if task else ''} has no example")
