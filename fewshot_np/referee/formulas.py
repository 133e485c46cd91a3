"""Is a loss the formula that it is said to be? The contrastive loss, prototypes, their logits, cross-entropy.

`np` is plain NumPy. A table of candidates holds each formula that people write in its place, by name.
"""

from itertools import product

import numpy as np

from fewshot_np.referee.calling import Call, far, judged
from fewshot_np.referee.verdict import Finding, judge

TOLERANCE = 2e-3
MARGIN = 1.5


@judged
def losses(*, contrastive=None, contrastive_gradient=None, prototypes=None, prototype_logits=None, cross_entropy=None,
           one_means="same", distance="squared", reduction=None):
    """Which formulas are these? Give one or more; the verdict names each, and what is wrong with it.

    contrastive(e1, e2, y, margin) -> a number, or one per pair. e1, e2 (P,D), y (P,) integers 0 and 1.
    contrastive_gradient(e1, e2, y, margin) -> its derivative for e1, (P,D); asked at distance 0, too.
    prototypes(support_x, support_y, n_way) -> (N,D). support_x (M,D) in mixed order, unequal counts.
    prototype_logits(query, prototypes) -> (M,N), which softmax turns into probabilities.
    cross_entropy(logits, labels) -> a number, or one per example. logits (M,N), labels (M,) integers.
    one_means: what y = 1 means, "same" or "different" (Hadsell et al. 2006). distance: "squared" or "plain", what the
    logits should be made of. reduction: "mean" or "sum", if the other one would be a fault; None takes both as facts.

    Raises: ValueError for nothing to judge, and for other words.
    """
    _check_words(one_means, distance, reduction)
    checks = [(contrastive, _contrastive, one_means, reduction), (contrastive_gradient, _at_zero, one_means),
              (prototypes, _prototypes), (prototype_logits, _logits, distance),
              (cross_entropy, _cross_entropy, reduction)]
    chosen = [(check, function, more) for function, check, *more in checks if function is not None]
    if not chosen:
        raise ValueError("losses judges contrastive=, contrastive_gradient=, prototypes=, prototype_logits= or "
                         "cross_entropy=; give one or more")
    results = [check(function, *more) for check, function, more in chosen]
    findings = [finding for found, _, _ in results for finding in found]
    facts = [fact for _, fact, _ in results if fact]
    if contrastive is not None and contrastive_gradient is None:
        facts.append("its derivative at distance 0 was not looked at (contrastive_gradient=)")
    return judge("losses", findings, facts[0] if facts else "", "; ".join(call for _, _, call in results),
                 facts if findings else facts[1:])


def _check_words(one_means, distance, reduction):
    for word, value, words in (("one_means", one_means, ("same", "different")),
                               ("distance", distance, ("squared", "plain")),
                               ("reduction", reduction, (None, "mean", "sum"))):
        if value not in words:
            raise ValueError(f"{word} must be one of {words}, got {value!r}")


def _named(answers, candidates, factors=None):
    """The first name whose candidate agrees with all answers, and its factor: (name, factor's name), or None."""
    for factor, scale in (factors or {"": 1.0}).items():
        for name, wanted in candidates.items():
            if all(np.shape(a) == np.shape(w) and far(a, scale * w) < TOLERANCE
                   for a, w in zip(answers, wanted, strict=True)):
                return name, factor
    return None


def _unknown(what, gaps):
    nearest = min(gaps, key=gaps.get)
    return Finding(f"{what}: none of these", "It is no formula that the referee knows.",
                   {what: f"nearest is \"{nearest}\", {gaps[nearest]:.1%} off"})


def _gaps(answers, candidates):
    return {name: max(far(a, w) if np.shape(a) == np.shape(w) else np.inf
                      for a, w in zip(answers, wanted, strict=True)) for name, wanted in candidates.items()}


# ---------------------------------------------------------------- the contrastive loss

