"""Asian options (亚式期权): a payment on the average of the price over a schedule."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from typing import Literal

from research.arrays import Float1D
from research.conventions import check_fields
from research.errors import require
from research.instruments._expiry import check_finite
from research.instruments._schedule import Schedule, check_schedule, schedule_years


@dataclass(frozen=True, slots=True, kw_only=True)
class Asian:
    """Average-price option, max(+-(A - K), 0), or average-strike option, max(+-(S - A), 0), paid at the last fixing.

    A is the mean of all fixings, those that have passed included. Average strike: leave `strike` at None.
    """

    fixings: Schedule  # the fixings still to come
    strike: float | None = None  # price units (<= 0 under Bachelier); None: the average is the strike
    is_call: bool = True
    average: Literal["arithmetic", "geometric"] = "arithmetic"
    n_fixed: int = 0  # fixings that have passed
    fixed_mean: float = 0.0  # their arithmetic mean, price units

    def __post_init__(self) -> None:
        check_fields(self)
        check_schedule("fixings", self.fixings)
        if self.strike is not None:
            check_finite("strike", self.strike)
        require(self.average in ("arithmetic", "geometric"), "average", self.average, "be arithmetic or geometric")
        require(self.n_fixed >= 0, "n_fixed", self.n_fixed, "be >= 0")
        good = 0.0 < self.fixed_mean < math.inf if self.n_fixed > 0 else self.fixed_mean == 0.0
        require(good, "fixed_mean", self.fixed_mean, "be > 0 where fixings have passed, 0 where none has")
        plain = self.average == "arithmetic" or self.n_fixed == 0
        require(plain, "n_fixed", self.n_fixed, "be 0 for a geometric average")

    def years(self, as_of: date) -> Float1D:
        """Years from `as_of` to each fixing (ACT/365F), shape (n,)."""
        return schedule_years("fixings", self.fixings, as_of)
