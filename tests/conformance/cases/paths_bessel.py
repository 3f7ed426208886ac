"""Small inputs for Bessel and SABR paths: absorbed at once, never, and in between; both orders of beta."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

LANES = 29


def _motion(rows: int) -> Any:
    return np.cumsum(np.random.default_rng(5).standard_normal((rows, LANES)) * np.sqrt(0.25), axis=0)


def _table() -> tuple[Any, Any]:
    """(table, edges) of a process that is absorbed below a few roots of the step."""
    rho, z = np.linspace(0.0, 1.0, 9)[:, None], np.linspace(-8.0, 8.0, 17)
    return -0.5 + 0.3 * (1.0 - rho) * np.exp(-0.1 * z * z), np.linspace(12.0, -12.0, 9)


def _bessel() -> tuple[Any, ...]:
    table, edges = _table()
    start = np.linspace(0.0, 6.0, LANES)
    return _motion(4), np.full(4, 0.5), np.array([3.0, -1.0, -8.0, 1.0]), table, edges, start, np.zeros((4, LANES))


def _sabr(beta: float) -> tuple[Any, ...]:
    table, edges = _table()
    steps = np.array([[0.25, 0.5, 0.0], [0.25, 0.5, 1.0], [0.25, 0.5, 0.0], [0.25, 0.5, 2.0]])
    start = np.stack((np.linspace(0.0, 6.0, LANES), np.full(LANES, 0.3)))
    terms = np.array([3.0, 1.0, -8.0, 1.0, beta, -0.6, 0.8])
    return _motion(8), terms, steps, table, edges, start, *[np.zeros((2, LANES)) for _ in range(3)]


CASES: dict[str, Callable[[], tuple[Any, ...]]] = {
    "research.core.paths.bessel.bessel_paths": _bessel,
    "research.core.paths.bessel.sabr_paths": lambda: _sabr(0.5),
    "research.core.paths.bessel.sabr_paths[lognormal]": lambda: _sabr(1.0),
}
