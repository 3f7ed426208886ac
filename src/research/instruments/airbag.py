"""Airbag notes (安全气囊): losses only once a low barrier has been reached."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from research.conventions import check_fields
from research.instruments._expiry import check_expiry, check_positive, years_left
from research.instruments._schedule import check_fraction, check_rate, check_steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Airbag:
    """Airbag (安全气囊): paid at expiry, with x = S(T) / initial,

    notional (1 + participation max(x - 1, 0)) if the price was never below the knock-in level (敲入), and
    notional (1 + knocked_participation max(x - 1, 0) - max(1 - x, 0)) if it was.
    """

    initial: float  # price units, > 0: the price that levels refer to
    knock_in: float  # fraction of initial
    participation: float = 1.0
    knocked_participation: float = 1.0
    expiry: date | None = None
    tau: float | None = None  # years (ACT/365F) from the snapshot's day
    notional: float = 100.0  # currency
    knocked_in: bool = False  # has it been knocked in already?
    daily: bool = True  # False: the knock-in is looked at on the last day only
    steps_per_year: int = 252  # equal steps on which the knock-in is looked at

    def __post_init__(self) -> None:
        check_fields(self)
        check_positive("initial", self.initial)
        check_positive("notional", self.notional)
        check_fraction("knock_in", self.knock_in)
        check_rate("participation", self.participation)
        check_rate("knocked_participation", self.knocked_participation)
        check_steps(self.steps_per_year)
        check_expiry("Airbag", self.expiry, self.tau)

    def years(self, as_of: date) -> float:
        """Years from `as_of` to expiry (ACT/365F)."""
        return years_left(self.expiry, self.tau, as_of)
