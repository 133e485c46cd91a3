"""Parameters are nested dicts of arrays: functions on every leaf, and their gradient, a dict with the same keys."""

import numpy as onp
from autograd import make_vjp
from autograd import numpy as np
from autograd.builtins import DictBox
from autograd.extend import defvjp, primitive, vspace

_DICTS = dict, DictBox  # inside autograd's own `grad` a dict is a DictBox


def tree_map(f, *trees):
    """Apply f to the leaves of `trees` that stand in the same place; the result is a tree of the same keys.

    Raises: ValueError where the keys differ.
    """
    first = trees[0]
    if not isinstance(first, _DICTS):
        if any(isinstance(other, _DICTS) for other in trees):
            raise ValueError("trees differ: a leaf of one is a dict in another")
        return f(*trees)
    for other in trees[1:]:
        if not isinstance(other, _DICTS) or set(other) != set(first):
            keys = sorted(other) if isinstance(other, _DICTS) else type(other).__name__
            raise ValueError(f"trees differ: keys {sorted(first)} and {keys}")
    return {key: tree_map(f, *(tree[key] for tree in trees)) for key in first}


def leaves(tree):
    """The arrays of a tree, in the order of its keys."""
    if not isinstance(tree, _DICTS):
        return [tree]
    return [leaf for key in tree for leaf in leaves(tree[key])]


def repeat(params, n_tasks):
    """Give every parameter a task axis: n_tasks equal copies in front, (...) -> (T, ...).

    This is the only place where parameters get a task axis. Going forward, the copies are views of one array; going
    back, their gradients are summed.

    Raises: ValueError for an n_tasks that is no positive integer.
    """
    if isinstance(n_tasks, bool) or not isinstance(n_tasks, (int, onp.integer)) or n_tasks < 1:
        raise ValueError(f"n_tasks must be a positive integer, got {n_tasks!r}")
    return tree_map(lambda p: _repeat(p, n_tasks), params)


@primitive
def _repeat(p, n_tasks):
    return onp.broadcast_to(p, (n_tasks, *onp.shape(p)))


defvjp(_repeat, lambda ans, p, n_tasks: lambda g: np.sum(g, axis=0), argnums=[0])


def grad(f):
    """autograd's `grad`, made fast for trees: grad(f)(params, ...) is the gradient of the number f(params, ...)."""
    return lambda params, *args: value_and_grad(f)(params, *args)[1]


def task_gradient(loss):
    """The gradient of loss(params, ...), for one task or for T tasks at once: each task's own.

    For T tasks the loss is (T,), and every parameter has the task axis in front (see `repeat`). The loss of task t
    contains the parameters of task t alone, so the gradient of the sum over tasks holds the gradient of each task.

    Raises: ValueError for a loss of more axes than (T,), and where the loss has a task axis and a parameter has none,
    because then all tasks would silently share one step.
    """
    def sum_over_tasks(params, *args):
        value = loss(params, *args)
        _check_task_axis(np.shape(value), params)
        return np.sum(value)
    return grad(sum_over_tasks)


def value_and_grad(f):
    """The number f(params, ...) and its gradient with respect to params, a tree or an array. It nests.

    autograd's own would build the gradient of a dict by adding one dict, all zeros but for one leaf, per use of a
    leaf. Here each leaf passes through a tap on its way into f, and the gradient is caught where it flows back out.
    """
    def value_and_gradient(params, *args):
        caught = tree_map(lambda p: [], params)

        def tapped(anchor):
            return f(tree_map(lambda p, slot: _tap(anchor, p, slot.append), params, caught), *args)

        vjp, value = make_vjp(tapped)(0.0)
        if onp.shape(value):
            raise TypeError(f"grad needs a function that returns one number, got shape {onp.shape(value)}")
        vjp(vspace(value).ones())
        return value, tree_map(lambda p, slot: slot[0] if slot else np.zeros_like(p), params, caught)
    return value_and_gradient


@primitive
def _tap(anchor, p, catch):
    """p itself. The anchor, a constant 0, is what autograd believes to differentiate with respect to."""
    return p


def _catch(ans, anchor, p, catch):
    def vjp(g):
        catch(g)
        return 0.0
    return vjp


defvjp(_tap, _catch, lambda ans, anchor, p, catch: lambda g: g)


def _check_task_axis(loss_shape, params):
    if len(loss_shape) > 1:
        raise ValueError(f"the loss must be () or (T,), one number per task, got {loss_shape}")
    for leaf in leaves(params) if loss_shape else []:
        if np.shape(leaf)[:1] != loss_shape:
            raise ValueError(f"the loss is {loss_shape}, one number per task, but a parameter is {np.shape(leaf)}, "
                             f"without a task axis: use repeat(params, {loss_shape[0]})")
