"""Paths of a local volatility by the law of each step: quantiles from the backward equation, looked up by the normal.

    dX = -a / 2 dt + sqrt(a) dW,    a(t, X) the local variance,    X = log(S / F)

The law of X at the end of a step, from each node x_i, is a row of the matrix P = exp(integral of L), L the generator on
the nodes, differenced in S so that it leaves 1 and S alone: each row is a law of mean S. P is made by the L-stable
method of two stages and second order (Alexander), which keeps the second and fourth moment. Its quantiles at equal
points of a standard normal z make a table d(x, z) of moves, bilinear between the nodes; each row is rescaled to the
variance of P and shifted until E[exp(d)] = 1. However rough a is, nothing is frozen over a step, so a step may be as
long as the time between two observations.

Nodes: x_i = c sinh(u_i), u_i equal steps. terms: 0 c, 1 u_0, 2 nodes a unit of u, 3 z_0, 4 points a unit of z.

References
----------
Alexander (1977), "Diagonally implicit Runge-Kutta methods for stiff ODEs", SIAM J. Numer. Anal. 14, 1006-1021.
Andreasen, Huge (2011), "Volatility interpolation", Risk 24(3), 76-79 (why a local vol may be this rough).
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from research.arrays import Float1D, Float2D, Float3D
from research.core._jit import inlined, kernel
from research.core.math.elementary import exp, log

_GAMMA = 0.2928932188134524  # 1 - 1 / sqrt(2)
_MIX = 2.414213562373095  # (1 - gamma) / gamma
FINE = 4  # points between two of z at which a row is integrated


@inlined
def _solve(lower: Float1D, upper: Float1D, factor: Float1D, band: int, p: Float2D) -> None:
    """p = (I - h L)^-1 p, all columns at once; interior rows: -lower, 1 + lower + upper, -upper; ends: identity.

    Only columns within `band` of the diagonal: what lies further off is below rounding.
    """
    n = p.shape[0]
    factor[0] = 0.0
    for i in range(1, n - 1):
        pivot = 1.0 / (1.0 + lower[i] + upper[i] - lower[i] * factor[i - 1])
        factor[i] = upper[i] * pivot
        low, here, before = lower[i], p[i], p[i - 1]
        for j in range(max(i - band, 0), min(i + band, n)):
            here[j] = (here[j] + low * before[j]) * pivot
    for i in range(n - 2, 0, -1):
        f, here, after = factor[i], p[i], p[i + 1]
        for j in range(max(i - band, 0), min(i + band, n)):
            here[j] += f * after[j]


@inlined
def _law(s: Float1D, variance: Float2D, dt: Float1D, band: int, p: Float2D) -> None:
    """p = the law at the end of the step from each node, one row a node; variance, shape (n_sub, n)."""
    n = s.size
    lower, upper, factor, before = np.zeros(n), np.zeros(n), np.empty(n), np.empty((n, n))
    for i in range(n):
        for j in range(n):
            p[i, j] = 1.0 if i == j else 0.0
    for k in range(dt.size - 1, -1, -1):
        h = _GAMMA * dt[k]
        for i in range(1, n - 1):
            a, b = s[i] - s[i - 1], s[i + 1] - s[i]
            scale = h * variance[k, i] * s[i] * s[i] / (a + b)
            lower[i], upper[i] = scale / a, scale / b
        for stage in range(2):
            for i in range(n):
                for j in range(max(i - band, 0), min(i + band, n)):
                    if stage == 0:
                        before[i, j] = p[i, j]
                    else:
                        p[i, j] = before[i, j] + _MIX * (p[i, j] - before[i, j])
            _solve(lower, upper, factor, band, p)


@inlined
def _quantiles(x: Float1D, p: Float1D, here: float, levels: Float1D, out: Float1D) -> None:
    """Moves to the quantiles: the distribution is linear between nodes, where it counts half of their mass."""
    n, j = x.size, 0
    left, right, total = 0.0, 0.5 * p[0], 0.0
    for k in range(n):
        total += p[k]
    at_left, at_right = x[0], x[0]
    for m in range(levels.size):
        aim = levels[m] * total
        while right < aim and j < n - 1:
            left, at_left = right, at_right
            right += 0.5 * (p[j] + p[j + 1])
            j += 1
            at_right = x[j]
        gap = right - left
        share = (aim - left) / gap if gap > 1e-300 else 1.0
        out[m] = at_left + min(max(share, 0.0), 1.0) * (at_right - at_left) - here


@inlined
def _tune(x: Float1D, p: Float1D, weights: Float1D, out: Float1D) -> float:
    """Give the row of moves the variance of p and a mean of exp of 1; the variance."""
    total, mean, square = 0.0, 0.0, 0.0
    for j in range(x.size):
        total += p[j]
        mean += p[j] * x[j]
    mean /= total
    for j in range(x.size):
        square += p[j] * (x[j] - mean) * (x[j] - mean)
    variance = max(square / total, 0.0)
    centre, spread = 0.0, 0.0
    for m in range(weights.size):
        k, u = m // FINE, (m % FINE) / FINE
        centre += weights[m] * (out[k] + u * (out[min(k + 1, out.size - 1)] - out[k]))
    for m in range(weights.size):
        k, u = m // FINE, (m % FINE) / FINE
        move = out[k] + u * (out[min(k + 1, out.size - 1)] - out[k]) - centre
        spread += weights[m] * move * move
    scale = sqrt(variance / spread) if spread > 1e-300 else 1.0
    for k in range(out.size):
        out[k] = scale * (out[k] - centre)
    lifted = 0.0
    for m in range(weights.size):
        k, u = m // FINE, (m % FINE) / FINE
        lifted += weights[m] * exp(out[k] + u * (out[min(k + 1, out.size - 1)] - out[k]))
    fix = log(lifted)
    for k in range(out.size):
        out[k] -= fix
    return variance


@kernel
def transition_tables(
    x: Float1D, variance: Float2D, dt: Float1D, band: int, levels: Float1D, weights: Float1D, moves: Float2D,
    spread: Float1D,
) -> None:  # fmt: skip
    """Fill moves, shape (n, m), and spread, shape (n,): the variance of the move from each node over one step.

    variance, shape (n_sub, n), and dt, shape (n_sub,): the mean local variance and the length of each part of the step.
    band: nodes within which a step ends. levels, shape (m,): probabilities at equal points of z; weights, shape
    (4 m - 3,): of these points and three between two of them.
    """
    n = x.size
    p, s, row = np.empty((n, n)), np.empty(n), np.empty(n)
    for i in range(n):
        s[i] = exp(x[i])
    _law(s, variance, dt, band, p)
    for i in range(n):
        for j in range(n):
            row[j] = max(p[i, j], 0.0)
        _quantiles(x, row, x[i], levels, moves[i])
        spread[i] = _tune(x, row, weights, moves[i])


@inlined
def _move(now: Float1D, z: Float1D, terms: Float1D, moves: Float2D, spread: Float1D, total: Float1D) -> None:
    """now moves by the table; total grows by the variance of the move."""
    n, m = moves.shape[0], moves.shape[1]
    for i in range(now.size):
        y = abs(now[i]) / terms[0]
        u = log(y + sqrt(y * y + 1.0))
        at = ((u if now[i] >= 0.0 else -u) - terms[1]) * terms[2]
        at = min(max(at, 0.0), n - 1.0)
        j = min(int(at), n - 2)
        f = at - j
        where = min(max((z[i] - terms[3]) * terms[4], 0.0), m - 1.0)
        k = min(int(where), m - 2)
        g = where - k
        low = moves[j, k] + g * (moves[j, k + 1] - moves[j, k])
        high = moves[j + 1, k] + g * (moves[j + 1, k + 1] - moves[j + 1, k])
        total[i] = spread[j] + f * (spread[j + 1] - spread[j])
        now[i] += low + f * (high - low)


@kernel
def transition_paths(
    w: Float2D, scale: Float1D, terms: Float1D, moves: Float3D, spread: Float2D, start: Float1D, x: Float2D,
    exposed: Float2D,
) -> None:  # fmt: skip
    """Fill x and exposed, one row a step, one column a path: log(S / F), and the variance of the move that led there.

    w, shape (n_steps, n_paths): the motion at the end of each step; scale: 1 / sqrt of the length of each.
    """
    lanes = w.shape[1]
    now, z = start.copy(), np.empty(lanes)
    for k in range(scale.size):
        for i in range(lanes):
            z[i] = scale[k] * (w[k, i] - (w[k - 1, i] if k > 0 else 0.0))
        _move(now, z, terms, moves[k], spread[k], exposed[k])
        for i in range(lanes):
            x[k, i] = now[i]
