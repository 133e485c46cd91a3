"""How an answer is compared: values, gradients and gradients of gradients, or, for samplers, draws and predicates."""

import copy
from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as onp
from autograd import numpy as np

from fewshot_np.nn.trees import grad
from lessons.teacher.language import say, say_predicate
from lessons.teacher.sandbox import Clock, Outcome, call

TOLERANCE = 1e-4  # of the largest number expected; float32 deviates by less than a tenth, mistakes by more than ten
DRAWS = 3  # of the random cases of an exercise
SAMPLES = 300  # draws on which a sampler is checked


class Case(NamedTuple):
    """One call of the answer.   expected: worked out by hand, or None for what the reference returns.

    counted: the name of an input, a function that the answer may call only as often as the reference does; or None.
    """

    name: str
    inputs: dict
    expected: Any = None
    counted: str | None = None


class Comparison(NamedTuple):
    """kind: "value", "calls" or "gradient".   called: in words.

    measure(f): turns an answer into a function of the dict of inputs whose value is compared.
    """

    case: Case
    kind: str
    called: str
    measure: Callable
    expected: Any


class Finding(NamedTuple):
    """The result of a comparison, of whose kinds "draws" is one.   expected: a value, or the sentence of a predicate.

    deviation: 0 is perfect.
    """

    kind: str
    called: str
    outcome: Outcome
    expected: Any
    deviation: float


class InputChanged(Exception):
    """The function wrote into its argument."""


class Misfit(Exception):
    """A value does not have the type or shape that is expected."""


class WrongShape(Misfit):
    """An array has another shape than is expected.   path: the keys and positions that lead to it, as a tuple."""

    def __init__(self, path, shape, wanted):
        self.path, self.shape, self.wanted = path, shape, wanted
        super().__init__(say("{part} has the shape {shape} where {wanted} was expected.",
                             part=in_words(path) or say("it"), shape=shape, wanted=wanted or say("one number")))


class NoIntegers(Misfit):
    """A value has the right shape, but floats where integers or booleans are expected."""


# ---------------------------------------------------------------- values and gradients


@cache
def cases_of(exercise):
    """The cases worked out by hand, once, and the others with several draws; those of a sampler, called often, once."""
    cases = []
    for draw in range(1 if exercise.predicates else DRAWS):
        for case in exercise.make_cases(onp.random.default_rng(draw)):
            if draw == 0:
                cases.append(case)
            elif case.expected is None:
                cases.append(case._replace(name=f"{case.name}, draw {draw + 1}"))
    return cases


@cache
def comparisons_of(exercise):
    """A list of comparisons for each case: first the value, then the gradients."""
    return [list(_comparisons(exercise, case)) for case in cases_of(exercise)]


def _comparisons(exercise, case):
    arguments = ", ".join(f"{name}={describe(value)}" for name, value in case.inputs.items())
    text = f"{exercise.name}({arguments})"

    def expected(measure):
        outcome = call(measure(exercise.reference), (copy.deepcopy(case.inputs),), None, Clock(60))
        if outcome.error:
            raise outcome.error
        return outcome.value

    value = expected(_value) if case.expected is None else case.expected
    yield Comparison(case, "value", text, _value, value)
    if case.counted:
        calls = expected(partial(_calls, case.counted, 0))
        called = say("the number of calls of {name} in {call}", name=case.counted, call=text)
        yield Comparison(case, "calls", called, partial(_calls, case.counted, calls), calls)
    if exercise.gradients:
        measure = partial(_gradient, exercise.gradients, _value)
        of = text if _one_number(_leaves(value)) else say(WEIGHTED, what=text)
        called = say("gradient of {what} with respect to {names}", what=of, names=", ".join(exercise.gradients))
        yield Comparison(case, "gradient", called, measure, expected(measure))
    if exercise.order == 2:
        measure = partial(_gradient, exercise.gradients, measure)
        called = say("gradient of the sum, with random weights, of the {gradient}", gradient=called)
        yield Comparison(case, "gradient", called, measure, expected(measure))


WEIGHTED = "the sum, with random weights, of all numbers in {what}"


def _value(f):
    return lambda inputs: f(*inputs.values())


def _calls(name, at_least, f):
    """How often f calls the function that is its input `name`; fewer calls than `at_least` count as that many."""
    def count(inputs):
        calls = []

        def counted(*arguments):
            calls.append(None)
            return inputs[name](*arguments)
        f(*{**inputs, name: counted}.values())
        return max(len(calls), at_least)
    return count


def _gradient(names, measure, f):
    """The gradient of `measure(f)` with respect to the inputs of these names, a dict."""
    def gradient(inputs):
        return grad(lambda some: _weighted_sum(measure(f)({**inputs, **some})))({name: inputs[name] for name in names})
    return gradient


