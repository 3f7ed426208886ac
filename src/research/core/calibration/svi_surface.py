"""Raw SVI slices fitted together, with arbitrage made expensive: least squares plus one-sided quadratic penalties.

Parameters are (w_m, left, right, m, sigma) of each slice in turn, as in `svi`. On a grid of k the penalties ask for

    g(k) >= margin                                   butterflies (Gatheral & Jacquier 2014, eq. 2.1)
    g(k) >= margin of (1 - s) w + s w_next           butterflies between expiries, where they are asked for
    w_next(k) >= w(k), left and right not falling    calendars: slices that do not cross, out to infinity
    min w >= floor                                   a variance; near 0 the density has ever narrower dips

A residual strength * max(0, violation) is smooth enough for Levenberg-Marquardt; its gradient is analytic. J'J is
assembled in blocks: a row touches one slice, or two neighbours.
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from research.arrays import Float1D, Float2D, Int1D
from research.core._jit import inlined, kernel
from research.core.calibration.levenberg_marquardt import (
    CONVERGED,
    MAX_ITERATIONS,
    START_DAMPING,
    STUCK,
    damped_step,
    free_parameters,
    next_damping,
    predicted_decrease,
)
from research.core.math.linear import copy, copy_rows

_N = 5
_INF = float("inf")
_G_MARGIN = 1e-3
_PARTS = 4  # of the time between two expiries, for the penalties there
_W_MARGIN = 1e-6  # total variance
_SLOPE_MARGIN = 1e-6


@inlined
def _shape(x: Float1D, i: int, k: float, value: Float1D, by: Float2D) -> None:
    """value = (w, w', w'') of slice i at k, and by[j] its derivatives by the five parameters, shape (3, 5)."""
    level, left, right, m, sigma = x[i], x[i + 1], x[i + 2], x[i + 3], x[i + 4]
    tilt, half = 0.5 * (right - left), 0.5 * (left + right)
    d = k - m
    root = sqrt(d * d + sigma * sigma)
    u = 1.0 / root
    bend = sigma * sigma * u * u * u
    value[0] = level + tilt * d + half * (root - sigma)
    value[1] = tilt + half * d * u
    value[2] = half * bend
    by[0, 0], by[1, 0], by[2, 0] = 1.0, 0.0, 0.0
    by[0, 1], by[1, 1], by[2, 1] = 0.5 * (root - sigma - d), 0.5 * (d * u - 1.0), 0.5 * bend
    by[0, 2], by[1, 2], by[2, 2] = 0.5 * (root - sigma + d), 0.5 * (d * u + 1.0), 0.5 * bend
    by[0, 3], by[1, 3], by[2, 3] = -value[1], -value[2], 3.0 * half * bend * d * u * u
    by[0, 4] = half * (sigma * u - 1.0)
    by[1, 4] = -half * d * sigma * u * u * u
    by[2, 4] = half * sigma * u * u * u * (2.0 - 3.0 * sigma * sigma * u * u)


@inlined
def _durrleman(k: float, value: Float1D, by: Float2D, row: Float1D) -> float:
    """g at k, and row its derivatives by the parameters of the slice, or of the two that it lies between."""
    w, slope = value[0], value[1]
    lean = 1.0 - 0.5 * k * slope / w
    by_w = lean * k * slope / (w * w) + 0.25 * slope * slope / (w * w)
    by_slope = -lean * k / w - 0.5 * slope * (1.0 / w + 0.25)
    for j in range(by.shape[1]):
        row[j] = by_w * by[0, j] + by_slope * by[1, j] + 0.5 * by[2, j]
    return lean * lean - 0.25 * slope * slope * (1.0 / w + 0.25) + 0.5 * value[2]


@inlined
def _add(i: int, p: int, residual: float, row: Float1D, matrix: Float2D, gradient: Float1D) -> None:
    """Add one residual to J'J and J'r: it depends on parameters i .. i + p - 1 through row[:p]."""
    for a in range(p):
        gradient[i + a] += row[a] * residual
        for b in range(p):
            matrix[i + a, i + b] += row[a] * row[b]


@inlined
def _add_quotes(
    x: Float1D, i: int, k: Float1D, vol: Float1D, root_weight: Float1D, tau: float, matrix: Float2D, gradient: Float1D
) -> float:
    """Vol residuals of one slice; inf where w <= 0."""
    value, by, row = np.empty(3), np.empty((3, _N)), np.empty(_N)
    total = 0.0
    for q in range(k.size):
        _shape(x, i, k[q], value, by)
        if not value[0] > 0.0:
            return _INF
        model = sqrt(value[0] / tau)
        residual = root_weight[q] * (model - vol[q])
        for j in range(_N):
            row[j] = root_weight[q] / (2.0 * model * tau) * by[0, j]
        _add(i, _N, residual, row, matrix, gradient)
        total += residual * residual
    return total


@inlined
def _add_butterflies(x: Float1D, i: int, grid: Float1D, strength: float, matrix: Float2D, gradient: Float1D) -> float:
    """Penalty of one slice for g below its margin; inf where w <= 0."""
    value, by, row = np.empty(3), np.empty((3, _N)), np.empty(_N)
    total = 0.0
    for q in range(grid.size):
        _shape(x, i, grid[q], value, by)
        if not value[0] > 0.0:
            return _INF
        short = _G_MARGIN - _durrleman(grid[q], value, by, row)
        if short > 0.0:
            for j in range(_N):
                row[j] *= -strength
            _add(i, _N, strength * short, row, matrix, gradient)
            total += strength * short * strength * short
    return total


@inlined
def _add_between(x: Float1D, i: int, grid: Float1D, strength: float, matrix: Float2D, gradient: Float1D) -> float:
    """Penalty of slice i / 5 and the next for g of their mixtures below its margin."""
    near, far, value, row = np.empty(3), np.empty(3), np.empty(3), np.empty(2 * _N)
    by_near, by_far, by = np.empty((3, _N)), np.empty((3, _N)), np.empty((3, 2 * _N))
    total = 0.0
    for q in range(grid.size):
        _shape(x, i, grid[q], near, by_near)
        _shape(x, i + _N, grid[q], far, by_far)
        for part in range(1, _PARTS):
            s = part / _PARTS
            for d in range(3):
                value[d] = near[d] + s * (far[d] - near[d])
                for j in range(_N):
                    by[d, j], by[d, _N + j] = (1.0 - s) * by_near[d, j], s * by_far[d, j]
            short = _G_MARGIN - _durrleman(grid[q], value, by, row)
            if short > 0.0:
                for j in range(2 * _N):
                    row[j] *= -strength
                _add(i, 2 * _N, strength * short, row, matrix, gradient)
                total += strength * short * strength * short
    return total


@inlined
def _add_floor(x: Float1D, i: int, floor: float, strength: float, matrix: Float2D, gradient: Float1D) -> float:
    """Penalty of one slice for a least total variance below `floor`."""
    level, left, right, sigma = x[i], x[i + 1], x[i + 2], x[i + 4]
    mean = sqrt(left * right)
    short = floor - (level + sigma * (mean - 0.5 * (left + right)))
    if not short > 0.0:
        return 0.0
    row = np.empty(_N)
    row[0] = -strength
    row[1] = -strength * sigma * 0.5 * (right / mean - 1.0)
    row[2] = -strength * sigma * 0.5 * (left / mean - 1.0)
    row[3] = 0.0
    row[4] = -strength * (mean - 0.5 * (left + right))
    _add(i, _N, strength * short, row, matrix, gradient)
    return strength * short * strength * short


@inlined
def _add_calendar(x: Float1D, i: int, grid: Float1D, strength: float, matrix: Float2D, gradient: Float1D) -> float:
    """Penalty of slice i / 5 and the next for crossing, and for wings that get flatter."""
    value, by, row = np.empty(3), np.empty((3, _N)), np.empty(2 * _N)
    total = 0.0
    for q in range(grid.size):
        scale = strength / (1.0 + abs(grid[q]))
        _shape(x, i, grid[q], value, by)
        short = _W_MARGIN + value[0]
        for j in range(_N):
            row[j] = scale * by[0, j]
        _shape(x, i + _N, grid[q], value, by)
        short = scale * (short - value[0])
        if short > 0.0:
            for j in range(_N):
                row[_N + j] = -scale * by[0, j]
            _add(i, 2 * _N, short, row, matrix, gradient)
            total += short * short
    for side in range(1, 3):
        short = strength * (_SLOPE_MARGIN + x[i + side] - x[i + _N + side])
        if short > 0.0:
            row[:] = 0.0
            row[side], row[_N + side] = strength, -strength
            _add(i, 2 * _N, short, row, matrix, gradient)
            total += short * short
    return total


@kernel
def svi_surface_terms(
    x: Float1D, offset: Int1D, k: Float1D, vol: Float1D, root_weight: Float1D, tau: Float1D, floor: Float1D,
    grid: Float1D, strength: Float1D, matrix: Float2D, gradient: Float1D,
) -> float:  # fmt: skip
    """Fill matrix = J'J and gradient = J'r over quotes and penalties; the objective, inf where some w <= 0.

    Slice s has quotes offset[s] .. offset[s + 1] - 1; strength holds those of (floor, butterflies, calendars,
    butterflies between expiries).
    """
    matrix[:] = 0.0
    gradient[:] = 0.0
    total, n = 0.0, tau.size
    for s in range(n):
        i, lo, hi = _N * s, offset[s], offset[s + 1]
        total += _add_quotes(x, i, k[lo:hi], vol[lo:hi], root_weight[lo:hi], tau[s], matrix, gradient)
        total += _add_floor(x, i, floor[s], strength[0], matrix, gradient)
        if strength[1] > 0.0:
            total += _add_butterflies(x, i, grid, strength[1], matrix, gradient)
        if strength[2] > 0.0 and s + 1 < n:
            total += _add_calendar(x, i, grid, strength[2], matrix, gradient)
        if strength[3] > 0.0 and s + 1 < n:
            total += _add_between(x, i, grid, strength[3], matrix, gradient)
    return total


@kernel
def svi_surface_climb(
    x: Float1D, offset: Int1D, k: Float1D, vol: Float1D, root_weight: Float1D, tau: Float1D, floor: Float1D,
    grid: Float1D, strength: Float1D, lower: Float1D, upper: Float1D, max_iter: int,
) -> tuple[float, int, int]:  # fmt: skip
    """Levenberg-Marquardt from x, which it moves: (objective, status, iterations)."""
    p = x.size
    matrix, gradient = np.empty((p, p)), np.empty(p)
    trial_matrix, trial_gradient = np.empty((p, p)), np.empty(p)
    work, step, trial, free = np.empty((p + 1, p)), np.empty(p), np.empty(p), np.empty(p, np.int64)
    value = svi_surface_terms(x, offset, k, vol, root_weight, tau, floor, grid, strength, matrix, gradient)
    if not value < _INF:
        return value, STUCK, 0
    damping, growth = START_DAMPING, 2.0
    flat = 0
    for iteration in range(max_iter):
        free_parameters(x, gradient, lower, upper, free)
        steep = 0.0
        for j in range(p):
            if free[j] == 1 and matrix[j, j] > 0.0:
                steep = max(steep, gradient[j] * gradient[j] / matrix[j, j])
        if steep <= 1e-16 * value:
            return value, CONVERGED, iteration
        moved = False
        after = value
        while not moved:
            gain = -1.0
            if damped_step(x, matrix, gradient, damping, free, lower, upper, work, step):
                expected = predicted_decrease(matrix, gradient, step)
                if 0.0 < expected <= 1e-14 * value:
                    return value, CONVERGED, iteration
                for j in range(p):
                    trial[j] = x[j] + step[j]
                after = svi_surface_terms(
                    trial, offset, k, vol, root_weight, tau, floor, grid, strength, trial_matrix, trial_gradient
                )
                gain = (value - after) / expected if expected > 0.0 and after < _INF else -1.0
                moved = gain > 0.0
            damping, growth = next_damping(damping, growth, gain)
            if not moved and damping >= 1e12:
                return value, STUCK, iteration
        flat = flat + 1 if value - after < 1e-10 * value else 0
        value = after
        copy(trial, x)
        copy_rows(trial_matrix, matrix)
        copy(trial_gradient, gradient)
        if flat >= 5:
            return value, CONVERGED, iteration + 1
    return value, MAX_ITERATIONS, max_iter
