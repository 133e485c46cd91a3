"""The message: four lines that say what was called, what it returned, what was expected, and why the two differ."""

import inspect
import re
import shutil
import textwrap
from pathlib import Path

import numpy as np

from lessons.teacher.comparing import (
    TOLERANCE,
    InputChanged,
    Misfit,
    NoIntegers,
    WrongShape,
    attempt,
    describe,
    deviation_of,
    differences,
    fits,
    in_words,
)
from lessons.teacher.language import columns_of, fill, say, say_case, thought_and_hint
from lessons.teacher.sandbox import TooLong

LABEL = 10


def width():
    """The width of messages: that of the terminal, within limits."""
    return max(60, min(110, shutil.get_terminal_size().columns - 1))


def task(answer, outcome):
    """The message for a stub: what is to be written, where, and the first paragraph of its docstring."""
    text = inspect.cleandoc(answer.__doc__ or "").split("\n\n")[0]
    if max(map(len, text.split("\n"))) > width() - 3:
        text = fill(" ".join(text.split()), width() - 3)
    where = f"{short(outcome.place.filename)}:{outcome.place.lineno}"
    return f"{outcome.error}\n{say('still to write: {where}', where=where)}\n{textwrap.indent(text, '   ')}"


def cannot_be_loaded(path, outcome, seconds):
    """The message for an exercise file that is not Python, or that fails or does not end when it is loaded."""
    error = outcome.error
    if isinstance(error, SyntaxError):
        return f"{short(path)}:{error.lineno}: {(error.text or '').strip()}\n{type(error).__name__}: {error.msg}"
    if isinstance(error, TooLong):
        return f"{place(outcome)}\n" + say("loading the file did not end within {seconds:g} s", seconds=seconds)
    return "\n".join([f"{place(outcome)}\n{type(error).__name__}: {error}", *([say(NOT_THERE)] * _is_missing(error))])


NOT_THERE = ("Is it installed, and spelt right? The exercises need only NumPy, autograd and the modules that stand in "
             "the first lines of their file.")


def _is_missing(error):
    return isinstance(error, ImportError)


def four_lines(case, finding, why, seconds):
    """The message about a finding, with what the answer printed below it.   why: the misconception, or a clue."""
    came, wanted = _came_and_wanted(finding, seconds)
    name = f"# {say_case(case.name)}".replace(" ", "\0")  # stays in one line
    rows = [(say("called"), f"{finding.called}   {name}"), came, (say("expected"), wanted), (say("why"), why)]
    lines = [fill(text, width(), labelled(label), " " * LABEL) for label, text in rows]
    if finding.outcome.printed:
        lines.append(labelled(say("printed")) + finding.outcome.printed.replace("\n", "\n" + " " * LABEL))
    return "\n".join(lines).replace("\0", " ")


def labelled(word):
    return word + " " * (LABEL - columns_of(word))


def _came_and_wanted(finding, seconds):
    """("returned" or "raised", what it returned or raised), and what was expected."""
    outcome, expected, error = finding.outcome, finding.expected, finding.outcome.error
    wanted = expected if isinstance(expected, str) else describe(expected)
    if isinstance(error, TooLong):
        return (say("returned"), say("nothing within {seconds:g} s; it was at {place}", seconds=seconds,
                                     place=place(outcome))), wanted
    if isinstance(error, InputChanged):
        return (say("changed"), say("its argument {name}, in place", name=error)), say("arguments left as they were")
    if error:
        return (say("raised"), f"{type(error).__name__}: {error}   {say('at')} {place(outcome)}"), wanted
    if isinstance(expected, str):
        return (say("returned"), outcome.value), wanted
    try:
        path, mine, theirs, difference = max(differences(outcome.value, expected), key=lambda d: d[-1].max(initial=0.0))
    except Misfit as misfit:
        in_full = 8 if isinstance(misfit, NoIntegers) or outcome.value is None else 0  # or the shapes, which differ
        return (say("returned"), describe(outcome.value, in_full)), describe(expected, in_full)
    where = _where(path, differentiated(finding))
    if mine.size <= 8:
        return (say("returned"), where + describe(mine)), where + describe(theirs)
    at = np.unravel_index(difference.argmax(), difference.shape)
    index = f"[{', '.join(map(str, at))}]"
    return ((say("returned"), where + say("an array of shape {shape}, with {value:.6g} at {index}", shape=mine.shape,
                                          value=mine[at] + 0.0, index=index)),
            where + say("{value:.6g} at {index}", value=theirs[at] + 0.0, index=index))


def differentiated(finding):
    return finding.kind == "gradient"


def _where(path, of_a_gradient):
    """Which part of the result it is: "as the second of the two results, ", or nothing if there is only one."""
    if of_a_gradient:
        return say("as the gradient with respect to {part}: ", part=in_words(path))
    return say("as {part}: ", part=in_words(path)) if path else ""


def misconceptions(mistakes):
    told = dict.fromkeys(map(thought_and_hint, mistakes))
    return say(" Or: ").join(say("{thought} Hint: {hint}", thought=thought, hint=hint) for thought, hint in told)


