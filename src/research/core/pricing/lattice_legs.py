"""One leg of a binomial tree: from the day on which it ends back to the day on which it begins, for many first nodes.

A tree of a stock that pays cash is cut at each day of payment (see `pricing.lattice_cash`): every leg has steps of its
own, and begins at as many nodes as the spots just after the payment need.

References
----------
Vellekoop, Nieuwenhuis (2006), "Efficient pricing of derivatives on assets with discrete dividends", Applied
Mathematical Finance 13, 265-284.
"""

from __future__ import annotations

from research.arrays import Float1D
from research.core._jit import kernel


@kernel
def rolled_leg(
    low: Float1D,
    strike: Float1D,
    df: Float1D,
    power: Float1D,
    up: float,
    sign: float,
    exercise: Float1D,
    value: Float1D,
) -> None:
    """Roll `value` back, in place: k + n - 1 numbers at the last of n times, the first k of them at the first time.

    low, strike: shape (n,), price of the lowest node and what exercise pays for it at each time; df (n - 1,): of each
    step; power (k + n - 1,): price of each node over the lowest one; up: probability of an up move; sign: +1.0 for a
    call, -1.0 for a put; exercise (n,): 1.0 where it may be exercised at a time, else 0.0.
    """
    n, size = low.size, value.size
    for i in range(n - 1, -1, -1):
        last = size - (n - 1 - i)
        if i < n - 1:
            a, b = df[i] * up, df[i] * (1.0 - up)
            for j in range(last):
                value[j] = a * value[j + 1] + b * value[j]
        if exercise[i] > 0.0:
            for j in range(last):
                value[j] = max(value[j], sign * (low[i] * power[j] - strike[i]))
