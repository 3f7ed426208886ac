"""Options on an underlying in another currency: at a fixed rate (双币种), or on the converted price."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from research.instruments._expiry import check_expiry, check_positive, years_left


@dataclass(frozen=True, slots=True, kw_only=True)
class Quanto:
    """A European option whose payment is converted at a rate fixed today: fixed_rate max(+-(S - K), 0)."""

    underlying: str
    strike: float  # in the currency of the underlying, > 0
    fixed_rate: float = 1.0  # payment currency for one of the underlying's
    expiry: date | None = None
    tau: float | None = None  # years (ACT/365F) from the snapshot's day
    is_call: bool = True

    def __post_init__(self) -> None:
        check_positive("strike", self.strike)
        check_positive("fixed_rate", self.fixed_rate)
        check_expiry("Quanto", self.expiry, self.tau)

    def years(self, as_of: date) -> float:
        """Years from `as_of` to expiry (ACT/365F); refuses an expired option."""
        return years_left(self.expiry, self.tau, as_of)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compo:
    """A European option on the price converted at the rate of the day: max(+-(X S - K), 0)."""

    underlying: str
    strike: float  # in the payment currency, > 0
    expiry: date | None = None
    tau: float | None = None  # years (ACT/365F) from the snapshot's day
    is_call: bool = True

    def __post_init__(self) -> None:
        check_positive("strike", self.strike)
        check_expiry("Compo", self.expiry, self.tau)

    def years(self, as_of: date) -> float:
        """Years from `as_of` to expiry (ACT/365F); refuses an expired option."""
        return years_left(self.expiry, self.tau, as_of)
