"""What holds for every primitive, layer and network: right derivatives, steady types, and tasks kept apart."""

from functools import partial

import numpy
import pytest

from fewshot_np.nn import primitives
from fewshot_np.nn.layers import average_pool, batch_norm, conv, dense, flatten, pooled_batch_norm
from fewshot_np.nn.networks import conv4, mlp
from fewshot_np.nn.trees import grad, leaves, tree_map
from tests.nn.derivatives import (
    assert_close,
    assert_differentiates,
    distinct,
    gradients,
    hessian_vector_product,
    normal,
    rebuilt,
    weighted_sum,
)

pytestmark = pytest.mark.filterwarnings("ignore:Output seems independent of input")
TASKS = 3
IMAGES, FEATURES, CHANNEL = (4, 3, 2, 2), (5, 2), (2,)
CONV_LAYER = [(2, 7, 5, 2), (3, 3, 2, 3), (3,)]


def cross_entropy_of_fixed_labels(logits):
    return primitives.cross_entropy(logits, numpy.broadcast_to([2, 0, 1, 2], logits.shape[:-1]))


def layer(f, *names, **options):
    """f(params, x) as a function of x and of each parameter."""
    return lambda x, *arrays: f(dict(zip(names, arrays, strict=True)), x, **options)


def network(net, x_shape, **options):
    """(net.apply as a function of x and of each parameter, their shapes)."""
    params = net.init(numpy.random.default_rng(0))
    return (lambda x, *arrays: net.apply(rebuilt(params, arrays), x, **options),
            x_shape, *(leaf.shape for leaf in leaves(params)))


# name: (function of the arrays, the shape of each array for one task)
PRIMITIVES = {
    "relu": (primitives.relu, (4, 3)),
    "log_softmax": (primitives.log_softmax, (4, 3)),
    "softmax": (primitives.softmax, (4, 3)),
    "rms_norm": (primitives.rms_norm, (4, 3)),
    "safe_norm": (primitives.safe_norm, (4, 3)),
    "cross_entropy": (cross_entropy_of_fixed_labels, (4, 3)),
    "add_scaled": (lambda p, g: primitives.add_scaled(p, 0.3, g), (4, 3), (4, 3)),
    "linear": (primitives.linear, (4, 3), (3, 5)),
    "linear with b": (primitives.linear, (4, 3), (3, 5), (5,)),
    "attention": (primitives.attention, (4, 3), (5, 3), (5, 2)),
    **{f"conv2d stride {stride} {padding} {kernel[0]}x{kernel[1]}":
       (partial(primitives.conv2d, stride=stride, padding=padding), (2, 7, 5, 2), (*kernel, 2, 3))
       for stride in (1, 2) for padding in ("valid", "same") for kernel in ((3, 3), (2, 3), (1, 1))},
    "max_pool2d": (primitives.max_pool2d, (2, 7, 5, 2)),
    "max_pool2d size 3": (partial(primitives.max_pool2d, size=3), (2, 7, 5, 2)),
    "scale images": (primitives.scale, IMAGES, CHANNEL),
    "scale features": (primitives.scale, FEATURES, CHANNEL),
    "shift images": (primitives.shift, IMAGES, CHANNEL),
    "shift features": (primitives.shift, FEATURES, CHANNEL),
    "scale_and_shift": (primitives.scale_and_shift, IMAGES, CHANNEL, CHANNEL),
    "standardize images": (primitives.standardize, IMAGES),
    "standardize features": (primitives.standardize, FEATURES),
    **{f"standardize images n_reference {n}": (partial(primitives.standardize, n_reference=n), IMAGES)
       for n in (1, 2, 4)},
    "standardize features n_reference": (partial(primitives.standardize, n_reference=3), FEATURES),
    "standardize eps 1": (partial(primitives.standardize, eps=1.0), IMAGES),
    "mean": (lambda x: primitives.mean_and_inverse_std(x)[0], IMAGES),
    "inverse_std": (lambda x: primitives.mean_and_inverse_std(x)[1], FEATURES),
}
LAYERS = {
    "conv": (layer(conv, "w", "b"), *CONV_LAYER),
    "conv stride 2 same": (layer(conv, "w", "b", stride=2, padding="same"), *CONV_LAYER),
    "dense": (layer(dense, "w", "b"), (4, 3), (3, 5), (5,)),
    **{f"batch_norm {len(x)} {n}": (layer(batch_norm, "gamma", "beta", n_reference=n), x, CHANNEL, CHANNEL)
       for x in (IMAGES, FEATURES) for n in (None, 3)},
    "pooled_batch_norm": (layer(pooled_batch_norm, "gamma", "beta"), (4, 5, 4, 2), CHANNEL, CHANNEL),
    "flatten": (flatten, (2, 3, 2, 2)),
    "average_pool": (average_pool, (2, 3, 2, 2)),
}
NETWORKS = {
    **{f"conv4 {down} {features} {outputs} {n}": network(
        conv4((16, 17, 2), outputs=outputs, channels=2, down=down, features=features), (5, 16, 17, 2), n_reference=n)
       for down, features, outputs in (("pool", "flatten", 3), ("pool", "mean", None), ("stride", "mean", 3),
                                       ("stride", "flatten", None)) for n in (None, 3)},
    "mlp": network(mlp((3, 5, 4, 2)), (6, 3)),
}


