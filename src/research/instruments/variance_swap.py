"""Variance swaps (方差互换) and volatility swaps (波动率互换): realised against agreed variance or volatility."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

from research.conventions import check_fields
from research.errors import require
from research.instruments._expiry import check_expiry, check_positive, years_left

_DECIMAL = "A decimal volatility is wanted: 20% is 0.20."


def _check(name: str, strike: float, notional: float, n_observations: int | None) -> None:
    require(math.isfinite(strike) and 0.0 <= strike < 10.0, "strike", strike, "lie in [0, 10)", hint=_DECIMAL)
    check_positive("notional", notional)
    if n_observations is not None:
        require(n_observations >= 1, "n_observations", n_observations, "be at least 1, or None")


def _check_past(elapsed: float, elapsed_variance: float) -> None:
    for name, value in (("elapsed", elapsed), ("elapsed_variance", elapsed_variance)):
        require(math.isfinite(value) and value >= 0.0, name, value, "be finite and >= 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class VarianceSwap:
    """notional (realised - strike^2) at expiry; realised: the sum of squared log returns over the years of the life.

    A swap that has run for a while: `elapsed` years, in which the squared log returns summed to `elapsed_variance`.
    """

    strike: float  # volatility, 1/sqrt(year), decimal
    expiry: date | None = None
    tau: float | None = None  # years (ACT/365F) from the snapshot's day
    notional: float = 1.0  # currency per 1.00 of variance
    n_observations: int | None = None  # evenly spaced, still to come; None: at every moment
    elapsed: float = 0.0  # years since the start
    elapsed_variance: float = 0.0  # sum of squared log returns since the start

    def __post_init__(self) -> None:
        check_fields(self)
        _check("VarianceSwap", self.strike, self.notional, self.n_observations)
        check_expiry("VarianceSwap", self.expiry, self.tau)
        _check_past(self.elapsed, self.elapsed_variance)

    def years(self, as_of: date) -> float:
        """Years from `as_of` to expiry (ACT/365F); refuses an expired swap."""
        return years_left(self.expiry, self.tau, as_of)


@dataclass(frozen=True, slots=True, kw_only=True)
class VolatilitySwap:
    """notional (sqrt(realised variance) - strike) at expiry, observed at every moment.

    A swap that has run for a while: `elapsed` years, in which the squared log returns summed to `elapsed_variance`.
    """

    strike: float  # volatility, 1/sqrt(year), decimal
    expiry: date | None = None
    tau: float | None = None  # years (ACT/365F) from the snapshot's day
    notional: float = 1.0  # currency per 1.00 of volatility
    elapsed: float = 0.0  # years since the start
    elapsed_variance: float = 0.0  # sum of squared log returns since the start

    def __post_init__(self) -> None:
        check_fields(self)
        _check("VolatilitySwap", self.strike, self.notional, None)
        check_expiry("VolatilitySwap", self.expiry, self.tau)
        _check_past(self.elapsed, self.elapsed_variance)

    def years(self, as_of: date) -> float:
        """Years from `as_of` to expiry (ACT/365F); refuses an expired swap."""
        return years_left(self.expiry, self.tau, as_of)
