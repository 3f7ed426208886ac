"""How a simulation runs: to a standard error, in bounded memory, with the same bits on any number of threads."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numba
import numpy as np
import pytest

from research.core._jit import n_threads
from research.errors import InputError, NumericalError
from research.instruments import Asian, Autocallable, Composed, European, Pay
from research.instruments.expressions import Spot, log
from research.market import flat_snapshot
from research.models import Bates, BlackScholes, Heston, VarianceGamma
from research.pricing import price
from research.pricing.paths import engine, simulate

MARKET = flat_snapshot(spot=100.0, rate=0.03, dividend_yield=0.01)
HESTON = Heston(v0=0.04, kappa=1.5, theta=0.05, sigma=0.5, rho=-0.7)
BATES = Bates(v0=0.04, kappa=1.5, theta=0.05, sigma=0.5, rho=-0.7, intensity=0.5, jump_mean=-0.1, jump_std=0.15)
ASIAN = Asian(fixings=tuple(j / 12 for j in range(1, 13)), strike=100.0)


def test_a_run_goes_on_until_the_standard_error_is_reached() -> None:
    seen: list[tuple[int, float]] = []
    found = simulate(ASIAN, HESTON, MARKET, std_error=0.02, progress=lambda n, e: seen.append((n, e)))
    assert found.std_error <= 0.02
    assert [n for n, _ in seen] == sorted({n for n, _ in seen})
    assert seen[-1] == (found.n_paths, found.std_error)
    longer = simulate(ASIAN, HESTON, MARKET, n_paths=8 * found.n_paths)
    assert abs(found.value - longer.value) < 4.0 * found.std_error
    with pytest.raises(NumericalError, match=r"std_error must reach 1e-05; got .* paths would do: raise n_paths"):
        simulate(ASIAN, HESTON, MARKET, std_error=1e-5, n_paths=4096)


def test_the_lognormal_controls_own_error_is_counted() -> None:
    found = simulate(ASIAN, HESTON, MARKET, std_error=0.02, control="lognormal", sampler="philox")
    assert found.std_error <= 0.02


def test_standard_errors_tell_the_truth() -> None:
    """Over many seeds the distance to the exact price has the standard error as its spread."""
    option = European(strike=105.0, tau=1.0)
    exact = float(price(option, BlackScholes(sigma=0.3), MARKET))
    for sampler in ("sobol", "philox"):
        found = [
            simulate(option, BlackScholes(sigma=0.3), MARKET, n_paths=2048, seed=s, sampler=sampler) for s in range(40)
        ]
        z = np.array([(f.value - exact) / f.std_error for f in found])
        assert 0.65 < z.std() < 1.45, sampler
        assert abs(z.mean()) < 0.7, sampler


@pytest.mark.parametrize("model", [HESTON, BATES, VarianceGamma(sigma=0.2, nu=0.3, theta=-0.1)])
@pytest.mark.parametrize("sampler", ["sobol", "philox"])
def test_the_bits_are_those_of_one_thread(model: Any, sampler: str) -> None:
    before, values = n_threads(), []
    try:
        for threads in {1, before}:
            numba.set_num_threads(threads)
            values.append(simulate(ASIAN, model, MARKET, n_paths=20_000, sampler=sampler).replicates.tobytes())
    finally:
        numba.set_num_threads(before)
    assert len(set(values)) == 1


def peak(n_paths: int) -> int:
    tracemalloc.start()
    simulate(ASIAN, HESTON, MARKET, n_paths=n_paths, sampler="philox")
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found


def test_memory_does_not_grow_with_the_number_of_paths() -> None:
    peak(10_000)
    small, large = peak(40_000), peak(320_000)
    assert large < 1.2 * small + 1_000_000
    assert large < 64_000_000


@pytest.mark.slow
def test_a_million_more_paths_cost_no_more_memory() -> None:
    small, large = peak(1 << 18), peak(5 << 18)
    assert large < 1.2 * small + 1_000_000


def test_a_block_fits_the_cache_whatever_the_path() -> None:
    assert engine.block_size(1, 4096) == 4096
    assert engine.block_size(504, 4096) == 1024
    assert engine.block_size(10_000, 4096) == 128
    assert engine.block_size(504, 100) == 100


def test_more_dimensions_than_sobol_has_are_walked_by_philox() -> None:
    long = Autocallable(initial=100.0, observations=(1.0, 2.0, 3.0), knock_out=1.03, coupon=0.1, knock_in=0.7)
    found = simulate(long, HESTON, MARKET, n_paths=600)
    assert found.replicates.size == 1
    with pytest.raises(InputError, match=r"dates must be at most 1111 for Sobol' points; got 1512"):
        simulate(long, HESTON, MARKET, n_paths=600, sampler="sobol")


def test_antithetic_pairs_narrow_a_monotone_payoff() -> None:
    options: dict[str, Any] = {"sampler": "philox", "control": False}
    one = simulate(ASIAN, HESTON, MARKET, n_paths=8192, **options)
    two = simulate(ASIAN, HESTON, MARKET, n_paths=4096, antithetic=True, **options)
    assert two.std_error < one.std_error
    assert abs(one.value - two.value) < 4.0 * np.hypot(one.std_error, two.std_error)


def test_a_payoff_that_is_not_finite_is_refused() -> None:
    broken = Composed(payments=(Pay(at=1.0, amount=log(Spot(1.0) - 1000.0)),))
    with pytest.raises(NumericalError, match=r"value must be finite; got nan\. The payoff is not finite on some path"):
        simulate(broken, HESTON, MARKET, n_paths=512)
