"""Shark-fin notes (鲨鱼鳍): participation up to a barrier, a small fixed rate beyond it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from research.conventions import check_fields
from research.errors import require
from research.instruments._expiry import check_expiry, check_positive, years_left
from research.instruments._schedule import check_fraction, check_rate, check_steps


@dataclass(frozen=True, slots=True, kw_only=True)
class SharkFin:
    """One-sided shark fin (单鲨): paid at expiry, with x = S(T) / initial,

    notional (1 + base + participation max(+-(x - strike), 0)) while the barrier has not been reached, and
    notional (1 + rebate) once it has. A call has its barrier above the strike, a put below.
    """

    initial: float  # price units, > 0: the price that levels refer to
    strike: float  # fraction of initial
    barrier: float  # fraction of initial
    rebate: float = 0.0  # fraction of the notional, once the barrier has been reached
    base: float = 0.0  # fraction of the notional, otherwise
    participation: float = 1.0
    expiry: date | None = None
    tau: float | None = None  # years (ACT/365F) from the snapshot's day
    is_call: bool = True
    daily: bool = True  # False: the barrier is looked at on the last day only
    notional: float = 100.0  # currency
    steps_per_year: int = 252  # equal steps on which the barrier is looked at

    def __post_init__(self) -> None:
        check_fields(self)
        check_positive("initial", self.initial)
        check_positive("notional", self.notional)
        check_fraction("strike", self.strike)
        check_fraction("barrier", self.barrier)
        check_rate("rebate", self.rebate)
        check_rate("base", self.base)
        check_rate("participation", self.participation)
        check_steps(self.steps_per_year)
        check_expiry("SharkFin", self.expiry, self.tau)
        right = self.barrier > self.strike if self.is_call else self.barrier < self.strike
        side = "above" if self.is_call else "below"
        require(right, "barrier", self.barrier, f"lie {side} the strike, {self.strike:g}")

    def years(self, as_of: date) -> float:
        """Years from `as_of` to expiry (ACT/365F)."""
        return years_left(self.expiry, self.tau, as_of)
