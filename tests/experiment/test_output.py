"""A run whose output goes wrong still ends with its record; and how its numbers are written."""

import io
import os
import subprocess
import sys

import pytest

from fewshot_np.experiment.output import patient_output
from fewshot_np.experiment.records import read_record
from fewshot_np.experiment.report import plus_minus
from tests.scaffolding import lesson_2

RUN = [sys.executable, "-m", "fewshot_np.lesson2_episodes", "--quick", "--episodes", "5", "--out"]


def test_an_interval_that_is_not_0_does_not_read_as_0():
    assert plus_minus(0.778, 0.008) == "77.8 ± 0.8"
    assert plus_minus(0.99819, 0.00048) == "99.82 ± 0.05"
    assert plus_minus(-0.001, 0.0003, "+") == "-0.10 ± 0.03"
    assert plus_minus(1.0, 0.0) == "100.0 ± 0.0"


def test_a_terminal_without_the_plus_minus_sign_loses_nothing(tmp_path):
    done = lesson_2("--quick", "--episodes", "5", "--out", tmp_path / "größe", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.returncode == 0, done.stderr
    assert " ? " in done.stdout
    assert read_record(tmp_path / "größe" / "record.json")["metrics"]


@pytest.mark.parametrize("also_errors", [False, True])
def test_a_reader_who_leaves_does_not_end_the_run(tmp_path, also_errors):
    with subprocess.Popen([*RUN, tmp_path], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT if also_errors else subprocess.PIPE) as process:
        process.stdout.close()  # at once, as `| head -0` does
        errors = b"" if also_errors else process.stderr.read()
        assert process.wait(timeout=120) == 0
    assert b"Error" not in errors
    assert read_record(tmp_path / "record.json")["metrics"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a disk that is always full")
def test_an_output_on_a_full_disk_does_not_end_the_run(tmp_path):
    with open("/dev/full", "w") as full:
        done = subprocess.run([*RUN, tmp_path], check=False, stdout=full, stderr=subprocess.PIPE, timeout=120)
    assert done.returncode == 0, done.stderr
    assert read_record(tmp_path / "record.json")["metrics"]


def test_the_streams_are_the_same_afterwards(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="strict")
    monkeypatch.setattr(sys, "stdout", stream)
    with patient_output():
        print("77.8 ± 0.8")
    assert sys.stdout is stream
    assert stream.errors == "strict"
    assert stream.buffer.getvalue() == b"77.8 ? 0.8\n".replace(b"\n", os.linesep.encode())
