"""Double-no-touch deposits (双边不触碰): a high rate if the price stays inside a corridor all the time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from research.conventions import check_fields
from research.errors import require
from research.instruments._expiry import check_expiry, check_positive, years_left
from research.instruments._schedule import check_fraction, check_rate, check_steps


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubleNoTouch:
    """Double no-touch (双边不触碰): notional (principal + rate) at expiry if low < S / initial < high on every day,
    notional (principal + touched_rate) otherwise. principal 0 is the bare option."""

    initial: float  # price units, > 0: the price that levels refer to
    low: float  # fraction of initial
    high: float  # fraction of initial
    rate: float  # fraction of the notional (not a yearly rate)
    touched_rate: float = 0.0  # fraction of the notional
    principal: float = 1.0  # fraction of the notional paid back in any case
    expiry: date | None = None
    tau: float | None = None  # years (ACT/365F) from the snapshot's day
    notional: float = 100.0  # currency
    steps_per_year: int = 252  # equal steps on which the barriers are looked at

    def __post_init__(self) -> None:
        check_fields(self)
        check_positive("initial", self.initial)
        check_positive("notional", self.notional)
        check_fraction("low", self.low)
        check_fraction("high", self.high)
        require(self.low < self.high, "low", self.low, f"lie below high, {self.high:g}")
        check_rate("rate", self.rate)
        check_rate("touched_rate", self.touched_rate)
        require(0.0 <= self.principal <= 1.0, "principal", self.principal, "lie in [0, 1]")
        check_steps(self.steps_per_year)
        check_expiry("DoubleNoTouch", self.expiry, self.tau)

    def years(self, as_of: date) -> float:
        """Years from `as_of` to expiry (ACT/365F)."""
        return years_left(self.expiry, self.tau, as_of)
