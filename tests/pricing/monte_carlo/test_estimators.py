"""Greeks by simulation: each estimator against quadrature, closed forms and the pricing equation."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numba
import numpy as np
import pytest

from research.errors import InputError, NoEngineError
from research.instruments import (
    Airbag,
    Asian,
    Autocallable,
    Barrier,
    Digital,
    DoubleNoTouch,
    European,
    Phoenix,
    RangeAccrual,
    SharkFin,
    StructuredDeposit,
)
from research.market import flat_snapshot
from research.models import (
    CEV,
    BlackScholes,
    Heston,
    LocalStochasticVol,
    LocalVol,
    Merton,
    RoughBergomi,
    VarianceGamma,
    black,
)
from research.pricing import _smooth, greeks, monte_carlo, price
from research.pricing._simulation import Settings
from research.pricing.sensitivities import GREEKS
from research.pricing.simulated_greeks import simulated

SPOT, RATE, YIELD, SIGMA = 100.0, 0.03, 0.01, 0.2
MARKET, MODEL = flat_snapshot(spot=SPOT, rate=RATE, dividend_yield=YIELD), BlackScholes(sigma=SIGMA)
HESTON = Heston(v0=0.04, kappa=1.5, theta=0.05, sigma=0.5, rho=-0.7)
LOCAL = LocalVol(tau=[0.0, 1.0], log_moneyness=[-0.4, 0.0, 0.4], vol=[[0.4, 0.3, 0.22], [0.38, 0.3, 0.24]])
LEVER = LocalVol(tau=[0.0, 1.0], log_moneyness=[-0.4, 0.0, 0.4], vol=[[1.2, 1.0, 0.9], [1.2, 1.0, 0.9]])
LSV = LocalStochasticVol(heston=HESTON, leverage=LEVER)
MERTON = Merton(sigma=0.2, intensity=0.3, jump_mean=-0.1, jump_std=0.1)
MONTHS, TAU = tuple(k / 12 for k in range(1, 7)), 0.5
SNOWBALL = Autocallable(
    initial=100.0, observations=tuple(k / 12 for k in range(3, 13)), knock_out=1.03, coupon=0.15, knock_in=0.75
)
PHOENIX = Phoenix(
    initial=100.0, observations=MONTHS, knock_out=1.05, coupon_barrier=0.95, coupon=0.01, knock_in=0.8, memory=False
)
NOTES: dict[str, Any] = {
    "snowball": SNOWBALL,
    "phoenix": PHOENIX,
    "shark fin": SharkFin(initial=100.0, tau=TAU, strike=1.0, barrier=1.2, rebate=0.02, base=0.005, participation=0.8),
    "put shark fin": SharkFin(initial=100.0, tau=TAU, strike=1.0, barrier=0.8, rebate=0.02, is_call=False, daily=False),
    "range accrual": RangeAccrual(initial=100.0, tau=TAU, low=0.85, high=1.2, rate=0.05, base=0.01),
    "double no-touch": DoubleNoTouch(initial=100.0, tau=TAU, low=0.8, high=1.25, rate=0.06, touched_rate=0.01),
    "airbag": Airbag(initial=100.0, tau=TAU, knock_in=0.85, participation=0.9, knocked_participation=0.7),
}
BY_NAME = pytest.mark.parametrize("note", list(NOTES.values()), ids=list(NOTES))
SPACE = ("value", "delta", "gamma", "vega", "rho", "vanna", "volga", "speed")


def value(table: Any, name: str) -> float:
    return float(table[name]["value"][0])


def error(table: Any, name: str) -> float:
    return float(table[name]["std_error"][0])


@pytest.mark.parametrize(
    "note", [pytest.param(n, id=i, marks=pytest.mark.slow if i == "snowball" else ()) for i, n in NOTES.items()]
)
def test_mixed_greeks_agree_with_quadrature(note: Any) -> None:
    exact = greeks(note, MODEL, MARKET, which=SPACE, method="quadrature", nodes=3.0).set_index("greek")
    found = simulated(note, MODEL, MARKET, which=SPACE, estimator="mixed", n_paths=1 << 12)
    for name in SPACE:
        off = abs(value(found, name) - exact.value[name])
        room = 4.0 * error(found, name) + exact.error[name] + 2e-3 * abs(exact.value[name]) + 1e-9  # bias of the bump
        assert off < room, (name, value(found, name), exact.value[name], error(found, name))


@BY_NAME
def test_theta_and_charm_obey_the_pricing_equation(note: Any) -> None:
    """dV/dt = r V - (r - q) S delta - sigma^2 S^2 gamma / 2, and its derivative by the spot."""
    which = ("value", "delta", "gamma", "speed", "theta", "charm")
    found = simulated(note, MODEL, MARKET, which=which, estimator="mixed", n_paths=1 << 13, days=0.05)
    v, delta, gamma, speed, theta, charm = (value(found, name) for name in which)
    carry, square = RATE - YIELD, SIGMA**2 * SPOT
    expected = RATE * v - carry * SPOT * delta - 0.5 * square * SPOT * gamma
    noise = 0.5 * square * SPOT * error(found, "gamma") + carry * SPOT * error(found, "delta") + error(found, "theta")
    assert abs(theta - expected) < 4.0 * noise + 0.01 * abs(expected)
    slope = RATE * delta - carry * (delta + SPOT * gamma) - square * gamma - 0.5 * square * SPOT * speed
    noise = 0.5 * square * SPOT * error(found, "speed") + 2.0 * square * error(found, "gamma") + error(found, "charm")
    assert abs(charm - slope) < 4.0 * noise + 0.02 * abs(slope) + 1e-3


def test_a_snowballs_greeks_are_as_sure_as_its_price() -> None:
    """At equal paths the variance of the bumps' delta is hundreds, of their gamma a hundred thousand times as large."""
    which = ("value", "delta", "gamma", "vega")
    bumps = simulated(SNOWBALL, MODEL, MARKET, which=which, estimator="bumps", n_paths=1 << 14)
    mixed = simulated(SNOWBALL, MODEL, MARKET, which=which, estimator="mixed", n_paths=1 << 14)
    ratio = {name: (error(bumps, name) / error(mixed, name)) ** 2 for name in which}
    assert ratio["value"] > 10.0 and ratio["delta"] > 300.0 and ratio["gamma"] > 3e4 and ratio["vega"] > 15.0
    for name in ("delta", "gamma", "vega"):
        assert error(mixed, name) < 0.01 * abs(value(mixed, name)), name


