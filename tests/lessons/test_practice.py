"""The practice loop as a reader uses it: at a pseudo-terminal, in a copy of the course, from stub to solution."""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import fewshot_np
from lessons.practice import answers, keys, texts, watching
from lessons.practice.pictures import PICTURES, picture
from lessons.practice.progress import Progress
from lessons.practice.running import Worker
from lessons.practice.watching import Watcher
from lessons.teacher.checking import discover, honest_answers_of, mistakes_of
from lessons.teacher.sandbox import SECONDS

pty = pytest.importorskip("pty", reason="this system has no pseudo-terminals")
termios = pytest.importorskip("termios", reason="this system has no termios")

ROOT = Path(__file__).parents[2]
LIBRARY = Path(fewshot_np.__file__).parents[1]
EXERCISES = {e.id: e for e in discover()}
CLEAR = "\033[H\033[2J"
SOON = 40  # seconds until a test gives up; a busy machine is slow

# exercises of this file: the course is copied, these two stubs replace whatever the reader has written
STUBS = '''"""Exercises."""

from autograd import numpy as np


def prototypes(embeddings, labels, n_way):
    """The mean of each class.

    embeddings: (M,D). Returns (n_way,D).
    """
    raise NotImplementedError("metric.1: prototypes")


def squared_distances(a, b):
    """Squared distances of rows.

    More of the task.
    """
    raise NotImplementedError("metric.2: squared distances")


KEPT = "this line stays"
'''
RIGHT = "return np.sum((a[:, None] - b[None]) ** 2, axis=-1)"
ROOTED = "return np.sqrt(np.sum((a[:, None] - b[None]) ** 2, axis=-1) + 1e-30)"


def solved(body, stubs=STUBS):
    return stubs.replace('raise NotImplementedError("metric.2: squared distances")', body)


@pytest.fixture
def course(tmp_path):
    """A folder with lessons/ as after a clone; its lesson3_metric has the stubs above."""
    for part in ("teacher", "practice", "lesson3_metric", "lesson4_maml"):
        shutil.copytree(ROOT / "lessons" / part, tmp_path / "lessons" / part, ignore=shutil.ignore_patterns(
            "__pycache__", "figures", "backup_*", "picture_*"))
    shutil.copy(ROOT / "lessons" / "__main__.py", tmp_path / "lessons")
    sandbox = tmp_path / "lessons" / "teacher" / "sandbox.py"
    slower = sandbox.read_text(encoding="utf-8")
    sandbox.write_text(slower.replace(f"\nSECONDS = {SECONDS}", "\nSECONDS = 0.5"), encoding="utf-8")
    file_of(tmp_path).write_text(STUBS, encoding="utf-8")
    return tmp_path


def file_of(course):
    return course / "lessons" / "lesson3_metric" / "exercises.py"


def environment():
    return {**os.environ, "PYTHONPATH": str(LIBRARY), "TERM": "xterm", "OMP_NUM_THREADS": "1", "COLUMNS": "",
            "GIT_CEILING_DIRECTORIES": "/"}


def soon(ask, message=lambda: "nothing came"):
    """What `ask` answers as soon as it answers anything."""
    end = time.monotonic() + SOON
    while not (answer := ask()):
        assert time.monotonic() < end, message()
        time.sleep(0.01)
    return answer


class Terminal:
    """`python -m lessons ...` at a pseudo-terminal of 80 columns."""

    def __init__(self, course, *arguments):
        self.master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (24, 80))
        self.before = termios.tcgetattr(slave)
        self.slave, self.seen = slave, ""
        self.process = subprocess.Popen(  # a session of its own, whose terminal this is, so that Ctrl-C reaches it
            [sys.executable, "-m", "lessons", *arguments], cwd=course, env=environment(), stdin=slave, stdout=slave,
            stderr=slave, start_new_session=True, preexec_fn=_take_terminal)

    def until(self, text, last="q quit"):
        """Read until `text` has come and then `last`, the end of a view; returns what came, and forgets it."""
        soon(lambda: last in self.seen.partition(text)[2] or self.read(), lambda: f"no {text!r} in\n{self.seen}")
        came, self.seen = self.seen, ""
        return came.replace("\r\n", "\n").replace(CLEAR, "")

    def read(self):
        if select.select([self.master], [], [], 0.05)[0]:
            self.seen += os.read(self.master, 65536).decode()
        else:
            assert self.process.poll() is None, f"it ended: {self.seen}"

    def press(self, typed, text, last="q quit"):
        os.write(self.master, typed.encode())
        return self.until(text, last)

    def end(self):
        """The exit code, and that the terminal is as it was."""
        code = self.process.wait(SOON)
        assert termios.tcgetattr(self.slave) == self.before
        return code

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)