def _weighted_sum(value):
    """The sum of all numbers of a tree, each times a random weight, so that its derivative depends on every one.

    A single number is returned unchanged.
    """
    rng = onp.random.default_rng(0)
    arrays = [np.array(leaf) for leaf in _leaves(value)]
    if _one_number(arrays):
        return np.sum(arrays[0])
    return sum(np.sum(array * rng.normal(size=array.shape)) for array in arrays)


def _one_number(arrays):
    return len(arrays) == 1 and onp.size(arrays[0]) == 1


def _leaves(value):
    if hasattr(value, "keys"):  # a dict, or autograd's box around one
        return [leaf for key in sorted(value) for leaf in _leaves(value[key])]
    if isinstance(value, tuple):
        return [leaf for item in value for leaf in _leaves(item)]
    return [value]


def findings(exercise, f, number, clock, seed=0):
    """The findings of case `number`, one after the other.   seed: for the draws of a sampler."""
    if exercise.predicates:
        yield from _sampler_findings(exercise, f, cases_of(exercise)[number].inputs, clock, seed)
        return
    for comparison in comparisons_of(exercise)[number]:
        outcome = attempt(comparison.measure(f), comparison.case.inputs, f, clock)
        deviation = onp.inf if outcome.error else deviation_of(outcome.value, comparison.expected)
        yield Finding(comparison.kind, comparison.called, outcome, comparison.expected, deviation)


def attempt(measure, inputs, f, clock):
    """Call measure(inputs) in the sandbox; a changed input becomes an error."""
    mine = copy.deepcopy(inputs)
    outcome = call(measure, (mine,), getattr(getattr(f, "__code__", None), "co_filename", None), clock)
    changed = [name for name in inputs if not _same(mine[name], inputs[name])]
    if changed and not outcome.error:
        return outcome._replace(error=InputChanged(changed[0]))
    return outcome


def _same(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, onp.ndarray):
        return onp.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    return True


# ---------------------------------------------------------------- samplers


def _sampler_findings(exercise, f, inputs, clock, seed):
    """The findings up to the first predicate that fails, because later ones may rely on earlier ones."""
    arguments = ", ".join([*(f"{name}={describe(value)}" for name, value in inputs.items()), "rng"])
    called = say("{call}, {n} times", call=f"{exercise.name}({arguments})", n=SAMPLES)

    def draw(n, sampler, inputs):
        rng = onp.random.default_rng(seed)
        return [sampler(*inputs.values(), rng) for _ in range(n)]

    (like,) = draw(1, exercise.reference, copy.deepcopy(inputs))
    many = attempt(partial(draw, SAMPLES, f), inputs, f, clock)
    again = many if many.error else attempt(partial(draw, 1, f), inputs, f, clock)
    if again.error:
        yield Finding("draws", called, again, like, onp.inf)
        return
    for value in many.value:
        if not fits(value, like):
            yield Finding("draws", called, many._replace(value=value), like, onp.inf)
            return
    draws = [onp.stack(arrays) for arrays in zip(*(_arrays(value, like) for value in many.value), strict=True)]
    for predicate in (partial(_repeatable, _arrays(again.value[0], like)), *exercise.predicates):
        wrong = predicate(inputs, *draws)
        sentence = say_predicate(getattr(predicate, "func", predicate))
        yield Finding("draws", called, many._replace(value=wrong), sentence, onp.inf if wrong else 0.0)
        if wrong:
            return


def _repeatable(again, inputs, *draws):
    """Equal seeds give equal draws, because all randomness comes from the Generator that is passed in."""
    if not all(onp.array_equal(array, stack[0]) for array, stack in zip(again, draws, strict=True)):
        return say("two Generators of the same seed gave different draws")


# ---------------------------------------------------------------- how near two values are


def agree(a, b, tolerance):
    """Whether two findings of the same comparison show the same answer."""
    if a.outcome.error or b.outcome.error:
        return repr(a.outcome.error) == repr(b.outcome.error)
    if isinstance(a.expected, str) or isinstance(b.expected, str):  # a predicate: both pass, or both fail, the same one
        return isinstance(a.expected, str) and a.expected == b.expected and a.deviation == b.deviation
    return deviation_of(a.outcome.value, b.outcome.value) <= tolerance


def deviation_of(value, like):
    """The largest difference, as a share of the largest number of `like`; infinite if the shapes do not fit."""
    try:
        return max(difference.max(initial=0.0) for *_, difference in differences(value, like))
    except Misfit:
        return onp.inf


def fits(value, like):
    """Whether the value has the type and the shape of `like`."""
    try:
        return bool(_flatten(value, like))
    except Misfit:
        return False


