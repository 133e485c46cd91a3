"""Attention by hand: a soft look-up in a set. Vaswani et al. 2017, sec. 3.2.

Each example of the support has a *key* (what it can be found by) and a *value* (what it has to say); each query has a
vector of the same length as the keys. A query looks at every example as much as their vectors agree, and gets the mean
of the values with these weights:

  weight_b = softmax over b of (query . key_b) / sqrt(D)          answer = sum over b of weight_b value_b

Lesson 3's Matching Networks vote in this way, with labels as values. Here queries, keys and values are all learned. A
queries, B keys, D features of a key, E of a value, T tasks, H heads. `np` is autograd's NumPy, `onp` the plain one.
"""

import math

import numpy as onp
from autograd import numpy as np

from fewshot_np.nn.primitives import attention, linear, softmax

# ---------------------------------------------------------------- one head: as a loop, then as matrix products


def attend_by_loop(queries, keys, values):
    """One head, number by number: lists or arrays (A,D), (B,D), (B,E) -> (A,E). Slow, and the meaning of the next."""
    answers = []
    for query in queries:
        scores = [sum(q * k for q, k in zip(query, key, strict=True)) / math.sqrt(len(key)) for key in keys]
        parts = [math.exp(score - max(scores)) for score in scores]
        weights = [part / sum(parts) for part in parts]
        answers.append([sum(w * value[e] for w, value in zip(weights, values, strict=True))
                        for e in range(len(values[0]))])
    return onp.array(answers)


def attend_by_products(queries, keys, values):
    """The same as two matrix products with a softmax between them: (A,D), (B,D), (B,E) -> (A,E)."""
    weights = softmax(np.matmul(queries, keys.T) / math.sqrt(keys.shape[-1]))  # (A,B): a row adds up to 1
    return np.matmul(weights, values)


# ---------------------------------------------------------------- who may look at whom


def context_weights(scores, n_context):
    """The weights of attention where only the first n_context of the B keys may be looked at: (..,A,B) -> (..,A,B).

    The others get a score of minus infinity, and so exactly the weight 0. It is a mask before the softmax: after it,
    the weights would no longer add up to 1. Leaving out their keys, as `heads_attend` does, which makes keys of the
    context alone, is the same and cheaper.

    Raises: ValueError unless n_context is in 1...B.
    """
    _check_context(scores, n_context)
    hidden = onp.arange(scores.shape[-1]) >= n_context
    return softmax(np.where(hidden, -onp.inf, scores))


# ---------------------------------------------------------------- several heads: several questions at once


def heads_attend(params, x, context, n_heads):
    """M vectors x (T,M,D) look at C of the context (T,C,D) with n_heads heads of D/H features each -> (T,M,D).

    params: {"q", "k", "v", "o"}, all (D,D). A head is a slice of the features, so each may look for something else.
    `linear(x, w)` is x @ w, and `attention` is `attend_by_products` for every task and head at once.
    """
    q, k, v = (_split(linear(a, params[name]), n_heads) for a, name in ((x, "q"), (context, "k"), (context, "v")))
    return linear(_join(attention(q, k, v)), params["o"])


def _split(x, n_heads):
    """(T,M,D) -> (T,H,M,D/H)."""
    return np.swapaxes(np.reshape(x, (*x.shape[:2], n_heads, -1)), 1, 2)


def _join(x):
    """(T,H,M,D/H) -> (T,M,D)."""
    x = np.swapaxes(x, 1, 2)
    return np.reshape(x, (*x.shape[:2], -1))


# ---------------------------------------------------------------- what the input must be


def _check_context(scores, n_context):
    if isinstance(n_context, bool) or not isinstance(n_context, (int, onp.integer)):
        raise ValueError(f"n_context must be an integer, got {n_context!r}")
    if not 1 <= n_context <= scores.shape[-1]:
        raise ValueError(f"n_context must be in 1...{scores.shape[-1]}, the number of keys, got {n_context}")
