"""Small smiles for the SABR kernels: both formulas, near and far strikes, three slices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

N, SLICES = 9, 3
FORWARD = np.array([100.0, 101.0, 103.0])
TAU = np.array([0.1, 0.5, 2.0])


def _smiles() -> tuple[Any, ...]:
    rng = np.random.default_rng(2002)
    k = np.concatenate([np.linspace(-1.5, 1.0, N) * 0.3 * np.sqrt(t) for t in TAU])
    strike = np.repeat(FORWARD, N) * np.exp(k)
    vol = 0.22 - 0.1 * k + 0.2 * k * k + 0.001 * rng.standard_normal(k.size)
    return strike, vol, np.sqrt(rng.uniform(0.5, 1.5, k.size))


def _vols() -> tuple[Any, ...]:
    strike = np.array([20.0, 80.0, 100.0, 100.0001, 140.0, 900.0])
    return np.full(6, 100.0), strike, np.linspace(0.1, 5.0, 6), 2.5, 0.5, -0.6, 0.9, 0.0, np.zeros((4, 6))


def _slice() -> tuple[Any, ...]:
    strike, vol, weight = (a[:N].copy() for a in _smiles())
    return FORWARD[0], strike, vol, weight


def _start() -> tuple[Any, ...]:
    return *_slice(), 0.5, np.zeros(3)


def _residuals() -> tuple[Any, ...]:
    _, strike, vol, weight = _slice()
    x = np.log(FORWARD[0] / strike)
    geometry = np.array([np.ones(N), x, np.ones(N)])
    return np.array([0.2, -0.3, 0.5]), geometry, vol, weight, 0.1, 1.0, np.zeros(N), np.zeros((3, N))


def _box() -> Any:
    return np.array([[0.0, -0.9999, 0.0], [np.inf, 0.9999, np.inf]])


def _fit() -> tuple[Any, ...]:
    return *_slice(), 0.1, 0.5, 1.0, _box(), 50, np.zeros(3), np.zeros((3, N))


def _fits() -> tuple[Any, ...]:
    first = np.arange(0, (SLICES + 1) * N, N)
    return (
        0,
        SLICES,
        FORWARD.copy(),
        TAU.copy(),
        first,
        np.array(_smiles()),
        1.0,
        0.0,
        _box(),
        50,
        np.zeros((SLICES, 9)),
    )


def _errors() -> tuple[Any, ...]:
    rng = np.random.default_rng(3)
    return rng.standard_normal((3, N)), 0.01, np.array([0.2, -0.3, 0.5]), _box(), np.zeros(3)


def _cells(n: int = 12) -> tuple[Any, ...]:
    """Cells of a lognormal kind, and two derivatives."""
    rng = np.random.default_rng(4)
    centre = np.exp(np.linspace(-0.5, 0.6, n + 1))
    left, right = 1.0 / np.diff(centre), 1.0 / np.diff(centre)
    cells = np.array([0.5 * 0.3 * centre[:n] / 0.1, 0.1 * centre[:n], left, right])
    return cells, 0.2 * rng.standard_normal((2, 4, n))


def _density() -> tuple[Any, ...]:
    return *_cells(), 0.5, 3, 6, np.zeros((3, 14))


def _rates() -> tuple[Any, ...]:
    return *_cells(), 0.05, 0.3, np.zeros(12), np.zeros((2, 12))


def _eliminate() -> tuple[Any, ...]:
    return _cells()[0], np.linspace(0.01, 0.1, 12), np.zeros(12), np.zeros(12)


def _solve() -> tuple[Any, ...]:
    cells, rate = _cells()[0], np.linspace(0.01, 0.1, 12)
    return cells, rate, np.linspace(1.0, 2.0, 12), np.linspace(-0.3, -0.1, 12), np.linspace(0.0, 1.0, 14)


def _half_step() -> tuple[Any, ...]:
    cells, slopes = _cells()
    rate, by = np.linspace(0.01, 0.1, 12), np.full((2, 12), 0.02)
    return cells, slopes, rate, by, np.zeros(12), np.zeros(12), np.linspace(0.0, 1.0, 42).reshape(3, 14)


CASES: dict[str, Callable[[], tuple[Any, ...]]] = {
    "research.core.models.sabr.sabr_vols": _vols,
    "research.core.models.sabr_density.sabr_density": _density,
    "research.core.models.sabr_density._rates": _rates,
    "research.core.models.sabr_density._eliminate": _eliminate,
    "research.core.models.sabr_density._solve": _solve,
    "research.core.models.sabr_density._half_step": _half_step,
    "research.core.calibration.sabr.sabr_start": _start,
    "research.core.calibration.sabr.sabr_residuals": _residuals,
    "research.core.calibration.sabr.sabr_fit": _fit,
    "research.core.calibration.sabr.sabr_fits": _fits,
    "research.core.calibration.sabr.sabr_errors": _errors,
}
