"""Options on the difference of two prices: exchange, spread and outperformance options."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

from research.conventions import check_fields
from research.errors import require
from research.instruments._expiry import check_expiry, check_positive, years_left
from research.instruments._several import Fx, check_fx, check_underlyings


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """The right to give one asset and receive another (资产交换期权): max(a S_receive - b S_give, 0)."""

    receive: str  # name of an underlying
    give: str
    expiry: date | None = None
    tau: float | None = None  # years (ACT/365F) from the snapshot's day
    n_receive: float = 1.0  # units, > 0
    n_give: float = 1.0
    fx: Fx | None = None  # of prices in another currency

    def __post_init__(self) -> None:
        check_fields(self)
        check_underlyings((self.receive, self.give))
        check_positive("n_receive", self.n_receive)
        check_positive("n_give", self.n_give)
        check_expiry("Exchange", self.expiry, self.tau)
        check_fx(self.fx)

    def years(self, as_of: date) -> float:
        """Years from `as_of` to expiry (ACT/365F); refuses an expired option."""
        return years_left(self.expiry, self.tau, as_of)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """An option on the spread of two prices (价差期权): max(+-(a S_long - b S_short - K), 0); K of any sign."""

    long: str  # name of an underlying
    short: str
    strike: float  # price units
    expiry: date | None = None
    tau: float | None = None  # years (ACT/365F) from the snapshot's day
    is_call: bool = True
    n_long: float = 1.0  # units, > 0
    n_short: float = 1.0
    fx: Fx | None = None  # of prices in another currency

    def __post_init__(self) -> None:
        check_fields(self)
        check_underlyings((self.long, self.short))
        require(math.isfinite(self.strike), "strike", self.strike, "be finite")
        check_positive("n_long", self.n_long)
        check_positive("n_short", self.n_short)
        check_expiry("Spread", self.expiry, self.tau)
        check_fx(self.fx)

    def years(self, as_of: date) -> float:
        """Years from `as_of` to expiry (ACT/365F); refuses an expired option."""
        return years_left(self.expiry, self.tau, as_of)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outperformance:
    """Pays by how much one asset beats another (相对表现期权): notional max(S1 / initial1 - S2 / initial2 - K, 0)."""

    long: str  # name of an underlying
    short: str
    initials: tuple[float, float]  # prices that the performances refer to, long and short
    strike: float = 0.0  # fraction
    expiry: date | None = None
    tau: float | None = None  # years (ACT/365F) from the snapshot's day
    notional: float = 100.0  # currency
    fx: Fx | None = None  # of prices in another currency

    def __post_init__(self) -> None:
        check_fields(self)
        check_underlyings((self.long, self.short))
        require(len(self.initials) == 2, "initials", len(self.initials), "be two prices")
        for price in self.initials:
            check_positive("initials", price)
        good = math.isfinite(self.strike) and abs(self.strike) < 20.0
        require(good, "strike", self.strike, "lie in (-20, 20)", hint="A fraction is wanted: 5% is 0.05.")
        check_positive("notional", self.notional)
        check_expiry("Outperformance", self.expiry, self.tau)
        check_fx(self.fx)

    def years(self, as_of: date) -> float:
        """Years from `as_of` to expiry (ACT/365F); refuses an expired option."""
        return years_left(self.expiry, self.tau, as_of)
