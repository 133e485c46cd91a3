"""A conditional neural process: read the examples, keep one vector, answer from it. Garnelo et al. 2018.

Two networks, h (the encoder) and g (the decoder), make three lines:

  r_i = h(x_i, y_i)          each example of the support becomes a vector                                     (eq. 1)
  r   = mean of the r_i      one vector for the whole support, in whatever order and number it came           (eq. 2)
  y   = g(r, x)              the answer at x                                                                  (eq. 3)

Beside lesson 4, r stands where MAML has its adapted parameters. The paper's g gives a mean and a standard deviation,
trained by likelihood; here it gives the mean alone, trained by squared error, so that both families minimise the very
number by which they are compared. T tasks, K support points, Q query points, R numbers in r. `np` is autograd's NumPy.
"""

from functools import partial

import numpy as onp
from autograd import numpy as np

from fewshot_np.lesson4_maml import sample_sinusoids, squared_error
from fewshot_np.nn.networks import Network, mlp
from fewshot_np.nn.optimizers import adam
from fewshot_np.nn.trees import grad

WIDTH = 64
ENCODER = mlp([2, WIDTH, WIDTH, WIDTH, WIDTH])      # h: (x, y) -> r_i
DECODER = mlp([WIDTH + 1, WIDTH, WIDTH, WIDTH, 1])  # g: (r, x) -> y

# ---------------------------------------------------------------- read, and answer


def encode(params, x, y):
    """One vector for a set of examples, the mean of theirs: (K,1), (K,1) -> (R,) or (T,K,1), (T,K,1) -> (T,R).

    Garnelo et al. 2018, eq. 1 and 2. A mean ignores the order of what it averages, so the encoding is
    *permutation-invariant*; and it is as long for 1 example as for 1000.

    Raises: ValueError where x and y differ in shape or are empty.
    """
    _check_examples(x, y)
    each = ENCODER.apply(params["encoder"], np.concatenate([x, y], axis=-1))  # (T,K,2) -> (T,K,R)
    return np.sum(each, axis=-2) * (1 / x.shape[-2])


def decode(params, r, x):
    """The answers at x to a support encoded as r: (R,), (Q,1) -> (Q,1) or (T,R), (T,Q,1) -> (T,Q,1).

    Garnelo et al. 2018, eq. 3.

    Raises: ValueError where r does not have the task axis of x.
    """
    _check_encoding(r, x)
    each = np.expand_dims(r, -2) * onp.ones((x.shape[-2], 1), r.dtype)  # (T,Q,R): every query sees the same r
    return DECODER.apply(params["decoder"], np.concatenate([each, x], axis=-1))


def condition(params, x, y):
    """What `adapt` is to MAML: from a support to {"decoder", "r"}, which answers queries. No gradient is taken."""
    return {"decoder": params["decoder"], "r": encode(params, x, y)}


def answer(conditioned, x, n_reference=None):
    """The answers at x, from what `condition` returned: (T,Q,1) -> (T,Q,1). No batch norm, so no n_reference."""
    return decode(conditioned, conditioned["r"], x)


# ---------------------------------------------------------------- training


def init(rng):
    """Parameters of both networks: {"encoder": ..., "decoder": ...}."""
    return {"encoder": ENCODER.init(rng), "decoder": DECODER.init(rng)}


CNP = Network(init, answer)  # its apply takes what `condition` returns, as MAML's takes adapted parameters, not init's
cnp_loss = partial(squared_error, CNP)  # lesson 4's: (conditioned, x, y) -> () or (T,)


def objective(params, episode):
    """Mean over tasks of the query loss after reading the support: beside `maml_objective`, line by line."""
    n_tasks = episode.support_x.shape[0]
    conditioned = condition(params, episode.support_x, episode.support_y)
    return np.sum(cnp_loss(conditioned, episode.query_x, episode.query_y)) * (1 / n_tasks)


def train_cnp(params, sample, learning_rate, iterations):
    """Training in five lines: the same as MAML's, but no gradient is taken inside. sample() -> Episode."""
    state = None
    for _ in range(iterations):
        gradient = grad(objective)(params, sample())
        params, state = adam(params, gradient, state, learning_rate)
    return params


# ---------------------------------------------------------------- one more example, and another order


def add_point(params, r, n_points, x, y):
    """The encoding of n_points + 1 examples, from that of n_points and one more, x and y (1,1) or (T,1,1).

    It is r + (r_new - r) / (n + 1): the state is updated and the old examples need not be kept, so the thousandth
    example costs as much as the second. Before the first there is no mean, and r does not matter, be it NaN.
    """
    r = r if n_points else onp.zeros_like(r)  # because 0 times NaN is NaN
    return r + (encode(params, x, y) - r) * (1 / (n_points + 1))


def check_order(params, rng, k_shot=10):
    """How far the answers to a curve move when its points come in another order, and how far they vary: two numbers."""
    task = sample_sinusoids(k_shot, 100, 1, rng)
    order = rng.permutation(k_shot)
    answers = answer(condition(params, task.support_x, task.support_y), task.query_x)
    others = answer(condition(params, task.support_x[:, order], task.support_y[:, order]), task.query_x)
    return float(onp.abs(answers - others).max()), float(answers.std())


# ---------------------------------------------------------------- what the input must be


def _check_examples(x, y):
    if x.shape != y.shape or x.ndim not in (2, 3):
        raise ValueError(f"x and y must both be (K,1) or (T,K,1), got {x.shape} and {y.shape}")
    if x.shape[-2] == 0:
        raise ValueError("the mean over no examples is undefined: at least 1 is needed")


def _check_encoding(r, x):
    if r.shape[:-1] != x.shape[:-2]:
        raise ValueError(f"an encoding {r.shape} does not fit x {x.shape}: both or neither need a task axis")
