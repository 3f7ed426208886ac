"""Gamma swaps (伽马互换): realised variance in which each squared return counts with the price over the initial one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

from research.conventions import check_fields
from research.errors import require
from research.instruments._expiry import check_expiry, check_positive, years_left


@dataclass(frozen=True, slots=True, kw_only=True)
class GammaSwap:
    """notional (realised - strike^2) at expiry; realised: the sum of S_i / initial log(S_i / S_(i-1))^2 over the years
    of the life.

    A swap that has run for a while: `elapsed` years, in which the weighted squares summed to `elapsed_variance`.
    """

    strike: float  # volatility, 1/sqrt(year), decimal
    initial: float  # price units, > 0: the price at the start, by which prices are divided
    expiry: date | None = None
    tau: float | None = None  # years (ACT/365F) from the snapshot's day
    notional: float = 1.0  # currency per 1.00 of variance
    n_observations: int | None = None  # evenly spaced, still to come; None: at every moment
    elapsed: float = 0.0  # years since the start
    elapsed_variance: float = 0.0  # sum of weighted squared log returns since the start

    def __post_init__(self) -> None:
        check_fields(self)
        hint = "A decimal volatility is wanted: 20% is 0.20."
        require(math.isfinite(self.strike) and 0.0 <= self.strike < 10.0, "strike", self.strike, "lie in [0, 10)",
                hint=hint)  # fmt: skip
        check_positive("initial", self.initial)
        check_positive("notional", self.notional)
        check_expiry("GammaSwap", self.expiry, self.tau)
        if self.n_observations is not None:
            require(self.n_observations >= 1, "n_observations", self.n_observations, "be at least 1, or None")
        for name in ("elapsed", "elapsed_variance"):
            value = getattr(self, name)
            require(math.isfinite(value) and value >= 0.0, name, value, "be finite and >= 0")

    def years(self, as_of: date) -> float:
        """Years from `as_of` to expiry (ACT/365F); refuses an expired swap."""
        return years_left(self.expiry, self.tau, as_of)