PULL = {"": lambda d, m: d ** 2, "same pairs pulled by d, not d^2": lambda d, m: d}
PUSH = {"": lambda d, m: np.maximum(0, m - d) ** 2,
        "margin on the squared distance, max(0, m - d^2)": lambda d, m: np.maximum(0, m - d ** 2),
        "margin on the squared distance, max(0, m - d^2)^2": lambda d, m: np.maximum(0, m - d ** 2) ** 2,
        "margin on the squared distance, max(0, m^2 - d^2)": lambda d, m: np.maximum(0, m ** 2 - d ** 2),
        "push not squared, max(0, m - d)": lambda d, m: np.maximum(0, m - d),
        "no max: pairs beyond the margin are pulled back": lambda d, m: (m - d) ** 2,
        "the margin is always 1": lambda d, m: np.maximum(0, 1 - d) ** 2}
FACTORS = {"": 1.0, "half of it, as in Hadsell's formula": 0.5, "twice": 2.0}


def _contrastive(function, one_means, reduction):
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
    found = _named(answers, candidates, FACTORS)
    if found is None:
        return [_unknown("contrastive", _gaps(answers, candidates))], "", shown
    (how, *faults), factor = found
    texts = {"labels the wrong way round": f"Here 1 means {one_means}: pairs of one class are pushed apart and others "
             "pulled together. Hadsell et al. 2006 write 1 for different.",
             "margin": "The margin is one of the distance: (m - d)^2, not of d^2. The push ends elsewhere."}
    findings = [Finding(f"contrastive: {fault}", texts.get(fault, texts["margin"] if "margin on" in fault else ""))
                for fault in faults]
    return findings + _reduction("contrastive", how, reduction), ", ".join(
        filter(None, ("contrastive: as it should be" if not faults else "contrastive", how, factor))), shown


def _of_pairs(e1, e2, y, one_means, flip, pull, push, how):
    d = np.linalg.norm(e1 - e2, axis=1)
    same = (y == 1) == ((one_means == "same") != flip)
    return _reduced(np.where(same, pull(d, MARGIN), push(d, MARGIN)), how)


def _reduced(values, how):
    return {"mean": np.mean, "sum": np.sum}.get(how, np.asarray)(values)


def _reduction(what, how, wanted):
    if wanted in (None, how):
        return []
    return [Finding(f"{what}: {how}, not {wanted}", "Learning rates mean something else with it.")]


def _at_zero(function, one_means):
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


# ---------------------------------------------------------------- prototypes and their logits


def _prototypes(function):
    call = Call("losses", function, ("support_x", "support_y", "n_way"), "It returns the prototypes, (N,D).")
    rng, answers, candidates = np.random.default_rng(0), [], {}
    for y in ([2, 0, 1, 2, 1, 2, 0, 2, 1], [1, 1, 3, 0, 2, 0, 3, 3, 2, 1]):
        y, n = np.array(y), max(y) + 1
        x = rng.normal(size=(len(y), 3 + n % 2))
        members = [x[y == c] for c in range(n)]
        order = list(dict.fromkeys(y.tolist()))
        mean = np.array([m.mean(axis=0) for m in members])
        answers.append(call.array(mean.shape, x, y, int(n)))
        sorted_blocks = np.array_split(x, n)
        for name, wanted in {
                "as they should be": mean, "the sum, not the mean": np.array([m.sum(axis=0) for m in members]),
                "in the order in which the classes come, not of the labels": mean[order],
                "rows permuted by the inverse order": mean[np.argsort(order)],
                "the support is taken to be sorted by label": np.array([b.mean(axis=0) for b in sorted_blocks]),
                "the median, not the mean": np.array([np.median(m, axis=0) for m in members]),
                "one example, not the mean": np.array([m[0] for m in members]),
                "the last example, not the mean": np.array([m[-1] for m in members]),
                "the sum over a class, divided by the size of the whole support":
                    np.array([m.sum(axis=0) / len(x) for m in members]),
                "the sum over a class, divided by the same number for all classes":
                    np.array([m.sum(axis=0) * n / len(x) for m in members]),
                "means of length 1": mean / np.linalg.norm(mean, axis=1, keepdims=True)}.items():
            candidates.setdefault(name, []).append(wanted)
    return _one_of("prototypes", answers, candidates, "A prototype is the mean of the embeddings of its class, in the "
                   "row of its label, for any order of the support and any count.", call.shown)


