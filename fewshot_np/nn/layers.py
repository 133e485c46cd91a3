"""Layers: functions of a small dict of parameters each, made of primitives.

Shapes: M images of H x W pixels and C channels, or M rows of D features; O outputs. With T tasks, inputs are
(T, M, ...), and parameters may have a T in front, too. To batch norm each feature of a row is a channel, C = D.

Raises: ValueError, in every layer, where the shapes or task axes of parameters and input do not fit.
"""

import numpy as onp
from autograd import numpy as np

from fewshot_np.nn.primitives import (
    check_channels,
    conv2d,
    linear,
    max_pool2d,
    mean_and_inverse_std,
    scale,
    scale_and_shift,
    shift,
)


def conv(params, x, stride=1, padding="valid"):
    """conv2d(x, w) + b, params {"w", "b"}: (M,H,W,C) -> (M,H',W',O)."""
    y = conv2d(x, params["w"], stride, padding)
    check_channels(params["b"], y.shape, "b")
    return shift(y, params["b"])


def dense(params, x):
    """x w + b, params {"w": (D,O), "b": (O,)}: (M,D) -> (M,O)."""
    return linear(x, params["w"], params["b"])


def batch_norm(params, x, n_reference=None):
    """gamma standardize(x) + beta, params {"gamma", "beta"} of shape (C,). Ioffe & Szegedy 2015, Algorithm 1.

    It always uses the statistics of the images it is given, as MAML does: of all, or of the first n_reference.
    """
    return scale_and_shift(x, *_factor_and_offset(params, x, n_reference))


def pooled_batch_norm(params, x, n_reference=None):
    """max_pool2d(batch_norm(params, x, n_reference)), computed in another order: (M,H,W,C) -> (M,H//2,W//2,C).

    Batch norm keeps the order of a channel's pixels or, where gamma is negative, reverses it. So the largest pixel
    can be found first, which leaves a quarter of the pixels for the rest.
    """
    factor, offset = _factor_and_offset(params, x, n_reference)
    negative = factor < 0
    if negative.any():  # rare: where the order is reversed, the largest is that of -x
        sign = onp.where(negative, -1, 1).astype(x.dtype)
        x, factor = scale(x, sign), factor * sign
    return scale_and_shift(max_pool2d(x), factor, offset)


def _factor_and_offset(params, x, n_reference):
    """The a and b of each channel with which batch norm is a x + b, so that it takes one pass over the images."""
    for name in ("gamma", "beta"):
        check_channels(params[name], x.shape, name)
    mean, inverse_std = mean_and_inverse_std(x, n_reference=n_reference)
    factor = params["gamma"] * inverse_std
    return factor, params["beta"] - mean * factor


def flatten(x):
    """One row of features per image, pixels row by row and channels last: (M,H,W,C) -> (M, H W C)."""
    _check_maps(x)
    return np.reshape(x, (*x.shape[:-3], -1))


def average_pool(x):
    """The mean over all pixels: (M,H,W,C) -> (M,C)."""
    _check_maps(x)
    return np.sum(x, axis=(-3, -2)) * (1 / (x.shape[-3] * x.shape[-2]))


def _check_maps(x):
    if x.ndim not in (4, 5):
        raise ValueError(f"x must be (M,H,W,C) or (T,M,H,W,C), got {x.shape}")
