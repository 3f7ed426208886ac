"""The lattice: a textbook twin, its order of convergence, the other engines, exercise on days, negative rates."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from research.errors import InputError
from research.instruments import American, Bermudan, European, contract_from_json, to_json
from research.market import DiscountCurve, flat_snapshot
from research.models import BlackScholes, BlackTermStructure, black
from research.pricing import american, lattice, price

TERMS = {"rate": 0.05, "dividend_yield": 0.02}
FORWARD = {"df": np.exp(-0.05), "is_call": False}


def european(spot, strike, tau, vol, rate, dividend_yield):
    return black.price(
        spot * np.exp((rate - dividend_yield) * tau), strike, tau, vol, df=np.exp(-rate * tau), is_call=False
    )


def textbook(spot, strike, tau, vol, rate, dividend_yield, n, exercise):
    """Cox, Ross, Rubinstein put, averaged over n and n + 1 steps; exercise(t) says whether a step allows it."""

    def one(n):
        dt = tau / n
        up = np.exp(vol * np.sqrt(dt))
        p = (np.exp((rate - dividend_yield) * dt) - 1.0 / up) / (up - 1.0 / up)
        value = np.maximum(strike - spot * up ** np.arange(-n, n + 1, 2.0), 0.0)
        for i in range(n - 1, -1, -1):
            value = np.exp(-rate * dt) * (p * value[1:] + (1.0 - p) * value[:-1])
            if exercise(i * dt):
                value = np.maximum(value, strike - spot * up ** np.arange(-i, i + 1, 2.0))
        return value[0]

    return 0.5 * (one(n) + one(n + 1))


def test_european_error_falls_with_the_square_of_the_steps():
    steps = np.array([25, 51, 101, 201, 401])
    exact = european(95.0, 100.0, 1.0, 0.3, 0.05, 0.02)
    error = [
        abs(lattice.price_with_error(95.0, 100.0, 1.0, 0.3, **TERMS, exercise="european", n_steps=n)[0] - exact)
        for n in steps
    ]
    order = -np.polyfit(np.log(steps), np.log(error), 1)[0]
    assert order == pytest.approx(2.0, abs=0.15)


def test_american_error_falls_with_the_steps():
    spots, steps = np.linspace(85.0, 120.0, 8), np.array([51, 101, 201, 401, 801])
    exact = american.price(spots, 100.0, 1.0, 0.3, **TERMS, tolerance=1e-11)
    error = [
        np.abs(lattice.price_with_error(spots, 100.0, 1.0, 0.3, **TERMS, n_steps=n)[0] - exact).max() for n in steps
    ]
    order = -np.polyfit(np.log(steps), np.log(error), 1)[0]
    assert 0.85 < order < 2.1


def test_the_stated_error_holds_for_american_options():
    rng = np.random.default_rng(2)
    spot, vol, tau = rng.uniform(80, 120, 60), rng.uniform(0.1, 0.6, 60), rng.uniform(0.1, 3.0, 60)
    exact = american.price(spot, 100.0, tau, vol, **TERMS)
    found, error = lattice.price_with_error(spot, 100.0, tau, vol, **TERMS, n_steps=201)
    assert np.mean(np.abs(found - exact) <= error) > 0.9
    assert np.abs(found - exact).max() < 0.02


def test_one_exercise_day_agrees_with_the_textbook_tree():
    found, _ = lattice.price_with_error(95.0, 100.0, 1.0, 0.3, rate=0.08, exercise=[[0.5, 1.0]], n_steps=1001)
    twin = textbook(95.0, 100.0, 1.0, 0.3, 0.08, 0.0, 2000, lambda t: abs(t - 0.5) < 0.5 / 2001)
    assert found == pytest.approx(twin, abs=2e-3)


def test_a_bermudan_lies_between_the_european_and_the_american():
    market, model = flat_snapshot(spot=95.0, rate=0.05, dividend_yield=0.02), BlackScholes(sigma=0.3)
    times = tuple(np.arange(1, 13) / 12)
    book = [
        European(strike=100.0, tau=1.0, is_call=False),
        Bermudan(strike=100.0, times=times),
        American(strike=100.0, tau=1.0),
    ]
    low, middle, high = price(book, model, market, method="lattice").value
    assert low < middle < high
    every_day = Bermudan(strike=100.0, times=tuple(np.arange(0, 501) / 500))
    assert price(every_day, model, market, n_steps=501).value == pytest.approx(high, abs=2e-3)


def test_two_boundaries_agree_with_the_textbook_tree_and_beat_the_european():
    found, _ = lattice.price_with_error(90.0, 100.0, 2.0, 0.1, rate=-0.01, dividend_yield=-0.04, n_steps=1001)
    twin = textbook(90.0, 100.0, 2.0, 0.1, -0.01, -0.04, 1000, lambda t: True)
    assert found == pytest.approx(twin, abs=1e-3)
    assert found > european(90.0, 100.0, 2.0, 0.1, -0.01, -0.04) + 0.01


def test_far_strikes_keep_a_tree():
    for spot in (1.0, 1e4):
        found, _ = lattice.price_with_error(spot, 100.0, 1.0, 0.2, rate=0.05)
        assert found == pytest.approx(max(100.0 - spot, 0.0), abs=1e-9)


def test_bermudan_terms_are_checked_and_survive_json():
    option = Bermudan(strike=100.0, dates=(date(2024, 6, 3), date(2024, 12, 2)))
    assert contract_from_json(to_json(option)) == option
    assert option.exercise_times(date(2024, 7, 1)) == pytest.approx((154 / 365,))
    with pytest.raises(InputError, match=r"times must increase; the one before is 1.0; got '0.5'"):
        Bermudan(strike=100.0, times=(1.0, 0.5))
    with pytest.raises(InputError, match=r"Bermudan must have dates or times; got neither\."):
        Bermudan(strike=100.0)


def test_bad_steps_are_refused():
    with pytest.raises(InputError, match="n_steps must be at least 5; got 3"):
        lattice.price_with_error(100.0, 100.0, 1.0, 0.2, n_steps=3)


def _curved(seed):
    """A random market of curves and a random volatility by time."""
    rng, knots = np.random.default_rng(seed), np.array([0.1, 0.25, 0.5, 1.0, 2.0, 4.0])
    flat = flat_snapshot(spot=100.0)
    rates, yields = (DiscountCurve(as_of=flat.as_of, tau=knots, zero_rate=level + np.cumsum(rng.normal(0.0, 0.007, 6)))
                     for level in (rng.uniform(-0.01, 0.08), rng.uniform(0.0, 0.06)))  # fmt: skip
    variance = np.cumsum(rng.uniform(0.1, 0.5, 6) ** 2 * np.diff(knots, prepend=0.0))
    model = BlackTermStructure(tau=tuple(knots), implied=tuple(np.sqrt(variance / knots)))
    return model, replace(flat, discount=rates, dividend_yields=yields), float(rng.uniform(0.2, 3.0))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_steps_of_equal_variance_carry_curves_and_a_vol_by_time(seed):
    """European options have Black's formula; American and Bermudan ones a grid in time itself."""
    model, market, tau = _curved(seed)
    for call in (True, False):
        terms = {"strike": 105.0, "is_call": call}
        european = European(tau=tau, **terms)
        found, exact = (price(european, model, market, method=m) for m in ("lattice", "analytic"))
        assert abs(found.value - exact.value) < min(found.error, 1e-4)
        for item in (American(tau=tau, **terms), Bermudan(times=tuple(tau * np.arange(1, 5) / 4.0), **terms)):
            found, grid = (price(item, model, market, method=m) for m in ("lattice", "pde"))
            assert abs(found.value - grid.value) < found.error + grid.error, item
            assert found.error < 0.05


def test_one_vol_and_one_rate_are_what_curves_of_them_give():
    flat, market = BlackScholes(sigma=0.3), flat_snapshot(spot=100.0, rate=0.05, dividend_yield=0.02)
    one = BlackTermStructure(tau=(0.3, 1.0), implied=(0.3, 0.3))
    for item in (American(strike=105.0, tau=1.0, is_call=False), Bermudan(strike=105.0, times=(0.4, 1.0))):
        a, b = (price(item, model, market, method="lattice").value for model in (flat, one))
        assert a == pytest.approx(b, abs=1e-10)
