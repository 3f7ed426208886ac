"""Leverage by the forward equation: the local vol's vanillas repriced, masses kept, limits, refusals."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from research import calibration
from research.calibration import local_stochastic_vol as lsv
from research.errors import InputError
from research.instruments import Barrier, European
from research.market import Smile, Surface, flat_snapshot
from research.models import SVI, Heston, LocalStochasticVol, SVISurface, dupire
from research.pricing import price

SURFACE = SVISurface(
    tau=(0.25, 1.0),
    slices=(SVI(a=0.004, b=0.04, rho=-0.5, m=0.0, sigma=0.15), SVI(a=0.018, b=0.10, rho=-0.5, m=0.0, sigma=0.25)),
)
LOCAL = dupire(SURFACE)
HESTON = Heston(v0=0.06, kappa=1.5, theta=0.07, sigma=0.5, rho=-0.6)
MARKET = flat_snapshot(spot=100.0, rate=0.03, dividend_yield=0.01)
FIT = calibration.fit(LocalStochasticVol, LOCAL, heston=HESTON, snapshot=MARKET, tau=(0.25, 0.6, 1.0))


def test_vanillas_of_the_local_vol_are_repriced_to_two_basis_points_of_vol():
    assert 1e4 * np.abs(FIT.residuals["residual"]).max() < 2.0
    assert FIT.rmse_bp < 1.0 and FIT.converged


def test_the_surface_itself_is_repriced():
    for tau in (0.25, 0.6, 1.0):
        options = [European(strike=k, tau=tau) for k in (85.0, 100.0, 115.0)]
        found = price(options, FIT.model, MARKET).value
        assert found == pytest.approx(price(options, SURFACE, MARKET).value, abs=1e-2)


def test_heston_as_its_own_target_has_a_leverage_of_one():
    class Own:
        def total_variance(self, k, tau):
            from research.models import black

            k, tau = np.broadcast_arrays(np.asarray(k, float), np.asarray(tau, float))
            out = np.empty(k.shape)
            for t in np.unique(tau):
                here = tau == t
                x = k[here]
                options = [European(strike=float(s), tau=float(t), is_call=bool(s > 1.0)) for s in np.exp(x)]
                value = price(options, HESTON, flat_snapshot(spot=1.0)).value
                out[here] = np.asarray(black.implied_vol(value, 1.0, np.exp(x), t, is_call=x > 0.0)) ** 2 * t
            return out

    grid = dupire(Own(), tau=np.linspace(0.04, 0.5, 24), log_moneyness=np.linspace(-0.35, 0.3, 66))
    found = calibration.fit(LocalStochasticVol, grid, heston=HESTON, tau=(0.5,)).model.leverage
    y, t = np.meshgrid(np.linspace(-0.2, 0.15, 8), [0.2, 0.35, 0.48])
    assert np.abs(np.asarray(found.local_vol(y, t)) - 1.0).max() < 0.02


def test_a_still_variance_gives_the_local_vol_over_its_root():
    still = Heston(v0=0.04, kappa=1.0, theta=0.04, sigma=0.02, rho=0.0)
    found = calibration.fit(LocalStochasticVol, LOCAL, heston=still, tau=(0.6,)).model.leverage
    y = np.linspace(-0.2, 0.2, 9)
    expected = np.asarray(LOCAL.local_vol(y, 0.5)) / 0.2
    assert np.asarray(found.local_vol(y, 0.5)) == pytest.approx(expected, rel=0.01)


def test_the_masses_are_kept_and_their_mean_is_the_forward():
    y, v = np.linspace(-1.0, 1.0, 101), 0.5 * np.sinh(np.linspace(0.0, 2.0, 31)) ** 2
    mass = lsv._start(y, v, 0.06)
    five = np.array([HESTON.kappa, HESTON.theta, HESTON.sigma, HESTON.rho, 1.0])
    for k in range(40):
        mass = lsv._step(y, v, 0.0125, 0 if k < 4 else 1, np.ones(y.size), five, mass)
    assert mass.sum() == pytest.approx(1.0, abs=1e-12)
    assert np.exp(y) @ mass.sum(axis=1) == pytest.approx(1.0, abs=1e-3)
    expected = HESTON.theta + (HESTON.v0 - HESTON.theta) * np.exp(-0.5 * HESTON.kappa)
    assert mass.sum(axis=0) @ v == pytest.approx(expected, rel=1e-3)


def test_a_barrier_knows_the_dynamics_that_vanillas_do_not():
    contract = Barrier(strike=100.0, barrier=85.0, direction="down", knock="out", tau=1.0)
    here, there = (price(contract, model, MARKET) for model in (FIT.model, LOCAL))
    assert abs(here.value - there.value) > 5.0 * (here.error + there.error)


def test_json_gives_the_model_back():
    back = LocalStochasticVol.from_json(FIT.model.to_json())
    assert back.heston == HESTON
    assert np.array_equal(back.leverage.vol, FIT.model.leverage.vol)


def test_bad_input_is_refused_by_name():
    with pytest.raises(InputError, match=r"data must be a LocalVol, or a Snapshot or Surface .*; got 'SVISurface'"):
        calibration.fit(LocalStochasticVol, SURFACE, heston=HESTON)
    with pytest.raises(InputError, match="tau must be > 0 and increase"):
        calibration.fit(LocalStochasticVol, LOCAL, heston=HESTON, tau=(1.0, 0.5))
    with pytest.raises(InputError, match="n_time must be at least 20; got 5"):
        calibration.fit(LocalStochasticVol, LOCAL, heston=HESTON, n_time=5)


def quotes(noise: float = 0.0) -> Surface:
    """The surface as quotes, nine a smile."""
    rng, smiles = np.random.default_rng(3), []
    for t, one in zip(SURFACE.tau, SURFACE.slices):
        k = np.linspace(-1.5, 1.2, 9) * 0.25 * np.sqrt(t)
        vol = one.vol(k, t) + noise * rng.standard_normal(k.size)
        smiles.append(Smile(tau=t, forward=100.0, df=1.0, strike=100.0 * np.exp(k), vol=vol))
    return Surface(as_of=date(2024, 1, 2), spot=100.0, smiles=tuple(smiles))


def test_quotes_alone_are_enough_and_what_was_fitted_first_is_said():
    found = calibration.fit(LocalStochasticVol, quotes(), n_time=60)
    assert "local vol fitted to the quotes" in found.message and "Heston fitted to the quotes" in found.message
    assert found.rmse_bp < 5.0 and found.residuals["tau"].unique().tolist() == [0.25, 1.0]
    alone = calibration.fit(Heston, quotes())
    assert found.model.heston == alone.model
    five = found.parameters.head(5)
    assert five["name"].tolist() == ["v0", "kappa", "theta", "sigma", "rho"]
    assert five["std_error"].to_numpy() == pytest.approx(alone.parameters["std_error"].to_numpy())
    again = calibration.fit(LocalStochasticVol, quotes(), n_time=60, start=found.model)
    assert again.rmse_bp == pytest.approx(found.rmse_bp, rel=0.05)


def test_a_local_vol_alone_gets_the_heston_of_its_smiles():
    found = calibration.fit(LocalStochasticVol, LOCAL, n_time=60)
    assert "Heston fitted to its smiles, rmse" in found.message
    assert found.rmse_bp < 5.0 and found.model.heston.rho < 0.0
