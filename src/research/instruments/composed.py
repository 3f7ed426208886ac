"""Composed payoffs: payments on given dates, each an expression of the prices that were seen."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from typing import Any

from research.conventions import check_fields
from research.errors import require
from research.instruments._expiry import check_years
from research.instruments.expressions import expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Pay:
    """One payment: an amount, known on that date at the latest."""

    at: date | float  # date, or years (ACT/365F) from the snapshot's day
    amount: Any  # an expression, or a number; currency
    name: str = ""

    def __post_init__(self) -> None:
        check_fields(self)
        if not isinstance(self.at, date):
            require(math.isfinite(self.at) and self.at > 0.0, "at", self.at, "be a date, or finite and > 0 years")
            check_years("at", self.at)
        object.__setattr__(self, "amount", expression(self.amount))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixing:
    """A price that was seen before the snapshot's day."""

    at: date
    value: float  # price units, > 0

    def __post_init__(self) -> None:
        check_fields(self)
        require(math.isfinite(self.value) and self.value > 0.0, "value", self.value, "be finite and > 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """A contract written down: its value is the sum of its discounted payments.

    Examples
    --------
    >>> from research.instruments.expressions import average, maximum
    >>> quarters = (0.25, 0.5, 0.75, 1.0)
    >>> Composed(payments=(Pay(at=1.0, amount=maximum(average(quarters) - 100.0, 0.0)),)).payments[0].at
    1.0
    """

    payments: tuple[Pay, ...]
    fixings: tuple[Fixing, ...] = ()  # of days before the snapshot's, where expressions look back
    name: str = ""

    def __post_init__(self) -> None:
        check_fields(self)
        require(len(self.payments) > 0, "payments", "none", "hold at least one payment")
        for one in self.payments:
            require(isinstance(one, Pay), "payments", one, "hold Pay(at=..., amount=...)")
        days = [one.at for one in self.fixings]
        require(len(set(days)) == len(days), "fixings", days, "name each day once")
