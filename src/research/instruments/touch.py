"""Touch and no-touch: a fixed amount if the barrier is hit before expiry, or if it never is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from research.conventions import check_fields
from research.errors import InputError, require
from research.instruments._expiry import check_expiry, check_positive, years_left


@dataclass(frozen=True, slots=True, kw_only=True)
class Touch:
    """Terms of one touch or no-touch; give `expiry` or `tau`, not both."""

    barrier: float  # price units, > 0
    direction: str  # "down" or "up": the side on which the barrier is hit
    expiry: date | None = None
    tau: float | None = None  # years (ACT/365F) from the snapshot's day
    is_touch: bool = True  # pays if the barrier is hit, else if it never is
    pays_at: str = "hit"  # "hit" or "expiry"; a no-touch pays at expiry
    amount: float = 1.0  # price units, > 0
    n_monitoring: int | None = None  # looks at the barrier, evenly up to expiry; None: at every moment

    def __post_init__(self) -> None:
        check_fields(self)
        check_positive("barrier", self.barrier)
        check_positive("amount", self.amount)
        check_expiry("Touch", self.expiry, self.tau)
        require(self.direction in ("down", "up"), "direction", self.direction, "be 'down' or 'up'")
        require(self.pays_at in ("hit", "expiry"), "pays_at", self.pays_at, "be 'hit' or 'expiry'")
        if self.n_monitoring is not None:
            require(self.n_monitoring >= 1, "n_monitoring", self.n_monitoring, "be at least 1, or None")

    def years(self, as_of: date) -> float:
        """Years from `as_of` to expiry (ACT/365F); refuses an expired contract."""
        return years_left(self.expiry, self.tau, as_of)

    def check_alive(self, spot: float) -> None:
        """Refuse a barrier that is already breached."""
        if spot <= self.barrier if self.direction == "down" else spot >= self.barrier:
            side = "below" if self.direction == "down" else "above"
            raise InputError(
                f"barrier must lie {side} the spot, {spot:g}; got {self.barrier:g}. The barrier is already breached."
            )
