"""Finite differences under local vol: CEV's closed form, the surface it was read off, Black as a limit, QuantLib."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ncx2

from research.errors import NoEngineError
from research.instruments import American, Barrier, Digital, European, Quanto
from research.market import flat_snapshot
from research.models import SVI, BlackScholes, LocalVol, SVISurface, black, dupire
from research.pricing import methods, pde, price

SURFACE = SVISurface(
    tau=(0.25, 1.0, 2.0),
    slices=(
        SVI(a=0.004, b=0.04, rho=-0.5, m=0.0, sigma=0.15),
        SVI(a=0.018, b=0.10, rho=-0.5, m=0.0, sigma=0.25),
        SVI(a=0.04, b=0.14, rho=-0.5, m=0.0, sigma=0.35),
    ),
)
MARKET = flat_snapshot(spot=100.0, rate=0.03, dividend_yield=0.01)
MODEL = dupire(SURFACE)
FLAT = LocalVol(tau=[0.0], log_moneyness=[0.0], vol=[[0.3]])


def cev(beta: float, vol: float, spot: float) -> LocalVol:
    """dS = vol spot^(1-beta) S^beta dW as a grid; without rates log moneyness is log(S / spot)."""
    y = np.linspace(-2.5, 1.5, 4001)
    return LocalVol(tau=[0.0], log_moneyness=y, vol=[vol * np.exp((beta - 1.0) * y)])


def cev_call(beta: float, vol: float, spot: float, strike: np.ndarray, tau: float) -> np.ndarray:
    """Schroder (1989), without rates: noncentral chi squared."""
    power = 2.0 * (1.0 - beta)
    scale = 4.0 / (power**2 * vol**2 * spot**power * tau)
    x, y = scale * spot**power, scale * strike**power
    return spot * ncx2.sf(y, 2.0 + 2.0 / power, x) - strike * ncx2.cdf(x, 2.0 / power, y)


def test_cev_agrees_with_its_closed_form():
    strike = np.array([70.0, 90.0, 100.0, 110.0, 140.0])
    exact = cev_call(0.5, 0.25, 100.0, strike, 1.0)
    options = [European(strike=k, tau=1.0) for k in strike]
    found = price(options, cev(0.5, 0.25, 100.0), flat_snapshot(spot=100.0), n_space=400, n_time=200)
    assert np.abs(found.value - exact).max() < 1e-4
    assert np.all(np.abs(found.value - exact) <= found.error)


def test_the_error_falls_with_the_square_of_the_grid():
    option, market, model = European(strike=105.0, tau=1.0), flat_snapshot(spot=100.0), cev(0.5, 0.25, 100.0)
    exact = cev_call(0.5, 0.25, 100.0, np.array([105.0]), 1.0)[0]
    grids = [(50, 25), (100, 50), (200, 100), (400, 200)]
    plain = np.array([pde._solve([option], np.array([1.0]), model, market, n, m, (), 1)[0] for n, m in grids])
    order = -np.polyfit(np.log([n for n, _ in grids]), np.log(np.abs(plain - exact)), 1)[0]
    assert order == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize("tau", [0.1, 0.25, 0.6, 1.0, 2.0])
def test_local_vol_reprices_the_surface_it_was_read_off(tau):
    strike = np.array([80.0, 90.0, 100.0, 110.0, 125.0])
    options = [European(strike=k, tau=tau) for k in strike]
    found = price(options, MODEL, MARKET, n_space=400, n_time=200).value
    vega = black.greeks(MARKET.forward(tau), strike, tau, SURFACE.vol(np.log(strike / MARKET.forward(tau)), tau))[
        "vega"
    ]
    miss = (found - price(options, SURFACE, MARKET).value) / vega
    assert np.abs(miss[1:-1]).max() < 0.3e-4  # vol: 0.3 basis points
    assert np.abs(miss).max() < 1e-4


def test_a_flat_grid_is_black_and_scholes():
    contracts = [
        European(strike=90.0, tau=1.0),
        American(strike=110.0, tau=1.0),
        Barrier(strike=100.0, barrier=85.0, direction="down", knock="out", tau=1.0, rebate=2.0),
        Barrier(strike=100.0, barrier=120.0, direction="up", knock="in", tau=1.0, rebate=2.0, is_call=False),
    ]
    flat = price(contracts, FLAT, MARKET, dividends=[(0.5, 3.0)]).value
    assert flat == pytest.approx(
        price(contracts, BlackScholes(sigma=0.3), MARKET, method="pde", dividends=[(0.5, 3.0)]).value, abs=2e-3
    )


@pytest.mark.parametrize("barrier", [60.0, 85.0, 95.0, 99.5])
def test_a_barrier_on_the_grid_is_as_good_far_from_the_spot_as_near(barrier):
    contract = Barrier(strike=100.0, barrier=barrier, direction="down", knock="out", tau=1.0)
    exact = price(contract, BlackScholes(sigma=0.3), MARKET).value
    assert price(contract, FLAT, MARKET).value == pytest.approx(exact, abs=2e-5)


def test_knock_in_and_knock_out_make_the_european_option():
    terms = {"strike": 100.0, "barrier": 85.0, "direction": "down", "tau": 1.0}
    pair = price([Barrier(knock=knock, **terms) for knock in ("in", "out")], MODEL, MARKET).value
    assert pair.sum() == pytest.approx(price(European(strike=100.0, tau=1.0), MODEL, MARKET).value, abs=1e-4)


def test_a_skew_makes_the_american_put_worth_more_than_the_european_and_less_than_the_strike():
    strikes = (80.0, 100.0, 120.0)
    early = price([American(strike=k, tau=1.0) for k in strikes], MODEL, MARKET).value
    late = price([European(strike=k, tau=1.0, is_call=False) for k in strikes], MODEL, MARKET).value
    assert np.all(early > late) and np.all(early < strikes)
    assert early[2] >= 20.0


@pytest.mark.parametrize("vol", [0.001, 5.0])
@pytest.mark.parametrize("tau", [1.0 / 8760.0, 1.0, 50.0])
def test_extremes_of_vol_and_time_agree_with_black(vol, tau):
    model, market = LocalVol(tau=[0.0], log_moneyness=[0.0], vol=[[vol]]), flat_snapshot(spot=100.0)
    for is_call in (True, False):
        found = price(European(strike=100.0, tau=tau, is_call=is_call), model, market).value
        assert found == pytest.approx(black.price(100.0, 100.0, tau, vol, is_call=is_call), abs=2e-3)


def test_a_barrier_under_local_vol_agrees_with_quantlib():
    ql = pytest.importorskip("QuantLib")
    today = ql.Date(1, 1, 2023)
    ql.Settings.instance().evaluationDate = today
    count, handle = ql.Actual365Fixed(), ql.YieldTermStructureHandle
    strikes, days = np.geomspace(30.0, 300.0, 121), [1, 91, 182, 273, 365]
    skew = 0.25 * (strikes / 100.0) ** -0.5  # a local vol of the spot alone, so that nothing hangs on time
    matrix = ql.Matrix(strikes.size, len(days))
    for i, level in enumerate(skew):
        for j in range(len(days)):
            matrix[i][j] = float(level)
    surface = ql.FixedLocalVolSurface(today, [today + d for d in days], strikes.tolist(), matrix, count)
    flat = ql.BlackVolTermStructureHandle(ql.BlackConstantVol(today, ql.NullCalendar(), 0.25, count))
    process = ql.GeneralizedBlackScholesProcess(
        ql.QuoteHandle(ql.SimpleQuote(100.0)), handle(ql.FlatForward(today, 0.0, count)),
        handle(ql.FlatForward(today, 0.0, count)), flat, ql.LocalVolTermStructureHandle(surface),
    )  # fmt: skip
    option = ql.BarrierOption(
        ql.Barrier.DownOut, 85.0, 0.0, ql.PlainVanillaPayoff(ql.Option.Call, 100.0), ql.EuropeanExercise(today + 365)
    )
    option.setPricingEngine(
        ql.FdBlackScholesBarrierEngine(process, 100, 800, 2, ql.FdmSchemeDesc.Douglas(), True, 0.01)
    )
    contract = Barrier(strike=100.0, barrier=85.0, direction="down", knock="out", tau=1.0)
    found = price(contract, cev(0.5, 0.25, 100.0), flat_snapshot(spot=100.0))
    assert found.value == pytest.approx(option.NPV(), abs=2e-3)


def test_the_engines_of_a_local_vol_are_listed_and_others_refused():
    assert methods(American(strike=1.0, tau=1.0), FLAT)["method"][0] == "pde"
    assert list(methods(Digital(strike=100.0, tau=1.0), FLAT)["method"]) == ["pde", "paths"]
    with pytest.raises(NoEngineError, match="LocalVol has none of"):
        price(Quanto(strike=100.0, tau=1.0, fx=1.0), FLAT, MARKET)
