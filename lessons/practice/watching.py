"""Notice that a file was saved: by the system's events where `watchfiles` is installed, else by looking repeatedly."""

import threading
import time

try:
    import watchfiles
except ImportError:
    watchfiles = None

EVERY = 0.2  # seconds between two looks
SETTLED = 0.1  # seconds without a change, after which a file counts as written to its end
GONE = 0.6  # seconds without the file, after which it has vanished: some editors save by putting another in its place
HINT = "Saves are noticed sooner with watchfiles: python -m pip install watchfiles"


class Watcher:
    """poll() is "saved", "gone" or None; the file counts as seen when the Watcher is made."""

    def __init__(self, path, events=True):
        self.path, self.told = path, signature(path)
        self.seen, self.since, self.next_look = self.told, time.monotonic(), 0.0
        self.stop, self.event = threading.Event(), threading.Event()
        if events and watchfiles:
            threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        """Events only make the next look come sooner: where the system has none, or too few, looking is enough."""
        try:
            for _ in watchfiles.watch(self.path.parent, stop_event=self.stop, debounce=50, step=20, recursive=False,
                                      rust_timeout=500, raise_interrupt=False, watch_filter=None):
                self.event.set()
        except Exception:
            return

    def poll(self):
        now = time.monotonic()
        if now < self.next_look and not self.event.is_set():
            return None
        self.event.clear()
        self.next_look = now + EVERY
        current = signature(self.path)
        if current != self.seen:
            self.seen, self.since = current, now
        if self.seen == self.told:
            return None
        if now - self.since < (SETTLED if self.seen else GONE):
            self.next_look = now + SETTLED / 2
            return None
        self.told = self.seen
        return "saved" if self.told else "gone"

    def close(self):
        self.stop.set()


def signature(path):
    """What changes when a file is saved; None where there is no file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
