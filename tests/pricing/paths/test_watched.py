"""Contracts watched on the way, and sums of returns, on paths: closed forms, twins with exact jump times, laws."""

from __future__ import annotations

import numpy as np
import pytest

from research.instruments import (
    Barrier,
    Cliquet,
    DoubleBarrier,
    DoubleTouch,
    European,
    ForwardStart,
    Gap,
    LogContract,
    Lookback,
    PartialBarrier,
    PartialLookback,
    Power,
    Supershare,
    Touch,
    VarianceSwap,
    VolatilitySwap,
)
from research.market import flat_snapshot
from research.models import Bates, BlackScholes, Heston, LocalVol, Merton, RoughBergomi, VarianceGamma
from research.pricing import greeks, price
from research.pricing.paths import Block, Logs, simulate, watching

MARKET = flat_snapshot(spot=100.0, rate=0.03, dividend_yield=0.01)
BLACK = BlackScholes(sigma=0.2)
HESTON = Heston(v0=0.04, kappa=1.5, theta=0.05, sigma=0.5, rho=-0.7)
MERTON = Merton(sigma=0.2, intensity=1.0, jump_mean=-0.1, jump_std=0.15)
BATES = Bates(v0=0.04, kappa=1.5, theta=0.05, sigma=0.5, rho=-0.7, intensity=0.5, jump_mean=-0.1, jump_std=0.15)
GAMMA = VarianceGamma(sigma=0.2, nu=0.3, theta=-0.1)
LOCAL = LocalVol(tau=[0.0, 1.0], log_moneyness=[-0.4, 0.0, 0.4], vol=[[0.32, 0.22, 0.16], [0.28, 0.20, 0.17]])
ROUGH = RoughBergomi(hurst=0.1, eta=1.9, rho=-0.9, forward_variance=0.04)
CORRIDOR = {"low": 85.0, "high": 120.0, "tau": 1.0}
HALF = {"strike": 100.0, "barrier": 92.0, "direction": "down", "switch": 0.5, "tau": 1.0}
CONTINUOUS = [
    Lookback(tau=1.0), Lookback(tau=1.0, is_call=False, extreme=110.0), Lookback(tau=1.0, strike=105.0),
    Lookback(tau=1.0, strike=95.0, is_call=False, extreme=96.0), PartialLookback(tau=1.0, switch=0.4, scale=1.05),
    PartialLookback(tau=1.0, switch=0.4, is_call=False), PartialLookback(tau=1.0, switch=0.4, strike=100.0),
    PartialLookback(tau=1.0, switch=0.4, strike=100.0, is_call=False),
    DoubleBarrier(strike=100.0, knock="out", rebate=3.0, **CORRIDOR),
    DoubleBarrier(strike=100.0, knock="out", rebate=3.0, rebate_at="expiry", is_call=False, **CORRIDOR),
    DoubleBarrier(strike=100.0, knock="in", rebate=2.0, **CORRIDOR),
    *(DoubleTouch(pays_if=when, **CORRIDOR) for when in ("none", "either", "low", "high")),
    DoubleTouch(pays_if="low", pays_at="hit", **CORRIDOR), DoubleTouch(pays_if="high", low=97.0, high=103.0, tau=0.1),
    PartialBarrier(knock="out", watched="start", **HALF), PartialBarrier(knock="in", watched="end", rebate=1.0, **HALF),
    PartialBarrier(knock="out", watched="end", **{**HALF, "direction": "either", "barrier": 105.0}),
    Touch(barrier=90.0, direction="down", tau=1.0),
]  # fmt: skip
PLAIN = [
    Gap(strike=100.0, trigger=110.0, tau=1.0), Gap(strike=100.0, trigger=95.0, tau=1.0, is_call=False),
    Supershare(low=90.0, high=110.0, tau=1.0), Power(strike=1e4, power=2.0, tau=1.0), LogContract(strike=90.0, tau=1.0),
    ForwardStart(start=0.4, tau=1.0, strike=1.05), ForwardStart(start=0.4, tau=1.0, is_call=False, on_return=True),
    Cliquet(resets=(0.25, 0.5, 0.75, 1.0), local_floor=-0.02, local_cap=0.05, accrued=0.01, initial=98.0),
    VarianceSwap(strike=0.15, tau=1.0), VarianceSwap(strike=0.15, tau=0.5, n_observations=6, elapsed=0.5,
                                                     elapsed_variance=0.03),
]  # fmt: skip


