"""What does an answer depend on? On other queries, on an order, on labels that it should not see?

`np` is plain NumPy.
"""

import inspect

import numpy as np

from fewshot_np.referee.calling import Call, judged
from fewshot_np.referee.verdict import Finding, judge

TOLERANCE = 1e-3  # of the range of the scores; float32 passes
EXAMPLE = "It returns the scores (M, N) of the M queries, or their answers (M,), integers 0...N-1."
MEANINGS = {
    "label names": "With the labels of the support renamed, the answers must be renamed alike. If it adapts a network "
                   "that begins with weights of its own for each label (MAML, fine-tuning), this is no fault: say "
                   "allow=(\"label names\",).",
    "support order": "The same examples in another order give other answers. Is the support taken to be sorted by "
                     "label, as in x.reshape(N, K, -1)? If it reads the support as a sequence on purpose, say "
                     "allow=(\"support order\",).",
}


@judged
def scores(predict, *, n_way=5, k_shot=2, n_query=3, image_shape=(28, 28, 1), allow=(), expect=None, seed=0):
    """What do the answers of this classifier depend on? The verdict says inductive or transductive, and names faults.

    predict(support_x, support_y, query_x) -> scores (M, N), the highest for the answer; or answers (M,), integers.
    With a fourth argument, called query_y or without a default, it is given the labels of the queries as well, and must
    not use them.
    support_x (N K, *image_shape) float32 in [0, 1], support_y (N K,) integers; query_x (M, *image_shape).
    allow: faults that are meant, of "support order", "label names" and "query order".
    expect: "inductive" or "transductive", if one of them would be a fault.

    Raises: ValueError for fewer than 3 ways, for unknown words in allow and expect.
    """
    _check(n_way, k_shot, n_query, allow, expect)
    call = Call("scores", predict, ("support_x", "support_y", "query_x", "query_y"),
                f"The fourth argument is optional. {EXAMPLE}")
    task = _draw_task(n_way, k_shot, n_query, image_shape, np.random.default_rng(seed))
    sees_labels = _wants_query_labels(predict)
    ask = _asker(call, n_way, sees_labels)
    base = ask(*task)
    shown = call.shown
    if _differ(ask(*task), base):
        call.refuse("it is random", "Two calls with the same arguments gave different scores: is dropout switched off?")
    if np.ptp(base, axis=0).max() <= 1e-9 * np.abs(base).max(initial=1e-9):
        call.refuse("it returned a constant", "Every query got the same scores.")
    fact, numbers = _other_queries(ask, task, base)
    findings = _faults(ask, task, base, n_way, allow, sees_labels)
    if expect and fact != expect:
        findings.append(Finding(f"{fact}, not {expect}", "See how the other queries change an answer."))
    labels = f"the labels of the queries were {'given' if sees_labels else 'not given'}"
    return judge("scores", findings, fact, shown, [] if not findings else [fact], {**numbers, "leak": labels})


def _faults(ask, task, base, n_way, allow, sees_labels):
    support_x, support_y, query_x, query_y = task
    rng, findings = np.random.default_rng(1), []
    if sees_labels:
        changed = ask(support_x, support_y, query_x, (query_y + 1) % n_way)
        findings += _fault("leak: the answers depend on the labels of the queries", changed, base,
                           "Nobody has them when the classifier is used.")
    new = _permutation(rng, len(query_x))
    findings += _fault("query order", ask(support_x, support_y, query_x[new], query_y[new]), base[new],
                       "The same queries in another order get other answers.")
    new = _permutation(rng, len(support_x))
    findings += _fault("support order", ask(support_x[new], support_y[new], query_x, query_y), base,
                       MEANINGS["support order"])
    other = ask(rng.uniform(size=support_x.shape).astype(np.float32), support_y, query_x, query_y)
    if not _differ(other, base):
        findings.append(Finding("the support is ignored", "Other support images gave the same scores."))
    else:
        findings += _names(ask, task, base, n_way)
        findings += _direction(base, query_y)
    return [finding for finding in findings if finding.name.split(":")[0] not in allow]


def _names(ask, task, base, n_way):
    """The labels 0, 1, 2, ... become 2, 0, 1, ...: a permutation that is not its own inverse."""
    support_x, support_y, query_x, query_y = task
    new = np.roll(np.arange(n_way), 1)  # label j becomes new[j]
    renamed = ask(support_x, new[support_y], query_x, new[query_y])
    if not _differ(renamed[:, new], base):
        return []
    kind, says = "", MEANINGS["label names"]
    if not _differ(renamed, base):
        kind, says = ": support_y is ignored", ("Renaming the labels of the support changes nothing: the classes are "
                                                "numbered in the order in which they come.")
    elif not _differ(renamed[:, np.argsort(new)], base):
        kind, says = ": the columns follow the inverse", ("Labels were permuted the wrong way between the support and "
                                                          "the scores: p[order] for p[argsort(order)].")
    same = np.mean(renamed[:, new].argmax(axis=1) == base.argmax(axis=1))
    return [Finding(f"label names{kind}", says, {"renamed": f"{same:.0%} of the answers follow the new names"})]


