"""Exercises to lesson 6: learn the optimiser. Meta-SGD, and the pieces of an LSTM optimiser.

    pytest lessons/lesson6_optimizer -x

`np` is autograd's NumPy. `grad(f)(params, x, y)` is the gradient of the number f(params, x, y) with respect to params,
an array or a dict of arrays; it can be differentiated again. `stop_gradient(a)` is a as a constant.
"""

from autograd import numpy as np

from fewshot_np.lesson5_project import sigmoid
from fewshot_np.nn.primitives import stop_gradient
from fewshot_np.nn.trees import grad


def meta_sgd_step(loss, start, rates, x, y):
    """Meta-SGD's step: from start to start - rates * gradient, each number at its own rate. Differentiable.

    start and rates are dicts of arrays, of the same keys and shapes. loss(params, x, y) returns a number. Returns a
    dict of the same keys; start and rates stay as they were. Li et al. 2017. The outer loop trains start *and* rates,
    so it must be able to differentiate with respect to both.

    By hand, the line y = slope x + bias through (2, 5), from slope 0 and bias 1. It misses by 1 - 5 = -4; half the
    squared error changes with the slope by -4 * 2 = -8, with the bias by -4. The rates 0.25 and 0 lead to slope 2.

    >>> loss = lambda params, x, y: np.sum((params["slope"] * x + params["bias"] - y) ** 2) / 2
    >>> start = {"slope": np.array([0.0]), "bias": np.array([1.0])}
    >>> rates = {"slope": np.array([0.25]), "bias": np.array([0.0])}
    >>> meta_sgd_step(loss, start, rates, np.array([2.0]), np.array([5.0]))
    {'slope': array([2.]), 'bias': array([1.])}
    """
    raise NotImplementedError("optimizer.1: Meta-SGD's step")


def gradient_of_rates(gradient, w, rates, supports, queries):
    """The gradient of Meta-SGD's objective with respect to the *rates*, by the chain rule. No autograd.

    The objective is the mean over T tasks of the query loss at w' = w - rates * (support gradient at w). If one rate
    grows a little, one number of w' moves by minus its support gradient, and the query gradient says how the query loss
    follows. Each rate belongs to one number of w, so no matrix is needed.

    gradient(w, data) is the gradient of the loss on data; task t has supports[t] and queries[t]. w and rates are arrays
    of one shape. Returns an array of that shape.

    By hand: the loss data * w^2 / 2 has the gradient data * w. With support 2 and w = 1 the support gradient is 2, and
    the rate 0.1 leads to 0.8. With query 3 the query gradient there is 2.4.

    >>> gradient = lambda w, data: data * w
    >>> gradient_of_rates(gradient, np.array([1.0]), np.array([0.1]), [2.0], [3.0])
    array([-4.8])
    """
    raise NotImplementedError("optimizer.2: how the rates are learned")


def preprocess(gradients, p):
    """Gradients of any size as two numbers of size about 1, (R,) -> (R,2). Andrychowicz et al. 2016, appendix A.

    Where |g| >= exp(-p): (log|g| / p, sign of g). Elsewhere: (-1, exp(p) g). log is the natural logarithm.
    A gradient may be exactly 0, and must not lead to infinity or NaN. No derivative is needed.

    By hand, p = 2: exp(4) is large, and becomes 4 / 2 and +1. -exp(-1) becomes -1 / 2 and -1. exp(-3) is less than
    exp(-2), so it becomes -1 and exp(2) exp(-3) = exp(-1) = 0.368.

    >>> preprocess(np.array([np.exp(4.0), -np.exp(-1.0), np.exp(-3.0)]), 2.0).round(3)
    array([[ 2.   ,  1.   ],
           [-0.5  , -1.   ],
           [-1.   ,  0.368]])
    """
    raise NotImplementedError("optimizer.3: gradients of any size")


def lstm_cell(params, x, h, c):
    """One step of an LSTM layer: input x (R,I), output h and memory c (R,H) of the step before -> new h and c.

    Differentiable. R rows, each with a memory of its own; all have the same params, {"forget", "input", "output",
    "candidate"}, each {"w": (I+H,H), "b": (H,)}. Each of the four makes z = (x, h) w + b, where (x, h) is x and then h
    in one row, (R,I+H). sigmoid(z) is between 0 and 1. Hochreiter & Schmidhuber 1997. Returns the tuple (h, c), each
    (R,H):

        new c = sigmoid(z_forget) * c + sigmoid(z_input) * tanh(z_candidate)
        new h = sigmoid(z_output) * tanh(new c)

    By hand, R = I = H = 1 and all w 0, so that z is b alone. Of the old memory 0.8, sigmoid(1.0986) = 0.75 is kept; of
    the candidate, tanh(0.5493) = 0.5, sigmoid(-1.0986) = 0.25 is written: 0.6 + 0.125. Half of tanh(0.725) is shown.

    >>> b = {"forget": 1.0986, "input": -1.0986, "output": 0.0, "candidate": 0.5493}
    >>> params = {gate: {"w": np.zeros((2, 1)), "b": np.array([b[gate]])} for gate in b}
    >>> h, c = lstm_cell(params, np.array([[9.0]]), np.array([[7.0]]), np.array([[0.8]]))
    >>> h.round(3), c.round(3)
    (array([[0.31]]), array([[0.725]]))
    """
    raise NotImplementedError("optimizer.4: a memory with three gates")


def unrolled_loss(update, loss, phi, theta, steps_before, segment):
    """What a learned optimiser phi is trained on: the mean loss after each of its last `segment` steps. Differentiable.

    A learner starts at theta (P,). In every step update(phi, gradient, state) -> (step, state): the learner moves to
    theta + step, and the state goes into the next call; the first gets None. loss(theta) returns a number; gradient is
    its gradient where the learner stands, *with the learner held constant* (stop_gradient): no second derivatives.

    First come `steps_before` steps with phi held constant, too, so that nothing flows back through them. Then come
    `segment` steps that are differentiated; learner and state go on where they were. Returns the sum of the losses
    after each of these, divided by `segment`. Andrychowicz et al. 2016. The outer loop differentiates it with respect
    to phi.

    By hand: the loss theta^2 / 2 has the gradient theta. An optimiser of one number steps by -phi * gradient. With phi
    0.5 it goes from 1 to 0.5 to 0.25 to 0.125. One step before; then the losses 0.25^2 / 2 and 0.125^2 / 2, mean
    0.01953125.

    >>> update = lambda phi, gradient, state: (-phi * gradient, state)
    >>> loss = lambda theta: np.sum(theta ** 2) / 2
    >>> float(unrolled_loss(update, loss, np.array([0.5]), np.array([1.0]), 1, 2))
    0.01953125
    """
    raise NotImplementedError("optimizer.5: train through the steps")
