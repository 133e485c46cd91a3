"""The contrastive loss, and its derivative where two embeddings are the same. `np` is plain NumPy."""

from itertools import product

import numpy as np

from fewshot_np.referee.calling import Call
from fewshot_np.referee.naming import gaps_of, named, other_reduction, reduced, unknown
from fewshot_np.referee.verdict import Finding

MARGIN = 1.5
PULL = {"": lambda d, m: d ** 2, "same pairs pulled by d, not d^2": lambda d, m: d}
PUSH = {"": lambda d, m: np.maximum(0, m - d) ** 2,
        "margin on the squared distance, max(0, m - d^2)": lambda d, m: np.maximum(0, m - d ** 2),
        "margin on the squared distance, max(0, m - d^2)^2": lambda d, m: np.maximum(0, m - d ** 2) ** 2,
        "margin on the squared distance, max(0, m^2 - d^2)": lambda d, m: np.maximum(0, m ** 2 - d ** 2),
        "push not squared, max(0, m - d)": lambda d, m: np.maximum(0, m - d),
        "no max: pairs beyond the margin are pulled back": lambda d, m: (m - d) ** 2,
        "the margin is always 1": lambda d, m: np.maximum(0, 1 - d) ** 2}
FACTORS = {"": 1.0, "half of it, as in Hadsell's formula": 0.5, "twice": 2.0}


def judge_contrastive(function, one_means, reduction):
    call = Call("losses", function, ("e1", "e2", "y", "margin"), "It returns the loss, () or (P,).")
    rng = np.random.default_rng(0)
    cases = []
    for p, d in ((6, 3), (9, 2)):  # with distances on both sides of the margin, and of 1
        e1, direction = rng.normal(size=(p, d)), rng.normal(size=(p, d))
        y = rng.permutation(np.arange(p) % 3 == 0).astype(int)
        lengths = rng.permutation(np.linspace(0.3, 2.4, p))
        cases.append((e1, e1 + direction / np.linalg.norm(direction, axis=1, keepdims=True) * lengths[:, None], y))
    answers = [call.array(None, e1, e2, y, MARGIN) for e1, e2, y in cases]
    shown, candidates = call.shown, {}
    for flip, pull, push, how in product((False, True), PULL, PUSH, ("mean", "sum", "per pair")):
        name = (("labels the wrong way round" if flip else ""), pull, push)
        candidates[how, *filter(None, name)] = [_of_pairs(e1, e2, y, one_means, flip, PULL[pull], PUSH[push], how)
                                                for e1, e2, y in cases]
    found = named(answers, candidates, FACTORS)
    if found is None:
        return [unknown("contrastive", gaps_of(answers, candidates))], "", shown
    (how, *faults), factor = found
    texts = {"labels the wrong way round": f"Here 1 means {one_means}: pairs of one class are pushed apart and others "
             "pulled together. Hadsell et al. 2006 write 1 for different.",
             "margin": "The margin is one of the distance: (m - d)^2, not of d^2. The push ends elsewhere."}
    findings = [Finding(f"contrastive: {fault}", texts.get(fault, texts["margin"] if "margin on" in fault else ""))
                for fault in faults]
    return findings + other_reduction("contrastive", how, reduction), ", ".join(
        filter(None, ("contrastive: as it should be" if not faults else "contrastive", how, factor))), shown


def _of_pairs(e1, e2, y, one_means, flip, pull, push, how):
    d = np.linalg.norm(e1 - e2, axis=1)
    same = (y == 1) == ((one_means == "same") != flip)
    return reduced(np.where(same, pull(d, MARGIN), push(d, MARGIN)), how)


def judge_at_zero(function, one_means):
    """The derivative at identical pairs, of both kinds: the root of 0 has none, and 0 * NaN is NaN."""
    call = Call("losses", function, ("e1", "e2", "y", "margin"), "It returns the derivative for e1, (P,D).")
    e = np.random.default_rng(0).normal(size=(4, 3))
    e2 = e + np.array([0, 0, 0.4, 0.4])[:, None]
    gradient = call.converted(call(e, e2, np.array([0, 1, 0, 1]), MARGIN))
    if gradient.shape != e.shape:
        call.refuse(f"it returned shape {gradient.shape}", f"Needed: {e.shape}, the derivative for e1.")
    finite = np.isfinite(gradient).all(axis=1)
    if finite.all() and np.allclose(gradient[2:], 0):
        return [Finding("contrastive_gradient: it returned zeros", "No derivative arrives at e1.")], "", call.shown
    if finite.all():
        return [], "contrastive_gradient: finite at distance 0", call.shown
    rows = ", ".join(f"{kind} pair" for kind, good in zip(
        _kinds(one_means), finite[:2], strict=True) if not good) or "pairs that are apart"
    return [Finding("contrastive_gradient: NaN or infinity at distance 0", "The derivative of a root is infinite at 0, "
                    "also inside `where`. Square d for same pairs without the root, and give the root a safe argument.",
                    {"identical": f"not finite for the {rows}"})], "", call.shown


def _kinds(one_means):
    return ("different", "same") if one_means == "same" else ("same", "different")
