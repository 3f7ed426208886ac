"""Small expiries for the kernels of the characteristic functions and the cosine series."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

BATES = np.array([0.04, 1.5, 0.06, 0.5, -0.7, 0.3, -0.1, 0.15])
GAMMA = np.array([0.12, 0.2, -0.14])


def _log_cfs() -> tuple[Any, ...]:
    return 1, np.linspace(0.0, 50.0, 33), 0.7, GAMMA.copy(), np.zeros(33), np.zeros(33)


def _cumulants() -> tuple[Any, ...]:
    return 0, 0.7, BATES * np.array([1, 1, 1, 1, 1, 0, 1, 1]), np.zeros(3)


def _puts() -> tuple[Any, ...]:
    return 0, BATES.copy(), 0.7, -3.0, 6.0, 96, np.linspace(-4.0, 1.0, 17), np.zeros(17)


CASES: dict[str, Callable[[], tuple[Any, ...]]] = {
    "research.core.models.levy.levy_log_cfs": _log_cfs,
    "research.core.models.levy.levy_cumulants": _cumulants,
    "research.core.pricing.cosine.cosine_puts": _puts,
}
