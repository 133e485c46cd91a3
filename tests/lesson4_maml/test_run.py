"""The run of lesson 4: its methods, what it refuses before training, stopping and resuming, workers."""

import itertools

import numpy as onp
import pytest

from fewshot_np.experiment.records import load_checkpoint, load_params, read_record
from fewshot_np.experiment.training import Stopped
from fewshot_np.lesson2_episodes import sample_episodes
from fewshot_np.lesson4_maml import __main__ as lesson
from fewshot_np.lesson4_maml.figures import two_lines_loss, two_lines_starts
from fewshot_np.nn.networks import conv4
from tests import scaffolding
from tests.scaffolding import vector

TINY = ["--iterations", "3", "--sinusoid-iterations", "3", "--episodes", "5", "--meta-batch", "2", "--channels", "4",
        "--n-query", "2"]
NETWORKS = ("characters.npz", "sinusoids-maml.npz", "sinusoids-pretrained.npz", "proto-maml.npz")


def run_tiny(out, *argv):
    return scaffolding.run_tiny("lesson4_maml", out, *TINY, *argv)


def repeatable(record):
    """The metrics but those of time and memory."""
    return {name: metric for name, metric in record["metrics"].items() if not name.startswith("costs")}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    run_tiny(folder)
    return folder


def test_every_number_of_the_record_is_finite_and_memory_grows_with_the_steps_of_maml_alone(whole):
    metrics = read_record(whole / "record.json")["metrics"]
    assert all(onp.isfinite(value) for metric in metrics.values() for value in metric.values())
    few, many = (metrics[f"costs of {n} inner steps"] for n in (1, 4))
    assert many["MAML megabytes"] > 1.5 * few["MAML megabytes"]
    assert many["implicit MAML megabytes"] < 1.2 * few["implicit MAML megabytes"]


@pytest.mark.parametrize(("method", "name"), [("first-order", "first-order MAML"), ("anil", "ANIL")])
def test_the_other_methods_differ_from_maml_and_are_named(whole, tmp_path, method, name):
    metrics = run_tiny(tmp_path, "--method", method)["metrics"]
    assert f"sinusoids, {name}, 10 steps" in metrics
    assert not any("sinusoids, MAML" in row for row in metrics)
    for one, two in [("characters", "characters"), (f"sinusoids-{name.lower().replace(' ', '-')}", "sinusoids-maml")]:
        other, maml = (vector(load_params(path)) for path in (tmp_path / f"{one}.npz", whole / f"{two}.npz"))
        assert onp.abs(other - maml).max() > 1e-5


def test_the_figure_of_the_two_lines_is_where_gradient_descent_ends():
    starts = two_lines_starts()
    assert {name: round(start, 2) for name, start in starts.items()} == {  # the text's, by 200 steps
        "pretrained": 0.18, "first order": 0.48, "second order": 0.78}
    assert two_lines_loss(onp.array([1.0])) == pytest.approx(6.828125)
    assert two_lines_loss(onp.array(list(starts.values()))).round(1).tolist() == [7.8, 7.0, 6.7]
    grid = onp.linspace(-1, 2, 3001)
    assert grid[two_lines_loss(grid).argmin()] == pytest.approx(starts["second order"], abs=1e-3)


def test_a_run_that_was_stopped_twice_and_resumed_is_the_one_that_never_stopped(whole, tmp_path, monkeypatch):
    for resume, stop_at, done in [([], 5, 0), (["--resume"], 7, 1)]:  # 3 draws show that there is data enough; then
        calls = itertools.count(1)                                    # one to train and one to validate, in turns

        def stop(*args, calls=calls, stop_at=stop_at):
            if next(calls) == stop_at:
                raise KeyboardInterrupt
            return sample_episodes(*args)

        with monkeypatch.context() as patch:
            patch.setattr(lesson, "sample_episodes", stop)
            with pytest.raises(Stopped, match=f"characters: stopped by hand after {done} of 3"):
                run_tiny(tmp_path, *resume)
    assert repeatable(run_tiny(tmp_path, "--resume")) == repeatable(read_record(whole / "record.json"))
    for name in NETWORKS:
        first, second = (load_checkpoint(folder / name) for folder in (whole, tmp_path))
        assert first.generator == second.generator
        assert first.history["loss"].tolist() == second.history["loss"].tolist()
        assert vector(first.params).tobytes() == vector(second.params).tobytes()


def test_workers_train_the_same_network_up_to_rounding(whole, tmp_path):
    assert run_tiny(tmp_path, "--workers", "2")["options"]["workers"] == 2
    two, one = (vector(load_params(folder / "characters.npz")) for folder in (tmp_path, whole))
    moved = onp.abs(one - vector(conv4(outputs=5, channels=4, down="stride", features="mean").init(
        onp.random.default_rng(0)))).max()
    assert onp.abs(two - one).max() < 0.1 * moved


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_default_run_keeps_its_promise(tmp_path):
    """What the README says: characters of scripts never seen, learned in one step."""
    lesson.main(["--out", str(tmp_path)])
    metrics = read_record(tmp_path / "record.json")["metrics"]
    pixels = metrics["characters, pixel nearest neighbour"]["mean"]
    assert 0.4 <= pixels <= 0.6
    for steps in (1, 3, 5):
        assert metrics[f"characters, {steps} steps, statistics of the support"]["mean"] >= pixels + 0.15
    for statistics in ("support", "queries"):
        before = metrics[f"characters, 0 steps, statistics of the {statistics}"]
        assert abs(before["mean"] - 0.2) <= 4 * before["interval"] / 1.96
    errors = {name: metric["mean"] for name, metric in metrics.items() if name.startswith("sinusoids")}
    assert errors["sinusoids, MAML, 10 steps"] < 0.5 * errors["sinusoids, MAML, 0 steps"]
    assert errors["sinusoids, MAML, 10 steps"] < 0.5 * errors["sinusoids, pretrained, 10 steps"]
