"""A standard error covers what no path has met: every note over low vols and far barriers, against quadrature."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.special import ndtr

from research.instruments import (
    Airbag,
    Autocallable,
    Digital,
    DoubleNoTouch,
    European,
    Phoenix,
    RangeAccrual,
    SharkFin,
    StructuredDeposit,
)
from research.market import flat_snapshot
from research.models import BlackScholes, Heston
from research.pricing import _rare, monte_carlo, price
from research.pricing.paths import simulate

MARKET = flat_snapshot(spot=100.0, rate=0.03, dividend_yield=0.01)
MONTHS, TAU = tuple(k / 12 for k in range(1, 7)), 0.5
AIRBAG = Airbag(initial=100.0, tau=TAU, knock_in=0.85, participation=0.9, knocked_participation=0.7)
NOTES: dict[str, Any] = {
    "near snowball": Autocallable(initial=100.0, observations=MONTHS, knock_out=1.03, coupon=0.15, knock_in=0.75),
    "far snowball": Autocallable(initial=100.0, observations=MONTHS, knock_out=1.3, coupon=0.15, knock_in=0.85),
    "phoenix": Phoenix(
        initial=100.0, observations=MONTHS, knock_out=1.1, coupon_barrier=0.8, coupon=0.01, knock_in=0.7, memory=False
    ),
    "shark fin": SharkFin(initial=100.0, tau=TAU, strike=1.0, barrier=1.2, rebate=0.02, participation=0.8),
    "put shark fin": SharkFin(
        initial=100.0, tau=TAU, strike=1.0, barrier=0.8, rebate=0.02, participation=0.8, is_call=False, daily=False
    ),
    "range accrual": RangeAccrual(initial=100.0, tau=TAU, low=0.85, high=1.2, rate=0.05, base=0.01),
    "double no-touch": DoubleNoTouch(
        initial=100.0, tau=TAU, low=0.8, high=1.25, rate=0.06, touched_rate=0.01, principal=1.0
    ),
    "airbag": AIRBAG,
    "deposit": StructuredDeposit(initial=100.0, tau=TAU, strike=1.15, participation=0.6, base=0.01),
}
VOLS = [0.02, 0.04, 0.05, 0.06, 0.08, 0.12, 0.25, 0.6]


@pytest.mark.parametrize("note", list(NOTES.values()), ids=list(NOTES))
def test_the_stated_error_covers_the_truth_from_rare_events_to_common_ones(note: Any) -> None:
    for vol in VOLS:
        exact = price(note, BlackScholes(sigma=vol), MARKET, method="quadrature", nodes=4.0)
        for n_paths in (1 << 11, 1 << 14):
            for sampler in ("sobol", "philox"):
                found = price(note, BlackScholes(sigma=vol), MARKET, n_paths=n_paths, sampler=sampler)
                off = abs(found.value - exact.value)
                assert off < 4.0 * found.std_error + exact.error + 1e-10, (vol, n_paths, sampler)


@pytest.mark.parametrize("note", list(NOTES.values()), ids=list(NOTES))
def test_smoothing_meets_the_rare_event_on_every_path(note: Any) -> None:
    for vol in VOLS:
        exact = price(note, BlackScholes(sigma=vol), MARKET, method="quadrature", nodes=4.0)
        found = price(note, BlackScholes(sigma=vol), MARKET, n_paths=1 << 11, smooth=True)
        assert abs(found.value - exact.value) < 4.0 * found.std_error + exact.error + 1e-9 * note.notional, vol


def test_an_airbag_at_five_percent_vol_no_longer_claims_fourteen_digits() -> None:
    found = price(AIRBAG, BlackScholes(sigma=0.05), MARKET, n_paths=1 << 17)
    assert 1e-5 < found.std_error < 2e-4


def test_an_event_that_is_common_adds_one_path_of_its_jump() -> None:
    for note in (NOTES["near snowball"], NOTES["phoenix"], NOTES["double no-touch"]):
        problem = monte_carlo.problem_of(note, 0.25, MARKET)
        assert _rare.added(problem.rare, 1 << 17) < 1e-3  # under a hundredth of a basis point of 100


@pytest.mark.parametrize("n_paths", [1 << 11, 1 << 14])
def test_scrambles_that_agree_on_the_wrong_side_of_an_edge_are_not_believed(n_paths: int) -> None:
    """One date, one jump: most scrambles may miss it by the same path. Their spread alone is off by 1.9 times."""
    note, model = NOTES["put shark fin"], BlackScholes(sigma=0.25)
    exact = price(note, model, MARKET, method="quadrature").value
    runs = [monte_carlo.simulate(note, model, MARKET, n_paths=n_paths, seed=s) for s in range(100)]
    z = np.array([(run.value - exact) / run.std_error for run in runs])
    assert 0.3 < z.std() < 1.2 and np.abs(z).max() < 4.0


def test_what_is_added_is_the_spread_of_a_mean_over_paths_that_rarely_meet_the_event() -> None:
    p, change, n = 1e-5, 50.0, 10_000
    rng = np.random.default_rng(3)
    means = change * rng.binomial(n, p, size=20_000) / n
    assert _rare.added(np.array([[p, change, 0.0]]), n) == pytest.approx(means.std(), rel=0.05)


def test_the_chance_of_a_knock_in_is_bounded_by_reflection() -> None:
    problem = monte_carlo.problem_of(AIRBAG, 0.05, MARKET)
    knocked = max(problem.rare, key=lambda row: row[1])[0]
    x, drift = math.log(0.85), 0.02 - 0.00125
    std = 0.05 * math.sqrt(TAU)
    continuous = ndtr((x - drift * TAU) / std) + math.exp(2 * drift * x / 0.05**2) * ndtr((x + drift * TAU) / std)
    assert 0.5 * continuous < knocked < 3.0 * continuous


@pytest.mark.parametrize("model", [BlackScholes(sigma=0.08), Heston(v0=0.01, kappa=2.0, theta=0.01, sigma=0.1, rho=0)])
def test_paths_that_never_pay_do_not_claim_to_be_exact(model: Any) -> None:
    far = Digital(strike=155.0, tau=1.0)
    exact = price(far, BlackScholes(sigma=0.08), MARKET).value
    assert exact < 1e-6
    found = simulate(far, model, MARKET, n_paths=1 << 12)
    assert found.value == 0.0
    assert 1e-5 < found.std_error < 1e-2  # two events that were missed, at most


def test_common_payoffs_of_paths_state_the_scatter_of_their_replicates_and_how_lopsided_it_is() -> None:
    found = simulate(European(strike=105.0, tau=1.0), BlackScholes(sigma=0.3), MARKET, n_paths=1 << 14)
    scatter = found.replicates.std(ddof=1) / math.sqrt(found.replicates.size)
    assert scatter * (1.0 - 1e-12) <= found.std_error < 1.5 * scatter
