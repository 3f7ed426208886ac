"""Small grids in the price itself: exercise at either end, anywhere, never; barriers; two layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def _values(exercise: float, barrier: bool) -> tuple[Any, ...]:
    n, steps = 21, 6
    x = 0.1 * np.sinh(np.linspace(-3.0, 3.0, n))
    gain = (1.0 if exercise > 0.0 else -1.0) * 100.0 * x
    edges = np.array([float(barrier), 2.0, 0.0, 0.0, exercise])
    pays = gain if exercise != 0.0 else np.full(n, -np.inf)
    theta = np.where(np.arange(steps) < 2, 1.0, 0.5)
    market = np.concatenate((np.full(steps, 0.03), np.full(steps, -0.02)))
    v = np.stack((np.maximum(gain, 0.0), np.ones(n)))
    return x, np.full(steps, 0.1), theta, market, np.linspace(0.04, 0.05, steps), edges, pays, v


CASES: dict[str, Callable[[], tuple[Any, ...]]] = {
    "research.core.pricing.line.line_values": lambda: _values(0.0, True),
    "research.core.pricing.line.line_values[low]": lambda: _values(-1.0, False),
    "research.core.pricing.line.line_values[high]": lambda: _values(1.0, False),
    "research.core.pricing.line.line_values[anywhere]": lambda: _values(2.0, False),
}
