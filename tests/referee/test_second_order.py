"""Is it second order? Right and wrong meta-gradients of several styles: none right is accused, each wrong is named."""

from functools import partial

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

from fewshot_np import referee
from fewshot_np.lesson2_episodes import Episode
from fewshot_np.lesson4_maml import linear_loss, maml_objective, meta_gradient_by_hand
from fewshot_np.nn.primitives import stop_gradient
from fewshot_np.nn.trees import grad
from fewshot_np.referee.meta_gradients import TOLERANCE
from fewshot_np.referee.problems import PROBLEMS, combinations, draw_cases
from fewshot_np.referee.problems import meta_gradient as candidate

# ---------------------------------------------------------------- right, in four styles


def by_hand_task_by_task(w, support_x, support_y, query_x, query_y, inner_lr, steps):
    return np.mean([meta_gradient_by_hand(w, *task, inner_lr, steps)
                    for task in zip(support_x, support_y, query_x, query_y, strict=True)], axis=0)


def by_the_course(w, support_x, support_y, query_x, query_y, inner_lr, steps):
    episode = Episode(support_x, support_y, query_x, query_y, None, None)
    return grad(lambda p: maml_objective(linear_loss, p, episode, inner_lr, steps))({"w": w})["w"]


def loss(w, x, y):
    logits = anp.dot(x, w)
    return anp.mean(anp.log(anp.sum(anp.exp(logits), axis=1)) - anp.sum(logits * anp.eye(3)[y], axis=1))


def by_plain_autograd(w, support_x, support_y, query_x, query_y, inner_lr, steps, cut=lambda g, step: g,
                      outer=lambda s, q: q, total=np.mean):
    def after(w, t):
        for step in range(steps):
            w = w - inner_lr * cut(autograd.grad(loss)(w, support_x[t], support_y[t]), steps - step)
        return loss(w, *outer((support_x[t], support_y[t]), (query_x[t], query_y[t])))
    gradients = [autograd.grad(after)(w, t) for t in range(len(support_x))]
    return total(gradients, axis=0)


def in_float32(w, *args):
    return by_the_course(w.astype("float32"), args[0].astype("float32"), args[1], args[2].astype("float32"), *args[3:])


def step_of(meta_gradient):
    """The training step with this gradient, w changed in place."""
    def step(w, tasks, inner_lr, steps, outer_lr):
        w -= outer_lr * meta_gradient(w, *tasks, inner_lr, steps)
        return w
    return step


@pytest.mark.parametrize("meta_gradient", [by_hand_task_by_task, by_the_course, by_plain_autograd, in_float32])
def test_a_right_meta_gradient_is_second_order_and_so_is_its_training_step(meta_gradient):
    for seed in (0, 1):
        assert referee.second_order(meta_gradient, seed=seed).check().verdict == "second order"
    assert referee.second_order(step=step_of(meta_gradient)).verdict == "second order"


# ---------------------------------------------------------------- wrong, and known by name


def constant(g, steps_left):
    return stop_gradient(g)


def with_last_step(g, steps_left):
    return g if steps_left == 1 else stop_gradient(g)


def wrong(name, **parts):
    return pytest.param(partial(by_plain_autograd, **parts), name, id=name)


WRONG = [
    wrong("first order", cut=constant),
    wrong("second order in the last step only", cut=with_last_step),
    wrong("gradient of the support loss, second order", outer=lambda s, q: s),
    wrong("gradient of the support loss, first order", outer=lambda s, q: s, cut=constant),
    wrong("sum over tasks for mean, second order", total=np.sum),
    wrong("sum over tasks for mean, first order", total=np.sum, cut=constant),
    pytest.param(lambda *a: -by_hand_task_by_task(*a), "the sign is turned round, second order", id="sign"),
    pytest.param(lambda *a: 3 * by_hand_task_by_task(*a), "times 3, second order", id="three times"),
    pytest.param(lambda *a: by_hand_task_by_task(*a) + 0.1, "none of these", id="0.1 added"),
    pytest.param(lambda w, *a: np.mean([q.T @ q @ w for q in a[2]], axis=0), "none of these", id="something else"),
    pytest.param(lambda *a: by_hand_task_by_task(*a[:-2], a[-2] * 1.1, a[-1]), "none of these", id="another rate"),
]


@pytest.mark.parametrize(("meta_gradient", "name"), WRONG)
def test_a_wrong_meta_gradient_is_named_and_so_is_its_training_step_without_a_hook(meta_gradient, name):
    assert referee.second_order(step=step_of(meta_gradient)).verdict == name
    verdict = referee.second_order(meta_gradient)
    assert (verdict.ok, verdict.verdict) == (False, name)
    with pytest.raises(AssertionError, match="second_order: NOT OK"):
        verdict.check()


