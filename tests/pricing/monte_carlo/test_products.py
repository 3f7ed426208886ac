"""Each product against its twin, written from the term sheet and simulated whole in NumPy, and against exact values."""

from __future__ import annotations

import importlib.util
import math
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from research.errors import InputError
from research.instruments import (
    Airbag,
    Asian,
    Autocallable,
    DoubleNoTouch,
    Phoenix,
    RangeAccrual,
    SharkFin,
    StructuredDeposit,
)
from research.market import flat_snapshot
from research.models import BlackScholes, black
from research.pricing import monte_carlo, price

SPEC = importlib.util.spec_from_file_location("monte_carlo_twins", Path(__file__).with_name("twins.py"))
assert SPEC is not None and SPEC.loader is not None
twins: Any = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(twins)

MODEL = BlackScholes(sigma=twins.SIGMA)
MARKET = flat_snapshot(spot=twins.SPOT, rate=twins.RATE, dividend_yield=twins.DIVIDEND)
STEPS, TAU = 60, 0.5
AT = list(range(10, STEPS + 1, 10))  # observations, every tenth step
YEARS = tuple(TAU * k / STEPS for k in AT)
DAILY = {"steps_per_year": round(STEPS / TAU)}
SNOWBALL = {"knock_out": 1.03, "coupon": 0.15, "knock_in": 0.85, "strike": 1.0, "floor": 0.0}
PHOENIX = {"knock_out": 1.05, "coupon_barrier": 0.9, "coupon": 0.01, "knock_in": 0.85, "memory": False}
SHARK = {"strike": 1.0, "barrier": 1.15, "rebate": 0.02, "base": 0.005, "participation": 0.8}
RANGE = {"low": 0.93, "high": 1.06, "rate": 0.05, "base": 0.01}
TOUCH = {"low": 0.8, "high": 1.2, "rate": 0.06, "touched_rate": 0.01, "principal": 1.0}
AIRBAG = {"knock_in": 0.85, "participation": 0.9, "knocked_participation": 0.7}


@pytest.fixture(scope="module")
def walks() -> Any:
    return twins.daily_paths(40_000, TAU, STEPS)


def agree(found: Any, values: Any) -> None:
    expected, error = twins.mean_and_error(values)
    assert found.std_error > 0.0
    assert abs(found.value - expected) < 4.0 * math.hypot(error, found.std_error)


@pytest.mark.parametrize("sampler", ["sobol", "philox"])
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"knock_out": (1.05, 1.04, 1.03, 1.02, 1.01, 1.0)},
        {"floor": 0.9, "strike": 0.95},
        {"maturity_coupon": 0.05},
        {"knock_in_daily": False},
        {"knock_in": None},
    ],
    ids=["plain", "step-down", "limited loss", "two coupons", "European knock-in", "no knock-in"],
)
def test_snowball_agrees_with_its_twin(walks: Any, change: dict[str, Any], sampler: str) -> None:
    terms = {**SNOWBALL, **change}
    found = price(
        Autocallable(initial=100.0, observations=YEARS, **DAILY, **terms), MODEL, MARKET, n_paths=1 << 15,
        sampler=sampler,
    )  # fmt: skip
    given = {"initial": 100.0, "maturity_coupon": terms["coupon"], "daily": terms.get("knock_in_daily", True), **terms}
    few = (walks[0][np.r_[0:8000, 20_000:28_000]], walks[1])
    agree(found, twins.autocallable(*few, AT, given))


@pytest.mark.parametrize("memory", [False, True])
@pytest.mark.parametrize("antithetic", [False, True])
def test_phoenix_agrees_with_its_twin(walks: Any, memory: bool, antithetic: bool) -> None:
    terms = {**PHOENIX, "memory": memory}
    note = Phoenix(initial=100.0, observations=YEARS, **DAILY, **terms)
    few = (walks[0][np.r_[0:8000, 20_000:28_000]], walks[1])
    found = price(note, MODEL, MARKET, n_paths=1 << 15, antithetic=antithetic)
    agree(found, twins.phoenix(*few, AT, {"initial": 100.0, **terms}))


