"""MAML: model-agnostic meta-learning. Finn, Abbeel & Levine 2017.

A task brings a few labelled examples, the *support*, and others to be tested on, the *query*. MAML learns the
parameters theta from which a step of gradient descent on the support, theta' = theta - alpha grad L_support(theta),
does well on the query: that step is the *inner loop*, the training of theta the *outer loop*.

An `Episode` holds T tasks of N classes with K support and Q query examples each: support_x (T, N K, ...), query_x
(T, N Q, ...), and the labels support_y (T, N K), query_y (T, N Q). Parameters are a *tree*, a nested dict of arrays,
{"dense1": {"w": ..., "b": ...}, "head": {"w": ..., "b": ...}}, and `tree_map` calls a function on every array of it.
A network's `apply(params, x)` gives the logits of x, one for each class, or the numbers that it predicts.
"""

from functools import partial

import numpy as onp  # the plain one, for what is not differentiated
from autograd import numpy as np  # whatever is computed with `np` can be differentiated, more than once
from autograd.builtins import isinstance  # treats autograd's traced dicts as dicts
from autograd.tracer import isbox  # is this number traced, because it is being differentiated?

from fewshot_np.lesson3_initialisation import classification_loss, query_logits
from fewshot_np.nn.optimizers import adam
from fewshot_np.nn.primitives import add_scaled, stop_gradient
from fewshot_np.nn.trees import grad, repeat, task_gradient, tree_map

# ---------------------------------------------------------------- the outer loop, and the inner loop in it


def maml_objective(loss, params, episode, inner_lr, steps, first_order=False):
    """Mean over tasks of the query loss after adaptation to the support. Finn et al. 2017, Algorithm 2, line 10.

    loss(params, x, y) is the mean over a task's examples, one number for each of T tasks: (T,).

    The gradient of this objective with respect to params flows back *through* the inner step, so it contains the
    Hessian H of L_support: the gradient of the query loss at theta' comes back multiplied by (I - alpha H), one such
    factor for each step. H itself is never formed. `grad` of `grad` gives its product with a vector, because the
    derivative of every function that networks are made of can be differentiated again.
    """
    n_tasks = len(episode.support_x)
    start = repeat(params, n_tasks)  # every task starts from its own copy; going back, the copies' gradients are summed
    adapted = adapt(loss, start, episode.support_x, episode.support_y, inner_lr, steps, first_order)
    return np.sum(loss(adapted, episode.query_x, episode.query_y)) * (1 / n_tasks)  # the gradient of np.mean is float64


def adapt(loss, params, x, y, inner_lr, steps, first_order=False):
    """Take `steps` steps of gradient descent on loss(params, x, y). Finn et al. 2017, Algorithm 2, line 7.

    loss: returns shape () for one task, or (T,) for T tasks at once; then x, y and every parameter have T in front, the
    task axis, and each task is moved by its own gradient.
    inner_lr: the number alpha; or a tree of rates for some of the parameters, while the others stay as they are:
    {"head": 0.4} is ANIL, "almost no inner loop" (Raghu et al. 2020); one array shaped like each parameter, without the
    task axis, is Meta-SGD (Li et al. 2017).
    first_order: hold the parameters constant while the gradient is taken, so that no derivative flows through it; the
    result is the same, but H is missing from the gradient of whatever is computed with it.

    Raises: ValueError for steps that is not an integer from 0, for rates of parameters that do not exist or of another
    shape, for a loss of any other shape, and where the loss has a task axis and a parameter has none.
    """
    _check(params, inner_lr, steps)
    moving, still = _split(params, inner_lr)  # those with a rate, and the rest (for ANIL: head and body)
    # a function of (moving, still): the gradient of each task's loss with respect to its own `moving`
    gradient_at = task_gradient(lambda moving, still: loss(_join(moving, still), x, y))
    for _ in range(steps):
        if first_order:  # the point at which the gradient is taken is a constant; the step still starts from `moving`
            gradient = gradient_at(tree_map(stop_gradient, moving), tree_map(stop_gradient, still))
        else:
            gradient = gradient_at(moving, still)
        moving = descend(moving, gradient, inner_lr)  # theta' = theta - alpha grad L_support(theta)
    return _join(moving, still)


def descend(params, gradient, inner_lr):
    """params - inner_lr * gradient, for a number or for a tree of rates; what has no rate stays as it is."""
    if isinstance(inner_lr, dict):
        return {key: descend(params[key], gradient[key], inner_lr[key]) if key in inner_lr else params[key]
                for key in params}
    if not isbox(inner_lr) and onp.ndim(inner_lr) == 0:  # (float() would cut off the derivative of a traced rate)
        inner_lr = float(inner_lr)  # NumPy's float64 would make float32 parameters float64
    return tree_map(lambda p, g: add_scaled(p, -inner_lr, g), params, gradient)  # p - inner_lr g, in one pass


# ---------------------------------------------------------------- training, and use


def meta_train(loss, params, sample, inner_lr, steps, learning_rate, iterations):
    """Meta-training in five lines: draw tasks, differentiate the meta-objective, let Adam take a step.

    sample() -> Episode.   learning_rate: that of the outer loop.   Returns params. The lesson's run does the same with
    `experiment.training.train`, which also shows progress, saves and resumes.
    """
    state = None  # of Adam: none yet
    for _ in range(iterations):
        meta_gradient = grad(partial(maml_objective, loss))(params, sample(), inner_lr, steps)  # with respect to params
        params, state = adam(params, meta_gradient, state, learning_rate)
    return params


def adapted_after(loss, start, episode, inner_lr, step_counts):
    """Yield (steps, parameters after that many steps) for increasing step counts, to see what each step adds.

    All tasks begin at `start`, which has no task axis.
    """
    params, done = repeat(start, len(episode.support_x)), 0
    for steps in step_counts:
        params = adapt(loss, params, episode.support_x, episode.support_y, inner_lr, steps - done)
        done = steps
        yield steps, params


def maml_scores(network, params, episode, statistics, inner_lr, steps):
    """Adapt to the support, then give the logits of the queries: (T, N Q, N).

    network: its `apply` gives logits.   statistics: the images from which batch norm takes mean and variance when the
    queries are answered, "support" or "queries".
    """
    loss = partial(classification_loss, network)  # loss(params, x, y): the cross-entropy of the network's logits, (T,)
    adapted = adapt(loss, repeat(params, len(episode.support_x)), episode.support_x, episode.support_y, inner_lr, steps)
    return query_logits(network, adapted, episode, statistics)


# ---------------------------------------------------------------- helpers: which parameters move, input checks


def _split(params, inner_lr):
    """The parameters that the inner loop moves, and those that it leaves alone, split by their outermost keys."""
    if not isinstance(inner_lr, dict):
        return params, {}
    return ({key: params[key] for key in params if key in inner_lr},
            {key: params[key] for key in params if key not in inner_lr})


def _join(moving, still):  # where all move, `moving` itself, because it may be a single array instead of a dict
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
        return
    if isinstance(params, dict):
        there, allowed = f"a dict of {sorted(params)}", [()]
    else:
        there = np.shape(params)
        # one rate, as a number or in an array of one; or a rate for each number, with or without the task axis
        allowed = [(), (1,), there, there[1:]]
    if np.shape(inner_lr) not in allowed:
        raise ValueError(f"inner_lr has an array of rates {np.shape(inner_lr)} where the parameters are {there}")
