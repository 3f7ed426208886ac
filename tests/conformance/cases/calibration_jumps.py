"""Small inputs for the fits of Bates, Merton and Variance Gamma."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

BATES = np.array([0.05, 2.0, 0.06, 0.8, -0.6, 0.4, -0.1, 0.15])
TAU = np.array([0.1, 1.0])
FIRST = np.array([0, 6, 12])


def _quotes() -> Any:
    x = np.tile(np.linspace(-0.2, 0.2, 6), 2)
    strike = 100.0 * np.exp(-x)
    one = np.ones(12)
    vol, years = 0.25 + 0.15 * x + 0.3 * x * x, np.sqrt(np.repeat(TAU, 6))
    return np.array([x, 100.0 * one, strike, vol, one, years, 10.0 * np.sqrt(strike)])


def _errors() -> tuple[Any, ...]:
    span = np.array([[-2.0, 4.0], [-4.0, 8.0]])
    return BATES.copy(), TAU.copy(), FIRST.copy(), span, _quotes(), 1e-10, 512, np.zeros((3, 12)), np.zeros((8, 12))


def _expiry() -> tuple[Any, ...]:
    return BATES.copy(), 0.5, -3.0, 6.0, np.linspace(-0.2, 0.2, 5), 1e-10, 256, np.zeros((9, 5))


def _gamma() -> tuple[Any, ...]:
    p = np.array([0.2, 0.4, -0.15])
    return p, TAU.copy(), FIRST.copy(), _quotes(), np.zeros((3, 12)), np.zeros((3, 12))


CASES: dict[str, Callable[[], tuple[Any, ...]]] = {
    "research.core.calibration.jumps.jump_vol_errors": _errors,
    "research.core.calibration.jumps._expiry": _expiry,
    "research.core.calibration.jumps._weights": lambda: (7.0, 0.5, BATES.copy(), -3.0, np.zeros((8, 2)), np.zeros(9)),
    "research.core.calibration.variance_gamma.variance_gamma_vol_errors": _gamma,
}
