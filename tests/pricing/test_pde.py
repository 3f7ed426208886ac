"""Finite differences: order of convergence, the other engines, the curve, cash dividends, two boundaries, barriers."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from research.errors import InputError
from research.instruments import American, Barrier, European
from research.market import DiscountCurve, Snapshot, flat_snapshot
from research.models import BlackScholes, black
from research.pricing import american, lattice, pde, price

MARKET = flat_snapshot(spot=95.0, rate=0.05, dividend_yield=0.02)
MODEL = BlackScholes(sigma=0.3)
GRIDS = [(50, 25), (100, 50), (200, 100), (400, 200)]


def order(contract, exact, market=MARKET, model=MODEL, grids=GRIDS):
    """Slope of log error of the plain grid over log points."""
    plain = [pde._solve([contract], np.array([contract.tau]), model, market, n, m, (), 1)[0] for n, m in grids]
    error = np.abs(np.array(plain) - exact)
    return -np.polyfit(np.log([n for n, _ in grids]), np.log(error), 1)[0]


def test_european_error_falls_with_the_square_of_the_grid():
    exact = black.price(MARKET.forward(1.0), 100.0, 1.0, 0.3, df=MARKET.discount.df(1.0), is_call=False)
    assert order(European(strike=100.0, tau=1.0, is_call=False), exact) == pytest.approx(2.0, abs=0.1)


def test_american_error_falls_with_the_square_of_the_grid():
    for is_call, rate, dividend_yield in ((False, 0.05, 0.02), (True, 0.02, 0.06)):
        market = flat_snapshot(spot=95.0, rate=rate, dividend_yield=dividend_yield)
        exact = american.price(
            95.0, 100.0, 1.0, 0.3, rate=rate, dividend_yield=dividend_yield, is_call=is_call, tolerance=1e-10
        )
        assert order(American(strike=100.0, tau=1.0, is_call=is_call), exact, market) == pytest.approx(2.0, abs=0.15)


def test_knock_out_error_falls_with_the_square_of_the_grid():
    contract = Barrier(strike=100.0, barrier=85.0, direction="down", knock="out", tau=1.0)
    exact = price(contract, MODEL, MARKET, method="pde", n_space=1200, n_time=600).value
    assert order(contract, exact) == pytest.approx(2.0, abs=0.3)


def test_the_stated_error_holds_for_random_american_options():
    rng = np.random.default_rng(4)
    n = 100
    spot, vol, tau = rng.uniform(70, 130, n), rng.uniform(0.1, 0.8, n), rng.uniform(0.05, 5.0, n)
    given = {
        "rate": rng.uniform(0.0, 0.1, n),
        "dividend_yield": rng.uniform(0.0, 0.1, n),
        "is_call": rng.random(n) < 0.5,
    }
    exact = american.price(spot, 100.0, tau, vol, **given)
    found, error = pde.price_with_error(spot, 100.0, tau, vol, **given)
    assert np.mean(np.abs(found - exact) <= error) >= 0.97
    assert np.abs(found - exact).max() < 2e-3


def test_the_door_and_the_batch_agree():
    door = price([American(strike=k, tau=1.0) for k in (90.0, 100.0)], MODEL, MARKET, method="pde").value
    batch = pde.price_with_error(95.0, [90.0, 100.0], 1.0, 0.3, rate=0.05, dividend_yield=0.02)[0]
    assert door == pytest.approx(batch, abs=1e-10)


def test_a_curve_that_is_not_flat_prices_european_options_by_its_forwards():
    curve = DiscountCurve(
        as_of=date(2024, 1, 2), tau=np.array([0.25, 1.0, 2.0]), zero_rate=np.array([0.01, 0.04, 0.05])
    )
    market = Snapshot(as_of=date(2024, 1, 2), spot=100.0, discount=curve, dividend_yield=0.01)
    options = [European(strike=k, tau=1.7, is_call=c) for k in (80.0, 100.0, 130.0) for c in (True, False)]
    found = price(options, MODEL, market, method="pde")
    assert found.value == pytest.approx(price(options, MODEL, market).value, abs=2e-4)


def test_two_exercise_boundaries_agree_with_the_lattice():
    market = flat_snapshot(spot=90.0, rate=-0.01, dividend_yield=-0.04)
    found = price(
        American(strike=100.0, tau=2.0), BlackScholes(sigma=0.1), market, method="pde", n_space=400, n_time=400
    )
    tree, error = lattice.price_with_error(90.0, 100.0, 2.0, 0.1, rate=-0.01, dividend_yield=-0.04, n_steps=2001)
    assert found.value == pytest.approx(tree, abs=found.error + error)
    assert abs(found.value - tree) < 5e-3


def test_a_cash_dividend_agrees_with_the_integral_over_the_day_it_is_paid():
    # Haug, Haug, Lewis (2003): E over the spot at t_D of Black's price with spot S - D; here by Gauss-Hermite
    spot, strike, vol, rate, when, cash, tau = 100.0, 100.0, 0.3, 0.06, 0.5, 7.0, 1.0
    z, weight = np.polynomial.hermite_e.hermegauss(200)
    later = spot * np.exp((rate - 0.5 * vol**2) * when + vol * np.sqrt(when) * z) - cash
    left = np.where(later > 0.0, later, 1e-9)
    growth, df = np.exp(rate * (tau - when)), np.exp(-rate * (tau - when))
    exact = np.exp(-rate * when) * np.sum(weight * black.price(left * growth, strike, tau - when, vol, df=df))
    exact /= np.sqrt(2.0 * np.pi)
    market = flat_snapshot(spot=spot, rate=rate)
    call = European(strike=strike, tau=tau)
    found = price(
        call, BlackScholes(sigma=vol), market, method="pde", dividends=[(when, cash)], n_space=400, n_time=200
    )
    assert found.value == pytest.approx(exact, abs=1e-3)


def test_an_american_call_is_worth_more_before_a_cash_dividend():
    market, model = flat_snapshot(spot=100.0, rate=0.05), BlackScholes(sigma=0.2)
    given = {"method": "pde", "dividends": [(0.5, 5.0)]}
    early = price(American(strike=95.0, tau=0.6, is_call=True), model, market, **given).value
    late = price(European(strike=95.0, tau=0.6), model, market, **given).value
    without = price(European(strike=95.0, tau=0.6), model, market).value
    assert late < early < without


def test_knock_in_and_knock_out_make_the_european_option():
    for direction, barrier in (("down", 85.0), ("up", 120.0)):
        terms = {"strike": 100.0, "barrier": barrier, "direction": direction, "tau": 1.0}
        pair = price([Barrier(knock=knock, **terms) for knock in ("in", "out")], MODEL, MARKET, method="pde").value
        assert pair.sum() == pytest.approx(price(European(strike=100.0, tau=1.0), MODEL, MARKET).value, abs=1e-3)


def test_a_barrier_already_breached_is_refused_by_name():
    sentence = (
        "barrier must lie below the spot, 95; got 96. A down-and-out barrier already breached "
        "is a paid rebate: price that."
    )
    contract = Barrier(strike=100.0, barrier=96.0, direction="down", knock="out", tau=1.0)
    with pytest.raises(InputError, match=sentence):
        price(contract, MODEL, MARKET, method="pde")


def test_small_grids_and_past_dividends_are_refused():
    with pytest.raises(InputError, match="n_space must be at least 20; got 10"):
        price(American(strike=100.0, tau=1.0), MODEL, MARKET, method="pde", n_space=10)
    with pytest.raises(InputError, match="dividends must be pairs of years > 0 and cash >= 0"):
        price(American(strike=100.0, tau=1.0), MODEL, MARKET, method="pde", dividends=[(-0.1, 1.0)])
