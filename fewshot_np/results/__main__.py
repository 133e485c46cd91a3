"""The program of the papers' protocols: one row of a table, or all of them, one after the other."""

import argparse
import sys
from pathlib import Path
from types import SimpleNamespace

from fewshot_np.experiment.options import SMOKE_TEST, add_option, prepare_out, run
from fewshot_np.results.cluster import LOCAL, run_on_cluster
from fewshot_np.results.rows import KEYS, TABLES, find_row, folder_of, in_words, is_made, with_key
from fewshot_np.results.running import run_in_folder

ABOUT = {"finn": "5 or 20 characters of Omniglot from anywhere, as in most papers",
         "lake": "20 characters of one alphabet: the 20 runs of Lake et al. 2015",
         "sinusoids": "curves, at the settings of Finn et al. 2017",
         "worlds": "learn printed characters, recognise handwritten ones, and back"}

# a row is --method, a task and --seed; of the other options a protocol has those that change something in it
METHOD = {"method": ("all", "one of those below; all: every row that has no record yet")}
SEED = {"seed": (0, "seed of the training, or several")}
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
QUICK = {"effort": 0.0005, "episodes": 12}


def main(argv=None):
    options = parse(argv)
    if options is None:
        return
    cluster, share = vars(options).pop("cluster"), options.method == "all"
    rows = []
    for one in rows_of(options):
        if is_made(one, share):
            print(f"There is {folder_of(one)} already.\n")
        else:
            rows.append(one)
    if cluster:
        run_on_cluster(cluster, rows, share)
        return
    for one in rows:
        run_in_folder(one, share)
        print()


def rows_of(options):
    """The options of each row that was asked for: one or all of the protocol's, once for each seed.

    Raises: ValueError for a row that the protocol does not have, and for more rows than one with --network.
    """
    keys = [tuple(getattr(options, name) for name in KEYS[options.protocol])]
    if options.method == "all":
        keys = list(TABLES[options.protocol])
    if getattr(options, "network", None) and (options.method == "all" or len(options.seed) > 1):
        raise ValueError("--network is for one row: name its --method, and one --seed")
    rows = [SimpleNamespace(**vars(with_key(options, key)) | {"seed": seed}) for seed in options.seed for key in keys]
    for one in rows:
        find_row(one)
    return rows


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
    defaults |= {"seed": [defaults["seed"]], "cluster": None}
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
            add_option(parser, name, value, text, words.get(name), nargs="+" if name == "seed" else None)
    for name in FOLDERS_OF[protocol]:
        parser.add_argument("--" + name.replace("_", "-"), metavar="FOLDER", help=FOLDERS[name])
    parser.add_argument("--cluster", nargs="?", const=LOCAL, metavar="ADDRESS",
                        help="hand the rows to the Dask scheduler there; without an address: to a process per core")
    parser.add_argument("--out", metavar="FOLDER", help="where the folders of the rows go (runs/results)")
    parser.add_argument("--quick", action="store_true", help="a few seconds per row, to see that it runs")


if __name__ == "__main__":
    run(main)
