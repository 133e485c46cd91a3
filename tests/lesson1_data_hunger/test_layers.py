"""Lesson 1: loops, matrix products and the library's primitives are the same functions with the same derivatives,
which exercises hunger.2, .5 and .6 and tests/nn hold to second order."""

import pytest

from fewshot_np import lesson1_data_hunger as lesson
from fewshot_np.nn import layers
from fewshot_np.nn.primitives import conv2d
from tests.nn.derivatives import assert_close, gradients, normal


def assert_same_function(f, g, *shapes):
    """Equal values, and equal gradients against a random cotangent."""
    arguments = [normal(*shape) for shape in shapes]
    expected = g(*arguments)
    assert_close(f(*arguments), expected)
    cotangent = normal(*expected.shape, seed=7)
    for mine, other in zip(gradients(f, arguments, cotangent), gradients(g, arguments, cotangent), strict=True):
        assert_close(mine, other)


def test_autograd_in_ten_lines_gives_the_numbers_of_school_calculus():
    numbers = lesson.autograd_in_ten_lines()
    assert numbers["cube"] == 8
    assert numbers["slope"] == pytest.approx(12)  # 3 x^2
    assert numbers["curvature"] == pytest.approx(12)  # 6 x
    assert numbers["gradient"] == pytest.approx({"w": -18.0, "b": -6.0})  # 2 (2 3 + 1 - 10) times 3, times 1


@pytest.mark.parametrize("f", [lesson.dense_loops, lesson.dense])
def test_dense_is_the_librarys_layer(f):
    assert_same_function(f, lambda x, w, b: layers.dense({"w": w, "b": b}, x), (4, 3), (3, 5), (5,))


@pytest.mark.parametrize("f", [lesson.conv2d_loops, lesson.conv2d_im2col])
@pytest.mark.parametrize(("kernel", "padding"), [((2, 3), "valid"), ((5, 6), "valid"), ((5, 5), "same")])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_convolution_by_loops_and_as_one_matrix_product_is_the_librarys_primitive(f, kernel, stride, padding):
    def mine(x, w):
        return f(x, w, stride, (kernel[0] - 1) // 2 if padding == "same" else 0)

    assert_same_function(mine, lambda x, w: conv2d(x, w, stride, padding), (2, 5, 6, 2), (*kernel, 2, 3))
