"""Grids in the price itself, under Bachelier's model: closed forms, reflection, a twin by quadrature, laws."""

from dataclasses import replace

import numpy as np
import pytest

from research.errors import NoEngineError
from research.instruments import (
    American,
    Autocallable,
    Barrier,
    Bermudan,
    Chooser,
    Compound,
    Digital,
    DoubleBarrier,
    DoubleTouch,
    European,
    Gap,
    Phoenix,
    Supershare,
    Touch,
    VarianceSwap,
)
from research.market import CashDividends, flat_snapshot
from research.models import Bachelier
from research.pricing import greeks, price

MARKET = flat_snapshot(spot=100.0, rate=0.03, dividend_yield=0.01)
LEVEL = flat_snapshot(spot=100.0)
QUARTERS = (0.25, 0.5, 0.75, 1.0)


def value(item, model, market=MARKET, **options):
    return price(item, model, market, method="pde", **options)


@pytest.mark.parametrize("sigma", [1.0, 20.0, 60.0])
@pytest.mark.parametrize("is_call", [True, False])
def test_claims_at_expiry_have_their_closed_forms(sigma, is_call):
    model, forward, df = Bachelier(sigma=sigma), MARKET.forward(1.0), float(np.exp(-0.03))
    for item in (European(strike=95.0, tau=1.0, is_call=is_call), Digital(strike=105.0, tau=1.0, is_call=is_call),
                 Digital(strike=105.0, tau=1.0, is_call=is_call, pays="asset")):  # fmt: skip
        found = value(item, model)
        assert abs(found.value - price(item, model, MARKET, method="analytic").value) < max(1e-9, found.error)
    gap = value(Gap(strike=95.0, trigger=105.0, tau=1.0), model)
    digital = price(Digital(strike=105.0, tau=1.0), model, MARKET).value
    exact = model.price(forward, 105.0, 1.0, df=df) + 10.0 * digital
    assert abs(gap.value - exact) < max(1e-9, gap.error)


@pytest.mark.parametrize("sigma", [5.0, 20.0, 60.0])
def test_barriers_without_carry_by_reflection(sigma):
    model = Bachelier(sigma=sigma)

    def call(forward):
        return model.price(forward, 100.0, 1.0)

    out = value(Barrier(strike=100.0, barrier=85.0, tau=1.0, direction="down", knock="out"), model, LEVEL)
    assert abs(out.value - (call(100.0) - call(70.0))) < out.error
    assert out.error < 2e-4 * sigma
    inside = value(Barrier(strike=100.0, barrier=85.0, tau=1.0, direction="down", knock="in"), model, LEVEL)
    assert abs(inside.value - call(70.0)) < inside.error
    from scipy.stats import norm

    touched = value(Touch(barrier=85.0, direction="down", tau=1.0, pays_at="expiry"), model, LEVEL)
    assert abs(touched.value - 2.0 * norm.cdf(-15.0 / sigma)) < touched.error
    n = np.arange(-20, 21)  # images of a corridor of width 45, the start 20 above its low end
    stays = sum(norm.cdf((45.0 * np.array([1, 0]) - 20.0 - 90.0 * k) / sigma) @ [1, -1]
                - norm.cdf((45.0 * np.array([1, 0]) + 20.0 - 90.0 * k) / sigma) @ [1, -1] for k in n)  # fmt: skip
    none = value(DoubleTouch(low=80.0, high=125.0, tau=1.0, pays_if="none"), model, LEVEL)
    assert abs(none.value - stays) < none.error


def bermudan_by_quadrature(strike, times, sign, sigma, market):
    """Backwards on a grid of prices, each step by the exact normal law, straight lines in between."""
    x = np.linspace(-8.0, 8.0, 801)
    w = np.exp(-0.5 * x * x) / np.exp(-0.5 * x * x).sum()
    s = np.linspace(-500.0, 700.0, 6_001)
    end = times[-1]
    held = np.maximum(sign * (s - strike), 0.0)
    for early, late in zip((0.0, *times[:-1])[::-1], times[::-1], strict=True):
        grow = float(market.growth(late) / market.growth(early))
        std = sigma * np.sqrt(late - early) * float(market.growth(late) / market.growth(end))
        df = float(market.discount.df(late) / market.discount.df(early))
        held = df * sum(wi * np.interp(s * grow + std * xi, s, held) for xi, wi in zip(x, w, strict=True))
        if early > 0.0:
            held = np.maximum(held, sign * (s - strike))
    return float(np.interp(100.0, s, held))


