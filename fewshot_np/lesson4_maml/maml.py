"""MAML: model-agnostic meta-learning. Finn, Abbeel & Levine 2017.

A task brings a few labelled examples, the *support*, and further ones to be judged by, the *query*. MAML learns the
parameters theta from which one step of gradient descent on the support does well on the query.
"""

from functools import partial

import numpy as onp
from autograd import numpy as np  # whatever is computed with `np` can be differentiated, and that again
from autograd.builtins import isinstance  # takes autograd's traced dicts for dicts

from fewshot_np.lesson3_initialisation import classification_loss, query_logits
from fewshot_np.nn.optimizers import adam
from fewshot_np.nn.primitives import add_scaled, stop_gradient
from fewshot_np.nn.trees import grad, repeat, task_gradient, tree_map

# ---------------------------------------------------------------- the outer loop, and the inner loop in it


def maml_objective(loss, params, episode, inner_lr, steps, first_order=False):
    """Mean over tasks of the query loss after adaptation to the support. Finn et al. 2017, Algorithm 2, line 10.

    Every task starts from its own copy of the same parameters, so params have no task axis here. The gradient of this
    number flows back *through* the inner step theta' = theta - alpha grad L_support(theta), which is why it contains
    the Hessian H of L_support: the gradient of the query loss at theta' comes back multiplied by (I - alpha H). No line
    here computes H; `grad` of `grad` does it, because each primitive's derivative can be differentiated again.
    """
    n_tasks = len(episode.support_x)
    adapted = adapt(loss, repeat(params, n_tasks), episode.support_x, episode.support_y, inner_lr, steps, first_order)
    return np.sum(loss(adapted, episode.query_x, episode.query_y)) * (1 / n_tasks)


def adapt(loss, params, x, y, inner_lr, steps, first_order=False):
    """Take `steps` steps of gradient descent on loss(params, x, y). Finn et al. 2017, Algorithm 2, line 7.

    loss: gives () for one task, or (T,) for T tasks at once; then x, y and every parameter have the task axis in front
    (see `repeat`), and each task is moved by its own gradient (see `task_gradient`).
    inner_lr: a number, alpha; or a tree of rates for some of the parameters, while the others stay as they are:
    {"head": 0.4} is ANIL (Raghu et al. 2020), one array for each parameter is Meta-SGD (Li et al. 2017).
    first_order: hold the parameters constant while the gradient is taken, so that no derivative flows through it; the
    result is the same, but H is missing from the gradient of whatever is computed with it.

    Raises: ValueError for steps that are no integer from 0, for rates of parameters that do not exist, for a loss of
    another shape, and where the loss has a task axis and a parameter has none.
    """
    _check(params, inner_lr, steps)
    moving, still = _split(params, inner_lr)  # ANIL moves the head alone; else everything moves
    gradient = task_gradient(lambda moving, still: loss(_join(moving, still), x, y))
    for _ in range(steps):
        here = (moving, still) if not first_order else (tree_map(stop_gradient, part) for part in (moving, still))
        moving = descend(moving, gradient(*here), inner_lr)
    return _join(moving, still)


def descend(params, gradient, inner_lr):
    """params - inner_lr * gradient, for a number or for a tree of rates."""
    if isinstance(inner_lr, dict):
        return {key: descend(params[key], gradient[key], inner_lr[key]) if key in inner_lr else params[key]
                for key in params}
    if isinstance(inner_lr, onp.floating):
        inner_lr = float(inner_lr)  # NumPy's float64 would make float32 parameters float64
    return tree_map(lambda p, g: add_scaled(p, -inner_lr, g), params, gradient)


# ---------------------------------------------------------------- training, and use


def meta_train(loss, params, sample, inner_lr, steps, learning_rate, iterations):
    """Meta-training in five lines: draw tasks, differentiate the meta-objective, let Adam take a step.

    sample() -> Episode.   Returns params. The run does the same with `experiment.training.train`, which also shows
    progress, saves and resumes.
    """
    gradient, state = grad(partial(maml_objective, loss)), None
    for _ in range(iterations):
        meta_gradient = gradient(params, sample(), inner_lr, steps)
        params, state = adam(params, meta_gradient, state, learning_rate)
    return params


def adapted_after(loss, start, tasks, inner_lr, step_counts):
    """Yield (steps, parameters adapted by so many steps) for rising numbers of steps; all tasks begin at `start`."""
    params, done = repeat(start, len(tasks.support_x)), 0
    for steps in step_counts:
        params, done = adapt(loss, params, tasks.support_x, tasks.support_y, inner_lr, steps - done), steps
        yield steps, params


def maml_scores(network, params, episode, statistics, inner_lr, steps):
    """Adapt to the support, then score the queries: (T, N Q, N). `statistics`: as in `query_logits`."""
    adapted = adapt(partial(classification_loss, network), repeat(params, len(episode.support_x)),
                    episode.support_x, episode.support_y, inner_lr, steps)
    return query_logits(network, adapted, episode, statistics)


# ---------------------------------------------------------------- which parameters move, and what is refused


def _split(params, inner_lr):
    """The parameters that the inner loop moves, and those that it leaves alone."""
    if not isinstance(inner_lr, dict):
        return params, {}
    return ({key: params[key] for key in params if key in inner_lr},
            {key: params[key] for key in params if key not in inner_lr})


def _join(moving, still):
    return {**still, **moving} if still else moving


def _check(params, inner_lr, steps):
    if isinstance(steps, bool) or not isinstance(steps, (int, onp.integer)) or steps < 0:
        raise ValueError(f"steps must be an integer from 0, got {steps!r}")
    _check_rates(inner_lr, params)


def _check_rates(inner_lr, params):
    if isinstance(inner_lr, dict):
        names = sorted(params) if isinstance(params, dict) else "an array"
        if not isinstance(params, dict) or not set(inner_lr) <= set(params):
            raise ValueError(f"inner_lr names {sorted(inner_lr)}, but the parameters there are {names}")
        for key in inner_lr:
            _check_rates(inner_lr[key], params[key])
