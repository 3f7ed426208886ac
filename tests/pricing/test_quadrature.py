"""Notes by quadrature: against an independent backward twin, simulation, closed forms, and the order of convergence."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from research.errors import NoEngineError
from research.instruments import (
    Airbag,
    Autocallable,
    DoubleNoTouch,
    Phoenix,
    RangeAccrual,
    SharkFin,
    StructuredDeposit,
)
from research.market import flat_snapshot
from research.models import BlackScholes, black
from research.pricing import methods, monte_carlo, note_grid, price, quadrature
from research.pricing._breaks import constant, exponential, sampled, step

SPEC = importlib.util.spec_from_file_location("quadrature_twins", Path(__file__).parent / "monte_carlo" / "twins.py")
assert SPEC is not None and SPEC.loader is not None
twins: Any = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(twins)

DAYS = 252
MARKET = flat_snapshot(spot=100.0, rate=0.03, dividend_yield=0.01, as_of=date(2024, 1, 3))
SNOWBALL = Autocallable(
    initial=100.0, observations=tuple(j / DAYS for j in range(63, DAYS + 1, 21)), knock_out=1.03, coupon=0.15,
    knock_in=0.75,
)  # fmt: skip
MONTHS = tuple(i / 12 for i in range(3, 13))
DATES = (date(2024, 4, 3), date(2024, 7, 3), date(2024, 10, 9), date(2025, 1, 3))
NOTES = [
    SNOWBALL,
    replace(SNOWBALL, knocked_in=True, floor=0.6),
    replace(SNOWBALL, knock_in_daily=False, strike=0.95, maturity_coupon=0.02),
    replace(SNOWBALL, observations=DATES, knock_out=(1.05, 1.03, 1.0, 0.97)),
    Phoenix(initial=100.0, observations=MONTHS, knock_out=1.05, coupon=0.01, coupon_barrier=0.8, knock_in=0.75),
    Phoenix(initial=100.0, observations=MONTHS, knock_out=1.05, coupon=0.01, coupon_barrier=0.75, knock_in=0.75),
    SharkFin(initial=100.0, strike=1.0, barrier=1.2, participation=0.8, rebate=0.02, tau=0.5, daily=True),
    SharkFin(
        initial=100.0, strike=1.0, barrier=0.8, participation=0.8, rebate=0.02, tau=0.5, daily=True, is_call=False
    ),
    RangeAccrual(initial=100.0, low=0.9, high=1.1, rate=0.05, tau=0.5),
    DoubleNoTouch(initial=100.0, low=0.85, high=1.15, rate=0.06, tau=0.5),
    Airbag(initial=100.0, knock_in=0.8, participation=0.9, tau=1.0),
    StructuredDeposit(initial=100.0, participation=0.5, width=0.2, tau=1.0),
]


@pytest.mark.slow
def test_snowball_agrees_with_the_backward_twin() -> None:
    assert abs(quadrature.price_note(SNOWBALL, 0.25, MARKET, nodes=4.0) - twins.snowball_exact()) < 1e-5


MORE = [(note, 0.25) for note in NOTES] + [(note, 0.9) for note in (NOTES[1], NOTES[3], NOTES[8])]


@pytest.mark.parametrize(("note", "sigma"), MORE, ids=lambda x: f"{x}" if isinstance(x, float) else type(x).__name__)
def test_every_note_agrees_with_simulation(note: object, sigma: float) -> None:
    ours = price(note, BlackScholes(sigma=sigma), MARKET, method="quadrature")
    drawn = monte_carlo.simulate(note, BlackScholes(sigma=sigma), MARKET, n_paths=1 << 15, seed=11)
    assert abs(ours.value - drawn.value) < 4.0 * drawn.std_error + ours.error + 3e-3 / 32
    assert ours.error < 1.5e-4


@pytest.mark.parametrize("note", [NOTES[0], *NOTES[6:]], ids=lambda n: type(n).__name__)
def test_error_stated_holds_that_of_a_much_finer_run(note: object) -> None:
    found = quadrature.value([note], BlackScholes(sigma=0.2), MARKET)
    assert abs(found.value[0] - quadrature.price_note(note, 0.2, MARKET, nodes=6.0)) <= found.error[0]


def test_error_falls_with_the_fifth_power_of_the_node_distance_or_faster() -> None:
    exact = quadrature.price_note(SNOWBALL, 0.25, MARKET, nodes=12.0)
    errors = [abs(quadrature.price_note(SNOWBALL, 0.25, MARKET, nodes=n) - exact) for n in (1.5, 3.0)]
    assert errors[0] / errors[1] > 2.0**5


def test_deposit_is_a_bond_and_a_call() -> None:
    note = StructuredDeposit(initial=100.0, strike=1.1, participation=0.7, base=0.01, protection=0.98, tau=2.0)
    for sigma in (0.001, 0.2, 1.0):
        call = black.price(MARKET.forward(2.0), 110.0, 2.0, sigma, df=np.exp(-0.06))
        want = 99.0 * np.exp(-0.06) + 0.7 * call
        assert abs(quadrature.price_note(note, sigma, MARKET) - want) < 3e-6 * want


@pytest.mark.parametrize("at", [0.0, 0.0123, 0.5])
def test_a_step_of_a_broken_exponential_is_exact(at: float) -> None:
    from scipy.stats import norm

    grid = np.arange(-200, 201) * 0.02
    std, rate = 0.045, 0.3
    values = np.where(grid >= at, 1.0 + 2.0 * np.exp(rate * grid), np.exp(rate * grid))
    jump = [exponential(at, 1.0, np.exp(rate * at), rate)]
    got = step(grid, values, jump, std, rate)
    d = (grid - at) / std
    grown = np.exp(rate * grid + 0.5 * (rate * std) ** 2)
    want = grown + norm.cdf(d) + grown * norm.cdf(d + rate * std)
    assert np.abs(got - want).max() < 1e-11


def test_sampled_break_is_the_polynomial_it_came_from() -> None:
    grid = np.arange(0, 60) * 0.1
    found = sampled(2.345, grid, 1.0 + 3.0 * (grid - 2.345) ** 2)
    assert found is not None
    np.testing.assert_allclose(found.coefficients, [1.0, 0.0, 3.0, 0.0, 0.0, 0.0], atol=1e-8)
    assert sampled(99.0, grid, grid) is None
    assert constant(1.0, 2.0).coefficients.tolist() == [2.0, 0.0, 0.0, 0.0, 0.0, 0.0]


def test_grid_gives_what_a_younger_note_is_worth() -> None:
    found = note_grid(SNOWBALL, [0.22], MARKET, spots=(40.0, 180.0), nodes=2.5)
    age = 100
    for spot, knocked in ((101.7, False), (76.0, False), (70.0, True), (95.0, True)):
        later = flat_snapshot(spot=spot, rate=0.03, dividend_yield=0.01)
        left = tuple(t - age / DAYS for t in SNOWBALL.observations if t > age / DAYS + 1e-9)
        young = replace(SNOWBALL, observations=left, accrued=age / DAYS, knocked_in=knocked)
        value, delta, gamma = (float(x[0]) for x in found.look(age, [spot], [0.22], [knocked]))
        up, here, down = (
            quadrature.price_note(young, 0.22, replace(later, spot=spot * (1.0 + e))) for e in (1e-3, 0.0, -1e-3)
        )
        assert abs(value - here) < 2e-5
        assert abs(delta - (up - down) / (2e-3 * spot)) < 3e-4
        assert abs(gamma - (up - 2.0 * here + down) / (1e-3 * spot) ** 2) < 5e-4


def test_memory_is_refused_and_the_catalogue_knows_the_engine() -> None:
    with pytest.raises(NoEngineError, match="memory"):
        price(replace(NOTES[4], memory=True), BlackScholes(sigma=0.2), MARKET, method="quadrature")
    assert {"monte_carlo", "quadrature"} <= set(methods(SNOWBALL, BlackScholes(sigma=0.2))["method"])
