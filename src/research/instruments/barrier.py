"""Barrier options: a European option that a touch of the barrier ends ("out") or brings to life ("in")."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

from research.conventions import check_fields
from research.errors import InputError, require
from research.instruments._expiry import check_expiry, check_positive, years_left

DIRECTIONS = ("down", "up")
KNOCKS = ("out", "in")


@dataclass(frozen=True, slots=True, kw_only=True)
class Barrier:
    """Terms of one single-barrier option on one unit of the underlying; give `expiry` or `tau`, not both.

    A knock-out pays the rebate when the barrier is hit or at expiry, a knock-in at expiry if it never was.

    Examples
    --------
    >>> Barrier(strike=90.0, barrier=95.0, direction="down", knock="out", tau=0.5, rebate=3.0).breached(94.0)
    True
    """

    strike: float  # price units, > 0
    barrier: float  # price units, > 0
    direction: str  # "down" or "up": the side on which the barrier is hit
    knock: str  # "out" or "in"
    expiry: date | None = None
    tau: float | None = None  # years (ACT/365F) from the snapshot's day
    is_call: bool = True
    rebate: float = 0.0  # price units, >= 0
    rebate_at: str = "hit"  # "hit" or "expiry": when a knock-out pays its rebate
    n_monitoring: int | None = None  # looks at the barrier, evenly up to expiry; None: at every moment

    def __post_init__(self) -> None:
        check_fields(self)
        check_positive("strike", self.strike)
        check_positive("barrier", self.barrier)
        check_expiry("Barrier", self.expiry, self.tau)
        require(self.direction in DIRECTIONS, "direction", self.direction, "be 'down' or 'up'")
        require(self.knock in KNOCKS, "knock", self.knock, "be 'out' or 'in'")
        require(math.isfinite(self.rebate) and self.rebate >= 0.0, "rebate", self.rebate, "be finite and >= 0")
        require(self.rebate_at in ("hit", "expiry"), "rebate_at", self.rebate_at, "be 'hit' or 'expiry'")
        if self.n_monitoring is not None:
            require(self.n_monitoring >= 1, "n_monitoring", self.n_monitoring, "be at least 1, or None")

    def years(self, as_of: date) -> float:
        """Years from `as_of` to expiry (ACT/365F); refuses an expired option."""
        return years_left(self.expiry, self.tau, as_of)

    def breached(self, spot: float) -> bool:
        """Does the spot lie on the barrier or beyond it?"""
        return spot <= self.barrier if self.direction == "down" else spot >= self.barrier

    def check_alive(self, spot: float) -> None:
        """Refuse a barrier that is already breached."""
        if self.breached(spot):
            side = "below" if self.direction == "down" else "above"
            now = "a paid rebate" if self.knock == "out" else "a European option"
            article = "A" if self.direction == "down" else "An"
            raise InputError(
                f"barrier must lie {side} the spot, {spot:g}; got {self.barrier:g}. "
                f"{article} {self.direction}-and-{self.knock} barrier already breached is {now}: price that."
            )
