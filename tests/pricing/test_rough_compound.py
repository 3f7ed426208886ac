"""Compounds and choosers under rough Bergomi: limits, parities, and bounds that meet as the inner paths grow."""

import numpy as np
import pytest

from research.errors import InputError
from research.instruments import Chooser, Compound, European
from research.market import flat_snapshot
from research.models import BlackScholes, RoughBergomi
from research.pricing import price

MARKET = flat_snapshot(spot=100.0, rate=0.03, dividend_yield=0.01)
OPTION, PUT = European(strike=100.0, tau=1.0), European(strike=95.0, tau=0.75, is_call=False)
MODEL = RoughBergomi(hurst=0.1, eta=1.9, rho=-0.7, forward_variance=0.04)
FEW = {"n_paths": 256, "n_inner": 16, "n_steps": 32}


def value(item, model=MODEL, **options):
    return price(item, model, MARKET, **(FEW | {"check_scheme": False} | options))


@pytest.mark.parametrize("rho", [-0.7, 0.0])
def test_without_vol_of_vol_it_is_geske_and_rubinstein(rho):
    still = RoughBergomi(hurst=0.1, eta=0.0, rho=rho, forward_variance=0.04)
    for item in (Compound(strike=5.0, tau=0.5, option=OPTION), Compound(strike=5.0, tau=0.5, option=PUT, is_call=False),
                 Chooser(tau=0.5, call=OPTION, put=PUT)):  # fmt: skip
        found = value(item, still, n_paths=1024, n_inner=32)
        exact = price(item, BlackScholes(sigma=0.2), MARKET)
        assert (found.method, exact.method) == ("monte_carlo", "analytic")
        assert abs(found.value - exact.value) < 4.0 * found.std_error
        assert found.std_error < 0.05


def test_a_compound_that_costs_nothing_is_the_option():
    found = value(Compound(strike=1e-9, tau=0.5, option=OPTION))
    exact = price(OPTION, MODEL, MARKET, n_steps=32, check_scheme=False)
    assert abs(found.value - exact.value) < 4.0 * np.hypot(found.std_error, exact.std_error)


def test_call_less_put_is_the_option_less_the_strike():
    call, put = (value(Compound(strike=5.0, tau=0.5, option=OPTION, is_call=c)) for c in (True, False))
    exact = price(OPTION, MODEL, MARKET, n_steps=32, check_scheme=False)
    gap = call.value - put.value - (exact.value - 5.0 * float(MARKET.discount.df(0.5)))
    assert abs(gap) < 4.0 * np.hypot(exact.std_error, 0.02)


def test_bounds_of_few_inner_paths_enclose_what_many_give():
    item = Compound(strike=5.0, tau=0.5, option=OPTION)
    few, many = value(item, n_inner=4), value(item, n_inner=64)
    assert abs(few.value - many.value) < few.error + many.error
    assert few.error - 2.0 * few.std_error > 3.0 * (many.error - 2.0 * many.std_error)  # the distance of the bounds


def test_a_choice_is_worth_more_than_either():
    chosen = value(Chooser(tau=0.5, call=OPTION, put=PUT))
    for option in (OPTION, PUT):
        alone = price(option, MODEL, MARKET, n_steps=32, check_scheme=False)
        assert chosen.value > alone.value + 1.0


def test_the_same_seed_gives_the_same_bits_and_the_grid_is_judged():
    item = Compound(strike=5.0, tau=0.5, option=OPTION)
    assert value(item).value == value(item).value
    assert value(item, check_scheme=True).error > value(item).error
    with pytest.raises(InputError, match=r"n_inner must lie in \[4, 4096\]; got 1"):
        value(item, n_inner=1)
