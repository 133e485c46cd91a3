"""How strong the checks are: how far right answers of all kinds and the known mistakes deviate from the reference.

    python -m lessons.teacher.check_strength             the report, in units of the tolerance
    python -m lessons.teacher.check_strength --stubs     check that all exercises are still stubs
"""

import argparse
import sys
from functools import partial
from itertools import combinations
from typing import NamedTuple

import numpy as np

from lessons.teacher.checking import check_file, discover, honest_answers_of, mistake_table, mistakes_of
from lessons.teacher.comparing import SAMPLES, cases_of, deviation_of, findings
from lessons.teacher.sandbox import Clock

SEEDS = range(5)  # with which each sampler is checked


class Strength(NamedTuple):
    """Three pairs of a number in units of the tolerance and the name of the answer that it belongs to."""

    honest: tuple  # the right answer that deviates most
    mistake: tuple  # the mistake that deviates least, in the case in which it deviates most
    pair: tuple  # the two mistakes that are most alike, in the case in which they differ most


def right_answers_of(exercise):
    """{name: function}: the reference, the reference with lists as results and in float32, and the honest answers."""
    right = {"reference": exercise.reference, "lists": partial(_with_lists, exercise.reference)}
    if not exercise.predicates:
        right["float32"] = partial(_in_float32, exercise.reference)
    return {**right, **{f.__name__: f for f in honest_answers_of(exercise)}}


def _with_lists(f, *inputs):
    return _map(lambda a: list(a) if getattr(a, "shape", ()) else a, f(*inputs))


def _in_float32(f, *inputs):
    return f(*(_map(_to_float32, value) for value in inputs))


def _to_float32(a):
    return a.astype("float32") if getattr(a, "dtype", None) == np.float64 and a.shape else a


def _map(change, value):
    if hasattr(value, "keys"):
        return {key: _map(change, value[key]) for key in value}
    if isinstance(value, tuple):
        return tuple(_map(change, item) for item in value)
    return change(value)


def deviation(exercise, f):
    """The largest deviation over all cases, in units of the tolerance; infinite if the answer fails."""
    return max(finding.deviation for number in range(len(cases_of(exercise)))
               for finding in findings(exercise, f, number, Clock(60))) / exercise.tolerance


def strength_of(exercise, seeds=SEEDS):
    """The Strength of an exercise; for a sampler, its numbers count the seeds that reject an answer."""
    measure = partial(_rejections, exercise, seeds) if exercise.predicates else partial(deviation, exercise)
    honest = max((measure(f), name) for name, f in right_answers_of(exercise).items())
    mistake = min((measure(f), f.__name__) for f in mistakes_of(exercise))
    pair = min((_distance(exercise, a, b), f"{m.__name__}, {n.__name__}")
               for (m, a), (n, b) in combinations(mistake_table(exercise), 2))
    return Strength(honest, mistake, pair)


def _rejections(exercise, seeds, f):
    """The number of seeds with which a case rejects the sampler f."""
    def rejected(seed):
        return any(finding.deviation for number in range(len(cases_of(exercise)))
                   for finding in findings(exercise, f, number, Clock(60), seed))
    return sum(map(rejected, seeds))


def _distance(exercise, a, b):
    """How far apart two mistakes are: the largest deviation of their findings, infinite if predicates differ."""
    distance = 0.0
    for mine, other in zip(a, b, strict=True):
        for x, y in zip(mine, other, strict=False):
            if isinstance(x.expected, str):
                distance = max(distance, np.inf if x.deviation != y.deviation else 0.0)
            elif repr(x.outcome.error) != repr(y.outcome.error):
                distance = np.inf
            elif not x.outcome.error:
                distance = max(distance, deviation_of(x.outcome.value, y.outcome.value))
    return distance / exercise.tolerance


def report(exercises):
    """Print one line per exercise."""
    print(f"In units of the tolerance. Samplers: rejected with how many of {len(SEEDS)} seeds of {SAMPLES} draws.\n\n"
          f"{'exercise':14}{'cases':>6}{'right: at most':>16}{'mistakes':>10}{'wrong: at least':>17}"
          f"{'two mistakes':>14}")
    for exercise in exercises:
        strength = strength_of(exercise)
        print(f"{exercise.id:14}{len(cases_of(exercise)):6}{strength.honest[0]:16.2g}{len(mistakes_of(exercise)):10}"
              f"{strength.mistake[0]:17.2g}{strength.pair[0]:14.2g}   weakest: {strength.mistake[1]}", flush=True)
    print(f"\n{len(exercises)} exercises, {sum(len(mistakes_of(exercise)) for exercise in exercises)} mistakes")


def changed_stubs(exercises):
    """What is wrong with the exercise files, in which a reader should find stubs, except for those marked as solved."""
    problems = []
    for exercise in exercises:
        failure = check_file(exercise, exercise.folder / "exercises.py")
        if exercise.solved and failure:
            problems.append(f"{exercise.id} must be right as committed:\n{failure.text}")
        elif not exercise.solved and not (failure and failure.to_do):
            problems.append(f"{exercise.id} must be a stub: raise NotImplementedError(\"{exercise.id}: ...\")")
    return problems


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m lessons.teacher.check_strength",
                                     description=__doc__.splitlines()[0])
    parser.add_argument("--stubs", action="store_true", help="check that the committed exercises are stubs")
    if parser.parse_args(argv).stubs:
        problems = changed_stubs(discover())
        sys.exit("\n".join(problems) or 0)
    report(discover())


if __name__ == "__main__":
    main()
