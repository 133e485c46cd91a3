"""Small problems on which lesson 4's methods are tested: a loss, float64 parameters, and an episode of some tasks."""

from functools import partial

import autograd.numpy as np
import numpy as onp

from fewshot_np.lesson2_episodes import Episode
from fewshot_np.lesson3_initialisation import classification_loss
from fewshot_np.lesson4_maml import linear_loss
from fewshot_np.nn.networks import conv4, mlp
from tests.scaffolding import shaken

N_WAY, N_TASKS = 3, 3


def random_episode(shape, n_tasks=N_TASKS, k_shot=2, n_query=2, seed=0, dtype=float):
    """Noise of class-dependent mean, so that there is something to learn; `shape` is that of one input."""
    rng = onp.random.default_rng(seed)
    labels = onp.arange(N_WAY)
    means = rng.normal(size=(n_tasks, N_WAY, *shape))

    def part(n):
        y = onp.tile(labels.repeat(n), (n_tasks, 1))
        return (means.repeat(n, axis=1) + 0.5 * rng.normal(size=(n_tasks, N_WAY * n, *shape))).astype(dtype), y

    (support_x, support_y), (query_x, query_y) = part(k_shot), part(n_query)
    return Episode(support_x, support_y, query_x, query_y, None, None)


def linear_problem():
    return linear_loss, {"w": onp.random.default_rng(5).normal(size=(4, N_WAY))}, random_episode((4,))


def mlp_problem():
    network = mlp([4, 7, 6, N_WAY])
    params = shaken(network.init(onp.random.default_rng(0)))
    return partial(classification_loss, network), params, random_episode((4,))


def conv4_problem():
    network = tiny_conv4()
    params = shaken(network.init(onp.random.default_rng(0)))
    return partial(classification_loss, network), params, random_episode((16, 16, 1))


def pooling_conv4_problem():
    network = conv4((16, 16, 1), N_WAY, channels=3)
    params = shaken(network.init(onp.random.default_rng(0)))
    return partial(classification_loss, network), params, random_episode((16, 16, 1), n_tasks=2)


def tiny_conv4():
    return conv4((16, 16, 1), N_WAY, channels=4, down="stride", features="mean")


def parabola(params, x, y):
    """(w x - y)^2 of one example, (1,) -> () or (T, 1) -> (T,)."""
    return np.sum((params["w"] * x - y) ** 2, axis=-1)


ANCHOR = Episode(*(onp.array([[number]]) for number in (2.0, 6.0, 1.0, 4.0)), None, None)
