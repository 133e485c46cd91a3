"""Processes that share a meta-batch: each differentiates the loss of its own tasks, and the gradients are summed.

Threads would not do: autograd's tape is global, so two gradients at once would return wrong numbers without an error.
"""

import io
import multiprocessing
import pickle
import signal
import sys
import threading
import traceback
from contextlib import contextmanager
from itertools import pairwise
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from pathlib import Path

from threadpoolctl import threadpool_limits

from fewshot_np.nn.kernels import keep_freed_memory
from fewshot_np.nn.trees import tree_map, value_and_grad

NO_GUARD = 77  # the exit code of a worker that came to start workers itself
GUARD = """workers import the script that starts them, so it must not start them while it is imported: write
    if __name__ == "__main__":
before the part that trains, and indent that part below it"""


class WorkerDied(RuntimeError):
    """A worker process ended before its work was done."""


@contextmanager
def shared_value_and_grad(objective, n_workers):
    """Yield a function like `value_and_grad(objective)`, (params, batch) -> (loss, gradient), shared by n_workers
    processes with one BLAS thread each; with one worker it is `value_and_grad(objective)` itself, in this process.

    objective: a mean over tasks that pickles, as a `functools.partial` of module-level functions does.
    batch: a NamedTuple of arrays (or None) with the task axis in front; the first worker gets the first tasks, and so
    on. Sums are in the order of the workers, so the same batch and number of workers give the same bits.

    Raises: ValueError for an objective that does not pickle; WorkerDied when a worker was killed. An error in a worker
    is raised here, with the worker's traceback as a note. The workers end with the block, and also when this process
    ends, for whatever reason.
    """
    if n_workers == 1:
        yield value_and_grad(objective)
        return
    workers = []
    try:
        _start(workers, objective, n_workers)
        yield lambda params, batch: _loss_and_gradient(workers, params, batch)
    finally:
        for process, _ in workers:
            process.terminate()
        for process, connection in workers:
            process.join()
            connection.close()


def _loss_and_gradient(workers, params, batch):
    """The mean over all T tasks: the sum over workers of (its number of tasks / T) times its loss and gradient."""
    shares = split(batch, len(workers))
    busy = workers[:len(shares)]
    for worker, (_, share) in zip(busy, shares, strict=True):
        _send(worker, (params, share))
    answers = _receive_all(busy)

    def weighted_sum(*parts):  # in the workers' order, whichever finished first
        return sum(weight * part for (weight, _), part in zip(shares, parts, strict=True))

    losses, gradients = zip(*answers, strict=True)
    return weighted_sum(*losses), tree_map(weighted_sum, *gradients)


