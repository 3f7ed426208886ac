"""How fast approximations come near the exact value, and that the stated error leads the real one all the way."""

from __future__ import annotations

import numpy as np
import pytest

from research.instruments import Barrier, Cliquet
from research.market import flat_snapshot
from research.models import BlackScholes
from research.pricing import price

SPOT, RATE, DIVIDEND, SIGMA, TAU = 100.0, 0.08, 0.04, 0.25, 0.5
MARKET, MODEL = flat_snapshot(spot=SPOT, rate=RATE, dividend_yield=DIVIDEND), BlackScholes(sigma=SIGMA)


def watched(looks: int, strike: float, barrier: float) -> float:
    """A down-and-out call seen `looks` times, exactly: one normal density after another, by 800 Gauss points."""
    width, drift = SIGMA * np.sqrt(TAU / looks), (RATE - DIVIDEND - 0.5 * SIGMA**2) * TAU / looks
    low, high = np.log(barrier), np.log(SPOT) + 7.0 * SIGMA * np.sqrt(TAU)
    node, weight = np.polynomial.legendre.leggauss(800)
    x, weight = 0.5 * (high - low) * node + 0.5 * (high + low), 0.5 * (high - low) * weight

    def density(move):
        return np.exp(-0.5 * ((move - drift) / width) ** 2) / (width * np.sqrt(2.0 * np.pi))

    alive = density(x - np.log(SPOT))
    step = density(x[:, None] - x) * weight
    for _ in range(looks - 1):
        alive = step @ alive
    return float(np.exp(-RATE * TAU) * np.sum(weight * alive * np.maximum(np.exp(x) - strike, 0.0)))


def test_moved_barriers_near_discrete_ones_faster_than_the_distance_between_looks():
    looks = np.array([10, 40, 160])
    exact = np.array([watched(n, 100.0, 95.0) for n in looks.tolist()])
    given = {"strike": 100.0, "barrier": 95.0, "tau": TAU, "rebate": 0.0, "direction": "down", "knock": "out"}
    found = price([Barrier(**given, n_monitoring=n) for n in looks.tolist()], MODEL, MARKET, looks="shift")
    off = np.abs(found.value - exact)
    assert np.all(off < found.error)
    order = -np.diff(np.log(off)) / np.diff(np.log(looks))
    assert np.all(order > 1.0)  # o(1 / sqrt(n)) in Broadie, Glasserman and Kou (1997)
    assert found.error[0] / found.error[-1] > 16.0**1.5


def test_the_sum_of_a_cliquets_returns_converges_with_the_square_of_the_step():
    contract = Cliquet(
        resets=tuple(float(t) for t in np.arange(1, 9) / 4),
        local_floor=-0.03,
        local_cap=0.08,
        global_floor=0.05,
        global_cap=0.4,
    )
    points = 2 ** np.arange(6, 13)
    exact = price(contract, MODEL, MARKET, n_grid=2**15).value
    found = [price(contract, MODEL, MARKET, n_grid=int(n)) for n in points]
    off, error = np.abs([f.value - exact for f in found]), np.array([f.error for f in found])
    assert np.all(off < error)
    for sizes in (off, error):
        assert -np.polyfit(np.log(points), np.log(sizes), 1)[0] == pytest.approx(2.0, abs=0.2)
