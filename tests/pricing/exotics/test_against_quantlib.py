"""Exotic contracts against QuantLib's engines, and the law of the bivariate normal against SciPy."""

from __future__ import annotations

import importlib.util
import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.stats import ncx2, norm

from research.instruments import (
    Barrier,
    Chooser,
    Compo,
    Compound,
    DoubleBarrier,
    DoubleTouch,
    European,
    ForwardStart,
    Gap,
    Lookback,
    PartialBarrier,
    PartialLookback,
    Quanto,
    Supershare,
)
from research.market import flat_snapshot
from research.models import BlackScholes, CrossCurrency, Heston, black
from research.pricing import fourier, price
from research.pricing._bivariate import bivariate_normal_cdf

ql = pytest.importorskip("QuantLib")
SPEC = importlib.util.spec_from_file_location("quantlib_twins", Path(__file__).with_name("quantlib_twins.py"))
assert SPEC is not None and SPEC.loader is not None
twin: Any = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(twin)

MARKETS = [(100.0, 0.08, 0.03, 0.25), (100.0, -0.01, 0.02, 0.15), (100.0, 0.0, 0.0, 0.6)]


def ours(contract, spot, rate, dividend_yield, vol):
    return price(contract, BlackScholes(sigma=vol), flat_snapshot(spot=spot, rate=rate, dividend_yield=dividend_yield))


@pytest.mark.parametrize("market", MARKETS)
def test_double_barriers(market):
    engine = ql.AnalyticDoubleBarrierEngine(twin.process(*market), 12)
    for knock, is_call, strike in itertools.product(("out", "in"), (True, False), (85.0, 100.0, 112.0)):
        kind = ql.DoubleBarrier.KnockOut if knock == "out" else ql.DoubleBarrier.KnockIn
        option = ql.DoubleBarrierOption(kind, 80.0, 120.0, 0.0, twin.payoff(strike, is_call), twin.european(0.5))
        contract = DoubleBarrier(strike=strike, low=80.0, high=120.0, knock=knock, is_call=is_call, tau=0.5)
        assert ours(contract, *market).value == pytest.approx(twin.value(option, engine), abs=1e-8)


@pytest.mark.parametrize("market", MARKETS)
def test_double_touches(market):
    engine = ql.AnalyticDoubleBarrierBinaryEngine(twin.process(*market))
    cash = ql.CashOrNothingPayoff(ql.Option.Call, 0.0, 10.0)
    for pays_if, kind in (("none", "KnockOut"), ("either", "KnockIn")):
        option = ql.DoubleBarrierOption(getattr(ql.DoubleBarrier, kind), 85.0, 125.0, 0.0, cash, twin.european(0.25))
        contract = DoubleTouch(low=85.0, high=125.0, tau=0.25, amount=10.0, pays_if=pays_if)
        assert ours(contract, *market).value == pytest.approx(twin.value(option, engine), abs=1e-4)


@pytest.mark.parametrize("market", MARKETS)
def test_partial_barriers(market):
    engine = ql.AnalyticPartialTimeBarrierOptionEngine(twin.process(*market))
    cases = [
        ("start", "down", "out", "DownOut", "Start"), ("start", "down", "in", "DownIn", "Start"),
        ("start", "up", "out", "UpOut", "Start"), ("start", "up", "in", "UpIn", "Start"),
        ("end", "down", "out", "DownOut", "EndB2"), ("end", "up", "out", "UpOut", "EndB2"),
        ("end", "either", "out", "DownOut", "EndB1"),
    ]  # fmt: skip
    for (watched, direction, knock, kind, span), strike in itertools.product(cases, (90.0, 110.0)):
        if span == "EndB2" and strike > 100.0:
            continue  # QuantLib has no formula for a strike beyond the barrier
        barrier = 108.0 if direction == "up" else 94.0
        option = ql.PartialTimeBarrierOption(
            getattr(ql.Barrier, kind), getattr(ql.PartialBarrier, span), barrier, 0.0, twin.after(0.25),
            twin.payoff(strike, True), twin.european(0.75),
        )  # fmt: skip
        contract = PartialBarrier(
            strike=strike, barrier=barrier, direction=direction, knock=knock, watched=watched, switch=0.25, tau=0.75
        )
        found = ours(contract, *market).value
        assert found == pytest.approx(twin.value(option, engine), abs=5e-5), contract  # its bivariate normal is coarse