def _take_terminal():
    import fcntl
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.fixture
def terminal(course):
    opened = []

    def start(*arguments):
        opened.append(Terminal(course, *arguments))
        return opened[-1]
    yield start
    for each in opened:
        each.close()


def test_a_session_from_stub_to_solution(course, terminal):
    path = file_of(course)

    def save(body):
        path.write_text(solved(body), encoding="utf-8")
        return solved(body)
    reader = terminal("metric.2")
    screen = reader.until("still to write: lessons/lesson3_metric/exercises.py:")
    assert "Squared distances of rows." in screen
    assert "s solution" not in screen

    reader.press("s", "so far 0")
    reader.press("t", "More of the task.")
    reader.press("h", "Hint 1 of ")

    save("return np.sum(a - b")
    reader.until("SyntaxError")
    save(ROOTED)
    wrong = reader.until("called    squared_distances(")
    (png,) = path.parent.glob("picture_*.png")
    assert png.name in wrong
    assert png.read_bytes().startswith(b"\x89PNG")
    save("return a")
    reader.until("returned  [[0., 0.], [3., 0.]]")
    written = save("return None")
    reader.until("Stuck? s shows")
    reader.press("s", "def squared_distances(a, b)")
    assert path.read_text(encoding="utf-8") == written

    reader.press("r", "backup_metric.2_1.py")
    assert path.read_text(encoding="utf-8") == STUBS
    assert (path.parent / "backup_metric.2_1.py").read_text(encoding="utf-8") == written

    written = save(RIGHT)
    screen = reader.until("Right.")
    assert "s solution" in screen
    assert all(line.isascii() and len(line) <= 80 for line in screen.splitlines())

    listed = reader.press("l", "metric.2 <", "any other key")
    assert "# metric.2 <" in listed
    reader.press(_number_of(listed, "metric.1"), "The mean of each class.")
    os.write(reader.master, b"q")
    assert reader.end() == 0
    assert path.read_text(encoding="utf-8") == written
    assert json.loads((course / "lessons" / ".practice.json").read_text(encoding="utf-8"))["metric.2"]["right"]


def _number_of(listed, id):
    words = listed.replace("\n", " ").split()
    return words[words.index(id) - 2]


def test_a_lesson_is_solved_without_leaving_the_loop(course, terminal):
    exercises = [e for e in EXERCISES.values() if e.folder.name == "lesson4_maml"]
    path = course / "lessons" / "lesson4_maml" / "exercises.py"
    path.write_text("\n\n".join(f"def {e.name}(*inputs):\n    raise NotImplementedError('{e.id}: to do')\n".replace(
        "'", '"') for e in exercises), encoding="utf-8")
    reader = terminal("maml")
    for exercise in exercises:
        reader.until(f"{exercise.id}: to do")
        answer = honest_answers_of(exercise)[0].__name__
        path.write_text(path.read_text(encoding="utf-8").replace(
            f'raise NotImplementedError("{exercise.id}: to do")',
            f"from lessons.lesson4_maml.mistakes import {answer}\n    return {answer}(*inputs)"), encoding="utf-8")
        screen = reader.until("Right.")
        os.write(reader.master, b"n")
    assert "All exercises of lesson4_maml are right." in screen
    reader.until("metric.1: prototypes")  # the lesson is done: on with the course
    os.write(reader.master, b"q")
    assert reader.end() == 0


