"""Training a Siamese network: pairs out of an episode, the loss of these pairs, and the loop.

Twins that share all their parameters are one network, applied twice; or once, to the images of both sides together
(lesson 3's `embed`). Once is better, because batch norm then treats both sides alike.

Shapes: T tasks of N classes with K support images and Q queries each; P pairs; embeddings of D numbers.
`np` is autograd's NumPy, because the objective is differentiated; `onp` is the plain one, for choosing pairs.
"""

from functools import partial

import numpy as onp
from autograd import numpy as np

from fewshot_np.lesson2_episodes import sample_episodes
from fewshot_np.lesson3_metric import embed, plain_distances
from fewshot_np.lesson4_siamese.contrastive import contrastive_loss
from fewshot_np.nn.optimizers import adam, cosine_decay
from fewshot_np.nn.primitives import stop_gradient
from fewshot_np.nn.trees import value_and_grad


def objective(network, params, episode, margin=10.0, negatives="random", loss=contrastive_loss):
    """The mean over tasks of the loss of the episode's pairs, as many of the same class as of different classes.

    Each query is paired with the K support images of its own class and with K of other classes (see
    `choose_partners`). Batch norm takes the statistics of support and queries together. The margin is a distance
    between embeddings, so it must fit their scale: an untrained conv4 of 32 channels puts images about 8 apart, and
    with a margin of 1 it would shrink them all before it learns to tell them apart.
    """
    support, query = embed(network, params, episode, "support and queries")
    partners = choose_partners(stop_gradient(support), stop_gradient(query), episode.support_y, episode.query_y,
                               negatives)                                            # (T, NQ, 2K)
    n_tasks, n_query, n_partners = partners.shape
    tasks = onp.arange(n_tasks)[:, None]
    first, second = onp.arange(n_query).repeat(n_partners), partners.reshape(n_tasks, -1)   # (P,), (T, P)
    same = episode.query_y[:, first] == episode.support_y[tasks, second]                    # (T, P)
    return np.sum(loss(query[:, first], support[tasks, second], same, margin)) * (1 / n_tasks)


def choose_partners(support, query, support_y, query_y, negatives):
    """For each query the positions of the K support images of its own class, then of K of other classes.

    negatives "random": those of the class with the next label, which is a random class, because an episode's classes
    come in random order. "hardest": those nearest to the query. Soon a random other class lies close to the margin or
    beyond it, and teaches little; the nearest one of the batch is hardly farther away than the query's own class.

    support, query: embeddings (T,NK,D) and (T,NQ,D) -> (T,NQ,2K) integers.

    Raises: ValueError for other names, for a single class, and for classes of unequal support.
    """
    same_class = query_y[:, :, None] == support_y[:, None, :]                        # (T, NQ, NK)
    _check_partners(same_class, support_y, negatives)
    if negatives == "hardest":
        order = onp.where(same_class, -1, plain_distances(query, support))
    else:
        order = (support_y[:, None, :] - query_y[:, :, None]) % (support_y.max() + 1)   # 0: own class, 1: next label
    k_shot = int(same_class[0, 0].sum())
    return onp.argsort(order, axis=-1, kind="stable")[..., :2 * k_shot]


def train_siamese(network, classes, iterations, rng, learning_rate=3e-3, n_way=32, **settings):
    """The training loop: an episode of two images of each of n_way classes, a gradient, an update.

    settings: margin, negatives and loss of `objective`. The run does the same with a progress bar, and saves.
    """
    params, state = network.init(rng), None
    loss_and_gradient = value_and_grad(partial(objective, network, **settings))
    rate = cosine_decay(learning_rate, iterations)
    for iteration in range(iterations):
        episode = sample_episodes(classes, n_way, 1, 1, 1, rng)
        _, gradient = loss_and_gradient(params, episode)
        params, state = adam(params, gradient, state, rate(iteration))
    return params


# ---------------------------------------------------------------- what does not fit is refused


def _check_partners(same_class, support_y, negatives):
    if negatives not in ("random", "hardest"):
        raise ValueError(f'negatives must be "random" or "hardest", got {negatives!r}')
    k_shot = same_class[0, 0].sum()
    if not k_shot or not (same_class.sum(axis=-1) == k_shot).all() or same_class.shape[-1] < 2 * k_shot:
        raise ValueError("pairs need 2 or more classes with equally many support images, and queries of these alone; "
                         f"the first task has {onp.bincount(support_y[0])} support images per class")
