"""Optimisers and schedules: worked by hand, explicit in their state, and steady in their types."""

import copy
import pickle
from itertools import pairwise

import numpy
import pytest

from fewshot_np.nn.optimizers import adam, constant, cosine_decay, linear_decay, sgd
from fewshot_np.nn.trees import tree_map

OPTIMIZERS = [pytest.param(sgd, id="sgd"), pytest.param(adam, id="adam")]
SCHEDULES = [
    pytest.param(constant(0.3), id="constant"),
    pytest.param(cosine_decay(0.3, 10), id="cosine"),
    pytest.param(linear_decay(0.3, 10), id="linear"),
]


def tree(seed=0, dtype=numpy.float64):
    w, b, head = numpy.split(numpy.random.default_rng(seed).normal(size=13).astype(dtype), [6, 9])
    return {"block": {"w": w.reshape(2, 3), "b": b}, "head": head}


def leaves(tree):
    return [leaf for key in tree for leaf in leaves(tree[key])] if isinstance(tree, dict) else [tree]


def assert_same(a, b):
    """Equal to the last bit, whatever it is made of."""
    assert type(a) is type(b)
    if isinstance(a, dict):
        assert list(a) == list(b)
        assert_same(list(a.values()), list(b.values()))
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_same(x, y)
    else:
        numpy.testing.assert_array_equal(a, b)


def run(optimizer, n_steps, params, state=None, first=0, rate=0.1):
    for step in range(first, first + n_steps):
        params, state = optimizer(params, tree(step + 1), state, rate)
    return params, state


def test_sgd_walks_down_the_gradient():
    params, _ = sgd({"w": numpy.array([1.0, 2.0])}, {"w": numpy.array([10.0, -20.0])}, None, 0.1)
    numpy.testing.assert_allclose(params["w"], [0.0, 4.0])


def test_the_first_step_of_adam_is_the_learning_rate_against_the_sign():
    params, _ = adam({"w": numpy.array([1.0, 1.0, 1.0])}, {"w": numpy.array([5.0, -0.01, 0.0])}, None, 0.1)
    numpy.testing.assert_allclose(params["w"], [0.9, 1.1, 1.0], rtol=1e-6)


@pytest.mark.parametrize("eps", [1e-8, 0.5])
def test_two_steps_of_adam_worked_by_hand(eps):
    """Gradients 3 and -1, betas 0.9 and 0.99: m = 0.3, 0.17; v = 0.09, 0.0991; divided by 1 - beta^t."""
    options = {"learning_rate": 0.1, "beta1": 0.9, "beta2": 0.99, "eps": eps}
    one, state = adam({"w": numpy.array([2.0])}, {"w": numpy.array([3.0])}, None, **options)
    two, _ = adam(one, {"w": numpy.array([-1.0])}, state, **options)
    after_one = 2.0 - 0.1 * 3.0 / (3.0 + eps)
    after_two = after_one - 0.1 * (0.17 / 0.19) / ((0.0991 / 0.0199) ** 0.5 + eps)
    numpy.testing.assert_allclose(one["w"], [after_one], rtol=1e-12)
    numpy.testing.assert_allclose(two["w"], [after_two], rtol=1e-12)


def test_adam_settles_at_the_minimum_of_a_bowl():
    params, state = {"w": numpy.array([3.0, -2.0])}, None
    rate = cosine_decay(0.1, 400)
    for iteration in range(400):
        params, state = adam(params, {"w": 2 * params["w"] * [1.0, 100.0]}, state, rate(iteration))
    numpy.testing.assert_allclose(params["w"], 0, atol=1e-3)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_optimizers_change_nothing_they_are_given(optimizer):
    params, state = run(optimizer, 2, tree())
    gradients = tree(9)
    before = copy.deepcopy((params, gradients, state))
    optimizer(params, gradients, state, 0.1)
    assert_same((params, gradients, state), before)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_all_an_optimizer_remembers_is_in_its_state(optimizer):
    straight = run(optimizer, 5, tree())
    params, state = run(optimizer, 3, tree())
    run(optimizer, 4, tree(7))
    resumed = run(optimizer, 2, params, pickle.loads(pickle.dumps(state)), first=3)
    assert_same(resumed, straight)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("dtype", [numpy.float32, numpy.float64])
@pytest.mark.parametrize("rate", [0.1, numpy.float64(0.1)], ids=["Python float", "NumPy float64"])
def test_optimizers_keep_the_type_of_the_parameters(optimizer, dtype, rate):
    params, state = tree(dtype=dtype), None
    for step in range(3):
        params, state = optimizer(params, tree(step, dtype), state, rate)
    assert {leaf.dtype for leaf in leaves(params)} == {numpy.dtype(dtype)}
    moments = [leaf for leaf in leaves(state or {}) if numpy.ndim(leaf)]
    assert {leaf.dtype for leaf in moments} <= {numpy.dtype(dtype)}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_optimizers_name_the_keys_that_differ(optimizer):
    with pytest.raises(ValueError, match=r"(?i)key.*(block|head)"):
        optimizer(tree(), {"block": tree()["block"]}, None, 0.1)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_schedules_start_at_their_rate_and_never_rise_or_go_below_zero(schedule):
    rates = [schedule(iteration) for iteration in range(15)]
    assert rates[0] == pytest.approx(0.3)
    assert all(0 <= later <= earlier for earlier, later in pairwise(rates))


def test_schedules_take_the_values_worked_by_hand():
    assert [constant(0.3)(i) for i in (0, 7, 10**6)] == [0.3] * 3
    linear, cosine = linear_decay(0.3, 10), cosine_decay(0.3, 10)
    assert [linear(i) for i in (0, 5, 10, 11)] == pytest.approx([0.3, 0.15, 0.0, 0.0])
    assert [cosine(i) for i in (0, 5, 10, 11)] == pytest.approx([0.3, 0.15, 0.0, 0.0])
    assert cosine(10 / 3) == pytest.approx(0.225)  # cos 60° is a half


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_schedules_pickle(schedule):
    again = pickle.loads(pickle.dumps(schedule))
    assert [again(i) for i in range(12)] == [schedule(i) for i in range(12)]


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("integer", [int, numpy.int64])
def test_a_scheduled_rate_leaves_float32_parameters_float32(schedule, integer):
    params = tree(dtype=numpy.float32)
    for iteration in range(3):
        params, _ = sgd(params, tree(iteration, numpy.float32), None, schedule(integer(iteration)))
    assert {leaf.dtype for leaf in leaves(tree_map(numpy.asarray, params))} == {numpy.dtype(numpy.float32)}
