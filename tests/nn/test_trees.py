"""Maps over nested dicts of arrays, inside `grad` as well, and the gradients of functions of them."""

import autograd
import autograd.numpy as np
import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fewshot_np.nn.trees import grad, leaves, repeat, task_gradient, tree_map, value_and_grad
from tests.nn.derivatives import assert_close, hessian_vector_product, normal

FEW = settings(max_examples=30, deadline=None, derandomize=True, database=None)
SHAPES = st.lists(st.integers(1, 3), max_size=3).map(tuple)
TREES = st.recursive(SHAPES.map(lambda shape: normal(*shape)),
                     lambda children: st.dictionaries(st.sampled_from("abcd"), children, min_size=1, max_size=3),
                     max_leaves=6).filter(lambda tree: isinstance(tree, dict))


def params():
    return {"block": {"w": normal(2, 3), "b": normal(3)}, "head": normal(4)}


def structure(tree):
    """Its keys, in order."""
    return [(key, structure(value)) for key, value in tree.items()] if isinstance(tree, dict) else None


def same(a, b):
    return all(numpy.array_equal(x, y) for x, y in zip(leaves(a), leaves(b), strict=True))


def sum_of_squares(tree):
    return np.sum(tree["block"]["w"] ** 2) + np.sum(tree["block"]["b"] ** 2) + np.sum(tree["head"] ** 2)


@FEW
@given(TREES)
def test_tree_map_keeps_structure_and_order_and_pairs_the_leaves(tree):
    twice, square, kept = tree_map(lambda a: 2 * a, tree), tree_map(lambda a: a * a, tree), repr(tree)
    together = tree_map(lambda a, b, c: a * b - c, tree, twice, square)
    assert structure(together) == structure(tree)
    assert same(together, tree_map(lambda a: a * (2 * a) - a * a, tree))
    assert [leaf.tolist() for leaf in leaves(twice)] == [(2 * leaf).tolist() for leaf in leaves(tree)]
    assert repr(tree) == kept


@FEW
@given(TREES, st.integers(1, 4), st.sampled_from(["float32", "float64"]))
def test_repeat_puts_equal_copies_in_front_of_every_leaf(tree, n_tasks, dtype):
    tree = tree_map(lambda leaf: numpy.asarray(leaf, dtype), tree)
    repeated = repeat(tree, n_tasks)
    assert structure(repeated) == structure(tree)
    for leaf, copies in zip(leaves(tree), leaves(repeated), strict=True):
        assert copies.dtype == dtype
        numpy.testing.assert_array_equal(copies, numpy.stack([leaf] * n_tasks))


def test_tree_map_pairs_by_key_and_not_by_position():
    turned = {"head": params()["head"], "block": {"b": params()["block"]["b"], "w": params()["block"]["w"]}}
    assert same(tree_map(lambda a, b: a - b, params(), turned), tree_map(numpy.zeros_like, params()))
    assert tree_map(lambda a, b: a + b, numpy.ones(2), numpy.ones(2)).tolist() == [2.0, 2.0]      # bare arrays


@pytest.mark.parametrize(("first", "other"), [
    pytest.param(params(), {"block": params()["block"]}, id="a key is missing"),
    pytest.param(params(), {**params(), "tail": numpy.ones(1)}, id="a key too many"),
    pytest.param(params(), {"block": {"w": 1.0, "c": 1.0}, "head": 1.0}, id="another key deeper down"),
    pytest.param(params(), {"block": 1.0, "head": 1.0}, id="a leaf where a dict should be"),
    pytest.param(params(), 1.0, id="a leaf alone"),
    pytest.param({"block": 1.0}, {"block": {"w": 1.0}}, id="a dict where the first tree has a leaf"),
])
def test_tree_map_says_where_trees_differ(first, other):
    with pytest.raises(ValueError, match=r"(?i)key.*(block|head|tail|w)|differ"):
        tree_map(lambda a, b: a, first, other)


def test_repeat_shares_the_memory_and_cannot_be_written_to():
    w = params()["block"]["w"]
    copies = repeat({"w": w}, 3)["w"]
    assert numpy.shares_memory(copies, w)
    with pytest.raises(ValueError, match="read-only"):
        copies[0] = 0.0


@pytest.mark.parametrize("dtype", [numpy.float32, numpy.float64])
def test_repeat_sums_the_gradients_of_the_tasks_in_both_orders(dtype):
    w, per_task, vector = (a.astype(dtype) for a in (normal(2, 3), normal(3, 2, 3), normal(2, 3, seed=1)))
    gradient = grad(lambda w: np.sum(per_task * repeat(w, 3) ** 3))(w)
    (product,) = hessian_vector_product(lambda a: np.sum(per_task * repeat(a[0], 3) ** 3), (w,), (vector,))
    assert gradient.dtype == product.dtype == dtype
    assert_close(gradient, 3 * per_task.sum(axis=0) * w ** 2, 1e-6)
    assert_close(product, 6 * per_task.sum(axis=0) * w * vector, 1e-6)


@pytest.mark.parametrize("n_tasks", [0, -1, 1.5, "3"])
def test_repeat_says_how_many_tasks_it_was_given(n_tasks):
    with pytest.raises(ValueError, match=rf"{n_tasks}"):
        repeat(params(), n_tasks)


@pytest.mark.parametrize("gradient_of", [grad, autograd.grad])
def test_trees_may_be_traced_to_second_order(gradient_of):
    def after_a_step(tree):
        return sum_of_squares(tree_map(lambda p, g: p - 0.1 * g, tree, gradient_of(sum_of_squares)(tree)))

    expected = tree_map(lambda p: 2 * 0.8**2 * p, params())  # each step scales every parameter by 1 - 0.1 * 2
    tree_map(assert_close, gradient_of(after_a_step)(params()), expected)


def test_a_leaf_that_is_not_used_has_gradient_zero_and_one_used_twice_the_sum():
    value, gradient = value_and_grad(lambda tree: np.sum(tree["a"]) + np.sum(tree["a"] ** 2))(
        {"a": numpy.ones(2), "b": numpy.ones(3)})
    assert value == 4
    tree_map(numpy.testing.assert_array_equal, gradient, {"a": [3.0, 3.0], "b": numpy.zeros(3)})


def test_grad_needs_one_number_and_task_gradient_one_for_each_task():
    per_task = {"w": normal(3, 2)}
    with pytest.raises(TypeError, match=r"one number.*\(3, 2\)"):
        grad(lambda tree: tree["w"])(per_task)
    assert_close(task_gradient(lambda tree: np.sum(tree["w"] ** 2, axis=1))(per_task)["w"], 2 * per_task["w"])
    assert_close(task_gradient(lambda tree: np.sum(tree["w"] ** 2))(per_task)["w"], 2 * per_task["w"])
    with pytest.raises(ValueError, match=r"\(3, 2\)"):
        task_gradient(lambda tree: tree["w"])(per_task)
    with pytest.raises(ValueError, match=r"task axis.*repeat\(params, 3\)"):
        task_gradient(lambda tree: np.sum(repeat(tree, 3)["w"], axis=1))({"w": normal(2)})
