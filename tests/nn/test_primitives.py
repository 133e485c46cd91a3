"""Every primitive: its values and gradients against loops, its kinks, its memory, its complaints."""

from functools import partial

import autograd.numpy as np
import numpy
import pytest
from autograd import grad
from hypothesis import given, settings
from hypothesis import strategies as st

from fewshot_np.nn.primitives import (
    attention,
    conv2d,
    cross_entropy,
    linear,
    log_softmax,
    max_pool2d,
    relu,
    rms_norm,
    safe_norm,
    softmax,
    standardize,
    stop_gradient,
)
from tests.nn import slow
from tests.nn.derivatives import assert_close, gradients, hessian_vector_product, normal

FEW = settings(max_examples=40, deadline=None, derandomize=True, database=None)
LABELS = numpy.array([2, 0, 1, 2])
zeros = numpy.zeros


# ---------------------------------------------------------------- values and gradients, against loops


@FEW
@given(st.data())
def test_conv2d_is_the_loops_for_any_shape(data):
    kernel = data.draw(st.tuples(st.integers(1, 4), st.integers(1, 4)), label="kernel")
    options = {"stride": data.draw(st.integers(1, 3)), "padding": data.draw(st.sampled_from(["valid", "same"]))}
    height, width = (data.draw(st.integers(k, k + 5)) for k in kernel)
    tasks, images, channels, outputs = (data.draw(st.integers(1, 3)) for _ in range(4))
    x, w = normal(tasks, images, height, width, channels), normal(tasks, *kernel, channels, outputs)
    expected = slow.for_each_task(partial(slow.conv2d, **options), x, w)
    assert_close(conv2d(x, w, **options), expected)
    cotangent = normal(*expected.shape, seed=1)
    along_x, along_w = normal(*x.shape, seed=2), normal(*w.shape, seed=2)
    for gradient, along, moved in zip(gradients(partial(conv2d, **options), (x, w), cotangent), (along_x, along_w),
                                      (conv2d(along_x, w, **options), conv2d(x, along_w, **options)), strict=True):
        assert_close(numpy.sum(gradient * along), numpy.sum(cotangent * moved))  # because it is linear in each


@FEW
@given(st.data())
def test_max_pool_is_the_loops_for_any_shape_and_with_ties(data):
    size = data.draw(st.integers(1, 3), label="size")
    height, width = (data.draw(st.integers(size, 3 * size + 1)) for _ in range(2))
    tasks, images, channels = (data.draw(st.integers(1, 3)) for _ in range(3))
    x = numpy.floor(2 * normal(tasks, images, height, width, channels))  # few values: many ties
    expected = slow.for_each_task(partial(slow.max_pool2d, size=size), x)
    assert_close(max_pool2d(x, size), expected)
    cotangent = normal(*expected.shape, seed=1)
    (actual,) = gradients(partial(max_pool2d, size=size), (x,), cotangent)
    assert_close(actual, slow.for_each_task(partial(slow.max_pool2d_gradient, size=size), x, cotangent))


@pytest.mark.parametrize("n_reference", [None, 1, numpy.int64(3)])
@pytest.mark.parametrize(("shape", "offset"), [((4, 3, 5, 2), 0.0), ((4, 3, 5, 2), 30.0), ((5, 3), 0.0)])
def test_standardize_is_the_loops(shape, n_reference, offset):
    x = normal(*shape) + offset
    assert_close(standardize(x, n_reference=n_reference), slow.standardize(x, n_reference=n_reference), 1e-8)


def test_relu_log_softmax_and_cross_entropy_are_the_loops():
    tasks, labels = normal(3, 4, 3), numpy.array([[2, 0, 1, 2], [0, 0, 1, 1], [1, 2, 2, 0]])
    assert_close(relu(tasks), slow.relu(tasks))
    logs = [[[z - numpy.log(sum(numpy.exp(row))) for z in row] for row in task] for task in tasks]
    assert_close(log_softmax(tasks), logs)
    assert_close(cross_entropy(tasks, labels), [-sum(row[y] for row, y in zip(*task, strict=True)) / 4
                                                for task in zip(logs, labels, strict=True)])


def test_softmax_rms_norm_and_attention_are_the_loops():
    x = 3 * normal(4, 3)
    assert_close(softmax(x), [[numpy.exp(a) / sum(numpy.exp(row)) for a in row] for row in x])
    assert_close(rms_norm(x, 0.1), [[a / (sum(b * b for b in row) / 3 + 0.1) ** 0.5 for a in row] for row in x])
    q, k, v = normal(2, 4, 3), normal(2, 5, 3, seed=1), normal(2, 5, 2, seed=2)
    for task in range(2):
        for a in range(4):
            weights = [numpy.exp(sum(q[task, a] * key) / 3 ** 0.5) for key in k[task]]
            expected = sum(w * value for w, value in zip(weights, v[task], strict=True)) / sum(weights)
            assert_close(attention(q, k, v)[task, a], expected)


