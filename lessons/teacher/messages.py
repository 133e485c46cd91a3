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
    attempt,
    describe,
    deviation_of,
    differences,
    fits,
    in_words,
)
from lessons.teacher.sandbox import TooLong

LABEL = 10


def width():
    """The width of messages: that of the terminal, within limits."""
    return max(60, min(110, shutil.get_terminal_size().columns - 1))


def task(answer, outcome):
    """The message for a stub: what is to be written, where, and the first paragraph of its docstring."""
    text = inspect.cleandoc(answer.__doc__ or "").split("\n\n")[0]
    if max(map(len, text.split("\n"))) > width() - 3:
        text = textwrap.fill(" ".join(text.split()), width() - 3, break_long_words=False, break_on_hyphens=False)
    where = f"{short(outcome.place.filename)}:{outcome.place.lineno}"
    return f"{outcome.error}\nstill to write: {where}\n{textwrap.indent(text, '   ')}"


def cannot_be_loaded(path, outcome, seconds):
    """The message for an exercise file that is not Python, or that fails or does not end when it is loaded."""
    error = outcome.error
    if isinstance(error, SyntaxError):
        return f"{short(path)}:{error.lineno}: {(error.text or '').strip()}\n{type(error).__name__}: {error.msg}"
    if isinstance(error, TooLong):
        return f"{place(outcome)}\nloading the file did not end within {seconds:g} s"
    return "\n".join([f"{place(outcome)}\n{type(error).__name__}: {error}", *([NOT_THERE] * _is_missing(error))])


NOT_THERE = ("Is it installed, and spelt right? The exercises need only NumPy, autograd and the modules that stand in "
             "the first lines of their file.")


def _is_missing(error):
    return isinstance(error, ImportError)


def four_lines(case, finding, why, seconds):
    """The message about a finding, with what the answer printed below it.   why: the misconception, or a clue."""
    came, wanted = _came_and_wanted(finding, seconds)
    name = f"# {case.name}".replace(" ", "\0")  # stays in one line
    rows = [("called", f"{finding.called}   {name}"), came, ("expected", wanted), ("why", why)]
    lines = [textwrap.fill(text, width(), initial_indent=f"{label:{LABEL}}", subsequent_indent=" " * LABEL,
                           break_long_words=False, break_on_hyphens=False) for label, text in rows]
    if finding.outcome.printed:
        lines.append(f"{'printed':{LABEL}}" + finding.outcome.printed.replace("\n", "\n" + " " * LABEL))
    return "\n".join(lines).replace("\0", " ")


def _came_and_wanted(finding, seconds):
    """("returned" or "raised", what it returned or raised), and what was expected."""
    outcome, expected, error = finding.outcome, finding.expected, finding.outcome.error
    wanted = expected if isinstance(expected, str) else describe(expected)
    if isinstance(error, TooLong):
        return ("returned", f"nothing within {seconds:g} s; it was at {place(outcome)}"), wanted
    if isinstance(error, InputChanged):
        return ("changed", f"its argument {error}, in place"), "arguments left as they were"
    if error:
        return ("raised", f"{type(error).__name__}: {error}   at {place(outcome)}"), wanted
    if isinstance(expected, str):
        return ("returned", outcome.value), wanted
    try:
        path, mine, theirs, difference = max(differences(outcome.value, expected), key=lambda d: d[-1].max(initial=0.0))
    except Misfit as misfit:
        in_full = 8 if isinstance(misfit, NoIntegers) or outcome.value is None else 0  # or the shapes, which differ
        return ("returned", describe(outcome.value, in_full)), describe(expected, in_full)
    where = _where(path, differentiated(finding))
    if mine.size <= 8:
        return ("returned", where + describe(mine)), where + describe(theirs)
    at = np.unravel_index(difference.argmax(), difference.shape)
    there = f" at [{', '.join(map(str, at))}]"
    shape = f"{where}an array of shape {mine.shape}, with "
    return ("returned", f"{shape}{mine[at] + 0.0:.6g}{there}"), f"{where}{theirs[at] + 0.0:.6g}{there}"


def differentiated(finding):
    return finding.called.startswith("gradient")


def _where(path, of_a_gradient):
    """Which part of the result it is: "as the second of the two results, ", or nothing if there is only one."""
    if of_a_gradient:
        return f"as the gradient with respect to {in_words(path)}: "
    return f"as {in_words(path)}: " if path else ""


