"""Lesson 1: the loops, the matrix products and the library's primitives are the same functions, derivatives too."""

import autograd.numpy as np
import numpy
import pytest
from autograd import grad

from fewshot_np.lesson1_data_hunger import (
    autograd_in_ten_lines,
    conv2d_im2col,
    conv2d_loops,
    dense,
    dense_loops,
    im2col,
    pad_images,
)
from fewshot_np.nn import layers
from fewshot_np.nn.primitives import conv2d
from tests.nn.derivatives import assert_close, assert_differentiates, gradients

SHAPES = [
    pytest.param((2, 5, 6, 2), (3, 3, 2, 3), id="3x3"),
    pytest.param((1, 7, 5, 1), (2, 3, 1, 2), id="2x3"),
    pytest.param((3, 4, 4, 3), (1, 1, 3, 2), id="1x1"),
    pytest.param((2, 4, 5, 2), (4, 5, 2, 1), id="as large as the image"),
]


def draw(*shapes, seed=0):
    rng = numpy.random.default_rng(seed)
    return [rng.normal(size=shape) for shape in shapes]


def assert_same_function(f, g, *arguments, seed=7):
    """Equal values, and equal gradients against a random cotangent."""
    expected = g(*arguments)
    assert_close(f(*arguments), expected)
    cotangent = numpy.random.default_rng(seed).normal(size=expected.shape)
    for mine, other in zip(gradients(f, arguments, cotangent), gradients(g, arguments, cotangent), strict=True):
        assert_close(mine, other)


# ---------------------------------------------------------------- autograd


def test_autograd_in_ten_lines_gives_the_numbers_of_school_calculus():
    numbers = autograd_in_ten_lines()
    assert numbers["cube"] == 8
    assert numbers["slope"] == pytest.approx(12)  # 3 x^2
    assert numbers["curvature"] == pytest.approx(12)  # 6 x
    assert numbers["gradient"] == pytest.approx({"w": -18.0, "b": -6.0})  # 2 (2 3 + 1 - 10) times 3, times 1


# ---------------------------------------------------------------- the dense layer


def test_dense_anchor_worked_by_hand():
    x, w, b = np.array([[1.0, 2.0]]), np.array([[3.0, 4.0], [5.0, 6.0]]), np.array([0.5, -0.5])
    for f in (dense_loops, dense):
        numpy.testing.assert_allclose(f(x, w, b), [[13.5, 15.5]])


@pytest.mark.parametrize("f", [dense_loops, dense])
def test_dense_is_the_librarys_layer(f):
    def layer(x, w, b):
        return layers.dense({"w": w, "b": b}, x)

    assert_same_function(f, layer, *draw((4, 3), (3, 5), (5,)))


def test_dense_and_its_loops_agree():
    assert_same_function(dense_loops, dense, *draw((3, 4), (4, 2), (2,)))


@pytest.mark.parametrize("f", [dense_loops, dense])
def test_dense_differentiates_twice(f):
    assert_differentiates(f, *draw((3, 4), (4, 2), (2,)))


# ---------------------------------------------------------------- the convolution


def test_convolution_anchor_worked_by_hand():
    image = np.arange(9.0).reshape(1, 3, 3, 1)  # 0 1 2 / 3 4 5 / 6 7 8
    kernel = np.array([[1.0, 2.0], [3.0, 4.0]]).reshape(2, 2, 1, 1)
    for f in (conv2d_loops, conv2d_im2col):
        numpy.testing.assert_allclose(f(image, kernel)[0, :, :, 0], [[27, 37], [57, 67]])  # 0 + 2 + 9 + 16
        padded = f(image, kernel, stride=2, padding=1)[0, :, :, 0]
        numpy.testing.assert_allclose(padded, [[0, 11], [30, 67]])  # 4 0; 3 1 + 4 2; 2 3 + 4 6; as above


def test_the_kernel_is_not_turned_over():
    image = np.zeros((1, 5, 5, 1))
    image[0, 2, 2, 0] = 1
    kernel = np.arange(9.0).reshape(3, 3, 1, 1)
    for f in (conv2d_loops, conv2d_im2col):
        numpy.testing.assert_allclose(f(image, kernel)[0, :, :, 0], kernel[::-1, ::-1, 0, 0])


@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize(("x_shape", "w_shape"), SHAPES)
def test_convolution_by_loops_is_one_matrix_product(x_shape, w_shape, stride, padding):
    def loops(x, w):
        return conv2d_loops(x, w, stride, padding)

    def product(x, w):
        return conv2d_im2col(x, w, stride, padding)

    x, w = draw(x_shape, w_shape)
    assert_close(product(x, w), loops(x, w))
    cotangent = numpy.random.default_rng(3).normal(size=product(x, w).shape)
    if cotangent.size <= 80:  # the tape of the loops is long
        for mine, other in zip(gradients(product, (x, w), cotangent), gradients(loops, (x, w), cotangent),
                               strict=True):
            assert_close(mine, other)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_convolution_is_the_librarys_primitive(kernel, stride, padding):
    def mine(x, w):
        return conv2d_im2col(x, w, stride, (kernel - 1) // 2 if padding == "same" else 0)

    def library(x, w):
        return conv2d(x, w, stride, padding)

    assert_same_function(mine, library, *draw((2, 6, 7, 2), (kernel, kernel, 2, 3)))


def test_convolution_by_loops_is_the_librarys_primitive():
    def mine(x, w):
        return conv2d_loops(x, w, 2, 1)

    def library(x, w):
        return conv2d(x, w, 2, "same")

    assert_same_function(mine, library, *draw((2, 5, 4, 2), (3, 3, 2, 2)))


@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (2, 1)])
def test_convolution_differentiates_twice(stride, padding):
    assert_differentiates(lambda x, w: conv2d_im2col(x, w, stride, padding), *draw((2, 4, 5, 2), (3, 3, 2, 2)))


# ---------------------------------------------------------------- its parts


def test_im2col_lays_each_patch_out_as_a_row():
    (x,) = draw((2, 6, 5, 3))
    rows = im2col(x, 2, 3, stride=2)
    assert rows.shape == (2, 3, 2, 2 * 3 * 3)
    for top in range(3):
        for left in range(2):
            patch = x[:, 2 * top:2 * top + 2, 2 * left:2 * left + 3]
            numpy.testing.assert_array_equal(rows[:, top, left], patch.reshape(2, -1))


def test_pad_images_adds_a_margin_of_zeros():
    padded = pad_images(np.ones((2, 3, 4, 2)), 2)
    assert padded.shape == (2, 7, 8, 2)
    assert padded.sum() == 2 * 3 * 4 * 2
    numpy.testing.assert_array_equal(padded[:, 2:-2, 2:-2], np.ones((2, 3, 4, 2)))


def test_padding_with_zero_is_the_image_itself_and_differentiates():
    (x,) = draw((1, 3, 3, 1))
    numpy.testing.assert_array_equal(pad_images(x, 0), x)
    numpy.testing.assert_allclose(grad(lambda x: np.sum(pad_images(x, 1) ** 2))(x), 2 * x)
