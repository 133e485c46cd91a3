"""The two layers that networks here are made of: as loops, which say what they are, and as a matrix product.

Shapes: M inputs of D numbers, or M images of H x W pixels with C channels; O outputs, or filters.
`np` is autograd's NumPy, which notes what it does, so that `grad` can differentiate everything on this page.
"""

from autograd import numpy as np

# ---------------------------------------------------------------- the dense layer: every input to every output


def dense_loops(x, w, b):
    """out[m, o] = sum_d x[m, d] w[d, o] + b[o]: inputs (M,D), weights (D,O), biases (O,) -> (M,O)."""
    rows = []
    for m in range(x.shape[0]):
        rows.append([sum(x[m, d] * w[d, o] for d in range(x.shape[1])) + b[o] for o in range(w.shape[1])])
    return np.array(rows)


def dense(x, w, b):
    """The same as one matrix product: inputs (M,D), weights (D,O), biases (O,) -> (M,O)."""
    return np.matmul(x, w) + b


# ---------------------------------------------------------------- the convolution: one small kernel in every place
#
# A kernel (kh,kw,C,O) slides over the image; in each place each of its O filters takes the weighted sum of the pixels
# underneath. (Strictly speaking this is a cross-correlation, because the kernel is not flipped; the field says
# convolution.)


def conv2d_loops(x, w, stride=1, padding=0):
    """Images (M,H,W,C), kernels (kh,kw,C,O) -> maps (M,H',W',O), H' = (H + 2 padding - kh)//stride + 1, W' likewise."""
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


def conv2d_im2col(x, w, stride=1, padding=0):
    """The same sum as one matrix product: (M, H', W', kh*kw*C) @ (kh*kw*C, O)."""
    kh, kw, _, filters = w.shape
    patches = im2col(pad_images(x, padding), kh, kw, stride)
    return np.matmul(patches, np.reshape(w, (-1, filters)))


def im2col(x, kh, kw, stride=1):
    """Every patch under the kernel, laid out as a row: (M,H,W,C) -> (M, H', W', kh*kw*C).

    Seen from one place (i, j) of the kernel, the pixels under it form a smaller image. These kh*kw images stand side by
    side on the last axis, so the loop runs over the few places of the kernel and not over the many pixels.
    """
    height, width = x.shape[1] - kh + 1, x.shape[2] - kw + 1
    return np.concatenate([x[:, i:i + height:stride, j:j + width:stride]
                           for i in range(kh) for j in range(kw)], axis=-1)


def pad_images(x, padding):
    """A margin of zeros, `padding` pixels wide, around every image (M,H,W,C)."""
    return np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)), "constant")
