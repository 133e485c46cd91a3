"""Small problems on which lesson 4's methods are tested: a loss, float64 parameters, and an episode of some tasks."""

from functools import partial

import numpy as onp

from fewshot_np.lesson3_initialisation import classification_loss
from fewshot_np.lesson4_maml import linear_loss
from fewshot_np.nn.networks import conv4, mlp
from tests.scaffolding import episode_of_noise, shaken

N_WAY, N_TASKS = 3, 3
TINY_CONV4 = conv4((16, 16, 1), N_WAY, channels=4, down="stride", features="mean")


def problem_of(network, shape, n_tasks=N_TASKS):
    params = shaken(network.init(onp.random.default_rng(0)))
    return partial(classification_loss, network), params, episode_of_noise(shape, n_tasks=n_tasks)


LINEAR = linear_loss, {"w": onp.random.default_rng(5).normal(size=(4, N_WAY))}, episode_of_noise((4,))
MLP = problem_of(mlp([4, 7, 6, N_WAY]), (4,))
CONV4 = problem_of(TINY_CONV4, (16, 16, 1))
POOLING_CONV4 = problem_of(conv4((16, 16, 1), N_WAY, channels=3), (16, 16, 1), n_tasks=2)
