"""Layers: a primitive and its parameters. (Their derivatives and tasks: `test_every_function.py`.)"""

from functools import partial

import autograd.numpy as np
import numpy
import pytest
from autograd import grad

from fewshot_np.nn.layers import average_pool, batch_norm, conv, dense, flatten, pooled_batch_norm
from fewshot_np.nn.primitives import max_pool2d
from tests.nn import slow
from tests.nn.derivatives import assert_close, assert_differentiates, gradients, normal


def weights(*w_shape, b):
    return {"w": normal(*w_shape), "b": normal(*b)}


def moments(gamma, beta):
    return {"gamma": normal(*gamma), "beta": normal(*beta, seed=1)}


def test_conv_is_the_loops_plus_bias():
    params, x = weights(3, 3, 2, 3, b=(3,)), normal(2, 7, 5, 2)
    for options in ({}, {"stride": 2, "padding": "same"}):
        assert_close(conv(params, x, **options), slow.conv2d(x, params["w"], **options) + params["b"])


def test_dense_is_the_loops_and_its_parameters_may_be_traced_as_a_dict():
    params, x, cotangent = weights(3, 5, b=(5,)), normal(4, 3), normal(4, 5)
    assert_close(dense(params, x), slow.dense(params, x))
    gradient = grad(lambda params: np.sum(cotangent * dense(params, x)))(params)
    assert_close(gradient["w"], x.T @ cotangent)
    assert_close(gradient["b"], cotangent.sum(axis=0))


@pytest.mark.parametrize("n_reference", [None, 2])
@pytest.mark.parametrize("shape", [(4, 3, 2, 2), (4, 2)])
def test_batch_norm_is_the_loops(shape, n_reference):
    params, x = moments((2,), (2,)), normal(*shape)
    assert_close(batch_norm(params, x, n_reference=n_reference), slow.batch_norm(params, x, n_reference))


@pytest.mark.parametrize("n_reference", [None, 2])
@pytest.mark.parametrize("gamma", [(1.5, 0.5, 2.0), (1.5, -0.5, -2.0)], ids=["all positive", "some negative"])
@pytest.mark.parametrize("tasks", [(), (3,)], ids=["no tasks", "tasks"])
def test_pooled_batch_norm_is_batch_norm_and_then_pooling(tasks, gamma, n_reference):
    x, beta = normal(*tasks, 4, 5, 6, 3), normal(*tasks, 3)
    arrays = x, numpy.array(gamma) + numpy.zeros_like(beta), beta

    def usual(x, gamma, beta):
        return max_pool2d(batch_norm({"gamma": gamma, "beta": beta}, x, n_reference))

    def pooled(x, gamma, beta):
        return pooled_batch_norm({"gamma": gamma, "beta": beta}, x, n_reference)

    assert_close(pooled(*arrays), usual(*arrays))
    cotangent = normal(*usual(*arrays).shape, seed=1)
    for a, e in zip(gradients(pooled, arrays, cotangent), gradients(usual, arrays, cotangent), strict=True):
        assert_close(a, e)
    assert_differentiates(pooled, *arrays)


def test_flatten_and_average_pool_are_the_loops():
    x = normal(2, 3, 4, 5)
    assert_close(flatten(x), slow.flatten(x))
    assert_close(average_pool(x), slow.average_pool(x))


# ---------------------------------------------------------------- complaints


two_of_batch_norm = partial(batch_norm, n_reference=2)
# name: (layer, its parameters, the shape of x, what the message must name)
BAD_SHAPES = {
    "conv channels": (conv, weights(3, 3, 3, 3, b=(3,)), (2, 7, 5, 2), r"2\D.*3|3\D.*2"),
    "conv bias": (conv, weights(3, 3, 2, 3, b=(4,)), (2, 7, 5, 2), r"\(4,\)"),
    "conv bias that would broadcast": (conv, weights(3, 3, 2, 3, b=(1,)), (2, 7, 5, 2), r"\(1,\)"),
    "conv tasks in b alone": (conv, weights(3, 3, 2, 3, b=(2, 3)), (2, 7, 5, 2), r"\(2, 3\)"),
    "conv tasks in w alone": (conv, weights(2, 3, 3, 2, 3, b=(3,)), (2, 7, 5, 2), r"(?i)task"),
    "conv task axes differ": (conv, weights(3, 3, 3, 2, 3, b=(3,)), (2, 2, 7, 5, 2), r"(?i)task"),
    "dense features": (dense, weights(2, 5, b=(5,)), (4, 3), r"3\D.*2|2\D.*3"),
    "dense bias": (dense, weights(3, 5, b=(4,)), (4, 3), r"\(4,\)"),
    "dense bias that would broadcast": (dense, weights(3, 5, b=(1,)), (4, 3), r"\(1,\)"),
    "dense tasks in b alone, T is M": (dense, weights(3, 5, b=(4, 5)), (4, 3), r"\(4, 5\)"),
    "dense tasks in w alone": (dense, weights(2, 3, 5, b=(2, 5)), (4, 3), r"(?i)task"),
    "dense task axes differ": (dense, weights(3, 3, 5, b=(3, 5)), (2, 4, 3), r"(?i)task"),
    "dense images": (dense, weights(2, 5, b=(5,)), (4, 3, 2, 2), r"\(4, 3, 2, 2\)"),
    "dense x of rank 1": (dense, weights(3, 5, b=(5,)), (3,), r"\(3,\)"),
    "batch_norm channels": (batch_norm, moments((3,), (3,)), (4, 3, 2, 2), r"2\D.*3|3\D.*2"),
    "batch_norm that would broadcast": (batch_norm, moments((1,), (1,)), (4, 3, 2, 2), r"\(1,\)"),
    "batch_norm tasks in gamma alone": (batch_norm, moments((4, 2), (2,)), (4, 3, 2, 2), r"\(4, 2\)"),
    "batch_norm tasks in beta alone, T is M": (batch_norm, moments((2,), (4, 2)), (4, 2), r"\(4, 2\)"),
    "batch_norm task axes differ": (batch_norm, moments((3, 2), (3, 2)), (2, 4, 2), r"\(3, 2\)"),
    "batch_norm reference": (two_of_batch_norm, moments((3,), (3,)), (1, 3), r"(?i)n_reference.*2"),
    "flatten rank 3": (lambda _, x: flatten(x), {}, (3, 4, 5), r"\(3, 4, 5\)"),
    "flatten rank 6": (lambda _, x: flatten(x), {}, (1, 1, 2, 3, 4, 5), r"\(1, 1, 2, 3, 4, 5\)"),
    "average_pool rank 3": (lambda _, x: average_pool(x), {}, (3, 4, 5), r"\(3, 4, 5\)"),
    "conv of integers": (lambda params, x: conv(params, x.astype(int)), weights(3, 3, 2, 3, b=(3,)), (2, 7, 5, 2),
                         r"(?i)int64.*float|float.*int64"),
    "dense of integers": (lambda params, x: dense(params, x.astype("uint8")), weights(3, 5, b=(5,)), (4, 3),
                          r"(?i)uint8.*float|float.*uint8"),
}


@pytest.mark.parametrize(("f", "params", "shape", "message"), BAD_SHAPES.values(), ids=BAD_SHAPES)
def test_layers_say_what_is_wrong(f, params, shape, message):
    with pytest.raises(ValueError, match=message):
        f(params, numpy.zeros(shape))