@pytest.mark.parametrize(("sigma", "is_call"), [(20.0, False), (60.0, False), (20.0, True)])
def test_bermudans_agree_with_quadrature(sigma, is_call):
    market = flat_snapshot(spot=100.0, rate=0.05, dividend_yield=0.08)
    found = value(Bermudan(strike=105.0, times=QUARTERS, is_call=is_call), Bachelier(sigma=sigma), market)
    twin = bermudan_by_quadrature(105.0, QUARTERS, 1.0 if is_call else -1.0, sigma, market)
    assert found.value == pytest.approx(twin, abs=2e-3)


def test_american_options_between_their_bounds():
    model = Bachelier(sigma=20.0)
    put = American(strike=105.0, tau=1.0, is_call=False)
    others = Bermudan(strike=105.0, times=QUARTERS, is_call=False), European(strike=105.0, tau=1.0, is_call=False)
    american, bermudan, european = (value(item, model).value for item in (put, *others))
    assert european < bermudan < american
    idle = flat_snapshot(spot=100.0, rate=0.05)  # no yield: a call is not exercised while prices are positive
    early = value(American(strike=100.0, tau=1.0, is_call=True), Bachelier(sigma=10.0), idle)
    late = price(European(strike=100.0, tau=1.0), Bachelier(sigma=10.0), idle)
    assert abs(early.value - late.value) < early.error
    many = value(Bermudan(strike=105.0, times=tuple((i + 1) / 200 for i in range(200)), is_call=False), model).value
    assert american == pytest.approx(many, abs=6e-3)


def test_options_on_options_by_quadrature():
    model, df = Bachelier(sigma=20.0), float(np.exp(-0.015))
    x = np.linspace(-8.0, 8.0, 20_001)
    growth = float(MARKET.growth(1.0) / MARKET.growth(0.5))
    ahead = MARKET.forward(1.0) + 20.0 * np.sqrt(0.5) * x  # today's forward for the end, on the first day
    density = np.exp(-0.5 * x * x) / np.sqrt(2.0 * np.pi)
    call, put = (model.price(ahead, 100.0, 0.5, df=df, is_call=c) for c in (True, False))
    option = European(strike=100.0, tau=1.0)
    compound = value(Compound(strike=5.0, tau=0.5, option=option), model)
    twin = df * np.trapezoid(np.maximum(call - 5.0, 0.0) * density, x)
    assert abs(compound.value - twin) < compound.error
    chooser = value(Chooser(tau=0.5, call=option, put=European(strike=100.0, tau=1.0, is_call=False)), model)
    assert abs(chooser.value - df * np.trapezoid(np.maximum(call, put) * density, x)) < chooser.error
    assert growth == pytest.approx(np.exp(0.01))


@pytest.mark.slow
@pytest.mark.parametrize("sigma", [20.0, 60.0])
def test_notes_agree_with_paths(sigma):
    terms = {"notional": 100.0, "initial": 100.0, "observations": QUARTERS, "knock_out": 1.03}
    for item in (Autocallable(**terms, coupon=0.15, knock_in=0.75), Phoenix(**terms, coupon=0.02, coupon_barrier=0.8)):
        grid = value(item, Bachelier(sigma=sigma))
        found = price(item, Bachelier(sigma=sigma), MARKET, method="paths", n_paths=1 << 14)
        assert abs(found.value - grid.value) < 4.0 * found.std_error + grid.error


def read(item, model, **how):
    return greeks(item, model, MARKET, **how).set_index("greek")["value"]


def test_greeks_are_read_off_the_grid():
    model = Bachelier(sigma=20.0)
    exact = model.greeks(MARKET.forward(1.0), 95.0, 1.0, df=float(np.exp(-0.03)))
    grown = float(MARKET.growth(1.0))
    found = read(European(strike=95.0, tau=1.0), model, method="pde", which=("delta", "gamma", "vega"))
    assert found["delta"] == pytest.approx(exact["delta"] * grown, abs=1e-5)
    assert found["gamma"] == pytest.approx(exact["gamma"] * grown**2, abs=1e-6)
    assert found["vega"] == pytest.approx(exact["vega"], rel=1e-4)
    for method in ("analytic", "pde", "paths"):  # a bump of 0.01 would be none of a vol of 20
        vega = read(Digital(strike=105.0, tau=1.0), model, method=method, which=("vega",))["vega"]
        assert vega == pytest.approx(0.0028517, abs=3e-4 if method == "paths" else 1e-6)
    put = read(American(strike=105.0, tau=1.0, is_call=False), model, which=("delta", "gamma"))
    up, down = (value(American(strike=105.0, tau=1.0, is_call=False), model, flat_snapshot(
        spot=100.0 + h, rate=0.03, dividend_yield=0.01)).value for h in (0.5, -0.5))  # fmt: skip
    assert put["delta"] == pytest.approx(up - down, abs=2e-4)


