"""Rough Bergomi fitted: simulated quotes give the truth back, and the DAX surface a better fit than Heston."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from research import calibration
from research.errors import InputError
from research.instruments import European
from research.market import Smile, Surface, build_snapshot, flat_snapshot
from research.models import RoughBergomi, black
from research.pricing import price

TRUTH = RoughBergomi(hurst=0.12, eta=1.6, rho=-0.75, forward_variance=[0.05, 0.04, 0.045], forward_tau=[0.1, 0.4, 1.0])


def simulated_surface(seed: int) -> Surface:
    """Quotes by the model's own price, on paths of their own, on the grid of the fit."""
    market, smiles = flat_snapshot(spot=100.0), []
    taus, moneyness = (0.1, 0.4, 1.0), np.linspace(-1.2, 0.8, 9)
    strikes = [100.0 * np.exp(0.2 * np.sqrt(t) * moneyness) for t in taus]
    items = [European(strike=float(k), tau=t, is_call=bool(k > 100)) for t, row in zip(taus, strikes) for k in row]
    found = price(items, TRUTH, market, n_paths=1 << 15, n_steps=48, scheme="hybrid", seed=seed)
    for g, (tau, row) in enumerate(zip(taus, strikes)):
        value = found.value[9 * g : 9 * g + 9]
        vol = black.implied_vol(value, 100.0, row, tau, is_call=row > 100)
        smiles.append(Smile(tau=tau, forward=100.0, df=1.0, strike=row, vol=vol))
    return Surface(as_of=date(2000, 1, 1), spot=100.0, smiles=tuple(smiles))


def test_simulated_quotes_give_the_truth_back_within_standard_errors() -> None:
    fit = calibration.fit(RoughBergomi, simulated_surface(77), n_steps=48, n_paths=1024)
    assert fit.converged and fit.rmse_bp < 40.0
    truth = [TRUTH.hurst, TRUTH.eta, TRUTH.rho, *TRUTH.forward_variance]
    z = (fit.parameters["value"] - truth) / fit.parameters["std_error"]
    assert z.abs().max() < 4.0
    assert (fit.parameters["std_error"] < [0.1, 0.5, 0.2, 0.02, 0.02, 0.02]).all()


def test_a_fit_is_the_same_every_time() -> None:
    surface = simulated_surface(78)
    with pytest.warns(calibration.CalibrationWarning, match="did not settle"):
        first, second = (calibration.fit(RoughBergomi, surface, n_steps=24, n_paths=256, max_iter=3) for _ in range(2))
    assert first.parameters.equals(second.parameters) and first.status == 1 and "stopped by max_iter" in first.message


def test_too_few_quotes_are_refused() -> None:
    smile = Smile(tau=0.5, forward=100.0, df=1.0, strike=[90.0, 100.0, 110.0], vol=[0.25, 0.2, 0.18])
    with pytest.raises(InputError, match=r"quotes must number at least 5; got 3. Rough Bergomi has three parameters"):
        calibration.fit(RoughBergomi, Surface(as_of=date(2000, 1, 1), spot=100.0, smiles=(smile,)))


@pytest.mark.slow
def test_the_dax_surface_of_2002() -> None:
    """104 quotes; Heston's best rmse is 132 bp."""
    path = Path(__file__).parents[2] / "data" / "curated" / "equity" / "dax_surface.parquet"
    if not path.is_file():
        pytest.skip("needs data/curated/equity/dax_surface.parquet: research data curate equity/dax_surface")
    snapshot = build_snapshot(pd.read_parquet(path), as_of="2002-07-05")
    fit = calibration.fit(RoughBergomi, snapshot, n_paths=1024, n_steps=64)
    assert fit.rmse_bp < 80.0
    values = fit.parameters.set_index("name")["value"]
    assert 0.01 < values["hurst"] < 0.2 and values["rho"] < -0.5
