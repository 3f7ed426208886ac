"""Partial-time barrier options: the barrier is watched during the first or the last part of the life only."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

from research.conventions import check_fields
from research.errors import InputError, require
from research.instruments._expiry import Moment, check_expiry, check_moment, check_positive, moment_years, years_left


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialBarrier:
    """Terms of one option whose barrier is watched from today to `switch` ("start") or from `switch` on ("end").

    Watched at the end, "down" and "up" also end an option that stands beyond the barrier at the switch (type B2 of
    Heynen and Kat), "either" ends it at a hit from any side only (type B1). A rebate is paid at expiry.
    """

    strike: float  # price units, > 0
    barrier: float  # price units, > 0
    direction: str  # "down", "up", or "either" (watched at the end)
    knock: str  # "out" or "in"
    watched: str  # "start" or "end" of the life
    switch: Moment  # day, or years (ACT/365F), at which watching ends or begins
    expiry: date | None = None
    tau: float | None = None  # years (ACT/365F) from the snapshot's day
    is_call: bool = True
    rebate: float = 0.0  # price units, >= 0, at expiry
    n_monitoring: int | None = None  # looks at the barrier, evenly while it is watched; None: at every moment

    def __post_init__(self) -> None:
        check_fields(self)
        check_positive("strike", self.strike)
        check_positive("barrier", self.barrier)
        check_expiry("PartialBarrier", self.expiry, self.tau)
        check_moment("switch", self.switch, before=self.tau if self.expiry is None else self.expiry)
        require(self.watched in ("start", "end"), "watched", self.watched, "be 'start' or 'end'")
        sides = "down, up" if self.watched == "start" else "down, up, either"
        require(self.direction in sides.split(", "), "direction", self.direction, "be one of " + sides + " here")
        require(self.knock in ("out", "in"), "knock", self.knock, "be 'out' or 'in'")
        require(math.isfinite(self.rebate) and self.rebate >= 0.0, "rebate", self.rebate, "be finite and >= 0")
        if self.n_monitoring is not None:
            require(self.n_monitoring >= 1, "n_monitoring", self.n_monitoring, "be at least 1, or None")

    def years(self, as_of: date) -> float:
        """Years from `as_of` to expiry (ACT/365F); refuses an expired option."""
        return years_left(self.expiry, self.tau, as_of)

    def switch_years(self, as_of: date) -> float:
        """Years from `as_of` to the switch (ACT/365F)."""
        return moment_years("switch", self.switch, as_of, self.years(as_of))

    def check_alive(self, spot: float) -> None:
        """Refuse a barrier that is watched now and already breached."""
        beyond = spot <= self.barrier if self.direction == "down" else spot >= self.barrier
        if self.watched == "start" and beyond:
            side = "below" if self.direction == "down" else "above"
            now = "a paid rebate" if self.knock == "out" else "a European option"
            raise InputError(
                f"barrier must lie {side} the spot, {spot:g}; got {self.barrier:g}. "
                f"The barrier is already breached: the option is {now}, price that."
            )
