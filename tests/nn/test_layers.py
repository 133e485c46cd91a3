"""Layers: a primitive and its parameters."""

from functools import partial

import autograd.numpy as np
import numpy
import pytest
from autograd import grad

from fewshot_np.nn.layers import average_pool, batch_norm, conv, dense, flatten, pooled_batch_norm
from fewshot_np.nn.primitives import max_pool2d
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


def normal(*shape, seed=0):
    return numpy.random.default_rng([seed, *shape]).normal(size=shape)


def conv_stride_2_same(x, w, b):
    return conv({"w": w, "b": b}, x, stride=2, padding="same")


def conv_by_default(x, w, b):
    return conv({"w": w, "b": b}, x)


def dense_layer(x, w, b):
    return dense({"w": w, "b": b}, x)


def batch_norm_layer(x, gamma, beta):
    return batch_norm({"gamma": gamma, "beta": beta}, x)


def batch_norm_with_reference(x, gamma, beta):
    return batch_norm({"gamma": gamma, "beta": beta}, x, n_reference=2)


def pooled_batch_norm_layer(x, gamma, beta):
    return pooled_batch_norm({"gamma": gamma, "beta": beta}, x)


# name: function, shapes of one task
LAYERS = {
    "conv stride 2 same": (conv_stride_2_same, [(2, 7, 5, 2), (3, 3, 2, 3), (3,)]),
    "conv by default": (conv_by_default, [(2, 7, 5, 2), (3, 3, 2, 3), (3,)]),
    "dense": (dense_layer, [(4, 3), (3, 5), (5,)]),
    "batch_norm images": (batch_norm_layer, [(4, 3, 2, 2), (2,), (2,)]),
    "batch_norm features": (batch_norm_layer, [(4, 3), (3,), (3,)]),
    "batch_norm images n_reference": (batch_norm_with_reference, [(4, 3, 2, 2), (2,), (2,)]),
    "batch_norm features n_reference": (batch_norm_with_reference, [(4, 3), (3,), (3,)]),
    "pooled_batch_norm": (pooled_batch_norm_layer, [(4, 5, 4, 2), (2,), (2,)]),
    "flatten": (flatten, [(2, 3, 2, 2)]),
    "average_pool": (average_pool, [(2, 3, 2, 2)]),
}
TASKS = 3


def arrays_of(shapes, tasks):
    """tasks: "no tasks", "tasks in x" (shared parameters), "tasks everywhere"."""
    with_tasks = {"no tasks": 0, "tasks in x": 1, "tasks everywhere": len(shapes)}[tasks]
    return [normal(*((TASKS,) if i < with_tasks else ()), *shape) for i, shape in enumerate(shapes)]


every_layer = pytest.mark.parametrize(("f", "shapes"), LAYERS.values(), ids=LAYERS)
every_form = pytest.mark.parametrize("tasks", ["no tasks", "tasks in x", "tasks everywhere"])
with_tasks = pytest.mark.parametrize("tasks", ["tasks in x", "tasks everywhere"])


@every_layer
@every_form
def test_layers_differentiate_twice(f, shapes, tasks):
    assert_differentiates(f, *arrays_of(shapes, tasks))


@every_layer
@every_form
def test_autograds_own_check_accepts_two_orders(f, shapes, tasks):
    assert_autograd_agrees(f, *arrays_of(shapes, tasks))


@every_layer
@every_form
@pytest.mark.parametrize("dtype", [numpy.float32, numpy.float64])
def test_values_gradients_and_meta_gradients_keep_the_type(f, shapes, tasks, dtype):
    arrays = tuple(array.astype(dtype) for array in arrays_of(shapes, tasks))
    value = f(*arrays)
    cotangent = normal(*value.shape, seed=1).astype(dtype)

    def loss(arrays):
        return weighted_sum(f, cotangent, arrays)

    assert value.dtype == dtype
    for gradient in (grad(loss)(arrays), grad(after_inner_step(loss))(arrays)):
        assert [g.dtype for g in gradient] == [dtype] * len(arrays)