def differences(value, like):
    """[(path, array, array of `like`, their differences as a share of the largest number of `like`)].

    path: the keys and positions that lead to the array, as a tuple.   Raises: Misfit.
    """
    result = []
    for (path, my_array), its_array in zip(_flatten(value, like), _arrays(like, like), strict=True):
        mine, theirs = my_array.astype(float), its_array.astype(float)
        largest = onp.abs(theirs[onp.isfinite(theirs)]).max(initial=0.1)
        with onp.errstate(invalid="ignore"):
            difference = onp.abs(mine - theirs) / largest
        same = (mine == theirs) | ~(onp.isfinite(mine) | onp.isfinite(theirs))  # NaN and infinity are one mistake
        difference = onp.where(same, 0.0, onp.where(onp.isnan(difference), onp.inf, difference))
        result.append((path, my_array, its_array, difference))
    return result


def _arrays(value, like):
    return [array for _, array in _flatten(value, like)]


def _flatten(value, like, path=()):
    """[(path, array)] of a value that must have the structure and the shapes of `like`, and integers where it has them.

    Raises: Misfit if it does not.
    """
    if value is None:
        raise Misfit(say("It returned None: is the `return` missing?"))
    if isinstance(like, dict):
        if not isinstance(value, dict) or value.keys() != like.keys():
            raise Misfit(say("{kind} was returned where {wanted} was expected.", kind=_kind(value), wanted=_kind(like)))
        return [pair for key in like for pair in _flatten(value[key], like[key], (*path, key))]
    if isinstance(like, tuple):
        if not isinstance(value, (tuple, list, onp.ndarray)) or onp.ndim(value[:1]) == 0 or len(value) != len(like):
            raise Misfit(say("{kind} was returned where {wanted} was expected.", kind=_kind(value), wanted=_kind(like)))
        return [pair for i, item in enumerate(like) for pair in _flatten(value[i], item, (*path, (i, len(like))))]
    array = as_numbers(value)
    if array.shape != onp.shape(like):
        raise WrongShape(path, array.shape, onp.shape(like))
    kind = onp.asarray(like).dtype.kind
    if array.size and ((kind in "biu" and array.dtype.kind == "f") or kind == "b" != array.dtype.kind):
        wanted = say("booleans") if kind == "b" else say("integers")
        raise NoIntegers(say("{part} has numbers of the type {type} where {wanted} were expected: as an index they "
                             "fail, or choose something else.", part=in_words(path) or say("it"), type=array.dtype,
                             wanted=wanted))
    return [(path, array)]


ORDINALS = ("first", "second", "third", "fourth")
NUMBERS = ("no", "one", "two", "three", "four")


def in_words(path):
    """A path as a reader says it: "the second of the two results", "the gradient with respect to params, body"."""
    words = []
    for step in path:
        position = isinstance(step, tuple)
        words.append(say("the {which} of the {n} results", which=say(ORDINALS[step[0]]), n=say(NUMBERS[step[1]]))
                     if position else str(step))
    return ", ".join(words)


def as_numbers(value):
    """The value as an array of numbers.

    Raises: Misfit if it is none.
    """
    try:
        array = onp.asarray(value)
    except ValueError:
        raise Misfit(say("{kind} was returned whose parts have different shapes, so they make no array.",
                         kind=_kind(value))) from None
    if array.dtype.kind not in "biuf":
        raise Misfit(say("{kind} was returned where numbers were expected.", kind=_kind(value)))
    return array


def _kind(value):
    if isinstance(value, dict):
        return say("a dict with the keys {keys}", keys=", ".join(map(str, value)) or say("(none)"))
    if isinstance(value, tuple):
        return say("a tuple of {n}", n=len(value))
    if isinstance(value, onp.ndarray):
        return say("an array of shape {shape}", shape=value.shape)
    return say("a {type}", type=type(value).__name__)


def describe(value, in_full=8):
    """A value in a few words: arrays of at most `in_full` numbers in full, larger ones by their shape."""
    if callable(value):
        return getattr(value, "__name__", type(value).__name__)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {describe(item, in_full)}" for key, item in value.items()) + "}"
    if isinstance(value, tuple):
        return "(" + ", ".join(describe(item, in_full) for item in value) + ")"
    if isinstance(value, list) and value and isinstance(value[0], onp.ndarray):
        return say("[{n} arrays]", n=len(value))
    try:
        array = as_numbers(value)
    except Misfit:
        text = repr(value)
        return text if len(text) <= 60 else text[:57] + "..."
    if array.ndim == 0 and array.dtype.kind == "f":
        return f"{float(array) + 0.0:.6g}"  # + 0.0: never -0
    if array.size <= in_full or not array.ndim:
        return " ".join(onp.array2string(array, precision=6, separator=", ", suppress_small=True).split())
    return say("an array of shape {shape}", shape=array.shape)
