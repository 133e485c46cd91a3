"""Every primitive: its values, its derivatives of first and second order, its types, its complaints."""

from functools import partial

import autograd.numpy as np
import numpy
import pytest
from autograd import grad
from hypothesis import given, settings
from hypothesis import strategies as st

from fewshot_np.nn import primitives
from fewshot_np.nn.primitives import (
    conv2d,
    cross_entropy,
    linear,
    log_softmax,
    max_pool2d,
    relu,
    safe_norm,
    scale,
    shift,
    standardize,
    stop_gradient,
)
from tests.nn import slow
from tests.nn.derivatives import (
    after_inner_step,
    assert_autograd_agrees,
    assert_close,
    assert_differentiates,
    gradients,
    hessian_vector_product,
    weighted_sum,
)

pytestmark = pytest.mark.filterwarnings("ignore:Output seems independent of input")
FEW = settings(max_examples=40, deadline=None, derandomize=True, database=None)
CONVOLUTIONS = [
    pytest.param(stride, padding, kernel, id=f"stride {stride} {padding} {kernel[0]}x{kernel[1]}")
    for stride in (1, 2)
    for padding in ("valid", "same")
    for kernel in ((3, 3), (2, 3), (1, 1))
]


def normal(*shape, seed=0):
    return numpy.random.default_rng([seed, *shape]).normal(size=shape)