def _direction(base, query_y):
    right, lowest = (np.mean(pick(base, axis=1) == query_y) for pick in (np.argmax, np.argmin))
    if lowest > 0.9 and right < 0.1:
        return [Finding("the lowest score is right", "These are distances, but a score is high for the answer: return "
                        "minus the distance.",
                        {"lowest": f"right in {lowest:.0%}, highest in {right:.0%} of an easy task"})]
    return []


def _other_queries(ask, task, base):
    """("inductive" or "transductive", numbers): each query alone against the same query among all."""
    support_x, support_y, query_x, query_y = task
    alone = np.concatenate([ask(support_x, support_y, query_x[i:i + 1], query_y[i:i + 1])
                            for i in range(len(query_x))])
    scale = max(np.ptp(base), 1e-9)
    changed = np.mean(alone.argmax(axis=1) != base.argmax(axis=1))
    numbers = {"alone": f"scores change by up to {np.abs(alone - base).max() / scale:.2%} of their range, and "
                        f"{changed:.0%} of the answers, when each query is asked alone"}
    return ("transductive" if _differ(alone, base) else "inductive"), numbers


def _fault(name, value, wanted, says):
    if not _differ(value, wanted):
        return []
    scale = max(np.ptp(wanted), 1e-9)
    return [Finding(name, says, {name.split(":")[0]: f"scores change by up to "
                                 f"{np.abs(value - wanted).max() / scale:.2%} of their range"})]


def _differ(value, wanted):
    return np.abs(value - wanted).max() > TOLERANCE * max(np.ptp(wanted), 1e-9)


# ---------------------------------------------------------------- how it is asked


def _asker(call, n_way, sees_labels):
    def ask(support_x, support_y, query_x, query_y):
        args = (support_x, support_y, query_x) + ((query_y,) if sees_labels else ())
        array = call.converted(call(*args))
        m = len(query_x)
        if array.shape == (n_way,) and m != n_way:
            call.refuse("one answer per class, not per query", "argmax was taken over the queries: the classes are the "
                        "last axis, axis=-1.")
        if array.shape == (m,) and np.all((array == np.round(array)) & (array >= 0) & (array < n_way)):
            return np.eye(n_way)[array.astype(int)]  # answers in place of scores
        if array.shape == ():
            call.refuse("one answer for all queries", "argmax or mean was taken without an axis. " + EXAMPLE)
        if array.shape != (m, n_way):
            call.refuse(f"it returned shape {array.shape}", f"Needed: ({m}, {n_way}). {EXAMPLE}")
        if not np.isfinite(array).all():
            call.refuse("it returned NaN or infinity", f"{len(query_x)} queries were asked. Batch norm over a single "
                        "value, log(0), or a division by 0?")
        return array.astype(float)
    return ask


def _wants_query_labels(predict):
    try:
        parameters = [p for p in inspect.signature(predict).parameters.values()
                      if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    except (TypeError, ValueError):  # no function, or a builtin without a signature
        return False
    return len(parameters) > 3 and (parameters[3].default is inspect.Parameter.empty or parameters[3].name == "query_y")


def _draw_task(n_way, k_shot, n_query, image_shape, rng):
    """An easy task: a random pattern for each class, and some noise on it; the queries in mixed order."""
    patterns = rng.uniform(0.2, 0.8, size=(n_way, *image_shape))
    support_y = np.repeat(np.arange(n_way), k_shot)
    query_y = rng.permutation(np.append(np.repeat(np.arange(n_way), n_query), 0))  # one more, so that M is no N Q
    noisy = [np.clip(patterns[y] + rng.normal(0, 0.1, (len(y), *image_shape)), 0, 1).astype(np.float32)
             for y in (support_y, query_y)]
    return noisy[0], support_y, noisy[1], query_y


def _permutation(rng, n):
    order = rng.permutation(n)
    return np.roll(order, 1) if (order == np.arange(n)).all() else order


def _check(n_way, k_shot, n_query, allow, expect):
    if min(n_way - 2, k_shot, n_query) < 1:
        raise ValueError(f"scores needs n_way from 3, k_shot and n_query from 1, got {n_way}, {k_shot}, {n_query}")
    if isinstance(allow, str) or not set(allow) <= {"support order", "query order", "label names"}:
        raise ValueError(f"allow is a tuple of \"support order\", \"query order\" and \"label names\", got {allow!r}")
    if expect not in (None, "inductive", "transductive"):
        raise ValueError(f"expect must be \"inductive\" or \"transductive\", got {expect!r}")
