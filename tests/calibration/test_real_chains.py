"""Real chains, where they are at hand: the 50ETF options of 2018 by their last trades, with the defaults only."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest

from research.calibration import fit_history
from research.market import chains_from_quotes
from research.models import CEV, ESSVI, SSVI, Heston, Merton, SVISurface, VarianceGamma

SHARED = Path(os.environ.get("RESEARCH_SHARED_DATA") or Path(__file__).parents[2].parent / "shared" / "data")
FILE = SHARED / "sse_50etf_options_eod_2018.csv"
pytestmark = pytest.mark.skipif(not FILE.is_file(), reason=f"no {FILE.name} (RESEARCH_SHARED_DATA)")


def test_the_50etf_surface_is_fitted_within_twenty_basis_points_without_a_hand() -> None:
    frame = pd.read_csv(FILE, comment="#")
    frame = frame[frame["date"].isin(sorted(frame["date"].unique())[::10])]
    names = {"as_of": "date", "expiry": "maturity", "price": "close", "volume": "volume_contracts"}
    chains = chains_from_quotes(frame, columns=names)
    found = fit_history(ESSVI, chains, allow_arbitrage=True)
    assert len(found.failed) == 0 and len(found.days) == 11
    assert found.days["rmse_bp"].median() < 20.0
    assert (found.days["arbitrage_in_fit"] == 0.0).all()
    reasons = set(chains.dropped["reason"])
    assert {"below the least price", "expired"} <= reasons


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::research.calibration.CalibrationWarning")
@pytest.mark.parametrize("model", [CEV, ESSVI, Heston, Merton, SSVI, SVISurface, VarianceGamma])
def test_a_day_that_starts_from_the_last_is_fitted_no_worse_than_one_that_starts_cold(model: type) -> None:
    frame = pd.read_csv(FILE, comment="#")
    frame = frame[frame["date"].isin(sorted(frame["date"].unique())[:25:5])]
    names = {"as_of": "date", "expiry": "maturity", "price": "close", "volume": "volume_contracts"}
    chains = chains_from_quotes(frame, columns=names)
    options = {} if model is CEV else {"allow_arbitrage": True}
    warm, cold = (fit_history(model, chains, warm=w, **options).days for w in (True, False))
    assert warm["start"].tolist() == ["cold"] + ["warm"] * 4
    assert warm["rmse_bp"].isna().equals(cold["rmse_bp"].isna())  # a day with too few quotes for SVI is lost to both
    assert not (warm["rmse_bp"] > cold["rmse_bp"] * (1.0 + 1e-6)).any()
