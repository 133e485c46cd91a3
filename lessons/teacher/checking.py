"""How `pytest lessons` checks an answer: it is compared with the library's own function and, if it is wrong, also with
the mistakes that people make, so that the message can name the misconception.

Each lesson has three files for this; CONTRIBUTING.md shows how to add an exercise.

  exercises.py        what the reader writes: one function per exercise, at first a stub
  test_exercises.py   `@exercise`: the reference, and the cases on which it is compared with the answer
  mistakes.py         `@mistake`: wrong answers, each with the misconception behind it; `@honest`: other right answers
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial, update_wrapper
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np
import pytest

from fewshot_np.__main__ import LESSONS
from lessons.teacher.comparing import TOLERANCE, Case, agree, cases_of, findings
from lessons.teacher.language import say, say_case
from lessons.teacher.messages import cannot_be_loaded, clue, four_lines, misconceptions, resemblance, short, task
from lessons.teacher.sandbox import SECONDS, Clock, call

STILL_TO_WRITE = ("still to write", True)  # a property that pytest's report on a stub has

# ---------------------------------------------------------------- how an exercise is declared


@dataclass(frozen=True, eq=False)
class Exercise:
    """name: of the function.   make_cases(rng) yields the cases.   For the other fields see `exercise`."""

    id: str
    name: str
    folder: Path
    make_cases: Callable
    reference: Callable
    gradients: tuple = ()
    order: int = 1
    predicates: tuple = ()
    tolerance: float = TOLERANCE
    solved: bool = False


def exercise(id, reference, **settings):
    """Decorator: a generator of cases, `test_dense(rng)`, becomes pytest's test of the function `dense`.

    reference: the library's function, called with the answer's arguments.
    gradients: names of inputs. The gradient with respect to them, of the sum of all outputs with random weights (a
    random cotangent), is compared, too; with order=2 also the gradient of that gradient.
    predicates: for a sampler, whose last argument is a Generator and whose draws are random. Each is a function
    (inputs, *draws) -> what is wrong, or None; its docstring says what is expected. draws: the arrays that the sampler
    returns, each with many calls stacked along the first axis. The predicates are called in turn until one fails, so
    each may rely on those before it.
    tolerance: largest deviation, as a share of the largest number expected.   solved: the committed answer is right.
    """
    def declare(make_cases):
        name = make_cases.__name__.removeprefix("test_")
        folder = Path(make_cases.__globals__["__file__"]).parent
        declared = Exercise(id, name, folder, make_cases, reference, **settings)

        def test(request):
            seconds = None if request.config.getoption("usepdb") else SECONDS  # debugging takes time
            failure = check_file(declared, folder / "exercises.py", seconds)
            if failure and failure.to_do:
                request.node.user_properties.append(STILL_TO_WRITE)
            if failure:
                pytest.fail(failure.text, pytrace=False)

        test.exercise, test.__name__ = declared, make_cases.__name__
        return test
    return declare


def case(name, /, expected=None, counted=None, **inputs):
    """A case: its name, the inputs in the order of the arguments, and what is expected if it was worked out by hand.

    counted: the name of an input that is a function. The answer may call it only as often as the reference does.
    """
    return Case(name, inputs, expected, counted)


def mistake(id, thought, hint, **variants):
    """Decorator: a wrong answer to exercise `id`, with the misconception in a sentence and a hint.

    variants: a keyword of the answer, and values of it; each makes an answer of its own, with the same misconception.
    """
    def keep(f):
        f.exercise_id, f.thought, f.hint, f.variants = id, thought, hint, variants
        return f
    return keep


def honest(id):
    """Decorator: a right answer unlike the reference, with which the checks themselves are tested."""
    return mistake(id, thought=None, hint=None)


# ---------------------------------------------------------------- where exercises are found


def load(path):
    """The module at `path`, run again each time, so that it is always what the reader has just written."""
    module = ModuleType(f"{path.parent.name}.{path.stem}")
    module.__file__ = str(path)
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), vars(module))
    return module


def discover(folder=Path(__file__).parent.parent):
    """All exercises, in reading order."""
    files = sorted(folder.glob("lesson*/test_exercises.py"), key=lambda path: reading_order(path.parent.name))
    return [f.exercise for path in files for f in vars(load(path)).values() if hasattr(f, "exercise")]


def reading_order(lesson):
    """A key by which to sort lessons in the order of the course."""
    names = [module for _, module, *_ in LESSONS]
    return names.index(lesson) if lesson in names else len(names), lesson


def mistakes_of(exercise):
    return [f for f in _answers(exercise) if f.thought]


def honest_answers_of(exercise):
    return [f for f in _answers(exercise) if not f.thought]


@cache
def _answers(exercise):
    functions = vars(load(exercise.folder / "mistakes.py")).values()
    mine = [f for f in functions if getattr(f, "exercise_id", None) == exercise.id]
    return [variant for f in mine for variant in (_variants(f) if f.variants else [f])]


def _variants(f):
    ((keyword, values),) = f.variants.items()
    for value in values:
        variant = update_wrapper(partial(f, **{keyword: value}), f)
        variant.__name__ = f"{f.__name__}_{value}"
        yield variant


def inputs(id, name):
    """The inputs of the case with this name, to try an answer by hand: f(*inputs("maml.2", "by hand"))."""
    (named,) = [case for one in discover() if one.id == id for case in cases_of(one)
                if name in (case.name, say_case(case.name))]
    return tuple(named.inputs.values())


# ---------------------------------------------------------------- the verdict


class Failure(NamedTuple):
    """text: the message.   names: of the mistakes that the answer makes.   to_do: whether it is still a stub.

    alike: of the mistakes that give the same result in the case of the message, but not in most of the others.
    """

    text: str
    names: tuple = ()
    alike: tuple = ()
    to_do: bool = False


def check_file(exercise, path, seconds=SECONDS):
    """None if the function in the file is right, else a Failure. seconds: for all calls together; None: no limit."""
    outcome = call(load, (path,), path, Clock(seconds))
    if outcome.error:
        return Failure(cannot_be_loaded(path, outcome, seconds))
    answer = getattr(outcome.value, exercise.name, None)
    if not callable(answer):
        return Failure(say("{path} has no function `{name}` any more, but {id} needs it", path=short(path),
                           name=exercise.name, id=exercise.id))
    return check(exercise, answer, seconds)


def check(exercise, answer, seconds=SECONDS):
    """None if the answer is right in all cases, else the Failure of the first comparison that fails."""
    clock = Clock(seconds)
    for number, case in enumerate(cases_of(exercise)):
        seen = []
        for finding in findings(exercise, answer, number, clock):
            seen.append(finding)
            if finding.deviation > exercise.tolerance:
                return _failure(exercise, answer, number, case, seen, clock, seconds)
    return None


def _failure(exercise, answer, number, case, seen, clock, seconds):
    finding = seen[-1]
    error = finding.outcome.error
    if isinstance(error, NotImplementedError) and str(error).startswith(exercise.id + ":"):
        return Failure(task(answer, finding.outcome), to_do=True)
    mistakes, sure = _recognise(exercise, answer, number, seen, clock)
    names = tuple(m.__name__ for m in mistakes)
    if sure:
        return Failure(four_lines(case, finding, misconceptions(mistakes), seconds), names)
    why = resemblance(mistakes) if mistakes else clue(answer, case, finding, clock)
    return Failure(four_lines(case, finding, why, seconds), alike=names)


def _recognise(exercise, answer, number, seen, clock):
    """The known mistakes that agree with the answer so far, of several those that agree most; and whether that is sure.

    A case of two examples or one step can make two different mistakes look alike. So the answer is compared in all
    cases, and makes a mistake for sure if the two agree in more than half of all comparisons, and in more than half
    of those that either of them gets wrong. Where there is only yes or no, or a few classes, to be answered, two agree
    often by chance: there they must agree always.
    """
    tables = [(m, table) for m, table in mistake_table(exercise) if all(_agreements(exercise, seen, table[number]))]
    if not tables:
        return [], False
    mine = [list(findings(exercise, answer, n, clock)) for n in range(len(cases_of(exercise)))]
    judged = []
    for found, table in tables:
        agreements = [_agreements(exercise, *pair) for pair in zip(mine, table, strict=True)]
        judged.append((sum(map(sum, agreements)), found, _is_sure(exercise, mine, table, agreements)))
    most = max(score for score, *_ in judged)
    best = [(found, sure) for score, found, sure in judged if score == most]
    return [found for found, _ in best], any(sure for _, sure in best)


def _agreements(exercise, mine, others):
    """For each of the comparisons that both have, whether they agree."""
    return [agree(a, b, exercise.tolerance) for a, b in zip(mine, others, strict=False)]


def _is_sure(exercise, mine, table, agreements):
    everywhere, where_wrong = [], []
    for a, b, alike in zip(mine, table, agreements, strict=True):
        unmatched = [False] * abs(len(a) - len(b))  # of a sampler, whose findings end with the first that fails
        wrong = [max(x.deviation, y.deviation) > exercise.tolerance for x, y in zip(a, b, strict=False)]
        everywhere += alike + unmatched
        where_wrong += [same for same, is_wrong in zip(alike, wrong, strict=True) if is_wrong] + unmatched
    if _are_few([finding.expected for found in mine for finding in found]):
        return all(everywhere)
    return all(2 * sum(same) > len(same) for same in (everywhere, where_wrong))


def _are_few(expected, at_most=5):
    """Whether all that is expected are whole numbers or booleans, and only a few different ones."""
    if any(isinstance(value, (str, dict, tuple)) for value in expected):
        return False
    arrays = [np.asarray(value) for value in expected]
    return all(a.dtype.kind in "biu" for a in arrays) and len(np.unique(np.concatenate(
        [a.ravel() for a in arrays]))) <= at_most


@cache
def mistake_table(exercise):
    """[(mistake, its findings in every case)]"""
    return [(m, [list(findings(exercise, m, n, Clock(SECONDS))) for n in range(len(cases_of(exercise)))])
            for m in mistakes_of(exercise)]
