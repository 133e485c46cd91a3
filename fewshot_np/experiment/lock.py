"""One run at a time in a folder: two of them would overwrite each other's networks and record one as the other's."""

import atexit
import contextlib
import os
import platform
import sys
import time
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
    import msvcrt

NAME = ".lock"
BEYOND = 1 << 30  # Windows locks bytes, also against reading: one behind the text, which others shall read
HELD = {}  # {path: open file} of this process; the system frees the locks of a process that dies


def lock_folder(folder):
    """Keep other runs out of `folder` until `unlock_folders` or the end of this process, which may lock it repeatedly.

    The lock is the system's, on the file .lock, which names who holds it. Such a file without a lock is what a dead
    process left: that is said on stderr, and the folder is taken over. Where the file system knows no locks there is
    none.

    Raises: ValueError, naming the process, if another one holds the folder.
    """
    path = Path(folder).resolve() / NAME
    while path not in HELD:
        file = open(path, "a+", encoding="utf-8")  # noqa: SIM115  (it stays open: closing it would free the lock)
        try:
            _lock(file)
        except (BlockingIOError, PermissionError):
            with file:
                raise ValueError(f"{folder} is in use: {_content(file) or 'another process'} writes its results there; "
                                 "wait for it, or choose another folder") from None
        except OSError:
            file.close()
            return
        if _is_still(path, file):  # else its last holder removed the file after it was opened here
            _sign(file, folder)
            HELD[path] = file
        else:
            file.close()


def unlock_folders():
    """Free all folders that this process holds."""
    while HELD:
        _unlock(*HELD.popitem())


atexit.register(unlock_folders)


@contextlib.contextmanager
def locked(folder):
    """`lock_folder` for the time of the block."""
    lock_folder(folder)
    try:
        yield
    finally:
        path = Path(folder).resolve() / NAME
        if path in HELD:
            _unlock(path, HELD.pop(path))


def _lock(file):
    if fcntl:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return
    file.seek(BEYOND)
    msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)


def _unlock(path, file):
    """Remove the file, if it can be before it is closed, because then nobody else can have locked it."""
    with contextlib.suppress(OSError):
        if fcntl:
            path.unlink(missing_ok=True)
            file.close()
        else:
            file.seek(BEYOND)
            msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
            file.close()
            path.unlink(missing_ok=True)


def _is_still(path, file):
    try:
        return os.path.samestat(os.stat(path), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _content(file):
    file.seek(0)
    return file.read(200).strip()


def _sign(file, folder):
    """Write who holds the folder; say so if the last holder never let go of it."""
    if before := _content(file):
        sys.stderr.write(f"{folder} was left locked by {before}, which is no longer running: taken over\n")
    with contextlib.suppress(OSError):  # a full disk keeps nobody from holding the lock
        file.truncate(0)
        file.write(f"process {os.getpid()} on {platform.node()}, since {time.strftime('%Y-%m-%d %H:%M:%S')}")
        file.flush()
