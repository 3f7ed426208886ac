"""Fits of Bachelier, displaced diffusion and CEV: their own quotes come back, in both kinds of vol, below zero too."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from scipy.stats import ncx2

from research.calibration import fit, forwards
from research.errors import InputError
from research.market import NormalSmile, Smile, Surface
from research.models import CEV, Bachelier, DisplacedDiffusion, bachelier, black


def lognormal(model, tau=1.0, forward=100.0, noise=0.0, n=11):
    strike = forward * np.exp(np.linspace(-0.4, 0.35, n))
    value = model.price(forward, strike, tau, is_call=strike >= forward)
    vol = black.implied_vol(value, forward, strike, tau, is_call=strike >= forward)
    vol = vol + noise * np.random.default_rng(1).standard_normal(n)
    return Smile(tau=tau, forward=forward, df=1.0, strike=strike, vol=vol)


def normal(model, tau=2.0, forward=-0.004, noise=0.0, n=9):
    strike = forward + np.linspace(-0.012, 0.03, n)
    value = model.price(forward, strike, tau, is_call=strike >= forward)
    vol = bachelier.implied_vol(value, forward, strike, tau, is_call=strike >= forward)
    vol = vol + noise * np.random.default_rng(2).standard_normal(n)
    return NormalSmile(tau=tau, forward=forward, strike=strike, vol=vol)


@pytest.mark.parametrize("beta", [-0.7, 0.0, 0.5, 1.0, 1.6])
def test_cev_comes_back_from_its_own_smile(beta):
    true = CEV(sigma=0.25 * 100.0 ** (1.0 - beta), beta=beta)
    found = fit(CEV, lognormal(true))
    assert found.rmse < 2e-6 and found.converged  # beta within 1e-4 of 1 is taken as 1
    assert found.model.beta == pytest.approx(beta, abs=2e-4)


def test_displaced_diffusion_comes_back_from_both_kinds_of_vol():
    true = DisplacedDiffusion(sigma=0.1, shift=60.0)
    found = fit(DisplacedDiffusion, lognormal(true))
    assert (found.model.sigma, found.model.shift) == pytest.approx((0.1, 60.0), rel=1e-5)
    low = DisplacedDiffusion(sigma=0.25, shift=0.03)
    found = fit(DisplacedDiffusion, normal(low))
    assert (found.model.sigma, found.model.shift) == pytest.approx((0.25, 0.03), rel=1e-5)
    assert found.unit == "normal vol"
    again = fit(DisplacedDiffusion, normal(low), start=found.model)
    assert again.n_iter <= 3 and again.model.shift == pytest.approx(0.03, rel=1e-6)


def test_bachelier_is_the_mean_of_normal_vols():
    smile = normal(DisplacedDiffusion(sigma=0.25, shift=0.03))
    found = fit(Bachelier, smile)
    assert found.model.sigma == pytest.approx(smile.vol.mean(), rel=1e-9)
    assert found.parameters["std_error"].item() == pytest.approx(smile.vol.std(ddof=1) / 3.0, rel=1e-4)


def test_several_expiries_share_one_model():
    true = CEV(sigma=2.2, beta=0.5)
    surface = Surface(as_of=date(2024, 3, 1), spot=100.0, smiles=[lognormal(true, t) for t in (0.1, 0.5, 2.0)])
    found = fit(CEV, surface)
    assert found.model.beta == pytest.approx(0.5, abs=1e-5) and len(found.residuals) == 33


def test_standard_errors_cover_the_truth_and_bounds_hold():
    true = CEV(sigma=2.2, beta=0.5)
    found = fit(CEV, lognormal(true, noise=1e-3))
    table = found.parameters.set_index("name")
    assert abs(table.loc["beta", "value"] - 0.5) < 4.0 * table.loc["beta", "std_error"]
    held = fit(CEV, lognormal(true), bounds={"beta": (0.7, 1.0)})
    assert held.status == 2 and held.model.beta == pytest.approx(0.7, abs=1e-3) and "on its bound: beta" in held.message


def test_a_narrow_smile_does_not_tell_beta():
    smile = Smile(tau=0.1, forward=100.0, df=1.0, strike=[99.9, 100.0, 100.1], vol=[0.2002, 0.1999, 0.2001])
    assert "hardly identified by these quotes: beta" in fit(CEV, smile).message


def test_what_cannot_be_fitted_is_refused():
    below = normal(DisplacedDiffusion(sigma=0.25, shift=0.03))
    with pytest.raises(InputError, match=r"forwards and strikes must be > 0; .*Fit a DisplacedDiffusion"):
        fit(CEV, below)
    with pytest.raises(InputError, match=r"data must be a Smile, NormalSmile, Surface or Snapshot; got list"):
        fit(Bachelier, [0.2])
    with pytest.raises(InputError, match=r"quotes must number at least 3; got 2\. CEV has 2 parameters"):
        fit(CEV, lognormal(CEV(sigma=2.2, beta=0.5), n=2))
    with pytest.raises(InputError, match=r"vol must be finite and > 0; got nan \(1 of 2 values\)"):
        NormalSmile(tau=1.0, forward=0.0, strike=[0.0, 0.1], vol=[0.1, np.nan])
    with pytest.raises(InputError, match=r"strike must increase; got 0 .*Each strike once, sorted"):
        NormalSmile(tau=1.0, forward=0.0, strike=[0.1, 0.0], vol=[0.1, 0.1])


def _schroder(y0: float, y1: float, strike: float, tau: float) -> float:
    """Undiscounted call on a forward of 100 by SciPy's noncentral chi-square, beta < 1; y as the search has it."""
    one = 1.0 - y1
    scale = one**2 * (np.exp(y0) * 100.0**-y1) ** 2 * tau
    a, c = strike ** (2.0 * one) / scale, 100.0 ** (2.0 * one) / scale
    return float(100.0 * ncx2.sf(a, 2.0 + 1.0 / one, c) - strike * ncx2.cdf(c, 1.0 / one, a))


