"""The engine itself: same seed same bits, honest standard errors, stopping, bounded memory, and slices of paths."""

from __future__ import annotations

import math
import tracemalloc
from typing import Any

import numba
import numpy as np
import pytest

from research.errors import InputError, NumericalError
from research.instruments import Asian, Autocallable, European
from research.market import flat_snapshot
from research.models import BlackScholes, Heston, black
from research.pricing import methods, monte_carlo, price

MODEL = BlackScholes(sigma=0.25)
MARKET = flat_snapshot(spot=100.0, rate=0.03, dividend_yield=0.01)
SNOWBALL = Autocallable(
    initial=100.0, observations=tuple(k / 252 for k in range(63, 253, 21)), knock_out=1.03, coupon=0.15, knock_in=0.75
)
ASIAN = Asian(fixings=(0.25, 0.5, 0.75, 1.0), strike=100.0)


@pytest.mark.parametrize("options", [{}, {"sampler": "philox"}, {"sampler": "philox", "antithetic": True}])
@pytest.mark.parametrize("contract", [SNOWBALL, ASIAN], ids=["snowball", "Asian"])
def test_price_has_the_same_bits_on_any_number_of_threads(contract: Any, options: dict[str, Any]) -> None:
    before = numba.get_num_threads()
    found = set()
    try:
        for threads in (1, min(2, numba.config.NUMBA_NUM_THREADS)):
            numba.set_num_threads(threads)
            one = price(contract, MODEL, MARKET, n_paths=50_000, seed=9, **options)
            found.add((one.value, one.std_error))
    finally:
        numba.set_num_threads(before)
    assert len(found) == 1


def test_another_seed_gives_another_price() -> None:
    values = {price(SNOWBALL, MODEL, MARKET, n_paths=1 << 12, seed=s).value for s in (1, 2, -1, 2**40)}
    assert len(values) == 4


@pytest.mark.parametrize("options", [{}, {"sampler": "philox"}, {"sampler": "philox", "antithetic": True}])
def test_the_standard_error_is_the_spread_over_seeds(options: dict[str, Any]) -> None:
    runs = [monte_carlo.simulate(SNOWBALL, MODEL, MARKET, n_paths=4096, seed=s, **options) for s in range(60)]
    spread = np.std([run.value for run in runs], ddof=1)
    stated = math.sqrt(np.mean([run.std_error**2 for run in runs]))
    assert 0.7 < stated / spread < 1.4  # the spread itself is known to 9%


def test_scrambled_points_beat_chance_and_controls_help() -> None:
    def error(**options: Any) -> float:
        return price(SNOWBALL, MODEL, MARKET, n_paths=1 << 16, **options).std_error

    plain = error(sampler="philox", control=False)
    assert error(sampler="philox") < 0.8 * plain
    assert error() < 0.4 * plain


def test_a_run_stops_when_the_standard_error_is_reached() -> None:
    seen: list[tuple[int, float]] = []
    options = {"smooth": False, "progress": lambda n, e: seen.append((n, e))}
    found = price(SNOWBALL, MODEL, MARKET, std_error=0.05, **options)
    assert found.std_error <= 0.05 == max(0.05, seen[-1][1])
    assert [n for n, _ in seen] == [seen[0][0] << k for k in range(len(seen))]
    assert all(e > 0.05 for _, e in seen[:-1])
    fixed = price(SNOWBALL, MODEL, MARKET, n_paths=seen[-1][0])
    assert fixed.value == pytest.approx(found.value, rel=1e-13)  # the long run contains the short ones


def test_a_note_asked_for_a_standard_error_integrates_its_first_step_out_by_itself() -> None:
    paths: dict[bool, int] = {}
    exact = price(SNOWBALL, MODEL, MARKET, method="quadrature").value
    for smooth in (True, False):
        seen: list[int] = []
        given = {} if smooth else {"smooth": False}
        found = price(
            SNOWBALL, MODEL, MARKET, std_error=0.004, progress=lambda n, _, seen=seen: seen.append(n), **given
        )
        paths[smooth] = seen[-1]
        assert abs(found.value - exact) < 4.0 * found.std_error
    assert paths[True] < 0.2 * paths[False]


