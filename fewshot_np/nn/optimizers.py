"""Optimisers and schedules: pure functions that take their state and return it, so that a run can be resumed.

An optimiser is `update(params, gradients, state, learning_rate) -> (params, state)`; it starts from state None.
A schedule maps an iteration, counted from 0, to a learning rate; it is a partial of a module-level function, so it
can be pickled.
"""

import math
from functools import partial

import numpy as np

from fewshot_np.nn.trees import tree_map


def sgd(params, gradients, state, learning_rate):
    """Gradient descent: params - learning_rate * gradients. It has no state and returns the one it was given."""
    learning_rate = float(learning_rate)  # a NumPy float64 would make float32 parameters float64
    return tree_map(lambda p, g: p - learning_rate * g, params, gradients), state


def adam(params, gradients, state, learning_rate, beta1=0.9, beta2=0.999, eps=1e-8):
    """Adam (Kingma & Ba 2015, Algorithm 1). State: {"step": t, "m": first moments, "v": second moments}."""
    if state is None:
        state = {"step": 0, "m": tree_map(np.zeros_like, params), "v": tree_map(np.zeros_like, params)}
    step = state["step"] + 1
    learning_rate = float(learning_rate)
    m = tree_map(lambda m, g: beta1 * m + (1 - beta1) * g, state["m"], gradients)
    v = tree_map(lambda v, g: beta2 * v + (1 - beta2) * g * g, state["v"], gradients)
    m_scale, v_scale = 1 / (1 - beta1 ** step), 1 / (1 - beta2 ** step)  # they correct for the start at 0
    params = tree_map(lambda p, m, v: p - learning_rate * m_scale * m / (np.sqrt(v_scale * v) + eps), params, m, v)
    return params, {"step": step, "m": m, "v": v}


def constant(rate):
    """The same rate at every iteration."""
    return partial(_constant, float(rate))


def linear_decay(rate, iterations):
    """From `rate` at iteration 0 down to 0 at `iterations` in a straight line (Reptile's outer step)."""
    return partial(_linear, float(rate), iterations)


def cosine_decay(rate, iterations):
    """From `rate` at iteration 0 down to 0 at `iterations` along half a cosine (Loshchilov & Hutter 2017, eq. 5)."""
    return partial(_cosine, float(rate), iterations)


def _constant(rate, iteration):
    return rate


def _linear(rate, iterations, iteration):
    return float(rate * max(0.0, 1 - iteration / iterations))


def _cosine(rate, iterations, iteration):
    return rate * 0.5 * (1 + math.cos(math.pi * min(1.0, iteration / iterations)))
