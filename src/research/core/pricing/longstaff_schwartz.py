"""Longstaff and Schwartz (2001): when to exercise, by regression; the value of that rule, and an upper bound beside it.

The rule is fitted on one set of paths (`fit_policy`) and valued on another (`policy_value`), so its value is a lower
bound in the mean. Stopped at exercise, the European option is a martingale: it serves as control (Rasmussen 2005).
The upper bound is Rogers' dual with the same martingale, scaled.

motion, shape (n, n_paths), is the driving motion at n exercise dates; dates, shape (n, 3), holds forward, total
variance and discount factor. terms: 0 strike, 1 sign (+1 call, -1 put). A rule is a row of four coefficients a date:
continuation in strikes = sum of c_k x^k where the gain x = sign (S / K - 1) is positive; c_0 = inf says never.

References
----------
Longstaff, Schwartz (2001), "Valuing American options by simulation", RFS 14, 113-147.
Rasmussen (2005), "Control variates for Monte Carlo valuation of American options", J. Comp. Finance 9(1).
Rogers (2002), "Monte Carlo valuation of American options", Mathematical Finance 12, 271-286.
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from research.arrays import Float1D, Float2D
from research.core._jit import inlined, kernel
from research.core.math.elementary import exp, log
from research.core.math.linear import cholesky, cholesky_solve
from research.core.math.normal import norm_cdf

N_BASIS = 4
_LANES = 64  # paths whose sums are kept apart
_FEW = 8.0  # paths in the money below which no rule is fitted
_INF = float("inf")


@inlined
def _normal_equations(x: Float1D, y: Float1D, sums: Float1D, gram: Float2D, right: Float1D) -> float:
    """Sums of x^a and x^b y over the paths in the money, those with x > 0; how many there are.

    Path i adds to lane i mod _LANES of the eleven sums in `sums`, without a branch; the lanes are added at the end.
    """
    sums[:] = 0.0
    for start in range(0, x.size, _LANES):
        for i in range(min(_LANES, x.size - start)):
            inside = x[start + i] > 0.0
            a, b = x[start + i] if inside else 0.0, y[start + i] if inside else 0.0
            a2 = a * a
            a3 = a2 * a
            sums[i] += 1.0 if inside else 0.0
            sums[_LANES + i] += a
            sums[2 * _LANES + i] += a2
            sums[3 * _LANES + i] += a3
            sums[4 * _LANES + i] += a2 * a2
            sums[5 * _LANES + i] += a2 * a3
            sums[6 * _LANES + i] += a3 * a3
            sums[7 * _LANES + i] += b
            sums[8 * _LANES + i] += a * b
            sums[9 * _LANES + i] += a2 * b
            sums[10 * _LANES + i] += a3 * b
    for k in range(11):
        for i in range(1, _LANES):
            sums[k * _LANES] += sums[k * _LANES + i]
    for r in range(N_BASIS):
        for c in range(N_BASIS):
            gram[r, c] = sums[(r + c) * _LANES]
        gram[r, r] *= 1.0 + 1e-12
        right[r] = sums[(7 + r) * _LANES]
    return sums[0]


@inlined
def _gains(row: Float1D, dates: Float1D, terms: Float1D, gain: Float1D) -> None:
    """gain[i] = sign (S / K - 1) at one date."""
    scale, half, sign = dates[0] / terms[0], 0.5 * dates[1], terms[1]
    for i in range(row.size):
        gain[i] = sign * (scale * exp(row[i] - half) - 1.0)


@inlined
def _continuation(c0: float, c1: float, c2: float, c3: float, x: float) -> float:
    return c0 + x * (c1 + x * (c2 + x * c3))


@kernel
def fit_policy(motion: Float2D, dates: Float2D, terms: Float1D, policy: Float2D) -> None:
    """Fill policy, shape (n, 4), backwards: in units of the strike, as a function of the gain sign (S / K - 1)."""
    n, n_paths = motion.shape
    gain, value, carried = np.empty(n_paths), np.empty(n_paths), np.empty(n_paths)
    gram, right, sums = np.empty((N_BASIS, N_BASIS)), np.empty(N_BASIS), np.empty(11 * _LANES)
    _gains(motion[n - 1], dates[n - 1], terms, gain)
    for i in range(n_paths):
        value[i] = dates[n - 1, 2] * max(gain[i], 0.0)
    policy[n - 1] = 0.0
    for j in range(n - 2, -1, -1):
        df = dates[j, 2]
        _gains(motion[j], dates[j], terms, gain)
        for i in range(n_paths):
            carried[i] = value[i] / df
        count = _normal_equations(gain, carried, sums, gram, right)
        if (count >= _FEW) and cholesky(gram):
            cholesky_solve(gram, right)
            for k in range(N_BASIS):
                policy[j, k] = right[k]
        else:
            policy[j] = 0.0
            policy[j, 0] = _INF
        c0, c1, c2, c3 = policy[j, 0], policy[j, 1], policy[j, 2], policy[j, 3]
        for i in range(n_paths):
            now = (gain[i] > 0.0) & (gain[i] >= _continuation(c0, c1, c2, c3, gain[i]))
            value[i] = df * gain[i] if now else value[i]


@inlined
def _european(gain: float, sign: float, growth: float, left: float, df: float) -> float:
    """European option on S / K from S / K = 1 + sign gain: forward growth and variance left to expiry, df to today."""
    x = (1.0 + sign * gain) * growth
    if left <= 0.0:
        return df * max(sign * (x - 1.0), 0.0)
    std = sqrt(left)
    d1 = log(x) / std + 0.5 * std
    return df * sign * (x * norm_cdf(sign * d1) - norm_cdf(sign * (d1 - std)))


@kernel
def policy_value(motion: Float2D, dates: Float2D, terms: Float1D, policy: Float2D, out: Float1D) -> None:
    """out = sums over paths of value, value^2, control, value * control, control^2, exercise date; in strikes."""
    n, n_paths = motion.shape
    sign, last = terms[1], dates[n - 1]
    gain, value, control = np.empty(n_paths), np.zeros(n_paths), np.zeros(n_paths)
    when, chosen = np.full(n_paths, n, np.int64), np.empty(n_paths + 1, np.int64)
    for j in range(n):
        _gains(motion[j], dates[j], terms, gain)
        growth, left, df = last[0] / dates[j, 0], last[1] - dates[j, 1], dates[j, 2]
        c0, c1, c2, c3 = policy[j, 0], policy[j, 1], policy[j, 2], policy[j, 3]
        for i in range(n_paths):  # what the holder gains by exercise, or less than nothing
            now = (gain[i] > 0.0) & (gain[i] >= _continuation(c0, c1, c2, c3, gain[i]))
            gain[i] = gain[i] if now else -1.0
        count = 0
        for i in range(n_paths):
            chosen[count] = i
            count += (gain[i] > 0.0) & (when[i] == n)
        for m in range(count):
            i = chosen[m]
            when[i], value[i] = j, df * gain[i]
            control[i] = _european(gain[i], sign, growth, left, last[2])
    for k in range(6):
        out[k] = 0.0
    for i in range(n_paths):
        y, c1 = value[i], control[i]
        out[0] += y
        out[1] += y * y
        out[2] += c1
        out[3] += y * c1
        out[4] += c1 * c1
        out[5] += float(min(when[i], n - 1))


@kernel
def dual_value(motion: Float2D, dates: Float2D, terms: Float1D, start: float, scale: Float1D, out: Float2D) -> None:
    """out[k] = sums of u and u^2, u the largest of payoff - scale[k] (European - start) on a path; in strikes."""
    n, n_paths = motion.shape
    sign, last = terms[1], dates[n - 1]
    gain, best = np.empty(n_paths), np.empty((scale.size, n_paths))
    for k in range(scale.size):
        for i in range(n_paths):
            best[k, i] = -_INF
    for j in range(n):
        _gains(motion[j], dates[j], terms, gain)
        growth, left, df = last[0] / dates[j, 0], last[1] - dates[j, 1], dates[j, 2]
        for i in range(n_paths):
            martingale = _european(gain[i], sign, growth, left, last[2]) - start
            paid = df * max(gain[i], 0.0)
            for k in range(scale.size):
                best[k, i] = max(best[k, i], paid - scale[k] * martingale)
    for k in range(scale.size):
        out[k, 0], out[k, 1] = 0.0, 0.0
        for i in range(n_paths):
            out[k, 0] += best[k, i]
            out[k, 1] += best[k, i] * best[k, i]
