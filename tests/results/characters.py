"""Made-up characters in place of Omniglot's, for tests that run everywhere."""

import numpy as np

from fewshot_np.data import ImageClasses


def characters(sizes, rng, n_images=20):
    """Classes of random images; sizes: how many characters each alphabet has."""
    groups = [f"alphabet{i}" for i, size in enumerate(sizes) for _ in range(size)]
    images = rng.integers(0, 256, (len(groups) * n_images, 28, 28, 1), dtype=np.uint8)
    return ImageClasses(images, np.repeat(np.arange(len(groups)), n_images),
                        [f"{group}/{k}" for k, group in enumerate(groups)], groups)