@pytest.mark.parametrize("beta", [0.4, -0.8])
def test_the_gradient_of_cev_is_that_of_the_chi_square_law(beta: float) -> None:
    strikes, tau = np.array([80.0, 104.0]), 0.7
    one = Smile(tau=tau, forward=100.0, df=1.0, strike=strikes, vol=[0.25, 0.2])
    quotes, y = forwards._read(one, None), np.array([np.log(22.0), beta])
    model = forwards._model(CEV, y, quotes)
    vol = forwards._vols(model, quotes)
    found = forwards._of_cev(y, model, vol, quotes)
    for i, strike in enumerate(strikes):
        vega = black.greeks(100.0, strike, tau, vol[i])["vega"]
        for j in range(2):

            def slope(h: float, j: int = j, strike: float = strike) -> float:
                up, down = (_schroder(*(y + s * h * np.eye(2)[j]), strike, tau) for s in (1.0, -1.0))
                return (up - down) / (2.0 * h)

            exact = (4.0 * slope(5e-3) - slope(1e-2)) / 3.0 / vega
            assert found[i, j] == pytest.approx(exact, rel=1e-6, abs=1e-7)


def test_cev_is_found_in_few_evaluations_without_a_start_and_beta_1_for_a_flat_smile() -> None:
    strikes = np.linspace(75.0, 125.0, 11)
    model = CEV(sigma=0.2 * 100.0**1.3, beta=-0.3)
    one = Smile(tau=0.5, forward=100.0, df=1.0, strike=strikes, vol=model.vol_at(100.0, strikes, 0.5))
    found = fit(CEV, one)
    assert found.n_iter <= 8 and found.model.beta == pytest.approx(-0.3, abs=1e-8)
    flat = fit(CEV, replace(one, vol=np.full(11, 0.2)))
    assert flat.model.beta == 1.0 and flat.model.sigma == pytest.approx(0.2, rel=1e-9) and flat.rmse_bp < 1e-6
