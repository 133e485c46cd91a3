"""What the texts quote, so that they cannot drift: numbers of the records, code of the library, its citations.

The texts call these from their cog comments: `python -m cogapp -r *.md lessons/*.md lessons/*/*.md tests/*/*.md`
brings them up to date, and `pytest` fails while they are not.
"""

import importlib
import inspect
import io
import json
import os
import pkgutil
import re
from contextlib import redirect_stdout, suppress
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import fewshot_np
from fewshot_np.__main__ import LESSONS as LESSON_LIST
from fewshot_np.experiment.records import read_record
from fewshot_np.experiment.report import plus_minus
from fewshot_np.results.rows import folder_name, task_of

LESSONS = Path(__file__).parent
PACKAGE = Path(fewshot_np.__file__).parent

# "Finn et al. 2017, Algorithm 2, line 7" and its like: who, when, where
AUTHORS = r"[A-Z][\w'-]+(?: et al\.|(?:, [A-Z][\w'-]+)*,? & [A-Z][\w'-]+)?"
PLACE = (r"(?:[Ee]qs?\.|[Aa]lgorithm|Table|[Ss]ec\.|[Ss]ection) \d+(?:\.\d+)*(?:(?:, | and |-)\d+)*"
         r"(?:, lines? \d+(?:-\d+)?)?")
CITATION = re.compile(rf"({AUTHORS}) \(?(\d{{4}})\)?, ({PLACE}(?:(?:,|,? and) {PLACE})*)")
EQUATION = re.compile(r"\b(?:[Ee]qs?\.|[Ee]quations?|[Aa]lgorithm) \(?\d")

# ---------------------------------------------------------------- numbers of a record


def record_of(lesson):
    """The committed record of a lesson's default run."""
    return read_record(LESSONS / lesson / "figures" / "record.json")


def percent(record, name):
    """A metric as "77.5 ± 0.8 %"."""
    metric = record["metrics"][name]
    return f"{100 * metric['mean']:.1f} ± {100 * metric['interval']:.1f} %"


def number(record, name, digits=2):
    """A metric as "0.56 ± 0.05"."""
    metric = record["metrics"][name]
    return f"{metric['mean']:.{digits}f} ± {metric['interval']:.{digits}f}"


def minutes_to_read(page):
    """Minutes that a page takes: 200 words, 400 Chinese characters, or 20 lines of code or of a table, a minute.

    Hints are for later.
    """
    text = re.sub(r"<!--.*?-->|<details>.*?</details>", "", page.read_text(encoding="utf-8"), flags=re.S)
    blocks = re.findall(r"^```.*?^```", text, flags=re.S | re.M)
    prose = re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
    rows = re.findall(r"^\|.*$", prose, flags=re.M)
    chinese, words = re.subn(r"[\u4e00-\u9fff]", " ", re.sub(r"^\|.*$", "", prose, flags=re.M))[::-1]
    lines = len(rows) + sum(block.count("\n") for block in blocks)
    return round(len(words.split()) / 200 + chinese / 400 + lines / 20)


# ---------------------------------------------------------------- the papers' numbers beside those of this course

STATISTICS = ("support", "queries", "support and queries", "training images")  # which images batch norm sees
SECONDARY = ", quoted from a secondary source"
FINN, NICHOL = f"Finn et al. 2017, Table 1{SECONDARY}", f"Nichol et al. 2018, Table 2{SECONDARY}"
SNELL, VINYALS = "Snell et al. 2017, Table 1", f"Vinyals et al. 2016, Table 1{SECONDARY}"
LAKE = f"Lake et al. 2015{SECONDARY}"
TASKS = ("5-way 1-shot", "5-way 5-shot", "20-way 1-shot", "20-way 5-shot", "background", "small1", "small2",
         "glyphs", "omniglot", "curves")
