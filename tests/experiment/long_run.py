"""A small training run that tests interrupt, kill and resume, here or in a process of its own.

    python -m tests.experiment.long_run FOLDER [--workers N] [--die WHEN] ...
"""

import argparse
import io
import multiprocessing
import os
import signal
import time
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import numpy as onp
from autograd import numpy as np
from threadpoolctl import threadpool_info

from fewshot_np.experiment import records, training
from fewshot_np.nn.networks import mlp
from fewshot_np.nn.optimizers import adam, cosine_decay

ITERATIONS = 40
NETWORK = mlp([3, 8, 2])


class Tasks(NamedTuple):
    """T regression tasks: x (T,M,3), y (T,M,2)."""

    x: onp.ndarray
    y: onp.ndarray
    nothing: None = None


def sample_tasks(n_tasks, rng):
    x = rng.standard_normal((n_tasks, 4, 3)).astype("float32")
    return Tasks(x, (x[..., :2] * rng.standard_normal((n_tasks, 1, 1))).astype("float32"))


def mean_loss(params, tasks):
    difference = NETWORK.apply(params, tasks.x) - tasks.y
    return np.sum(difference * difference) * (1 / len(tasks.x))


def begin(path, resume=False, update=adam, seed=0, n_tasks=5, interrupt=None, iterations=ITERATIONS, **settings):
    """Train, checkpoints at every iteration; interrupt(iteration) is called in the middle of drawing its batch."""
    rng = onp.random.default_rng(seed)
    params = NETWORK.init(rng)
    drawn = SimpleNamespace(batches=0)

    def sample():
        rng.random()  # so that an interrupted draw has moved the generator on
        drawn.batches += 1
        if interrupt:
            interrupt(drawn.batches)
        return sample_tasks(n_tasks, rng)

    def validate(params):
        return mean_loss(params, sample_tasks(2, rng))

    settings = {"objective": mean_loss, "schedule": cosine_decay(0.05, iterations), "iterations": iterations,
                "label": "toy", "validate": validate, "validate_every": 3, "save_every": 0.0, "update": update,
                "options": SimpleNamespace(resume=resume, seed=seed, update=update.__name__)} | settings
    params, history = training.train(params=params, sample=sample, path=path, rng=rng, **settings)
    return params, history, rng


# ---------------------------------------------------------------- dying in the middle of a save


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def half_written(file, *arrays):
    """In place of numpy.savez: half of what it would write, and then the end."""
    whole = io.BytesIO()
    SAVEZ(whole, *arrays)
    file.write(whole.getvalue()[:len(whole.getvalue()) // 2])
    file.flush()
    die()


SAVEZ, REPLACE = onp.savez, os.replace


def replaced_then_died(old, new):
    REPLACE(old, new)
    die()


DEATHS = {"half written": ("savez", onp, half_written),
          "before it is on the disk": ("fsync", os, lambda file: die()),
          "before the move": ("replace", os, lambda old, new: die()),
          "after the move": ("replace", os, replaced_then_died)}


def dying_in_save(number, when):
    """save_checkpoint, whose call of this number, from 1, dies `when`."""
    calls = SimpleNamespace(n=0)

    def save(path, checkpoint):
        calls.n += 1
        if calls.n == number:
            name, module, deadly = DEATHS[when]
            setattr(module, name, deadly)
        return records.save_checkpoint(path, checkpoint)
    return save


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--iterations", type=int, default=ITERATIONS)
    parser.add_argument("--die", choices=DEATHS)
    parser.add_argument("--print-workers", action="store_true")
    options = parser.parse_args()
    if options.die:
        training.save_checkpoint = dying_in_save(8, options.die)

    def at_every_batch(batch):
        if batch == 1 and options.print_workers:
            print(*(child.pid for child in multiprocessing.active_children()), flush=True)

    begin(options.folder / "toy.npz", workers=options.workers, iterations=options.iterations,
          interrupt=at_every_batch)


# ---------------------------------------------------------------- objectives for workers that go wrong


class Stubborn(Exception):
    """An error that pickles, and does not come back."""

    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


def failing_stubbornly(params, tasks):
    raise Stubborn("one", "two")


def slow(params, tasks):
    time.sleep(60)
    return mean_loss(params, tasks)


def telling_threads(params, tasks):
    threads = sorted({pool["num_threads"] for pool in threadpool_info()})
    raise ValueError(f"{threads} threads of {len(tasks.x)} tasks")


if __name__ == "__main__":
    main()