@every_layer
@with_tasks
def test_tasks_at_once_are_the_tasks_one_by_one(f, shapes, tasks):
    arrays = arrays_of(shapes, tasks)
    has_tasks = [array.ndim > len(shape) for array, shape in zip(arrays, shapes, strict=True)]
    value = f(*arrays)
    cotangent, vectors = normal(*value.shape, seed=1), [normal(*a.shape, seed=2) for a in arrays]
    together = [
        gradients(f, arrays, cotangent),
        hessian_vector_product(partial(weighted_sum, f, cotangent), tuple(arrays), vectors),
    ]
    alone = [[], []]
    for task in range(TASKS):
        task_arrays, task_vectors = (
            tuple(a[task] if own else a for a, own in zip(these, has_tasks, strict=True))
            for these in (arrays, vectors)
        )
        g = cotangent[task]
        assert_close(f(*task_arrays), value[task])
        alone[0].append(gradients(f, task_arrays, g))
        loss = partial(weighted_sum, f, g)
        alone[1].append(hessian_vector_product(loss, task_arrays, task_vectors))
    for whole, parts in zip(together, alone, strict=True):
        for i, own in enumerate(has_tasks):
            stacked = numpy.stack([part[i] for part in parts])
            assert_close(whole[i], stacked if own else stacked.sum(axis=0))


def test_conv_is_the_loops_plus_bias():
    x, w, b = normal(2, 7, 5, 2), normal(3, 3, 2, 3), normal(3)
    assert_close(conv_by_default(x, w, b), slow.conv2d(x, w) + b)
    assert_close(conv_stride_2_same(x, w, b), slow.conv2d(x, w, 2, "same") + b)


def test_dense_is_the_loops():
    params, x = {"w": normal(3, 5), "b": normal(5)}, normal(4, 3)
    assert_close(dense(params, x), slow.dense(params, x))


@pytest.mark.parametrize("n_reference", [None, 2])
@pytest.mark.parametrize("shape", [(4, 3, 2, 2), (4, 2)])
def test_batch_norm_is_the_loops(shape, n_reference):
    params, x = {"gamma": normal(2), "beta": normal(2, seed=1)}, normal(*shape)
    assert_close(batch_norm(params, x, n_reference=n_reference), slow.batch_norm(params, x, n_reference))


def test_flatten_reads_row_by_row_with_the_channels_fastest():
    x = normal(2, 3, 4, 5)
    assert_close(flatten(x), slow.flatten(x))
    assert_close(flatten(x)[1, (2 * 4 + 3) * 5 + 4], x[1, 2, 3, 4])
    assert flatten(normal(3, 2, 3, 4, 5)).shape == (3, 2, 60)


def test_average_pool_is_the_loops():
    x = normal(2, 3, 4, 5)
    assert_close(average_pool(x), slow.average_pool(x))
    assert average_pool(normal(3, 2, 3, 4, 5)).shape == (3, 2, 5)


# ---------------------------------------------------------------- complaints


