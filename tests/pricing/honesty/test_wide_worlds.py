"""500 % vol and long lives: sums that must not round, controls that must not lie, grids that follow the drift."""

from __future__ import annotations

import numpy as np
import pytest

from research.instruments import American, Autocallable, European, LogContract, RangeAccrual, SharkFin, Touch
from research.market import flat_snapshot
from research.models import CEV, BlackScholes, DisplacedDiffusion, LocalVol
from research.pricing import american, lattice, price
from research.pricing.quadrature import price_note

STILL = flat_snapshot(spot=100.0)


@pytest.mark.parametrize(
    "note",
    [Autocallable(initial=100.0, observations=(2.0, 4.0, 6.0), knock_out=1.3, coupon=0.15, knock_in=0.6,
                  knock_in_daily=False),
     SharkFin(initial=100.0, strike=1.0, barrier=3.0, rebate=0.02, tau=6.0, steps_per_year=1),
     RangeAccrual(initial=100.0, low=0.3, high=3.0, rate=0.05, tau=6.0, steps_per_year=1)],
    ids=lambda note: type(note).__name__,
)  # fmt: skip
@pytest.mark.parametrize("vol", [0.3, 1.0, 5.0])
def test_more_nodes_change_a_note_by_less_than_its_error(note, vol):
    best = price_note(note, vol, STILL, nodes=16.0)
    for nodes in (1.5, 2.5, 5.0):
        found = price(note, BlackScholes(sigma=vol), STILL, method="quadrature", nodes=nodes)
        assert abs(found.value - best) <= found.error
        assert found.error < 1e-2


@pytest.mark.parametrize(("vol", "tau"), [(0.2, 1.0), (1.5, 11.0), (2.0, 24.0), (3.0, 50.0)])
def test_paths_do_not_lean_on_a_price_whose_mean_they_have_not_met(vol, tau):
    contract, model = LogContract(strike=100.0, tau=tau), BlackScholes(sigma=vol)
    found = price(contract, model, STILL, method="paths", n_paths=4096)
    assert abs(found.value + 0.5 * vol**2 * tau) <= 2.0 * found.error + 1e-9


@pytest.mark.parametrize(("vol", "strike"), [(0.001, 70.0), (0.001, 448.0), (0.02, 440.0)])
def test_fifty_years_of_drift_do_not_blur_a_grid(vol, strike):
    market = flat_snapshot(spot=100.0, rate=0.04, dividend_yield=0.01)
    option, flat = European(strike=strike, tau=50.0), LocalVol(tau=[0.0], log_moneyness=[-1.0, 1.0], vol=[[vol, vol]])
    wanted = price(option, BlackScholes(sigma=vol), market, method="analytic").value
    for model in (BlackScholes(sigma=vol), flat):
        found = price(option, model, market, method="pde")
        assert abs(found.value - wanted) <= found.error
        assert found.error < 1e-2


@pytest.mark.parametrize("model", [CEV(sigma=0.02, beta=0.5), DisplacedDiffusion(sigma=0.002, shift=50.0)])
def test_nor_one_of_a_vol_that_hangs_on_the_forward(model):
    market = flat_snapshot(spot=100.0, rate=0.04, dividend_yield=0.01)
    option = European(strike=450.0, tau=50.0)
    found, wanted = (price(option, model, market, method=method) for method in ("pde", "analytic"))
    assert abs(found.value - wanted.value) <= found.error + wanted.error
    assert found.error < 1e-2


@pytest.mark.parametrize("away", [1e-9, 1e-6, 1e-3])
@pytest.mark.parametrize("vol", [0.01, 1.0, 5.0])
def test_a_spot_at_the_barrier_has_an_honest_grid(vol, away):
    for direction, barrier in (("down", 100.0 * np.exp(-away)), ("up", 100.0 * np.exp(away))):
        touch = Touch(barrier=barrier, direction=direction, tau=1.0, is_touch=False, pays_at="expiry")
        found, wanted = (price(touch, BlackScholes(sigma=vol), STILL, method=method) for method in ("pde", "analytic"))
        assert abs(found.value - wanted.value) <= found.error
        assert found.error < 1e-4


def test_an_american_option_on_a_tree_is_far_nearer_than_one_over_n():
    rng = np.random.default_rng(1)
    n = 60
    spot, vol, tau = rng.uniform(80.0, 120.0, n), rng.uniform(0.05, 0.8, n), rng.uniform(0.05, 5.0, n)
    given = {
        "rate": rng.uniform(0.0, 0.1, n),
        "dividend_yield": rng.uniform(0.0, 0.1, n),
        "is_call": rng.random(n) < 0.5,
    }
    exact = american.price(spot, 100.0, tau, vol, **given, tolerance=1e-9)
    for n_steps, near in ((250, 2e-4), (501, 1e-4)):
        found, error = lattice.price_with_error(spot, 100.0, tau, vol, **given, n_steps=n_steps)
        off = np.abs(found - exact)
        assert np.mean(off <= error) > 0.96
        assert np.median(off) < near
        assert np.median(error) < 30.0 * np.median(off)
    contract = American(strike=100.0, tau=1.0)
    market = flat_snapshot(spot=100.0, rate=0.05)
    near, fine = (
        price(contract, BlackScholes(sigma=0.2), market, method="lattice", n_steps=k).value for k in (500, 501)
    )
    assert near == fine  # even numbers are raised: between even and odd the error jumps
