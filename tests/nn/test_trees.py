"""Maps over nested dicts of arrays, inside `grad` as well."""

import autograd.numpy as np
import numpy
import pytest
from autograd import grad
from hypothesis import given, settings
from hypothesis import strategies as st

from fewshot_np.nn.trees import repeat, tree_map
from tests.nn.derivatives import assert_close, hessian_vector_product

FEW = settings(max_examples=30, deadline=None, derandomize=True, database=None)
SHAPES = st.lists(st.integers(1, 3), max_size=3).map(tuple)
TREES = st.recursive(
    SHAPES.map(lambda shape: numpy.random.default_rng(list(shape)).normal(size=shape)),
    lambda children: st.dictionaries(st.sampled_from("abcd"), children, min_size=1, max_size=3),
    max_leaves=6,
).filter(lambda tree: isinstance(tree, dict))


def params():
    rng = numpy.random.default_rng(0)
    return {"block": {"w": rng.normal(size=(2, 3)), "b": rng.normal(size=3)}, "head": rng.normal(size=4)}


def leaves(tree):
    return [leaf for key in tree for leaf in leaves(tree[key])] if isinstance(tree, dict) else [tree]


def structure(tree):
    return {key: structure(value) for key, value in tree.items()} if isinstance(tree, dict) else None


def same(a, b):
    return all(numpy.array_equal(x, y) for x, y in zip(leaves(a), leaves(b), strict=True))


def sum_of_squares(tree):
    return np.sum(tree["block"]["w"] ** 2) + np.sum(tree["block"]["b"] ** 2) + np.sum(tree["head"] ** 2)


@FEW
@given(TREES)
def test_tree_map_keeps_structure_and_order_and_visits_every_leaf(tree):
    doubled = tree_map(lambda leaf: 2 * leaf, tree)
    assert structure(doubled) == structure(tree)
    assert list(doubled) == list(tree)
    for leaf, twice in zip(leaves(tree), leaves(doubled), strict=True):
        numpy.testing.assert_array_equal(twice, 2 * leaf)


@FEW
@given(TREES)
def test_tree_map_of_several_trees_pairs_the_leaves(tree):
    twice, square = tree_map(lambda a: 2 * a, tree), tree_map(lambda a: a * a, tree)
    together = tree_map(lambda a, b, c: a * b - c, tree, twice, square)
    assert same(together, tree_map(lambda a: a * (2 * a) - a * a, tree))


@FEW
@given(TREES, st.integers(1, 4))
def test_repeat_puts_equal_copies_in_front_of_every_leaf(tree, n_tasks):
    repeated = repeat(tree, n_tasks)
    assert structure(repeated) == structure(tree)
    for leaf, copies in zip(leaves(tree), leaves(repeated), strict=True):
        assert copies.shape == (n_tasks, *leaf.shape)
        assert copies.dtype == leaf.dtype
        for copy in copies:
            numpy.testing.assert_array_equal(copy, leaf)


def test_tree_map_pairs_by_key_and_not_by_position():
    turned = {"head": params()["head"], "block": {"b": params()["block"]["b"], "w": params()["block"]["w"]}}
    assert same(tree_map(lambda a, b: a - b, params(), turned), tree_map(numpy.zeros_like, params()))


def test_tree_map_of_a_bare_array_applies_the_function():
    numpy.testing.assert_array_equal(tree_map(lambda a, b: a + b, numpy.ones(2), numpy.ones(2)), [2.0, 2.0])


def test_tree_map_changes_no_tree():
    tree = params()
    tree_map(lambda leaf: leaf + 1, tree)
    assert same(tree, params())


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"block": params()["block"]}, id="a key is missing"),
        pytest.param({**params(), "tail": numpy.ones(1)}, id="a key too many"),
        pytest.param({"block": {"w": 1.0, "c": 1.0}, "head": 1.0}, id="another key deeper down"),
        pytest.param({"block": 1.0, "head": 1.0}, id="a leaf where a dict should be"),
        pytest.param(1.0, id="a leaf alone"),
    ],
)
def test_tree_map_names_the_keys_that_differ(other):
    with pytest.raises(ValueError, match=r"(?i)key.*(block|head|tail|w)"):
        tree_map(lambda a, b: a, params(), other)


def test_tree_map_refuses_a_dict_where_the_first_tree_has_a_leaf():
    with pytest.raises(ValueError, match=r"(?i)key|differ"):
        tree_map(lambda a, b: a, {"block": numpy.ones(1)}, {"block": {"w": numpy.ones(1)}})


def test_tree_map_works_on_traced_trees_to_second_order():
    def after_a_step(tree):
        return sum_of_squares(tree_map(lambda p, g: p - 0.1 * g, tree, grad(sum_of_squares)(tree)))

    tree = params()
    expected = tree_map(lambda p: 2 * 0.8**2 * p, tree)  # each step scales every parameter by 1 - 0.1 * 2
    for actual, wanted in zip(leaves(grad(after_a_step)(tree)), leaves(expected), strict=True):
        assert_close(actual, wanted)


def test_repeat_shares_the_memory_and_cannot_be_written_to():
    w = params()["block"]["w"]
    copies = repeat({"w": w}, 3)["w"]
    assert numpy.shares_memory(copies, w)
    with pytest.raises(ValueError, match="read-only"):
        copies[0] = 0.0


def test_repeat_sums_the_gradient_over_the_tasks():
    w, per_task = params()["block"]["w"], numpy.random.default_rng(1).normal(size=(3, 2, 3))
    gradient = grad(lambda tree: np.sum(per_task * repeat(tree, 3)["w"]))({"w": w})["w"]
    assert_close(gradient, per_task.sum(axis=0))


def test_repeat_differentiates_twice():
    w, rng = params()["block"]["w"], numpy.random.default_rng(1)
    per_task, vector = rng.normal(size=(3, 2, 3)), rng.normal(size=(2, 3))
    (product,) = hessian_vector_product(lambda a: np.sum(per_task * repeat(a[0], 3) ** 3), (w,), (vector,))
    assert_close(product, 6 * per_task.sum(axis=0) * w * vector)


@pytest.mark.parametrize("dtype", [numpy.float32, numpy.float64])
def test_repeat_keeps_the_type_of_values_and_gradients(dtype):
    w = params()["block"]["w"].astype(dtype)
    assert repeat(w, 3).dtype == dtype
    slope = grad(lambda w: np.sum(repeat(w, 3) ** 2))
    assert slope(w).dtype == dtype
    assert grad(lambda w: np.sum(slope(w) ** 2))(w).dtype == dtype


@pytest.mark.parametrize("n_tasks", [0, -1, 1.5, "3"])
def test_repeat_says_how_many_tasks_it_was_given(n_tasks):
    with pytest.raises(ValueError, match=rf"{n_tasks}"):
        repeat(params(), n_tasks)