@BY_NAME
def test_smoothed_values_are_those_of_quadrature_in_fewer_paths(note: Any) -> None:
    for vol in (0.1, 0.35):
        exact = price(note, BlackScholes(sigma=vol), MARKET, method="quadrature").value
        each = _smooth.replicates(note, [_smooth.Scenario(sigma=vol, snapshot=MARKET)], Settings(n_paths=1 << 12))[0]
        spread = each.std(ddof=1) / math.sqrt(each.size)
        assert abs(each.mean() - exact) < 4.0 * spread + 1e-6
        plain = price(note, BlackScholes(sigma=vol), MARKET, n_paths=1 << 12).std_error
        assert spread < 0.6 * plain


@pytest.mark.parametrize(
    "note",
    [
        replace(PHOENIX, memory=True),
        replace(SNOWBALL, knocked_in=True),
        replace(SNOWBALL, knock_in_daily=False),
        replace(SNOWBALL, knock_in=None),
        replace(SNOWBALL, knock_out=tuple(1.05 - 0.005 * k for k in range(10)), floor=0.8),
    ],
    ids=["memory", "knocked in", "knock-in at the end", "no knock-in", "step-down"],
)
def test_smoothed_values_agree_with_the_plain_simulation(note: Any) -> None:
    each = _smooth.replicates(note, [_smooth.Scenario(sigma=0.25, snapshot=MARKET)], Settings(n_paths=1 << 12))[0]
    plain = price(note, BlackScholes(sigma=0.25), MARKET, n_paths=1 << 16)
    spread = each.std(ddof=1) / math.sqrt(each.size)
    assert abs(each.mean() - plain.value) < 4.0 * math.hypot(spread, plain.std_error)


