"""The network rewired: compare two embeddings first, then make one number of the comparison.

Shapes: T tasks of N classes with K support images and Q queries each; an embedding has 128 numbers.
`np` is autograd's NumPy, because the objective is differentiated; `onp` is the plain one, for what is not.
"""

import numpy as onp
from autograd import numpy as np

from fewshot_np.lesson2_episodes import sample_episodes
from fewshot_np.lesson3_metric import memberships, ways
from fewshot_np.lesson5_project.network import embedding, siamese_network
from fewshot_np.nn.optimizers import adam, cosine_decay
from fewshot_np.nn.primitives import relu, stop_gradient
from fewshot_np.nn.trees import value_and_grad


def same_logits(params, e1, e2):
    """w . |e1 - e2| + b, the log-odds that two embeddings are of one class: (..., 128), (..., 128) -> (...).

    Koch, Zemel & Salakhutdinov 2015, section 3.1. The derivative of |.| at 0 counts as 0.
    """
    difference = e1 - e2
    apart = relu(difference) + relu(-difference)
    return np.matmul(apart, params["head"]["w"])[..., 0] + params["head"]["b"][0]


# ---------------------------------------------------------------- training


def objective(params, episode, n_hard=4):
    """The mean over tasks of the cross-entropy of the episode's pairs, where same and different pairs count half each.

    Every query is paired with every support image. Of its different pairs only the n_hard most alike count, because
    most others are soon told apart and teach nothing. (The single hardest asks too much: with it alone little is
    learned.)
    """
    support, query = embedding(params, episode.support_x), embedding(params, episode.query_x)
    return mean_pair_loss(params, support, query, episode, n_hard)


def mean_pair_loss(params, support, query, episode, n_hard=4):
    """`objective` of the embeddings of an episode, (T,NK,D) and (T,NQ,D), whatever network they come from."""
    same_class = episode.query_y[:, :, None] == episode.support_y[:, None, :]                         # (T, NQ, NK)
    logits = same_logits(params, np.expand_dims(query, 2), np.expand_dims(support, 1))
    weights = pair_weights(stop_gradient(logits), same_class, n_hard).astype(logits.dtype)
    losses = np.logaddexp(0.0, logits) - same_class * logits  # -log p of the truth: log(1 + e^z) - z, or log(1 + e^z)
    return np.sum(weights * losses) * (1 / len(same_class))


def pair_weights(logits, same_class, n_hard):
    """What each pair counts: same pairs add up to 1/2, and so do the n_hard hardest different pairs of each query.

    logits: (T,NQ,NK).   same_class: the same shape, booleans.

    Raises: ValueError unless every query has a support image of its own class and one of another class.
    """
    n_hard = min(n_hard, int((~same_class).sum(axis=-1).min()))
    _check_both_kinds(same_class, n_hard)
    ranks = onp.argsort(onp.argsort(onp.where(same_class, onp.inf, -logits), axis=-1, kind="stable"), axis=-1)
    hard = ranks < n_hard                                                   # same pairs come last
    return (0.5 * same_class / same_class.sum(axis=(1, 2), keepdims=True)
            + 0.5 * hard / hard.sum(axis=(1, 2), keepdims=True))


def train_rewired(classes, iterations, rng, learning_rate=1e-3, n_way=32):
    """The training loop: an episode of two images of each of n_way classes, a gradient, an update.

    The run does the same with a progress bar, and saves.
    """
    params, state = siamese_network(classes.images.shape[1:]).init(rng), None
    loss_and_gradient, rate = value_and_grad(objective), cosine_decay(learning_rate, iterations)
    for iteration in range(iterations):
        episode = sample_episodes(classes, n_way, 1, 1, 1, rng)
        _, gradient = loss_and_gradient(params, episode)
        params, state = adam(params, gradient, state, rate(iteration))
    return params


# ---------------------------------------------------------------- which of N classes


def scores(params, episode, statistics=None):
    """The log-odds of *same* of each query with each class, (T, N Q, N): the mean over the class's K examples.

    The network has no batch norm, so `statistics` is ignored.
    """
    return embedded_scores(params, embedding(params, episode.support_x), embedding(params, episode.query_x),
                           episode.support_y, ways(episode))


def embedded_scores(params, support, query, support_y, n_way):
    """`scores` of embeddings (T,NK,128) and (T,NQ,128).

    The mean, not the largest, because with the largest a class of many examples would win by their number.
    """
    logits = same_logits(params, onp.expand_dims(query, 2), onp.expand_dims(support, 1))      # (T, NQ, NK)
    members = memberships(support_y, logits.shape[::2], n_way, logits.dtype)    # (T, NK, N): 1 for the own class, or 0
    return logits @ (members / members.sum(axis=1, keepdims=True))


def pair_logits(params, embeddings, pairs):
    """The log-odds of *same* of each of the Pairs, (P,); embeddings (M,128): of all images that their ids name."""
    return same_logits(params, embeddings[pairs.first_ids], embeddings[pairs.second_ids])


# ---------------------------------------------------------------- what does not fit is refused


def _check_both_kinds(same_class, n_hard):
    if n_hard < 1 or not same_class.any(axis=-1).all():
        raise ValueError("every query needs a support image of its own class and one of another class")
