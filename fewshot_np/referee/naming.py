"""Which known formula gives these answers? `np` is plain NumPy."""

import numpy as np

from fewshot_np.referee.calling import far
from fewshot_np.referee.verdict import Finding

TOLERANCE = 2e-3  # float32 passes


def named(answers, candidates, factors=None):
    """The first name whose candidate agrees with all answers, and its factor: (name, factor's name), or None."""
    for factor, scale in (factors or {"": 1.0}).items():
        for name, wanted in candidates.items():
            if all(np.shape(a) == np.shape(w) and far(a, scale * w) < TOLERANCE
                   for a, w in zip(answers, wanted, strict=True)):
                return name, factor
    return None


def unknown(what, gaps):
    nearest = min(gaps, key=gaps.get)
    return Finding(f"{what}: none of these", "It is no formula that the referee knows.",
                   {what: f"nearest is \"{nearest}\", {gaps[nearest]:.1%} off"})


def gaps_of(answers, candidates):
    return {name: max(far(a, w) if np.shape(a) == np.shape(w) else np.inf
                      for a, w in zip(answers, wanted, strict=True)) for name, wanted in candidates.items()}


def reduced(values, how):
    return {"mean": np.mean, "sum": np.sum}.get(how, np.asarray)(values)


def other_reduction(what, how, wanted):
    if wanted in (None, how):
        return []
    return [Finding(f"{what}: {how}, not {wanted}", "Learning rates mean something else with it.")]
