"""A position: so many of a contract, on an underlying that has a name."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from research.conventions import check_fields
from research.errors import require


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """One line of a book; `pricing.portfolio` finds the market by the underlying's name.

    Examples
    --------
    >>> from research.instruments import European
    >>> Position(contract=European(strike=5000.0, tau=0.5), underlying="CSI300", quantity=-10.0).quantity
    -10.0
    """

    contract: Any  # of research.instruments
    underlying: str  # name of the market: an index, a pair of currencies, a basket
    quantity: float = 1.0  # < 0 is sold
    name: str = ""  # of the deal

    def __post_init__(self) -> None:
        check_fields(self)
        terms = dataclasses.is_dataclass(self.contract) and not isinstance(self.contract, (type, Position))
        require(terms, "contract", self.contract, "be a contract of research.instruments")
        require(bool(self.underlying), "underlying", self.underlying, "have a name")
        require(math.isfinite(self.quantity), "quantity", self.quantity, "be finite")
