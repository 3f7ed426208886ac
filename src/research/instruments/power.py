"""Payments that bend or jump: `Power`, `Gap`, `Supershare`, `LogContract`, each on the price at expiry."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

from research.conventions import check_fields
from research.errors import require
from research.instruments._expiry import check_expiry, check_positive, years_left


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """max(+-(S^power - strike), 0); give `expiry` or `tau`, not both."""

    strike: float  # price units to the power, > 0
    power: float  # > 0
    expiry: date | None = None
    tau: float | None = None  # years (ACT/365F) from the snapshot's day
    is_call: bool = True

    def __post_init__(self) -> None:
        check_fields(self)
        check_positive("strike", self.strike)
        require(math.isfinite(self.power) and 0.0 < self.power <= 10.0, "power", self.power, "lie in (0, 10]")
        check_expiry("Power", self.expiry, self.tau)

    def years(self, as_of: date) -> float:
        """Years from `as_of` to expiry (ACT/365F); refuses an expired option."""
        return years_left(self.expiry, self.tau, as_of)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """+-(S - strike) if S ends beyond the trigger (above it for a call, below for a put), which may be negative."""

    strike: float  # price units, > 0: what is paid or received
    trigger: float  # price units, > 0: what decides whether
    expiry: date | None = None
    tau: float | None = None  # years (ACT/365F) from the snapshot's day
    is_call: bool = True

    def __post_init__(self) -> None:
        check_fields(self)
        check_positive("strike", self.strike)
        check_positive("trigger", self.trigger)
        check_expiry("Gap", self.expiry, self.tau)

    def years(self, as_of: date) -> float:
        """Years from `as_of` to expiry (ACT/365F); refuses an expired option."""
        return years_left(self.expiry, self.tau, as_of)


@dataclass(frozen=True, slots=True, kw_only=True)
class Supershare:
    """S / low if S ends between low and high (Hakansson 1976)."""

    low: float  # price units, > 0
    high: float  # price units, > low
    expiry: date | None = None
    tau: float | None = None  # years (ACT/365F) from the snapshot's day

    def __post_init__(self) -> None:
        check_fields(self)
        check_positive("low", self.low)
        check_positive("high", self.high)
        require(self.low < self.high, "low", self.low, f"lie below high, {self.high:g}")
        check_expiry("Supershare", self.expiry, self.tau)

    def years(self, as_of: date) -> float:
        """Years from `as_of` to expiry (ACT/365F); refuses an expired contract."""
        return years_left(self.expiry, self.tau, as_of)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogContract:
    """log(S / strike), which may be negative (Neuberger 1994)."""

    strike: float  # price units, > 0
    expiry: date | None = None
    tau: float | None = None  # years (ACT/365F) from the snapshot's day

    def __post_init__(self) -> None:
        check_fields(self)
        check_positive("strike", self.strike)
        check_expiry("LogContract", self.expiry, self.tau)

    def years(self, as_of: date) -> float:
        """Years from `as_of` to expiry (ACT/365F); refuses an expired contract."""
        return years_left(self.expiry, self.tau, as_of)
