"""What is promised of every simulation: memory, slices, threads, coverage of the stated error, order of each scheme."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from typing import Any

import numba
import numpy as np
import pytest

from research.core.random import brownian
from research.instruments import American, Asian, Autocallable, DoubleNoTouch, European, Phoenix
from research.market import flat_snapshot
from research.models import BlackScholes, BlackTermStructure, Heston, LocalVol, RoughBergomi, black
from research.pricing import _notes, _smooth, monte_carlo, price
from research.pricing._simulation import Settings, rows_of, tables_of
from research.pricing.monte_carlo import problem_of
from research.pricing.paths import engine, simulate
from research.pricing.paths.payoffs import Terms, payoff
from research.pricing.rough_bergomi import volterra_covariance, volterra_weights

MARKET, BARE = flat_snapshot(spot=100.0, rate=0.03, dividend_yield=0.01), flat_snapshot(spot=100.0)
MODEL = BlackScholes(sigma=0.25)
HESTON = Heston(v0=0.04, kappa=1.5, theta=0.05, sigma=0.5, rho=-0.7)
MONTHS = tuple(k / 12 for k in range(1, 7))
X = np.linspace(-2.5, 2.5, 1601)
SKEW = LocalVol(tau=[1.0], log_moneyness=X, vol=(0.2 * (100.0 * np.exp(X) + 50.0) / (100.0 * np.exp(X)))[None, :])
SNOWBALL = Autocallable(initial=100.0, observations=MONTHS, knock_out=1.03, coupon=0.15, knock_in=0.8)
PHOENIX = Phoenix(
    initial=100.0, observations=MONTHS, knock_out=1.05, coupon_barrier=0.95, coupon=0.01, knock_in=0.8, memory=False
)
ASIAN = Asian(fixings=(0.25, 0.5, 0.75, 1.0), strike=100.0)
ROUGH = RoughBergomi(hurst=0.1, eta=1.9, rho=-0.9, forward_variance=np.array([0.04]))

PEAK = """
import resource, sys
from research.instruments import Asian
from research.market import flat_snapshot
from research.models import BlackScholes
from research.pricing import price
market, item = flat_snapshot(spot=100.0, rate=0.03), Asian(fixings=(0.5, 1.0), strike=100.0)
price(item, BlackScholes(sigma=0.25), market, n_paths=4096, sampler="philox")
found = price(item, BlackScholes(sigma=0.25), market, n_paths=int(sys.argv[1]), sampler="philox")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, found.std_error)
"""


def peak(n_paths: int) -> float:
    """Largest memory of a fresh process that simulates so many paths, MB."""
    out = subprocess.run([sys.executable, "-c", PEAK, str(n_paths)], capture_output=True, text=True, check=True)
    return float(out.stdout.split()[0]) / 1024.0


@pytest.mark.slow
def test_memory_of_a_process_grows_by_less_than_a_hundredth_of_a_byte_a_path() -> None:
    small, large = peak(1 << 20), peak(1 << 23)
    per_path = max(large - small, 0.0) / ((1 << 23) - (1 << 20))  # MB
    assert small + 1e8 * per_path < 1000.0
    assert large < 1000.0


@pytest.mark.deep
def test_a_hundred_million_paths_stay_under_a_gigabyte() -> None:
    assert peak(100_000_000) < 1000.0


def problem_by(name: str) -> Any:
    """A simulation by one of the engines that are made of tasks."""
    if name in ("note", "Asian"):
        return problem_of(SNOWBALL if name == "note" else ASIAN, 0.25, MARKET)
    if name == "smooth":
        return _smooth.problem(_notes.BUILD["Autocallable"](SNOWBALL, MARKET), 0.25, MARKET)
    paid = payoff(ASIAN, Terms(snapshot=MARKET))
    made = engine._made(HESTON if name == "Heston" else SKEW, MARKET, paid, engine.Options(), "philox")
    return engine._problem(made, paid, engine._Control(spot=1.0, twin=np.nan), Settings(sampler="philox"))


@pytest.mark.parametrize("name", ["note", "Asian", "smooth", "Heston", "local"])
@pytest.mark.parametrize("sampler", ["philox", "sobol"])
def test_any_task_of_a_run_made_again_alone_has_the_same_bits(name: str, sampler: str) -> None:
    problem = problem_by(name)
    order, weights = problem.plan or brownian.plan(problem.variance, sampler == "sobol")
    settings = Settings(sampler=sampler, replicates=16)
    tables = tables_of(settings, order.shape[0])
    rows = rows_of(0, 1 << 13, tables.shape[0], order.shape[0], settings)
    rows = rows[:: max(1, rows.shape[0] // 3)]
    whole = np.empty((rows.shape[0], problem.n_moments))
    problem.run(tables, 9, rows, order, weights, whole)
    alone = np.empty((1, problem.n_moments))
    problem.run(tables, 9, rows[-1:], order, weights, alone)
    assert np.array_equal(alone[0], whole[-1])


ENGINES = {
    "note": lambda: price(SNOWBALL, MODEL, MARKET, n_paths=1 << 15).value,
    "smoothed note": lambda: price(SNOWBALL, MODEL, MARKET, n_paths=1 << 13, smooth=True).value,
    "paths": lambda: simulate(PHOENIX, HESTON, MARKET, n_paths=1 << 13).value,
    "term structure": lambda: simulate(
        ASIAN, BlackTermStructure(tau=(0.5, 1.0), implied=(0.2, 0.25)), MARKET, n_paths=1 << 14
    ).value,
    "local volatility": lambda: simulate(ASIAN, SKEW, MARKET, n_paths=1 << 14).value,
    "euler": lambda: simulate(ASIAN, SKEW, MARKET, n_paths=1 << 13, scheme="euler").value,
    "importance": lambda: simulate(ASIAN, HESTON, MARKET, n_paths=1 << 13, importance=True).value,
    "longstaff_schwartz": lambda: price(
        American(strike=100.0, tau=1.0), MODEL, MARKET, method="longstaff_schwartz", n_paths=4000
    ).value,
    "exercise": lambda: price(
        American(strike=100.0, tau=1.0), HESTON, MARKET, method="longstaff_schwartz", n_paths=2000, n_dates=5,
        n_outer=16, n_inner=8,
    ).value,
    "rough Bergomi": lambda: price(European(strike=100.0, tau=0.5), ROUGH, MARKET, n_steps=32, n_paths=1 << 11).value,
}  # fmt: skip


@pytest.mark.parametrize("run", list(ENGINES.values()), ids=list(ENGINES))
def test_every_engine_has_the_bits_of_one_thread(run: Any) -> None:
    before, found = numba.get_num_threads(), set()
    try:
        for threads in (1, min(2, numba.config.NUMBA_NUM_THREADS)):
            numba.set_num_threads(threads)
            found.add(run())
    finally:
        numba.set_num_threads(before)
    assert len(found) == 1


@pytest.mark.slow
@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize(
    "note",
    [SNOWBALL, PHOENIX, DoubleNoTouch(initial=100.0, tau=0.5, low=0.8, high=1.25, rate=0.06, touched_rate=0.01)],
    ids=["snowball", "phoenix", "double no-touch"],
)
def test_scrambles_state_the_error_that_they_have(note: Any, smooth: bool) -> None:
    """Many randomisations against quadrature: the distance has the stated error as its spread, and no mean."""
    exact = price(note, MODEL, MARKET, method="quadrature").value
    runs = [monte_carlo.simulate(note, MODEL, MARKET, n_paths=1 << 11, seed=s, smooth=smooth) for s in range(100)]
    z = np.array([(run.value - exact) / run.std_error for run in runs])
    assert 0.6 < z.std() < 1.25
    assert abs(z.mean()) < 0.4
    assert (np.abs(z) > 2.0).mean() < 0.12


def orders(errors: list[float]) -> list[float]:
    """Measured orders from errors at steps that halve."""
    return [float(np.log2(abs(a / b))) for a, b in pairwise(errors)]


@pytest.mark.slow
def test_eulers_steps_of_a_smooth_local_volatility_are_of_order_one_and_one_step_by_law_is_exact() -> None:
    option, exact = European(strike=70.0, tau=1.0), float(black.price(150.0, 120.0, 1.0, 0.2))
    misses = [
        simulate(option, SKEW, BARE, scheme="euler", steps_per_year=n, n_paths=1 << 15, check_scheme=False).value
        - exact
        for n in (1.0, 2.0, 4.0, 8.0)
    ]
    assert all(0.85 < order < 1.15 for order in orders(misses))
    found = simulate(option, SKEW, BARE, n_paths=1 << 15)
    assert abs(found.value - exact) < 1e-3 * abs(misses[0]) + 4.0 * found.std_error
    assert abs(found.value - exact) < abs(found.bias) + 4.0 * found.std_error


@pytest.mark.slow
def test_qe_m_is_of_order_above_one_and_poisson_conditioning_needs_one_step() -> None:
    option, exact = European(strike=100.0, tau=1.0), float(price(European(strike=100.0, tau=1.0), HESTON, BARE))
    misses = [
        simulate(option, HESTON, BARE, steps_per_year=n, n_paths=1 << 17, check_scheme=False).value - exact
        for n in (1.0, 2.0, 4.0)
    ]
    assert all(1.2 < order < 2.5 for order in orders(misses))
    found = simulate(option, HESTON, BARE, scheme="poisson", sampler="philox", n_paths=1 << 17)
    assert abs(found.value - exact) < 4.0 * found.std_error < 0.9 * abs(misses[0])


@pytest.mark.parametrize("hurst", [0.07, 0.1, 0.3])
def test_the_hybrid_schemes_moments_converge_and_the_exact_ones_are_exact(hurst: float) -> None:
    def miss(n: int, scheme: str) -> tuple[float, float]:
        times = np.arange(1, n + 1) / n
        mean, rest = volterra_weights(times, hurst, scheme)
        found = (mean / n) @ mean.T + rest @ rest.T
        exact = volterra_covariance(times, hurst)
        return abs(found[-1, -1] - exact[-1, -1]), abs(found[-1, n // 2 - 1] - exact[-1, n // 2 - 1])

    assert max(miss(64, "exact")) < 1e-10
    variances = [miss(n, "hybrid")[0] for n in (32, 64, 128, 256)]
    assert all(2.0 * hurst - 0.1 < order < 2.0 * hurst + 0.3 for order in orders(variances))


@pytest.mark.slow
@pytest.mark.parametrize("strike", [90.0, 110.0])
def test_the_stated_error_of_rough_bergomi_covers_a_finer_grid(strike: float) -> None:
    option = European(strike=strike, tau=0.5)
    fine = price(option, ROUGH, BARE, n_steps=256, n_paths=1 << 13, check_scheme=False)
    coarse = price(option, ROUGH, BARE, n_steps=16, n_paths=1 << 13)
    assert abs(coarse.value - fine.value) < coarse.error + 2.0 * fine.std_error
