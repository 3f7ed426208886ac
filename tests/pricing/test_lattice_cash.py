"""Trees of a stock that pays cash: published calls, other people's grids, the convention, order, errors that hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.pricing.published.tables import rows
from tests.pricing.test_cash_dividends import KINDS, MARKET, MODEL, paying, roll_geske_whaley, two

from research.errors import InputError
from research.instruments import American, Bermudan, European
from research.market import CashDividends, DiscountCurve, flat_snapshot
from research.models import BlackScholes, BlackTermStructure
from research.pricing import greeks, price


def tree(item, model, market, **options):
    return price(item, model, market, method="lattice", **options)


@pytest.mark.parametrize("row", [r for r in rows("cash_dividends.csv") if r.model == "jump"], ids=lambda row: row.tau)
def test_calls_agree_with_haug_haug_and_lewis(row):
    when = np.arange(row.first, row.tau, row.every)
    paid = CashDividends(tau=when, cash=np.full(when.size, float(row.cash)), model="jump")
    market = replace(flat_snapshot(spot=float(row.spot), rate=row.rate), cash_dividends=paid)
    found = tree(European(strike=float(row.strike), tau=float(row.tau)), BlackScholes(sigma=row.vol), market)
    assert abs(found.value - row.value) < 0.5e-4 + found.error and found.error < 1e-4


def independent(strike, sign, tau, sigma, rate, spot, dividends, n=1500, pieces=160):
    """American options by brute force: exercise on a fine mesh of days, the mean over each gap by a convolution in
    log spot, the spot's fall by linear interpolation; nothing in common with a tree but the model."""
    days = np.unique(np.round(np.concatenate((np.linspace(0.0, tau, pieces + 1), [d for d, _ in dividends])), 9))
    x = np.log(spot) + np.linspace(-6.0, 6.0, 2 * n + 1) * sigma * np.sqrt(tau)
    s = np.exp(x)
    value = np.maximum(sign * (s - strike), 0.0)
    for start, stop in zip(days[-2::-1], days[:0:-1]):
        for day, cash in dividends:
            if abs(day - stop) < 1e-8:
                fallen = np.interp(np.maximum(s - cash, 0.0), np.concatenate(([0.0], s)),
                                   np.concatenate(([max(-sign, 0.0) * strike], value)))  # fmt: skip
                value = np.maximum(fallen, sign * (s - strike))
        gap, step = stop - start, x[1] - x[0]
        std, reach = sigma * np.sqrt(gap), int(np.ceil(7.0 * sigma * np.sqrt(gap) / step)) + 2
        move = step * np.arange(-reach, reach + 1) - (rate - 0.5 * sigma**2) * gap
        kernel = np.exp(-0.5 * (move / std) ** 2)
        held = np.convolve(np.pad(value, reach, mode="edge"), kernel[::-1] / kernel.sum(), mode="valid")
        value = np.maximum(np.exp(-rate * gap) * held, sign * (s - strike))
    return float(np.interp(np.log(spot), x, value))


@pytest.mark.parametrize("is_call", [True, False])
def test_american_options_over_jumping_cash_agree_with_a_brute_force_twin(is_call):
    market, dividends = paying((0.3, 4.0), (0.8, 3.0)), ((0.3, 4.0), (0.8, 3.0))
    for strike in (90.0, 110.0):
        ours = tree(American(strike=strike, tau=1.0, is_call=is_call), MODEL, market)
        a, b = (independent(strike, 1.0 if is_call else -1.0, 1.0, 0.3, 0.05, 100.0, dividends, pieces=m)
                for m in (80, 160))  # fmt: skip
        assert abs(ours.value - (2.0 * b - a)) < ours.error + 2e-3, strike
        assert ours.error < 5e-3


@pytest.mark.parametrize("strike", [80.0, 100.0, 115.0])
def test_a_call_with_one_escrowed_dividend_is_that_of_roll_geske_and_whaley(strike):
    market = paying((0.5, 7.0), model="escrowed")
    found = tree(American(strike=strike, tau=0.75, is_call=True), MODEL, market)
    assert abs(found.value - roll_geske_whaley(strike, 0.5, 7.0, 0.75)) < found.error < 2e-3


@pytest.mark.parametrize("kind", KINDS)
def test_european_errors_fall_with_the_square_of_the_steps(kind):
    option, exact = European(strike=105.0, tau=1.0), price(European(strike=105.0, tau=1.0), MODEL, two(kind)).value
    steps = np.array([64, 128, 256])
    off = [abs(tree(option, MODEL, two(kind), n_steps=int(n)).value - exact) for n in steps]
    assert (np.array(off) < 0.6 / steps**2).all()


