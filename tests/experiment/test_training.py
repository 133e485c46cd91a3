"""The training loop: it learns, it stops where there is no number, and it loses nothing."""

import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import autograd.numpy as np
import numpy as onp
import pytest

from fewshot_np.experiment.records import load_checkpoint, load_params, save_checkpoint, save_params
from fewshot_np.experiment.training import Stopped, train
from fewshot_np.nn.optimizers import adam, constant, sgd
from fewshot_np.nn.trees import leaves
from tests.experiment import long_run
from tests.scaffolding import assert_same_tree, bits, files, no_space

ROOT = Path(__file__).parents[2]
TARGET = onp.array([1.0, -2.0, 3.0])


def quadratic(params, batch):
    """|w - target|^2 + b^2, shifted by the batch."""
    return np.sum((params["inner"]["w"] - TARGET) ** 2) + params["b"] ** 2 + batch


def start():
    return {"inner": {"w": onp.zeros(3)}, "b": onp.array(2.0)}


def after(steps, rate=0.1):
    """start() after so many steps of gradient descent on the quadratic: every distance times 1 - 2 rate."""
    left = (1 - 2 * rate) ** steps
    return {"inner": {"w": TARGET * (1 - left)}, "b": onp.array(2.0 * left)}


def interrupt():
    raise KeyboardInterrupt


def fit(path, objective=quadratic, params=None, sample=lambda: 0.0, **settings):
    settings = {"update": sgd, "schedule": constant(0.1), "iterations": 10, "label": "toy"} | settings
    return train(objective, params or start(), sample, path=path, **settings)


def sample_that(act, at):
    """A sampler of zeros that calls `act` instead at its call number `at`, from 1."""
    calls = itertools.count(1)
    return lambda: act() if next(calls) == at else 0.0


# ---------------------------------------------------------------- learning


def test_gradient_descent_on_a_quadratic_is_what_it_is_by_hand(tmp_path):
    rates, begin, drawn = [], start(), itertools.count()
    save_params(tmp_path / "toy.npz", {"old": onp.ones(3)})  # an own file, which is replaced
    params, history = fit(tmp_path / "toy.npz", params=begin, sample=lambda: float(next(drawn)),
                          schedule=lambda iteration: rates.append(iteration) or 0.1)
    assert_same_tree(params, after(10))
    assert_same_tree(load_params(tmp_path / "toy.npz"), after(10))
    assert_same_tree(begin, start())
    onp.testing.assert_allclose(history["loss"], [18 * 0.8 ** (2 * i) + i for i in range(10)], rtol=1e-12)
    assert history["validation"] == []
    assert rates == list(range(10))
    assert files(tmp_path) == ["toy.npz"]


def test_validation_at_its_turn_on_the_parameters_of_that_moment(tmp_path, capsys):
    seen = []

    def validate(params):
        seen.append(params)
        return float(params["b"])

    _, history = fit(tmp_path / "toy.npz", validate=validate, validate_every=4,
                     sample=lambda: time.sleep(0.03) or 0.0)
    assert [done for done, _ in history["validation"]] == [4, 8]
    for (done, value), params in zip(history["validation"], seen, strict=True):
        assert_same_tree(params, after(done))
        assert value == pytest.approx(float(after(done)["b"]))
    assert f"validation={history['validation'][0][1]:.3f}" in capsys.readouterr().err


# ---------------------------------------------------------------- a loss that is no number


@pytest.mark.parametrize("value", [onp.nan, onp.inf, -onp.inf])
@pytest.mark.parametrize("at", [2, 5, 10])
def test_a_bad_batch_stops_and_keeps_the_last_good_parameters(tmp_path, at, value):
    with pytest.raises(Stopped, match=rf"toy: the loss became .* at iteration {at}\b") as stop:
        fit(tmp_path / "toy.npz", sample=sample_that(lambda: value, at))
    assert str(tmp_path / "toy.npz") in str(stop.value)
    assert_same_tree(load_params(tmp_path / "toy.npz"), after(at - 2))  # at - 1 made others, whose loss is this one


