"""Networks: conv4 in all its forms and mlp, against loops, finite differences and one task at a time."""

import pickle

import autograd.numpy as np
import numpy
import pytest
from autograd import grad

from fewshot_np.nn.networks import Network, conv4, mlp
from fewshot_np.nn.primitives import cross_entropy
from fewshot_np.nn.trees import repeat, tree_map
from tests.nn import slow
from tests.nn.derivatives import assert_close, assert_differentiates

FORMS = [
    pytest.param(down, features, outputs, id=f"{down} {features} {outputs}")
    for down in ("pool", "stride")
    for features in ("flatten", "mean")
    for outputs in (None, 3)
]
every_form = pytest.mark.parametrize(("down", "features", "outputs"), FORMS)
every_down = pytest.mark.parametrize("down", ["pool", "stride"])
every_reference = pytest.mark.parametrize("n_reference", [None, 3])
SHAPE = (17, 19, 3)
LABELS = numpy.array([0, 1, 2, 1, 0])


def generator(seed=0):
    return numpy.random.default_rng(seed)


def images(*leading, shape=SHAPE, seed=0, dtype=numpy.float64):
    return generator([seed, *leading]).uniform(size=(*leading, *shape)).astype(dtype)


def of_type(params, dtype):
    return tree_map(lambda p: p.astype(dtype), params)


def shaken(params, seed=1, n_tasks=None):
    """float64 parameters away from the special values 0 and 1; with n_tasks, other ones for every task."""
    rng = generator(seed)
    leading = () if n_tasks is None else (n_tasks,)
    return tree_map(lambda p: p.astype(float) + 0.1 * rng.normal(size=(*leading, *p.shape)), params)


def task_of(params, task):
    return tree_map(lambda p: p[task], params)


def leaves(tree):
    return [leaf for key in tree for leaf in leaves(tree[key])] if isinstance(tree, dict) else [tree]


def rebuilt(tree, arrays):
    arrays = iter(arrays)

    def build(tree):
        return {key: build(value) for key, value in tree.items()} if isinstance(tree, dict) else next(arrays)

    return build(tree)


def small_conv4(down="stride", features="mean", outputs=3, channels=3, shape=SHAPE):
    return conv4(shape, outputs=outputs, channels=channels, down=down, features=features)


def meta_loss(network, labels, inner_lr=0.3, n_reference=None):
    """(params, x) -> the loss after one gradient step, summed over tasks."""

    def loss(params, x):
        return np.sum(cross_entropy(network.apply(params, x, n_reference), labels))

    def after_a_step(params, x):
        return loss(tree_map(lambda p, g: p - inner_lr * g, params, grad(loss)(params, x)), x)

    return loss, after_a_step


# ---------------------------------------------------------------- parameters


@every_form
def test_conv4_has_the_parameters_of_four_blocks_and_a_head_only_for_outputs(down, features, outputs):
    params = small_conv4(down, features, outputs, channels=6).init(generator())
    blocks = ["block1", "block2", "block3", "block4"]
    assert list(params) == blocks + ([] if outputs is None else ["head"])
    for block in blocks:
        depth = 3 if block == "block1" else 6
        shapes = {name: array.shape for name, array in params[block].items()}
        assert shapes == {"w": (3, 3, depth, 6), "gamma": (6,), "beta": (6,)}
        numpy.testing.assert_array_equal(params[block]["gamma"], 1)
        numpy.testing.assert_array_equal(params[block]["beta"], 0)
    if outputs is not None:
        pixels = {("pool", "flatten"): 1 * 1, ("stride", "flatten"): 2 * 2}.get((down, features), 1)
        assert params["head"]["w"].shape == (6 * pixels, 3)
        numpy.testing.assert_array_equal(params["head"]["b"], numpy.zeros(3))


def count(network):
    return sum(leaf.size for leaf in leaves(network.init(generator())))


def test_conv4_on_omniglot_has_the_published_sizes():
    x = images(2, shape=(28, 28, 1), dtype=numpy.float32)
    network = conv4()
    assert network.apply(network.init(generator()), x).shape == (2, 64)
    assert count(conv4()) == 9 * 64 + 3 * 9 * 64 * 64 + 4 * 2 * 64
    assert count(conv4(outputs=5, down="stride", features="mean")) == count(conv4()) + 5 * 64 + 5
    assert count(conv4(outputs=5, down="stride")) == count(conv4()) + 5 * 4 * 64 + 5


