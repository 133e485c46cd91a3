"""How sure is a mean of a few values? Lesson 2 explains this page. `np` is plain NumPy.

From n values we know neither their mean nor how widely they scatter: both are estimated from the same few numbers. A
scatter estimated from few values is often much too small, so the interval must be wider by a factor that depends on n.
W. S. Gosset found it ("Student", The Probable Error of a Mean, Biometrika 1908).
"""

import numpy as np

STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)  # for 2, 3, ..., 10 values


def t_factor(n):
    """How many standard errors the 95 % interval of a mean of n values reaches to each side: Student's t.

    For 2 values it is 12.7, for 10 it is 2.26, and for very many the 1.96 of the normal distribution. Above 10 values
    it is a sum of powers of 1/(n - 1), right to 4 digits (Fisher and Cornish 1960).
    Raises: ValueError for fewer than 2 values.
    """
    if n < 2:
        raise ValueError(f"an interval needs 2 or more values, got {n}")
    if n <= 10:
        return STUDENT[n - 2]
    return 1.96 + 2.372 / (n - 1) + 2.822 / (n - 1) ** 2 + 2.556 / (n - 1) ** 3


def mean_and_interval(values):
    """The mean over the first axis and the half-width of its 95 % interval: (n, ...) -> (...), (...).

    Raises: ValueError for fewer than 2 values.
    """
    n = len(values)
    return np.mean(values, axis=0), t_factor(n) * np.std(values, axis=0, ddof=1) / n ** 0.5
