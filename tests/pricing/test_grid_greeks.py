"""Greeks read off the grids: closed forms near strikes and barriers, QuantLib's grid, other engines, one solve."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from research.instruments import (
    American,
    Autocallable,
    Barrier,
    Bermudan,
    Digital,
    DoubleTouch,
    European,
    PartialBarrier,
    Touch,
)
from research.market import CashDividends, DiscountCurve, Snapshot, flat_snapshot
from research.models import SVI, BlackScholes, BlackTermStructure, Heston, LocalVol, SVISurface, dupire
from research.pricing import greeks, pde, price, quadrature

MARKET = flat_snapshot(spot=100.0, rate=0.03, dividend_yield=0.01, as_of=date(2024, 1, 3))
MODEL = BlackScholes(sigma=0.25)
HESTON = Heston(v0=0.06, kappa=2.0, theta=0.07, sigma=0.5, rho=-0.6)
READ = ("value", "delta", "gamma", "theta")
DOWN_OUT = Barrier(strike=100.0, barrier=85.0, direction="down", knock="out", tau=1.0, rebate=2.0)
CONTRACTS = [
    European(strike=105.0, tau=0.7),
    Digital(strike=100.0, tau=0.5),
    Digital(strike=95.0, tau=0.5, pays="asset"),
    DOWN_OUT,
    Barrier(strike=100.0, barrier=120.0, direction="up", knock="in", tau=1.0, is_call=False),
    Touch(barrier=120.0, direction="up", tau=0.5, pays_at="expiry"),
    DoubleTouch(low=80.0, high=130.0, tau=0.5, pays_if="low"),
    PartialBarrier(strike=100.0, tau=1.0, barrier=90.0, direction="down", knock="out", watched="start", switch=0.4),
]


def table(item, model, market, **how):
    return greeks(item, model, market, **how).set_index("greek")


@pytest.mark.parametrize("item", CONTRACTS, ids=lambda c: type(c).__name__)
def test_closed_forms_are_met_within_the_stated_error(item):
    found = table(item, MODEL, MARKET, method="pde")
    exact = table(item, MODEL, MARKET, method="analytic", vol_bump=0.002)  # its vanna is of order 2 in the vol
    assert set(found.loc[["delta", "gamma", "theta"], "how"]) == {"on the grid"}
    assert found.loc["vega", "how"] == "differences on one grid"
    gap = (found["value"] - exact["value"]).abs()
    for name in READ:
        assert gap[name] <= found.loc[name, "error"] + exact.loc[name, "error"] + 1e-9, name
    size = exact["value"].abs() + 1e-3
    assert (gap / size)[["delta", "gamma", "vega", "rho"]].max() < 2e-4
    assert (gap / size)["theta"] < 1e-3  # a digital's is the small difference of large parts
    assert (gap / size)["vanna"] < 3e-3


NEAR = [(European(strike=100.0, tau=1.0), 100.0), (DOWN_OUT, 100.0), (DOWN_OUT, 87.0), (CONTRACTS[1], 100.0)]


@pytest.mark.parametrize(("item", "centre"), NEAR)
def test_gamma_is_smooth_across_strike_and_up_to_the_barrier(item, centre):
    spots = centre + np.linspace(-1.0, 1.0, 9)
    for spot in spots:
        market = replace(MARKET, spot=float(spot))
        found, exact = (
            table(item, MODEL, market, method=m, which=("delta", "gamma"))["value"] for m in ("pde", "analytic")
        )
        assert found["delta"] == pytest.approx(exact["delta"], abs=1e-6)
        assert found["gamma"] == pytest.approx(exact["gamma"], abs=2e-6)


@pytest.mark.parametrize("spot", [85.0, 95.0, 105.0, 130.0])
def test_american_greeks_agree_with_the_spectral_engine_and_with_quantlibs_grid(spot):
    ql = pytest.importorskip("QuantLib")
    market, item = replace(MARKET, spot=spot), American(strike=100.0, tau=1.0)
    found = table(item, MODEL, market, method="pde", which=READ)
    exact = table(item, MODEL, market, method="spectral", which=READ)
    for name, within in (("value", 3e-5), ("delta", 2e-5), ("gamma", 2e-5), ("theta", 3e-3)):
        assert found.loc[name, "value"] == pytest.approx(exact.loc[name, "value"], abs=within), name
    today, count = ql.Date(1, 1, 2023), ql.Actual365Fixed()
    ql.Settings.instance().evaluationDate = today
    curves = [ql.YieldTermStructureHandle(ql.FlatForward(today, r, count)) for r in (0.01, 0.03)]
    vol = ql.BlackVolTermStructureHandle(ql.BlackConstantVol(today, ql.NullCalendar(), 0.25, count))
    process = ql.BlackScholesMertonProcess(ql.QuoteHandle(ql.SimpleQuote(spot)), *curves, vol)
    option = ql.VanillaOption(ql.PlainVanillaPayoff(ql.Option.Put, 100.0), ql.AmericanExercise(today, today + 365))
    option.setPricingEngine(ql.FdBlackScholesVanillaEngine(process, 400, 800))
    assert found.loc["delta", "value"] == pytest.approx(option.delta(), abs=2e-4)
    assert found.loc["gamma", "value"] == pytest.approx(option.gamma(), abs=2e-4)
    assert found.loc["theta", "value"] == pytest.approx(option.theta(), abs=2e-2)


def test_an_option_that_is_exercised_now_has_no_theta():
    found = table(American(strike=200.0, tau=1.0), MODEL, MARKET, method="pde", which=READ)["value"]
    assert found["delta"] == pytest.approx(-1.0, abs=1e-6)
    assert found["gamma"] == pytest.approx(0.0, abs=1e-6) and found["theta"] == 0.0


def test_heston_greeks_agree_with_the_integral():
    for item in (European(strike=100.0, tau=1.0), European(strike=110.0, tau=0.5, is_call=False)):
        found, exact = (table(item, HESTON, MARKET, method=m) for m in ("adi", "fourier"))
        gap = (found["value"] - exact["value"]).abs()
        for name in READ:
            assert gap[name] <= found.loc[name, "error"], name
        assert gap["delta"] < 1e-5 and gap["gamma"] < 1e-5 and gap["theta"] < 3e-3
        assert gap["vega"] < 2e-2 and gap["rho"] < 2e-2 and gap["vanna"] < 1e-2


def test_greeks_of_a_snowball_are_the_slopes_of_the_quadrature():
    note = Autocallable(initial=100.0, observations=(0.25, 0.5, 0.75, 1.0), knock_out=1.03, coupon=0.15, knock_in=0.75)
    found, h = table(note, MODEL, MARKET, method="pde", which=(*READ, "vega"))["value"], 0.2

    def value(spot, sigma=0.25):
        return quadrature.price_note(note, sigma, replace(MARKET, spot=spot))

    up, here, down = value(100.0 + h), value(100.0), value(100.0 - h)
    assert found["delta"] == pytest.approx((up - down) / (2.0 * h), abs=2e-4)
    assert found["gamma"] == pytest.approx((up - 2.0 * here + down) / h**2, abs=3e-4)
    assert found["vega"] == pytest.approx((value(100.0, 0.251) - value(100.0, 0.249)) / 0.002, abs=0.02)


def test_many_dates_for_exercise_make_the_greeks_of_the_american_option():
    often = Bermudan(strike=105.0, times=tuple(k / 100 for k in range(1, 101)))
    one = table(often, MODEL, MARKET, method="pde", which=READ)["value"]
    other = table(American(strike=105.0, tau=1.0), MODEL, MARKET, method="pde", which=READ)["value"]
    assert one["delta"] == pytest.approx(other["delta"], abs=1e-3)
    assert one["gamma"] == pytest.approx(other["gamma"], abs=1e-3)


def test_delta_gamma_and_theta_come_from_one_solve(monkeypatch):
    calls, kernel = [], pde.pde_values

    def counted(*arguments):
        calls.append(1)
        kernel(*arguments)

    monkeypatch.setattr(pde, "pde_values", counted)
    greeks(CONTRACTS[0], MODEL, MARKET, method="pde", which=READ)
    assert len(calls) == 3  # the fine and the coarse grid, and the one that judges them


def test_where_a_younger_contract_is_another_theta_is_a_difference():
    smile = SVISurface(tau=(0.5, 1.0), slices=(SVI(a=0.01, b=0.1, rho=-0.6, m=0.0, sigma=0.2),
                                               SVI(a=0.02, b=0.12, rho=-0.6, m=0.0, sigma=0.2)))  # fmt: skip
    curve = DiscountCurve(as_of=MARKET.as_of, tau=[0.25, 1.0], zero_rate=[0.01, 0.03])
    bent = Snapshot(as_of=MARKET.as_of, spot=100.0, discount=curve)
    item = European(strike=105.0, tau=0.7)
    rising = BlackTermStructure(tau=(0.5, 1.0), implied=(0.2, 0.25))
    for model, market in ((rising, MARKET), (MODEL, bent)):
        found, exact = (table(item, model, market, method=m) for m in ("pde", "analytic"))
        assert found.loc["theta", "how"] == "differences on one grid"
        day = price([item, replace(item, tau=item.tau - 1 / 365)], model, market).value
        assert found.loc["theta", "value"] == pytest.approx(365.0 * (day[1] - day[0]), rel=5e-3)
        assert found.loc["gamma", "value"] == pytest.approx(exact.loc["gamma", "value"], rel=1e-5)
    local = table(American(strike=105.0, tau=0.7), dupire(smile), MARKET)
    assert local.loc["vega", "value"] > 0.0 > local.loc["theta", "value"]


def test_cash_that_jumps_reaches_the_greeks_and_comes_nearer_with_time():
    market = replace(MARKET, dividend_yield=0.0, cash_dividends=CashDividends(tau=[0.3], cash=[4.0], model="jump"))
    item = European(strike=100.0, tau=1.0)
    found, exact = (table(item, MODEL, market, method=m) for m in ("pde", "analytic"))
    for name in ("delta", "gamma", "vega", "theta", "rho"):
        assert found.loc[name, "value"] == pytest.approx(exact.loc[name, "value"], rel=2e-3), name


def test_under_a_local_vol_the_spot_moves_and_the_vol_stays():
    logs = np.linspace(-2.5, 1.5, 801)

    def model(moved):
        return LocalVol(tau=[0.0], log_moneyness=logs - moved, vol=[0.25 * np.exp(-0.5 * logs)])

    item, h = American(strike=105.0, tau=1.0), 1e-3
    found = table(item, model(0.0), MARKET, which=READ)
    up, down = (price(item, model(np.log1p(s * h)), replace(MARKET, spot=100.0 * (1.0 + s * h))).value for s in (1, -1))
    assert found.loc["delta", "value"] == pytest.approx((up - down) / (200.0 * h), abs=1e-4)
    assert found.loc["theta", "how"] == "differences on one grid"  # its moneyness is that of a forward that grows


def test_a_local_vol_of_one_level_has_the_greeks_of_black_and_scholes():
    flat = LocalVol(tau=[0.0], log_moneyness=[0.0], vol=[[0.25]])
    one, other = (table(DOWN_OUT, m, MARKET, method="pde")["value"] for m in (flat, MODEL))
    for name in ("delta", "gamma", "theta", "vega", "vanna"):
        assert one[name] == pytest.approx(other[name], rel=2e-4, abs=1e-5), name