def test_one_date_leaves_nothing_to_simulate() -> None:
    deposit = StructuredDeposit(initial=100.0, tau=TAU, strike=1.02, participation=0.6, base=0.01)
    found = simulated(deposit, MODEL, MARKET, which=("value", "delta"), estimator="mixed", n_paths=512, spot_bump=1e-3)
    df, forward = math.exp(-RATE * TAU), float(MARKET.forward(TAU))
    call = black.price(forward, 102.0, TAU, SIGMA, df=df)
    assert value(found, "value") == pytest.approx(101.0 * df + 0.6 * float(call), rel=1e-12)
    delta = 0.6 * float(black.greeks(forward, 102.0, TAU, SIGMA, df=df)["delta"]) * forward / SPOT
    assert value(found, "delta") == pytest.approx(delta, rel=1e-6)


@pytest.mark.parametrize("item", [*NOTES.values(), Asian(fixings=MONTHS, strike=100.0), Asian(fixings=MONTHS)])
def test_every_product_has_every_greek_with_its_error(item: Any) -> None:
    found = greeks(item, MODEL, MARKET, n_paths=1 << 10, method="monte_carlo").set_index("greek")
    assert list(found.index) == list(GREEKS)
    assert np.isfinite(found.value).all() and (found.std_error >= 0.0).all()
    assert set(found.how) <= {"common paths", "pathwise", "mixed: first step integrated out"}


@pytest.mark.parametrize("average", ["geometric", "arithmetic"])
def test_an_asian_option_of_one_fixing_has_the_greeks_of_a_european_one(average: str) -> None:
    exact = greeks(European(strike=95.0, tau=TAU), MODEL, MARKET).set_index("greek").value
    item = Asian(fixings=(TAU,), strike=95.0, average=average)
    found = greeks(item, MODEL, MARKET, n_paths=1 << 12, method="monte_carlo").set_index("greek").value
    for name in GREEKS:
        assert found[name] == pytest.approx(exact[name], rel=0.03, abs=2e-4), name  # bumps of a hundredth


def test_pathwise_slopes_of_an_asian_option_agree_with_bumps_and_its_theta_with_the_equation() -> None:
    item, which = Asian(fixings=MONTHS, strike=100.0), ("value", "delta", "vega", "rho", "theta")
    found = simulated(item, MODEL, MARKET, which=which, estimator="pathwise", n_paths=1 << 13, days=0.02)
    other = simulated(item, MODEL, MARKET, which=(*which, "gamma"), estimator="bumps", n_paths=1 << 13)
    for name in which[1:4]:
        room = 4.0 * math.hypot(error(found, name), error(other, name)) + 2e-3 * abs(value(other, name))
        assert abs(value(found, name) - value(other, name)) < room
    expected = (
        RATE * value(found, "value") - (RATE - YIELD) * SPOT * value(found, "delta")
        - 0.5 * SIGMA**2 * SPOT**2 * value(other, "gamma")
    )  # fmt: skip
    assert value(found, "theta") == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize(
    ("item", "model", "method"),
    [
        (Digital(strike=105.0, tau=1.0), MODEL, "analytic"),
        (Digital(strike=105.0, tau=1.0), HESTON, "analytic"),
        (European(strike=105.0, tau=1.0), HESTON, "fourier"),
        (Barrier(strike=100.0, barrier=85.0, direction="down", knock="out", tau=1.0), MODEL, "analytic"),
        (SNOWBALL, MODEL, "quadrature"),
        (Digital(strike=105.0, tau=1.0), MERTON, "analytic"),
        (Digital(strike=105.0, tau=1.0), VarianceGamma(sigma=0.2, nu=0.2, theta=-0.1), "analytic"),
    ],
    ids=["digital", "Heston digital", "Heston call", "barrier", "snowball", "Merton digital", "gamma digital"],
)
def test_likelihood_ratios_agree_with_what_is_exact(item: Any, model: Any, method: str) -> None:
    which = ("value", "delta", "gamma", "speed")
    exact = greeks(item, model, MARKET, which=which, method=method).set_index("greek")
    found = greeks(
        item, model, MARKET, which=which, method="paths", estimator="likelihood_ratio", n_paths=1 << 13
    ).set_index("greek")
    for name in which:
        room = 4.0 * found.std_error[name] + exact.error[name] + 2e-3 * abs(exact.value[name])
        assert abs(found.value[name] - exact.value[name]) < room, name
    assert set(found.how) == {"likelihood ratio of the first step"}


