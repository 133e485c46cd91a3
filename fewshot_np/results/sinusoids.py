"""The protocol `sinusoids`: the curves of Finn, Abbeel & Levine 2017 at their settings, MAML beside pretraining."""

from functools import partial

import numpy as np

from fewshot_np.experiment.methods import OPTIMIZERS, SCHEDULES, at_effort
from fewshot_np.experiment.report import metric
from fewshot_np.experiment.training import train
from fewshot_np.lesson2_episodes import mean_confidence_interval
from fewshot_np.lesson4_maml import (
    adapt,
    adapted_after,
    joint_objective,
    maml_objective,
    sample_sinusoids,
    squared_error,
)
from fewshot_np.nn.networks import mlp

INNER_LR = 0.01
OBJECTIVES = {"MAML": partial(maml_objective, inner_lr=INNER_LR, steps=1), "pretraining": joint_objective}


def run_sinusoids(options, method, row, folder):
    """Train with one step on 10 points; test with 0, 1, 5 and 10 steps on 5 points and on 10: (metrics, history).

    All steps at one rate, as published; and with a rate of their own for those after the first. The metrics are the
    mean and the median error.
    """
    network, rng, training = mlp([1, 40, 40, 1]), np.random.default_rng(options.seed), at_effort(row, options.effort)
    loss = partial(squared_error, network)
    params, history = train(
        lambda params, tasks: OBJECTIVES[options.method](loss, params, tasks), network.init(rng),
        partial(sample_sinusoids, 10, row.n_query, row.batch, rng), update=OPTIMIZERS[row.optimizer],
        schedule=SCHEDULES[row.schedule](row.learning_rate, training.iterations), iterations=training.iterations,
        path=folder / "last.npz", label=options.method, rng=rng, options=options)
    later, metrics = best_later_rate(loss, params, 5 * options.episodes), {}
    for k_shot in (5, 10):
        tasks = sample_sinusoids(k_shot, 100, options.episodes, np.random.default_rng(2))
        for rate, which in sorted({later: f", the later ones at {later:g}", INNER_LR: ""}.items(), reverse=True):
            for steps, errors in errors_after(loss, params, tasks, INNER_LR, rate):
                if steps > 1 or rate == INNER_LR:
                    median = np.median(np.where(np.isnan(errors), np.inf, errors))  # NaN: it diverged
                    metrics[f"error from {k_shot} points, {steps} steps{which}"] = metric(
                        *mean_confidence_interval(errors), median=median)
    return metrics, history


def errors_after(loss, params, tasks, inner_lr, later_lr):
    """Yield (steps, squared error of each task) after 0, 1, 5 and 10 steps: the first at inner_lr, the others not."""
    with np.errstate(over="ignore", invalid="ignore"):  # a task may diverge
        for steps, adapted in adapted_after(loss, params, tasks, inner_lr, (0, 1)):
            yield steps, loss(adapted, tasks.query_x, tasks.query_y)
        for done, steps in ((1, 5), (5, 10)):
            adapted = adapt(loss, adapted, tasks.support_x, tasks.support_y, later_lr, steps - done)
            yield steps, loss(adapted, tasks.query_x, tasks.query_y)


def best_later_rate(loss, params, n_tasks, inner_lr=INNER_LR):
    """The rate of the steps after the first with the smallest mean error after 5 steps from 5 points, on other tasks.

    MAML makes its one step as long as it can, because training shapes the loss for it. Nothing in that training asks
    whether a second step of the same length still goes down, and on some tasks it does not.
    """
    tasks = sample_sinusoids(5, 100, n_tasks, np.random.default_rng(1))

    def error(rate):
        after = errors_after(loss, params, tasks, inner_lr, rate)
        return np.nan_to_num(np.mean(next(errors for steps, errors in after if steps == 5)), nan=np.inf)
    return min((share * inner_lr for share in (1, 0.5, 0.4, 0.3, 0.2)), key=error)