@pytest.mark.parametrize("sampler", ["sobol", "philox"])
@pytest.mark.parametrize(
    ("contract", "twin", "terms"),
    [
        (SharkFin, twins.shark_fin, {**SHARK, "is_call": True, "daily": True}),
        (SharkFin, twins.shark_fin, {**SHARK, "is_call": True, "daily": False}),
        (SharkFin, twins.shark_fin, {**SHARK, "barrier": 0.85, "is_call": False, "daily": True}),
        (RangeAccrual, twins.range_accrual, RANGE),
        (DoubleNoTouch, twins.double_no_touch, TOUCH),
        (Airbag, twins.airbag, {**AIRBAG, "daily": True}),
        (Airbag, twins.airbag, {**AIRBAG, "daily": False}),
    ],
    ids=["shark", "European shark", "put shark", "range accrual", "double no-touch", "airbag", "European airbag"],
)
def test_a_note_agrees_with_its_twin(walks: Any, contract: Any, twin: Any, terms: Any, sampler: str) -> None:
    steps = {} if contract is StructuredDeposit else DAILY
    note = contract(initial=100.0, tau=TAU, **steps, **terms)
    agree(price(note, MODEL, MARKET, n_paths=1 << 15, sampler=sampler), twin(*walks, {"initial": 100.0, **terms}))


@pytest.mark.slow
def test_snowball_agrees_with_backward_quadrature() -> None:
    note = Autocallable(
        initial=100.0,
        observations=tuple(k / 252 for k in range(63, 253, 21)),
        knock_out=1.03,
        coupon=0.15,
        knock_in=0.75,
    )
    exact = twins.snowball_exact()
    assert exact == pytest.approx(twins.snowball_exact(fineness=20), abs=1e-4)
    found = price(note, MODEL, MARKET, std_error=0.005)
    assert found.std_error <= 0.005
    assert abs(found.value - exact) < 4.0 * found.std_error


def test_a_snowball_never_called_nor_knocked_in_is_a_bond() -> None:
    note = Autocallable(initial=100.0, observations=YEARS, knock_out=19.0, coupon=0.1, knock_in=1e-9)
    found = price(note, MODEL, MARKET, n_paths=1 << 10)
    assert found.value == pytest.approx(100.0 * (1 + 0.1 * TAU) * math.exp(-twins.RATE * TAU), rel=1e-14)


def test_a_snowball_called_at_once_is_a_short_bond() -> None:
    note = Autocallable(initial=100.0, observations=YEARS, knock_out=1e-6, coupon=0.1)
    found = price(note, MODEL, MARKET, n_paths=1 << 10)
    assert found.value == pytest.approx(100.0 * (1 + 0.1 * YEARS[0]) * math.exp(-twins.RATE * YEARS[0]), rel=1e-14)


def test_a_knocked_in_snowball_that_is_never_called_is_a_bond_less_a_put() -> None:
    note = Autocallable(
        initial=100.0, observations=YEARS, knock_out=19.0, coupon=0.1, knock_in=0.8, knocked_in=True
    )  # fmt: skip
    found = price(note, MODEL, MARKET, n_paths=1 << 14)
    df = math.exp(-twins.RATE * TAU)
    put = black.price(MARKET.forward(TAU), 100.0, TAU, twins.SIGMA, df=df, is_call=False)
    assert found.value == pytest.approx(100.0 * df - put, abs=1e-9)  # the put is a control


@pytest.mark.parametrize("is_call", [True, False])
@pytest.mark.parametrize("width", [None, 0.1])
def test_a_structured_deposit_is_its_vanilla_parts(is_call: bool, width: float | None) -> None:
    note = StructuredDeposit(
        initial=100.0, strike=1.02, width=width, participation=0.6, base=0.01, tau=TAU, is_call=is_call
    )
    found = price(note, MODEL, MARKET, n_paths=1 << 16)
    df, sign = math.exp(-twins.RATE * TAU), 1.0 if is_call else -1.0
    parts = [(102.0, 1.0)] if width is None else [(102.0, 1.0), (102.0 + sign * 10.0, -1.0)]
    legs = sum(w * black.price(MARKET.forward(TAU), k, TAU, twins.SIGMA, df=df, is_call=is_call) for k, w in parts)
    assert abs(found.value - (101.0 * df + 0.6 * legs)) < 4.0 * found.std_error + 1e-9


