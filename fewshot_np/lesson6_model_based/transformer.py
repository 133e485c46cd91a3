"""A small transformer that learns in context: the labelled examples go in beside the queries, and answers come out.

Every example of the support becomes a vector that knows its features *and its label*; every query becomes one that
knows its features alone. Then, a few times over: all look at the support (`attention`), and each thinks about what it
saw by itself (two dense layers). At the end a query's vector is turned into its answer. No weight changes at test time:
whatever learning there is happens in these vectors, in one forward pass.

  h = h + attention(norm(h), norm(h of the support))        look at the examples
  h = h + relu(norm(h) w1 + b1) w2 + b2                     think

- No position is ever told, so the order of the support does not matter (*permutation-invariant*), as in a CNP.
- Keys and values come from the support alone, so a query's answer depends on no other query.

Vaswani et al. 2017 for the layers, Müller et al. 2022 and Hollmann et al. 2023 for the idea and for who looks at whom.
T tasks, C examples in the support (the *context*), Q queries, F features, E numbers of a target (a number to regress,
or a one-hot class), D features inside. `np` is autograd's NumPy, `onp` the plain one.
"""

from functools import partial

import numpy as onp
from autograd import numpy as np

from fewshot_np.lesson6_model_based.attention import heads_attend
from fewshot_np.nn.layers import dense
from fewshot_np.nn.networks import Network
from fewshot_np.nn.optimizers import adam
from fewshot_np.nn.primitives import cross_entropy, relu, rms_norm, scale
from fewshot_np.nn.trees import grad

# ---------------------------------------------------------------- the network


def transformer(n_features, n_targets, width=64, layers=3, n_heads=4):
    """The network: apply(params, support_x (T,C,F), support_y (T,C,E), query_x (T,Q,F)) -> (T,Q,E).

    Raises: ValueError, from apply, for shapes that do not fit, and for a width that the heads do not divide.
    """
    _check_sizes(n_features, n_targets, width, layers, n_heads)
    return Network(partial(_init, n_features, n_targets, width, layers), partial(_apply, n_heads))


def _apply(n_heads, params, support_x, support_y, query_x):
    _check_context(params, support_x, support_y, query_x)
    n_context = support_x.shape[1]
    h = _read(params, np.concatenate([support_x, query_x], axis=1))  # (T,C+Q,D): all vectors, of the features alone
    labels = dense(params["y"], support_y)
    h = h + np.concatenate([labels, onp.zeros((*query_x.shape[:2], labels.shape[-1]), labels.dtype)], axis=1)
    for name in _layers(params):
        p = params[name]
        seen = scale(rms_norm(h), p["scale1"])  # each vector of length sqrt(D), times one learned number per feature
        h = h + heads_attend(p, seen, seen[:, :n_context], n_heads)  # all look at the support, which comes first
        h = h + dense(p["out"], relu(dense(p["in"], scale(rms_norm(h), p["scale2"]))))
    return dense(params["head"], h[:, n_context:])


def _read(params, x):
    """Features become a vector: two layers, because after one, `rms_norm` would make x and 2x (nearly) the same."""
    return dense(params["embed"], relu(dense(params["x"], x)))


def _layers(params):  # all parameters but four, "x", "y", "embed" and "head"
    return [f"layer{i}" for i in range(1, len(params) - 3)]


# ---------------------------------------------------------------- its loss and its answers, on episodes of vectors


def one_hot(labels, n_way):
    """Classes as targets: integers (T,M) -> float32 (T,M,N)."""
    return onp.eye(n_way, dtype="float32")[labels]


def class_scores(network, params, episode):
    """Logits of the classes for each query: (T,Q,N). The episode's x are (T,M,F), its labels integers."""
    n_way = int(episode.support_y.max()) + 1
    return network.apply(params, episode.support_x, one_hot(episode.support_y, n_way), episode.query_x)


def classification_objective(network, params, episode):
    """Mean over tasks and queries of -log p(right class): the only thing that training minimises."""
    n_tasks = len(episode.support_x)
    return np.sum(cross_entropy(class_scores(network, params, episode), episode.query_y)) * (1 / n_tasks)


def regression_objective(network, params, episode):
    """Mean over tasks and queries of the squared error: y are (T,M,1), as in lesson 4's sinusoids."""
    answers = network.apply(params, episode.support_x, episode.support_y, episode.query_x)
    return np.sum(np.square(answers - episode.query_y)) * (1 / episode.query_y.size)


def train_in_context(objective, params, sample, learning_rate, iterations):
    """Training in five lines, lesson 3's again. objective(params, episode); sample() -> Episode of a new task."""
    state = None
    for _ in range(iterations):
        gradient = grad(objective)(params, sample())
        params, state = adam(params, gradient, state, learning_rate)
    return params


# ---------------------------------------------------------------- its parameters


def _init(n_features, n_targets, width, layers, rng):
    params = {"x": _dense(rng, n_features, width, gain=2), "embed": _dense(rng, width, width),
              "y": _dense(rng, n_targets, width, gain=2)}
    params["x"]["b"] = (1.5 * rng.standard_normal(width)).astype("float32")  # each ReLU bends somewhere else
    for i in range(1, layers + 1):  # what is added to h starts small, so at first a layer changes little
        params[f"layer{i}"] = {
            **{name: _normal(rng, width, width) for name in ("q", "k", "v")}, "o": _normal(rng, width, width, 0.1),
            "in": _dense(rng, width, 2 * width, gain=2), "out": _dense(rng, 2 * width, width, gain=0.1),
            "scale1": onp.ones(width, "float32"), "scale2": onp.ones(width, "float32")}
    params["head"] = _dense(rng, width, n_targets)
    return params


def _dense(rng, d, o, gain=1):
    return {"w": _normal(rng, d, o, gain), "b": onp.zeros(o, "float32")}


def _normal(rng, d, o, gain=1):
    return (rng.standard_normal((d, o)) * (gain / d) ** 0.5).astype("float32")


# ---------------------------------------------------------------- what the input must be


def _check_sizes(n_features, n_targets, width, layers, n_heads):
    for name, n in [("n_features", n_features), ("n_targets", n_targets), ("width", width), ("layers", layers),
                    ("n_heads", n_heads)]:
        if isinstance(n, bool) or not isinstance(n, (int, onp.integer)) or n < 1:
            raise ValueError(f"{name} must be a positive integer, got {n!r}")
    if width % n_heads:
        raise ValueError(f"{n_heads} heads do not divide a width of {width}")


def _check_context(params, support_x, support_y, query_x):
    n_features, n_targets = (params[name]["w"].shape[0] for name in ("x", "y"))
    if any(a.ndim != 3 for a in (support_x, support_y, query_x)) or support_x.shape[:2] != support_y.shape[:2] or (
            len(query_x) != len(support_x)) or support_x.shape[1] == 0:
        raise ValueError("need a support (T,C,F) with targets (T,C,E), at least one example, and queries (T,Q,F), got "
                         f"{support_x.shape}, {support_y.shape} and {query_x.shape}")
    for name, a, n in [("support_x", support_x, n_features), ("support_y", support_y, n_targets),
                       ("query_x", query_x, n_features)]:
        if a.shape[-1] != n:
            raise ValueError(f"the network reads {n} numbers of each {name}, got {a.shape[-1]}")