def test_first_order_can_be_what_is_meant_and_one_step_alone_cannot_tell_all():
    assert referee.second_order(partial(by_plain_autograd, cut=constant), expect="first order").ok
    verdict = referee.second_order(by_the_course, steps=(1,))
    assert verdict.ok
    assert "second order in the last step only" in verdict.evidence["the same"]


# ---------------------------------------------------------------- the mistakes that the referee knows, all of them


@pytest.mark.parametrize("problem", PROBLEMS)
def test_every_known_gradient_gets_its_own_name_or_that_of_one_that_is_the_same(problem):
    """And lies ten tolerances from the right one: else a float32 answer could get the name of its neighbour."""
    chosen = PROBLEMS[problem]
    cases = draw_cases(chosen, (1, 2, 3), None, 0)
    right = [candidate(chosen, case) for case in cases]
    for name, parts in combinations():
        def meta_gradient(*args, parts=parts):
            return candidate(chosen, type(cases[0])(*args), **parts)
        verdict = referee.second_order(meta_gradient, problem=problem)
        if verdict.verdict != name:
            assert name in verdict.evidence["the same"]
            assert problem == "line" or "one inner step only" in name  # whose Hessian is the same everywhere
        gap = max(np.abs(candidate(chosen, case, **parts) - g).max() / np.abs(g).max()
                  for case, g in zip(cases, right, strict=True))
        assert problem == "line" or name == "second order" or gap > 10 * TOLERANCE, name


def test_the_line_is_right_by_hand_and_by_finite_differences():
    """One point (1, 0): loss (a + b)^2, gradient 2 (a + b) (1, 1), Hessian [[2, 2], [2, 2]], so one step of rate 1/8 at
    (1, 0) leads to (3/4, -1/4); there the gradient is (1, 1), and (I - H / 8) (1, 1) = (1/2, 1/2)."""
    line, point = PROBLEMS["line"], (np.ones((1, 1)), np.zeros((1, 1)))
    case = type(draw_cases(line, (1,), None, 0)[0])(np.array([1.0, 0.0]), *point, *point, 0.125, 1)
    np.testing.assert_allclose(candidate(line, case), [0.5, 0.5])
    np.testing.assert_allclose(candidate(line, case, order="first order"), [1, 1])

    def line_loss(w, x, y):
        return anp.mean((w[0] * x + w[1] - y) ** 2)

    def objective(w, case):
        values = []
        for sx, sy, qx, qy in zip(*case[1:5], strict=True):
            here = w
            for _ in range(case.steps):
                here = here - case.inner_lr * autograd.grad(line_loss)(here, sx, sy)
            values.append(line_loss(here, qx, qy))
        return sum(values) / len(values)

    assert referee.second_order(lambda *a: autograd.grad(objective)(a[0], type(case)(*a)), problem="line").ok


# ---------------------------------------------------------------- what cannot be judged


@pytest.mark.parametrize(("meta_gradient", "words"), [
    (lambda *a: 1 / 0, "it raised ZeroDivisionError"), (lambda w: w, "it raised TypeError"),
    (lambda w, *a: w.ravel(), r"it returned shape \(12,\)"), (lambda w, *a: w * np.nan, "NaN or infinity"),
    (lambda w, *a: None, "it returned None"), (lambda w, *a: "g", "it returned no array"),
    (lambda w, *a: 0 * w, "it returned zeros"), (lambda w, *a: np.ones_like(w), "a constant"),
    (lambda w, *a: np.random.default_rng().normal(size=w.shape), "it is random")])
def test_a_callable_that_shows_nothing_gets_a_message_with_the_call(meta_gradient, words):
    verdict = referee.second_order(meta_gradient)
    assert not verdict.ok
    with pytest.raises(AssertionError, match=words):
        verdict.check()
    assert "(w=float64[4, 3], support_x=float64[" in " ".join(str(verdict).split())


def test_a_step_that_does_not_move_or_is_adams_is_told_so():
    def adams(w, tasks, inner_lr, steps, outer_lr):
        return w - outer_lr * np.sign(by_the_course(w, *tasks, inner_lr, steps))
    assert referee.second_order(step=adams).verdict == "not plain SGD"
    assert referee.second_order(step=lambda w, *a: w).verdict == "the weights did not move"


def test_a_changed_argument_is_noted_and_the_callers_arrays_are_safe():
    def in_place(w, *args):
        answer = by_the_course(w.copy(), *args)
        w += 1
        return answer
    verdict = referee.second_order(in_place)
    assert verdict.ok
    assert "w in place" in str(verdict)
