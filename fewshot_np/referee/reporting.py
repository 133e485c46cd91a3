"""Is the number behind +- a 95 % interval over episodes? `np` is plain NumPy."""

import re

import numpy as np

from fewshot_np.referee.calling import Call, as_array, judged
from fewshot_np.referee.chance import student_factor
from fewshot_np.referee.verdict import Finding, judge

FAULTS = {
    "over images, not over episodes": "The answers of one episode share its support, so they are not independent, and "
                                      "the interval is too narrow.",
    "ddof=0: the standard deviation has n in the denominator": "With n - 1 (ddof=1) it is unbiased; with few episodes "
                                                               "the interval is too narrow.",
    "the spread of single episodes: the division by sqrt(n) is missing": "The mean varies less than one episode does.",
    "divided by n, not by sqrt(n)": "Variances add up, so the variance of the mean is s^2 / n.",
    "the standard error: the factor 1.96 is missing": "It covers 68 %, not 95 %.",
    "the standard deviation of the episodes": "It does not say how sure the mean is: 1.96 s / sqrt(n).",
    "the whole width, not the half": "What stands behind +- is half of the width.",
    "the variance, not the standard deviation": "s is the root of the variance.",
    "a 90 % interval": "1.645 in place of 1.96.", "a 99 % interval": "2.576 in place of 1.96.",
}
FEW = 30


@judged
def interval(accuracies, *, printed=None, mean=None, half_width=None, n_query=None):
    """Which interval is this? Over episodes or images, with which ddof, and are there episodes enough for its digits?

    accuracies: a function of (E,) accuracies, one per episode -> (mean, half-width); or the accuracies themselves, (E,)
    in [0, 1] or in %, or the right and wrong answers (E,M) as 0 and 1, and beside them
    printed: what is reported, such as "77.8 +- 0.8 %"; or mean and half_width as numbers.
    n_query: answers per episode, for accuracies (E,): without it an interval over images is not recognised.

    Raises: ValueError for accuracies that are no (E,) or (E,M), fewer than 2, or not finite, and for a text without
    two numbers.
    """
    if callable(accuracies):
        return _judge_function(accuracies)
    values, images = _checked(accuracies, n_query)
    digits = None
    if printed is not None:
        mean, half_width, digits = _read(printed)
    if half_width is None:
        raise ValueError("give what is reported: printed=\"77.8 +- 0.8\", or half_width=")
    per_cent = 100 if values.max() <= 1 and (abs(half_width) >= 1 or (mean or 0) > 1) else 1
    values, scale = values * per_cent, 100.0 if per_cent == 100 or values.max() > 1 else 1.0
    rounding = 0.5 * 10.0 ** -digits if digits is not None else max(1e-3 * abs(half_width), 1e-12)
    findings, fact = _formula(values, half_width, rounding, images, scale)
    if mean is not None and abs(mean - values.mean()) > max(rounding, 1e-9 * scale) * 1.001:
        findings.append(Finding("the mean is another one", "", {"mean": f"{values.mean():.5g}, reported {mean:g}"}))
    findings += _digits(values, half_width, digits)
    numbers = _numbers(values, scale)
    if set(np.unique(values)) <= {0, scale} and images is None and len(values) > 2:
        findings.append(Finding("these look like answers, not accuracies of episodes", "All are 0 or 1: an interval is "
                                "over episodes. Give the answers as (E,M), or one accuracy for each episode."))
    return judge("interval", findings, "95 % over episodes", "", [fact] if fact else [], numbers)


def _candidates(values, images, scale):
    n, s = len(values), values.std(ddof=1)
    right = 1.96 * s / n ** 0.5
    found = {"1.96 s / sqrt(n), ddof=1": right, "Student's t for 1.96": student_factor(n) * s / n ** 0.5,
             "ddof=0: the standard deviation has n in the denominator": 1.96 * values.std() / n ** 0.5}
    if images is not None:
        p = values.mean() / scale
        found["over images, not over episodes"] = 1.96 * scale * (p * (1 - p) / images) ** 0.5
    found |= {"the spread of single episodes: the division by sqrt(n) is missing": 1.96 * s,
              "divided by n, not by sqrt(n)": 1.96 * s / n,
              "the standard error: the factor 1.96 is missing": s / n ** 0.5,
              "the standard deviation of the episodes": s, "the whole width, not the half": 2 * right,
              "the variance, not the standard deviation": 1.96 * s * s / n ** 0.5,
              "a 90 % interval": right * 1.645 / 1.96, "a 99 % interval": right * 2.576 / 1.96}
    return found


