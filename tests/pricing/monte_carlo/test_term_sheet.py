"""Term sheets and Greeks of notes: against exact quadrature, counts on single paths, and the laws they must keep."""

from __future__ import annotations

import importlib.util
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from research.errors import InputError, NoEngineError, NumericalError
from research.instruments import (
    Airbag,
    Asian,
    Autocallable,
    DoubleNoTouch,
    European,
    Phoenix,
    RangeAccrual,
    SharkFin,
    StructuredDeposit,
)
from research.market import flat_snapshot
from research.models import BlackScholes, black
from research.pricing import greeks, monte_carlo, price, solve, term_sheet

SPEC = importlib.util.spec_from_file_location("monte_carlo_twins", Path(__file__).with_name("twins.py"))
assert SPEC is not None and SPEC.loader is not None
twins: Any = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(twins)

MODEL = BlackScholes(sigma=twins.SIGMA)
MARKET = flat_snapshot(spot=twins.SPOT, rate=twins.RATE, dividend_yield=twins.DIVIDEND)
SNOWBALL = Autocallable(
    initial=100.0, observations=tuple(k / 252 for k in range(63, 253, 21)), knock_out=1.03, coupon=0.15, knock_in=0.75
)
NOTES = [
    SNOWBALL,
    Phoenix(
        initial=100.0, observations=(0.25, 0.5, 0.75), knock_out=1.05, coupon_barrier=0.9, coupon=0.01, knock_in=0.8
    ),
    SharkFin(initial=100.0, strike=1.0, barrier=1.2, rebate=0.01, tau=0.5),
    RangeAccrual(initial=100.0, low=0.9, high=1.1, rate=0.05, tau=0.25),
    DoubleNoTouch(initial=100.0, low=0.8, high=1.2, rate=0.05, tau=0.5),
    Airbag(initial=100.0, knock_in=0.8, tau=0.5),
    StructuredDeposit(initial=100.0, width=0.2, tau=0.5),
]


@pytest.mark.parametrize("note", NOTES, ids=lambda note: type(note).__name__)
def test_outcomes_are_those_counted_path_by_path(note: Any) -> None:
    sheet = term_sheet(note, MODEL, MARKET, n_paths=1 << 13)
    each = monte_carlo.sample(note, MODEL, MARKET, n_paths=8192, seed=3)
    assert sheet.knocked_out + sheet.at_maturity + sheet.knocked_in == pytest.approx(1.0, abs=1e-12)
    for code, p in enumerate((sheet.knocked_out, sheet.at_maturity, sheet.knocked_in)):
        counted = float((each["outcome"] == code).mean())
        assert abs(counted - p) < 5.0 * math.sqrt(max(p * (1 - p), 1e-12) / 8192) + 4.0 * max(sheet.errors) + 1e-12
    assert abs(each["time"].mean() - sheet.life) < 5.0 * each["time"].std() / 90.0 + 4.0 * sheet.errors[4] + 1e-12
    assert abs(each["value"].mean() - sheet.value) < 5.0 * each["value"].std() / 90.0 + 4.0 * sheet.std_error
    assert sheet.margin == sheet.issue_price - sheet.value
    assert sheet.to_frame()["name"].is_unique


@pytest.mark.parametrize("note", NOTES, ids=lambda note: type(note).__name__)
def test_the_solved_term_gives_the_issue_price_less_the_margin(note: Any) -> None:
    found = solve(note, MODEL, MARKET, margin=0.8, n_paths=1 << 12)
    again = price(found.contract, MODEL, MARKET, n_paths=1 << 12, control=False)
    assert again.value == pytest.approx(99.2, abs=1e-9)
    assert getattr(found.contract, found.term) == found.value


@pytest.mark.slow
def test_the_fair_coupon_of_a_snowball_agrees_with_quadrature() -> None:
    none, some = twins.snowball_exact(coupon=0.0), twins.snowball_exact(coupon=0.2)
    exact = 0.2 * (100.0 - none) / (some - none)
    found = solve(SNOWBALL, MODEL, MARKET, n_paths=1 << 16)
    assert abs(found.value - exact) < 4.0 * found.std_error
    assert found.std_error < 1e-3


