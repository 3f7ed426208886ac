"""Options on the best, the worst or any ranking of several prices (彩虹期权)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

from research.conventions import check_fields
from research.errors import require
from research.instruments._expiry import check_expiry, check_positive, years_left
from research.instruments._several import Fx, check_fx, check_initials, check_underlyings, check_weights


def _check(item: BestOf | WorstOf | Rainbow) -> None:
    """The terms that the three share."""
    check_underlyings(item.underlyings)
    check_initials(item.initials, len(item.underlyings))
    require(math.isfinite(item.strike) and item.strike >= 0.0, "strike", item.strike, "be finite and >= 0")
    percent = item.initials is not None and item.strike >= 20.0
    hint = "Beside initials the strike is a fraction: 105% is 1.05."
    require(not percent, "strike", item.strike, "be < 20", hint=hint)
    check_positive("notional", item.notional)
    check_expiry(type(item).__name__, item.expiry, item.tau)
    check_fx(item.fx)


@dataclass(frozen=True, slots=True, kw_only=True)
class BestOf:
    """An option on the best of several: notional max(+-(max of S_i / initial_i - K), 0); without initials, prices."""

    underlyings: tuple[str, ...]
    strike: float  # price units, or a fraction where there are initials; 0: the best itself
    initials: tuple[float, ...] | None = None  # prices that the performances refer to
    expiry: date | None = None
    tau: float | None = None  # years (ACT/365F) from the snapshot's day
    is_call: bool = True
    notional: float = 1.0
    fx: Fx | None = None  # of prices in another currency

    def __post_init__(self) -> None:
        check_fields(self)
        _check(self)

    def years(self, as_of: date) -> float:
        """Years from `as_of` to expiry (ACT/365F); refuses an expired option."""
        return years_left(self.expiry, self.tau, as_of)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorstOf:
    """An option on the worst of several: notional max(+-(min of S_i / initial_i - K), 0); without initials, prices."""

    underlyings: tuple[str, ...]
    strike: float  # price units, or a fraction where there are initials; 0: the worst itself
    initials: tuple[float, ...] | None = None  # prices that the performances refer to
    expiry: date | None = None
    tau: float | None = None  # years (ACT/365F) from the snapshot's day
    is_call: bool = True
    notional: float = 1.0
    fx: Fx | None = None  # of prices in another currency

    def __post_init__(self) -> None:
        check_fields(self)
        _check(self)

    def years(self, as_of: date) -> float:
        """Years from `as_of` to expiry (ACT/365F); refuses an expired option."""
        return years_left(self.expiry, self.tau, as_of)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rainbow:
    """An option on ranked performances: notional max(+-(sum of w_k P_(k) - K), 0), P_(1) the best."""

    underlyings: tuple[str, ...]
    rank_weights: tuple[float, ...]  # of the best, the second, ..., the worst
    strike: float  # price units, or a fraction where there are initials
    initials: tuple[float, ...] | None = None  # prices that the performances refer to
    expiry: date | None = None
    tau: float | None = None  # years (ACT/365F) from the snapshot's day
    is_call: bool = True
    notional: float = 1.0
    fx: Fx | None = None  # of prices in another currency

    def __post_init__(self) -> None:
        check_fields(self)
        _check(self)
        check_weights("rank_weights", self.rank_weights, len(self.underlyings))

    def years(self, as_of: date) -> float:
        """Years from `as_of` to expiry (ACT/365F); refuses an expired option."""
        return years_left(self.expiry, self.tau, as_of)