def resemblance(mistakes):
    """What can be said where the answer agrees with a mistake in this case, and not in most of the others."""
    return say("No known mistake, but in this case the same comes out as if: {told}", told=misconceptions(mistakes))


def clue(answer, case, finding, clock):
    """What can be said about an answer that is no known mistake."""
    outcome, expected = finding.outcome, finding.expected
    if isinstance(outcome.error, TooLong):
        return say("Is there a loop that does not end? The inputs are small: a right answer takes a fraction of a "
                   "second.")
    if isinstance(outcome.error, InputChanged):
        return say("The caller still needs it. Make new arrays and dicts: x = x - ... instead of x -= ..., {{key: ... "
                   "for key in params}} instead of params[key] = ..., and a copy before you shuffle.")
    if _is_missing(outcome.error):
        return say(NOT_THERE)
    if isinstance(outcome.error, NameError):
        return say("Nothing has this name here. Is it spelt right, and is it made or imported before this line?")
    if outcome.error and differentiated(finding):
        return say("In this case the value was right, but autograd cannot differentiate how it was computed. ") + (
            _without_derivative(str(outcome.error)) or
            say("Use autograd's `np`, join arrays by np.concatenate or np.stack, do not assign into arrays (collect a "
                "list, then np.array(list)), write w = w - ... and not w -= ..., and do not convert with float() or "
                "tolist()."))
    if outcome.error and "broadcast" in str(outcome.error):
        return say("Two shapes do not fit; NumPy compares them from the last axis. Print both. keepdims=True keeps an "
                   "axis that is summed over, with length 1; [:, None] inserts a new one.")
    if outcome.error and "read-only" in str(outcome.error):
        return say("This array cannot be changed in place, because others look at the same numbers. Make a new one: "
                   "w = w - ... instead of w -= ...")
    if outcome.error:
        return say("The arguments have the types and shapes that the docstring names; print them in the first line of "
                   "your function to see them. Does the example in the docstring work?")
    if isinstance(expected, str):
        return say("No known mistake, but a correct sampler would not draw like this.")
    if finding.kind == "calls":
        return say("Right, but by more calls than are needed. The docstring says how one call does the work of many.")
    if fits(outcome.value, expected) and not differentiated(finding):
        again = attempt(lambda inputs: answer(*inputs.values()), case.inputs, answer, clock)
        if not again.error and deviation_of(again.value, outcome.value):
            return say("Two calls with the same arguments gave different results: something in it is random.")
    return _numeric_clue(outcome.value, expected, differentiated(finding))


def _without_derivative(error):
    """What to do if autograd says that a function has no derivative; None if it says something else."""
    found = re.match(r"(?:VJP|JVP) of (\w+) wrt argnum", error)
    return found and say("It knows no derivative of np.{name}: write it with functions that it knows, like np.sum, "
                         "np.mean, np.dot, np.where.", name=found[1])


def _numeric_clue(value, expected, is_gradient):
    try:
        parts = differences(value, expected)
    except Misfit as misfit:
        if is_gradient and isinstance(misfit, WrongShape) and _is_spread(misfit.shape, misfit.wanted):
            return say("The gradient with respect to {part} has another shape than {part}. Is there an np.where? It "
                       "does not add up the derivatives of what it spreads over a larger array: spread it before, b * "
                       "np.ones(n) in place of the number b.", part=in_words(misfit.path))
        text = str(misfit)
        return text[0].upper() + text[1:] + (say(" Is it the transpose?") if _transposed(value, expected) else "")
    mine, theirs = (np.concatenate([part[i].ravel() for part in parts]).astype(float) for i in (1, 2))
    if not np.isfinite(mine).all():
        return say("There is NaN or infinity in it: look for 0/0, 0 times infinity, infinity minus infinity, log(0), "
                   "the root of 0, or an exp that overflows.")
    factor = mine @ theirs / (theirs @ theirs or 1.0)
    simple = any(abs(abs(factor) - n) < 1e-6 or abs(abs(factor) - 1 / n) < 1e-6 for n in range(1, 13))
    if factor and (mine.size > 1 or simple) and deviation_of(mine, factor * theirs) < TOLERANCE:
        return say("No known mistake, but all of it is {factor:.4g} times what was expected.", factor=factor)
    right = sum(int((part[-1] < TOLERANCE).sum()) for part in parts)
    told = say("No known mistake gives this.")
    return told + say(" {right} of its {n} numbers are right.", right=right, n=mine.size) if mine.size > 1 else told


def _is_spread(shape, wanted):
    """Whether `shape` is that of an array over which one of the shape `wanted` was spread."""
    return len(shape) > len(wanted) and shape[len(shape) - len(wanted):] == wanted


def _transposed(value, expected):
    shapes = [getattr(each, "shape", ()) for each in (value, expected)]
    return len(shapes[0]) == 2 and shapes[0][::-1] == shapes[1]


def place(outcome):
    """The line of the answer's file that was executed last."""
    if not outcome.place:
        return say("the call itself")
    return f"{short(outcome.place.filename)}:{outcome.place.lineno}: {outcome.place.line}"


def short(path):
    path = Path(path)
    return path.relative_to(Path.cwd()).as_posix() if path.is_relative_to(Path.cwd()) else str(path)