def test_mlp_has_numbered_layers_and_a_head():
    params = mlp((1, 40, 30, 2)).init(generator())
    shapes = {name: (layer["w"].shape, layer["b"].shape) for name, layer in params.items()}
    expected = {"dense1": ((1, 40), (40,)), "dense2": ((40, 30), (30,)), "head": ((30, 2), (2,))}
    assert shapes == expected
    assert not any(layer["b"].any() for layer in params.values())


@pytest.mark.parametrize("network", [small_conv4(), mlp((4, 5, 2))], ids=["conv4", "mlp"])
def test_init_is_float32_and_decided_by_the_generator_alone(network):
    first, second, other = network.init(generator()), network.init(generator()), network.init(generator(1))
    assert all(leaf.dtype == numpy.float32 for leaf in leaves(first))
    assert all(numpy.array_equal(a, b) for a, b in zip(leaves(first), leaves(second), strict=True))
    assert not any(numpy.array_equal(first[layer]["w"], other[layer]["w"]) for layer in first)


def test_init_has_he_scale_before_a_relu():
    params = conv4((28, 28, 3), channels=64).init(generator())
    for block, fan_in in (("block1", 27), ("block2", 576), ("block4", 576)):
        w = params[block]["w"]
        numpy.testing.assert_allclose(w.std(), numpy.sqrt(2 / fan_in), rtol=0.05)
        assert abs(w.mean()) < 4 * w.std() / numpy.sqrt(w.size)
    w = mlp((400, 300, 2)).init(generator())["dense1"]["w"]
    numpy.testing.assert_allclose(w.std(), numpy.sqrt(2 / 400), rtol=0.05)


def test_a_head_starts_with_logits_of_moderate_scale():
    w = mlp((4, 400, 300)).init(generator())["head"]["w"]
    numpy.testing.assert_allclose(w.std(), 400**-0.5, rtol=0.05)


# ---------------------------------------------------------------- values


@every_form
@every_reference
@pytest.mark.parametrize("shape", [(17, 19, 3), (16, 23, 1)])
def test_conv4_is_the_loops(down, features, outputs, n_reference, shape):
    network = small_conv4(down, features, outputs, channels=3, shape=shape)
    params, x = shaken(network.init(generator())), images(4, shape=shape)
    expected = slow.conv4(params, x, down, features, n_reference)
    assert_close(network.apply(params, x, n_reference), expected, 1e-8)


def test_mlp_is_the_loops():
    network = mlp((4, 6, 5, 2))
    params, x = shaken(network.init(generator())), generator().normal(size=(7, 4))
    assert_close(network.apply(params, x), slow.mlp(params, x))
    assert_close(network.apply(params, x, n_reference=3), slow.mlp(params, x))


@every_down
def test_with_a_reference_no_query_touches_another_image(down):
    network = small_conv4(down)
    params, x = shaken(network.init(generator())), images(5)
    changed = x.copy()
    changed[4] = images(1, seed=1)[0]
    before, after = network.apply(params, x, n_reference=3), network.apply(params, changed, n_reference=3)
    assert_close(before[:4], after[:4])
    assert_close(before[:3], network.apply(params, x[:3]))
    assert numpy.abs(network.apply(params, x)[:4] - network.apply(params, changed)[:4]).max() > 1e-6


# ---------------------------------------------------------------- derivatives


@every_down
@every_reference
def test_conv4_differentiates_twice(down, n_reference):
    network = small_conv4(down, "flatten", shape=(16, 17, 2), channels=2)
    params, x = shaken(network.init(generator())), images(5, shape=(16, 17, 2))

    def features(*arrays):
        return network.apply(rebuilt(params, arrays), x, n_reference)

    assert_differentiates(features, *leaves(params), step=1e-6, rtol=1e-5)


def test_mlp_differentiates_three_times():
    network, x = mlp((3, 5, 4, 2)), generator().normal(size=(6, 3))
    params = shaken(network.init(generator()))

    def outputs(*arrays):
        return network.apply(rebuilt(params, arrays), x)

    assert_differentiates(outputs, *leaves(params), order=3, step=1e-6, rtol=1e-5)


@every_down
@every_reference
def test_the_meta_gradient_of_conv4_matches_finite_differences(down, n_reference):
    network = small_conv4(down, "mean")
    params, x = shaken(network.init(generator())), images(5)
    _, after_a_step = meta_loss(network, LABELS, n_reference=n_reference)
    gradient, rng, step = grad(after_a_step)(params, x), generator(2), 1e-6
    for _ in range(3):
        move = tree_map(lambda p: rng.normal(size=p.shape), params)
        ahead = after_a_step(tree_map(lambda p, m: p + step * m, params, move), x)
        behind = after_a_step(tree_map(lambda p, m: p - step * m, params, move), x)
        slope = sum(numpy.sum(g * m) for g, m in zip(leaves(gradient), leaves(move), strict=True))
        numpy.testing.assert_allclose(slope, (ahead - behind) / (2 * step), rtol=1e-5)


