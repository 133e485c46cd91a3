"""Formulas and intervals of several styles, right and wrong."""

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

from fewshot_np import referee
from fewshot_np.lesson2_episodes import mean_confidence_interval
from fewshot_np.lesson4_siamese import contrastive_loss, document_formula
from fewshot_np.nn.primitives import cross_entropy
from fewshot_np.nn.trees import grad

# ---------------------------------------------------------------- the contrastive loss


def distances(e1, e2):
    return np.sqrt(((e1 - e2) ** 2).sum(axis=1))


def pair_by_pair(e1, e2, y, margin):
    total = 0.0
    for a, b, same in zip(e1, e2, y, strict=True):
        d = sum((a - b) ** 2) ** 0.5
        total += d * d if same else max(0.0, margin - d) ** 2
    return total


def kept_apart(e1, e2, y, margin):
    d = distances(e1, e2)
    return 0.5 * np.where(y == 1, d ** 2, np.clip(margin - d, 0, None) ** 2)


def hadsell(e1, e2, y, margin):
    d = distances(e1, e2)
    return np.mean(0.5 * (1 - y) * d ** 2 + 0.5 * y * np.maximum(0, margin - d) ** 2)


def formula(pull=lambda d, m: d ** 2, push=lambda d, m: np.maximum(0, m - d) ** 2, flip=False):
    return lambda e1, e2, y, margin: np.mean(np.where((y == 1) != flip, pull(distances(e1, e2), margin),
                                                      push(distances(e1, e2), margin)))


@pytest.mark.parametrize(("function", "how"), [(contrastive_loss, "mean"), (pair_by_pair, "sum"),
                                               (kept_apart, "per pair, half of it")])
def test_a_right_contrastive_loss_is_not_accused(function, how):
    assert f"contrastive: as it should be, {how}" in referee.losses(contrastive=function).check().verdict


def test_hadsells_labels_are_right_if_one_means_different():
    assert referee.losses(contrastive=hadsell, one_means="different").ok
    assert "labels the wrong way round" in referee.losses(contrastive=hadsell).verdict
    assert referee.losses(contrastive=document_formula, one_means="different").ok


@pytest.mark.parametrize(("name", "function"), [
    ("labels the wrong way round", document_formula), ("labels the wrong way round", formula(flip=True)),
    ("margin on the squared distance, max(0, m - d^2)", formula(push=lambda d, m: np.maximum(0, m - d * d))),
    ("max(0, m - d^2)^2", formula(push=lambda d, m: np.maximum(0, m - d * d) ** 2)),
    ("push not squared", formula(push=lambda d, m: np.maximum(0, m - d))),
    ("pulled by d, not d^2", formula(pull=lambda d, m: d)), ("no max", formula(push=lambda d, m: (m - d) ** 2)),
    ("the margin is always 1", formula(push=lambda d, m: np.maximum(0, 1 - d) ** 2)),
    ("none of these", formula(pull=lambda d, m: d ** 3)), ("it returned NaN", lambda *a: np.nan),
    ("none of these", lambda *a: 1.0), ("it raised KeyError", lambda *a: {}["x"])])
def test_a_wrong_contrastive_loss_is_named(name, function):
    verdict = referee.losses(contrastive=function)
    assert not verdict.ok
    assert name in verdict.verdict
    assert "(e1=float64[" in verdict.called


def by_root(e1, e2, y, margin):
    d = anp.sqrt(anp.sum((e1 - e2) ** 2, axis=1))
    return anp.mean(y * d ** 2 + (1 - y) * anp.maximum(0, margin - d) ** 2)


def by_root_in_where(e1, e2, y, margin):
    squared = anp.sum((e1 - e2) ** 2, axis=1)
    d = anp.where(squared > 0, anp.sqrt(squared), 0.0)
    return anp.mean(y * squared + (1 - y) * anp.maximum(0, margin - d) ** 2)


def with_safe_argument(e1, e2, y, margin):
    squared = anp.sum((e1 - e2) ** 2, axis=1)
    d = anp.sqrt(anp.where(squared > 0, squared, 1.0)) * (squared > 0)
    return anp.mean(y * squared + (1 - y) * anp.maximum(0, margin - d) ** 2)


@pytest.mark.parametrize("gradient", [grad(contrastive_loss), autograd.grad(with_safe_argument)])
def test_a_finite_derivative_at_distance_0_is_not_accused(gradient):
    assert referee.losses(contrastive_gradient=gradient).check().verdict == "contrastive_gradient: finite at distance 0"


