"""Small grids: an American put by projection, a knock-out by Hundsdorfer and Verwer with leverage, masses forward; the
scheme that damps; jumps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def _march(exercise: float, scheme: int, forward: float, jumps: bool = False) -> Callable[[], tuple[Any, ...]]:
    def arguments() -> tuple[Any, ...]:
        nx, nv, steps = 16, 9, 7
        x = 0.1 * np.sinh(np.linspace(-2.5, 2.5, nx))
        v = 0.04 * np.sinh(np.linspace(0.0, 3.0, nv))
        codes = np.where(np.arange(steps) < 2, 0, scheme).astype(np.int64)
        market = np.concatenate([np.full(steps, 0.03), np.full(steps, 0.01)])
        market[3] = 0.04
        leverage = 1.0 + 0.1 * np.arange(steps)[:, None] * x if scheme == 2 else np.ones((1, nx))
        edges = np.array([1.0, 0.01, 0.0, 0.0, exercise]) if scheme == 2 else np.array([0.0, 0.0, 0.0, 0.0, exercise])
        u = np.maximum(-np.expm1(x), 0.0)[:, None] + np.zeros((1, nv))
        model = np.array([1.5, 0.04, 0.5, -0.7, forward])
        jump = np.exp(-2.0 * np.subtract.outer(x, x) ** 2)
        jump[np.abs(np.subtract.outer(x, x)) > 0.8] = 0.0
        jump = 0.3 * (jump / jump.sum(axis=1)[:, None] - np.eye(nx)) if jumps else np.zeros((0, 0))
        push = np.zeros((nx, nv))
        return x, v, np.full(steps, 0.05), codes, market, leverage, model, -np.expm1(x), edges, jump, push, u

    return arguments


CASES: dict[str, Callable[[], tuple[Any, ...]]] = {
    "research.core.pricing.adi.adi_march": _march(2.0, 1, 0.0),
    "research.core.pricing.adi.adi_march[leverage]": _march(1.0, 2, 0.0),
    "research.core.pricing.adi.adi_march[forward]": _march(0.0, 1, 1.0),
    "research.core.pricing.adi.adi_march[smoothing]": _march(0.0, 3, 0.0),
    "research.core.pricing.adi.adi_march[jumps]": _march(2.0, 1, 0.0, True),
}
