"""Structured notes from their term sheets on whole daily paths, in plain NumPy: slow, obvious, independent.

Every function reads the JSON terms of a note and gives the value of each path, discounted. One set of antithetic paths
serves all notes of a market; dates are taken at the nearest of `n_steps` equal steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from research.errors import require

Real = NDArray[np.float64]
Terms = dict[str, Any]


class DailyPaths:
    """Spot paths of a lognormal market, made once and read by many notes."""

    def __init__(
        self, *, sigma: float, market: dict[str, float], years: float, n_steps: int, n_paths: int, seed: int
    ) -> None:
        require(n_paths >= 2 and n_steps >= 1, "n_paths", n_paths, "be at least 2, and n_steps at least 1")
        dt, self.rate = years / n_steps, market["rate"]
        z = np.random.default_rng(seed).standard_normal((n_steps, n_paths // 2))
        drift = (market["rate"] - market["dividend_yield"] - 0.5 * sigma**2) * dt
        moves = np.concatenate((z, -z), axis=1) * (sigma * np.sqrt(dt))
        self.spot = market["spot"] * np.exp(np.cumsum(drift + moves, axis=0))  # shape (n_steps, n_paths)
        self.times = dt * np.arange(1, n_steps + 1)

    def at(self, tau: float) -> int:
        """Row of the time tau."""
        row = int(np.argmin(np.abs(self.times - tau)))
        require(abs(self.times[row] - tau) < 1e-6, "tau", tau, "be one of the steps")
        return row

    def df(self, row: int) -> float:
        return float(np.exp(-self.rate * self.times[row]))


def simulated_note(terms: Terms, paths: DailyPaths) -> tuple[float, float]:
    """(value, standard error) of a note whose path-wise value is known here; KeyError for another type."""
    each = _NOTES[str(terms["type"])](terms, paths, paths.spot / terms["initial"])
    each = each * terms.get("notional", 100.0)
    half = each.size // 2
    mean = 0.5 * (each[:half] + each[half:])
    return float(mean.mean()), float(mean.std(ddof=1) / np.sqrt(half))


def known_note(contract: str) -> bool:
    """Is there a reading of this contract?"""
    return contract in _NOTES


def _autocallable(terms: Terms, paths: DailyPaths, x: Real) -> Real:
    rows = [paths.at(t) for t in terms["observations"]]
    levels = np.broadcast_to(terms["knock_out"], (len(rows),))
    out, alive = np.zeros(x.shape[1]), np.ones(x.shape[1], dtype=bool)
    for row, level in zip(rows, levels, strict=True):
        called = alive & (x[row] >= level)
        out[called] = paths.df(row) * (1.0 + terms["coupon"] * paths.times[row])
        alive &= ~called
    last = rows[-1]
    inside = np.zeros(x.shape[1], dtype=bool)
    if terms.get("knock_in") is not None:
        watched = x[: last + 1] if terms.get("knock_in_daily", True) else x[last : last + 1]
        inside = (watched < terms["knock_in"]).any(axis=0)
    final = terms.get("maturity_coupon")
    plain = 1.0 + (terms["coupon"] if final is None else final) * paths.times[last]
    lost = np.maximum(terms.get("floor", 0.0), 1.0 - np.maximum(terms.get("strike", 1.0) - x[last], 0.0))
    return np.where(alive, paths.df(last) * np.where(inside, lost, plain), out)


def _phoenix(terms: Terms, paths: DailyPaths, x: Real) -> Real:
    rows = [paths.at(t) for t in terms["observations"]]
    levels = np.broadcast_to(terms["knock_out"], (len(rows),))
    out, alive = np.zeros(x.shape[1]), np.ones(x.shape[1], dtype=bool)
    for row, level in zip(rows, levels, strict=True):
        out += np.where(alive & (x[row] >= terms["coupon_barrier"]), paths.df(row) * terms["coupon"], 0.0)
        called = alive & (x[row] >= level)
        out[called] += paths.df(row)
        alive &= ~called
    last = rows[-1]
    inside = (x[: last + 1] < terms["knock_in"]).any(axis=0)
    return out + np.where(alive, paths.df(last) * np.where(inside, np.minimum(x[last], 1.0), 1.0), 0.0)


def _shark_fin(terms: Terms, paths: DailyPaths, x: Real) -> Real:
    last, sign = paths.at(terms["tau"]), 1.0 if terms.get("is_call", True) else -1.0
    watched = x[: last + 1] if terms.get("daily", True) else x[last : last + 1]
    out = (sign * (watched - terms["barrier"]) >= 0.0).any(axis=0)
    share = terms.get("participation", 1.0)
    grown = terms.get("base", 0.0) + share * np.maximum(sign * (x[last] - terms["strike"]), 0.0)
    return np.asarray(paths.df(last) * (1.0 + np.where(out, terms.get("rebate", 0.0), grown)))


def _range_accrual(terms: Terms, paths: DailyPaths, x: Real) -> Real:
    last = paths.at(terms["tau"])
    share = ((x[: last + 1] >= terms["low"]) & (x[: last + 1] <= terms["high"])).mean(axis=0)
    return np.asarray(paths.df(last) * (1.0 + terms.get("base", 0.0) + terms["rate"] * share))


def _double_no_touch(terms: Terms, paths: DailyPaths, x: Real) -> Real:
    last = paths.at(terms["tau"])
    hit = ((x[: last + 1] <= terms["low"]) | (x[: last + 1] >= terms["high"])).any(axis=0)
    paid = terms.get("principal", 1.0) + np.where(hit, terms.get("touched_rate", 0.0), terms["rate"])
    return np.asarray(paths.df(last) * paid)


def _airbag(terms: Terms, paths: DailyPaths, x: Real) -> Real:
    last = paths.at(terms["tau"])
    watched = x[: last + 1] if terms.get("daily", True) else x[last : last + 1]
    inside = (watched < terms["knock_in"]).any(axis=0)
    up, down = np.maximum(x[last] - 1.0, 0.0), np.maximum(1.0 - x[last], 0.0)
    knocked = terms.get("knocked_participation", 1.0) * up - down
    return np.asarray(paths.df(last) * (1.0 + np.where(inside, knocked, terms.get("participation", 1.0) * up)))


def _structured_deposit(terms: Terms, paths: DailyPaths, x: Real) -> Real:
    last, sign = paths.at(terms["tau"]), 1.0 if terms.get("is_call", True) else -1.0
    gain = np.maximum(sign * (x[last] - terms.get("strike", 1.0)), 0.0)
    if terms.get("width") is not None:
        gain = np.minimum(gain, terms["width"])
    fixed = terms.get("protection", 1.0) + terms.get("base", 0.0)
    return np.asarray(paths.df(last) * (fixed + terms.get("participation", 1.0) * gain))


_NOTES: dict[str, Callable[[Terms, DailyPaths, Real], Real]] = {
    "Autocallable": _autocallable,
    "Phoenix": _phoenix,
    "SharkFin": _shark_fin,
    "RangeAccrual": _range_accrual,
    "DoubleNoTouch": _double_no_touch,
    "Airbag": _airbag,
    "StructuredDeposit": _structured_deposit,
}
