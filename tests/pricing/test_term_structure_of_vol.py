"""A term structure of vol: the flat limit to the last digits, QuantLib's term structure, and simulation beside them."""

from __future__ import annotations

import numpy as np
import pytest

from research.instruments import (
    Airbag,
    Asian,
    Autocallable,
    Chooser,
    Cliquet,
    Compound,
    Digital,
    DoubleNoTouch,
    European,
    ForwardStart,
    Gap,
    LogContract,
    Phoenix,
    Power,
    RangeAccrual,
    SharkFin,
    StructuredDeposit,
    Supershare,
    VarianceSwap,
    VolatilitySwap,
)
from research.market import flat_snapshot
from research.models import BlackScholes, BlackTermStructure, black
from research.pricing import greeks, methods, price

ql = pytest.importorskip("QuantLib")

MARKET = flat_snapshot(spot=100.0, rate=0.03, dividend_yield=0.01)
FLAT, ONE = BlackTermStructure(tau=(0.25, 0.7, 2.0), implied=(0.2, 0.2, 0.2)), BlackScholes(sigma=0.2)
STEEP = BlackTermStructure(tau=(0.1, 0.25, 0.7, 2.0), implied=(0.35, 0.30, 0.26, 0.22))
MONTHS = tuple(j / 12 for j in range(1, 13))
CALL, PUT = European(strike=100.0, tau=1.0), European(strike=95.0, tau=0.8, is_call=False)
CLOSED = [
    CALL, Digital(strike=105.0, tau=1.0), Digital(strike=95.0, tau=1.0, pays="asset", is_call=False),
    Gap(strike=100.0, trigger=110.0, tau=1.0), Supershare(low=90.0, high=110.0, tau=1.0),
    Power(strike=1e4, power=2.0, tau=1.0), LogContract(strike=90.0, tau=1.0), ForwardStart(start=0.4, tau=1.0),
    ForwardStart(start=0.4, tau=1.0, on_return=True, strike=1.1),
    Cliquet(resets=(0.25, 0.5, 0.75, 1.0), local_cap=0.05),
    Cliquet(resets=(0.25, 0.5, 0.75, 1.0), local_cap=0.05, local_floor=-0.03, global_floor=0.0, global_cap=0.12),
    VarianceSwap(strike=0.15, tau=1.0), VarianceSwap(strike=0.15, tau=1.0, n_observations=12),
    VolatilitySwap(strike=0.15, tau=1.0), Asian(fixings=MONTHS, strike=100.0, average="geometric"),
    Asian(fixings=MONTHS, average="geometric"), Compound(option=CALL, strike=5.0, tau=0.4),
    Chooser(call=CALL, put=PUT, tau=0.3),
]  # fmt: skip
NOTES = [
    Autocallable(initial=100.0, observations=MONTHS, knock_out=1.03, coupon=0.15, knock_in=0.75),
    Phoenix(initial=100.0, observations=MONTHS, knock_out=1.03, coupon=0.01, coupon_barrier=0.8, knock_in=0.7),
    SharkFin(initial=100.0, tau=1.0, strike=1.0, barrier=1.2, participation=0.6),
    RangeAccrual(initial=100.0, tau=0.5, low=0.9, high=1.1, rate=0.05), Airbag(initial=100.0, tau=1.0, knock_in=0.75),
    DoubleNoTouch(initial=100.0, low=0.8, high=1.2, rate=0.05, tau=0.5), StructuredDeposit(initial=100.0, tau=1.0),
]  # fmt: skip
ids = [f"{type(one).__name__}{i}" for i, one in enumerate(CLOSED)]


@pytest.mark.parametrize("contract", CLOSED, ids=ids)
def test_a_flat_term_structure_is_one_vol_to_the_last_digits(contract):
    found, one = price(contract, FLAT, MARKET), price(contract, ONE, MARKET)
    assert found.method == one.method
    assert found.value == pytest.approx(one.value, rel=2e-13, abs=1e-15)


