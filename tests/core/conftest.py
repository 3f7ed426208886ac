"""Loops around inlined functions, and the table of exact values."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

REFERENCE = Path(__file__).parents[1] / "reference"


def _compile(function: Any, n_arguments: int, part: int | None) -> Any:
    if n_arguments == 1 and part is None:

        @numba.njit(error_model="numpy")
        def loop(x, y, out):  # type: ignore[no-untyped-def]
            for i in range(out.size):
                out[i] = function(x[i])

    elif n_arguments == 1:

        @numba.njit(error_model="numpy")
        def loop(x, y, out):  # type: ignore[no-untyped-def]
            for i in range(out.size):
                out[i] = function(x[i])[part]

    elif part is None:

        @numba.njit(error_model="numpy")
        def loop(x, y, out):  # type: ignore[no-untyped-def]
            for i in range(out.size):
                out[i] = function(x[i], y[i])

    else:

        @numba.njit(error_model="numpy")
        def loop(x, y, out):  # type: ignore[no-untyped-def]
            for i in range(out.size):
                out[i] = function(x[i], y[i])[part]

    return loop


@pytest.fixture(scope="session")
def loop_of() -> Callable[..., Any]:
    """loop_of(f, n_arguments, part) -> compiled loop(x, y, out); `part` picks one of a pair."""
    made: dict[tuple[Any, int, int | None], Any] = {}

    def get(function: Any, n_arguments: int = 1, part: int | None = None) -> Any:
        key = (function, n_arguments, part)
        if key not in made:
            made[key] = _compile(*key)
        return made[key]

    return get


@pytest.fixture(scope="session")
def apply(loop_of: Callable[..., Any]) -> Callable[..., Any]:
    """apply(f, x) or apply(f, x, y), with part=0 or 1 for one of a pair: the function over arrays, compiled."""

    def call(function: Any, x: Any, y: Any = None, *, part: int | None = None) -> Any:
        a = np.atleast_1d(np.array(x, dtype=np.float64))
        b = a if y is None else np.array(np.broadcast_to(np.asarray(y, dtype=np.float64), a.shape))
        out = np.empty_like(a)
        loop_of(function, 1 if y is None else 2, part)(a, b, out)
        return out if np.ndim(x) else float(out[0])

    return call


@pytest.fixture(scope="session")
def exact_values() -> dict[str, dict[str, Any]]:
    """For each function: x, y (or None), and the true value as high + low."""
    rows: dict[str, list[list[float]]] = {}
    with open(REFERENCE / "elementary_functions.csv") as handle:
        handle.readline()
        for row in csv.DictReader(handle):
            numbers = [float.fromhex(row[name] or "nan") for name in ("x", "y", "high", "low")]
            rows.setdefault(row["function"], []).append(numbers)
    table = {}
    for name, numbers in rows.items():
        x, y, high, low = np.array(numbers).T.copy()
        table[name] = {"x": x, "y": None if np.isnan(y).all() else y, "high": high, "low": low}
    return table


@pytest.fixture(scope="session")
def ulps() -> Callable[..., Any]:
    """Distance of `got` from high + low, in units in the last place of `high`."""

    def distance(got: Any, high: Any, low: Any) -> Any:
        return np.abs(((got - high) - low) / np.spacing(np.abs(high)))

    return distance
