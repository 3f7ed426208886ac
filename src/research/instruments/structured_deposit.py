"""Structured deposits (结构性存款): the principal is safe, the interest follows an index within bounds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from research.conventions import check_fields
from research.errors import require
from research.instruments._expiry import check_expiry, check_positive, years_left
from research.instruments._schedule import check_fraction, check_rate


@dataclass(frozen=True, slots=True, kw_only=True)
class StructuredDeposit:
    """Principal-protected index-linked deposit (结构性存款, 看涨或看跌价差): paid at expiry, with x = S(T) / initial,

    notional (protection + base + participation min(max(+-(x - strike), 0), width)).
    """

    initial: float  # price units, > 0: the price that levels refer to
    strike: float = 1.0  # fraction of initial
    width: float | None = None  # fraction of initial after which the interest stops growing; None: never
    participation: float = 1.0
    base: float = 0.0  # fraction of the notional, in any case
    protection: float = 1.0  # fraction of the notional paid back in any case
    expiry: date | None = None
    tau: float | None = None  # years (ACT/365F) from the snapshot's day
    is_call: bool = True
    notional: float = 100.0  # currency

    def __post_init__(self) -> None:
        check_fields(self)
        check_positive("initial", self.initial)
        check_positive("notional", self.notional)
        check_fraction("strike", self.strike)
        check_rate("participation", self.participation)
        check_rate("base", self.base)
        require(0.0 <= self.protection <= 2.0, "protection", self.protection, "lie in [0, 2]", hint="95% is 0.95.")
        if self.width is not None:
            check_fraction("width", self.width)
        check_expiry("StructuredDeposit", self.expiry, self.tau)

    def years(self, as_of: date) -> float:
        """Years from `as_of` to expiry (ACT/365F)."""
        return years_left(self.expiry, self.tau, as_of)