def distinct(*shape, seed=0):
    """Values at least 0.1 apart and at least 0.05 from zero: no finite difference steps over a kink."""
    count = int(numpy.prod(shape))
    values = 0.1 * (numpy.arange(count) - count // 2) + 0.05
    return numpy.random.default_rng([seed, *shape]).permutation(values).reshape(shape)


LABELS = numpy.array([2, 0, 1, 2])
TASK_LABELS = numpy.array([[2, 0, 1, 2], [0, 0, 1, 1], [1, 2, 2, 0]])

# name -> (function of the arrays, the arrays of one task, which of them have a task axis)
SINGLE = {
    "conv2d": (conv2d, [normal(2, 7, 5, 2), normal(3, 3, 2, 3)]),
    "conv2d stride 2 same": (lambda x, w: conv2d(x, w, 2, "same"), [normal(2, 7, 5, 2), normal(3, 3, 2, 3)]),
    "max_pool2d": (max_pool2d, [distinct(2, 7, 5, 2)]),
    "max_pool2d size 3": (lambda x: max_pool2d(x, 3), [distinct(2, 7, 5, 2)]),
    "relu": (relu, [distinct(4, 3)]),
    "log_softmax": (log_softmax, [normal(4, 3)]),
    "safe_norm": (safe_norm, [normal(4, 3)]),
    "linear": (linear, [normal(4, 3), normal(3, 5)]),
    "scale": (scale, [normal(4, 3, 2, 2), normal(2)]),
    "shift": (shift, [normal(4, 3, 2, 2), normal(2)]),
    "standardize images": (standardize, [normal(3, 3, 2, 2)]),
    "standardize features": (standardize, [normal(5, 3)]),
    "standardize n_reference": (lambda x: standardize(x, n_reference=2), [normal(3, 3, 2, 2)]),
    "standardize features n_reference": (lambda x: standardize(x, n_reference=3), [normal(5, 3)]),
    "cross_entropy": (lambda x: cross_entropy(x, LABELS), [normal(4, 3)]),
}
WITH_TASKS = {
    "conv2d shared w": (conv2d, [normal(3, 2, 7, 5, 2), normal(3, 3, 2, 3)]),
    "conv2d": (conv2d, [normal(3, 2, 7, 5, 2), normal(3, 3, 3, 2, 3)]),
    "max_pool2d": (max_pool2d, [distinct(3, 2, 7, 5, 2)]),
    "relu": (relu, [distinct(3, 4, 3)]),
    "log_softmax": (log_softmax, [normal(3, 4, 3)]),
    "safe_norm": (safe_norm, [normal(3, 4, 3)]),
    "linear shared w": (linear, [normal(3, 4, 3), normal(3, 5)]),
    "linear": (linear, [normal(3, 4, 3), normal(3, 3, 5)]),
    "scale": (scale, [normal(3, 4, 3, 2, 2), normal(3, 2)]),
    "scale shared v": (scale, [normal(3, 4, 2), normal(2)]),
    "shift": (shift, [normal(3, 4, 2), normal(3, 2)]),
    "shift shared v": (shift, [normal(3, 4, 3, 2, 2), normal(2)]),
    "standardize images": (standardize, [normal(3, 4, 3, 2, 2)]),
    "standardize features": (standardize, [normal(3, 5, 3)]),
    "standardize n_reference": (lambda x: standardize(x, n_reference=2), [normal(3, 4, 3, 2, 2)]),
    "standardize features n_reference": (lambda x: standardize(x, n_reference=3), [normal(3, 5, 3)]),
    "cross_entropy": (lambda x: cross_entropy(x, TASK_LABELS), [normal(3, 4, 3)]),
}
EVERY = [pytest.param(*case, id=name) for name, case in SINGLE.items()]
EVERY += [pytest.param(*case, id=f"T {name}") for name, case in WITH_TASKS.items()]


# ---------------------------------------------------------------- derivatives


@pytest.mark.parametrize(("f", "arrays"), EVERY)
def test_first_second_and_third_derivatives_match_finite_differences(f, arrays):
    assert_differentiates(f, *arrays, order=3)


@pytest.mark.parametrize(("f", "arrays"), EVERY)
def test_autograds_own_check_accepts_two_orders(f, arrays):
    assert_autograd_agrees(f, *arrays)


@pytest.mark.parametrize(("stride", "padding", "kernel"), CONVOLUTIONS)
@pytest.mark.parametrize("tasks", ["no tasks", "tasks in x", "tasks in x and w"])
def test_conv2d_differentiates_twice_in_every_form(stride, padding, kernel, tasks):
    x = normal(2, 7, 5, 2) if tasks == "no tasks" else normal(2, 2, 7, 5, 2)
    w = normal(2, *kernel, 2, 3) if tasks == "tasks in x and w" else normal(*kernel, 2, 3)
    assert_differentiates(lambda x, w: conv2d(x, w, stride, padding), x, w)


@pytest.mark.parametrize("n_reference", [None, 1, 2, 4])
def test_standardize_differentiates_twice_for_every_reference(n_reference):
    assert_differentiates(lambda x: standardize(x, n_reference=n_reference), normal(2, 4, 3, 2, 2))


@pytest.mark.parametrize("eps", [1e-3, 1.0])
def test_standardize_differentiates_twice_where_eps_matters(eps):
    assert_differentiates(lambda x: standardize(x, eps), 0.1 * normal(4, 3, 2, 2))


# ---------------------------------------------------------------- values and gradients, against loops


@pytest.mark.parametrize(("stride", "padding", "kernel"), CONVOLUTIONS)
def test_conv2d_is_the_loops(stride, padding, kernel):
    x, w = normal(2, 7, 5, 3), normal(*kernel, 3, 4)
    expected = slow.conv2d(x, w, stride, padding)
    assert_close(conv2d(x, w, stride, padding), expected)
    cotangent = normal(*expected.shape, seed=1)
    actual = gradients(lambda x, w: conv2d(x, w, stride, padding), (x, w), cotangent)
    for a, e in zip(actual, slow.conv2d_gradients(x, w, cotangent, stride, padding), strict=True):
        assert_close(a, e)


@FEW
@given(st.data())
def test_conv2d_is_the_loops_for_any_shape(data):
    kernel = data.draw(st.tuples(st.integers(1, 4), st.integers(1, 4)), label="kernel")
    stride, padding = data.draw(st.integers(1, 3)), data.draw(st.sampled_from(["valid", "same"]))
    height, width = (data.draw(st.integers(k, k + 5)) for k in kernel)
    tasks, images, channels, outputs = (data.draw(st.integers(1, 3)) for _ in range(4))
    x, w = normal(tasks, images, height, width, channels), normal(tasks, *kernel, channels, outputs)

    def loops(x, w):
        return slow.conv2d(x, w, stride, padding)

    def loop_gradients(x, w, cotangent):
        return slow.conv2d_gradients(x, w, cotangent, stride, padding)

    expected = slow.for_each_task(loops, x, w)
    assert_close(conv2d(x, w, stride, padding), expected)
    cotangent = normal(*expected.shape, seed=1)
    actual = gradients(lambda x, w: conv2d(x, w, stride, padding), (x, w), cotangent)
    for a, e in zip(actual, slow.for_each_task(loop_gradients, x, w, cotangent), strict=True):
        assert_close(a, e)


@FEW
@given(st.data())
def test_max_pool_is_the_loops_for_any_shape_and_with_ties(data):
    size = data.draw(st.integers(1, 3), label="size")
    height, width = (data.draw(st.integers(size, 3 * size + 1)) for _ in range(2))
    tasks, images, channels = (data.draw(st.integers(1, 3)) for _ in range(3))
    x = numpy.floor(2 * normal(tasks, images, height, width, channels))  # few values: many ties
    expected = slow.for_each_task(lambda x: slow.max_pool2d(x, size), x)
    assert_close(max_pool2d(x, size), expected)
    cotangent = normal(*expected.shape, seed=1)
    (actual,) = gradients(lambda x: max_pool2d(x, size), (x,), cotangent)
    assert_close(actual, slow.for_each_task(lambda x, g: slow.max_pool2d_gradient(x, g, size), x, cotangent))


@pytest.mark.parametrize("n_reference", [None, 1, 3])
@pytest.mark.parametrize("shape", [(4, 3, 5, 2), (5, 3)])
@pytest.mark.parametrize("offset", [0.0, 30.0])
def test_standardize_is_the_loops(shape, n_reference, offset):
    if len(shape) == 2 and n_reference == 1:
        offset = 0.0  # a variance of zero: only eps keeps the result finite
    x, cotangent = normal(*shape) + offset, normal(*shape, seed=1)
    assert_close(standardize(x, n_reference=n_reference), slow.standardize(x, n_reference=n_reference), 1e-8)
    (actual,) = gradients(lambda x: standardize(x, n_reference=n_reference), (x,), cotangent)
    assert_close(actual, slow.standardize_gradient(x, cotangent, n_reference=n_reference), 1e-8)


def test_standardize_leaves_mean_zero_and_variance_one_in_the_reference_alone():
    y = standardize(5 + 3 * normal(2, 6, 4, 3, 2), n_reference=4)
    assert_close(y[:, :4].mean(axis=(1, 2, 3)), numpy.zeros((2, 2)))
    numpy.testing.assert_allclose(y[:, :4].var(axis=(1, 2, 3)), 1, rtol=1e-4)
    assert numpy.abs(y.mean(axis=(1, 2, 3))).max() > 1e-3


def test_standardize_lets_no_image_after_the_reference_touch_another():
    x = normal(2, 6, 4, 3, 2)
    changed = x.copy()
    changed[:, 5] = 100 * normal(2, 4, 3, 2, seed=1)
    before, after = standardize(x, n_reference=4), standardize(changed, n_reference=4)
    numpy.testing.assert_array_equal(before[:, :5], after[:, :5])
    assert_close(before[:, :4], standardize(x[:, :4]))


def test_standardize_of_a_constant_channel_is_zero_and_its_gradient_finite():
    x = numpy.full((3, 2, 2, 1), 7.0)
    numpy.testing.assert_array_equal(standardize(x), 0)
    (gradient,) = gradients(standardize, (x,), normal(3, 2, 2, 1, seed=1))
    assert numpy.isfinite(gradient).all()


def test_relu_log_softmax_and_cross_entropy_are_the_loops():
    x = normal(4, 3)
    assert_close(relu(x), slow.relu(x))
    assert_close(log_softmax(x), slow.log_softmax(x))
    assert_close(cross_entropy(x, LABELS), slow.cross_entropy(x, LABELS))
    tasks = normal(3, 4, 3)
    expected = slow.for_each_task(lambda *task: numpy.asarray(slow.cross_entropy(*task)), tasks, TASK_LABELS)
    assert_close(cross_entropy(tasks, TASK_LABELS), expected)


@pytest.mark.parametrize("dtype", [numpy.uint8, numpy.int32, numpy.int64])
def test_cross_entropy_takes_any_integer_labels(dtype):
    assert_close(cross_entropy(normal(4, 3), LABELS.astype(dtype)), slow.cross_entropy(normal(4, 3), LABELS))


def test_cross_entropy_of_equal_logits_is_the_log_of_the_number_of_classes():
    assert_close(cross_entropy(numpy.zeros((4, 3)), LABELS), numpy.log(3))


def test_the_gradient_of_cross_entropy_is_softmax_minus_one_hot():
    logits = normal(4, 3)
    one_hot = numpy.eye(3)[LABELS]
    softmax = numpy.exp(logits) / numpy.exp(logits).sum(axis=-1, keepdims=True)
    assert_close(grad(cross_entropy)(logits, LABELS), (softmax - one_hot) / 4)


def test_log_softmax_survives_logits_of_a_thousand():
    logits = numpy.array([[1000.0, 0.0, -1000.0]])
    assert_close(log_softmax(logits), [[0.0, -1000.0, -2000.0]])
    (gradient,) = gradients(log_softmax, (logits,), numpy.array([[0.0, 1.0, 0.0]]))
    assert_close(gradient, [[-1.0, 1.0, 0.0]])


def test_a_kernel_with_one_weight_shifts_the_image():
    x, w = normal(1, 4, 5, 1), numpy.zeros((3, 3, 1, 1))
    w[0, 1] = 1.0
    y = conv2d(x, w, padding="same")
    numpy.testing.assert_array_equal(y[:, 1:], x[:, :-1])
    numpy.testing.assert_array_equal(y[:, 0], 0)


@pytest.mark.parametrize("size", [5, 6, 7, 28])
def test_same_padding_keeps_the_size_and_halves_it_rounded_up_at_stride_two(size):
    x, w = numpy.zeros((1, size, size, 1)), numpy.zeros((3, 3, 1, 1))
    assert conv2d(x, w, 1, "same").shape == (1, size, size, 1)
    assert conv2d(x, w, 2, "same").shape == (1, (size + 1) // 2, (size + 1) // 2, 1)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("tasks", [False, True])
def test_many_images_at_once_are_each_image_alone(stride, padding, tasks):
    """Enough of them that a convolution that works in chunks needs several, the last one incomplete."""
    x = normal(3, 101, 28, 28, 4) if tasks else normal(211, 28, 28, 4)
    w = normal(3, 3, 3, 4, 8) if tasks else normal(3, 3, 4, 8)
    images = numpy.moveaxis(x, -4, 0)
    y = conv2d(x, w, stride, padding)
    one_by_one = [conv2d(numpy.expand_dims(image, -4), w, stride, padding) for image in images]
    assert_close(y, numpy.concatenate(one_by_one, axis=-4))
    cotangent = normal(*y.shape, seed=1)
    gradient_x, gradient_w = gradients(lambda x, w: conv2d(x, w, stride, padding), (x, w), cotangent)
    parts = [
        gradients(
            lambda x, w: conv2d(x, w, stride, padding),
            (numpy.expand_dims(image, -4), w),
            numpy.expand_dims(g, -4),
        )
        for image, g in zip(images, numpy.moveaxis(cotangent, -4, 0), strict=True)
    ]
    assert_close(gradient_x, numpy.concatenate([part[0] for part in parts], axis=-4))
    assert_close(gradient_w, sum(part[1] for part in parts))


# ---------------------------------------------------------------- kinks


def test_relu_has_derivative_zero_at_zero_in_both_orders():
    x = numpy.array([-1.0, 0.0, -0.0, 2.0])
    slope = grad(lambda x: np.sum(relu(x)))
    numpy.testing.assert_array_equal(slope(x), [0.0, 0.0, 0.0, 1.0])
    numpy.testing.assert_array_equal(grad(lambda x: np.sum(x * slope(x)))(x), [0.0, 0.0, 0.0, 1.0])


def test_max_pool_gives_the_gradient_to_the_first_of_equal_pixels():
    x = numpy.zeros((1, 2, 5, 1))
    x[0, :, 2:4, 0] = [[0.0, 3.0], [3.0, 3.0]]
    (gradient,) = gradients(max_pool2d, (x,), numpy.array([5.0, 7.0]).reshape(1, 1, 2, 1))
    expected = numpy.zeros((1, 2, 5, 1))
    expected[0, 0, 0, 0], expected[0, 0, 3, 0] = 5.0, 7.0
    numpy.testing.assert_array_equal(gradient, expected)


def test_max_pool_drops_the_incomplete_row_and_column():
    x = numpy.arange(15.0).reshape(1, 3, 5, 1)
    numpy.testing.assert_array_equal(max_pool2d(x)[0, ..., 0], [[6.0, 8.0]])
    (gradient,) = gradients(max_pool2d, (x,), numpy.ones((1, 1, 2, 1)))
    assert not gradient[0, 2].any()
    assert not gradient[0, :, 4].any()


def test_max_pool_of_negative_pixels_is_negative():
    assert max_pool2d(numpy.full((1, 3, 3, 1), -2.0)).item() == -2.0


def test_safe_norm_has_derivative_zero_at_zero_in_both_orders():
    x = numpy.array([[0.0, 0.0], [3.0, 4.0]])
    assert_close(safe_norm(x), [0.0, 5.0])
    slope = grad(lambda x: np.sum(safe_norm(x)))
    assert_close(slope(x), [[0.0, 0.0], [0.6, 0.8]])
    direction = normal(2, 2)
    second = hessian_vector_product(lambda a: np.sum(safe_norm(a[0])), (x,), (direction,))[0]
    expected = (numpy.eye(2) - numpy.outer(x[1], x[1]) / 25) @ direction[1] / 5
    assert_close(second, [[0.0, 0.0], expected])


def test_safe_norm_squared_in_a_loss_is_smooth_through_zero():
    x = numpy.zeros((3, 2))

    def loss(arrays):
        return np.sum(relu(1.0 - safe_norm(arrays[0])) ** 2)

    assert numpy.isfinite(after_inner_step(loss)((x,)))
    assert numpy.isfinite(grad(after_inner_step(loss))((x,))[0]).all()


# ---------------------------------------------------------------- stop_gradient


def test_stop_gradient_returns_its_argument():
    x = normal(3, 2).astype(numpy.float32)
    numpy.testing.assert_array_equal(stop_gradient(x), x)
    assert stop_gradient(x).dtype == numpy.float32


def test_stop_gradient_makes_its_argument_a_constant_in_both_orders():
    x = numpy.array([2.0, -3.0])
    slope = grad(lambda x: np.sum(x * stop_gradient(x)))
    assert_close(slope(x), x)
    through_both = grad(lambda x: np.sum(x * slope(x)))
    assert_close(through_both(x), x)


# ---------------------------------------------------------------- float32 stays float32


@pytest.mark.parametrize("dtype", [numpy.float32, numpy.float64])
@pytest.mark.parametrize(("f", "arrays"), EVERY)
def test_values_gradients_and_meta_gradients_keep_the_type(f, arrays, dtype):
    arrays = tuple(array.astype(dtype) for array in arrays)
    value = f(*arrays)
    assert value.dtype == dtype
    cotangent = normal(*numpy.shape(value), seed=1).astype(dtype) if numpy.shape(value) else dtype(0.7)

    def loss(arrays):
        return weighted_sum(f, cotangent, arrays)

    for gradient in (grad(loss)(arrays), grad(after_inner_step(loss))(arrays)):
        assert [g.dtype for g in gradient] == [dtype] * len(arrays)
    assert loss(arrays).dtype == dtype
    assert after_inner_step(loss)(arrays).dtype == dtype


@pytest.mark.parametrize(("f", "arrays"), EVERY)
def test_float32_agrees_with_float64(f, arrays):
    cotangent = normal(*numpy.shape(f(*arrays)), seed=1)
    singles = [array.astype(numpy.float32) for array in arrays]
    assert_close(f(*singles), f(*arrays), 1e-5)
    coarse = gradients(f, singles, cotangent.astype(numpy.float32))
    for single, double in zip(coarse, gradients(f, arrays, cotangent), strict=True):
        assert_close(single, double, 1e-5)


# ---------------------------------------------------------------- tasks


@pytest.mark.parametrize("name", WITH_TASKS)
def test_tasks_at_once_are_the_tasks_one_by_one(name):
    f, arrays = WITH_TASKS[name]
    shared = [False, "shared" in name][: len(arrays)]
    value = f(*arrays)
    cotangent, vectors = normal(*value.shape, seed=1), [normal(*a.shape, seed=2) for a in arrays]
    loss = partial(weighted_sum, f, cotangent)
    together = [value], gradients(f, arrays, cotangent), hessian_vector_product(loss, tuple(arrays), vectors)
    alone = [], [], []
    for task in range(3):
        f_alone = partial(cross_entropy, labels=TASK_LABELS[task]) if name == "cross_entropy" else f
        xs = tuple(a if s else a[task] for a, s in zip(arrays, shared, strict=True))
        vs = tuple(v if s else v[task] for v, s in zip(vectors, shared, strict=True))
        alone[0].append([f_alone(*xs)])
        alone[1].append(gradients(f_alone, xs, cotangent[task]))
        alone[2].append(hessian_vector_product(partial(weighted_sum, f_alone, cotangent[task]), xs, vs))
    for whole, parts, sums in zip(together, alone, ([False], shared, shared), strict=True):
        for i, summed in enumerate(sums):
            stacked = numpy.stack([part[i] for part in parts])
            assert_close(whole[i], stacked.sum(axis=0) if summed else stacked)


def test_equal_weights_for_every_task_are_shared_weights():
    x, w = normal(3, 2, 7, 5, 2), normal(3, 3, 2, 3)
    read_only = numpy.broadcast_to(w, (3, *w.shape))
    assert_close(conv2d(x, read_only), conv2d(x, w))
    cotangent = normal(*conv2d(x, w).shape, seed=1)
    _, per_task = gradients(conv2d, (x, read_only), cotangent)
    _, shared = gradients(conv2d, (x, w), cotangent)
    assert_close(per_task.sum(axis=0), shared)


# ---------------------------------------------------------------- memory


def test_inputs_may_be_strided_and_read_only_and_are_not_changed():
    x, w = normal(5, 2, 7, 2).transpose(1, 2, 0, 3)[:, ::-1], normal(3, 2, 3, 3).transpose(2, 3, 1, 0)
    for array in (x, w):
        array.flags.writeable = False
    kept = x.copy(), w.copy()
    assert_close(conv2d(x, w, 2, "same"), slow.conv2d(x, w, 2, "same"))
    assert_close(max_pool2d(x), slow.max_pool2d(x))
    assert_close(standardize(x), slow.standardize(x))
    for f, arrays in ((conv2d, (x, w)), (max_pool2d, (x,)), (standardize, (x,)), (relu, (x,))):
        gradients(f, arrays, normal(*f(*arrays).shape, seed=1))
    numpy.testing.assert_array_equal(x, kept[0])
    numpy.testing.assert_array_equal(w, kept[1])


@pytest.mark.parametrize("name", ["conv2d", "max_pool2d", "standardize", "relu"])
def test_no_result_shares_memory_with_what_it_was_made_of(name):
    x = normal(2, 4, 4, 1)
    arguments = (x, numpy.ones((1, 1, 1, 1))) if name == "conv2d" else (x,)
    assert not numpy.shares_memory(getattr(primitives, name)(*arguments), x)


# ---------------------------------------------------------------- complaints


X, W = numpy.zeros((2, 7, 5, 3)), numpy.zeros((3, 3, 3, 4))
TX, TW = numpy.zeros((2, 2, 7, 5, 3)), numpy.zeros((2, 3, 3, 3, 4))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param((X, numpy.zeros((3, 3, 2, 4))), r"3\D.*2|2\D.*3", id="channels"),
        pytest.param((TX, numpy.zeros((2, 3, 3, 2, 4))), r"3\D.*2|2\D.*3", id="channels with tasks"),
        pytest.param((X[0], W), r"\(7, 5, 3\)", id="one image without an image axis"),
        pytest.param((TX[None], W), r"\(1, 2, 2, 7, 5, 3\)", id="x of rank 6"),
        pytest.param((X, W[0]), r"\(3, 3, 4\)", id="w of rank 3"),
        pytest.param((TX, TW[None]), r"\(1, 2, 3, 3, 3, 4\)", id="w of rank 6"),
        pytest.param((TX, numpy.zeros((3, 3, 3, 3, 4))), r"(?i)task", id="T differs"),
        pytest.param((X, TW), r"(?i)task", id="w has tasks, x has not"),
        pytest.param((X, W, 1, "full"), r"full.*|valid.*same", id="unknown padding"),
        pytest.param((X, W, 1, None), r"None", id="padding None"),
        pytest.param((X, W, 0), r"(?i)stride.*0", id="stride 0"),
        pytest.param((X, W, -1), r"(?i)stride.*-1", id="stride -1"),
        pytest.param((X, W, 1.5), r"(?i)stride.*1\.5", id="stride 1.5"),
        pytest.param((X[:, :2], W), r"2.*3|3.*2", id="image lower than the kernel"),
        pytest.param((X[:, :, :2], W), r"2.*3|3.*2", id="image narrower than the kernel"),
        pytest.param((X.astype(numpy.uint8), W), r"(?i)uint8.*float|float.*uint8", id="uint8"),
        pytest.param((X.astype(int), W), r"(?i)int64.*float|float.*int64", id="int64"),
    ],
)
def test_conv2d_says_what_is_wrong(arguments, message):
    with pytest.raises(ValueError, match=message):
        conv2d(*arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param((X, 6), r"6", id="larger than the width"),
        pytest.param((X, 8), r"8", id="larger than the image"),
        pytest.param((X, 0), r"(?i)size.*0", id="size 0"),
        pytest.param((X, -2), r"(?i)size.*-2", id="size -2"),
        pytest.param((X, 1.5), r"(?i)size.*1\.5", id="size 1.5"),
        pytest.param((X[0], 2), r"\(7, 5, 3\)", id="rank 3"),
        pytest.param((TX[None], 2), r"\(1, 2, 2, 7, 5, 3\)", id="rank 6"),
    ],
)
def test_max_pool_says_what_is_wrong(arguments, message):
    with pytest.raises(ValueError, match=message):
        max_pool2d(*arguments)


