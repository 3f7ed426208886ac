"""A small worst-of note on two assets: dense gaps, coupons, pairs, a ragged block."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from research.core.pricing.note import N_MOMENTS

INF = float("inf")


def _worst_of(antithetic: int) -> tuple[Any, ...]:
    times, n = np.array([0.5, 1.0, 1.5]), 2
    coarse = np.zeros((3, 18))
    coarse[:, 0] = times
    coarse[:, 1:6] = [(0.4, -INF, 101.0, -0.1, 0.0), (0.6, -INF, 102.0, 0.1, 0.2), (0.8, -INF, 103.0, 0.3, 0.4)]
    coarse[:, 6], coarse[:, 7] = 1.5, (0.99, 0.98, 0.97)
    coarse[:, 8:11] = -0.1, 1.1, 0.4
    coarse[:, 15:18] = [(0, 3, 4), (3, 5, 8), (5, 8, 10)]
    dense = np.zeros((8, 7))
    dense[:, 0], dense[:, 1], dense[:, 2] = 0.3, 0.3, np.linspace(-0.2, 0.35, 8)
    terminal = np.zeros((3, 9))
    terminal[0, :8] = 1.0, 1.5, 0.97, 1.0, 1.0, 0.0, 100.0, 1.5
    terminal[1, 0], terminal[2, :5] = 106.0, (0.0, 0.0, 100.0, 1.0, -100.0)
    mix = np.tile(np.array([(0.25, 0.0), (0.1, 0.2)]), (3, 1))
    shifts = np.vstack((np.outer(times, (0.47, 0.48)), np.outer(np.linspace(0.1, 1.4, 8), (0.47, 0.48))))
    gaps = np.zeros((4, 2 * n))
    gaps[:3, :n], gaps[:3, n:], gaps[3, :n] = -0.3, 15 * 0.03, 0.04
    motion = 0.8 * np.sin(np.arange(6.0 * 37)).reshape(6, 37)
    row = np.array([64, 37, 8, antithetic, 0, 2, 0], dtype=np.int64)
    return motion, 11, row, mix, shifts, coarse, dense, terminal, gaps, np.zeros(N_MOMENTS)


CASES: dict[str, Callable[[], tuple[Any, ...]]] = {
    "research.core.pricing.worst_of.worst_of_task": lambda: _worst_of(1),
    "research.core.pricing.worst_of.worst_of_task[single]": lambda: _worst_of(0),
}
