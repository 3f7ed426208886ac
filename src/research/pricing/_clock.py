"""How much variance of the log price runs between two times, where the volatility is a function of time alone.

A model with the ability "deterministic_vol" has `sigma`, one volatility, or `total_variance(tau)`, whose increments are
the integrals of sigma(t)^2. What depends on such integrals alone has the closed forms of one volatility.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from research.arrays import Float1D

_LEAST_VARIANCE = 1e-16  # 1/year: a vol of 0 is taken as 1e-8, so that paths stay forwards to 1e-8


def variance(model: Any, tau: Any, start: Any = 0.0) -> Any:
    """Variance of log(S) from `start` to `tau` (years); floats or arrays of one shape."""
    if hasattr(model, "total_variance"):
        return np.maximum(model.total_variance(tau) - model.total_variance(start), 0.0)
    return model.sigma**2 * (np.asarray(tau) - start)


def std(model: Any, tau: Any, start: Any = 0.0) -> Any:
    """Standard deviation of log(S) from `start` to `tau`."""
    if hasattr(model, "total_variance"):
        return np.sqrt(variance(model, tau, start))
    return model.sigma * np.sqrt(np.asarray(tau) - start)


class Clock:
    """Total variance as a function of time that never stands still: what a simulation runs on."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def __call__(self, tau: Float1D) -> Float1D:
        """Variance of log(S) up to each time, shape (n,)."""
        if not hasattr(self.model, "total_variance"):
            vol = max(float(self.model.sigma), 1e-8)
            flat: Float1D = vol * vol * tau
            return flat
        still = bool(np.any(np.asarray(self.model.forward_vols()) < 1e-8))
        out: Float1D = np.asarray(self.model.total_variance(tau)) + (_LEAST_VARIANCE * tau if still else 0.0)
        return out


def clock_of(vol: Any) -> Any:
    """A clock as it is; for a number, that of one volatility."""
    if callable(vol):
        return vol
    return lambda tau: vol * vol * tau
