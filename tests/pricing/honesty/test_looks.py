"""Barriers looked at on given days: the closed forms against exact steps, their order, and what their errors cover."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from tests.pricing.honesty import draws
from tests.pricing.honesty.discrete import extreme_beyond, knock_out, mean_extreme, watched

from research.instruments import Barrier, DoubleBarrier, DoubleTouch, Lookback, PartialBarrier
from research.market import flat_snapshot
from research.models import BlackScholes
from research.pricing import price
from research.pricing._bumps import aged
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


def _analytic(item: Any, w: draws.World, **options: Any) -> Any:
    return price(item, BlackScholes(sigma=w.vol), w.snapshot, method="analytic", **options)


def _size(item: Any, w: draws.World) -> float:
    """What a contract may be worth; yields and rates below 0 make it more."""
    grown = max(1.0, float(np.exp(-w.rate * w.tau)), float(np.exp(-w.carry * w.tau)))
    return (draws.SPOT + (getattr(item, "strike", 0.0) or 0.0) + getattr(item, "rebate", 0.0)) * grown


@pytest.mark.parametrize(
    ("draw", "options"),
    [(draws.barrier, {}), (draws.double_barrier, {}), (draws.double_touch, {}),
     (draws.barrier, {"looks": "shift"}), (draws.double_barrier, {"looks": "shift"}),
     (draws.double_touch, {"looks": "shift"})],
)  # fmt: skip
def test_the_stated_error_covers_the_distance_to_exact_steps(draw, options):
    for seed in SEEDS:
        rng = np.random.default_rng([seed, 77])
        w = draws.world(rng, 5.0)
        item = replace(draw(rng, w), n_monitoring=int(rng.choice(LOOKS)))
        found, wanted = _analytic(item, w, **options), _exact(item, w)
        size = draws.SPOT + getattr(item, "strike", 0.0)
        assert abs(found.value - wanted) <= found.error + 1e-13 * size, (seed, item, w, wanted, found)
        if draw is not draws.barrier and not options:
            assert found.error < 1e-11 * _size(item, w) * (1.0 + 1e-3 / w.std), (seed, w)


def _carried(w: draws.World) -> bool:
    """Does the drift take the price so far that the twin's nodes would fill the memory?"""
    return abs(w.rate - w.carry) * w.tau > 8.0 * w.std


def _exact_partial(item: Any, w: draws.World) -> float:
    tau, n = w.tau, item.n_monitoring
    days = item.switch + (tau - item.switch) * np.arange(n + 1) / n
    if item.watched == "start":
        days = item.switch * np.arange(1, n + 1) / n
    low, high = (item.barrier, np.inf) if item.direction == "down" else (0.0, item.barrier)
    given = {"spot": draws.SPOT, "tau": tau, "vol": w.vol, "rate": w.rate, "carry": w.carry, "is_call": item.is_call}
    alive = watched(strike=None, low=low, high=high, times=days, at_expiry=1.0, **given)
    out = watched(strike=item.strike, low=low, high=high, times=days, **given)
    if item.knock == "out":
        return out + item.rebate * (float(np.exp(-w.rate * tau)) - alive)
    whole = watched(strike=item.strike, low=0.0, high=np.inf, times=np.array([tau]), **given)
    return whole - out + item.rebate * alive


@pytest.mark.parametrize("options", [{}, {"looks": "shift"}])
def test_the_stated_error_of_a_partial_barrier_covers_the_distance_to_exact_steps(options):
    for seed in SEEDS:
        rng = np.random.default_rng([seed, 78])
        w = draws.world(rng, 5.0)
        item = draws.partial_barrier(rng, w)
        if item.direction == "either" or _carried(w):
            continue
        item = replace(item, n_monitoring=int(rng.choice((1, 2, 3, 5))))
        found, wanted = _analytic(item, w, **options), _exact_partial(item, w)
        size = draws.SPOT + item.strike
        assert abs(found.value - wanted) <= found.error + 1e-12 * size, (seed, item, w, wanted, found)
        assert options or found.error < 1e-11 * _size(item, w) * (1.0 + 1e-2 / w.std), (seed, w)


