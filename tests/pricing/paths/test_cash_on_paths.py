"""Paths of a stock that pays cash: against grids, and the laws of what falls and what is still to come."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from research.errors import InputError, NoEngineError, NumericalError
from research.instruments import (
    American,
    Asian,
    Barrier,
    Bermudan,
    Chooser,
    Cliquet,
    Compound,
    Digital,
    DoubleTouch,
    European,
    LogContract,
    Lookback,
    PartialBarrier,
    Phoenix,
    Touch,
    VarianceSwap,
)
from research.market import CashDividends, flat_snapshot
from research.models import (
    Bates,
    BlackScholes,
    BlackTermStructure,
    Heston,
    LocalStochasticVol,
    LocalVol,
    Merton,
    RoughBergomi,
    VarianceGamma,
)
from research.pricing import price
from research.pricing._escrow import to_come
from research.pricing.paths import sample
from research.pricing.paths.cash import looked
from research.pricing.paths.exercise import bounds
from research.pricing.paths.payoffs import Terms, payoff

MARKET = flat_snapshot(spot=100.0, rate=0.05)
MODEL = BlackScholes(sigma=0.3)
HESTON = Heston(v0=0.09, kappa=1.5, theta=0.08, sigma=0.5, rho=-0.7)
LOCAL = LocalVol(tau=[0.0, 1.0], log_moneyness=[-0.4, 0.0, 0.4], vol=[[0.4, 0.3, 0.22], [0.38, 0.3, 0.24]])
LEVER = LocalVol(tau=[0.0, 1.0], log_moneyness=[-0.4, 0.0, 0.4], vol=[[1.2, 1.0, 0.9], [1.2, 1.0, 0.9]])
LSV = LocalStochasticVol(heston=HESTON, leverage=LEVER)
JUMPS = {"intensity": 0.8, "jump_mean": -0.1, "jump_std": 0.15}
MERTON = Merton(sigma=0.2, **JUMPS)
MODELS = [
    MODEL, BlackTermStructure(tau=(0.5, 1.0), implied=(0.25, 0.3)), LOCAL, HESTON, LSV, MERTON,
    Bates(v0=0.04, kappa=2.0, theta=0.05, sigma=0.5, rho=-0.6, **JUMPS), VarianceGamma(sigma=0.2, nu=0.2, theta=-0.14),
    RoughBergomi(hurst=0.1, eta=1.9, rho=-0.9, forward_variance=0.04),
]  # fmt: skip
KINDS = ("jump", "escrowed")


def paying(*dividends, model="jump", **rest):
    tau, cash = zip(*dividends)
    return replace(MARKET, cash_dividends=CashDividends(tau=tau, cash=cash, model=model), **rest)


def two(model):
    return paying((0.25, 4.0), (0.75, 5.0), model=model)


def name(model):
    return type(model).__name__


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", MODELS, ids=name)
def test_the_mean_of_every_day_is_the_forward_of_the_market(model, kind):
    market, times = two(kind), np.array([0.1, 0.25, 0.5, 0.75, 1.0])
    block = sample(model, market, times, n_paths=1 << 14, seed=4)
    spread = block.spot.std(axis=1) / np.sqrt(block.n_paths)
    assert np.all(np.abs(block.spot.mean(axis=1) - market.forward(times)) < 4.5 * spread)
    if kind == "escrowed":
        assert np.all(block.spot >= to_come(market, times)[:, None])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", [MODEL, LOCAL, HESTON, LSV, MERTON], ids=name)
def test_any_slice_is_made_again_alone(model, kind):
    market, times = two(kind), [0.2, 0.5, 1.0]
    whole = sample(model, market, times, n_paths=512, seed=7)
    part = sample(model, market, times, n_paths=100, first_path=200, seed=7)
    assert np.array_equal(whole.spot[:, 200:300], part.spot)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", [MODEL, pytest.param(LOCAL, marks=pytest.mark.slow)], ids=name)
def test_paths_agree_with_the_grid(model, kind):
    market = two(kind)
    items = [
        European(strike=100.0, tau=1.0, is_call=False), Digital(strike=95.0, tau=1.0),
        Barrier(strike=100.0, barrier=85.0, direction="down", knock="out", tau=1.0, n_monitoring=12),
        PartialBarrier(strike=100.0, barrier=90.0, direction="down", knock="out", watched="start", switch=0.5, tau=1.0),
        Touch(barrier=85.0, direction="down", tau=1.0),
    ]  # fmt: skip
    for item in items if model is MODEL else items[:3]:
        ours, grid = price(item, model, market, method="paths", n_paths=1 << 14), price(item, model, market)
        assert abs(ours.value - grid.value) < 4.0 * ours.std_error + grid.error, item


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", [LOCAL, HESTON, LSV], ids=name)
def test_paths_of_moving_variance_agree_with_grids_within_what_they_state(model, kind):
    market = two(kind)
    for item in (
        European(strike=100.0, tau=1.0),
        Touch(barrier=85.0, direction="down", tau=1.0),
        Barrier(strike=100.0, barrier=130.0, direction="up", knock="in", tau=1.0),
        DoubleTouch(low=80.0, high=130.0, tau=1.0),
        Phoenix(notional=100.0, initial=100.0, knock_out=1.05, knock_in=0.75, coupon=0.02, coupon_barrier=0.85,
                observations=(0.25, 0.5, 0.75, 1.0)),
    ):  # fmt: skip
        ours, grid = price(item, model, market, method="paths", n_paths=1 << 14), price(item, model, market)
        assert abs(ours.value - grid.value) < 2.0 * ours.std_error + ours.error + grid.error, item


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_local_vol_that_is_flat_walks_from_dividend_to_dividend_as_one_vol_does(kind):
    flat = LocalVol(tau=[0.0], log_moneyness=[0.0], vol=[[0.3]])
    market = two(kind)
    for item in (European(strike=100.0, tau=1.0), Asian(strike=100.0, fixings=(0.2, 0.4, 0.6, 0.8, 1.0))):
        ours, exact = (price(item, m, market, method="paths", n_paths=1 << 14) for m in (flat, MODEL))
        assert abs(ours.value - exact.value) < 4.0 * np.hypot(ours.std_error, exact.std_error) + 1e-3
    closed = float(price(European(strike=100.0, tau=1.0), MODEL, market))
    assert price(European(strike=100.0, tau=1.0), flat, market, method="paths").value == pytest.approx(closed, abs=0.01)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", [MERTON, MODELS[7], MODELS[8]], ids=name)
def test_call_less_put_is_forward_less_strike(model, kind):
    market = two(kind)
    pair = [price(European(strike=95.0, tau=1.0, is_call=c), model, market, method="paths", n_paths=1 << 12, seed=2)
            for c in (True, False)]  # fmt: skip
    gap = pair[0].value - pair[1].value - np.exp(-0.05) * (market.forward(1.0) - 95.0)
    assert abs(gap) < 4.0 * np.hypot(pair[0].std_error, pair[1].std_error) + 1e-8


def test_a_jump_diffusion_without_jumps_is_black_scholes():
    calm = Merton(sigma=0.3, intensity=1e-9, jump_mean=0.0, jump_std=0.01)
    for kind in KINDS:
        item = Barrier(strike=100.0, barrier=85.0, direction="down", knock="out", tau=1.0)
        ours, exact = price(item, calm, two(kind), n_paths=1 << 14), price(item, MODEL, two(kind))
        assert ours.method == "paths" and abs(ours.value - exact.value) < 4.0 * ours.std_error + ours.error


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", [MODEL, HESTON, LOCAL], ids=name)
@pytest.mark.parametrize("is_call", [True, False])
def test_exercise_by_regression_lies_below_the_grid_and_its_dual_above(model, kind, is_call):
    market = two(kind)
    item = Bermudan(strike=100.0, times=(0.24, 0.5, 0.74, 1.0), is_call=is_call)
    found, grid = bounds(item, model, market, n_paths=8_000, n_outer=96, n_inner=32), price(item, model, market)
    assert found.lower - 4.0 * found.lower_error < grid.value + grid.error
    assert found.upper + 4.0 * np.hypot(found.lower_error, found.upper_error) > grid.value - grid.error
    assert found.lower > grid.value - 0.25 and found.upper < grid.value + 0.35


@pytest.mark.parametrize("kind", KINDS)
def test_an_american_call_is_exercised_on_the_eve_of_a_dividend(kind):
    market = paying((0.503, 8.0), model=kind)
    item = American(strike=80.0, tau=1.0, is_call=True)
    found, grid = bounds(item, MODEL, market, n_paths=8_000, n_dates=10, upper=False), price(item, MODEL, market)
    assert np.any(np.abs(found.times - (0.503 - 1e-6)) < 1e-12)
    assert abs(found.lower - grid.value) < 4.0 * found.lower_error + 0.01 * grid.value
    by_name = price(item, MODEL, market, method="longstaff_schwartz", n_paths=4_000, upper=False)
    assert by_name.method == "longstaff_schwartz"


@pytest.mark.parametrize("kind", KINDS)
def test_options_on_options_agree_with_the_plane(kind):
    market = paying((0.2, 4.0), model=kind) if kind == "jump" else two("escrowed")
    call, put = European(strike=100.0, tau=1.0), European(strike=95.0, tau=0.7, is_call=False)
    for item in (Compound(option=call, strike=6.0, tau=0.5), Chooser(call=call, put=put, tau=0.4)):
        ours, grid = price(item, HESTON, market, method="paths", n_paths=1 << 14), price(item, HESTON, market)
        assert grid.method == "adi" and abs(ours.value - grid.value) < 4.0 * ours.std_error + ours.error + grid.error


def test_realised_variance_counts_the_fall():
    market, quiet = paying((0.5, 10.0)), BlackScholes(sigma=1e-3)
    swap = VarianceSwap(strike=0.0, tau=1.0, notional=1.0)
    fall = np.log(1.0 - 10.0 / (100.0 * np.exp(0.025))) ** 2
    assert float(price(swap, quiet, market, n_paths=1 << 8)) == pytest.approx(np.exp(-0.05) * (fall + 1e-6), rel=1e-3)
    held = paying((0.5, 10.0), model="escrowed")
    share = 1.0 - 10.0 * np.exp(-0.025) / 100.0  # of the spot that moves, until the dividend
    near = price(VarianceSwap(strike=0.0, tau=0.5, notional=1.0), MODEL, held, n_paths=1 << 12)
    assert near.value == pytest.approx(np.exp(-0.025) * (0.09 * share**2 + np.log(share) ** 2 / 0.5), rel=0.03)


def test_a_lookback_sees_the_eve_of_a_dividend():
    market = paying((0.5, 10.0))
    quiet = BlackScholes(sigma=0.01)
    found = price(Lookback(tau=0.75, is_call=False), quiet, market, n_paths=1 << 10)
    top, last = 100.0 * np.exp(0.025), market.forward(0.75)
    assert found.value == pytest.approx(np.exp(-0.0375) * (top - last), rel=0.02)


def test_looks_are_added_on_dividend_days_where_a_contract_is_watched_all_the_time():
    market = two("jump")
    assert looked(np.array([0.2, 0.4, 0.8]), market, 0.0).tolist() == [0.2, 0.25, 0.4, 0.75, 0.8]
    assert looked(np.array([0.25, 0.75]), market, 0.0).tolist() == [0.25, 0.75]
    assert looked(np.array([0.6, 0.7]), market, 0.5).tolist() == [0.6, 0.7]
    terms = Terms(snapshot=paying((0.253, 4.0)))
    assert 0.253 in payoff(Touch(barrier=85.0, direction="down", tau=1.0), terms).times
    monthly = Barrier(strike=100.0, barrier=85.0, direction="down", knock="out", tau=1.0, n_monitoring=12)
    assert payoff(monthly, terms).times.size == 12


def test_a_ruined_stock_has_no_return_and_paths_say_so():
    market, wild = paying((0.5, 60.0)), BlackScholes(sigma=0.8)
    block = sample(wild, market, [0.5, 1.0], n_paths=1000)
    gone = block.spot[0] == 0.0
    assert gone.any() and np.all(block.spot[1, gone] == 0.0)
    assert float(price(European(strike=50.0, tau=1.0), wild, market, method="paths")) > 0.0
    for item in (LogContract(strike=100.0, tau=1.0), Cliquet(resets=(0.5, 1.0), local_floor=-0.1, local_cap=0.1)):
        with pytest.raises(NumericalError, match="The payoff is not finite on some path"):
            price(item, wild, market)


def test_limits_and_variance_between_looks_are_refused_by_name():
    knock = Barrier(strike=100.0, barrier=85.0, direction="down", knock="out", tau=1.0, n_monitoring=12)
    with pytest.raises(NoEngineError, match=r"cannot be kept within limits\. Leave out survival=True"):
        price(knock, MODEL, two("jump"), method="paths", survival=True)
    with pytest.raises(NoEngineError, match="VarianceSwap under VarianceGamma by 'auto' must not meet cash"):
        price(VarianceSwap(strike=0.2, tau=1.0), MODELS[7], two("escrowed"))
    found = price(VarianceSwap(strike=0.2, tau=1.0, n_observations=12), MODELS[7], two("escrowed"), n_paths=1 << 10)
    assert found.method == "paths"
    from research.pricing import monte_carlo

    with pytest.raises(InputError, match="cash_dividends must be None here"):
        monte_carlo.simulate(Asian(strike=100.0, fixings=(0.5, 1.0)), MODEL, two("jump"))
