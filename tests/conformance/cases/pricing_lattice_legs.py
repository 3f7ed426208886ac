"""A leg from four first nodes over five times, exercised at some of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def _leg() -> tuple[Any, ...]:
    n, first, half = 5, 4, 0.05
    low = 90.0 * np.exp(-half * np.arange(n))
    power = np.exp(2.0 * half * np.arange(first + n - 1))
    value = np.maximum(100.0 - low[-1] * power, 0.0)
    exercise = np.array([0.0, 1.0, 1.0, 0.0, 1.0])
    return low, np.full(n, 100.0), np.full(n - 1, 0.999), power, 0.4875, -1.0, exercise, value


CASES: dict[str, Callable[[], tuple[Any, ...]]] = {"research.core.pricing.lattice_legs.rolled_leg": _leg}