def test_an_endless_loop_a_crash_and_a_vanishing_file(course, terminal):
    path = file_of(course)
    reader = terminal("metric.2")
    reader.until("still to write")
    path.write_text(solved("while True: pass"), encoding="utf-8")
    line = 1 + solved("while True: pass").splitlines().index("    while True: pass")
    assert f"exercises.py:{line}: while True: pass" in " ".join(reader.until("nothing within 0.5 s").split())
    path.write_text(solved("import os; os.kill(os.getpid(), 9)"), encoding="utf-8")
    reader.until("Python itself ended here (exit code -9)")
    path.unlink()
    reader.until("The file is gone")
    path.write_text(solved(RIGHT), encoding="utf-8")
    reader.until("Right.")
    os.write(reader.master, b"q")
    assert reader.end() == 0


@pytest.mark.parametrize("moment", ["at once", "waiting", "while a loop runs", "in the list"])
def test_ctrl_c_leaves_the_terminal_as_it_was(course, terminal, moment):
    if moment == "while a loop runs":
        file_of(course).write_text(solved("while True: pass"), encoding="utf-8")
    reader = terminal("metric.2")
    if moment == "at once":
        time.sleep(0.1)  # whatever it is doing
    else:
        reader.until("Checking ..." if moment == "while a loop runs" else "still to write")
    if moment == "in the list":
        reader.press("l", "metric.2 <", "any other key")
    os.write(reader.master, b"\x03")
    assert reader.end() in (2, 130, -signal.SIGINT)


def test_without_a_terminal_it_prints_once_and_has_pytests_exit_codes(course):
    def run(*arguments):
        return subprocess.run([sys.executable, "-m", "lessons", *arguments], cwd=course, env=environment(), timeout=60,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, encoding="utf-8", check=False)

    todo = run("metric")
    assert todo.returncode == 1, todo.stderr
    assert "metric.1: prototypes" in todo.stdout
    assert "\033" not in todo.stdout
    file_of(course).write_text(solved(RIGHT), encoding="utf-8")
    assert run("metric.2").returncode == 0
    unknown = run("nonsense")
    assert unknown.returncode == 4
    assert "lesson3_metric" in unknown.stderr
    assert "metric.1 metric.2" in run("metric.99").stderr


# ---------------------------------------------------------------- the parts


def test_keys_of_windows_console(monkeypatch):
    """msvcrt's three functions, imitated: an arrow, which is two codes, is no key."""
    class Console:
        def __init__(self):
            self.waiting = list("H\xe0Hq\x03")

        def kbhit(self):
            return bool(self.waiting)

        def getwch(self):
            return self.waiting.pop(0)
    monkeypatch.setattr(keys, "termios", None)
    monkeypatch.setattr(keys, "msvcrt", Console(), raising=False)
    assert keys.Keyboard().read(0.1) == ["h", "q", keys.STOP]
    assert keys.Keyboard().read(0.02) == []


def test_code_that_keeps_python_itself_from_running_is_stopped_and_its_line_named(course, monkeypatch):
    """A product of huge integers holds the interpreter: no thread in the process could end it."""
    monkeypatch.chdir(course)
    monkeypatch.setenv("PYTHONPATH", str(LIBRARY))
    file_of(course).write_text(solved("return 7 ** 7 ** 12"), encoding="utf-8")
    exercise = next(e for e in discover(course / "lessons") if e.id == "metric.2")
    worker = Worker(course / "lessons", seconds=0.5)

    def result():
        worker.ask(exercise, 79)
        return soon(lambda: worker.result(wait=0.2))
    try:
        text = result()["text"]
        assert "return 7 ** 7 ** 12" in text
        assert "nothing within 0.5 s" in text
        file_of(course).write_text(solved(RIGHT), encoding="utf-8")
        assert result()["right"]
    finally:
        worker.close()