def corridor(x: float, low: float, high: float, tau: float) -> float:
    """Continuous double no-touch paying 1: reflection of Brownian motion with drift in a strip, as a sine series
    (Hui 1996, One-touch double barrier binary option values, Appl. Fin. Economics 6)."""
    s2, width = twins.SIGMA**2, math.log(high / low)
    drift = (twins.RATE - twins.DIVIDEND - 0.5 * s2) / s2
    y, total = math.log(x / low), 0.0
    for n in range(1, 200):
        k = n * math.pi / width
        # coefficient of exp(-drift y) on sin(k y): integral over the strip, exact
        end = math.exp(drift * width) * (-1) ** n
        c = 2.0 / width * k * (1.0 - end) / (drift**2 + k * k)
        total += c * math.exp(-0.5 * s2 * (k * k + drift**2) * tau) * math.sin(k * y)
    return total * math.exp(-drift * y) * math.exp(-twins.RATE * tau)


def test_daily_double_no_touch_agrees_with_the_series_at_shifted_barriers() -> None:
    # Broadie, Glasserman and Kou (1997): daily barriers are continuous ones moved out by exp(0.5826 sigma sqrt(dt))
    note = DoubleNoTouch(
        initial=100.0, low=0.75, high=1.3, rate=1.0, principal=0.0, notional=1.0, tau=TAU, steps_per_year=504
    )
    found = price(note, MODEL, MARKET, n_paths=1 << 17)
    shift = math.exp(0.5825971579 * twins.SIGMA * math.sqrt(1.0 / 504))
    expected = corridor(100.0, 75.0 / shift, 130.0 * shift, TAU)
    assert abs(found.value - expected) < 4.0 * found.std_error + 2e-4  # the shift is right to o(1 / sqrt(n))
    assert found.value > corridor(100.0, 75.0, 130.0, TAU) + 0.01


def test_price_does_not_depend_on_where_daily_barriers_are_filled_in() -> None:
    """Every day a coarse date, or none but the last: the same contract, other paths."""
    lazy = price(Airbag(initial=100.0, tau=TAU, **AIRBAG, **DAILY), MODEL, MARKET, n_paths=1 << 16)
    daily = tuple(TAU * k / STEPS for k in range(1, STEPS + 1))
    # as an airbag: never called, no coupon, loss from 100 after a knock-in; and its call on the rise
    whole = Autocallable(initial=100.0, observations=daily, knock_out=19.0, coupon=0.0, knock_in=0.85, **DAILY)
    parts = price(whole, MODEL, MARKET, n_paths=1 << 16)
    plain = price(
        Airbag(initial=100.0, tau=TAU, knock_in=0.85, participation=0.0, knocked_participation=0.0, **DAILY), MODEL,
        MARKET, n_paths=1 << 16,
    )  # fmt: skip
    assert abs(parts.value - plain.value) < 4.0 * math.hypot(parts.std_error, plain.std_error)
    assert lazy.value > plain.value


def naive_asian(walks: Any, contract: Asian) -> Any:
    s, t = walks
    x = s[:, [k - 1 for k in AT]]
    n = len(AT) + contract.n_fixed
    mean = np.exp(np.log(x).mean(axis=1)) if contract.average == "geometric" else x.sum(axis=1) / n
    mean = mean + (contract.n_fixed * contract.fixed_mean / n if contract.n_fixed else 0.0)
    sign = 1.0 if contract.is_call else -1.0
    gain = x[:, -1] - mean if contract.strike is None else mean - contract.strike
    return np.exp(-twins.RATE * t[-1]) * np.maximum(sign * gain, 0.0)


@pytest.mark.parametrize("sampler", ["sobol", "philox"])
@pytest.mark.parametrize(
    "terms",
    [
        {"strike": 100.0},
        {"strike": 105.0, "is_call": False},
        {},
        {"is_call": False},
        {"strike": 100.0, "n_fixed": 4, "fixed_mean": 97.0},
        {"strike": 90.0, "n_fixed": 20, "fixed_mean": 130.0},
        {"n_fixed": 4, "fixed_mean": 97.0},
        {"strike": 100.0, "average": "geometric"},
        {"average": "geometric", "is_call": False},
    ],
    ids=lambda terms: ",".join(terms) or "average strike",
)
def test_asian_agrees_with_its_twin(walks: Any, terms: dict[str, Any], sampler: str) -> None:
    contract = Asian(fixings=YEARS, **terms)
    found = price(contract, MODEL, MARKET, n_paths=1 << 13, sampler=sampler)
    expected, error = twins.mean_and_error(naive_asian(walks, contract))
    assert abs(found.value - expected) < 4.0 * math.hypot(error, found.std_error) + 1e-12
    if contract.average == "geometric":
        assert found.std_error == 0.0


