"""What a hedger has sold, as marks along many paths at once: vanilla books in closed form, notes from a grid.

A year is 252 trading days; day 0 is the day of sale. Spots are in the contract's own units: the index is rescaled to
the contract's initial level on the day of sale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy.special import ndtr

from research.arrays import BoolND, Float1D
from research.backtest.hedge_volatility import YEAR
from research.errors import InputError, require
from research.instruments import European
from research.pricing import NoteGrid

Marks = tuple[Float1D, Float1D, Float1D]  # value, delta, gamma


class Claim(Protocol):
    """A liability that can be marked on every day of its life, for k paths at once."""

    @property
    def days(self) -> int: ...
    @property
    def initial(self) -> float: ...  # level of the index on the day of sale
    @property
    def knocked(self) -> bool: ...

    def look(self, day: int, spot: Float1D, vol: Float1D, knocked: BoolND) -> Marks:
        """Value, delta, gamma after the close of `day`, shape (k,)."""
        ...

    def settle(self, day: int, spot: Float1D, knocked: BoolND) -> tuple[Float1D, BoolND, BoolND]:
        """(paid, ended, knocked in) at the close of `day`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Book:
    """European options with quantities, under Black-Scholes."""

    legs: tuple[tuple[float, int, float, float], ...]  # strike, days, +1 call or -1 put, quantity
    initial: float
    rate: float
    dividend_yield: float
    knocked: bool = False

    @property
    def days(self) -> int:
        return max(leg[1] for leg in self.legs)

    def look(self, day: int, spot: Float1D, vol: Float1D, knocked: BoolND) -> Marks:
        value, delta, gamma = np.zeros((3, spot.size))
        r, q = self.rate, self.dividend_yield
        for strike, days, sign, quantity in self.legs:
            tau = (days - day) / YEAR
            if tau <= 0.0:
                continue
            std, carry, df = vol * np.sqrt(tau), np.exp(-q * tau), np.exp(-r * tau)
            d1 = (np.log(spot / strike) + (r - q) * tau) / std + 0.5 * std
            up, down = ndtr(sign * d1), ndtr(sign * (d1 - std))
            value += quantity * sign * (spot * carry * up - strike * df * down)
            delta += quantity * sign * carry * up
            gamma += quantity * carry * np.exp(-0.5 * d1 * d1) / (np.sqrt(2.0 * np.pi) * std * spot)
        return value, delta, gamma

    def settle(self, day: int, spot: Float1D, knocked: BoolND) -> tuple[Float1D, BoolND, BoolND]:
        paid = np.zeros(spot.size)
        for strike, days, sign, quantity in self.legs:
            if day == days:
                paid += quantity * np.maximum(sign * (spot - strike), 0.0)
        return paid, np.full(spot.size, day >= self.days), knocked


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Note:
    """One structured note, looked up in its grid."""

    grid: NoteGrid
    initial: float

    @property
    def days(self) -> int:
        return self.grid.n_dates

    @property
    def knocked(self) -> bool:
        return self.grid.knocked

    def look(self, day: int, spot: Float1D, vol: Float1D, knocked: BoolND) -> Marks:
        return self.grid.look(day, spot, vol, knocked)

    def settle(self, day: int, spot: Float1D, knocked: BoolND) -> tuple[Float1D, BoolND, BoolND]:
        return self.grid.settle(day, spot, knocked)


def claim_of(sold: Any, initial: float, rate: float, dividend_yield: float) -> Claim:
    """A note's grid, an option, or (option, quantity) pairs, ready to be marked."""
    if isinstance(sold, NoteGrid):
        steps = np.diff(sold.times) * YEAR
        hint = "Watch the barrier daily, with steps_per_year=252 and dates on these steps."
        require(bool(np.abs(steps - 1.0).max() < 1e-6), "dates", float(steps.max()), "be one day apart", hint=hint)
        return Note(grid=sold, initial=float(sold.forward[0]))
    pairs: Sequence[Any] = [(sold, 1.0)] if isinstance(sold, European) else list(sold)
    require(len(pairs) > 0, "sold", "nothing", "hold at least one option")
    legs: list[tuple[float, int, float, float]] = []
    for item, quantity in pairs:
        if not isinstance(item, European):
            name = type(item).__name__
            raise InputError(
                f"sold must hold European options; got {name}. Give a note as its grid: pricing.note_grid(note, ...)."
            )
        require(item.tau is not None, "expiry", item, "be given as tau, in years of 252 days")
        days = round(YEAR * float(item.tau or 0.0))
        require(days >= 1, "tau", item.tau, "be at least one day, 1/252")
        legs.append((item.strike, days, 1.0 if item.is_call else -1.0, float(quantity)))
    return Book(legs=tuple(legs), initial=initial, rate=rate, dividend_yield=dividend_yield)
