"""The control of an arithmetic average: its closed form against plain simulation, and what variance it leaves."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from research.instruments import Asian
from research.market import flat_snapshot
from research.models import BlackScholes
from research.pricing import price
from research.pricing._asian import second_order

MARKET = flat_snapshot(spot=100.0, rate=0.03, dividend_yield=0.01)
TIMES = np.array([0.1, 0.25, 0.6, 1.0, 1.5])
WEIGHTS = np.array([0.1, 0.15, 0.2, 0.25, 0.1])


def walks(sigma: float, n: int) -> Any:
    """Log spots at TIMES, shape (5, n), antithetic, from NumPy's generator."""
    z = np.random.default_rng(5).standard_normal((TIMES.size, n // 2))
    motion = np.cumsum(np.concatenate((z, -z), axis=1) * np.sqrt(np.diff(TIMES, prepend=0.0))[:, None], axis=0)
    return np.log(MARKET.forward(TIMES))[:, None] + sigma * motion - 0.5 * sigma**2 * TIMES[:, None]


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("strike", [-3.0, 60.0, 80.0, 110.0])
@pytest.mark.parametrize("sigma", [0.2, 0.6])
def test_closed_form_of_the_control_agrees_with_its_mean_over_paths(sign: float, strike: float, sigma: float) -> None:
    fixings = np.column_stack((MARKET.forward(TIMES), sigma**2 * TIMES, WEIGHTS))
    level, exact = second_order(fixings, np.array([0.95, strike, sign, 0.0]))
    n = 400_000
    logs = walks(sigma, n)
    share = WEIGHTS / WEIGHTS.sum()
    mean = share @ logs
    geometric = WEIGHTS.sum() * np.exp(mean)
    spread = share @ (logs - mean) ** 2
    paid = np.where(sign * (geometric - level) > 0.0, sign * (geometric * (1.0 + 0.5 * spread) - strike), 0.0)
    pairs = 0.95 * 0.5 * (paid[: n // 2] + paid[n // 2 :])
    assert abs(pairs.mean() - exact) < 4.0 * pairs.std() / math.sqrt(n // 2) + 1e-9


def test_sixty_four_pairs_price_a_daily_average_to_half_a_basis_point() -> None:
    asian = Asian(fixings=tuple(j / 252 for j in range(1, 253)), strike=100.0)
    model, options = BlackScholes(sigma=0.25), {"sampler": "philox", "antithetic": True}
    exact = price(asian, model, MARKET, n_paths=1 << 16).value  # Sobol' points, other draws; to 1e-4
    found = [price(asian, model, MARKET, n_paths=64, seed=seed, **options).value for seed in range(50)]
    assert np.std(found) < 0.005
    assert abs(np.mean(found) - exact) < 4.0 * np.std(found) / math.sqrt(50)


WEEKS = tuple((i + 1) / 52 for i in range(26))
NO_CARRY = flat_snapshot(spot=100.0, rate=0.05, dividend_yield=0.05)


@pytest.mark.parametrize(
    ("strike", "is_call", "wanted"), [(80.0, False, 3e-4), (85.0, False, 1e-4), (130.0, True, 1e-4), (80.0, True, 3e-4)]
)
def test_far_from_the_money_a_run_does_not_stop_before_it_has_met_what_pays(strike, is_call, wanted) -> None:
    """A put on 26 weekly fixings was 0.000126 +- 1.8e-4 where 0.0073 is true: the first round met no path that pays."""
    item, model = Asian(fixings=WEEKS, strike=strike, is_call=is_call), BlackScholes(sigma=0.2)
    exact = price(item, model, NO_CARRY, n_paths=1 << 18)
    misses = []
    for seed in range(6):
        found = price(item, model, NO_CARRY, std_error=wanted, seed=seed)
        misses.append((found.value - exact.value) / np.hypot(found.std_error, exact.std_error))
        assert found.std_error <= wanted
    assert np.abs(misses).max() < 4.0


def test_what_no_path_has_met_is_in_the_error() -> None:
    item = Asian(fixings=WEEKS, strike=160.0)
    found = price(item, BlackScholes(sigma=0.2), NO_CARRY, n_paths=1 << 10)
    true = price(item, BlackScholes(sigma=0.2), NO_CARRY, method="paths", n_paths=1 << 14, importance=True)
    assert found.std_error > 0.0 and abs(found.value - true.value) < 4.0 * (found.std_error + true.std_error)
