"""Small inputs for the kernels that go backwards: both QE branches, a leverage, a local vol, a table of moves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

DT, LANES = 0.1, 37


def _motion(rows: int) -> Any:
    return np.cumsum(np.random.default_rng(5).standard_normal((rows, LANES)) * np.sqrt(DT), axis=0)


def _slopes(rows: int) -> list[Any]:
    draws = np.random.default_rng(7)
    return [draws.standard_normal((rows, LANES)) for _ in range(2)]


def diffusion(n_factors: int, n_x: int) -> tuple[Any, ...]:
    """Three steps, two observations."""
    kappa, theta, sigma = 1.5, 0.04, 0.9
    e = 0.8607079764250578  # exp(-kappa dt)
    row = [DT**-0.5, e, sigma**2 * e * (1 - e) / kappa, 0.5 * theta * sigma**2 * (1 - e) ** 2 / kappa, 0.0498, 1.5e-5]
    steps = np.array([[*row, kappa * theta * DT, at] for at in (0.0, 1.0, 2.0)])
    terms = np.array([kappa, theta, sigma, -0.7, -1.0, 5.0])
    leverage = np.linspace(1.2, 0.8, 3 * n_x).reshape(3, n_x)
    start = np.stack((np.zeros(LANES), np.full(LANES, 0.04)))
    out = np.zeros((4, 8)), np.zeros((3, n_x)), np.zeros((2, LANES))
    return _motion(3 * n_factors), terms, steps, leverage, start, *_slopes(2), *out


def lognormal() -> tuple[Any, ...]:
    """Three gaps, joined by a bridge."""
    order = np.array([[3, 0, 0], [1, 0, 3], [2, 1, 3]])
    weights = np.array([[0.0, 0.0, 0.5], [0.6, 0.4, 0.2], [0.5, 0.5, 0.3]])
    return _motion(3), order, weights, *_slopes(3), np.zeros((3, 3)), np.zeros(3), np.zeros(LANES)


def table() -> tuple[Any, ...]:
    """Three steps, nodes that some paths leave."""
    moves = 0.1 * np.linspace(-3.0, 3.0, 7) * np.linspace(1.2, 0.8, 9)[:, None]
    terms = np.array([0.3, -1.5, 8.0 / 3.0, -3.0, 1.0])
    spread = np.linspace(0.012, 0.008, 27).reshape(3, 9)
    tables = np.stack([moves] * 3), spread, np.stack([0.5 * moves] * 3), 0.1 * spread
    return _motion(3), np.full(3, DT**-0.5), terms, *tables, *_slopes(3), np.zeros(3), np.zeros(LANES)


def walk() -> tuple[Any, ...]:
    """Three steps forwards, everything kept."""
    w, terms, steps, leverage, start, *_ = diffusion(2, 11)
    return w, terms, steps, leverage, start, np.zeros((4, 5, LANES))


def step_back() -> tuple[Any, ...]:
    """One path, one step."""
    _, terms, steps, *_ = diffusion(2, 0)
    return 0.04, 0.05, np.array([0.3, -0.7]), 1.1, steps[0], terms, 0.8, -0.2, 0.5, np.zeros(12)


CASES: dict[str, Callable[[], tuple[Any, ...]]] = {
    "research.core.paths.adjoint.diffusion_adjoint": lambda: diffusion(2, 0),
    "research.core.paths.adjoint.diffusion_adjoint[leverage]": lambda: diffusion(2, 11),
    "research.core.paths.adjoint.diffusion_adjoint[local]": lambda: diffusion(1, 11),
    "research.core.paths.adjoint._walk": walk,
    "research.core.paths.adjoint._heston_back": step_back,
    "research.core.paths.adjoint.lognormal_adjoint": lognormal,
    "research.core.paths.adjoint.transition_adjoint": table,
}
