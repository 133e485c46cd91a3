"""The document's network against loops and differences, and the best that its one number can do."""

import numpy as onp
import pytest
from autograd import numpy as np

from fewshot_np import lesson5_project as lesson
from fewshot_np.nn.trees import grad, leaves, tree_map
from tests.lesson5_project.parts import random_params, small_classes
from tests.nn.derivatives import assert_close
from tests.scaffolding import assert_slope


def conv_relu_by_loops(x, layer):
    height, width = x.shape[0] - 2, x.shape[1] - 2
    y = [[sum(x[i + di, j + dj] @ layer["w"][di, dj] for di in range(3) for dj in range(3)) + layer["b"]
          for j in range(width)] for i in range(height)]
    return onp.maximum(y, 0)


def pool_by_loops(x):
    return onp.array([[x[2 * i:2 * i + 2, 2 * j:2 * j + 2].max(axis=(0, 1)) for j in range(x.shape[1] // 2)]
                      for i in range(x.shape[0] // 2)])


@pytest.mark.parametrize("input_shape", [(28, 28, 1), (13, 11, 2)])
def test_forward_pass_by_loops(input_shape):
    params = tree_map(lambda p: p.astype(float), random_params(input_shape))
    images = onp.random.default_rng(1).random((2, *input_shape))
    apply, outputs = lesson.siamese_network(input_shape).apply, []
    for image in images:
        maps = pool_by_loops(conv_relu_by_loops(image, params["conv1"]))
        flat = pool_by_loops(conv_relu_by_loops(maps, params["conv2"])).ravel()
        e = onp.maximum(flat @ params["dense"]["w"] + params["dense"]["b"], 0)
        outputs.append(1 / (1 + onp.exp(-(e @ params["head"]["w"] + params["head"]["b"]))))
    assert_close(apply(params, images), outputs)


def test_gradients_by_differences():
    params, images = tree_map(lambda p: p.astype(float), random_params((11, 10, 2))), onp.ones((2, 11, 10, 2))
    images[0] = onp.random.default_rng(1).random((11, 10, 2))
    apply = lesson.siamese_network((11, 10, 2)).apply
    assert_slope(lambda p: np.sum(onp.array([[1.3], [-0.7]]) * apply(p, images)), params, eps=1e-7, rtol=1e-5)


def test_it_has_the_documents_parameters():
    params = lesson.siamese_network((28, 28, 1)).init(onp.random.default_rng(0))
    assert {name: lesson.n_parameters(layer) for name, layer in params.items()} == {
        "conv1": 640, "conv2": 73856, "dense": 409728, "head": 129}
    assert lesson.n_parameters(params) == 484353
    assert all(number in lesson.network.__doc__ for number in ("640", "73,856", "409,728", "129", "484,353"))
    assert {leaf.dtype for leaf in leaves(params)} == {onp.dtype("float32")}


def test_tasks_and_batches_at_once_are_one_by_one_and_float32():
    params, images = random_params(), onp.random.default_rng(1).random((3, 2, 28, 28, 1), dtype="float32")
    apply = lesson.siamese_network().apply
    together = apply(params, images)
    assert together.shape == (3, 2, 1)
    assert together.dtype == onp.float32
    assert ((together > 0) & (together < 1)).all()
    onp.testing.assert_allclose(together, [apply(params, task) for task in images], rtol=1e-5)
    stored = small_classes().images
    whole = lesson.embedding(params, stored.astype("float32") / 255)
    onp.testing.assert_allclose(lesson.embed_images(params, stored, batch=7), whole, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(9, 28, 1), (28, 28), (28, 28, 0)])
def test_shapes_that_it_cannot_take_are_refused(shape):
    with pytest.raises(ValueError, match="H and W of 10 or more"):
        lesson.siamese_network(shape)
    with pytest.raises(ValueError, match=r"needs images \(28, 28, 1\)"):
        lesson.siamese_network().apply(random_params(), onp.zeros((2, 27, 28, 1), "float32"))


def test_the_sigmoid_does_not_overflow():
    z = onp.array([-200, -3, 0, 3, 200], "float32")
    with onp.errstate(over="raise", invalid="raise"):
        onp.testing.assert_allclose(lesson.sigmoid(z), [0, 0.04742587, 0.5, 0.95257413, 1], atol=1e-7)
        slopes = grad(lambda z: np.sum(lesson.sigmoid(z)))(z)
    onp.testing.assert_allclose(slopes, [0, 0.04517666, 0.25, 0.04517666, 0], atol=1e-7)
    assert slopes.dtype == onp.float32


def test_the_best_that_one_number_can_do():
    """The spread of the page, on a grid: no character gains by moving, and the kernel is convex."""
    x = onp.linspace(0, 1, 201)
    kernel = (1 - onp.abs(x[:, None] - x)) ** 2
    best = onp.full(len(x), 0.5 / len(x))
    best[[0, -1]] += 0.25
    assert abs(best @ kernel @ best - lesson.BEST_PUSH) < 5e-3
    assert onp.ptp(kernel @ best) < 1e-2
    assert onp.linalg.eigvalsh(kernel).min() > -1e-9          # what cannot be improved is the minimum
