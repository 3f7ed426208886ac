"""Local-volatility paths by the law of each step: limits with known prices, rough surfaces, honest scheme errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from research.calibration import fit
from research.errors import InputError
from research.instruments import Barrier, European
from research.market import build_snapshot, flat_snapshot
from research.models import BlackScholes, Heston, LocalStochasticVol, LocalVol, black
from research.pricing import price
from research.pricing.paths import engine, heston, sample, simulate
from research.pricing.paths.generators import Request, generator

MARKET = flat_snapshot(spot=100.0, rate=0.03, dividend_yield=0.01)
BARE = flat_snapshot(spot=100.0)
X = np.linspace(-2.0, 2.0, 801)
DAX = Path(__file__).parents[3] / "data" / "raw" / "dax_surface_20020705.csv"


def local(vol: Any) -> LocalVol:
    return LocalVol(tau=[0.0, 1.0], log_moneyness=X, vol=np.tile(vol, (2, 1)))


def comb(low: float, high: float, width: float) -> LocalVol:
    """Teeth of two variances in turn, each as wide as the other."""
    return local(np.where(np.floor(X / width + 1e-9) % 2 == 0, low, high))


@pytest.mark.parametrize("tau", [1 / 52, 1.0, 5.0])
@pytest.mark.parametrize("strike", [80.0, 100.0, 120.0])
def test_one_step_of_a_flat_volatility_is_black_and_scholes(tau: float, strike: float) -> None:
    option = European(strike=strike, tau=tau)
    found = simulate(option, local(np.full(X.size, 0.2)), MARKET, n_paths=1 << 15)
    exact = float(price(option, BlackScholes(sigma=0.2), MARKET))
    assert abs(found.value - exact) < 4.0 * found.std_error + 2e-4


@pytest.mark.parametrize("strike", [70.0, 100.0, 140.0])
def test_one_step_prices_a_displaced_diffusion(strike: float) -> None:
    sigma, shift = 0.12, 60.0
    spot = 100.0 * np.exp(X)
    exact = float(black.price(100.0 + shift, strike + shift, 1.0, sigma))
    model = LocalVol(tau=[1.0], log_moneyness=X, vol=(sigma * (spot + shift) / spot)[None, :])
    found = simulate(European(strike=strike, tau=1.0), model, BARE, n_paths=1 << 16)
    assert abs(found.value - exact) < 4.0 * found.std_error + 2e-3
    assert abs(found.value - exact) < 4.0 * found.std_error + abs(found.bias)


def test_a_fine_comb_of_volatilities_is_worth_their_harmonic_mean() -> None:
    """Homogenisation: time is spent where the variance is low (Bensoussan, Lions, Papanicolaou 1978)."""
    option, model = European(strike=100.0, tau=1.0), comb(0.1, 0.4, 0.02)
    fine = np.linspace(-0.6, 0.6, 240_001)
    harmonic = 1.0 / np.mean(1.0 / model.local_vol(fine, 0.5) ** 2)
    exact = float(black.price(100.0, 100.0, 1.0, np.sqrt(harmonic)))
    found = simulate(option, model, BARE, n_paths=1 << 16)
    assert abs(found.value - exact) < 0.01 * exact
    frozen = simulate(option, model, BARE, n_paths=1 << 14, scheme="euler", steps_per_year=100.0)
    assert frozen.value > 1.4 * exact  # Euler's steps jump over the slow teeth
    assert abs(frozen.value - exact) < 4.0 * frozen.std_error + abs(frozen.bias) or frozen.bias > 1.0


@pytest.mark.parametrize("dates", [1, 4, 26])
def test_a_rough_volatility_agrees_with_finite_differences_however_many_dates(dates: int) -> None:
    model = comb(0.15, 0.35, 0.1)
    exact = price(European(strike=105.0, tau=1.0), model, BARE, method="pde", n_space=1601, n_time=400)
    watched = Barrier(strike=105.0, barrier=1e-3, direction="down", knock="out", tau=1.0, n_monitoring=dates)
    found = simulate(watched, model, BARE, n_paths=1 << 16)
    assert abs(found.value - exact.value) < 4.0 * found.std_error + exact.error + abs(found.bias)
    assert abs(found.bias) < 0.1


@pytest.mark.slow
@pytest.mark.parametrize(("tau", "strike"), [(0.25, 4500.0), (1.0, 3500.0), (1.0, 4500.0), (1.0, 5000.0)])
def test_dax_options_cost_what_finite_differences_say(tau: float, strike: float) -> None:
    """By Andreasen and Huge, whose local vol is rough: Euler's paths are 40 of 538 too high at the default steps."""
    frame = pd.read_csv(DAX, comment="#", parse_dates=["as_of", "expiry"])
    snapshot = build_snapshot(frame)
    model = fit(LocalVol, snapshot, allow_arbitrage=True).model
    option = European(strike=strike, tau=tau)
    exact = price(option, model, snapshot, method="pde")
    found = price(option, model, snapshot, method="paths", n_paths=1 << 15)
    assert abs(found.value - exact.value) < 4.0 * found.std_error + exact.error + found.error
    assert abs(found.value - exact.value) < 0.005 * exact.value
    frozen = price(option, model, snapshot, method="paths", scheme="euler", n_paths=1 << 14)
    assert abs(frozen.value - exact.value) < frozen.error + exact.error  # it now says so


