"""Is this MAML second order? The gradient is compared with the one known by hand, and with the mistakes known by name.

`np` is plain NumPy.
"""

from functools import lru_cache
from textwrap import shorten
from typing import NamedTuple

import numpy as np

from fewshot_np.referee.calling import Call, far, judged
from fewshot_np.referee.problems import PROBLEMS, SCALES, combinations, draw_cases, meta_gradient
from fewshot_np.referee.verdict import Verdict

TOLERANCE = 2e-3  # float32 passes; what the referee tells apart is at least ten times as far apart

NAMES = ("w", "support_x", "support_y", "query_x", "query_y", "inner_lr", "steps")
MEANINGS = {
    "second order": "The outer gradient flows through the inner steps.",
    "first order": "The inner gradients were treated as constants, so every factor (I - inner_lr H) is missing. "
                   "PyTorch: torch.autograd.grad(..., create_graph=True), no detach, no .data and no optimizer.step() "
                   "in the inner loop. JAX: no stop_gradient. The loss is the same either way: only the gradient "
                   "shows it.",
    "second order in the last step only": "The graph was cut between the inner steps, by detach() or by a new leaf in "
                                          "each step: only the last factor (I - inner_lr H) is there.",
    "gradient of the support loss": "The outer loss was taken on the support. MAML judges the adapted weights on the "
                                    "query, else it learns to memorise.",
    "sum over tasks for mean": "The meta-objective is the mean over the tasks; with the sum, the outer rate means "
                               "something else for every number of tasks.",
    "inner step of half the length": "Is there a factor 1/2 in the loss? The problem has none.",
    "no adaptation": "The query loss was taken at w: the inner steps did not reach it.",
}


class Tasks(NamedTuple):
    """T tasks: what a training step is given to unpack, support_x, support_y, query_x, query_y = tasks."""

    support_x: np.ndarray
    support_y: np.ndarray
    query_x: np.ndarray
    query_y: np.ndarray


@judged
def second_order(meta_gradient=None, *, step=None, problem="softmax", steps=(1, 2, 3), n_tasks=None, seed=0,
                 expect="second order"):
    """Which order is this meta-gradient? The verdict is "second order", a known mistake, or "none of these".

    meta_gradient(w, support_x, support_y, query_x, query_y, inner_lr, steps) -> an array shaped like w: the gradient
    with respect to w of the mean over T tasks of the query loss after `steps` steps of gradient descent on the support.
    problem: "softmax", logits x w, w (4,3), x (T,M,4), y (T,M) integers, cross-entropy; or "line", w[0] x + w[1],
    w (2,), x (T,M), y (T,M), squared error. Both are means over the examples, with no factor 1/2.
    step: without such a function, step(w, tasks, inner_lr, steps, outer_lr) -> the weights after one training step
    of plain SGD, w - outer_lr * meta-gradient. `tasks` is a `Tasks`.
    steps: numbers of inner steps to try. n_tasks: always so many tasks; None varies it.
    expect: the verdict that is ok, such as "first order" for first-order MAML.

    Raises: ValueError for an unknown problem, for no function or two, and for steps that are no positive integers.
    """
    _check(meta_gradient, step, problem, steps)
    chosen = PROBLEMS[problem]
    cases = draw_cases(chosen, steps, n_tasks, seed)
    ask = _from_step(step) if step is not None else _from_gradient(meta_gradient)
    answers = [ask(case) for case in cases]
    call = ask.call
    _refuse_what_shows_nothing(call, answers, ask(cases[0]))
    known = _known(problem, tuple(steps), n_tasks, seed)
    names = _matching(answers, known, cases)
    rows = [_row(case, answer, i, known) for i, (case, answer) in enumerate(zip(cases, answers, strict=True))]
    return _verdict(names, rows, expect, call)


@lru_cache(8)
def _known(problem, steps, n_tasks, seed):
    """{name: the gradients of all cases}, for the right gradient and for every mistake."""
    cases = draw_cases(PROBLEMS[problem], steps, n_tasks, seed)
    return {name: [_candidate(PROBLEMS[problem], case, parts) for case in cases] for name, parts in combinations()}


def _candidate(problem, case, parts):
    with np.errstate(all="ignore"):  # a mistake may overflow, where an answer does not
        return meta_gradient(problem, case, **parts)


