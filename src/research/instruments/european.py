"""European options: the right to buy (call) or sell (put) at the strike on the expiry day."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

from research.conventions import year_fraction
from research.errors import InputError, require


@dataclass(frozen=True, slots=True, kw_only=True)
class European:
    """Terms of one European option on one unit of the underlying; give `expiry` or `tau`, not both.

    Examples
    --------
    >>> European(strike=4400.0, expiry=date(2003, 6, 15)).years(date(2002, 7, 5)) * 365
    345.0
    """

    strike: float  # price units, > 0
    expiry: date | None = None
    tau: float | None = None  # years (ACT/365F) from the snapshot's day
    is_call: bool = True

    def __post_init__(self) -> None:
        require(math.isfinite(self.strike) and self.strike > 0.0, "strike", self.strike, "be finite and > 0")
        if (self.expiry is None) == (self.tau is None):
            given = "neither" if self.expiry is None else f"expiry={self.expiry} and tau={self.tau:g}"
            raise InputError(f"European must have an expiry or a tau; got {given}.")
        if self.tau is not None:
            require(math.isfinite(self.tau) and self.tau >= 0.0, "tau", self.tau, "be finite and >= 0 years")

    def years(self, as_of: date) -> float:
        """Years from `as_of` to expiry (ACT/365F); refuses an expired option."""
        if self.tau is not None:
            return self.tau
        assert self.expiry is not None
        require(self.expiry >= as_of, "expiry", str(self.expiry), f"not lie before as_of, {as_of}")
        return year_fraction(as_of, self.expiry)
