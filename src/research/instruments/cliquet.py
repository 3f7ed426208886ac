"""Cliquets, or ratchets (棘轮期权): the sum of capped and floored returns of successive periods."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

from research.arrays import Float1D
from research.conventions import check_fields
from research.errors import require
from research.instruments._expiry import check_positive
from research.instruments._schedule import Schedule, check_rate, check_schedule, schedule_years


@dataclass(frozen=True, slots=True, kw_only=True)
class Cliquet:
    """Paid at the last reset: notional min(max(accrued + sum of c_i, global_floor), global_cap), where c_i is
    min(max(S_i / S_(i-1) - 1, local_floor), local_cap). The first period has begun: its first price is `initial`.
    """

    resets: Schedule  # the ends of the periods still to come
    initial: float | None = None  # price units: at the last reset; None: the spot
    local_floor: float = 0.0  # of one period's return, decimal, >= -1
    local_cap: float | None = None  # of one period's return; None: none
    global_floor: float | None = None  # of the sum; None: none
    global_cap: float | None = None  # of the sum; None: none
    accrued: float = 0.0  # capped and floored returns of the periods that have passed
    notional: float = 100.0  # currency

    def __post_init__(self) -> None:
        check_fields(self)
        check_schedule("resets", self.resets)
        check_positive("notional", self.notional)
        if self.initial is not None:
            check_positive("initial", self.initial)
        hint = "A decimal is wanted: a floor of -2% is -0.02."
        require(-1.0 <= self.local_floor < 10.0, "local_floor", self.local_floor, "lie in [-1, 10)", hint=hint)
        check_rate("accrued", self.accrued)
        for name, low in (("local_cap", self.local_floor), ("global_cap", self.global_floor)):
            cap = getattr(self, name)
            good = cap is None or (math.isfinite(cap) and (low is None or cap > low))
            require(good, name, cap, f"be finite and above the floor, {low}")
            check_rate(name, 0.0 if cap is None else cap)
        check_rate("global_floor", 0.0 if self.global_floor is None else self.global_floor)

    def years(self, as_of: date) -> Float1D:
        """Years from `as_of` to each reset (ACT/365F), shape (n,)."""
        return schedule_years("resets", self.resets, as_of)
