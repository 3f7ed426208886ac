"""Closed forms with barriers and jumps: Haug's table, finite differences, parities, limits, discrete watching."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from research.errors import InputError
from research.instruments import Barrier, Digital, DoubleBarrier, European, Lookback, Touch, contract_from_json, to_json
from research.market import flat_snapshot
from research.models import BlackScholes
from research.pricing import price

TABLE = pd.read_csv(Path(__file__).parents[1] / "reference" / "haug_barrier.csv", comment="#")
MARKET = flat_snapshot(spot=100.0, rate=0.08, dividend_yield=0.04)
MODEL = BlackScholes(sigma=0.25)
CASES = [
    (d, k, c, x) for d in ("down", "up") for k in ("out", "in") for c in (True, False) for x in (85.0, 100.0, 115.0)
]


def one(direction, knock, is_call, strike, **terms):
    barrier = 92.0 if direction == "down" else 108.0
    given = {"barrier": barrier, "tau": 0.5, "rebate": 3.0} | terms
    return Barrier(strike=strike, direction=direction, knock=knock, is_call=is_call, **given)


@pytest.mark.parametrize("row", list(TABLE.itertuples(index=False)))
def test_prices_agree_with_haug(row):
    contract = Barrier(
        strike=float(row.strike), barrier=float(row.barrier), direction=row.direction, knock=row.knock,
        is_call=row.type == "call", tau=0.5, rebate=3.0,
    )  # fmt: skip
    found = price(contract, BlackScholes(sigma=row.vol), MARKET).value
    assert found == pytest.approx(row.value, abs=1.01e-4)  # the book rounds what a less exact normal probability gave


def test_every_kind_agrees_with_finite_differences():
    book = [one(*case) for case in CASES]
    closed, grid = (price(book, MODEL, MARKET, method=method).value for method in ("analytic", "pde"))
    assert grid == pytest.approx(closed, abs=2e-3)


def test_in_and_out_make_the_european_option_and_the_rebates_a_bond():
    for direction in ("down", "up"):
        for is_call in (True, False):
            pair = [one(direction, knock, is_call, 100.0, rebate=0.0) for knock in ("in", "out")]
            whole = price(European(strike=100.0, tau=0.5, is_call=is_call), MODEL, MARKET).value
            assert price(pair, MODEL, MARKET).value.sum() == pytest.approx(whole, abs=1e-11)
        touch, never = (
            Touch(
                barrier=90.0 if direction == "down" else 110.0,
                direction=direction,
                tau=0.5,
                is_touch=t,
                pays_at="expiry",
            )
            for t in (True, False)
        )
        assert price([touch, never], MODEL, MARKET).value.sum() == pytest.approx(np.exp(-0.04), abs=1e-13)


def test_a_touch_paid_at_the_hit_is_the_rebate_of_a_dead_option():
    # an up-and-out call struck at the barrier is worth its rebate alone
    dead = Barrier(strike=110.0, barrier=110.0, direction="up", knock="out", tau=0.5, rebate=1.0)
    hit = Touch(barrier=110.0, direction="up", tau=0.5)
    assert price(hit, MODEL, MARKET).value == pytest.approx(price(dead, MODEL, MARKET).value, abs=1e-12)
    assert (
        price(hit, MODEL, MARKET).value
        > price(Touch(barrier=110.0, direction="up", tau=0.5, pays_at="expiry"), MODEL, MARKET).value
    )


def test_a_rebate_at_expiry_is_a_touch_paid_then_on_any_engine():
    for direction in ("down", "up"):
        late, none = (one(direction, "out", True, 100.0, rebate=r, rebate_at="expiry") for r in (3.0, 0.0))
        touch = Touch(barrier=late.barrier, direction=direction, tau=0.5, pays_at="expiry", amount=3.0)
        expected = price(none, MODEL, MARKET).value + price(touch, MODEL, MARKET).value
        assert price(late, MODEL, MARKET).value == pytest.approx(expected, abs=1e-12)
        assert price(late, MODEL, MARKET, method="pde").value == pytest.approx(expected, abs=2e-3)
        assert price(late, MODEL, MARKET).value < price(one(direction, "out", True, 100.0), MODEL, MARKET).value


def test_a_far_barrier_leaves_the_european_option_and_a_near_one_kills_it():
    whole = price(European(strike=100.0, tau=0.5), MODEL, MARKET).value
    far = Barrier(strike=100.0, barrier=1.0, direction="down", knock="out", tau=0.5)
    near = Barrier(strike=100.0, barrier=100.0 - 1e-9, direction="down", knock="out", tau=0.5)
    assert price(far, MODEL, MARKET).value == pytest.approx(whole, abs=1e-12)
    assert price(near, MODEL, MARKET).value == pytest.approx(0.0, abs=1e-8)


@pytest.mark.parametrize("sigma", [0.001, 0.01, 5.0])
@pytest.mark.parametrize("tau", [1 / 8760, 50.0])
def test_extremes_stay_between_nothing_and_the_european_option(sigma, tau):
    model = BlackScholes(sigma=sigma)
    book = [one(*case, rebate=0.0, tau=tau) for case in CASES]
    whole = price([European(strike=c.strike, tau=tau, is_call=c.is_call) for c in book], model, MARKET).value
    found = price(book, model, MARKET).value
    assert np.all(found >= 0.0) and np.all(found <= whole + 1e-9)


def test_fewer_looks_make_a_knock_out_dearer_and_many_the_continuous_one():
    looks = [None, 100_000, 125, 25, 5]
    value = [price(one("down", "out", True, 100.0, rebate=0.0, n_monitoring=n), MODEL, MARKET).value for n in looks]
    assert np.all(np.diff(value) > 0.0)
    assert value[1] == pytest.approx(value[0], abs=0.02)


def test_discrete_watching_agrees_with_a_simulation():
    rng = np.random.default_rng(8)
    n, looks = 100_000, 50
    step = 0.5 / looks
    x, low = np.zeros(n), np.zeros(n)
    for _ in range(looks):
        x += (0.04 - 0.5 * 0.25**2) * step + 0.25 * np.sqrt(step) * rng.standard_normal(n)
        low = np.minimum(low, x)
    pay = np.exp(-0.04) * np.where(100.0 * np.exp(low) > 92.0, np.maximum(100.0 * np.exp(x) - 100.0, 0.0), 0.0)
    found = price(one("down", "out", True, 100.0, rebate=0.0, n_monitoring=looks), MODEL, MARKET)
    assert abs(found.value - pay.mean()) < 4.0 * pay.std() / np.sqrt(n) + found.error


def test_digitals_make_a_bond_an_asset_and_a_call():
    cash, below, asset = (
        Digital(strike=100.0, tau=0.5, **given) for given in ({}, {"is_call": False}, {"pays": "asset"})
    )
    values = price([cash, below, asset], MODEL, MARKET).value
    assert values[0] + values[1] == pytest.approx(np.exp(-0.04), abs=1e-15)
    call = price(European(strike=100.0, tau=0.5), MODEL, MARKET).value
    assert values[2] - 100.0 * values[0] == pytest.approx(call, abs=1e-12)


def test_a_digital_agrees_with_haug():
    # Haug (2007), section 4.19.1: cash-or-nothing put, future 100, strike 80, K 10, T 0.75, r 6%, vol 35%: 2.6710
    market = flat_snapshot(spot=100.0, rate=0.06, dividend_yield=0.06)
    put = Digital(strike=80.0, tau=0.75, is_call=False, amount=10.0)
    assert price(put, BlackScholes(sigma=0.35), market).value == pytest.approx(2.6710, abs=0.51e-4)


def test_contracts_survive_json_and_breached_barriers_are_refused():
    for contract in (
        one("up", "in", True, 100.0, n_monitoring=12),
        Touch(barrier=90.0, direction="down", tau=1.0),
        Digital(strike=1.0, tau=1.0),
    ):
        assert contract_from_json(to_json(contract)) == contract
    with pytest.raises(
        InputError, match=r"barrier must lie below the spot, 100; got 100\. The barrier is already breached\."
    ):
        price(Touch(barrier=100.0, direction="down", tau=1.0), MODEL, MARKET)
    with pytest.raises(
        InputError, match=r"barrier must lie above the spot, 100; got 99\. An up-and-in barrier already"
    ):
        price(one("up", "in", True, 100.0, barrier=99.0), MODEL, MARKET)
    with pytest.raises(InputError, match="direction must be 'down' or 'up'; got 'left'"):
        Barrier(strike=1.0, barrier=1.0, direction="left", knock="out", tau=1.0)


def test_one_word_says_how_looks_are_followed_for_every_contract_of_a_book():
    terms = {"tau": 1.0, "n_monitoring": 12}
    book = [
        Barrier(strike=100.0, barrier=90.0, direction="down", knock="out", **terms),
        Touch(barrier=90.0, direction="down", **terms),
        DoubleBarrier(strike=100.0, low=80.0, high=120.0, knock="out", **terms),
        Lookback(strike=100.0, **terms),
    ]
    auto, exact, shift = (
        price(book, BlackScholes(sigma=0.2), flat_snapshot(spot=100.0, rate=0.03), looks=by)
        for by in ("auto", "exact", "shift")
    )
    assert auto.value.tolist() == exact.value.tolist() and np.all(auto.value != shift.value)
    assert np.all(exact.error < 1e-9) and np.all(np.abs(shift.value - exact.value) < shift.error)
    with pytest.raises(InputError, match=r"looks must be one of 'auto', 'exact', 'shift'; got 'often'"):
        price(book[2], BlackScholes(sigma=0.2), flat_snapshot(spot=100.0, rate=0.03), looks="often")
