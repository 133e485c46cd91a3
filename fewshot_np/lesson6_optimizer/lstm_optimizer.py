"""An optimiser that is a network: it reads gradients and makes the steps. Andrychowicz et al. 2016.

Gradient descent is theta_{t+1} = theta_t - alpha grad. Here theta_{t+1} = theta_t + g_t, where g_t comes out of a small
recurrent network (LSTM) that reads one parameter's gradient, step by step, and remembers what it has seen. The network
is the same for every parameter (*coordinate-wise*); only its memory is each parameter's own.

Shapes: R rows, all parameters of all tasks that are being learned, one below the other; to the LSTM they are a batch.
H hidden numbers. `np` is autograd's NumPy, `onp` the plain one.
"""

import numpy as onp
from autograd import numpy as np
from autograd.extend import defvjp, notrace_primitive, primitive

from fewshot_np.nn.layers import dense
from fewshot_np.nn.trees import leaves, tree_map

HIDDEN = 20  # as in the paper, and so are the two layers
STEP_SIZE = 0.1  # the network's output is of size 1, and a step should be smaller

# ---------------------------------------------------------------- one coordinate: a gradient in, a step out


def lstm_update(params, gradients, state):
    """(steps, new state): how far each of R parameters moves, (R,) -> (R,), given its gradient and its memory.

    Andrychowicz et al. 2016, eq. 3. Row r of the answer depends on row r alone.

    Raises: ValueError for a state of another number of rows.
    """
    _check_rows(gradients, state)
    x, new = preprocess(gradients), {}
    for name in ("lstm1", "lstm2"):
        h, c = lstm_cell(params[name], x, state[name]["h"], state[name]["c"])
        x, new[name] = h, {"h": h, "c": c}
    return STEP_SIZE * np.reshape(dense(params["head"], x), (-1,)), new


def lstm_cell(params, x, h, c):
    """One step of an LSTM layer: input x (R,I), output h and memory c (R,H) -> new h, c. Hochreiter & Schmidhuber 1997.

    Three gates between 0 and 1 say how much of the memory is kept, how much of the candidate is written to it, and
    how much of it is shown. The forget gate is of Gers et al. 2000.
    """
    seen = np.concatenate([x, h], axis=-1)                                         # (R,I+H)
    forget, write, show = (sigmoid(dense(params[gate], seen)) for gate in ("forget", "input", "output"))
    c = forget * c + write * tanh(dense(params["candidate"], seen))
    return show * tanh(c), c


@notrace_primitive  # autograd takes what it returns as a constant: no second derivatives, as in the paper
def preprocess(gradients, p=10.0):
    """Express gradients of any size by two numbers near 1, (R,) -> (R,2). Andrychowicz et al. 2016, appendix A.

    They are (log|g| / p, sign g), the order of magnitude and the sign, where |g| >= exp(-p), else (-1, exp(p) g).
    """
    size = onp.abs(gradients)
    large = size >= onp.exp(-p)
    logarithm = onp.log(onp.where(large, size, 1)) / p  # not of 0; where `large` is False it is not used
    first, second = onp.where(large, logarithm, -1), onp.where(large, onp.sign(gradients), onp.exp(p) * gradients)
    return onp.stack([first, second], axis=-1).astype(gradients.dtype)


# ---------------------------------------------------------------- all parameters of a learner


def lstm_optimizer(params, learner, gradients, state):
    """Update all of a learner's parameters, a tree of arrays, as the optimisers in `nn.optimizers` do.

    `lstm_update` runs on all their numbers at once, each with a memory of its own; state None starts it. params are
    the optimiser's own parameters. Returns (learner, state).
    """
    gradients = leaves(tree_map(lambda _, g: g, learner, gradients))  # in the order of the learner's keys
    numbers = np.concatenate([np.reshape(g, (-1,)) for g in gradients])  # (R,), R = T tasks x P parameters
    steps, state = lstm_update(params, numbers, initial_state(params, len(numbers)) if state is None else state)
    ends = onp.cumsum([g.size for g in gradients])
    parts = iter([steps[end - g.size:end] for g, end in zip(gradients, ends, strict=True)])  # cut up again, in order
    return tree_map(lambda p: p + np.reshape(next(parts), p.shape), learner), state


# ---------------------------------------------------------------- where it begins, and its two squashing functions


def init_optimizer(rng, hidden=HIDDEN):
    """Parameters of two LSTM layers and the linear output: {"lstm1", "lstm2", "head"}."""
    def layer(n_in, n_out, bias=0.0, variance=1.0):
        w = rng.standard_normal((n_in, n_out)) * (variance / n_in) ** 0.5
        return {"w": w.astype("float32"), "b": onp.full(n_out, bias, "float32")}

    def lstm(n_in):  # a bias of 1 opens the forget gate, so at first the memory is kept
        return {gate: layer(n_in + hidden, hidden, bias=1.0 if gate == "forget" else 0.0)
                for gate in ("forget", "input", "output", "candidate")}

    return {"lstm1": lstm(2), "lstm2": lstm(hidden), "head": layer(hidden, 1, variance=0.01)}  # small steps at first


def initial_state(params, n_rows):
    """The memory before the first gradient: {"lstm1": {"h", "c"}, "lstm2": {"h", "c"}}, zeros (R,H)."""
    zeros = onp.zeros((n_rows, params["head"]["w"].shape[0]), "float32")
    return {name: {"h": zeros, "c": zeros} for name in ("lstm1", "lstm2")}


@primitive  # autograd does not look into it; `defvjp` below says how a derivative g goes back through it
def tanh(x):
    """The hyperbolic tangent, between -1 and 1. (autograd's own derivative, by cosh, overflows in float32.)"""
    return onp.tanh(x)


defvjp(tanh, lambda ans, x: lambda g: g * (1 - ans * ans))


def sigmoid(x):
    """1 / (1 + exp(-x)); by tanh, which never overflows."""
    return 0.5 * tanh(0.5 * x) + 0.5


def _check_rows(gradients, state):
    n_rows = len(state["lstm1"]["h"])
    if gradients.shape != (n_rows,):
        raise ValueError(f"gradients must be (R,) with a state of as many rows, got {gradients.shape} and a state of "
                         f"{n_rows}")
