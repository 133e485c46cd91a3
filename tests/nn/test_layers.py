"""Layers: a primitive and its parameters. (Their derivatives and tasks: `test_every_function.py`.)"""

from functools import partial

import numpy
import pytest

from fewshot_np.nn.layers import average_pool, batch_norm, conv, dense, flatten, pooled_batch_norm
from fewshot_np.nn.primitives import max_pool2d
from tests.nn import slow
from tests.nn.derivatives import assert_close, gradients, normal


def weights(*w_shape, b):
    return {"w": normal(*w_shape), "b": normal(*b)}


def moments(gamma, beta):
    return {"gamma": normal(*gamma), "beta": normal(*beta, seed=1)}


def test_conv_is_the_loops_plus_bias():
    params, x = weights(3, 3, 2, 3, b=(3,)), normal(2, 7, 5, 2)
    for options in ({}, {"stride": 2, "padding": "same"}):
        assert_close(conv(params, x, **options), slow.conv2d(x, params["w"], **options) + params["b"])


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


two_of_batch_norm = partial(batch_norm, n_reference=2)
# What a layer's primitive refuses is in `test_primitives.py`.
# name: (layer, its parameters, the shape of x, what the message must name)
BAD_SHAPES = {
    "conv bias": (conv, weights(3, 3, 2, 3, b=(4,)), (2, 7, 5, 2), r"\(4,\)"),
    "conv bias that would broadcast": (conv, weights(3, 3, 2, 3, b=(1,)), (2, 7, 5, 2), r"\(1,\)"),
    "conv tasks in b alone": (conv, weights(3, 3, 2, 3, b=(2, 3)), (2, 7, 5, 2), r"\(2, 3\)"),
    "dense tasks in b alone, T is M": (dense, weights(3, 5, b=(4, 5)), (4, 3), r"\(4, 5\)"),
    "dense images": (dense, weights(2, 5, b=(5,)), (4, 3, 2, 2), r"\(4, 3, 2, 2\)"),
    "batch_norm channels": (batch_norm, moments((3,), (3,)), (4, 3, 2, 2), r"2\D.*3|3\D.*2"),
    "batch_norm tasks in gamma alone": (batch_norm, moments((4, 2), (2,)), (4, 3, 2, 2), r"\(4, 2\)"),
    "batch_norm tasks in beta alone, T is M": (batch_norm, moments((2,), (4, 2)), (4, 2), r"\(4, 2\)"),
    "batch_norm task axes differ": (batch_norm, moments((3, 2), (3, 2)), (2, 4, 2), r"\(3, 2\)"),
    "batch_norm reference": (two_of_batch_norm, moments((3,), (3,)), (1, 3), r"(?i)n_reference.*2"),
    "flatten rank 3": (lambda _, x: flatten(x), {}, (3, 4, 5), r"\(3, 4, 5\)"),
    "average_pool rank 3": (lambda _, x: average_pool(x), {}, (3, 4, 5), r"\(3, 4, 5\)"),
}


@pytest.mark.parametrize(("f", "params", "shape", "message"), BAD_SHAPES.values(), ids=BAD_SHAPES)
def test_layers_say_what_is_wrong(f, params, shape, message):
    with pytest.raises(ValueError, match=message):
        f(params, numpy.zeros(shape))
