"""Forward-start options (远期生效期权): the strike is a fraction of the price on a later day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from research.conventions import check_fields
from research.errors import require
from research.instruments._expiry import Moment, check_expiry, check_moment, moment_years, years_left
from research.instruments._schedule import check_fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardStart:
    """Paid at expiry: max(+-(S(T) - strike S(start)), 0), or, on the return, max(+-(S(T) / S(start) - strike), 0)."""

    start: Moment  # day, or years (ACT/365F), on which the strike is set
    strike: float = 1.0  # fraction of the price on that day
    expiry: date | None = None
    tau: float | None = None  # years (ACT/365F) from the snapshot's day
    is_call: bool = True
    on_return: bool = False  # paid for each unit of money, not for each unit of the underlying

    def __post_init__(self) -> None:
        check_fields(self)
        check_fraction("strike", self.strike)
        check_expiry("ForwardStart", self.expiry, self.tau)
        check_moment("start", self.start, before=self.tau if self.expiry is None else self.expiry)
        require(isinstance(self.on_return, bool), "on_return", self.on_return, "be True or False")

    def years(self, as_of: date) -> float:
        """Years from `as_of` to expiry (ACT/365F); refuses an expired option."""
        return years_left(self.expiry, self.tau, as_of)

    def start_years(self, as_of: date) -> float:
        """Years from `as_of` to the start (ACT/365F)."""
        return moment_years("start", self.start, as_of, self.years(as_of))
