"""The program of the papers' protocols: one row of a table, or all of them, one after the other."""

import argparse
import os
import platform
import sys
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

from fewshot_np.experiment.figures import draw_learning_curve, save_figure
from fewshot_np.experiment.lock import locked
from fewshot_np.experiment.options import SMOKE_TEST, add_option, prepare_out, run
from fewshot_np.experiment.records import save_or_elsewhere, write_record
from fewshot_np.experiment.report import plus_minus, print_table
from fewshot_np.results.finn import run_finn
from fewshot_np.results.lake import run_lake
from fewshot_np.results.rows import (
    KEYS,
    TABLES,
    find_row,
    folder_of,
    has_record,
    in_words,
    sibling_of,
    task_of,
    with_key,
)
from fewshot_np.results.sinusoids import run_sinusoids
from fewshot_np.results.variants import METHODS
from fewshot_np.results.worlds import run_worlds

PROTOCOLS = {"finn": run_finn, "lake": run_lake, "sinusoids": run_sinusoids, "worlds": run_worlds}
ABOUT = {"finn": "5 or 20 characters of Omniglot from anywhere, as in most papers",
         "lake": "20 characters of one alphabet: the 20 runs of Lake et al. 2015",
         "sinusoids": "curves, at the settings of Finn et al. 2017",
         "worlds": "learn printed characters, recognise handwritten ones, and back"}

# a row is --method, a task and --seed; of the other options a protocol has those that change something in it
METHOD = {"method": ("all", "one of those below; all: every row that has no record yet")}
SEED = {"seed": (0, "seed of the training")}
EPISODES = {"episodes": (1000, "test episodes")}
EFFORT = {"effort": (1.0, "length of the training, as a multiple of the row's"),
          "resume": (False, "go on where a run with the same options was stopped")}
OPTIONS = {
    "finn": METHOD | {"n_way": (5, "classes per episode, N"), "k_shot": (1, "support images per class, K")} | SEED
    | EPISODES | EFFORT | {"workers": (1, "processes that share the tasks of a meta-batch")},
    "lake": METHOD | {"background": ("background", "what is learned from: 30 alphabets or one of two sets of 5")}
    | SEED | EFFORT,
    "sinusoids": METHOD | SEED | EPISODES | EFFORT,
    "worlds": METHOD | {"background": ("glyphs", "what is learned from")} | SEED | EPISODES | EFFORT}
FOLDERS = {"network": "test the network of this run instead of training: for a row that differs from it in the test "
                      "alone, above all in its ways",
           "data_root": "where Omniglot's archives are"}
FOLDERS_OF = {"finn": ("network", "data_root"), "lake": ("network", "data_root"), "sinusoids": (),
              "worlds": ("network", "data_root")}
DIVERGED = 1e6  # an error above it, or NaN, is not worth its digits
QUICK = {"effort": 0.0005, "episodes": 12}


def main(argv=None):
    options = parse(argv)
    if options is None:
        return
    one_row = options.method != "all"
    if one_row:
        find_row(options)
    elif getattr(options, "network", None):
        raise ValueError("--network is for one row: name its --method")
    for one in [options] if one_row else [with_key(options, key) for key in TABLES[options.protocol]]:
        again = one_row and (one.resume or getattr(one, "network", None))
        if has_record(one) and not again:
            print(f"There is {folder_of(one)} already.\n")
            continue
        if not one_row and "network" in FOLDERS_OF[options.protocol]:
            one.network = sibling_of(one)
        folder_of(one).mkdir(exist_ok=True)
        with locked(folder_of(one)):
            run_row(one)
        print()


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


# ---------------------------------------------------------------- the command line


def parse(argv=None):
    """The options of a protocol as a namespace; None after the help, where no protocol is named."""
    command = "python -m fewshot_np.results"
    parser = argparse.ArgumentParser(
        prog=command, usage=f"{command} PROTOCOL [options]", allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="The papers' experiments: train a method as long as it takes, measure it as\n"
                    "the papers do. Without --method a protocol makes all rows of its table, one\n"
                    "after the other, in many hours; a row that has its record is not made again.",
        epilog=f"To begin with: {command} sinusoids --method MAML\n(two minutes). "
               f"The options and rows of a protocol: {command}\nfinn --help. "
               "The tables, ours beside the papers': lessons/results/README.md.")
    protocols = parser.add_subparsers(dest="protocol", metavar="PROTOCOL", title="protocols")
    for protocol, about in ABOUT.items():
        add_protocol(protocols, protocol, about, command)
    given = vars(parser.parse_args(argv))
    protocol = given["protocol"]
    if protocol is None:
        parser.print_help()
        return None
    defaults = {name: value for name, (value, _) in OPTIONS[protocol].items()} | dict.fromkeys(FOLDERS_OF[protocol])
    quick = {name: value for name, value in QUICK.items() if name in defaults} if given.get("quick") else {}
    values = {"quick": False, "out": Path("runs") / ("results-quick" if quick else "results"),
              **defaults, **quick, **given}
    if quick:
        sys.stderr.write(SMOKE_TEST + "\n")
    prepare_out(parser, values)
    return SimpleNamespace(**values)


def add_protocol(protocols, protocol, about, command):
    """Add a protocol with its own options to the parser."""
    rows = "\n".join(f"  {in_words(protocol, key)}" for key in TABLES[protocol])
    parser = protocols.add_parser(
        protocol, help=about, description=about, prog=f"{command} {protocol}",
        usage=f"{command} {protocol} [options]", allow_abbrev=False, argument_default=argparse.SUPPRESS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"Its rows are\n{rows}")
    words = {name: tuple(dict.fromkeys(key[i] for key in TABLES[protocol])) for i, name in enumerate(KEYS[protocol])
             if name in ("method", "background")}
    parser.add_argument("--method", choices=("all", *words["method"]), metavar="METHOD",
                        help=f"{METHOD['method'][1]} (all)")
    for name, (value, text) in OPTIONS[protocol].items():
        if name != "method":
            add_option(parser, name, value, text, words.get(name))
    for name in FOLDERS_OF[protocol]:
        parser.add_argument("--" + name.replace("_", "-"), metavar="FOLDER", help=FOLDERS[name])
    parser.add_argument("--out", metavar="FOLDER", help="where the folders of the rows go (runs/results)")
    parser.add_argument("--quick", action="store_true", help="a few seconds per row, to see that it runs")


if __name__ == "__main__":
    run(main)