def _formula(values, half_width, rounding, images, scale):
    """What fits within the rounding of the printed number; a right formula before a wrong one."""
    candidates = _candidates(values, images, scale)
    fits = [name for name, wanted in candidates.items() if abs(half_width - wanted) <= rounding * 1.001 + 1e-12]
    if not fits and any(abs(half_width - candidates["1.96 s / sqrt(n), ddof=1"] * c / 1.96) <= rounding * 1.001
                        for c in (1.95996398, 2.0)):
        return [], "1.96 s / sqrt(n), ddof=1"
    good = [name for name in fits if name not in FAULTS]
    if good:
        also = [name for name in fits if name in FAULTS]
        return [], good[0] + (f" (at these digits not told from: {'; '.join(also)})" if also else "")
    if not fits:
        gap = half_width / candidates["1.96 s / sqrt(n), ddof=1"] - 1 if values.std() else np.inf
        return [Finding("none of these", "It is no interval that the referee knows.",
                        {"reported": f"{half_width:.5g}, {gap:+.1%} of the right one"})], ""
    return [Finding(fits[0], FAULTS[fits[0]], {"reported": f"{half_width:.5g}"})], ""


def _numbers(values, scale):
    n, s = len(values), values.std(ddof=1)
    right = 1.96 * s / n ** 0.5
    numbers = {"episodes": n, "right": f"{values.mean():.5g} +- {right:.3g}"}
    if n < FEW:
        numbers["few"] = (f"with {n} episodes Student's factor is {student_factor(n):.2f}, not 1.96: "
                          f"+- {student_factor(n) * s / n ** 0.5:.3g}")
    return numbers


def _digits(values, half_width, digits):
    """Two digits of the half-width are the most that mean anything."""
    if digits is None or half_width * 10 ** digits < 99.5 or half_width <= 0:
        return []
    n, s = len(values), values.std(ddof=1)
    needed = int(np.ceil((1.96 * s / (99 * 10.0 ** -digits)) ** 2))
    return [Finding("too few episodes for the digits printed", f"The last digit is less than a hundredth of the "
                    f"half-width: print fewer digits, or test on {needed:,} episodes or more.",
                    {"digits": f"{digits} after the point, half-width {half_width:g} from {n} episodes"})]


def _judge_function(function):
    """Ask with 7, 12 and 25 episodes, few enough for ddof to show; the answers of an episode have hidden neighbours."""
    call = Call("interval", function, ("accuracies",), "It returns (mean, half-width).")
    rng, found, evidence = np.random.default_rng(0), [], []
    for n in (7, 12, 25):
        values = np.round(rng.uniform(0.55, 0.95, n) * 75) / 75
        result = call.converted(call(values))
        if result.shape != (2,):
            call.refuse(f"it returned shape {result.shape}", "Needed: two numbers, (mean, half-width).")
        if not np.isfinite(result).all():
            call.refuse("it returned NaN or infinity", "")
        m, half = map(float, result)
        scale = 100.0 if abs(m - 100 * values.mean()) < 1e-3 * 100 else 1.0
        right = scale * 1.96 * values.std(ddof=1) / n ** 0.5
        evidence.append({"episodes": n, "mean": m, "half-width": half, "right": right})
        if abs(m - scale * values.mean()) > 1e-4 * scale:
            ends = values.mean() + np.array([-1, 1]) * right * np.array([[1], [student_factor(n) / 1.96]])
            low_high = np.isclose([m, half], ends, rtol=1e-3).all(axis=1).any()
            name = "both ends came back, not (mean, half-width)" if low_high else "the mean is another one"
            return judge("interval", [Finding(name, "Needed: (mean, half-width).")], "", call.shown,
                         evidence={"evidence": evidence})
        found.append(_formula(scale * values, half, 1e-3 * abs(half), None, scale))
    names = {finding.name for findings, _ in found for finding in findings}
    faults = [findings[0] for findings, _ in found if findings] if len(names) == 1 and all(f for f, _ in found) else [
        Finding("none of these", "It is no interval that the referee knows.")] if names else []
    return judge("interval", faults[:1], "95 % over episodes", call.shown, [found[0][1]] if not faults else [],
                 {"evidence": evidence})


# ---------------------------------------------------------------- what is given


def _checked(accuracies, n_query):
    """((E,) accuracies, the number of images or None)"""
    values = as_array(accuracies).astype(float)
    if values.ndim not in (1, 2) or len(values) < 2 or not np.isfinite(values).all():
        raise ValueError(f"accuracies must be (E,) or answers (E,M), finite, 2 episodes or more, got {values.shape}")
    if values.ndim == 2:
        return values.mean(axis=1), values.size
    return values, len(values) * n_query if n_query else None


def _read(printed):
    """(mean, half-width, digits after the point) of a text such as "77.8 +- 0.8 %"."""
    numbers = re.findall(r"\d+(?:\.\d+)?", printed)
    if len(numbers) != 2:
        raise ValueError(f"printed must have two numbers, as in \"77.8 +- 0.8 %\", got {printed!r}")
    return float(numbers[0]), float(numbers[1]), max(len(number.partition(".")[2]) for number in numbers)
