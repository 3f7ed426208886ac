"""Bermudan options: the right to buy (call) or sell (put) at the strike on given days."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from research.conventions import check_fields, year_fraction
from research.errors import InputError, require
from research.instruments._expiry import check_positive, check_years


@dataclass(frozen=True, slots=True, kw_only=True)
class Bermudan:
    """Terms of one Bermudan option on one unit of the underlying; give `dates` or `times`, not both.

    Examples
    --------
    >>> Bermudan(strike=100.0, times=(0.25, 0.5, 1.0)).exercise_times(date(2024, 1, 2))
    (0.25, 0.5, 1.0)
    """

    strike: float  # price units, > 0
    dates: tuple[date, ...] | None = None  # exercise days, in order; the last is the expiry
    times: tuple[float, ...] | None = None  # the same in years (ACT/365F) from the snapshot's day
    is_call: bool = False

    def __post_init__(self) -> None:
        check_fields(self)
        check_positive("strike", self.strike)
        if (self.dates is None) == (self.times is None):
            raise InputError(f"Bermudan must have dates or times; got {'neither' if self.dates is None else 'both'}.")
        given: tuple[date, ...] | tuple[float, ...] = self.dates if self.dates is not None else self.times or ()
        name = "dates" if self.dates is not None else "times"
        require(len(given) > 0, name, given, "hold at least one exercise day")
        for before, after in pairwise(given):
            require(before < after, name, str(after), f"increase; the one before is {before}")  # type: ignore[operator]
        if self.times is not None:
            for time in self.times:
                require(math.isfinite(time) and time >= 0.0, "times", time, "be finite and >= 0 years")
            check_years("times", self.times[-1])

    def exercise_times(self, as_of: date) -> tuple[float, ...]:
        """Years from `as_of` to each exercise day that is left; refuses an expired option."""
        if self.times is not None:
            return self.times
        assert self.dates is not None
        last = self.dates[-1]
        require(last >= as_of, "dates", str(last), f"not lie before as_of, {as_of}")
        return tuple(year_fraction(as_of, day) for day in self.dates if day >= as_of)