def test_one_fixing_is_a_european_option() -> None:
    found = price(Asian(fixings=(TAU,), strike=95.0), MODEL, MARKET, n_paths=1 << 10)
    exact = black.price(MARKET.forward(TAU), 95.0, TAU, twins.SIGMA, df=math.exp(-twins.RATE * TAU))
    assert found.value == pytest.approx(exact, abs=1e-10)


def test_asian_put_call_parity() -> None:
    call, put = (
        price(Asian(fixings=YEARS, strike=97.0, is_call=c), MODEL, MARKET, n_paths=1 << 12) for c in (True, False)
    )
    df = math.exp(-twins.RATE * TAU)
    forward = np.mean([MARKET.forward(t) for t in YEARS])
    gap = call.value - put.value - df * (forward - 97.0)
    assert abs(gap) < 4.0 * math.hypot(call.std_error, put.std_error)


def test_dates_and_years_give_one_price() -> None:
    days = [date(2000, 1, 1).toordinal() + k for k in (31, 61, 92)]
    by_date = Asian(fixings=tuple(date.fromordinal(d) for d in days), strike=100.0)
    by_years = Asian(fixings=(31 / 365, 61 / 365, 92 / 365), strike=100.0)
    assert price(by_date, MODEL, MARKET, n_paths=512).value == price(by_years, MODEL, MARKET, n_paths=512).value


def test_no_volatility_gives_the_forward_path() -> None:
    note = Autocallable(initial=100.0, observations=YEARS, knock_out=1.005, coupon=0.1, knock_in=0.9)
    found = price(note, BlackScholes(sigma=0.0), MARKET, n_paths=512)
    first = next(t for t in YEARS if MARKET.forward(t) >= 100.5)
    assert found.value == pytest.approx(100.0 * (1 + 0.1 * first) * math.exp(-twins.RATE * first), rel=1e-12)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Asian(fixings=(0.5, 0.25), strike=1.0), r"fixings must be in order.*; got '0.25 after 0.5'"),
        (lambda: Asian(fixings=(), strike=1.0), "fixings must hold at least one date; got 'none'"),
        (lambda: Asian(fixings=(0.5,), strike=1.0, n_fixed=3), "fixed_mean must be > 0 where fixings have passed"),
        (lambda: replace_snowball(knock_out=103.0), r"knock_out must lie in \(0, 20\); got 103. .*103% is 1.03"),
        (lambda: replace_snowball(knock_out=(1.0, 1.1)), "knock_out must have one value a date, 6, or be one number"),
        (lambda: replace_snowball(knock_in=1.1), "knock_in must lie below the knock-out levels, 1.03; got 1.1"),
        (lambda: replace_snowball(coupon=15.0), "coupon must lie in .*A decimal is wanted: 15% is 0.15"),
        (lambda: SharkFin(initial=1.0, strike=1.2, barrier=1.1, tau=1.0), "barrier must lie above the strike, 1.2"),
        (lambda: RangeAccrual(initial=1.0, low=1.2, high=1.1, rate=0.1, tau=1.0), "low must lie below high, 1.1"),
        (lambda: StructuredDeposit(initial=1.0, protection=95.0, tau=1.0), "protection must lie in .* 95% is 0.95"),
        (lambda: Airbag(initial=1.0, knock_in=0.8), "Airbag must have an expiry or a tau; got neither"),
    ],
)
def test_broken_terms_are_refused(build: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        build()


def replace_snowball(**changes: Any) -> Autocallable:
    return replace(Autocallable(initial=100.0, observations=YEARS, **SNOWBALL), **changes)


@pytest.mark.parametrize(
    ("contract", "spot", "message"),
    [
        (Autocallable(initial=100.0, observations=YEARS, **SNOWBALL), 84.0,
         "spot must lie above the barrier, 85: it is breached; got 84. Set knocked_in=True"),
        (SharkFin(initial=100.0, tau=1.0, **SHARK), 115.0, "spot must lie below the barrier, 115: it is breached"),
        (DoubleNoTouch(initial=100.0, tau=1.0, **TOUCH), 79.0, "spot must lie above the barrier, 80: it is breached"),
        (Airbag(initial=100.0, tau=1.0, **AIRBAG), 80.0, "Set knocked_in=True"),
    ],
)  # fmt: skip
def test_a_breached_barrier_is_refused(contract: Any, spot: float, message: str) -> None:
    with pytest.raises(InputError, match=message):
        monte_carlo.simulate(contract, MODEL, flat_snapshot(spot=spot), n_paths=64)