def test_softmax_survives_logits_of_a_thousand_and_gives_minus_infinity_nothing():
    x = numpy.array([[1000.0, 1000.0, -1000.0], [0.0, 0.0, -numpy.inf]])
    numpy.testing.assert_array_equal(softmax(x), [[0.5, 0.5, 0.0], [0.5, 0.5, 0.0]])
    assert_close(gradients(softmax, (x,), numpy.array([[1.0, 0, 0], [1.0, 0, 5]]))[0], [[0.25, -0.25, 0]] * 2)


def test_standardize_of_a_constant_channel_is_zero_and_its_gradient_finite():
    x = numpy.full((3, 2, 2, 1), 7.0)
    numpy.testing.assert_array_equal(standardize(x), 0)
    assert numpy.isfinite(gradients(standardize, (x,), normal(3, 2, 2, 1, seed=1))[0]).all()


def test_cross_entropy_takes_any_integer_labels():
    for dtype in (numpy.uint8, numpy.int32):
        assert_close(cross_entropy(normal(4, 3), LABELS.astype(dtype)), cross_entropy(normal(4, 3), LABELS))


def test_stop_gradient_makes_its_argument_a_constant_in_both_orders():
    x = numpy.array([2.0, -3.0])
    numpy.testing.assert_array_equal(stop_gradient(x), x)
    slope = grad(lambda x: np.sum(x * stop_gradient(x)))
    assert_close(slope(x), x)
    assert_close(grad(lambda x: np.sum(x * slope(x)))(x), x)


# ---------------------------------------------------------------- kinks


def test_relu_has_derivative_zero_at_zero_in_both_orders():
    x = numpy.array([-1.0, 0.0, -0.0, 2.0])
    slope = grad(lambda x: np.sum(relu(x)))
    for order in (slope, grad(lambda x: np.sum(x * slope(x)))):
        numpy.testing.assert_array_equal(order(x), [0.0, 0.0, 0.0, 1.0])


def test_safe_norm_has_derivative_zero_at_zero_in_both_orders():
    x, direction = numpy.array([[0.0, 0.0], [3.0, 4.0]]), normal(2, 2)
    assert_close(safe_norm(x), [0.0, 5.0])
    assert_close(grad(lambda x: np.sum(safe_norm(x)))(x), [[0.0, 0.0], [0.6, 0.8]])
    second = hessian_vector_product(lambda a: np.sum(safe_norm(a[0])), (x,), (direction,))[0]
    assert_close(second, [[0.0, 0.0], (numpy.eye(2) - numpy.outer(x[1], x[1]) / 25) @ direction[1] / 5])


def test_inputs_may_be_strided_and_read_only_are_not_changed_and_share_no_memory_with_results():
    x, w = normal(5, 2, 7, 2).transpose(1, 2, 0, 3)[:, ::-1], normal(3, 2, 3, 3).transpose(2, 3, 1, 0)
    for array in (x, w):
        array.flags.writeable = False
    kept = x.copy(), w.copy()
    for f, loops, arrays in [(partial(conv2d, stride=2, padding="same"), partial(slow.conv2d, stride=2, padding="same"),
                              (x, w)),
                             (conv2d, slow.conv2d, (x, numpy.ones((1, 1, 2, 1)))), (max_pool2d, slow.max_pool2d, (x,)),
                             (standardize, slow.standardize, (x,)), (relu, slow.relu, (x,))]:
        value = f(*arrays)
        assert_close(value, loops(*arrays))
        assert not numpy.shares_memory(value, x)
        gradients(f, arrays, normal(*value.shape, seed=1))
    numpy.testing.assert_array_equal(x, kept[0])
    numpy.testing.assert_array_equal(w, kept[1])


