"""SABR on implied vols, slice by slice: analytic gradient, Levenberg-Marquardt, slices in parallel.

Searched are alpha, rho, nu within bounds, beta given. The start is read off the smile: with k = log(K / F) and
lambda = nu / (alpha F^(beta-1)) the expansion of Hagan et al. (2002), eq. (2.18),

    vol = vol0 (1 + (rho lambda - (1 - beta)) k / 2 + ((1 - beta)^2 + (2 - 3 rho^2) lambda^2) k^2 / 12),

is matched by a weighted parabola through the quotes.
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from research.arrays import Float1D, Float2D, Int1D
from research.core._jit import kernel
from research.core.calibration.levenberg_marquardt import (
    CONVERGED,
    MAX_DAMPING,
    MAX_ITERATIONS,
    START_DAMPING,
    STUCK,
    damped_step,
    free_parameters,
    next_damping,
    normal_equations,
    predicted_decrease,
    solve_positive,
)
from research.core.math.elementary import log
from research.core.math.linear import copy, copy_rows
from research.core.models.sabr import sabr_geometry, sabr_vol_gradient

_N = 3
_RHO_MAX = 0.9999
_SMALL_STEP = 1e-12
_SMALL_GAIN = 1e-15  # of the sum of squares


@kernel
def sabr_start(forward: float, strike: Float1D, vol: Float1D, weight: Float1D, beta: float, x: Float1D) -> None:
    """Fill x = (alpha, rho, nu) from the level, slope and bend of a weighted parabola in log(K / F)."""
    n = strike.size
    basis, target = np.empty((3, n)), np.empty(n)
    for i in range(n):
        k = log(strike[i] / forward)
        basis[0, i], basis[1, i], basis[2, i] = weight[i], weight[i] * k, weight[i] * k * k
        target[i] = -weight[i] * vol[i]
    matrix, gradient, best = np.empty((3, 3)), np.empty(3), np.empty(3)
    normal_equations(basis, target, matrix, gradient)
    for j in range(3):
        matrix[j, j] *= 1.0 + 1e-12
        gradient[j] = -gradient[j]
    level = 0.0
    for i in range(n):
        level += vol[i] / n
    slope, curve = 0.0, 0.0
    if solve_positive(matrix, gradient, best) and best[0] > 0.1 * level:
        level, slope, curve = best[0], best[1] / best[0], best[2] / best[0]
    one = 1.0 - beta
    tilt = 2.0 * slope + one  # rho lambda
    square = max(0.5 * (12.0 * curve - one * one + 3.0 * tilt * tilt), 1.2 * tilt * tilt, 1e-4)
    size = sqrt(square)
    _, _, middle = sabr_geometry(forward, forward, beta, 0.0)
    x[0] = level * middle
    x[1] = min(max(tilt / size, -0.95), 0.95)
    x[2] = size * level


@kernel
def sabr_residuals(
    x: Float1D, geometry: Float2D, vol: Float1D, weight: Float1D, tau: float, beta: float, residual: Float1D,
    jacobian: Float2D,
) -> float:  # fmt: skip
    """Fill residual = weight (model vol - vol) and jacobian, shape (3, n); the sum of squares."""
    alpha, rho, nu = x[0], x[1], x[2]
    for i in range(vol.size):
        model, by_alpha, by_rho, by_nu = sabr_vol_gradient(
            geometry[0, i], geometry[1, i], geometry[2, i], tau, alpha, beta, rho, nu
        )
        residual[i] = weight[i] * (model - vol[i])
        jacobian[0, i], jacobian[1, i], jacobian[2, i] = weight[i] * by_alpha, weight[i] * by_rho, weight[i] * by_nu
    total = 0.0
    for i in range(vol.size):
        total += residual[i] * residual[i]
    return total


@kernel
def sabr_fit(
    forward: float, strike: Float1D, vol: Float1D, weight: Float1D, tau: float, beta: float, hagan: float,
    box: Float2D, max_iter: int, x: Float1D, jacobian: Float2D,
) -> tuple[float, int, int]:  # fmt: skip
    """Fill x = (alpha, rho, nu) and the Jacobian there: (sum of squares, status, iterations). `weight` is a root.

    box, shape (2, 3): bounds beside those of the model.
    """
    n = strike.size
    geometry, residual = np.empty((3, n)), np.empty(n)
    trial_residual, trial_jacobian = np.empty(n), np.empty((_N, n))
    matrix, gradient, step, work = np.empty((_N, _N)), np.empty(_N), np.empty(_N), np.empty((_N + 1, _N))
    free, trial, lower, upper = np.empty(_N, np.int64), np.empty(_N), np.empty(_N), np.empty(_N)
    for i in range(n):
        geometry[0, i], geometry[1, i], geometry[2, i] = sabr_geometry(forward, strike[i], beta, hagan)
    sabr_start(forward, strike, vol, weight, beta, trial)
    lower[0], lower[1], lower[2] = 1e-4 * trial[0], -_RHO_MAX, 0.0
    upper[0], upper[1], upper[2] = 1e3 * trial[0], _RHO_MAX, 100.0 / sqrt(tau)
    given = x[0] > 0.0
    for j in range(_N):
        x[j] = x[j] if given else trial[j]
        lower[j], upper[j] = max(lower[j], box[0, j]), min(upper[j], box[1, j])
        x[j] = min(max(x[j], lower[j]), upper[j])
    sse = sabr_residuals(x, geometry, vol, weight, tau, beta, residual, jacobian)
    if not sse < np.inf:
        return sse, STUCK, 0
    damping, growth = START_DAMPING, 2.0
    for iteration in range(max_iter):
        normal_equations(jacobian, residual, matrix, gradient)
        free_parameters(x, gradient, lower, upper, free)
        moved = False
        while not moved:
            gain = -1.0
            if damped_step(x, matrix, gradient, damping, free, lower, upper, work, step):
                longest = 0.0
                for j in range(_N):
                    trial[j] = x[j] + step[j]
                    longest = max(longest, abs(step[j]) / (abs(x[j]) + 1e-8))
                expected = predicted_decrease(matrix, gradient, step)
                if longest < _SMALL_STEP or abs(expected) <= _SMALL_GAIN * sse:  # cut at a bound it may be < 0
                    return sse, CONVERGED, iteration
                after = sabr_residuals(trial, geometry, vol, weight, tau, beta, trial_residual, trial_jacobian)
                gain = (sse - after) / expected if expected > 0.0 and after < np.inf else -1.0
                moved = gain > 0.0
            damping, growth = next_damping(damping, growth, gain)
            if not moved and damping >= MAX_DAMPING:
                return sse, STUCK, iteration
        sse = after
        copy(trial, x)
        copy(trial_residual, residual)
        copy_rows(trial_jacobian, jacobian)
    return sse, MAX_ITERATIONS, max_iter


@kernel
def sabr_fits(
    begin: int, end: int, forward: Float1D, tau: Float1D, first: Int1D, quotes: Float2D, beta: float,
    hagan: float, box: Float2D, max_iter: int, out: Float2D,
) -> None:  # fmt: skip
    """Fit slices begin..end of m; slice s has the quotes first[s]..first[s+1] of strike, vol and weight, shape (3, n).

    out[s], shape (m, 9): alpha, rho, nu, sum of squares, status, iterations, and three standard errors (nan on a
    bound or with no quote to spare). The first three are read as the start, 0 for a search that finds its own.
    """
    strike, vol, weight = quotes[0], quotes[1], quotes[2]
    for s in range(begin, end):
        start, stop = first[s], first[s + 1]
        x, jacobian = np.empty(_N), np.empty((_N, stop - start))
        for j in range(_N):
            x[j] = out[s, j]
        sse, status, n_iter = sabr_fit(
            forward[s],
            strike[start:stop],
            vol[start:stop],
            weight[start:stop],
            tau[s],
            beta,
            hagan,
            box,
            max_iter,
            x,
            jacobian,
        )
        out[s, 0], out[s, 1], out[s, 2] = x[0], x[1], x[2]
        out[s, 3], out[s, 4], out[s, 5] = sse, float(status), float(n_iter)
        sabr_errors(jacobian, sse, x, box, out[s, 6:9])


@kernel
def sabr_errors(jacobian: Float2D, sse: float, x: Float1D, box: Float2D, out: Float1D) -> None:
    """Standard errors from J'J; nan where a parameter stands on its bound, or nothing is left to judge by."""
    n = jacobian.shape[1]
    matrix, gradient, unit, column = np.empty((_N, _N)), np.empty(_N), np.empty(_N), np.empty(_N)
    bound = abs(x[1]) >= _RHO_MAX or x[2] <= 0.0
    for j in range(_N):
        bound = bound or x[j] <= box[0, j] or x[j] >= box[1, j]
        out[j] = np.nan
    if n <= _N or bound:
        return
    zero = np.zeros(n)
    for j in range(_N):
        normal_equations(jacobian, zero, matrix, gradient)  # solve_positive destroys it
        unit[:] = 0.0
        unit[j] = 1.0
        if solve_positive(matrix, unit, column):
            out[j] = sqrt(column[j] * sse / (n - _N))