@pytest.mark.slow
def test_greeks_of_a_snowball_agree_with_bumped_quadrature() -> None:
    found = greeks(SNOWBALL, MODEL, MARKET, n_paths=1 << 17).set_index("greek")

    def exact(spot: float = 100.0, **terms: float) -> float:
        return float(twins.snowball_exact(spot, fineness=20, **terms))

    up, mid, down = exact(101.0), exact(), exact(99.0)
    high, low = exact(sigma=0.26), exact(sigma=0.24)
    cross = exact(101.0, sigma=0.26) - exact(101.0, sigma=0.24) - exact(99.0, sigma=0.26) + exact(99.0, sigma=0.24)
    wanted = {
        "value": mid,
        "delta": (up - down) / 2.0,
        "gamma": up - 2.0 * mid + down,
        "vega": (high - low) / 0.02,
        "vanna": cross / 0.04,
        "volga": (high - 2.0 * mid + low) / 1e-4,
        "rho": (exact(rate=0.04) - exact(rate=0.02)) / 0.02,
    }
    for name, value in wanted.items():
        assert abs(found["value"][name] - value) < 4.0 * found["std_error"][name], name
    assert found["std_error"]["delta"] < 0.02


def test_greeks_of_a_deposit_are_those_of_its_option() -> None:
    # one option of strike 100 on a notional of 100: participation 1
    note = StructuredDeposit(initial=100.0, protection=0.0, tau=0.5)
    found = greeks(note, MODEL, MARKET, n_paths=1 << 15, spot_bump=0.002, vol_bump=0.002, rate_bump=0.002).set_index(
        "greek"
    )

    def exact(spot: float = 100.0, vol: float = 0.25, rate: float = 0.03, tau: float = 0.5) -> float:
        return float(black.price(spot * math.exp((rate - 0.01) * tau), 100.0, tau, vol, df=math.exp(-rate * tau)))

    h = 1e-3
    wanted = {
        "delta": (exact(100 + h) - exact(100 - h)) / (2 * h),
        "vega": (exact(vol=0.25 + h) - exact(vol=0.25 - h)) / (2 * h),
        "rho": (exact(rate=0.03 + h) - exact(rate=0.03 - h)) / (2 * h),
        "theta": -(exact(tau=0.5 + h) - exact(tau=0.5 - h)) / (2 * h),
    }
    for name, value in wanted.items():
        assert found["value"][name] == pytest.approx(value, rel=3e-3, abs=4.0 * found["std_error"][name]), name


def test_delta_of_an_asian_option_lies_between_nought_and_one_and_vega_is_positive() -> None:
    found = greeks(Asian(fixings=(0.25, 0.5), strike=100.0), MODEL, MARKET, n_paths=1 << 12).set_index("greek")
    assert 0.0 < found["value"]["delta"] < 1.0 and found["value"]["vega"] > 0.0 and "theta" in found.index


def test_what_cannot_be_solved_is_refused() -> None:
    with pytest.raises(InputError, match="term must be one of coupon, maturity_coupon; got 'knock_in'"):
        solve(SNOWBALL, MODEL, MARKET, term="knock_in")
    with pytest.raises(NoEngineError, match=r"instrument must be one of Autocallable.*; got 'European'"):
        term_sheet(European(strike=100.0, tau=1.0), MODEL, MARKET)
    with pytest.raises(NumericalError, match="coupon must change the value of the note"):
        never = Phoenix(initial=100.0, observations=(0.1,), knock_out=19.0, coupon_barrier=19.0, coupon=0.01)
        solve(never, MODEL, MARKET, n_paths=512)
    with pytest.raises(InputError, match=r"vol_bump must lie in \(0, the vol\), 0.25; got 0.3"):
        greeks(SNOWBALL, MODEL, MARKET, vol_bump=0.3)


def test_a_higher_knock_in_is_worth_less_and_a_higher_coupon_more() -> None:
    values = [price(replace(SNOWBALL, knock_in=k), MODEL, MARKET, n_paths=1 << 14).value for k in (0.6, 0.7, 0.8)]
    assert np.all(np.diff(values) < 0.0)
    rich = price(replace(SNOWBALL, coupon=0.2), MODEL, MARKET, n_paths=1 << 14).value
    assert rich > price(SNOWBALL, MODEL, MARKET, n_paths=1 << 14).value
