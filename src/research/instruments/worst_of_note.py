"""Notes on the worst performer of several underlyings: worst-of snowball (双标的雪球), worst-of phoenix, ..."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from research.arrays import Float1D
from research.conventions import check_fields
from research.errors import require
from research.instruments._several import Fx, check_fx, check_initials, check_underlyings
from research.instruments.airbag import Airbag
from research.instruments.autocallable import Autocallable
from research.instruments.phoenix import Phoenix
from research.instruments.range_accrual import RangeAccrual
from research.instruments.structured_deposit import StructuredDeposit

Inner = Autocallable | Phoenix | Airbag | RangeAccrual | StructuredDeposit


@dataclass(frozen=True, slots=True, kw_only=True)
class WorstOfNote:
    """A note whose price is the worst of S_i / initial_i, times `note.initial`: every term of `note` refers to that.

    | note | name |
    |---|---|
    | `Autocallable` | worst-of snowball (双标的雪球), worst-of autocallable |
    | `Phoenix` | worst-of phoenix (双标的凤凰) |
    | `Airbag`, `RangeAccrual`, `StructuredDeposit` | the same on the worst performer |
    """

    underlyings: tuple[str, ...]
    initials: tuple[float, ...]  # prices that the performances refer to
    note: Inner
    fx: Fx | None = None  # of prices in another currency

    def __post_init__(self) -> None:
        check_fields(self)
        check_underlyings(self.underlyings, least=1)
        check_initials(self.initials, len(self.underlyings))
        require(isinstance(self.note, Inner), "note", type(self.note).__name__,
                "be an Autocallable, Phoenix, Airbag, RangeAccrual or StructuredDeposit")  # fmt: skip
        check_fx(self.fx)

    @property
    def notional(self) -> float:
        """Of the note, currency."""
        return self.note.notional

    def years(self, as_of: date) -> Float1D | float:
        """Years from `as_of` to each date of the note."""
        return self.note.years(as_of)
