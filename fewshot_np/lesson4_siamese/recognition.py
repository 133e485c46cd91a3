"""What the trained distance is used for: which of N classes is it? The nearest example decides.

Shapes: T tasks of N classes with K support images and Q queries each.
`np` is the plain NumPy: nothing is differentiated here.
"""

import numpy as np

from fewshot_np.lesson3_metric import embed, plain_distances, ways


def scores(network, params, episode, statistics):
    """Minus the distance of each query to the nearest support image of each class: (T, N Q, N).

    statistics: the images whose batch statistics are used, "support" or "support and queries".
    """
    support, query = embed(network, params, episode, statistics)
    apart = np.stack([plain_distances(*task) for task in zip(query, support, strict=True)])   # (T, NQ, NK)
    return -np.stack([np.where(episode.support_y[:, None] == label, apart, np.inf).min(axis=-1)
                      for label in range(ways(episode))], axis=-1)


def embed_by_reference(network, params, reference, images):
    """Embeddings of images, with the batch statistics of the `reference` images alone.

    A pair to be verified comes by itself, so its distance must not depend on which other pairs are asked about.

    reference: (R,H,W,C).   images: (M,H,W,C) -> (M,D).
    """
    embeddings = network.apply(params, np.concatenate([reference, images]), n_reference=len(reference))
    return embeddings[len(reference):]
