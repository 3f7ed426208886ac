"""Small inputs for the Heston fit and the pieces of Levenberg-Marquardt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

P = np.array([0.05, 2.0, 0.06, 0.8, -0.6])
TAU = np.array([0.1, 1.0])
LOWER, UPPER = np.log([1e-6, 1e-3, 1e-6, 1e-3, 1.0]), np.log([4.0, 100.0, 4.0, 20.0, 1.0])
LOWER[4], UPPER[4] = -3.8, 3.8


def _quotes() -> tuple[Any, Any]:
    x = np.tile(np.linspace(-0.2, 0.2, 6), 2)
    tau = np.repeat(TAU, 6)
    strike = 100.0 * np.exp(-x)
    vol = 0.25 + 0.15 * x + 0.3 * x * x + 0.01 * np.sin(np.arange(12.0))
    one = np.ones(12)
    rows = [x, 100.0 * one, strike, vol, one, np.sqrt(tau), np.sqrt(100.0 * strike)]
    return np.array([0, 6, 12]), np.array(rows)


def _errors() -> tuple[Any, ...]:
    first, quotes = _quotes()
    return P.copy(), TAU.copy(), first, quotes, 0.1, 1e-15, np.zeros((3, 12)), np.zeros((5, 12))


def _evaluate() -> tuple[Any, ...]:
    first, quotes = _quotes()
    y = np.append(np.log(P[:4]), np.arctanh(P[4]))
    return y, TAU.copy(), first, quotes, 0.2, 1e-11, np.zeros(5), np.zeros((3, 12)), np.zeros((5, 12))


def _fit() -> tuple[Any, ...]:
    first, quotes = _quotes()
    y = np.append(np.log(P[:4]), np.arctanh(P[4]))
    out = (np.zeros(5), np.zeros((3, 12)), np.zeros((5, 12)))
    return (y, TAU.copy(), first, quotes, LOWER.copy(), UPPER.copy(), 1e-10, 6, *out)


def _matrix() -> Any:
    a = np.random.default_rng(5).normal(size=(5, 9))
    return a @ a.T


def _gradient() -> Any:
    return np.linspace(-1.0, 1.0, 5)


def _step() -> tuple[Any, ...]:
    free = np.array([1, 1, 0, 1, 1])
    wide = (np.full(5, -1.0), np.full(5, 1.0))
    return (np.zeros(5), _matrix(), _gradient(), 0.1, free, *wide, np.zeros((6, 5)), np.zeros(5))


_LM = "research.core.calibration.levenberg_marquardt."
CASES: dict[str, Callable[[], tuple[Any, ...]]] = {
    "research.core.calibration.heston.heston_vol_errors": _errors,
    "research.core.calibration.heston._evaluate": _evaluate,
    "research.core.calibration.heston.heston_fit": _fit,
    "research.core.calibration.heston._step_within_reach": _step,
    _LM + "sum_of_squares": lambda: (_gradient(),),
    _LM + "normal_equations": lambda: (
        np.random.default_rng(6).normal(size=(5, 9)), np.linspace(0.0, 1.0, 9), np.zeros((5, 5)), np.zeros(5)
    ),
    _LM + "solve_positive": lambda: (_matrix(), _gradient(), np.zeros(5)),
    _LM + "free_parameters": lambda: (
        np.linspace(-1.0, 1.0, 5), _gradient(), np.full(5, -1.0), np.full(5, 1.0), np.zeros(5, dtype=np.int64)
    ),
    _LM + "damped_step": _step,
    _LM + "predicted_decrease": lambda: (_matrix(), _gradient(), 0.1 * _gradient()),
    _LM + "next_damping": lambda: (1e-3, 2.0, 0.9),
}  # fmt: skip
