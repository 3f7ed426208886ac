"""Lookback options (回望期权): a payment on the highest or lowest price of the life, or of a part of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from research.conventions import check_fields
from research.errors import require
from research.instruments._expiry import Moment, check_expiry, check_moment, check_positive, moment_years, years_left


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookback:
    """Floating strike (leave `strike` at None): S - min for a call, max - S for a put. Fixed strike: max(max - K, 0)
    for a call, max(K - min, 0) for a put. The price today counts; give `expiry` or `tau`, not both.
    """

    strike: float | None = None  # price units, > 0; None: the extreme is the strike
    expiry: date | None = None
    tau: float | None = None  # years (ACT/365F) from the snapshot's day
    is_call: bool = True
    extreme: float | None = None  # price units: highest or lowest price so far; None: the spot
    n_monitoring: int | None = None  # looks at the price, evenly up to expiry; None: at every moment

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("strike", "extreme"):
            value = getattr(self, name)
            if value is not None:
                check_positive(name, value)
        check_expiry("Lookback", self.expiry, self.tau)
        if self.n_monitoring is not None:
            require(self.n_monitoring >= 1, "n_monitoring", self.n_monitoring, "be at least 1, or None")

    @property
    def looks_up(self) -> bool:
        """Whether the highest price counts: a fixed-strike call, a floating-strike put."""
        return self.is_call == (self.strike is not None)

    def years(self, as_of: date) -> float:
        """Years from `as_of` to expiry (ACT/365F); refuses an expired option."""
        return years_left(self.expiry, self.tau, as_of)

    def extreme_so_far(self, spot: float) -> float:
        """The highest or lowest price up to now; refuses one that the spot has passed."""
        if self.extreme is None:
            return spot
        fits = self.extreme >= spot if self.looks_up else self.extreme <= spot
        side = "highest" if self.looks_up else "lowest"
        require(fits, "extreme", self.extreme, f"be the {side} price so far, the spot {spot:g} included")
        return self.extreme


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialLookback:
    """A lookback that looks for a part of its life only.

    Floating strike (`strike` None) looks up to the switch: max(S - scale min, 0) for a call, max(scale max - S, 0) for
    a put. Fixed strike looks from the switch on: max(max - K, 0) for a call, max(K - min, 0) for a put.
    """

    switch: Moment  # day, or years (ACT/365F), at which looking ends or begins
    strike: float | None = None  # price units, > 0; None: the extreme, scaled, is the strike
    scale: float = 1.0  # of the extreme as a strike, > 0: at least 1 for a call and at most 1 for a put is usual
    expiry: date | None = None
    tau: float | None = None  # years (ACT/365F) from the snapshot's day
    is_call: bool = True

    def __post_init__(self) -> None:
        check_fields(self)
        if self.strike is not None:
            check_positive("strike", self.strike)
            require(self.scale == 1.0, "scale", self.scale, "be 1 for a fixed strike")
        check_positive("scale", self.scale)
        check_expiry("PartialLookback", self.expiry, self.tau)
        check_moment("switch", self.switch, before=self.tau if self.expiry is None else self.expiry)

    def years(self, as_of: date) -> float:
        """Years from `as_of` to expiry (ACT/365F); refuses an expired option."""
        return years_left(self.expiry, self.tau, as_of)

    def switch_years(self, as_of: date) -> float:
        """Years from `as_of` to the switch (ACT/365F)."""
        return moment_years("switch", self.switch, as_of, self.years(as_of))