@pytest.mark.parametrize("note", [*NOTES, Asian(fixings=MONTHS, strike=100.0)], ids=lambda n: type(n).__name__)
def test_a_flat_term_structure_gives_notes_the_same_paths(note):
    found, one = (price(note, model, MARKET, method="monte_carlo", n_paths=1 << 12) for model in (FLAT, ONE))
    assert found.value == pytest.approx(one.value, rel=1e-12)
    assert found.std_error == pytest.approx(one.std_error, rel=1e-6, abs=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("note", NOTES, ids=lambda n: type(n).__name__)
def test_quadrature_and_both_simulations_of_a_note_agree_under_a_steep_term_structure(note):
    exact = price(note, STEEP, MARKET, method="quadrature")
    assert exact.error < 1e-4
    for method in ("monte_carlo", "paths"):
        found = price(note, STEEP, MARKET, method=method, n_paths=1 << 15)
        assert abs(found.value - exact.value) < 4.0 * found.std_error + exact.error


@pytest.mark.parametrize("contract", [c for c in CLOSED if type(c).__name__ not in ("Compound", "Chooser")])
def test_closed_forms_agree_with_paths_under_a_steep_term_structure(contract):
    exact = price(contract, STEEP, MARKET)
    found = price(contract, STEEP, MARKET, method="paths", n_paths=1 << 14)
    assert abs(found.value - exact.value) < 4.0 * found.std_error + 1e-12


def test_compound_and_chooser_agree_with_an_integral_over_the_first_day():
    z = np.linspace(-9.0, 9.0, 40001)
    density = np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi) * (z[1] - z[0])
    for contract, first in ((CLOSED[-2], 0.4), (CLOSED[-1], 0.3)):
        std = float(np.sqrt(STEEP.total_variance(first)))
        spot = MARKET.forward(first) * np.exp(std * z - 0.5 * std * std)

        def then(option, first=first, spot=spot):
            left = np.sqrt(STEEP.total_variance(option.tau) - STEEP.total_variance(first))
            forward = spot * MARKET.forward(option.tau) / MARKET.forward(first)
            df = MARKET.discount.df(option.tau) / MARKET.discount.df(first)
            return black.price(forward, option.strike, 1.0, left, df=df, is_call=option.is_call)

        call = isinstance(contract, Compound)
        paid = np.maximum(then(CALL) - contract.strike, 0.0) if call else np.maximum(then(CALL), then(PUT))
        twin = MARKET.discount.df(first) * float(density @ paid)
        assert price(contract, STEEP, MARKET).value == pytest.approx(twin, abs=2e-7)


TODAY, COUNT = ql.Date(2, 1, 2024), ql.Actual360()


def _quantlib_process(model):
    ql.Settings.instance().evaluationDate = TODAY
    days = [round(360 * t) for t in model.tau]
    surface = ql.BlackVarianceCurve(TODAY, [TODAY + d for d in days], list(model.implied), COUNT, False)
    surface.enableExtrapolation()
    curves = [ql.YieldTermStructureHandle(ql.FlatForward(TODAY, x, COUNT)) for x in (0.01, 0.03)]
    return ql.BlackScholesMertonProcess(
        ql.QuoteHandle(ql.SimpleQuote(100.0)), *curves, ql.BlackVolTermStructureHandle(surface)
    )


def test_quantlib_agrees_on_a_black_variance_curve():
    process = _quantlib_process(STEEP)
    year = ql.EuropeanExercise(TODAY + 360)
    for contract, payoff in (
        (CALL, ql.PlainVanillaPayoff(ql.Option.Call, 100.0)),
        (CLOSED[1], ql.CashOrNothingPayoff(ql.Option.Call, 105.0, 1.0)),
        (CLOSED[3], ql.GapPayoff(ql.Option.Call, 110.0, 100.0)),
    ):
        option = ql.VanillaOption(payoff, year)
        option.setPricingEngine(ql.AnalyticEuropeanEngine(process))
        assert price(contract, STEEP, MARKET).value == pytest.approx(option.NPV(), rel=1e-11)


@pytest.mark.slow
def test_quantlib_simulates_an_average_on_a_black_variance_curve_to_the_same_value():
    process = _quantlib_process(STEEP)
    option = ql.DiscreteAveragingAsianOption(
        ql.Average().Arithmetic, 0.0, 0, [TODAY + 30 * j for j in range(1, 13)],
        ql.PlainVanillaPayoff(ql.Option.Call, 100.0),
        ql.EuropeanExercise(TODAY + 360),
    )  # fmt: skip
    engine = ql.MCDiscreteArithmeticAPEngine(
        process, "pseudorandom", brownianBridge=False, controlVariate=False, antitheticVariate=True,
        requiredSamples=40_000, seed=42,
    )  # fmt: skip
    option.setPricingEngine(engine)
    found = price(Asian(fixings=MONTHS, strike=100.0), STEEP, MARKET, std_error=1e-3)
    assert abs(found.value - option.NPV()) < 4.0 * np.hypot(option.errorEstimate(), found.std_error)


def test_every_contract_under_one_vol_that_counts_variance_only_is_priced_under_a_term_structure():
    for contract in [*CLOSED, *NOTES]:
        one, term = set(methods(contract, ONE)["method"]), set(methods(contract, STEEP)["method"])
        assert one - term <= {"pde", "lattice"} or isinstance(contract, DoubleNoTouch), type(contract).__name__


def test_vega_moves_every_node_and_theta_every_time():
    found = greeks(CLOSED[7], STEEP, MARKET, which=("vega", "theta")).set_index("greek")["value"]
    up = BlackTermStructure(tau=STEEP.tau, implied=tuple(v + 1e-4 for v in STEEP.implied))
    slope = (price(CLOSED[7], up, MARKET).value - price(CLOSED[7], STEEP, MARKET).value) / 1e-4
    assert found["vega"] == pytest.approx(slope, rel=1e-3)
    day = 1.0 / 365.0
    later = price(ForwardStart(start=0.4 - day, tau=1.0 - day), STEEP, MARKET).value
    assert found["theta"] == pytest.approx((later - price(CLOSED[7], STEEP, MARKET).value) / day, rel=2e-2)
