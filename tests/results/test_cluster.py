"""Rows on a Dask cluster: the same bits as alone, each once, whatever happens to a worker; failures are named."""

import os
import signal
import sys
import time
from types import SimpleNamespace

import pytest

from fewshot_np.experiment.records import load_params, read_record
from fewshot_np.experiment.training import train
from fewshot_np.results import cluster, rows
from fewshot_np.results.__main__ import main
from tests.scaffolding import assert_same_tree

PRETRAINING = ["sinusoids", "--method", "pretraining", "--effort", "0.01", "--episodes", "12"]  # 700 iterations
NAME = "sinusoids-pretraining-curves-seed0"


def test_without_dask_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ValueError, match=r"pip install .*cluster"):
        main([*PRETRAINING, "--cluster", "--out", str(tmp_path)])


@pytest.mark.parametrize(("resume", "share", "times"), [(True, False, 1), (False, False, 0), (True, True, 0)])
def test_a_worker_makes_a_row_again_where_the_command_alone_would(resume, share, times, tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(rows, "has_record", lambda options: True)
    monkeypatch.setattr(cluster, "run_in_folder", lambda options, share: made.append(options))
    options = SimpleNamespace(out=tmp_path, protocol="sinusoids", method="pretraining", seed=0, resume=resume)
    cluster.run_in_worker(options, share, None)
    assert len(made) == times


def until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.02)


@pytest.fixture
def address():
    """A cluster of one process, which saves a checkpoint after every iteration, as the one that replaces it does."""
    distributed = pytest.importorskip("distributed", reason="Dask is not installed (extra cluster)")

    class Saving(distributed.WorkerPlugin):
        def setup(self, worker):
            train.__kwdefaults__["save_every"] = 0.0

    alone = {"n_workers": 1, "threads_per_worker": 1, "memory_limit": 0, "dashboard_address": None}
    with distributed.LocalCluster(**alone) as local, distributed.Client(local) as client:
        client.register_plugin(Saving())
        yield local.scheduler_address


@pytest.mark.slow
def test_a_killed_worker_costs_nothing_but_time(address, tmp_path, monkeypatch):
    """The row goes on in the next worker from the checkpoint, and ends with the same bits as in one go here."""
    from distributed import Client
    main([*PRETRAINING, "--out", str(tmp_path / "alone")])
    with Client(address) as client:
        (process,) = client.run(os.getpid).values()

    def kill_in_the_middle(tasks):
        until((tmp_path / "cluster" / NAME / "last.npz").exists)
        os.kill(process, signal.SIGKILL)
        return follow(tasks)

    follow = cluster.follow
    monkeypatch.setattr(cluster, "follow", kill_in_the_middle)
    main([*PRETRAINING, "--cluster", address, "--out", str(tmp_path / "cluster")])
    log = (tmp_path / "cluster" / NAME / "log.txt").read_text(encoding="utf-8")
    assert "iterations were done before" in log
    alone, there = (load_params(tmp_path / folder / NAME / "last.npz") for folder in ("alone", "cluster"))
    assert_same_tree(alone, there, rtol=0)
    alone, there = (read_record(tmp_path / folder / NAME / "record.json")["metrics"] for folder in ("alone", "cluster"))
    assert {name: each for name, each in alone.items() if name != "row"} == {
        name: each for name, each in there.items() if name != "row"}


@pytest.mark.slow
def test_rows_and_seeds_are_made_once_and_a_failure_stops_no_other(address, tmp_path, capsys):
    argv = ["sinusoids", "--quick", "--seed", "0", "1", "--cluster", address, "--out", str(tmp_path)]
    broken = tmp_path / "sinusoids-MAML-curves-seed1"
    broken.mkdir()
    (broken / "last.npz").write_text("no checkpoint", encoding="utf-8")
    with pytest.raises(ValueError, match=r"1 of 4 rows failed: sinusoids-MAML-curves-seed1; .*log\.txt"):
        main(argv)
    assert capsys.readouterr().out.count("finished") == 3
    made = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/record.json")}
    (broken / "last.npz").unlink()
    main(argv)
    assert "1 of 1" in capsys.readouterr().out
    assert len(list(tmp_path.glob("*/record.json"))) == 4
    assert all(path.stat().st_mtime_ns == when for path, when in made.items())


@pytest.mark.slow
def test_where_no_scheduler_answers_it_is_said(tmp_path):
    pytest.importorskip("distributed", reason="Dask is not installed (extra cluster)")
    with pytest.raises(ValueError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        main([*PRETRAINING, "--cluster", "tcp://127.0.0.1:9", "--out", str(tmp_path)])
