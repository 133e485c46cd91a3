"""Exercises to lesson 3, part 2: fine-tuning, Reptile, and frozen features.

    pytest lessons/lesson3_initialisation -x

`np` is autograd's NumPy. `grad(f)(params, x, y)` is the gradient of the number f(params, x, y) with respect to params,
an array or a dict of arrays, as an array or a dict of the same shapes. In the first exercise you can work it out by
hand instead. Make new arrays and dicts, w = w - ... and not w -= ...: caller and autograd still need the old ones.
"""

from autograd import numpy as np

from fewshot_np.nn.primitives import cross_entropy
from fewshot_np.nn.trees import grad, repeat, tree_map


def fine_tune_head(features, labels, n_way, learning_rate, steps):
    """Fit a new head to a few examples: `steps` steps of gradient descent, from all zeros. Differentiable.

    The head is a dense layer, logits = features @ w + b; the features come from layers that stay as they are. The loss
    is cross_entropy(logits, labels), a mean over the M examples. Every step uses all of them.

    features: (M,D), labels: (M,) integers 0...N-1, n_way: N. A class may have no example here; the head has an output
    for it all the same. Returns {"w": (D,N), "b": (N,)}.

    By hand: at zero each class has the probability p = 1/2. The derivative of the loss with respect to the weight of
    class 0 is the mean of feature * (p - 1) for its own example and feature * p for the other, that is
    (3 * (1/2 - 1) + 1 * 1/2) / 2 = -1/2; for class 1 it is 1/2; for the biases it is (-1/2 + 1/2) / 2 = 0. One step of
    -0.4 times that:

    >>> head = fine_tune_head(np.array([[3.0], [1.0]]), np.array([0, 1]), 2, learning_rate=0.4, steps=1)
    >>> (head["w"].round(6) + 0.0).tolist(), (head["b"].round(6) + 0.0).tolist()
    ([[0.2, -0.2]], [0.0, 0.0])
    """
    raise NotImplementedError("initialisation.1: fit a new head")


def fine_tune_tasks(loss, params, x, y, learning_rate, steps, update):
    """Fine-tune T tasks, each from the same params: `steps` updates, each on all examples of the task.

    update(params, gradient, state, learning_rate) returns (params, state) after one step of an optimiser. Its state,
    for Adam what it remembers of earlier gradients, is None before the first step of a task; then hand on what came
    back. No task may know of another: neither its parameters nor its state.

    loss(params, x, y) returns a number for one task; with one more axis T in front of x, y and every parameter it
    returns (T,). params: a dict of arrays, without T. x: (T,M,D), y: (T,M): task t is x[t], y[t]. Returns a dict with
    the keys of params, each array with T in front: [t] is where task t ended. A loop over the tasks is fine.

    By hand, two lines y = slope x from slope 1, plain gradient descent with the rate 0.1. Through (2, 6): the
    derivative of (2 - 6)^2 / 2 is (2 - 6) * 2 = -8, so the slope becomes 1.8. Through (1, 3): 1 + 0.1 * 2 = 1.2

    >>> from fewshot_np.nn.optimizers import sgd
    >>> loss = lambda params, x, y: np.sum((params["slope"] * x - y) ** 2, axis=-1) / 2
    >>> x, y = np.array([[2.0], [1.0]]), np.array([[6.0], [3.0]])
    >>> fine_tune_tasks(loss, {"slope": np.array([1.0])}, x, y, 0.1, 1, sgd)["slope"].round(6).tolist()
    [[1.8], [1.2]]
    """
    raise NotImplementedError("initialisation.2: fine-tune T tasks")


def reptile_step(params, adapted, outer_lr):
    """Reptile's step: move the start towards where fine-tuning ended, on average over the tasks. Nichol et al. 2018.

    theta + outer_lr * mean over the T tasks of (phi_t - theta).

    params: theta, a dict of arrays. adapted: phi, a dict of the same keys, each array with one more axis T in front.
    outer_lr: a number, 0 for no step, 1 for the whole way. Returns a dict like params; params itself stays as it was.
    Nothing is differentiated.

    By hand: from theta = 1 the tasks ended at 3 and 7, on average 4 away. Half of that is 2.

    >>> reptile_step({"w": np.array([1.0])}, {"w": np.array([[3.0], [7.0]])}, 0.5)["w"].tolist()
    [3.0]
    """
    raise NotImplementedError("initialisation.3: Reptile's step")


def frozen_scores(features_s, labels_s, features_q, n_way, mean):
    """Minus the squared distance of each query to the mean of each class. Wang et al. 2019: SimpleShot.

    The features come from a network that is not trained any more. Before they are compared, all of them, those of the
    support and of the queries, are centred, which means that `mean` is subtracted (the mean feature of the *training*
    images), and then normalised: each row is divided by its own length. Class n is the mean of its examples after that.
    A row that is all zeros after centring stays so: do not divide it by 0.

    features_s: (M,D), labels_s: (M,) integers 0...N-1, features_q: (A,D), n_way: N, mean: (D,). Every class has an
    example. Returns (A,N). Nothing is differentiated.

    By hand, the mean is (1, 1): the example (2, 1) of class 0 becomes (1, 0), and (1, 3) of class 1 becomes (0, 2) and
    then (0, 1). The query (4, 5) becomes (3, 4) and then (0.6, 0.8). Its squared distances are 0.8 and 0.4.

    >>> support, query = np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([[4.0, 5.0]])
    >>> frozen_scores(support, np.array([0, 1]), query, 2, mean=np.array([1.0, 1.0])).round(6)
    array([[-0.8, -0.4]])
    """
    raise NotImplementedError("initialisation.4: frozen features")
