"""Theta and charm: whatever a contract's dates are made of, a day that passes is a day less for each of them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from research.instruments import (
    Asian,
    Autocallable,
    Barrier,
    Bermudan,
    Chooser,
    Cliquet,
    Composed,
    Compound,
    DoubleBarrier,
    DoubleTouch,
    European,
    ForwardStart,
    PartialBarrier,
    PartialLookback,
    Pay,
    VarianceSwap,
    VolatilitySwap,
)
from research.instruments.expressions import average, maximum, touched_above, where
from research.market import flat_snapshot
from research.models import BlackScholes
from research.pricing import greeks, price
from research.pricing._agreed_looks import equal_looks
from research.pricing._bumps import aged, bumped
from research.pricing.paths.payoffs import Terms, payoff

MARKET = flat_snapshot(spot=100.0, rate=0.04, dividend_yield=0.01)
MODEL = BlackScholes(sigma=0.25)


def by_date(days: int) -> date:
    return MARKET.as_of + timedelta(days=days)


def by_years(days: int) -> float:
    return days / 365


def until(at: Any, days: int = 365) -> dict[str, Any]:
    return {"expiry": at(days)} if at is by_date else {"tau": at(days)}


def composed(at: Any) -> Composed:
    three = (at(100), at(200), at(300))
    amount = where(touched_above(115.0, three[:2]), 8.0, maximum(average(three) - 100.0, 0.0))
    return Composed(payments=(Pay(at=at(300), amount=amount),))


MAKERS = {
    "compound": lambda at: Compound(option=European(strike=100.0, **until(at)), strike=6.0, **until(at, 150)),
    "chooser": lambda at: Chooser(call=European(strike=100.0, **until(at)),
                                  put=European(strike=95.0, is_call=False, **until(at, 300)), **until(at, 150)),
    "forward start": lambda at: ForwardStart(start=at(100), **until(at)),
    "partial barrier": lambda at: PartialBarrier(strike=100.0, barrier=90.0, direction="down", knock="out",
                                                 watched="start", switch=at(100), **until(at)),
    "partial lookback": lambda at: PartialLookback(switch=at(100), **until(at)),
    "cliquet": lambda at: Cliquet(resets=(at(100), at(200), at(300)), local_floor=0.0, local_cap=0.05),
    "asian": lambda at: Asian(fixings=(at(100), at(200)), strike=100.0, average="geometric"),
    "bermudan": lambda at: Bermudan(strike=100.0, **{"dates" if at is by_date else "times": (at(100), at(200))}),
    "variance swap": lambda at: VarianceSwap(strike=0.2, elapsed=0.5, elapsed_variance=0.01, **until(at)),
    "snowball": lambda at: Autocallable(initial=100.0, observations=(at(100), at(200)), knock_out=1.03, coupon=0.1,
                                        knock_in=0.8, knock_in_daily=False),
    "composed": composed,
}  # fmt: skip


@pytest.mark.parametrize("name", MAKERS)
def test_times_in_years_age_like_dates(name):
    given = {"method": "analytic"} if name == "asian" else {"n_paths": 1 << 11} if name == "composed" else {}
    dated, timed = (
        greeks(MAKERS[name](at), MODEL, MARKET, which=("theta", "charm"), **given) for at in (by_date, by_years)
    )
    assert np.abs(dated["value"] - timed["value"]).max() <= 1e-9 * np.abs(dated["value"]).max()


def test_theta_of_a_swap_that_has_run_is_the_loss_of_a_day_without_moves():
    def after(days: int) -> float:
        passed = 0.5 + days / 365
        swap = VarianceSwap(strike=0.2, tau=1.0 - days / 365, elapsed=passed, elapsed_variance=0.01)
        return float(price(swap, MODEL, MARKET))

    found = greeks(MAKERS["variance swap"](by_years), MODEL, MARKET, which=("theta",))["value"][0]
    assert found == pytest.approx((after(1) - after(-1)) * 365 / 2, rel=1e-3)


LOOKED: list[Any] = [
    Barrier(strike=100.0, barrier=90.0, direction="down", knock="out", tau=1.0, n_monitoring=12),
    DoubleBarrier(strike=100.0, low=80.0, high=120.0, knock="out", tau=1.0, n_monitoring=12),
    DoubleTouch(low=80.0, high=120.0, tau=1.0, n_monitoring=12),
    PartialBarrier(strike=100.0, barrier=90.0, direction="down", knock="out", watched="start", switch=0.5, tau=1.0,
                   n_monitoring=6),
    PartialBarrier(strike=100.0, barrier=90.0, direction="down", knock="out", watched="end", switch=0.5, tau=1.0,
                   n_monitoring=6),
]  # fmt: skip


@pytest.mark.parametrize("method", ["analytic", "pde"])
@pytest.mark.parametrize("item", LOOKED, ids=lambda c: type(c).__name__)
def test_a_day_that_passes_leaves_the_looks_where_they_were_agreed(item, method):
    """Between two looks the value obeys dV/dt = r V - (r - q) S delta - sigma^2 S^2 gamma / 2."""

    def at(days: int) -> float:
        return float(price(aged(item, days), MODEL, bumped(MARKET, days=days), method=by))

    # the third-order formula of one barrier is for whole gaps: what a day does to it the grid says
    by = "pde" if isinstance(item, Barrier) else method
    theta = (at(1) - at(-1)) * 365 / 2
    g = greeks(item, MODEL, MARKET, which=("value", "delta", "gamma", "theta"), method=method).set_index("greek").value
    expected = 0.04 * g["value"] - 3.0 * g["delta"] - 0.5 * 0.25**2 * 1e4 * g["gamma"]
    assert theta == pytest.approx(expected, rel=1e-3 if by == "analytic" else 1e-2)
    assert g["theta"] == pytest.approx(expected, rel=1e-3 if method == "analytic" else 1e-2)
    assert g["theta"] == pytest.approx(expected, rel=1e-3)


def test_a_look_that_has_passed_is_gone():
    item = Barrier(strike=100.0, barrier=90.0, direction="down", knock="out", tau=10 / 365, n_monitoring=10)
    times = equal_looks(aged(item, 3), 7 / 365, 10)
    np.testing.assert_allclose(times * 365, np.arange(1, 8), atol=1e-9)
    paid = payoff(aged(item, 3), Terms(snapshot=bumped(MARKET, days=3)))
    np.testing.assert_allclose(paid.times, times)


def test_a_volatility_swap_ages_by_a_day_without_moves():
    """sqrt((E + V) / life): the root of what has run and what is left, whose life grew by what has passed."""
    fresh, run = (
        VolatilitySwap(strike=0.2, tau=1.0),
        VolatilitySwap(strike=0.2, tau=1.0, elapsed=0.5, elapsed_variance=0.03),
    )
    for item in (fresh, run):

        def after(days: float, item: VolatilitySwap = item) -> float:
            t, begun = 1.0 - days / 365, item.elapsed + days / 365
            root = np.sqrt((item.elapsed_variance + 0.0625 * t) / (begun + t))
            return float(MARKET.discount.df(t) * (root - 0.2))

        found = greeks(item, MODEL, MARKET, which=("value", "theta")).set_index("greek")["value"]
        assert found["value"] == pytest.approx(after(0), rel=1e-12)
        assert found["theta"] == pytest.approx((after(1) - after(-1)) * 365 / 2, rel=1e-4)


@pytest.mark.parametrize("item", LOOKED, ids=lambda c: type(c).__name__)
def test_greeks_by_shifted_barriers_state_what_the_shift_leaves(item):
    names = ("delta", "gamma", "vega", "theta", "rho")
    shift, exact = (greeks(item, MODEL, MARKET, which=names, method=m).set_index("greek") for m in ("analytic", "pde"))
    for name in names:
        off = abs(shift.value[name] - exact.value[name])
        assert off < shift.error[name] + 3.0 * exact.error[name], name