X, W = zeros((2, 7, 5, 3)), zeros((3, 3, 3, 4))
TX, TW = zeros((2, 2, 7, 5, 3)), zeros((2, 3, 3, 3, 4))
REFERENCES = [(x, n) for n in (0, 5, -1, 1.5, 2.0, "2") for x in (zeros((4, 3, 2, 2)), zeros((2, 4, 3)))]
# name: (function, its arguments, what the message must name)
BAD_ARGUMENTS = {
    "conv2d channels": (conv2d, (X, zeros((3, 3, 2, 4))), r"3\D.*2|2\D.*3"),
    "conv2d one image without an image axis": (conv2d, (X[0], W), r"\(7, 5, 3\)"),
    "conv2d x of rank 6": (conv2d, (TX[None], W), r"\(1, 2, 2, 7, 5, 3\)"),
    "conv2d w of rank 3": (conv2d, (X, W[0]), r"\(3, 3, 4\)"),
    "conv2d w of rank 6": (conv2d, (TX, TW[None]), r"\(1, 2, 3, 3, 3, 4\)"),
    "conv2d T differs": (conv2d, (TX, zeros((3, 3, 3, 3, 4))), r"(?i)task"),
    "conv2d w has tasks, x has not": (conv2d, (X, TW), r"(?i)task"),
    "conv2d unknown padding": (conv2d, (X, W, 1, "full"), r"full"),
    **{f"conv2d stride {n}": (conv2d, (X, W, n), rf"(?i)stride.*{n}") for n in (0, -1, 1.5)},
    "conv2d image lower than the kernel": (conv2d, (X[:, :2], W), r"2.*3|3.*2"),
    "conv2d image narrower than the kernel": (conv2d, (X[:, :, :2], W), r"2.*3|3.*2"),
    **{f"conv2d {t}": (conv2d, (X.astype(t), W), rf"(?i){t}.*float|float.*{t}") for t in ("uint8", "int64")},
    **{f"max_pool size {n}": (max_pool2d, (X, n), rf"(?i){n}") for n in (6, 8, 0, -2, 1.5)},
    "max_pool rank 3": (max_pool2d, (X[0], 2), r"\(7, 5, 3\)"),
    **{f"standardize n_reference {n!r} of {x.shape}": (partial(standardize, n_reference=n), (x,),
                                                        rf"(?i)n_reference.*{n}") for x, n in REFERENCES},
    "standardize rank 1": (standardize, (zeros(3),), r"3"),
    "cross_entropy label N": (cross_entropy, (zeros((4, 3)), [0, 1, 2, 3]), r"0\.\.\.2|3"),
    "cross_entropy label -1": (cross_entropy, (zeros((4, 3)), [0, 1, 2, -1]), r"-1"),
    "cross_entropy float labels": (cross_entropy, (zeros((4, 3)), [0.0, 1.0, 2.0, 1.0]), r"(?i)integer.*float"),
    "cross_entropy bool labels": (cross_entropy, (zeros((4, 3)), [True, False, True, True]), r"(?i)integer.*bool"),
    "cross_entropy too few labels": (cross_entropy, (zeros((4, 3)), [0, 1, 2]), r"\(4,\).*\(3,\)|\(3,\).*\(4,\)"),
    "cross_entropy a task axis too many": (cross_entropy, (zeros((4, 3)), [[0, 1, 2, 0]]), r"\(1, 4\)"),
    "cross_entropy rank 1": (cross_entropy, (zeros(3), 0), r"\(3,\)"),
    "cross_entropy no examples": (cross_entropy, (zeros((0, 3)), zeros(0, int)), r"(?i)none|\b0\b"),
    "linear features": (linear, (zeros((4, 3)), zeros((2, 5))), r"\(4, 3\).*\(2, 5\)"),
    "linear x of rank 1": (linear, (zeros(3), zeros((3, 5))), r"\(3,\)"),
    "linear w of rank 1": (linear, (zeros((4, 3)), zeros(3)), r"\(3,\)"),
    "linear of integers": (linear, (zeros((4, 3), "uint8"), zeros((3, 5))), r"(?i)uint8.*float"),
    "linear T differs": (linear, (zeros((2, 4, 3)), zeros((3, 3, 5))), r"(?i)task"),
    "attention dimensions": (attention, (zeros((4, 3)), zeros((5, 2)), zeros((5, 2))), r"\(4, 3\), \(5, 2\)"),
    "attention keys and values": (attention, (zeros((4, 3)), zeros((5, 3)), zeros((6, 2))), r"\(5, 3\) and \(6, 2\)"),
    "attention other tasks": (attention, (zeros((2, 4, 3)), zeros((3, 5, 3)), zeros((3, 5, 2))), r"\(3, 5, 3\)"),
    "attention no key": (attention, (zeros((4, 3)), zeros((0, 3)), zeros((0, 2))), r"at least one key"),
    "linear w has tasks, x has not": (linear, (zeros((4, 3)), zeros((2, 3, 5))), r"(?i)task"),
}


@pytest.mark.parametrize(("f", "arguments", "message"), BAD_ARGUMENTS.values(), ids=BAD_ARGUMENTS)
def test_primitives_say_what_is_wrong(f, arguments, message):
    with pytest.raises(ValueError, match=message):
        f(*arguments)
