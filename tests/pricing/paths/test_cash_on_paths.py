"""Paths of a stock that pays cash: against grids, and the laws of what falls and what is still to come."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from research.errors import NoEngineError, NumericalError
from research.instruments import (
    Airbag,
    American,
    Asian,
    Autocallable,
    Barrier,
    Bermudan,
    Chooser,
    Cliquet,
    Compound,
    Digital,
    DoubleNoTouch,
    DoubleTouch,
    European,
    GammaSwap,
    LogContract,
    Lookback,
    PartialBarrier,
    Phoenix,
    RangeAccrual,
    Touch,
    VarianceSwap,
)
from research.market import CashDividends, flat_snapshot
from research.models import (
    CEV,
    ArbitrageFreeSABR,
    Bachelier,
    Bates,
    BlackScholes,
    BlackTermStructure,
    DisplacedDiffusion,
    Heston,
    LocalStochasticVol,
    LocalVol,
    Merton,
    RoughBergomi,
    VarianceGamma,
)
from research.pricing import greeks, price
from research.pricing._escrow import moving, to_come
from research.pricing.paths import sample
from research.pricing.paths.cash import looked
from research.pricing.paths.engine import simulate
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


@pytest.mark.parametrize("model", [MODEL, HESTON, Bachelier(sigma=25.0), DisplacedDiffusion(sigma=0.2, shift=20.0)],
                         ids=lambda one: type(one).__name__)  # fmt: skip
def test_paths_over_escrowed_cash_are_kept_inside_barriers(model):
    down = Barrier(strike=100.0, barrier=90.0, direction="down", knock="out", tau=1.0, n_monitoring=12)
    up = Barrier(strike=90.0, barrier=120.0, direction="up", knock="out", tau=1.0, n_monitoring=12)
    for item in (down, up):
        free, kept = (simulate(item, model, two("escrowed"), n_paths=1 << 13, survival=one) for one in (False, True))
        assert abs(kept.value - free.value) < 4.0 * np.hypot(kept.std_error, free.std_error) + abs(kept.bias)
        assert kept.std_error < 0.85 * free.std_error


def test_limits_and_variance_between_looks_are_refused_by_name():
    knock = Barrier(strike=100.0, barrier=85.0, direction="down", knock="out", tau=1.0, n_monitoring=12)
    with pytest.raises(
        NoEngineError, match=r"cannot be kept within limits\. Leave out survival=True, or give the cash"
    ):
        price(knock, MODEL, two("jump"), method="paths", survival=True)
    for swap in (VarianceSwap(strike=0.2, tau=1.0), GammaSwap(strike=0.2, tau=1.0, initial=100.0)):
        with pytest.raises(
            NoEngineError, match=r"under VarianceGamma must not meet .* Give n_observations: 'paths' has"
        ):
            price(swap, MODELS[7], two("escrowed"))
    with pytest.raises(
        NoEngineError, match=r"VarianceSwap under CEV must not meet .* Give n_observations: 'paths' has"
    ):
        price(VarianceSwap(strike=0.2, tau=1.0), CEV(sigma=3.0, beta=0.5), two("jump"))
    found = price(VarianceSwap(strike=0.2, tau=1.0, n_observations=12), MODELS[7], two("escrowed"), n_paths=1 << 10)
    assert found.method == "paths"
    from research.pricing import monte_carlo

    with pytest.raises(NoEngineError, match="cash_dividends must be None or model='escrowed' for 'monte_carlo'"):
        monte_carlo.simulate(Asian(strike=100.0, fixings=(0.5, 1.0)), MODEL, two("jump"))


CHARTED = [
    CEV(sigma=3.0, beta=0.5), CEV(sigma=0.3 * 100.0**-0.1, beta=1.1), DisplacedDiffusion(sigma=0.2, shift=60.0),
    DisplacedDiffusion(sigma=0.4, shift=-30.0), Bachelier(sigma=30.0),
    ArbitrageFreeSABR(alpha=3.0, beta=0.5, rho=-0.3, nu=0.5), ArbitrageFreeSABR(alpha=0.3, beta=1.0, rho=-0.3, nu=0.5),
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", CHARTED, ids=lambda model: f"{name(model)}{getattr(model, 'beta', '')}")
def test_prices_that_are_not_lognormal_have_the_forward_of_the_market_for_mean(model, kind):
    market, times = two(kind), np.array([0.1, 0.25, 0.5, 0.75, 1.0])
    block = sample(model, market, times, n_paths=1 << 13, seed=4)
    spread = block.spot.std(axis=1) / np.sqrt(block.n_paths)
    assert np.all(np.abs(block.spot.mean(axis=1) - market.forward(times)) < 4.5 * spread)
    assert block.over_forward(-1).mean() == pytest.approx(1.0, abs=4.5 * float(block.over_forward(-1).std()) / 90.0)
    part = sample(model, market, times, n_paths=64, first_path=200, seed=4)
    assert np.array_equal(block.spot[:, 200:264], part.spot)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("model", "vol"),
    [(CHARTED[0], lambda f: 3.0 * f**-0.5), (CHARTED[2], lambda f: 0.2 * (f + 60.0) / f)], ids=["CEV", "displaced"],
)  # fmt: skip
def test_a_price_that_is_not_lognormal_is_a_local_vol_on_the_grid(model, vol, kind):
    market = two(kind)
    plain = replace(market, cash_dividends=None) if kind == "jump" else moving(market)
    x = np.linspace(-3.0, 1.5, 901)
    twin = LocalVol(tau=[0.0], log_moneyness=x, vol=[vol(float(plain.forward(1.0)) * np.exp(x))])
    for item in (
        European(strike=100.0, tau=1.0), Touch(barrier=85.0, direction="down", tau=1.0),
        Barrier(strike=100.0, barrier=130.0, direction="up", knock="in", tau=1.0),
        Barrier(strike=100.0, barrier=85.0, direction="down", knock="out", tau=1.0, n_monitoring=12),
    ):  # fmt: skip
        ours = price(item, model, market, method="paths", n_paths=1 << 13)
        grid = price(item, twin, market, method="pde")
        assert abs(ours.value - grid.value) < 2.0 * ours.std_error + ours.error + grid.error, item


@pytest.mark.parametrize("kind", KINDS)
def test_no_shift_is_one_volatility_that_meets_cash(kind):
    market, item = two(kind), Barrier(strike=100.0, barrier=85.0, direction="down", knock="out", tau=1.0)
    found, exact = (price(item, model, market, method="paths", n_paths=1 << 13)
                    for model in (DisplacedDiffusion(sigma=0.3, shift=0.0), MODEL))  # fmt: skip
    assert abs(found.value - exact.value) < 4.0 * np.hypot(found.std_error, exact.std_error) + exact.error


def test_a_shifted_price_that_cannot_pay_stays_at_its_lowest():
    market = paying((0.5, 90.0))
    block = sample(DisplacedDiffusion(sigma=0.6, shift=-20.0), market, [0.5, 1.0], n_paths=4096, seed=1)
    poor = np.isclose(block.spot[0], 20.0 * np.exp(-0.05 * 0.5), rtol=1e-9)  # of the forward's 20 a year on
    assert 0.1 < poor.mean() < 0.9
    assert np.allclose(block.spot[1, poor], 20.0, rtol=1e-9)


@pytest.mark.parametrize("model", [CHARTED[0], CHARTED[4]], ids=name)
def test_american_options_of_prices_that_are_not_lognormal_meet_cash(model):
    market = two("jump")
    early, late = American(strike=100.0, tau=1.0, is_call=True), European(strike=100.0, tau=1.0)
    found = bounds(early, model, market, n_paths=2_000, n_dates=12, n_outer=64, n_inner=16)
    assert found.lower > price(late, model, market, method="paths", n_paths=1 << 12).value - 4.0 * found.lower_error
    assert found.upper > found.lower - 3.0 * np.hypot(found.upper_error, found.lower_error)


SNOWBALL = Autocallable(notional=100.0, initial=100.0, knock_out=1.03, knock_in=0.75, coupon=0.15,
                        observations=tuple(np.arange(3, 13) / 12.0))  # fmt: skip
NOTES = [
    SNOWBALL, DoubleNoTouch(low=0.7, high=1.4, initial=100.0, rate=0.05, notional=100.0, tau=1.0),
    Airbag(notional=100.0, initial=100.0, knock_in=0.8, tau=1.0),
    RangeAccrual(notional=100.0, initial=100.0, low=0.9, high=1.1, rate=0.1, tau=1.0),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS[:2], ids=name)
def test_escrowed_cash_moves_the_levels_of_notes(model):
    """By Sobol' paths of what moves and by quadrature, against a grid in the quoted spot."""
    market = two("escrowed")
    for item in NOTES:
        grid, nodes = (price(item, model, market, method=m) for m in ("pde", "quadrature"))
        assert abs(nodes.value - grid.value) < nodes.error + grid.error, item
        fused = price(item, model, market, method="monte_carlo", n_paths=1 << 14)
        assert abs(fused.value - nodes.value) < 4.5 * fused.std_error + nodes.error, item


