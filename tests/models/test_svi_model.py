from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.special import ndtr

from research.errors import InputError
from research.models import SVI, SVISurface

# Axel Vogt's parameters: Gatheral & Jacquier (2014), example 3.1, where figure 1 shows g(k) < 0 near k = 0.8
VOGT = SVI(a=-0.0410, b=0.1331, rho=0.3060, m=0.3586, sigma=0.4153)
FAIR = SVI(a=0.01, b=0.1, rho=-0.4, m=0.05, sigma=0.2)
strikes = st.floats(-1.5, 1.5)


# the same smile in the jump-wings parameters that the paper prints: v, psi, p, c, least variance
VOGT_WINGS = (0.01742625, -0.1752111, 0.6997381, 1.316798, 0.0116249)


def from_wings(v, psi, p, c, least):
    """Raw parameters from jump wings at tau = 1: lemma 3.2 of the paper."""
    root = np.sqrt(v)
    b = 0.5 * root * (c + p)
    rho = 1.0 - p * root / b
    beta = rho - 2.0 * psi * root / b
    alpha = np.sign(beta) * np.sqrt(1.0 / beta**2 - 1.0)
    m = (v - least) / (b * (-rho + np.sign(alpha) * np.sqrt(1.0 + alpha**2) - alpha * np.sqrt(1.0 - rho**2)))
    sigma = alpha * m
    return SVI(a=least - b * sigma * np.sqrt(1.0 - rho**2), b=b, rho=rho, m=m, sigma=sigma)


def test_vogts_smile_has_the_published_jump_wings():
    v = VOGT.total_variance(0.0)
    left, right = (slope / np.sqrt(v) for slope in VOGT.wing_slopes)
    skew = 0.5 * VOGT.b / np.sqrt(v) * (VOGT.rho - VOGT.m / np.hypot(VOGT.m, VOGT.sigma))
    assert (v, skew, left, right, VOGT.least_variance) == pytest.approx(VOGT_WINGS, rel=5e-6)


def test_vogts_smile_has_the_published_butterfly():
    found = VOGT.butterflies()
    assert len(found) == 1
    assert 0.5 < found[0]["low"] < 0.8 < found[0]["high"] < 1.5
    assert VOGT.durrleman(0.0) > 0.0


def test_the_papers_repair_of_vogts_smile_is_fair():
    # section 5.1: keep v, psi, p; take c = p + 2 psi and least = 4 v p c / (p + c)^2
    v, psi, p, _, _ = VOGT_WINGS
    c = p + 2.0 * psi
    least = 4.0 * v * p * c / (p + c) ** 2
    assert (c, least) == pytest.approx((0.3493158, 0.01548182), rel=1e-6)  # as printed
    assert from_wings(v, psi, p, c, least).butterflies() == []
    assert from_wings(*VOGT_WINGS).butterflies() != []


def test_total_variance_and_its_derivatives_agree_with_differences():
    k, h = np.linspace(-1.0, 1.0, 9), 1e-5
    w, up, down = (FAIR.total_variance(k + d) for d in (0.0, h, -h))
    slope, bend = (up - down) / (2 * h), (up - 2 * w + down) / h**2
    g = (1 - k * slope / (2 * w)) ** 2 - slope**2 / 4 * (1 / w + 0.25) + bend / 2
    assert FAIR.durrleman(k) == pytest.approx(g, abs=2e-5)
    x = k - 0.05
    assert w == pytest.approx(0.01 + 0.1 * (-0.4 * x + np.sqrt(x * x + 0.04)), rel=1e-15)


def test_g_is_the_density_of_the_call_prices():
    # second derivative of the call price by the strike is g phi(d2) / (strike sqrt(w))
    def call(strike):
        k = np.log(strike)
        s = np.sqrt(FAIR.total_variance(k))
        return ndtr(-k / s + s / 2) - strike * ndtr(-k / s - s / 2)

    for strike in (0.7, 1.0, 1.3):
        h = 1e-4
        density = (call(strike + h) - 2 * call(strike) + call(strike - h)) / h**2
        k, w = np.log(strike), FAIR.total_variance(np.log(strike))
        d2 = -k / np.sqrt(w) - np.sqrt(w) / 2
        expected = FAIR.durrleman(k) * np.exp(-d2 * d2 / 2) / np.sqrt(2 * np.pi * w) / strike
        assert density == pytest.approx(expected, rel=1e-5)


def test_density_of_a_fair_slice_integrates_to_one():
    def density(k):
        w = FAIR.total_variance(k)
        d2 = -k / np.sqrt(w) - np.sqrt(w) / 2
        return FAIR.durrleman(k) * np.exp(-d2 * d2 / 2) / np.sqrt(2 * np.pi * w)

    assert FAIR.butterflies() == []
    assert quad(density, -12.0, 12.0, limit=400)[0] == pytest.approx(1.0, abs=1e-6)


@given(k=strikes)
def test_least_variance_is_below_every_strike(k):
    assert FAIR.total_variance(k) >= FAIR.least_variance * (1 - 1e-14)


