"""One barrier looked at on given days, a touch or none: closed forms, grids and paths against exact steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.pricing.honesty import draws
from tests.pricing.honesty.discrete import knock_out

from research.errors import InputError
from research.instruments import Touch, contract_from_json, to_json
from research.market import flat_snapshot
from research.models import BlackScholes
from research.pricing import greeks, price

LOOKS = (1, 2, 3, 5, 12, 40)
MARKET, MODEL = flat_snapshot(spot=100.0, rate=0.04, dividend_yield=0.01), BlackScholes(sigma=0.25)
KINDS = [
    Touch(barrier=90.0, direction="down", tau=0.5, n_monitoring=6, amount=10.0),
    Touch(barrier=112.0, direction="up", tau=0.5, n_monitoring=6, amount=10.0, pays_at="expiry"),
    Touch(barrier=112.0, direction="up", tau=0.5, n_monitoring=6, amount=10.0, is_touch=False, pays_at="expiry"),
]


def exact(item: Any, spot: float, tau: float, vol: float, rate: float, carry: float) -> float:
    low, high = (item.barrier, np.inf) if item.direction == "down" else (0.0, item.barrier)
    given = {"spot": spot, "low": low, "high": high, "tau": tau, "vol": vol, "rate": rate, "carry": carry,
             "looks": item.n_monitoring}  # fmt: skip
    if item.is_touch and item.pays_at == "hit":
        return item.amount * knock_out(strike=None, at_hit=(1.0, 1.0), **given)
    alive = knock_out(strike=None, at_expiry=1.0, **given)
    return item.amount * (float(np.exp(-rate * tau)) - alive if item.is_touch else alive)


@pytest.mark.parametrize("looks", ["auto", "shift"])
@pytest.mark.parametrize("seed", range(80))
def test_the_stated_error_covers_the_distance_to_exact_steps(seed, looks):
    rng = np.random.default_rng([seed, 78])
    w = draws.world(rng, 5.0)
    item = draws.touch(rng, w, int(rng.choice(LOOKS)))
    found = price(item, BlackScholes(sigma=w.vol), w.snapshot, method="analytic", looks=looks)
    wanted = exact(item, draws.SPOT, w.tau, w.vol, w.rate, w.carry)
    assert abs(found.value - wanted) <= found.error + 1e-13 * max(1.0, np.exp(-w.rate * w.tau)), (item, w)


@pytest.mark.parametrize("method", ["analytic", "pde", "paths"])
@pytest.mark.parametrize("item", KINDS, ids=lambda c: f"{c.direction} {c.pays_at} {c.is_touch}")
def test_every_engine_looks_on_the_same_days(item, method):
    given = {"n_paths": 1 << 15} if method == "paths" else {}
    found = price(item, MODEL, MARKET, method=method, **given)
    wanted = exact(item, 100.0, 0.5, 0.25, 0.04, 0.01)
    assert abs(found.value - wanted) < found.error + 4.0 * found.std_error
    assert found.error < 0.02 and price(item, MODEL, MARKET).method == "analytic"


@pytest.mark.parametrize("item", KINDS, ids=lambda c: f"{c.direction} {c.pays_at} {c.is_touch}")
def test_its_greeks_are_those_of_exact_steps(item):
    def at(spot: float = 100.0, vol: float = 0.25) -> float:
        return exact(item, spot, 0.5, vol, 0.04, 0.01)

    found = greeks(item, MODEL, MARKET, which=("delta", "gamma", "vega", "theta")).set_index("greek")
    delta, gamma = (at(100.1) - at(99.9)) / 0.2, (at(100.1) - 2.0 * at() + at(99.9)) / 0.01
    vega = (at(vol=0.251) - at(vol=0.249)) / 0.002
    theta = 0.04 * at() - 3.0 * delta - 0.5 * 0.25**2 * 1e4 * gamma  # between two looks
    for name, wanted, rough in (("delta", delta, 1e-2), ("gamma", gamma, 2e-2), ("vega", vega, 1e-2),
                                ("theta", theta, 3e-2)):  # fmt: skip
        assert abs(found.value[name] - wanted) < found.error[name] + rough * abs(wanted), name


def test_its_terms_are_checked_and_survive_json():
    assert contract_from_json(to_json(KINDS[0])) == KINDS[0]
    with pytest.raises(InputError, match="n_monitoring must be at least 1, or None; got 0"):
        Touch(barrier=90.0, direction="down", tau=0.5, n_monitoring=0)
