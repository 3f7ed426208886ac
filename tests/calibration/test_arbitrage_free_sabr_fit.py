"""Fits of arbitrage-free SABR: its own smiles come back, in both kinds of vol; start and refusals."""

from __future__ import annotations

import numpy as np
import pytest

from research.calibration import fit
from research.errors import InputError
from research.market import NormalSmile, Smile
from research.models import ArbitrageFreeSABR

TRUE = ArbitrageFreeSABR(alpha=2.2, beta=0.5, rho=-0.4, nu=0.6, n_space=200, n_time=20)


def lognormal(n=9, noise=0.0):
    strike = 100.0 * np.exp(np.linspace(-0.5, 0.35, n))
    vol = TRUE.vol_at(100.0, strike, 1.0) + noise * np.random.default_rng(1).standard_normal(n)
    return Smile(tau=1.0, forward=100.0, df=1.0, strike=strike, vol=vol)


def test_it_comes_back_from_its_own_smile():
    found = fit(ArbitrageFreeSABR, lognormal(), beta=0.5)
    assert found.rmse < 1e-6 and found.converged and "mass absorbed at" in found.message
    assert (found.model.alpha, found.model.rho, found.model.nu) == pytest.approx((2.2, -0.4, 0.6), rel=1e-3)
    again = fit(ArbitrageFreeSABR, lognormal(), beta=0.5, start=found.model)
    assert again.n_iter <= 4


def test_it_fits_normal_vols_below_zero():
    true = ArbitrageFreeSABR(alpha=0.05, beta=0.5, rho=0.2, nu=0.5, shift=0.03, n_space=200, n_time=20)
    strike = np.linspace(-0.02, 0.03, 9)
    smile = NormalSmile(tau=5.0, forward=-0.002, strike=strike, vol=true.normal_vol_at(-0.002, strike, 5.0))
    found = fit(ArbitrageFreeSABR, smile, beta=0.5, shift=0.03)
    assert found.unit == "normal vol" and found.rmse < 1e-3 * smile.vol.mean()
    assert (found.model.rho, found.model.nu) == pytest.approx((0.2, 0.5), abs=0.01)


def test_standard_errors_cover_the_truth():
    table = fit(ArbitrageFreeSABR, lognormal(n=21, noise=1e-3), beta=0.5).parameters.set_index("name")
    for name in ("alpha", "rho", "nu"):
        assert abs(table.loc[name, "value"] - getattr(TRUE, name)) < 4.5 * table.loc[name, "std_error"]


def test_equal_bounds_hold_a_parameter():
    found = fit(ArbitrageFreeSABR, lognormal(noise=1e-3), beta=0.5, bounds={"rho": (-0.3, -0.3)})
    table = found.parameters.set_index("name")
    assert found.model.rho == pytest.approx(-0.3) and found.status == 2 and "on its bound: rho" in found.message
    assert np.isnan(table.loc["rho", "std_error"]) and table.loc["nu", "std_error"] > 0.0


def test_the_gradient_reaches_the_optimum_in_a_handful_of_densities():
    found = fit(ArbitrageFreeSABR, lognormal(n=21, noise=1e-3), beta=0.5)
    assert found.n_iter <= 6  # by differences each step took three densities more


def test_what_cannot_be_fitted_is_refused():
    with pytest.raises(InputError, match=r"quotes must be at least 4; got 3\. SABR has three parameters"):
        fit(ArbitrageFreeSABR, lognormal(n=3))
    below = NormalSmile(tau=1.0, forward=-0.002, strike=[-0.01, 0.0, 0.01, 0.02], vol=[0.01] * 4)
    with pytest.raises(InputError, match=r"forward and strikes must be > 0; got -0\.01\. Raise shift"):
        fit(ArbitrageFreeSABR, below)
    with pytest.raises(InputError, match=r"data must be a market\.Smile or NormalSmile; got 'list'"):
        fit(ArbitrageFreeSABR, [0.2])
