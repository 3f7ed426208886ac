"""Double touch and double no-touch: a fixed amount if a barrier of two is hit before expiry, or if none ever is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from research.conventions import check_fields
from research.errors import require
from research.instruments._expiry import check_expiry, check_positive, years_left
from research.instruments.double_barrier import check_corridor, check_inside

PAYS_IF = ("either", "none", "low", "high")


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubleTouch:
    """Terms of one contract; give `expiry` or `tau`, not both.

    `pays_if`: "either" barrier is hit, "none" is (double no-touch), or one is hit before the other ("low", "high").
    """

    low: float  # price units, > 0
    high: float  # price units, > low
    pays_if: str = "none"  # "either", "none", "low" or "high"
    expiry: date | None = None
    tau: float | None = None  # years (ACT/365F) from the snapshot's day
    pays_at: str = "expiry"  # "hit" or "expiry"; "none" pays at expiry
    amount: float = 1.0  # price units, > 0
    n_monitoring: int | None = None  # looks at the barriers, evenly up to expiry; None: at every moment

    def __post_init__(self) -> None:
        check_fields(self)
        check_corridor(self.low, self.high, self.n_monitoring)
        check_positive("amount", self.amount)
        check_expiry("DoubleTouch", self.expiry, self.tau)
        require(self.pays_if in PAYS_IF, "pays_if", self.pays_if, f"be one of {', '.join(PAYS_IF)}")
        require(self.pays_at in ("hit", "expiry"), "pays_at", self.pays_at, "be 'hit' or 'expiry'")
        plain = self.pays_if != "none" or self.pays_at == "expiry"
        require(plain, "pays_at", self.pays_at, "be 'expiry' where none may be hit")

    def years(self, as_of: date) -> float:
        """Years from `as_of` to expiry (ACT/365F); refuses an expired contract."""
        return years_left(self.expiry, self.tau, as_of)

    def check_alive(self, spot: float) -> None:
        """Refuse a barrier that is already breached."""
        check_inside(spot, self.low, self.high, "The barrier is already breached.")
