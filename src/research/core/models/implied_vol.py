"""Implied volatility (Black 1976) to full double accuracy, in lanes.

Every option is turned into its out-of-the-money twin: c = time value / min(F, K) in (0, 1), k = |log(F / K)|, and the
unknown is s = vol sqrt(tau) with log b(s) = log c - k / 2, b the price over sqrt(F K). The logarithm makes the search
as easy in the wings as at the money.

1. Seed. In the limit of small s the option is Bachelier's, b = s psi(k / s); its inverse is one function of
   b / (b + k), taken from a rational fit in w = sqrt(1 + log((b + k) / b)). A second fit corrects for the size of s.
   Both were fitted for this module; together they are within 5% where c < 0.9.
2. Two steps of Householder's third-order method (error e -> about e^4): 5e-2, 6e-6, rounding. No branches, so LLVM
   vectorises the passes over blocks of 512 options.
3. An option is redone one by one, with a bracket, when the last step was not tiny or c >= 0.9 (there the search is
   for the distance from the upper bound).

References
----------
Jaeckel (2015), "Let's be rational", Wilmott 75 (objective functions and the Householder iteration).
Jaeckel (2017), "Implied normal volatility", Wilmott 90 (the Bachelier inverse).
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from research.arrays import Bool1D, Float1D
from research.core._jit import inlined, kernel
from research.core.math.elementary import exp, log, log_ratio
from research.core.math.normal import mills, mills_pair
from research.core.models.black import gap_series, rows_of, sides_of

_BLOCK = 512
_NAN = float("nan")
_PHI0 = 0.3989422804014327
_SMALL = 0.05
_HIGH = 0.9  # above this c the lanes leave it to the search from the upper bound
_TRUSTED = 1e-4  # a last step below this share of s leaves an error of its fourth power
_MAX_ITER = 100
_FARTHEST = 1e12  # standard deviations: the price is 0 there


@inlined
def _gap(h: float, t: float, precise: bool) -> float:
    """m(h - t) - m(h + t), m(x) = exp(x^2 / 2) Phi(-x); `precise` keeps the digits for small t."""
    z = h - t
    small = precise and t < _SMALL
    near, far = mills_pair(h if small else abs(z), h + t)
    lifted = exp(0.5 * z * z) - near if z < 0.0 else near
    direct = lifted - far
    return gap_series(h, t, near) if small else direct


@inlined
def _householder(g: float, slope: float, h: float, s: float) -> float:
    """Step of Householder's third-order method on g(s), where g' = slope and b''/b' = h^2 / s - s / 4."""
    nu = -g / slope
    by_s = h / s
    p = h * by_s - 0.25 * s - slope  # g'' / g'
    q = p * p - 3.0 * by_s * by_s - 0.25 - slope * p  # g''' / g'
    return nu * (1.0 + 0.5 * p * nu) / (1.0 + nu * (p + q * nu * (1.0 / 6.0)))


@inlined
def _step(s: float, k: float, log_b: float, precise: bool) -> float:
    """The next correction of s."""
    t = 0.5 * s
    h = k / s
    h = _FARTHEST if h > _FARTHEST else h
    gap = _gap(h, t, precise)
    g = (log(gap) - 0.5 * (h * h + t * t)) - log_b
    return _householder(g, _PHI0 / gap, h, s)


@inlined
def _seed(k: float, log_b: float) -> float:
    """s within 5%, where c < 0.9."""
    b = exp(log_b)
    w = sqrt(1.0 + (log(b + k) - log_b))
    top = 1.0 + w * (-0.54523165 + w * 0.26486950)
    bottom = -0.17221305 + w * (0.99263252 + w * (-0.91092060 + w * 0.37704387))
    s = (b + k) * top / bottom  # Bachelier's
    y = s * s
    z = y / (y + k * k)
    return s * (1.0 + y * z * (0.01806456 * y - 0.05875321)) / (1.0 + y * (0.0033481 - 0.04899678 * z))


@inlined
def _shortfall(s: float, k: float, log_short: float) -> float:
    """Correction of s from the distance of c to 1; needs s^2 >= 2 k."""
    t = 0.5 * s
    h = k / s
    z = t - h
    both = mills(z) + mills(h + t)
    g = (log(both) - 0.5 * z * z) - log_short
    return _householder(g, -_PHI0 / both, h, s)


