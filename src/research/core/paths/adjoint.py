"""Paths backwards: from the derivative of a payoff by every price it saw to those by everything a scheme was given.

The schemes are those of `diffusion` and `transition`. Forwards the state is kept at every step; backwards the
derivative of what is paid by the state, b for log(S / F) and c for the variance, is carried from the last step to the
first, and each step hands over its share of the derivative by its own row of the table (Giles and Glasserman 2006).
The cost does not depend on how many sensitivities are wanted.

Where the variance's law changes its form (psi = 1.5) the map from the normal to v' has a jump, of which no path's
derivative knows; on both sides v' has the same mean and variance given v, so what is missed is of the order of the
scheme's own bias.

References
----------
Giles, Glasserman (2006), "Smoking adjoints: fast Monte Carlo Greeks", Risk 19(1), 88-92.
Andersen (2008), "Simple and efficient simulation of the Heston stochastic volatility model", J. Comp. Finance 11(3).
Broadie, Glasserman (1996), "Estimating security price derivatives using simulation", Management Science 42, 269-285.
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from research.arrays import Float1D, Float2D, Float3D, Int2D
from research.core._jit import inlined, kernel
from research.core.math.elementary import log
from research.core.math.normal import norm_cdf
from research.core.paths.diffusion import (
    _LEAST_MEAN,
    _LEAST_SPREAD,
    _SWITCH,
    _heston_move,
    _increment,
    _leverage,
    _plain_move,
)


@inlined
def _qe_back(
    v: float, z: float, step: Float1D, theta: float, slope: float, b_after: float, b_moment: float
) -> tuple[float, float, float, float, float, float, float]:
    """From the derivatives by v' and by log E[exp(slope v')]: by v, exp(-kappa dt), c1, c2, theta, slope; 0 where that
    moment is infinite, else 1."""
    raw = theta + (v - theta) * step[1]
    mean = max(raw, _LEAST_MEAN)
    wide = max(v * step[2] + step[3], _LEAST_SPREAD)
    psi = wide / (mean * mean)
    if psi <= _SWITCH:
        ratio = 2.0 / psi
        b2 = ratio - 1.0 + sqrt(ratio) * sqrt(ratio - 1.0)
        a, root = mean / (1.0 + b2), sqrt(b2) + z
        d = 1.0 - 2.0 * slope * a
        finite = 1.0 if d > 0.0 else 0.0
        ok = b_moment * finite
        b_a = b_after * root * root + ok * (slope * b2 / (d * d) + slope / d)
        b_b2 = b_after * a * root / sqrt(b2) + ok * slope * a / d
        b_slope = ok * (b2 * a / (d * d) + a / d)
        b_mean = b_a / (1.0 + b2)
        b_b2 -= b_a * a / (1.0 + b2)
        b_ratio = b_b2 * (1.0 + (2.0 * ratio - 1.0) / (2.0 * sqrt(ratio) * sqrt(ratio - 1.0)))
        b_psi = -2.0 * b_ratio / (psi * psi)
    else:
        p, beta = (psi - 1.0) / (psi + 1.0), 2.0 / (mean * (psi + 1.0))
        q, e = (1.0 - p) / norm_cdf(-z), beta - slope
        up = b_after if q > 1.0 else 0.0
        after = log(q if q > 1.0 else 1.0) / beta
        inside = p + beta * (1.0 - p) / e
        finite = 1.0 if e > 0.0 else 0.0
        ok = b_moment * finite / (inside if e > 0.0 else 1.0)
        b_p = -up / ((1.0 - p) * beta) + ok * (1.0 - beta / e)
        b_beta = -up * after / beta - ok * (1.0 - p) * slope / (e * e)
        b_slope = ok * beta * (1.0 - p) / (e * e)
        b_psi = b_p * 2.0 / ((psi + 1.0) * (psi + 1.0)) - b_beta * beta / (psi + 1.0)
        b_mean = -b_beta * beta / mean
    b_wide = b_psi / (mean * mean) if wide > _LEAST_SPREAD else 0.0
    b_mean = b_mean - 2.0 * b_psi * psi / mean if raw > _LEAST_MEAN else 0.0
    return (b_mean * step[1] + b_wide * step[2], b_mean * (v - theta), b_wide * v, b_wide, b_mean * (1.0 - step[1]),
            b_slope, finite)  # fmt: skip


@kernel
def _heston_back(
    v: float, after: float, z: Float1D, lev: float, step: Float1D, terms: Float1D, b: float, c: float, met: float,
    sums: Float1D,
) -> tuple[float, float]:  # fmt: skip
    """(derivative by v, by L); sums[1:7] by the row of steps, sums[8:12] by kappa, theta, sigma, rho.

    z: the normals of price and variance; b, c: by log(S / F) and v at the end; met: by the variance met in the step.
    """
    kappa, theta, sigma, rho = terms[0], terms[1], terms[2], terms[3]
    g, base, pull, per = step[4], step[5], step[6], terms[3] / terms[2]
    free, square, tilt = 1.0 - rho * rho, lev * lev, lev * per
    drift = tilt * kappa - 0.5 * square * rho * rho
    slope, inside = g * drift + tilt, base + g * (v + after)
    spread = square * free * inside
    b_spread = 0.5 * b * z[0] / sqrt(spread) if spread > 0.0 else 0.0
    b_inside = b_spread * square * free + met * square + b * (tilt * kappa - 0.5 * square)
    b_lev = (2.0 * (b_spread * free + met) - b) * lev * inside
    b_v, b_after = -b * tilt + b_inside * g, c + b * tilt + b_inside * g
    b_tilt = b * (after - v - pull + kappa * inside)
    back = _qe_back(v, z[1], step, theta, slope, b_after, -b)
    fixed = -b * back[6]  # the martingale correction
    b_tilt -= fixed * (v + pull)
    b_v += fixed * (drift * g - tilt) + back[0]
    b_drift = fixed * (base + g * v) + back[5] * g
    b_tilt += back[5] + b_drift * kappa
    sums[1] += back[1]
    sums[2] += back[2]
    sums[3] += back[3]
    sums[4] += b_inside * (v + after) + fixed * drift * v + back[5] * drift
    sums[5] += b_inside + fixed * drift
    sums[6] += -(b + fixed) * tilt
    sums[8] += b * tilt * inside + b_drift * tilt
    sums[9] += back[4]
    sums[10] -= b_tilt * lev * rho / (sigma * sigma)
    sums[11] += b_tilt * lev / sigma - b_drift * square * rho - 2.0 * b_spread * square * rho * inside
    return b_v, b_lev + b_tilt * per - b_drift * lev * rho * rho


@inlined
def _slope_at(row: Float1D, terms: Float1D, x: float) -> tuple[int, float, float]:
    """Grid cell of x, the share of its right end, and the slope of L there."""
    at = (x - terms[4]) * terms[5]
    inside = at > 0.0 and at < row.size - 1.0
    j = min(int(min(max(at, 0.0), row.size - 1.0)), row.size - 2)
    f = min(max(at, 0.0), row.size - 1.0) - j
    return j, f, (row[j + 1] - row[j]) * terms[5] if inside else 0.0


@kernel
def _walk(w: Float2D, terms: Float1D, steps: Float2D, leverage: Float2D, start: Float2D, kept: Float3D) -> None:
    """As `diffusion_paths`; kept[k]: 0 log(S / F), 1 v, 2 L before step k, 3 and 4 its normals; kept[n]: 0, 1."""
    n, lanes = steps.shape[0], w.shape[1]
    now, v, rows = start[0].copy(), start[1].copy(), np.empty((3, lanes))
    for k in range(n):
        kept[k, 0], kept[k, 1] = now, v
        _leverage(leverage[k], terms, now, kept[k, 2])
        if w.shape[0] > n:
            _increment(w, n, k, steps[k, 0], kept[k, 4])
            _heston_move(now, v, kept[k, 4], kept[k, 2], steps[k], terms, rows)
        else:
            _plain_move(now, v, kept[k, 2], steps[k], rows)
        _increment(w, 0, k, steps[k, 0], kept[k, 3])
        for i in range(lanes):
            now[i] = rows[0, i] + sqrt(rows[1, i]) * kept[k, 3, i]
    kept[n, 0], kept[n, 1] = now, v


@kernel
def diffusion_adjoint(
    w: Float2D, terms: Float1D, steps: Float2D, leverage: Float2D, start: Float2D, by_x: Float2D, by_met: Float2D,
    by_steps: Float2D, by_leverage: Float2D, by_start: Float2D,
) -> None:  # fmt: skip
    """Derivatives of what all paths pay together by the tables of `diffusion_paths`, added to three arrays.

    by_x, by_met: of each path, by log(S / F) at the observations and by the variance met before them; one row an
    observation. by_steps, shape (n + 1, 8): by the table of steps, and in the last row by kappa, theta, sigma, rho;
    by_leverage, shape (n, n_x); by_start, shape (2, lanes): of each path by where it starts.
    """
    n, lanes, moving = steps.shape[0], w.shape[1], w.shape[0] > steps.shape[0]
    kept, sums, z = np.empty((n + 1, 5, lanes)), np.zeros(12), np.empty(2)
    _walk(w, terms, steps, leverage, start, kept)
    b, c, met = np.zeros(lanes), np.zeros(lanes), np.zeros(lanes)
    for k in range(n - 1, -1, -1):
        at, step = int(steps[k, 7]) - 1, steps[k]
        if at >= 0:
            for i in range(lanes):
                b[i] += by_x[at, i]
                met[i] = by_met[at, i]
        for j in range(8):
            sums[j] = 0.0
        for i in range(lanes):
            z[0], z[1] = kept[k, 3, i], kept[k, 4, i]
            v, lev = kept[k, 1, i], kept[k, 2, i]
            if moving:
                c[i], b_lev = _heston_back(v, kept[k + 1, 1, i], z, lev, step, terms, b[i], c[i], met[i], sums)
            else:
                length = step[5] + 2.0 * step[4] * v
                b_lev = b[i] * (z[0] * sqrt(length) - lev * length) + 2.0 * met[i] * lev * length
            if leverage.shape[1] > 0:
                j, f, slope = _slope_at(leverage[k], terms, kept[k, 0, i])
                by_leverage[k, j] += (1.0 - f) * b_lev
                by_leverage[k, j + 1] += f * b_lev
                b[i] += b_lev * slope
        for j in range(8):
            by_steps[k, j] += sums[j]
    for j in range(4):
        by_steps[n, j] += sums[8 + j]
    by_start[0], by_start[1] = b, c


@kernel
def lognormal_adjoint(
    w: Float2D, order: Int2D, weights: Float2D, by_x: Float2D, by_met: Float2D, by_weights: Float2D,
    by_variance: Float1D, by_start: Float1D,
) -> None:  # fmt: skip
    """As `diffusion_adjoint` for x = w - V / 2, w a motion that `order` and `weights` of core.random.brownian make.

    by_weights, shape (n, 3), and by_variance, shape (n,): added, by the weights and by V at each time; by_start, shape
    (lanes,): by log(S / F) at the start. Along a bridge a vol that leaves the variance at the end as it is leaves the
    end of the path where it is, too, and its derivative has little noise.
    """
    n, lanes = w.shape[0], w.shape[1]
    b, past = np.zeros((n + 1, lanes)), np.zeros((n + 1, lanes))
    for i in range(lanes):
        by_start[i] = 0.0
    for k in range(n):
        own, met, before = 0.0, 0.0, 0.0
        for i in range(lanes):
            b[k + 1, i], past[k + 1, i] = by_x[k, i], w[k, i]
            by_start[i] += by_x[k, i]
            own += by_x[k, i]
            met += by_met[k, i]
            before += by_met[k + 1, i] if k + 1 < n else 0.0
        by_variance[k] += met - before - 0.5 * own
    for m in range(n - 1, -1, -1):
        at, left, right = order[m, 0], order[m, 1], order[m, 2]
        a, c, size = weights[m, 0], weights[m, 1], weights[m, 2]
        by_a, by_c, by_z = 0.0, 0.0, 0.0
        for i in range(lanes):
            slope, rest = b[at, i], past[at, i] - a * past[left, i] - c * past[right, i]
            by_a += slope * past[left, i]
            by_c += slope * past[right, i]
            by_z += slope * rest
            b[left, i] += a * slope
            b[right, i] += c * slope
        by_weights[m, 0] += by_a
        by_weights[m, 1] += by_c
        by_weights[m, 2] += by_z / size if size > 0.0 else 0.0


@inlined
def _cell(x: float, z: float, terms: Float1D, shape: tuple[int, int]) -> tuple[int, float, int, float, float]:
    """Node left of x and the share of the next, the same for z, and the slope of the first share in x."""
    y = abs(x) / terms[0]
    root = sqrt(y * y + 1.0)
    u = log(y + root)
    at = ((u if x >= 0.0 else -u) - terms[1]) * terms[2]
    slope = terms[2] / (terms[0] * root) if at > 0.0 and at < shape[0] - 1.0 else 0.0
    at = min(max(at, 0.0), shape[0] - 1.0)
    j = min(int(at), shape[0] - 2)
    where = min(max((z - terms[3]) * terms[4], 0.0), shape[1] - 1.0)
    k = min(int(where), shape[1] - 2)
    return j, at - j, k, where - k, slope


@inlined
def _between(table: Float2D, j: int, f: float, k: int, g: float) -> tuple[float, float]:
    """The bilinear value of a table, and its difference from node j to the next."""
    low = table[j, k] + g * (table[j, k + 1] - table[j, k])
    high = table[j + 1, k] + g * (table[j + 1, k + 1] - table[j + 1, k])
    return low + f * (high - low), high - low


@kernel
def transition_adjoint(
    w: Float2D, scale: Float1D, terms: Float1D, moves: Float3D, spread: Float2D, d_moves: Float3D, d_spread: Float2D,
    by_x: Float2D, by_met: Float2D, by_level: Float1D, by_start: Float1D,
) -> None:  # fmt: skip
    """As `diffusion_adjoint` for `transition_paths` that start at 0.

    d_moves, d_spread: derivatives of the tables by the level of the volatility; by_level, shape (n,): added, by that
    level in each step alone. by_start as in `lognormal_adjoint`.
    """
    n, lanes = scale.size, w.shape[1]
    now, z, shape = np.zeros((n + 1, lanes)), np.empty((n, lanes)), (moves.shape[1], moves.shape[2])
    for k in range(n):
        for i in range(lanes):
            z[k, i] = scale[k] * (w[k, i] - (w[k - 1, i] if k > 0 else 0.0))
            j, f, m, g, _ = _cell(now[k, i], z[k, i], terms, shape)
            now[k + 1, i] = now[k, i] + _between(moves[k], j, f, m, g)[0]
    for i in range(lanes):
        by_start[i] = 0.0
    for k in range(n - 1, -1, -1):
        total = 0.0
        for i in range(lanes):
            b = by_start[i] + by_x[k, i]
            j, f, m, g, slope = _cell(now[k, i], z[k, i], terms, shape)
            wide = d_spread[k, j] + f * (d_spread[k, j + 1] - d_spread[k, j])
            total += b * _between(d_moves[k], j, f, m, g)[0] + by_met[k, i] * wide
            by_start[i] = b * (1.0 + slope * _between(moves[k], j, f, m, g)[1])
            by_start[i] += by_met[k, i] * slope * (spread[k, j + 1] - spread[k, j])
        by_level[k] += total