def arrays_of(name, shapes, form):
    """form "no tasks", "tasks in x" (shared parameters) or "tasks everywhere"."""
    with_tasks = {"no tasks": 0, "tasks in x": 1, "tasks everywhere": len(shapes)}[form]
    make = distinct if name.startswith(("relu", "max_pool")) else normal
    return [make(*((TASKS,) if i < with_tasks else ()), *shape) for i, shape in enumerate(shapes)]


def every(*tables, forms=("no tasks", "tasks in x", "tasks everywhere")):
    """Parameters (name, f, arrays) for each function in these tables, in each form that it has."""
    return pytest.mark.parametrize(("name", "f", "arrays"), [
        pytest.param(name, f, arrays_of(name, shapes, form), id=f"{name}, {form}")
        for table in tables for name, (f, *shapes) in table.items() for form in forms
        if form != "tasks in x" or (len(shapes) > 1 and name != "add_scaled")])


@every(PRIMITIVES, LAYERS, NETWORKS)
def test_derivatives_match_finite_differences_to_second_order_and_of_primitives_to_third(name, f, arrays):
    step, rtol = (1e-6, 1e-5) if name in NETWORKS else (1e-5, 2e-6)
    assert_differentiates(f, *arrays, order=3 if name in PRIMITIVES or name == "mlp" else 2, step=step, rtol=rtol)


@every(PRIMITIVES, LAYERS, NETWORKS)
def test_float32_is_kept_in_every_derivative_and_agrees_with_float64(name, f, arrays):
    cotangent = normal(*numpy.shape(f(*arrays)), seed=1)
    results = (results_in(dtype, f, arrays, cotangent) for dtype in (numpy.float32, numpy.float64))
    for i, (single, double) in enumerate(zip(*results, strict=True)):
        assert_close(single, double, 1e-2 if name in NETWORKS else 1e-5 if i <= len(arrays) else 1e-3)


def results_in(dtype, f, arrays, cotangent):
    """The value and the gradients, then the same after an inner step, all of this type."""
    cotangent, tree = numpy.asarray(cotangent, dtype), {i: a.astype(dtype) for i, a in enumerate(arrays)}

    def loss(tree):
        return weighted_sum(f, cotangent, tree.values())

    def meta_loss(tree):
        return loss(tree_map(lambda p, g: p - 0.1 * g, tree, grad(loss)(tree)))

    # not autograd's `grad`: it would add the gradient of a dict or tuple to zeros of the right type
    results = [f(*tree.values()), *leaves(grad(loss)(tree)), meta_loss(tree), *leaves(grad(meta_loss)(tree))]
    assert {result.dtype for result in results} == {numpy.dtype(dtype)}
    return results


@every(PRIMITIVES, LAYERS, NETWORKS, forms=("tasks in x", "tasks everywhere"))
def test_tasks_at_once_are_the_tasks_one_by_one(name, f, arrays):
    _, *shapes = (PRIMITIVES | LAYERS | NETWORKS)[name]
    has_tasks = [array.ndim > len(shape) for array, shape in zip(arrays, shapes, strict=True)]

    def of_task(task, arrays):
        return tuple(array[task] if own else array for array, own in zip(arrays, has_tasks, strict=True))

    def derivatives(arrays, cotangent, vectors):  # of first and second order
        return [*gradients(f, arrays, cotangent),
                *hessian_vector_product(partial(weighted_sum, f, cotangent), tuple(arrays), vectors)]

    value, vectors = f(*arrays), [normal(*array.shape, seed=2) for array in arrays]
    cotangent = normal(*value.shape, seed=1)
    alone = []
    for task in range(TASKS):
        assert_close(f(*of_task(task, arrays)), value[task])
        alone.append(derivatives(of_task(task, arrays), cotangent[task], of_task(task, vectors)))
    for own, whole, *parts in zip(2 * has_tasks, derivatives(arrays, cotangent, vectors), *alone, strict=True):
        assert_close(whole, numpy.stack(parts) if own else sum(parts), 1e-8)


def test_add_scaled_differentiates_in_a_rate_that_is_broadcast():
    p, rate, g = normal(3, 4, 2), normal(3, 1, 1), normal(3, 4, 2, seed=1)
    assert_close(primitives.add_scaled(p, rate, g), p + rate * g)
    assert_differentiates(primitives.add_scaled, p, rate, g)
