"""A network is two functions, one that makes its parameters and one that applies them.

Parameters are nested dicts, `{"block1": {"w": ..., "gamma": ..., "beta": ...}, ..., "head": {"w": ..., "b": ...}}`,
so that a method can name a part of them (ANIL adapts the "head" alone). Both functions are module-level functions
with their settings filled in by `partial`, so a network can be pickled and sent to another process.

Shapes: M images of H x W pixels and C channels, or M rows of D features; with T tasks a T stands in front.
"""

from functools import partial
from typing import Any, NamedTuple

import numpy as onp
from autograd.tracer import getval

from fewshot_np.nn.layers import average_pool, batch_norm, dense, flatten, pooled_batch_norm
from fewshot_np.nn.primitives import conv2d, relu


class Network(NamedTuple):
    """init(rng) -> params (float32);  apply(params, x, n_reference=None) -> output.

    n_reference: batch norm uses the statistics of the first n_reference images alone (see `standardize`).
    """

    init: Any
    apply: Any


def conv4(input_shape=(28, 28, 1), outputs=None, channels=64, down="pool", features="flatten"):
    """The four-block network of the few-shot literature: images (M,H,W,C) -> features (M,D) or logits (M, outputs).

    A block is a 3x3 convolution, batch norm and ReLU, and halves the image: down="pool" by 2x2 max pooling after it
    (Vinyals et al. 2016, Snell et al. 2017), down="stride" by a convolution of stride 2. Finn et al. 2017 use
    strides on Omniglot, with features="mean", the average over the last map, D = channels; "flatten" keeps all its
    pixels. The convolutions have no bias, because batch norm would subtract it again. outputs=None: no head.
    Raises: ValueError for settings other than these, and for images too small to be halved four times.
    """
    _check_conv4(input_shape, outputs, channels, down, features)
    height, width = _last_map(input_shape, down)
    n_features = channels if features == "mean" else height * width * channels
    depths = (input_shape[-1], channels, channels, channels, channels)
    return Network(partial(_init_conv4, depths, n_features, outputs),
                   partial(_apply_conv4, tuple(input_shape), down, features))


def _last_map(input_shape, down):
    """Height and width of an image that was halved four times."""
    height, width, _ = input_shape
    for _ in range(4):
        height, width = (n // 2 if down == "pool" else (n + 1) // 2 for n in (height, width))
    return height, width


def _init_conv4(depths, n_features, outputs, rng):
    params = {}
    for block in range(1, 5):
        c, o = depths[block - 1:block + 1]
        params[f"block{block}"] = {"w": _normal(rng, (3, 3, c, o), 2 / (9 * c)),
                                   "gamma": onp.ones(o, "float32"), "beta": onp.zeros(o, "float32")}
    if outputs is not None:
        params["head"] = _init_dense(rng, n_features, outputs, gain=1)
    return params


def _apply_conv4(input_shape, down, features, params, x, n_reference=None):
    _check_images(x, input_shape)
    stride, norm = (2, batch_norm) if down == "stride" else (1, pooled_batch_norm)
    for block in range(1, 5):
        p = params[f"block{block}"]
        x = conv2d(x, p["w"], stride, padding="same")
        x = relu(norm(p, x, n_reference))  # pooled before ReLU: the same result from a quarter of the pixels
    x = average_pool(x) if features == "mean" else flatten(x)
    return dense(params["head"], x) if "head" in params else x


def mlp(sizes):
    """Dense layers of these widths with ReLU between them; the last is the "head": (M, sizes[0]) -> (M, sizes[-1]).

    Raises: ValueError unless sizes are two or more positive integers.
    """
    _check_mlp(sizes)
    return Network(partial(_init_mlp, tuple(sizes)), partial(_apply_mlp, len(sizes) - 1))


def _init_mlp(sizes, rng):
    names = _mlp_layers(len(sizes) - 1)
    return {name: _init_dense(rng, d, o, gain=1 if name == "head" else 2)
            for name, d, o in zip(names, sizes[:-1], sizes[1:], strict=True)}


def _apply_mlp(n_layers, params, x, n_reference=None):  # no batch norm, so n_reference makes no difference
    *hidden, head = _mlp_layers(n_layers)
    for name in hidden:
        x = relu(dense(params[name], x))
    return dense(params[head], x)


def _mlp_layers(n):
    return [*(f"dense{i}" for i in range(1, n)), "head"]


def _init_dense(rng, d, o, gain):
    """Variance gain/d: 2 keeps the scale through a ReLU (He et al. 2015), 1 through a layer without one."""
    return {"w": _normal(rng, (d, o), gain / d), "b": onp.zeros(o, "float32")}


def _normal(rng, shape, variance):
    return (rng.standard_normal(shape) * variance ** 0.5).astype("float32")


def _check_images(x, input_shape):
    """x must be (M,H,W,C) or (T,M,H,W,C) of finite floats with the network's H, W, C."""
    value = getval(x)  # the plain array, if x is traced
    if value.ndim not in (4, 5) or value.shape[-3:] != input_shape:
        raise ValueError(f"the network needs images {input_shape}, (M,H,W,C) or (T,M,H,W,C), got {value.shape}")
    if value.dtype.kind != "f":
        raise ValueError(f"images must be floats in [0, 1], got {value.dtype}: divide by 255")
    if not onp.isfinite(value).all():
        raise ValueError("images hold NaN or infinity")


def _check_conv4(input_shape, outputs, channels, down, features):
    if down not in ("pool", "stride"):
        raise ValueError(f'down must be "pool" or "stride", got {down!r}')
    if features not in ("flatten", "mean"):
        raise ValueError(f'features must be "flatten" or "mean", got {features!r}')
    if len(input_shape) != 3 or any(n < 1 for n in (*input_shape, channels, 1 if outputs is None else outputs)):
        raise ValueError(f"input_shape must be (H, W, C), and it, channels and outputs positive, got {input_shape}, "
                         f"{channels} and {outputs}")
    if 0 in _last_map(input_shape, down):
        raise ValueError(f"images of {input_shape[0]}x{input_shape[1]} are too small to be halved four times")


def _check_mlp(sizes):
    if len(sizes) < 2 or any(n < 1 or n != int(n) for n in sizes):
        raise ValueError(f"sizes must be two or more positive integers, got {sizes!r}")