@pytest.mark.parametrize(("direction", "is_call"), [("down", True), ("up", False)])
def test_partial_barriers_are_integrals_over_the_price_at_the_switch(direction, is_call):
    spot, rate, dividend_yield, vol = 100.0, 0.06, 0.02, 0.3
    barrier, strike, switch, tau = (93.0 if direction == "down" else 106.0), 99.0, 0.4, 1.0
    side, std, drift = (1.0 if direction == "down" else -1.0), vol * np.sqrt(switch), (rate - dividend_yield - 0.045)
    b = np.log(barrier / spot)
    x, w = np.polynomial.legendre.leggauss(90)
    reach = 9.0 * std
    y = b + side * 0.5 * reach * (x + 1.0)  # the living side
    density = norm.pdf(y, drift * switch, std)
    alive = density - np.exp(2 * drift * b / vol**2) * norm.pdf(y, 2 * b + drift * switch, std)
    ahead = flat_snapshot(spot=1.0, rate=rate, dividend_yield=dividend_yield)
    given = {"strike": strike, "barrier": barrier, "is_call": is_call}
    after = [Barrier(direction=direction, knock="out", tau=tau - switch, **given)]
    single = [price(after, BlackScholes(sigma=vol), replace(ahead, spot=spot * np.exp(one))).value[0] for one in y]
    forward = spot * np.exp(y + (rate - dividend_yield) * (tau - switch))
    plain = black.price(forward, strike, tau - switch, vol, df=np.exp(-rate * (tau - switch)), is_call=is_call)
    df, weight = np.exp(-rate * switch), 0.5 * reach * w
    for watched, expected in (("start", df * weight @ (alive * plain)), ("end", df * weight @ (density * single))):
        contract = PartialBarrier(direction=direction, knock="out", watched=watched, switch=switch, tau=tau, **given)
        assert ours(contract, spot, rate, dividend_yield, vol).value == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("market", MARKETS[:2])
def test_lookbacks(market):
    process = twin.process(*market)
    for is_call, extreme in ((True, 93.0), (False, 109.0)):
        option = ql.ContinuousFloatingLookbackOption(
            extreme, ql.FloatingTypePayoff(ql.Option.Call if is_call else ql.Option.Put), twin.european(0.5)
        )
        expected = twin.value(option, ql.AnalyticContinuousFloatingLookbackEngine(process))
        found = ours(Lookback(is_call=is_call, extreme=extreme, tau=0.5), *market)
        assert found.value == pytest.approx(expected, abs=1e-10)
        assert found.error < 1e-10
    for is_call, strike, extreme in (
        (True, 95.0, 104.0),
        (True, 110.0, 104.0),
        (False, 97.0, 96.0),
        (False, 90.0, 96.0),
    ):
        option = ql.ContinuousFixedLookbackOption(extreme, twin.payoff(strike, is_call), twin.european(0.5))
        expected = twin.value(option, ql.AnalyticContinuousFixedLookbackEngine(process))
        contract = Lookback(strike=strike, is_call=is_call, extreme=extreme, tau=0.5)
        assert ours(contract, *market).value == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("market", MARKETS[:2])
def test_partial_lookbacks(market):
    process = twin.process(*market)
    for is_call, strike in itertools.product((True, False), (90.0, 112.0)):
        option = ql.ContinuousPartialFixedLookbackOption(
            twin.after(0.25), twin.payoff(strike, is_call), twin.european(1.0)
        )
        expected = twin.value(option, ql.AnalyticContinuousPartialFixedLookbackEngine(process))
        contract = PartialLookback(strike=strike, switch=0.25, tau=1.0, is_call=is_call)
        assert ours(contract, *market).value == pytest.approx(expected, abs=1e-7)
    for is_call, scale in ((True, 1.0), (True, 1.1), (False, 1.0), (False, 0.95)):
        kind = ql.FloatingTypePayoff(ql.Option.Call if is_call else ql.Option.Put)
        option = ql.ContinuousPartialFloatingLookbackOption(100.0, scale, twin.after(0.25), kind, twin.european(1.0))
        expected = twin.value(option, ql.AnalyticContinuousPartialFloatingLookbackEngine(process))
        contract = PartialLookback(scale=scale, switch=0.25, tau=1.0, is_call=is_call)
        assert ours(contract, *market).value == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("market", MARKETS)
