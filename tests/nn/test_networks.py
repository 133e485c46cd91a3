"""Networks: conv4 in all its forms and mlp, against loops. (Their derivatives and tasks: `test_every_function.py`.)"""


import numpy
import pytest

from fewshot_np.nn.networks import conv4, mlp
from fewshot_np.nn.trees import leaves, repeat
from tests.nn import slow
from tests.nn.derivatives import assert_close
from tests.scaffolding import shaken

SHAPE = (17, 19, 3)
LABELS = numpy.array([0, 1, 2, 1, 0])
FORMS = [(down, features, outputs) for down in ("pool", "stride") for features in ("flatten", "mean")
         for outputs in (None, 3)]
every_form = pytest.mark.parametrize(("down", "features", "outputs"), FORMS)
every_down = pytest.mark.parametrize("down", ["pool", "stride"])
every_reference = pytest.mark.parametrize("n_reference", [None, 3])


def generator(seed=0):
    return numpy.random.default_rng(seed)


def images(*leading, shape=SHAPE, seed=0, dtype=numpy.float64):
    return generator([seed, *leading]).uniform(size=(*leading, *shape)).astype(dtype)


def small_conv4(down="stride", features="mean", outputs=3, channels=3, shape=SHAPE):
    return conv4(shape, outputs=outputs, channels=channels, down=down, features=features)


# ---------------------------------------------------------------- parameters


@every_form
def test_conv4_has_the_parameters_of_four_blocks_and_a_head_only_for_outputs(down, features, outputs):
    params = small_conv4(down, features, outputs, channels=6).init(generator())
    blocks = ["block1", "block2", "block3", "block4"]
    assert list(params) == blocks + ([] if outputs is None else ["head"])
    for block in blocks:
        shapes = {name: array.shape for name, array in params[block].items()}
        assert shapes == {"w": (3, 3, 3 if block == "block1" else 6, 6), "gamma": (6,), "beta": (6,)}
        numpy.testing.assert_array_equal(params[block]["gamma"], 1)
        numpy.testing.assert_array_equal(params[block]["beta"], 0)
    if outputs is not None:
        pixels = 2 * 2 if (down, features) == ("stride", "flatten") else 1
        assert params["head"]["w"].shape == (6 * pixels, 3)
        numpy.testing.assert_array_equal(params["head"]["b"], numpy.zeros(3))


def test_conv4_on_omniglot_has_the_published_sizes():
    params = conv4().init(generator())
    assert conv4().apply(params, images(2, shape=(28, 28, 1), dtype="float32")).shape == (2, 64)
    assert sum(leaf.size for leaf in leaves(params)) == 9 * 64 + 3 * 9 * 64 * 64 + 4 * 2 * 64


def test_mlp_has_numbered_layers_and_a_head():
    params = mlp((1, 40, 30, 2)).init(generator())
    shapes = {name: (layer["w"].shape, layer["b"].shape) for name, layer in params.items()}
    assert shapes == {"dense1": ((1, 40), (40,)), "dense2": ((40, 30), (30,)), "head": ((30, 2), (2,))}
    assert not any(layer["b"].any() for layer in params.values())


@pytest.mark.parametrize("network", [small_conv4(), mlp((4, 5, 2))], ids=["conv4", "mlp"])
def test_init_is_float32_and_decided_by_the_generator_alone(network):
    first, second, other = network.init(generator()), network.init(generator()), network.init(generator(1))
    assert all(leaf.dtype == numpy.float32 for leaf in leaves(first))
    assert all(numpy.array_equal(a, b) for a, b in zip(leaves(first), leaves(second), strict=True))
    assert not any(numpy.array_equal(first[layer]["w"], other[layer]["w"]) for layer in first)


def test_init_has_he_scale_before_a_relu_and_moderate_logits():
    convolutions = conv4((28, 28, 3), channels=64).init(generator())
    dense = mlp((400, 300, 400, 300)).init(generator())
    for w, variance in ((convolutions["block1"]["w"], 2 / 27), (convolutions["block2"]["w"], 2 / 576),
                        (convolutions["block4"]["w"], 2 / 576), (dense["dense1"]["w"], 2 / 400),
                        (dense["head"]["w"], 1 / 400)):
        numpy.testing.assert_allclose(w.std(), variance ** 0.5, rtol=0.05)
        assert abs(w.mean()) < 4 * w.std() / numpy.sqrt(w.size)


