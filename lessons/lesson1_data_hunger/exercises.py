"""Exercises to lesson 1: what a network is made of.

Write the functions here, in place of `raise`, and let pytest tell you how it went:

    pytest lessons -x                           the next thing to write, or what is not right yet
    pytest lessons/lesson1_data_hunger          a lesson
    pytest lessons -k hunger.4                  an exercise
    pytest lessons -k hunger.4 --pdb            the same in a debugger; breakpoint() works there

A message names the case that failed, as in "# 5 examples, 3 classes". Its inputs, to try them by hand:

    from lessons.teacher.checking import inputs
    cross_entropy(*inputs("hunger.4", "5 examples, 3 classes"))

`np` is autograd's NumPy. Where an exercise says "differentiable", autograd must be able to differentiate your code:
do not assign into arrays (out[i] = ...); collect numbers in a list and make it an array at the end, np.array(rows).
"""

from autograd import numpy as np


def count_parameters(n_inputs, n_outputs):
    """The number of parameters of a dense layer: one weight for each pair of input and output, one bias per output.

    This one is right already. See it pass, then leave out the biases and read what pytest says.

    >>> count_parameters(3, 2)
    8
    """
    return n_inputs * n_outputs + n_outputs


def dense(x, w, b):
    """The dense layer: out[m, o] = sum over d of x[m, d] w[d, o], plus b[o]. Differentiable.

    x: (M,D) inputs, w: (D,O) weights, b: (O,) biases. Returns (M,O).

    By hand, M = 1, D = 2, O = 3:  1 * [3 0 1] + 2 * [0 4 1] + [10 20 30]

    >>> dense(np.array([[1.0, 2.0]]), np.array([[3.0, 0.0, 1.0], [0.0, 4.0, 1.0]]), np.array([10.0, 20.0, 30.0]))
    array([[13., 28., 33.]])
    """
    raise NotImplementedError("hunger.2: the dense layer")


def dense_vjp(x, w, g):
    """The derivative of the dense layer, by hand: how the loss changes with x, with w and with b.

    g[m, o] is the derivative of the loss with respect to out[m, o], so that each path from an entry of x, w or b
    through out to the loss contributes (its share in out[m, o]) * g[m, o]; add the paths up.

    x: (M,D), w: (D,O), g: (M,O). Returns the tuple of the three derivatives (M,D), (D,O), (O,). No autograd.

    By hand, all of size 1: out = x w + b, so the loss changes with x by w g, with w by x g, with b by g.

    >>> dense_vjp(np.array([[2.0]]), np.array([[3.0]]), np.array([[10.0]]))
    (array([[30.]]), array([[20.]]), array([10.]))
    """
    raise NotImplementedError("hunger.3: the derivative of the dense layer")


def cross_entropy(logits, labels):
    """The mean over the examples of -log(softmax(logits)[label]). Differentiable, and stable for logits of any size.

    softmax(z)[n] = exp(z[n]) / sum over k of exp(z[k]). exp overflows from 710 on, so look for a number that can be
    subtracted from all logits of an example without changing its softmax, and for a form in which log and exp cancel.

    logits: (M,N), labels: (M,) integers 0...N-1. Returns one number.

    By hand, M = 1: the softmax of [0, log 3] is [1/4, 3/4], so label 0 costs log 4 = 1.3863.

    >>> float(round(cross_entropy(np.array([[0.0, np.log(3.0)]]), np.array([0])), 4))
    1.3863
    """
    raise NotImplementedError("hunger.4: softmax cross-entropy")


def conv2d(x, w, stride):
    """The convolution by loops. Differentiable (collect lists).

    out[m, r, s, o] = sum over i, j, c of x[m, stride*r + i, stride*s + j, c] * w[i, j, c, o], for every place where
    the kernel lies inside the image. The kernel is not flipped.

    x: images (M,H,W,C), w: kernels (kh,kw,C,O). Returns (M,H',W',O), H' = (H - kh)//stride + 1, W' alike.

    By hand: one image of 1 x 4 pixels 1 2 3 4 and one kernel of 1 x 2 weights 10 1, stride 2: 1*10 + 2*1, 3*10 + 4*1

    >>> conv2d(np.array([1.0, 2.0, 3.0, 4.0]).reshape(1, 1, 4, 1), np.array([10.0, 1.0]).reshape(1, 2, 1, 1), 2).ravel()
    array([12., 34.])
    """
    raise NotImplementedError("hunger.5: the convolution by loops")


def im2col(x, kh, kw):
    """Every patch under a kernel of kh x kw as a row, at stride 1: the convolution becomes a product. Differentiable.

    The numbers of a row stand in the order of the kernel's weights: patch[i, j, c], row by row of the patch, the
    channels of a pixel together. So im2col(x, kh, kw) @ w.reshape(kh*kw*C, O) is the convolution.

    x: images (M,H,W,C). Returns (M, H-kh+1, W-kw+1, kh*kw*C).

    By hand: one image of 2 x 3 pixels and a kernel of 2 x 2 has two places.

    >>> im2col(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]).reshape(1, 2, 3, 1), 2, 2)[0, 0]
    array([[1., 2., 4., 5.],
           [2., 3., 5., 6.]])
    """
    raise NotImplementedError("hunger.6: im2col")


def max_pool_vjp(x, g):
    """The derivative of 2 x 2 max pooling, by hand: g goes to the pixel that was the maximum, and nowhere else.

    Pooling takes the largest pixel of each 2 x 2 window, channel by channel: (M,H,W,C) -> (M, H//2, W//2, C); an odd
    last row or column is left out. Where several pixels are the largest, the first in reading order counts.

    x: images (M,H,W,C), g: (M, H//2, W//2, C), the derivative of the loss with respect to the pooled image.
    Returns the derivative with respect to x, shaped like x. No autograd, so assigning into arrays is fine here.

    >>> image = np.array([[1.0, 5.0], [2.0, 5.0]]).reshape(1, 2, 2, 1)
    >>> max_pool_vjp(image, np.array([[[[7.0]]]]))[0, :, :, 0]
    array([[0., 7.],
           [0., 0.]])
    """
    raise NotImplementedError("hunger.7: the derivative of max pooling")
