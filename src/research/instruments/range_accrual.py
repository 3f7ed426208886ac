"""Range accruals (区间累计): interest for each day that the price spends inside a range."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from research.conventions import check_fields
from research.errors import require
from research.instruments._expiry import check_expiry, check_positive, years_left
from research.instruments._schedule import check_fraction, check_rate, check_steps


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeAccrual:
    """Range accrual (区间累计): notional (1 + base + rate n / N) at expiry, n of N days inside [low, high]."""

    initial: float  # price units, > 0: the price that levels refer to
    low: float  # fraction of initial
    high: float  # fraction of initial
    rate: float  # fraction of the notional for all days inside (not a yearly rate)
    base: float = 0.0  # fraction of the notional, in any case
    expiry: date | None = None
    tau: float | None = None  # years (ACT/365F) from the snapshot's day
    notional: float = 100.0  # currency
    steps_per_year: int = 252  # equal steps, the days that are counted

    def __post_init__(self) -> None:
        check_fields(self)
        check_positive("initial", self.initial)
        check_positive("notional", self.notional)
        check_fraction("low", self.low)
        check_fraction("high", self.high)
        require(self.low < self.high, "low", self.low, f"lie below high, {self.high:g}")
        check_rate("rate", self.rate)
        check_rate("base", self.base)
        check_steps(self.steps_per_year)
        check_expiry("RangeAccrual", self.expiry, self.tau)

    def years(self, as_of: date) -> float:
        """Years from `as_of` to expiry (ACT/365F)."""
        return years_left(self.expiry, self.tau, as_of)