@pytest.mark.slow
@pytest.mark.parametrize("method", ["andreasen_huge", "dupire"])
def test_leverage_is_stepped_through_and_the_error_says_how_far_off_that_is(method: str) -> None:
    """Steps take the leverage they are to meet: up to a tenth off under a rough one, which the error covers."""
    snapshot = build_snapshot(pd.read_csv(DAX, comment="#", parse_dates=["as_of", "expiry"]))
    more: dict[str, Any] = {"least_width": 0.2} if method == "dupire" else {}
    surface = fit(LocalVol, snapshot, method=method, allow_arbitrage=True, **more).model
    part = Heston(v0=0.11, kappa=2.0, theta=0.09, sigma=0.5, rho=-0.7)
    model = fit(LocalStochasticVol, surface, heston=part, snapshot=snapshot, tau=(0.25, 0.5)).model
    for strike in (4500.0, 5000.0):
        option = European(strike=strike, tau=0.5)
        exact = price(option, model, snapshot, method="adi")
        found = price(option, model, snapshot, method="paths", n_paths=1 << 14)
        assert abs(found.value - exact.value) < found.error + exact.error
        assert abs(found.value - exact.value) < 0.1 * exact.value


def test_the_leverage_met_by_a_step_is_its_own_where_it_is_flat_and_its_mean_where_it_is_not() -> None:
    x = np.linspace(-1.0, 1.0, 401)
    flat = heston.met(np.full((2, 401), 1.3), x[1] - x[0], np.array([0.1, 0.5]), np.array([0.04, 0.05]))
    assert np.abs(flat - 1.3).max() < 1e-12
    slope = heston.met((1.0 + 0.5 * x)[None, :], x[1] - x[0], np.array([0.02]), np.array([0.04]))[0]
    # to first order u / (v dt) = L^2 + dt / 2 (L^2 v / 2) ((L^2)'' - (L^2)'), by Ito
    square = (1.0 + 0.5 * x) ** 2
    expected = square + 0.25 * 0.02 * 0.04 * square * (0.5 - (1.0 + 0.5 * x))
    assert np.abs(slope[50:350] ** 2 - expected[50:350]).max() < 2e-4


def test_paths_are_martingales_step_by_step() -> None:
    block = sample(comb(0.1, 0.5, 0.05), MARKET, np.arange(1, 13) / 12, n_paths=60_000)
    ratio = block.spot / MARKET.forward(block.times)[:, None]
    z = (ratio.mean(axis=1) - 1.0) / (ratio.std(axis=1) / np.sqrt(ratio.shape[1]))
    assert np.abs(z).max() < 4.0


@pytest.mark.parametrize("sampler", ["philox", "sobol"])
def test_a_slice_made_alone_has_the_bits_of_the_whole(sampler: str) -> None:
    model = comb(0.1, 0.5, 0.1)
    options: dict[str, Any] = {"seed": -3, "sampler": sampler, "replicate": 1}
    whole = sample(model, MARKET, [0.1, 0.5, 1.0], n_paths=700, **options)
    part = sample(model, MARKET, [0.1, 0.5, 1.0], n_paths=50, first_path=501, **options)
    assert np.array_equal(part.spot, whole.spot[:, 501:551])


def test_the_variance_of_a_step_is_that_of_its_law() -> None:
    model = local(0.2 + 0.1 * np.tanh(3.0 * X))
    made = generator(model, Request(snapshot=BARE, times=np.array([0.5]), bridge=False))
    block = made.block(np.zeros((0, 33), dtype=np.int64), 1, 0, 0, 40_000)
    assert float(block.logs.exposed.mean()) == pytest.approx(float(block.logs.x.var()), rel=0.03)  # type: ignore[union-attr]


def test_more_dates_than_tables_hold_are_walked_in_euler_steps_and_said() -> None:
    request = Request(snapshot=BARE, times=np.arange(1, 1201) / 252.0)
    assert generator(comb(0.1, 0.2, 0.1), request).motion.n_rows == 1200
    with pytest.raises(InputError, match=r"times must be few enough for the tables of scheme='transition'; got 1200"):
        generator(comb(0.1, 0.2, 0.1), Request(snapshot=BARE, times=request.times, scheme="transition"))


def test_the_error_of_a_price_counts_its_scheme() -> None:
    model, option = comb(0.1, 0.4, 0.05), European(strike=100.0, tau=1.0)
    found = price(option, model, BARE, method="paths", scheme="euler", steps_per_year=20.0, n_paths=1 << 13)
    plain = price(option, model, BARE, method="paths", scheme="euler", steps_per_year=20.0, n_paths=1 << 13,
                  check_scheme=False)  # fmt: skip
    assert plain.error == pytest.approx(2.0 * plain.std_error)
    assert found.error > 3.0 * plain.error and found.value == plain.value
    assert engine.Options().check_scheme
