"""Elementary functions and normal draws on one core, beside the C library in a numba loop, NumPy and SciPy.

Speed on 16,384 numbers that stay in the cache; accuracy in ulp over the table of 60-digit values whose harder
half was searched for our own errors, so a peer may look better than it is, never worse.

    python benchmarks/elementary.py     prints millions a second
"""

from __future__ import annotations

import csv
import functools
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import numba
import numpy as np

from research.core.math import elementary, normal
from research.core.random.philox import fill_normals, fill_uniforms

N = 16_384
TABLE = Path(__file__).resolve().parents[1] / "tests" / "reference" / "elementary_functions.csv"
RANGES = {
    "exp": (-20.0, 20.0),
    "log": (1e-3, 1e3),
    "sin": (-50.0, 50.0),
    "norm_cdf": (-8.0, 8.0),
    "norm_ppf": (1e-6, 1.0 - 1e-6),
}


def looped(function: Any) -> Callable[[Any, Any], None]:
    """A compiled loop over one function; what each kernel's author would write."""

    @numba.njit(error_model="numpy")
    def loop(x, out):  # type: ignore[no-untyped-def]
        for i in range(out.size):
            out[i] = function(x[i])

    return loop  # type: ignore[no-any-return]


def libm(name: str) -> Any:
    """The C library's function inside a numba loop, one number at a time; None where it has none."""
    if name == "norm_cdf":
        return numba.njit(lambda x: 0.5 * math.erfc(-x / math.sqrt(2.0)))
    function = getattr(math, name, None)
    return function and numba.njit(lambda x: function(x))


def contenders(name: str) -> Iterator[tuple[str, bool, Callable[[Any, Any], Any]]]:
    """(who, is a peer, call(x, out)) of one function."""
    from scipy import special

    yield "research.core.math", False, looped(getattr(normal if name.startswith("norm") else elementary, name))
    plain = libm(name)
    if plain is not None:
        yield "libm in a numba loop", True, looped(plain)
    vector = {"exp": np.exp, "log": np.log, "sin": np.sin, "norm_cdf": special.ndtr, "norm_ppf": special.ndtri}[name]
    yield ("SciPy" if name.startswith("norm") else "NumPy"), True, lambda x, out: vector(x, out=out)


def fastest(call: Callable[..., Any], args: tuple[Any, ...] = (), repeat: int = 300) -> float:
    call(*args)
    best = math.inf
    for _ in range(repeat):
        began = perf_counter()
        call(*args)
        best = min(best, perf_counter() - began)
    return best


def hard_points(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(x, high, low) of the table of exact values."""
    with open(TABLE) as handle:
        handle.readline()
        rows = [row for row in csv.DictReader(handle) if row["function"] == name]
    x, high, low = (np.array([float.fromhex(row[key]) for row in rows]) for key in ("x", "high", "low"))
    return x, high, low


def worst_ulp(name: str, call: Callable[[Any, Any], Any]) -> float:
    x, high, low = hard_points(name)
    out = np.empty_like(x)
    call(x, out)
    return float(np.max(np.abs(((out - high) - low) / np.spacing(np.abs(high)))))


def functions() -> list[dict[str, Any]]:
    rows = []
    for name, (low, high) in RANGES.items():
        x, out = np.random.default_rng(1).uniform(low, high, N), np.empty(N)
        for who, peer, call in contenders(name):
            seconds = fastest(call, (x, out))
            accuracy = f"{worst_ulp(name, call):.2g} ulp"
            rows.append(
                {"name": who, "seconds": seconds, "accuracy": accuracy, "what": f"{name}, {N:,} numbers", "peer": peer}
            )
    return rows


def draws() -> list[dict[str, Any]]:
    """Uniforms and normals; ours on one thread, then on all."""
    rows, shape = [], (16, 16_384)
    out, flat = np.empty(shape), np.empty(shape[0] * shape[1])
    threads = numba.get_num_threads()
    numpy_draw = {"uniforms": "random", "normals": "standard_normal"}
    for kind, fill in (("uniforms", fill_uniforms), ("normals", fill_normals)):
        what = f"{kind}, {flat.size:,} draws"
        for used in sorted({1, threads}):
            numba.set_num_threads(used)
            seconds = fastest(fill, (7, 0, 0, 0, out), 60)
            said = "by (seed, stream, path, step); any order" + ("; inverse cdf" if kind == "normals" else "")
            rows.append(
                {
                    "name": f"research, Philox, threads: {used}",
                    "seconds": seconds,
                    "accuracy": said,
                    "what": what,
                    "peer": False,
                }
            )
        numba.set_num_threads(threads)
        for who, bits in (("NumPy, Philox", np.random.Philox(7)), ("NumPy, PCG64", np.random.PCG64(7))):
            draw = getattr(np.random.Generator(bits), numpy_draw[kind])
            seconds = fastest(functools.partial(draw, out=flat), (), 60)
            said = "in sequence" + ("; ziggurat" if kind == "normals" else "")
            rows.append({"name": who, "seconds": seconds, "accuracy": said, "what": what, "peer": True})
    return rows


def run() -> list[dict[str, Any]]:
    return functions() + draws()


def main() -> None:
    for row in run():
        count = int(row["what"].split(", ")[1].split(" ")[0].replace(",", ""))
        print(f"{row['what']:28} {row['name']:30} {count / row['seconds'] / 1e6:7.0f} M/s   {row['accuracy']}")


if __name__ == "__main__":
    main()
