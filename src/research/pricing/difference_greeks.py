"""Greeks by central differences of any engine's values: one batch of contracts a bump.

Where the engine is a closed form, exact to `EXACT`, the stencils have four points on each side and steps of a twentieth
of the standard deviation (`_bumps`), so that Greeks are nearly as exact as the price; to `NEAR` three; elsewhere two.
The stated error is the distance to the stencil with a point less on each side, and what rounding and the price's error
make of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from research.arrays import Float1D
from research.errors import InputError
from research.market import Snapshot
from research.pricing._bumps import DAYS, aged, bumped, in_years, shifted, soonest, stuck, within
from research.pricing._greek_tables import Table, entry
from research.pricing._stencils import AHEAD_GRAIN, FIRST_GRAIN, SECOND_GRAIN, THIRD_GRAIN, ahead, first, second, third
from research.pricing.price import rows_of

GRIDS = ("pde", "lattice", "adi")
EXACT, NEAR = 1e-12, 1e-10  # of spot and value: what a price may be off for wide stencils to pay, and middling ones
SMOOTH = ("spectral",)  # its error is no rounding: it changes as slowly as the price
WIDE, MIDDLE, NARROW = 4, 3, 2  # points on each side
_CALM = {"spot": 0.05, "vol": 0.05, "rate": 0.005, "age": 0.005}  # a step, of the distance over which a price changes
_PARTS = 8.0  # of the time to the first date of a contract: theta's step, where a day is more
_NOISE = 4e-15  # rounding of a closed form, of spot and value
_KINK = 0.02  # part of what the first point more changes from which on more points do not come nearer
_HOW = "differences"


def differences(
    items: list[Any], model: Any, snapshot: Snapshot, method: str, wanted: Sequence[str], bumps: dict[str, Any],
    options: dict[str, Any], unbumped: Any = None, width: int = NARROW,
) -> Table:  # fmt: skip
    """Central differences of `width` points on each side, the whole group in one batch a bump."""
    grid, side = method in GRIDS, int(bumps.get("side", 0))
    e = (bumps["spot"] or (0.02 if grid else 0.004)) * (side or 1)
    dv, dr, days = bumps["vol"], bumps["rate"] or (1e-3 if grid or width > NARROW else 1e-4), bumps["days"]
    near = min(soonest(item, snapshot.as_of) for item in items) * DAYS
    if width > NARROW and days > near / _PARTS:
        items, days = [in_years(item, snapshot.as_of) for item in items], near / _PARTS
    known: dict[tuple[float, ...], Float1D] = {}
    if unbumped is not None:
        known[(0, 0, 0, 0)] = unbumped.value
    noise = 0.0 if grid else _NOISE * (abs(snapshot.spot) + np.abs(known.get((0, 0, 0, 0), 0.0)))
    of_price = np.abs(unbumped.error) if width > NARROW else 0.0

    def at(spot: int = 0, vol: int = 0, rate: int = 0, age: int = 0) -> Float1D:
        key = (spot, vol, rate, age)
        if key not in known:
            there = bumped(snapshot, spot=spot * e, rate=rate * dr, days=age * days)
            moved = shifted(model, vol * dv, snapshot) if vol else model
            moved = moved if grid else within(moved, spot * e)
            if bumps.get("sticky", "strike") == "strike":
                moved = stuck(moved, spot * e, rate * dr)
            contracts = [aged(item, age * days) for item in items] if age else items
            known[key] = rows_of(contracts, moved, there, method, "raise", options, known=False).value
        return known[key]

    def rounding(*bumps: str) -> Any:
        return np.maximum(noise, of_price * (np.prod([_CALM[name] for name in bumps]) if method in SMOOTH else 1.0))

    steps = _Steps(snapshot.spot * e, dv, dr, days / DAYS, days / near)
    return _Differences(at, wanted, steps, width, rounding, side != 0).table()


def width_for(method: str, values: Any, spot: float) -> int:
    """Points on each side: prices must be exact, or at least smooth, enough for many."""
    off = float(np.max(np.abs(values.error) / (abs(spot) + np.abs(values.value)), initial=0.0))
    if method in SMOOTH or off <= EXACT:
        return WIDE
    return MIDDLE if off <= NEAR else NARROW


def _judged(stencil: Callable[[int], Any], width: int, rounding: Any) -> tuple[Any, Any]:
    """A derivative by `width` points on each side, and its error: the distance to one point less.

    Where that is no small part r of the distance before it, what more points would still change is not either: with
    that r the sum of all of it. Where it is no small part of what the first point more has changed, the function has a
    kink within reach (the strike of a lookback option that starts today): then twice the distance to the plain one.
    """
    value, less = stencil(width), stencil(width - 1)
    error = np.abs(value - less)
    if width > NARROW:
        before = np.abs(less - stencil(width - 2))
        slow = error > np.maximum(0.2 * before, 4.0 * rounding)
        kink, plain = error > _KINK * np.abs(stencil(2) - stencil(1)), 2.0 * np.abs(value - stencil(1))
        tail = error / (1.0 - np.minimum(error / np.maximum(before, 1e-300), 0.9))
        error = np.where(slow, np.where(kink, plain, np.minimum(tail, plain)), error)
    return value, error


@dataclass(frozen=True, slots=True)
class _Steps:
    """Spot in price units; vol, rate and time in years in theirs."""

    spot: float  # negative for steps to one side, below
    vol: float
    rate: float
    time: float
    share: float  # of the time to the first date


@dataclass(frozen=True, slots=True)
class _Differences:
    """Greeks and their errors out of bumped values."""

    at: Callable[..., Float1D]
    wanted: Sequence[str]
    step: _Steps
    width: int
    noise: Callable[..., Any]  # of the bumps of a derivative, in price units
    aside: bool = False  # spots on one side of today's alone: the other has a barrier in reach

    def table(self) -> Table:
        """Every Greek that is wanted."""
        step, width, out = self.step, self.width, Table()
        if "value" in self.wanted:
            out["value"] = entry(self.at(), 0.0, _HOW)
        for name, bump, h, stencil, grain, order in (
            ("delta", "spot", step.spot, first, FIRST_GRAIN, 1), ("gamma", "spot", step.spot, second, SECOND_GRAIN, 2),
            ("speed", "spot", step.spot, third, THIRD_GRAIN, 3), ("vega", "vol", step.vol, first, FIRST_GRAIN, 1),
            ("volga", "vol", step.vol, second, SECOND_GRAIN, 2), ("rho", "rate", step.rate, first, FIRST_GRAIN, 1),
        ):  # fmt: skip
            if name not in self.wanted:
                continue
            if self.aside and bump == "spot":
                out[name] = self._to_one_side(order)
                continue
            values, rounding = self._along(bump), self.noise(*order * (bump,)) * grain[width] / h**order
            value, error = _judged(lambda n: stencil(values, h, n), width, rounding)  # noqa: B023
            out[name] = entry(value, error + rounding, _HOW)
        if "vanna" in self.wanted:
            out["vanna"] = self._mixed("vol", step.vol, min(width, 3))
        return out | self._of_time()

    def _along(self, bump: str) -> Callable[[int], Float1D]:
        return lambda k: self.at(**{bump: k})

    def _to_one_side(self, order: int) -> dict[str, Any]:
        """A derivative by the spot, from spots on one side."""
        values, h = self._along("spot"), self.step.spot
        value, less = ahead(values, h, order, 1), ahead(values, h, order, 0)
        rounding = self.noise(*order * ("spot",)) * AHEAD_GRAIN[order] / abs(h) ** order
        return entry(value, np.abs(value - less) + rounding, _HOW)

    def _slope(self, width: int, **rest: int) -> Any:
        def values(k: int) -> Float1D:
            return self.at(spot=k, **rest)

        return ahead(values, self.step.spot, 1, width - 1) if self.aside else first(values, self.step.spot, width)

    def _in_time(self, stencil: Callable[[int], Any], width: int, rounding: Any) -> tuple[Any, Any]:
        """`_judged`, where the step is known in parts of the time left: each point more leaves about the square of that
        part of what the one before left, and less than that has happened by chance."""
        value, error = _judged(stencil, width, rounding)
        if width > NARROW:
            error = np.maximum(error, self.step.share**2 * np.abs(stencil(width - 1) - stencil(width - 2)))
        return value, error

    def _mixed(self, bump: str, h: float, width: int) -> dict[str, Any]:
        """d delta / d bump; the errors of the two directions add."""
        grain = (AHEAD_GRAIN[1] if self.aside else FIRST_GRAIN[width]) * FIRST_GRAIN[width]
        rounding = self.noise("spot", bump) * grain / (abs(self.step.spot) * h)
        value, error = _judged(lambda n: first(lambda m: self._slope(n, **{bump: m}), h, width), width, rounding)
        judged = self._in_time if bump == "age" else _judged
        _, other = judged(lambda n: first(lambda m: self._slope(width, **{bump: m}), h, n), width, rounding)
        return entry(value, error + other + rounding, _HOW)

    def _of_time(self) -> Table:
        """Theta and charm, on as many days as the contract has on both sides, at last on days to come alone."""
        ways = [lambda: self._central(min(self.width, 3)), lambda: self._central(2), self._ahead, self._near_by]
        for way in ways:
            try:
                return way()
            except InputError:
                if way is ways[-1]:
                    raise
        raise AssertionError("the last way raises")

    def _central(self, width: int) -> Table:
        out, days, h = Table(), self._along("age"), self.step.time
        if "theta" in self.wanted:
            rounding = self.noise("age") * FIRST_GRAIN[width] / h
            value, error = self._in_time(lambda n: first(days, h, n), width, rounding)
            out["theta"] = entry(value, error + rounding, _HOW)
        if "charm" in self.wanted:
            out["charm"] = self._mixed("age", h, width)
        return out

    def _ahead(self) -> Table:
        """It did not exist yesterday: a variance swap that starts today, a note with a date behind."""
        return self._by(lambda f: (4.0 * f(1) - f(2) - 3.0 * f(0)) / 2.0)

    def _near_by(self) -> Table:
        """It has a date the day after tomorrow."""
        return self._by(lambda f: (f(1) - f(-1)) / 2.0)

    def _by(self, stencil: Callable[[Callable[[int], Any]], Any]) -> Table:
        """Theta and charm by one stencil, with the distance to one day ahead as error."""
        out, h = Table(), self.step.time
        of: dict[str, Callable[[int], Any]] = {"theta": self._along("age"), "charm": lambda m: self._slope(2, age=m)}
        for name, values in of.items():
            if name in self.wanted:
                value = stencil(values) / h
                out[name] = entry(value, np.abs(value - (values(1) - values(0)) / h), _HOW)
        return out
