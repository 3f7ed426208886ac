"""What a search says of itself: covariance, status, and a message that names what the quotes do not tell.

A parameter stands on a bound, is hardly identified (its standard error exceeds its size), or is not identified at all
(the quotes leave no trace of it). Two parameters that only their combination tells apart show in the condition number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from research.arrays import Float1D, Float2D
from research.calibration.fit import AT_BOUND, CONVERGED, MAX_ITERATIONS

_SINGULAR = 1e14  # condition number of J'J with columns of size 1, from which it has no inverse


def covariance(jacobian: Float2D, free: Any, sse: float, n_active: int) -> tuple[Float2D, float]:
    """Of the coordinates, s^2 (J'J)^-1, and the condition number; `jacobian` has shape (n, q).

    0 for those on a bound; all nan without degrees of freedom, or where J'J has no inverse.
    """
    q, freedom = free.size, n_active - int(free.sum())
    out = np.zeros((q, q))
    j = jacobian[:, free]
    size = np.sqrt((j**2).sum(axis=0))
    if freedom < 1 or not (size > 0.0).all():
        return np.full((q, q), np.nan), np.inf
    matrix = (j / size).T @ (j / size)
    condition = float(np.linalg.cond(matrix))
    if not condition < _SINGULAR:
        return np.full((q, q), np.nan), condition
    out[np.ix_(free, free)] = np.linalg.inv(matrix) / np.outer(size, size) * sse / freedom
    return out, condition


def std_errors(spread: Float2D, slope: Float1D) -> Float1D:
    """Square roots of the variances times dp/dy; nan where there is none."""
    error = np.sqrt(np.maximum(np.diag(spread), 0.0)) * np.abs(slope)
    return np.where(error > 0.0, error, np.nan)


def verdict(
    names: Sequence[str], value: Float1D, error: Float1D, on_bound: Any, settled: bool, n_iter: int, condition: float
) -> tuple[int, str]:
    """(status, message)."""
    held = [name for name, flag in zip(names, on_bound) if flag]
    status = MAX_ITERATIONS if not settled else AT_BOUND if held else CONVERGED
    message = f"{'settled' if settled else 'stopped by max_iter'} after {n_iter} evaluations"
    message += f"; on its bound: {', '.join(held)}" if held else ""
    free = [name for name, flag in zip(names, on_bound) if not flag]
    with np.errstate(invalid="ignore"):
        vague = [name for name, e, v in zip(names, error, value) if e > max(abs(v), 0.05 if name == "rho" else 0.0)]
    if condition >= _SINGULAR and np.isfinite(condition):
        message += f"; not identified by these quotes: some of {', '.join(free)} (condition {condition:.0e})"
    elif vague:
        message += f"; hardly identified by these quotes: {', '.join(vague)} (condition {condition:.0e})"
    return status, message
