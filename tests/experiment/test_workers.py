"""Workers: one process's numbers, the same bits each time, and an end that is an error, never a hang."""

import contextlib
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from fewshot_np.experiment.records import load_checkpoint
from fewshot_np.experiment.training import Stopped
from fewshot_np.experiment.workers import WorkerDied, shared_value_and_grad, split
from fewshot_np.lesson2_episodes import Episode
from fewshot_np.lesson3_initialisation import classification_loss
from fewshot_np.lesson4_maml import maml_objective
from fewshot_np.nn.networks import conv4
from fewshot_np.nn.trees import leaves, tree_map, value_and_grad
from tests.experiment import long_run
from tests.experiment.long_run import Tasks, mean_loss, sample_tasks
from tests.scaffolding import bits, episode_of_noise

ROOT = Path(__file__).parents[2]
NETWORK = conv4((16, 16, 1), 3, channels=6, down="stride", features="mean")
OBJECTIVE = partial(maml_objective, partial(classification_loss, NETWORK), inner_lr=0.4, steps=2)

needs_signals = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")


def problem(n_tasks, dtype, seed=0):
    params = tree_map(lambda p: p.astype(dtype), NETWORK.init(np.random.default_rng(seed)))
    return params, episode_of_noise((16, 16, 1), k_shot=1, n_query=1, n_tasks=n_tasks, dtype=dtype, seed=seed)


def toy(n_tasks=4):
    rng = np.random.default_rng(0)
    return long_run.NETWORK.init(rng), sample_tasks(n_tasks, rng)


# ---------------------------------------------------------------- shares


@pytest.mark.parametrize(("n_tasks", "n_parts", "sizes"), [
    (6, 2, [3, 3]), (5, 2, [2, 3]), (7, 3, [2, 2, 3]), (32, 5, [6, 6, 7, 6, 7]), (4, 1, [4]), (2, 5, [1, 1])])
def test_tasks_are_split_in_order_into_parts_of_nearly_equal_size(n_tasks, n_parts, sizes):
    _, episode = problem(n_tasks, "float32")
    shares = split(episode, n_parts)
    assert [len(part.support_x) for _, part in shares] == sizes
    assert [weight for weight, _ in shares] == [size / n_tasks for size in sizes]
    for name in ("support_x", "support_y", "query_x", "query_y"):
        np.testing.assert_array_equal(np.concatenate([getattr(part, name) for _, part in shares]),
                                      getattr(episode, name))
    assert all(type(part) is Episode and part.support_ids is None for _, part in shares)


@pytest.mark.parametrize(("batch", "got"), [
    (Tasks(np.ones((3, 1)), np.ones((4, 1))), r"Tasks of \[3, 4\] tasks"), (0.0, "float$"),
    (np.ones((3, 2)), "ndarray$"), ((np.ones(3), np.ones(3)), "tuple$"), (Tasks(None, None), "Tasks$")])
def test_a_batch_without_tasks_cannot_be_split(batch, got):
    with pytest.raises(ValueError, match="workers need a batch that is a NamedTuple of arrays.*, got " + got):
        split(batch, 2)


# ---------------------------------------------------------------- the numbers


def test_one_worker_is_this_process():
    params, episode = problem(3, "float32")
    with shared_value_and_grad(lambda params, batch: OBJECTIVE(params, batch), 1) as shared:
        assert bits(shared(params, episode)) == bits(value_and_grad(OBJECTIVE)(params, episode))


@pytest.fixture(scope="module")
def three_workers():
    with shared_value_and_grad(OBJECTIVE, 3) as shared:
        yield shared


@pytest.mark.parametrize(("n_tasks", "dtype", "rel", "atol"), [
    *((n_tasks, "float64", 1e-12, 1e-11) for n_tasks in (7, 3, 2, 1)),
    (7, "float32", 1e-5, 1e-2)])  # a ReLU beyond its kink moves the gradient by a thousandth
def test_workers_give_the_numbers_of_one_process_up_to_rounding(three_workers, n_tasks, dtype, rel, atol):
    params, episode = problem(n_tasks, dtype)
    loss, gradient = three_workers(params, episode)
    expected_loss, expected = value_and_grad(OBJECTIVE)(params, episode)
    assert loss == pytest.approx(expected_loss, rel=rel)
    assert {leaf.dtype for leaf in [loss, *leaves(gradient)]} == {np.dtype(dtype)}
    largest = max(np.abs(leaf).max() for leaf in leaves(expected))
    tree_map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=atol * largest), gradient, expected)


