"""What the texts quote, so that they cannot drift: numbers of the records, code of the library, its citations.

The texts call these from their cog comments: `python -m cogapp -r lessons/README.md lessons/*/README.md` brings them
up to date, and `pytest` fails while they are not.
"""

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import fewshot_np
from fewshot_np.experiment.records import read_record

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
    """Minutes that a page takes: 200 words, or 20 lines of code or of a table, a minute; hints are for later."""
    text = re.sub(r"<!--.*?-->|<details>.*?</details>", "", page.read_text(encoding="utf-8"), flags=re.S)
    blocks = re.findall(r"^```.*?^```", text, flags=re.S | re.M)
    prose = re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
    rows = re.findall(r"^\|.*$", prose, flags=re.M)
    words = re.sub(r"^\|.*$", "", prose, flags=re.M).split()
    return round(len(words) / 200 + (len(rows) + sum(block.count("\n") for block in blocks)) / 20)


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
