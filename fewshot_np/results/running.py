"""One row from its training to its record, wherever it runs: in this process, or in a worker of a cluster."""

import os
import platform
import time
from functools import partial
from pathlib import Path

from fewshot_np.experiment.figures import draw_learning_curve, save_figure
from fewshot_np.experiment.lock import locked
from fewshot_np.experiment.records import save_or_elsewhere, write_record
from fewshot_np.experiment.report import plus_minus, print_table
from fewshot_np.results.finn import run_finn
from fewshot_np.results.lake import run_lake
from fewshot_np.results.rows import find_row, folder_of, sibling_of, task_of
from fewshot_np.results.sinusoids import run_sinusoids
from fewshot_np.results.variants import METHODS
from fewshot_np.results.worlds import run_worlds

PROTOCOLS = {"finn": run_finn, "lake": run_lake, "sinusoids": run_sinusoids, "worlds": run_worlds}
DIVERGED = 1e6  # an error above it, or NaN, is not worth its digits


def run_in_folder(options, share):
    """Run a row in a folder of its own, which nobody else may use meanwhile.

    share: test the network of another row that is there and was trained as this one would be.
    """
    if share and hasattr(options, "network"):
        options.network = sibling_of(options)
    folder_of(options).mkdir(exist_ok=True)
    with locked(folder_of(options)):
        run_row(options)


def run_row(options):
    """Train and test one row; leave its record and its learning curve in its folder, and then print it."""
    started, row, task, folder = time.perf_counter(), find_row(options), task_of(options), folder_of(options)
    print(f"{options.method}, {task}, after the protocol {options.protocol}:\n"
          "how good is it, measured as in the papers?\n")
    metrics, history = PROTOCOLS[options.protocol](options, METHODS.get(options.method), row, folder)
    metrics["row"] = {"task": task, **(row._asdict() if row else {}),
                      "machine": f"{platform.machine()}, {os.cpu_count()} cores"}
    if history:
        metrics["row"] |= {"training seconds": round(history["seconds"], 1), "validation": history["validation"]}
        if "loss" in history:
            curve = draw_learning_curve(history, f"{options.method}, {task}")
            save_or_elsewhere(partial(save_figure, curve), folder / "learning_curve.png")
        else:
            metrics["row"]["training commit"] = history["commit"]
    if getattr(options, "network", None):
        options.network = Path(options.network).name  # in the record: which run, not where on this machine
    seconds = time.perf_counter() - started
    record = save_or_elsewhere(lambda path: write_record(path.parent, "results", options, seconds, metrics),
                               folder / "record.json")
    print_row(options, {name: each for name, each in metrics.items() if name != "row"})
    print(f"\nWritten: {record}")


def print_row(options, metrics):
    scale, unit = (1, "") if options.protocol == "sinusoids" else (100, " %")
    print_table(["", "95 % interval"],
                [[name, plus_minus(each["mean"], each["interval"], scale=scale, digits=2) + unit
                  if each["mean"] < DIVERGED else "diverges"] for name, each in metrics.items()])