@pytest.mark.parametrize("sample", [lambda: onp.nan, interrupt])
def test_before_the_first_update_nothing_is_saved_and_an_older_file_stays(tmp_path, sample):
    older = save_params(tmp_path / "older.npz", {"old": onp.ones(3)}).read_bytes()
    for name in ("new.npz", "older.npz"):
        with pytest.raises(Stopped, match=r"at iteration 1\b|after 0 of 10 iterations") as stop:
            fit(tmp_path / name, sample=sample)
        assert "nothing to save" in str(stop.value)
    assert files(tmp_path) == ["older.npz"]
    assert (tmp_path / "older.npz").read_bytes() == older


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("at", "rate"), [(2, onp.nan), (10, onp.inf)])
def test_an_update_that_is_not_finite_stops_at_once_and_is_never_saved(tmp_path, at, rate):
    with pytest.raises(Stopped, match=rf"toy: the update of iteration {at} is not finite"):
        fit(tmp_path / "toy.npz", schedule=([0.1] * (at - 1) + [rate] * 10).__getitem__,
            sample=sample_that(interrupt, at + 1))
    assert_same_tree(load_params(tmp_path / "toy.npz"), after(at - 1))
    with pytest.raises(Stopped, match="the update of iteration 1 is not finite"):  # a loss of 0, a gradient of NaN
        fit(tmp_path / "cusp.npz", lambda params, batch: np.sqrt(params["b"] * params["b"]), {"b": onp.array(0.0)})
    assert files(tmp_path) == ["toy.npz"]


# ---------------------------------------------------------------- Ctrl-C


@pytest.mark.parametrize(("done", "settings"), [
    *((at - 1, {"sample": sample_that(interrupt, at)}) for at in (2, 4, 10)),
    (2, {"validate": lambda params: interrupt(), "validate_every": 3})])  # an iteration is done when all of it is
def test_ctrl_c_saves_what_there_is_and_says_so(tmp_path, done, settings):
    with pytest.raises(Stopped, match=f"toy: stopped by hand after {done} of 10 iterations") as stop:
        fit(tmp_path / "toy.npz", **settings)
    assert str(tmp_path / "toy.npz") in str(stop.value)
    assert_same_tree(load_params(tmp_path / "toy.npz"), after(done))
    assert files(tmp_path) == ["toy.npz"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
def test_a_real_ctrl_c_in_a_real_run(tmp_path):
    command = [sys.executable, "-m", "fewshot_np.lesson4_maml", "--quick", "--sinusoid-iterations", "1000000",
               "--iterations", "1000000", "--out", str(tmp_path / "out")]
    process = subprocess.Popen(  # SIGINT may be ignored where the tests run in the background
        command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT)}, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    try:
        said = b""
        while b"loss=" not in said:  # the bar has counted an iteration
            said += (chunk := os.read(process.stderr.fileno(), 4096))
            assert chunk, said
        process.send_signal(signal.SIGINT)
        said = (said + process.communicate(timeout=30)[1]).decode()
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 1, said
    assert "stopped by hand after" in said
    assert "of 1000000 iterations" in said
    assert "Traceback" not in said
    (path,) = (tmp_path / "out").iterdir()
    assert str(path) in said
    assert all(onp.isfinite(leaf).all() for leaf in leaves(load_params(path)))


# ---------------------------------------------------------------- stopped and resumed: the same bits


def outcome(run, path):
    """All that a run gives: parameters, history, the generator it leaves behind, and the checkpoint."""
    params, history, rng = run
    return bits([params, history, rng.bit_generator.state, load_checkpoint(path)._asdict()], without=["seconds"])