@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
@pytest.mark.parametrize("function", [by_root, by_root_in_where])
def test_an_infinite_derivative_at_distance_0_is_named(function):
    verdict = referee.losses(contrastive_gradient=autograd.grad(function))
    assert verdict.verdict == "contrastive_gradient: NaN or infinity at distance 0"
    assert "different pair" in str(verdict)


# ---------------------------------------------------------------- prototypes, their logits, cross-entropy


def means(x, y, n_way):
    return np.array([x[y == c].mean(axis=0) for c in range(n_way)])


def test_right_prototypes_logits_and_cross_entropies_are_not_accused():
    for function in (means, lambda x, y, n: (np.eye(n)[y].T @ x) / np.bincount(y)[:, None],
                     lambda x, y, n: [np.average(x, axis=0, weights=y == c) for c in range(n)]):
        assert referee.losses(prototypes=function).check().verdict == "prototypes: as they should be"
    for function in (lambda q, p: -((q[:, None] - p) ** 2).sum(-1), lambda q, p: 2 * q @ p.T - (p ** 2).sum(1),
                     lambda q, p: [[-sum((a - b) ** 2) for b in p] for a in q]):
        assert referee.losses(prototype_logits=function).check().verdict == "prototype_logits: squared distance"
    for function, how in ((cross_entropy, "mean"), (summed, "sum"), (one_by_one, "one per example")):
        assert how in referee.losses(cross_entropy=function).check().verdict
    assert not referee.losses(cross_entropy=summed, reduction="mean").ok


