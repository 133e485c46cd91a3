"""How a lesson ends: which errors are a message to the reader, and which keep their traceback."""

import errno
import os

import pytest

from fewshot_np.experiment.options import run
from fewshot_np.experiment.training import Stopped
from tests.scaffolding import lesson_2

HINT = "\n(FEWSHOT_NP_DEBUG=1 in the environment shows the traceback)"
UNICODE = UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")


def failing(error):
    def main():
        raise error
    return main


@pytest.fixture(autouse=True)
def no_debugging(monkeypatch):
    monkeypatch.delenv("FEWSHOT_NP_DEBUG", raising=False)


@pytest.mark.parametrize(("error", "message"), [
    (FileNotFoundError("there is no folder cats"), "there is no folder cats" + HINT),
    (FileNotFoundError(errno.ENOENT, "No such file", "missing"), "[Errno 2] No such file: 'missing'" + HINT),
    (ValueError("a file is damaged"), "a file is damaged" + HINT),
    (UNICODE, str(UNICODE) + HINT),
    (OSError(errno.ENOSPC, "No space left on device", "x.png"),
     "[Errno 28] No space left on device: 'x.png': make space, or choose another --out; what had been saved before is "
     "whole"),
    (Stopped("the loss became nan at iteration 3"), "\nthe loss became nan at iteration 3"),
    (KeyboardInterrupt(), "\nstopped by hand; what had been saved before is whole")])
def test_what_the_reader_can_put_right_ends_with_its_message(error, message):
    with pytest.raises(SystemExit) as caught:
        run(failing(error))
    assert caught.value.code == message  # a text: printed to stderr, exit code 1
    assert run(lambda: None) is None


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


def test_a_missing_folder_on_the_command_line(tmp_path):
    message = f"--data {tmp_path / 'missing'} is neither glyphs nor omniglot, and there is no folder of that name"
    done = lesson_2("--data", tmp_path / "missing", "--out", tmp_path / "out")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", message + HINT + "\n")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
@pytest.mark.parametrize("module", ["matplotlib", "numpy"])
def test_ctrl_c_during_the_imports_is_no_traceback(tmp_path, module):
    """A module of the same name is found first, and stops the program as Ctrl-C does."""
    (tmp_path / f"{module}.py").write_text(
        "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(30)\n", encoding="utf-8")
    done = lesson_2("--quick", "--out", tmp_path / "out", PYTHONPATH=str(tmp_path))
    assert done.returncode != 0
    assert done.stderr == "\nstopped by hand, before anything had begun\n"
