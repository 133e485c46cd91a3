"""Frozen features: pretrain, then compare, and train nothing any more. SimpleShot, Wang et al. 2019.

Fine-tuning takes the pretrained body and trains a new head on a few examples. Here nothing at all is trained on them:
the body stays as it is, each class becomes the mean of its examples' features, and the nearest mean is the answer, as
in part 1. But this body never learned to make distances meaningful. Two lines before the comparison mend most of it:

    centre      subtract the mean feature of the *training* images, which all characters have in common
    normalise   divide by the length, so that only the direction counts

Whatever is claimed for a method that adapts should be compared with this one first.

Shapes: T tasks, N classes, K examples and Q queries of each, A = N Q queries together, D features. A network whose
parameters hold a "head" gives logits; without it, from the body alone, it gives features.
"""

from functools import partial

import numpy as onp  # plain NumPy, for what is not differentiated
from autograd import numpy as np  # whatever is computed with `np` can be differentiated

from fewshot_np.lesson3_metric import embed, prototypes, squared_distances, unit_length, ways
from fewshot_np.nn.layers import dense
from fewshot_np.nn.optimizers import adam
from fewshot_np.nn.primitives import cross_entropy, stop_gradient
from fewshot_np.nn.trees import grad

# ---------------------------------------------------------------- the method, on features


def transform(features, mean, how="centred and normalised"):
    """Features as they are compared, (..., D): "plain" as they are, "normalised", or first centred, by mean (D,).

    The paper calls these UN, L2N and CL2N. A row of zeros stays one.
    Raises: ValueError for another word, and for a mean of another size.
    """
    _check_transform(features, mean, how)
    if how == "plain":
        return features
    return unit_length(features - mean if how == "centred and normalised" else features)


def nearest_mean_logits(support, support_y, query, n_way, mean, how="centred and normalised"):
    """Minus the squared distance of each query to the mean of each class, both transformed: (A,N), or with T in front.

    support: features (NK,D) of the labels support_y; query: (A,D); or with the same T in front of all.
    """
    centres = prototypes(transform(support, mean, how), support_y, n_way)
    return -squared_distances(transform(query, mean, how), centres)


# ---------------------------------------------------------------- the method, on episodes of images


def frozen_scores(network, params, episode, statistics, how="centred and normalised"):
    """The logits of the queries, (T, N Q, N), from a body that stays as it is.

    params: of a network with a head, which is not used, and "mean", see `start_with_mean`.
    statistics: the images from which batch norm takes its mean and variance, "support" or "support and queries".
    """
    support, query = embed(network, body_of(params), episode, statistics)  # (T,NK,D), (T,NQ,D)
    return nearest_mean_logits(support, episode.support_y, query, ways(episode), params["mean"], how)


def body_of(params):
    """The parameters without the head and the mean: the layers that make features."""
    return {name: layer for name, layer in params.items() if name not in ("head", "mean")}


# ---------------------------------------------------------------- pretraining, which also finds the mean


def start_with_mean(params):
    """The parameters of a network with a head, and one more: "mean", which pretraining moves to the mean feature."""
    return {**params, "mean": onp.zeros(params["head"]["w"].shape[0], params["head"]["w"].dtype)}


def frozen_objective(network, params, batch):
    """Pretraining's cross-entropy, plus half the squared distance of `mean` to the features of this batch.

    The point with the least squared distance to all features is their mean, so training finds it by the way, although
    the features change as it goes. They are constants in the second term, so the network learns as if it were not
    there: its gradient is that of `classification_objective`.
    """
    images, labels = batch
    features = network.apply(body_of(params), images)
    gap = params["mean"] - stop_gradient(features)
    return cross_entropy(dense(params["head"], features), labels) + np.sum(gap * gap) * (0.5 / len(images))


def pretrain_with_mean(network, params, sample, learning_rate, iterations):
    """Ordinary training in five lines, as `pretrain`, and the mean besides.   sample() -> (images, labels)."""
    gradient, state = grad(partial(frozen_objective, network)), None
    for _ in range(iterations):
        params, state = adam(params, gradient(params, sample()), state, learning_rate)
    return params


# ---------------------------------------------------------------- what is refused


def _check_transform(features, mean, how):
    if how not in ("plain", "normalised", "centred and normalised"):
        raise ValueError(f'how must be "plain", "normalised" or "centred and normalised", got {how!r}')
    if onp.shape(mean) != features.shape[-1:]:
        raise ValueError(f"features {features.shape} need a mean {features.shape[-1:]}, got {onp.shape(mean)}")