def test_the_same_batch_and_number_of_workers_give_the_same_bits(three_workers):
    params, episode = problem(7, "float32")
    first = bits(three_workers(params, episode))
    three_workers(*problem(4, "float32", seed=1))
    assert bits(three_workers(params, episode)) == first
    with shared_value_and_grad(OBJECTIVE, 3) as others:
        assert bits(others(params, episode)) == first


# ---------------------------------------------------------------- what goes wrong


def test_an_error_in_a_worker_is_raised_here_with_its_traceback_and_every_worker_has_one_thread(monkeypatch):
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "2")
    with (shared_value_and_grad(long_run.telling_threads, 2) as shared,
          pytest.raises(ValueError, match="threads") as error):
        shared(*toy())
    assert str(error.value) == "[1] threads of 2 tasks"
    assert re.search(r"In worker \d of 2:\nTraceback .*long_run\.py", error.value.__notes__[0], re.DOTALL)
    with (shared_value_and_grad(long_run.failing_stubbornly, 2) as shared,  # an error that does not come back
          pytest.raises(RuntimeError, match=r"Stubborn: one and two\nTraceback")):
        shared(*toy())


@pytest.mark.parametrize("objective", [lambda params, batch: 0.0, partial(mean_loss, hook=threading.Lock())])
def test_an_objective_that_does_not_pickle_is_refused(objective):
    with (pytest.raises(ValueError, match=r"the objective must pickle, as a functools\.partial of module-level"),
          shared_value_and_grad(objective, 2)):
        pass


def children():
    """The processes that this one has spawned as workers."""
    return [child for child in multiprocessing.active_children() if child.name.startswith("worker")]


@needs_signals
@pytest.mark.parametrize("victim", [0, 1])
def test_a_worker_killed_at_work_is_an_error_within_seconds(victim):
    before = children()
    with shared_value_and_grad(long_run.slow, 2) as shared:
        mine = sorted((child for child in children() if child not in before), key=lambda child: child.name)
        threading.Timer(1.0, mine[victim].kill).start()
        started = time.monotonic()
        for _ in range(2):  # at work, and when it is dead already
            with pytest.raises(WorkerDied, match=rf"worker {victim + 1} of 2 was killed by signal 9"):
                shared(*toy())  # the other's answer would come after a minute
        assert time.monotonic() - started < 15
    assert children() == before


@needs_signals
def test_training_whose_worker_is_killed_stops_and_is_resumed_bit_for_bit(tmp_path):
    path, before = tmp_path / "toy.npz", children()

    def kill(batch):
        if batch == 5:
            next(child for child in children() if child not in before).kill()

    with pytest.raises(Stopped, match=r"toy: worker \d of 2 was killed .* after 4 of 40 iterations") as stop:
        long_run.begin(path, workers=2, interrupt=kill)
    assert "--resume goes on from there" in str(stop.value)
    params, history, _ = long_run.begin(path, resume=True, workers=2)
    whole_params, whole_history, _ = long_run.begin(tmp_path / "whole.npz", workers=2)
    assert bits([params, history], without=["seconds"]) == bits([whole_params, whole_history], without=["seconds"])
    states = [load_checkpoint(tmp_path / name).state for name in ("toy.npz", "whole.npz")]
    assert bits(states[0]) == bits(states[1])


def test_workers_end_with_the_block_even_after_an_error():
    before = children()
    with contextlib.suppress(ZeroDivisionError), shared_value_and_grad(long_run.slow, 2):
        assert len(children()) == len(before) + 2
        raise ZeroDivisionError
    assert children() == before


# ---------------------------------------------------------------- no orphans


def alive(pid):
    with contextlib.suppress(OSError):
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        return state not in "ZX"
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not Path("/proc/self").exists()


