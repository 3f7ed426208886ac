"""Arbitrage-free SABR: sum and forward kept, no negative density, its limits, its order, and a simulation beside it."""

from __future__ import annotations

import json
from itertools import product

import numpy as np
import pytest

from research.errors import InputError
from research.instruments import European
from research.market import flat_snapshot
from research.models import CEV, SABR, ArbitrageFreeSABR, bachelier, black
from research.pricing import price

STRIKES = np.array([60.0, 80.0, 100.0, 120.0, 150.0, 300.0])
PAPER = ArbitrageFreeSABR(alpha=0.35, beta=0.25, rho=-0.1, nu=1.0)  # a smile where Hagan's density is negative


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0])
def test_sum_and_forward_are_kept_and_no_mass_is_negative(beta):
    for alpha, rho, nu, tau, shift in product(
        (0.1, 0.5), (-0.9, 0.0, 0.9), (0.0, 0.1, 1.5), (1 / 8760, 1.0, 20.0), (0.0, 2.0)
    ):
        law = ArbitrageFreeSABR(alpha=alpha, beta=beta, rho=rho, nu=nu, shift=shift).law(1.0, tau)
        assert law.mass.min() >= 0.0 and law.at_lower >= 0.0 and law.at_upper >= 0.0
        assert law.mass.sum() + law.at_lower + law.at_upper == pytest.approx(1.0, abs=1e-12)
        mean = (law.mass * law.centre).sum() + law.at_lower * law.edge[0] + law.at_upper * law.edge[-1]
        assert mean == pytest.approx(1.0, abs=1e-6 if nu == 1.5 else 1e-9)


def test_calls_are_convex_and_meet_their_bounds_and_parity():
    law, k = PAPER.law(1.0, 1.0), np.linspace(0.0, 5.0, 4001)
    call = law.calls(k)
    assert call[0] == pytest.approx(1.0, abs=1e-12)
    assert (np.diff(call) <= 0.0).all() and (np.diff(call, 2) >= -1e-14).all()
    assert law.calls(-1.0) == pytest.approx(2.0, abs=1e-12) and law.calls(law.edge[-1] + 1.0) == 0.0
    put = PAPER.price(1.0, k, 1.0, is_call=False)
    assert call - put == pytest.approx(1.0 - k, abs=1e-12)
    slope = (law.calls(1e-9) - law.calls(0.0)) / 1e-9
    assert 1.0 + slope == pytest.approx(law.at_lower, abs=1e-5)


def test_without_vol_of_vol_it_is_cev_black_or_bachelier():
    grid = {"n_space": 1000, "n_time": 100}
    for alpha in (2.0, 8.0):
        here = ArbitrageFreeSABR(alpha=alpha, beta=0.5, rho=-0.3, nu=0.0, **grid)
        cev = CEV(sigma=alpha, beta=0.5)
        assert here.price(100.0, STRIKES, 2.0) == pytest.approx(cev.price(100.0, STRIKES, 2.0), abs=1e-4)
        assert here.law(100.0, 2.0).at_lower == pytest.approx(cev.absorbed_mass(100.0, 2.0), abs=1e-5)
    flat = ArbitrageFreeSABR(alpha=0.2, beta=1.0, rho=0.5, nu=0.0, **grid)
    assert flat.price(100.0, STRIKES, 2.0) == pytest.approx(black.price(100.0, STRIKES, 2.0, 0.2), abs=1e-4)
    normal = ArbitrageFreeSABR(alpha=0.01, beta=0.0, rho=0.0, nu=0.0, shift=0.2, **grid)
    strike = np.array([-0.02, -0.004, 0.02])
    assert normal.price(-0.004, strike, 1.0) == pytest.approx(bachelier.price(-0.004, strike, 1.0, 0.01), abs=2e-8)
    assert normal.normal_vol_at(-0.004, strike, 1.0) == pytest.approx(0.01, rel=1e-4)


