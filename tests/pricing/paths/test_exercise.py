"""Early exercise under any model: between the bounds lies what trees and grids say; the dual is above the rule."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from research.errors import InputError, NoEngineError
from research.instruments import American, Bermudan, European
from research.market import flat_snapshot
from research.models import SABR, BlackScholes, Heston, Merton
from research.pricing import price
from research.pricing.paths import exercise

TEN = Heston(v0=0.0625, kappa=5.0, theta=0.16, sigma=0.9, rho=0.1)  # Clarke and Parrott's put, strike 10
QUICK: dict[str, Any] = {"n_paths": 5_000, "n_outer": 64, "n_inner": 32}


def quantlib_american(spot: float, model: Heston, rate: float, strike: float, days: int) -> float:
    ql = pytest.importorskip("QuantLib")
    today, count = ql.Date(1, 1, 2024), ql.Actual365Fixed()
    ql.Settings.instance().evaluationDate = today
    curve = ql.YieldTermStructureHandle(ql.FlatForward(today, rate, count))
    none = ql.YieldTermStructureHandle(ql.FlatForward(today, 0.0, count))
    process = ql.HestonProcess(
        curve, none, ql.QuoteHandle(ql.SimpleQuote(spot)), model.v0, model.kappa, model.theta, model.sigma, model.rho
    )
    option = ql.VanillaOption(ql.PlainVanillaPayoff(ql.Option.Put, strike), ql.AmericanExercise(today, today + days))
    option.setPricingEngine(ql.FdHestonVanillaEngine(ql.HestonModel(process), 100, 200, 80))
    return float(option.NPV())


@pytest.mark.parametrize("spot", [9.0, 10.0, 12.0])
def test_bounds_enclose_the_finite_difference_price_under_heston(spot: float) -> None:
    exact = quantlib_american(spot, TEN, 0.1, 10.0, 91)
    found = exercise.bounds(American(strike=10.0, tau=91 / 365), TEN, flat_snapshot(spot=spot, rate=0.1), **QUICK)
    assert found.lower < exact + 4.0 * found.lower_error
    assert found.lower > exact - 0.01 - 4.0 * found.lower_error  # 50 dates, and a rule that is fitted
    assert found.upper > exact - 0.003 - 4.0 * found.upper_error  # 50 dates
    assert found.upper < exact + 0.06


def test_bounds_enclose_the_tree_under_one_volatility() -> None:
    market, model = flat_snapshot(spot=36.0, rate=0.06), BlackScholes(sigma=0.2)
    item = Bermudan(strike=40.0, times=tuple(j / 20 for j in range(1, 21)))
    exact = float(price(item, model, market, method="lattice"))
    found = exercise.bounds(item, model, market, **QUICK)
    assert found.lower < exact + 4.0 * found.lower_error
    assert found.lower > exact - 0.03 - 4.0 * found.lower_error
    assert exact - 4.0 * found.upper_error < found.upper < exact + 0.15


def test_more_inner_paths_bring_the_dual_down() -> None:
    market, item = flat_snapshot(spot=9.5, rate=0.1), American(strike=10.0, tau=0.25)
    few, many = (exercise.bounds(item, TEN, market, n_paths=5_000, n_dates=20, n_outer=200, n_inner=n) for n in (4, 64))
    assert few.lower == many.lower
    assert many.upper < few.upper
    assert many.upper > many.lower - 3.0 * np.hypot(many.upper_error, many.lower_error)


def test_a_call_without_dividends_is_not_exercised_early() -> None:
    market = flat_snapshot(spot=100.0, rate=0.05)
    model = Heston(v0=0.04, kappa=1.5, theta=0.05, sigma=0.5, rho=-0.7)
    item, plain = American(strike=100.0, tau=0.5, is_call=True), European(strike=100.0, tau=0.5)
    found = exercise.bounds(item, model, market, n_dates=10, **QUICK)
    european = float(price(plain, model, market))
    assert abs(found.lower - european) < 4.0 * found.lower_error + 0.02
    assert found.upper > european - 4.0 * found.upper_error


def test_one_date_is_a_european_option() -> None:
    market = flat_snapshot(spot=100.0, rate=0.05)
    found = exercise.bounds(Bermudan(strike=105.0, times=(0.5,)), TEN, market, **QUICK)
    exact = float(price(European(strike=105.0, tau=0.5, is_call=False), TEN, market))
    assert abs(found.lower - exact) < 4.0 * found.lower_error
    assert found.upper == pytest.approx(exact, abs=4.0 * found.upper_error + 4.0 * found.lower_error)


def test_deep_in_the_money_exercise_is_today() -> None:
    market = flat_snapshot(spot=6.0, rate=0.1)
    found = exercise.bounds(American(strike=10.0, tau=0.25), TEN, market, upper=False, n_paths=2_000)
    assert found.lower == 4.0
    assert np.isnan(found.upper)


def test_jumps_have_bounds_too_and_the_door_knows() -> None:
    model, market = Merton(sigma=0.2, intensity=0.5, jump_mean=-0.1, jump_std=0.1), flat_snapshot(spot=100.0, rate=0.05)
    item = Bermudan(strike=100.0, times=(0.25, 0.5, 0.75, 1.0))
    found = price(item, model, market, **QUICK)
    european = float(price(European(strike=100.0, tau=1.0, is_call=False), model, market))
    assert found.method == "longstaff_schwartz"
    assert found.value > european - 4.0 * found.std_error
    assert found.error >= 2.0 * found.std_error


def test_the_same_seed_gives_the_same_bits_and_another_one_others() -> None:
    market, item = flat_snapshot(spot=9.5, rate=0.1), American(strike=10.0, tau=0.25)
    options: dict[str, Any] = {"n_paths": 1_000, "n_dates": 10, "upper": False}
    one, two, other = (exercise.bounds(item, TEN, market, seed=s, **options).lower for s in (1, 1, 2))
    assert one == two != other


def test_refusals_name_what_is_wrong() -> None:
    market = flat_snapshot(spot=100.0)
    with pytest.raises(InputError, match="n_inner must lie in"):
        exercise.bounds(American(strike=100.0, tau=1.0), TEN, market, n_inner=0)
    with pytest.raises(InputError, match="instrument must be American or Bermudan; got 'European'"):
        exercise.bounds(European(strike=100.0, tau=1.0), TEN, market)  # type: ignore[arg-type]
    with pytest.raises(NoEngineError, match="needed to price American"):
        price(American(strike=100.0, tau=1.0), SABR(alpha=0.2, beta=1.0, rho=0.0, nu=0.3), market)
