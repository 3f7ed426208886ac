"""Paths with stochastic variance, a local volatility, or both: Andersen's QE-M scheme with a leverage grid.

    d log(S / F) = -L^2 v / 2 dt + L sqrt(v) dW1
    dv           = kappa (theta - v) dt + sigma sqrt(v) dW2,    d<W1, W2> = rho dt

with L = L(t, log(S / F)) frozen over a step: Heston where there is no grid, a local volatility where v = 1 stays.
The variance moves by QE, the price given both ends of it is lognormal, and its drift is what makes S / F a martingale
from step to step (Andersen 2008, section 4.3, with L rho for rho). The integral of the variance over a step is taken
as c + g (v + v'), with g = tanh(kappa dt / 2) / kappa and c = theta (dt - 2 g): like the trapezoid, but with the exact
mean, so that a small sigma, by which the drift is divided, does no harm.

Where a step has limits, the price is drawn inside them, and the weight of the path falls by the probability of that
(one-step survival): a knock-out then has no jump, and a path is never wasted.

w, shape (n or 2 n, lanes): the price's own motion at the end of each of n steps, then that of the variance.
terms: 0 kappa, 1 theta, 2 sigma, 3 rho, 4 first grid point in log(S / F), 5 points a unit of it.
steps, shape (n, 8): 0 1 / sqrt(dt), 1 exp(-kappa dt), 2 and 3 the variance of v' is v c1 + c2, 4 g, 5 c,
6 kappa theta dt, 7 row of the observation that ends the step plus 1, or 0.
leverage, shape (n, n_x): L at the grid points; n_x = 0 for 1. limits, shape (n, 2): of log(S / F); n = 0 for none.
start, shape (2, lanes): log(S / F) and v at the beginning.

References
----------
Andersen (2008), "Simple and efficient simulation of the Heston stochastic volatility model", J. Comp. Finance 11(3).
Glasserman, Staum (2001), "Conditioning on one-step survival for barrier option simulations", Operations Research 49.
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from research.arrays import Float1D, Float2D
from research.core._jit import inlined, kernel
from research.core.math.elementary import log
from research.core.math.normal import norm_cdf, norm_ppf_row

_SWITCH = 1.5  # psi, the squared relative spread of v', above which v' has an atom at 0
_LEAST_MEAN, _LEAST_SPREAD = 1e-12, 1e-30  # variance 0 that stays 0
_TINY = 1e-300
_BELOW_ONE = 1.0 - 2.0**-53


@inlined
def _qe(v: float, z: float, step: Float1D, theta: float, slope: float) -> tuple[float, float]:
    """v' by the normal z, and log E[exp(slope v') | v]; nan where that is infinite."""
    mean = max(theta + (v - theta) * step[1], _LEAST_MEAN)
    psi = max(v * step[2] + step[3], _LEAST_SPREAD) / (mean * mean)
    ratio = 2.0 / psi
    b2 = ratio - 1.0 + sqrt(ratio) * sqrt(max(ratio - 1.0, 0.0))
    a = mean / (1.0 + b2)
    root = sqrt(max(b2, 0.0)) + z
    p, beta = (psi - 1.0) / (psi + 1.0), 2.0 / (mean * (psi + 1.0))
    tail = norm_cdf(-z)
    smooth = psi <= _SWITCH
    quotient = (1.0 - p) / tail
    jump = log(quotient if quotient > 1.0 else 1.0) / beta
    d, e = 1.0 - 2.0 * slope * a, beta - slope
    inside = d if smooth else p + beta * (1.0 - p) / e
    logs = log(inside if inside > _TINY else _TINY)
    moment = slope * b2 * a / d - 0.5 * logs if smooth else logs
    finite = (d if smooth else e) > 0.0
    return (a * root * root if smooth else jump), (moment if finite else float("nan"))


@inlined
def _leverage(row: Float1D, terms: Float1D, x: Float1D, out: Float1D) -> None:
    """out[i] = L at x[i], linear between grid points, flat beyond them; 1 without a grid."""
    first, per, n = terms[4], terms[5], row.size
    for i in range(x.size):
        out[i] = 1.0
    if n > 0:
        for i in range(x.size):
            at = min(max((x[i] - first) * per, 0.0), n - 1.0)
            j = min(int(at), n - 2)
            out[i] = row[j] + (at - j) * (row[j + 1] - row[j])


@inlined
def _given_both(
    v: float, after: float, moment: float, lev: float, step: Float1D, terms: Float1D
) -> tuple[float, float, float]:
    """Given v at both ends of a step: the move of x's mean, what keeps S / F a martingale, v's integral.

    `moment` is log E[exp(slope v') | v] at `_slope`.
    """
    kappa, rho, per = terms[0], terms[3], terms[3] / terms[2]
    g, c, pull = step[4], step[5], step[6]
    tilt = lev * per
    drift = tilt * kappa - 0.5 * lev * lev * rho * rho
    known = drift * (c + g * v) - tilt * (v + pull)
    fix = known + moment
    fix = fix if fix == fix else 0.0  # no such moment: leave the drift as it is
    inside = c + g * (v + after)
    move = tilt * (after - v - pull + kappa * inside) - 0.5 * lev * lev * inside
    return move, fix, inside


@inlined
def _slope(lev: float, step: Float1D, terms: Float1D) -> float:
    """What v' is multiplied by in the exponent of S."""
    kappa, rho, per = terms[0], terms[3], terms[3] / terms[2]
    tilt = lev * per
    return step[4] * (tilt * kappa - 0.5 * lev * lev * rho * rho) + tilt


@inlined
def _heston_move(
    x: Float1D, v: Float1D, z: Float1D, lever: Float1D, step: Float1D, terms: Float1D, rows: Float2D
) -> None:
    """v moves; rows: 0 mean of the new x, 1 its variance given v and v', 2 the variance that it was exposed to."""
    theta, free = terms[1], 1.0 - terms[3] * terms[3]
    mean, spread, total = rows[0], rows[1], rows[2]
    for i in range(x.size):
        lev = lever[i]
        after, moment = _qe(v[i], z[i], step, theta, _slope(lev, step, terms))
        move, fix, inside = _given_both(v[i], after, moment, lev, step, terms)
        mean[i] = x[i] + move - fix
        spread[i] = lev * lev * free * inside
        total[i] = lev * lev * inside
        v[i] = after


@inlined
def _plain_move(x: Float1D, v: Float1D, lever: Float1D, step: Float1D, rows: Float2D) -> None:
    """As `_heston_move` where the variance stays what it is."""
    mean, spread, total = rows[0], rows[1], rows[2]
    for i in range(x.size):
        total[i] = lever[i] * lever[i] * (step[5] + 2.0 * step[4] * v[i])
        mean[i] = x[i] - 0.5 * total[i]
        spread[i] = total[i]


@inlined
def _within(rows: Float2D, z: Float1D, low: float, high: float, scratch: Float2D, now: Float1D, alive: Float1D) -> None:
    """now = a normal by z with the mean and variance of `rows`, conditioned to lie between low and high.

    alive[i] falls by the probability of that. Work in the left tail, where probabilities keep their digits.
    """
    n = z.size
    ends, p = scratch[0], scratch[1]
    for i in range(n):
        std = sqrt(max(rows[1, i], _TINY))
        left, right = (low - rows[0, i]) / std, (high - rows[0, i]) / std
        sign = -1.0 if left > 0.0 else 1.0
        ends[i], ends[n + i] = (left, right) if sign > 0.0 else (-right, -left)
        ends[2 * n + i] = sign * z[i]
    for i in range(3 * n):
        p[i] = norm_cdf(ends[i])
    for i in range(n):
        share = max(p[n + i] - p[i], 0.0)
        alive[i] *= share
        p[i] = min(max(p[i] + p[2 * n + i] * share, _TINY), _BELOW_ONE)
    norm_ppf_row(p[:n])
    for i in range(n):
        y = max(min(max(p[i], ends[i]), ends[n + i]), -40.0)
        flip = (ends[2 * n + i] < 0.0) != (z[i] < 0.0)
        now[i] = rows[0, i] + sqrt(max(rows[1, i], _TINY)) * (-y if flip else y)


@inlined
def _increment(w: Float2D, first: int, k: int, scale: float, z: Float1D) -> None:
    """z = scale times the increment of step k of the motion whose rows begin at `first`."""
    here, before = w[first + k], w[first + max(k - 1, 0)]
    some = 1.0 if k > 0 else 0.0
    for i in range(z.size):
        z[i] = scale * (here[i] - some * before[i])


@kernel
def diffusion_paths(
    w: Float2D, terms: Float1D, steps: Float2D, leverage: Float2D, limits: Float2D, start: Float2D,
    x: Float2D, variance: Float2D, exposed: Float2D, weight: Float2D,
) -> None:  # fmt: skip
    """Fill four arrays, one row an observation, one column a path: log(S / F), v, the integral of L^2 v since the
    observation before, and the probability of having stayed within the limits (no rows where there are none)."""
    n, lanes = steps.shape[0], w.shape[1]
    now, v, alive, total = start[0].copy(), start[1].copy(), np.ones(lanes), np.zeros(lanes)
    z, lever, rows, scratch = np.empty(lanes), np.empty(lanes), np.empty((3, lanes)), np.empty((2, 3 * lanes))
    for k in range(n):
        step = steps[k]
        _leverage(leverage[k], terms, now, lever)
        if w.shape[0] > n:
            _increment(w, n, k, step[0], z)
            _heston_move(now, v, z, lever, step, terms, rows)
        else:
            _plain_move(now, v, lever, step, rows)
        _increment(w, 0, k, step[0], z)
        mean, spread, part = rows[0], rows[1], rows[2]
        if limits.shape[0] > 0 and (limits[k, 0] > -np.inf or limits[k, 1] < np.inf):
            _within(rows, z, limits[k, 0], limits[k, 1], scratch, now, alive)
        else:
            for i in range(lanes):
                now[i] = mean[i] + sqrt(spread[i]) * z[i]
        for i in range(lanes):
            total[i] += part[i]
        at = int(step[7]) - 1
        if at >= 0:
            for i in range(lanes):
                x[at, i], variance[at, i], exposed[at, i] = now[i], v[i], total[i]
                total[i] = 0.0
            if weight.shape[0] > 0:
                for i in range(lanes):
                    weight[at, i] = alive[i]


@kernel
def step_laws(
    x: Float2D, v: Float2D, terms: Float1D, steps: Float2D, leverage: Float2D, mean: Float2D, spread: Float2D
) -> None:
    """Fill mean and spread (n, lanes): of log(S / F) at the end of each step, normal given x where the step begins and
    v at both of its ends.

    x (n, lanes): log(S / F) at the beginnings; v (n + 1, lanes); sigma = 0 in `terms` for a variance that stays.
    """
    lanes = x.shape[1]
    lever, rows = np.empty(lanes), np.empty((3, lanes))
    free = 1.0 - terms[3] * terms[3]
    for k in range(steps.shape[0]):
        step = steps[k]
        _leverage(leverage[k], terms, x[k], lever)
        if terms[2] == 0.0:
            _plain_move(x[k], v[k], lever, step, rows)
            mean[k], spread[k] = rows[0], rows[1]
            continue
        for i in range(lanes):
            lev, before, after = lever[i], v[k, i], v[k + 1, i]
            _, moment = _qe(before, 0.0, step, terms[1], _slope(lev, step, terms))
            move, fix, inside = _given_both(before, after, moment, lev, step, terms)
            mean[k, i], spread[k, i] = x[k, i] + move - fix, lev * lev * free * inside
