"""Autocallables (自动敲入敲出结构), of which the snowball (雪球) is the best known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from research.arrays import Float1D
from research.conventions import check_fields
from research.errors import require
from research.instruments._expiry import check_positive, check_years
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
class Autocallable:
    """Snowball (雪球): a note that is called at the first observation at or above the knock-out level (敲出).

    | what happens | payment |
    |---|---|
    | called at time t | notional (1 + coupon (t + accrued)), at t |
    | never called, never knocked in (敲入) | notional (1 + maturity_coupon (T + accrued)), at T |
    | never called, knocked in | notional max(floor, 1 - max(strike - S(T) / initial, 0)), at T |

    The note ends at the last observation. Variants: falling knock-out levels (降敲雪球); a knock-in looked at only
    on the last day (欧式敲入); `floor` above 0 (限亏雪球) or 1 (保本雪球); a `maturity_coupon` (红利票息).
    """

    initial: float  # price units, > 0: the price that levels refer to
    observations: Schedule  # knock-out dates; the last one is the maturity
    knock_out: float | tuple[float, ...]  # fraction of initial, one a date or one for all
    coupon: float  # 1/year, decimal, simple, when called
    knock_in: float | None = None  # fraction of initial; None: never
    maturity_coupon: float | None = None  # 1/year; None: as `coupon`
    strike: float = 1.0  # fraction of initial below which a knocked-in note loses
    floor: float = 0.0  # least payment of a knocked-in note, fraction of the notional
    notional: float = 100.0  # currency
    knocked_in: bool = False  # has it been knocked in already?
    knock_in_daily: bool = True  # False: looked at on the last day only
    steps_per_year: int = 252  # equal steps on which the knock-in is looked at
    accrued: float = 0.0  # years that coupons have run before the snapshot's day

    def __post_init__(self) -> None:
        check_fields(self)
        check_positive("initial", self.initial)
        check_positive("notional", self.notional)
        check_schedule("observations", self.observations)
        check_fraction("knock_out", self.knock_out)
        levels("knock_out", self.knock_out, len(self.observations))
        check_rate("coupon", self.coupon)
        check_rate("maturity_coupon", self.maturity_coupon if self.maturity_coupon is not None else 0.0)
        check_fraction("strike", self.strike)
        check_steps(self.steps_per_year)
        require(0.0 <= self.floor <= 1.0, "floor", self.floor, "lie in [0, 1]")
        require(self.accrued >= 0.0, "accrued", self.accrued, "be >= 0 years")
        check_years("accrued", self.accrued)
        if self.knock_in is not None:
            check_fraction("knock_in", self.knock_in)
            least = float(levels("knock_out", self.knock_out, len(self.observations)).min())
            require(self.knock_in < least, "knock_in", self.knock_in, f"lie below the knock-out levels, {least:g}")
        require(self.knock_in is not None or not self.knocked_in, "knocked_in", True, "be False without a knock-in")

    def years(self, as_of: date) -> Float1D:
        """Years from `as_of` to each observation (ACT/365F), shape (n,)."""
        return schedule_years("observations", self.observations, as_of)
