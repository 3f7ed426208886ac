"""Levenberg-Marquardt around a kernel that gives residuals and their derivatives: bounds, and points that may not be.

For models whose kernel is heavy beside a handful of small systems; the pieces are those of
`core.calibration.levenberg_marquardt`, so the steps are the same on every machine.

Where residuals stay large, Gauss and Newton's J'J leaves out half of the curvature and its steps swing from side to
side; `curved` adds an estimate of the rest, kept up from step to step.

References
----------
Dennis, Gay, Welsch (1981), "An adaptive nonlinear least-squares algorithm", ACM Trans. Math. Software 7, 348-368.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from research.arrays import Float1D, Float2D
from research.core.calibration.levenberg_marquardt import (
    MAX_DAMPING,
    START_DAMPING,
    damped_step,
    free_parameters,
    next_damping,
    normal_equations,
    predicted_decrease,
)

_NOTHING_LEFT = 1e-24  # mean squared residual
Evaluate = Callable[[Float1D], "tuple[Float1D, Float2D] | None"]


@dataclass(frozen=True, slots=True, eq=False)
class Climb:
    """Where a search ended."""

    y: Float1D
    residual: Float1D  # weighted, shape (n,)
    jacobian: Float2D  # of the residual in y, shape (p, n)
    sse: float
    n_iter: int  # evaluations
    settled: bool
    free: np.ndarray[tuple[int], np.dtype[np.bool_]]  # coordinates that no bound holds


def climb(
    evaluate: Evaluate, begin: Float1D, lower: Float1D, upper: Float1D, *, tolerance: float = 1e-10,
    max_iter: int = 200, reach: float = 1.4, curved: bool = False,
) -> Climb | None:  # fmt: skip
    """The least sum of squares from `begin` downhill; None where `evaluate` has no answer at the start.

    Ends when a step is predicted and seen to lower the sum by less than `tolerance` of itself. No coordinate moves by
    more than `reach` in a step. Where `evaluate` gives None the step is taken back.
    """
    p = begin.size
    y = np.clip(begin, lower, upper)
    here = evaluate(y)
    if here is None:
        return None
    residual, jacobian = here
    sse = float(residual @ residual)
    matrix, gradient, step = np.empty((p, p)), np.empty(p), np.empty(p)
    work, free = np.empty((p + 1, p)), np.ones(p, dtype=np.int64)
    damping, growth, n_iter, settled = START_DAMPING, 2.0, 1, False
    fresh, bend = True, np.zeros((p, p))
    while not settled and n_iter < max_iter and damping < MAX_DAMPING:
        if fresh:
            normal_equations(jacobian, residual, matrix, gradient)
            matrix += bend
            fresh = False
        if sse <= _NOTHING_LEFT * residual.size or not free_parameters(y, gradient, lower, upper, free) > 0.0:
            settled = True
            break
        if not damped_step(y, matrix, gradient, damping, free, lower, upper, work, step) or np.abs(step).max() > reach:
            damping = max(4.0 * damping, START_DAMPING)
            matrix -= bend  # the estimate may not be positive: J'J always is
            bend[:] = 0.0
            continue
        expected = predicted_decrease(matrix, gradient, step)
        trial = evaluate(y + step)
        n_iter += 1
        after = np.inf if trial is None else float(trial[0] @ trial[0])
        settled = abs(expected) <= tolerance * sse and abs(sse - after) <= tolerance * sse
        damping, growth = next_damping(damping, growth, (sse - after) / expected if expected > 0.0 else -1.0)
        if trial is not None and after < sse:
            bend = _bend(bend, step, (residual, jacobian), trial) if curved else bend
            y, (residual, jacobian), sse, fresh = y + step, trial, after, True
    settled = settled or damping >= MAX_DAMPING
    return Climb(y, residual, jacobian, sse, n_iter, settled, (y > lower) & (y < upper))


def _bend(bend: Float2D, step: Float1D, before: tuple[Float1D, Float2D], after: tuple[Float1D, Float2D]) -> Float2D:
    """The sum of r_i times its second derivatives, shape (p, p), by the secant update of Dennis, Gay and Welsch."""
    (r, j), (r_new, j_new) = before, after
    change, seen = _times(j_new, r_new) - _times(j, r), _times(j_new - j, r_new)
    along, own = float(change @ step), float(step @ bend @ step)
    if not along > 0.0:
        return bend
    share = min(1.0, abs(float(step @ seen)) / abs(own)) if own != 0.0 else 1.0
    miss = seen - share * (bend @ step)
    out: Float2D = share * bend + (np.outer(miss, change) + np.outer(change, miss)) / along
    return out - float(miss @ step) / along**2 * np.outer(change, change)


def _times(jacobian: Float2D, residual: Float1D) -> Float1D:
    """J'r, summed in order."""
    return np.asarray((jacobian * residual).sum(axis=1))
