"""Is MAML's gradient right? The same number three ways: by hand, by autograd, by finite differences.

The model is softmax regression, logits x w, because its gradient and its Hessian fit on one line each; x (M,D) holds M
examples of D features, w (D,N) the weights for N classes. Everything is float64 and plain NumPy (`onp`), but for
`linear_loss`, which autograd differentiates.
"""

from functools import partial

import numpy as onp
from autograd import numpy as np

from fewshot_np.lesson2_episodes import Episode
from fewshot_np.lesson4_maml.maml import maml_objective
from fewshot_np.nn.primitives import cross_entropy
from fewshot_np.nn.trees import grad

# ---------------------------------------------------------------- by hand: not one derivative left to autograd


def meta_gradient_by_hand(w, support_x, support_y, query_x, query_y, inner_lr, steps):
    """The meta-gradient of softmax regression for one task: w (D,N), x (M,D), y (M,) -> (D,N).

    Going forward, remember each w_i. Going back, start from the query gradient g at the last of them, and multiply:
    g <- (I - inner_lr H_i) g, which is the chain rule through w_{i+1} = w_i - inner_lr grad L(w_i).
    """
    path = [w]
    for _ in range(steps):
        path.append(path[-1] - inner_lr * gradient_by_hand(path[-1], support_x, support_y))
    g = gradient_by_hand(path[-1], query_x, query_y)
    for w_i in reversed(path[:-1]):
        g = g - inner_lr * hessian_product_by_hand(w_i, support_x, g)
    return g


def gradient_by_hand(w, x, y):
    """x^T (p - one-hot(y)) / M, p the softmax of the logits."""
    p = _softmax_by_hand(x @ w)
    p[onp.arange(len(y)), y] -= 1
    return x.T @ p / len(y)


def hessian_product_by_hand(w, x, v):
    """H v: when w moves along v the logits move along u = x v, and p_n along p_n (u_n - sum_k p_k u_k)."""
    p, u = _softmax_by_hand(x @ w), x @ v
    return x.T @ (p * (u - onp.sum(p * u, axis=1, keepdims=True))) / len(x)


def _softmax_by_hand(logits):
    p = onp.exp(logits - logits.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)


def linear_loss(params, x, y):
    """Cross-entropy of softmax regression: params {"w"}."""
    return cross_entropy(np.matmul(x, params["w"]), y)


def check_meta_gradient(rng, inner_lr=0.5, steps=(1, 2, 5)):
    """Compare, on one random task: [{"steps", "by hand", "autograd", "finite differences", "first-order gap"}].

    One row for each number of inner steps: three times the derivative of the meta-objective along the same random
    direction, and how far the gradient of first-order MAML is from the true one, as a share of its length.
    """
    n_way, n_features, eps = 3, 4, 1e-5
    x = rng.normal(size=(2, 1, 6, n_features))
    y = rng.integers(0, n_way, size=(2, 1, 6))
    episode = Episode(x[0], y[0], x[1], y[1], None, None)
    params = {"w": rng.normal(size=(n_features, n_way))}
    direction = rng.normal(size=(n_features, n_way))
    direction /= onp.linalg.norm(direction)
    rows = []
    for n in steps:
        objective = partial(maml_objective, linear_loss, episode=episode, inner_lr=inner_lr, steps=n)
        hand = meta_gradient_by_hand(params["w"], x[0, 0], y[0, 0], x[1, 0], y[1, 0], inner_lr, n)
        auto = grad(objective)(params)["w"]
        first = grad(partial(objective, first_order=True))(params)["w"]
        there, back = (objective({"w": params["w"] + sign * eps * direction}) for sign in (1, -1))
        rows.append({"steps": n, "by hand": float(onp.sum(hand * direction)),
                     "autograd": float(onp.sum(auto * direction)), "finite differences": (there - back) / (2 * eps),
                     "first-order gap": float(onp.linalg.norm(first - auto) / onp.linalg.norm(auto))})
    return rows
