"""What the answers to lesson 1's exercises are compared with, and on what."""

import numpy as np
from autograd import make_vjp

from fewshot_np import lesson1_data_hunger as lesson1
from fewshot_np.nn.networks import mlp
from fewshot_np.nn.primitives import cross_entropy, max_pool2d
from fewshot_np.nn.trees import leaves
from lessons.teacher.checking import case, exercise


def parameters_of_a_dense_layer(n_inputs, n_outputs):
    return sum(leaf.size for leaf in leaves(mlp([n_inputs, n_outputs]).init(np.random.default_rng(0))))


@exercise("hunger.1", parameters_of_a_dense_layer, solved=True)
def test_count_parameters(rng):
    yield case("by hand", expected=8, n_inputs=3, n_outputs=2)
    yield case("the last layer of a network for 5 classes", expected=645, n_inputs=128, n_outputs=5)
    yield case("one input, one output", expected=2, n_inputs=1, n_outputs=1)


@exercise("hunger.2", lesson1.dense, gradients=("x", "w", "b"), order=2)
def test_dense(rng):
    yield case("by hand", expected=[[13.0, 28.0, 33.0]], x=np.array([[1.0, 2.0]]),
               w=np.array([[3.0, 0.0, 1.0], [0.0, 4.0, 1.0]]), b=np.array([10.0, 20.0, 30.0]))
    yield case("5 examples, 4 inputs, 3 outputs", x=rng.normal(size=(5, 4)), w=rng.normal(size=(4, 3)),
               b=rng.normal(size=3))
    yield case("one input, one output", x=rng.normal(size=(3, 1)), w=rng.normal(size=(1, 1)), b=rng.normal(size=1))


def derivative_of_dense(x, w, g):
    return tuple(make_vjp(lambda xwb: lesson1.dense(*xwb))((x, w, np.zeros(w.shape[1])))[0](g))


@exercise("hunger.3", derivative_of_dense)
def test_dense_vjp(rng):
    yield case("by hand", expected=(np.array([[30.0]]), np.array([[20.0]]), np.array([10.0])),
               x=np.array([[2.0]]), w=np.array([[3.0]]), g=np.array([[10.0]]))
    yield case("two examples, by hand", expected=(np.array([[2.0], [4.0]]), np.array([[11.0]]), np.array([3.0])),
               x=np.array([[3.0], [4.0]]), w=np.array([[2.0]]), g=np.array([[1.0], [2.0]]))
    yield case("5 examples, 4 inputs, 3 outputs", x=rng.normal(size=(5, 4)), w=rng.normal(size=(4, 3)),
               g=rng.normal(size=(5, 3)))


@exercise("hunger.4", cross_entropy, gradients=("logits",), order=2)
def test_cross_entropy(rng):
    quarters = rng.integers(0, 12, size=(4, 3)) / 4  # exact in float32, too, when 1000 is added
    unlike = np.array([[0.0, 1.0, 2.0], [2000.0, 2001.0, 2003.0]])
    yield case("by hand", expected=np.log(4.0), logits=np.array([[0.0, np.log(3.0)]]), labels=np.array([0]))
    yield case("5 examples, 3 classes", logits=rng.normal(size=(5, 3)), labels=np.array([2, 0, 1, 1, 0]))
    yield case("logits about 1000", logits=1000 + quarters, labels=np.array([2, 1, 0, 1]))
    yield case("one example far above another", logits=unlike, labels=np.array([1, 0]))
    yield case("a label that seemed impossible", expected=400.0, logits=np.array([[0.0, 800.0], [300.0, 300.0 - 800]]),
               labels=np.array([0, 0]))
    yield case("one class", expected=0.0, logits=rng.normal(size=(3, 1)), labels=np.zeros(3, int))


@exercise("hunger.5", lesson1.conv2d_loops, gradients=("x", "w"))
def test_conv2d(rng):
    yield case("by hand", expected=np.array([12.0, 34.0]).reshape(1, 1, 2, 1),
               x=np.arange(1.0, 5.0).reshape(1, 1, 4, 1), w=np.array([10.0, 1.0]).reshape(1, 2, 1, 1), stride=2)
    yield case("one channel, 3 x 3 kernel", x=rng.normal(size=(1, 4, 5, 1)), w=rng.normal(size=(3, 3, 1, 1)), stride=1)
    yield case("2 channels, 3 filters of 2 x 3", x=rng.normal(size=(2, 4, 5, 2)), w=rng.normal(size=(2, 3, 2, 3)),
               stride=1)
    yield case("stride 2", x=rng.normal(size=(1, 6, 7, 2)), w=rng.normal(size=(3, 2, 2, 3)), stride=2)
    yield case("a kernel as large as the image", x=rng.normal(size=(2, 3, 2, 2)), w=rng.normal(size=(3, 2, 2, 1)),
               stride=1)


@exercise("hunger.6", lesson1.im2col, gradients=("x",))
def test_im2col(rng):
    yield case("by hand", expected=np.array([[1.0, 2, 4, 5], [2, 3, 5, 6]]).reshape(1, 1, 2, 4),
               x=np.arange(1.0, 7.0).reshape(1, 2, 3, 1), kh=2, kw=2)
    yield case("2 channels, 2 x 2 kernel", x=rng.normal(size=(2, 4, 4, 2)), kh=2, kw=2)
    yield case("3 channels, 2 x 3 kernel", x=rng.normal(size=(2, 5, 6, 3)), kh=2, kw=3)
    yield case("a kernel of one pixel", x=rng.normal(size=(2, 3, 2, 2)), kh=1, kw=1)


def derivative_of_max_pool(x, g):
    return make_vjp(max_pool2d)(x)[0](g)


@exercise("hunger.7", derivative_of_max_pool)
def test_max_pool_vjp(rng):
    yield case("by hand", expected=np.array([[0.0, 7.0], [0.0, 0.0]]).reshape(1, 2, 2, 1),
               x=np.array([[1.0, 5.0], [2.0, 5.0]]).reshape(1, 2, 2, 1), g=np.array(7.0).reshape(1, 1, 1, 1))
    yield case("2 images of 4 x 6, 3 channels", x=rng.normal(size=(2, 4, 6, 3)), g=rng.normal(size=(2, 2, 3, 3)))
    yield case("5 x 3 pixels: the last row and column are left out", x=rng.normal(size=(2, 5, 3, 2)),
               g=rng.normal(size=(2, 2, 1, 2)))
    yield case("only negative pixels", x=-1 - rng.random(size=(1, 4, 2, 2)), g=rng.normal(size=(1, 2, 1, 2)))
    yield case("pixels that are nearly equal", x=1 + 2.0 ** -20 * rng.permutation(16).reshape(1, 4, 4, 1),
               g=rng.normal(size=(1, 2, 2, 1)))  # exact in float32, too
    yield case("many ties", x=rng.integers(0, 2, size=(2, 4, 4, 2)).astype(float), g=rng.normal(size=(2, 2, 2, 2)))
