"""The LSTM optimiser: how its pieces fit together, its memory, its derivatives, whole networks, what is refused."""

import autograd.numpy as np
import numpy as onp
import pytest
from autograd.test_util import check_grads

from fewshot_np import lesson6_optimizer as lesson
from fewshot_np.lesson6_optimizer.lstm_optimizer import STEP_SIZE
from fewshot_np.nn.trees import grad, leaves, tree_map
from tests.nn.derivatives import assert_differentiates, rebuilt
from tests.scaffolding import assert_same_tree, shaken, vector


def small_optimizer(seed=0, hidden=4):
    return shaken(lesson.init_optimizer(onp.random.default_rng(seed), hidden), seed + 1)


def random_state(n_rows, hidden=4, seed=3):
    rng = onp.random.default_rng(seed)
    return {name: {"h": rng.uniform(-1, 1, (n_rows, hidden)), "c": rng.normal(size=(n_rows, hidden))}
            for name in ("lstm1", "lstm2")}


# ---------------------------------------------------------------- the squashing functions and the inputs


@pytest.mark.filterwarnings("error")
def test_sigmoid_and_tanh_by_their_formulas_and_far_out():
    x = onp.linspace(-6, 6, 25)
    onp.testing.assert_allclose(lesson.sigmoid(x), 1 / (1 + onp.exp(-x)), rtol=1e-12)
    onp.testing.assert_allclose(lesson.tanh(x), onp.tanh(x), rtol=1e-15)
    check_grads(lesson.tanh, modes=["rev"], order=3)(x)
    check_grads(lesson.sigmoid, modes=["rev"], order=2)(x)
    far = onp.array([-1e4, -100, 0, 100, 1e4], "float32")
    for f in (lesson.sigmoid, lesson.tanh):
        gradient = grad(lambda x, f=f: np.sum(f(x)))(far)
        assert onp.isfinite(f(far)).all()
        assert gradient.dtype == "float32"
        onp.testing.assert_array_equal(gradient[[0, 1, 3, 4]], 0)


@pytest.mark.filterwarnings("error")
def test_preprocess_is_continuous_beyond_the_border_finite_and_of_its_type():
    for sign in (1, -1):  # the border itself: exercise optimizer.3
        onp.testing.assert_allclose(lesson.preprocess(sign * onp.exp(-10.0) * onp.array([1 - 1e-9, 1 + 1e-9, 1.5])),
                                    [[-1, sign], [-1, sign], [onp.log(1.5) / 10 - 1, sign]], atol=1e-8)
    for dtype in ("float32", "float64"):
        rows = lesson.preprocess(onp.array([0.0, 3.0, -1e-30], dtype))
        assert (rows.shape, rows.dtype) == ((3, 2), dtype)
        assert onp.isfinite(rows).all()


# ---------------------------------------------------------------- the update


def test_the_update_is_two_layers_and_a_head():
    params, state = small_optimizer(), random_state(5)
    gradients = onp.array([0.3, -2.0, 0.0, 1e-7, 40.0])
    steps, new = lesson.lstm_update(params, gradients, state)
    h = lesson.preprocess(gradients)
    for name in ("lstm1", "lstm2"):
        h, c = lesson.lstm_cell(params[name], h, **state[name])
        assert_same_tree(new[name], {"h": h, "c": c})
    onp.testing.assert_allclose(steps, STEP_SIZE * (h @ params["head"]["w"][:, 0] + params["head"]["b"][0]), rtol=1e-10)


def test_the_memory_begins_empty_and_matters():
    params, gradients = small_optimizer(), onp.full(2, 0.5)
    empty = lesson.initial_state(lesson.init_optimizer(onp.random.default_rng(0)), 7)
    assert set(empty) == {"lstm1", "lstm2"}
    assert all(leaf.shape == (7, 20) and leaf.dtype == "float32" and not leaf.any() for leaf in leaves(empty))
    first, state = lesson.lstm_update(params, gradients, lesson.initial_state(params, 2))
    second, _ = lesson.lstm_update(params, gradients, state)
    assert onp.abs(second - first).min() > 1e-6


def test_new_optimizers_remember_and_take_small_steps():
    params = lesson.init_optimizer(onp.random.default_rng(0))
    assert (params["lstm1"]["forget"]["b"] == 1).all()
    assert not params["lstm2"]["input"]["b"].any()
    assert params["lstm1"]["input"]["w"].shape == (22, 20)
    assert params["lstm2"]["input"]["w"].shape == (40, 20)
    steps, _ = lesson.lstm_update(params, onp.random.default_rng(1).normal(size=100).astype("float32"),
                           lesson.initial_state(params, 100))
    assert 0 < onp.abs(steps).max() < STEP_SIZE
    assert steps.dtype == "float32"


@pytest.mark.parametrize(("shape", "n_rows"), [((3,), 4), ((2, 2), 4), ((), 1)])
def test_gradients_that_do_not_fit_the_memory_are_refused(shape, n_rows):
    with pytest.raises(ValueError, match=rf"got \({', '.join(map(str, shape))},?\) and a state of {n_rows}"):
        lesson.lstm_update(small_optimizer(), onp.zeros(shape), random_state(n_rows))


def test_derivatives_of_the_update():
    tree = {"params": small_optimizer(hidden=3), "state": random_state(4, hidden=3)}
    gradients = onp.random.default_rng(0).normal(size=4)

    def two_updates(*arrays):
        p = rebuilt(tree, arrays)
        first, new = lesson.lstm_update(p["params"], gradients, p["state"])
        second, _ = lesson.lstm_update(p["params"], 2 * gradients, new)
        return first + second * second
    assert_differentiates(two_updates, *leaves(tree))


@pytest.mark.filterwarnings("ignore:Output seems independent of input")
def test_no_derivative_flows_through_the_gradients():
    params, state = small_optimizer(), random_state(3)
    through = grad(lambda g: np.sum(lesson.lstm_update(params, g, state)[0]))(onp.array([0.1, 2.0, -3.0]))
    assert not onp.any(through)


# ---------------------------------------------------------------- whole networks


def test_the_optimizer_of_trees_is_the_update_of_their_numbers():
    params, rng = small_optimizer(), onp.random.default_rng(0)
    learner = {"a": {"w": rng.normal(size=(2, 3)), "b": rng.normal(size=2)}, "c": rng.normal(size=(1, 2))}
    moved, state, numbers, memory = learner, None, vector(learner), lesson.initial_state(params, 10)
    for _ in range(2):
        gradients = tree_map(lambda p: rng.normal(size=p.shape), learner)
        moved, state = lesson.lstm_optimizer(params, moved, gradients, state)
        steps, memory = lesson.lstm_update(params, vector(gradients), memory)
        numbers = numbers + steps
        onp.testing.assert_allclose(vector(moved), numbers, rtol=1e-12)
    assert tree_map(onp.shape, moved) == tree_map(onp.shape, learner)


def test_gradients_may_come_with_their_keys_in_another_order():
    params, rng = small_optimizer(), onp.random.default_rng(0)
    learner, gradients = ({key: rng.normal(size=3) for key in "ab"} for _ in range(2))
    moved, other = (lesson.lstm_optimizer(params, learner, {key: gradients[key] for key in keys}, None)[0]
                    for keys in ("ab", "ba"))
    assert_same_tree(moved, other, rtol=0)
    with pytest.raises(ValueError, match="trees differ"):
        lesson.lstm_optimizer(params, learner, {"a": gradients["a"]}, None)
