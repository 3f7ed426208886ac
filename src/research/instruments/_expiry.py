"""What contracts with one expiry share: a date or a time, and the years left."""

from __future__ import annotations

import math
from datetime import date

from research.conventions import check_day, year_fraction
from research.errors import InputError, require, rule

MOST_YEARS = 100.0


def check_expiry(contract: str, expiry: date | None, tau: float | None) -> None:
    """Refuse both, neither, and a time that is negative or not finite."""
    if (expiry is None) == (tau is None):
        given = "neither" if expiry is None else f"expiry={expiry} and tau={tau:g}"
        raise InputError(f"{contract} must have an expiry or a tau; got {given}.")
    if tau is not None and not 0.0 <= tau <= MOST_YEARS:
        require(math.isfinite(tau) and tau >= 0.0, "tau", tau, "be finite and >= 0 years")
        check_years("tau", tau)


def check_years(name: str, years: float) -> None:
    """Refuse a number of days where years are wanted."""
    if not years <= MOST_YEARS:
        raise InputError(rule(name, f"be at most {MOST_YEARS:g} years", years, "90 days are 90 / 365 years."))


def years_left(expiry: date | None, tau: float | None, as_of: date) -> float:
    """Years from `as_of` to expiry (ACT/365F); refuses an expired contract."""
    if tau is not None:
        return tau
    assert expiry is not None
    as_of = check_day("as_of", as_of)
    require(expiry >= as_of, "expiry", str(expiry), f"not lie before as_of, {as_of}")
    return year_fraction(as_of, expiry)


def check_positive(name: str, value: float) -> None:
    """Refuse a strike, a barrier or an amount that is not finite and > 0."""
    if not 0.0 < value < math.inf:
        raise InputError(rule(name, "be finite and > 0", value))


def check_finite(name: str, value: float) -> None:
    """Refuse a strike that is no number; its sign is a question for the model."""
    require(math.isfinite(value), name, value, "be finite")


Moment = date | float  # a day, or years (ACT/365F) from the snapshot's day


def check_moment(name: str, when: Moment, *, before: Moment | None = None) -> None:
    """Refuse a time that is not finite and > 0, and one that does not lie before `before`, of the same kind."""
    if not isinstance(when, date) and not 0.0 < when <= MOST_YEARS:
        require(math.isfinite(when) and when > 0.0, name, when, "be finite and > 0 years")
        check_years(name, when)
    same = before is not None and isinstance(before, date) == isinstance(when, date)
    if same and not when < before:  # type: ignore[operator]
        shown = str(when) if isinstance(when, date) else when
        raise InputError(rule(name, f"lie before expiry, {before}", shown))


def moment_years(name: str, when: Moment, as_of: date, until: float) -> float:
    """Years from `as_of` to `when` (ACT/365F), which must lie strictly between 0 and `until` years."""
    years = year_fraction(as_of, when) if isinstance(when, date) else float(when)
    if not 0.0 < years < until:  # words cost more than the rest: only where they are wanted
        must = f"lie after as_of, {as_of}, and before expiry, {until:g} years"
        raise InputError(rule(name, must, str(when)))
    return years
