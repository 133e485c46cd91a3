"""Reptile: look for a start from which fine-tuning goes well, by doing it. Nichol, Achiam & Schulman 2018.

Take a task, fine-tune a copy of theta on it to phi, and move theta a little towards phi. Reptile uses nothing but the
direction phi - theta; no derivative flows through the inner steps.
"""

import numpy as onp  # plain NumPy, for images and labels
from autograd import numpy as np  # whatever is computed with `np` can be differentiated

from fewshot_np.lesson3_initialisation.fine_tuning import fine_tune
from fewshot_np.nn.optimizers import sgd
from fewshot_np.nn.primitives import stop_gradient
from fewshot_np.nn.trees import leaves, repeat, tree_map

# ---------------------------------------------------------------- the method


def reptile_step(params, adapted, outer_lr):
    """theta + outer_lr * mean over tasks of (phi - theta). Nichol et al. 2018, Reptile's batched version.

    params: theta.   adapted: phi, with a task axis: for theta (...) it is (T, ...).
    With outer_lr 1 theta becomes the mean of the phi; 0 leaves it where it is.
    Raises: ValueError for adapted parameters of any other shape.
    """
    def step(theta, phi):
        _check_shapes(theta, phi)
        return theta + float(outer_lr) * (np.sum(phi - theta, axis=0) * (1 / len(phi)))
    return tree_map(step, params, adapted)


def train_reptile(loss, params, sample, inner_lr, inner_steps, inner_batch, outer_lr, iterations, update=sgd):
    """The training in five lines: draw T tasks, fine-tune a copy of the start on each, move the start.

    sample() -> Episode.   inner_lr, inner_steps, inner_batch: rate, number and images of the steps of fine-tuning.
    outer_lr, iterations: size and number of the moves of the start.   Returns params.
    The run does the same by gradient descent on `reptile_objective`, so that it can use `experiment.training.train`,
    which also shows progress and saves.
    """
    for _ in range(iterations):
        episode = sample()
        copies = repeat(params, len(episode.support_x))
        adapted = fine_tune(loss, copies, mini_batches(episode, inner_batch, inner_steps), inner_lr, update)
        params = reptile_step(params, adapted, outer_lr)
    return params


def mini_batches(episode, size, steps):
    """`steps` batches of `size` images (T,size,H,W,C), with labels (T,size), of all images of each task.

    Reptile trains on support and query alike, because it measures nothing on the query. The images come in turns, one
    of each class, then the next one of each; when all are used up, it begins again.
    """
    n_way = int(episode.support_y.max()) + 1

    def by_turns(x):  # (T, N K, ...) -> (T, K N, ...)
        return x.reshape(len(x), n_way, -1, *x.shape[2:]).swapaxes(1, 2).reshape(x.shape)

    x = onp.concatenate([by_turns(episode.support_x), by_turns(episode.query_x)], axis=1)
    y = onp.concatenate([by_turns(episode.support_y), by_turns(episode.query_y)], axis=1)
    for step in range(steps):
        ids = onp.arange(step * size, (step + 1) * size) % x.shape[1]
        yield x[:, ids], y[:, ids]


# ---------------------------------------------------------------- the same as an objective


def reptile_objective(loss, params, episode, inner_lr, inner_steps, inner_batch, update=sgd):
    """Mean over tasks of |theta - phi|^2 / 2, where theta fine-tuned on the task is phi, taken as constant.

    Its gradient is the mean of theta - phi, so a step of gradient descent on it *is* `reptile_step`, and a training
    loop that minimises objectives needs to know nothing about Reptile. The paper reads it like that, too: as the
    search for a point that is near the solutions of all tasks.
    """
    n_tasks = len(episode.support_x)
    start = repeat(tree_map(stop_gradient, params), n_tasks)
    adapted = fine_tune(loss, start, mini_batches(episode, inner_batch, inner_steps), inner_lr, update)
    gaps = leaves(tree_map(lambda theta, phi: theta - phi, params, adapted))  # (T, ...)
    return sum(np.sum(gap * gap) for gap in gaps) * (0.5 / n_tasks)


def _check_shapes(theta, phi):
    if phi.ndim != theta.ndim + 1 or phi.shape[1:] != theta.shape:
        raise ValueError(f"for a parameter {theta.shape} the adapted one must be (T, *{theta.shape}), got {phi.shape}")