def test_the_score_of_a_digital_is_thousands_of_times_surer_than_bumps() -> None:
    digital = Digital(strike=105.0, tau=1.0)

    def spread(estimator: str) -> Any:
        found = greeks(
            digital, MODEL, MARKET, which=("delta", "gamma"), method="paths", estimator=estimator, n_paths=8192
        )
        return found.set_index("greek").std_error

    bumps, score, best = spread("bumps"), spread("likelihood_ratio"), spread("auto")
    assert (bumps["delta"] / score["delta"]) ** 2 > 100.0 and (bumps["gamma"] / score["gamma"]) ** 2 > 1e4
    assert best["delta"] == score["delta"] and best["gamma"] == score["gamma"]


def test_a_snowball_under_jumps_has_a_gamma() -> None:
    bumps, best = (
        greeks(SNOWBALL, MERTON, MARKET, which=("delta", "gamma"), method="paths", estimator=e, n_paths=8192)
        for e in ("bumps", "auto")
    )
    assert set(best.how) == {"likelihood ratio of the first step"}
    assert (bumps.std_error[1] / best.std_error[1]) ** 2 > 10.0
    assert abs(bumps.value[1] - best.value[1]) < 4.0 * bumps.std_error[1]


def test_rough_bergomis_score_agrees_with_its_mixture_of_blacks() -> None:
    rough = RoughBergomi(hurst=0.1, eta=1.0, rho=-0.5, forward_variance=0.04)
    item, which = European(strike=100.0, tau=1.0), ("delta", "gamma")
    exact = greeks(item, rough, MARKET, which=which, method="monte_carlo").set_index("greek")
    found = greeks(
        item, rough, MARKET, which=which, method="paths", estimator="likelihood_ratio", n_paths=1 << 13
    ).set_index("greek")
    for name in which:
        assert abs(found.value[name] - exact.value[name]) < 4.0 * found.std_error[name] + 4.0 * exact.error[name], name


@pytest.mark.slow
@pytest.mark.parametrize(("model", "method"), [(LOCAL, "pde"), (LSV, "adi")], ids=["local", "leveraged"])
@pytest.mark.parametrize("item", [Digital(strike=105.0, tau=1.0), SNOWBALL], ids=["digital", "snowball"])
def test_shifted_starts_that_merge_agree_with_grids(item: Any, model: Any, method: str) -> None:
    which = ("delta", "gamma")
    grid = greeks(item, model, MARKET, which=which, method=method).set_index("greek")
    found, bumps = (
        greeks(item, model, MARKET, which=which, method="paths", estimator=e, n_paths=1 << 12).set_index("greek")
        for e in ("likelihood_ratio", "bumps")
    )
    for name in which:
        room = 4.0 * found.std_error[name] + 2.0 * grid.error[name]
        assert abs(found.value[name] - grid.value[name]) < room, name
    assert (bumps.std_error["gamma"] / found.std_error["gamma"]) ** 2 > 10.0


def test_a_leverage_of_one_merges_as_hestons_first_step_does() -> None:
    one = LocalStochasticVol(heston=HESTON, leverage=LocalVol(tau=[0.0], log_moneyness=[0.0], vol=[[1.0]]))
    item, which = Digital(strike=105.0, tau=1.0), ("value", "delta", "gamma")
    exact = greeks(item, HESTON, MARKET, which=which).set_index("greek").value
    found = greeks(item, one, MARKET, which=which, method="paths", estimator="likelihood_ratio", n_paths=1 << 12)
    assert (np.abs(found.set_index("greek").value - exact) < 4.0 * found.set_index("greek").std_error).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    [
        Heston(v0=0.01, kappa=0.1, theta=0.01, sigma=1.0, rho=0.0),
        Heston(v0=0.02, kappa=3.0, theta=0.03, sigma=2.0, rho=-0.5),
        Heston(v0=0.04, kappa=0.5, theta=0.04, sigma=1.0, rho=-0.9),
    ],
    ids=["slow", "wild", "leaning"],
)
def test_scores_are_honest_over_seeds_where_the_variance_stays_near_nothing(model: Any) -> None:
    """With QE's steps the first model's digital has a gamma 11 standard errors off in the mean of 20 seeds."""
    which = ("delta", "gamma")
    for item in (Digital(strike=100.0, tau=1.0), European(strike=100.0, tau=1.0)):
        exact = greeks(item, model, MARKET, which=which).value.to_numpy()
        found = [greeks(item, model, MARKET, which=which, method="paths", estimator="likelihood_ratio", n_paths=4096,
                        seed=300 + i) for i in range(6)]  # fmt: skip
        apart = np.array([(one.value - exact) / one.std_error for one in found])
        assert np.all(np.sqrt((apart**2).mean(axis=0)) < 2.0), apart
        assert np.all(np.abs(apart.mean(axis=0)) < 1.7), apart


