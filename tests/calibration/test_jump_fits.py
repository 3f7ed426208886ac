"""Jump models: exact surfaces come back, Bates never ends above Heston, and too few quotes are refused."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from research.calibration import fit
from research.errors import InputError
from research.market import Smile, Surface, build_snapshot
from research.models import Bates, Heston, Merton, VarianceGamma, black
from research.pricing.cosine import price_with_error

DAX = Path(__file__).parents[2] / "data" / "raw" / "dax_surface_20020705.csv"


def surface(model: Any) -> Surface:
    """The model's own vols at three expiries."""
    smiles = []
    for tau in (0.1, 0.5, 1.5):
        strike = 100.0 * np.exp(np.linspace(-1.5, 1.0, 9) * 0.25 * np.sqrt(tau))
        value = price_with_error(model, 100.0, strike, tau, is_call=strike >= 100.0)[0]
        vol = black.implied_vol(value, 100.0, strike, tau, is_call=strike >= 100.0)
        smiles.append(Smile(tau=tau, forward=100.0, df=1.0, strike=strike, vol=vol))
    return Surface(as_of=date(2024, 1, 2), spot=100.0, smiles=tuple(smiles))


@pytest.mark.parametrize(
    "model",
    [
        Merton(sigma=0.15, intensity=0.7, jump_mean=-0.12, jump_std=0.15),
        VarianceGamma(sigma=0.2, nu=0.4, theta=-0.15),
    ],
)
def test_an_exact_surface_comes_back(model: Any) -> None:
    found = fit(type(model), surface(model))
    assert found.rmse_bp < 0.01
    truth = [getattr(model, name) for name in found.parameters["name"]]
    assert found.parameters["value"].tolist() == pytest.approx(truth, rel=2e-3)
    assert found.converged and found.unit == "vol"


@pytest.mark.slow
def test_bates_fits_the_dax_with_falling_jumps_far_better_than_heston() -> None:
    frame = pd.read_csv(DAX, comment="#", parse_dates=["as_of", "expiry"])
    snapshot = build_snapshot(frame)
    plain, jumps = fit(Heston, snapshot), fit(Bates, snapshot)
    assert jumps.sse < 0.5 * plain.sse
    assert jumps.sse == pytest.approx((jumps.residuals["error_bp"] ** 2).sum() * 1e-8, rel=1e-6)
    assert jumps.model.jump_mean < 0.0 < jumps.model.intensity


def test_what_the_quotes_cannot_tell_apart_is_named() -> None:
    flat = fit(Merton, surface(Merton(sigma=0.2, intensity=0.0, jump_mean=0.0, jump_std=0.0)))
    assert flat.rmse_bp < 1.0
    assert "on its bound: intensity" in flat.message or "hardly identified by these quotes: " in flat.message


def test_too_few_quotes_are_refused() -> None:
    whole = surface(VarianceGamma(sigma=0.2, nu=0.4, theta=-0.15))
    first = whole.smiles[0]
    few = Smile(tau=first.tau, forward=100.0, df=1.0, strike=first.strike[:3], vol=first.vol[:3])
    with pytest.raises(InputError, match=r"quotes must number at least 4; got 3. VarianceGamma has 3 parameters."):
        fit(VarianceGamma, Surface(as_of=whole.as_of, spot=100.0, smiles=(few,)))


def test_a_start_of_another_model_is_refused() -> None:
    start = VarianceGamma(sigma=0.2, nu=0.4, theta=-0.15)
    with pytest.raises(InputError, match="start must be a Merton; got VarianceGamma"):
        fit(Merton, surface(start), start=start)
