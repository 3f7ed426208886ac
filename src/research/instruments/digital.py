"""Digital options: a fixed amount, or the underlying itself, if the spot ends beyond the strike."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from research.conventions import check_fields
from research.errors import require
from research.instruments._expiry import check_expiry, check_finite, check_positive, years_left

PAYS = ("cash", "asset")


@dataclass(frozen=True, slots=True, kw_only=True)
class Digital:
    """Terms of one digital option; give `expiry` or `tau`, not both."""

    strike: float  # price units; <= 0 under a model of prices of any sign (Bachelier)
    expiry: date | None = None
    tau: float | None = None  # years (ACT/365F) from the snapshot's day
    is_call: bool = True  # pays above the strike, else below
    pays: str = "cash"  # "cash": the amount; "asset": that many units of the underlying
    amount: float = 1.0  # > 0

    def __post_init__(self) -> None:
        check_fields(self)
        check_finite("strike", self.strike)
        check_positive("amount", self.amount)
        check_expiry("Digital", self.expiry, self.tau)
        require(self.pays in PAYS, "pays", self.pays, "be 'cash' or 'asset'")

    def years(self, as_of: date) -> float:
        """Years from `as_of` to expiry (ACT/365F); refuses an expired option."""
        return years_left(self.expiry, self.tau, as_of)
