"""Least squares for one raw SVI slice: a grid of linear fits, then Levenberg-Marquardt with analytic gradient.

The search runs in (w_m, left, right, m, sigma): total variance at k = m and the two wing slopes,

    w(k) = w_m + (right - left) / 2 x + (left + right) / 2 (sqrt(x^2 + sigma^2) - sigma),    x = k - m,

where every condition on a slice but w >= 0 is a bound on one parameter (Lee: slopes in [0, 2]). At given (m, sigma)
the slice is linear in the other three: each start solves a 3 x 3 system (De Marco & Martini 2009, "Quasi-explicit
calibration of Gatheral's SVI model", Zeliade Systems).
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from research.arrays import Float1D, Float2D
from research.core._jit import inlined, kernel
from research.core.calibration.levenberg_marquardt import (
    CONVERGED,
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

_N = 5
_INF = float("inf")


@inlined
def svi_residuals(
    x: Float1D, k: Float1D, vol: Float1D, root_weight: Float1D, tau: float, residual: Float1D, jacobian: Float2D
) -> float:
    """Fill residual = root_weight (model vol - vol) and jacobian, shape (5, n); the sum of squares, inf if a w <= 0."""
    level, left, right, m, sigma = x[0], x[1], x[2], x[3], x[4]
    tilt, half = 0.5 * (right - left), 0.5 * (left + right)
    least = _INF
    for i in range(k.size):  # in lanes: nothing is summed here
        d = k[i] - m
        root = sqrt(d * d + sigma * sigma)
        w = level + tilt * d + half * (root - sigma)
        model = sqrt(w / tau)
        residual[i] = root_weight[i] * (model - vol[i])
        by_w = root_weight[i] / (2.0 * model * tau)
        jacobian[0, i] = by_w
        jacobian[1, i] = by_w * 0.5 * (root - sigma - d)
        jacobian[2, i] = by_w * 0.5 * (root - sigma + d)
        jacobian[3, i] = by_w * (-tilt - half * d / root)
        jacobian[4, i] = by_w * half * (sigma / root - 1.0)
    total = 0.0
    for i in range(k.size):
        d = k[i] - m
        least = min(least, level + tilt * d + half * (sqrt(d * d + sigma * sigma) - sigma))
        total += residual[i] * residual[i]
    if not least > 0.0:
        return _INF
    return total


@inlined
def svi_start(
    k: Float1D, vol: Float1D, root_weight: Float1D, tau: float, lower: Float1D, upper: Float1D, m: float, sigma: float,
    x: Float1D,
) -> float:  # fmt: skip
    """Fill x with the best slice for this (m, sigma), slopes cut at their bounds; its linearised sum of squares."""
    n = k.size
    basis, target = np.empty((3, n)), np.empty(n)
    for i in range(n):
        d = k[i] - m
        bend = sqrt(d * d + sigma * sigma) - sigma
        scale = root_weight[i] / (2.0 * vol[i] * tau)
        basis[0, i] = scale
        basis[1, i] = scale * 0.5 * (bend - d)
        basis[2, i] = scale * 0.5 * (bend + d)
        target[i] = -scale * vol[i] * vol[i] * tau
    matrix, gradient, best = np.empty((3, 3)), np.empty(3), np.empty(3)
    normal_equations(basis, target, matrix, gradient)
    for j in range(3):
        matrix[j, j] *= 1.0 + 1e-12
        gradient[j] = -gradient[j]
    if not solve_positive(matrix, gradient, best):
        return _INF
    left = min(max(best[1], lower[1]), upper[1])
    right = min(max(best[2], lower[2]), upper[2])
    top, bottom = 0.0, 0.0
    for i in range(n):
        top -= basis[0, i] * (target[i] + left * basis[1, i] + right * basis[2, i])
        bottom += basis[0, i] * basis[0, i]
    level = min(max(top / bottom, lower[0]), upper[0])
    x[0], x[1], x[2], x[3], x[4] = level, left, right, m, sigma
    total = 0.0
    for i in range(n):
        miss = level * basis[0, i] + left * basis[1, i] + right * basis[2, i] + target[i]
        total += miss * miss
    return total


@kernel
def svi_climb(
    k: Float1D,
    vol: Float1D,
    root_weight: Float1D,
    tau: float,
    lower: Float1D,
    upper: Float1D,
    max_iter: int,
    x: Float1D,
) -> tuple[float, int, int]:
    """Levenberg-Marquardt from x, which it moves: (sum of squares, status, iterations)."""
    n = k.size
    residual, jacobian = np.empty(n), np.empty((_N, n))
    trial_residual, trial_jacobian = np.empty(n), np.empty((_N, n))
    matrix, gradient, step, work = np.empty((_N, _N)), np.empty(_N), np.empty(_N), np.empty((_N + 1, _N))
    free, trial = np.empty(_N, np.int64), np.empty(_N)
    sse = svi_residuals(x, k, vol, root_weight, tau, residual, jacobian)
    if not sse < _INF:
        return sse, STUCK, 0
    damping, growth = START_DAMPING, 2.0
    for iteration in range(max_iter):
        normal_equations(jacobian, residual, matrix, gradient)
        free_parameters(x, gradient, lower, upper, free)
        steep = 0.0
        for j in range(_N):
            if free[j] == 1 and matrix[j, j] > 0.0:
                steep = max(steep, gradient[j] * gradient[j] / matrix[j, j])
        if steep <= 1e-18 * sse + 1e-30 * n:  # the cosine between residual and each column is below 1e-9
            return sse, CONVERGED, iteration
        moved = False
        while not moved:
            if damped_step(x, matrix, gradient, damping, free, lower, upper, work, step):
                longest = 0.0
                for j in range(_N):
                    trial[j] = x[j] + step[j]
                    longest = max(longest, abs(step[j]) / (abs(x[j]) + 1e-8))
                after = svi_residuals(trial, k, vol, root_weight, tau, trial_residual, trial_jacobian)
                expected = predicted_decrease(matrix, gradient, step)
                gain = (sse - after) / expected if expected > 0.0 and after < _INF else -1.0
                if longest < 1e-12 or expected <= 1e-15 * sse:
                    return sse, CONVERGED, iteration
                moved = gain > 0.0
            else:
                gain = -1.0
            damping, growth = next_damping(damping, growth, gain)
            if not moved and damping >= 1e12:
                return sse, STUCK, iteration
        sse = after
        x[:] = trial
        residual[:] = trial_residual
        jacobian[:] = trial_jacobian
    return sse, MAX_ITERATIONS, max_iter


@kernel
def svi_fit(
    k: Float1D, vol: Float1D, root_weight: Float1D, tau: float, lower: Float1D, upper: Float1D, starts: Float2D,
    n_climbs: int, max_iter: int, x: Float1D,
) -> tuple[float, int, int]:  # fmt: skip
    """Best slice over the starts, rows (m, sigma): (sum of squares, status, iterations).

    The rows form `n_climbs` groups of equal size; one climb sets out from the best start of each.
    """
    size = starts.shape[0] // n_climbs
    trial, chosen = np.empty(_N), np.empty(_N)
    best, status, total = _INF, STUCK, 0
    for group in range(n_climbs):
        lowest = _INF
        for s in range(group * size, (group + 1) * size):
            value = svi_start(k, vol, root_weight, tau, lower, upper, starts[s, 0], starts[s, 1], trial)
            if value < lowest:
                lowest = value
                chosen[:] = trial
        if not lowest < _INF:
            continue
        sse, outcome, n_iter = svi_climb(k, vol, root_weight, tau, lower, upper, max_iter, chosen)
        total += n_iter
        if sse < best:
            best, status = sse, outcome
            x[:] = chosen
    return best, status, total
