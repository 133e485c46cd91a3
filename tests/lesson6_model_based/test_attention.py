"""Attention (by hand, and with hidden examples: exercises model_based.4 and .5): loop and products agree, heads are
slices."""

import numpy as onp
import pytest

from fewshot_np import lesson6_model_based as lesson
from fewshot_np.nn.primitives import attention
from tests.nn.derivatives import assert_differentiates, normal


def test_the_loop_the_products_and_the_primitive_agree():
    queries, keys, values = normal(4, 3), normal(5, 3), normal(5, 2)
    by_loop = lesson.attend_by_loop(queries, keys, values)
    onp.testing.assert_allclose(lesson.attend_by_products(queries, keys, values), by_loop, rtol=1e-12)
    onp.testing.assert_allclose(attention(queries, keys, values), by_loop, rtol=1e-12)


def test_heads_look_separately_and_are_joined_in_order():
    params = {name: normal(6, 6, seed=i) for i, name in enumerate("qkvo")}
    x, context = normal(2, 4, 6), normal(2, 3, 6, seed=1)
    seen = lesson.heads_attend(params, x, context, n_heads=2)
    for t in range(2):
        q, k, v = x[t] @ params["q"], context[t] @ params["k"], context[t] @ params["v"]
        heads = [lesson.attend_by_loop(q[:, part], k[:, part], v[:, part]) for part in (slice(0, 3), slice(3, 6))]
        onp.testing.assert_allclose(seen[t], onp.concatenate(heads, axis=1) @ params["o"], rtol=1e-10)
    assert_differentiates(lambda x, c: lesson.heads_attend(params, x, c, 2), x, context)


@pytest.mark.parametrize("n_context", [0, 6, -1, 2.0, True])
def test_an_impossible_context_is_refused(n_context):
    with pytest.raises(ValueError, match="n_context must be"):
        lesson.context_weights(normal(4, 5), n_context)