@inlined
def _search(c: float, short: float, k: float) -> float:
    """s by a bracketed search, for any c in (0, 1); short = 1 - c."""
    upper = c > 0.5
    log_b, log_short = log(c) - 0.5 * k, log(short)
    low = sqrt(2.0 * k) if upper else 0.0  # where z = 0, so that c < 1/2 below
    reach = 0.7  # Phi(0.7) - Phi(-0.7) > 1/2
    high = np.inf if upper else reach + sqrt(reach * reach + 2.0 * k)
    s = sqrt(2.0 * k) + 1.0 if upper else min(max(_seed(k, log_b), 0.0), high)
    s = s if s > low else 0.5 * high
    for _ in range(_MAX_ITER):
        step = _shortfall(s, k, log_short) if upper else _step(s, k, log_b, True)
        if step > 0.0:
            low = s
        else:
            high = s
        after = s + step
        if not (low <= after <= high):
            after = 0.5 * (low + high) if high < np.inf else 2.0 * s
        if abs(after - s) <= 4e-16 * s:
            return after
        s = after
    return s


@inlined
def _time_values(
    price: Float1D, forward: Float1D, strike: Float1D, tau: Float1D, df: Float1D, call: Bool1D, c: Float1D
) -> None:
    """c[i] = time value over min(F, K); nan where an input makes no sense. A price below intrinsic by rounding is 0."""
    for i in range(c.size):
        low = min(forward[i], strike[i])
        undiscounted = price[i] / df[i]
        gain = forward[i] - strike[i] if call[i] else strike[i] - forward[i]
        value = undiscounted - max(gain, 0.0)
        value = 0.0 if (value < 0.0) & (value >= -4.5e-16 * undiscounted) else value
        sound = (low > 0.0) & (df[i] > 0.0) & (tau[i] > 0.0) & (value >= 0.0) & (value < low)
        c[i] = value / low if sound else _NAN


@inlined
def _moneyness(forward: Float1D, strike: Float1D, k: Float1D) -> None:
    """k[i] = |log(F / K)|, exact near the money."""
    for i in range(k.size):
        low = min(forward[i], strike[i])
        k[i] = log_ratio(low, max(forward[i], strike[i]))


@inlined
def _lanes(c: Float1D, k: Float1D, log_b: Float1D, s: Float1D) -> None:
    """s[i] from c[i], k[i]; nan where the search has to do it. Straight-line loops: they run in vector lanes."""
    for i in range(s.size):
        log_b[i] = log(c[i]) - 0.5 * k[i]
    for i in range(s.size):
        s[i] = _seed(k[i], log_b[i])
    for i in range(s.size):
        s[i] += _step(s[i], k[i], log_b[i], False)
    for i in range(s.size):
        step = _step(s[i], k[i], log_b[i], True)
        s[i] = s[i] + step if (abs(step) < _TRUSTED * s[i]) & (c[i] < _HIGH) else _NAN


@inlined
def _rest(
    price: Float1D, forward: Float1D, strike: Float1D, df: Float1D, call: Bool1D, c: Float1D, k: Float1D, s: Float1D
) -> None:
    """Fill the s[i] that the lanes left out."""
    for i in range(s.size):
        if s[i] == s[i] or c[i] != c[i]:
            continue
        bound = forward[i] if call[i] else strike[i]
        short = (bound - price[i] / df[i]) / min(forward[i], strike[i])
        s[i] = _search(c[i], short, k[i]) if c[i] > 0.0 else 0.0


@kernel
def implied_vols(
    price: Float1D, forward: Float1D, strike: Float1D, tau: Float1D, df: Float1D, is_call: Bool1D, out: Float1D
) -> None:
    """Fill out[i] with the Black vol of option i; nan where no vol gives that price.

    out has shape (n,), inputs have shape (n,) or (1,), where one number holds for all.
    """
    n = out.size
    for block in range((n + _BLOCK - 1) // _BLOCK):
        i, j = block * _BLOCK, min((block + 1) * _BLOCK, n)
        scratch, spare, side = np.empty((4, j - i)), np.empty((5, _BLOCK)), np.empty(_BLOCK, np.bool_)
        c, k, log_b, s = scratch[0], scratch[1], scratch[2], scratch[3]
        p, f = rows_of(price, i, j, spare[0]), rows_of(forward, i, j, spare[1])
        x, t, d = rows_of(strike, i, j, spare[2]), rows_of(tau, i, j, spare[3]), rows_of(df, i, j, spare[4])
        call = sides_of(is_call, i, j, side)
        _time_values(p, f, x, t, d, call, c)
        _moneyness(f, x, k)
        _lanes(c, k, log_b, s)
        _rest(p, f, x, d, call, c, k, s)
        for m in range(j - i):
            out[i + m] = s[m] / sqrt(t[m])
