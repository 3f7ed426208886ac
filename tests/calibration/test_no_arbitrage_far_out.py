"""Claims of no arbitrage, checked by what shares no formula with them: prices, a linear programme, dense grids far out.

Fitted surfaces are read as call prices on a dense grid of strikes, far beyond the quotes, and must be convex, fall and
rise in expiry. Quotes are judged by whether a distribution with these call prices exists, by linear programming.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.special import log_ndtr, ndtr

from research.calibration import fit
from research.market import Smile, Surface, find_arbitrage, find_butterflies
from research.models import ESSVI, SSVI, SVI, SVISurface

STRIKES = np.array([70.0, 80.0, 90.0, 95.0, 100.0, 105.0, 110.0, 120.0, 135.0])


def noisy_surface(seed: int, noise: float) -> Surface:
    """A skewed surface whose noise makes butterflies, and calendars between short expiries."""
    rng = np.random.default_rng(seed)
    smiles = []
    for tau in (0.05, 0.1, 0.3, 1.0, 2.0):
        k = np.linspace(-1.8, 1.3, 15) * 0.25 * np.sqrt(tau)
        vol = 0.22 - 0.25 * k / np.sqrt(0.2 + tau) + 0.35 * k * k / (0.1 + tau) + noise * rng.standard_normal(k.size)
        smiles.append(Smile(tau=tau, forward=100.0, df=1.0, strike=100.0 * np.exp(k), vol=np.maximum(vol, 0.05)))
    return Surface(as_of=date(2024, 1, 2), spot=100.0, smiles=tuple(smiles))


def density_sign(w: Any, k: Any) -> float:
    """The least second difference of call prices in strike on a grid of log strikes, in units of its own rounding.

    Prices of out-of-the-money options: beyond the money a put and a call differ by a line, which has no bend.
    """
    std = np.sqrt(w)
    d1 = -k / std + 0.5 * std
    call, put = ndtr(d1) - np.exp(k) * ndtr(d1 - std), np.exp(k) * ndtr(std - d1) - ndtr(-d1)
    worst = np.inf
    for value, side in ((call, k >= 0.0), (put, k <= 0.0)):
        x, v = np.exp(k[side]), value[side]
        slope = np.diff(v) / np.diff(x)
        bend = np.diff(slope)
        rounding = 1e-15 * (np.abs(v[1:-1]) + x[1:-1] * 1e-1) * (1.0 / np.diff(x)[1:] + 1.0 / np.diff(x)[:-1])
        worst = min(worst, float(np.min(bend / rounding)))
    return worst


def log_call(w: Any, k: Any) -> Any:
    """log of the call over the forward at high strikes, for wings whose prices underflow differences."""
    std = np.sqrt(w)
    d1 = -k / std + 0.5 * std
    a, b = log_ndtr(d1), k + log_ndtr(d1 - std)
    return a + np.log1p(-np.exp(b - a))


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("model", [SSVI, ESSVI, SVISurface])
def test_a_fitted_surface_has_prices_of_a_market_far_beyond_its_quotes(model: Any, seed: int) -> None:
    quotes = noisy_surface(seed, 0.01)
    assert len(find_arbitrage(quotes)) > 10
    found = fit(model, quotes, allow_arbitrage=True).model
    taus = np.concatenate([quotes.tau, np.sqrt(quotes.tau[1:] * quotes.tau[:-1]), [0.02, 3.0, 8.0]])
    inner, outer = (
        np.linspace(-1.5, 1.5, 1201),
        np.concatenate([-np.geomspace(40.0, 1.5, 400), np.geomspace(1.5, 40.0, 400)]),
    )
    last = None
    for tau in np.sort(taus):
        w = np.asarray(found.total_variance(inner, float(tau)))
        assert density_sign(w, inner) > -4.0
        far = np.asarray(found.total_variance(outer, float(tau)))
        assert (far > 0.0).all()
        high = outer > 0.0
        assert (np.diff(log_call(far[high], outer[high])) < 0.0).all()  # calls fall in strike to the end
        assert far[[0, -1]].max() / 40.0 < 2.0  # Lee
        both = np.concatenate([w, far])
        if last is not None:
            assert (both - last >= -1e-12 * both).all()
        last = both


@pytest.mark.parametrize("model", [SSVI, ESSVI, SVISurface])
def test_quotes_of_a_fitted_surface_hold_no_arbitrage(model: Any) -> None:
    quotes = noisy_surface(4, 0.01)
    found = fit(model, quotes, allow_arbitrage=True).model
    k = np.linspace(-3.0, 3.0, 61)
    smiles = [
        Smile(
            tau=t, forward=100.0, df=1.0, strike=100.0 * np.exp(k * 0.25 * np.sqrt(t)),
            vol=np.sqrt(np.asarray(found.total_variance(k * 0.25 * np.sqrt(t), float(t))) / t),
        )
        for t in quotes.tau
    ]  # fmt: skip
    assert find_arbitrage(Surface(as_of=quotes.as_of, spot=100.0, smiles=tuple(smiles)), tolerance=1e-7).empty


def test_a_slice_says_it_has_butterflies_exactly_where_its_prices_bend_the_wrong_way() -> None:
    rng, k = np.random.default_rng(6), np.linspace(-3.0, 3.0, 4001)
    told = []
    for _ in range(150):
        b, rho, sigma = rng.uniform(0.05, 1.2), rng.uniform(-0.95, 0.95), np.exp(rng.uniform(-4.0, 0.0))
        least = rng.uniform(0.002, 0.1)
        one = SVI(a=least - b * sigma * np.sqrt(1.0 - rho * rho), b=b, rho=rho, m=rng.uniform(-0.3, 0.3), sigma=sigma)
        gaps = one.butterflies()
        wide = [(lo, hi) for lo, hi in _intervals(gaps) if min(hi, 2.5) - max(lo, -2.5) > 0.05]
        w = one.total_variance(k)
        worst = density_sign(w, k)
        told.append(bool(wide))
        assert (worst < -50.0) >= bool(wide)  # what is said is there
        if not _intervals(gaps):
            assert worst > -50.0  # and nothing is left unsaid
    assert 20 < np.sum(told) < 130


def _intervals(found: Any) -> list[tuple[float, float]]:
    return [(one["low"], one["high"]) for one in found]


def distribution_exists(strike: Any, call: Any, forward: float) -> bool:
    """Whether some distribution on [0, inf) has this mean and these call prices: a linear programme.

    It is enough to look at masses on 0, the strikes, and one far point: call prices are linear between strikes.
    """
    points = np.concatenate([[0.0], strike, [10.0 * strike[-1]]])
    rows = [np.ones(points.size), points, *(np.maximum(points - k, 0.0) for k in strike)]
    right = np.concatenate([[1.0, forward], call])
    scale = np.maximum(np.abs(right), 1e-3)
    found = linprog(
        np.zeros(points.size), A_eq=np.array(rows) / scale[:, None], b_eq=right / scale, bounds=(0.0, None),
        method="highs", options={"primal_feasibility_tolerance": 1e-10},
    )  # fmt: skip
    return found.status == 0


def test_quotes_are_refused_exactly_when_no_distribution_has_their_prices() -> None:
    rng, agree = np.random.default_rng(9), []
    for trial in range(120):
        noise = 0.01 * (trial % 4)
        vol = 0.2 + 0.1 * np.log(STRIKES / 100.0) ** 2 - 0.08 * np.log(STRIKES / 100.0)
        smile = Smile(
            tau=0.25, forward=100.0, df=1.0, strike=STRIKES, vol=vol + noise * rng.standard_normal(STRIKES.size)
        )
        std = smile.vol * np.sqrt(smile.tau)
        d1 = np.log(100.0 / STRIKES) / std + 0.5 * std
        call = 100.0 * ndtr(d1) - STRIKES * ndtr(d1 - std)
        found = find_butterflies(smile, tolerance=1e-7)
        assert found.empty == distribution_exists(STRIKES, call, 100.0), trial
        agree.append(found.empty)
    assert 20 < np.sum(agree) < 100
