"""The run of lesson 6, model-based: what it measures, what it refuses before training, what it claims."""

from itertools import permutations
from types import SimpleNamespace

import numpy as onp
import pytest

from fewshot_np.data import patients
from fewshot_np.lesson2_episodes import Episode, mean_confidence_interval
from fewshot_np.lesson4_maml import adapt, sample_sinusoids
from fewshot_np.lesson6_model_based import __main__ as lesson
from fewshot_np.lesson6_model_based import context_run, decode, encode, init
from fewshot_np.lesson6_model_based.figures import whole_curve
from fewshot_np.nn.trees import repeat
from tests.scaffolding import assert_same_tree, run_tiny

TINY = ["--iterations", "3", "--maml-iterations", "3", "--episodes", "5", "--meta-batch", "2", "--curve-iterations",
        "2", "--table-iterations", "2", "--patient-episodes", "5", "--embedding-iterations", "1",
        "--character-iterations", "1", "--memory-iterations", "1"]


def test_the_record_has_the_numbers_of_the_tables(tmp_path, monkeypatch):
    monkeypatch.setattr(lesson, "POINTS", (1, 50))  # for speed: two lines of the table, and no search for a rate
    monkeypatch.setattr(lesson, "tune_rate", lambda error, rates: rates[0])
    monkeypatch.setattr(context_run, "SHOTS", (1, 10))
    metrics = run_tiny("lesson6_model_based", tmp_path, *TINY)["metrics"]
    assert metrics["MAML, 10 steps, 1000 points, cost"]["milliseconds"] > 0
    for k, other in [(1, "logistic regression"), (10, "nearest patient")]:
        where = f"patients, K = {k}, statistics of the support and queries, "
        mine, its, gap = (metrics[where + name]["mean"] for name in (
            "transformer", other, f"transformer minus {other}"))
        assert mine - its == pytest.approx(gap)
        both = [metrics[f"{where}transformer, {rate}"]["mean"] for rate in ("sensitivity", "specificity")]
        assert mine == pytest.approx(sum(both) / 2)  # the classes are balanced
    assert 0 <= metrics["memory, 10 slots, image 10"]["mean"] <= 1


def test_curve_fitters_answer_as_their_own_functions_do():
    rng = onp.random.default_rng(0)
    cnp, maml, tasks = init(rng), lesson.MAML_NETWORK.init(rng), sample_sinusoids(4, 4, 3, rng)
    reader = context_run.CURVES.init(rng)
    support = tasks.support_x, tasks.support_y
    expected = {"CNP": decode(cnp, encode(cnp, *support), tasks.query_x),
                "transformer": context_run.CURVES.apply(reader, *support, tasks.query_x)}
    for name, rate, steps in [("MAML, 1 step", 0.01, 1), ("MAML, 10 steps", 0.002, 10)]:
        adapted = adapt(lesson.sinusoid_loss, repeat(maml, 3), *support, rate, steps)
        expected[name] = lesson.MAML_NETWORK.apply(adapted, tasks.query_x)
    fitters = lesson.curve_fitters(cnp, maml, 0.01, 0.002, reader)
    assert set(fitters) == set(expected) == set(lesson.METHODS)
    for name, fit in fitters.items():
        onp.testing.assert_array_equal(fit(*support)(tasks.query_x), expected[name])


def test_the_drawn_curve_is_the_one_its_points_are_from():
    x = onp.linspace(-5, 5, 11)
    for seed in range(5):
        task = sample_sinusoids(12, 1, 1, onp.random.default_rng(seed))
        first = task._replace(support_x=task.support_x[:, :3], support_y=task.support_y[:, :3])
        onp.testing.assert_allclose(whole_curve(first, x), whole_curve(task, x), atol=1e-4)
        onp.testing.assert_allclose(whole_curve(task, task.query_x[0, :, 0]), task.query_y[0, :, 0], atol=1e-4)


