"""A task that one can draw: ten points of a sine curve are the support, and the curve is to be found.

Regression in place of classification, so MAML's `adapt` gets another loss and is otherwise the same; that is what
*model-agnostic* means. `np` is autograd's NumPy, `onp` the plain one.
"""

import numpy as onp
from autograd import numpy as np

from fewshot_np.lesson2_episodes import Episode
from fewshot_np.lesson4_maml.maml import adapt
from fewshot_np.nn.trees import repeat

# ---------------------------------------------------------------- the tasks and their loss


def sample_sinusoids(k_shot, n_query, n_tasks, rng):
    """Draw n_tasks curves y = a sin(x - phase) with K support and Q query points each. Finn et al. 2017, sec. 5.1.

    a is drawn from [0.1, 5], phase from [0, pi], x from [-5, 5], all uniformly. Returns an Episode without ids whose x
    and y are float32, (T,K,1) for the support and (T,Q,1) for the query.
    """
    amplitude = rng.uniform(0.1, 5, (n_tasks, 1, 1))
    phase = rng.uniform(0, onp.pi, (n_tasks, 1, 1))
    x = rng.uniform(-5, 5, (n_tasks, k_shot + n_query, 1))
    x, y = x.astype("float32"), (amplitude * onp.sin(x - phase)).astype("float32")
    return Episode(x[:, :k_shot], y[:, :k_shot], x[:, k_shot:], y[:, k_shot:], None, None)


def squared_error(network, params, x, y):
    """Mean squared error over the points: () or (T,).

    Raises: ValueError where y is not shaped like the network's output.
    """
    output = network.apply(params, x)
    if output.shape != y.shape:
        raise ValueError(f"the network's output is {output.shape}, y is {y.shape}")
    return np.sum(np.square(output - y), axis=(-2, -1)) * (1 / y.shape[-2])


def joint_objective(loss, params, episode):
    """The usual way to pretrain, without an inner loop: mean query loss of all tasks at the same parameters.

    What minimises it is one curve, the mean of all, and a new curve may lie far from that.
    """
    n_tasks = episode.query_x.shape[0]
    return np.sum(loss(params, episode.query_x, episode.query_y)) * (1 / n_tasks)


# ---------------------------------------------------------------- a fair rate for a start that was pretrained


def error_after(loss, start, tasks, steps, inner_lr):
    """The mean query loss after `steps` steps from `start` at the rate inner_lr, a number.

    MAML trains its start for one rate. A pretrained start gets the rate for which this loss is lowest (`tune_rate`).
    """
    adapted = adapt(loss, repeat(start, len(tasks.support_x)), tasks.support_x, tasks.support_y, inner_lr, steps)
    return onp.mean(loss(adapted, tasks.query_x, tasks.query_y))
