"""The two problems whose meta-gradient the referee knows by hand, and every wrong gradient that it can name.

A gradient is put together from parts: how the inner loop steps (INNER), on which images the outer loss is taken
(OUTER), and how the chain rule leads back to the start (ORDERS). The first of each is right. `np` is plain NumPy.
"""

from typing import NamedTuple

import numpy as np

from fewshot_np.lesson4_maml.by_hand import gradient_by_hand, hessian_product_by_hand


class Case(NamedTuple):
    """T tasks of a problem: w, support_x (T,M,...), support_y (T,M), query_x, query_y, and the inner loop's numbers."""

    w: np.ndarray
    support_x: np.ndarray
    support_y: np.ndarray
    query_x: np.ndarray
    query_y: np.ndarray
    inner_lr: float
    steps: int


class Softmax:
    """logits x w, with x (M,4) and w (4,3); the loss is the cross-entropy, mean over the examples."""

    rates = (1.5, 0.8)
    gradient = staticmethod(gradient_by_hand)
    hessian_product = staticmethod(hessian_product_by_hand)

    @staticmethod
    def draw(rng, n_tasks, n_support, n_query):
        x = [rng.normal(size=(n_tasks, m, 4)) for m in (n_support, n_query)]
        y = [rng.integers(0, 3, (n_tasks, m)) for m in (n_support, n_query)]
        return rng.normal(size=(4, 3)), x[0], y[0], x[1], y[1]


class Line:
    """The line w[0] x + w[1], with x (M,) and w (2,); the loss is the squared error, mean over the examples."""

    rates = (0.35, 0.2)

    @staticmethod
    def gradient(w, x, y):
        error = w[0] * x + w[1] - y
        return 2 * np.array([np.mean(error * x), np.mean(error)])

    @staticmethod
    def hessian_product(w, x, v):
        return Line.gradient(v, x, np.zeros_like(x))  # the Hessian is the same for all w

    @staticmethod
    def draw(rng, n_tasks, n_support, n_query):
        lines = rng.normal(size=(2, n_tasks, 1)) * 2
        x = [rng.uniform(-2, 2, (n_tasks, m)) for m in (n_support, n_query)]
        y = [lines[0] * part + lines[1] + rng.normal(size=part.shape) for part in x]
        return rng.normal(size=2), x[0], y[0], x[1], y[1]


PROBLEMS = {"softmax": Softmax, "line": Line}


def draw_cases(problem, steps, n_tasks, seed):
    """A small and a large inner rate for each number of steps; unequal numbers of tasks, supports and queries."""
    rng = np.random.default_rng(seed)
    cases = []
    for i, n_steps in enumerate(steps):
        for j, rate in enumerate(problem.rates):
            tasks = n_tasks or (3, 2, 4)[(i + j) % 3]
            cases.append(Case(*problem.draw(rng, tasks, 5 + (i + j) % 3, 7 + 2 * j + i), rate, n_steps))
    return cases


# ---------------------------------------------------------------- the parts of a gradient


def back(problem, g, points, rate):
    """g multiplied by (I - rate H) for each (w, x), the chain rule through the inner steps."""
    for w, x in points:
        g = g - rate * problem.hessian_product(w, x, g)
    return g


# order(problem, path, query, rate): path is [(w_0, support), ..., (w_S, support)], query (x, y)
ORDERS = {
    "second order":
        lambda p, path, q, rate: back(p, p.gradient(path[-1][0], *q), path[-2::-1] if path[1:] else [], rate),
    "first order": lambda p, path, q, rate: p.gradient(path[-1][0], *q),
    "second order in the last step only":
        lambda p, path, q, rate: back(p, p.gradient(path[-1][0], *q), path[-2:-1], rate),
    "second order in the first step only":
        lambda p, path, q, rate: back(p, p.gradient(path[-1][0], *q), path[:1] if path[1:] else [], rate),
    "no adaptation: gradient of the query loss at the start": lambda p, path, q, rate: p.gradient(path[0][0], *q),
    "query gradient at the wrong place: at the start, not at the adapted weights":
        lambda p, path, q, rate: back(p, p.gradient(path[0][0], *q), path[-2::-1] if path[1:] else [], rate),
    "Hessians at the wrong place: all at the adapted weights":
        lambda p, path, q, rate: back(p, p.gradient(path[-1][0], *q), [path[-1]] * (len(path) - 1), rate),
    "Hessians at the wrong place: each one step too late":
        lambda p, path, q, rate: back(p, p.gradient(path[-1][0], *q), path[:0:-1], rate),
    "steps gone through from the first to the last":
        lambda p, path, q, rate: back(p, p.gradient(path[-1][0], *q), path[:-1], rate),
    "Hessian added, I + inner_lr H": lambda p, path, q, rate: back(
        p, p.gradient(path[-1][0], *q), path[-2::-1] if path[1:] else [], -rate),
    "Hessians of the query loss": lambda p, path, q, rate: back(
        p, p.gradient(path[-1][0], *q), [(w, q[0]) for w, _ in path[-2::-1]] if path[1:] else [], rate),
    "the adapted weights": lambda p, path, q, rate: path[-1][0],
    "Reptile's direction, from the adapted weights to the start": lambda p, path, q, rate: path[0][0] - path[-1][0],
}

