"""Dividends, borrow and term structures: one forward for all, and the value of a spot that falls on known days."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from research.errors import InputError, NoEngineError
from research.instruments import (
    American,
    Asian,
    Barrier,
    Digital,
    DoubleBarrier,
    DoubleTouch,
    European,
    ForwardStart,
    Lookback,
    PartialBarrier,
    Touch,
)
from research.market import CashDividends, DiscountCurve, flat_snapshot
from research.models import BlackScholes, BlackTermStructure, Heston
from research.pricing import greeks, price

MARKET = flat_snapshot(spot=100.0, rate=0.05)
MODEL = BlackScholes(sigma=0.3)
OPTIONS = [European(strike=k, tau=1.0, is_call=c) for k in (70.0, 100.0, 120.0) for c in (True, False)]


def paying(*dividends, model="jump", **rest):
    tau, cash = zip(*dividends)
    return replace(MARKET, cash_dividends=CashDividends(tau=tau, cash=cash, model=model), **rest)


@pytest.mark.parametrize("model", ["jump", "escrowed"])
def test_the_forward_is_that_of_parity(model):
    market = paying((0.25, 3.0), (0.8, 4.0), model=model, borrow=0.01)
    forward = 100.0 * np.exp(0.04) - 3.0 * np.exp(0.04 * 0.75) - 4.0 * np.exp(0.04 * 0.2)
    assert market.forward(1.0) == pytest.approx(forward, rel=1e-14)
    assert market.forward([0.1, 0.25])[0] == pytest.approx(100.0 * np.exp(0.004), rel=1e-14)
    call, put = (float(price(European(strike=95.0, tau=1.0, is_call=c), MODEL, replace(market, borrow=0.0)))
                 for c in (True, False))  # fmt: skip
    assert call - put == pytest.approx(np.exp(-0.05) * (replace(market, borrow=0.0).forward(1.0) - 95.0), rel=1e-10)


@pytest.mark.parametrize("n", [1, 2, 4])
def test_jumps_integrated_agree_with_the_grid(n):
    market = paying(*(((i + 0.5) / n, 7.0 / n) for i in range(n)))
    exact = price(OPTIONS, MODEL, market)
    grid = price(OPTIONS, MODEL, market, method="pde", n_space=800, n_time=400)
    assert exact.error.max() < 2e-6
    assert np.abs(exact.value - grid.value).max() < 5e-6


def test_jumps_agree_with_simulation():
    market, n = paying((0.4, 5.0)), 400_000
    rng = np.random.default_rng(8)
    z = rng.standard_normal((2, n))
    spot = 100.0 * np.exp((0.05 - 0.045) * 0.4 + 0.3 * np.sqrt(0.4) * z[0]) - 5.0
    spot = np.maximum(spot, 0.0) * np.exp((0.05 - 0.045) * 0.6 + 0.3 * np.sqrt(0.6) * z[1])
    payoff = np.exp(-0.05) * np.maximum(100.0 - spot, 0.0)
    value = float(price(European(strike=100.0, tau=1.0, is_call=False), MODEL, market))
    assert abs(payoff.mean() - value) < 4.0 * payoff.std() / np.sqrt(n)


def test_escrowed_values_are_blacks_on_the_forward_and_lower_than_with_jumps():
    jump, escrowed = paying((0.5, 7.0)), paying((0.5, 7.0), model="escrowed")
    from research.models import black

    df = np.exp(-0.05)
    twin = black.price(escrowed.forward(1.0), 100.0, 1.0, 0.3, df=df)
    assert float(price(OPTIONS[2], MODEL, escrowed)) == pytest.approx(twin, rel=1e-13)
    assert (price(OPTIONS, MODEL, escrowed).value < price(OPTIONS, MODEL, jump).value).all()
    digital = float(price(Digital(strike=100.0, tau=1.0), MODEL, escrowed))
    near, far = black.price(escrowed.forward(1.0), [99.99, 100.01], 1.0, 0.3, df=df)
    assert digital == pytest.approx((near - far) / 0.02, rel=1e-6)


def test_dividends_go_to_nothing_or_after_expiry():
    plain = price(OPTIONS, MODEL, MARKET).value
    np.testing.assert_allclose(price(OPTIONS, MODEL, paying((0.5, 0.0))).value, plain, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(price(OPTIONS, MODEL, paying((1.5, 9.0))).value, plain, rtol=1e-14)


def test_an_american_call_is_exercised_before_a_large_dividend():
    market = paying((0.5, 15.0))
    american, european = (
        float(price(kind(strike=80.0, tau=1.0, is_call=True), MODEL, market)) for kind in (American, European)
    )
    assert american > european + 1.0
    assert price(Asian(strike=100.0, fixings=(0.5, 1.0)), MODEL, market).method == "paths"
    escrowed = price(American(strike=80.0, tau=1.0, is_call=True), MODEL, paying((0.5, 15.0), model="escrowed"))
    assert escrowed.method == "pde" and european + 1.0 < escrowed.value < american


def test_borrow_is_a_yield_for_every_engine():
    lent, yields = replace(MARKET, borrow=0.02), replace(MARKET, dividend_yield=0.02)
    knock = Barrier(strike=100.0, barrier=80.0, direction="down", knock="out", tau=1.0)
    items = [OPTIONS[0], American(strike=100.0, tau=1.0), knock]
    assert price(items, MODEL, lent).value.tolist() == price(items, MODEL, yields).value.tolist()
    one, other = (greeks(items, MODEL, m, which=("delta", "rho", "theta")) for m in (lent, yields))
    np.testing.assert_allclose(one[["delta", "rho", "theta"]], other[["delta", "rho", "theta"]], rtol=1e-9)


def test_a_term_structure_of_yields_is_its_mean_up_to_expiry():
    curve = DiscountCurve(as_of=MARKET.as_of, tau=[0.5, 1.0], zero_rate=[0.01, 0.03])
    market, flat = replace(MARKET, dividend_yields=curve), replace(MARKET, dividend_yield=0.03)
    heston = Heston(v0=0.04, kappa=1.5, theta=0.05, sigma=0.5, rho=-0.7)
    for model in (MODEL, heston):
        assert price(OPTIONS, model, market).value == pytest.approx(price(OPTIONS, model, flat).value, rel=1e-12)


def test_what_reads_forwards_only_takes_a_term_structure_of_yields_and_the_rest_refuses_by_name():
    curve = DiscountCurve(as_of=MARKET.as_of, tau=[0.5, 1.0], zero_rate=[0.01, 0.01])
    market, flat = replace(MARKET, dividend_yields=curve), replace(MARKET, dividend_yield=0.01)
    start = ForwardStart(start=0.5, tau=1.0)
    assert price(start, MODEL, market).value == pytest.approx(price(start, MODEL, flat).value, rel=1e-13)
    for contract in (
        Lookback(tau=1.0),
        DoubleTouch(low=80.0, high=125.0, tau=1.0),
        Touch(barrier=85.0, direction="down", tau=1.0),
    ):
        found, exact = price(contract, MODEL, market, method="paths", n_paths=1 << 14), price(contract, MODEL, flat)
        assert exact.method == "analytic"
        assert abs(found.value - exact.value) < 4.0 * found.std_error
    message = (
        "Lookback under BlackScholes by 'analytic' takes no term structure of dividend yields. Available: 'paths'."
    )
    with pytest.raises(NoEngineError, match=message):
        price(Lookback(tau=1.0), MODEL, market, method="analytic")


def test_every_contract_on_one_price_has_an_engine_under_a_sloped_curve_and_yields_by_term():
    rates = DiscountCurve(as_of=MARKET.as_of, tau=[0.25, 2.0], zero_rate=[0.01, 0.05])
    yields = DiscountCurve(as_of=MARKET.as_of, tau=[0.25, 2.0], zero_rate=[0.03, 0.0])
    sloped = replace(MARKET, discount=rates)
    terms = {"low": 80.0, "high": 125.0, "tau": 1.0}
    corridor = [DoubleBarrier(strike=100.0, knock=knock, **terms) for knock in ("out", "in")]
    partial = {"strike": 100.0, "barrier": 90.0, "direction": "down", "watched": "end", "switch": 0.5, "tau": 1.0}
    halves = [PartialBarrier(knock=knock, **partial) for knock in ("out", "in")]
    for market in (sloped, replace(sloped, dividend_yields=yields)):
        whole = price(European(strike=100.0, tau=1.0), MODEL, market).value
        for pair in (corridor, halves):
            out, back = (price(one, MODEL, market, method="paths", n_paths=1 << 13) for one in pair)
            assert abs(out.value + back.value - whole) < 4.0 * (out.std_error + back.std_error)
        for contract in (Lookback(tau=0.1), Touch(barrier=97.0, direction="down", tau=0.1)):
            assert price(contract, MODEL, market).error < 0.1


def test_a_term_structure_of_vols_prices_at_the_mean_variance():
    model = BlackTermStructure(tau=(0.5, 1.0), implied=(0.2, 0.25))
    assert model.forward_vols().tolist() == pytest.approx([0.2, np.sqrt(2 * (0.0625 - 0.02))])
    assert float(model.vol(0.3, 0.25)) == pytest.approx(0.2) and float(model.at(1.0).sigma) == pytest.approx(0.25)
    late = np.sqrt((0.0625 + 0.0425 * 2) / 2.0)
    assert float(model.vol(0.0, 2.0)) == pytest.approx(late)
    assert float(price(OPTIONS[2], model, MARKET)) == float(price(OPTIONS[2], model.at(1.0), MARKET))
    assert BlackTermStructure.from_json(model.to_json()) == model
    with pytest.raises(InputError, match="implied must not let total variance fall from one expiry to the next"):
        BlackTermStructure(tau=(0.5, 1.0), implied=(0.3, 0.2))


def test_delta_with_cash_dividends_is_a_difference_of_prices():
    market, h = paying((0.5, 7.0)), 0.05
    found = greeks(OPTIONS[2], MODEL, market, which=("delta", "theta")).set_index("greek")["value"]
    up, down = (float(price(OPTIONS[2], MODEL, replace(market, spot=100.0 + s * h))) for s in (1, -1))
    assert found["delta"] == pytest.approx((up - down) / (2 * h), abs=1e-5)


def test_wrong_markets_are_refused():
    with pytest.raises(
        InputError, match=r"forward must be > 0; got .*The cash dividends are worth more than the stock"
    ):
        paying((0.5, 150.0))
    with pytest.raises(InputError, match="cash must be finite and >= 0 price units; got -1"):
        CashDividends(tau=[0.5], cash=[-1.0])
    with pytest.raises(InputError, match="model must be 'escrowed' or 'jump'; got 'forward'"):
        CashDividends(tau=[0.5], cash=[1.0], model="forward")
    with pytest.raises(InputError, match="dividend_yield must be 0 where there is a term structure of yields"):
        replace(MARKET, dividend_yield=0.01, dividend_yields=MARKET.discount)


def test_mixed_currencies_are_refused():
    @dataclass(frozen=True, kw_only=True)
    class European(type(OPTIONS[0])):
        currency: str = ""

    euro, dollar = (European(strike=100.0, tau=1.0, currency=c) for c in ("EUR", "USD"))
    with pytest.raises(InputError, match=r"currency must be one in a call; got 'EUR, USD'\. Price each currency"):
        price([euro, dollar], MODEL, MARKET)
    with pytest.raises(InputError, match="currency must be one in a call"):
        price([euro], MODEL, replace(MARKET, currency="USD"))
    assert float(price(euro, MODEL, replace(MARKET, currency="EUR"))) > 0.0


def test_barriers_and_notes_meet_cash_and_yields_by_term_on_a_grid():
    far = Barrier(strike=100.0, barrier=1.0, direction="down", knock="out", tau=1.0)
    market = paying((0.5, 5.0))
    assert float(price(far, MODEL, market)) == pytest.approx(float(price(OPTIONS[2], MODEL, market)), abs=2e-3)
    curve = DiscountCurve(as_of=MARKET.as_of, tau=[0.5, 1.0], zero_rate=[0.01, 0.03])
    rising = replace(MARKET, dividend_yield=0.0, dividend_yields=curve)
    exact = float(price(European(strike=100.0, tau=1.0), MODEL, rising))
    assert float(price(far, MODEL, rising)) == pytest.approx(exact, abs=1e-4)
    watched = replace(far, n_monitoring=4)
    assert float(price(watched, MODEL, rising)) == pytest.approx(exact, abs=1e-4)
    late, early = (
        float(price(American(strike=100.0, tau=1.0, is_call=True), MODEL, replace(rising, dividend_yields=c)))
        for c in (curve, DiscountCurve(as_of=MARKET.as_of, tau=[0.5, 1.0], zero_rate=[0.05, 0.03]))
    )
    assert late > early  # a yield that is paid later leaves more to exercise for
