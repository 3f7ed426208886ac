"""European options under rough Bergomi: exact covariance, limits, a plain twin, a published smile, the power law."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pandas as pd
import pytest

from research.errors import InputError, NumericalError
from research.instruments import European
from research.market import flat_snapshot
from research.models import BlackScholes, RoughBergomi, black
from research.models.rough_bergomi import volterra_covariance
from research.pricing import price
from research.pricing import rough_bergomi as engine

MODEL = RoughBergomi(hurst=0.1, eta=1.5, rho=-0.7, forward_variance=0.04)
MARKET = flat_snapshot(spot=100.0, rate=0.02, dividend_yield=0.01)


@pytest.mark.parametrize("hurst", [0.02, 0.07, 0.3, 0.4999, 0.5])
def test_the_exact_scheme_has_the_covariance_of_the_volterra_motion(hurst: float) -> None:
    times = engine.time_grid(np.array([0.1, 0.5, 2.0]), 60)
    mean, rest = engine.volterra_weights(times, hurst, "exact")
    step = np.diff(times, prepend=0.0)
    found = (mean * step) @ mean.T + rest @ rest.T
    assert np.abs(found - volterra_covariance(times, hurst)).max() < 1e-7
    hybrid, own = engine.volterra_weights(times, hurst, "hybrid")
    assert mean[0, 0] ** 2 * step[0] + own[0, 0] ** 2 == pytest.approx(step[0] ** (2 * hurst), rel=1e-14)
    assert np.array_equal(hybrid, mean) and np.allclose(np.diag(own), np.diag(rest), atol=3e-3)


def test_simulated_variances_have_mean_xi_and_the_covariance_of_the_model() -> None:
    times, model = np.array([0.25, 0.5, 1.0]), replace(MODEL, eta=0.5, rho=0.0)
    grid = engine.make_grid(times, model.hurst, 24, "exact")
    n = grid.times.size
    every = engine.Grid(times=grid.times, kept=np.ones(n, bool), mean=grid.mean, rest=grid.rest, variance=grid.variance)
    none = np.zeros((0, 33), dtype=np.int64)
    motion = engine.make_motion(none, 5, 0, 1 << 14, engine.motion_plan(grid.times, False))
    spent = engine.states(model, every, motion)[1::4]
    v = np.diff(spent, axis=0) / np.diff(grid.times)[:, None] / 0.04  # held from the start of each step
    error = v.std(axis=1) / 128.0
    assert np.abs((v.mean(axis=1) - 1.0) / error).max() < 4.0
    exact = np.exp(0.25 * volterra_covariance(grid.times[:-1], model.hurst)) - 1.0
    found = np.cov(v)
    assert np.abs(found - exact).max() < 0.04


def test_without_vol_of_vol_it_is_black_scholes_with_a_term_structure() -> None:
    model = RoughBergomi(hurst=0.1, eta=0.0, rho=-0.7, forward_variance=[0.04, 0.09], forward_tau=[0.5, 1.0])
    items = [
        European(strike=k, tau=t, is_call=c) for k in (80.0, 100.0, 120.0) for t in (0.1, 1.0, 3.0) for c in (0, 1)
    ]
    found = price(items, model, MARKET, n_paths=1 << 13)
    for item, value, error in zip(items, found.value, found.std_error):
        sigma = float(np.sqrt(model.total_variance(item.tau) / item.tau))
        exact = price(item, BlackScholes(sigma=sigma), MARKET).value
        assert abs(value - exact) < 4.0 * error + 1e-9


@pytest.mark.parametrize("sampler", ["sobol", "philox"])
@pytest.mark.parametrize("rho", [-1.0, -0.7, 0.0, 1.0])
def test_parity_bounds_and_the_martingale(rho: float, sampler: str) -> None:
    model = replace(MODEL, rho=rho)
    strikes = np.array([1e-6, 70.0, 100.0, 140.0])
    options: dict[str, Any] = {"n_paths": 2048, "sampler": sampler}
    both = [
        price(
            [European(strike=float(k), tau=0.5, is_call=c) for k in strikes],
            model,
            MARKET,
            **options,
        )
        for c in (True, False)
    ]
    df, forward = MARKET.discount.df(0.5), MARKET.forward(0.5)
    assert both[0].value - both[1].value == pytest.approx(df * (forward - strikes), abs=1e-10)
    assert np.all(both[0].value >= df * np.maximum(forward - strikes, 0.0) - 4.0 * both[0].std_error - 1e-12)


def test_prices_agree_with_a_plain_hybrid_scheme() -> None:
    """NumPy, one matrix product a path block, the spot with both Brownian motions, no control: as in the paper."""
    n, n_paths, tau, h = 40, 60_000, 0.5, 0.1
    dt, rng = tau / n, np.random.default_rng(11)
    a = h - 0.5
    cov = np.array([[dt, dt ** (a + 1) / (a + 1)], [dt ** (a + 1) / (a + 1), dt ** (2 * a + 1) / (2 * a + 1)]])
    pairs = rng.multivariate_normal(np.zeros(2), cov, size=(n_paths, n), method="cholesky")
    dw, first = pairs[..., 0], pairs[..., 1]
    k = np.arange(2, n + 1)
    b = (k ** (a + 1) - (k - 1) ** (a + 1)) / (a + 1) * dt**a
    x = first.copy()
    for j in range(n):
        x[:, j + 1 :] += dw[:, [j]] * b[: n - j - 1]
    x *= np.sqrt(2 * h)
    var = np.cumsum(np.append(dt ** (2 * h), 2 * h * b**2 * dt))
    v = 0.04 * np.exp(1.5 * x - 0.5 * 1.5**2 * var)
    v = np.concatenate((np.full((n_paths, 1), 0.04), v[:, :-1]), axis=1)
    db = -0.7 * dw + np.sqrt(1 - 0.49) * np.sqrt(dt) * rng.standard_normal((n_paths, n))
    spot = MARKET.forward(tau) * np.exp(np.sum(np.sqrt(v) * db - 0.5 * v * dt, axis=1))
    for strike in (80.0, 100.0, 115.0):
        is_call = strike >= 100.0
        paid = MARKET.discount.df(tau) * np.maximum((spot - strike) * (1 if is_call else -1), 0.0)
        item = European(strike=strike, tau=tau, is_call=is_call)
        found = price(item, MODEL, MARKET, n_steps=n, scheme="hybrid")
        error = np.hypot(paid.std() / np.sqrt(n_paths), found.std_error)
        assert abs(found.value - paid.mean()) < 4.0 * error


@pytest.mark.slow
def test_the_smile_of_mccrickerd_and_pakkanen() -> None:
    """10 delta put, at the money, 10 delta call, in their 312 steps; source in the table."""
    table = pd.read_csv(Path(__file__).parents[1] / "reference" / "mccrickerd_pakkanen.csv", comment="#")
    model, market = RoughBergomi(hurst=0.07, eta=1.9, rho=-0.9, forward_variance=0.235**2), flat_snapshot(spot=1.0)
    strike = np.exp(table["log_strike"].to_numpy())
    items = [European(strike=float(k), tau=0.25) for k in strike]
    found = price(items, model, market, n_paths=1 << 16, n_steps=312, scheme="hybrid")
    vol = black.implied_vol(found.value, 1.0, strike, 0.25)
    assert vol == pytest.approx(table["vol"].to_numpy(), abs=1e-3)


def test_the_skew_at_the_money_is_a_power_of_time() -> None:
    """d vol / d log strike -> rho eta sqrt(2H) / (2 (H + 1/2) (H + 3/2)) tau^(H - 1/2) for short times (Bayer, Friz &
    Gatheral 2016; Fukasawa 2017); at H = 1/2 that is rho eta / 4."""
    model, market, k, h = replace(MODEL, eta=0.5, hurst=0.2), flat_snapshot(spot=1.0), 0.02, 0.2
    taus = np.array([1 / 365, 1 / 52, 1 / 12])
    skew = []
    for tau in taus:
        strikes = np.exp([-k * np.sqrt(tau), k * np.sqrt(tau)])
        items = [European(strike=float(s), tau=float(tau)) for s in strikes]
        found = price(items, model, market, n_paths=1 << 13, n_steps=128)
        vol = black.implied_vol(found.value, 1.0, strikes, tau)
        skew.append(float(vol[1] - vol[0]) / (2 * k * np.sqrt(tau)))
    level = -0.7 * 0.5 * np.sqrt(2 * h) / (2 * (h + 0.5) * (h + 1.5))
    assert np.polyfit(np.log(taus), np.log(np.abs(skew)), 1)[0] == pytest.approx(h - 0.5, abs=0.02)
    assert skew / taus ** (h - 0.5) == pytest.approx(np.full(3, level), rel=0.04)


def test_several_expiries_at_once_are_priced_like_each_alone() -> None:
    """Found: of eight expiries the nearest got 7 of 96 steps, and a far call of it 9 points of vol too many."""
    model, market = RoughBergomi(hurst=0.07, eta=1.9, rho=-0.9, forward_variance=0.09), flat_snapshot(spot=1.0)
    taus = np.array([13, 41, 168, 350, 720]) / 365.0
    times = engine.time_grid(taus, 96)
    counts = np.diff(np.searchsorted(times, np.append(0.0, taus) + 1e-12))
    last = [float(t - times[np.searchsorted(times, t - 1e-12) - 1]) / t for t in taus]
    assert counts[0] >= 16 and (counts % 2 == 0).all() and max(last) < 3.0 * min(last)
    items = [European(strike=k, tau=float(t)) for t in taus for k in (1.0, float(np.exp(0.15 * np.sqrt(t))))]
    together = price(items, model, market, n_paths=1 << 12)
    for i in range(0, len(items), 2):
        alone = price(items[i : i + 2], model, market, n_paths=1 << 12)
        assert np.all(np.abs(alone.value - together.value[i : i + 2]) <= alone.error + together.error[i : i + 2])
    vega = 0.4 * np.sqrt(taus[0])
    assert together.error[0] < 0.02 * vega  # of the nearest, at the money: under two points of vol


def test_the_mixed_estimator_beats_plain_simulation_by_far() -> None:
    item = European(strike=100.0, tau=0.5)
    found = price(item, MODEL, MARKET, n_paths=1 << 12, sampler="philox")
    spread = 8.0 / np.sqrt(2 << 12)  # standard deviation of the pay-off: about 8
    assert found.std_error < 0.35 * spread


def test_same_seed_same_bits_at_any_number_of_threads_and_any_slice() -> None:
    before, found = numba.get_num_threads(), []
    for threads in (1, 2):
        numba.set_num_threads(min(threads, before))
        found.append(price(European(strike=95.0, tau=0.5), MODEL, MARKET, n_paths=1 << 12).value)
    numba.set_num_threads(before)
    assert found[0] == found[1]
    grid = engine.make_grid(np.array([0.5]), 0.1, 32, "exact")
    plan, none = engine.motion_plan(grid.times, False), np.zeros((0, 33), dtype=np.int64)
    whole = engine.states(MODEL, grid, engine.make_motion(none, 3, 0, 300, plan))
    part = engine.states(MODEL, grid, engine.make_motion(none, 3, 100, 100, plan))
    assert np.array_equal(whole[:, 100:200], part)


def test_a_run_stops_at_the_standard_error_or_says_what_it_needs() -> None:
    item = European(strike=100.0, tau=0.5)
    assert price(item, MODEL, MARKET, std_error=0.02).std_error <= 0.02
    with pytest.raises(NumericalError, match="std_error must reach 1e-06; got"):
        price(item, MODEL, MARKET, std_error=1e-6, n_paths=1 << 12)
    with pytest.raises(InputError, match="scheme must be 'exact' or 'hybrid'"):
        price(item, MODEL, MARKET, scheme="euler")


def test_extremes_stay_finite() -> None:
    cases: list[tuple[Any, float]] = [
        (replace(MODEL, hurst=0.01, eta=4.0), 1 / 8760), (replace(MODEL, forward_variance=25.0), 1.0),
        (replace(MODEL, forward_variance=1e-6, rho=1.0), 50.0), (replace(MODEL, hurst=0.5, eta=0.3), 30.0),
        (replace(MODEL, forward_variance=0.0), 1.0),
    ]  # fmt: skip
    for model, tau in cases:
        found = price([European(strike=k, tau=tau) for k in (50.0, 100.0, 200.0)], model, MARKET, n_paths=1 << 10)
        assert np.all(np.isfinite(found.value)) and np.all(found.value >= -1e-9)
