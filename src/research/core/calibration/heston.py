"""Heston on implied vols: squared vol errors, analytic gradient, Levenberg-Marquardt in one kernel.

Searched are y = log v0, log kappa, log theta, log sigma, artanh rho, within bounds. The derivative of an implied vol
is that of its price over the vega at the model's own implied vol, so the objective is the true sum of squared vol
errors. Residuals of real quotes are large, so plain Gauss-Newton steps close in like a geometric series; its ratio is
read off two steps in a row, and the next one is taken as long as the rest of the series. The search runs on a rule of
step 0.1 of the contour, whose error is measured, and goes on with finer ones where that is not enough.

References
----------
Y. Cui, S. del Bano Rollin, G. Germano (2017), "Full and fast calibration of the Heston stochastic volatility model",
EJOR 263, 625-638.
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from research.arrays import Float1D, Float2D, Int1D
from research.core._jit import inlined, kernel
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
    sum_of_squares,
)
from research.core.math.elementary import exp, log
from research.core.math.normal import norm_pdf
from research.core.models.black import black_time_value
from research.core.models.heston import heston_shift
from research.core.pricing.fourier import heston_group_gradient, split_sides

_STEP, _NEGLIGIBLE = 0.1, 1e-14  # of the trapezoidal rule
_MOST_RATIO = 0.45  # of one step to the last: no step is taken at more than 1.8 times its length
_RULES_AGREE = 1e-6  # rules of step h and 2h: the finer one is then good to 1e-10 or so
_FINEST = 0.02
_MAX_STEP = 1.4  # of a logarithm: a factor of 4
_NOTHING_LEFT = 1e-24  # mean squared vol error
_MAX_VOL = 10.0
_MAX_HALLEY = 100
TINY_VALUE = 1e-13  # of the smaller of forward and strike: below it an implied vol has no digits


@inlined
def heston_parameters(y: Float1D, p: Float1D, slope: Float1D) -> None:
    """p from y, and dp/dy."""
    for j in range(4):
        p[j] = exp(y[j])
        slope[j] = p[j]
    e = exp(-2.0 * abs(y[4]))
    size = (1.0 - e) / (1.0 + e)
    p[4] = size if y[4] >= 0.0 else -size
    slope[4] = 4.0 * e / ((1.0 + e) * (1.0 + e))


@inlined
def _prices(
    p: Float1D, tau: Float1D, first: Int1D, quotes: Float2D, h: float, negligible: float, model: Float2D, sums: Float2D
) -> float:
    """Fill model[2] with out-of-the-money values and sums with the integrals; the gap between rules h and 2h."""
    x, forward, strike, root = quotes[0], quotes[1], quotes[2], quotes[6]
    worst = 0.0
    for g in range(tau.size):
        start, stop = first[g], first[g + 1]
        split = split_sides(x, start, stop, heston_shift(tau[g], p))
        w = 0.0
        for part in range(2):  # one call: the compiler would write the function out at each
            low, high, side = (start, split, -1.0) if part == 0 else (split, stop, 1.0)
            if high > low:
                w, _ = heston_group_gradient(p, tau[g], side, low, high, x, h, negligible, sums)
        for i in range(start, stop):
            black = black_time_value(forward[i], strike[i], sqrt(w))
            least = TINY_VALUE * min(forward[i], strike[i])
            model[2, i] = max(black - root[i] * (sums[i, 0] + sums[i, 1]), least)
            worst = max(worst, abs(sums[i, 0] - sums[i, 1]))
    return worst


@inlined
def vol_of_value(value: float, forward: float, strike: float, x: float, years: float, vol: float) -> float:
    """Implied vol of an out-of-the-money value, by Halley's method on its logarithm from a vol nearby; years is a root.

    One thread on purpose: a hundred options are done before a second one wakes up.
    """
    if not value < min(forward, strike):
        return _MAX_VOL
    target, s = log(value), vol * years
    for _ in range(_MAX_HALLEY):
        now = black_time_value(forward, strike, s)
        if now <= 0.0:  # underflow: the vol is far too low
            s *= 2.0
            continue
        ratio = x / s
        slope = forward * norm_pdf(ratio + 0.5 * s) / now
        step = (target - log(now)) / slope
        bend = 1.0 + 0.5 * step * (ratio * ratio / s - 0.25 * s - slope)
        after = min(max(s + step / max(bend, 0.5), 0.25 * s), 4.0 * s)
        moved = abs(after - s)
        s = after
        if moved <= 1e-6 * s:  # the next error is its cube
            break
    return min(s / years, _MAX_VOL)


@kernel
def heston_vol_errors(
    p: Float1D, tau: Float1D, first: Int1D, quotes: Float2D, h: float, negligible: float, model: Float2D,
    jacobian: Float2D,
) -> float:  # fmt: skip
    """Residuals root_weight (model vol - vol), and their derivatives in v0, kappa, theta, sigma, rho.

    quotes, shape (7, n): x = log(F/K), forward, strike, vol, root_weight, sqrt(tau), sqrt(F K); expiry g holds quotes
    first[g]..first[g + 1], x increasing. model, shape (3, n), gets the implied vol, the residual and the undiscounted
    out-of-the-money value; jacobian has shape (5, n). Returns the largest difference between the rules of step h and
    2h, in units of sqrt(F K).
    """
    n = quotes.shape[1]
    sums = np.empty((n, 7))
    worst = _prices(p, tau, first, quotes, h, negligible, model, sums)
    for i in range(n):
        x, forward, years = quotes[0, i], quotes[1, i], quotes[5, i]
        vol = vol_of_value(model[2, i], forward, quotes[2, i], x, years, quotes[3, i])
        vega = forward * norm_pdf(x / (vol * years) + 0.5 * vol * years) * years
        scale = quotes[4, i] * quotes[6, i] / max(vega, 1e-300)
        model[0, i] = vol
        model[1, i] = quotes[4, i] * (vol - quotes[3, i])
        for j in range(5):
            jacobian[j, i] = -scale * sums[i, 2 + j]
    return worst


@kernel
def _evaluate(
    y: Float1D, tau: Float1D, first: Int1D, quotes: Float2D, h: float, negligible: float, p: Float1D, model: Float2D,
    jacobian: Float2D,
) -> tuple[float, float]:  # fmt: skip
    """As `heston_vol_errors`, with derivatives in y: (sum of squares, gap between the rules)."""
    slope = np.empty(5)
    heston_parameters(y, p, slope)
    gap = heston_vol_errors(p, tau, first, quotes, h, negligible, model, jacobian)
    for j in range(5):
        for i in range(quotes.shape[1]):
            jacobian[j, i] *= slope[j]
    return sum_of_squares(model[1]), gap


@kernel
def _step_within_reach(
    y: Float1D, matrix: Float2D, gradient: Float1D, damping: float, free: Int1D, lower: Float1D, upper: Float1D,
    work: Float2D, step: Float1D,
) -> float:  # fmt: skip
    """Raise the damping until the step can be solved for and no parameter moves by more than a factor of 4."""
    while damping < MAX_DAMPING:
        solved = damped_step(y, matrix, gradient, damping, free, lower, upper, work, step)
        longest = 0.0
        for j in range(y.size):
            longest = max(longest, abs(step[j]))
        if solved and longest <= _MAX_STEP:
            return damping
        damping = max(10.0 * damping, START_DAMPING)
    for j in range(y.size):
        step[j] = 0.0
    return damping


@inlined
def _stretch(matrix: Float2D, step: Float1D, last: Float1D, before: float) -> float:
    """How far a plain step is to be lengthened, from the one before it, `last`, which was lengthened by `before`.

    One plain step leaves a share r of the error, in the norm of the residuals: it falls short by 1 / (1 - r).
    """
    along, square = 0.0, 0.0
    for a in range(step.size):
        for b in range(step.size):
            along += step[a] * matrix[a, b] * last[b]
            square += last[a] * matrix[a, b] * last[b]
    if not square > 0.0:
        return 1.0
    ratio = 1.0 - (1.0 - before * along / square) / before
    return 1.0 / (1.0 - min(max(ratio, 0.0), _MOST_RATIO))


@kernel
def heston_fit(
    y: Float1D, tau: Float1D, first: Int1D, quotes: Float2D, lower: Float1D, upper: Float1D, tolerance: float,
    max_iter: int, p: Float1D, model: Float2D, jacobian: Float2D,
) -> tuple[float, float, int, int]:  # fmt: skip
    """Search from y, which moves to the best point found; p, model and jacobian (in y) belong to it at the end.

    Stops when the sum of squares is predicted to fall by less than `tolerance` of itself.
    Returns (sum of squares, gap between the rules, status, number of evaluations).
    """
    n = quotes.shape[1]
    trial, trial_p, trial_model, trial_jacobian = np.empty(5), np.empty(5), np.empty((3, n)), np.empty((5, n))
    matrix, gradient, work, step = np.empty((5, 5)), np.empty(5), np.empty((6, 5)), np.zeros(5)
    free, last = np.ones(5, dtype=np.int64), np.zeros(5)
    h, damping, growth, stretch = _STEP, START_DAMPING, 2.0, 1.0
    total, gap, expected, fresh = np.inf, 0.0, 0.0, True
    for j in range(5):
        trial[j] = y[j]
    for n_iter in range(1, max_iter + 1):
        after, trial_gap = _evaluate(trial, tau, first, quotes, h, _NEGLIGIBLE, trial_p, trial_model, trial_jacobian)
        taken = after < total and not fresh
        if not fresh:
            damping, growth = next_damping(damping, growth, (total - after) / expected if expected > 0.0 else 0.0)
        for j in range(5):
            last[j] = step[j] if taken else 0.0
        if fresh or taken:
            total, gap, fresh = after, trial_gap, False
            for j in range(5):  # loops, because whole-array assignments take seconds to compile
                y[j], p[j] = trial[j], trial_p[j]
                for i in range(n):
                    jacobian[j, i] = trial_jacobian[j, i]
            for j in range(3):
                for i in range(n):
                    model[j, i] = trial_model[j, i]
            normal_equations(jacobian, model[1], matrix, gradient)
        free_parameters(y, gradient, lower, upper, free)
        damping = _step_within_reach(y, matrix, gradient, damping, free, lower, upper, work, step)
        near = abs(predicted_decrease(matrix, gradient, step)) <= tolerance * total and damping <= 1.0
        settled = near or total <= _NOTHING_LEFT * n
        if settled or damping >= MAX_DAMPING:
            if gap <= _RULES_AGREE or h < _FINEST:
                return total, gap, CONVERGED if settled else STUCK, n_iter
            h, damping, growth, fresh = 0.5 * h, min(damping, START_DAMPING), 2.0, True
        stretch = _stretch(matrix, step, last, stretch) if taken and damping <= START_DAMPING else 1.0
        for j in range(5):
            step[j] = min(max(y[j] + stretch * step[j], lower[j]), upper[j]) - y[j]
            trial[j] = y[j] if fresh else y[j] + step[j]
        expected = predicted_decrease(matrix, gradient, step)
    return total, gap, MAX_ITERATIONS, max_iter
