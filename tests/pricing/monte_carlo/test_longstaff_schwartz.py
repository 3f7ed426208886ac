"""American options by simulation: Longstaff and Schwartz's own table, bounds around a lattice, a plain NumPy twin."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from research.errors import InputError
from research.instruments import American, European
from research.market import flat_snapshot
from research.models import BlackScholes
from research.pricing import longstaff_schwartz, monte_carlo, price

REFERENCE = Path(__file__).parents[2] / "reference" / "longstaff_schwartz_2001.csv"
ROWS = list(csv.DictReader(REFERENCE.read_text().splitlines()[1:]))


def bermudan_by_lattice(spot: float, strike: float, rate: float, sigma: float, tau: float, n_dates: int) -> float:
    """Put exercised on n_dates equal dates or today: binomial tree (Cox, Ross, Rubinstein), 40 steps a date."""
    per = 40
    n = per * n_dates
    dt = tau / n
    up = math.exp(sigma * math.sqrt(dt))
    p, df = (math.exp(rate * dt) - 1 / up) / (up - 1 / up), math.exp(-rate * dt)
    j = np.arange(n + 1)
    value = np.maximum(strike - spot * up ** (2.0 * j - n), 0.0)
    for step in range(n - 1, -1, -1):
        value = df * (p * value[1:] + (1 - p) * value[:-1])
        if step % per == 0:
            value = np.maximum(value, strike - spot * up ** (2.0 * np.arange(step + 1) - step))
    return float(value[0])


def naive_policy(spots: Any, strike: float, rate: float, tau: float) -> Any:
    """Least squares with NumPy on the paths in the money, backwards; coefficients in (1 - S / K)."""
    n, dt = len(spots), tau / len(spots)
    cash = np.maximum(strike - spots[-1], 0.0) * math.exp(-rate * tau)
    rule = np.zeros((n, 4))
    for j in range(n - 2, -1, -1):
        x = 1.0 - spots[j] / strike
        inside = x > 0.0
        df = math.exp(-rate * dt * (j + 1))
        rule[j] = np.polynomial.polynomial.polyfit(x[inside], cash[inside] / df / strike, 3)
        now = inside & (x >= np.polynomial.polynomial.polyval(x, rule[j]))
        cash[now] = df * strike * x[now]
    return rule


@pytest.mark.parametrize("row", ROWS, ids=lambda r: f"{r['spot']}-{r['sigma']}-{r['tau']}")
def test_bounds_hold_the_published_values(row: dict[str, str]) -> None:
    # the paper's finite-difference column
    spot, sigma, tau = (float(row[name]) for name in ("spot", "sigma", "tau"))
    found = longstaff_schwartz.bounds(
        American(strike=40.0, tau=tau), BlackScholes(sigma=sigma), flat_snapshot(spot=spot, rate=0.06),
        n_paths=10_000, n_dates=round(50 * tau),
    )  # fmt: skip
    exact = float(row["finite_difference"])
    assert found.lower - 4.0 * found.lower_error < exact < found.upper + 4.0 * found.upper_error
    assert found.lower == pytest.approx(
        exact, abs=0.03 + 4.0 * found.lower_error
    )  # a rule from so few paths costs 1-3 cents
    assert found.upper < 1.045 * exact  # what Rogers' martingale leaves, most at two years


def test_the_rule_is_the_least_squares_one() -> None:
    model, market = BlackScholes(sigma=0.3), flat_snapshot(spot=38.0, rate=0.06)
    found = longstaff_schwartz.bounds(American(strike=40.0, tau=1.0), model, market, n_paths=4000, n_dates=10)
    spots = monte_carlo.paths(model, market, np.arange(1, 11) / 10.0, n_paths=4000)
    rule = naive_policy(spots, 40.0, 0.06, 1.0)
    x = np.linspace(0.0, 0.4, 9)
    for ours, theirs in zip(found.policy[:-1], rule[:-1]):
        value, expected = (np.polynomial.polynomial.polyval(x, c) for c in (ours, theirs))
        assert np.allclose(value, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("spot", [36.0, 40.0, 44.0])
def test_bounds_lie_around_a_lattice(spot: float) -> None:
    exact = bermudan_by_lattice(spot, 40.0, 0.06, 0.3, 1.0, 10)
    found = longstaff_schwartz.bounds(
        American(strike=40.0, tau=1.0), BlackScholes(sigma=0.3), flat_snapshot(spot=spot, rate=0.06),
        n_paths=40_000, n_dates=10,
    )  # fmt: skip
    assert found.lower - 4.0 * found.lower_error < exact + 2e-3
    assert found.lower > exact - 0.01 - 4.0 * found.lower_error
    assert exact - 2e-3 < found.upper + 4.0 * found.upper_error
    assert found.upper < 1.02 * exact


def test_a_call_without_dividends_is_european() -> None:
    model, market = BlackScholes(sigma=0.3), flat_snapshot(spot=100.0, rate=0.05)
    found = price(American(strike=100.0, tau=1.0, is_call=True), model, market, method="longstaff_schwartz")
    exact = price(European(strike=100.0, tau=1.0), model, market).value
    assert exact - 0.03 * exact < found.value < exact + 4.0 * found.std_error  # the rule exercises some paths too early


def test_one_date_is_european_to_rounding() -> None:
    model, market = BlackScholes(sigma=0.3), flat_snapshot(spot=42.0, rate=0.06)
    found = longstaff_schwartz.bounds(American(strike=40.0, tau=1.0), model, market, n_paths=1000, n_dates=1)
    exact = price(European(strike=40.0, tau=1.0, is_call=False), model, market).value
    assert found.lower == pytest.approx(exact, abs=1e-10)  # the control is the payoff


def test_deep_in_the_money_the_option_is_exercised_today() -> None:
    found = price(
        American(strike=100.0, tau=1.0), BlackScholes(sigma=0.1), flat_snapshot(spot=50.0, rate=0.1),
        method="longstaff_schwartz",
    )  # fmt: skip
    assert found.value == 50.0


def test_wrong_numbers_are_refused() -> None:
    model, market = BlackScholes(sigma=0.3), flat_snapshot(spot=42.0, rate=0.06)
    with pytest.raises(InputError, match=r"n_paths must lie in \[100, 10000000\]; got 5"):
        longstaff_schwartz.bounds(American(strike=40.0, tau=1.0), model, market, n_paths=5)
    with pytest.raises(InputError, match="tau must be > 0 years; got 0"):
        longstaff_schwartz.bounds(American(strike=40.0, tau=0.0), model, market)
