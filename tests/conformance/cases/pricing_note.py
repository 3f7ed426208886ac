"""Small notes, Asian and American options: every rule of the state machine, both samplers, pairs, ragged blocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from research.core.pricing._moments import N_BASE
from research.core.pricing.note import N_MOMENTS
from research.core.random import brownian, sobol

INF = float("inf")
VARIANCE = np.array([0.02, 0.04, 0.06])


def _philox() -> Any:
    return np.zeros((1, 0, sobol.COLUMNS), dtype=np.int64)


def _sobol(n_dims: int) -> Any:
    return np.stack([sobol.directions(n_dims)] * 2)


def _note(tables: Any, antithetic: int) -> tuple[Any, ...]:
    coarse = np.zeros((3, 18))
    coarse[:, 0] = 0.5, 1.0, 1.5
    coarse[:, 1:6] = [
        (0.15, -0.6, 101.0, -0.25, -0.1),
        (0.14, -0.6, 102.0, -0.25, -0.1),
        (0.13, -INF, 103.0, -0.25, -0.1),
    ]
    coarse[:, 6], coarse[:, 7] = 1.5, (0.99, 0.98, 0.97)
    coarse[:, 8:11] = -0.1, 0.1, 0.4
    coarse[:, 11:15] = -0.25, 0.5, -INF, 0.02
    coarse[:, 15:18] = [(0, 3, 4), (3, 5, 8), (5, 8, 10)]
    dense = np.zeros((8, 7))
    dense[:, 0], dense[:, 1], dense[:, 2], dense[:, 3], dense[:, 4] = 0.3, 0.05, -0.25, 0.5, -INF
    dense[:, 5], dense[:, 6] = 99.0, 1.5
    terminal = np.zeros((3, 9))
    terminal[0, :8] = 101.0, 0.06, 0.97, 1.0, 1.0, 0.0, 100.0, 1.5
    terminal[1, :3], terminal[2, :5] = (100.0, 100.0, 0.5), (0.0, 0.0, 1.0, 100.0, -1.0)
    replicates = tables.shape[0]
    quasi = int(tables.shape[1] > 0)
    n = 16 if quasi else 19
    rows = np.array([(64, n, 8, antithetic, r, quasi * (1 + r), 0) for r in range(replicates)], dtype=np.int64)
    order, weights = brownian.plan(VARIANCE, bool(quasi))
    samples = np.zeros((4, n if replicates == 1 else 0))
    return tables, 11, rows, order, weights, coarse, dense, terminal, samples, np.zeros((replicates, N_MOMENTS))


def _smooth(tables: Any) -> tuple[Any, ...]:
    """Five dates, two of them dense, coupons that are remembered, a range, both sides; two scenarios."""
    dates = np.zeros((2, 5, 12))
    dates[:, :, 0] = 0.5, 1.0, 1.0, 1.0, 1.0
    dates[:, :, 1], dates[:, :, 2], dates[:, :, 3], dates[:, :, 4] = 0.15, -0.5, 101.0, -0.2
    dates[:, :, 5], dates[:, :, 7], dates[:, :, 8] = -0.05, -0.1, 0.1
    dates[:, :, 10], dates[:, :, 11] = (0.0, 1.0, 0.0, 1.0, 1.0), 99.0
    coarse = dates[0, :, 10] > 0.0
    dates[:, coarse, 6], dates[:, coarse, 9] = 1.5, 0.4
    dates[1, :, 1] = INF
    terminal = np.zeros((2, 3, 9))
    terminal[:, 0, :8] = 101.0, 0.06, 0.97, 1.0, 1.0, 0.0, 100.0, 1.5
    terminal[:, 1, :3], terminal[:, 2, :5] = (100.0, 100.0, 0.5), (0.0, 0.0, 1.0, 100.0, -1.0)
    order = np.array([(2, 0, 0), (5, 2, 2), (3, 2, 5), (1, 0, 2), (4, 3, 5)])
    weights = np.array([(0.0, 0.0, 0.0), (1.0, 0.0, 0.2), (0.7, 0.3, 0.1), (0.5, 0.5, 0.07), (0.5, 0.5, 0.1)])
    quasi = int(tables.shape[1] > 0)
    rows = np.array([(16, 16, 8, 0, r, quasi, 0) for r in range(tables.shape[0])], dtype=np.int64)
    scale = np.array([(0.14, 1.0), (0.16, 1.1)])
    return tables, 7, rows, order, weights, dates, terminal, scale, np.zeros((len(rows), 2 * N_BASE))


def _asian(tables: Any, antithetic: int, kind: float) -> tuple[Any, ...]:
    fixings = np.column_stack((np.array([100.0, 101.0, 102.0]), VARIANCE, np.full(3, 1.0 / 3.0)))
    quasi = int(tables.shape[1] > 0)
    rows = np.array([(0, 16, 8, antithetic, r, quasi, 0) for r in range(tables.shape[0])], dtype=np.int64)
    strike = 0.0 if kind == 1.0 else 100.0
    order, weights = brownian.plan(VARIANCE, bool(quasi))
    return (
        tables,
        5,
        rows,
        order,
        weights,
        fixings,
        np.array([0.97, strike, 1.0, kind, 99.0]),
        np.zeros((len(rows), N_BASE)),
    )


def _american(kind: str) -> tuple[Any, ...]:
    dates = np.column_stack((np.array([101.0, 102.0, 103.0]), VARIANCE, np.array([0.98, 0.96, 0.94])))
    motion, terms = 0.2 * np.sin(np.arange(120.0)).reshape(3, 40), np.array([100.0, -1.0])
    policy = np.array([(0.02, 0.5, 0.1, 0.0), (0.01, 0.6, 0.1, 0.0), (0.0, 0.0, 0.0, 0.0)])
    if kind == "fit":
        return motion, dates, terms, np.zeros((3, 4))
    if kind == "value":
        return motion, dates, terms, policy, np.zeros(6)
    return motion, dates, terms, 0.03, np.array([0.9, 1.1]), np.zeros((2, 2))


CASES: dict[str, Callable[[], tuple[Any, ...]]] = {
    "research.core.pricing.note.note_tasks": lambda: _note(_philox(), 1),
    "research.core.pricing.note.note_tasks[sobol]": lambda: _note(_sobol(3), 0),
    "research.core.pricing.note_smooth.smooth_note_tasks": lambda: _smooth(_philox()),
    "research.core.pricing.note_smooth.smooth_note_tasks[sobol]": lambda: _smooth(_sobol(5)),
    "research.core.pricing.asian.asian_tasks": lambda: _asian(_philox(), 1, 0.0),
    "research.core.pricing.asian.asian_tasks[sobol]": lambda: _asian(_sobol(3), 0, 1.0),
    "research.core.pricing.asian.asian_tasks[geometric]": lambda: _asian(_philox(), 0, 2.0),
    "research.core.pricing.longstaff_schwartz.fit_policy": lambda: _american("fit"),
    "research.core.pricing.longstaff_schwartz.policy_value": lambda: _american("value"),
    "research.core.pricing.longstaff_schwartz.dual_value": lambda: _american("dual"),
}