def split(batch, n_parts):
    """[(share of all tasks, those tasks)]: n_parts of nearly equal size, or fewer if there are fewer tasks.

    Raises: ValueError for anything but a NamedTuple of arrays (or None) with the same number of tasks in front.
    """
    lengths = {len(field) for field in batch if field is not None} if hasattr(batch, "_fields") else set()
    if len(lengths) != 1:
        raise ValueError("workers need a batch that is a NamedTuple of arrays with the same number of tasks in front, "
                         f"got {type(batch).__name__}" + f" of {sorted(lengths)} tasks" * bool(lengths))
    n_tasks = lengths.pop()
    n_parts = min(n_parts, n_tasks)
    ends = [n_tasks * part // n_parts for part in range(n_parts + 1)]
    return [((end - start) / n_tasks, type(batch)(*(None if field is None else field[start:end] for field in batch)))
            for start, end in pairwise(ends)]


# ---------------------------------------------------------------- this side of the pipe


def _start(workers, objective, n_workers):
    """Append (process, connection) to workers, spawned because forked processes would inherit locks of BLAS threads."""
    _check_objective(objective)
    if getattr(multiprocessing.current_process(), "_inheriting", False):  # a worker that runs the script once more
        sys.exit(NO_GUARD)
    context = multiprocessing.get_context("spawn")
    with _ctrl_c_postponed():
        for number in range(n_workers):
            here, there = context.Pipe()
            process = context.Process(target=_work, args=(there, objective), daemon=True,
                                      name=f"worker {number + 1} of {n_workers}")
            process.start()
            there.close()  # the last copy is the worker's: when it dies, `here` ends
            workers.append((process, here))


def _check_objective(objective):
    """Raises: ValueError for an objective that does not pickle, or that a worker could not import."""
    finder = _Finder()
    try:
        finder.dump(objective)
    except Exception as error:  # pickle has three kinds for it
        raise ValueError("with workers, the objective must pickle, as a functools.partial of module-level functions "
                         f"does: {error}") from None
    program = sys.modules["__main__"]
    is_file = getattr(program, "__spec__", None) is not None or Path(getattr(program, "__file__", "")).is_file()
    if finder.found and not is_file:
        raise ValueError(f"workers cannot import {', '.join(sorted(finder.found))}, which a notebook cell or a prompt "
                         "defines: write it into a .py file and import it from there, or use one worker")


class _Finder(pickle.Pickler):
    """A pickler that notes in `found` the functions and classes of the program itself."""

    def __init__(self):
        super().__init__(io.BytesIO())
        self.found = set()

    def persistent_id(self, thing):
        if getattr(thing, "__module__", None) == "__main__" and hasattr(thing, "__qualname__"):
            self.found.add(thing.__qualname__)


@contextmanager
def _ctrl_c_postponed():
    """A Ctrl-C in the block takes effect after it. Processes started here never see one, because the process that waits
    for them handles it: they inherit that the signal is blocked, where a system has that.
    """
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) is None:
        yield  # only the main thread may set signal handlers, and only those set by Python can be restored
        return
    pressed, posix = [], hasattr(signal, "pthread_sigmask")
    before = signal.signal(signal.SIGINT, lambda number, frame: pressed.append(number))
    if posix:
        resource_tracker.ensure_running()  # now, because it would unblock the signal
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        if posix:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        signal.signal(signal.SIGINT, before)
        if pressed:
            signal.raise_signal(signal.SIGINT)


def _send(worker, work):
    process, connection = worker
    try:
        connection.send(work)
    except OSError:
        raise _death(process) from None


def _receive_all(workers):
    """The workers' answers, in their order; an error or the death of a worker is raised as soon as it is known."""
    numbers, answers = {connection: number for number, (_, connection) in enumerate(workers)}, {}
    while len(answers) < len(workers):
        for connection in wait([connection for connection, number in numbers.items() if number not in answers]):
            try:
                answer = connection.recv()
            except (EOFError, OSError):  # the worker has ended
                raise _death(workers[numbers[connection]][0]) from None
            if isinstance(answer, Exception):
                raise answer
            answers[numbers[connection]] = answer
    return [answers[number] for number in range(len(workers))]


def _death(process):
    process.join(timeout=5)
    if process.exitcode == NO_GUARD:
        return ValueError(GUARD)
    if process.exitcode is not None and process.exitcode < 0:
        hint = " (did the memory run out?)" if process.exitcode == -9 else ""
        return WorkerDied(f"{process.name} was killed by signal {-process.exitcode}{hint}")
    return WorkerDied(f"{process.name} ended with exit code {process.exitcode}")


# ---------------------------------------------------------------- the other side


def _work(connection, objective):
    """What a worker does: answer each (params, batch) with (loss, gradient), or with the error, until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # not every system lets it inherit this
    keep_freed_memory()
    loss_and_gradient = value_and_grad(objective)
    with threadpool_limits(1):
        try:
            while True:
                connection.send(_attempt(loss_and_gradient, *connection.recv()))
        except (EOFError, OSError):  # the process that asked has ended
            return


def _attempt(loss_and_gradient, params, batch):
    try:
        return loss_and_gradient(params, batch)
    except Exception as error:
        error.add_note(f"In {multiprocessing.current_process().name}:\n{traceback.format_exc()}")
        try:
            pickle.loads(pickle.dumps(error))  # some errors cannot be unpickled
        except Exception:
            return RuntimeError(f"{type(error).__name__}: {error}\n{traceback.format_exc()}")
        return error
