"""Kernels that go backwards give the differences of those that go forwards, by every number of every table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from research.core.paths.adjoint import diffusion_adjoint, lognormal_adjoint, transition_adjoint
from research.core.paths.diffusion import diffusion_paths
from research.core.paths.transition import transition_paths
from research.core.random.brownian import plan

DT, LANES = 0.1, 64


def motion(rows: int) -> Any:
    return np.cumsum(np.random.default_rng(11).standard_normal((rows, LANES)) * np.sqrt(DT), axis=0)


def tables(n_x: int, sigma: float, rho: float) -> list[Any]:
    """Terms, steps, leverage, start: low variances, so that both laws of v' are met."""
    kappa, theta = 1.5, 0.04
    e = np.exp(-kappa * DT)
    row = [DT**-0.5, e, sigma**2 * e * (1 - e) / kappa, 0.5 * theta * sigma**2 * (1 - e) ** 2 / kappa, 0.0498, 1.5e-5]
    steps = np.array([[*row, kappa * theta * DT, at] for at in (0.0, 1.0, 0.0, 2.0)])
    leverage = 1.1 + 0.2 * np.sin(np.linspace(0.0, 3.0, 4 * n_x)).reshape(4, n_x)
    start = np.stack((np.linspace(-0.05, 0.05, LANES), np.linspace(0.002, 0.2, LANES)))
    return [np.array([kappa, theta, sigma, rho, -1.0, 5.0]), steps, leverage, start]


def difference(paid: Callable[[], float], array: Any, at: tuple[int, ...]) -> float:
    kept, h = array[at], 1e-6 * max(abs(array[at]), 1e-2)
    ends = []
    for side in (1.0, -1.0):
        array[at] = kept + side * h
        ends.append(paid())
    array[at] = kept
    return (ends[0] - ends[1]) / (2.0 * h)


@pytest.mark.parametrize(
    ("n_factors", "n_x", "sigma", "rho"), [(2, 0, 0.9, -0.7), (2, 0, 0.3, 0.4), (2, 11, 0.9, -0.7), (1, 11, 0.9, 0.0)]
)
def test_diffusions(n_factors: int, n_x: int, sigma: float, rho: float) -> None:
    w, args = motion(4 * n_factors), tables(n_x, sigma, rho)
    terms, steps, leverage, start = args
    by_x, by_met = (np.random.default_rng(k).standard_normal((2, LANES)) for k in (1, 2))

    def paid() -> float:
        x, v, met = (np.empty((2, LANES)) for _ in range(3))
        diffusion_paths(w, terms, steps, leverage, np.empty((0, 2)), start, x, v, met, np.empty((0, 0)))
        return float((by_x * x).sum() + (by_met * met).sum())

    by_steps, by_leverage, by_start = np.zeros((5, 8)), np.zeros((4, n_x)), np.zeros((2, LANES))
    diffusion_adjoint(w, *args, by_x, by_met, by_steps, by_leverage, by_start)
    found = [(by_start[0, i], difference(paid, start, (0, i))) for i in range(0, LANES, 7)]
    if n_factors == 2:
        found += [(by_start[1, i], difference(paid, start, (1, i))) for i in range(0, LANES, 7)]
        found += [(by_steps[k, j], difference(paid, steps, (k, j))) for k in range(4) for j in range(1, 7)]
        found += [(by_steps[4, j], difference(paid, terms, (j,))) for j in range(4)]
    found += [(by_leverage[k, j], difference(paid, leverage, (k, j))) for k in range(4) for j in range(3, n_x, 2)]
    for one, other in found:
        assert one == pytest.approx(other, rel=2e-5, abs=2e-6)


@pytest.mark.parametrize("bridge", [True, False])
def test_lognormal_paths(bridge: bool) -> None:
    total = np.array([0.01, 0.03, 0.035, 0.05])
    order, weights = plan(total, bridge)
    z = np.random.default_rng(3).standard_normal((4, LANES))
    by_x, by_met = (np.random.default_rng(k).standard_normal((4, LANES)) for k in (1, 2))

    def motion_of() -> Any:
        w = np.zeros((5, LANES))
        for (at, left, right), (a, c, size), normal in zip(order, weights, z):
            w[at] = a * w[left] + c * w[right] + size * normal
        return w[1:]

    def paid() -> float:
        x = motion_of() - 0.5 * total[:, None]
        return float((by_x * x).sum() + (by_met * np.diff(total, prepend=0.0)[:, None]).sum())

    by_weights, by_total, start = np.zeros((4, 3)), np.zeros(4), np.empty(LANES)
    lognormal_adjoint(motion_of(), order, weights, by_x, by_met, by_weights, by_total, start)
    for k in range(4):
        assert by_total[k] == pytest.approx(difference(paid, total, (k,)), rel=1e-7)
        for j in range(3):
            if j == 2 or order[k, j + 1] > 0:
                assert by_weights[k, j] == pytest.approx(difference(paid, weights, (k, j)), rel=1e-6, abs=1e-9)
    np.testing.assert_allclose(start, by_x.sum(axis=0), rtol=1e-12)


def test_tables_of_moves() -> None:
    level = np.array([1.0, 1.0, 1.0])
    base = 0.05 * np.linspace(-3.0, 3.0, 7) * np.linspace(1.2, 0.8, 9)[:, None] - 0.001
    wide = np.linspace(0.003, 0.002, 9)
    terms, scale, w = np.array([0.3, -1.5, 8.0 / 3.0, -3.0, 1.0]), np.full(3, DT**-0.5), motion(3)
    start = np.zeros(LANES)
    by_x, by_met = (np.random.default_rng(k).standard_normal((3, LANES)) for k in (1, 2))

    def paid() -> float:
        x, met = np.empty((3, LANES)), np.empty((3, LANES))
        moves, spread = level[:, None, None] * base, level[:, None] ** 2 * wide
        transition_paths(w, scale, terms, moves, spread, start, x, met)
        return float((by_x * x).sum() + (by_met * met).sum())

    sums, first = np.zeros(3), np.empty(LANES)
    moves, spread = np.stack([base] * 3), np.stack([wide] * 3)
    transition_adjoint(w, scale, terms, moves, spread, moves, 2.0 * spread, by_x, by_met, sums, first)
    for k in range(3):
        assert sums[k] == pytest.approx(difference(paid, level, (k,)), rel=1e-6)
    for i in range(0, LANES, 5):
        assert first[i] == pytest.approx(difference(paid, start, (i,)), rel=1e-5, abs=1e-7)
