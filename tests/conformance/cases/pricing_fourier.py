"""Small inputs for the Heston kernels: both sides of the contour, short and long expiries, extreme parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

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


CASES: dict[str, Callable[[], tuple[Any, ...]]] = {
    "research.core.models.heston.heston_log_cfs": _log_cfs,
    "research.core.pricing.fourier.heston_group": _group,
    "research.core.pricing.fourier.heston_group_gradient": _group_gradient,
    "research.core.pricing.fourier.heston_values": _values,
}