@pytest.fixture
def run_with_workers(tmp_path):
    """A run in a process group of its own, and the ids of its workers, at work."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.experiment.long_run", str(tmp_path), "--workers", "2", "--iterations", "1000000",
         "--print-workers"], cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, encoding="utf-8", start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    pids = [int(pid) for pid in process.stdout.readline().split()]
    end = time.monotonic() + 60
    while not (tmp_path / "toy.npz").exists():  # an iteration is done: they are at work
        assert time.monotonic() < end
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    assert len(pids) == 2
    yield process, pids
    for pid in [process.pid, *pids]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.communicate(timeout=30)


def wait_until_gone(pids, seconds=20):
    end = time.monotonic() + seconds
    while left := [pid for pid in pids if alive(pid)]:
        assert time.monotonic() < end, f"{left} are alive"
        time.sleep(0.05)


@needs_signals
@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGINT"])
def test_workers_end_when_the_run_is_killed_and_ctrl_c_reaches_the_run_alone(run_with_workers, name):
    process, pids = run_with_workers
    assert all(map(alive, pids))
    if name == "SIGINT":  # a terminal sends it to all processes of the group
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=20)
        assert process.returncode == 1
        assert said.count("Traceback") == said.count("stopped by hand after") == 1  # the run's own, of Stopped
    else:
        process.send_signal(getattr(signal, name))
        assert process.wait(timeout=20) == -getattr(signal, name)
    wait_until_gone(pids)


STARTING = """
import functools, os, signal, sys, threading
from fewshot_np.experiment import workers
from fewshot_np.experiment.options import run
from tests.experiment.long_run import mean_loss

START = workers.multiprocessing.get_context("spawn").Process.start

def start(process):
    START(process)
    print(process.pid, flush=True)
    threading.Timer(0.005, os.killpg, (0, signal.SIGINT)).start()  # as a terminal does, while workers are starting
    threading.Event().wait(0.05)

def main():
    workers.multiprocessing.get_context("spawn").Process.start = start
    with workers.shared_value_and_grad(mean_loss, 2):
        print("went on", flush=True)

if __name__ == "__main__":
    run(main)
"""


@needs_signals
def test_ctrl_c_while_the_workers_start_ends_the_run_and_them(tmp_path):
    (tmp_path / "starting.py").write_text(STARTING, encoding="utf-8")
    done = subprocess.run([sys.executable, tmp_path / "starting.py"], env=os.environ | {"PYTHONPATH": str(ROOT)},
                          capture_output=True, encoding="utf-8", check=False, timeout=60, start_new_session=True,
                          preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    pids = [int(pid) for pid in done.stdout.split() if pid.isdigit()]
    assert len(pids) == 2
    assert "went on" not in done.stdout
    assert (done.returncode, done.stderr) == (1, "\nstopped by hand; what had been saved before is whole\n")
    wait_until_gone(pids)


# ---------------------------------------------------------------- scripts and notebooks

UNGUARDED = """
from tests.experiment import long_run
from fewshot_np.experiment.workers import shared_value_and_grad
import numpy as np
def mine(params, batch):
    return long_run.mean_loss(params, batch)
with shared_value_and_grad({objective}, 2) as loss_and_gradient:
    rng = np.random.default_rng(0)
    loss_and_gradient(long_run.NETWORK.init(rng), long_run.sample_tasks(4, rng))
    print("done")
"""


def run_script(*arguments):
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=100, check=False,
                          env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"})


@pytest.mark.parametrize("objective", ["mine", "long_run.mean_loss"])
def test_a_script_without_a_main_guard_is_told_to_write_one(tmp_path, objective):
    script = tmp_path / "script.py"
    script.write_text(UNGUARDED.format(objective=objective), encoding="utf-8")
    done = run_script(str(script))
    assert done.returncode != 0
    assert done.stderr.count("Traceback") == 1                       # this process's own
    assert "ValueError: workers import the script" in done.stderr
    assert 'if __name__ == "__main__":' in done.stderr
    assert len(done.stderr.splitlines()) < 30
    before, training = UNGUARDED.format(objective=objective).split("with ")
    guarded = textwrap.indent("with " + training, "    ")
    script.write_text(f'{before}if __name__ == "__main__":\n{guarded}', encoding="utf-8")
    assert run_script(str(script)).stdout == "done\n"


def test_an_objective_of_a_notebook_cell_is_refused_by_name():
    done = run_script("-c", UNGUARDED.format(objective="mine"))      # as in a notebook, the program is no file
    assert "ValueError: workers cannot import mine, which a notebook cell or a prompt defines" in done.stderr
    assert done.stderr.count("Traceback") == 1
    assert run_script("-c", UNGUARDED.format(objective="long_run.mean_loss")).stdout == "done\n"
