"""Features: D numbers that describe an image (M images of H x W pixels, one channel). Nothing is trained here.

Random filters, a ReLU and a mean over cells do surprisingly well (Jarrett et al. 2009): a filter responds to strokes
of one direction, and the mean forgives where exactly in its cell a stroke lies.

`np` is plain NumPy: nothing on this page is differentiated.
"""

import numpy as np

from fewshot_np.data.classes import to_float
from fewshot_np.nn.primitives import conv2d, relu


def pixels(images):
    """The ink itself: (M,H,W,1) -> (M, H W)."""
    return images.reshape(len(images), -1)


def random_convolution(kernels, images, cell=4):
    """relu of the convolution with random kernels (k,k,1,O), averaged over cells: (M,H,W,1) -> (M, (H/cell)(W/cell)O).

    H and W must be multiples of `cell`.
    """
    maps = relu(conv2d(images, kernels, padding="same") - 0.1)  # (M,H,W,O); a faint response counts as none
    m, height, width, filters = maps.shape
    cells = maps.reshape(m, height // cell, cell, width // cell, cell, filters)
    return cells.mean(axis=(2, 4)).reshape(m, -1)


def random_kernels(filters, rng, side=7):
    """(side, side, 1, filters) float32, each of mean 0, so that it does not respond to plain paper or plain ink."""
    kernels = rng.standard_normal((side, side, 1, filters)) / side
    return (kernels - kernels.mean(axis=(0, 1))).astype("float32")


def features_of(images, extract):
    """`extract` on all drawings (Z, n, H, W, 1), class by class to save memory: (Z, n, D)."""
    return np.stack([extract(to_float(of_class)) for of_class in images])