def test_what_a_normal_grid_cannot_do_is_refused_by_name():
    model = Bachelier(sigma=20.0)
    with pytest.raises(NoEngineError, match="strike must be > 0 for a grid; got -20"):
        value(European(strike=-20.0, tau=1.0), model)
    with pytest.raises(NoEngineError, match="Bachelier has none of"):
        price(VarianceSwap(strike=0.2, tau=1.0), model, MARKET)


def paying(model):
    return replace(MARKET, cash_dividends=CashDividends(tau=(0.25, 0.75), cash=(4.0, 5.0), model=model))


@pytest.mark.parametrize("kind", ["jump", "escrowed"])
def test_cash_moves_the_forward_of_a_normal_price_and_nothing_else(kind):
    model, market = Bachelier(sigma=30.0), paying(kind)
    forward, df = float(market.forward(1.0)), float(np.exp(-0.03))
    for is_call in (True, False):
        exact = float(model.price(forward, 100.0, 1.0, df=df, is_call=is_call))
        option = European(strike=100.0, tau=1.0, is_call=is_call)
        assert price(option, model, market).value == pytest.approx(exact, abs=1e-11)  # by the closed form
        found = value(option, model, market)
        assert abs(found.value - exact) < min(found.error, 1e-5)
    daily = tuple(sorted({*np.linspace(0.02, 1.0, 50).tolist(), 0.25 - 1e-6, 0.75 - 1e-6}))
    american = value(American(strike=100.0, tau=1.0, is_call=True), model, market)
    bermudan = value(Bermudan(strike=100.0, times=daily, is_call=True), model, market)
    assert bermudan.value - 1e-4 < american.value < bermudan.value + 5e-3


def test_a_fall_between_two_days_of_a_bermudan_by_quadrature():
    """With no carry a fall by c is one of the strike's place: the value before it is that at S - c."""
    model, sigma = Bachelier(sigma=20.0), 20.0
    market = replace(LEVEL, cash_dividends=CashDividends(tau=(0.5,), cash=(6.0,), model="jump"))
    found = value(Bermudan(strike=100.0, times=(0.4, 1.0), is_call=True), model, market)
    x = np.linspace(-9.0, 9.0, 40_001)
    weight = np.exp(-0.5 * x * x) / np.sqrt(2.0 * np.pi) * (x[1] - x[0])
    spot = 100.0 + sigma * np.sqrt(0.4) * x
    held = model.price(spot - 6.0, 100.0, 0.6)
    assert abs(found.value - float(weight @ np.maximum(held, spot - 100.0))) < found.error


@pytest.mark.parametrize("kind", ["jump", "escrowed"])
def test_grids_and_paths_of_a_normal_price_see_the_same_cash(kind):
    model, market = Bachelier(sigma=30.0), paying(kind)
    for item in (Touch(barrier=85.0, direction="down", tau=1.0), DoubleTouch(low=60.0, high=150.0, tau=1.0),
                 Barrier(strike=100.0, barrier=85.0, direction="down", knock="out", tau=1.0, n_monitoring=12),
                 Phoenix(notional=100.0, initial=100.0, knock_out=1.05, knock_in=0.75, coupon=0.02,
                         coupon_barrier=0.85, observations=QUARTERS)):  # fmt: skip
        grid, paths = value(item, model, market), price(item, model, market, method="paths", n_paths=1 << 13)
        assert abs(grid.value - paths.value) < 4.0 * paths.std_error + paths.error + grid.error, item


def test_ranges_and_supershares_sum_to_what_they_share():
    model = Bachelier(sigma=20.0)
    parts = sum(low * value(Supershare(low=low, high=low + 20.0, tau=1.0), model).value for low in (60.0, 80.0, 100.0))
    whole = 60.0 * value(Supershare(low=60.0, high=120.0, tau=1.0), model).value
    assert parts == pytest.approx(whole, abs=2e-3)
    corridor = DoubleBarrier(strike=100.0, low=60.0, high=140.0, tau=1.0, knock="out")
    inside = DoubleBarrier(strike=100.0, low=60.0, high=140.0, tau=1.0, knock="in")
    european = price(European(strike=100.0, tau=1.0), model, MARKET).value
    assert value(corridor, model).value + value(inside, model).value == pytest.approx(european, abs=1e-3)
