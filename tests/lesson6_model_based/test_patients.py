"""Made-up tasks and real patients: what is drawn, in which units, and by whom it is classified."""

from functools import partial

import autograd.numpy as np
import numpy as onp
import pytest

from fewshot_np import lesson6_model_based as lesson
from fewshot_np.data import patients as table
from fewshot_np.nn.trees import grad
from tests.nn.derivatives import assert_close, normal

PATIENTS = table.load()


def tables(k_shot=3, n_query=4, n_tasks=6, seed=0, **settings):
    return lesson.sample_tables(k_shot, n_query, n_tasks, onp.random.default_rng(seed), **settings)


# ---------------------------------------------------------------- the table


def test_the_table_is_the_published_one():
    everything = table.load("all")
    assert everything.features.shape == (569, 30)
    assert (everything.labels == 1).sum() == 212  # of which class, by the repository's page
    assert PATIENTS.features.shape == (569, 10)
    assert PATIENTS.names[0] == "radius mean"
    smallest, largest = (f(everything.features, axis=0) for f in (onp.min, onp.max))  # its table of ranges
    for name, low, high in [("radius mean", 6.981, 28.11), ("area worst", 185.2, 4254.0), ("area error", 6.802, 542.2)]:
        i = everything.names.index(name)
        assert (smallest[i], largest[i]) == pytest.approx((low, high), rel=1e-4)
    malignant = PATIENTS.labels == 1
    assert PATIENTS.features[malignant, 0].mean() > PATIENTS.features[~malignant, 0].mean() + 4  # larger nuclei
    with pytest.raises(ValueError, match="which must be"):
        table.load("median")


# ---------------------------------------------------------------- the prior


@pytest.mark.parametrize("statistics", ["support", "support and queries"])
def test_tables_are_balanced_sorted_and_in_standard_units(statistics):
    for seed in range(6):
        drawn = tables(seed=seed, statistics=statistics)
        assert (drawn.support_x.shape, drawn.query_x.shape) == ((6, 6, 10), (6, 8, 10))
        assert drawn.support_x.dtype == drawn.query_x.dtype == "float32"
        onp.testing.assert_array_equal(drawn.support_y, [[0, 0, 0, 1, 1, 1]] * 6)
        onp.testing.assert_array_equal(drawn.query_y, [[0] * 4 + [1] * 4] * 6)
        x = drawn.support_x if statistics == "support" else onp.concatenate([drawn.support_x, drawn.query_x], axis=1)
        used = onp.abs(x).max(axis=(0, 1)) > 0
        assert onp.abs(x.mean(axis=1)).max() < 0.2  # not 0 where a value was cut
        assert (onp.abs(x[..., used].std(axis=1) - 1) < 0.3).all()
        assert onp.abs(drawn.query_x).max() <= lesson.CLIP


def test_a_rule_can_be_learned_and_every_task_has_another():
    drawn = tables(20, 50, 40)
    near = lesson.rates(lesson.nearest_neighbour(drawn.support_x, drawn.support_y, drawn.query_x), drawn.query_y)[0]
    assert near.mean() > 0.6
    others = onp.roll(drawn.support_x, 1, axis=0)  # another task's support
    wrong = lesson.rates(lesson.nearest_neighbour(others, drawn.support_y, drawn.query_x), drawn.query_y)[0]
    assert abs(wrong.mean() - 0.5) < 0.1


def test_features_are_used_all_or_only_the_first():
    used = {int((onp.abs(tables(seed=seed).query_x).max(axis=(0, 1)) > 0).sum()) for seed in range(30)}
    assert 10 in used
    assert len(used) > 4


def test_statistics_of_the_support_judge_a_query_by_itself():
    drawn = lesson.sample_patients(PATIENTS.features, PATIENTS.labels, 2, 5, 3, onp.random.default_rng(0))
    one = drawn._replace(query_x=drawn.query_x[:, 4:5])
    for statistics, alone in [("support", True), ("support and queries", False)]:
        both, single = (lesson.standardise(e, statistics).query_x for e in (drawn, one))
        assert onp.allclose(both[:, 4:5], single) == alone
    mean, deviation = drawn.support_x.mean(axis=1, keepdims=True), drawn.support_x.std(axis=1, keepdims=True)
    assert_close(lesson.standardise(drawn, "support").query_x,
                 onp.clip((drawn.query_x - mean) / deviation, -4, 4), 1e-4)


