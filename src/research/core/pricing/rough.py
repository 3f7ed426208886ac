"""Rough Bergomi paths: the Volterra motion on any grid, the variance, and what a price needs given the variance.

    x(t) = sum of mean[i, j] dw_j + sum of rest[i, j] z_j,    V = xi exp(eta x - eta^2 var / 2)

`mean` takes the part of x(t_i+1) that the increments dw of the driving motion explain (the average of the kernel over
each step), `rest` the part they do not: its diagonal alone is the hybrid scheme with kappa = 1, its whole lower
triangle (the Cholesky factor of what is left) gives the exact covariance. The sums are direct: with some hundred steps
and paths in lanes they cost less than a Fourier transform. Of a path the kernel keeps, at the flagged steps,

    log of S1 = sum of rho sqrt(V) dw - rho^2 V dt / 2,    Q = sum of V dt,

of the path and of its mirror image (-dw, -z): given these the spot is lognormal.

References
----------
Bayer, Friz, Gatheral (2016), "Pricing under rough volatility", Quantitative Finance 16, 887-904.
Bennedsen, Lunde, Pakkanen (2017), "Hybrid scheme for Brownian semistationary processes", Finance Stoch. 21, 931-965.
McCrickerd, Pakkanen (2018), "Turbocharging Monte Carlo pricing for the rough Bergomi model", Quant. Finance 18.
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from research.arrays import Float1D, Float2D
from research.core._jit import inlined, kernel
from research.core.math.elementary import exp

LANES = 64  # paths walked together: a few rows stay in the first-level cache


@inlined
def _add_rows(weights: Float1D, first: int, last: int, rows: Float2D, out: Float1D) -> None:
    """out += sum of weights[j] rows[j], first <= j < last: four rows at a time, in order."""
    j = first
    while j + 4 <= last:
        a, b, c, d = weights[j], weights[j + 1], weights[j + 2], weights[j + 3]
        for k in range(out.size):
            out[k] = out[k] + a * rows[j, k] + b * rows[j + 1, k] + c * rows[j + 2, k] + d * rows[j + 3, k]
        j += 4
    while j < last:
        for k in range(out.size):
            out[k] += weights[j] * rows[j, k]
        j += 1


@inlined
def _step(x: Float1D, dw: Float1D, step: Float1D, params: Float1D, state: Float2D) -> None:
    """Move (log S1, Q, their mirror images) over one step; step: dt, xi, variance of x at its start."""
    dt, xi, eta, rho = step[0], step[1], params[0], params[1]
    level, half = xi * exp(-0.5 * eta * eta * step[2]), 0.5 * rho * rho * dt
    for k in range(x.size):
        e = exp(eta * x[k])
        v, mirror = level * e, level / e
        state[0, k] += rho * sqrt(v) * dw[k] - half * v
        state[1, k] += v * dt
        state[2, k] -= rho * sqrt(mirror) * dw[k] + half * mirror
        state[3, k] += mirror * dt


@kernel
def rough_paths(motion: Float2D, mean: Float2D, rest: Float2D, steps: Float2D, params: Float1D, out: Float2D) -> None:
    """Fill out, shape (4 n_kept, n_paths): rows 4 k to 4 k + 3 hold log S1, Q and their mirror images.

    motion, shape (2 n, n_paths): w at the end of each step, then z. mean, rest, shape (n, n): lower triangles; `rest`
    is read from the first entry of a row that is not 0. steps, shape (n, 4): dt, xi, variance of x at the start of the
    step, 1.0 where the end of the step is kept. params: eta, rho.
    """
    n = steps.shape[0]
    weights, begin = np.empty((2, n, n)), np.zeros((2, n), np.int64)
    weights[0], weights[1] = mean, rest
    for i in range(n):
        while begin[1, i] < i and rest[i, begin[1, i]] == 0.0:
            begin[1, i] += 1
    for start in range(0, out.shape[1], LANES):
        lanes, kept = min(LANES, out.shape[1] - start), 0
        rows = np.empty((2, n, lanes))  # increments of w, and z
        x, state = np.zeros(lanes), np.zeros((4, lanes))
        for i in range(n):
            for k in range(lanes):
                before = motion[i - 1, start + k] if i > 0 else 0.0
                rows[0, i, k] = motion[i, start + k] - before
                rows[1, i, k] = motion[n + i, start + k]
        for i in range(n):
            _step(x, rows[0, i], steps[i], params, state)
            if steps[i, 3] > 0.0:
                for row in range(4):
                    for k in range(lanes):
                        out[4 * kept + row, start + k] = state[row, k]
                kept += 1
            x[:] = 0.0
            for s in range(2):  # one place, compiled once
                _add_rows(weights[s, i], begin[s, i], i + 1, rows[s], x)
