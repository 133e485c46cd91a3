"""Made-up classes with a description, for the tests: 25 of two parts with 5 values each."""

import numpy as np

from fewshot_np.lesson2_zero_shot import signatures

ATTRIBUTES = signatures([(letter, mark) for letter in "abcde" for mark in "01234"])


def described_features(n_features=12, n_images=20, noise=0.3):
    """(25, n_images, n_features) float32: an image is the sum of what its parts look like, and noise."""
    rng = np.random.default_rng(0)
    looks = rng.normal(size=(ATTRIBUTES.shape[1], n_features))
    images = (ATTRIBUTES @ looks)[:, None] + noise * rng.normal(size=(len(ATTRIBUTES), n_images, n_features))
    return images.astype("float32")
