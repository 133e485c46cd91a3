"""Call a function that somebody is still writing: for a limited time, with what it raises and prints caught."""

import ctypes
import io
import sys
import threading
import time
import traceback
import warnings
from contextlib import redirect_stderr, redirect_stdout
from typing import Any, NamedTuple

import numpy as np

SECONDS = 5.0  # of computing, for all calls of one exercise together; four times as long by the clock on the wall
SHOWN = 20  # lines of what a call prints


class Outcome(NamedTuple):
    """What came of a call: a value or an error; the line of the function's own file where it was last; the print."""

    value: Any = None
    error: BaseException | None = None
    place: traceback.FrameSummary | None = None
    printed: str = ""


class TooLong(BaseException):
    """The time is up. Not an Exception, so that `except Exception` in somebody's loop does not swallow it."""


class Clock:
    """A budget of seconds. A loop without end computes; on a busy machine a right answer only waits."""

    def __init__(self, seconds):
        """seconds None: without end, and without guard, for --pdb."""
        self.seconds, self.computed, self.began = seconds, time.process_time(), time.monotonic()

    def is_over(self):
        return (time.process_time() - self.computed > self.seconds
                or time.monotonic() - self.began > 4 * self.seconds)


def call(f, args, file, clock):
    """Outcome of f(*args). `file`: where the function stands, to find the line.

    The function runs in a thread of its own, which works on every system; a loop of Python is then ended by an
    exception raised inside it. Only a thread that hangs in compiled code is left behind, until the program ends.
    """
    if clock.seconds is None:
        return Outcome(f(*args))
    result = {}

    def work():
        try:
            with np.errstate(all="ignore"):
                result["value"] = f(*args)
        except BaseException as error:  # sys.exit() among them
            result["error"] = error

    thread = threading.Thread(target=work, daemon=True)
    hook, sys.breakpointhook = sys.breakpointhook, _no_breakpoint
    try:
        return _watch(thread, result, file, clock)
    finally:
        sys.breakpointhook = hook


def _watch(thread, result, file, clock):
    with warnings.catch_warnings(), redirect_stdout(_PRINTED), redirect_stderr(_PRINTED):
        warnings.simplefilter("ignore")
        _PRINTED.clear()
        thread.start()
        while thread.is_alive() and not clock.is_over():
            thread.join(0.05)
        if thread.is_alive():
            frame = sys._current_frames().get(thread.ident)
            place = _last_place(traceback.extract_stack(frame) if frame else [], file)
            _stop(thread)
            return Outcome(error=TooLong(), place=place, printed=_PRINTED.shown())
    error = result.get("error")
    place = _last_place(traceback.extract_tb(error.__traceback__), file) if error else None
    return Outcome(result.get("value"), error, place, _PRINTED.shown())


def _stop(thread):
    _PRINTED.ended.add(thread)
    for attempt in range(200):  # again and again: a bare `except:` swallows what is raised inside its `try`
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(TooLong))
        thread.join(0.0003 * (attempt % 17 + 1))
        if not thread.is_alive():
            return


def _no_breakpoint(*args, **kwargs):
    raise RuntimeError("breakpoint() needs `pytest --pdb`, which lifts the time limit")


def _last_place(frames, file):
    """The innermost of the frames that lies in `file`."""
    places = [frame for frame in frames if frame.filename == str(file)]
    return places[-1] if places else None


class _Printed(io.TextIOBase):
    """Keeps the beginning of what is printed, and counts the rest: a loop may print for ever."""

    def __init__(self):
        self.ended = set()  # threads whose time is up
        self.clear()

    def clear(self):
        self.kept, self.lines = "", 0

    def write(self, text):
        if threading.current_thread() in self.ended:
            threading.Event().wait()  # for ever: it would not be stopped otherwise
        self.lines += text.count("\n")
        self.kept += text[:max(0, 4000 - len(self.kept))]
        return len(text)

    def shown(self):
        lines = self.kept.splitlines()[:SHOWN]
        if self.lines > len(lines):
            lines.append(f"... and {self.lines - len(lines)} more lines")
        return "\n".join(line[:200] for line in lines)


_PRINTED = _Printed()  # one for ever: a thread left behind may be printing while sys.stdout changes hands
