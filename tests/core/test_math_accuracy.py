"""Every function of core.math against 60-digit values, and what makes the bits portable."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from research.core._jit import inlined
from research.core.math import complexes, elementary, normal
from research.core.math._fused import fma

# name in the table: function, which part of a pair, bound in ulp as stated in the docstrings
FUNCTIONS: dict[str, tuple[Any, int | None, float]] = {
    "exp": (elementary.exp, None, 1.0),
    "expm1": (elementary.expm1, None, 1.1),
    "log": (elementary.log, None, 0.9),
    "log1p": (elementary.log1p, None, 0.9),
    "power": (elementary.power, None, 1.0),
    "sin": (elementary.sin, None, 0.8),
    "cos": (elementary.cos, None, 0.8),
    "sinh": (elementary.sinh, None, 2.0),
    "cosh": (elementary.cosh, None, 1.3),
    "tanh": (elementary.tanh, None, 2.5),
    "atan2": (complexes.atan2, None, 1.8),
    "clog_re": (complexes.clog, 0, 0.9),
    "csqrt_re": (complexes.csqrt, 0, 2.0),
    "csqrt_im": (complexes.csqrt, 1, 2.0),
    "cexp_re": (complexes.cexp, 0, 1.8),
    "cexp_im": (complexes.cexp, 1, 1.8),
    "norm_pdf": (normal.norm_pdf, None, 1.0),
    "norm_cdf": (normal.norm_cdf, None, 3.4),
    "mills": (normal.mills, None, 2.8),
    "erfc": (normal.erfc, None, 3.0),
    "erfcx": (normal.erfcx, None, 3.0),
    "norm_ppf": (normal.norm_ppf, None, 2.5),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_error_stays_below_the_stated_bound(name: str, exact_values: Any, apply: Any, ulps: Any) -> None:
    function, part, bound = FUNCTIONS[name]
    table = exact_values[name]
    got = apply(function, table["x"], table["y"], part=part)
    error = ulps(got, table["high"], table["low"])
    worst = int(np.argmax(error))
    assert error[worst] <= bound, (table["x"][worst].hex(), got[worst].hex())
    assert error[worst] > 0.3  # the table holds hard points: a bound that nothing comes near would say nothing


def test_the_table_covers_every_function(exact_values: Any) -> None:
    assert set(exact_values) == set(FUNCTIONS)


@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="long double is no longer than double here")
@pytest.mark.parametrize("name", ["exp", "expm1", "log", "log1p", "sin", "cos"])
def test_the_error_stays_below_the_bound_on_random_points(name: str, apply: Any) -> None:
    function, _, bound = FUNCTIONS[name]
    rng = np.random.default_rng(17)
    x = {
        "exp": rng.uniform(-708.0, 709.7, 50_000),
        "expm1": rng.normal(size=50_000) * 3.0,
        "log": np.exp(rng.normal(size=50_000) * 2.0),
        "log1p": np.expm1(rng.normal(size=50_000) * 2.0),
        "sin": rng.uniform(-1e5, 1e5, 50_000),
        "cos": rng.uniform(-1e5, 1e5, 50_000),
    }[name]
    true = getattr(np, name)(x.astype(np.longdouble))
    error = np.abs((apply(function, x) - true) / np.spacing(np.abs(true.astype(np.float64))))
    assert float(error.max()) <= bound + 0.01


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if not name.endswith("_im")])
def test_loops_vectorise_without_libm(name: str, loop_of: Any) -> None:
    function, part, _ = FUNCTIONS[name]
    two = name in ("power", "atan2") or part is not None
    loop = loop_of(function, 2 if two else 1, part)
    x = np.ones(8)
    loop(x, x, np.empty(8))
    (assembly,) = loop.inspect_asm().values()
    assert re.search(r"\bv?mulpd\b", assembly), "no packed products: the loop runs one number at a time"
    called = set(
        re.findall(
            r"\b(exp|log|sin|cos|pow|sinh|cosh|tanh|atan2|hypot|erfc?)@|movabsq\s+\$(exp|log|sin|cos|pow)\b", assembly
        )
    )
    assert not called, f"calls the C library: {called}"


def test_products_are_fused_where_asked_and_nowhere_else(loop_of: Any) -> None:
    """LLVM's own choice would give other bits on older CPUs, and in the rest of a loop than in its lanes."""
    x, out = np.ones(8), np.empty(8)
    for function, fused in ((_plain, False), (_asked, True)):
        loop = loop_of(function)
        loop(x, x, out)
        (assembly,) = loop.inspect_asm().values()
        assert bool(re.search(r"\bvfn?m(add|sub)", assembly)) == (fused and "fma" in _features())


@inlined
def _plain(x: float) -> float:
    return x * x + 1.0


@inlined
def _asked(x: float) -> float:
    return fma(x, x, 1.0)


def _features() -> Any:
    from llvmlite import binding

    return {name for name, on in binding.get_host_cpu_features().items() if on}


DIGEST = """
import csv, hashlib, importlib, sys
import numpy as np
from research.core.math import complexes, elementary, normal

running = hashlib.sha256()
with open(sys.argv[1]) as handle, np.errstate(all="ignore"):
    handle.readline()
    for row in csv.DictReader(handle):
        name, _, part = row["function"].partition("_re")
        name, _, other = name.partition("_im")
        function = next(f for m in (elementary, normal, complexes) if (f := getattr(m, name, None)))
        args = [np.float64(float.fromhex(row[k])) for k in ("x", "y") if row[k]]
        got = function(*args)
        running.update(np.array(got, dtype=np.float64).tobytes())
print(running.hexdigest())
"""


@pytest.mark.deep
@pytest.mark.slow
def test_the_bits_are_the_same_with_the_jit_off_and_on_another_cpu() -> None:
    table = Path(__file__).parents[1] / "reference" / "elementary_functions.csv"
    found = set()
    for setting in ({}, {"NUMBA_DISABLE_JIT": "1"}, {"NUMBA_CPU_NAME": "generic"}):
        done = subprocess.run(
            [sys.executable, "-c", DIGEST, str(table)],
            env={**os.environ, **setting},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        found.add(done.stdout.strip())
    assert len(found) == 1 and len(found.pop()) == len(hashlib.sha256().hexdigest())
