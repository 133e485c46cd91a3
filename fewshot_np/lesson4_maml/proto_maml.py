"""ProtoMAML: MAML whose last layer starts as a prototypical network. Triantafillou et al. 2020.

MAML learns one last layer for all tasks. It has N outputs, and before the first step it guesses, because the classes of
the next task are others. A prototypical network makes its last layer *from the support*: its score -|f - c|^2 of a
query's features f is a linear layer, but for |f|^2, which is the same for all classes:

    -|f - c|^2 = 2 c.f - |c|^2 - |f|^2,   so  w = 2 c  and  b = -|c|^2

ProtoMAML starts the last layer there and then takes MAML's steps with all parameters. Before the first step it *is* the
prototypical network, so the steps only have to add what comparing does not give. The body makes the prototypes, and the
meta-gradient flows through them into the body. And as the support makes the head, every task may have its own N.

The network here has no head of its own: its `apply` gives features (D for each image), and logits as soon as its
parameters hold a "head". Shapes: T tasks, N classes, K support examples and Q queries of each, M = N K.
"""

from functools import partial

from autograd import numpy as np  # whatever is computed with `np` can be differentiated, more than once

from fewshot_np.lesson3_initialisation import classification_loss, query_logits
from fewshot_np.lesson3_metric import prototypes, ways
from fewshot_np.lesson4_maml.maml import adapt
from fewshot_np.nn.optimizers import adam
from fewshot_np.nn.trees import grad, repeat

# ---------------------------------------------------------------- the method


def prototype_head(features, labels, n_way):
    """The linear layer whose logits are those of the prototypes: {"w": (D,N), "b": (N,)}, or with T in front.

    features: (M,D) or (T,M,D), labels: (M,) or (T,M).   Snell et al. 2017, sec. 2.4.
    Raises: ValueError as `prototypes` does: for other shapes and labels, and for a class without an example.
    """
    centres = prototypes(features, labels, n_way)  # (T,N,D)
    return {"w": 2 * np.swapaxes(centres, -1, -2), "b": -np.sum(np.square(centres), axis=-1)}


def prototype_start(network, params, episode):
    """Where each task starts: the body that all share, repeated, and a head of the task's own, from its support.

    network: an embedding, without a head.   params: its parameters.
    Raises: ValueError for parameters that have a head already.
    """
    _check(params)
    body = repeat(params, len(episode.support_x))
    features = network.apply(body, episode.support_x)  # (T,NK,D)
    return {**body, "head": prototype_head(features, episode.support_y, ways(episode))}


def proto_maml_objective(network, params, episode, inner_lr, steps, first_order=False):
    """Mean over tasks of the query loss after `steps` steps from the prototypes.

    inner_lr, steps, first_order: as in `adapt`; {"head": 0.4} moves the prototypes alone.
    """
    adapted = _adapted(network, params, episode, inner_lr, steps, first_order)
    loss = classification_loss(network, adapted, episode.query_x, episode.query_y)  # the logits' cross-entropy, (T,)
    return np.sum(loss) * (1 / len(episode.support_x))


def proto_maml_scores(network, params, episode, statistics, inner_lr, steps):
    """Adapt from the prototypes, then give the logits of the queries: (T, N Q, N).

    statistics: the images from which batch norm takes mean and variance when the queries are answered, "support" or
    "queries".
    """
    return query_logits(network, _adapted(network, params, episode, inner_lr, steps), episode, statistics)


def _adapted(network, params, episode, inner_lr, steps, first_order=False):
    """In the inner loop the head is a parameter like the others; that it came from the body concerns the outer loop."""
    return adapt(partial(classification_loss, network), prototype_start(network, params, episode),
                 episode.support_x, episode.support_y, inner_lr, steps, first_order)


# ---------------------------------------------------------------- training


def proto_maml_train(network, params, sample, inner_lr, steps, learning_rate, iterations):
    """Meta-training in five lines, as MAML's. sample() -> Episode, of any number of ways.   Returns params."""
    state = None
    for _ in range(iterations):
        meta_gradient = grad(partial(proto_maml_objective, network))(params, sample(), inner_lr, steps)
        params, state = adam(params, meta_gradient, state, learning_rate)
    return params


def _check(params):
    if "head" in params:
        raise ValueError("the head is made from the prototypes, but the parameters have one: use a network with "
                         "outputs=None")