def log_softmax(z):
    z = z - z.max(axis=1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


def summed(z, y):
    return -(np.eye(z.shape[1])[y] * log_softmax(z)).sum()


def one_by_one(z, y):
    return [float(-log_softmax(z)[i, c]) for i, c in enumerate(y)]


def softmax(z):
    return np.exp(log_softmax(z))


def exp_first(z, y):
    return np.mean([-np.log(np.exp(row[c]) / np.exp(row).sum()) for row, c in zip(z, y, strict=True)])


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value", "ignore:divide by zero")
@pytest.mark.parametrize(("name", "functions"), [
    ("in the order in which the classes come", {"prototypes": lambda x, y, n: means(x, y, n)[list(dict.fromkeys(y))]}),
    ("sorted by label", {"prototypes": lambda x, y, n: [b.mean(axis=0) for b in np.array_split(x, n)]}),
    ("the sum, not the mean", {"prototypes": lambda x, y, n: [x[y == c].sum(axis=0) for c in range(n)]}),
    ("divided by the same number", {"prototypes": lambda x, y, n: np.eye(n)[y].T @ x * n / len(x)}),
    ("none of these", {"prototypes": lambda x, y, n: means(x, y, n) + 0.1}),
    ("it returned shape", {"prototypes": lambda x, y, n: x}),
    ("plain distance, not squared", {"prototype_logits": lambda q, p: -np.linalg.norm(q[:, None] - p, axis=-1)}),
    ("wrong sign", {"prototype_logits": lambda q, p: ((q[:, None] - p) ** 2).sum(-1)}),
    ("mean over the features", {"prototype_logits": lambda q, p: -((q[:, None] - p) ** 2).mean(-1)}),
    ("cosine", {"prototype_logits": lambda q, p: q @ p.T / np.outer(np.linalg.norm(q, axis=1),
                                                                    np.linalg.norm(p, axis=1))}),
    ("none of these", {"prototype_logits": lambda q, p: np.sin(q @ p.T)}),
    ("softmax was taken twice", {"cross_entropy": lambda z, y: cross_entropy(softmax(z), y)}),
    ("the sign is missing", {"cross_entropy": lambda z, y: -summed(z, y)}),
    ("over the examples, not the classes", {"cross_entropy": lambda z, y: np.mean(
        [-log_softmax(z.T).T[i, c] for i, c in enumerate(y)])}),
    ("NaN or infinity for logits of 1000", {"cross_entropy": exp_first}),
    ("none of these", {"cross_entropy": lambda z, y: cross_entropy(z, y) ** 2})])
def test_wrong_ones_are_named(name, functions):
    verdict = referee.losses(**functions)
    assert not verdict.ok
    assert name in verdict.verdict


def test_several_formulas_are_judged_together():
    verdict = referee.losses(contrastive=document_formula, contrastive_gradient=grad(contrastive_loss),
                             prototypes=means, cross_entropy=summed)
    assert verdict.verdict == "contrastive: labels the wrong way round"
    assert "cross_entropy: sum over the examples" in str(verdict)


# ---------------------------------------------------------------- the interval


def with_t(values):
    return np.mean(values), {7: 2.447, 12: 2.201, 25: 2.064}[len(values)] * np.std(values, ddof=1) / len(values) ** 0.5


def in_percent(values):
    n, mean = len(values), sum(values) / len(values)
    return 100 * mean, 196 * (sum((v - mean) ** 2 for v in values) / (n - 1) / n) ** 0.5


@pytest.mark.parametrize("function", [mean_confidence_interval, with_t, in_percent])
def test_a_right_interval_is_not_accused(function):
    referee.interval(function).check()


def of(half):
    return lambda v: (v.mean(), half(v, v.std(ddof=1), len(v)))


@pytest.mark.parametrize(("name", "function"), [
    ("ddof=0", of(lambda v, s, n: 1.96 * v.std() / n ** 0.5)), ("1.96 is missing", of(lambda v, s, n: s / n ** 0.5)),
    ("division by sqrt(n) is missing", of(lambda v, s, n: 1.96 * s)),
    ("divided by n", of(lambda v, s, n: 1.96 * s / n)),
    ("the whole width", of(lambda v, s, n: 2 * 1.96 * s / n ** 0.5)),
    ("the variance", of(lambda v, s, n: 1.96 * s * s / n ** 0.5)), ("none of these", of(lambda v, s, n: 0.01)),
    ("both ends", lambda v: np.array([-1, 1]) * mean_confidence_interval(v)[1] + v.mean()),
    ("the mean is another one", lambda v: (np.median(v) + 0.01, 0.1)), ("it returned shape ()", lambda v: v.mean()),
    ("it returned NaN", lambda v: (v.mean(), np.nan)), ("it raised AttributeError", lambda v: v.average())])
def test_a_wrong_interval_is_named(name, function):
    verdict = referee.interval(function)
    assert not verdict.ok
    assert name in verdict.verdict


ANSWERS = (np.random.default_rng(0).uniform(size=(600, 75)) < np.random.default_rng(1).uniform(0.4, 1, (600, 1)))
VALUES = ANSWERS.mean(axis=1)
MEAN, HALF = mean_confidence_interval(VALUES)
OVER_IMAGES = 1.96 * (MEAN * (1 - MEAN) / ANSWERS.size) ** 0.5


def report(half, mean=MEAN, digits=1):
    return f"{100 * mean:.{digits}f} ± {100 * half:.{digits}f} %"


def test_what_is_reported_is_compared_with_the_accuracies():
    for values, more in ((VALUES, {"printed": report(HALF)}), (100 * VALUES, {"printed": report(HALF)}),
                         (ANSWERS, {"half_width": HALF, "mean": MEAN}),
                         (VALUES, {"printed": f"{MEAN:.3f} +- {HALF:.3f}"})):
        referee.interval(values, **more).check()


@pytest.mark.parametrize(("name", "values", "more"), [
    ("over images, not over episodes", ANSWERS, {"printed": report(OVER_IMAGES, digits=2)}),
    ("over images, not over episodes", VALUES, {"printed": report(OVER_IMAGES, digits=2), "n_query": 75}),
    ("1.96 is missing", VALUES, {"half_width": VALUES.std(ddof=1) / len(VALUES) ** 0.5}),
    ("none of these", VALUES, {"half_width": HALF * 1.3}),
    ("the mean is another one", VALUES, {"printed": report(HALF, mean=MEAN + 0.02)}),
    ("too few episodes for the digits printed", VALUES[:25], {"printed": report(
        mean_confidence_interval(VALUES[:25])[1], VALUES[:25].mean(), digits=2)}),
    ("these look like answers", ANSWERS[:, 0], {"half_width": mean_confidence_interval(ANSWERS[:, 0])[1]}),
    ("ddof=0", VALUES[:9], {"half_width": 1.96 * VALUES[:9].std() / 3})])
def test_a_wrong_report_is_named(name, values, more):
    verdict = referee.interval(values, **more)
    assert not verdict.ok
    assert name in verdict.verdict
