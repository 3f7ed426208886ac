"""Options paid in another currency: `Quanto` (fixed rate of exchange), `Compo` (the rate of the expiry day)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from research.conventions import check_fields
from research.instruments._expiry import check_expiry, check_positive, years_left


@dataclass(frozen=True, slots=True, kw_only=True)
class Quanto:
    """fx max(+-(S - strike), 0) in the currency of payment, the rate fixed today (汇率固定)."""

    strike: float  # price units, in the currency of the underlying, > 0
    fx: float = 1.0  # currency of payment for one unit of that of the underlying, > 0
    underlying: str = ""  # its name, where the snapshot has several
    expiry: date | None = None
    tau: float | None = None  # years (ACT/365F) from the snapshot's day
    is_call: bool = True

    def __post_init__(self) -> None:
        check_fields(self)
        check_positive("strike", self.strike)
        check_positive("fx", self.fx)
        check_expiry("Quanto", self.expiry, self.tau)

    def years(self, as_of: date) -> float:
        """Years from `as_of` to expiry (ACT/365F); refuses an expired option."""
        return years_left(self.expiry, self.tau, as_of)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compo:
    """max(+-(X S - strike), 0) in the currency of payment, X the rate of exchange on the expiry day."""

    strike: float  # in the currency of payment, > 0
    underlying: str = ""  # its name, where the snapshot has several
    expiry: date | None = None
    tau: float | None = None  # years (ACT/365F) from the snapshot's day
    is_call: bool = True

    def __post_init__(self) -> None:
        check_fields(self)
        check_positive("strike", self.strike)
        check_expiry("Compo", self.expiry, self.tau)

    def years(self, as_of: date) -> float:
        """Years from `as_of` to expiry (ACT/365F); refuses an expired option."""
        return years_left(self.expiry, self.tau, as_of)