def test_compounds_and_choosers(market):
    process = twin.process(*market)
    for first, second, strike in itertools.product((True, False), (True, False), (4.0, 9.0)):
        option = ql.CompoundOption(
            twin.payoff(strike, first), twin.european(0.25), twin.payoff(103.0, second), twin.european(0.75)
        )
        expected = twin.value(option, ql.AnalyticCompoundOptionEngine(process))
        contract = Compound(
            option=European(strike=103.0, tau=0.75, is_call=second), strike=strike, tau=0.25, is_call=first
        )
        assert ours(contract, *market).value == pytest.approx(expected, abs=1e-4)  # its bivariate normal is coarse
        assert ours(contract, *market).value == pytest.approx(_integrated(contract, *market), abs=1e-10)
    option = ql.SimpleChooserOption(twin.after(0.25), 103.0, twin.european(0.75))
    both = {kind: European(strike=103.0, tau=0.75, is_call=kind == "call") for kind in ("call", "put")}
    expected = twin.value(option, ql.AnalyticSimpleChooserEngine(process))
    assert ours(Chooser(tau=0.25, **both), *market).value == pytest.approx(expected, abs=1e-10)


def _integrated(contract: Compound, spot: float, rate: float, dividend_yield: float, vol: float) -> float:
    """A compound option as an integral of Black's formula over the price on the first day."""
    first, option = contract.tau, contract.option
    std, ahead = vol * np.sqrt(first), option.tau - first
    low, high = -9.5, 9.5

    def gain(z):
        forward = spot * np.exp((rate - dividend_yield) * option.tau - 0.5 * std**2 + std * z)
        then = black.price(forward, option.strike, ahead, vol, df=np.exp(-rate * ahead), is_call=option.is_call)
        return (1.0 if contract.is_call else -1.0) * (then - contract.strike)

    grid = np.linspace(low, high, 400)
    signs = np.sign(gain(grid))
    kinks = [brentq(gain, a, b, xtol=1e-15) for a, b, s, t in zip(grid, grid[1:], signs, signs[1:]) if s != t]
    edges = np.unique([*np.linspace(low, high, 60), *kinks])
    x, w = np.polynomial.legendre.leggauss(20)
    half = 0.5 * np.diff(edges)[:, None]
    z = (edges[:-1, None] + half + half * x).ravel()
    weight = (half * w).ravel() * norm.pdf(z)
    return float(np.exp(-rate * first) * (weight @ np.maximum(gain(z), 0.0)))


def test_a_complex_chooser_agrees_with_haug():
    # Haug (2007), section 4.12.2, as quoted in QuantLib's test-suite/chooseroption.cpp: 6.0508; the simple one 6.1071
    call, put = European(strike=55.0, tau=0.5), European(strike=48.0, tau=7 / 12, is_call=False)
    assert ours(Chooser(call=call, put=put, tau=0.25), 50.0, 0.1, 0.05, 0.35).value == pytest.approx(6.0508, abs=1e-4)
    both = [European(strike=50.0, tau=0.5, is_call=c) for c in (True, False)]
    assert ours(Chooser(call=both[0], put=both[1], tau=0.25), 50.0, 0.08, 0.0, 0.25).value == pytest.approx(
        6.1071, abs=1e-4
    )


def test_a_put_on_a_call_agrees_with_haug():
    # Haug (2007), section 4.11.1, as quoted in QuantLib's test-suite/compoundoption.cpp: 21.1965
    contract = Compound(option=European(strike=520.0, tau=0.5), strike=50.0, tau=0.25, is_call=False)
    assert ours(contract, 500.0, 0.08, 0.03, 0.35).value == pytest.approx(21.1965, abs=2e-4)  # 21.19635 by integration


