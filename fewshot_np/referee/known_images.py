"""A data set of which the referee knows each image, wherever it turns up again. `np` is plain NumPy."""

import numpy as np

SIZE = 8
COUNTS = (10, 10, 10, 12, 12, 14, 16, 16, 20)  # images of each class: unequal, as in life


class KnownImages:
    """images (M,8,8,1) float32 of random pixels, labels (M,) 0...C-1 in mixed order, and who is who."""

    def __init__(self, rng, counts=COUNTS):
        self.labels = rng.permutation(np.repeat(np.arange(len(counts)), counts))
        self.images = rng.uniform(size=(len(self.labels), SIZE, SIZE, 1)).astype(np.float32)
        self.counts = np.array(counts)
        self.position = np.empty(len(self.labels), dtype=int)  # of an image among those of its class
        for c in range(len(counts)):
            self.position[self.labels == c] = np.arange(counts[c])
        turned = np.concatenate([np.rot90(self.images, k, axes=(1, 2)) for k in range(4)])
        self._patterns = _standardized(turned.reshape(len(turned), -1))

    def identify(self, x, n):
        """Which image each of the n of `x` is, whatever their layout: (n,), and -1 for one that is none of them.

        A change of scale and offset is allowed, because users normalize, and so are turns by 90 degrees.
        """
        if x.size != n * SIZE * SIZE:
            return None
        likeness = _standardized(x.reshape(n, SIZE * SIZE)) @ self._patterns.T
        best = likeness.argmax(axis=1)
        return np.where(likeness.max(axis=1) > 0.95, best % len(self.labels), -1)


def _standardized(rows):
    rows = rows.astype(float) - rows.mean(axis=1, keepdims=True)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
