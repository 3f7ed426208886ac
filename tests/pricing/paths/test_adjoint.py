"""One sweep backwards: against differences of payoffs, bumps on common paths, closed forms and Fourier integrals."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numba
import numpy as np
import pytest

from research.errors import NoEngineError
from research.instruments import (
    Asian,
    Barrier,
    Cliquet,
    Composed,
    Digital,
    DoubleBarrier,
    DoubleTouch,
    DualCurrencyDeposit,
    European,
    ForwardStart,
    LogContract,
    Lookback,
    PartialBarrier,
    PartialLookback,
    Pay,
    Power,
    StructuredDeposit,
    Touch,
    VarianceSwap,
    VolatilitySwap,
)
from research.instruments.expressions import average, maximum, touched_above, where
from research.market import DiscountCurve, Snapshot, flat_snapshot
from research.models import Bates, BlackScholes, BlackTermStructure, Heston, LocalStochasticVol, LocalVol, Merton
from research.pricing import greeks, price
from research.pricing.paths.adjoint import FIRST, adjoint
from research.pricing.paths.generators import Block, Logs, Request, generator
from research.pricing.paths.payoffs import Terms, payoff
from research.pricing.paths.traced import Tape, slopes

FLAT = flat_snapshot(spot=100.0, rate=0.03, dividend_yield=0.01)
CURVE = DiscountCurve(as_of=FLAT.as_of, tau=[0.25, 1.0, 3.0], zero_rate=[0.01, 0.03, 0.025])
SLOPED = Snapshot(as_of=FLAT.as_of, spot=100.0, discount=CURVE, dividend_yields=DiscountCurve(
    as_of=FLAT.as_of, tau=[0.5, 2.0], zero_rate=[0.0, 0.02]))  # fmt: skip
QUARTERS, UNTIL = (0.25, 0.5, 0.75, 1.0), {"tau": 1.0}
RISING = BlackTermStructure(tau=(0.5, 1.0), implied=(0.2, 0.22))
HESTON = Heston(v0=0.04, kappa=1.5, theta=0.04, sigma=0.5, rho=-0.7)
BATES = Bates(v0=0.04, kappa=1.5, theta=0.04, sigma=0.5, rho=-0.7, intensity=0.2, jump_mean=-0.1, jump_std=0.1)
LOCAL = LocalVol(tau=[0.0, 1.0], log_moneyness=[-0.5, -0.2, 0.0, 0.2, 0.5],
                 vol=[[0.32, 0.25, 0.2, 0.18, 0.17], [0.28, 0.23, 0.2, 0.185, 0.18]])  # fmt: skip
LEVERED = LocalStochasticVol(heston=HESTON, leverage=LocalVol(
    tau=[0.0, 1.0], log_moneyness=[-0.5, 0.0, 0.5], vol=[[1.1, 1.0, 0.95], [1.1, 1.0, 0.95]]))  # fmt: skip
ASIAN, CALL = Asian(fixings=QUARTERS, strike=100.0), European(strike=105.0, **UNTIL)
DOWN: dict[str, Any] = {"strike": 100.0, "barrier": 85.0, "direction": "down", "knock": "out", **UNTIL}
SMOOTH: list[Any] = [
    CALL, ASIAN, Asian(fixings=QUARTERS), Asian(fixings=QUARTERS, strike=100.0, average="geometric"),
    Power(strike=100.0, power=2.0, **UNTIL), LogContract(strike=100.0, **UNTIL),
    DualCurrencyDeposit(strike=100.0, coupon=0.1, **UNTIL), ForwardStart(start=0.5, on_return=True, **UNTIL),
    Cliquet(resets=QUARTERS, local_floor=0.0, local_cap=0.05, global_floor=0.02, global_cap=0.12),
    VarianceSwap(strike=0.2, **UNTIL), VarianceSwap(strike=0.2, n_observations=12, **UNTIL),
    VolatilitySwap(strike=0.2, **UNTIL), StructuredDeposit(initial=100.0, strike=1.0, width=0.2, **UNTIL),
    Lookback(strike=100.0, **UNTIL), Lookback(n_monitoring=12, **UNTIL), PartialLookback(switch=0.5, **UNTIL),
    Barrier(**DOWN, rebate=2.0), Barrier(**DOWN | {"knock": "in"}), Touch(barrier=85.0, direction="down", **UNTIL),
    DoubleBarrier(strike=100.0, low=80.0, high=125.0, knock="out", **UNTIL),
    DoubleTouch(low=80.0, high=125.0, pays_if="low", **UNTIL), PartialBarrier(**DOWN, watched="start", switch=0.5),
    Composed(payments=(Pay(at=1.0, amount=maximum(average(QUARTERS) - 100.0, 0.0)),)),
]  # fmt: skip


@pytest.mark.parametrize("item", SMOOTH, ids=lambda c: type(c).__name__)
def test_the_derivative_of_a_payoff_by_what_it_saw_is_its_difference(item: Any) -> None:
    paid = payoff(item, Terms(snapshot=FLAT, watched=16.0))
    made = generator(HESTON, Request(snapshot=FLAT, times=paid.times))
    block = made.block(np.zeros((0, 33), dtype=np.int64), 1, 0, 0, 64)
    exposed, forward = block.logs.exposed, made.forward[:, None]
    assert exposed is not None
    tape = Tape()
    spot, met = tape.variable(block.spot), tape.variable(exposed)

    def value(prices: Any, variances: Any) -> Any:
        return paid.value(
            Block(times=block.times, spot=prices, logs=Logs(x=np.log(prices / forward), exposed=variances))
        )

    found = slopes(value(spot, met), [spot, met])
    for k in range(0, paid.times.size, 3):
        for place, array in enumerate((block.spot, exposed)):
            ends = []
            for side in (1.0, -1.0):
                moved = [block.spot.copy(), exposed.copy()]
                moved[place][k] *= 1.0 + side * 1e-6
                ends.append(value(*moved))
            other = (ends[0] - ends[1]) / 2e-6
            np.testing.assert_allclose(found[place][k] * array[k], other, rtol=2e-5, atol=1e-7 * item_size(item))


def item_size(item: Any) -> float:
    return 1e4 if isinstance(item, (Power, DualCurrencyDeposit)) else 100.0


PAIRS = [
    (ASIAN, RISING), (ASIAN, HESTON), (ASIAN, BATES), (Lookback(strike=110.0, n_monitoring=12, **UNTIL), LEVERED),
    (Barrier(**DOWN), RISING), (Barrier(**DOWN), HESTON), (VolatilitySwap(strike=0.2, **UNTIL), RISING),
    (Cliquet(resets=QUARTERS, local_cap=0.05), HESTON), (Touch(barrier=115.0, direction="up", **UNTIL), RISING),
    (Asian(fixings=QUARTERS), Merton(sigma=0.2, intensity=0.2, jump_mean=-0.1, jump_std=0.1)), (ASIAN, LOCAL),
]  # fmt: skip


@pytest.mark.parametrize(("item", "model"), PAIRS, ids=lambda x: type(x).__name__)
def test_a_sweep_gives_what_bumps_give(item: Any, model: Any) -> None:
    one, other = (
        greeks(item, model, SLOPED, method="paths", estimator=e, which=FIRST, n_paths=1 << 13).set_index("greek")
        for e in ("pathwise", "bumps")
    )
    assert set(one.how) == {"pathwise: one sweep backwards"}
    for name in FIRST:
        room = 4.0 * np.hypot(one.std_error[name], other.std_error[name]) + 2e-3 * abs(other.value[name]) + 1e-6
        assert abs(one.value[name] - other.value[name]) < room, (name, one.value[name], other.value[name])


def test_derivatives_by_the_parameters_of_heston_are_those_of_the_integral() -> None:
    found = adjoint(CALL, HESTON, FLAT, n_paths=1 << 16).set_index("greek")
    exact = greeks(CALL, HESTON, FLAT, which=("value", "delta", "vega", "rho"), parameters=True).set_index("greek")
    for name in ("value", "delta", "vega", "rho", "by_v0", "by_kappa", "by_theta", "by_sigma", "by_rho"):
        room = 4.0 * found.std_error[name] + 2e-3 * abs(exact.value[name])  # the scheme's own bias
        assert abs(found.value[name] - exact.value[name]) < room, (name, found.value[name], exact.value[name])
        assert found.std_error[name] < 0.05 * abs(exact.value[name]) + 0.05


def test_parameters_of_the_door_are_those_of_the_sweep() -> None:
    found = greeks(ASIAN, RISING, SLOPED, method="paths", which="value", parameters=True).set_index("greek")
    frame = adjoint(ASIAN, RISING, SLOPED)
    vegas = frame[(frame.greek == "vega") & frame.tau.notna()]
    assert found.value[["by_implied_0", "by_implied_1"]].tolist() == vegas.value.tolist()
    jumpy = greeks(Digital(strike=100.0, **UNTIL), HESTON, SLOPED, method="paths", which="value", parameters=True,
                   n_paths=1 << 12).set_index("greek")  # fmt: skip
    exact = greeks(Digital(strike=100.0, **UNTIL), HESTON, SLOPED, which="value", parameters=True).set_index("greek")
    for name in ("by_v0", "by_theta"):
        assert abs(jumpy.value[name] - exact.value[name]) < 4.0 * jumpy.std_error[name] + 0.02 * abs(exact.value[name])
        assert jumpy.how[name] == "common paths"


def test_a_european_option_under_one_vol_has_its_closed_form() -> None:
    model = BlackScholes(sigma=0.2)
    found = adjoint(CALL, model, SLOPED).set_index("greek")
    exact = greeks(CALL, model, SLOPED, which=FIRST).set_index("greek").value
    for name in FIRST:
        assert abs(found.value[name] - exact[name]) < 4.0 * found.std_error[name] + 1e-6
    forward = float(SLOPED.forward(1.0))
    assert found.value["forward"] * forward / 100.0 == pytest.approx(exact["delta"], abs=5e-3)


def test_buckets_add_up_and_are_bumps_of_each_vol() -> None:
    model = BlackTermStructure(tau=(0.25, 0.5, 0.75, 1.0), implied=(0.2, 0.21, 0.22, 0.22))
    frame = adjoint(ASIAN, model, SLOPED)
    whole = frame[frame.tau.isna()].set_index("greek").value
    vegas, forwards = (frame[(frame.greek == name) & frame.tau.notna()] for name in ("vega", "forward"))
    assert vegas.value.sum() == pytest.approx(whole["vega"], rel=2e-3)
    grown = np.asarray(SLOPED.forward(forwards.tau.to_numpy()))
    spread = float(np.sqrt((forwards.std_error**2).sum()))
    assert (forwards.value.to_numpy() @ grown) / 100.0 == pytest.approx(whole["delta"], abs=4.0 * spread)

    def moved(n: int, by: float) -> tuple[float, ...]:
        return tuple(vol + by * (i == n) for i, vol in enumerate(model.implied))

    for n, tau in enumerate(model.tau):
        up, down = (
            float(price(ASIAN, replace(model, implied=moved(n, s * 1e-3)), SLOPED, n_paths=1 << 14))
            for s in (1.0, -1.0)
        )
        row = vegas[vegas.tau == tau].iloc[0]
        assert row.value == pytest.approx((up - down) / 2e-3, abs=4.0 * row.std_error + 0.02)


def test_a_local_volatility_has_the_deltas_and_vegas_of_the_grid() -> None:
    found = greeks(CALL, LOCAL, FLAT, method="paths", estimator="pathwise", which=FIRST, n_paths=1 << 14).set_index(
        "greek"
    )
    grid = greeks(CALL, LOCAL, FLAT, method="pde", which=FIRST).set_index("greek")
    for name in FIRST:
        room = 4.0 * found.std_error[name] + grid.error[name] + 1e-3 * abs(grid.value[name])
        assert abs(found.value[name] - grid.value[name]) < room, name
    bumps = greeks(CALL, LOCAL, FLAT, method="paths", estimator="bumps", which="delta", n_paths=1 << 14).iloc[0]
    assert abs(bumps.value - grid.value["delta"]) < 4.0 * bumps.std_error + 2e-3  # spot moves within the model


def test_auto_takes_first_derivatives_from_the_sweep() -> None:
    found = greeks(ASIAN, HESTON, FLAT, n_paths=1 << 10, which=("value", "delta", "gamma", "vega", "rho")).set_index(
        "greek"
    )
    assert found.how["vega"] == found.how["rho"] == "pathwise: one sweep backwards"
    assert found.how["value"] == "common paths"


def test_what_jumps_is_refused_with_the_reason() -> None:
    jumpy = Composed(payments=(Pay(at=1.0, amount=where(touched_above(115.0, QUARTERS), 8.0, 0.0)),))
    for item, model, reason in (
        (Digital(strike=100.0, **UNTIL), HESTON, "Digital jumps"),
        (Barrier(**DOWN, n_monitoring=12), HESTON, "Barrier jumps"),
        (Barrier(**DOWN), BATES, "a jump of Bates may pass a barrier"),
        (jumpy, HESTON, "conditions may jump"),
    ):  # fmt: skip
        with pytest.raises(NoEngineError, match=reason):
            adjoint(item, model, FLAT)
    with pytest.raises(NoEngineError, match="sweeps give delta, vega, rho, gamma, vanna, volga; not speed"):
        greeks(ASIAN, HESTON, FLAT, which="speed", estimator="pathwise")


@pytest.mark.parametrize(
    ("item", "model", "method"),
    [
        (CALL, BlackScholes(sigma=0.2), "analytic"),
        pytest.param(CALL, HESTON, "fourier", marks=pytest.mark.slow),
        (CALL, RISING, "analytic"),
    ],
    ids=lambda x: type(x).__name__,
)
def test_second_derivatives_are_those_of_the_closed_form(item: Any, model: Any, method: str) -> None:
    names = ("gamma", "vanna", "volga")
    found = adjoint(item, model, FLAT, second=True, n_paths=1 << 13)
    whole, exact = found[found.tau.isna()].set_index("greek"), greeks(item, model, FLAT, method=method, which=names)
    for name, value in zip(exact.greek, exact.value):
        assert abs(whole.value[name] - value) < 2.0 * whole.error[name] + 1e-12, (name, whole.value[name], value)
    assert whole.std_error["gamma"] < 0.1 * whole.value["gamma"]
    by_expiry = found[found.tau.notna() & (found.greek == "vanna")]
    if type(model).__name__ == "BlackTermStructure":
        assert by_expiry.value.sum() == pytest.approx(whole.value["vanna"], abs=4.0 * by_expiry.std_error.sum() + 1e-3)
    if type(model).__name__ == "Heston":
        h = 1e-3
        up, down = (greeks(item, replace(model, v0=model.v0 + s * h), FLAT, which="delta").value[0] for s in (1, -1))
        row = whole.loc["delta_by_v0"]
        assert abs(row.value - (up - down) / (2.0 * h)) < 2.0 * row.error + 1e-3 and row.unit == "delta per 1.00 of v0"


@pytest.mark.slow
def test_second_derivatives_of_a_barrier_are_quieter_than_bumps_of_prices() -> None:
    item, model = Barrier(**DOWN), RISING
    ours, bumps = (greeks(item, model, FLAT, method="paths", estimator=e, which=("gamma", "volga"), n_paths=1 << 12)
                   for e in ("pathwise", "bumps"))  # fmt: skip
    grid = greeks(item, model, FLAT, method="pde", which=("gamma", "volga"))
    assert set(ours.how) == {"pathwise: differences of sweeps"}
    assert (ours.std_error < bumps.std_error).all()
    assert (abs(ours.value - grid.value) < 2.0 * ours.error + grid.error).all()


def test_the_error_of_a_sweep_holds_the_bias_of_its_scheme() -> None:
    """QE's bias of Heston's vega by sigma, at a few steps a year, is many sampling errors of many paths."""
    exact = greeks(CALL, HESTON, FLAT, which=("value", "delta", "vega", "rho"), parameters=True).set_index("greek")
    found = adjoint(CALL, HESTON, FLAT, n_paths=1 << 16).set_index("greek")
    names = ["value", "delta", "vega", "rho", "by_v0", "by_kappa", "by_theta", "by_sigma", "by_rho"]
    assert (found.error > 2.0 * found.std_error)[names].all()
    assert (abs(found.value[names] - exact.value[names]) < found.error[names]).all()
    plain = adjoint(CALL, BlackScholes(sigma=0.2), FLAT, n_paths=1 << 10)
    assert np.allclose(plain.error, 2.0 * plain.std_error, rtol=1e-12)


def test_a_sweep_has_the_same_bits_on_any_number_of_threads() -> None:
    before, found = numba.get_num_threads(), []
    try:
        for threads in (1, min(2, numba.config.NUMBA_NUM_THREADS)):
            numba.set_num_threads(threads)
            found.append(adjoint(ASIAN, HESTON, FLAT, n_paths=1 << 13).value.to_numpy())
    finally:
        numba.set_num_threads(before)
    np.testing.assert_array_equal(found[0], found[1])
