"""Names and units of the Greeks, and their tables: what each way of finding them gives, and what a user sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from research.pricing._bumps import DAYS
from research.pricing._tables import whole

GREEKS = ("value", "delta", "gamma", "vega", "theta", "rho", "vanna", "volga", "charm", "speed")
DERIVED = {"vega_per_vol_point": ("vega", 100.0), "theta_per_day": ("theta", DAYS), "rho_per_bp": ("rho", 1e4)}
UNITS = {
    "value": "price", "delta": "price per unit of spot", "gamma": "delta per unit of spot",
    "vega": "price per 1.00 of vol", "vanna": "delta per 1.00 of vol", "volga": "vega per 1.00 of vol",
    "rho": "price per 1.00 of rate", "theta": "price per year, spot and curves unchanged",
    "charm": "delta per year, spot and curves unchanged", "speed": "gamma per unit of spot",
    "vega_per_vol_point": "price per 0.01 of vol", "theta_per_day": "price per calendar day",
    "rho_per_bp": "price per basis point of rate",
}  # fmt: skip
Table = dict[str, dict[str, Any]]  # greek: value, std_error, error, how


def entry(value: Any, error: Any, how: str) -> dict[str, Any]:
    """A Greek of several contracts in a table, found without simulation."""
    v = np.atleast_1d(np.asarray(value, dtype=np.float64))
    return {"value": v, "std_error": np.zeros_like(v), "error": np.broadcast_to(error, v.shape), "how": how}


def nothing(names: Sequence[str]) -> Table:
    """Greeks of a contract that was refused."""
    return {n: {"value": [np.nan], "std_error": [np.nan], "error": [np.nan], "how": ""} for n in names}


def long(table: Table, names: Sequence[str], method: str) -> Any:
    """One contract: a row a Greek, in a DataFrame."""
    rows = [
        (n, float(table[n]["value"][0]), float(table[n]["std_error"][0]), UNITS[n], float(table[n]["error"][0]), method,
         table[n]["how"])
        for n in names
    ]  # fmt: skip
    return whole(rows, ["greek", "value", "std_error", "unit", "error", "method", "how"])


def wide(items: list[Any], found: list[tuple[list[int], str, Table]], names: Sequence[str]) -> Any:
    """Several contracts: a row each, in a DataFrame."""
    n = len(items)
    columns: dict[str, Any] = {"contract": [type(i).__name__ for i in items], "method": np.full(n, "", dtype=object)}
    for name in names:
        columns[name], spread = np.full(n, np.nan), np.zeros(n)
        for at, method, table in found:
            columns["method"][at] = method
            if name in table:
                columns[name][at], spread[at] = table[name]["value"], table[name]["std_error"]
        if spread.any():
            columns[f"{name}_std_error"] = spread
    return whole(columns)
