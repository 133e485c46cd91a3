"""How a lesson ends: which errors are a message to the reader, and which keep their traceback."""

import os
import subprocess
import sys

import pytest

from fewshot_np.experiment.options import run

HINT = "\n(FEWSHOT_NP_DEBUG=1 in the environment shows the traceback)"


def failing(error):
    def main():
        raise error
    return main


@pytest.fixture(autouse=True)
def no_debugging(monkeypatch):
    monkeypatch.delenv("FEWSHOT_NP_DEBUG", raising=False)


@pytest.mark.parametrize("error", [FileNotFoundError("there is no folder cats"), ValueError("a file is damaged"),
                                   UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")])
def test_bad_data_end_with_their_message(error):
    with pytest.raises(SystemExit) as caught:
        run(failing(error))
    assert caught.value.code == str(error) + HINT  # a text: printed to stderr, exit code 1


def test_a_file_that_the_system_misses_is_named(tmp_path):
    with pytest.raises(SystemExit, match=r"No such file.*missing"):
        run(lambda: (tmp_path / "missing").read_bytes())


@pytest.mark.parametrize("error", [FileNotFoundError("there is no folder cats"), ValueError("shapes differ")])
def test_debugging_brings_the_traceback_back(error, monkeypatch):
    monkeypatch.setenv("FEWSHOT_NP_DEBUG", "1")
    with pytest.raises(type(error)) as caught:
        run(failing(error))
    assert caught.value is error
    assert caught.traceback[-1].name == "main"


@pytest.mark.parametrize("kind", [TypeError, KeyError, IndexError, ZeroDivisionError, PermissionError, AssertionError])
def test_other_errors_keep_their_traceback(kind):
    with pytest.raises(kind):
        run(failing(kind("a mistake")))


def lesson(*argv, **variables):
    """Lesson 2 as the reader starts it."""
    environment = {name: value for name, value in os.environ.items() if name != "FEWSHOT_NP_DEBUG"}
    return subprocess.run([sys.executable, "-m", "fewshot_np.lesson2_episodes", *map(str, argv)], check=False,
                          env=environment | variables, capture_output=True, encoding="utf-8", timeout=60)


def test_a_missing_folder_on_the_command_line(tmp_path):
    done = lesson("--data", tmp_path / "missing", "--out", tmp_path / "out")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (f"--data {tmp_path / 'missing'} is neither glyphs nor omniglot, and there is no folder of "
                           f"that name{HINT}\n")


def test_a_missing_folder_while_debugging(tmp_path):
    done = lesson("--data", tmp_path / "missing", "--out", tmp_path / "out", FEWSHOT_NP_DEBUG="1")
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback")
    assert "and there is no folder of that name" in done.stderr
