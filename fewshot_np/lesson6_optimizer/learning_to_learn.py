"""How an optimiser is trained: let it make steps, and differentiate the losses that it leads to through them.

The unit of training is again a task: a new learner (a small network with random parameters) and the points of a new
curve. `np` is autograd's NumPy, `onp` the plain one.
"""

from functools import partial
from typing import Any, NamedTuple

import numpy as onp
from autograd import numpy as np

from fewshot_np.lesson4_maml import sample_sinusoids
from fewshot_np.lesson6_optimizer.lstm_optimizer import lstm_optimizer
from fewshot_np.nn.optimizers import adam
from fewshot_np.nn.primitives import stop_gradient
from fewshot_np.nn.trees import grad, task_gradient, tree_map

# ---------------------------------------------------------------- steps, and the loss of an optimiser


def optimise(update, loss, learner, x, y, steps, state=None):
    """Update a learner `steps` times on the examples x, y of T tasks: ([its losses (T,) after each], learner, state).

    update(learner, gradients, state) -> (learner, state) is `lstm_optimizer`, or SGD or Adam with their rate.
    The gradients are taken at parameters held constant: what the LSTM did earlier has changed the gradients that it
    reads now, but no derivative flows that way, because the paper drops those edges (its figure 2). With them go all
    second derivatives.
    """
    gradient, losses = task_gradient(lambda learner: loss(learner, x, y)), []
    for _ in range(steps):
        learner, state = update(learner, gradient(tree_map(stop_gradient, learner)), state)
        losses.append(loss(learner, x, y))
    return losses, learner, state


def optimizer_objective(loss, params, tasks, segment):
    """Mean over tasks and `segment` steps of the losses that the LSTM leads to. Andrychowicz et al. 2016, eq. 3, w = 1.

    This is truncated backpropagation: the first steps_before steps are taken with the LSTM held constant, so that no
    derivative is recorded or flows through them, and the next `segment` steps with it.
    """
    constant = tree_map(stop_gradient, params)
    _, learner, state = optimise(partial(lstm_optimizer, constant), loss, tasks.learner, tasks.x, tasks.y,
                                 tasks.steps_before)
    losses, _, _ = optimise(partial(lstm_optimizer, params), loss, learner, tasks.x, tasks.y, segment, state)
    return sum(np.sum(each) for each in losses) * (1 / (segment * len(tasks.x)))


def optimizer_train(loss, params, sample, segment, learning_rate, iterations):
    """Train an optimiser in five lines. It is learned by Adam, an optimiser written by hand.

    sample() -> OptimizerTask.   Returns params. The run does the same with `experiment.training.train`.
    """
    state = None
    for _ in range(iterations):
        gradient = grad(partial(optimizer_objective, loss, segment=segment))(params, sample())
        params, state = adam(params, gradient, state, learning_rate)
    return params


# ---------------------------------------------------------------- what it is trained on


class OptimizerTask(NamedTuple):
    """T new learners, a tree of (T, ...); the examples x, y (T,K,1); how many steps to take beforehand."""

    learner: Any
    x: Any
    y: Any
    steps_before: int


def sample_optimizer_tasks(network, k_shot, n_tasks, steps_before, rng):
    """T new curves of K points each, and a new network for each of them."""
    learners = [network.init(rng) for _ in range(n_tasks)]
    tasks = sample_sinusoids(k_shot, 1, n_tasks, rng)
    return OptimizerTask(tree_map(lambda *arrays: onp.stack(arrays), *learners), tasks.support_x, tasks.support_y,
                         steps_before)


def sample_segments(network, n_points, n_tasks, horizon, segment, rng):
    """A function that draws tasks for one of the segments of a horizon of steps, each with equal chance.

    Raises: ValueError where the horizon is not made of whole segments.
    """
    if horizon % segment:
        raise ValueError(f"a horizon of {horizon} steps is not made of whole segments of {segment}")
    starts = range(0, horizon, segment)
    return lambda: sample_optimizer_tasks(network, n_points, n_tasks, starts[rng.integers(len(starts))], rng)


# ---------------------------------------------------------------- the rivals: SGD and Adam at the best of many rates


def paths(updates, loss, tasks, steps):
    """Run all these optimisers on the same learners and curves: {name: losses after each step, (T, steps)}.

    A loss that is NaN or higher than before the first step counts as that of before, because a single learner that
    diverged would otherwise decide every mean.
    """
    start = tasks.learner, tasks.x, tasks.y
    before = onp.expand_dims(loss(*start), -1)
    with onp.errstate(over="ignore", invalid="ignore"):  # too large a rate diverges: that is what is being found out
        return {name: onp.fmin(onp.stack(optimise(update, loss, *start, steps)[0], axis=-1), before)
                for name, update in updates.items()}


def tuned_rates(losses, name):
    """For each number of steps the rate of `name` after which the mean loss is lowest: (steps,).

    losses: {(name, rate): losses (n, steps)}.
    """
    rates = [rate for optimizer, rate in losses if optimizer == name]
    means = onp.stack([losses[name, rate].mean(axis=0) for rate in rates])
    return onp.array(rates)[means.argmin(axis=0)]
