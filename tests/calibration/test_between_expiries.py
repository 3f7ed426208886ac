"""Between two fair expiries a surface may be unfair: it is found, exactly in time, and fits come back without."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from research.calibration import fit, fit_history
from research.core.calibration.svi_surface import svi_surface_terms
from research.market import Smile, Surface, build_snapshot, chains_from_quotes
from research.models import SVI, SVISurface

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("RESEARCH_SHARED_DATA") or ROOT.parent / "shared" / "data")
ETF, DAX = SHARED / "sse_50etf_options_eod_2018.csv", ROOT / "data" / "raw" / "dax_surface_20020705.csv"
# the first is fair by a hair where the other pulls: its g is 3e-6 there
NEAR = SVI(a=-0.038196746968432616, b=0.06287297760455965, rho=-0.9522399806967559, m=0.6839899484874798,
           sigma=2.011001379717508)  # fmt: skip
FAR = SVI(a=0.05186084038765773, b=0.16681003547129056, rho=-0.4920621387274252, m=-1.2231355276745004,
          sigma=1.4256552584880335)  # fmt: skip
UNFAIR = SVISurface(tau=(0.5, 1.0), slices=(NEAR, FAR))


def least_g(near: SVI, far: SVI, share: float, k: Any) -> float:
    """Durrleman's g of the mixture, its derivatives by differences of w alone."""
    h = 1e-3 * (1.0 + np.abs(k))

    def w(x: Any) -> Any:
        return (1.0 - share) * near.total_variance(x) + share * far.total_variance(x)

    slope, bend = (w(k + h) - w(k - h)) / (2.0 * h), (w(k + h) - 2.0 * w(k) + w(k - h)) / h**2
    g = (1.0 - 0.5 * k * slope / w(k)) ** 2 - 0.25 * slope**2 * (1.0 / w(k) + 0.25) + 0.5 * bend
    return float(g.min())


def test_butterflies_are_found_between_expiries_at_strikes_where_neither_end_has_any() -> None:
    assert UNFAIR.crossings() == []
    (found,) = UNFAIR.between()
    k = np.linspace(11.0, 13.0, 201)
    assert np.asarray(NEAR.durrleman(k)).min() > 0.0 and np.asarray(FAR.durrleman(k)).min() > 0.0
    assert 0.5 < found["tau"] < 0.51 and found["low"] < 11.7 < found["high"] and found["lowest"] < -1e-5
    assert least_g(NEAR, FAR, 2.0 * (found["tau"] - 0.5), k) < -1e-5


def test_what_is_called_fair_is_fair_at_every_time_and_what_is_not_is_not() -> None:
    rng, k = np.random.default_rng(2), np.linspace(-2.0, 2.0, 801)
    told = []
    for _ in range(60):
        slices = []
        for least in np.sort(rng.uniform(0.001, 0.12, 2)):
            b, rho, sigma = rng.uniform(0.05, 1.0), rng.uniform(-0.9, 0.9), np.exp(rng.uniform(-3.0, 0.3))
            a = least - b * sigma * np.sqrt(1.0 - rho * rho)
            slices.append(SVI(a=a, b=b, rho=rho, m=rng.uniform(-0.2, 0.2), sigma=sigma))
        found = SVISurface(tau=(1.0, 2.0), slices=tuple(slices)).between()
        found += [one | {"tau": 0.0} for part in slices for one in part.butterflies()]
        inside = [
            one for one in found if min(one["high"], 1.9) - max(one["low"], -1.9) > 0.05 and one["lowest"] < -0.05
        ]
        least = min(least_g(*slices, share, k) for share in np.linspace(0.0, 1.0, 9))
        told.append(bool(inside))
        assert least < 0.0 or not inside
        if not found:
            assert least > -1e-4
    assert 3 < np.sum(told) < 57


@pytest.mark.parametrize("which", range(4))
def test_penalties_have_the_gradient_of_their_squares(which: int) -> None:
    k, strength = np.linspace(-0.5, 0.5, 9), np.zeros(4)
    strength[which] = 2.0
    x = np.array([0.02, 0.9, 0.3, 0.1, 0.1, 0.021, 0.2, 0.9, -0.1, 0.05])
    first, grid = np.array([0, 9, 18]), np.linspace(-2.0, 2.0, 41)

    def terms(y: Any) -> tuple[float, Any]:
        matrix, gradient = np.zeros((10, 10)), np.zeros(10)
        quotes = (first, np.tile(k, 2), np.full(18, 0.2), np.ones(18), np.array([0.5, 1.0]), np.array([0.03, 0.03]))
        return svi_surface_terms(y, *quotes, grid, strength, matrix, gradient), gradient

    value, gradient = terms(x)
    none = np.zeros(4)
    strength, kept = none, strength
    assert terms(x)[0] < value  # the penalty is felt
    strength = kept
    for j in range(10):
        step = np.zeros(10)
        step[j] = 1e-6 * max(abs(x[j]), 0.01)
        slope = (terms(x + step)[0] - terms(x - step)[0]) / (2.0 * step[j])
        assert 2.0 * gradient[j] == pytest.approx(slope, rel=2e-4, abs=1e-5 * np.abs(gradient).max())


def assert_fair_everywhere(model: SVISurface) -> None:
    assert model.arbitrage().empty
    k = np.linspace(-2.5, 2.5, 501)
    for near, far in zip(model.slices[:-1], model.slices[1:]):
        assert min(least_g(near, far, share, k) for share in np.linspace(0.0, 1.0, 9)) > -1e-4
        assert (far.total_variance(k) >= near.total_variance(k)).all()


@pytest.mark.filterwarnings("ignore::research.calibration.CalibrationWarning")
@pytest.mark.parametrize("seed", range(4))
def test_random_quotes_give_a_surface_that_is_fair_at_every_time(seed: int) -> None:
    rng, smiles = np.random.default_rng(seed), []
    for tau in (0.1, 0.3, 1.0):
        k = np.linspace(-1.8, 1.3, 12) * 0.25 * np.sqrt(tau)
        vol = 0.22 - 0.15 * k / np.sqrt(0.2 + tau) + 0.2 * k * k / (0.1 + tau) + 0.02 * rng.standard_normal(k.size)
        smiles.append(Smile(tau=tau, forward=100.0, df=1.0, strike=100.0 * np.exp(k), vol=np.maximum(vol, 0.05)))
    surface = Surface(as_of=date(2024, 1, 2), spot=100.0, smiles=tuple(smiles))
    assert_fair_everywhere(fit(SVISurface, surface, allow_arbitrage=True).model)


def test_the_dax_surface_is_fair_at_every_time() -> None:
    frame = pd.read_csv(DAX, comment="#", parse_dates=["as_of", "expiry"])
    assert_fair_everywhere(fit(SVISurface, build_snapshot(frame), allow_arbitrage=True).model)


@pytest.mark.skipif(not ETF.is_file(), reason=f"no {ETF.name} (RESEARCH_SHARED_DATA)")
@pytest.mark.filterwarnings("ignore::research.calibration.CalibrationWarning")
def test_the_50etf_surfaces_are_fair_at_every_time() -> None:
    frame = pd.read_csv(ETF, comment="#")
    frame = frame[frame["date"].isin(sorted(frame["date"].unique())[::20])]
    names = {"as_of": "date", "expiry": "maturity", "price": "close", "volume": "volume_contracts"}
    for found in fit_history(SVISurface, chains_from_quotes(frame, columns=names), allow_arbitrage=True).fits.values():
        assert_fair_everywhere(found.model)
