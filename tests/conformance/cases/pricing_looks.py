"""Steps between looks, with an edge and without; critical prices with a root, below all and above all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from research.core.pricing.looks import POINTS


def _step_back() -> tuple[Any, ...]:
    rng = np.random.default_rng(4)
    value, paid, lift = rng.random((3, 5 * POINTS))
    windows = np.array([[0, 5], [1, 4], [2, 5]])
    blocks = rng.random((3 * POINTS, POINTS)) / (3 * POINTS)
    ends = np.array([0.3, 0.1, 0.2])
    return windows, -1, blocks, 0.99, paid, lift, rng.random(20) / 20.0, value, np.zeros(5 * POINTS), ends


def _critical() -> tuple[Any, ...]:
    start, n = np.log([100.0, 90.0, 130.0, 110.0, 100.0]), 5
    call = np.array([100.0, 1.01, 0.98, 0.2, 1.0, 1.0])
    put, none = np.array([95.0, 1.02, 0.97, 0.3, -1.0, -1.0]), np.array([1.0, 1.0, 1.0, 0.1, 1.0, 0.0])
    legs = np.array([[*call, *none], [*put, *none], [*call, *put], [*put, *none], [*call, *none]])
    target = np.array([7.0, -6.0, 0.0, -1e3, 1e9])
    return start - 3.0, start + 3.0, start, target, legs, np.zeros(n), np.zeros(n, dtype=np.int64)


CASES: dict[str, Callable[[], tuple[Any, ...]]] = {
    "research.core.pricing.looks.step_back": _step_back,
    "research.core.pricing.critical.critical_prices": _critical,
}