BAD_SHAPES = {
    "conv channels": (conv_by_default, [(2, 7, 5, 2), (3, 3, 3, 3), (3,)], r"2\D.*3|3\D.*2"),
    "conv bias": (conv_by_default, [(2, 7, 5, 2), (3, 3, 2, 3), (4,)], r"\(4,\)"),
    "conv bias that would broadcast": (conv_by_default, [(2, 7, 5, 2), (3, 3, 2, 3), (1,)], r"\(1,\)"),
    "conv tasks in b alone": (conv_by_default, [(2, 7, 5, 2), (3, 3, 2, 3), (2, 3)], r"\(2, 3\)"),
    "conv tasks in w alone": (conv_by_default, [(2, 7, 5, 2), (2, 3, 3, 2, 3), (3,)], r"(?i)task"),
    "conv task axes differ": (conv_by_default, [(2, 2, 7, 5, 2), (3, 3, 3, 2, 3), (3,)], r"(?i)task"),
    "dense features": (dense_layer, [(4, 3), (2, 5), (5,)], r"3\D.*2|2\D.*3"),
    "dense bias": (dense_layer, [(4, 3), (3, 5), (4,)], r"\(4,\)"),
    "dense bias that would broadcast": (dense_layer, [(4, 3), (3, 5), (1,)], r"\(1,\)"),
    "dense tasks in b alone, T is M": (dense_layer, [(4, 3), (3, 5), (4, 5)], r"\(4, 5\)"),
    "dense tasks in w alone": (dense_layer, [(4, 3), (2, 3, 5), (2, 5)], r"(?i)task"),
    "dense task axes differ": (dense_layer, [(2, 4, 3), (3, 3, 5), (3, 5)], r"(?i)task"),
    "dense images": (dense_layer, [(4, 3, 2, 2), (2, 5), (5,)], r"\(4, 3, 2, 2\)"),
    "dense x of rank 1": (dense_layer, [(3,), (3, 5), (5,)], r"\(3,\)"),
    "batch_norm channels": (batch_norm_layer, [(4, 3, 2, 2), (3,), (3,)], r"2\D.*3|3\D.*2"),
    "batch_norm that would broadcast": (batch_norm_layer, [(4, 3, 2, 2), (1,), (1,)], r"\(1,\)"),
    "batch_norm tasks in gamma alone": (batch_norm_layer, [(4, 3, 2, 2), (4, 2), (2,)], r"\(4, 2\)"),
    "batch_norm tasks in beta alone, T is M": (batch_norm_layer, [(4, 2), (2,), (4, 2)], r"\(4, 2\)"),
    "batch_norm task axes differ": (batch_norm_layer, [(2, 4, 2), (3, 2), (3, 2)], r"\(3, 2\)"),
    "batch_norm reference": (batch_norm_with_reference, [(1, 3), (3,), (3,)], r"(?i)n_reference.*2"),
    "flatten rank 3": (flatten, [(3, 4, 5)], r"\(3, 4, 5\)"),
    "flatten rank 6": (flatten, [(1, 1, 2, 3, 4, 5)], r"\(1, 1, 2, 3, 4, 5\)"),
    "average_pool rank 3": (average_pool, [(3, 4, 5)], r"\(3, 4, 5\)"),
}


@pytest.mark.parametrize(("f", "shapes", "message"), BAD_SHAPES.values(), ids=BAD_SHAPES)
def test_layers_say_what_is_wrong(f, shapes, message):
    with pytest.raises(ValueError, match=message):
        f(*(numpy.zeros(shape) for shape in shapes))


@pytest.mark.parametrize("dtype", [int, numpy.uint8])
def test_layers_ask_for_floats_when_given_integers(dtype):
    images, features = numpy.zeros((2, 7, 5, 2), dtype), numpy.zeros((4, 3), dtype)
    with pytest.raises(ValueError, match=r"(?i)int.*float|float.*int"):
        conv_by_default(images, numpy.zeros((3, 3, 2, 3)), numpy.zeros(3))
    with pytest.raises(ValueError, match=r"(?i)int.*float|float.*int"):
        dense_layer(features, numpy.zeros((3, 5)), numpy.zeros(5))


def test_a_layers_parameters_may_be_traced_as_a_dict():
    params, x = {"w": normal(3, 5), "b": normal(5)}, normal(4, 3)
    cotangent = normal(4, 5)
    gradient = grad(lambda params: np.sum(cotangent * dense(params, x)))(params)
    assert_close(gradient["w"], x.T @ cotangent)
    assert_close(gradient["b"], cotangent.sum(axis=0))


@pytest.mark.parametrize("n_reference", [None, 2])
@pytest.mark.parametrize("gamma", [(1.5, 0.5, 2.0), (1.5, -0.5, -2.0)], ids=["all positive", "some negative"])
@pytest.mark.parametrize("tasks", ["no tasks", "tasks everywhere"])
def test_pooled_batch_norm_is_batch_norm_and_then_pooling(tasks, gamma, n_reference):
    x, beta = arrays_of([(4, 5, 6, 3), (3,)], tasks)
    gamma = numpy.array(gamma) + numpy.zeros_like(beta)

    def in_the_usual_order(x, gamma, beta):
        return max_pool2d(batch_norm({"gamma": gamma, "beta": beta}, x, n_reference))

    def pooled(x, gamma, beta):
        return pooled_batch_norm({"gamma": gamma, "beta": beta}, x, n_reference)

    expected = in_the_usual_order(x, gamma, beta)
    assert_close(pooled(x, gamma, beta), expected)
    cotangent = normal(*expected.shape, seed=1)
    for ours, usual in zip(gradients(pooled, (x, gamma, beta), cotangent),
                           gradients(in_the_usual_order, (x, gamma, beta), cotangent), strict=True):
        assert_close(ours, usual)
    assert_differentiates(pooled, x, gamma, beta)
