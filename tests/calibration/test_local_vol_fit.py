"""Local vol by Andreasen and Huge: quotes repriced, no arbitrage in between, the backward engine, refusals."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from research import calibration
from research.calibration._quote_noise import quote_noise
from research.calibration.local_vol import reprice
from research.errors import InputError
from research.instruments import European
from research.market import Smile, Surface, flat_snapshot
from research.models import SVI, Heston, LocalVol, SVISurface, black
from research.pricing import price

DAY = date(2024, 1, 2)
TRUTH = SVISurface(
    tau=(0.1, 0.5, 1.0, 2.0),
    slices=tuple(
        SVI(a=0.01 * t + 0.002, b=0.08 * t**0.5, rho=-0.6, m=0.0, sigma=0.15 + 0.15 * t) for t in (0.1, 0.5, 1.0, 2.0)
    ),
)


def surface(n=9, spread=0.12):
    """Quotes at 100 (1 + ...) without rates."""
    smiles = []
    for t in TRUTH.tau:
        x = np.linspace(-2.5, 1.5, n) * spread * np.sqrt(t) * 1.5
        smiles.append(Smile(tau=t, forward=100.0, df=1.0, strike=100.0 * np.exp(x), vol=TRUTH.vol(x, t)))
    return Surface(as_of=DAY, spot=100.0, smiles=tuple(smiles))


SURFACE = surface()
FIT = calibration.fit(LocalVol, SURFACE)


def test_quotes_without_arbitrage_are_repriced_to_a_basis_point_of_vol():
    assert TRUTH.arbitrage().empty
    assert 1e4 * np.abs(FIT.residuals["residual"]).max() < 1.5
    assert FIT.unit == "vol" and FIT.converged and "basis" not in FIT.message


def test_the_backward_engine_agrees_with_the_forward_equation():
    market = flat_snapshot(spot=100.0)
    for smile in SURFACE:
        options = [European(strike=k, tau=smile.tau) for k in smile.strike[1::2]]
        found = price(options, FIT.model, market, n_space=400, n_time=200).value
        vol = black.implied_vol(found, 100.0, smile.strike[1::2], smile.tau)
        assert 1e4 * np.abs(vol - smile.vol[1::2]).max() < 1.2


def test_the_density_is_positive_and_total_variance_rises_between_the_quotes():
    x = np.linspace(-0.4, 0.25, 66)
    smiles = [
        Smile(tau=t, forward=100.0, df=1.0, strike=100.0 * np.exp(x * np.sqrt(t)), vol=np.full(66, 0.2))
        for t in np.linspace(0.1, 2.0, 20)
    ]
    calls = []
    for smile, vol in zip(smiles, reprice(FIT.model, smiles)):
        call = np.asarray(black.price(100.0, smile.strike, smile.tau, vol))
        slope = np.diff(call) / np.diff(smile.strike)
        assert np.all(np.diff(slope) > -1e-7)
        calls.append(np.interp(np.linspace(-0.1, 0.07, 9), smile.log_moneyness, vol**2 * smile.tau))
    assert np.all(np.diff(calls, axis=0) > 0.0)


def test_a_flat_surface_gives_a_flat_local_vol_where_the_spot_goes():
    flat = Surface(
        as_of=DAY, spot=1.0,
        smiles=tuple(Smile(tau=t, forward=1.0, df=1.0, strike=np.exp(np.linspace(-0.3, 0.3, 7) * t**0.5),
                           vol=np.full(7, 0.25)) for t in (0.25, 0.5, 1.0)),
    )  # fmt: skip
    found = calibration.fit(LocalVol, flat)
    assert 1e4 * np.abs(found.residuals["residual"]).max() < 1.5


def test_dupire_through_svi_slices_is_the_other_way():
    found = calibration.fit(LocalVol, SURFACE, method="dupire")
    assert 1e4 * np.abs(found.residuals["residual"]).max() < 3.0
    t, x = np.array([0.3, 0.75, 1.5]), np.zeros(3)
    assert np.asarray(FIT.model.local_vol(x, t)) == pytest.approx(np.asarray(found.model.local_vol(x, t)), rel=0.2)


def test_quotes_from_heston_give_back_its_average_variance():
    model = Heston(v0=0.04, kappa=1.5, theta=0.06, sigma=0.4, rho=-0.6)
    market, smiles = flat_snapshot(spot=100.0), []
    for t in (0.25, 0.5, 1.0):
        strike = 100.0 * np.exp(np.linspace(-0.5, 0.35, 11) * np.sqrt(t))
        value = price([European(strike=k, tau=t) for k in strike], model, market).value
        vol = black.implied_vol(value, 100.0, strike, t)
        smiles.append(Smile(tau=t, forward=100.0, df=1.0, strike=strike, vol=vol))
    found = calibration.fit(LocalVol, Surface(as_of=DAY, spot=100.0, smiles=tuple(smiles)))
    assert 1e4 * np.abs(found.residuals["residual"]).max() < 2.0


def test_quotes_with_arbitrage_are_refused_by_name_or_missed_by_less_than_they_are_wrong():
    smile = SURFACE.smiles[1]
    vol = smile.vol.copy()
    vol[4] += 0.05
    bad = Surface(
        as_of=DAY, spot=100.0,
        smiles=(Smile(tau=smile.tau, forward=100.0, df=1.0, strike=smile.strike, vol=vol),),
    )  # fmt: skip
    with pytest.raises(InputError, match=r"free of arbitrage within 0\.0025 vol; got .* butterfly at tau"):
        calibration.fit(LocalVol, bad)
    found = calibration.fit(LocalVol, bad, allow_arbitrage=True)
    assert 0.002 < np.abs(found.residuals["residual"]).max() < 0.05


def test_options_are_refused_by_name():
    with pytest.raises(InputError, match="method must be 'andreasen_huge' or 'dupire'; got 'splines'"):
        calibration.fit(LocalVol, SURFACE, method="splines")
    with pytest.raises(InputError, match="smoothness must be >= 0; got -1"):
        calibration.fit(LocalVol, SURFACE, smoothness=-1.0)
    with pytest.raises(InputError, match=r"data must be a market\.Snapshot or Surface; got 'list'"):
        calibration.fit(LocalVol, [1.0])


def test_a_bound_is_kept_and_said_and_a_start_ends_where_the_quotes_alone_do():
    found = calibration.fit(LocalVol, SURFACE, bounds={"theta": (0.05, 0.25)})
    assert found.parameters["value"].between(0.05, 0.25).all() and found.status == 2
    assert (found.parameters["lower"] == 0.05).all() and (found.parameters["upper"] == 0.25).all()
    assert any("a bound holds" in one for one in found.warnings)
    warm = calibration.fit(LocalVol, SURFACE, start=FIT.model)
    assert warm.parameters["value"].to_numpy() == pytest.approx(FIT.parameters["value"].to_numpy(), abs=1e-7)
    with pytest.raises(InputError, match="bounds must name one of theta; got 'vol'"):
        calibration.fit(LocalVol, SURFACE, bounds={"vol": (0.1, 0.2)})
    with pytest.raises(InputError, match="start must be a LocalVol"):
        calibration.fit(LocalVol, SURFACE, start=TRUTH)


@pytest.mark.slow
def test_standard_errors_are_those_of_noisy_quotes_fitted_again():
    few = Surface(as_of=DAY, spot=100.0, smiles=SURFACE.smiles[:3])
    rng, noise, values = np.random.default_rng(0), 5e-5, []
    for _ in range(60):
        smiles = tuple(replace(s, vol=s.vol + noise * rng.standard_normal(s.vol.size)) for s in few)
        found = calibration.fit(LocalVol, replace(few, smiles=smiles), quote_error=noise, allow_arbitrage=True)
        values.append(found.parameters["value"].to_numpy())
    stated = found.parameters["std_error"].to_numpy()
    ratio = np.std(values, axis=0, ddof=1) / stated
    assert (np.abs(ratio - 1.0) < 0.35).all() and abs(ratio.mean() - 1.0) < 0.06
    spread = replace(few, smiles=tuple(replace(s, half_spread=np.full(len(s), noise)) for s in few))
    assert calibration.fit(LocalVol, spread).parameters["std_error"].to_numpy() == pytest.approx(stated, rel=0.05)
    alone = calibration.fit(LocalVol, replace(few, smiles=smiles), allow_arbitrage=True)  # by the quotes' own roughness
    ratio = alone.parameters["std_error"].to_numpy() / stated
    # of one set of quotes, a dozen to a smile
    assert 0.5 < np.median(ratio) < 2.0 and "the quotes' own roughness" in alone.message


def test_the_noise_of_quotes_is_judged_by_their_roughness_not_by_their_curvature():
    rng, x = np.random.default_rng(5), np.sort(np.random.default_rng(6).uniform(-0.4, 0.3, 400))
    smooth = 0.25 - 0.3 * x + 0.8 * x**2 - 0.5 * x**3
    base = {"tau": 0.5, "forward": 1.0, "df": 1.0, "strike": np.exp(x)}
    noisy = Smile(**base, vol=smooth + 2e-3 * rng.standard_normal(x.size))
    few = Smile(**{**base, "strike": np.exp(x[::100])}, vol=smooth[::100])
    assert quote_noise([Smile(**base, vol=smooth)])[0] < 1e-12
    assert quote_noise([noisy])[0] == pytest.approx(2e-3, rel=0.12)  # neighbours share quotes: 5 % is one deviation
    assert quote_noise([noisy, few])[1] == quote_noise([noisy])[0] and np.isnan(quote_noise([few])[0])
