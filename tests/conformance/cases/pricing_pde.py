"""Small grids: exercise at the low end, at the high end, anywhere, never; a barrier; a cash dividend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def _values() -> tuple[Any, ...]:
    rows, n, steps = 5, 24, 8
    x = 0.1 * np.sinh(np.linspace(-3.0, 3.0, n)) * np.ones((rows, 1))
    x[3] = np.linspace(-0.2, 1.0, n)
    sign = np.array([-1.0, 1.0, -1.0, 1.0, -1.0])[:, None]
    gain = sign * 100.0 * np.expm1(x)
    edges = np.zeros((rows, 5))
    edges[:, 4] = -1.0, 1.0, 2.0, 0.0, 0.0
    edges[3, :2] = 1.0, 2.0
    pays = np.where(edges[:, 4:] != 0.0, gain, -np.inf)
    cash = np.zeros((rows, steps))
    cash[1, 4] = 3.0
    dt = np.full((rows, steps), 0.1)
    theta = np.where(np.arange(steps) < 4, 1.0, 0.5)
    market = np.full((rows, 2 * steps), 0.03)
    market[2, :steps], market[2, steps:] = -0.01, 0.02
    variance = np.array([0.04, 0.09, 0.01, 0.16, 0.04])[:, None, None] * np.exp(
        -0.3 * x[:, None, :] + 0.1 * np.arange(steps)[:, None]
    )
    v = np.maximum(gain, 0.0)
    return (
        x, dt, theta, market, variance, cash, np.full(rows, 100.0), edges, pays, v,
        np.array([0.0, 0.05, -0.1, 0.3, 9.0]), np.zeros(rows),
    )  # fmt: skip


CASES: dict[str, Callable[[], tuple[Any, ...]]] = {"research.core.pricing.pde.pde_values": _values}
