"""Streams: N characters in random order, K times each, every label a step late. And a network that reads them.

A stream is the task of Santoro et al. 2016, sec. 2: nobody says which images are support and which are query. Every
image is both, first a question, and then, when its label has come, an example. So accuracy is a curve: at the first
image of a character there is nothing to go by, at the second there is one example, at the tenth there are nine.

T tasks (streams), L = N K steps, N labels. `np` is autograd's NumPy, `onp` the plain one.
"""

from functools import partial

import numpy as onp
from autograd import numpy as np

from fewshot_np.lesson2_episodes import sample_episodes
from fewshot_np.lesson3_metric import embed, ways
from fewshot_np.lesson6_model_based.memory import empty_memory, init_reader, logits, recall, to_keys, write
from fewshot_np.nn.layers import average_pool, conv
from fewshot_np.nn.networks import Network
from fewshot_np.nn.optimizers import adam
from fewshot_np.nn.primitives import cross_entropy, relu
from fewshot_np.nn.trees import grad

# ---------------------------------------------------------------- the task


def sample_streams(classes, n_way, instances, n_tasks, rng):
    """(images (T,L,H,W,C), labels (T,L)): `instances` images of each of n_way characters, in random order.

    Which character has which label is drawn anew for each stream, so no label can be known before it has come once.

    Raises: ValueError for fewer than 2 instances, and where `sample_episodes` does.
    """
    _check_instances(instances)
    episode = sample_episodes(classes, n_way, instances - 1, 1, n_tasks, rng)  # support and one query: all `instances`
    x = onp.concatenate([episode.support_x, episode.query_x], axis=1)
    labels = onp.concatenate([episode.support_y, episode.query_y], axis=1)
    order = rng.permuted(onp.tile(onp.arange(labels.shape[1]), (n_tasks, 1)), axis=1)
    tasks = onp.arange(n_tasks)[:, None]
    return x[tasks, order], labels[tasks, order]


def late_labels(labels, n_way):
    """What is known of the labels at each step, that of the step before, one-hot: (T,L) -> (T,L,N); first zeros.

    Raises: ValueError for labels that are not integers (T,L) in 0...N-1.
    """
    _check_labels(labels, n_way)
    known = onp.eye(n_way, dtype="float32")[labels]
    return onp.concatenate([onp.zeros_like(known[:, :1]), known[:, :-1]], axis=1)


def instance_numbers(labels):
    """1 at the first image of a character, 2 at the second, ...: (T,L) -> (T,L)."""
    # tril keeps, in row t, the steps up to t itself: so count those with the same label
    return onp.tril(labels[:, :, None] == labels[:, None]).sum(axis=2)


# ---------------------------------------------------------------- a network that answers at every step


def stream_logits(network, reader, params, x, late):
    """The answers at each step, (T,L,N), to images (T,L,H,W,C); reader: `read_with_memory` or `read_with_attention`."""
    seen = (onp.cumsum(late, axis=1) > 0).astype(late.dtype)  # (T,L,N): 1 once a label has come
    keys = to_keys(network.apply(params["network"], x))  # (T,L,D)
    return logits(params, reader(params, keys, late), seen)


def stream_objective(network, reader, params, stream):
    """Mean over tasks and steps of -log p(right label). stream: images (T,L,H,W,C) and labels (T,L)."""
    x, labels = stream
    answers = stream_logits(network, reader, params, x, late_labels(labels, int(labels.max()) + 1))
    return np.sum(cross_entropy(answers, labels)) * (1 / len(labels))


def train_on_streams(objective, params, sample, learning_rate, iterations):
    """Training in five lines, as always. objective(params, stream); sample() -> (images, labels)."""
    state = None
    for _ in range(iterations):
        gradient = grad(objective)(params, sample())
        params, state = adam(params, gradient, state, learning_rate)
    return params


# ---------------------------------------------------------------- images to vectors, one by one


def character_network(channels):
    """Four convolutions of stride 2 and the mean of the last map, as in lesson 3, but *without batch norm*.

    There is no batch: with statistics over the stream, an answer would depend on images that have not come yet.
    """
    return Network(partial(_init_network, channels), _apply_network)


def _init_network(channels, rng):
    shapes = [(3, 3, c, channels) for c in (1, channels, channels, channels)]
    return {f"conv{i}": {"w": (rng.standard_normal(shape) * (2 / (9 * shape[2])) ** 0.5).astype("float32"),
                         "b": onp.zeros(channels, "float32")} for i, shape in enumerate(shapes, 1)}


def _apply_network(params, x, n_reference=None):  # n_reference is for batch norm, which other networks have
    for i in range(1, 5):
        x = relu(conv(params[f"conv{i}"], x, stride=2, padding="same"))
    return average_pool(x)  # the mean over the last map: (T,L,channels)


def start_reader(network, rng):
    """Parameters of the network and of what reads and answers."""
    return {"network": network.init(rng), **init_reader()}


# ---------------------------------------------------------------- on episodes: the support in order, then a query


def memory_scores(network, params, episode, statistics, n_slots):
    """(T, N Q, N): the support is written, one image after the other, and each query recalls from the same memory.

    statistics: the images from which batch norm takes mean and variance, "support" or "support and queries". The
    queries are not written.
    """
    # keys (T,NK,D), (T,NQ,D)
    support, queries = (to_keys(e) for e in embed(network, params["network"], episode, statistics))
    known = onp.eye(ways(episode), dtype=support.dtype)[episode.support_y]  # one-hot labels, (T,NK,N)
    memory = empty_memory(len(known), n_slots, support.shape[-1], known.shape[-1], known.dtype)
    for m in range(support.shape[1]):
        weights, _ = recall(params, memory, support[:, m:m + 1])
        memory = write(params, memory, support[:, m], known[:, m], weights[:, 0])
    all_seen = onp.ones((1, 1, 1), known.dtype)  # every label has come, so no query is of a new one
    return logits(params, recall(params, memory, queries)[1], all_seen)


def memory_objective(network, params, episode, n_slots):
    """Mean over tasks and queries of -log p(right class), with all images of a task in its batch statistics."""
    scores = memory_scores(network, params, episode, "support and queries", n_slots)
    return np.sum(cross_entropy(scores, episode.query_y)) * (1 / len(episode.support_y))


# ---------------------------------------------------------------- what the input must be


def _check_labels(labels, n_way):
    labels = onp.asarray(labels)
    if labels.ndim != 2 or labels.dtype.kind not in "iu" or not labels.size:
        raise ValueError(f"labels must be integers (T,L), got {labels.dtype} {labels.shape}")
    if labels.min() < 0 or labels.max() >= n_way:
        raise ValueError(f"labels must be in 0...{n_way - 1}, got {labels.min()}...{labels.max()}")


def _check_instances(instances):
    if isinstance(instances, bool) or not isinstance(instances, (int, onp.integer)) or instances < 2:
        raise ValueError(f"instances must be an integer of at least 2, got {instances!r}")
