"""Options on a weighted sum of prices (一篮子期权)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

from research.conventions import check_fields
from research.errors import require
from research.instruments._expiry import check_expiry, years_left
from research.instruments._several import Fx, check_fx, check_underlyings, check_weights


@dataclass(frozen=True, slots=True, kw_only=True)
class Basket:
    """An option on a basket: max(+-(sum of w_i S_i - K), 0); weights of any sign."""

    underlyings: tuple[str, ...]
    weights: tuple[float, ...]  # units of each underlying
    strike: float  # price units
    expiry: date | None = None
    tau: float | None = None  # years (ACT/365F) from the snapshot's day
    is_call: bool = True
    fx: Fx | None = None  # of prices in another currency

    def __post_init__(self) -> None:
        check_fields(self)
        check_underlyings(self.underlyings, least=1)
        check_weights("weights", self.weights, len(self.underlyings))
        require(math.isfinite(self.strike), "strike", self.strike, "be finite")
        check_expiry("Basket", self.expiry, self.tau)
        check_fx(self.fx)

    def years(self, as_of: date) -> float:
        """Years from `as_of` to expiry (ACT/365F); refuses an expired option."""
        return years_left(self.expiry, self.tau, as_of)
