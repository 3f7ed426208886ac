"""Stocks that pay cash, escrowed or by jumps: grids and closed forms against other people's work."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import QuantLib as ql
from scipy.stats import norm
from tests.pricing.published.tables import rows

from research.errors import InputError, NoEngineError
from research.instruments import (
    American,
    Asian,
    Autocallable,
    Barrier,
    Bermudan,
    Chooser,
    Compound,
    Digital,
    DoubleBarrier,
    European,
    ForwardStart,
    Gap,
    LogContract,
    Touch,
)
from research.market import CashDividends, DiscountCurve, flat_snapshot
from research.models import (
    CEV,
    BlackScholes,
    BlackTermStructure,
    Heston,
    LocalStochasticVol,
    LocalVol,
    RoughBergomi,
    black,
)
from research.pricing import dividend_buckets, greeks, methods, price, term_sheet
from research.pricing._escrow import on_grid, to_come
from research.pricing.carry import on_grids
from research.pricing.pde import value as by_pde

MARKET = flat_snapshot(spot=100.0, rate=0.05)
MODEL = BlackScholes(sigma=0.3)
HESTON = Heston(v0=0.09, kappa=1.5, theta=0.08, sigma=0.5, rho=-0.7)
LOCAL = LocalVol(tau=[0.0, 1.0], log_moneyness=[-0.4, 0.0, 0.4], vol=[[0.4, 0.3, 0.22], [0.38, 0.3, 0.24]])
DAYS, CASH = (91, 274), (4.0, 5.0)
KINDS = ("jump", "escrowed")
PUT, CALL = European(strike=100.0, tau=1.0, is_call=False), European(strike=100.0, tau=1.0)


def paying(*dividends, model="jump", **rest):
    tau, cash = zip(*dividends)
    return replace(MARKET, cash_dividends=CashDividends(tau=tau, cash=cash, model=model), **rest)


def two(model):
    return paying(*((d / 365, c) for d, c in zip(DAYS, CASH)), model=model)


@pytest.mark.parametrize("row", rows("cash_dividends.csv"), ids=lambda row: f"{row.model}-{row.tau}")
def test_calls_agree_with_the_published_ones(row):
    when = np.arange(row.first, row.tau, row.every)
    paid = CashDividends(tau=when, cash=np.full(when.size, float(row.cash)), model=row.model)
    market = replace(flat_snapshot(spot=float(row.spot), rate=row.rate), cash_dividends=paid)
    found = price(European(strike=float(row.strike), tau=float(row.tau)), BlackScholes(sigma=row.vol), market)
    assert round(found.value, 2 if row.model == "escrowed" else 4) == row.value


def quantlib(spot=100.0, rate=0.05, vol=0.3):
    today = ql.Date(1, 1, 2000)
    ql.Settings.instance().evaluationDate = today
    count = ql.Actual365Fixed()
    curves = [ql.YieldTermStructureHandle(ql.FlatForward(today, r, count)) for r in (0.0, rate)]
    vols = ql.BlackVolTermStructureHandle(ql.BlackConstantVol(today, ql.NullCalendar(), vol, count))
    process = ql.BlackScholesMertonProcess(ql.QuoteHandle(ql.SimpleQuote(spot)), *curves, vols)
    return process, today, ql.DividendVector([today + d for d in DAYS], list(CASH))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("early", [True, False])
def test_options_agree_with_quantlibs_grids(kind, early):
    process, today, paid = quantlib()
    cash = getattr(ql.FdBlackScholesVanillaEngine, {"jump": "Spot", "escrowed": "Escrowed"}[kind])
    engine = ql.FdBlackScholesVanillaEngine(process, paid, 400, 600, 0, ql.FdmSchemeDesc.Douglas(), False, -1.0, cash)
    exercise = ql.AmericanExercise(today, today + 365) if early else ql.EuropeanExercise(today + 365)
    for strike, is_call in ((80.0, True), (100.0, False), (120.0, True)):
        payoff = ql.PlainVanillaPayoff(ql.Option.Call if is_call else ql.Option.Put, strike)
        twin = ql.VanillaOption(payoff, exercise)
        twin.setPricingEngine(engine)
        ours = price((American if early else European)(strike=strike, tau=1.0, is_call=is_call), MODEL, two(kind))
        assert ours.value == pytest.approx(twin.NPV(), abs=1.5e-3), (strike, is_call)


def test_an_escrowed_european_option_is_quantlibs_closed_form():
    process, today, paid = quantlib()
    twin = ql.VanillaOption(ql.PlainVanillaPayoff(ql.Option.Call, 95.0), ql.EuropeanExercise(today + 365))
    twin.setPricingEngine(ql.AnalyticDividendEuropeanEngine(process, paid))
    ours = price(European(strike=95.0, tau=1.0), MODEL, two("escrowed"))
    assert ours.value == pytest.approx(twin.NPV(), rel=1e-12)


def test_a_barrier_over_jumping_cash_agrees_with_quantlibs_grid():
    process, today, paid = quantlib()
    twin = ql.BarrierOption(ql.Barrier.DownOut, 85.0, 0.0, ql.PlainVanillaPayoff(ql.Option.Call, 100.0),
                            ql.EuropeanExercise(today + 365))  # fmt: skip
    twin.setPricingEngine(ql.FdBlackScholesBarrierEngine(process, paid, 800, 1600))
    ours = price(Barrier(strike=100.0, barrier=85.0, direction="down", knock="out", tau=1.0), MODEL, two("jump"))
    assert ours.value == pytest.approx(twin.NPV(), abs=5e-3)


def test_an_american_put_under_heston_with_cash_agrees_with_quantlibs_grid():
    _, today, paid = quantlib()
    flat = [ql.YieldTermStructureHandle(ql.FlatForward(today, r, ql.Actual365Fixed())) for r in (0.05, 0.0)]
    process = ql.HestonProcess(*flat, ql.QuoteHandle(ql.SimpleQuote(100.0)), 0.09, 1.5, 0.08, 0.5, -0.7)
    twin = ql.VanillaOption(ql.PlainVanillaPayoff(ql.Option.Put, 100.0), ql.AmericanExercise(today, today + 365))
    twin.setPricingEngine(ql.FdHestonVanillaEngine(ql.HestonModel(process), paid, 200, 200, 60))
    ours = price(American(strike=100.0, tau=1.0, is_call=False), HESTON, two("jump"))
    assert ours.value == pytest.approx(twin.NPV(), abs=1e-2)


def roll_geske_whaley(strike, day, cash, tau, sigma=0.3, rate=0.05, spot=100.0):
    """An American call with one escrowed dividend: exercised just before it or at the end; the integral over X."""
    z = np.linspace(-9.0, 9.0, 40_001)
    weight = norm.pdf(z) * (z[1] - z[0])
    x = (spot - cash * np.exp(-rate * day)) * np.exp((rate - 0.5 * sigma**2) * day + sigma * np.sqrt(day) * z)
    left = tau - day
    d = (np.log(x / strike) + (rate + 0.5 * sigma**2) * left) / (sigma * np.sqrt(left))
    held = x * norm.cdf(d) - strike * np.exp(-rate * left) * norm.cdf(d - sigma * np.sqrt(left))
    return float(np.exp(-rate * day) * weight @ np.maximum(held, x + cash - strike))


@pytest.mark.parametrize("strike", [80.0, 100.0, 115.0])
def test_an_american_call_with_one_escrowed_dividend_is_that_of_roll_geske_and_whaley(strike):
    market = paying((0.5, 7.0), model="escrowed")
    ours = price(American(strike=strike, tau=0.75, is_call=True), MODEL, market)
    exact = roll_geske_whaley(strike, 0.5, 7.0, 0.75)
    assert ours.method == "pde" and abs(ours.value - exact) < max(ours.error, 3e-4)
    assert exact > float(price(European(strike=strike, tau=0.75), MODEL, market)) + 0.2
    eve = price(Bermudan(strike=strike, times=(0.5 - 1e-6, 0.75), is_call=True), MODEL, market)
    assert eve.value == pytest.approx(exact, abs=2e-3)  # exercise on the eve is all there is
    day = price(Bermudan(strike=strike, times=(0.5, 0.75), is_call=True), MODEL, market)
    assert day.value < eve.value - 0.1  # on the day itself the dividend is gone


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", [MODEL, BlackTermStructure(tau=(0.5, 1.0), implied=(0.25, 0.3)), LOCAL])
def test_knock_in_and_knock_out_make_the_option(kind, model):
    terms = {"strike": 100.0, "barrier": 88.0, "direction": "down", "tau": 1.0}
    whole = float(price(CALL, model, two(kind)))
    for n in (None, 12):
        parts = [float(price(Barrier(knock=k, n_monitoring=n, **terms), model, two(kind))) for k in ("in", "out")]
        assert sum(parts) == pytest.approx(whole, abs=2e-3)


@pytest.mark.parametrize("model", [MODEL, LOCAL, HESTON, CEV(sigma=3.0, beta=0.5)])
def test_a_grid_in_the_quoted_spot_gives_escrowed_options_their_closed_value(model):
    from research.pricing.adi import value as by_adi

    market = two("escrowed")
    plain, pairs = on_grids(market)
    engine = by_adi if isinstance(model, Heston) else by_pde
    items = [European(strike=k, tau=1.0, is_call=c) for k in (80.0, 100.0, 120.0) for c in (True, False)]
    found = engine(items, on_grid(model, market), plain, dividends=pairs)
    assert np.all(np.abs(found.value - price(items, model, market).value) < found.error + 2e-3)


def naive(market, model, times, n=200_000, seed=3):
    """Spots at times by plain NumPy: X and what is to come, or falls; shape (n_times, n)."""
    rng, cash, r = np.random.default_rng(seed), market.cash_dividends, 0.05
    every = np.union1d(times, cash.tau)
    s = np.full(n, 100.0)
    if cash.model == "escrowed":
        s = s - (cash.cash * np.exp(-r * cash.tau)).sum()
    out, last = [], 0.0
    for t in every:
        h = t - last
        s = s * np.exp((r - 0.5 * model.sigma**2) * h + model.sigma * np.sqrt(h) * rng.standard_normal(n))
        if cash.model == "jump":
            s = np.maximum(s - cash.cash[cash.tau == t].sum(), 0.0)
        later = cash.tau > t
        coming = (cash.cash[later] * np.exp(-r * (cash.tau[later] - t))).sum() if cash.model == "escrowed" else 0.0
        out.append(s + coming)
        last = t
    return np.stack(out)[np.searchsorted(every, times)]


@pytest.mark.parametrize("kind", KINDS)
def test_levels_are_those_of_the_quoted_spot(kind):
    market, times = paying((0.3, 6.0), (0.8, 6.0), model=kind), np.arange(1, 13) / 12
    spot = naive(market, MODEL, times)
    alive, paid = (spot > 85.0).all(axis=0), np.maximum(spot[-1] - 100.0, 0.0)
    cases = [
        (Barrier(strike=100.0, barrier=85.0, direction="down", knock="out", tau=1.0, n_monitoring=12), alive * paid),
        (DoubleBarrier(strike=100.0, low=80.0, high=140.0, knock="out", tau=1.0, n_monitoring=12),
         ((spot > 80.0) & (spot < 140.0)).all(axis=0) * paid),
        (Asian(strike=95.0, fixings=tuple(times)), np.maximum(spot.mean(axis=0) - 95.0, 0.0)),
        (ForwardStart(start=0.5, tau=1.0), np.maximum(spot[-1] - spot[5], 0.0)),
    ]  # fmt: skip
    for item, payoff in cases:
        value = np.exp(-0.05) * payoff
        ours = price(item, MODEL, market)
        assert abs(value.mean() - ours.value) < 4.0 * np.hypot(value.std() / np.sqrt(value.size), ours.std_error), item


def test_what_is_decided_after_the_last_dividend_has_its_closed_form():
    market = paying((0.2, 5.0), model="escrowed")
    moving = replace(MARKET, spot=100.0 - 5.0 * np.exp(-0.01))
    inner = European(strike=100.0, tau=1.0)
    for item in (
        Gap(strike=100.0, trigger=105.0, tau=1.0), LogContract(strike=100.0, tau=1.0), ForwardStart(start=0.5, tau=1.0),
        Compound(option=inner, strike=5.0, tau=0.5), Chooser(call=inner, put=PUT, tau=0.4),
        Digital(strike=90.0, tau=1.0),
        Asian(strike=95.0, fixings=(0.2, 0.6, 1.0), average="geometric"),
    ):  # fmt: skip
        ours, twin = price(item, MODEL, market), price(item, MODEL, moving)
        assert ours.method == twin.method and ours.std_error == 0.0
        assert ours.value == pytest.approx(twin.value, rel=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_cash_after_the_end_is_left_out_whatever_the_contract(kind):
    late = paying((1.5, 9.0), model=kind)
    for item in (
        CALL, American(strike=100.0, tau=1.0, is_call=False), Touch(barrier=85.0, direction="down", tau=1.0),
        Asian(strike=100.0, fixings=(0.5, 1.0), average="geometric"), ForwardStart(start=0.5, tau=1.0),
    ):  # fmt: skip
        ours, plain = price(item, MODEL, late), price(item, MODEL, MARKET)
        assert (ours.value, ours.method) == (plain.value, plain.method)


def test_a_batch_of_several_expiries_takes_the_cash_of_each():
    market = paying((0.3, 4.0), (0.8, 5.0))
    items = [American(strike=100.0, tau=t, is_call=True) for t in (0.2, 0.5, 1.0)]
    together = price(items, MODEL, market)
    assert together.value.tolist() == [float(price(item, MODEL, market)) for item in items]
    assert together.method.tolist() == ["spectral", "pde", "pde"]
    frame = greeks(items, MODEL, market, which=("delta", "theta"))
    alone = [greeks(item, MODEL, market, which=("delta", "theta"))["value"].tolist() for item in items]
    np.testing.assert_allclose(frame[["delta", "theta"]].to_numpy(float), alone, rtol=1e-12)


def test_a_stock_that_cannot_pay_is_worth_nothing_and_parity_counts_what_it_kept():
    market, wild = paying((0.5, 30.0), (1.0, 25.0)), BlackScholes(sigma=0.8)
    call, put = (price(European(strike=60.0, tau=1.5, is_call=c), wild, market) for c in (True, False))
    rng, n = np.random.default_rng(5), 400_000
    spot, kept = np.full(n, 100.0), np.zeros(n)
    for cash in (30.0, 25.0, 0.0):
        spot = spot * np.exp((0.05 - 0.32) * 0.5 + 0.8 * np.sqrt(0.5) * rng.standard_normal(n))
        kept = kept * np.exp(0.025) + np.maximum(cash - spot, 0.0)
        spot = np.maximum(spot - cash, 0.0)
    df = np.exp(-0.075)
    for found, payoff in ((call, np.maximum(spot - 60.0, 0.0)), (put, np.maximum(60.0 - spot, 0.0))):
        assert abs(df * payoff.mean() - found.value) < 4.0 * df * payoff.std() / np.sqrt(n)
    owed = call.value - put.value - df * (market.forward(1.5) - 60.0)
    assert owed == pytest.approx(df * kept.mean(), abs=4.0 * df * kept.std() / np.sqrt(n)) and owed > 1.0
    for is_call, exact in ((True, call), (False, put)):
        grid = price(European(strike=60.0, tau=1.5, is_call=is_call), wild, market, method="pde")
        assert abs(grid.value - exact.value) < grid.error


def test_a_term_structure_of_vol_has_the_integral_too():
    model, market = BlackTermStructure(tau=(0.5, 1.0), implied=(0.2, 0.35)), two("jump")
    items = [European(strike=k, tau=1.0, is_call=c) for k in (80.0, 100.0, 120.0) for c in (True, False)]
    ours, grid = price(items, model, market), price(items, model, market, method="pde", n_space=800, n_time=400)
    assert ours.method == "analytic" and np.abs(ours.value - grid.value).max() < 5e-5
    flat = BlackTermStructure(tau=(0.5, 1.0), implied=(0.3, 0.3))
    np.testing.assert_allclose(price(items, flat, market).value, price(items, MODEL, market).value, rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_cash_goes_with_sloped_rates_and_yields_by_term(kind):
    rates = DiscountCurve(as_of=MARKET.as_of, tau=[0.25, 1.0], zero_rate=[0.01, 0.05])
    yields = DiscountCurve(as_of=MARKET.as_of, tau=[0.25, 1.0], zero_rate=[0.03, 0.01])
    market = replace(two(kind), discount=rates, dividend_yields=yields, borrow=0.004)
    forward, df = market.forward(1.0), float(rates.df(1.0))
    call, put = (price(European(strike=95.0, tau=1.0, is_call=c), MODEL, market) for c in (True, False))
    assert call.value - put.value == pytest.approx(df * (forward - 95.0), abs=1e-6)
    grid = price(Bermudan(strike=95.0, times=(1.0,), is_call=True), MODEL, market)
    assert abs(grid.value - call.value) < 2e-3
    paths = price(European(strike=95.0, tau=1.0), MODEL, market, method="paths", n_paths=1 << 13)
    assert abs(paths.value - call.value) < 4.0 * paths.std_error


def test_what_is_still_to_come_is_the_spot_less_what_moves():
    market = two("escrowed")
    for t in (0.0, 0.1, 0.5, 0.9):
        own = sum(c * np.exp(-0.05 * (d / 365 - t)) for d, c in zip(DAYS, CASH) if d / 365 > t)
        assert to_come(market, t) == pytest.approx(own, rel=1e-13)
    assert to_come(market, 0.0) == pytest.approx(100.0 - market.forward(1.0) / market.growth(1.0), rel=1e-13)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", [MODEL, pytest.param(HESTON, marks=pytest.mark.slow)])
def test_greeks_on_the_grid_are_differences_of_prices(kind, model):
    market, h = two(kind), 0.25
    item = Barrier(strike=100.0, barrier=80.0, direction="down", knock="out", tau=1.0)
    found = greeks(item, model, market, which=("delta", "vega", "rho", "theta")).set_index("greek")["value"]
    up, down = (float(price(item, model, replace(market, spot=100.0 + s * h))) for s in (1, -1))
    assert found["delta"] == pytest.approx((up - down) / (2.0 * h), abs=2e-3)
    one, other = (greeks(item, model, market, method="paths", which=("delta", "vega", "rho"), n_paths=1 << 13, **kw)
                  .set_index("greek") for kw in ({}, {"estimator": "bumps"}))  # fmt: skip
    assert one["value"].tolist() == other["value"].tolist()
    for name in ("delta", "vega", "rho"):
        assert abs(one["value"][name] - found[name]) < 4.0 * one["std_error"][name] + 0.02 * abs(found[name]), name


@pytest.mark.parametrize("kind", KINDS)
def test_theta_goes_over_a_dividend_without_a_jump(kind):
    theta = []
    for day in (0.9, 1.2, 400.0):  # paid before tomorrow, just after it, never
        market = paying((day / 365, 3.0), model=kind)
        theta.append(float(greeks(CALL, MODEL, market, which=("theta",))["value"].iloc[0]))
    # jumping: the dividend is nearer by a day either way; escrowed: X does not know of it
    spot = replace(MARKET, spot=97.0)
    plain = float(greeks(CALL, MODEL, spot, which=("theta",))["value"].iloc[0])
    assert theta[0] == pytest.approx(theta[1], rel=0.05)
    assert theta[0] == pytest.approx(plain, rel=0.1)
    assert abs(theta[0]) < 15.0  # 3.00 off the price in a day would be 1,095 a year
    held = greeks(American(strike=100.0, tau=1.0, is_call=False), MODEL, paying((0.9 / 365, 3.0), model=kind),
                  which=("theta",))  # fmt: skip
    assert abs(float(held["value"].iloc[0])) < 15.0


def test_an_option_by_its_dividends():
    market, h = two("escrowed"), 1e-4
    found = dividend_buckets([CALL, PUT], MODEL, market, quantities=[2.0, 1.0])
    assert list(found.columns) == ["tau", "cash", "delta"] and found["cash"].tolist() == list(CASH)
    df = np.exp(-0.05)
    for row in found.itertuples():
        worth = np.exp(-0.05 * row.tau)
        up, down = (black.price((market.spot - to_come(market, 0.0) - s * h * worth) / df, 100.0, 1.0, 0.3, df=df)
                    for s in (1, -1))  # fmt: skip
        call = (up - down) / (2.0 * h)
        assert row.delta == pytest.approx(2.0 * call + (call + worth), rel=1e-4)
    with pytest.raises(InputError, match=r"cash_dividends must be in the snapshot; got 'none'\. Snapshot\("):
        dividend_buckets(CALL, MODEL, MARKET)


def test_a_snowball_over_cash_has_a_term_sheet_and_a_grid_price_that_agree():
    months = tuple(k / 12 for k in range(1, 13))
    note = Autocallable(notional=100.0, initial=100.0, knock_out=1.03, knock_in=0.75, coupon=0.15, observations=months)
    for kind in KINDS:
        sheet, grid = term_sheet(note, MODEL, two(kind), n_paths=1 << 14), price(note, MODEL, two(kind))
        assert grid.method == "pde" and abs(sheet.value - grid.value) < 4.0 * sheet.std_error + grid.error
        assert grid.value < price(note, MODEL, MARKET).value - 0.3


def test_the_list_of_methods_is_that_of_the_market():
    call = American(strike=100.0, tau=1.0, is_call=True)
    assert methods(call, MODEL, two("jump"))["method"].tolist() == ["pde", "lattice", "longstaff_schwartz"]
    assert methods(call, MODEL, paying((1.5, 3.0)))["method"].tolist() == methods(call, MODEL)["method"].tolist()
    assert methods("Asian", MODEL, two("jump"))["method"].tolist() == ["paths"]
    assert methods(CALL, MODEL, two("jump"))["method"].tolist() == ["analytic", "pde", "lattice", "paths"]
    assert isinstance(methods(CALL, MODEL, two("escrowed")), pd.DataFrame)


def test_what_cannot_take_cash_says_what_can():
    note = Asian(strike=100.0, fixings=(0.1, 0.5, 1.0))
    rough = RoughBergomi(hurst=0.1, eta=1.9, rho=-0.9, forward_variance=0.04)
    lever = LocalVol(tau=[0.0], log_moneyness=[0.0], vol=[[1.0]])
    cases = [
        (note, MODEL, "monte_carlo", "Asian under BlackScholes by 'monte_carlo' must not meet cash dividends of "
                                     r"model='jump'\. Available: 'paths'"),
        (American(strike=100.0, tau=1.0), MODEL, "spectral", "Available: 'pde', 'lattice', 'longstaff_schwartz'"),
        (CALL, LocalStochasticVol(heston=HESTON, leverage=lever), "fourier", "needed by 'fourier'"),
        (CALL, rough, "monte_carlo", "Available: 'paths'"),
        (LogContract(strike=100.0, tau=1.0), MODEL, "pde", "Available: 'paths'"),
        (American(strike=100.0, tau=1.0), CEV(sigma=3.0, beta=0.5), "spectral", "Available: 'pde'"),
    ]  # fmt: skip
    for item, model, method, message in cases:
        with pytest.raises(NoEngineError, match=message):
            price(item, model, two("jump"), method=method)
    inner = Compound(option=European(strike=100.0, tau=1.0), strike=5.0, tau=0.5)
    with pytest.raises(NoEngineError, match="Options on options by 'paths' must not meet cash dividends"):
        price(inner, HESTON, two("jump"), method="paths")
    with pytest.raises(InputError, match="estimator must be 'auto' or 'bumps' by 'paths' where the stock pays cash"):
        greeks(CALL, MODEL, two("jump"), method="paths", estimator="likelihood_ratio")
