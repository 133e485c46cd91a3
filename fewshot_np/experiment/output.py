"""Printing that never stops a run: hours of training must not end at a character that the terminal does not have."""

import contextlib
import os
import sys


@contextlib.contextmanager
def patient_output():
    """In the block, printing to stdout and stderr never raises.

    A character that the encoding does not have becomes a question mark. Where nobody reads any more (`| head -1`), or
    the disk of a redirected output is full, the rest is dropped, and the run goes on to its record.
    """
    before = sys.stdout, sys.stderr
    with _changed_errors(sys.stdout, "replace"):
        sys.stdout, sys.stderr = (stream and Patient(stream) for stream in before)
        try:
            yield
        finally:
            for stream in (sys.stdout, sys.stderr):
                if stream:
                    stream.flush()
            sys.stdout, sys.stderr = before


@contextlib.contextmanager
def _changed_errors(stream, errors):
    if not hasattr(stream, "reconfigure") or stream.errors != "strict":
        yield
        return
    stream.reconfigure(errors=errors)
    try:
        yield
    finally:
        stream.reconfigure(errors="strict")


class Patient:
    """A text stream whose `write` and `flush` drop what cannot be written; else as the stream itself."""

    def __init__(self, stream):
        self._stream = stream

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def write(self, text):
        with self._dropping():
            self._stream.write(text)
        return len(text)

    def flush(self):
        with self._dropping():
            self._stream.flush()

    @contextlib.contextmanager
    def _dropping(self):
        try:
            yield
        except OSError:
            with contextlib.suppress(OSError), open(os.devnull, "w") as nowhere:  # where it may write from now on
                os.dup2(nowhere.fileno(), self._stream.fileno())
