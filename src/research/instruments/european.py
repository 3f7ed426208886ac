"""European options: the right to buy (call) or sell (put) at the strike on the expiry day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from research.conventions import check_fields
from research.instruments._expiry import check_expiry, check_finite, years_left


@dataclass(frozen=True, slots=True, kw_only=True)
class European:
    """Terms of one European option on one unit of the underlying; give `expiry` or `tau`, not both.

    Examples
    --------
    >>> European(strike=4400.0, expiry=date(2003, 6, 15)).years(date(2002, 7, 5)) * 365
    345.0
    """

    strike: float  # price units; <= 0 under a model of prices of any sign (Bachelier)
    expiry: date | None = None
    tau: float | None = None  # years (ACT/365F) from the snapshot's day
    is_call: bool = True

    def __post_init__(self) -> None:
        check_fields(self)
        check_finite("strike", self.strike)
        check_expiry("European", self.expiry, self.tau)

    def years(self, as_of: date) -> float:
        """Years from `as_of` to expiry (ACT/365F); refuses an expired option."""
        return years_left(self.expiry, self.tau, as_of)
