"""Phoenix notes (凤凰结构): a coupon at every observation above a coupon barrier."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from research.arrays import Float1D
from research.conventions import check_fields
from research.errors import require
from research.instruments._expiry import check_positive
from research.instruments._schedule import (
    Schedule,
    check_fraction,
    check_rate,
    check_schedule,
    check_steps,
    levels,
    schedule_years,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Phoenix:
    """Phoenix (凤凰, 派息结构): at each observation a coupon where the price is at or above the coupon barrier.

    Called at par at the first observation at or above the knock-out level (敲出), with that day's coupon. At the end:
    the notional, or, knocked in (敲入), notional (1 - max(strike - S(T) / initial, 0)). With `memory` (记忆票息) a
    coupon that is paid brings those missed before.
    """

    initial: float  # price units, > 0: the price that levels refer to
    observations: Schedule  # coupon and knock-out dates; the last one is the maturity
    knock_out: float | tuple[float, ...]  # fraction of initial, one a date or one for all
    coupon_barrier: float  # fraction of initial
    coupon: float  # at each observation, fraction of the notional (not a yearly rate)
    knock_in: float | None = None  # fraction of initial; None: never
    strike: float = 1.0  # fraction of initial below which a knocked-in note loses
    memory: bool = False
    notional: float = 100.0  # currency
    knocked_in: bool = False  # has it been knocked in already?
    knock_in_daily: bool = True  # False: looked at on the last day only
    steps_per_year: int = 252  # equal steps on which the knock-in is looked at

    def __post_init__(self) -> None:
        check_fields(self)
        check_positive("initial", self.initial)
        check_positive("notional", self.notional)
        check_schedule("observations", self.observations)
        check_fraction("knock_out", self.knock_out)
        levels("knock_out", self.knock_out, len(self.observations))
        check_fraction("coupon_barrier", self.coupon_barrier)
        check_rate("coupon", self.coupon)
        check_fraction("strike", self.strike)
        check_steps(self.steps_per_year)
        if self.knock_in is not None:
            check_fraction("knock_in", self.knock_in)
            least = float(levels("knock_out", self.knock_out, len(self.observations)).min())
            require(self.knock_in < least, "knock_in", self.knock_in, f"lie below the knock-out levels, {least:g}")
        require(self.knock_in is not None or not self.knocked_in, "knocked_in", True, "be False without a knock-in")

    def years(self, as_of: date) -> Float1D:
        """Years from `as_of` to each observation (ACT/365F), shape (n,)."""
        return schedule_years("observations", self.observations, as_of)
