"""One run at a time in a folder, and no folder locked for ever by a run that died."""

import os
import signal
import subprocess
import sys
import time

import pytest

from fewshot_np.experiment.lock import lock_folder, locked, unlock_folders
from tests.scaffolding import files, lesson_2

HOLDER = """
import sys, time
from fewshot_np.experiment.lock import lock_folder
lock_folder(sys.argv[1])
print("locked", flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def unlocked():
    yield
    unlock_folders()


@pytest.fixture
def holder(tmp_path):
    """A process that holds the folder."""
    with subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "locked\n"
        yield process
        process.kill()


def test_a_second_run_is_refused_before_it_changes_anything(tmp_path, holder):
    done = lesson_2("--quick", "--out", tmp_path)
    assert done.returncode == 2
    assert f"{tmp_path} is in use: process {holder.pid} on " in done.stderr
    assert files(tmp_path) == [".lock"]


def test_the_lock_of_a_dead_process_is_told_and_taken_over(tmp_path, holder, capsys):
    holder.kill()  # without a chance to remove its file
    holder.wait()
    assert (tmp_path / ".lock").exists()
    lock_folder(tmp_path)
    assert f"left locked by process {holder.pid} on " in capsys.readouterr().err
    lock_folder(tmp_path)  # this process may do so again
    assert capsys.readouterr().err == ""


def test_a_row_is_locked_for_its_time_alone(tmp_path):
    with locked(tmp_path):
        assert lesson_2("--quick", "--out", tmp_path).returncode == 2
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(KeyError), locked(tmp_path):
        raise KeyError
    assert list(tmp_path.iterdir()) == []
    lock_folder(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="POSIX waits for a lock that was removed meanwhile")
def test_of_many_processes_at_once_exactly_one_gets_it(tmp_path):
    processes = [subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path], stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, text=True) for _ in range(4)]
    try:
        deadline = time.monotonic() + 60
        while sum(process.poll() is None for process in processes) > 1 and time.monotonic() < deadline:
            time.sleep(0.1)
        [left] = [process for process in processes if process.poll() is None]
        assert left.stdout.readline() == "locked\n"
        left.send_signal(signal.SIGTERM)
    finally:
        for process in processes:
            process.kill()
            process.wait()
            process.stdout.close()
