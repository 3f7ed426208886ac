"""Laws of exotic contracts: parities, bounds, limits, simulations, extremes, refusals."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from research.errors import InputError, NoEngineError
from research.instruments import (
    Asian,
    Barrier,
    Chooser,
    Cliquet,
    Compo,
    Compound,
    DoubleBarrier,
    DoubleNoTouch,
    DoubleTouch,
    DualCurrencyDeposit,
    European,
    ForwardStart,
    Gap,
    LogContract,
    Lookback,
    PartialBarrier,
    PartialLookback,
    Power,
    Quanto,
    Supershare,
    Touch,
    VarianceSwap,
    VolatilitySwap,
    contract_from_json,
    to_json,
)
from research.market import DiscountCurve, Snapshot, flat_snapshot
from research.models import SVI, BlackScholes, CrossCurrency, Heston, Merton, SVISurface, VarianceGamma
from research.pricing import price

MARKET = flat_snapshot(spot=100.0, rate=0.04, dividend_yield=0.01)
MODEL = BlackScholes(sigma=0.25)
CALL, PUT = European(strike=100.0, tau=1.0), European(strike=100.0, tau=1.0, is_call=False)


def of(contract, model=MODEL, market=MARKET, **options):
    return float(price(contract, model, market, **options))


@pytest.mark.parametrize(("low", "high", "tau"), [(80.0, 125.0, 1.0), (80.0, 125.0, 0.9), (97.0, 104.0, 0.02)])
def test_both_series_of_a_corridor_agree(low, high, tau):
    book = [
        DoubleBarrier(strike=99.0, low=low, high=high, knock="out", tau=tau, rebate=2.0, rebate_at=at, is_call=c)
        for at in ("hit", "expiry") for c in (True, False)
    ]  # fmt: skip
    images, waves = (price(book, MODEL, MARKET, series=s).value for s in ("images", "eigenfunctions"))
    assert images == pytest.approx(waves, abs=1e-12)


def test_touches_of_a_corridor_make_a_bond_and_a_far_barrier_leaves_a_single_one():
    given = {"low": 85.0, "high": 120.0, "tau": 1.0}
    parts = [DoubleTouch(pays_if=one, **given) for one in ("low", "high", "none")]
    assert sum(of(part) for part in parts) == pytest.approx(np.exp(-0.04), abs=1e-14)
    assert of(DoubleTouch(pays_if="either", **given)) == pytest.approx(of(parts[0]) + of(parts[1]), abs=1e-14)
    for pays_if, barrier, direction in (("low", 85.0, "down"), ("high", 120.0, "up")):
        wide = {"low": 85.0, "high": 1e6} if direction == "down" else {"low": 1e-4, "high": 120.0}
        for pays_at in ("hit", "expiry"):
            single = Touch(barrier=barrier, direction=direction, tau=1.0, pays_at=pays_at)
            assert of(DoubleTouch(pays_if=pays_if, pays_at=pays_at, tau=1.0, **wide)) == pytest.approx(
                of(single), abs=1e-13
            )
    one = DoubleBarrier(strike=95.0, low=85.0, high=1e6, knock="out", tau=1.0, rebate=3.0)
    single = Barrier(strike=95.0, barrier=85.0, direction="down", knock="out", tau=1.0, rebate=3.0)
    assert of(one) == pytest.approx(of(single), abs=1e-11)


def test_a_payment_at_the_hit_is_the_integral_of_the_hit_probability():
    # integration by parts: exp(-r T) P(T) + r times the integral of exp(-r t) P(t)
    x, w = np.polynomial.legendre.leggauss(200)
    t = 0.5 * (x + 1.0)
    hit = np.array([1.0 - of(DoubleTouch(low=85.0, high=120.0, tau=one)) * np.exp(0.04 * one) for one in t])
    last = 1.0 - of(DoubleTouch(low=85.0, high=120.0, tau=1.0)) * np.exp(0.04)
    expected = np.exp(-0.04) * last + 0.04 * 0.5 * w @ (np.exp(-0.04 * t) * hit)
    found = of(DoubleTouch(low=85.0, high=120.0, tau=1.0, pays_if="either", pays_at="hit"))
    assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("sigma", [0.001, 0.02, 5.0])
@pytest.mark.parametrize("tau", [1 / 8760, 50.0])
@pytest.mark.parametrize("rate", [-0.02, 0.0, 0.05])
def test_extremes_stay_within_bounds(sigma, tau, rate):
    model, market = BlackScholes(sigma=sigma), flat_snapshot(spot=100.0, rate=rate, dividend_yield=0.01)
    whole = {c: of(European(strike=103.0, tau=tau, is_call=c), model, market) for c in (True, False)}
    far = 1e-9 + 1e-12 * 100.0 * np.exp(0.06 * tau)
    for c, bound in whole.items():
        for knock in ("out", "in"):
            two = DoubleBarrier(strike=103.0, low=80.0, high=130.0, knock=knock, tau=tau, is_call=c)
            assert -far <= of(two, model, market) <= bound + far
            for watched, direction in (("start", "down"), ("end", "up"), ("end", "either")):
                part = PartialBarrier(strike=103.0, barrier=91.0, direction=direction, knock=knock, watched=watched,
                                      switch=0.3 * tau, tau=tau, is_call=c)  # fmt: skip
                assert -far <= of(part, model, market) <= bound + far
        fixed = of(Lookback(strike=103.0, tau=tau, is_call=c), model, market)
        assert fixed >= bound - far
        assert bound - far <= of(PartialLookback(strike=103.0, switch=0.5 * tau, tau=tau, is_call=c), model, market)
        assert (
            of(PartialLookback(switch=0.5 * tau, tau=tau, is_call=c), model, market)
            <= of(Lookback(tau=tau, is_call=c), model, market) * (1 + 1e-9) + far
        )
    bond = np.exp(-rate * tau)
    assert 0.0 <= of(DoubleTouch(low=80.0, high=130.0, tau=tau), model, market) <= bound_of(bond)


def bound_of(bond: float) -> float:
    return bond * (1.0 + 1e-12)


def test_partial_barriers_watched_all_the_time_are_whole_ones():
    for direction, barrier in (("down", 90.0), ("up", 115.0)):
        given = {"strike": 100.0, "barrier": barrier, "direction": direction, "knock": "out", "tau": 1.0}
        whole = of(Barrier(**given))
        assert of(PartialBarrier(watched="start", switch=1.0 - 1e-12, **given)) == pytest.approx(whole, abs=1e-4)
        assert of(PartialBarrier(watched="end", switch=1e-12, **given)) == pytest.approx(whole, abs=1e-4)
        early, late = (of(PartialBarrier(watched="start", switch=t, **given)) for t in (0.3, 0.7))
        assert whole < late < early < of(CALL)


def test_lookback_parities_and_the_partial_one_of_the_whole_life():
    # floating call + fixed put struck at the extreme's start = ...: S - min = (S - K) + max(K - min, 0) for K >= min
    forward = 100.0 - 100.0 * np.exp(-0.03)
    assert of(Lookback(tau=1.0)) == pytest.approx(
        of(Lookback(strike=100.0, tau=1.0, is_call=False)) + 100 * np.exp(-0.01) - 100 * np.exp(-0.04), abs=1e-11
    )
    assert forward > 0.0
    for is_call in (True, False):
        whole = of(Lookback(tau=1.0, is_call=is_call))
        assert of(PartialLookback(switch=1.0 - 1e-10, tau=1.0, is_call=is_call)) == pytest.approx(whole, abs=1e-3)
        fixed = of(Lookback(strike=103.0, tau=1.0, is_call=is_call))
        assert of(PartialLookback(strike=103.0, switch=1e-10, tau=1.0, is_call=is_call)) == pytest.approx(
            fixed, abs=1e-3
        )


def test_lookbacks_have_no_hole_at_a_carry_of_zero():
    # limits in 50 digits, as quoted in QuantLib's test-suite/lookbackoptions.cpp, to its tolerance
    market, model = flat_snapshot(spot=100.0, rate=0.05, dividend_yield=0.05), BlackScholes(sigma=0.3)
    assert of(Lookback(tau=1.0, extreme=90.0), model, market) == pytest.approx(21.817075601551579, abs=1e-8)
    assert of(Lookback(tau=1.0, extreme=110.0, is_call=False), model, market) == pytest.approx(
        26.407720137984153, abs=1e-8
    )
    fixed = Lookback(strike=105.0, tau=1.0, extreme=100.0)
    assert of(fixed, model, market) == pytest.approx(20.604933499041011, abs=1e-8)
    near = [of(fixed, model, flat_snapshot(spot=100.0, rate=0.05 + e, dividend_yield=0.05)) for e in (-1e-3, 1e-3)]
    assert np.mean(near) == pytest.approx(20.604933499041011, abs=1e-3)


def test_discrete_looks_agree_with_a_simulation():
    rng, n, looks = np.random.default_rng(4), 30_000, 50
    z = rng.standard_normal((n, looks))
    z = np.concatenate([z, -z])
    x = np.cumsum((0.03 - 0.03125) / looks + 0.25 / np.sqrt(looks) * z, axis=1)
    s, top, low = 100 * np.exp(x[:, -1]), 100 * np.exp(np.maximum(x.max(1), 0)), 100 * np.exp(np.minimum(x.min(1), 0))
    alive = (top < 125.0) & (low > 80.0)
    cases = [
        (Lookback(tau=1.0, n_monitoring=looks), s - low),
        (Lookback(strike=105.0, tau=1.0, n_monitoring=looks), np.maximum(top - 105.0, 0.0)),
        (DoubleBarrier(strike=100.0, low=80.0, high=125.0, knock="out", tau=1.0, n_monitoring=looks),
         alive * np.maximum(s - 100.0, 0.0)),
        (DoubleTouch(low=80.0, high=125.0, tau=1.0, n_monitoring=looks), alive * 1.0),
    ]  # fmt: skip
    for contract, paid in cases:
        found, pairs = price(contract, MODEL, MARKET), np.exp(-0.04) * 0.5 * (paid[:n] + paid[n:])
        assert abs(found.value - pairs.mean()) < 4.0 * pairs.std() / np.sqrt(n) + found.error, contract


def test_a_double_no_touch_deposit_agrees_with_its_simulation():
    deposit = DoubleNoTouch(initial=100.0, low=0.85, high=1.2, rate=0.06, touched_rate=0.01, tau=0.5)
    closed, simulated = (price(deposit, MODEL, MARKET, method=m) for m in ("analytic", "monte_carlo"))
    assert abs(closed.value - simulated.value) < 4.0 * simulated.std_error + closed.error
    assert price(deposit, MODEL, MARKET).method == "analytic"  # day by day, to rounding


def test_parities_of_compounds_choosers_and_forward_starts():
    for option in (CALL, PUT):
        call, put = (of(Compound(option=option, strike=8.0, tau=0.4, is_call=c)) for c in (True, False))
        assert call - put == pytest.approx(of(option) - 8.0 * np.exp(-0.016), abs=1e-12)
    assert of(Compound(option=CALL, strike=1e-12, tau=0.4)) == pytest.approx(of(CALL), abs=1e-10)
    simple = of(Chooser(call=CALL, put=PUT, tau=0.5))
    assert max(of(CALL), of(PUT)) < simple < of(CALL) + of(PUT)
    # a chooser of one strike is a call and a put on the forward, Rubinstein (1991)
    put_leg = European(strike=100.0 * np.exp(-0.03 * 0.5), tau=0.5, is_call=False)
    assert simple == pytest.approx(of(CALL) + np.exp(-0.01 * 0.5) * of(put_leg), abs=1e-11)
    for model in (
        MODEL,
        Heston(v0=0.04, kappa=1.5, theta=0.06, sigma=0.5, rho=-0.7),
        VarianceGamma(sigma=0.2, nu=0.2, theta=-0.1),
    ):
        pair = [of(ForwardStart(start=0.5, strike=1.05, tau=1.5, is_call=c), model) for c in (True, False)]
        forward = 100.0 * np.exp(-0.015) - 1.05 * 100.0 * np.exp(-0.005 - 0.04)
        assert pair[0] - pair[1] == pytest.approx(forward, abs=1e-9)


def test_a_forward_start_that_starts_now_is_a_european_option():
    heston = Heston(v0=0.04, kappa=1.5, theta=0.06, sigma=0.5, rho=-0.7)
    calm = Heston(v0=0.0625, kappa=0.0, theta=0.0, sigma=0.0, rho=0.0)
    for model in (heston, Merton(sigma=0.15, intensity=0.5, jump_mean=-0.1, jump_std=0.1)):
        option = European(strike=105.0, tau=1.0)
        assert of(ForwardStart(start=1e-10, strike=1.05, tau=1.0), model) == pytest.approx(of(option, model), abs=1e-7)
    late = ForwardStart(start=0.5, strike=1.1, tau=1.0)
    assert of(late, calm) == pytest.approx(of(late), abs=1e-11)
    assert of(late, Heston(v0=0.0625, kappa=1.0, theta=0.0625, sigma=1e-5, rho=0.0)) == pytest.approx(
        of(late), abs=1e-6
    )


RESETS = tuple(float(t) for t in np.arange(1, 13) / 12)


def test_cliquets_are_sums_of_forward_starts():
    for model in (MODEL, Heston(v0=0.04, kappa=1.5, theta=0.06, sigma=0.5, rho=-0.7)):
        parts = 0.0
        for i, end in enumerate(RESETS):
            given = {"tau": end, "strike": 1.0, "on_return": True}
            if i == 0:
                parts += of(European(strike=100.0, tau=end), model) / 100.0 * np.exp(0.04 * (end - 1.0))
                continue
            parts += of(ForwardStart(start=RESETS[i - 1], **given), model) * np.exp(0.04 * (end - 1.0))
        assert of(Cliquet(resets=RESETS), model) == pytest.approx(100.0 * parts, abs=1e-8)


@pytest.mark.parametrize("bounds", [(-0.02, 0.03, 0.0, 0.2), (-1.0, None, 0.0, None), (0.0, 0.02, 0.05, None)])
def test_bounded_cliquets_agree_with_a_simulation(bounds):
    local_floor, local_cap, floor, cap = bounds
    contract = Cliquet(resets=RESETS, local_floor=local_floor, local_cap=local_cap, global_floor=floor, global_cap=cap)
    rng, n = np.random.default_rng(6), 100_000
    z = rng.standard_normal((n, 12))
    z = np.concatenate([z, -z])
    one = np.expm1((0.03 - 0.03125) / 12 + 0.25 / np.sqrt(12) * z)
    total = np.clip(one, local_floor, np.inf if local_cap is None else local_cap).sum(axis=1)
    paid = 100.0 * np.exp(-0.04) * np.clip(total, floor, np.inf if cap is None else cap)
    pairs, found = 0.5 * (paid[:n] + paid[n:]), price(contract, MODEL, MARKET)
    assert abs(found.value - pairs.mean()) < 4.0 * pairs.std() / np.sqrt(n)
    finer = price(contract, MODEL, MARKET, n_grid=16384)
    assert abs(found.value - finer.value) < found.error < 1e-3


def test_bounds_that_cannot_bind_change_nothing_and_one_period_is_a_call_spread():
    plain = {"resets": RESETS, "local_floor": -0.01, "local_cap": 0.02}
    free = of(Cliquet(**plain))
    assert of(Cliquet(global_floor=-0.5, global_cap=0.5, **plain)) == pytest.approx(free, abs=1e-9)
    spread = of(European(strike=100.0, tau=1.0)) - of(European(strike=110.0, tau=1.0))
    single = Cliquet(resets=(1.0,), local_floor=-1.0, global_floor=0.0, global_cap=0.1)
    assert of(single) == pytest.approx(spread, abs=1e-11)
    seasoned = Cliquet(resets=(1.0,), local_floor=-1.0, accrued=0.05, initial=90.0, global_floor=0.02)
    level = 90.0 * (1.0 + 0.02 - 0.05)
    expected = 100.0 / 90.0 * of(European(strike=level, tau=1.0)) + 2.0 * np.exp(-0.04)
    assert of(seasoned) == pytest.approx(expected, abs=1e-11)


def test_a_cliquet_with_bounds_needs_independent_returns():
    heston = Heston(v0=0.04, kappa=1.5, theta=0.06, sigma=0.5, rho=-0.7)
    with pytest.raises(
        NoEngineError, match=r"model must have independent returns .* got 'Heston'\. Use method='paths'"
    ):
        price(Cliquet(resets=RESETS, global_floor=0.0), heston, MARKET, method="convolution")
    assert price(Cliquet(resets=RESETS, global_floor=0.0), heston, MARKET).method == "paths"


BOOK = [
    DoubleBarrier(strike=99.0, low=80.0, high=120.0, knock="in", tau=0.5, n_monitoring=12),
    DoubleTouch(low=80.0, high=120.0, tau=0.5, pays_if="low", pays_at="hit"),
    PartialBarrier(strike=99.0, barrier=80.0, direction="down", knock="out", watched="end", switch=date(2000, 3, 1),
                   expiry=date(2000, 9, 1)),
    Lookback(tau=0.5), PartialLookback(strike=99.0, switch=0.25, tau=0.5), ForwardStart(start=0.25, tau=0.5),
    Cliquet(resets=RESETS, global_floor=0.0), Compound(option=CALL, strike=3.0, tau=0.5),
    Chooser(call=CALL, put=PUT, tau=0.5), Power(strike=9000.0, power=2.0, tau=0.5),
    Gap(strike=95.0, trigger=105.0, tau=0.5), Supershare(low=90.0, high=110.0, tau=0.5),
    LogContract(strike=100.0, tau=0.5), VarianceSwap(strike=0.2, tau=0.5), VolatilitySwap(strike=0.2, tau=0.5),
    DualCurrencyDeposit(strike=105.0, coupon=0.05, tau=0.5),
]  # fmt: skip


def test_a_book_of_every_kind_is_priced_in_one_call_and_survives_json():
    found = price(BOOK, MODEL, MARKET)
    assert np.isfinite(found.value).all() and (found.error < 0.5).all()
    assert [contract_from_json(to_json(item)) for item in BOOK] == BOOK
    for contract in (Quanto(strike=99.0, tau=0.5), Compo(strike=99.0, tau=0.5)):
        assert contract_from_json(to_json(contract)) == contract
    model = CrossCurrency(sigma=0.2, fx_vol=0.1, correlation=1.0, payout_rate=0.02)
    assert CrossCurrency.from_json(model.to_json()) == model


def test_geometric_asians_are_exact_and_arithmetic_ones_are_simulated():
    days = tuple(float(t) for t in np.arange(1, 13) / 12)
    for given in ({"strike": 100.0}, {}):
        exact = price(Asian(fixings=days, average="geometric", **given), MODEL, MARKET, method="analytic")
        assert exact.error < 1e-11
        arithmetic = price(Asian(fixings=days, **given), MODEL, MARKET, n_paths=4096)
        assert arithmetic.method == "monte_carlo"
        assert abs(arithmetic.value - exact.value) < 0.5
    one = of(Asian(fixings=(1.0,), strike=100.0, average="geometric"))
    assert one == pytest.approx(of(CALL), abs=1e-12)
    with pytest.raises(NoEngineError, match="average must be geometric for method='analytic'; got 'arithmetic'"):
        price(Asian(fixings=days, strike=100.0), MODEL, MARKET, method="analytic")


def test_one_curve_up_to_expiry_or_the_whole_curve():
    curve = DiscountCurve(as_of=MARKET.as_of, tau=np.array([0.25, 2.0]), zero_rate=np.array([0.01, 0.05]))
    market = Snapshot(as_of=MARKET.as_of, spot=100.0, discount=curve)
    with pytest.raises(NoEngineError, match=r"zero_rate must be one rate up to expiry .* Use method='auto'"):
        price(Lookback(tau=1.0), MODEL, market, method="analytic")
    assert price(Lookback(tau=0.3), MODEL, market).method == "paths"
    parity = of(Compound(option=CALL, strike=8.0, tau=0.4), MODEL, market) - of(
        Compound(option=CALL, strike=8.0, tau=0.4, is_call=False), MODEL, market
    )
    assert parity == pytest.approx(of(CALL, MODEL, market) - 8.0 * curve.df(0.4), abs=1e-12)


def early(**terms):
    return PartialBarrier(strike=1.0, knock="out", watched="start", switch=0.5, tau=1.0, **terms)


REFUSED = [
    (lambda: of(DoubleBarrier(strike=1.0, low=100.0, high=120.0, knock="out", tau=1.0)),
     r"low must lie below the spot, 100; got 100\. A knock-out option whose barrier is already breached is a paid"),
    (lambda: of(DoubleTouch(low=80.0, high=90.0, tau=1.0)),
     r"high must lie above the spot, 100; got 90\. The barrier is already breached"),
    (lambda: of(early(barrier=110.0, direction="down")), "barrier must lie below the spot, 100; got 110"),
    (lambda: early(barrier=110.0, direction="either"), "direction must be one of down, up here; got 'either'"),
    (lambda: DoubleTouch(low=120.0, high=90.0, tau=1.0), "low must lie below high, 90; got 120"),
    (lambda: DoubleTouch(low=80.0, high=90.0, tau=1.0, pays_at="hit"), "pays_at must be 'expiry' where none may be"),
    (lambda: of(Lookback(tau=1.0, extreme=120.0)),
     "extreme must be the lowest price so far, the spot 100 included; got 120"),
    (lambda: PartialLookback(switch=1.0, tau=1.0), r"switch must lie before expiry, 1\.0; got 1"),
    (lambda: ForwardStart(start=0.5, strike=105.0, tau=1.0), "Levels are fractions of the initial price"),
    (lambda: Cliquet(resets=(1.0,), local_floor=0.02, local_cap=0.01), "local_cap must be finite and above the floor"),
    (lambda: of(Compound(option=CALL, strike=1.0, tau=1.0)), r"option\.expiry must lie after the first date"),
    (lambda: Chooser(call=PUT, put=CALL, tau=0.5), "call must be a European call"),
    (lambda: VarianceSwap(strike=20.0, tau=1.0), r"A decimal volatility is wanted: 20% is 0\.20"),
    (lambda: CrossCurrency(sigma=0.2, fx_vol=0.1, correlation=1.5, payout_rate=0.0),
     r"correlation must lie in \[-1, 1\]; got 1\.5"),
    (lambda: of(Lookback(tau=1.0), BlackScholes(sigma=0.0)), "sigma must be > 0 here"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "message"), REFUSED)
def test_what_makes_no_sense_is_refused_by_name(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_a_path_dependent_contract_needs_a_model_of_paths():
    message = r"has none of lognormal, .*paths, needed to price Lookback\. SVISurface says what options cost, .*dupire"
    with pytest.raises(NoEngineError, match=message):
        price(
            Lookback(tau=1.0), SVISurface(tau=(1.0,), slices=(SVI(a=0.04, b=0.0, rho=0.0, m=0.0, sigma=0.1),)), MARKET
        )
