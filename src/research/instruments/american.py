"""American options: the right to buy (call) or sell (put) at the strike on any day up to expiry."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from research.conventions import check_fields
from research.instruments._expiry import check_expiry, check_positive, years_left


@dataclass(frozen=True, slots=True, kw_only=True)
class American:
    """Terms of one American option on one unit of the underlying; give `expiry` or `tau`, not both."""

    strike: float  # price units, > 0
    expiry: date | None = None
    tau: float | None = None  # years (ACT/365F) from the snapshot's day
    is_call: bool = False

    def __post_init__(self) -> None:
        check_fields(self)
        check_positive("strike", self.strike)
        check_expiry("American", self.expiry, self.tau)

    def years(self, as_of: date) -> float:
        """Years from `as_of` to expiry (ACT/365F); refuses an expired option."""
        return years_left(self.expiry, self.tau, as_of)