# ---------------------------------------------------------------- values and meta-gradients


@every_form
@every_reference
@pytest.mark.parametrize("shape", [(17, 19, 3), (16, 23, 1)])
def test_conv4_is_the_loops(down, features, outputs, n_reference, shape):
    network, x = small_conv4(down, features, outputs, shape=shape), images(4, shape=shape)
    params = shaken(network.init(generator()))
    assert_close(network.apply(params, x, n_reference), slow.conv4(params, x, down, features, n_reference), 1e-8)


def test_mlp_is_the_loops():
    network, x = mlp((4, 6, 5, 2)), generator().normal(size=(7, 4))
    params = shaken(network.init(generator()))
    for n_reference in (None, 3):
        assert_close(network.apply(params, x, n_reference), slow.mlp(params, x))


# ---------------------------------------------------------------- complaints


@pytest.mark.parametrize(("options", "message"), [
    ({"down": "avg"}, r"avg.*|pool.*stride"), ({"features": "max"}, r"max.*|flatten.*mean"),
    ({"input_shape": (8, 8, 1)}, r"8"), ({"input_shape": (28, 15, 1)}, r"15"), ({"input_shape": (28, 28)}, r"28"),
    ({"outputs": 0}, r"0"), ({"channels": 0}, r"0"),
], ids=str)
def test_conv4_says_what_is_wrong_with_its_options(options, message):
    with pytest.raises(ValueError, match=message):
        conv4(**options)


@pytest.mark.parametrize(("x", "n_reference", "message"), [
    pytest.param(images(2, shape=(17, 19, 1)), None, r"17, 19, 3", id="channels"),
    pytest.param(images(2, shape=(28, 28, 3)), None, r"17, 19, 3.*28, 28, 3", id="size"),
    pytest.param(images(), None, r"\(17, 19, 3\)", id="one image without an image axis"),
    pytest.param(images(1, 1, 2), None, r"\(1, 1, 2, 17, 19, 3\)", id="rank 6"),
    pytest.param((255 * images(2)).astype(numpy.uint8), None, r"floats.*got uint8", id="uint8"),
    pytest.param(images(2) * numpy.nan, None, r"(?i)nan", id="NaN"),
    pytest.param(images(2), 0, r"(?i)n_reference.*0", id="n_reference 0"),
    pytest.param(images(2), 3, r"(?i)n_reference.*3", id="n_reference above M"),
    pytest.param(images(2), 1.0, r"(?i)n_reference.*1\.0", id="n_reference of no integer type"),
])
@every_down
def test_conv4_says_what_is_wrong_with_the_images(x, n_reference, message, down):
    network = small_conv4(down)
    with pytest.raises(ValueError, match=message):
        network.apply(network.init(generator()), x, n_reference)


@pytest.mark.parametrize(("network", "n_tasks", "x"), [
    pytest.param(small_conv4(), 3, images(2, 5), id="conv4, T differs"),
    pytest.param(small_conv4(), 5, images(5), id="conv4, images without tasks"),
    pytest.param(mlp((3, 5, 2)), 3, numpy.zeros((2, 6, 3)), id="mlp, T differs"),
])
def test_networks_say_when_the_task_axes_differ(network, n_tasks, x):
    with pytest.raises(ValueError, match=r"(?i)task"):
        network.apply(repeat(network.init(generator()), n_tasks), x)


@pytest.mark.parametrize("sizes", [(), (3,), (3, 0, 2), (3, 1.5)])
def test_mlp_says_what_is_wrong_with_its_sizes_and_its_input(sizes):
    with pytest.raises(ValueError, match=r"(?i)size"):
        mlp(sizes)
    network = mlp((3, 5, 2))
    with pytest.raises(ValueError, match=r"4\D.*3|3\D.*4"):
        network.apply(network.init(generator()), numpy.zeros((6, 4)))
