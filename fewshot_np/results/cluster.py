"""The rows of a protocol side by side: a Dask scheduler hands each to one of its workers, on one machine or on many.

No row depends on another, except that two of the same training share it: the second waits, and tests the first one's
network. A row is what it is alone, to the last bit, because it draws from a generator of its own. When its worker dies,
the scheduler gives it to another one, which goes on from the checkpoint in the row's folder; so the machines need a
folder that all of them see.
"""

import contextlib
import logging
import os
import sys
import time
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

from threadpoolctl import threadpool_limits

from fewshot_np.nn.kernels import keep_freed_memory
from fewshot_np.results.rows import find_row, folder_name, folder_of, is_made, training_identity
from fewshot_np.results.running import run_in_folder

LOCAL = "local"  # no address: a scheduler of our own, with one process per core
LOG = "log.txt"  # in the folder of a row: what it would print here
EVERY = 60.0  # seconds from one report to the next

Task = namedtuple("Task", "name, folder, future")


def run_on_cluster(address, rows, share):
    """Run all rows (the options of each) on the scheduler's workers, and say how far they are.

    share: as in `running.run_in_folder`. Ctrl-C ends the rows that have not begun, and a scheduler of our own with all
    its workers; the same command goes on from the checkpoints.

    Raises: ValueError naming the rows that failed, when all others are done; where Dask is not installed; and where no
    scheduler answers at the address.
    """
    with client_of(address) as client:
        tasks = hand_out(client, rows, share)
        try:
            failed = follow(tasks)
        except KeyboardInterrupt:
            client.cancel([task.future for task in tasks])
            if address != LOCAL:
                sys.stderr.write("\nRows that a worker has begun go on there to their record.\n")
            raise
    if failed:
        raise ValueError(f"{len(failed)} of {len(tasks)} rows failed: {', '.join(failed)}; what they printed is in "
                         f"{LOG} of their folders, and the same command takes them up again")


def hand_out(client, rows, share):
    """Submit the rows: [Task]. One that shares the training of another waits for it."""
    tasks, last_of = [], {}
    for one in rows:
        for name in {"out", "data_root", "network"} & vars(one).keys():  # a worker may stand in another folder
            setattr(one, name, getattr(one, name) and Path(getattr(one, name)).resolve())
        row, name = find_row(one), folder_name(one)
        training = repr(training_identity(row, vars(one))) if share and row else name
        last_of[training] = client.submit(run_in_worker, one, share, last_of.get(training), pure=False,
                                          key=f"fewshot_np {folder_of(one)}")  # the same row of two clients is one task
        tasks.append(Task(name, folder_of(one), last_of[training]))
    return tasks


def run_in_worker(options, share, before):
    """One row, from its checkpoint if it has one. before: only makes the row wait for another."""
    folder = folder_of(options)
    folder.mkdir(parents=True, exist_ok=True)
    if is_made(options, share):  # the worker before was lost after its work was done
        return
    options = SimpleNamespace(**vars(options))  # the task itself stays as it was, in case it is given away once more
    options.resume = options.resume or (folder / "last.npz").exists()
    keep_freed_memory()
    with (open(folder / LOG, "a", encoding="utf-8", buffering=1) as log, contextlib.redirect_stdout(log),
          contextlib.redirect_stderr(log), threadpool_limits(1)):
        run_in_folder(options, share)


def follow(tasks):
    """Wait for all tasks and report: [the names of those that failed]."""
    waiting, failed, reported = list(tasks), [], time.monotonic()
    print(f"{len(tasks)} rows are handed out.", flush=True)
    while waiting:
        time.sleep(0.2)
        for task in [task for task in waiting if task.future.done()]:
            waiting.remove(task)
            error = task.future.exception() if task.future.status == "error" else None
            if error is not None or task.future.status != "finished":
                failed.append(task.name)
            print(f"{len(tasks) - len(waiting)} of {len(tasks)}  {task.name}: "
                  + (f"{type(error).__name__}: {error}" if error else task.future.status), flush=True)
        if time.monotonic() - reported >= EVERY:
            reported = time.monotonic()
            for task in waiting:
                if line := last_line(task.folder / LOG):
                    print(f"  {task.name}: {line}", flush=True)
    return failed


def last_line(path):
    """What a row printed last, its progress bar above all; "" where it printed nothing yet."""
    with contextlib.suppress(OSError):
        lines = path.read_bytes()[-2000:].decode("utf-8", "replace").replace("\r", "\n").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")
    return ""


@contextlib.contextmanager
def client_of(address):
    """A client of the scheduler at `address`, or of a new one on this machine."""
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise ValueError('--cluster needs Dask: pip install "fewshot-np[cluster]"') from None
    if address != LOCAL:
        try:
            client = Client(address, timeout=10)
        except (OSError, ValueError) as error:
            raise ValueError(f"no Dask scheduler answers at {address}: {error}") from None
        with client:
            yield client
        return
    one_each = {"n_workers": os.cpu_count(), "threads_per_worker": 1, "memory_limit": 0, "dashboard_address": None,
                "silence_logs": logging.CRITICAL}
    with LocalCluster(**one_each) as cluster, Client(cluster) as client:
        yield client
