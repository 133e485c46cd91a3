"""Exercises to lesson 4: MAML.

    pytest lessons/lesson4_maml -x

`np` is autograd's NumPy. `grad(f)(params, x, y)` is the gradient of the number f(params, x, y) with respect to
params, an array or a dict of arrays; it can be differentiated again. `stop_gradient(a)` is a as a constant.

The inner step is written anew in each exercise: it is one line.
"""

from autograd import numpy as np

from fewshot_np.nn.primitives import stop_gradient
from fewshot_np.nn.trees import grad, repeat


def inner_step(loss, params, x, y, inner_lr):
    """One step of gradient descent on loss(params, x, y): from params to params - inner_lr * gradient. Differentiable.

    loss returns a number; params is a dict of arrays. Returns a dict of the same keys; params itself stays as it was.
    The outer loop will differentiate through this step, so the gradient must not be cut off.

    By hand, the line y = slope x through (2, 6) from slope 1: the loss (2 - 6)^2 / 2 has the derivative (2 - 6) * 2.

    >>> loss = lambda params, x, y: np.sum((params["slope"] * x - y) ** 2) / 2
    >>> inner_step(loss, {"slope": np.array([1.0])}, np.array([2.0]), np.array([6.0]), 0.1)
    {'slope': array([1.8])}
    """
    raise NotImplementedError("maml.1: the inner step")


def meta_objective(loss, w, support_x, support_y, query_x, query_y, inner_lr):
    """The mean over T tasks of the query loss after one inner step on the support. Finn et al. 2017. Differentiable.

    w: (D,N), the starting point that all tasks share. support_x: (T,M,D), support_y: (T,M), query_x and query_y alike
    with their own M: task t is support_x[t], support_y[t], query_x[t], query_y[t]. loss(w, x, y) returns a number for
    one task, x (M,D), y (M,); for T tasks at once, w (T,D,N), x (T,M,D), y (T,M), it returns (T,). Returns a number.

    By hand, the line of the exercise before, so w is one number, the slope, and T = M = 1: from slope 1 a step on the
    point (2, 6) leads to 1.8, where the point (1, 3) costs (1.8 - 3)^2 / 2.

    >>> loss = lambda w, x, y: np.sum((w * x - y) ** 2) / 2
    >>> task = np.array([[2.0]]), np.array([[6.0]]), np.array([[1.0]]), np.array([[3.0]])
    >>> float(round(meta_objective(loss, np.array(1.0), *task, 0.1), 6))
    0.72
    """
    raise NotImplementedError("maml.2: the meta-objective")


def meta_gradient(gradient, hessian_product, w, support, query, inner_lr, steps):
    """The gradient of the query loss after `steps` inner steps with respect to the starting point w, by the chain rule.

    The inner steps are w_0 = w, w_1 = w_0 - inner_lr gradient(w_0, support), ... Each maps a small change v of w_i to
    the change v - inner_lr H_i v of w_{i+1}, H_i the Hessian (symmetric) of the support loss at w_i. So begin with the
    query gradient at the last w and carry it back, step by step, to the first.

    gradient(w, data) is the gradient of the loss on data, support or query; hessian_product(w, data, v) is the Hessian
    at w times v, without ever forming the Hessian. w and v are arrays of one shape. Returns an array of that shape.
    No autograd.

    By hand: the loss data * w^2 / 2 has the gradient data * w and the Hessian data. With support 2, query 3, inner_lr
    0.1 one step leads from w to 0.8 w, where the query gradient is 2.4 w; carried back, 2.4 w - 0.1 * 2 * 2.4 w.

    >>> gradient, hessian_product = lambda w, data: data * w, lambda w, data, v: data * v
    >>> meta_gradient(gradient, hessian_product, np.array([1.0]), 2.0, 3.0, 0.1, 1)
    array([1.92])
    """
    raise NotImplementedError("maml.3: the meta-gradient by hand")


def first_and_second_order(loss, w, support_x, support_y, query_x, query_y, inner_lr, steps):
    """Two gradients of one task's query loss after `steps` inner steps on the support: first and second order.

    Second order is the true gradient with respect to the starting point w: it flows back through the inner steps.
    First-order MAML takes the inner gradients for constants, so that a change of w moves the adapted w by just as
    much. Its gradient is the query gradient at the adapted w.

    loss(w, x, y) returns a number. w: (D,N), x: (M,D), y: (M,). Returns the tuple (first, second), each (D,N).

    By hand, as before: from slope 1 a step on (2, 6) leads to 1.8; there (1, 3) has the gradient (1.8 - 3) * 1 = -1.2.
    The step shrinks a change of the slope by 1 - 0.1 * 2^2 = 0.6, so the second order is 0.6 * -1.2.

    >>> loss = lambda w, x, y: np.sum((w * x - y) ** 2) / 2
    >>> task = np.array([2.0]), np.array([6.0]), np.array([1.0]), np.array([3.0])
    >>> [float(round(g, 6)) for g in first_and_second_order(loss, np.array(1.0), *task, 0.1, 1)]
    [-1.2, -0.72]
    """
    raise NotImplementedError("maml.4: first order against second")


