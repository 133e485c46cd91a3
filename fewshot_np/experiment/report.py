"""How every run reports: numbers with their interval, tables, curves, the files written and the next command."""

import time
from functools import partial

import numpy as np

from fewshot_np.experiment.figures import save_figure
from fewshot_np.experiment.lock import unlock_folders
from fewshot_np.experiment.options import SMOKE_TEST
from fewshot_np.experiment.records import save_or_elsewhere, write_record

# ---------------------------------------------------------------- numbers


def metric(mean, interval, **more):
    """A result as a record holds it: its mean, the half-width of its 95 % interval, and whatever else belongs to it."""
    return {"mean": mean, "interval": interval, **more}


def plus_minus(mean, interval, sign="", scale=100, digits=1):
    """A result in a table, "77.8 ± 0.8"; sign="+" shows the sign of a difference. scale 100: a share, in percent.

    One digit more where the interval would read as 0 and is not: "99.82 ± 0.05".
    """
    if 0 < scale * interval < 0.5 * 10 ** -digits:
        digits += 1
    return f"{scale * mean:{sign}.{digits}f} ± {scale * interval:.{digits}f}"


def percent(mean, interval, sign=""):
    """A share with its unit, "77.8 ± 0.8 %"."""
    return plus_minus(mean, interval, sign) + " %"


# ---------------------------------------------------------------- tables


def print_table(head, rows, indent=3):
    """Print rows of texts in columns: the first to the left, the others to the right, each as wide as it must be.

    A line break in a cell of the head makes the head as many lines high.
    """
    head = [cell.split("\n") for cell in head]
    height = max(map(len, head))
    lines = [[([""] * (height - len(cell)) + cell)[i] for cell in head] for i in range(height)] + list(rows)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for first, *others in lines:
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))]
        print((" " * indent + "  ".join(cells)).rstrip())


# ---------------------------------------------------------------- curves: accuracy against images per class


def print_curves(curves, shots, n_way, other_images):
    """A column per learner, {name: (means, half-widths) for each of shots}.

    A learner may have seen images of other classes before, so the last row counts them: other_images, {name: number}.
    """
    rows = [[str(k_shot), f"{n_way * k_shot:,}",
             *(plus_minus(mean[i], interval[i]) for mean, interval in curves.values())]
            for i, k_shot in enumerate(shots)]
    print_table(["images\nof each", f"\nof all {n_way}", *curves],
                [*rows, ["of others", "", *(f"{other_images[name]:,}" for name in curves)]], indent=2)


def curve_metrics(curves, shots):
    """The curves as a record holds them: {"name, K images per class": metric}; curves as in `print_curves`."""
    return {f"{name}, {k_shot} images per class": metric(mean[i], interval[i])
            for name, (mean, interval) in curves.items() for i, k_shot in enumerate(shots)}


# ---------------------------------------------------------------- before the training, and after it


def refuse_impossible(*draws):
    """Draw once from each sampler, a function of a Generator, so that impossible settings are refused before training.

    Raises: ValueError from the sampler.
    """
    for draw in draws:
        draw(np.random.default_rng(0))


def finish(lesson, options, started, metrics, figures, next_steps):
    """Save the figures, {name: Figure}, and the record in options.out; print what is there now, and what comes next.

    started: `time.perf_counter()` at the beginning of the run.   next_steps: the lines under "Next:".
    """
    seconds = time.perf_counter() - started
    record = save_or_elsewhere(lambda path: write_record(path.parent, lesson, options, seconds, metrics),
                               options.out / "record.json")
    pictures = [save_or_elsewhere(partial(save_figure, figure), options.out / f"{name}.png")
                for name, figure in figures.items()]
    unlock_folders()
    written = [*pictures, *sorted(options.out.glob("*.npz")), record]
    print_written([path for path in written if path], next_steps)
    if options.quick:  # said at the beginning, too, where a long table has pushed it out of sight
        print(f"\n{SMOKE_TEST}")


def print_written(paths, next_steps):
    """The last lines of a run: the files that it wrote, and the next command."""
    print("\nWritten: " + "\n         ".join(map(str, paths)) + "\nNext:    " + "\n         ".join(next_steps))
