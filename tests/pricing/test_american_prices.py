"""American options by spectral collocation: published digits, QuantLib, laws, limits, extremes and refusals."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from research.errors import InputError, NoEngineError
from research.instruments import American, European
from research.market import DiscountCurve, Snapshot, flat_snapshot
from research.models import SABR, BlackScholes, black
from research.pricing import american, price

TABLE = pd.read_csv(Path(__file__).parents[1] / "reference" / "american_put_premium.csv", comment="#")


def european(spot, strike, tau, vol, rate, dividend_yield, is_call=False):
    forward = spot * np.exp((rate - dividend_yield) * tau)
    return black.price(forward, strike, tau, vol, df=np.exp(-rate * tau), is_call=is_call)


def random_options(n, seed, *, wide=False):
    rng = np.random.default_rng(seed)
    low, high = (0.005, 3.0) if wide else (0.05, 0.6)
    vol = np.exp(rng.uniform(np.log(low), np.log(high), n))
    tau = np.exp(rng.uniform(np.log(0.003 if wide else 0.05), np.log(30.0 if wide else 3.0), n))
    rate, dividend_yield = rng.uniform(0.001, 0.12, n), rng.uniform(-0.03, 0.12, n)
    dividend_yield[::4] = 0.0
    spot = 100.0 * np.exp(rng.uniform(-1.0, 1.0, n) * np.minimum(vol * np.sqrt(tau), 1.0))
    return spot, 100.0, tau, vol, rate, dividend_yield


@pytest.mark.parametrize("row", list(TABLE.itertuples(index=False)))
def test_premium_agrees_with_the_paper_to_its_twelve_digits(row):
    terms = (row.spot, row.strike, row.tau, row.vol)
    ours = american.price(*terms, rate=row.rate, dividend_yield=row.dividend_yield, tolerance=1e-12)
    assert ours - european(*terms, row.rate, row.dividend_yield) == pytest.approx(row.premium, abs=1e-12)


def test_puts_and_calls_agree_with_quantlib():
    ql = pytest.importorskip("QuantLib")
    today = ql.Date(1, 1, 2023)
    ql.Settings.instance().evaluationDate = today
    handle, count = ql.YieldTermStructureHandle, ql.Actual365Fixed()
    for spot, vol, years, rate, dividend_yield, is_call in [
        (36.0, 0.2, 1, 0.06, 0.0, False), (44.0, 0.4, 2, 0.06, 0.0, False), (40.0, 0.3, 1, 0.02, 0.07, False),
        (40.0, 0.3, 3, 0.07, 0.03, True), (50.0, 0.15, 1, 0.01, 0.06, True), (38.0, 0.6, 5, 0.05, 0.05, False),
    ]:  # fmt: skip
        process = ql.BlackScholesMertonProcess(
            ql.QuoteHandle(ql.SimpleQuote(spot)), handle(ql.FlatForward(today, dividend_yield, count)),
            handle(ql.FlatForward(today, rate, count)),
            ql.BlackVolTermStructureHandle(ql.BlackConstantVol(today, ql.NullCalendar(), vol, count)),
        )  # fmt: skip
        kind = ql.Option.Call if is_call else ql.Option.Put
        expiry = ql.AmericanExercise(today, today + 365 * years)
        option = ql.VanillaOption(ql.PlainVanillaPayoff(kind, 40.0), expiry)
        option.setPricingEngine(ql.QdFpAmericanEngine(process, ql.QdFpAmericanEngine.highPrecisionScheme()))
        ours = american.price(
            spot, 40.0, float(years), vol, rate=rate, dividend_yield=dividend_yield, is_call=is_call, tolerance=1e-11
        )
        assert ours == pytest.approx(option.NPV(), abs=2e-7)  # 10 nodes there: 6e-8 off the first row


def test_the_stated_error_holds_at_every_tolerance():
    spot, strike, tau, vol, rate, dividend_yield = random_options(200, 3)
    terms = (spot, strike, tau, vol)
    given = {"rate": rate, "dividend_yield": dividend_yield}
    exact = american.price(*terms, **given, tolerance=1e-12)
    for tolerance in (1e-4, 1e-6, 1e-8):
        found, error = american.price_with_error(*terms, **given, tolerance=tolerance)
        assert np.all(np.abs(found - exact) <= error + 2e-10)
        assert error.max() <= 100.0 * tolerance


def test_each_order_gains_digits_the_boundary_being_smooth_in_the_root_of_time():
    spot, strike, tau, vol = 40.0, 40.0, 1.0, 0.3
    exact = american.price(spot, strike, tau, vol, rate=0.06, tolerance=1e-13)
    errors = []
    for tolerance in (1e-4, 1e-7, 1e-9):
        errors.append(abs(american.price(spot, strike, tau, vol, rate=0.06, tolerance=tolerance) - exact))
    assert errors[0] < 1e-4 and errors[1] < 1e-2 * errors[0] + 1e-9 and errors[2] < 1e-9


def test_a_call_is_a_put_with_spot_and_strike_rate_and_yield_exchanged():
    spot, strike, tau, vol, rate, dividend_yield = random_options(50, 4)
    put = american.price(spot, strike, tau, vol, rate=rate, dividend_yield=dividend_yield)
    call = american.price(strike, spot, tau, vol, rate=dividend_yield, dividend_yield=rate, is_call=True)
    assert call == pytest.approx(put, rel=1e-14)


def test_price_lies_between_european_and_strike_and_rises_with_time_and_vol():
    spot, strike, tau, vol, rate, dividend_yield = random_options(300, 5, wide=True)
    given = {"rate": rate, "dividend_yield": dividend_yield}
    found, error = american.price_with_error(spot, strike, tau, vol, **given)
    slack = error + 1e-11
    assert np.all(found >= np.maximum(strike - spot, european(spot, strike, tau, vol, rate, dividend_yield)) - slack)
    assert np.all(found <= strike + slack)
    assert np.all(american.price(spot, strike, 1.1 * tau, vol, **given) >= found - 2e-6)
    assert np.all(american.price(spot, strike, tau, 1.1 * vol, **given) >= found - 2e-6)


def test_price_is_convex_and_decreasing_in_spot():
    spot = np.linspace(60.0, 160.0, 201)
    found = american.price(spot, 100.0, 1.0, 0.3, rate=0.05, dividend_yield=0.02, tolerance=1e-11)
    assert np.all(np.diff(found) < 0.0) and np.all(np.diff(found, 2) > -1e-8)
    assert np.all(np.diff(found) >= -0.5 - 1e-9)  # the slope of the pay-off


def test_an_option_without_end_is_the_perpetual_one():
    # Merton (1973): V = (K - b) (S/b)^beta, b = K beta / (beta - 1)
    rate, vol = 0.08, 0.3
    beta = -2.0 * rate / vol**2
    edge = 100.0 * beta / (beta - 1.0)
    perpetual = (100.0 - edge) * (110.0 / edge) ** beta
    assert american.price(110.0, 100.0, 400.0, vol, rate=rate) == pytest.approx(perpetual, abs=1e-6)


def test_no_interest_or_no_yield_makes_waiting_free():
    assert american.price(90.0, 100.0, 2.0, 0.3, rate=0.0, dividend_yield=0.04) == pytest.approx(
        european(90.0, 100.0, 2.0, 0.3, 0.0, 0.04), rel=1e-14
    )
    assert american.price(90.0, 100.0, 2.0, 0.3, rate=0.05, is_call=True) == pytest.approx(
        european(90.0, 100.0, 2.0, 0.3, 0.05, 0.0, is_call=True), rel=1e-14
    )
    assert american.price(90.0, 100.0, 2.0, 0.3, rate=-0.02, dividend_yield=0.01) == pytest.approx(
        european(90.0, 100.0, 2.0, 0.3, -0.02, 0.01), rel=1e-14
    )


def test_a_negative_yield_keeps_one_boundary_and_a_higher_price():
    low, high = (american.price(100.0, 100.0, 1.0, 0.2, rate=0.03, dividend_yield=q) for q in (-0.02, -0.01))
    assert european(100.0, 100.0, 1.0, 0.2, 0.03, -0.02) < low < high


def test_certainty_is_the_best_of_all_dates():
    assert american.price(90.0, 100.0, 0.0, 0.3, rate=0.05) == pytest.approx(10.0, rel=1e-15)
    assert american.price(95.0, 100.0, 1.0, 0.0, rate=0.05, dividend_yield=0.01) == pytest.approx(5.0, rel=1e-14)
    grid = np.linspace(0.0, 10.0, 100_001)
    best = np.max(100.0 * np.exp(-0.02 * grid) - 110.0 * np.exp(-0.09 * grid))
    found = american.price(110.0, 100.0, 10.0, 0.0, rate=0.02, dividend_yield=0.09)
    assert found == pytest.approx(best, abs=1e-8)
    assert american.price(110.0, 100.0, 10.0, 0.005, rate=0.02, dividend_yield=0.09) == pytest.approx(best, abs=0.05)


@pytest.mark.parametrize("tau", [1 / 8760, 1 / 365, 1.0, 50.0])
@pytest.mark.parametrize("vol", [0.001, 0.01, 0.2, 1.0, 5.0])
@pytest.mark.parametrize(("rate", "dividend_yield"), [(0.05, 0.0), (0.05, 0.03), (0.03, 0.06), (0.02, -0.01)])
def test_extremes_have_a_price_within_its_bounds(tau, vol, rate, dividend_yield):
    spot = np.array([99.9, 100.0, 100.1])
    found, error = american.price_with_error(spot, 100.0, tau, vol, rate=rate, dividend_yield=dividend_yield)
    floor = np.maximum(100.0 - spot, european(spot, 100.0, tau, vol, rate, dividend_yield))
    assert np.all(found >= floor - 1e-9) and np.all(found <= 100.0) and np.all(error < 1e-3)


def test_two_boundaries_are_refused_with_the_methods_that_take_them():
    sentence = (
        "rate must not lie above the yield while both are negative; got -0.01 .1 of 1 values.. "
        "There the exercise region has two boundaries: use method='lattice' or method='pde'."
    )
    with pytest.raises(NoEngineError, match=sentence):
        american.price(100.0, 100.0, 1.0, 0.2, rate=-0.01, dividend_yield=-0.03)


def test_a_bad_row_is_named_or_marked():
    with pytest.raises(InputError, match=r"vol must be finite and >= 0; got nan \(1 of 2 values\)"):
        american.price(100.0, 100.0, 1.0, [0.2, np.nan], rate=0.05)
    found = american.price([100.0, -1.0, 100.0], 100.0, 1.0, [0.2, 0.2, np.nan], rate=0.05, on_error="nan")
    assert np.isnan(found).tolist() == [False, True, True]


def test_the_engine_needs_one_rate_up_to_expiry():
    curve = DiscountCurve(as_of=date(2024, 1, 2), tau=np.array([0.5, 1.0, 2.0]), zero_rate=np.array([0.03, 0.03, 0.04]))
    market = Snapshot(as_of=date(2024, 1, 2), spot=100.0, discount=curve)
    model = BlackScholes(sigma=0.2)
    assert price(American(strike=100.0, tau=1.0), model, market, method="spectral").value > 0.0
    with pytest.raises(NoEngineError, match="zero_rate must be one rate up to expiry for method='spectral'"):
        price(American(strike=100.0, tau=2.0), model, market, method="spectral")


def test_the_door_prices_a_book_of_mixed_contracts():
    market = flat_snapshot(spot=36.0, rate=0.06)
    model = BlackScholes(sigma=0.2)
    book = [
        American(strike=40.0, tau=1.0),
        European(strike=40.0, tau=1.0, is_call=False),
        American(strike=40.0, tau=2.0),
    ]
    found = price(book, model, market)
    assert found.method.tolist()[0] in ("spectral",)
    assert found.value[0] == pytest.approx(american.price(36.0, 40.0, 1.0, 0.2, rate=0.06), abs=1e-12)
    assert found.value[0] > found.value[1]
    with pytest.raises(NoEngineError, match="American"):
        price(book[0], SABR(alpha=0.2, beta=1.0, rho=0.0, nu=0.3), market)


def test_a_chain_of_strikes_costs_one_boundary_and_gives_the_single_prices():
    strikes = np.linspace(80.0, 120.0, 9)
    chain = american.price(100.0, strikes, 1.0, 0.25, rate=0.04, dividend_yield=0.01)
    single = [american.price(100.0, k, 1.0, 0.25, rate=0.04, dividend_yield=0.01) for k in strikes]
    assert chain == pytest.approx(single, abs=2e-6)