def test_it_is_of_second_order_in_the_grid():
    values = [
        ArbitrageFreeSABR(alpha=0.35, beta=0.25, rho=-0.1, nu=1.0, n_space=n, n_time=n // 5).price(1.0, 1.0, 1.0)
        for n in (100, 200, 400, 1600)
    ]
    errors = np.abs(np.array(values[:3]) - values[3])
    assert np.log2(errors[:-1] / errors[1:]).min() > 1.7
    assert errors[2] < 5e-6


def test_for_small_times_it_is_hagans_smile():
    new = ArbitrageFreeSABR(alpha=0.2, beta=0.7, rho=-0.5, nu=0.4, n_space=800, n_time=40)
    old = SABR(alpha=0.2, beta=0.7, rho=-0.5, nu=0.4)
    strike = np.exp(np.linspace(-0.25, 0.2, 7))
    for tau, close in ((0.1, 3e-4), (1.0, 4e-3)):
        assert new.vol_at(1.0, strike, tau) == pytest.approx(old.vol_at(1.0, strike, tau), abs=close)


@pytest.mark.slow
def test_it_is_the_law_of_its_own_local_vol_by_simulation():
    # the PDE is the forward equation of dF = D(F) sqrt(E(t, F)) dW, absorbed at 0: simulate that, in plain NumPy
    m, rng, n, steps = PAPER, np.random.default_rng(14), 100_000, 250
    f, dt = np.ones(n), 1.0 / steps
    for i in range(steps):
        c = np.maximum(f, 0.0) ** m.beta
        y = (np.maximum(f, 0.0) ** (1 - m.beta) - 1.0) / (1 - m.beta) / m.alpha
        gap = np.where(np.abs(f - 1.0) < 1e-9, 1.0, f - 1.0)
        gamma = np.where(np.abs(f - 1.0) < 1e-9, m.beta, (c - 1.0) / gap)
        e = np.exp(m.rho * m.nu * m.alpha * gamma * (i + 0.5) * dt)
        d = m.alpha * c * np.sqrt((1 + 2 * m.rho * m.nu * y + (m.nu * y) ** 2) * e)
        half = rng.standard_normal(n // 2)
        f = np.where(f > 0.0, np.maximum(f + d * np.sqrt(dt) * np.concatenate([half, -half]), 0.0), 0.0)
    for k in (0.3, 0.6, 1.0, 1.5, 2.5):
        pay = np.maximum(f - k, 0.0)
        pay = 0.5 * (pay[: n // 2] + pay[n // 2 :])
        exact = ArbitrageFreeSABR(alpha=0.35, beta=0.25, rho=-0.1, nu=1.0, n_space=800, n_time=100).price(1.0, k, 1.0)
        # Euler's bias at 250 steps is within 1e-3
        assert abs(pay.mean() - exact) < 4.0 * pay.std() / np.sqrt(n // 2) + 1e-3


def test_hagans_formula_has_a_negative_density_where_this_has_none():
    strike = np.linspace(0.02, 1.0, 99)
    old = SABR(alpha=0.35, beta=0.25, rho=-0.1, nu=1.0, formula="hagan")
    for model, fair in ((old, False), (PAPER, True)):
        vol = model.vol_at(1.0, strike, 1.0)
        call = black.price(1.0, strike, 1.0, vol)
        assert bool((np.diff(call, 2) >= -1e-12).all()) is fair


def test_options_are_priced_through_the_engine():
    model = ArbitrageFreeSABR(alpha=2.0, beta=0.5, rho=-0.3, nu=0.5)
    found = price([European(strike=k, tau=0.5) for k in (90.0, 110.0)], model, flat_snapshot(spot=100.0, rate=0.02))
    expected = model.price(100.0 * np.exp(0.01), [90.0, 110.0], 0.5, df=np.exp(-0.01))
    assert found.value == pytest.approx(expected, rel=1e-14)
    assert (found.method, model.price(100.0, 95.0, 0.0)) == ("analytic", 5.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alpha": 0.0}, "alpha must be > 0; got 0"),
        ({"rho": 1.0}, r"rho must lie in \(-1, 1\); got 1"),
        ({"n_time": 1}, r"n_time must lie in \[2, 10000\]; got 1"),
    ],
)
def test_what_is_no_such_model_is_refused(change, message):
    with pytest.raises(InputError, match=message):
        ArbitrageFreeSABR(**({"alpha": 0.2, "beta": 0.5, "rho": 0.0, "nu": 0.3} | change))


def test_forwards_below_the_shift_are_refused_and_json_survives():
    model = ArbitrageFreeSABR(alpha=0.2, beta=0.5, rho=0.0, nu=0.3, shift=0.02)
    with pytest.raises(InputError, match=r"forward must be > -0\.02; got -0\.03"):
        model.law(-0.03, 1.0)
    assert ArbitrageFreeSABR.from_json(json.loads(json.dumps(model.to_json()))) == model