@pytest.mark.parametrize("market", MARKETS)
def test_forward_starts(market):
    engine = ql.ForwardEuropeanEngine(twin.process(*market))
    for strike, is_call in itertools.product((0.9, 1.0, 1.1), (True, False)):
        option = ql.ForwardVanillaOption(strike, twin.after(0.25), twin.payoff(0.0, is_call), twin.european(1.0))
        contract = ForwardStart(start=0.25, strike=strike, tau=1.0, is_call=is_call)
        assert ours(contract, *market).value == pytest.approx(twin.value(option, engine), abs=1e-10)
    # Haug (2007), section 4.7: 4.4064
    haug = ours(ForwardStart(start=0.25, strike=1.1, tau=1.0), 60.0, 0.08, 0.04, 0.30)
    assert haug.value == pytest.approx(4.4064, abs=1e-4)


@pytest.mark.parametrize("rho", [-0.7, 0.4])
def test_forward_starts_under_heston(rho):
    spot, rate, dividend_yield = 100.0, 0.04, 0.01
    model = Heston(v0=0.05, kappa=1.5, theta=0.06, sigma=0.4, rho=rho)
    twin.process(spot, rate, dividend_yield, 0.2)
    rates, yields = (
        ql.YieldTermStructureHandle(ql.FlatForward(twin.TODAY, x, twin.COUNT)) for x in (rate, dividend_yield)
    )
    quote = ql.QuoteHandle(ql.SimpleQuote(spot))
    process = ql.HestonProcess(rates, yields, quote, model.v0, model.kappa, model.theta, model.sigma, model.rho)
    engine = ql.AnalyticHestonForwardEuropeanEngine(process)
    for strike, is_call in ((0.9, True), (1.15, False)):
        option = ql.ForwardVanillaOption(strike, twin.after(0.5), twin.payoff(0.0, is_call), twin.european(1.5))
        contract = ForwardStart(start=0.5, strike=strike, tau=1.5, is_call=is_call)
        found = price(contract, model, flat_snapshot(spot=spot, rate=rate, dividend_yield=dividend_yield))
        assert found.value == pytest.approx(twin.value(option, engine), abs=3e-3)  # its variance integral is coarse
        expected = _over_variances(model, strike, is_call, spot, rate, dividend_yield)
        assert found.value == pytest.approx(expected, abs=1e-9)
        assert found.error < 1e-9


def _over_variances(model, strike, is_call, spot, rate, dividend_yield):
    """Heston's options from day 0.5 to 1.5, integrated over the noncentral chi-square of the variance on that day."""
    start, speed = 0.5, model.kappa - model.rho * model.sigma
    scale = model.sigma**2 * -np.expm1(-speed * start) / (4.0 * speed)
    freedom, noncentral = 4.0 * model.kappa * model.theta / model.sigma**2, np.exp(-speed * start) * model.v0 / scale
    x, w = np.polynomial.legendre.leggauss(56)
    s, top = 0.5 * (x + 1.0), ncx2.ppf(1.0 - 1e-13, freedom, noncentral)
    v, weight = top * s**8, 0.5 * w * top * 8.0 * s**7  # the density is a power of v near 0
    growth = np.exp(rate - dividend_yield)
    then = [fourier.price(replace(model, v0=one * scale), growth, strike, 1.0, is_call=is_call) for one in v]
    mean = float((weight * ncx2.pdf(v, freedom, noncentral)) @ np.array(then))
    return spot * np.exp(-dividend_yield * start - rate) * mean


