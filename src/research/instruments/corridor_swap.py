"""Corridor variance swaps (区间方差互换): realised variance of the days that start inside a corridor."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

from research.conventions import check_fields
from research.errors import require
from research.instruments._expiry import check_expiry, check_positive, years_left


@dataclass(frozen=True, slots=True, kw_only=True)
class CorridorVarianceSwap:
    """notional (realised - strike^2) at expiry; realised: the sum of the squared log returns of periods whose first
    price lies between low and high, over the years of the whole life (not of the time inside).

    Without `low` or without `high` the corridor has one side (up- and down-variance); without both it is all variance.
    """

    strike: float  # volatility, 1/sqrt(year), decimal
    low: float | None = None  # price units, > 0
    high: float | None = None  # price units, > low
    expiry: date | None = None
    tau: float | None = None  # years (ACT/365F) from the snapshot's day
    notional: float = 1.0  # currency per 1.00 of variance
    n_observations: int | None = None  # evenly spaced, still to come; None: at every moment
    elapsed: float = 0.0  # years since the start
    elapsed_variance: float = 0.0  # sum of squared log returns inside the corridor since the start

    def __post_init__(self) -> None:
        check_fields(self)
        hint = "A decimal volatility is wanted: 20% is 0.20."
        require(math.isfinite(self.strike) and 0.0 <= self.strike < 10.0, "strike", self.strike, "lie in [0, 10)",
                hint=hint)  # fmt: skip
        for name in ("low", "high"):
            level = getattr(self, name)
            if level is not None:
                check_positive(name, level)
        if self.low is not None and self.high is not None:
            require(self.low < self.high, "low", self.low, f"lie below high, {self.high:g}")
        check_positive("notional", self.notional)
        check_expiry("CorridorVarianceSwap", self.expiry, self.tau)
        if self.n_observations is not None:
            require(self.n_observations >= 1, "n_observations", self.n_observations, "be at least 1, or None")
        for name in ("elapsed", "elapsed_variance"):
            value = getattr(self, name)
            require(math.isfinite(value) and value >= 0.0, name, value, "be finite and >= 0")

    @property
    def corridor(self) -> tuple[float, float]:
        """(low, high), 0 and inf where there is no side."""
        return 0.0 if self.low is None else self.low, math.inf if self.high is None else self.high

    def years(self, as_of: date) -> float:
        """Years from `as_of` to expiry (ACT/365F); refuses an expired swap."""
        return years_left(self.expiry, self.tau, as_of)