@every_form
def test_the_gradient_reaches_every_parameter_and_the_images(down, features, outputs):
    network = small_conv4(down, features, outputs)
    params, x = shaken(network.init(generator())), images(5)
    cotangent = generator(3).normal(size=network.apply(params, x).shape)
    gradients = grad(lambda both: np.sum(cotangent * network.apply(both["params"], both["x"])))
    for gradient in leaves(gradients({"params": params, "x": x})):
        assert numpy.abs(gradient).max() > 0


# ---------------------------------------------------------------- types


@every_form
@pytest.mark.parametrize("n_tasks", [None, 2])
@pytest.mark.parametrize("dtype", [numpy.float32, numpy.float64])
def test_conv4_keeps_the_type_through_the_meta_gradient(down, features, outputs, n_tasks, dtype):
    network = small_conv4(down, features, outputs)
    params = of_type(network.init(generator()), dtype)
    tasks = () if n_tasks is None else (n_tasks,)
    x, labels = images(*tasks, 5, dtype=dtype), numpy.broadcast_to(LABELS, (*tasks, 5))
    loss, after_a_step = meta_loss(network, labels)
    wrap = (lambda f: f) if n_tasks is None else (lambda f: lambda params, x: f(repeat(params, n_tasks), x))
    for n_reference in (None, 3):
        assert network.apply(params, x, n_reference).dtype == dtype
    for f in (wrap(loss), wrap(after_a_step)):
        assert f(params, x).dtype == dtype
        assert {leaf.dtype for leaf in leaves(grad(f)(params, x))} == {numpy.dtype(dtype)}


@pytest.mark.parametrize("dtype", [numpy.float32, numpy.float64])
def test_mlp_keeps_the_type_through_the_meta_gradient(dtype):
    network = mlp((4, 6, 3))
    params, x = of_type(network.init(generator()), dtype), generator().normal(size=(5, 4)).astype(dtype)
    loss, after_a_step = meta_loss(network, LABELS)
    for f in (loss, after_a_step):
        assert f(params, x).dtype == dtype
        assert {leaf.dtype for leaf in leaves(grad(f)(params, x))} == {numpy.dtype(dtype)}


@every_down
def test_float32_meta_gradients_agree_with_float64(down):
    network = small_conv4(down, "mean", channels=8)
    params, x = network.init(generator()), images(5, dtype=numpy.float32)
    _, after_a_step = meta_loss(network, LABELS)
    single = grad(after_a_step)(params, x)
    double = grad(after_a_step)(of_type(params, float), x.astype(float))
    for a, b in zip(leaves(single), leaves(double), strict=True):
        assert_close(a, b, 1e-3)


# ---------------------------------------------------------------- tasks


@every_form
@every_reference
@pytest.mark.parametrize("shared", [True, False], ids=["shared parameters", "parameters per task"])
def test_conv4_on_tasks_at_once_is_conv4_on_each(down, features, outputs, n_reference, shared):
    network, x = small_conv4(down, features, outputs), images(2, 5)
    params = shaken(network.init(generator()), n_tasks=None if shared else 2)
    together = network.apply(params, x, n_reference)
    for task in range(2):
        own = params if shared else task_of(params, task)
        assert_close(network.apply(own, x[task], n_reference), together[task])


@every_down
@every_reference
def test_gradients_and_meta_gradients_of_tasks_at_once_are_those_of_each(down, n_reference):
    network, x = small_conv4(down), images(2, 5)
    params = shaken(network.init(generator()), n_tasks=2)
    labels = numpy.stack([LABELS, LABELS[::-1]])
    together = [grad(f)(params, x) for f in meta_loss(network, labels, n_reference=n_reference)]
    for task in range(2):
        functions = meta_loss(network, labels[task], n_reference=n_reference)
        for f, whole in zip(functions, together, strict=True):
            alone = grad(f)(task_of(params, task), x[task])
            for a, w in zip(leaves(alone), leaves(whole), strict=True):
                assert_close(a, w[task])


def test_repeated_parameters_are_shared_parameters():
    network, x = small_conv4(), images(2, 5)
    params = shaken(network.init(generator()))
    assert_close(network.apply(repeat(params, 2), x), network.apply(params, x))
    loss, _ = meta_loss(network, numpy.stack([LABELS, LABELS]))
    shared, repeated = grad(loss)(params, x), grad(lambda p: loss(repeat(p, 2), x))(params)
    for a, b in zip(leaves(shared), leaves(repeated), strict=True):
        assert_close(a, b)