def test_quantos_and_compos():
    model = CrossCurrency(sigma=0.2, fx_vol=0.1, correlation=0.3, payout_rate=0.05, fx_spot=1.4)
    market = flat_snapshot(spot=100.0, rate=0.08, dividend_yield=0.04)
    process = twin.process(100.0, 0.05, 0.04, 0.2)  # QuantLib's own curve is that of the payment
    own = ql.YieldTermStructureHandle(ql.FlatForward(twin.TODAY, 0.08, twin.COUNT))
    fx = ql.BlackVolTermStructureHandle(ql.BlackConstantVol(twin.TODAY, ql.NullCalendar(), 0.1, twin.COUNT))
    engine = ql.QuantoEuropeanEngine(process, own, fx, ql.QuoteHandle(ql.SimpleQuote(0.3)))
    for is_call in (True, False):
        option = ql.QuantoVanillaOption(twin.payoff(105.0, is_call), twin.european(0.5))
        found = price(Quanto(strike=105.0, tau=0.5, is_call=is_call), model, market)
        assert found.value == pytest.approx(twin.value(option, engine), abs=1e-10)
    # the product is a lognormal of its own
    vol = np.sqrt(0.2**2 + 0.1**2 + 2 * 0.3 * 0.2 * 0.1)
    option = ql.VanillaOption(twin.payoff(147.0, True), twin.european(0.5))
    expected = twin.value(option, ql.AnalyticEuropeanEngine(twin.process(140.0, 0.05, 0.04, vol)))
    assert price(Compo(strike=147.0, tau=0.5), model, market).value == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("market", MARKETS)
def test_gaps_and_supershares(market):
    engine = ql.AnalyticEuropeanEngine(twin.process(*market))
    for strike, trigger, is_call in itertools.product((95.0, 106.0), (90.0, 104.0), (True, False)):
        kind = ql.Option.Call if is_call else ql.Option.Put
        option = ql.VanillaOption(ql.GapPayoff(kind, trigger, strike), twin.european(0.5))
        contract = Gap(strike=strike, trigger=trigger, tau=0.5, is_call=is_call)
        assert ours(contract, *market).value == pytest.approx(twin.value(option, engine), abs=1e-9)
    found = ours(Supershare(low=90.0, high=110.0, tau=0.5), *market).value
    spot, rate, dividend_yield, vol = market
    std, m = vol * np.sqrt(0.5), (rate - dividend_yield - 0.5 * vol**2) * 0.5
    paid = quad(
        lambda z: spot * np.exp(m + std * z) / 90.0 * norm.pdf(z), *((np.log(np.array([90, 110]) / spot) - m) / std)
    )
    assert found == pytest.approx(np.exp(-0.5 * rate) * paid[0], abs=1e-11)


def test_the_bivariate_normal_agrees_with_integrals():
    rng = np.random.default_rng(3)
    for h, k, r in zip(rng.normal(0, 2, 12), rng.normal(0, 2, 12), np.tanh(rng.normal(0, 1.5, 12))):
        step, root = k / r, np.sqrt(1 - r * r)

        def density(x, k=k, r=r, root=root):
            return norm.pdf(x) * norm.cdf((k - r * x) / root)

        points = [p for p in (step - 3 * root / abs(r), step, step + 3 * root / abs(r)) if -12 < p < h]
        expected = quad(density, -12.0, h, points=points, epsabs=1e-16,
                        epsrel=1e-13, limit=400)[0]  # fmt: skip
        assert bivariate_normal_cdf(h, k, r) == pytest.approx(expected, rel=1e-11, abs=1e-15)


def test_the_bivariate_normal_at_its_edges():
    assert bivariate_normal_cdf(0.7, -0.2, 1.0) == pytest.approx(norm.cdf(-0.2), abs=1e-15)
    assert bivariate_normal_cdf(0.7, -0.2, -1.0) == pytest.approx(norm.cdf(0.7) - norm.cdf(0.2), abs=1e-15)
    assert bivariate_normal_cdf(0.7, -0.2, 0.0) == pytest.approx(norm.cdf(0.7) * norm.cdf(-0.2), abs=1e-15)
    assert bivariate_normal_cdf(np.inf, 0.3, 0.5) == pytest.approx(norm.cdf(0.3), abs=1e-15)
    assert bivariate_normal_cdf(-np.inf, 0.3, 0.5) == bivariate_normal_cdf(0.3, -np.inf, 0.5) == 0.0
    huge = bivariate_normal_cdf(-40.0, 1.0, 0.0, 800.0)  # neither factor is a double precision number alone
    assert huge == pytest.approx(np.exp(800.0 + norm.logcdf(-40.0)) * norm.cdf(1.0), rel=1e-12)
