"""How unlikely is a count, if all is fair? Exact probabilities, without SciPy. `np` is plain NumPy."""

from math import exp, lgamma, log, log1p

import numpy as np


def tail(count, n, p):
    """P(a count as far out or farther, on its side), for the number of successes in n trials of probability p."""
    if p <= 0 or p >= 1:
        return 1.0 if count == round(n * p) else 0.0
    ks = range(count, n + 1) if count > n * p + 1e-9 else range(count + 1)
    return min(1.0, sum(_probability(k, n, p) for k in ks))


def _probability(k, n, p):
    return exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) + k * log(p) + (n - k) * log1p(-p))


def tail_of_unequal(count, probabilities):
    """The same for trials of unequal probabilities: their counts' distribution is built trial by trial."""
    distribution = np.zeros(len(probabilities) + 1)
    distribution[0] = 1.0
    for i, p in enumerate(probabilities):
        distribution[1:i + 2] = distribution[1:i + 2] * (1 - p) + distribution[:i + 1] * p
        distribution[0] *= 1 - p
    upper = count > sum(probabilities) + 1e-9
    return float(min(1.0, distribution[count:].sum() if upper else distribution[:count + 1].sum()))


def student_factor(n, coverage=0.95):
    """The factor t in mean ± t s / sqrt(n): 1.96 for many values, 2.26 for 10. Found by integration and bisection."""
    nu = n - 1
    constant = exp(lgamma((nu + 1) / 2) - lgamma(nu / 2)) / (nu * np.pi) ** 0.5
    low, high = 0.0, 13.0  # 12.7 for 2 values, the most
    for _ in range(60):
        middle = (low + high) / 2
        x = np.linspace(0, middle, 4001)
        inside = 2 * constant * np.trapezoid((1 + x * x / nu) ** (-(nu + 1) / 2), x)
        low, high = (middle, high) if inside < coverage else (low, middle)
    return high
