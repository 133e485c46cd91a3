"""Lesson 8's run: its record, its costs, networks of an earlier run; and what the lesson claims."""

import itertools
from functools import partial

import numpy as np
import pytest

from fewshot_np.experiment.records import load_params, read_record, save_params, write_record
from fewshot_np.lesson8_comparison import METHODS, OPTIMISATION, TRAININGS, adaptation_milliseconds
from fewshot_np.lesson8_comparison import __main__ as lesson
from fewshot_np.lesson8_comparison.__main__ import file_of, main
from fewshot_np.nn.trees import leaves
from tests import scaffolding
from tests.scaffolding import folder_of, no_training

TINY = ["--effort", "0.002", "--episodes", "6", "--channels", "4", "--n-query", "3"]
NAMES = list(TRAININGS)
FRONT = ["Siamese", "prototypical", "Matching", "ridge regression"]


def run_tiny(out, *argv):
    """The record of a tiny run that times each method once, not thirty times."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lesson, "adaptation_milliseconds", partial(adaptation_milliseconds, repetitions=1))
        return scaffolding.run_tiny("lesson8_comparison", out, *argv)


@pytest.fixture(scope="module")
def tiny_run(tmp_path_factory):
    out = tmp_path_factory.mktemp("tiny")
    return out, run_tiny(out, *TINY)


def numbers(record):
    """The metrics without what a clock measured."""
    return {name: metric for name, metric in record["metrics"].items() if name not in ("costs", "trainings")}


def test_the_record_holds_the_difference_of_every_pair_the_better_one_first(tiny_run):
    metrics = numbers(tiny_run[1])
    pairs = [name for name in metrics if " minus " in name and "statistics" not in name]
    assert set(map(frozenset, itertools.combinations(METHODS, 2))) == {frozenset(p.split(" minus ")) for p in pairs}
    assert all(np.isfinite([metric["mean"], metric["interval"]]).all() for metric in metrics.values())
    for pair in pairs:
        a, b = (metrics.get(f"{name}, statistics of the support", metrics["pixels"]) for name in pair.split(" minus "))
        assert metrics[pair]["mean"] == pytest.approx(a["mean"] - b["mean"], abs=1e-9)
        assert metrics[pair]["mean"] > -1e-9


def test_costs_are_of_what_was_trained(tiny_run):
    out, record = tiny_run
    costs = record["metrics"]["costs"]
    assert costs["pixels"]["parameters"] == costs["pixels"]["training seconds"] == costs["pixels"]["images"] == 0
    for name in NAMES:
        arrays = leaves(load_params(out / file_of(name)))
        assert costs[name]["parameters"] == sum(array.size for array in arrays)
        assert costs[name]["training seconds"] > 0
        assert costs[name]["adaptation milliseconds"] > 0
    assert costs["Meta-SGD"]["parameters"] == 2 * costs["MAML"]["parameters"]
    assert costs["Reptile"]["images"] == 1 * 5 * 50  # 0.002 x 340 is 1 iteration of 5 tasks of 50 images


def test_an_earlier_run_is_taken_whole_and_options_of_the_test_alone_may_differ(tiny_run, tmp_path, capsys,
                                                                                monkeypatch):
    no_training(monkeypatch)
    folder, record = tiny_run
    again = run_tiny(tmp_path, *TINY, "--from-runs", str(folder))
    assert numbers(again) == numbers(record)
    assert [costs["training seconds"] for costs in again["metrics"]["costs"].values()] == [
        costs["training seconds"] for costs in record["metrics"]["costs"].values()]
    assert f"Taken from {folder}: {', '.join(NAMES)}." in capsys.readouterr().out
    run_tiny(tmp_path, *TINY, "--from-runs", str(folder), "--episodes", "5", "--n-query", "2")


@pytest.mark.parametrize(("argv", "message"), [
    (["--seed", "7"], "seed 0 there, 7 here"), (["--channels", "3"], "channels 4 there, 3 here"),
    (["--n-way", "4"], "n_way 5 there, 4 here"), (["--k-shot", "2"], "k_shot 1 there, 2 here"),
    (["--effort", "0.006"], "iterations"), (["--data", "mine"], "training images")])
def test_no_network_is_taken_where_an_option_or_an_image_differs(argv, message, tiny_run, tmp_path, capsys,
                                                                 monkeypatch):
    no_training(monkeypatch)
    if "--data" in argv:
        argv = ["--data", str(folder_of(tmp_path / "mine", *[12] * 20))]
    with pytest.raises(AssertionError, match="training started"):
        run_tiny(tmp_path / "out", *TINY, "--from-runs", str(tiny_run[0]), *argv)
    reasons = capsys.readouterr().out.split("Trained anew")[1:]
    assert len(reasons) == len(NAMES)
    assert all(message in reason for reason in reasons)


def test_only_the_method_whose_training_or_file_differs_is_trained_anew(tiny_run, tmp_path, capsys, monkeypatch):
    there = tmp_path / "there"
    there.mkdir()
    for path in tiny_run[0].iterdir():
        (there / path.name).write_bytes(path.read_bytes())
    monkeypatch.setitem(TRAININGS, "Siamese", TRAININGS["Siamese"]._replace(learning_rate=0.123))
    monkeypatch.setitem(TRAININGS, "Matching", TRAININGS["Matching"]._replace(scores={"temperature": 0.1}))  # the test
    (there / "reptile.npz").unlink()
    save_params(there / "maml.npz", {"w": np.zeros(3, "float32")})
    (there / "anil.npz").write_bytes(b"cut off")
    run_tiny(tmp_path / "out", *TINY, "--from-runs", str(there))
    text = capsys.readouterr().out
    kept = [name for name in NAMES if name not in ("Siamese", "Reptile", "MAML", "ANIL")]
    assert "Taken from " + f"{there}: {', '.join(kept)}." in text
    for reason in ("Siamese: learning_rate 0.01 there, 0.123 here", "Reptile: there is no reptile.npz",
                   "MAML: maml.npz is not the file that the record describes",
                   "ANIL: anil.npz is not the file that the record describes"):
        assert f"\n  {reason}\n" in text


def test_a_folder_without_a_run_of_this_lesson_is_refused(tmp_path, monkeypatch):
    no_training(monkeypatch)
    with pytest.raises(FileNotFoundError, match=r"--from-runs .*nothing: there is no record\.json"):
        run_tiny(tmp_path / "out", "--from-runs", str(tmp_path / "nothing"))
    (tmp_path / "other").mkdir()
    write_record(tmp_path / "other", "lesson4_maml", type("Options", (), {})(), 1.0, {})
    with pytest.raises(ValueError, match="a run of lesson4_maml, not of lesson8_comparison"):
        run_tiny(tmp_path / "out", "--from-runs", str(tmp_path / "other"))


@pytest.mark.parametrize("argv", [["--protocol", "finn", "--method", "MAML"], ["--protocol=finn"]])
def test_whoever_asks_for_a_protocol_is_told_of_its_program(argv, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main([*argv, "--out", str(tmp_path)])
    assert "python -m fewshot_np.results finn" in capsys.readouterr().err


def test_a_folder_of_ones_own_images_runs(tmp_path):
    mine = folder_of(tmp_path / "mine", *[4] * 20)  # fewer images than Reptile's ten
    record = run_tiny(tmp_path / "out", *TINY, "--data", str(mine))
    assert record["metrics"]["costs"]["Reptile"]["images"] == 5 * 5 * 4


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_what_a_comparison_finds(seed, tmp_path):
    """With half of the effort and of the channels."""
    main(["--effort", "0.5", "--channels", "16", "--episodes", "200", "--seed", str(seed), "--out", str(tmp_path)])
    metrics = read_record(tmp_path / "record.json")["metrics"]
    accuracy = {name: metrics.get(f"{name}, statistics of the support", metrics["pixels"]) for name in METHODS}
    optimisation = [name for name, method in METHODS.items() if method.family == OPTIMISATION]
    for one in FRONT:
        assert accuracy[one]["mean"] > accuracy["pixels"]["mean"] + 0.2, one
        for two in optimisation:  # in so short a training
            assert metrics[f"{one} minus {two}"]["mean"] > 2 * metrics[f"{one} minus {two}"]["interval"], (one, two)
    gains = [metrics[f"{name}, statistics of the queries minus those of the support"]["mean"] for name in optimisation]
    assert np.mean(gains) > 0.01
    narrower = [(metrics.get(f"{one} minus {two}") or metrics[f"{two} minus {one}"])["interval"]
                / np.hypot(accuracy[one]["interval"], accuracy[two]["interval"])
                for one, two in itertools.combinations(NAMES, 2)]
    assert np.mean(narrower) < 0.9