def misconceptions(mistakes):
    return " Or: ".join(dict.fromkeys(f"{mistake.thought} Hint: {mistake.hint}" for mistake in mistakes))


def resemblance(mistakes):
    """What can be said where the answer agrees with a mistake in this case, and not in most of the others."""
    return f"No known mistake, but in this case the same comes out as if: {misconceptions(mistakes)}"


def clue(answer, case, finding, clock):
    """What can be said about an answer that is no known mistake."""
    outcome, expected = finding.outcome, finding.expected
    if isinstance(outcome.error, TooLong):
        return "Is there a loop that does not end? The inputs are small: a right answer takes a fraction of a second."
    if isinstance(outcome.error, InputChanged):
        return ("The caller still needs it. Make new arrays and dicts: x = x - ... instead of x -= ..., {key: ... for "
                "key in params} instead of params[key] = ..., and a copy before you shuffle.")
    if _is_missing(outcome.error):
        return NOT_THERE
    if isinstance(outcome.error, NameError):
        return "Nothing has this name here. Is it spelt right, and is it made or imported before this line?"
    if outcome.error and differentiated(finding):
        return "In this case the value was right, but autograd cannot differentiate how it was computed. " + (
            _without_derivative(str(outcome.error)) or
            "Use autograd's `np`, do not assign into arrays (collect a list, then np.array(list)), write w = w - ... "
            "and not w -= ..., and do not convert with float() or tolist().")
    if outcome.error and "broadcast" in str(outcome.error):
        return ("Two shapes do not fit; NumPy compares them from the last axis. Print both. keepdims=True keeps an "
                "axis that is summed over, with length 1; [:, None] inserts a new one.")
    if outcome.error:
        return ("The arguments have the types and shapes that the docstring names; print them in the first line of "
                "your function to see them. Does the example in the docstring work?")
    if isinstance(expected, str):
        return "No known mistake, but a correct sampler would not draw like this."
    if finding.called.startswith("the number of calls"):
        return "Right, but by more calls than are needed. The docstring says how one call does the work of many."
    if fits(outcome.value, expected) and not differentiated(finding):
        again = attempt(lambda inputs: answer(*inputs.values()), case.inputs, answer, clock)
        if not again.error and deviation_of(again.value, outcome.value):
            return "Two calls with the same arguments gave different results: something in it is random."
    return _numeric_clue(outcome.value, expected)


def _without_derivative(error):
    """What to do if autograd says that a function has no derivative; None if it says something else."""
    found = re.match(r"(?:VJP|JVP) of (\w+) wrt argnum", error)
    return found and (f"It knows no derivative of np.{found[1]}: write it with functions that it knows, like np.sum, "
                      "np.mean, np.dot, np.where.")


def _numeric_clue(value, expected):
    try:
        parts = differences(value, expected)
    except Misfit as misfit:
        text = str(misfit)
        return text[0].upper() + text[1:] + (" Is it the transpose?" if _transposed(value, expected) else "")
    mine, theirs = (np.concatenate([part[i].ravel() for part in parts]).astype(float) for i in (1, 2))
    if not np.isfinite(mine).all():
        return "There is NaN or infinity in it: look for 0/0, log(0), the root of 0, or an exp that overflows."
    factor = mine @ theirs / (theirs @ theirs or 1.0)
    simple = any(abs(abs(factor) - n) < 1e-6 or abs(abs(factor) - 1 / n) < 1e-6 for n in range(1, 13))
    if factor and (mine.size > 1 or simple) and deviation_of(mine, factor * theirs) < TOLERANCE:
        return f"No known mistake, but all of it is {factor:.4g} times what was expected."
    right = sum(int((part[-1] < TOLERANCE).sum()) for part in parts)
    count = f" {right} of its {mine.size} numbers are right." if mine.size > 1 else ""
    return f"No known mistake gives this.{count}"


def _transposed(value, expected):
    shapes = [getattr(each, "shape", ()) for each in (value, expected)]
    return len(shapes[0]) == 2 and shapes[0][::-1] == shapes[1]


def place(outcome):
    """The line of the answer's file that was executed last."""
    if not outcome.place:
        return "the call itself"
    return f"{short(outcome.place.filename)}:{outcome.place.lineno}: {outcome.place.line}"


def short(path):
    path = Path(path)
    return path.relative_to(Path.cwd()).as_posix() if path.is_relative_to(Path.cwd()) else str(path)