@pytest.mark.slow
def test_stated_errors_hold_in_random_markets_and_are_not_far_too_large():
    """European options against closed forms and integrals, the others against finer grids of `pde`."""
    rng, ratio = np.random.default_rng(7), {European: [], Bermudan: [], American: []}
    for _ in range(12):
        tau, vol, n = float(rng.uniform(0.1, 3.0)), float(rng.uniform(0.1, 0.6)), int(rng.integers(1, 5))
        paid = CashDividends(tau=tau * (np.arange(n) + rng.uniform(0.1, 0.9, n)) / n, cash=rng.uniform(0.3, 6.0, n),
                             model=str(rng.choice(KINDS)))  # fmt: skip
        market = replace(flat_snapshot(spot=100.0, rate=float(rng.uniform(-0.02, 0.08)), dividend_yield=0.01),
                         cash_dividends=paid)  # fmt: skip
        terms = {
            "strike": float(100.0 * np.exp(rng.uniform(-1.0, 1.0) * vol * tau**0.5)),
            "is_call": bool(rng.integers(2)),
        }
        model, days = BlackScholes(sigma=vol), tuple(tau * np.arange(1, 5) / 4.0)
        for item in (European(tau=tau, **terms), Bermudan(times=days, **terms), American(tau=tau, **terms)):
            european = isinstance(item, European)
            fine = {} if european else {"n_space": 600, "n_time": 300}
            judge = price(item, model, market, method="analytic" if european else "pde", **fine)
            found = tree(item, model, market)
            ratio[type(item)].append(abs(found.value - judge.value) / (found.error + judge.error))
    assert max(max(one) for one in ratio.values()) < 1.0
    assert max(ratio[European]) > 0.05


def test_a_stock_that_cannot_pay_is_worth_nothing_from_then_on():
    market, model = paying((0.5, 60.0)), BlackScholes(sigma=0.8)
    for is_call in (True, False):
        item = European(strike=40.0, tau=1.0, is_call=is_call)
        found, exact = tree(item, model, market), price(item, model, market, method="analytic")
        assert abs(found.value - exact.value) < found.error + exact.error
        early = American(strike=40.0, tau=1.0, is_call=is_call)
        found, grid = tree(early, model, market), price(early, model, market, method="pde", n_space=800, n_time=400)
        assert abs(found.value - grid.value) < found.error + grid.error


@pytest.mark.parametrize("kind", KINDS)
def test_a_day_of_exercise_on_a_dividends_day_sees_the_spot_without_it(kind):
    market = paying((0.5, 7.0), model=kind)
    on, eve = (Bermudan(strike=100.0, times=(t, 0.75), is_call=True) for t in (0.5, 0.5 - 1e-6))
    for item in (on, eve):
        found, grid = tree(item, MODEL, market), price(item, MODEL, market, method="pde")
        assert abs(found.value - grid.value) < found.error + grid.error
    assert tree(on, MODEL, market).value < tree(eve, MODEL, market).value - 0.1


def test_curves_a_vol_by_time_and_cash_on_the_last_day():
    curve = DiscountCurve(as_of=MARKET.as_of, tau=[0.25, 1.0, 2.0], zero_rate=[0.01, 0.03, 0.05])
    model = BlackTermStructure(tau=(0.25, 1.0), implied=(0.35, 0.25))
    for kind in KINDS:
        market = replace(paying((0.4, 3.0), (1.0, 5.0), model=kind), discount=curve, borrow=0.01)
        for item in (European(strike=95.0, tau=1.0), American(strike=95.0, tau=1.0, is_call=True)):
            found, other = tree(item, model, market), price(item, model, market)
            assert other.method != "lattice" and abs(found.value - other.value) < found.error + other.error


def test_an_option_that_is_exercised_now_is_worth_what_exercise_pays():
    found = tree(American(strike=200.0, tau=0.1, is_call=False), MODEL, paying((0.09, 0.1)))
    assert found.value == pytest.approx(100.0, abs=1e-12) and found.error < 1e-6


def test_greeks_by_the_tree_are_those_of_the_grid():
    item = American(strike=100.0, tau=1.0, is_call=True)
    names = ("delta", "gamma", "vega", "theta")
    ours, grid = (greeks(item, MODEL, two("jump"), which=names, method=m) for m in ("lattice", "pde"))
    assert (abs(ours.value - grid.value) < ours.error + grid.error + 2e-3 * abs(grid.value)).all()


def test_too_few_steps_are_refused():
    with pytest.raises(InputError, match="n_steps must be at least 8 where cash is paid; got 5"):
        tree(American(strike=100.0, tau=1.0), MODEL, two("jump"), n_steps=5)
