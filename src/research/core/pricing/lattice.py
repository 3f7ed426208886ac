"""Leisen and Reimer's binomial lattice: a tree of the spot whose middle hits the strike, European order 2 in 1/n.

Every step carries the same variance, so the tree recombines whatever the clock; rates and yields are those of each
step.

References
----------
Leisen, Reimer (1996), "Binomial models for option valuation: examining and improving convergence", Applied
Mathematical Finance 3, 319-346 (Peizer and Pratt's inversion, method 2).
"""

from __future__ import annotations

from math import sqrt

import numpy as np
from numba import prange

from research.arrays import Float1D, Float2D
from research.core._jit import inlined, parallel
from research.core.math.elementary import exp, log

_MIDDLE = 6.0  # standard deviations: a strike further out leaves the tree where it is
_LARGEST = 600.0  # of a logarithm: prices up to 1e260, with room for the spot


@inlined
def _peizer_pratt(z: float, n: float) -> float:
    """Probability that inverts the normal distribution function at z for a binomial of n steps, n odd."""
    a = z / (n + 1.0 / 3.0 + 0.1 / (n + 1.0))
    half = 0.5 * sqrt(1.0 - exp(-a * a * (n + 1.0 / 6.0)))
    return 0.5 + half if z >= 0.0 else 0.5 - half


@inlined
def _rolled_back(
    s: float,
    k: float,
    sign: float,
    ratio: float,
    p: float,
    down: Float1D,
    df: Float1D,
    exercise: Float1D,
    value: Float1D,
    power: Float1D,
) -> float:
    """Value at the root; exercise[i] = 1.0 where step i allows it, else 0.0; value, power: scratch of n + 1.

    ratio: of an up move to a down one; down and df: of each step.
    """
    n = value.size - 1
    power[0] = s
    for i in range(n):
        power[0] *= down[i]
    for j in range(n):
        power[j + 1] = power[j] * ratio  # the spot at the last step
    for j in range(n + 1):
        value[j] = max(sign * (power[j] - k), 0.0)
    for i in range(n - 1, -1, -1):
        a, b, one = df[i] * p, df[i] * (1.0 - p), down[i]
        for j in range(i + 1):
            value[j] = a * value[j + 1] + b * value[j]
        for j in range(i + 1):
            power[j] /= one
        if exercise[i] > 0.0:
            for j in range(i + 1):
                value[j] = max(value[j], sign * (power[j] - k))
    return value[0]


@parallel
def lattice_values(
    spot: Float1D,
    strike: Float1D,
    tau: Float1D,
    vol: Float1D,
    lean: Float1D,
    drift: Float2D,
    rate: Float2D,
    sign: Float1D,
    exercise: Float2D,
    out: Float1D,
) -> None:
    """out[i] = value of option i; exercise (m, n): 1.0 where step 0 .. n - 1 of option i allows exercise. n is odd.

    lean (m,): log of the forward over the spot; drift and rate, shape (m, n) or (m, 1) where all steps are alike: of
    each step, the log of its growth, and its rate times its length.
    """
    for i in prange(out.size):  # nan where the outermost prices leave what a float can hold
        n, last = exercise.shape[1], drift.shape[1] - 1
        std = vol[i] * sqrt(tau[i])
        d2 = (log(spot[i] / strike[i]) + lean[i]) / std - 0.5 * std
        d2 = min(max(d2, -_MIDDLE), _MIDDLE)
        p, q = _peizer_pratt(d2, n), _peizer_pratt(d2 + std, n)
        if n * log(q / p) + lean[i] > _LARGEST or n * log((1.0 - q) / (1.0 - p)) + lean[i] < -_LARGEST:
            out[i] = np.nan
            continue
        value, power, down, df = np.empty(n + 1), np.empty(n + 1), np.empty(n), np.empty(n)
        for k in range(n):
            growth = exp(drift[i, min(k, last)])
            down[k], df[k] = growth * (1.0 - q) / (1.0 - p), exp(-rate[i, min(k, last)])
        ratio = exp(drift[i, 0]) * q / p / down[0]
        out[i] = _rolled_back(spot[i], strike[i], sign[i], ratio, p, down, df, exercise[i], value, power)