@pytest.mark.parametrize("strike", [100.0, None])
def test_escrowed_cash_is_a_known_part_of_an_average(strike):
    item, market = Asian(strike=strike, fixings=(0.2, 0.4, 0.6, 0.8, 1.0)), two("escrowed")
    fused, paths = (price(item, MODEL, market, method=m, n_paths=1 << 14) for m in ("monte_carlo", "paths"))
    assert abs(fused.value - paths.value) < 4.0 * np.hypot(fused.std_error, paths.std_error)
    with pytest.raises(NoEngineError, match="must be None for a geometric average"):
        price(replace(item, average="geometric"), MODEL, market, method="monte_carlo")


def test_paths_of_one_volatility_hold_what_is_still_to_come():
    from research.pricing import monte_carlo

    market, times = two("escrowed"), np.array([0.1, 0.25, 0.5, 1.0])
    spots = monte_carlo.paths(MODEL, market, times, n_paths=1 << 13, sampler="sobol")
    assert np.all(np.abs(spots.mean(axis=1) / market.forward(times) - 1.0) < 1e-3)
    assert np.all(spots >= to_come(market, times)[:, None])
    with pytest.raises(NoEngineError, match="for 'monte_carlo'"):
        monte_carlo.paths(MODEL, two("jump"), times, n_paths=8)


def test_a_grid_of_notes_is_read_at_the_quoted_spot():
    from research.pricing._note_grid import note_grid

    market = two("escrowed")
    made = note_grid(SNOWBALL, [0.25, 0.3, 0.35], market, spots=(60.0, 150.0))
    value, delta, gamma = (float(one[0]) for one in made.look(0, [100.0], 0.3, [False]))
    exact = price(SNOWBALL, MODEL, market, method="quadrature")
    assert value == pytest.approx(exact.value, abs=1e-4)
    grid = greeks(SNOWBALL, MODEL, market, which=("delta", "gamma"), method="pde").value
    assert delta == pytest.approx(grid[0], abs=1e-3) and gamma == pytest.approx(grid[1], abs=1e-3)
    with pytest.raises(NoEngineError, match="for a grid of notes"):
        note_grid(SNOWBALL, [0.3], two("jump"), spots=(60.0, 150.0))
