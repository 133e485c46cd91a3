"""Finite differences, to any order, with random cotangents; a loss after an inner step; arrays to test with."""

import autograd.numpy as np
import numpy
from autograd import grad

from fewshot_np.nn.trees import tree_map


def normal(*shape, seed=0):
    return numpy.random.default_rng([seed, *shape]).normal(size=shape)


def distinct(*shape, seed=0):
    """Values at least 0.1 apart and at least 0.05 from zero: no finite difference steps over a kink."""
    count = int(numpy.prod(shape))
    values = 0.1 * (numpy.arange(count) - count // 2) + 0.05
    return numpy.random.default_rng([seed, *shape]).permutation(values).reshape(shape)


def rebuilt(tree, arrays):
    """A nested dict with the keys of `tree` and these arrays as its leaves, in order."""
    arrays = iter(arrays)
    return tree_map(lambda leaf: next(arrays), tree)


def weighted_sum(f, cotangent, arguments):
    return np.sum(cotangent * f(*arguments))


def gradients(f, arguments, cotangent):
    """The gradients of sum(cotangent * f(*arguments)) with respect to every argument."""
    return grad(lambda arguments: weighted_sum(f, cotangent, arguments))(tuple(arguments))


def as_vector(arrays):
    return np.concatenate([np.reshape(array, -1) for array in arrays])


def assert_close(actual, expected, rtol=1e-9):
    """Deviation relative to the largest entry: a single entry may be zero by cancellation."""
    actual, expected = numpy.asarray(actual), numpy.asarray(expected)
    assert actual.shape == expected.shape
    scale = numpy.abs(expected).max(initial=0.0)
    numpy.testing.assert_allclose(actual, expected, rtol=0, atol=rtol * scale + 1e-14)


def assert_differentiates(f, *arguments, order=2, seed=0, rtol=2e-6, directions=3, step=1e-5):
    """Hold the derivatives of f up to `order` against central differences of the order below.

    The cotangent becomes an argument of the next order: a derivative rule must be right in it too.
    """
    rng = numpy.random.default_rng(seed)
    cotangent = rng.normal(size=numpy.shape(f(*arguments)))
    analytic = as_vector(gradients(f, arguments, cotangent))
    slopes, differences = [], []
    for _ in range(directions):
        moves = [rng.normal(size=numpy.shape(argument)) for argument in arguments]
        ahead, behind = (weighted_sum(f, cotangent, [a + s * m for a, m in zip(arguments, moves, strict=True)])
                         for s in (step, -step))
        slopes.append(as_vector(moves) @ analytic)
        differences.append((ahead - behind) / (2 * step))
    scale = numpy.abs(differences).max() + 1e-3 * numpy.linalg.norm(analytic)
    numpy.testing.assert_allclose(slopes, differences, rtol=0, atol=rtol * scale + 1e-9)
    if order > 1:
        def first_order(cotangent, *arguments):
            return as_vector(gradients(f, arguments, cotangent))

        assert_differentiates(first_order, cotangent, *arguments, order=order - 1, seed=seed + 1, rtol=rtol,
                              directions=directions, step=step)


def hessian_vector_product(loss, arguments, vectors):
    def slope(arguments):
        return sum(np.sum(v * g) for v, g in zip(vectors, grad(loss)(arguments), strict=True))

    return grad(slope)(arguments)
