"""Attention: the loop and the products agree, hidden examples count nothing, heads are slices."""

import numpy as onp
import pytest

from fewshot_np import lesson6_model_based as lesson
from tests.nn.derivatives import assert_differentiates, normal


def test_the_loop_the_products_and_the_primitive_agree():
    queries, keys, values = normal(4, 3), normal(5, 3), normal(5, 2)
    by_loop = lesson.attend_by_loop(queries, keys, values)
    onp.testing.assert_allclose(lesson.attend_by_products(queries, keys, values), by_loop, rtol=1e-12)
    # all by hand: scores 0 and sqrt(2) ln 3 / sqrt(2), so the weights are 1/4 and 3/4
    by_hand = lesson.attend_by_loop([[0.0, 2 ** 0.5 * onp.log(3)]], [[1.0, 0.0], [0.0, 1.0]], [[4.0], [8.0]])
    onp.testing.assert_allclose(by_hand, [[7.0]], rtol=1e-12)


def test_heads_look_separately_and_are_joined_in_order():
    params = {name: normal(6, 6, seed=i) for i, name in enumerate("qkvo")}
    x, context = normal(2, 4, 6), normal(2, 3, 6, seed=1)
    seen = lesson.heads_attend(params, x, context, n_heads=2)
    for t in range(2):
        q, k, v = x[t] @ params["q"], context[t] @ params["k"], context[t] @ params["v"]
        heads = [lesson.attend_by_loop(q[:, part], k[:, part], v[:, part]) for part in (slice(0, 3), slice(3, 6))]
        onp.testing.assert_allclose(seen[t], onp.concatenate(heads, axis=1) @ params["o"], rtol=1e-10)
    assert_differentiates(lambda x, c: lesson.heads_attend(params, x, c, 2), x, context)


def test_hidden_examples_get_no_weight_which_is_the_same_as_leaving_them_out():
    q, k, v = normal(4, 3), normal(5, 3, seed=1), normal(5, 2, seed=2)
    scores = q @ k.T / 3 ** 0.5
    weights = lesson.context_weights(scores, 2)
    assert not weights[:, 2:].any()
    onp.testing.assert_allclose(weights @ v, lesson.attend_by_loop(q, k[:2], v[:2]), rtol=1e-12)
    assert_differentiates(lambda s: lesson.context_weights(s, 2), scores)


@pytest.mark.parametrize("n_context", [0, 6, -1, 2.0, True])
def test_an_impossible_context_is_refused(n_context):
    with pytest.raises(ValueError, match="n_context must be"):
        lesson.context_weights(normal(4, 5), n_context)
