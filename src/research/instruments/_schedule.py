"""What contracts with many dates share: a schedule of dates or of years, equal steps in between, levels per date."""

from __future__ import annotations

import math
from datetime import date
from itertools import pairwise

import numpy as np

from research.arrays import Float1D
from research.conventions import check_day, year_fraction
from research.errors import InputError, require, rule
from research.instruments._expiry import check_years

Schedule = tuple[date, ...] | tuple[float, ...]  # dates, or years (ACT/365F) from the snapshot's day


def check_schedule(name: str, schedule: Schedule) -> None:
    """Refuse an empty schedule, one that mixes dates and years, one out of order, times that are not > 0."""
    require(len(schedule) > 0, name, "none", "hold at least one date")
    dated = [isinstance(item, date) for item in schedule]
    require(all(dated) or not any(dated), name, "both", "be all dates or all years")
    for before, after in pairwise(schedule):
        require(after > before, name, f"{after} after {before}", "be in order, each later than the one before")  # type: ignore[operator]
    if not dated[0]:
        require(math.isfinite(schedule[-1]) and schedule[0] > 0.0, name, schedule[0], "be finite and > 0 years")  # type: ignore[arg-type,operator]
        check_years(name, schedule[-1])  # type: ignore[arg-type]


def schedule_years(name: str, schedule: Schedule, as_of: date) -> Float1D:
    """Years (ACT/365F) from `as_of`, shape (n,); refuses a date that has passed."""
    if isinstance(schedule[0], date):
        hint = "Leave out observations that have passed."
        as_of = check_day("as_of", as_of)
        require(schedule[0] > as_of, name, str(schedule[0]), f"lie after as_of, {as_of}", hint=hint)
        return np.array([year_fraction(as_of, day) for day in schedule])  # type: ignore[arg-type]
    return np.array(schedule, dtype=np.float64)


def levels(name: str, level: float | tuple[float, ...], n: int) -> Float1D:
    """One level a date, shape (n,): a number holds for all."""
    if isinstance(level, tuple):
        require(len(level) == n, name, len(level), f"have one value a date, {n}, or be one number")
        return np.array(level, dtype=np.float64)
    return np.full(n, float(level))


def check_fraction(name: str, value: float | tuple[float, ...]) -> None:
    """A level as a fraction of the initial price: finite, > 0 and not in percent."""
    for one in value if isinstance(value, tuple) else (value,):
        good = math.isfinite(one) and 0.0 < one < 20.0
        require(good, name, one, "lie in (0, 20)", hint="Levels are fractions of the initial price: 103% is 1.03.")


def check_rate(name: str, value: float) -> None:
    """A coupon or a rate: finite, decimal."""
    good = math.isfinite(value) and abs(value) < 10.0
    require(good, name, value, "lie in (-10, 10)", hint="A decimal is wanted: 15% is 0.15.")


def check_steps(value: int) -> None:
    """Number of equal steps a year between which a daily barrier is not looked at."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 10_000:
        raise InputError(rule("steps_per_year", "be a whole number in [1, 10000]", value))


def daily(tau: float, steps_per_year: int) -> Float1D:
    """Equal steps up to tau, shape (n,), n = round(tau * steps_per_year), at least 1."""
    n = max(1, round(tau * steps_per_year))
    return tau * np.arange(1, n + 1) / n
