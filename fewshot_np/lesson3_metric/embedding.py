"""The embedding: one network turns the support and the queries of an episode into points, D numbers for each image.

`onp` is plain NumPy; what is differentiated on this page is hidden in `network.apply`. In the shapes T is the number of
tasks, N of classes, K of support examples and Q of queries per class, D of features.
"""

import numpy as onp


def embed(network, params, episode, statistics):
    """The embeddings of support and query, (T,NK,D) and (T,NQ,D), from one pass through the network.

    statistics: the images from which batch norm takes its mean and variance. "support": from the support alone, so
    that each query is embedded as if it had come by itself (inductive). "support and queries": from both together, so
    that the place of a query depends on the other queries (transductive).

    Raises: ValueError for other statistics.
    """
    _check_statistics(statistics)
    n_support = episode.support_x.shape[1]
    images = onp.concatenate([episode.support_x, episode.query_x], axis=1)
    n_reference = n_support if statistics == "support" else None  # how many images, from the first; None means all
    embeddings = network.apply(params, images, n_reference=n_reference)
    return embeddings[:, :n_support], embeddings[:, n_support:]


def ways(episode):
    """N, the number of classes, from the labels of the support."""
    return int(episode.support_y.max()) + 1


def principal_components(x, n=2):
    """The n coordinates along which the points (M,D) spread most, (M,n): PCA by singular value decomposition.

    A figure can show two of D dimensions; these two lose the least of the distances between the points.
    """
    centred = x - x.mean(axis=0)
    u, s, _ = onp.linalg.svd(centred, full_matrices=False)
    return u[:, :n] * s[:n]


def _check_statistics(statistics):
    if statistics not in ("support", "support and queries"):
        raise ValueError(f'statistics must be "support" or "support and queries", got {statistics!r}')
