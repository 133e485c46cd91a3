"""Optimisers and schedules: worked by hand, explicit in their state, and steady in their types."""

import copy
import pickle
from itertools import pairwise

import numpy
import pytest

from fewshot_np.nn.optimizers import adam, constant, cosine_decay, linear_decay, sgd
from fewshot_np.nn.trees import leaves
from tests.scaffolding import bits

every_optimizer = pytest.mark.parametrize("optimizer", [sgd, adam])


def tree(seed=0, dtype=numpy.float64):
    w, b, head = numpy.split(numpy.random.default_rng(seed).normal(size=13).astype(dtype), [6, 9])
    return {"block": {"w": w.reshape(2, 3), "b": b}, "head": head}


def test_the_first_step_of_sgd_is_the_rate_times_the_gradient_and_of_adam_the_rate_against_its_sign():
    params, gradients = {"w": numpy.array([1.0, 1.0, 1.0])}, {"w": numpy.array([5.0, -0.01, 0.0])}
    numpy.testing.assert_allclose(sgd(params, gradients, None, 0.1)[0]["w"], [0.5, 1.001, 1.0])
    numpy.testing.assert_allclose(adam(params, gradients, None, 0.1)[0]["w"], [0.9, 1.1, 1.0], rtol=1e-6)


@pytest.mark.parametrize("eps", [1e-8, 0.5])
def test_two_steps_of_adam_worked_by_hand(eps):
    """Gradients 3 and -1, betas 0.9 and 0.99: m = 0.3, 0.17; v = 0.09, 0.0991; divided by 1 - beta^t."""
    options = {"learning_rate": 0.1, "beta1": 0.9, "beta2": 0.99, "eps": eps}
    one, state = adam({"w": numpy.array([2.0])}, {"w": numpy.array([3.0])}, None, **options)
    two, _ = adam(one, {"w": numpy.array([-1.0])}, state, **options)
    after_one = 2.0 - 0.1 * 3.0 / (3.0 + eps)
    after_two = after_one - 0.1 * (0.17 / 0.19) / ((0.0991 / 0.0199) ** 0.5 + eps)
    numpy.testing.assert_allclose([one["w"], two["w"]], [[after_one], [after_two]], rtol=1e-12)


@every_optimizer
def test_optimizers_change_nothing_they_are_given(optimizer):
    given = (*optimizer(tree(), tree(1), None, 0.1), tree(9))
    params, state, gradients = before = copy.deepcopy(given)
    optimizer(params, gradients, state, 0.1)
    assert bits(before) == bits(given)


@every_optimizer
@pytest.mark.parametrize("dtype", [numpy.float32, numpy.float64])
@pytest.mark.parametrize("rate", [0.1, numpy.float64(0.1), linear_decay(0.1, 9)(numpy.int64(3))], ids=repr)
def test_optimizers_keep_the_type_of_the_parameters(optimizer, dtype, rate):
    params, state = tree(dtype=dtype), None
    for step in range(3):
        params, state = optimizer(params, tree(step, dtype), state, rate)
    moments = [leaf for leaf in leaves(state) if numpy.ndim(leaf)]
    assert {leaf.dtype for leaf in leaves(params) + moments} == {numpy.dtype(dtype)}


@every_optimizer
def test_optimizers_name_the_keys_that_differ(optimizer):
    with pytest.raises(ValueError, match=r"(?i)key.*(block|head)"):
        optimizer(tree(), {"block": tree()["block"]}, None, 0.1)


@pytest.mark.parametrize("schedule", [constant(0.3), cosine_decay(0.3, 10), linear_decay(0.3, 10)])
def test_schedules_start_at_their_rate_never_rise_or_go_below_zero_and_pickle(schedule):
    rates = [schedule(iteration) for iteration in range(15)]
    assert rates[0] == pytest.approx(0.3)
    assert all(0 <= later <= earlier for earlier, later in pairwise(rates))
    assert {type(schedule(numpy.int64(iteration))) for iteration in range(15)} == {float}
    again = pickle.loads(pickle.dumps(schedule))
    assert [again(iteration) for iteration in range(15)] == rates


def test_schedules_take_the_values_worked_by_hand():
    assert [constant(0.3)(i) for i in (0, 7, 10**6)] == [0.3] * 3
    for schedule in (linear_decay(0.3, 10), cosine_decay(0.3, 10)):
        assert [schedule(i) for i in (0, 5, 10, 11)] == pytest.approx([0.3, 0.15, 0.0, 0.0])
    assert cosine_decay(0.3, 10)(10 / 3) == pytest.approx(0.225)  # cos 60° is a half