def _exact_lookback(item: Lookback, w: draws.World, first: float, step: float, n: int) -> float:
    spot, so_far = draws.SPOT, item.extreme_so_far(draws.SPOT)
    side, strike = (1.0 if item.looks_up else -1.0), item.strike if item.strike is not None else so_far
    level = side * max(side * strike, side * so_far)
    carry = w.rate - w.carry
    more = spot * extreme_beyond(abs(np.log(level / spot)), item.looks_up, carry, w.vol, first, step, n)
    own = side * (level - strike) if item.strike is not None else side * (so_far - spot * np.exp(carry * w.tau))
    return float(np.exp(-w.rate * w.tau) * (more + own))


@pytest.mark.parametrize("options", [{}, {"looks": "shift"}])
def test_the_stated_error_of_a_lookback_covers_the_distance_to_exact_steps(options):
    for seed in SEEDS[:24]:
        rng = np.random.default_rng([seed, 79])
        w = draws.world(rng, 2.0)
        if _carried(w):
            continue
        n = int(rng.choice((1, 2, 3, 5, 12)))
        item = replace(draws.lookback(rng, w), n_monitoring=n)
        found, wanted = _analytic(item, w, **options), _exact_lookback(item, w, w.tau / n, w.tau / n, n)
        assert abs(found.value - wanted) <= found.error + 1e-12 * _size(item, w), (seed, item, w, wanted, found)
        assert options or found.error < 1e-11 * _size(item, w) * (1.0 + 1e-2 / w.std), (seed, w)


@pytest.mark.parametrize("n", [1, 7, 250, 2000])
def test_lookbacks_from_an_hour_to_50_years_agree_with_spitzers_identity(n):
    for seed in range(12):
        rng = np.random.default_rng([seed, n])
        w = draws.world(rng)
        step, drift = w.vol * np.sqrt(w.tau / n), (w.rate - w.carry - 0.5 * w.vol**2) * w.tau / n
        for is_call in (True, False):
            mean = mean_extreme(drift, step, n, not is_call)
            wanted = np.exp(-w.rate * w.tau) * draws.SPOT * abs(np.exp((w.rate - w.carry) * w.tau) - mean)
            item = Lookback(strike=None, tau=w.tau, is_call=is_call, n_monitoring=n)
            found = _analytic(item, w)
            assert abs(found.value - wanted) <= found.error, (seed, w, is_call, wanted, found)
            assert found.error < 1e-11 * max(wanted, _size(item, w)) * (1.0 + 1e-2 / w.std), (seed, w, is_call)


def test_looks_that_were_agreed_stay_where_they_were_as_a_contract_ages():
    w = draws.World(0.5, 0.3, 0.02, 0.01)
    for item in (
        Lookback(strike=105.0, tau=0.5, n_monitoring=6, is_call=True),
        Lookback(strike=None, tau=0.5, n_monitoring=6, is_call=True),
        PartialBarrier(strike=100.0, barrier=92.0, direction="down", knock="out", watched="start", switch=0.3, tau=0.5,
                       n_monitoring=5),
        DoubleBarrier(strike=100.0, low=85.0, high=120.0, knock="out", tau=0.5, n_monitoring=6),
    ):  # fmt: skip
        days = 20.0
        older, years = aged(item, days), days / 365.0
        left, world = 0.5 - years, draws.World(0.5 - years, w.vol, w.rate, w.carry)
        end = item.switch if isinstance(item, PartialBarrier) else 0.5
        looks = end * np.arange(1, item.n_monitoring + 1) / item.n_monitoring - years
        given = {"spot": draws.SPOT, "times": looks, "tau": left, "vol": w.vol, "rate": w.rate, "carry": w.carry}
        if isinstance(item, Lookback):
            wanted = _exact_lookback(older, world, looks[0], looks[1] - looks[0], looks.size)
        elif isinstance(item, DoubleBarrier):
            wanted = watched(strike=100.0, low=85.0, high=120.0, **given)
        else:
            wanted = watched(strike=100.0, low=92.0, high=np.inf, **given)
        found = _analytic(older, w)
        assert abs(found.value - wanted) <= found.error + 1e-11, (item, wanted, found)


@pytest.mark.parametrize(("barrier", "looks"), [(95.0, (10, 20, 40, 80, 160)), (99.5, (10, 40, 160))])
def test_moved_barriers_are_off_by_the_square_of_the_gap_between_looks(barrier, looks):
    w, n = draws.World(0.5, 0.25, 0.08, 0.04), np.array(looks)
    items = [
        Barrier(strike=90.0, barrier=barrier, direction="down", knock="out", tau=0.5, n_monitoring=k) for k in looks
    ]
    found = price(items, BlackScholes(sigma=0.25), w.snapshot, method="analytic", looks="shift")
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