@pytest.fixture(scope="module", params=[adam, sgd])
def uninterrupted(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "toy.npz"
    return request.param, outcome(long_run.begin(path, update=request.param), path)


@pytest.mark.parametrize("stops", [[1], [2], [4], [7, 3, 1, 1, 9], [40], [39, 2]])
@pytest.mark.parametrize("save_every", [0.0, 1e9])
def test_a_run_stopped_by_hand_and_resumed_is_bit_for_bit_the_one_that_never_stopped(
        tmp_path, uninterrupted, stops, save_every):
    update, expected = uninterrupted
    path = tmp_path / "toy.npz"
    for stop in stops:
        def at_the_stop(batch, stop=stop):
            if batch == stop:
                raise KeyboardInterrupt
        with pytest.raises(Stopped, match="stopped by hand"):
            long_run.begin(path, path.exists(), update, interrupt=at_the_stop, save_every=save_every)
    assert outcome(long_run.begin(path, True, update, save_every=save_every), path) == expected


def test_ctrl_c_between_any_two_lines_of_the_loop_leaves_a_run_that_can_be_resumed(tmp_path):
    expected = outcome(long_run.begin(tmp_path / "whole.npz", iterations=4), tmp_path / "whole.npz")
    code, stopped = train.__code__, 0
    for number in range(1, 200):
        path, lines = tmp_path / f"{number}.npz", itertools.count(1)

        def trace(frame, event, argument, number=number, lines=lines):
            if frame.f_code is not code:
                return None
            if event == "line" and "bar" in frame.f_locals and "loss" in frame.f_locals and next(lines) == number:
                raise KeyboardInterrupt
            return trace

        sys.settrace(trace)
        try:
            run = long_run.begin(path, iterations=4)
        except Stopped:
            stopped, run = stopped + 1, None
        except KeyboardInterrupt:  # in the last lines, which save
            run = None
        finally:
            sys.settrace(None)
        if run is not None:
            break
        assert outcome(long_run.begin(path, path.exists(), iterations=4), path) == expected
    assert stopped > 30


def test_what_is_complete_is_not_trained_again(tmp_path, capsys):
    path = tmp_path / "toy.npz"
    whole = long_run.begin(path)
    expected = outcome(whole, path)
    assert {leaf.dtype for leaf in leaves(whole[0])} == {onp.dtype("float32")}
    before = path.stat().st_mtime_ns
    again = long_run.begin(path, True, interrupt=lambda batch: pytest.fail("training went on"))
    assert outcome(again, path) == expected
    assert path.stat().st_mtime_ns == before
    assert f"toy: 40 iterations were done before, and are in {path}" in capsys.readouterr().err


def test_with_nothing_to_resume_from_a_run_begins_and_parameters_alone_are_refused(tmp_path, capsys):
    path = tmp_path / "toy.npz"
    resumed = outcome(long_run.begin(path, True), path)
    assert "to resume from, so training starts anew" in capsys.readouterr().err
    assert resumed == outcome(long_run.begin(path), path)
    save_params(path, start())
    with pytest.raises(ValueError, match=r"toy\.npz holds parameters, but not what is needed to resume"):
        long_run.begin(path, True)


def begin_at(path, rate, resume=False, iterations=12, **options):
    """long_run at a constant rate, which is one of the options; (its outcome, the options)."""
    options = SimpleNamespace(resume=resume, seed=0, learning_rate=rate, **options)
    return long_run.begin(path, schedule=constant(rate), options=options, iterations=iterations), options


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_after_a_divergence_a_smaller_rate_goes_on_from_the_last_good_state_and_is_told(tmp_path, capsys):
    path, other = tmp_path / "toy.npz", tmp_path / "before.npz"
    begin_at(other, 1e12, iterations=1)  # a training of the same folder that was complete before
    with pytest.raises(Stopped, match="the loss became") as stop:
        begin_at(path, 1e12)
    assert "--resume with a smaller --learning-rate (1e+12) goes on from there" in str(stop.value)
    kept = load_checkpoint(path)
    assert kept.iteration == 0  # the update at that rate left numbers, but no network
    with pytest.raises(ValueError, match=r"would again; resume with a smaller --learning-rate \(1e\+12\)$"):
        begin_at(path, 1e12, resume=True)
    with pytest.raises(ValueError, match=r"was made with other options: seed 0 then, 3 now$"):
        load_checkpoint(path, {"seed": 3, "learning_rate": 0.05})
    (params, history, _), options = begin_at(path, 0.05, resume=True)
    assert len(history["loss"]) == 12
    assert history["loss"][-1] < history["loss"][0]
    assert options.rates_before == {"toy": ["learning_rate 1e+12 until iteration 0"]}
    begin_at(other, 0.05, resume=True, iterations=1)
    assert load_checkpoint(path).history["rates"] == ["learning_rate 1e+12 until iteration 0"]
    (again, _, _), options = begin_at(path, 0.05, resume=True)  # complete: nothing changes, and it is told as before
    assert all(map(onp.array_equal, leaves(again), leaves(params)))
    assert options.rates_before == {"toy": ["learning_rate 1e+12 until iteration 0"]}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_training_whose_rate_is_no_option_is_not_offered_to_be_resumed(tmp_path):
    path = tmp_path / "toy.npz"
    with pytest.raises(Stopped, match="the loss became") as stop:
        long_run.begin(path, schedule=constant(1e12))
    assert "--resume" not in str(stop.value)
    with pytest.raises(ValueError, match="diverged, and would again; begin anew"):
        long_run.begin(path, True)


def test_a_rate_is_an_option_like_others_where_nothing_diverged(tmp_path):
    path = tmp_path / "toy.npz"
    begin_at(path, 0.05)
    with pytest.raises(ValueError, match=r"other options: learning_rate 0\.05 then, 0\.01 now$"):
        begin_at(path, 0.01, resume=True)


def test_the_time_between_checkpoints_and_that_of_training_which_is_added_up_over_stops(tmp_path, monkeypatch):
    seconds, saved, path = itertools.count(0, 0.5), [], tmp_path / "toy.npz"
    monkeypatch.setattr("fewshot_np.experiment.training.time.monotonic", lambda: next(seconds))
    monkeypatch.setattr("fewshot_np.experiment.training.save_checkpoint",
                        lambda path, checkpoint: saved.append(checkpoint) or save_checkpoint(path, checkpoint))
    with pytest.raises(Stopped):
        long_run.begin(path, interrupt=lambda batch: batch == 25 and interrupt(), save_every=5.0)
    assert [(checkpoint.iteration, checkpoint.history["seconds"]) for checkpoint in saved[:2]] == [(10, 5), (20, 10)]
    assert [len(checkpoint.history["loss"]) for checkpoint in saved] == [10, 20, 24]
    before = load_checkpoint(path).history["seconds"]
    assert before == pytest.approx(12, abs=0.5)
    _, history, _ = long_run.begin(path, True, save_every=5.0)
    assert history["seconds"] == before + 8


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
@pytest.mark.parametrize("when", list(long_run.DEATHS))
def test_a_run_killed_in_the_middle_of_a_save_leaves_a_whole_checkpoint(tmp_path, when):
    done = subprocess.run([sys.executable, "-m", "tests.experiment.long_run", str(tmp_path), "--die", when], cwd=ROOT,
                          env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr
    path = tmp_path / "toy.npz"
    assert load_checkpoint(path).iteration == (8 if when == "after the move" else 7)  # it died in save number 8
    assert outcome(long_run.begin(path, True), path) == outcome(long_run.begin(path), path)


# ---------------------------------------------------------------- files that stand in the way


def test_a_foreign_file_is_refused_before_training_and_left_alone(tmp_path):
    (tmp_path / "toy.npz").write_bytes(b"my own notes")      # others, and folders: test_records.py
    with pytest.raises(ValueError, match=r"toy\.npz is damaged or not"):
        fit(tmp_path / "toy.npz", sample=lambda: pytest.fail("training started"))
    assert (tmp_path / "toy.npz").read_bytes() == b"my own notes"


def test_a_failed_save_keeps_the_previous_file_and_other_errors_are_not_swallowed(tmp_path, monkeypatch, capsys):
    path = save_params(tmp_path / "toy.npz", {"old": onp.ones(3)})
    before = path.read_bytes()
    with pytest.raises(OSError, match="No space left"):
        fit(path, sample=no_space)
    monkeypatch.setattr("os.replace", no_space)
    params, _ = fit(path)
    assert_same_tree(params, after(10))
    assert "No space left on device), and no other place was found" in capsys.readouterr().err
    assert path.read_bytes() == before
    assert files(tmp_path) == ["toy.npz"]


@pytest.mark.parametrize("stopped", [False, True])
def test_a_full_disk_ends_no_training_and_its_parameters_are_saved_elsewhere(tmp_path, monkeypatch, capsys, stopped):
    full, replace = tmp_path / "full", os.replace

    def replace_unless_full(old, new):
        no_space() if Path(new).parent == full else replace(old, new)

    monkeypatch.setattr("os.replace", replace_unless_full)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    if stopped:
        with pytest.raises(Stopped, match="stopped by hand after 8 of 40") as stop:
            long_run.begin(full / "toy.npz", interrupt=lambda batch: interrupt() if batch == 9 else None)
    else:
        long_run.begin(full / "toy.npz")
    [elsewhere] = tmp_path.glob("fewshot_np-*/toy.npz")
    said = capsys.readouterr().err
    assert "cannot be written now (No space left on device); the training goes on" in said
    assert f"so it was saved as {elsewhere}" in said
    assert load_checkpoint(elsewhere).iteration == (8 if stopped else 40)
    assert files(full) == []
    if stopped:
        assert str(elsewhere) in str(stop.value)
        monkeypatch.undo()
        elsewhere.rename(full / "toy.npz")
        long_run.begin(full / "toy.npz", resume=True)