def names(items):
    return [f"{type(one).__name__}{i}" for i, one in enumerate(items)]


def by_paths(contract, model, **options):
    return price(contract, model, MARKET, method="paths", **{"n_paths": 1 << 13, "replicates": 64, **options})


@pytest.mark.parametrize("contract", CONTINUOUS, ids=names(CONTINUOUS))
def test_bridges_give_the_closed_form_of_what_is_watched_at_every_moment(contract):
    found, exact = by_paths(contract, BLACK), price(contract, BLACK, MARKET)
    assert exact.method == "analytic"
    assert abs(found.value - exact.value) < 4.0 * found.std_error
    more = found.error - 2.0 * found.std_error  # bridges are exact under one vol, but for the moment of a hit
    at_hit = "hit" in (getattr(contract, "pays_at", ""), getattr(contract, "rebate_at", ""))
    amount = getattr(contract, "amount", getattr(contract, "rebate", 0.0)) if at_hit else 0.0
    assert 0.0 <= more <= 0.5 * amount * (1.0 - float(MARKET.discount.df(1.0 / 64.0))) + 1e-15


@pytest.mark.parametrize("model", [HESTON, MERTON, BATES, GAMMA], ids=lambda m: type(m).__name__)
@pytest.mark.parametrize("contract", PLAIN, ids=names(PLAIN))
def test_paths_give_the_closed_forms_of_models_with_a_characteristic_function(contract, model):
    found, exact = by_paths(contract, model), price(contract, model, MARKET)
    assert exact.method != "paths"
    bias = (
        2e-4 if isinstance(model, (Merton, Bates)) and isinstance(contract, VarianceSwap) else 0.0
    )  # jumps of one gap
    scheme = 1e-4 * abs(exact.value) if model in (HESTON, BATES) else 0.0
    assert abs(found.value - exact.value) < 4.0 * found.std_error + exact.error + bias + scheme


@pytest.mark.parametrize("model", [HESTON, MERTON, BATES], ids=lambda m: type(m).__name__)
def test_paths_give_the_expected_volatility_of_the_laplace_transform(model):
    contract = VolatilitySwap(strike=0.2, tau=1.0)
    found, exact = by_paths(contract, model), price(contract, model, MARKET)
    assert abs(found.value - exact.value) < 4.0 * found.std_error + 2e-4


def test_few_looks_are_those_of_an_exhaustive_integral_and_not_a_shifted_barrier():
    # two looks: a double integral over normal moves, against the law of the looks themselves
    z, w = np.polynomial.hermite_e.hermegauss(200)
    w = w / w.sum()
    std, drift = 0.2 * np.sqrt(0.5), (0.02 - 0.5 * 0.04) * 0.5
    first = 100.0 * np.exp(drift + std * z)[:, None]
    last = first * np.exp(drift + std * z)[None, :]
    weight = np.exp(-0.03) * w[:, None] * w[None, :]
    highest = np.maximum(np.maximum(first, last), 100.0)
    inside = (first > 85.0) & (first < 120.0) & (last > 85.0) & (last < 120.0)
    for contract, paid, rough in (
        (Lookback(tau=1.0, strike=90.0, n_monitoring=2), highest - 90.0, 0.02),
        (DoubleTouch(n_monitoring=2, **CORRIDOR), inside, 0.02),
        (PartialBarrier(knock="out", watched="end", n_monitoring=1, **HALF),
         np.where((first > 92.0) & (last > 92.0), np.maximum(last - 100.0, 0.0), 0.0), 0.1),
    ):  # fmt: skip
        found = by_paths(contract, BLACK, n_paths=1 << 15)
        assert abs(found.value - float((weight * paid).sum())) < 4.0 * found.std_error + rough


@pytest.mark.parametrize("model", [HESTON, LOCAL], ids=lambda m: type(m).__name__)
def test_bridged_barriers_meet_finite_differences_within_their_stated_error(model):
    for contract in (
        Barrier(strike=100.0, barrier=90.0, direction="down", knock="out", tau=1.0),
        Barrier(strike=100.0, barrier=115.0, direction="up", knock="in", tau=1.0),
    ):
        found, grid = by_paths(contract, model), price(contract, model, MARKET)
        assert grid.method in ("pde", "adi")
        assert abs(found.value - grid.value) < 4.0 * found.std_error + 0.01