def test_mlp_on_tasks_at_once_is_mlp_on_each():
    network, x = mlp((4, 6, 3)), generator().normal(size=(2, 5, 4))
    params = shaken(network.init(generator()), n_tasks=2)
    labels = numpy.stack([LABELS, LABELS[::-1]])
    together = [grad(f)(params, x) for f in meta_loss(network, labels)]
    for task in range(2):
        own = task_of(params, task)
        assert_close(network.apply(own, x[task]), network.apply(params, x)[task])
        for f, whole in zip(meta_loss(network, labels[task]), together, strict=True):
            for a, w in zip(leaves(grad(f)(own, x[task])), leaves(whole), strict=True):
                assert_close(a, w[task])


# ---------------------------------------------------------------- pickling


NETWORKS = {form.id: small_conv4(*form.values) for form in FORMS} | {"mlp": mlp((4, 5, 2))}


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_networks_pickle(network):
    copy = pickle.loads(pickle.dumps(network))
    assert isinstance(copy, Network)
    params, again = network.init(generator()), copy.init(generator())
    assert all(numpy.array_equal(a, b) for a, b in zip(leaves(params), leaves(again), strict=True))
    x = images(4, dtype=numpy.float32) if "block1" in params else generator().normal(size=(3, 4))
    expected = network.apply(params, x, n_reference=2)
    numpy.testing.assert_array_equal(copy.apply(again, x, n_reference=2), expected)


# ---------------------------------------------------------------- complaints


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"down": "avg"}, r"avg.*|pool.*stride", id="down"),
        pytest.param({"features": "max"}, r"max.*|flatten.*mean", id="features"),
        pytest.param({"input_shape": (8, 8, 1)}, r"8", id="too small to pool four times"),
        pytest.param({"input_shape": (28, 15, 1)}, r"15", id="too narrow to pool four times"),
        pytest.param({"input_shape": (28, 28)}, r"28", id="no channels in the input shape"),
        pytest.param({"outputs": 0}, r"0", id="no outputs"),
        pytest.param({"channels": 0}, r"0", id="no channels"),
    ],
)
def test_conv4_says_what_is_wrong_with_its_options(options, message):
    with pytest.raises(ValueError, match=message):
        conv4(**options)


@pytest.mark.parametrize(
    ("x", "n_reference", "message"),
    [
        pytest.param(images(2, shape=(17, 19, 1)), None, r"17, 19, 3", id="channels"),
        pytest.param(images(2, shape=(28, 28, 3)), None, r"17, 19, 3.*28, 28, 3", id="size"),
        pytest.param(images()[None][0], None, r"\(17, 19, 3\)", id="one image without an image axis"),
        pytest.param(images(1, 1, 2), None, r"\(1, 1, 2, 17, 19, 3\)", id="rank 6"),
        pytest.param((255 * images(2)).astype(numpy.uint8), None, r"(?i)uint8.*|float", id="uint8"),
        pytest.param(images(2) * numpy.nan, None, r"(?i)nan", id="NaN"),
        pytest.param(images(2), 0, r"(?i)n_reference.*0", id="n_reference 0"),
        pytest.param(images(2), 3, r"(?i)n_reference.*3", id="n_reference above M"),
        pytest.param(images(2), 1.0, r"(?i)n_reference.*1\.0", id="n_reference of no integer type"),
    ],
)
@every_down
def test_conv4_says_what_is_wrong_with_the_images(x, n_reference, message, down):
    network = small_conv4(down)
    with pytest.raises(ValueError, match=message):
        network.apply(network.init(generator()), x, n_reference)


def test_conv4_says_when_the_task_axes_differ():
    network = small_conv4()
    params = network.init(generator())
    with pytest.raises(ValueError, match=r"(?i)task"):
        network.apply(repeat(params, 3), images(2, 5))
    with pytest.raises(ValueError, match=r"(?i)task"):
        network.apply(repeat(params, 5), images(5))


@pytest.mark.parametrize("sizes", [(), (3,), (3, 0, 2), (3, 1.5)])
def test_mlp_says_what_is_wrong_with_its_sizes(sizes):
    with pytest.raises(ValueError, match=r"(?i)size"):
        mlp(sizes)


def test_mlp_says_what_is_wrong_with_its_input():
    network = mlp((3, 5, 2))
    params = network.init(generator())
    with pytest.raises(ValueError, match=r"4\D.*3|3\D.*4"):
        network.apply(params, numpy.zeros((6, 4)))
    with pytest.raises(ValueError, match=r"(?i)task"):
        network.apply(repeat(params, 3), numpy.zeros((2, 6, 3)))