def _matching(answers, known, cases):
    """The names of the simplest gradients that are the same in all cases; a factor is named, too."""
    for name, gradients in known.items():
        for scale, factor in SCALES.items():
            if all(far(a, factor(c) * g) < TOLERANCE for a, g, c in zip(answers, gradients, cases, strict=True)):
                same = [other for other, theirs in known.items() if other != name and all(
                    far(t, g) < TOLERANCE for t, g in zip(theirs, gradients, strict=True))]
                return [(scale, name), *(((scale, other)) for other in same)]
    for name, gradients in known.items():
        pairs = list(zip(answers, gradients, strict=True))
        c = sum(np.sum(a * g) for a, g in pairs) / max(sum(np.sum(g * g) for _, g in pairs), 1e-30)
        if all(far(a, c * g) < TOLERANCE for a, g in pairs):
            return [(f"times {c:.3g}", name)]
    return []


def _row(case, answer, i, known):
    gaps = {name: far(answer, gradients[i]) for name, gradients in known.items() if np.isfinite(gradients[i]).all()}
    nearest = min(gaps, key=gaps.get)
    return {"steps": case.steps, "inner rate": case.inner_lr, "tasks": len(case.support_x),
            "off second order": f"{gaps['second order']:.2%}", "off first order": f"{gaps['first order']:.2%}",
            "nearest known": shorten(nearest, 34, placeholder="...") if gaps[nearest] < 0.2 else "-"}


def _verdict(names, rows, expect, call):
    evidence = {"evidence": rows}
    if call.changed:
        evidence["note"] = f"it changed its argument {', '.join(sorted(call.changed))} in place; the caller's is gone"
    if not names:
        return Verdict("second_order", False, "none of these", "It is no gradient that the referee knows. Are the loss "
                       "(means over the examples, no factor 1/2), inner_lr and steps those of the call?", evidence,
                       call.shown)
    scale, name = names[0]
    verdict = ", ".join(part for part in (scale, name) if part)
    if len(names) > 1:
        evidence["the same"] = "in these cases nothing tells it from: " + "; ".join(other for _, other in names[1:])
    meaning = " ".join(text for key, text in MEANINGS.items() if key in verdict.split(", ") or verdict.startswith(
        f"{key}:"))
    return Verdict("second_order", verdict == expect, verdict, meaning, evidence, call.shown)


# ---------------------------------------------------------------- how the callable is asked


def _from_gradient(function):
    call = Call("second_order", function, NAMES, "It returns the gradient, shaped like w.")

    def ask(case):
        return call.array(case.w.shape, *case)
    ask.call = call
    return ask


def _from_step(function):
    call = Call("second_order", function, ("w", "tasks", "inner_lr", "steps", "outer_lr"),
                "It returns the new weights, shaped like w.")

    def ask(case, outer_lr=0.25):
        new = call.array(case.w.shape, case.w, Tasks(*case[1:5]), case.inner_lr, case.steps, outer_lr)
        moved = (case.w - new) / outer_lr
        if np.allclose(moved, 0):
            call.refuse("the weights did not move", "The new weights are the old ones. Does it return the new weights, "
                        "and does a gradient arrive at w?")
        if np.ptp(np.abs(moved)) < 1e-2 * np.abs(moved).max():
            call.refuse("not plain SGD", "Every weight moved by the same distance, as in the first step of Adam: only "
                        "the signs of the gradient are left. Use SGD without momentum here.")
        return moved
    ask.call = call
    return ask


def _refuse_what_shows_nothing(call, answers, again):
    if far(again, answers[0]) > TOLERANCE:
        call.refuse("it is random", "Two calls with the same arguments gave different gradients: dropout, a random "
                    "task, or weights that are carried over from call to call.")
    if all(np.allclose(answer, 0) for answer in answers):
        call.refuse("it returned zeros", "No gradient arrives at w: was the adapted w as a whole made a constant?")
    if len(answers) > 1 and all(np.allclose(answer, answers[0]) for answer in answers):
        call.refuse("it returned a constant", "Different tasks, weights and rates gave the same gradient: it ignores "
                    "its arguments.")


def _check(meta_gradient, step, problem, steps):
    if (meta_gradient is None) == (step is None):
        raise ValueError("second_order judges either a meta_gradient or a step=, give one of them")
    if problem not in PROBLEMS:
        raise ValueError(f"problem must be one of {', '.join(PROBLEMS)}, got {problem!r}")
    if not len(steps) or any(isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1 for n in steps):
        raise ValueError(f"steps must be positive integers, got {steps!r}")
