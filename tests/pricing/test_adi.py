"""Heston by finite differences: the Fourier engine, order of convergence, QuantLib, laws, extremes, refusals."""

from __future__ import annotations

import numpy as np
import pytest

from research.errors import InputError
from research.instruments import American, Barrier, European
from research.market import flat_snapshot
from research.models import BlackScholes, Heston, LocalStochasticVol, LocalVol
from research.pricing import methods, price

# the parameter sets of In 't Hout and Foulon (2010), table 1, cases 1, 3 and 4 (with v0 = theta), time, rates
CASES = {
    "1": (Heston(v0=0.04, kappa=1.5, theta=0.04, sigma=0.3, rho=-0.9), 1.0, 0.025, 0.0),
    "3": (Heston(v0=0.0707, kappa=0.6067, theta=0.0707, sigma=0.2928, rho=-0.7571), 3.0, 0.03, 0.0),
    "4": (Heston(v0=0.06, kappa=2.5, theta=0.06, sigma=0.5, rho=-0.1), 0.25, np.log(1.0507), np.log(1.0469)),
}
STRIKES = (80.0, 90.0, 100.0, 110.0, 120.0)
MODEL, MARKET = CASES["1"][0], flat_snapshot(spot=100.0, rate=0.05, dividend_yield=0.01)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("scheme", ["craig-sneyd", "hundsdorfer-verwer"])
def test_european_options_agree_with_the_fourier_engine(case, scheme):
    model, tau, rate, dividend_yield = CASES[case]
    market = flat_snapshot(spot=100.0, rate=rate, dividend_yield=dividend_yield)
    options = [European(strike=k, tau=tau, is_call=k > 95.0) for k in STRIKES]
    exact = price(options, model, market, method="fourier").value
    found = price(options, model, market, method="adi", scheme=scheme)
    assert np.abs(found.value - exact).max() < (1e-4 if scheme == "craig-sneyd" else 1e-3)
    assert np.all(np.abs(found.value - exact) <= found.error)