def test_least_variance_is_attained():
    found = minimize_scalar(FAIR.total_variance, bounds=(-2.0, 2.0), method="bounded", options={"xatol": 1e-10})
    assert found.fun == pytest.approx(FAIR.least_variance, rel=1e-9)


def test_wing_slopes_are_the_limits():
    left, right = FAIR.wing_slopes
    assert FAIR.total_variance(-1e6) / 1e6 == pytest.approx(left, rel=1e-5)
    assert FAIR.total_variance(1e6) / 1e6 == pytest.approx(right, rel=1e-5)


def test_a_wing_steeper_than_lees_bound_is_a_butterfly_out_to_infinity():
    found = SVI(a=0.04, b=1.5, rho=0.5, m=0.0, sigma=0.5).butterflies()
    assert found[-1]["high"] == np.inf


def test_slices_that_cross_are_found_between_the_roots():
    near = SVI(a=0.02, b=0.1, rho=0.0, m=0.0, sigma=0.2)
    surface = SVISurface(tau=(0.5, 1.0), slices=(near, replace(near, a=0.03, b=0.05)))
    found = surface.crossings()
    assert len(found) == 2  # steeper wings of the near expiry cross on both sides
    # 0.03 + 0.05 r = 0.02 + 0.1 r at r = 0.2
    assert found[0]["high"] == pytest.approx(0.0, abs=1e-6) and found[1]["low"] == pytest.approx(0.0, abs=1e-6)
    assert surface.arbitrage()["kind"].tolist() == ["calendar", "calendar"]


def test_crossings_agree_with_a_fine_grid_on_random_slices():
    rng = np.random.default_rng(7)
    grid = np.linspace(-8.0, 8.0, 160_001)
    for _ in range(60):
        pair = [
            SVI(a=rng.uniform(0.01, 0.05), b=rng.uniform(0.02, 0.3), rho=rng.uniform(-0.9, 0.9),
                m=rng.uniform(-0.5, 0.5), sigma=rng.uniform(0.02, 0.8))
            for _ in range(2)
        ]  # fmt: skip
        surface = SVISurface(tau=(0.5, 1.0), slices=tuple(pair))
        above = pair[0].total_variance(grid) - pair[1].total_variance(grid)
        inside = np.zeros(grid.size, dtype=bool)
        for row in surface.crossings():
            inside |= (grid > row["low"]) & (grid < row["high"])
        assert not (inside & (above < -1e-9)).any()
        assert not (~inside & (above > 1e-9)).any()


def test_equal_slices_do_not_cross():
    surface = SVISurface(tau=(0.5, 1.0), slices=(FAIR, FAIR))
    assert surface.crossings() == []


def test_surface_is_linear_in_total_variance_between_flat_in_vol_before_and_gains_the_same_at_every_strike_after():
    later = replace(FAIR, a=0.05)
    surface = SVISurface(tau=(0.5, 1.5), slices=(FAIR, later))
    k = np.array([-0.3, 0.0, 0.4])
    middle = 0.75 * FAIR.total_variance(k) + 0.25 * later.total_variance(k)
    assert surface.total_variance(k, 0.75) == pytest.approx(middle, rel=1e-14)
    assert surface.vol(k, 0.1) == pytest.approx(FAIR.vol(k, 0.5), rel=1e-14)
    assert surface.vol(0.0, 9.0) == pytest.approx(later.vol(0.0, 1.5), rel=1e-14)
    gain = later.total_variance(0.0) * 5.0
    assert surface.total_variance(k, 9.0) == pytest.approx(later.total_variance(k) + gain, rel=1e-14)
    assert surface.total_variance(k, 0.5) == pytest.approx(FAIR.total_variance(k), rel=1e-15)
    assert surface.total_variance(k, 1.5) == pytest.approx(later.total_variance(k), rel=1e-15)
    assert isinstance(surface.vol(0.0, 1.0), float)


def test_models_come_back_from_json():
    surface = SVISurface(tau=(0.5, 1.0), slices=(FAIR, VOGT))
    assert SVISurface.from_json(surface.to_json()) == surface


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"b": -0.1}, "b must be >= 0; got -0.1."),
        ({"rho": 1.2}, "rho must lie in [-1, 1]; got 1.2."),
        ({"sigma": 0.0}, "sigma must be > 0; got 0."),
        ({"m": np.nan}, "m must be finite; got nan."),
        (
            {"a": -0.5},
            "least total variance must be >= 0; got -0.48167. a + b sigma sqrt(1 - rho^2) is the least total variance.",
        ),
    ],
)
def test_parameters_that_are_no_smile_are_refused(changes, message):
    with pytest.raises(InputError) as caught:
        replace(FAIR, **changes)
    assert str(caught.value) == message


def test_a_surface_out_of_order_is_refused():
    with pytest.raises(InputError, match=r"tau must increase; got 0\.5"):
        SVISurface(tau=(1.0, 0.5), slices=(FAIR, FAIR))
    with pytest.raises(InputError, match="slices must be as many as tau, 2; got 1"):
        SVISurface(tau=(0.5, 1.0), slices=(FAIR,))
