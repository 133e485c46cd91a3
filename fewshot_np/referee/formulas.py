"""Is a loss the formula that it is said to be? The contrastive loss, prototypes, their logits, cross-entropy.

`np` is plain NumPy. A table of candidates holds each formula that people write in its place, by name.
"""

import numpy as np

from fewshot_np.referee.calling import Call, judged
from fewshot_np.referee.contrastive import judge_at_zero, judge_contrastive
from fewshot_np.referee.naming import gaps_of, named, other_reduction, reduced, unknown
from fewshot_np.referee.verdict import Finding, judge


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
    checks = [(contrastive, judge_contrastive, one_means, reduction), (contrastive_gradient, judge_at_zero, one_means),
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
    found = named(answers, candidates)
    if found is None:
        return [unknown(what, gaps_of(answers, candidates))], "", shown
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
                candidates.setdefault((how, name), []).append(reduced(values, how))
    shown = call.shown
    found = named(answers, candidates)
    if found is None:
        return [unknown("cross_entropy", gaps_of(answers, candidates))], "", shown
    (how, fault), _ = found
    findings = [Finding(f"cross_entropy: {fault}", "Cross-entropy is -log softmax(logits)[label].")] if fault else []
    with np.errstate(all="ignore"):
        large = call.converted(call(np.array([[1000.0, -1000.0, 0.0]]), np.array([1])))
    if not fault and not np.isfinite(large).all():
        findings.append(Finding("cross_entropy: NaN or infinity for logits of 1000", "Subtract the row's maximum "
                                "before exp, and take log_softmax in one go."))
    fact = f"cross_entropy: {how} over the examples" if how != "per example" else "cross_entropy: one per example"
    return findings + other_reduction("cross_entropy", how, reduction), fact, shown
