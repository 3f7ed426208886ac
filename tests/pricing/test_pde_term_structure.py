"""Finite differences where the vol hangs on time (BlackTermStructure) or on the forward (CEV, displaced diffusion)."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from research.errors import InputError
from research.instruments import American, Barrier, Digital, DoubleBarrier, European, Touch
from research.market import DiscountCurve, Snapshot, flat_snapshot
from research.models import CEV, BlackScholes, BlackTermStructure, DisplacedDiffusion, LocalVol
from research.pricing import greeks, methods, price

MARKET = flat_snapshot(spot=100.0, rate=0.05, dividend_yield=0.02)
DAYS = (90, 180, 365)
MODEL = BlackTermStructure(tau=tuple(d / 365 for d in DAYS), implied=(0.15, 0.2, 0.3))
CONTRACTS = [
    American(strike=105.0, tau=1.0),
    Barrier(strike=100.0, barrier=85.0, direction="down", knock="out", tau=1.0, rebate=2.0),
    Barrier(strike=100.0, barrier=120.0, direction="up", knock="in", tau=1.0, is_call=False),
    DoubleBarrier(strike=100.0, low=80.0, high=130.0, knock="out", tau=1.0),
    Touch(barrier=120.0, direction="up", tau=1.0, pays_at="expiry"),
    Digital(strike=105.0, tau=1.0),
]


def test_equal_vols_are_black_and_scholes():
    flat = BlackTermStructure(tau=(0.3, 1.0), implied=(0.25, 0.25))
    for item in CONTRACTS:
        one, other = (price(item, m, MARKET, method="pde").value for m in (flat, BlackScholes(sigma=0.25)))
        assert one == pytest.approx(other, abs=1e-9)


@pytest.mark.parametrize("tau", [0.2, 0.4, 1.0, 1.5])
def test_european_options_have_blacks_price_at_the_mean_variance(tau):
    curve = DiscountCurve(as_of=date(2024, 1, 2), tau=[0.25, 1.0, 2.0], zero_rate=[0.01, 0.04, 0.05])
    market = Snapshot(as_of=date(2024, 1, 2), spot=100.0, discount=curve, dividend_yield=0.01)
    options = [European(strike=k, tau=tau, is_call=c) for k in (85.0, 100.0, 120.0) for c in (True, False)]
    found, exact = (price(options, MODEL, market, method=m) for m in ("pde", "analytic"))
    assert np.abs(found.value - exact.value).max() < 2e-5
    assert np.all(np.abs(found.value - exact.value) <= found.error)


def test_without_rates_only_the_total_variance_counts():
    # the clock of variance turns one vol by expiry into another: barriers and early exercise do not see when
    still, mean = flat_snapshot(spot=100.0), BlackScholes(sigma=0.3)
    for item in CONTRACTS:
        one, other = (price(item, m, still, method="pde") for m in (MODEL, mean))
        assert one.value == pytest.approx(other.value, abs=2e-5)


def quantlib(build):
    """A price by QuantLib's grid with the variance curve, at 400 x 800 and 800 x 1600, its leading error taken off."""
    ql = pytest.importorskip("QuantLib")
    today = ql.Date(1, 1, 2023)
    ql.Settings.instance().evaluationDate = today
    count = ql.Actual365Fixed()
    curves = [ql.YieldTermStructureHandle(ql.FlatForward(today, r, count)) for r in (0.02, 0.05)]
    vols = ql.BlackVarianceCurve(today, [today + d for d in DAYS], [0.15, 0.2, 0.3], count)
    process = ql.BlackScholesMertonProcess(
        ql.QuoteHandle(ql.SimpleQuote(100.0)), *curves, ql.BlackVolTermStructureHandle(vols)
    )
    option, engine = build(ql, today)
    values = []
    for n in (400, 800):
        option.setPricingEngine(engine(process, n, 2 * n))
        values.append(option.NPV())
    return values[1] + (values[1] - values[0]) / 3.0


def test_american_options_agree_with_quantlib():
    def build(ql, today):
        exercise = ql.AmericanExercise(today, today + 365)
        option = ql.VanillaOption(ql.PlainVanillaPayoff(ql.Option.Put, 105.0), exercise)
        return option, ql.FdBlackScholesVanillaEngine

    assert price(CONTRACTS[0], MODEL, MARKET).value == pytest.approx(quantlib(build), abs=1e-3)


@pytest.mark.parametrize("position", [1, 2])
def test_barriers_agree_with_quantlib(position):
    def build(ql, today):
        kind, level, rebate, sort = [
            (ql.Barrier.DownOut, 85.0, 2.0, ql.Option.Call), (ql.Barrier.UpIn, 120.0, 0.0, ql.Option.Put)
        ][position - 1]  # fmt: skip
        payoff = ql.PlainVanillaPayoff(sort, 100.0)
        option = ql.BarrierOption(kind, level, rebate, payoff, ql.EuropeanExercise(today + 365))
        return option, ql.FdBlackScholesBarrierEngine

    assert price(CONTRACTS[position], MODEL, MARKET).value == pytest.approx(quantlib(build), abs=1e-3)


@pytest.mark.parametrize(
    "model", [CEV(sigma=2.5, beta=0.5), CEV(sigma=0.01, beta=1.7), DisplacedDiffusion(sigma=0.15, shift=60.0),
              DisplacedDiffusion(sigma=0.4, shift=-30.0)], ids=repr
)  # fmt: skip
def test_european_options_of_a_vol_of_the_forward_have_their_closed_form(model):
    options = [European(strike=k, tau=1.0, is_call=k > 95.0) for k in (70.0, 90.0, 100.0, 120.0)]
    found, exact = (price(options, model, MARKET, method=m) for m in ("pde", "analytic"))
    assert np.abs(found.value - exact.value).max() < 1e-4
    assert np.all(np.abs(found.value - exact.value) <= found.error)


def test_cev_on_the_grid_is_the_local_vol_it_names():
    y = np.linspace(-2.5, 1.5, 4001)
    twin = LocalVol(tau=[0.0], log_moneyness=y, vol=[0.25 * np.exp(-0.5 * y)])
    still = flat_snapshot(spot=100.0)
    for item in CONTRACTS:
        one, other = (price(item, m, still, method="pde").value for m in (CEV(sigma=2.5, beta=0.5), twin))
        assert one == pytest.approx(other, abs=5e-5)


def test_the_engine_is_listed_and_what_does_not_move_is_refused():
    for model in (MODEL, CEV(sigma=2.5, beta=0.5), DisplacedDiffusion(sigma=0.2, shift=10.0)):
        assert "pde" in list(methods(American(strike=1.0, tau=1.0), model)["method"])
    calm = BlackTermStructure(tau=(1.0, 2.0), implied=(0.0, 0.2))
    with pytest.raises(InputError, match=r"implied must give a total variance > 0 at 0\.5 years"):
        price(American(strike=100.0, tau=0.5), calm, MARKET, method="pde")


def test_vega_by_expiry_is_the_slope_in_all_vols():
    item, by = American(strike=105.0, tau=1.0), 1e-3
    found = greeks(item, MODEL, MARKET, method="pde", which=("vega",)).value[0]
    up, down = (
        price(item, BlackTermStructure(tau=MODEL.tau, implied=tuple(v + s * by for v in MODEL.implied)), MARKET).value
        for s in (1, -1)
    )
    assert found == pytest.approx((up - down) / (2.0 * by), rel=1e-4)