PUBLISHED = {  # (protocol, method): (where, {task: number}); accuracies in % after finn, errors in % after lake
    ("finn", "Siamese"): (f"Finn et al. 2017, Table 1, as run by Vinyals et al., fine-tuned{SECONDARY}",
                          dict(zip(TASKS, ("97.3 (fine-tuned)", "98.4", "88.2", "97.0"), strict=False))),
    ("finn", "Matching"): (VINYALS, dict(zip(TASKS, ("98.1", "98.9", "93.8", "98.5"), strict=False))),
    ("finn", "prototypical"): (SNELL, dict(zip(TASKS, ("98.8", "99.7", "96.0", "98.9"), strict=False))),
    ("finn", "extended prototypical"): ("", {}),
    ("finn", "ridge regression"): ("", {}),
    ("finn", "Relation"): (f"Sung et al. 2018, Table 1{SECONDARY}", dict(zip(
        TASKS, ("99.6 ± 0.2", "99.8 ± 0.1", "97.6 ± 0.2", "99.1 ± 0.1"), strict=False))),
    ("finn", "frozen features"): ("", {}),
    ("finn", "fine-tuning"): ("", {}),
    ("finn", "MAML"): (FINN, dict(zip(TASKS, ("98.7 ± 0.4", "99.9 ± 0.1", "95.8 ± 0.3", "98.9 ± 0.2"), strict=False))),
    ("finn", "first-order MAML"): (f"Nichol et al. 2018, Table 2, transductive{SECONDARY}", dict(zip(
        TASKS, ("98.3 ± 0.5", "99.2 ± 0.2", "89.4 ± 0.5", "97.9 ± 0.1"), strict=False))),
    ("finn", "ANIL"): (f"Raghu et al. 2020, Table 2{SECONDARY}",
                       {"20-way 1-shot": "96.2 ± 0.5", "20-way 5-shot": "98.0 ± 0.3"}),
    ("finn", "Reptile"): (NICHOL, {
        "5-way 1-shot": "95.39 ± 0.09; transductive: 97.68 ± 0.04",
        "5-way 5-shot": "98.90 ± 0.10; transductive: 99.48 ± 0.06",
        "20-way 1-shot": "88.14 ± 0.15; transductive: 89.43 ± 0.14",
        "20-way 5-shot": "96.65 ± 0.33; transductive: 97.12 ± 0.32"}),
    ("finn", "Meta-SGD"): (f"Li et al. 2017{SECONDARY}",
                           {"5-way 1-shot": "99.53 ± 0.26", "5-way 5-shot": "99.93 ± 0.09"}),
    ("finn", "implicit MAML"): (f"Rajeswaran et al. 2019{SECONDARY}", {"5-way 1-shot": "99.5"}),
    ("finn", "ProtoMAML"): ("", {}),
    ("finn", "extended MAML"): (f"Antoniou et al. 2019, MAML++{SECONDARY}", {"5-way 1-shot": "99.47 (MAML++)"}),
    ("lake", "prototypical"): ("", {}),
    ("lake", "extended prototypical"): ("", {}),
    ("lake", "prototypical ensemble"): ("", {}),
    ("lake", "modified Hausdorff"): (LAKE, {"background": "38.8"}),
    ("lake", "cross-entropy Siamese"): (f"Koch et al., in Lake et al. 2015{SECONDARY}",
                                        {"background": "8.0 (from 40)"}),
    ("lake", "Siamese"): (f"Koch et al., in Lake et al. 2015{SECONDARY}", {"background": "8.0 (from 40)"}),
}
PROTONETS_AGAIN = "two users of the authors' code, jakesnell/prototypical-networks#2"
REPRODUCED = {  # (protocol, method): (by whom, {task: number}), where others' runs of a published row are known
    ("finn", "prototypical"): (PROTONETS_AGAIN, dict(zip(TASKS, ("98.4", "99.6", "94.9", "98.6"), strict=False))),
    ("finn", "extended MAML"): ("three seeds of the authors' code, AntreasAntoniou/HowToTrainYourMAMLPytorch#20",
                                {"20-way 1-shot": "96.65, published 97.65 (MAML++)"}),
    ("finn", "implicit MAML"): ("the authors' code, on validation, aravindr93/imaml_dev#3", {"5-way 1-shot": "98.2"}),
}
NOTHING_YET = "No run of this protocol has been recorded yet."
UNTRAINED = ("pixels", "modified Hausdorff")
BACKGROUNDS = {"background": "30 alphabets", "small1": "5 alphabets, set 1", "small2": "5 alphabets, set 2"}


def runs_of(protocol, folder=LESSONS / "results"):
    """{(method, task): records of its seeds} of the protocol's full runs in the folder; it may be empty or missing.

    A run of --quick or of another --effort is another experiment, and left out.
    """
    runs = {}
    for path in sorted(Path(folder).glob("*/record.json")):
        record = read_record(path)
        options = record["options"]
        if options.get("protocol") != protocol or options["quick"] or options["effort"] != 1:
            continue
        runs.setdefault((options["method"], task_of(SimpleNamespace(**options))), []).append(record)
    order = [method for _, method in PUBLISHED]

    def place(key):  # methods in the order of PUBLISHED, tasks in that of TASKS
        return order.index(key[0]) if key[0] in order else len(order), key[0], TASKS.index(key[1])

    return {key: runs[key] for key in sorted(runs, key=place)}


