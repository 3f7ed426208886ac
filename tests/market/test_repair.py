"""Quotes without arbitrage, as near as can be: laws, an independent programme in prices, real chains."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linprog
from scipy.special import ndtr

from research.calibration import fit
from research.errors import InputError
from research.market import Smile, Surface, build_snapshot, chains_from_quotes, find_arbitrage, repair_quotes
from research.models import Heston, LocalVol, SVISurface

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("RESEARCH_SHARED_DATA") or ROOT.parent / "shared" / "data")
ETF, DAX = SHARED / "sse_50etf_options_eod_2018.csv", ROOT / "data" / "raw" / "dax_surface_20020705.csv"


def noisy(seed: int, noise: float, half_spread: float | None = None) -> Surface:
    """A fair skewed surface, its vols off by normal noise."""
    rng, smiles = np.random.default_rng(seed), []
    for tau in (0.05, 0.1, 0.3, 1.0, 2.0):
        k = np.linspace(-1.8, 1.3, 15) * 0.25 * np.sqrt(tau)
        vol = 0.22 - 0.1 * k / np.sqrt(0.2 + tau) + 0.1 * k * k / (0.1 + tau)
        vol = np.maximum(vol + noise * rng.standard_normal(k.size), 0.05)
        half = None if half_spread is None else np.full(k.size, half_spread)
        smiles.append(Smile(tau=tau, forward=100.0, df=1.0, strike=100.0 * np.exp(k), vol=vol, half_spread=half))
    return Surface(as_of=date(2024, 1, 2), spot=100.0, smiles=tuple(smiles))


def calls(smile: Smile) -> Any:
    std = smile.vol * np.sqrt(smile.tau)
    d1 = -smile.log_moneyness / std + 0.5 * std
    return smile.forward * ndtr(d1) - smile.strike * ndtr(d1 - std)


def test_fair_quotes_stay_to_the_last_digit() -> None:
    fair = noisy(0, 0.0)
    assert find_arbitrage(fair).empty
    done = repair_quotes(fair)
    assert done.surface is fair and done.changes.empty and done.largest == 0.0


@pytest.mark.parametrize("noise", [0.004, 0.01, 0.04])
@pytest.mark.parametrize("seed", range(4))
def test_what_comes_back_has_no_arbitrage_and_most_quotes_did_not_move(seed: int, noise: float) -> None:
    quotes = noisy(seed, noise)
    assert not find_arbitrage(quotes).empty
    done = repair_quotes(quotes)
    assert find_arbitrage(done.surface).empty
    assert 0 < len(done.changes) < 0.75 * quotes.n_quotes
    before, after = (np.concatenate([s.vol for s in one]) for one in (quotes, done.surface))
    assert np.count_nonzero(before != after) == len(done.changes)
    assert done.largest == np.abs(after - before).max() < 5.0 * noise


@pytest.mark.parametrize("seed", range(6))
def test_one_wrong_quote_moves_alone_and_by_no_more_than_it_must(seed: int) -> None:
    quotes = noisy(seed, 0.0)
    smile = quotes.smiles[3]
    vol = smile.vol.copy()
    vol[3 + seed] += 0.03
    one = replace(smile, vol=vol)
    done = repair_quotes(replace(quotes, smiles=(*quotes.smiles[:3], one, quotes.smiles[4])))
    assert done.changes["strike"].tolist() == [smile.strike[3 + seed]] and done.changes["tau"].tolist() == [1.0]
    change = done.changes["change"].item()
    assert -0.03 <= change < 0.0
    vol[3 + seed] += 0.999 * change  # a thousandth less and it is wrong still
    assert not find_arbitrage(replace(quotes, smiles=(replace(smile, vol=vol),))).empty


def test_one_smile_agrees_with_a_programme_in_prices() -> None:
    """The L1 distance in prices is a linear programme by itself; ours, in vols, is near it where vegas are alike."""
    strike = np.linspace(97.0, 103.0, 7)
    for seed in range(10):
        rng = np.random.default_rng(seed)
        vol = 0.2 + 0.01 * rng.standard_normal(7)
        smile = Smile(tau=1.0, forward=100.0, df=1.0, strike=strike, vol=vol)
        done = repair_quotes(Surface(as_of=date(2024, 1, 2), spot=100.0, smiles=(smile,)))
        moved = float(np.abs(calls(done.surface.smiles[0]) - calls(smile)).sum())
        assert moved == pytest.approx(_least_move(strike, calls(smile), 100.0), rel=0.02, abs=1e-7)


def _least_move(strike: Any, call: Any, forward: float) -> float:
    """Least sum of absolute moves of call prices to a convex falling curve through (0, forward)."""
    n, k = strike.size, np.append(0.0, strike)
    rows, right = [], []

    def row(*terms: tuple[int, float]) -> None:
        line, known = np.zeros(2 * n), 0.0
        for i, weight in terms:
            if i == 0:
                known += weight * forward
            else:
                line[i - 1] += weight
        rows.append(line)
        right.append(-known)

    for i in range(1, n + 1):
        row((i, 1.0), (i - 1, -1.0))
        if i < n:
            share = (k[i + 1] - k[i]) / (k[i + 1] - k[i - 1])
            row((i, 1.0), (i - 1, -share), (i + 1, share - 1.0))
        if i > 1:
            row((i - 1, 1.0), (i, -1.0))
            right[-1] += k[i] - k[i - 1]
    size = np.hstack([np.eye(n), -np.eye(n)]), np.hstack([-np.eye(n), -np.eye(n)])
    found = linprog(
        np.append(np.zeros(n), np.ones(n)), A_ub=np.vstack([rows, *size]),
        b_ub=np.concatenate([right, call, -call]), bounds=(0.0, None), method="highs",
    )  # fmt: skip
    assert found.status == 0
    return float(found.fun)


def test_a_move_inside_bid_and_ask_is_preferred() -> None:
    quotes = noisy(1, 0.004, half_spread=0.01)
    done = repair_quotes(quotes)
    assert (done.changes["beyond_spread"] == 0.0).all()
    assert all(np.array_equal(a.half_spread, b.half_spread) for a, b in zip(done.surface, quotes))
    tight = [s.half_spread.copy() for s in quotes]
    worst = done.changes.iloc[0]
    for smile, half in zip(quotes, tight):
        half[(smile.strike == worst["strike"]) & (smile.tau == worst["tau"])] = 1e-5  # what moved most is now firm
    firm = replace(quotes, smiles=tuple(replace(s, half_spread=h) for s, h in zip(quotes, tight)))
    again = repair_quotes(firm).changes
    moved = again[(again["strike"] == worst["strike"]) & (again["tau"] == worst["tau"])]["change"].abs().sum()
    assert moved < 0.2 * abs(worst["change"])


def test_a_quote_without_weight_moves_first() -> None:
    strike = np.array([90.0, 95.0, 100.0, 105.0])
    vol = np.array([0.2, 0.23, 0.2, 0.2])
    base = {"tau": 0.5, "forward": 100.0, "df": 1.0, "strike": strike, "vol": vol}
    for idle in (0, 1):
        weight = np.ones(4)
        weight[idle] = 0.0
        one = Surface(as_of=date(2024, 1, 2), spot=100.0, smiles=(Smile(**base, weight=weight),))
        assert repair_quotes(one).changes["strike"].tolist() == [strike[idle]]


def test_the_dax_quotes_are_repaired_and_then_every_fit_takes_them() -> None:
    frame = pd.read_csv(DAX, comment="#", parse_dates=["as_of", "expiry"])
    snapshot = build_snapshot(frame)
    with pytest.raises(InputError, match=r"got 6 violations: .* bp of vol; .*market\.repair_quotes"):
        fit(SVISurface, snapshot)
    done = repair_quotes(snapshot)
    assert len(done.found) == 6 and len(done.changes) <= 8 and done.largest < 0.005
    for model in (SVISurface, LocalVol, Heston):
        assert fit(model, done.surface).rmse < 0.02


@pytest.mark.skipif(not ETF.is_file(), reason=f"no {ETF.name} (RESEARCH_SHARED_DATA)")
def test_the_50etf_chains_are_repaired_day_by_day() -> None:
    frame = pd.read_csv(ETF, comment="#")
    frame = frame[frame["date"].isin(sorted(frame["date"].unique())[::20])]
    names = {"as_of": "date", "expiry": "maturity", "price": "close", "volume": "volume_contracts"}
    for surface in chains_from_quotes(frame, columns=names).surfaces:
        done = repair_quotes(surface)
        assert find_arbitrage(done.surface).empty
        assert fit(SVISurface, done.surface).model.arbitrage().empty


def test_bad_input_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"data must be a market\.Surface or Snapshot; got 'list'"):
        repair_quotes([1.0])
    with pytest.raises(InputError, match=r"beyond must be finite and >= 1; got 0\.5"):
        repair_quotes(noisy(0, 0.01), beyond=0.5)