def merton_no_touch(level: float, n: int, seed: int) -> np.ndarray:
    """Chance of each path of Merton's model to stay above a level for a year, with exact jump times and bridges."""
    g = np.random.default_rng(seed)
    count = g.poisson(MERTON.intensity, n)
    shift = MERTON.intensity * np.expm1(MERTON.jump_mean + 0.5 * MERTON.jump_std**2)
    drift = 0.03 - 0.01 - 0.5 * MERTON.sigma**2 - shift
    most = int(count.max())
    times = np.where(np.arange(most) < count[:, None], g.uniform(size=(n, most)), 1.0)
    times = np.column_stack((np.sort(times, axis=1), np.ones(n)))
    x, alive, before = np.full(n, np.log(100.0 / level)), np.ones(n), np.zeros(n)
    for k in range(most + 1):
        dt = times[:, k] - before
        y = x + drift * dt + MERTON.sigma * np.sqrt(dt) * g.standard_normal(n)
        variance = np.maximum(MERTON.sigma**2 * dt, 1e-300)
        alive *= np.where((x > 0.0) & (y > 0.0), -np.expm1(-2.0 * x * np.maximum(y, 0.0) / variance), 0.0)
        jump = np.where(k < count, MERTON.jump_mean + MERTON.jump_std * g.standard_normal(n), 0.0)
        x, before = y + jump, times[:, k]
        alive *= x > 0.0
    return alive


def test_jumps_at_the_end_of_their_gap_cost_less_than_the_stated_error():
    twin = np.exp(-0.03) * merton_no_touch(85.0, 200_000, seed=5)
    contract = Touch(barrier=85.0, direction="down", tau=1.0, is_touch=False, pays_at="expiry")
    found = by_paths(contract, MERTON, n_paths=1 << 15)
    spread = float(np.hypot(found.std_error, twin.std() / np.sqrt(twin.size)))
    assert abs(found.value - twin.mean()) < 3.0 * spread + found.error - 2.0 * found.std_error
    assert abs(found.value - twin.mean()) < 4.0 * spread + 1e-3


@pytest.mark.parametrize("model", [HESTON, BATES, MERTON, GAMMA, LOCAL, ROUGH], ids=lambda m: type(m).__name__)
def test_what_must_add_up_adds_up_on_the_same_paths(model):
    options = {"n_paths": 1 << 11, "control": False, "sampler": "philox"}

    def value(contract):
        return simulate(contract, model, MARKET, **options).value

    parts = [value(DoubleTouch(pays_if=when, **CORRIDOR)) for when in ("none", "low", "high")]
    assert sum(parts) == pytest.approx(np.exp(-0.03), abs=2e-4)
    whole = sum(value(DoubleBarrier(strike=100.0, knock=knock, **CORRIDOR)) for knock in ("in", "out"))
    plain = value(Barrier(strike=100.0, barrier=1e-6, direction="down", knock="out", tau=1.0))  # the same looks
    assert whole == pytest.approx(plain, rel=1e-9)
    assert value(Lookback(tau=1.0)) > value(Lookback(tau=1.0, n_monitoring=16)) > 0.0


def test_rough_paths_price_options_like_the_engine_that_conditions_on_the_variance():
    for strike in (90.0, 100.0, 110.0):
        found = price(European(strike=strike, tau=0.5), ROUGH, MARKET, method="paths", n_paths=1 << 14, seed=3)
        exact = price(European(strike=strike, tau=0.5), ROUGH, MARKET, method="monte_carlo")
        assert abs(found.value - exact.value) < 4.0 * np.hypot(found.std_error, exact.std_error) + 0.01


