"""Call a function that somebody is still writing: for a limited time, and catching what it raises and prints."""

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

SECONDS = 5.0  # of processor time, for all calls of one exercise together; four times as much of real time
SHOWN = 20  # lines that are shown of what a call prints


class Outcome(NamedTuple):
    """The result of a call.   place: the line of the function's own file that was executed last."""

    value: Any = None
    error: BaseException | None = None
    place: traceback.FrameSummary | None = None
    printed: str = ""


class TooLong(BaseException):
    """The time is up. It is not an Exception, so that `except Exception` in somebody's loop does not catch it."""


class Clock:
    """A budget of processor time, because on a busy machine a right answer may have to wait."""

    def __init__(self, seconds):
        """seconds None: no limit and no sandbox, for --pdb."""
        self.seconds, self.computed, self.began = seconds, time.process_time(), time.monotonic()

    def is_over(self):
        return (time.process_time() - self.computed > self.seconds
                or time.monotonic() - self.began > 4 * self.seconds)


def call(f, args, file, clock):
    """The Outcome of f(*args).   file: that of the function, to find the line.

    The function runs in a thread of its own, which works on every system. An endless loop is ended by an exception that
    is raised inside it; only a thread that hangs in compiled code remains until the program ends.
    """
    if clock.seconds is None:
        return Outcome(f(*args))
    result = {}

    def work():
        try:
            with np.errstate(all="ignore"):
                result["value"] = f(*args)
        except BaseException as error:  # including that of sys.exit()
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
    for attempt in range(200):  # repeatedly, because a bare `except:` catches what is raised inside its `try`
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(TooLong))
        thread.join(0.0003 * (attempt % 17 + 1))
        if not thread.is_alive():
            return


def _no_breakpoint(*args, **kwargs):
    raise RuntimeError("breakpoint() needs `pytest --pdb`, which lifts the time limit")


def _last_place(frames, file):
    """The innermost of the frames that are in `file`."""
    places = [frame for frame in frames if frame.filename == str(file)]
    return places[-1] if places else None


class _Printed(io.TextIOBase):
    """Keeps the beginning of what is printed and counts the rest, because an endless loop may print."""

    def __init__(self):
        self.ended = set()  # threads whose time is up
        self.clear()

    def clear(self):
        self.kept, self.lines = "", 0

    def write(self, text):
        if threading.current_thread() in self.ended:
            threading.Event().wait()  # for ever, because it would not be stopped otherwise
        self.lines += text.count("\n")
        self.kept += text[:max(0, 4000 - len(self.kept))]
        return len(text)

    def shown(self):
        lines = self.kept.splitlines()[:SHOWN]
        if self.lines > len(lines):
            lines.append(f"... and {self.lines - len(lines)} more lines")
        return "\n".join(line[:200] for line in lines)


_PRINTED = _Printed()  # only one, because a thread that remains may print while sys.stdout is replaced
