"""Small smiles for the SVI kernels: three expiries of nine quotes, one wild enough to meet every penalty."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

N, EXPIRIES = 9, 3
TAU = np.array([0.05, 0.3, 1.0])
WILD = np.array([0.02, 0.6, 0.4, 0.1, 0.1, 0.03, 0.2, 1.2, -0.1, 0.3, 0.02, 0.1, 0.1, 0.0, 0.05])
CALM = np.array([0.002, 0.05, 0.02, 0.0, 0.1, 0.012, 0.08, 0.05, 0.0, 0.2, 0.04, 0.1, 0.06, 0.0, 0.3])


def _curves() -> tuple[Any, ...]:
    return np.linspace(-2.0, 2.0, 301), 0.01, 0.1, -0.6, 0.05, 0.2, np.zeros((4, 301))


def _between() -> tuple[Any, ...]:
    near, far = np.array([0.01, 0.2, -0.6, 0.05, 0.2]), np.array([0.02, 0.3, 0.3, -0.2, 0.05])
    return np.linspace(-2.0, 2.0, 301), near, far, np.zeros((2, 301))


def _quotes() -> tuple[Any, ...]:
    rng = np.random.default_rng(2004)
    k = np.concatenate([np.linspace(-2.0, 1.5, N) * 0.3 * np.sqrt(t) for t in TAU])
    vol = 0.25 - 0.1 * k + 0.3 * k * k + 0.002 * rng.standard_normal(k.size)
    return k, vol, np.sqrt(rng.uniform(0.5, 1.5, k.size))


def _bounds() -> tuple[Any, ...]:
    return np.array([1e-12, 1e-9, 1e-9, -1.0, 1e-3]), np.array([10.0, 1.99, 1.99, 1.0, 3.0])


def _climb() -> tuple[Any, ...]:
    k, vol, weight = (a[N : 2 * N].copy() for a in _quotes())
    return k, vol, weight, 0.3, *_bounds(), 25, np.array([0.02, 0.1, 0.1, 0.0, 0.2])


def _fit() -> tuple[Any, ...]:
    k, vol, weight = (a[2 * N :].copy() for a in _quotes())
    starts = np.array([[m, s] for s in (0.05, 0.3) for m in (-0.2, 0.0, 0.2)])
    return k, vol, weight, 1.0, *_bounds(), starts, 2, 25, np.zeros(5)


def _slices() -> tuple[Any, ...]:
    offset = np.arange(EXPIRIES + 1, dtype=np.int64) * N
    starts = np.array([[m, s] for s in (0.1, 0.5) for m in (0.3, 0.6)])
    out, info = np.zeros((EXPIRIES, 5)), np.zeros((EXPIRIES, 3))
    return 0, EXPIRIES, offset, np.array(_quotes()), TAU.copy(), starts, 2, 0.05, 25, out, info


def _lanes() -> tuple[Any, ...]:
    return *_slices()[:6], 0.05, np.zeros((N + 12, 32)), np.zeros(87 * 8)


def _rows() -> Any:
    return np.linspace(0.5, 1.5, 87 * 8)


def _surface(x: Any) -> tuple[Any, ...]:
    offset = np.arange(EXPIRIES + 1, dtype=np.int64) * N
    floor = np.array([0.001, 0.003, 0.01])
    return x.copy(), offset, *_quotes(), TAU.copy(), floor, np.linspace(-3.0, 3.0, 41), np.array([1.0, 2.0, 3.0, 1.0])


def _terms() -> tuple[Any, ...]:
    return *_surface(WILD), np.zeros((15, 15)), np.zeros(15)


def _surface_climb() -> tuple[Any, ...]:
    lower, upper = (np.tile(b, EXPIRIES) for b in _bounds())
    return *_surface(CALM), lower, upper, 6


CASES: dict[str, Callable[[], tuple[Any, ...]]] = {
    "research.core.models.svi.svi_curves": _curves,
    "research.core.models.svi.svi_between": _between,
    "research.core.calibration.svi.svi_climb": _climb,
    "research.core.calibration.svi.svi_fit": _fit,
    "research.core.calibration.svi_lanes.svi_slices": _slices,
    "research.core.calibration.svi_lanes.svi_lanes": _lanes,
    "research.core.calibration.svi_lanes._sum_quotes": lambda: (N, np.full((N, 32), 0.3), _rows()),
    "research.core.calibration.svi_lanes._start": lambda: (1, N, np.full((N, 32), 0.3), _rows()),
    "research.core.calibration.svi_lanes._step": lambda: (_rows(),),
    "research.core.calibration.svi_lanes._expect": lambda: (_rows(),),
    "research.core.calibration.svi_lanes._finish": lambda: (_rows(),),
    "research.core.calibration.svi_lanes._judge": lambda: (_rows(),),
    "research.core.calibration.svi_surface.svi_surface_terms": _terms,
    "research.core.calibration.svi_surface.svi_surface_climb": _surface_climb,
}
