"""Options reach the Greeks that know them, whatever the contract, the model and the market; the rest is refused."""

from dataclasses import replace

import numpy as np
import pytest

from research.errors import InputError, NoEngineError
from research.instruments import Autocallable, Barrier, Digital, European, Position, RangeAccrual
from research.market import CashDividends, DiscountCurve, Snapshot, flat_snapshot
from research.models import BlackScholes, BlackTermStructure
from research.pricing import greeks, portfolio, price

MARKET = flat_snapshot(spot=100.0, rate=0.03, dividend_yield=0.01)
FLAT = BlackScholes(sigma=0.2)
RISING = BlackTermStructure(tau=(0.5, 1.0), implied=(0.2, 0.25))
CALL = European(strike=100.0, tau=1.0)
NOTE = Autocallable(initial=100.0, observations=(0.25, 0.5, 0.75, 1.0), knock_out=1.03, coupon=0.1, knock_in=0.8,
                    knock_in_daily=False)  # fmt: skip
SOME = ("value", "delta", "gamma", "vega", "rho", "vanna")


def numbers(frame):
    return frame.value.to_numpy()


def test_a_flat_term_structure_of_vol_has_the_mixed_greeks_of_one_vol():
    flat = BlackTermStructure(tau=(0.5, 1.0), implied=(0.2, 0.2))
    one, two = (greeks(NOTE, model, MARKET, which=SOME, estimator="mixed", n_paths=4096) for model in (FLAT, flat))
    np.testing.assert_allclose(numbers(two), numbers(one), rtol=1e-8)


def test_mixed_greeks_under_a_vol_by_time_are_those_of_the_grid():
    found = greeks(NOTE, RISING, MARKET, which=SOME, n_paths=1 << 14)
    grid = greeks(NOTE, RISING, MARKET, which=SOME, method="pde")
    assert set(found.how) == {"mixed: first step integrated out"}
    spread = np.hypot(found.std_error.to_numpy(), 0.5 * grid.error.to_numpy())
    assert np.all(np.abs(numbers(found) - numbers(grid)) < 4.0 * spread)


def test_an_estimator_means_a_simulation():
    found = greeks(CALL, FLAT, MARKET, which="delta", estimator="likelihood_ratio", n_paths=4096)
    assert found.method[0] == "paths" and found.how[0].startswith("likelihood ratio")
    assert found.value[0] == pytest.approx(greeks(CALL, FLAT, MARKET, which="delta").value[0], abs=0.02)


@pytest.mark.parametrize("option", [{"estimator": "bumps"}, {"n_seeds": 4}])
def test_an_option_of_simulations_is_refused_where_there_is_none(option):
    with pytest.raises(InputError, match="must be left out by 'analytic'"):
        greeks(CALL, FLAT, MARKET, method="analytic", which="delta", **option)


@pytest.mark.parametrize("option", [{"n_seeds": 4}, {"progress": False}])
def test_every_option_of_a_simulation_is_taken(option):
    both = greeks([CALL, NOTE], FLAT, MARKET, which="delta", n_paths=2048, **option)
    assert both.method.tolist() == ["analytic", "monte_carlo"] and np.isfinite(both.delta).all()


@pytest.mark.parametrize("option", [{"smooth": True}, {"sampler": "philox"}, {"std_error": 0.1}])
def test_options_that_greeks_cannot_obey_are_refused(option):
    with pytest.raises(InputError, match=next(iter(option))):
        greeks(NOTE, FLAT, MARKET, which="delta", n_paths=2048, **option)


def test_a_book_runs_to_a_standard_error_and_has_greeks():
    book = [Position(contract=c, underlying="A") for c in (CALL, NOTE)]
    frame = portfolio(book, {"A": (FLAT, MARKET)}, which="delta", std_error=0.05, n_paths=1 << 16, estimator="mixed")
    assert np.isfinite(frame.delta).all() and (frame.std_error <= 0.05).all() and (frame.refused == "").all()


def test_an_option_of_greeks_without_greeks_is_refused():
    with pytest.raises(InputError, match="estimator"):
        portfolio([Position(contract=NOTE, underlying="A")], {"A": (FLAT, MARKET)}, estimator="mixed", n_paths=2048)


def _with_yields() -> Snapshot:
    curve = DiscountCurve(as_of=MARKET.as_of, tau=np.array([0.5, 2.0]), zero_rate=np.array([0.0, 0.02]))
    return Snapshot(as_of=MARKET.as_of, spot=100.0, discount=MARKET.discount, dividend_yields=curve)


@pytest.mark.parametrize("market", [
    _with_yields(),
    Snapshot(as_of=MARKET.as_of, spot=100.0, discount=MARKET.discount,
             cash_dividends=CashDividends(tau=[0.3], cash=[1.0])),
])  # fmt: skip
def test_options_say_which_engine_is_meant_whatever_the_stock_pays(market):
    found = price(CALL, FLAT, market, n_paths=4096)
    assert found.method == "paths"
    assert abs(found.value - price(CALL, FLAT, market).value) < 4.0 * found.std_error


def test_the_value_among_greeks_has_the_error_of_the_price():
    found = greeks(Digital(strike=100.0, tau=1.0), FLAT, MARKET, which=("value", "delta"))
    assert found.error[0] == price(Digital(strike=100.0, tau=1.0), FLAT, MARKET).error > 0.0


def test_greeks_of_a_grid_are_read_on_it_when_the_best_engine_has_refused():
    sloped = replace(MARKET, discount=DiscountCurve(as_of=MARKET.as_of, tau=[0.5, 2.0], zero_rate=[0.01, 0.03]))
    item = Barrier(strike=100.0, barrier=80.0, direction="down", knock="out", tau=1.0)
    found = greeks(item, BlackScholes(sigma=0.2), sloped, which="delta")
    assert (found.method[0], found.how[0]) == ("pde", "on the grid")


def test_theta_of_a_note_is_one_number_by_every_engine():
    """A day later the days that are counted are the same days; a new grid of equal steps would have one less."""
    flat, note = BlackTermStructure(tau=(0.5, 1.0), implied=(0.2, 0.2)), RangeAccrual(
        initial=100.0, low=0.9, high=1.1, rate=0.05, tau=1.0)  # fmt: skip
    exact = greeks(note, FLAT, MARKET, which="theta", method="pde").value[0]  # from the equation
    for method in ("pde", "quadrature", "monte_carlo"):
        found = greeks(note, flat, MARKET, which="theta", method=method)
        assert found.value[0] == pytest.approx(exact, abs=0.02 + 2.0 * found.error[0]), method


def _with_cash(model: str) -> Snapshot:
    cash = CashDividends(tau=[0.3, 0.8], cash=[1.0, 1.5], model=model)
    return Snapshot(as_of=MARKET.as_of, spot=100.0, discount=MARKET.discount, cash_dividends=cash)


def test_a_note_without_a_price_has_no_greeks():
    for verb in (price, greeks):
        with pytest.raises(NoEngineError, match=r"by 'monte_carlo' must not meet cash .* Available: 'pde', 'paths'"):
            verb(NOTE, FLAT, _with_cash("jump"), method="monte_carlo")


@pytest.mark.parametrize("kind", ["jump", "escrowed"])
def test_greeks_of_a_note_go_to_the_grid_where_its_price_does(kind):
    market = _with_cash(kind)
    found = greeks(NOTE, FLAT, market, which=("value", "delta"))
    assert set(found.method) == {"pde"} and found.value[0] == price(NOTE, FLAT, market).value