# ---------------------------------------------------------------- patients


def test_patients_of_a_task_are_different_balanced_and_carry_their_own_labels():
    drawn = lesson.sample_patients(PATIENTS.features, PATIENTS.labels, 3, 20, 5, onp.random.default_rng(0))
    for t in range(5):
        ids = onp.concatenate([drawn.support_ids[t], drawn.query_ids[t]])
        assert len(set(ids)) == 46
        assert (PATIENTS.labels[drawn.support_ids[t]] == [0, 0, 0, 1, 1, 1]).all()
    onp.testing.assert_array_equal(drawn.query_x, PATIENTS.features[drawn.query_ids])
    onp.testing.assert_array_equal(drawn.query_y, PATIENTS.labels[drawn.query_ids])


# ---------------------------------------------------------------- the learners beside the network


def test_logistic_regression_minimises_its_penalised_loss():
    x, y, queries = normal(3, 8, 4), onp.tile([0, 0, 0, 0, 1, 1, 1, 1], (3, 1)), normal(3, 5, 4, seed=1)
    at_points = lesson.logistic_regression(x, y, x)
    design = onp.concatenate([x, onp.ones((3, 8, 1))], axis=-1)
    w = onp.stack([onp.linalg.lstsq(design[t], at_points[t], rcond=None)[0] for t in range(3)])  # log-odds are linear

    def loss(w):
        odds = np.einsum("tmf,tf->tm", design, w)
        return np.sum(np.log1p(np.exp(-(2 * y - 1) * odds))) + 0.5 * np.sum(w[:, :-1] ** 2)
    onp.testing.assert_allclose(grad(loss)(w), 0, atol=1e-6)  # it is convex: the minimum
    expected = onp.einsum("tqf,tf->tq", onp.concatenate([queries, onp.ones((3, 5, 1))], axis=-1), w)
    onp.testing.assert_allclose(lesson.logistic_regression(x, y, queries), expected, rtol=1e-8)


def test_nearest_mean_and_nearest_patient_are_the_loops():
    x, y, queries = normal(2, 6, 3), onp.tile([0, 0, 0, 1, 1, 1], (2, 1)), normal(2, 5, 3, seed=1)
    means, nearest = lesson.nearest_mean(x, y, queries), lesson.nearest_neighbour(x, y, queries)
    for t, q, c in onp.ndindex(2, 5, 2):
        mine = x[t, 3 * c:3 * c + 3]
        assert means[t, q, c] == pytest.approx(-((queries[t, q] - mine.mean(axis=0)) ** 2).sum())
        assert nearest[t, q, c] == pytest.approx(-min(((queries[t, q] - other) ** 2).sum() for other in mine))


def test_accuracy_sensitivity_and_specificity_by_hand():
    labels = onp.array([[0, 0, 1, 1, 1, 1]])
    taken_for = onp.eye(2)[onp.array([[0, 1, 1, 1, 1, 0]])]
    accuracy, sensitivity, specificity = lesson.rates(taken_for, labels)
    assert (accuracy[0], sensitivity[0], specificity[0]) == pytest.approx((4 / 6, 3 / 4, 1 / 2))


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(("call", "message"), [
    (partial(tables, k_shot=0), "k_shot must be a positive integer"),
    (partial(tables, n_features=2.5), "n_features must be a positive integer"),
    (partial(tables, statistics="queries"), 'statistics must be "support" or'),
    (lambda: lesson.sample_patients(PATIENTS.features, PATIENTS.labels, 200, 25, 1, onp.random.default_rng(0)),
     "212 patients are malignant; 200 support"),
    (lambda: lesson.sample_patients(PATIENTS.features, PATIENTS.labels, 0, 25, 1, onp.random.default_rng(0)),
     "k_shot must be a positive integer")])
def test_what_cannot_be_drawn_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