def test_scaled_curves_are_as_many_times_as_tall():
    tasks = sample_sinusoids(3, 4, 3, onp.random.default_rng(0))
    tall = lesson.scale_targets(tasks, 2)
    for name, factor in [("support_x", 1), ("support_y", 2), ("query_x", 1), ("query_y", 2)]:
        onp.testing.assert_array_equal(getattr(tall, name), factor * getattr(tasks, name))
        assert getattr(tall, name).dtype == "float32"


def test_the_fastest_call_is_timed(monkeypatch):
    ticks = iter([0.0, 5.0, 10.0, 12.0, 20.0, 29.0])
    monkeypatch.setattr(lesson.time, "perf_counter", lambda: next(ticks))
    assert lesson.milliseconds(lambda: None, repeats=3) == pytest.approx(2000.0)


def test_new_labels_are_the_same_for_support_and_query_and_differ_between_tasks():
    rng, labels = onp.random.default_rng(0), onp.tile([0, 1, 2], (200, 1))
    x = onp.zeros((200, 3, 2))
    drawn = context_run.relabelled(Episode(x, labels, x, labels.repeat(2, axis=1), None, None), rng)
    onp.testing.assert_array_equal(drawn.support_y.repeat(2, axis=1), drawn.query_y)
    assert {tuple(row) for row in drawn.support_y} == set(permutations(range(3)))


def test_no_patient_is_ever_trained_on(tmp_path, monkeypatch):
    """With the table out of reach the training on made-up tables goes the same way, to the last bit."""
    options = SimpleNamespace(seed=0, out=tmp_path, table_batch=4, table_iterations=3, transformer_rate=1e-3)
    with_patients = context_run.train_on_tables(options)
    monkeypatch.setattr(patients, "TABLE", tmp_path / "not there")
    assert_same_tree(context_run.train_on_tables(options), with_patients, rtol=0)
    with pytest.raises(FileNotFoundError):
        context_run.measure_patients(with_patients, "support", 1, options)


# ---------------------------------------------------------------- what the lesson claims, on three seeds


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_reading_beats_descending_where_both_were_trained_and_loses_on_other_curves(seed, tmp_path):
    options = SimpleNamespace(**{**lesson.DEFAULTS, "iterations": 4000, "maml_iterations": 4000, "meta_batch": 32},
                              out=tmp_path)
    cnp, maml = lesson.train_both(options, onp.random.default_rng(seed))  # after about 10 seconds each

    def errors_of(n_points, height=1):
        rng = onp.random.default_rng(99)
        fitters = lesson.curve_fitters(cnp, maml, 0.01, lesson.descent_rate(maml, n_points, rng, height))
        tasks = lesson.scale_targets(sample_sinusoids(n_points, 50, 400, rng), height)
        return {name: onp.mean((fit(tasks.support_x, tasks.support_y)(tasks.query_x) - tasks.query_y) ** 2)
                for name, fit in fitters.items()}

    errors = {n_points: errors_of(n_points) for n_points in (2, 3, 5, 10)}
    for n_points, bound in [(3, 0.6), (5, 0.3), (10, 0.15)]:
        cnp_error, *maml_errors = errors[n_points].values()
        assert cnp_error < bound
        assert cnp_error < 0.7 * min(maml_errors)
    for name in ("CNP", "MAML, 1 step"):  # more points help; ten steps can diverge after so short a training (seed 1)
        assert errors[10][name] < 0.5 * errors[2][name]
    tall = errors_of(50, height=2)
    assert tall["MAML, 10 steps"] < 0.9 * tall["CNP"]  # 0.82 with seed 1 on one processor, below 0.8 on another


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [0, 1])
def test_who_has_seen_made_up_tables_alone_is_ahead_of_logistic_regression_on_few_patients(seed, tmp_path):
    options = SimpleNamespace(**{**lesson.DEFAULTS, "table_iterations": 1500, "patient_episodes": 500}, seed=seed,
                              out=tmp_path)  # about 20 seconds
    params = context_run.train_on_tables(options)
    for k_shot in (1, 2):
        values = context_run.measure_patients(params, "support and queries", k_shot, options)
        mean, interval = mean_confidence_interval(context_run.difference(values, "logistic regression"))
        assert mean - interval > 0