def results_table(protocol, short=False, **where):
    """A row per (method, task) that has a record, as a Markdown table: published, ours, seeds, minutes of training.

    protocol: "finn", accuracies, or "lake", errors; in %. short: of ours one number for queries that are answered one
    by one and one for queries together, each beside what batch norm sees, and no source. where: the folder, see
    `runs_of`.
    """
    kind, runs = {"finn": "accuracy", "lake": "error"}[protocol], runs_of(protocol, **where)
    if not runs:
        return NOTHING_YET
    ours = (("here, queries one by one", "batch norm sees", "here, queries together", "batch norm sees") if short
            else [f"here, statistics of the {statistics}" for statistics in STATISTICS])
    again = protocol == "finn" and not short
    head = ["method", "task" if protocol == "finn" else "learned from", "published", *["reproduced by others"] * again,
            *ours, "seeds", "minutes of training, each", *([] if short else ["published in"])]
    rows = [head, ["---"] * len(head)]
    for (method, task), records in runs.items():
        source, numbers = PUBLISHED.get((protocol, method), ("", {}))
        published = numbers.get(task, "")
        cells = {statistics: over_seeds(records, kind, statistics) for statistics in STATISTICS}
        if method in UNTRAINED:
            task, shown = "nothing", [over_seeds(records, kind), "no batch norm", *[""] * (len(ours) - 2)]
        else:
            shown = alone_and_together(cells) if short else list(cells.values())
        reproduced = REPRODUCED.get((protocol, method), ("", {}))[1].get(task, "")
        rows.append([method, BACKGROUNDS.get(task, task), published, *[reproduced] * again, *shown, str(len(records)),
                     minutes_of(records), *([] if short else [source if published else ""])])
    return as_markdown(rows)


def reproductions():
    """Which published rows others ran again, in words: "prototypical, 5-way 1-shot 98.4, ... (who it was); ..."."""
    return "; ".join(f"{method}, {', '.join(f'{task} {number}' for task, number in numbers.items())} ({who})"
                     for (_, method), (who, numbers) in REPRODUCED.items())


def alone_and_together(cells):
    """Of {statistics: number} two numbers, each followed by its statistics: queries one by one, and together."""
    there = [statistics for statistics in STATISTICS if cells[statistics]]
    alone = [statistics for statistics in there if "queries" not in statistics][-1]  # training images, if there are
    (together,) = (statistics for statistics in there if "queries" in statistics)
    return [cells[alone], alone, cells[together], together]


def result(method, n_way, k_shot, statistics, **where):
    """An accuracy of the protocol finn in %, for a sentence: "98.8 ± 0.1", or "98.8 (98.7 to 98.9)" over several seeds.

    Raises: ValueError where there is no such row, or where the row has other statistics.
    """
    records = runs_of("finn", **where).get((method, f"{n_way}-way {k_shot}-shot"))
    if not records or not (text := over_seeds(records, "accuracy", statistics)):
        raise ValueError(f"there is no record of {method}, {n_way}-way {k_shot}-shot, statistics of the {statistics}")
    return text


def older_rows(**where):
    """(records, older): all of the protocol finn's, and the (method, task) of those where rotations are classes."""
    runs = runs_of("finn", **where)
    older = [key for key, records in runs.items() if not all(r["metrics"]["row"].get("turned") for r in records)]
    return [record for records in runs.values() for record in records], older


def how_tasks_were_drawn(**where):
    """A sentence on which of the protocol finn's records are of characters turned as Finn's code turns them."""
    records, older = older_rows(**where)
    if not older:
        return f"All {len(records)} records behind the table are of different characters, each turned as a whole."
    return (f"The {len(records)} records behind the table are of different characters, each turned as a whole, but for "
            f"these rows, where rotations were classes of their own: {', '.join(map(' '.join, older))}.")


def minutes_of(records):
    """Minutes of training, the mean over the seeds; none where the network was another row's."""
    tested = [record["options"] for record in records if record["options"].get("network")]
    if tested and all(folder_name(SimpleNamespace(**options)) != options["network"]
                      for options in tested):  # a row tested again names itself
        return "none: another row's network"
    minutes = [record["metrics"]["row"].get("training seconds", 0) / 60 for record in records]
    return f"{sum(minutes) / len(minutes):.0f}"


