"""Implicit MAML: the meta-gradient from where the inner loop ends, whichever way it went. Rajeswaran et al. 2019.

MAML differentiates through its inner steps, so it has to remember all of them. Implicit MAML *solves* the inner
problem instead, with a spring of strength lambda that pulls the solution phi back towards the start theta:

    phi = argmin of  L_support(phi) + lambda / 2 |phi - theta|^2,   so  grad L_support(phi) + lambda (phi - theta) = 0

This equation alone says how phi moves with theta: (H + lambda I) dphi = lambda dtheta, with H the Hessian of L_support
at phi. So dphi = (I + H / lambda)^-1 dtheta; no step appears in it. By the chain rule the meta-gradient is the gradient
of L_query at phi, multiplied by the same inverse (H is symmetric). In other words it is the solution v of the linear
equation (I + H / lambda) v = gradient of L_query at phi, and conjugate gradients solve it with a few products H v.

`np` is autograd's NumPy, for the losses; `onp` is the plain one, for what no derivative flows through, which is nearly
everything here. In the shapes T is the number of tasks and P of parameters.
"""

from functools import partial

import numpy as onp
from autograd import numpy as np

from fewshot_np.lesson3_initialisation import classification_loss, query_logits
from fewshot_np.lesson4_maml.maml import adapt
from fewshot_np.nn.optimizers import adam
from fewshot_np.nn.primitives import stop_gradient
from fewshot_np.nn.trees import grad, leaves, repeat, task_gradient, tree_map, value_and_grad

# ---------------------------------------------------------------- the method


def implicit_objective(loss, params, episode, inner_lr, steps, strength, cg_steps):
    """Mean over tasks of the query loss at phi, with the implicit meta-gradient as its gradient.

    loss, params, episode: as in `maml_objective`.   inner_lr, steps: of the gradient descent that finds phi.
    strength: lambda.   cg_steps: products H v that each meta-gradient may cost.

    The start enters as a constant, so nothing of the inner loop is recorded and its memory does not grow with `steps`.
    The meta-gradient v, a constant, too, is attached as v (theta - constant theta), whose value is 0 and whose gradient
    is v. It is exact where phi and v are; with few steps of either it is an approximation.

    Raises: ValueError for a rate or a strength that is not a positive number, and for steps that are not integers,
    from 0 in the inner loop and from 1 in the conjugate gradients.
    """
    _check(inner_lr, steps, strength, cg_steps)
    start = repeat(params, len(episode.support_x))
    constant = tree_map(stop_gradient, start)
    phi = solve(loss, constant, episode.support_x, episode.support_y, inner_lr, steps, strength)
    value, meta_gradient = implicit_gradient(loss, phi, episode, strength, cg_steps)
    attached = tree_map(lambda v, theta, fixed: np.sum(v * (theta - fixed)), meta_gradient, start, constant)
    return (value + sum(leaves(attached))) * (1 / len(episode.support_x))


def solve(loss, start, x, y, inner_lr, steps, strength):
    """phi: `steps` steps of gradient descent on the loss and the spring, from `start`. Parameters have a task axis.

    With few steps it is near phi at best. Differentiate through it and you have MAML on the same inner problem.
    """
    return adapt(partial(proximal_loss, loss, start, strength), start, x, y, inner_lr, steps)


def proximal_loss(loss, start, strength, params, x, y):
    """loss + strength / 2 |params - start|^2: () or (T,). Rajeswaran et al. 2019, eq. 4."""
    value = loss(params, x, y)
    axes = np.ndim(value)  # 1 with a task axis, which the sums keep

    def pull(p, theta):
        return np.sum(np.reshape(np.square(p - theta), (*np.shape(p)[:axes], -1)), axis=-1)
    return value + (0.5 * strength) * sum(leaves(tree_map(pull, params, start)))


def implicit_gradient(loss, phi, episode, strength, cg_steps):
    """(sum over tasks of the query loss at phi, v) with (I + H / strength) v = its gradient; v is a tree like phi.

    Rajeswaran et al. 2019, Algorithm 2, by the paper's Lemma 1. H is symmetric, and where phi is a minimum no
    eigenvalue of H + strength I is negative, which is what conjugate gradients need.
    """
    value, gradient = value_and_grad(lambda p: np.sum(loss(p, episode.query_x, episode.query_y)))(phi)
    times_hessian = hessian_product(loss, phi, episode.support_x, episode.support_y)

    def product(v):  # (T,P) -> (T,P)
        return v + _rows(times_hessian(_like(phi, v))) * (1 / strength)
    return value, _like(phi, conjugate_gradients(product, _rows(gradient), cg_steps))


