"""The price of the underlying at which one option, or the difference of two, is worth a given amount.

Newton's method on the logarithm of the price, kept inside a bracket: a step that leaves it, or that does not halve the
one before, is a bisection.
"""

from __future__ import annotations

from research.arrays import Float1D, Float2D, Int1D
from research.core._jit import inlined, kernel
from research.core.math.elementary import exp, log
from research.core.math.normal import norm_cdf
from research.core.models.black import black_price

_MOST = 200  # steps; bisection alone takes 60
_CLOSE = 4e-16  # of the logarithm and 1: a bisection that changes nothing
_NEXT = 1e-10  # after a step of Newton's of this size the next would change nothing
_INF = float("inf")


@inlined
def _worth(x: float, legs: Float1D, target: float) -> tuple[float, float]:
    """(sum of the weighted options less the target, its derivative) at a log price x.

    `legs` holds strike, growth (forward over price), df, std, sign, weight of one option after another.
    """
    value, slope = -target, 0.0
    for j in range(legs.size // 6):
        strike, growth, df, std = legs[6 * j], legs[6 * j + 1], legs[6 * j + 2], legs[6 * j + 3]
        sign, weight = legs[6 * j + 4], legs[6 * j + 5]
        forward = exp(x) * growth
        value += weight * black_price(forward, strike, 1.0, std, df, sign)
        d1 = sign * (log(forward / strike) / std + 0.5 * std)
        slope += weight * sign * df * forward * norm_cdf(d1 if d1 == d1 else 0.0)
    return value, slope


@kernel
def critical_prices(
    low: Float1D, high: Float1D, start: Float1D, target: Float1D, legs: Float2D, out: Float1D, n_steps: Int1D
) -> None:
    """out[i] = the price where the increasing function of row i is 0, between exp(low[i]) and exp(high[i]).

    0 where the function is positive already at the lower end, inf where it is negative still at the upper one; legs
    has shape (n, 6 m) for m options a row, n_steps counts the steps.
    """
    for i in range(out.size):
        a, b, row = low[i], high[i], legs[i]
        x, before = min(max(start[i], a), b), b - a
        steps, done = 0, False
        while (not done) & (steps < _MOST):
            value, slope = _worth(x, row, target[i])
            a, b = (a, x) if value > 0.0 else (x, b)
            there = x - value / slope if slope > 0.0 else _INF
            small = abs(there - x) <= _NEXT * (1.0 + abs(x))
            sound = small | ((there > a) & (there < b) & (2.0 * abs(there - x) < before))
            there = there if sound else 0.5 * (a + b)
            before = abs(there - x)
            x, done = there, small | (before <= _CLOSE * (1.0 + abs(x)))
            steps += 1
        out[i], n_steps[i] = exp(x), steps
        if (a == low[i]) & (x - a < _NEXT * (1.0 + abs(x))):  # nothing below was negative: is there no root?
            out[i] = 0.0 if _worth(a, row, target[i])[0] >= 0.0 else out[i]
        if (b == high[i]) & (b - x < _NEXT * (1.0 + abs(x))):
            out[i] = _INF if _worth(b, row, target[i])[0] <= 0.0 else out[i]
