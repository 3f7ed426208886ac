"""Value at risk and expected shortfall of a moving window, and of a series filtered by EWMA or GARCH.

Forecasts are for days first <= t < last, last <= n + 1; that of day t uses x[0:t] only, so last = n + 1 includes
the day after the series. Losses are positive. Of a window of w returns in ascending order, with p the tail
probability, the VaR is minus the ceil(w p)-th, and the ES is Acerbi and Tasche's (2002) mean of the lowest w p of
them, the last one counted in part.
"""

from __future__ import annotations

from math import ceil, floor, sqrt

import numpy as np
from numba import prange

from research.arrays import Float1D, Float2D, Int1D
from research.core._jit import inlined, kernel, parallel
from research.core.models.garch import garch_initial

DUST = 1e-9  # w p is an integer when it is this close to one


@inlined
def tail_quantile(low: Float1D, p: float) -> float:
    """VaR of a window whose values stand in ascending order."""
    return -low[ceil(low.size * p - DUST) - 1]


@inlined
def tail_mean(low: Float1D, p: float) -> float:
    """ES of a window whose values stand in ascending order."""
    mass = low.size * p
    whole = floor(mass + DUST)
    total = 0.0
    for i in range(whole):
        total += low[i]
    part = mass - whole
    if part > DUST:
        total += part * low[whole]
    return -total / mass


@inlined
def slide(low: Float1D, leaves: float, enters: float) -> None:
    """Replace one value of an ascending array by another; it stays ascending."""
    a, b = 0, low.size - 1
    while a < b:  # where `leaves` stands
        middle = (a + b) // 2
        if low[middle] < leaves:
            a = middle + 1
        else:
            b = middle
    while a + 1 < low.size and low[a + 1] < enters:
        low[a] = low[a + 1]
        a += 1
    while a > 0 and low[a - 1] > enters:
        low[a] = low[a - 1]
        a -= 1
    low[a] = enters


@kernel
def rolling_tails(x: Float1D, first: int, last: int, window: int, p: Float1D, var: Float2D, es: Float2D) -> None:
    """Fill var and es, shape (last - first, levels), from the `window` values before each day."""
    low = np.sort(x[first - window : first])
    for t in range(first, last):
        for j in range(p.size):
            var[t - first, j] = tail_quantile(low, p[j])
            es[t - first, j] = tail_mean(low, p[j])
        if t + 1 < last:
            slide(low, x[t - window], x[t])


@kernel
def ewma_variances(x: Float1D, burn_in: int, decay: float, h: Float1D) -> None:
    """Fill h[t], shape (n + 1,), with the variance forecast for day t; h[0] is the mean square of the first burn_in."""
    total = 0.0
    for t in range(burn_in):
        total += x[t] * x[t]
    h[0] = total / burn_in
    for t in range(x.size):
        h[t + 1] = decay * h[t] + (1.0 - decay) * (x[t] * x[t])


@parallel
def garch_forecasts(x: Float1D, begin: Int1D, end: Int1D, width: int, fitted: Float2D, sd: Float1D, first: int) -> None:
    """Fill sd[t - first] for the days begin[i] <= t < end[i] of every block i with its parameters.

    fitted[i, 0:4] is (mu, omega, alpha, beta), estimated on the `width` days before begin[i]; the filter starts there.
    """
    for i in prange(begin.size):
        mu, omega, alpha, beta = fitted[i, 0], fitted[i, 1], fitted[i, 2], fitted[i, 3]
        start = begin[i] - width
        h = omega + (alpha + beta) * garch_initial(x[start : begin[i]], mu, 0.0)
        for t in range(start, end[i]):
            if t >= begin[i]:
                sd[t - first] = sqrt(h)
            if t + 1 < end[i]:
                e = x[t] - mu
                h = (omega + alpha * (e * e)) + beta * h


@parallel
def garch_filtered_tails(
    x: Float1D, begin: Int1D, end: Int1D, width: int, window: int, fitted: Float2D, p: Float1D,
    var: Float2D, es: Float2D, first: int,
) -> None:  # fmt: skip
    """As `garch_forecasts`, then VaR and ES from the last `window` standardised residuals, rescaled to the day."""
    for i in prange(begin.size):
        mu, omega, alpha, beta = fitted[i, 0], fitted[i, 1], fitted[i, 2], fitted[i, 3]
        start = begin[i] - width
        z = np.empty(end[i] - start)
        h = omega + (alpha + beta) * garch_initial(x[start : begin[i]], mu, 0.0)
        for t in range(start, begin[i]):
            e = x[t] - mu
            z[t - start] = e / sqrt(h)
            h = (omega + alpha * (e * e)) + beta * h
        low = np.sort(z[width - window : width])
        for t in range(begin[i], end[i]):
            s = sqrt(h)
            for j in range(p.size):
                var[t - first, j] = s * tail_quantile(low, p[j]) - mu
                es[t - first, j] = s * tail_mean(low, p[j]) - mu
            if t + 1 < end[i]:
                e = x[t] - mu
                z[t - start] = e / s
                slide(low, z[t - start - window], z[t - start])
                h = (omega + alpha * (e * e)) + beta * h
