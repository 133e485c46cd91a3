"""Fine-tuning: a few steps of gradient descent on a new task, from parameters that were learned before.

All of it works for T tasks at once: then every parameter has a task axis in front, and each task moves its own copy.
In the shapes T is the number of tasks, N of classes, K of support examples and Q of queries per class, D of features.
"""

from functools import partial
from typing import Any, NamedTuple

import numpy as onp  # plain NumPy, for what is not differentiated
from autograd import numpy as np  # whatever is computed with `np` can be differentiated

from fewshot_np.nn.layers import dense
from fewshot_np.nn.optimizers import sgd
from fewshot_np.nn.primitives import cross_entropy
from fewshot_np.nn.trees import repeat, task_gradient

# ---------------------------------------------------------------- the method


def classification_loss(network, params, x, y):
    """Cross-entropy of the network's logits: () or (T,). Batch norm uses the statistics of the images x alone."""
    return cross_entropy(network.apply(params, x), y)


def fine_tuning(loss, params, batches, learning_rate, update=sgd):
    """Yield params, then params after one update on loss(params, x, y) for each (x, y) of `batches`.

    For T tasks at once the loss is (T,), and x, y and every parameter have the task axis in front: repeat(params, T).
    update(params, gradient, state, learning_rate) -> (params, state): an optimiser, by default plain gradient descent.
    Its state is new for each call, so none is carried from task to task.

    Raises: ValueError where the loss has a task axis and a parameter has none.
    """
    gradient = task_gradient(loss)  # of each task's loss with respect to its own copy of the parameters
    yield params
    state = None
    for x, y in batches:
        params, state = update(params, gradient(params, x, y), state, learning_rate)
        yield params


def fine_tune(loss, params, batches, learning_rate, update=sgd):
    """The parameters at the end of `fine_tuning`."""
    return _last(fine_tuning(loss, params, batches, learning_rate, update))


def query_logits(network, params, episode, statistics):
    """Logits of the queries, (T, N Q, N), from parameters fitted to the support.

    statistics: the images from which batch norm takes its mean and variance. "support": from the support alone, so
    that each query is answered as if it had come by itself (inductive). "queries": from all queries together, so that
    the answer to one depends on the others (transductive); this is what the MAML paper reports.

    Raises: ValueError for other statistics.
    """
    _check_statistics(statistics)
    if statistics == "queries":
        return network.apply(params, episode.query_x)
    n_support = episode.support_x.shape[1]
    images = np.concatenate([episode.support_x, episode.query_x], axis=1)
    return network.apply(params, images, n_reference=n_support)[:, n_support:]  # statistics of the first n_support


# ---------------------------------------------------------------- a start, and how to go on from it


class Start(NamedTuple):
    """Parameters to start from, and how they are fine-tuned: which of them, by which optimiser, at which rate."""

    params: Any
    learning_rate: float = 0.1
    head_only: bool = False
    update: Any = sgd


def fine_tuning_from(network, start, episode, steps):
    """Yield the parameters after 0, 1, ..., `steps` steps on the support of T tasks at once.

    With head_only the body has no task axis, because all tasks share it, and its features are computed once.
    """
    n_tasks, labels = len(episode.support_y), episode.support_y
    if not start.head_only:
        yield from fine_tuning(partial(classification_loss, network), repeat(start.params, n_tasks),
                               [(episode.support_x, labels)] * steps, start.learning_rate, start.update)
        return
    body = {name: layer for name, layer in start.params.items() if name != "head"}
    features = network.apply(body, episode.support_x)  # without a "head" a network gives its features: (T,NK,D)
    for head in fine_tuning(head_loss, repeat(start.params["head"], n_tasks), [(features, labels)] * steps,
                            start.learning_rate, start.update):
        yield {**body, "head": head}


def head_loss(head, features, y):
    """`classification_loss` for a head alone, on features that do not change: () or (T,)."""
    return cross_entropy(dense(head, features), y)  # the layer's parameters first, {"w", "b"}, then its input


def fine_tuned_scores(network, start, episode, statistics, steps):
    """Fine-tune on the support, then score the queries: (T, N Q, N). `statistics`: as in `query_logits`."""
    return query_logits(network, _last(fine_tuning_from(network, start, episode, steps)), episode, statistics)


def tune_rate(error, rates):
    """The learning rate for which the number error(rate) is lowest, the first of several; NaN is worse than any number.

    error: a measurement on tasks that are not tested on, for instance minus the accuracy. Too large a rate diverges;
    the measurement is there to find that out, so an overflow is not reported.
    """
    with onp.errstate(over="ignore", invalid="ignore"):
        return min(rates, key=lambda rate: onp.nan_to_num(error(rate), nan=onp.inf))


# ---------------------------------------------------------------- helpers


def _last(values):
    """The last of what is yielded; the others are not kept."""
    for value in values:
        last = value
    return last


def _check_statistics(statistics):
    if statistics not in ("support", "queries"):
        raise ValueError(f'statistics must be "support" or "queries", got {statistics!r}')