def test_paths_under_a_local_volatility_have_greeks_on_common_paths() -> None:
    flat = LocalVol(tau=[0.0, 1.0], log_moneyness=[-3.0, 3.0], vol=[[0.2, 0.2], [0.2, 0.2]])
    option, which = European(strike=100.0, tau=1.0), ("delta", "gamma", "rho")
    exact = greeks(option, MODEL, MARKET, which=which).set_index("greek").value
    found = greeks(option, flat, MARKET, which=which, method="paths", n_paths=1 << 13).set_index("greek")
    assert found.how.tolist() == ["pathwise: one sweep backwards", "common paths", "pathwise: one sweep backwards"]
    assert (np.abs(found.value - exact) < 4.0 * found.std_error + 2e-3 * np.abs(exact)).all()


def test_a_refused_estimator_says_why_and_which_can() -> None:
    with pytest.raises(NoEngineError, match=r"'pathwise' cannot be used: the payoff of Autocallable jumps.*Can: bumps"):
        greeks(SNOWBALL, MODEL, MARKET, which=("delta",), estimator="pathwise")
    with pytest.raises(NoEngineError, match="gamma is a second derivative, which a path's kink does not have"):
        greeks(Asian(fixings=MONTHS, strike=100.0), MODEL, MARKET, which=("gamma",), estimator="pathwise")
    with pytest.raises(NoEngineError, match="'mixed' cannot be used: Asian is no note"):
        greeks(Asian(fixings=MONTHS, strike=100.0), MODEL, MARKET, which=("delta",), estimator="mixed")
    with pytest.raises(NoEngineError, match="score gives delta, gamma, speed; not vega"):
        greeks(SNOWBALL, MODEL, MARKET, which=("vega",), estimator="likelihood_ratio")
    for model, why in ((CEV(sigma=2.0, beta=0.5), "later moves of CEV depend on more than the price"),
                       (replace(HESTON, rho=-1.0), "no normal part of its own")):  # fmt: skip
        with pytest.raises(NoEngineError, match=why):
            greeks(European(strike=100.0, tau=1.0), model, MARKET, which=("delta",), method="paths",
                   estimator="likelihood_ratio")  # fmt: skip
    with pytest.raises(InputError, match="estimator must be one of auto, bumps, pathwise"):
        greeks(SNOWBALL, MODEL, MARKET, which=("delta",), estimator="adjoint")


@pytest.mark.parametrize("estimator", ["mixed", "likelihood_ratio", "bumps"])
def test_greeks_have_the_same_bits_on_any_number_of_threads(estimator: str) -> None:
    before, found = numba.get_num_threads(), set()
    try:
        for threads in (1, min(2, numba.config.NUMBA_NUM_THREADS)):
            numba.set_num_threads(threads)
            table = simulated(PHOENIX, MODEL, MARKET, which=("delta", "gamma"), estimator=estimator, n_paths=1 << 13)
            found.add((value(table, "delta"), value(table, "gamma"), error(table, "gamma")))
    finally:
        numba.set_num_threads(before)
    assert len(found) == 1


def test_a_note_with_more_dates_than_sobol_has_dimensions_is_bumped() -> None:
    long = replace(SNOWBALL, observations=tuple(k / 4 for k in range(1, 21)))
    found = simulated(long, MODEL, MARKET, which=("delta",), n_paths=1 << 10)
    assert found["delta"]["how"] == "common paths"
    assert monte_carlo.problem_of(long, 0.2, MARKET).variance.size == 20
