"""How near the machine's limits the hot kernels come: each beside the time that its memory or its arithmetic must take.

A limit is measured here, in the same run, on all threads: copying memory (triad), elementary functions and normals out
of the first-level cache. The rows called "limit" are the least time for the counted work; the ratio of such a row to
ours is the share of the limit that is reached. docs/kernel_limits.md says what holds each back.
"""

from __future__ import annotations

from collections.abc import Callable
from time import process_time
from typing import Any

import numba
import numpy as np

from research.core.math.elementary import exp, log
from research.core.math.normal import norm_cdf, norm_ppf_row
from research.core.random.box_muller import four_normals
from research.core.random.philox import fill_normals, uniform_pair

SMALL, BIG = 4096, 16_000_000
N, PATHS, STEPS, AMERICANS = 1_000_000, 100_000, 252, 10_000


@numba.njit(error_model="numpy")
def _exps(x, out):  # type: ignore[no-untyped-def]
    for i in range(x.size):
        out[i] = exp(x[i])


@numba.njit(error_model="numpy")
def _logs(x, out):  # type: ignore[no-untyped-def]
    for i in range(x.size):
        out[i] = log(x[i])


@numba.njit(error_model="numpy")
def _cdfs(x, out):  # type: ignore[no-untyped-def]
    for i in range(x.size):
        out[i] = norm_cdf(x[i])


@numba.njit(error_model="numpy")
def _normals(x, out):  # type: ignore[no-untyped-def]
    half = out.size // 2
    for i in range(half):
        out[i], out[half + i] = uniform_pair(7, 0, i, 3)
    norm_ppf_row(out)


@numba.njit(error_model="numpy")
def _path_normals(x, out):  # type: ignore[no-untyped-def]
    n = out.size // 4
    four_normals(7, 0, 0, 3, out[:n], out[n : 2 * n], out[2 * n : 3 * n], out[3 * n :])


@numba.njit(error_model="numpy")
def _multiply_adds(x, out):  # type: ignore[no-untyped-def]
    for i in range(x.size):
        v = x[i]
        for _ in range(64):
            v = v * 0.9999999 + 1e-9
        out[i] = v


@numba.njit
def _triad(a, b, c):  # type: ignore[no-untyped-def]
    for i in range(a.size):
        a[i] = b[i] + 3.0 * c[i]


def best(call: Callable[[], Any], repeat: int) -> float:
    """Processor seconds of the cheapest of `repeat` calls, after one that is not counted."""
    call()
    least = np.inf
    for _ in range(repeat):
        began = process_time()
        call()
        least = min(least, process_time() - began)
    return float(least)


def rate(loop: Any, x: Any) -> float:
    """Results a second of a loop in the first-level cache."""
    out = np.empty_like(x)

    def many() -> None:
        for _ in range(200):
            loop(x, out)

    return float(200 * x.size / best(many, 7))


def limits() -> dict[str, float]:
    """The machine: bytes, elementary functions, normals and multiply-adds a second on numba's threads."""
    x = np.random.default_rng(1).uniform(0.2, 3.0, SMALL)
    a, b, c = np.zeros(BIG), np.ones(BIG), np.ones(BIG)
    return {
        "bytes": 24.0 * BIG / best(lambda: _triad(a, b, c), 9),
        "exp": rate(_exps, x),
        "log": rate(_logs, x),
        "cdf": rate(_cdfs, x),
        "normal": rate(_normals, x),
        "path normal": rate(_path_normals, x),
        "multiply_add": 64.0 * rate(_multiply_adds, x),
    }


def machine_rows(found: dict[str, float]) -> list[dict[str, Any]]:
    """The limits themselves, as seconds for a billion."""
    names = {
        "bytes": "a billion bytes moved (triad)", "exp": "a billion exponentials", "log": "a billion logarithms",
        "cdf": "a billion normal distribution functions", "normal": "a billion normals, Philox and inversion",
        "path normal": "a billion normals, Philox and Box-Muller",
        "multiply_add": "a billion multiply-adds",
    }  # fmt: skip
    return [
        {"what": names[key], "name": "this machine, one thread", "seconds": 1e9 / value, "peer": False,
         "accuracy": f"{value:.3g} a second"}
        for key, value in found.items()
    ]  # fmt: skip


def rows(what: str, seconds: float, needs: dict[str, float], found: dict[str, float]) -> list[dict[str, Any]]:
    """Ours, and the least time for the bytes and for the arithmetic it needs."""
    memory = needs.get("bytes", 0.0) / found["bytes"]
    work = sum(count / found[key] for key, count in needs.items() if key != "bytes")
    said = f"{100 * memory / seconds:.0f}% of the memory, {100 * work / seconds:.0f}% of the arithmetic"
    out = [{"what": what, "name": "research", "seconds": seconds, "peer": False, "accuracy": said}]
    for name, least in (("limit: memory", memory), ("limit: elementary functions", work)):
        if least > 0.0:
            out.append({"what": what, "name": name, "seconds": least, "peer": True, "accuracy": ""})
    return out


def run() -> list[dict[str, Any]]:
    """The machine's limits, then each kernel beside the limits that bind it."""
    import american as american_bench
    import monte_carlo as monte_carlo_bench

    from research.instruments import Asian
    from research.market import flat_snapshot
    from research.models import BlackScholes, black
    from research.pricing import price

    before = numba.get_num_threads()
    numba.set_num_threads(1)
    found = limits()
    out = machine_rows(found)
    rng = np.random.default_rng(2)
    f, k, t, v = rng.uniform(80, 120, N), rng.uniform(80, 120, N), rng.uniform(0.1, 2.0, N), rng.uniform(0.1, 0.5, N)
    out += rows("price of 1e6 options", best(lambda: black.price(f, k, t, v), 15),
                {"bytes": 56.0 * N, "log": N, "cdf": 2.0 * N}, found)  # fmt: skip
    out += rows("price and Greeks of 1e6 options", best(lambda: black.greeks(f, k, t, v), 15),
                {"bytes": 104.0 * N, "log": N, "cdf": 2.0 * N, "exp": N}, found)  # fmt: skip
    normals = np.empty((STEPS, PATHS // 2))
    out += rows("1.26e7 normals into memory", best(lambda: fill_normals(1, 0, 0, 0, normals), 5),
                {"bytes": 16.0 * normals.size, "normal": normals.size}, found)  # fmt: skip
    asian = Asian(fixings=tuple(j / STEPS for j in range(1, STEPS + 1)), strike=100.0)
    market, model = flat_snapshot(spot=100.0, rate=0.03, dividend_yield=0.01), BlackScholes(sigma=0.25)
    plain: dict[str, Any] = {"sampler": "philox", "control": False, "n_paths": PATHS}
    out += rows(monte_carlo_bench.PATHS, best(lambda: price(asian, model, market, **plain), 5),
                {"path normal": PATHS * STEPS, "exp": PATHS * STEPS}, found)  # fmt: skip
    batch = american_bench.ours(american_bench.batch(), 1e-5)
    # 3.4 steps of 24 points, 2.6 of 64, then values at three spots, of 20 and of 32 points
    points, spots = 3.4 * 24 + 2.6 * 64, 3 * (20 + 32)
    needs = {"exp": AMERICANS * (3.0 * points + 2.0 * spots), "cdf": AMERICANS * (points + 2.0 * spots)}
    out += rows("10,000 American puts, tolerance 1e-5", best(batch, 3), needs, found)
    numba.set_num_threads(before)
    return out
