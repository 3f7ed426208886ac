"""Small inputs for scrambles and paths: both samplers, a bridge and steps, a block that ends early."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from research.core.random import brownian, sobol

VARIANCE = np.array([0.01, 0.02, 0.05, 0.05, 0.09])


def _scramble() -> tuple[Any, ...]:
    return 20260630, 3, sobol.directions(7), np.zeros((2, 7, sobol.COLUMNS), dtype=np.int64)


def _sobol_paths() -> tuple[Any, ...]:
    table = sobol.directions(5)
    table[:, -1] = [1, 2**31, 12345, 2**32 - 1, 0]
    return table, 1, 64, 8, *brownian.plan(VARIANCE, True), np.zeros((5, 16))


def _philox_paths() -> tuple[Any, ...]:
    table = np.zeros((0, sobol.COLUMNS), dtype=np.int64)
    return table, -5, 2**33 + 7, 8, *brownian.plan(VARIANCE, False), np.zeros((5, 19))


CASES: dict[str, Callable[[], tuple[Any, ...]]] = {
    "research.core.random.sobol.scramble": _scramble,
    "research.core.random.brownian.brownian_paths": _philox_paths,
    "research.core.random.brownian.brownian_paths[sobol]": _sobol_paths,
}