def hessian_product(loss, params, x, y):
    """The function v -> H v, with H the Hessian of loss(params, x, y), each task's own: trees like params.

    H v is how the gradient changes along v, and so the gradient of the number <gradient, v>: `grad` of `grad`.
    """
    gradient = task_gradient(loss)

    def along(p, v):
        return sum(leaves(tree_map(lambda g, part: np.sum(g * part), gradient(p, x, y), v)))
    return lambda v: grad(along)(params, v)


def conjugate_gradients(product, b, steps):
    """x with A x = b, or near it, from products with A alone: (P,), or (T,P) for T equations at once.

    product: v -> A v, shaped like b; A is symmetric and positive definite.   Hestenes & Stiefel 1952.
    Each step goes as far along its direction as is best, and no direction undoes another, so P steps are enough
    (but for rounding), and far fewer where A has few different eigenvalues.
    """
    x, residual, direction = onp.zeros_like(b), b, b  # residual: b - A x
    for _ in range(steps):
        image = product(direction)
        length = _ratio(_dot(residual, residual), _dot(direction, image))
        x = x + length * direction
        smaller = residual - length * image
        direction = smaller + _ratio(_dot(smaller, smaller), _dot(residual, residual)) * direction
        residual = smaller
    return x


# ---------------------------------------------------------------- training, and use


def implicit_train(loss, params, sample, inner, learning_rate, iterations):
    """Meta-training in five lines, as MAML's. sample() -> Episode.   Returns params.

    inner: what `implicit_objective` takes besides, {"inner_lr", "steps", "strength", "cg_steps"}.
    """
    state = None
    for _ in range(iterations):
        meta_gradient = grad(partial(implicit_objective, loss, **inner))(params, sample())
        params, state = adam(params, meta_gradient, state, learning_rate)
    return params


def implicit_scores(network, params, episode, statistics, inner_lr, steps, strength):
    """Solve the inner problem of the support, then give the logits of the queries: (T, N Q, N).

    statistics: the images from which batch norm takes mean and variance when the queries are answered, "support" or
    "queries".
    """
    loss = partial(classification_loss, network)  # loss(params, x, y): the cross-entropy of the network's logits, (T,)
    phi = solve(loss, repeat(params, len(episode.support_x)), episode.support_x, episode.support_y, inner_lr, steps,
                strength)
    return query_logits(network, phi, episode, statistics)


# ---------------------------------------------------------------- helpers: trees as rows of numbers, input checks


def _rows(tree):
    """The numbers of each task in one row: a tree of (T,...) -> (T,P)."""
    return onp.concatenate([onp.reshape(leaf, (len(leaf), -1)) for leaf in leaves(tree)], axis=1)


def _like(tree, rows):
    """The opposite: (T,P) -> a tree shaped like `tree`."""
    ends = onp.cumsum([leaf[0].size for leaf in leaves(tree)])
    parts = iter(onp.split(rows, ends[:-1], axis=1))
    return tree_map(lambda leaf: onp.reshape(next(parts), leaf.shape), tree)


def _dot(a, b):
    return onp.sum(a * b, axis=-1, keepdims=True)


def _ratio(a, b):
    """a / b, and 0 where b is 0: where the residual is 0 the equation is solved, and there is nowhere to go."""
    return onp.divide(a, b, out=onp.zeros_like(a), where=b != 0)


def _check(inner_lr, steps, strength, cg_steps):
    for name, value in (("inner_lr", inner_lr), ("strength", strength)):
        if isinstance(value, bool) or not isinstance(value, (int, float, onp.number)) or not 0 < value < onp.inf:
            raise ValueError(f"{name} must be a positive number, got {value!r}")
    for name, value, least in (("steps", steps, 0), ("cg_steps", cg_steps, 1)):
        if isinstance(value, bool) or not isinstance(value, (int, onp.integer)) or value < least:
            raise ValueError(f"{name} must be an integer from {least}, got {value!r}")