@pytest.mark.parametrize("scheme", ["craig-sneyd", "hundsdorfer-verwer"])
def test_the_stated_error_falls_with_the_square_of_the_grid(scheme):
    option = European(strike=105.0, tau=1.0, is_call=False)
    sizes = (40, 80, 160, 320)
    errors = [
        price(option, MODEL, MARKET, method="adi", n_space=n, n_variance=n // 2, n_time=n // 2, scheme=scheme).error
        for n in sizes
    ]
    assert -np.polyfit(np.log(sizes), np.log(errors), 1)[0] == pytest.approx(2.2, abs=0.4)


def test_what_richardson_leaves_is_far_less():
    option = European(strike=105.0, tau=1.0, is_call=False)
    exact = price(option, MODEL, MARKET).value
    for n in (60, 120):
        found = price(option, MODEL, MARKET, method="adi", n_space=n, n_variance=n // 2, n_time=n // 2)
        assert abs(found.value - exact) < 0.2 * found.error


def quantlib_american(strike, sizes):
    """The American put of MODEL and MARKET by QuantLib; its error in time, of order 1, taken off by two runs."""
    ql = pytest.importorskip("QuantLib")
    today = ql.Date(1, 1, 2023)
    ql.Settings.instance().evaluationDate = today
    flat = [ql.YieldTermStructureHandle(ql.FlatForward(today, r, ql.Actual365Fixed())) for r in (0.05, 0.01)]
    spot = ql.QuoteHandle(ql.SimpleQuote(100.0))
    process = ql.HestonProcess(*flat, spot, MODEL.v0, MODEL.kappa, MODEL.theta, MODEL.sigma, MODEL.rho)
    option = ql.VanillaOption(ql.PlainVanillaPayoff(ql.Option.Put, strike), ql.AmericanExercise(today, today + 365))
    values = []
    for steps in (100, 200):
        option.setPricingEngine(ql.FdHestonVanillaEngine(ql.HestonModel(process), steps, *sizes))
        values.append(option.NPV())
    return 2.0 * values[1] - values[0]


@pytest.mark.parametrize("strike", [90.0, 100.0])
def test_american_options_agree_with_quantlib(strike):
    # 8e-3 is what its grid of 100 x 50 is away from one of 400 x 100
    found = price(American(strike=strike, tau=1.0), MODEL, MARKET)
    assert found.value == pytest.approx(quantlib_american(strike, (100, 50)), abs=8e-3)


@pytest.mark.deep
def test_american_options_agree_with_quantlib_on_a_fine_grid():
    found = price(American(strike=90.0, tau=1.0), MODEL, MARKET, n_space=200, n_variance=80, n_time=200)
    assert found.value == pytest.approx(quantlib_american(90.0, (400, 100)), abs=1.5e-3)


def test_projection_and_splitting_reach_the_same_american_value():
    options = [American(strike=k, tau=1.0) for k in (90.0, 100.0, 110.0)]
    sizes = {"n_space": 160, "n_variance": 60, "n_time": 400}
    one = price(options, MODEL, MARKET, **sizes).value
    other = price(options, MODEL, MARKET, splitting=True, **sizes).value
    assert one == pytest.approx(other, abs=3e-4)


def test_small_vol_of_variance_gives_black_and_scholes():
    calm = Heston(v0=0.09, kappa=1.0, theta=0.09, sigma=0.01, rho=0.0)
    contracts = [
        American(strike=105.0, tau=1.0),
        Barrier(strike=100.0, barrier=85.0, direction="down", knock="out", tau=1.0, rebate=2.0),
        Barrier(strike=100.0, barrier=120.0, direction="up", knock="out", tau=1.0),
        Barrier(strike=100.0, barrier=90.0, direction="down", knock="in", tau=1.0, is_call=False, rebate=1.0),
    ]
    found = price(contracts, calm, MARKET).value
    assert found == pytest.approx(price(contracts, BlackScholes(sigma=0.3), MARKET).value, abs=3e-3)


def test_a_down_and_out_agrees_with_quantlib():
    ql = pytest.importorskip("QuantLib")
    today = ql.Date(1, 1, 2023)
    ql.Settings.instance().evaluationDate = today
    flat = [ql.YieldTermStructureHandle(ql.FlatForward(today, r, ql.Actual365Fixed())) for r in (0.05, 0.01)]
    m = MODEL
    process = ql.HestonProcess(*flat, ql.QuoteHandle(ql.SimpleQuote(100.0)), m.v0, m.kappa, m.theta, m.sigma, m.rho)
    option = ql.BarrierOption(
        ql.Barrier.DownOut, 85.0, 0.0, ql.PlainVanillaPayoff(ql.Option.Call, 100.0), ql.EuropeanExercise(today + 365)
    )
    option.setPricingEngine(ql.FdHestonBarrierEngine(ql.HestonModel(process), 100, 200, 60))
    contract = Barrier(strike=100.0, barrier=85.0, direction="down", knock="out", tau=1.0)
    found = price(contract, m, MARKET)
    assert found.value == pytest.approx(option.NPV(), abs=3e-3)


def test_knock_in_and_knock_out_make_the_european_option():
    terms = {"strike": 100.0, "barrier": 85.0, "direction": "down", "tau": 1.0}
    pair = price([Barrier(knock=knock, **terms) for knock in ("in", "out")], MODEL, MARKET).value
    assert pair.sum() == pytest.approx(price(European(strike=100.0, tau=1.0), MODEL, MARKET).value, abs=2e-4)


def test_american_options_lie_between_their_bounds_and_rise_with_the_strike():
    early = price([American(strike=k, tau=1.0) for k in STRIKES], MODEL, MARKET).value
    late = price([European(strike=k, tau=1.0, is_call=False) for k in STRIKES], MODEL, MARKET).value
    assert np.all(early >= late - 1e-4)
    assert np.all(early >= np.maximum(np.array(STRIKES) - 100.0, 0.0) - 1e-3)
    assert np.all(np.diff(early) > 0.0) and np.all(np.diff(early, 2) > -1e-3)


def test_an_american_call_without_dividends_is_european():
    market = flat_snapshot(spot=100.0, rate=0.05)
    early = price(American(strike=100.0, tau=1.0, is_call=True), MODEL, market).value
    assert early == pytest.approx(price(European(strike=100.0, tau=1.0), MODEL, market).value, abs=5e-4)


def test_a_leverage_of_one_is_heston_and_two_doubles_the_vol():
    options = [European(strike=k, tau=1.0) for k in (90.0, 100.0, 110.0)]
    m = MODEL

    def with_leverage(level):
        return LocalStochasticVol(heston=m, leverage=LocalVol(tau=[0.0], log_moneyness=[0.0], vol=[[level]]))

    exact = price(options, m, MARKET).value
    assert price(options, with_leverage(1.0), MARKET).value == pytest.approx(exact, abs=1e-4)
    # 2 sqrt(v) is the root of 4 v, again a square-root process
    scaled = Heston(v0=4.0 * m.v0, kappa=m.kappa, theta=4.0 * m.theta, sigma=2.0 * m.sigma, rho=m.rho)
    assert price(options, with_leverage(2.0), MARKET).value == pytest.approx(
        price(options, scaled, MARKET).value, abs=3e-4
    )


def test_cash_dividends_agree_with_black_and_scholes_where_variance_is_calm():
    calm, given = Heston(v0=0.09, kappa=1.0, theta=0.09, sigma=0.01, rho=0.0), {"dividends": [(0.5, 7.0)]}
    contracts = [European(strike=100.0, tau=1.0), American(strike=100.0, tau=1.0, is_call=True)]
    found = [price(c, calm, MARKET, method="adi", **given).value for c in contracts]
    exact = [price(c, BlackScholes(sigma=0.3), MARKET, method="pde", **given).value for c in contracts]
    assert found == pytest.approx(exact, abs=5e-3)


@pytest.mark.parametrize(
    ("change", "tau", "tolerance"),
    [
        ({"rho": -1.0}, 1.0, 1e-3),
        ({"rho": 1.0}, 1.0, 1e-3),
        ({"kappa": 0.0}, 1.0, 5e-3),
        ({"sigma": 1.5}, 1.0, 2e-2),  # Feller's ratio 0.05
        ({"v0": 0.0}, 1.0, 1e-3),
        ({"theta": 0.0}, 1.0, 3e-3),
        ({"v0": 4.0, "theta": 4.0}, 1.0, 1e-2),  # 200 % vol
        ({}, 1.0 / 365.0, 1e-4),
        ({}, 30.0, 2e-2),
    ],
)
def test_extremes_agree_with_the_fourier_engine(change, tau, tolerance):
    given = {name: getattr(MODEL, name) for name in ("v0", "kappa", "theta", "sigma", "rho")} | change
    model, market = Heston(**given), flat_snapshot(spot=100.0, rate=-0.01, dividend_yield=0.0)
    options = [European(strike=k, tau=tau) for k in (90.0, 100.0, 110.0)]
    exact = price(options, model, market).value
    assert price(options, model, market, method="adi").value == pytest.approx(exact, abs=tolerance)


def test_the_number_of_threads_does_not_change_a_bit():
    import numba

    options = [Barrier(strike=k, barrier=80.0, direction="down", knock="out", tau=1.0) for k in STRIKES]
    many = price(options, MODEL, MARKET).value
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        assert np.array_equal(price(options, MODEL, MARKET).value, many)
    finally:
        numba.set_num_threads(before)


def test_refusals_name_what_is_wrong():
    with pytest.raises(InputError, match="n_variance must be at least 12; got 5"):
        price(American(strike=100.0, tau=1.0), MODEL, MARKET, n_variance=5)
    still = Heston(v0=0.04, kappa=1.0, theta=0.04, sigma=0.0, rho=0.0)
    with pytest.raises(InputError, match="sigma must be > 0 for method='adi'; got 0"):
        price(American(strike=100.0, tau=1.0), still, MARKET)
    with pytest.raises(InputError, match="scheme must be one of craig-sneyd, hundsdorfer-verwer"):
        price(American(strike=100.0, tau=1.0), MODEL, MARKET, scheme="douglas")
    with pytest.raises(InputError, match="heston must be a Heston; got BlackScholes"):
        LocalStochasticVol(heston=BlackScholes(sigma=0.2), leverage=LocalVol(tau=[0.0], log_moneyness=[0.0], vol=[[1]]))


def test_the_engine_is_listed_for_heston():
    assert methods(American(strike=1.0, tau=1.0), MODEL)["method"][0] == "adi"
    assert "adi" in list(methods(European(strike=1.0, tau=1.0), MODEL)["method"])
