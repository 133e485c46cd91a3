"""How far the numbers of a page move with the seed: `spread.json`, which the texts quote.

    python -m lessons.spread                     all lessons that train, seeds 0, 1 and 2: about an hour
    python -m lessons.spread lesson4_maml        this lesson
    python -m lessons.spread --collect           no run: collect those that are in the folder already

Each run goes to runs/seeds/<lesson>-seed<S>, and is not made again where its record is. A lesson without a record keeps
what spread.json says of it.
"""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path
from statistics import median

from fewshot_np.__main__ import LESSONS
from fewshot_np.data.files import write_atomically
from fewshot_np.experiment.records import read_record

FILE = Path(__file__).with_name("spread.json")
TRAINED = [module for number, module, *_ in LESSONS if number >= "3"]
UNTRAINED = re.compile(r"pixel|no training|random, |, 0 steps|shuffled")      # nothing that was trained
NO_RESULT = re.compile(r"minus| difference|flattering|distance|rates|interval over|results on|images? per class|^seed ")
ERROR = re.compile(r"sinusoids|\d points|^(LSTM|Adam|SGD),")                   # of curves: no share between 0 and 1


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m lessons.spread", description=__doc__.partition("\n")[0])
    parser.add_argument("lessons", nargs="*", metavar="LESSON", help="all that train (%(default)s)", default=TRAINED)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("runs") / "seeds")
    parser.add_argument("--collect", action="store_true", help="make no run")
    options = parser.parse_args(argv)
    for lesson in options.lessons:
        for seed in options.seeds if not options.collect else ():
            folder = options.out / f"{lesson}-seed{seed}"
            if not (folder / "record.json").exists():
                subprocess.run([sys.executable, "-m", f"fewshot_np.{lesson}", "--seed", str(seed), "--out", folder],
                               check=True)
    found = {lesson: collected(options.out, lesson) for lesson in options.lessons}
    content = (committed() if FILE.exists() else {}) | {
        lesson: of_lesson for lesson, of_lesson in found.items() if len(of_lesson["seeds"]) > 1}
    with write_atomically(FILE) as file:
        file.write((json.dumps(dict(sorted(content.items())), indent=1) + "\n").encode())
    for lesson in content:
        print(f"{lesson}: {sentence(lesson, content)}")


def collected(folder, lesson):
    """{"seeds": [...], "means": {result: [one for each seed]}} of the runs in the folder with the default options."""
    runs = [read_record(path) for path in folder.glob(f"{lesson}-seed*/record.json")]
    runs = sorted((run for run in runs if not run["options"]["quick"]), key=lambda run: run["options"]["seed"])
    names = [name for name, result in runs[0]["metrics"].items()
             if {"mean", "interval"} <= result.keys() and not UNTRAINED.search(name) and not NO_RESULT.search(name)
             ] if runs else []
    return {"seeds": [run["options"]["seed"] for run in runs],
            "means": {name: [round(run["metrics"][name]["mean"], 4) for run in runs] for name in names}}


def committed():
    """What spread.json says: {lesson: {"seeds", "means"}}, see `collected`."""
    return json.loads(FILE.read_text(encoding="utf-8"))


def apart(means):
    """(points between the lowest and the highest accuracy, factor between the lowest and the highest error), a list
    each."""
    points = [100 * (max(seeds) - min(seeds)) for name, seeds in means.items() if not ERROR.search(name)]
    factors = [max(seeds) / min(seeds) for name, seeds in means.items() if ERROR.search(name)]
    return points, factors


def measured(lesson, content=None):
    """(seeds as words, points, factors) of `apart` for a lesson; None where its seeds were not measured."""
    content = committed() if content is None else content
    if lesson not in content:
        return None
    return list(map(str, content[lesson]["seeds"])), *apart(content[lesson]["means"])


def percentages(lesson, result):
    """A result of a lesson with each seed, as ["61.6", "72.6", ...]."""
    return [f"{100 * mean:.1f}" for mean in committed()[lesson]["means"][result]]


def sentence(lesson, content=None):
    """How far the lesson's results lay apart; empty where that was not measured."""
    if not (found := measured(lesson, content)):
        return ""
    (*seeds, last), points, factors = found
    parts = []
    if points:
        parts.append(f"the accuracies of this page lay up to {max(points):.1f} points apart, half of them "
                     f"less than {median(points):.1f}")
    if factors:
        parts.append(f"the errors differed by up to a factor of {max(factors):.1f}, half of them by less than "
                     f"{median(factors):.2f}")
    return f"With the seeds {', '.join(seeds)} and {last} {'; '.join(parts)} (measured)."


if __name__ == "__main__":
    main()