def anil_step(loss, params, x, y, inner_lr):
    """ANIL's inner step: as in maml.1, but the head alone moves. Raghu et al. 2020. Differentiable.

    "Almost no inner loop": params is {"body": ..., "head": ...}, two arrays; the body stays as it is in the inner loop.
    Returns both. The outer loop trains both, so it must be able to differentiate with respect to the body as well.

    By hand, y = head * body * x through (1, 4) from body 2, head 1: the loss (2 - 4)^2 / 2 changes with the head by
    (2 - 4) * 2 = -4.

    >>> loss = lambda params, x, y: np.sum((params["head"] * params["body"] * x - y) ** 2) / 2
    >>> anil_step(loss, {"body": np.array([2.0]), "head": np.array([1.0])}, np.array([1.0]), np.array([4.0]), 0.1)
    {'body': array([2.]), 'head': array([1.4])}
    """
    raise NotImplementedError("maml.5: ANIL")


def adapt_all(loss, w, x, y, inner_lr, steps):
    """Adapt T tasks at once, each from the same w: `steps` inner steps with one `grad` a step. Differentiable.

    One `grad` a step means: the loss is called `steps` times, not `steps` times for every task.

    loss(w, x, y) returns (T,), one number per task, when w has a task axis: w (T,D,N), x (T,M,D), y (T,M). The loss of
    task t depends on the parameters of task t alone: what then is the gradient of the *sum* of the losses?
    repeat(w, T) gives w a task axis, T copies in front.

    w: (D,N), x: (T,M,D), y: (T,M). Returns (T,D,N), the adapted parameters of each task.

    By hand, two lines from slope 1: through (2, 6) as before, and through (1, 3), where the derivative is (1 - 3) * 1.

    >>> loss = lambda w, x, y: np.sum((w * x - y) ** 2, axis=1) / 2
    >>> adapt_all(loss, np.array([1.0]), np.array([[2.0], [1.0]]), np.array([[6.0], [3.0]]), 0.1, 1)
    array([[1.8],
           [1.2]])
    """
    raise NotImplementedError("maml.6: T tasks at once")


def conjugate_gradients(product, b, steps):
    """Solve A x = b by `steps` steps of conjugate gradients, from x = 0 and with products A v alone.

    product(v) is A v, for a matrix A that is symmetric and positive definite and that you never see. b: (P,).
    Keep three vectors: x, the residual r = b - A x, and the direction d, at first b. A step:

        length = r.r / d.Ad         how far along d is best
        x grows by length * d, and r shrinks by length * Ad, so that it stays b - A x without another product
        d = new r + (new r.new r / old r.old r) * d

    One product a step is enough. Where r is 0 the equation is solved, and further steps must leave x as it is.
    Returns x, (P,). No autograd.

    By hand, A = [[4, 1], [1, 3]] and b = (1, 2): d = r = b, A d = (6, 7), length 5 / 20, so x = b / 4 after one step.

    >>> conjugate_gradients(lambda v: np.array([[4.0, 1.0], [1.0, 3.0]]) @ v, np.array([1.0, 2.0]), 1)
    array([0.25, 0.5 ])
    """
    raise NotImplementedError("maml.7: conjugate gradients")


def prototype_head(features, labels, n_way):
    """ProtoMAML's last layer: the linear layer that classifies as the nearest prototype does. Differentiable.

    The prototype c of a class is the mean of its features. A query with features f belongs to the class with the
    highest -|f - c|^2 = 2 c.f - |c|^2 - |f|^2, whose last term is the same for all classes.

    features: (M,D), labels: (M,), integers 0...n_way-1 in any order, each class present.
    Returns {"w": (D,N), "b": (N,)}, so that the logits are f @ w + b. The meta-gradient will flow through both.

    By hand: the features (1, 0) and (3, 2) of class 0 have the prototype (2, 1), and (0, -1) is alone in class 1.

    >>> prototype_head(np.array([[1.0, 0.0], [0.0, -1.0], [3.0, 2.0]]), np.array([0, 1, 0]), 2)
    {'w': array([[ 4.,  0.],
           [ 2., -2.]]), 'b': array([-5., -1.])}
    """
    raise NotImplementedError("maml.8: the head from prototypes")
