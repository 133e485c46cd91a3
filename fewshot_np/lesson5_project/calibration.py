"""Honest probabilities, and a threshold: what the trained network needs before it may say "none of these".

`np` is the plain NumPy: nothing is differentiated here.
"""

from typing import NamedTuple

import numpy as np

from fewshot_np.lesson4_siamese import balanced_pairs, choose_threshold
from fewshot_np.lesson5_project.network import embed_images, sigmoid
from fewshot_np.lesson5_project.rewired import embedded_scores, pair_logits


def calibrate(params, logits, same, rounds=30, ridge=1e-3):
    """The same network, its Dense 1 scaled and shifted so that sigmoid(logit) is a probability. Platt 1999.

    It was trained on hard pairs, which are rare elsewhere, so it says "same" too seldom. Logistic regression on
    validation pairs (logits (P,), same (P,)) finds a z + c by Newton's method; a and c go into w and b, and the order
    of the scores does not change. The ridge keeps a and c finite where all pairs are told apart.
    """
    inputs = np.stack([logits, np.ones_like(logits)], axis=-1).astype(float)                # (P, 2)
    start = theta = np.array([1.0, 0.0])
    for _ in range(rounds):
        p = sigmoid(inputs @ theta)
        slope = inputs.T @ (p - same) / len(p) + ridge * (theta - start)
        curvature = (inputs * (p * (1 - p))[:, None]).T @ inputs / len(p) + ridge * np.eye(2)
        theta = theta - np.linalg.solve(curvature, slope)
    a, c = map(float, theta)
    return {**params, "head": {"w": a * params["head"]["w"], "b": a * params["head"]["b"] + np.float32(c)}}


class Model(NamedTuple):
    """Calibrated parameters, and the probability of *same* above which two images are taken for one class.

    known: embeddings of n images of each of C validation classes, (C, n, 128), or None. On them `sharpness` finds out
    how often an answer is right.
    """

    params: dict
    threshold: float
    known: np.ndarray | None = None


def make_model(params, validation, n_pairs, rng, n_known=10):
    """Calibrate on pairs of the validation classes, then choose the threshold on other pairs of them."""
    embeddings = embed_images(params, validation.images)
    pairs = [balanced_pairs(validation, n_pairs, rng) for _ in range(2)]
    params = calibrate(params, pair_logits(params, embeddings, pairs[0]), pairs[0].same)
    threshold = choose_threshold(-pair_logits(params, embeddings, pairs[1]), pairs[1].same)
    n = min(n_known, max(map(len, validation.images_of)))
    known = [embeddings[rng.choice(ids, n, replace=False)] for ids in validation.images_of if len(ids) >= n]
    return Model(params, float(sigmoid(-threshold)), np.stack(known) if n > 1 < len(known) else None)


# ---------------------------------------------------------------- one of N


def sharpness(model, n_way, k_shot, n_episodes=200, rounds=30, ridge=1e-3):
    """The factor a for which softmax(a z) says how often an answer is right; z: the scores of N classes of K examples.

    p(same) is that of one pair, half of which are the same. Among N classes, of which exactly one is right, there are
    N - 1 others that may look alike by chance, so it says too much. Episodes of validation classes have the same N and
    K (as far as there are so many), and a makes the cross-entropy of their answers smallest: temperature scaling, Guo
    et al. 2017, by Newton's method, with a ridge as in `calibrate`.   1 where the model keeps no validation images.
    """
    if model.known is None:
        return 1.0
    z = known_scores(model, n_way, k_shot, n_episodes, np.random.default_rng(0))         # (T, N, N)
    a, truth = 1.0, np.arange(z.shape[-1])
    for _ in range(rounds):
        p = softmax(a * z)
        mean = (p * z).sum(axis=-1)
        slope = (mean - z[:, truth, truth]).mean() + ridge * (a - 1)
        # a step of Newton's method, slope over curvature, that leaves a above 0
        a = max(a / 4, a - slope / ((p * (z - mean[..., None]) ** 2).sum(axis=-1).mean() + ridge))
    return a


def known_scores(model, n_way, k_shot, n_episodes, rng):
    """Scores of one query of each class in episodes of the model's validation classes, (T, N, N)."""
    n_way, k_shot = min(n_way, len(model.known)), min(k_shot, model.known.shape[1] - 1)
    classes = rng.permuted(np.tile(np.arange(len(model.known)), (n_episodes, 1)), axis=1)[:, :n_way, None]
    images = rng.permuted(np.tile(np.arange(model.known.shape[1]), (n_episodes, n_way, 1)), axis=2)
    drawn = model.known[classes, images[..., :k_shot + 1]]                                # (T, N, K + 1, 128)
    support = drawn[:, :, 1:].reshape(n_episodes, n_way * k_shot, -1)
    labels = np.tile(np.arange(n_way).repeat(k_shot), (n_episodes, 1))
    return embedded_scores(model.params, support, drawn[:, :, 0], labels, n_way).astype(float)


def softmax(z):
    """exp(z) over the sum along the last axis."""
    exponentials = np.exp(z - z.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)