def _one_of(what, answers, candidates, says, shown):
    found = _named(answers, candidates)
    if found is None:
        return [_unknown(what, _gaps(answers, candidates))], "", shown
    if found[0] == next(iter(candidates)):
        return [], f"{what}: {found[0]}", shown
    return [Finding(f"{what}: {found[0]}", says)], "", shown


def _logits(function, distance):
    call = Call("losses", function, ("query", "prototypes"), "It returns the logits, (M,N).")
    rng, answers, candidates = np.random.default_rng(1), [], {}
    for m, n, d in ((5, 3, 4), (4, 6, 2)):
        q, p = rng.normal(size=(m, d)), rng.normal(size=(n, d)) * 1.5
        answers.append(_centred(call.array((m, n), q, p)))
        squared = ((q[:, None] - p) ** 2).sum(axis=-1)
        cosine = q @ p.T / np.linalg.norm(q, axis=1)[:, None] / np.linalg.norm(p, axis=1)
        for name, wanted in {
                "squared distance": -squared, "plain distance, not squared": -np.sqrt(squared),
                "squared distance with the wrong sign": squared, "plain distance with the wrong sign": np.sqrt(squared),
                "mean over the features, not the sum": -squared / d, "half the squared distance": -squared / 2,
                "cosine": cosine, "dot product": q @ p.T, "sum of absolute differences":
                    -np.abs(q[:, None] - p).sum(axis=-1),
                "probabilities, not logits": _softmax(-squared), "1 / distance": 1 / np.sqrt(squared),
                "exp(-squared distance)": np.exp(-squared)}.items():
            candidates.setdefault(name, []).append(_centred(wanted))
    if distance == "plain":
        candidates = {"plain distance": candidates.pop("plain distance, not squared"), **candidates}
    return _one_of("prototype_logits", answers, candidates, "Prototypical networks take minus the squared Euclidean "
                   "distance (Snell et al. 2017). With another one the answer may be the same, the probabilities and "
                   "gradients are not.", call.shown)


def _centred(logits):
    """Softmax ignores what is added to a row, such as |query|^2."""
    return logits - logits.mean(axis=1, keepdims=True)


def _softmax(logits):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


# ---------------------------------------------------------------- cross-entropy


def _cross_entropy(function, reduction):
    call = Call("losses", function, ("logits", "labels"), "It returns the loss, () or (M,).")
    rng, answers, candidates = np.random.default_rng(2), [], {}
    for m, n in ((5, 3), (4, 6)):
        logits, y = rng.normal(size=(m, n)) * 2, rng.integers(0, n, m)
        answers.append(call.array(None, logits, y))
        p, rows = _softmax(logits), np.arange(m)
        own, again = -np.log(p[rows, y]), -np.log(_softmax(p)[rows, y])
        for name, values in {"": own, "softmax was taken twice": again, "the sign is missing": -own,
                             "logarithm to base 2": own / np.log(2),
                             "softmax over the examples, not the classes": -np.log(_softmax(logits.T).T[rows, y]),
                             "no softmax: minus the logit of the label": -logits[rows, y],
                             "the probability, without its logarithm": 1 - p[rows, y],
                             "divided by examples and classes": own / n}.items():
            for how in ("mean", "sum", "per example"):
                candidates.setdefault((how, name), []).append(_reduced(values, how))
    shown = call.shown
    found = _named(answers, candidates)
    if found is None:
        return [_unknown("cross_entropy", _gaps(answers, candidates))], "", shown
    (how, fault), _ = found
    findings = [Finding(f"cross_entropy: {fault}", "Cross-entropy is -log softmax(logits)[label].")] if fault else []
    with np.errstate(all="ignore"):
        large = call.converted(call(np.array([[1000.0, -1000.0, 0.0]]), np.array([1])))
    if not fault and not np.isfinite(large).all():
        findings.append(Finding("cross_entropy: NaN or infinity for logits of 1000", "Subtract the row's maximum "
                                "before exp, and take log_softmax in one go."))
    fact = f"cross_entropy: {how} over the examples" if how != "per example" else "cross_entropy: one per example"
    return findings + _reduction("cross_entropy", how, reduction), fact, shown
