"""Greeks an hour before the end, at 0.1 % and 500 % vol, next to a barrier, far in the wings: finite, and sound."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest

from research.instruments import (
    American,
    Asian,
    Barrier,
    Compound,
    Digital,
    DoubleBarrier,
    DoubleTouch,
    European,
    ForwardStart,
    Gap,
    Lookback,
    PartialBarrier,
    PartialLookback,
    Power,
    Touch,
    VarianceSwap,
)
from research.market import flat_snapshot
from research.models import BlackScholes, Heston, Merton
from research.pricing import greeks
from research.pricing.sensitivities import GREEKS

MARKET = flat_snapshot(spot=100.0, rate=0.03, dividend_yield=0.01)
HOUR, DAY = 1.0 / 8760.0, 1.0 / 365.0
NEAR = {"strike": 100.0, "barrier": 100.0 - 1e-7, "direction": "down", "knock": "out"}


def contracts(tau: float) -> list[Any]:
    until: dict[str, Any] = {"tau": tau}
    return [
        European(strike=40.0, **until), European(strike=300.0, **until), Digital(strike=130.0, **until),
        Barrier(**NEAR, **until), Barrier(**NEAR | {"barrier": 90.0}, rebate=3.0, **until),
        Touch(barrier=100.01, direction="up", **until),
        DoubleBarrier(strike=100.0, low=99.99, high=120.0, knock="out", **until),
        DoubleTouch(low=80.0, high=100.01, **until), American(strike=160.0, is_call=False, **until), Lookback(**until),
        PartialLookback(switch=tau / 2, **until), Gap(strike=100.0, trigger=105.0, **until),
        PartialBarrier(**NEAR | {"barrier": 99.9}, watched="start", switch=tau / 2, **until),
        Asian(fixings=(tau / 2, tau), strike=100.0, average="geometric"), ForwardStart(start=tau / 2, **until),
        Compound(strike=1.0, tau=tau / 2, option=European(strike=100.0, tau=tau)),
        Power(strike=100.0, power=2.0, **until), VarianceSwap(strike=0.2, **until),
        Barrier(**NEAR | {"barrier": 95.0}, n_monitoring=4, **until),
    ]  # fmt: skip


@pytest.mark.parametrize(("tau", "vol"), list(product((HOUR, DAY, 1.0), (0.001, 0.2, 5.0))))
def test_every_greek_is_finite(tau: float, vol: float) -> None:
    frame = greeks(contracts(tau), BlackScholes(sigma=vol), MARKET)
    for name in GREEKS:
        assert np.isfinite(frame[name]).all(), (name, frame.contract[~np.isfinite(frame[name])].tolist())


@pytest.mark.parametrize("tau", [HOUR, DAY, 1.0])
def test_greeks_next_to_the_end_obey_the_pricing_equation(tau: float) -> None:
    """dV/dt = r V - (r - q) S delta - sigma^2 S^2 gamma / 2 for what does not ask where the spot began."""
    some = [c for c in contracts(tau) if not isinstance(c, (Lookback, PartialLookback, VarianceSwap, American))]
    for item in some:
        g = greeks(item, BlackScholes(sigma=0.2), MARKET).set_index("greek")
        v, e = g.value, g.error
        expected = 0.03 * v["value"] - 2.0 * v["delta"] - 200.0 * v["gamma"]
        room = e["theta"] + 2.0 * e["delta"] + 200.0 * e["gamma"] + 6e-3 * abs(expected) + 1e-6
        assert abs(v["theta"] - expected) < room, item


def test_one_cent_of_a_cent_from_a_barrier_the_greeks_are_those_a_little_further_off() -> None:
    """Bumps to both sides of the spot would be lost in rounding: all go away from the barrier."""
    model = BlackScholes(sigma=0.2)
    near = greeks(Barrier(**NEAR, tau=1.0), model, MARKET).set_index("greek")
    off = greeks(Barrier(**NEAR | {"barrier": 100.0 - 1e-2}, tau=1.0), model, MARKET).set_index("greek")
    for name in ("delta", "gamma", "vanna", "charm", "speed"):
        assert near.value[name] == pytest.approx(off.value[name], rel=1e-2), name
        assert near.error[name] < 5e-3 * abs(near.value[name]), name


CALM = Heston(v0=1e-6, kappa=1.5, theta=1e-6, sigma=0.002, rho=-0.7)
JUMPY = Merton(sigma=0.001, intensity=0.1, jump_mean=-0.1, jump_std=0.1)


@pytest.mark.parametrize("model", [CALM, JUMPY], ids=lambda m: type(m).__name__)
def test_a_vol_of_a_thousandth_is_not_bumped_below_nothing(model: Any) -> None:
    for item in (European(strike=101.0, tau=1.0), Asian(fixings=(0.5, 1.0), strike=101.0)):
        extra = {"n_paths": 1 << 10} if isinstance(item, Asian) else {}
        found = greeks(item, model, MARKET, **extra).set_index("greek").value
        assert np.isfinite(found).all() and 0.3 < found["delta"] < 1.0  # forwards lie half a per cent in the money


def test_theta_before_a_date_tomorrow_is_that_of_part_of_a_day() -> None:
    tomorrow = MARKET.as_of.replace(day=MARKET.as_of.day + 1)
    dated = Barrier(**NEAR | {"barrier": 90.0}, expiry=tomorrow)
    timed = replace(dated, expiry=None, tau=DAY)
    one, other = (greeks(c, BlackScholes(sigma=0.2), MARKET, which=("theta", "charm")).value for c in (dated, timed))
    np.testing.assert_allclose(one, other, rtol=1e-9)
    exact = greeks(European(strike=100.0, expiry=tomorrow), BlackScholes(sigma=0.2), MARKET, which="theta").value[0]
    assert one[0] == pytest.approx(exact, rel=1e-3)


def test_a_contract_that_cannot_be_priced_is_marked_alone_too() -> None:
    gone = Barrier(**NEAR | {"barrier": 100.0}, tau=1.0)
    with pytest.warns(RuntimeWarning, match="could not be priced"):
        frame = greeks(gone, BlackScholes(sigma=0.2), MARKET, errors="mark")
    assert frame.value.isna().all() and len(frame) == len(GREEKS)
    assert frame.refused.str.contains("must lie below the spot").all()
    fine = greeks(European(strike=100.0, tau=1.0), BlackScholes(sigma=0.2), MARKET, errors="mark")
    assert fine.value.notna().all() and (fine.refused == "").all()
