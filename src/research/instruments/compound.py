"""Options on options: `Compound` (复合期权) and `Chooser` (选择人期权)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from research.conventions import check_fields
from research.errors import InputError, require, rule
from research.instruments._expiry import check_expiry, check_positive, years_left
from research.instruments.european import European


def _later(name: str, option: European, first: float, as_of: date) -> float:
    years = option.years(as_of)
    if not years > first:
        raise InputError(rule(f"{name}.expiry", f"lie after the first date, {first:g} years", years))
    return years


@dataclass(frozen=True, slots=True, kw_only=True)
class Compound:
    """The right to buy (call) or sell (put) a European option at `strike` on the expiry day."""

    option: European  # what is bought or sold
    strike: float  # price units, > 0
    expiry: date | None = None
    tau: float | None = None  # years (ACT/365F) from the snapshot's day
    is_call: bool = True

    def __post_init__(self) -> None:
        check_fields(self)
        check_positive("strike", self.strike)
        check_expiry("Compound", self.expiry, self.tau)
        require(isinstance(self.option, European), "option", self.option, "be a European option")

    def years(self, as_of: date) -> float:
        """Years from `as_of` to expiry (ACT/365F); refuses an expired option."""
        return years_left(self.expiry, self.tau, as_of)

    def option_years(self, as_of: date) -> float:
        """Years from `as_of` to the expiry of the option (ACT/365F), later than the first."""
        return _later("option", self.option, self.years(as_of), as_of)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chooser:
    """The holder chooses on the expiry day whether to have the call or the put."""

    call: European
    put: European
    expiry: date | None = None  # the day of the choice
    tau: float | None = None  # years (ACT/365F) from the snapshot's day to the choice

    def __post_init__(self) -> None:
        check_fields(self)
        check_expiry("Chooser", self.expiry, self.tau)
        for name in ("call", "put"):
            option = getattr(self, name)
            fits = isinstance(option, European) and option.is_call == (name == "call")
            require(fits, name, option, f"be a European {name}")

    def years(self, as_of: date) -> float:
        """Years from `as_of` to the choice (ACT/365F); refuses one that has passed."""
        return years_left(self.expiry, self.tau, as_of)

    def option_years(self, as_of: date) -> tuple[float, float]:
        """Years from `as_of` to the expiries of call and put (ACT/365F), later than the choice."""
        first = self.years(as_of)
        return _later("call", self.call, first, as_of), _later("put", self.put, first, as_of)