@pytest.mark.parametrize("n_reference", [0, 5, -1, 1.5, 2.0, "2"])
@pytest.mark.parametrize("x", [numpy.zeros((4, 3, 2, 2)), numpy.zeros((2, 4, 3, 2, 2)), numpy.zeros((4, 3))])
def test_standardize_says_which_reference_it_was_given(x, n_reference):
    with pytest.raises(ValueError, match=rf"(?i)n_reference.*{n_reference}"):
        standardize(x, n_reference=n_reference)


def test_standardize_takes_a_numpy_integer_as_reference():
    x = normal(4, 3)
    assert_close(standardize(x, n_reference=numpy.int64(2)), standardize(x, n_reference=2))


@pytest.mark.parametrize("shape", [(3,), (1, 2, 2, 7, 5, 3)])
def test_standardize_says_which_ranks_it_knows(shape):
    with pytest.raises(ValueError, match=str(shape[-1])):
        standardize(numpy.zeros(shape))


@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        pytest.param((4, 3), [0, 1, 2, 3], r"0\.\.\.2|3", id="label N"),
        pytest.param((4, 3), [0, 1, 2, -1], r"-1", id="label -1"),
        pytest.param((4, 3), [0.0, 1.0, 2.0, 1.0], r"(?i)integer.*float", id="float labels"),
        pytest.param((4, 3), [True, False, True, True], r"(?i)integer.*bool", id="bool labels"),
        pytest.param((4, 3), [0, 1, 2], r"\(4,\).*\(3,\)|\(3,\).*\(4,\)", id="too few labels"),
        pytest.param((4, 3), numpy.eye(3, dtype=int)[[0, 1, 2, 0]], r"\(4, 3\)", id="one-hot labels"),
        pytest.param((2, 4, 3), [0, 1, 2, 0], r"\(2, 4\)", id="labels without the task axis"),
        pytest.param((4, 3), [[0, 1, 2, 0]], r"\(1, 4\)", id="labels with a task axis too many"),
        pytest.param((3,), 0, r"\(3,\)", id="logits of rank 1"),
        pytest.param((1, 2, 4, 3), numpy.zeros((1, 2, 4), int), r"\(1, 2, 4, 3\)", id="logits of rank 4"),
        pytest.param((0, 3), numpy.zeros(0, int), r"(?i)none|\b0\b", id="no examples"),
    ],
)
def test_cross_entropy_says_what_is_wrong(logits, labels, message):
    with pytest.raises(ValueError, match=message):
        cross_entropy(numpy.zeros(logits), numpy.asarray(labels))


@pytest.mark.parametrize(
    ("x", "w", "message"),
    [
        pytest.param((4, 3), (2, 5), r"\(4, 3\).*\(2, 5\)", id="features"),
        pytest.param((3,), (3, 5), r"\(3,\)", id="x of rank 1"),
        pytest.param((4, 3), (3,), r"\(3,\)", id="w of rank 1"),
        pytest.param((2, 4, 3), (3, 3, 5), r"(?i)task", id="T differs"),
        pytest.param((4, 3), (2, 3, 5), r"(?i)task", id="w has tasks, x has not"),
    ],
)
def test_linear_says_what_is_wrong(x, w, message):
    with pytest.raises(ValueError, match=message):
        linear(numpy.zeros(x), numpy.zeros(w))
