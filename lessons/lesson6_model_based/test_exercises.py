"""What the answers to lesson 6's exercises on model-based learning are compared with, and on what."""

import numpy as onp
from autograd import numpy as np

from fewshot_np.lesson6_model_based import neural_process as lesson  # the page: `add_point` gets another encoder below
from lessons.teacher.checking import case, exercise

# ---------------------------------------------------------------- the networks that the answers are given


def two_numbers(params, pairs):
    return np.stack([pairs[..., 0] * pairs[..., 1], pairs[..., 1]], axis=-1)


def small_encoder(params, pairs):
    return np.tanh(np.matmul(pairs, params["w"]) + params["b"])


def r_and_twice_x(params, rows):
    return rows[..., :1] + 2 * rows[..., 1:]


def small_decoder(params, rows):
    return np.matmul(np.tanh(np.matmul(rows, params["w"])), params["v"])


def rows_of_any_shape(network):
    """The library's network for rows (..., D), so that a loop may also ask about one row (D,)."""
    def library_network(params, rows):
        out = network.apply(params, np.reshape(rows, (-1, rows.shape[-1])))
        return np.reshape(out, (*rows.shape[:-1], -1))
    return library_network


# ---------------------------------------------------------------- encoder and decoder
#
# The library's have networks of a fixed size. The references take any; one case of each is the library's own result.


def encode_with(h, params, x, y):
    each = h(params, np.concatenate([x, y], axis=-1))
    return np.sum(each, axis=-2) * (1 / x.shape[-2])


def in_float64(tree):
    return {key: in_float64(leaf) if isinstance(leaf, dict) else leaf.astype(float) for key, leaf in tree.items()}


@exercise("model_based.1", encode_with, gradients=("params", "x", "y"))
def test_encode(rng):
    yield case("by hand", expected=[[9.5, 6.0]], h=two_numbers, params={}, x=np.array([[[1.0], [2.0]]]),
               y=np.array([[[5.0], [7.0]]]))
    params = {"w": rng.normal(size=(2, 4)), "b": rng.normal(size=4)}
    x, y = rng.normal(size=(2, 3, 5, 1))  # K - 1 is not T
    yield case("3 tasks, 5 examples, R = 4", h=small_encoder, params=params, x=x, y=y)
    yield case("one example", h=small_encoder, params=params, x=x[:, :1], y=y[:, :1])
    order = [3, 0, 4, 1, 2]
    yield case("the examples in another order", expected=encode_with(small_encoder, params, x, y), h=small_encoder,
               params=params, x=x[:, order], y=y[:, order])
    library = {"encoder": in_float64(lesson.init(onp.random.default_rng(0))["encoder"])}
    yield case("the library's encoder, R = 64", expected=lesson.encode(library, x[:2], y[:2]),
               h=rows_of_any_shape(lesson.ENCODER), params=library["encoder"], x=x[:2], y=y[:2])


def decode_with(g, params, r, x):
    each = np.expand_dims(r, -2) * onp.ones((x.shape[-2], 1))
    return g(params, np.concatenate([each, x], axis=-1))


@exercise("model_based.2", decode_with, gradients=("params", "r", "x"))
def test_decode(rng):
    yield case("by hand", expected=[[[12.0], [14.0], [16.0]], [[22.0], [20.0], [28.0]]], g=r_and_twice_x, params={},
               r=np.array([[10.0], [20.0]]), x=np.array([[[1.0], [2.0], [3.0]], [[1.0], [0.0], [4.0]]]))
    params = {"w": rng.normal(size=(4, 6)), "v": rng.normal(size=(6, 1))}
    r, x = rng.normal(size=(2, 3)), rng.normal(size=(2, 5, 1))
    yield case("2 tasks, 5 queries, R = 3", g=small_decoder, params=params, r=r, x=x)
    yield case("one query", g=small_decoder, params=params, r=r, x=x[:, :1])
    library = {"decoder": in_float64(lesson.init(onp.random.default_rng(0))["decoder"])}
    r = rng.normal(size=(2, lesson.WIDTH))
    yield case("the library's decoder, R = 64", expected=lesson.decode(library, r, x),
               g=rows_of_any_shape(lesson.DECODER), params=library["decoder"], r=r, x=x)


# ---------------------------------------------------------------- one example more


def add_by_the_library(r, n_points, r_new):
    """The library's `add_point`, whose encoder is replaced by one that knows the new example's vector."""
    encode, lesson.encode = lesson.encode, lambda params, x, y: r_new
    try:
        return lesson.add_point(None, r, n_points, None, None)
    finally:
        lesson.encode = encode


@exercise("model_based.3", add_by_the_library)
def test_add_point(rng):
    yield case("by hand", expected=[5.0], r=np.array([4.0]), n_points=3, r_new=np.array([8.0]))
    vectors = rng.normal(size=(8, 5))
    yield case("the mean of 8", expected=vectors.mean(axis=0), r=vectors[:7].mean(axis=0), n_points=7, r_new=vectors[7])
    yield case("3 examples, R = 4", r=rng.normal(size=4), n_points=3, r_new=rng.normal(size=4))
    yield case("the second example", r=rng.normal(size=4), n_points=1, r_new=rng.normal(size=4))
    for name, r in [("", 7.0), (", after the mean of nothing", np.nan), (", after infinity", np.inf)]:
        yield case(f"the first example{name}", expected=[3.0, -1.0], r=np.array([r, r]), n_points=0,
                   r_new=np.array([3.0, -1.0]))