def test_a_bridge_within_two_levels_is_what_a_fine_walk_sees():
    g = np.random.default_rng(1)
    n, steps = 4000, 4000
    x, y, variance = 0.04, 0.07, 0.01
    low, high = 0.0, 0.12
    w = np.cumsum(g.standard_normal((n, steps)) * np.sqrt(variance / steps), axis=1)
    share = np.arange(1, steps + 1) / steps
    path = x + w - share * w[:, -1:] + share * (y - x)
    shift = 0.5826 * np.sqrt(variance / steps)
    under, over = path < low + shift, path > high - shift
    first_low, first_high = (np.where(hit.any(axis=1), hit.argmax(axis=1), steps) for hit in (under, over))
    gap = watching.Gaps(*(np.array([[v]]) for v in (x, y, y, variance)))
    stay, lower = watching.stayed(gap, low, high).item(), watching.low_first(gap, low, high).item()
    for exact, seen in ((stay, ~under.any(axis=1) & ~over.any(axis=1)), (lower, first_low < first_high)):
        assert abs(seen.mean() - exact) < 4.0 * np.sqrt(exact * (1.0 - exact) / n) + 0.01
    mirror = watching.Gaps(*(np.array([[v]]) for v in (high - x, high - y, high - y, variance)))
    assert stay + lower + watching.low_first(mirror, low, high).item() == pytest.approx(1.0, abs=1e-12)


def test_a_bridge_ends_before_the_jump_of_its_gap():
    spot, jump = np.array([[100.0, 100.0]]), np.array([[0.0, 0.15]])  # the second path fell to 86 and jumped back
    logs = Logs(x=np.zeros((1, 2)), exposed=np.full((1, 2), 0.01), jump=jump)
    chance = watching.missed(watching.gaps(Block(times=np.ones(1), spot=spot, logs=logs), 100.0), np.log(85.0))[0]
    far = np.log(100.0 / 85.0)
    assert chance == pytest.approx(-np.expm1(-2.0 * far * np.array([far, far - 0.15]) / 0.01), rel=1e-12)


def test_a_path_of_jumps_says_what_its_looks_may_miss():
    contract = Lookback(tau=0.5, strike=100.0)
    few, many = (by_paths(contract, GAMMA, watched=n) for n in (16.0, 128.0))
    assert many.value > few.value and few.error > many.value - few.value
    assert few.error > many.error > 2.0 * many.std_error


@pytest.mark.slow
@pytest.mark.parametrize("model", [BATES, GAMMA, LOCAL, ROUGH], ids=lambda m: type(m).__name__)
def test_greeks_of_new_pairs_exist(model):
    short = {"low": 90.0, "high": 112.0, "tau": 0.1}
    for contract in (Lookback(tau=0.1), DoubleTouch(pays_if="low", **short), Cliquet(resets=(0.05, 0.1)),
                     VarianceSwap(strike=0.2, tau=0.1), PartialBarrier(knock="out", watched="end", strike=100.0,
                     barrier=95.0, direction="down", switch=0.05, tau=0.1)):  # fmt: skip
        found = greeks(contract, model, MARKET, method="paths", n_paths=128, control=False,
                       which=("delta", "vega", "theta", "rho"))  # fmt: skip
        assert np.isfinite(found["value"]).all()


def test_theta_ages_the_start_the_resets_and_what_is_nested():
    from research.instruments import Autocallable, Chooser, Composed, Pay
    from research.instruments.expressions import average
    from research.pricing._bumps import aged

    day = 1.0 / 365.0
    assert aged(ForwardStart(start=0.4, tau=1.0), 1.0) == ForwardStart(start=0.4 - day, tau=1.0 - day)
    assert aged(Cliquet(resets=(0.5, 1.0)), 1.0).resets == (0.5 - day, 1.0 - day)
    call, put = European(strike=100.0, tau=1.0), European(strike=95.0, tau=0.8, is_call=False)
    later = aged(Chooser(call=call, put=put, tau=0.3), 1.0)
    assert (later.call.tau, later.put.tau, later.tau) == (1.0 - day, 0.8 - day, 0.3 - day)
    note = aged(Autocallable(initial=100.0, observations=(0.5, 1.0), knock_out=1.03, coupon=0.1), 1.0)
    assert note.accrued == day and note.observations == (0.5 - day, 1.0 - day)
    written = Composed(payments=(Pay(at=1.0, amount=average((0.5, 1.0)) * 2.0),))
    assert aged(written, 1.0) == Composed(payments=(Pay(at=1.0 - day, amount=average((0.5 - day, 1.0 - day)) * 2.0),))
    assert aged(VarianceSwap(strike=0.2, tau=0.5, elapsed=0.25), 1.0).elapsed == 0.25 + day