def worlds_table(**where):
    """Accuracy in % on the test characters of both worlds: a row per method and world learned from, and pixels."""
    names = {"glyphs": "printed (glyphs)", "omniglot": "handwritten (Omniglot)"}
    runs = runs_of("worlds", **where)
    if not runs:
        return NOTHING_YET
    rows = [["method", "learned from", *(f"tested on {name}" for name in names.values())], ["---"] * 4]
    for (method, world), records in runs.items():
        rows.append([method, names[world],
                     *(over_seeds(records, f"accuracy on {test}", STATISTICS[0]) for test in names)])
    rows.append(["nearest pixels", "nothing",
                 *(over_seeds(records[:1], f"accuracy on {test}, pixels") for test in names)])
    return as_markdown(rows)


SINUSOIDS = {"MAML": ("", "0.67", "0.38", "0.35"), "pretraining": ("", "2.41", "2.23", "2.19")}  # Finn et al., Table 2


def sinusoids_table(**where):
    """Mean squared error after 0, 1, 5 and 10 steps, from 5 points beside Finn et al. 2017, Table 2, and from 10.

    In brackets the median over the tasks: a few that diverge spoil a mean.
    """
    runs = runs_of("sinusoids", **where)
    if not runs:
        return NOTHING_YET
    numbers = (0, 1, 5, 10)
    rows = [["start", "points", *(f"{n} step" + "s" * (n != 1) for n in numbers)], ["---"] * 6]
    for (method, _), records in runs.items():
        if method in SINUSOIDS:
            rows.append([f"{method}, published", "5", *SINUSOIDS[method]])
        metrics = records[0]["metrics"]
        rates = sorted({name.partition(" steps")[2] for name in metrics if name.startswith("error")})  # "": the first's
        for points, rate in ((points, rate) for points in (5, 10) for rate in rates):
            errors = [metrics.get(f"error from {points} points, {n} steps{rate}") for n in numbers]
            rows.append([f"{method}, here{rate}", str(points), *map(_error, errors)])
    return as_markdown(rows)


def _error(metric):
    if metric is None:
        return ""
    mean = "diverges" if metric["mean"] is None else f"{metric['mean']:.2f} ± {metric['interval']:.2f}"
    return f"{mean} ({metric['median']:.2f})"


# ---------------------------------------------------------------- how fast it is

BENCHMARKS = LESSONS.parent / "tests" / "benchmarks" / "record.json"  # run.py --json


def benchmarks(path=BENCHMARKS):
    """What `tests/benchmarks/run.py --json` measured."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def benchmarks_table(path=BENCHMARKS):
    """A row per step, as a Markdown table: milliseconds here, and the ratios to PyTorch's forms."""
    rows = [["step", "here", "best form in PyTorch", "here / best (goal)", "here / usual loop (goal 0.5)"], ["---"] * 5]
    for step in benchmarks(path)["steps"]:
        best = step["best"]
        here, theirs = (f"{1e3 * form['median_s']:.3g} ms" for form in (step["here"], best))
        rows.append([step["title"], here, f"{theirs}, {best['form'].replace('last', 'channels last')}",
                     f"{step['here_over_best']:.2f} ({step['goal']})", f"{step['here_over_loop']:.2f}"])
    return as_markdown(rows)


def profile_table(path=BENCHMARKS):
    """A row per step, as a Markdown table: where its time goes on one thread, and what it could not do without."""
    rows = [["step, one thread", "here", "floor", "matrix products", "passes over memory", "Python"], ["---"] * 6]
    for step in benchmarks(path)["steps"]:
        seconds = next(form["median_s"] for form in step["forms"] if (form["form"], form["threads"]) == ("here", 1))
        shares, floor = step["profile"], step["profile"]["floor_s"]
        rows.append([step["title"], f"{1e3 * seconds:.3g} ms", f"{1e3 * floor:.3g} ms" if floor else "",
                     *(f"{100 * shares[key]:.0f} %" for key in ("products", "passes", "python"))])
    return as_markdown(rows)


