"""Small inputs for path kernels: tiles that end early, both QE branches, limits, a grid, every law, negative seeds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from research.core.paths.sampled import GAMMA_CLOCK, HESTON

DT, LANES = 0.1, 37


def _motion(rows: int) -> Any:
    return np.cumsum(np.random.default_rng(3).standard_normal((rows, LANES)) * np.sqrt(DT), axis=0)


def _steps() -> Any:
    kappa, theta, sigma = 1.5, 0.04, 0.9
    e = 0.8607079764250578  # exp(-kappa dt)
    row = [DT**-0.5, e, sigma**2 * e * (1 - e) / kappa, 0.5 * theta * sigma**2 * (1 - e) ** 2 / kappa, 0.0498, 1.5e-5]
    steps = np.array([[*row, kappa * theta * DT, at] for at in (0.0, 1.0, 2.0)])
    return np.array([kappa, theta, sigma, -0.7, -1.0, 5.0]), steps


def _diffusion(n_factors: int, n_x: int, limited: bool) -> tuple[Any, ...]:
    terms, steps = _steps()
    leverage = np.linspace(1.2, 0.8, 3 * n_x).reshape(3, n_x)
    limits = np.array([[-np.inf, np.inf], [-0.1, 0.15], [-0.05, np.inf]]) if limited else np.empty((0, 2))
    start = np.stack((np.zeros(LANES), np.full(LANES, 0.04)))
    out = [np.zeros((2, LANES)) for _ in range(3)]
    weight = np.zeros((2 if limited else 0, LANES))
    return _motion(3 * n_factors), terms, steps, leverage, limits, start, *out, weight


def _sampled(kind: int, v: float) -> tuple[Any, ...]:
    if kind == HESTON:
        row = [DT**-0.5, 13.0, 0.028, 0.0499, 3.3e-5, 0.0017, 8.1e-7, 0.006]
        terms = np.array([1.5, 0.3, 0.9, -0.7])
    else:
        row = [DT**-0.5, 0.4, 0.25, 0.012, 0.0, 0.0, 0.0, 0.0]
        terms = np.array([-0.14, 0.0, 0.2, 0.0])
    start = np.stack((np.zeros(LANES), np.full(LANES, v)))
    return kind, -7, 5, 2**33, _motion(3), terms, np.array([row] * 3), start, *[np.zeros((3, LANES)) for _ in range(3)]


def _tables() -> tuple[Any, ...]:
    x = 0.2 * np.sinh(np.linspace(-2.0, 2.0, 15))
    local = np.stack([0.04 + 0.02 * np.sin(9.0 * x), np.full(15, 0.05)])
    levels = np.array([1e-4, 0.02, 0.3, 0.5, 0.9, 0.9999])
    return x, local, np.array([0.1, 0.4]), 12, levels, np.full(21, 1.0 / 21.0), np.zeros((15, 6)), np.zeros(15)


def _moves() -> tuple[Any, ...]:
    moves = 0.1 * np.linspace(-3.0, 3.0, 7) * np.linspace(1.2, 0.8, 9)[:, None]
    terms = np.array([0.3, -1.5, 8.0 / 3.0, -3.0, 1.0])
    out = [np.zeros((3, LANES)) for _ in range(2)]
    start = np.linspace(-1.0, 1.0, LANES)
    return _motion(3), np.full(3, DT**-0.5), terms, np.stack([moves] * 3), np.full((3, 9), 0.01), start, *out


def _laws(n_factors: int, n_x: int) -> tuple[Any, ...]:
    w, terms, steps, leverage, *_ = _diffusion(n_factors, n_x, False)
    n, lanes = steps.shape[0], w.shape[1]
    if n_factors == 1:
        terms = np.concatenate((np.zeros(4), terms[4:]))
    x = np.linspace(-0.3, 0.3, n * lanes).reshape(n, lanes)
    v = np.linspace(0.01, 0.2, (n + 1) * lanes).reshape(n + 1, lanes)
    return x, v, terms, steps, leverage, np.zeros((n, lanes)), np.zeros((n, lanes))


CASES: dict[str, Callable[[], tuple[Any, ...]]] = {
    "research.core.paths.diffusion.diffusion_paths": lambda: _diffusion(2, 0, False),
    "research.core.paths.diffusion.diffusion_paths[local, limits]": lambda: _diffusion(1, 11, True),
    "research.core.paths.diffusion.diffusion_paths[leverage, limits]": lambda: _diffusion(2, 11, True),
    "research.core.paths.diffusion.step_laws": lambda: _laws(2, 11),
    "research.core.paths.diffusion.step_laws[local]": lambda: _laws(1, 11),
    "research.core.paths.sampled.sampled_paths": lambda: _sampled(HESTON, 0.04),
    "research.core.paths.sampled.sampled_paths[many]": lambda: _sampled(HESTON, 9.0),
    "research.core.paths.sampled.sampled_paths[clock]": lambda: _sampled(GAMMA_CLOCK, 0.0),
    "research.core.paths.transition.transition_tables": _tables,
    "research.core.paths.transition.transition_paths": _moves,
    "research.core.paths.lognormal.lognormal_paths": lambda: (
        -5, 1, 2**32 - 3, 1, 300, np.full(6, -1e-3), np.array([0.01, 0.02, -0.01, 0.3, 0.01, 0.0]), np.zeros((6, 301)),
    ),
}  # fmt: skip