def test_a_standard_error_out_of_reach_says_how_many_paths_would_do() -> None:
    with pytest.raises(NumericalError, match=r"std_error must reach 1e-06; got .* About .* paths would do"):
        price(SNOWBALL, MODEL, MARKET, std_error=1e-6, n_paths=4096)


def test_a_bar_can_be_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert price(ASIAN, MODEL, MARKET, std_error=0.05, progress=True).std_error <= 0.05


def test_memory_does_not_grow_with_the_number_of_paths() -> None:
    peaks = []
    for n in (1 << 14, 1 << 18):
        tracemalloc.start()
        price(SNOWBALL, MODEL, MARKET, n_paths=n, sampler="philox")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 2e6  # sums of 4,096 paths each: 1e8 paths keep 24,414 rows of 13 numbers, 2.5 MB


@pytest.mark.parametrize("sampler", ["philox", "sobol"])
def test_any_slice_of_paths_can_be_made_again_alone(sampler: str) -> None:
    times = [0.1, 0.2, 0.5, 1.0, 1.5]
    whole = monte_carlo.paths(MODEL, MARKET, times, n_paths=1000, seed=4, sampler=sampler)
    part = monte_carlo.paths(MODEL, MARKET, times, n_paths=33, first_path=517, seed=4, sampler=sampler)
    assert np.array_equal(part, whole[:, 517:550])


@pytest.mark.parametrize("sampler", ["philox", "sobol"])
def test_paths_are_martingales_once_discounted_and_price_a_call(sampler: str) -> None:
    times = np.array([0.25, 1.0])
    spots = monte_carlo.paths(MODEL, MARKET, times, n_paths=1 << 16, seed=2, sampler=sampler)
    error = spots.std(axis=1) / 256.0
    assert (np.abs(spots.mean(axis=1) - MARKET.forward(times)) < 4.0 * error).all()
    call = math.exp(-0.03) * np.maximum(spots[1] - 105.0, 0.0)
    exact = black.price(MARKET.forward(1.0), 105.0, 1.0, 0.25, df=math.exp(-0.03))
    assert abs(call.mean() - exact) < 4.0 * call.std() / 256.0


def test_samples_are_the_paths_of_the_philox_run() -> None:
    each = monte_carlo.sample(SNOWBALL, MODEL, MARKET, n_paths=5000, seed=6)
    run = price(SNOWBALL, MODEL, MARKET, n_paths=5000, seed=6, sampler="philox", control=False)
    assert each["value"].mean() == pytest.approx(run.value, rel=1e-13)
    later = monte_carlo.sample(SNOWBALL, MODEL, MARKET, n_paths=10, seed=6, first_path=4990)
    assert all(np.array_equal(later[name], each[name][4990:]) for name in each)


def test_the_catalogue_knows_the_engine() -> None:
    found = methods(SNOWBALL, MODEL)
    assert found["method"].tolist()[0] == "monte_carlo" and "paths" in found["method"].tolist()
    wide = methods(SNOWBALL, Heston(v0=0.04, kappa=1.0, theta=0.04, sigma=0.5, rho=-0.5))
    assert wide["method"].tolist() == ["adi", "paths"]
    mixed = price([European(strike=100.0, tau=1.0), ASIAN], MODEL, MARKET)
    assert mixed.method.tolist() == ["analytic", "monte_carlo"] and mixed.std_error[0] == 0.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sampler": "halton"}, "sampler must be 'sobol' or 'philox'; got 'halton'"),
        ({"n_paths": 0}, r"n_paths must lie in \[1, "),
        ({"std_error": 0.0}, "std_error must be finite and > 0 price units; got 0"),
        ({"replicates": 4}, r"replicates must lie in \[16, 1024\]; got 4"),
        ({"seed": 2**64}, "seed must be a whole number of 64 bits"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        price(SNOWBALL, MODEL, MARKET, **options)


def test_more_dates_than_sobol_dimensions_are_refused_with_the_way_out() -> None:
    many = Asian(fixings=tuple(k / 1200 for k in range(1, 1201)), strike=100.0)
    with pytest.raises(
        InputError, match=r"dates must be at most 1111 for Sobol' points; got 1200. Use sampler='philox'"
    ):
        price(many, MODEL, MARKET, n_paths=64)
    assert price(many, MODEL, MARKET, n_paths=256, sampler="philox").std_error > 0.0
