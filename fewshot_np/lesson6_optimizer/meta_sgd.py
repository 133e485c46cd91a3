"""Meta-SGD: learn a learning rate for each parameter, together with the start. Li et al. 2017.

MAML takes the step theta' = theta - alpha grad L_support(theta) with one rate alpha that somebody chose. Here alpha has
the shape of theta, and the step is theta - alpha o grad L_support(theta), o elementwise. A parameter that should not
move gets the rate 0, and one that should climb a negative rate, so the *direction* of the step is learned, too.
"""

from functools import partial

from autograd import numpy as np  # autograd's, because all of this is differentiated

from fewshot_np.lesson3_initialisation import classification_loss, query_logits
from fewshot_np.lesson4_maml import adapt
from fewshot_np.nn.optimizers import adam
from fewshot_np.nn.trees import grad, repeat, tree_map


def meta_sgd_step(loss, start, rates, x, y):
    """start - rates o gradient: one step on a support, each parameter at its own rate. Li et al. 2017.

    start: with a task axis where loss(params, x, y) is (T,), see `adapt`; the rates have none, all tasks share them.
    """
    return adapt(loss, start, x, y, inner_lr=rates, steps=1)  # MAML's inner loop, with a tree of rates for the number


def meta_sgd_objective(loss, params, episode):
    """Mean over tasks of the query loss after the step; params {"start", "rates"}, both trained."""
    n_tasks = episode.support_x.shape[0]
    adapted = meta_sgd_step(loss, repeat(params["start"], n_tasks), params["rates"],
                            episode.support_x, episode.support_y)
    return np.sum(loss(adapted, episode.query_x, episode.query_y)) * (1 / n_tasks)


def meta_sgd_train(loss, start, rates, sample, learning_rate, iterations):
    """Meta-training in five lines, as MAML's, but the rates are trained like the start. sample() -> Episode.

    Returns {"start", "rates"}.
    """
    params, state = {"start": start, "rates": rates}, None
    for _ in range(iterations):
        gradient = grad(partial(meta_sgd_objective, loss))(params, sample())
        params, state = adam(params, gradient, state, learning_rate)
    return params


def initial_rates(start, rng, low=0.005, high=0.1):
    """One rate for each number in the tree `start`, drawn from U[low, high] (the paper's)."""
    return tree_map(lambda p: rng.uniform(low, high, p.shape).astype("float32"), start)


def meta_sgd_scores(network, params, episode, statistics):
    """Adapt to the support, then score the queries: (T, N Q, N); see `query_logits`."""
    adapted = meta_sgd_step(partial(classification_loss, network), repeat(params["start"], len(episode.support_x)),
                            params["rates"], episode.support_x, episode.support_y)
    return query_logits(network, adapted, episode, statistics)
