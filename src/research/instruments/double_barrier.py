"""Double-barrier options (双障碍期权): a European option that a touch of either barrier ends or brings to life."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

from research.conventions import check_fields
from research.errors import InputError, require
from research.instruments._expiry import check_expiry, check_positive, years_left


def check_corridor(low: float, high: float, n_monitoring: int | None) -> None:
    """Two barriers, the lower one below the other."""
    check_positive("low", low)
    check_positive("high", high)
    require(low < high, "low", low, f"lie below high, {high:g}")
    if n_monitoring is not None:
        require(n_monitoring >= 1, "n_monitoring", n_monitoring, "be at least 1, or None")


def check_inside(spot: float, low: float, high: float, hint: str) -> None:
    """Refuse a spot on or beyond a barrier."""
    if not low < spot < high:
        name, level = ("low", low) if spot <= low else ("high", high)
        side = "below" if name == "low" else "above"
        raise InputError(f"{name} must lie {side} the spot, {spot:g}; got {level:g}. {hint}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubleBarrier:
    """Terms of one double-barrier option on one unit of the underlying; give `expiry` or `tau`, not both.

    A knock-out pays its rebate when a barrier is hit or at expiry, a knock-in at expiry if none ever was.
    """

    strike: float  # price units, > 0
    low: float  # price units, > 0
    high: float  # price units, > low
    knock: str  # "out" or "in"
    expiry: date | None = None
    tau: float | None = None  # years (ACT/365F) from the snapshot's day
    is_call: bool = True
    rebate: float = 0.0  # price units, >= 0
    rebate_at: str = "hit"  # "hit" or "expiry": when a knock-out pays its rebate
    n_monitoring: int | None = None  # looks at the barriers, evenly up to expiry; None: at every moment

    def __post_init__(self) -> None:
        check_fields(self)
        check_positive("strike", self.strike)
        check_corridor(self.low, self.high, self.n_monitoring)
        check_expiry("DoubleBarrier", self.expiry, self.tau)
        require(self.knock in ("out", "in"), "knock", self.knock, "be 'out' or 'in'")
        require(math.isfinite(self.rebate) and self.rebate >= 0.0, "rebate", self.rebate, "be finite and >= 0")
        require(self.rebate_at in ("hit", "expiry"), "rebate_at", self.rebate_at, "be 'hit' or 'expiry'")

    def years(self, as_of: date) -> float:
        """Years from `as_of` to expiry (ACT/365F); refuses an expired option."""
        return years_left(self.expiry, self.tau, as_of)

    def check_alive(self, spot: float) -> None:
        """Refuse a barrier that is already breached."""
        now = "a paid rebate" if self.knock == "out" else "a European option"
        hint = f"A knock-{self.knock} option whose barrier is already breached is {now}: price that."
        check_inside(spot, self.low, self.high, hint)
