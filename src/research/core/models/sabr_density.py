"""The density of arbitrage-free SABR in time, and its derivatives by the parameters, in one sweep.

Finite volumes, Lawson and Swayne's steps in time (Le Floc'h and Kennedy 2017, section 4.5). With the mass m_i of cell
i, its flux q_i = s D_i exp(g_i t) m_i / (2 h), and L_i, R_i one over the distances to its neighbours' centres, a
half-step of length s solves

    m_i + q_i (L_i + R_i) - q_{i-1} R_{i-1} - q_{i+1} L_{i+1} = m_i before,

and what leaves the first and the last cell, q_1 L_1 and q_n R_n, stays at the ends. Differentiated, the same matrix
with other right sides: one elimination serves the mass and all its derivatives.
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from research.arrays import Float1D, Float2D, Float3D
from research.core._jit import kernel
from research.core.math.elementary import exp


@kernel
def _rates(cells: Float2D, slopes: Float3D, share: float, now: float, rate: Float1D, by: Float2D) -> None:
    """rate[i] = s D exp(g t) / (2 h) of each cell, and by[r, i], its derivatives."""
    for i in range(rate.size):
        rate[i] = share * cells[0, i] * exp(cells[1, i] * now)
    for r in range(slopes.shape[0]):
        for i in range(rate.size):
            by[r, i] = rate[i] * (slopes[r, 0, i] + now * slopes[r, 1, i])


@kernel
def _eliminate(cells: Float2D, rate: Float1D, pivot: Float1D, below: Float1D) -> None:
    """LU of the matrix: columns are dominated by their diagonal, so no rows are swapped."""
    n = rate.size
    pivot[0] = 1.0 + rate[0] * (cells[2, 0] + cells[3, 0])
    for i in range(1, n):
        below[i] = -rate[i - 1] * cells[3, i - 1] / pivot[i - 1]
        pivot[i] = 1.0 + rate[i] * (cells[2, i] + cells[3, i]) + below[i] * rate[i] * cells[2, i]


@kernel
def _solve(cells: Float2D, rate: Float1D, pivot: Float1D, below: Float1D, x: Float1D) -> None:
    """x becomes the solution for its right side; the last two values are what stands at the ends, and are left."""
    n = rate.size
    for i in range(1, n):
        x[i] -= below[i] * x[i - 1]
    x[n - 1] /= pivot[n - 1]
    for i in range(n - 2, -1, -1):
        x[i] = (x[i] + rate[i + 1] * cells[2, i + 1] * x[i + 1]) / pivot[i]


@kernel
def _half_step(
    cells: Float2D, slopes: Float3D, rate: Float1D, by: Float2D, pivot: Float1D, below: Float1D, state: Float2D
) -> None:
    """One implicit half-step of all rows of `state`, shape (1 + r, n + 2)."""
    n = rate.size
    _eliminate(cells, rate, pivot, below)
    mass = state[0]
    _solve(cells, rate, pivot, below, mass)
    mass[n] += rate[0] * mass[0] * cells[2, 0]
    mass[n + 1] += rate[n - 1] * mass[n - 1] * cells[3, n - 1]
    for r in range(slopes.shape[0]):
        x = state[1 + r]
        for i in range(n):  # what moves through the two edges of cell i because the rates and the distances move
            left = by[r, i] * mass[i] * cells[2, i] + rate[i] * mass[i] * slopes[r, 2, i]
            right = by[r, i] * mass[i] * cells[3, i] + rate[i] * mass[i] * slopes[r, 3, i]
            x[i] -= left + right
            if i > 0:
                x[i - 1] += left
            else:
                x[n] += left
            if i < n - 1:
                x[i + 1] += right
            else:
                x[n + 1] += right
        _solve(cells, rate, pivot, below, x)
        x[n] += rate[0] * x[0] * cells[2, 0]
        x[n + 1] += rate[n - 1] * x[n - 1] * cells[3, n - 1]


@kernel
def sabr_density(cells: Float2D, slopes: Float3D, tau: float, n_time: int, here: int, out: Float2D) -> None:
    """Fill out[0] with the mass of each of n cells after tau and at the two ends, out[1 + r] with its derivatives.

    cells[0] is D / (2 h), cells[1] the exponent g a year, cells[2] and cells[3] one over the distance of a cell's
    centre to that on its left and right (or to the edge), shape (4, n). slopes has shape (r, 4, n): derivatives of the
    logarithm of the first, of the other three as they are. out has shape (1 + r, n + 2). All mass starts in cell
    `here`.
    """
    n, rows = cells.shape[1], slopes.shape[0]
    rate, pivot, below, by = np.empty(n), np.empty(n), np.zeros(n), np.empty((rows, n))
    state, first = np.zeros((1 + rows, n + 2)), np.empty((1 + rows, n + 2))
    state[0, here] = 1.0
    dt = tau / n_time
    share, two = (1.0 - sqrt(0.5)) * dt, sqrt(2.0)
    for step in range(n_time):
        for inner in range(2):
            _rates(cells, slopes, share, step * dt + (inner + 1) * share, rate, by)
            _half_step(cells, slopes, rate, by, pivot, below, state)
            if inner == 0:
                for r in range(1 + rows):
                    for i in range(n + 2):
                        first[r, i] = state[r, i]
        for r in range(1 + rows):
            for i in range(n + 2):
                state[r, i] = (two + 1.0) * state[r, i] - two * first[r, i]
    for r in range(1 + rows):
        for i in range(n + 2):
            out[r, i] = state[r, i]