@pytest.mark.parametrize("events", [True, False], ids=["events", "looking"])
def test_each_save_is_noticed_once_also_by_rename_and_a_vanished_file(tmp_path, events):
    if events and not watching.watchfiles:
        pytest.skip("watchfiles is not installed")
    path = tmp_path / "exercises.py"
    path.write_text("a")
    watcher = Watcher(path, events)
    path.write_text("ab")
    assert soon(watcher.poll) == "saved"
    (tmp_path / "new").write_text("abc")
    os.replace(tmp_path / "new", path)
    assert soon(watcher.poll) == "saved"
    path.unlink()
    assert soon(watcher.poll) == "gone"
    path.write_text("abcd")
    assert soon(watcher.poll) == "saved"
    time.sleep(0.5)
    assert watcher.poll() is None
    watcher.close()


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("body", [RIGHT, "return (", "x = '''never closed"])
def test_reset_changes_nothing_but_the_one_function(course, body, newline):
    exercise = next(e for e in discover(course / "lessons") if e.id == "metric.2")
    written = solved(body).replace("\n", newline).encode()
    file_of(course).write_bytes(written)
    stub = answers.source_of(STUBS, "squared_distances")
    backup = answers.reset(exercise, stub)
    assert backup.read_bytes() == written
    assert file_of(course).read_bytes() == STUBS.replace("\n", newline).encode()
    assert answers.reset(exercise, stub) != backup


def test_stubs_come_from_gits_history_and_a_lost_file_too(course):
    """Also where the reader has committed answers."""
    def git(*arguments):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments], cwd=course, check=True,
                       capture_output=True, timeout=60)
    if not shutil.which("git"):
        pytest.skip("git is not installed")
    exercise = next(e for e in discover(course / "lessons") if e.id == "metric.2")
    assert answers.stub_of(exercise, "as remembered") == "as remembered"
    git("init")
    for text in (STUBS, solved("return a"), solved(RIGHT)):
        file_of(course).write_text(text, encoding="utf-8")
        git("add", "-A")
        git("commit", "-m", "a change")
    assert answers.stub_of(exercise, None) == answers.source_of(STUBS, "squared_distances")
    file_of(course).unlink()
    answers.put_back(file_of(course))
    assert file_of(course).read_text(encoding="utf-8") == solved(RIGHT)


def test_progress_survives_what_an_update_does(course):
    exercises = discover(course / "lessons")
    exercise = next(e for e in exercises if e.id == "metric.2")
    file_of(course).write_text(solved(RIGHT), encoding="utf-8")
    progress = Progress(course / "lessons", exercises)
    progress.note(exercise, {"right": True})
    progress.records["gone.1"] = {"right": True}
    progress.save()
    file_of(course).write_text("# a new line at the top\n" + solved(RIGHT), encoding="utf-8")
    again = Progress(course / "lessons", exercises)
    assert again.mark(exercise) == "#"
    assert again.records["gone.1"] == {"right": True}
    file_of(course).write_text(solved("return a"), encoding="utf-8")
    again.look()
    assert again.mark(exercise) == "."
    again.path.write_text("{ broken", encoding="utf-8")
    assert "could not be read" in Progress(course / "lessons", exercises).trouble


@pytest.mark.parametrize("id", EXERCISES)
def test_every_exercise_has_hints_a_task_and_a_solution_in_plain_letters(id):
    exercise = EXERCISES[id]
    hints = texts.hints_of(exercise)
    assert hints or exercise.solved
    for shown in (texts.wrapped("\n\n".join(hints) or "none", 79), texts.task(exercise, None, 79),
                  texts.solution(exercise, 79)):
        assert shown.strip()
        assert all(c.isascii() or c == "±" for c in shown)
    assert "f_wrapped" not in texts.solution(exercise, 79)


@pytest.mark.parametrize("id", PICTURES)
def test_a_picture_is_drawn_of_a_mistake_and_not_of_the_right_answer(id, tmp_path):
    import dataclasses
    exercise = dataclasses.replace(EXERCISES[id], folder=tmp_path)
    path = tmp_path / "exercises.py"
    lesson = EXERCISES[id].folder.name

    def drawn(name):
        path.write_text(f"from lessons.{lesson}.mistakes import {name} as {exercise.name}\n", encoding="utf-8")
        return picture(exercise, path)
    png = next(filter(None, (drawn(mistake.__name__) for mistake in mistakes_of(EXERCISES[id]))))
    assert Path(png).read_bytes().startswith(b"\x89PNG")
    path.write_text(f"def {exercise.name}(*inputs):\n    raise KeyError\n", encoding="utf-8")
    assert picture(exercise, path) is None
