"""Few rough paths on an uneven grid: hybrid and exact remainders, a ragged block."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def _rough(full: bool) -> tuple[Any, ...]:
    times = np.array([0.1, 0.25, 0.3, 0.5, 0.75, 1.0])
    n = times.size
    mean = np.tril(0.5 + 0.1 * np.sin(np.arange(36.0)).reshape(n, n))
    rest = np.tril(0.2 + 0.1 * np.cos(np.arange(36.0)).reshape(n, n)) if full else np.diag(np.linspace(0.3, 0.4, n))
    steps = np.column_stack((np.diff(times, prepend=0.0), np.full(n, 0.04), np.append(0.0, times[:-1]), np.zeros(n)))
    steps[[2, 5], 3] = 1.0
    motion = np.sin(np.arange(2.0 * n * 70)).reshape(2 * n, 70)
    return motion, mean, rest, steps, np.array([1.5, -0.7]), np.zeros((8, 70))


CASES: dict[str, Callable[[], tuple[Any, ...]]] = {
    "research.core.pricing.rough.rough_paths": lambda: _rough(True),
    "research.core.pricing.rough.rough_paths[hybrid]": lambda: _rough(False),
}
