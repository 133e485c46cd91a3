"""Lesson 1: how many examples does a network need? First: what a network is made of.

Everything in this course is made of three things that this page builds from nothing: `grad`, which differentiates a
program; the dense layer; and the convolution, first as six loops that say what it is, then as one matrix product
that says how to make it fast.
"""

from autograd import grad
from autograd import numpy as np

# ---------------------------------------------------------------- autograd in ten lines


def autograd_in_ten_lines():
    """What `grad` does, as the numbers that it gives; nothing else of autograd is used in this course."""
    cube = lambda x: x ** 3  # noqa: E731 - a program like any other
    slope = grad(cube)  # a program again: the derivative of the first argument
    curvature = grad(grad(cube))  # ... and so it can be differentiated again: MAML needs no more than this

    def loss(params):  # parameters come in a dict; their gradient is a dict with the same keys
        return (params["w"] * 3.0 + params["b"] - 10.0) ** 2

    # one rule: never assign into an array (x[0] = 1) on the way from the parameters to the loss; build a new one
    return {"cube": cube(2.0), "slope": slope(2.0), "curvature": curvature(2.0),
            "gradient": grad(loss)({"w": 2.0, "b": 1.0})}


# ---------------------------------------------------------------- the dense layer


def dense_loops(x, w, b):
    """out[m, o] = sum_d x[m, d] w[d, o] + b[o]: inputs (M,D), weights (D,O), biases (O,) -> (M,O)."""
    rows = []
    for m in range(x.shape[0]):
        rows.append([sum(x[m, d] * w[d, o] for d in range(x.shape[1])) + b[o] for o in range(w.shape[1])])
    return np.array(rows)


def dense(x, w, b):
    """The same as one matrix product."""
    return np.matmul(x, w) + b


# ---------------------------------------------------------------- the convolution
#
# A kernel (kh,kw,C,O) slides over the image; at each place every one of its O filters takes the weighted sum of the
# pixels underneath. (Strictly a cross-correlation: the kernel is not turned over. The field says convolution.)


def conv2d_loops(x, w, stride=1, padding=0):
    """Images (M,H,W,C), kernels (kh,kw,C,O) -> maps (M,H',W',O), H' = (H + 2 padding - kh)//stride + 1."""
    x = pad_images(x, padding)
    kh, kw, _, filters = w.shape
    maps = []
    for image in x:
        rows = []
        for top in range(0, image.shape[0] - kh + 1, stride):
            row = []
            for left in range(0, image.shape[1] - kw + 1, stride):
                patch = image[top:top + kh, left:left + kw]
                row.append([np.sum(patch * w[..., o]) for o in range(filters)])
            rows.append(row)
        maps.append(rows)
    return np.array(maps)


def im2col(x, kh, kw, stride=1):
    """Lay every patch under the kernel out as a row: (M,H,W,C) -> (M, H', W', kh*kw*C).

    Seen from a place (i, j) of the kernel the pixels under it form a smaller image; these kh*kw images stand side by
    side on the last axis, so the loop runs over the few places of the kernel and not over the many pixels.
    """
    height, width = x.shape[1] - kh + 1, x.shape[2] - kw + 1
    return np.concatenate([x[:, i:i + height:stride, j:j + width:stride]
                           for i in range(kh) for j in range(kw)], axis=-1)


def conv2d_im2col(x, w, stride=1, padding=0):
    """The same sum as one matrix product: (M, H', W', kh*kw*C) @ (kh*kw*C, O)."""
    kh, kw, _, filters = w.shape
    patches = im2col(pad_images(x, padding), kh, kw, stride)
    return np.matmul(patches, np.reshape(w, (-1, filters)))


def pad_images(x, padding):
    """A margin of zeros, `padding` pixels wide, around every image."""
    return np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)), "constant")
