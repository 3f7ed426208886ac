"""Small inputs for the Heston kernels: both sides of the contour, short and long expiries, extreme parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from research.core.pricing.fourier_greeks import ROWS

PLAIN = (0.04, 1.5, 0.06, 0.5, -0.7)
EXTREME = (0.2, 15.0, 0.07, 3.3, 0.98)
X = np.linspace(-0.6, 0.6, 9)


def _log_cfs() -> tuple[Any, ...]:
    y = np.linspace(0.0, 4.0, 37)
    re, im = 5.0 * np.sinh(y), 1.5 * (np.cosh(y) - 1.0)
    return re, im, 0.75, *PLAIN, np.zeros(37), np.zeros(37)


def _group() -> tuple[Any, ...]:
    return np.array(EXTREME), 0.04, -1.0, 1, 8, X.copy(), 0.1, 1e-17, np.zeros(9), np.zeros(9)


def _group_gradient() -> tuple[Any, ...]:
    return np.array(EXTREME), 2.0, 1.0, 0, 9, X.copy(), 0.2, 1e-11, np.zeros((9, 7))


def _values() -> tuple[Any, ...]:
    groups = 12
    parameters = np.array([PLAIN, EXTREME] * 6)
    tau = np.geomspace(1.0 / 365.0, 30.0, groups)
    x = np.tile(X, groups)
    first = np.arange(0, x.size + 1, X.size)
    return (
        parameters,
        tau,
        first,
        x,
        np.full(x.size, 100.0),
        100.0 * np.exp(-x),
        0.1,
        np.zeros(x.size),
        np.zeros(x.size),
    )


def _add() -> tuple[Any, ...]:
    kept = np.random.default_rng(5).standard_normal(64)
    kept[16:32] = np.abs(kept[16:32]) * 0.1
    return -0.7, 0.01, kept, np.zeros(150), np.zeros(150)


def _smile() -> tuple[Any, ...]:
    return np.array(PLAIN), 0.8, 1.0, 0, 90, np.linspace(0.01, 0.5, 90), 0.1, np.zeros(90), np.zeros(90)


def _smiles() -> tuple[Any, ...]:
    x = np.concatenate([np.linspace(-0.5, 0.4, 300), np.linspace(-1.0, 1.0, 280)])
    first = np.array([0, 300, 580])
    return (
        np.array([PLAIN, PLAIN]),
        np.array([0.1, 3.0]),
        first,
        x,
        np.full(580, 100.0),
        100.0 * np.exp(-x),
        0.08,
        np.zeros(580),
        np.zeros(580),
    )


def _row_group() -> tuple[Any, ...]:
    return np.array([*EXTREME, 0.01]), 0.4, -1.0, 1, 8, X.copy(), 0.1, ROWS, np.zeros((3, ROWS, 9))


def _rows() -> tuple[Any, ...]:
    groups = 3
    x, first = np.tile(X, groups), np.arange(0, groups * X.size + 1, X.size)
    parameters, years = np.array([PLAIN, EXTREME, (0.04, 0.0, 0.0, 1e-9, 1.0)]), np.array([0.02, 2.0, 30.0])
    return parameters, years, first, x, 0.1, ROWS, np.zeros(x.size), np.zeros((3, ROWS, x.size))


CASES: dict[str, Callable[[], tuple[Any, ...]]] = {
    "research.core.models.heston.heston_log_cfs": _log_cfs,
    "research.core.pricing.fourier.heston_group": _group,
    "research.core.pricing.fourier.heston_group_gradient": _group_gradient,
    "research.core.pricing.fourier.heston_values": _values,
    "research.core.pricing.fourier_greeks.heston_row_group": _row_group,
    "research.core.pricing.fourier_greeks.heston_rows": _rows,
    "research.core.pricing.fourier_smile.add_block": _add,
    "research.core.pricing.fourier_smile.heston_smile": _smile,
    "research.core.pricing.fourier_smile.heston_smiles": _smiles,
}