def as_markdown(rows):
    """A Markdown table of rows of texts; the second is the line below the head."""
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def over_seeds(records, kind, statistics=None):
    """One seed: "98.5 ± 0.4", its mean and interval. More: "98.5 (98.1 to 98.9)", their mean, the lowest and the
    highest. Empty where there is no such metric."""
    name = f"{kind}, statistics of the {statistics}" if statistics else kind
    metrics = [record["metrics"][name] for record in records if name in record["metrics"]]
    means = [100 * metric["mean"] for metric in metrics]
    if len(metrics) < 2:
        return "".join(plus_minus(metric["mean"], metric["interval"]) for metric in metrics)
    return f"{sum(means) / len(means):.1f} ({min(means):.1f} to {max(means):.1f})"


# ---------------------------------------------------------------- the front pages


def contents_table():
    """The lessons, the page of results and the referee's, as a Markdown table with links from `lessons/README.md`."""
    rows = [["", "lesson", "what it is about", "minutes to read", "to run"], ["---"] * 5]
    for number, lesson, _, about in LESSON_LIST:
        page = LESSONS / lesson / "README.md"
        title = page.read_text(encoding="utf-8").partition("\n")[0].partition(": ")[2]
        rows.append([number, f"[{title}]({lesson}/README.md)", about, str(minutes_to_read(page)),
                     f"{max(0.1, record_of(lesson)['seconds'] / 60):.1f}"])
    results = LESSONS / "results" / "README.md"
    if results.exists():
        rows.append(["", "[Results](results/README.md)", "the papers' experiments: their numbers, and ours",
                     str(minutes_to_read(results)), "hours"])
    rows.append(["", "[The referee](referee/README.md)", "checks for your own code, in any framework",
                 str(minutes_to_read(LESSONS / "referee" / "README.md")), "-"])
    return as_markdown(rows)


def repairs_table():
    """What repairing the document's mistakes changes in accuracy, as a Markdown table."""
    siamese, project, pitfalls, zero = map(record_of, (
        "lesson4_siamese", "lesson5_project", "lesson7_pitfalls", "lesson2_zero_shot"))
    latin = "Latin, random convolution, "
    guess_latin = f"{100 * zero['metrics'][latin + 'guessing']['mean']:.1f} %"
    return as_markdown([
        ["", "as in the document", "", "repaired", "", "guessing"], ["---"] * 6,
        ["(1)", "contrastive loss, labels flipped",
         percent(siamese, "one-shot, as in the document, statistics of the support"), "labels as in Hadsell's paper",
         percent(siamese, "one-shot, contrastive loss, statistics of the support"), "20 %"],
        ["(2)", "one number for each image", percent(project, "recognition, as in the document"),
         "128 numbers, compared before the last layer", percent(project, "recognition, rewired"), "20 %"],
        ["(5)", "MAML, outer loss on the support", percent(pitfalls, "outer loss on the support: honest"),
         "outer loss on the query", percent(pitfalls, "seed 0"), "20 %"],
        ["(6)", "68 unseen letters, with shuffled names, which say nothing", percent(zero, latin + "shuffled"),
         "with their names", percent(zero, latin + "unseen"), guess_latin]])


def first_run_table():
    """What lesson 4's run shows on characters, as a Markdown table."""
    record = record_of("lesson4_maml")
    rows = [["five new characters, one example of each", "right answers"], ["---"] * 2, ["guessing", "20 %"]]
    for what, name in [("the most similar example, pixel by pixel", "pixel nearest neighbour"),
                       ("MAML before it has seen the examples", "0 steps, statistics of the support"),
                       ("**MAML after one gradient step on them**", "1 steps, statistics of the support"),
                       ("after 5 steps", "5 steps, statistics of the support"),
                       ("after one step, if all new images of a task share batch norm",
                        "1 steps, statistics of the queries")]:
        rows.append([what, percent(record, f"characters, {name}")])
    return as_markdown(rows)


def course_table():
    """The lessons, as a Markdown table with links from the front page."""
    rows = [["", "lesson", "to read", "to run"], ["---"] * 4]
    for number, lesson, minutes, about in LESSON_LIST:
        rows.append([number, about[0].upper() + about[1:],
                     f"[text](lessons/{lesson}/README.md), [code](fewshot_np/{lesson}/)",
                     f"`python -m fewshot_np.{lesson}` ({minutes} min)"])
    return as_markdown(rows)


def run_numbers():
    """What the front page says of lesson 4's run: the number of tasks, and the accuracy after one step."""
    record = record_of("lesson4_maml")
    return record["options"]["episodes"], percent(record, "characters, 1 steps, statistics of the support")


