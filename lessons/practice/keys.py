"""Single key presses without Enter, on POSIX (termios) and Windows (msvcrt); the terminal is left as it was."""

import os
import select
import signal
import sys
import time
from contextlib import contextmanager, suppress

try:
    import termios
    import tty
except ImportError:  # Windows
    termios = None
    import msvcrt

STOP = "stop"  # Ctrl-C, or a terminal that is gone
ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Keyboard:
    """read(seconds) waits so long at most, and returns the keys that were pressed as a list: "h", or STOP."""

    def __init__(self):
        self.stopped = False

    def stop(self, *_):
        self.stopped = True

    def read(self, seconds):
        keys = _read(seconds)
        return [STOP] if self.stopped else keys


@contextmanager
def keyboard():
    """A Keyboard, while the terminal hands over each key at once.

    Ctrl-C becomes the key STOP and raises nothing, so there is no moment at which it could leave the terminal changed.
    """
    keys = Keyboard()
    handlers = {number: signal.signal(number, keys.stop) for number in ENDING}
    before = termios.tcgetattr(sys.stdin.fileno()) if termios else None
    try:
        if termios:
            tty.setcbreak(sys.stdin.fileno())
            handlers[signal.SIGCONT] = signal.signal(  # after Ctrl-Z and `fg`
                signal.SIGCONT, lambda *_: tty.setcbreak(sys.stdin.fileno()))
        yield keys
    finally:
        if termios:
            with suppress(termios.error):  # the window was closed
                termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, before)
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _read(seconds):
    if not termios:
        return _read_windows(seconds)
    descriptor = sys.stdin.fileno()
    try:
        ready, _, _ = select.select([descriptor], [], [], seconds)
        pressed = os.read(descriptor, 1024) if ready else None
    except OSError:
        pressed = b""
    if pressed == b"":
        return [STOP]
    if not pressed or pressed.startswith(b"\x1b"):  # nothing, or an arrow, which comes as several characters
        return []
    return list(pressed.decode("utf-8", errors="ignore").lower())


def _read_windows(seconds):
    end, keys = time.monotonic() + seconds, []
    while not keys and time.monotonic() < end:
        while msvcrt.kbhit():
            key = msvcrt.getwch()
            if key in "\0\xe0":  # an arrow: a second code follows
                msvcrt.getwch()
            else:
                keys.append(STOP if key == "\x03" else key.lower())
        time.sleep(0.01)
    return keys
