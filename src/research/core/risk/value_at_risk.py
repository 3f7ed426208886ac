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
def tail_quantile(low: Float1D, n: int, p: float) -> float:
    """VaR of a window of n values whose lowest stand in ascending order."""
    return -low[ceil(n * p - DUST) - 1]


@inlined
def tail_mean(low: Float1D, n: int, p: float) -> float:
    """ES of a window of n values whose lowest stand in ascending order."""
    mass = n * p
    whole = floor(mass + DUST)
    total = 0.0
    for i in range(whole):
        total += low[i]
    part = mass - whole
    if part > DUST:
        total += part * low[whole]
    return -total / mass


@inlined
def tail_count(n: int, p: Float1D) -> int:
    """How many of the lowest of n values the deepest of the quantiles and means look at."""
    most = 0.0
    for j in range(p.size):
        most = max(most, p[j])
    return min(n, ceil(n * most + DUST))


@inlined
def refill(low: Float1D, window: Float1D) -> int:
    """Fill low with the lowest values of the window, ascending; how many."""
    ordered = np.sort(window)
    for i in range(low.size):
        low[i] = ordered[i]
    return low.size


@inlined
def slide(low: Float1D, size: int, n: int, leaves: float, enters: float) -> int:
    """Update the `size` lowest of n values, ascending in low, when one value leaves and one enters; the new size.

    Values not in low are at least its last; low gives up its last when it is full.
    """
    if leaves <= low[size - 1]:
        a, b = 0, size - 1
        while a < b:  # where `leaves` stands
            middle = (a + b) // 2
            if low[middle] < leaves:
                a = middle + 1
            else:
                b = middle
        for i in range(a, size - 1):
            low[i] = low[i + 1]
        size -= 1
    if size == n - 1 or (size > 0 and enters < low[size - 1]):
        i = size if size < low.size else size - 1
        while i > 0 and low[i - 1] > enters:
            low[i] = low[i - 1]
            i -= 1
        low[i] = enters
        size = min(size + 1, low.size)
    return size


@kernel
def rolling_tails(x: Float1D, first: int, last: int, window: int, p: Float1D, var: Float2D, es: Float2D) -> None:
    """Fill var and es, shape (last - first, levels), from the `window` values before each day.

    Only the lowest values are kept in order, with a reserve; most days change none of them.
    """
    need = tail_count(window, p)
    low = np.empty(min(window, 2 * need + 16))
    size = refill(low, x[first - window : first])
    for t in range(first, last):
        for j in range(p.size):
            var[t - first, j] = tail_quantile(low, window, p[j])
            es[t - first, j] = tail_mean(low, window, p[j])
        if t + 1 < last:
            size = slide(low, size, window, x[t - window], x[t])
            if size < need:
                size = refill(low, x[t + 1 - window : t + 1])


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
        need = tail_count(window, p)
        low = np.empty(min(window, 2 * need + 16))
        size = refill(low, z[width - window : width])
        for t in range(begin[i], end[i]):
            s = sqrt(h)
            for j in range(p.size):
                var[t - first, j] = s * tail_quantile(low, window, p[j]) - mu
                es[t - first, j] = s * tail_mean(low, window, p[j]) - mu
            if t + 1 < end[i]:
                e = x[t] - mu
                z[t - start] = e / s
                k = t + 1 - start
                size = slide(low, size, window, z[k - 1 - window], z[k - 1])
                if size < need:
                    size = refill(low, z[k - window : k])
                h = (omega + alpha * (e * e)) + beta * h
