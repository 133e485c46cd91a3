"""An honest probability, and a threshold: what the trained network needs before it may say "none of these".

`np` is the plain NumPy: nothing is differentiated here.
"""

from typing import NamedTuple

import numpy as np

from fewshot_np.lesson4_siamese import balanced_pairs, choose_threshold
from fewshot_np.lesson5_project.network import embed_images, sigmoid
from fewshot_np.lesson5_project.rewired import pair_logits


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
    """Calibrated parameters, and the probability of *same* above which two images are taken for one class."""

    params: dict
    threshold: float


def make_model(params, validation, n_pairs, rng):
    """Calibrate on pairs of the validation classes, then choose the threshold on other pairs of them."""
    embeddings = embed_images(params, validation.images)
    pairs = [balanced_pairs(validation, n_pairs, rng) for _ in range(2)]
    params = calibrate(params, pair_logits(params, embeddings, pairs[0]), pairs[0].same)
    threshold = choose_threshold(-pair_logits(params, embeddings, pairs[1]), pairs[1].same)
    return Model(params, float(sigmoid(-threshold)))
