"""Fits day after day: warm starts, days that fail, jumps, and every kind of history."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from research.calibration import fit_history
from research.errors import InputError
from research.market import chains_from_quotes, simulate_chains
from research.models import CEV, ESSVI, SSVI, SVISurface

DAYS = pd.bdate_range("2018-01-02", periods=14)


@pytest.fixture(scope="module")
def simulated():
    rng = np.random.default_rng(5)
    level = pd.Series(2700.0 * np.exp(np.cumsum(0.005 * rng.standard_normal(14))), DAYS)
    vix = pd.Series(12.0 + rng.uniform(-0.4, 0.4, 14), DAYS)
    vix.iloc[8:] += 15.0  # a shock
    return simulate_chains(level, vix, seed=3)


@pytest.fixture(scope="module")
def history(simulated):
    return fit_history(SSVI, simulated.quotes, allow_arbitrage=True)


def test_every_day_has_a_row_and_a_day_without_quotes_is_kept_and_named(simulated, history):
    assert history.days["as_of"].tolist() == list(DAYS)
    assert history.failed["as_of"].tolist() == list(simulated.outages)
    assert history.failed["message"].str.startswith("no expiry with a smile").all()
    good = history.days[history.days["status"] != "failed"]
    assert (good["rmse_bp"] < 40.0).all() and (good["arbitrage_in_fit"] == 0.0).all()
    assert good["start"].tolist() == ["cold"] + ["warm"] * (len(good) - 1)
    assert len(history.fits) == len(good) and "1 failed" in repr(history)


def test_warm_and_cold_end_at_the_same_place_and_warm_is_faster(simulated, history):
    cold = fit_history(SSVI, simulated.quotes, warm=False, allow_arbitrage=True)
    assert cold.days["rmse_bp"].to_numpy() == pytest.approx(history.days["rmse_bp"].to_numpy(), rel=1e-4, nan_ok=True)
    assert history.days["n_iter"].sum() < cold.days["n_iter"].sum()


def test_the_shock_is_a_jump_of_the_vols_at_the_money_and_nothing_else_is(history):
    assert set(history.jumps["as_of"]) == {DAYS[8]} or set(history.jumps["as_of"]) == {DAYS[9]}
    assert {"vol_30d", "vol_90d"} <= set(history.jumps["name"])
    assert history.days.loc[history.days["jumps"] > 0, "as_of"].nunique() == 1
    assert {"rho", "eta", "gamma", "vol_30d", "skew_365d"} <= set(history.wide().columns)


def test_the_true_parameters_come_back_within_a_few_standard_errors(simulated, history):
    truth = simulated.truth.groupby("as_of")["rho"].first()
    found = history.slices[history.slices["name"] == "rho"].set_index("as_of")
    z = (found["value"] - truth.reindex(found.index)) / found["std_error"]
    assert z.abs().max() < 6.0 and abs(z.mean()) < 2.0


def test_a_history_may_come_as_chains_surfaces_or_vols(simulated, history):
    chains = chains_from_quotes(simulated.quotes)
    a = fit_history(SSVI, chains, allow_arbitrage=True)
    b = fit_history(SSVI, chains.surfaces, allow_arbitrage=True)
    assert a.days["rmse_bp"].dropna().tolist() == b.days["rmse_bp"].tolist()
    parts = [s.to_frame().assign(as_of=s.as_of, spot=s.spot, zero_rate=0.0) for s in chains.surfaces[:3]]
    vols = pd.concat(parts, ignore_index=True).rename(columns={"vol": "implied_vol"})
    vols.loc[vols.index[:2], "implied_vol"] = np.nan
    vols.loc[len(vols)] = vols.iloc[-1].to_dict() | {"as_of": DAYS[-1].date(), "implied_vol": 25.0}
    c = fit_history(ESSVI, vols, allow_arbitrage=True, weights="equal")
    assert len(c.days) == 4 and len(c.dropped) == 2
    assert c.failed["message"].str.contains("implied_vol must be < 10").item()


def test_any_model_of_a_surface_will_do(simulated):
    chains = chains_from_quotes(simulated.quotes)
    for model in (SVISurface, CEV):
        options = {} if model is CEV else {"allow_arbitrage": True}
        found = fit_history(model, chains.surfaces[:2], **options)
        assert (found.days["status"] != "failed").all()


def test_a_failure_can_stop_the_history_and_options_are_checked(simulated):
    with pytest.raises(InputError, match="no expiry with a smile"):
        fit_history(SSVI, simulated.quotes, on_failure="raise", allow_arbitrage=True)
    with pytest.raises(InputError, match="on_failure must be 'keep' or 'raise'; got 'skip'"):
        fit_history(SSVI, simulated.quotes, on_failure="skip")
    with pytest.raises(InputError, match="data must hold at least one day; got 0"):
        fit_history(SSVI, [])
    with pytest.raises(InputError, match="Did you mean 'weights"):
        fit_history(SSVI, chains_from_quotes(simulated.quotes).surfaces[:1], wieghts="vega")
    seen = []
    surfaces = chains_from_quotes(simulated.quotes).surfaces[:2]
    fit_history(SSVI, surfaces, allow_arbitrage=True, progress=lambda *at: seen.append(at))
    assert seen == [(1, 2), (2, 2)]
