"""Barriers looked at on given days: the closed forms against exact steps, their order, and what their errors cover."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from tests.pricing.honesty import draws
from tests.pricing.honesty.discrete import knock_out

from research.instruments import Barrier, DoubleTouch
from research.market import flat_snapshot
from research.models import BlackScholes
from research.pricing import price
from research.pricing._looks import SHIFT, layer

LOOKS = (1, 2, 3, 5, 12, 40)
SEEDS = range(60)


def _exact(item: Any, w: draws.World) -> float:
    """By normal steps, whatever the contract with one or two barriers is."""
    if isinstance(item, Barrier):
        low, high = (item.barrier, np.inf) if item.direction == "down" else (0.0, item.barrier)
    else:
        low, high = item.low, item.high
    df = float(np.exp(-w.rate * w.tau))
    given = {"spot": draws.SPOT, "low": low, "high": high, "tau": w.tau, "vol": w.vol, "rate": w.rate,
             "carry": w.carry, "looks": item.n_monitoring}  # fmt: skip
    alive = knock_out(strike=None, at_expiry=1.0, **given)
    if isinstance(item, DoubleTouch):
        sides = float(item.pays_if != "high"), float(item.pays_if != "low")
        if item.pays_if == "none":
            return alive
        if item.pays_at == "hit":
            return knock_out(strike=None, at_hit=sides, **given)
        return df * knock_out(strike=None, at_hit=sides, **given | {"rate": 0.0, "carry": w.carry - w.rate})
    out = knock_out(strike=item.strike, is_call=item.is_call, **given)
    if item.knock == "in":
        free = given | {"low": 0.0, "high": np.inf, "looks": 1}
        whole = knock_out(strike=item.strike, is_call=item.is_call, **free)
        return whole - out + item.rebate * alive
    hit = knock_out(strike=None, at_hit=(1.0, 1.0), **given) if item.rebate_at == "hit" else df - alive
    return out + item.rebate * hit


@pytest.mark.parametrize("draw", [draws.barrier, draws.double_barrier, draws.double_touch])
def test_the_stated_error_covers_the_distance_to_exact_steps(draw):
    covered = []
    for seed in SEEDS:
        rng = np.random.default_rng([seed, 77])
        w = draws.world(rng, 5.0)
        item = replace(draw(rng, w), n_monitoring=int(rng.choice(LOOKS)))
        found, wanted = price(item, BlackScholes(sigma=w.vol), w.snapshot, method="analytic"), _exact(item, w)
        size = draws.SPOT + getattr(item, "strike", 0.0)
        covered.append(abs(found.value - wanted) <= found.error + 1e-13 * size)
        assert covered[-1], (seed, item, w, wanted, found)


@pytest.mark.parametrize(("barrier", "looks"), [(95.0, (10, 20, 40, 80, 160)), (99.5, (10, 40, 160))])
def test_moved_barriers_are_off_by_the_square_of_the_gap_between_looks(barrier, looks):
    w, n = draws.World(0.5, 0.25, 0.08, 0.04), np.array(looks)
    items = [
        Barrier(strike=90.0, barrier=barrier, direction="down", knock="out", tau=0.5, n_monitoring=k) for k in looks
    ]
    found = price(items, BlackScholes(sigma=0.25), w.snapshot, method="analytic")
    off = np.abs(found.value - [_exact(item, w) for item in items])
    assert np.all(off < found.error)
    assert -np.polyfit(np.log(n), np.log(found.error), 1)[0] > 1.3
    assert off[-1] < 1e-4
    if barrier == 95.0:  # nearer by, the spot is within a step of the barrier at first
        assert -np.polyfit(np.log(n), np.log(off), 1)[0] > 1.7  # of the shift alone: 1


def test_the_walk_next_to_a_barrier_is_harmonic():
    assert layer(0.0) + SHIFT == pytest.approx(np.sqrt(0.5), abs=1e-12)
    total = quad(layer, 0.0, 14.0, epsabs=1e-12)[0]
    assert total == pytest.approx(0.5 * SHIFT**2 - 0.125, abs=1e-10)  # from the factorisation, see the module


def _leaves(low: float, high: float, w: draws.World, side: str) -> float:
    """One unit when that side is left first, by a million steps' worth of waves: the density of the hit, integrated."""
    a, b = np.log(low / draws.SPOT), np.log(high / draws.SPOT)
    if side == "high":
        a, b = -b, -a
    drift = (w.rate - w.carry - 0.5 * w.vol**2) * (1.0 if side == "low" else -1.0)
    k = np.arange(1, 400) * np.pi / (b - a)

    def density(t: float) -> float:
        waves = w.vol**2 * k / (b - a) * np.sin(-k * a) * np.exp(-0.5 * (k * w.vol) ** 2 * t)
        tilt = drift * a / w.vol**2 - 0.5 * (drift / w.vol) ** 2 * t - w.rate * t
        return float(waves.sum() * np.exp(tilt))

    start = 1e-3 * min(a * a, b * b) / w.vol**2  # nothing arrives before
    stops = np.geomspace(start, w.tau, 25)
    return sum(quad(density, x, y, epsabs=1e-14, epsrel=1e-12, limit=200)[0] for x, y in pairwise(stops))


@pytest.mark.parametrize(
    ("rate", "carry", "vol", "tau", "low", "high"),
    [(-0.02, -0.02, 0.1, 1.0, 95.0, 108.0), (-0.05, -0.05, 0.2, 30.0, 70.0, 140.0),
     (-0.05, -0.04, 0.1, 50.0, 60.0, 130.0),     (-0.03, -0.03, 0.02, 0.1, 99.0, 100.5)],
)  # fmt: skip
def test_a_hit_of_two_barriers_is_priced_where_the_rate_is_far_below_0(rate, carry, vol, tau, low, high):
    w = draws.World(tau, vol, rate, carry)
    assert (rate - carry - 0.5 * vol**2) ** 2 + 2.0 * rate * vol**2 < 0.0
    for side in ("low", "high"):
        item = DoubleTouch(low=low, high=high, tau=tau, pays_if=side, pays_at="hit")
        found = price(item, BlackScholes(sigma=vol), w.snapshot, method="analytic")
        assert found.value == pytest.approx(_leaves(low, high, w, side), rel=1e-9, abs=1e-12)


def test_no_wave_that_neither_grows_nor_falls_breaks_the_sum():
    """A rate at which the first wave stands still: its neighbours say what it must be."""
    width, vol, tau = np.log(130.0 / 80.0), 0.2, 50.0
    still = -0.5 * (np.pi * vol / width) ** 2 - 0.125 * vol**2
    rates = still * np.array([1.0 - 1e-3, 1.0, 1.0 + 1e-3])
    items = DoubleTouch(low=80.0, high=130.0, tau=tau, pays_if="either", pays_at="hit")
    found = [
        price(items, BlackScholes(sigma=vol), flat_snapshot(spot=100.0, rate=r, dividend_yield=r)).value for r in rates
    ]
    assert found[1] == pytest.approx(np.sqrt(found[0] * found[2]), rel=1e-3)