# how a case is changed before the inner loop runs
INNER = {
    "": lambda case: case,
    "inner loss summed over the examples": lambda case: case._replace(
        inner_lr=case.inner_lr * case.support_y.shape[1]),
    "inner step too short by the number of tasks": lambda case: case._replace(
        inner_lr=case.inner_lr / len(case.support_x)),
    "inner step of half the length": lambda case: case._replace(inner_lr=case.inner_lr / 2),
    "inner step of double length": lambda case: case._replace(inner_lr=case.inner_lr * 2),
    "inner step goes uphill": lambda case: case._replace(inner_lr=-case.inner_lr),
    "one inner step only, however many are asked for": lambda case: case._replace(steps=min(1, case.steps)),
    "one inner step too few": lambda case: case._replace(steps=case.steps - 1),
    "one inner step too many": lambda case: case._replace(steps=case.steps + 1),
    "inner steps on the query": lambda case: case._replace(support_x=case.query_x, support_y=case.query_y),
    "all tasks share one inner loop": lambda case: case._replace(
        support_x=np.stack([np.concatenate(case.support_x)] * len(case.support_x)),
        support_y=np.stack([np.concatenate(case.support_y)] * len(case.support_x))),
}

OUTER = {
    "": lambda sx, sy, qx, qy: (qx, qy),
    "gradient of the support loss": lambda sx, sy, qx, qy: (sx, sy),
    "outer loss on support and query together": lambda sx, sy, qx, qy: (np.concatenate([sx, qx]),
                                                                        np.concatenate([sy, qy])),
}

CARRIED = "each task starts where the one before ended"


def meta_gradient(problem, case, order="second order", inner="", outer="", carried=False):
    """The mean over tasks of the gradient that these parts make."""
    changed, total, path = INNER[inner](case), 0.0, None
    for sx, sy, qx, qy, outer_sx, outer_sy in zip(*changed[1:5], *case[1:3], strict=True):
        path = [(case.w, sx)] if path is None or not carried else [*path[:-1], (path[-1][0], sx)]
        for _ in range(changed.steps):
            w = path[-1][0]
            path.append((w - changed.inner_lr * problem.gradient(w, sx, sy), sx))
        total = total + ORDERS[order](problem, path, OUTER[outer](outer_sx, outer_sy, qx, qy), changed.inner_lr)
    return total / len(case.support_x)


# by what a gradient may be multiplied, in tasks T, inner rate, support and query examples
SCALES = {
    "": lambda case: 1.0,
    "sum over tasks for mean": lambda case: len(case.support_x),
    "sum over the query examples for mean": lambda case: case.query_y.shape[1],
    "sum over tasks and query examples for mean": lambda case: case.query_y.size,
    "divided by the number of tasks twice": lambda case: 1 / len(case.support_x),
    "the sign is turned round": lambda case: -1.0,
    "times the inner rate": lambda case: case.inner_lr,
    "divided by the inner rate": lambda case: 1 / case.inner_lr,
}


def combinations():
    """Keyword arguments of `meta_gradient`, the simplest first, each with its name."""
    for order in ORDERS:
        yield order, {"order": order}
    for order in ("second order", "first order", "second order in the last step only"):
        for inner in INNER:
            for outer in OUTER:
                if inner or outer:
                    yield ", ".join(part for part in (outer, inner, order) if part), {
                        "order": order, "inner": inner, "outer": outer}
    for order in ("second order", "first order"):
        yield f"{CARRIED}, {order}", {"order": order, "carried": True}
