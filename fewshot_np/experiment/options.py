"""Options of a lesson on the command line: its defaults, what --quick and --full change, and what the reader gives."""

import argparse
import os
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

from threadpoolctl import threadpool_limits

from fewshot_np.experiment.lock import lock_folder, unlock_folders
from fewshot_np.experiment.output import patient_output
from fewshot_np.experiment.records import FULL, check_folder, commit_of_run
from fewshot_np.experiment.training import Stopped
from fewshot_np.nn.kernels import keep_freed_memory

COMMON = {  # what several lessons ask for; the rest stands beside each lesson's defaults
    "n_way": "classes per episode, N",
    "k_shot": "support images per class, K",
    "n_query": "query images per class, Q",
    "iterations": "training iterations",
    "learning_rate": "learning rate of training, at its start",
    "channels": "channels of the convolutional network",
    "episodes": "test episodes",
    "workers": "processes that share the tasks of a meta-batch",
    "resume": "go on where a run with the same options was stopped",
}
SMOKE_TEST = "--quick shows that it runs; its numbers come from networks that hardly learned."
FEWEST_DRAWS = 5  # of fewer, a ± says next to nothing: of 2 values that happen to be equal it is 0
AT_LEAST = {"seed": 0, "n_way": 2, "train_way": 2, "train_ways": 2, "episodes": FEWEST_DRAWS,
            "repetitions": FEWEST_DRAWS}


def parse_options(lesson, description, defaults, quick, full, choices=None, argv=None, parents=(), texts=None):
    """The options of a run, as a namespace; what the command line gives outranks everything else.

    defaults: {name: value}; an option has the type of its value, and False makes a switch.   quick, full: the values
    that --quick and --full put in place of defaults.   choices: {name: allowed values}.   texts: {name: what --help
    says} for options that COMMON does not explain.   parents: argparse parsers of options that are not of this form.

    Anything unknown or impossible, such as an --out that cannot be written, ends the program with a message and exit
    code 2.
    """
    command, texts = f"python -m fewshot_np.{lesson}", COMMON | (texts or {})
    parser = argparse.ArgumentParser(prog=command, usage=f"{command} [options] (--help lists them)",
                                     description=description, argument_default=argparse.SUPPRESS, allow_abbrev=False,
                                     parents=parents)
    common = {"data": "glyphs", "data_root": None, "seed": 0, "out": Path("runs") / lesson}
    parser.add_argument("--data", metavar="{glyphs,omniglot,PATH}", help="images to learn from (glyphs)")
    parser.add_argument("--data-root", metavar="FOLDER", help="where Omniglot's archives are")
    parser.add_argument("--seed", type=_number_like(0, at_least=0), metavar="N", help="seed of every random draw (0)")
    parser.add_argument("--out", metavar="FOLDER", help=f"where figures and the record go ({common['out']})")
    speed = parser.add_mutually_exclusive_group()
    speed.add_argument("--quick", action="store_true", help="a few seconds, to see that it runs")
    speed.add_argument("--full", action="store_true", help="the settings of the paper: hours")
    for name, value in defaults.items():
        add_option(parser, name, value, texts[name], (choices or {}).get(name))
    given = vars(parser.parse_args(argv))
    preset = quick if given.get("quick") else full if given.get("full") else {}
    values = {"quick": False, "full": False, **common, **defaults, **preset, **given}
    if values["quick"]:
        values["out"] = given.get("out", Path("runs") / f"{lesson}-quick")  # so that the results of a real run stay
        sys.stderr.write(SMOKE_TEST + "\n")
    prepare_out(parser, values, lock_folder)
    return SimpleNamespace(**values)


def add_option(parser, name, value, text, allowed=None, nargs=None):
    """Add the option of this name, whose default is `value`: a number, a switch (False), or one of the words `allowed`.

    text: what --help says.   nargs: argparse's, "+" for a list of one or more.
    """
    flag = "--" + name.replace("_", "-")
    if value is False:
        parser.add_argument(flag, action="store_true", help=text)
        return
    parse = None if allowed else _number_like(value, AT_LEAST.get(name))
    metavar = None if allowed else "N" if isinstance(value, int) else "X"
    parser.add_argument(flag, type=parse, choices=allowed, metavar=metavar, nargs=nargs, help=f"{text} ({value})")


def prepare_out(parser, values, lock=None):
    """Make the folder values["out"], or end the program with parser.error where a run may not write there.

    lock(folder): for a program that is the only one to write there.
    """
    commit_of_run()  # now, before anybody goes on working at the source
    try:
        values["out"] = writable_folder(values["out"])
        check_folder(values["out"], values if values.get("resume") else None)
        if lock:
            lock(values["out"])
    except OSError as error:
        parser.error(f"--out {values['out']} cannot be written: {error.strerror or error}")
    except ValueError as error:
        parser.error(f"--out: {error}")


def run(main):
    """Run a lesson's main(). What the reader can put right ends it with a message and exit code 1, without a traceback:
    a run that was stopped, a missing file (FileNotFoundError), bad data or a damaged file (ValueError), a full disk.

    Other errors keep their traceback. Because a ValueError may also be a mistake in the code, setting the variable
    FEWSHOT_NP_DEBUG to anything brings the traceback of these errors back.
    """
    try:
        keep_freed_memory()
        # one thread, because for small matrices BLAS threads mostly wait, and take cores from others
        with patient_output(), threadpool_limits(1):
            main()
    except Stopped as stop:
        sys.exit(f"\n{stop}")
    except KeyboardInterrupt:
        sys.exit("\nstopped by hand; what had been saved before is whole")
    except (FileNotFoundError, ValueError) as error:
        if os.environ.get("FEWSHOT_NP_DEBUG"):
            raise
        sys.exit(f"{error}\n(FEWSHOT_NP_DEBUG=1 in the environment shows the traceback)")
    except OSError as error:
        if error.errno not in FULL:
            raise
        sys.exit(f"{error}: make space, or choose another --out; what had been saved before is whole")
    finally:
        unlock_folders()


def writable_folder(path):
    """The folder `path`, which is made if it does not exist.

    Raises: OSError if files cannot be written there.
    """
    path = Path(path)
    path.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=path) as file:
        file.write(b"test")
        os.fsync(file.fileno())
    return path


def _number_like(example, at_least=None):
    """A parser for positive numbers of the type of `example`, integers for integers."""
    kind = "an integer" if isinstance(example, int) else "a number"
    wanted = f"{kind} {'above 0' if at_least is None else f'of at least {at_least}'}"

    def number(text):
        try:
            value = type(example)(text)
        except ValueError:
            value = float("nan")
        if not (value > 0 if at_least is None else value >= at_least) or value == float("inf"):
            raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}")
        return value
    return number