def best_numbers():
    """What the front page says of Omniglot and of speed: three accuracies, and two ranges of times beside PyTorch's."""
    ratios = [step["here_over_best"] for step in benchmarks()["steps"]]
    faster, slower = [r for r in ratios if r < 1], [r for r in ratios if r >= 1]
    return (result("prototypical", 5, 1, "training images"), result("MAML", 5, 1, "queries"),
            result("extended prototypical", 5, 1, "support and queries"),
            f"{min(faster):.2f} to {max(faster):.2f}", f"{min(slower):.1f} to {max(slower):.1f}")


BOLD = re.compile(r"\*\*[^*]+\*\*")


def renumbered(text, *numbers):
    """The text with these numbers in place of what is bold in it, so that prose with numbers is edited where it stands.

    Raises: ValueError where there are more or fewer numbers than bold places.
    """
    if (places := len(BOLD.findall(text))) != len(numbers):
        raise ValueError(f"{places} places in bold for the {len(numbers)} numbers {numbers}:\n{text}")
    rest = iter(numbers)
    return BOLD.sub(lambda _: f"**{next(rest)}**", text)


# ---------------------------------------------------------------- code of the library


def source(f, first=None, last=None):
    """The source of f without its docstring as a block that GitHub colours and no test runs (py, not python).

    first, last: the beginnings of the first and the last line that are wanted. ValueError where they are not there.
    """
    lines = inspect.getsource(f).splitlines()
    if f.__doc__:
        start = next(i for i, line in enumerate(lines) if line.lstrip().startswith('"""'))
        end = next(i for i in range(start, len(lines)) if lines[i].rstrip().endswith('"""')
                   and (i > start or lines[i].count('"""') == 2))
        del lines[start:end + 1]
    begin = _find(lines, first, 0) if first else 0
    stop = _find(lines, last, begin) if last else len(lines) - 1
    kept = inspect.cleandoc("\n" + "\n".join(lines[begin:stop + 1])) if first else "\n".join(lines[begin:stop + 1])
    module = inspect.getmodule(f).__name__.replace(".", "/")
    return f"```py\n# {module}.py, {f.__name__}\n{kept}\n```"


def _find(lines, beginning, start):
    for i in range(start, len(lines)):
        if lines[i].lstrip().startswith(beginning):
            return i
    raise ValueError(f"no line begins with {beginning!r}; the lines are\n" + "\n".join(lines))


# ---------------------------------------------------------------- which function is which equation


def documented():
    """Yield (module, name, docstring) of every function and class of the package."""
    names = [info.name for info in pkgutil.walk_packages(fewshot_np.__path__, "fewshot_np.")]
    for module in map(importlib.import_module, sorted(name for name in names if not name.endswith("__main__"))):
        for name, thing in vars(module).items():
            mine = getattr(thing, "__module__", None) == module.__name__
            if mine and (inspect.isfunction(thing) or inspect.isclass(thing)) and thing.__doc__:
                yield module.__name__, name, " ".join(thing.__doc__.split())


def cited(text):
    """(paper, place) of each place that a docstring cites, as in ("Finn et al. 2017", "Algorithm 2, line 7")."""
    return [(f"{who} {year}", place) for who, year, places in CITATION.findall(text)
            for place in re.findall(PLACE, places)]


def citations():
    """Rows (paper, place, module, function) of all places that docstrings cite, by paper."""
    return sorted({(*citation, module, name) for module, name, text in documented() for citation in cited(text)})


# ---------------------------------------------------------------- the options of a run


def options_of(lesson):
    """[(option, what it takes, what --help says of it)] of `python -m fewshot_np.<lesson>`, from its own --help."""
    shown = io.StringIO()
    with mock.patch.dict(os.environ, COLUMNS="1000"), redirect_stdout(shown), suppress(SystemExit):
        importlib.import_module(f"fewshot_np.{lesson}.__main__").main(["--help"])
    return re.findall(r"^  (?:-h, )?(--[\w-]+)(?: (\S+))?(?: {2,}|\n +)(.*)$", shown.getvalue(), flags=re.M)


def options_table(lesson):
    """The same as a Markdown table, without --help."""
    rows = [[f"`{f'{option} {takes}'.strip()}`", text.replace("|", r"\|")]
            for option, takes, text in options_of(lesson) if option != "--help"]
    return as_markdown([["option", "meaning (default)"], ["---"] * 2, *rows])
