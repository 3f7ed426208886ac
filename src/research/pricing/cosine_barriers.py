"""Barriers that are looked at on given days, by cosine series: single and double ones, double touches.

The recursion of `cosine_series` with the same days as the contract's: n looks are n looks, under Black-Scholes, Merton
and Variance Gamma alike. A contract is a sum of three legs, each a put or a payment of 1, so that nothing is unbounded:

    put    1 - exp(y) at expiry if no look found the price outside; a call in the measure of the underlying;
    cash   1 at expiry if no look did;
    hit    an amount at the look that did.

A knock-in is the European option less the knock-out, whose rebate it has none of, and pays its own if it never came to
life. Barriers that are watched at every moment are refused: a series of dates does not know what happens between them.

References
----------
Fang & Oosterlee (2009), "Pricing early-exercise and discrete barrier options by Fourier-cosine series expansions",
Numerische Mathematik 114, 27-62, section 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from research.arrays import Float1D, Float2D
from research.errors import NoEngineError, require
from research.instruments import Barrier, DoubleBarrier, DoubleTouch
from research.market import Snapshot
from research.pricing._agreed_looks import equal_looks
from research.pricing.catalogue import Values
from research.pricing.cosine_law import Law, law_of
from research.pricing.cosine_plan import Dates, dates_of, evaluated, planned
from research.pricing.cosine_series import Intervals


@dataclass(frozen=True, slots=True)
class _Looks:
    """A corridor that a contract is looked at in, and the market of the looks; prices with derivatives by the spot."""

    law: Law
    snapshot: Snapshot
    times: Float1D
    low: float  # price units; 0 where there is none
    high: float  # price units; inf where there is none
    order: int

    def option(self, strike: float, is_call: bool, *, always: bool = False) -> Float2D:
        """The option if no look found the price outside; `always`: in any case."""
        spot = self.snapshot.spot
        times = self.times[-1:] if always else self.times
        y = float(np.log(strike / spot) if is_call else np.log(spot / strike))
        ends = (-np.inf, np.inf) if always else self._ends(strike, is_call)
        law = self.law.dual() if is_call else self.law
        found = self._leg(law, dates_of(times, self.snapshot, is_call), y, "put", ends)
        return by_spot(found, spot, strike, is_call)

    def cash(self) -> Float2D:
        """One unit at expiry if no look found the price outside."""
        spot = self.snapshot.spot
        found = self._leg(self.law, self._dates(), 0.0, "cash", self._ends(spot, False))
        return by_spot(found, spot, 1.0, False, unit=1.0)

    def hit(self, at_expiry: bool, sides: tuple[bool, bool] = (True, True)) -> Float2D:
        """One unit at the look that finds the price outside, below or above as `sides` say, or at expiry."""
        low, high = self._ends(self.snapshot.spot, False)
        paid = [piece for piece, side in zip([(-np.inf, low), (high, np.inf)], sides) if side]
        df = np.asarray(self.snapshot.discount.df(self.times))
        amounts = tuple((df[-1] / df).tolist()) if at_expiry else (1.0,) * df.size
        found = self._leg(self.law, self._dates(), 0.0, "hit", (low, high), paid, amounts)
        return by_spot(found, self.snapshot.spot, 1.0, False, unit=1.0)

    def _dates(self) -> Dates:
        return dates_of(self.times, self.snapshot, False)

    def _ends(self, strike: float, is_call: bool) -> tuple[float, float]:
        with np.errstate(divide="ignore"):
            low, high = np.log(self.low / strike), np.log(self.high / strike)
        return (-float(high), -float(low)) if is_call else (float(low), float(high))

    def _leg(
        self, law: Law, dates: Dates, y: float, leg: str, alive: tuple[float, float], paid: Intervals | None = None,
        amounts: tuple[float, ...] = (),
    ) -> Float2D:  # fmt: skip
        here = np.array([y])
        problem, left = planned(law, dates, here, leg, alive=alive, paid=paid, amounts=amounts)
        found, error = evaluated(problem, left, here, self.order)
        return np.array([found[:, 0], error[:, 0]])


def by_spot(jet: Float2D, spot: float, strike: float, is_call: bool, unit: float | None = None) -> Float2D:
    """(values, errors) of derivatives by the spot out of those by y, shape (2, order + 1); a call is in spots."""
    n = jet.shape[1]
    if is_call:
        rows = [[spot, 0.0, 0.0, 0.0], [1.0, -1.0, 0.0, 0.0], [0.0, -1.0, 1.0, 0.0], [0.0, 1.0, 0.0, -1.0]]
        scale = [1.0, 1.0, spot, spot**2]
    else:
        rows = [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, -1.0, 1.0, 0.0], [0.0, 2.0, -3.0, 1.0]]
        size = strike if unit is None else unit
        scale = [1.0 / size, spot / size, spot**2 / size, spot**3 / size]
    turn = (np.array(rows) / np.array(scale)[:, None])[:n, :n]
    return np.array([turn @ jet[0], np.abs(turn) @ jet[1]])


def _looks(item: Any, model: Any, snapshot: Snapshot, low: float, high: float, order: int) -> _Looks:
    n = item.n_monitoring
    hint = "Use method='paths', or give n_monitoring."
    if n is None:
        what = f"{type(item).__name__} by 'cosine' must be looked at on n days; got n_monitoring=None. {hint}"
        raise NoEngineError(what)
    item.check_alive(snapshot.spot)
    tau = item.years(snapshot.as_of)
    require(tau > 0.0, "tau", tau, "be > 0 years", hint="It has expired.")
    return _Looks(law_of(model), snapshot, equal_looks(item, tau, n), low, high, order)


def option_jet(item: Barrier | DoubleBarrier, model: Any, snapshot: Snapshot, order: int = 0) -> Float2D:
    """Value and derivatives by the spot up to `order` of one barrier option, and their errors, shape (2, order + 1)."""
    if isinstance(item, Barrier):
        low, high = (item.barrier, np.inf) if item.direction == "down" else (0.0, item.barrier)
    else:
        low, high = item.low, item.high
    looks = _looks(item, model, snapshot, low, high, order)
    out = looks.option(item.strike, item.is_call)
    if item.knock == "in":
        out = looks.option(item.strike, item.is_call, always=True) + _times(-1.0, out)
        return out + _times(item.rebate, looks.cash()) if item.rebate else out
    return out + _times(item.rebate, looks.hit(item.rebate_at == "expiry")) if item.rebate else out


def touch_jet(item: DoubleTouch, model: Any, snapshot: Snapshot, order: int = 0) -> Float2D:
    """The same of one double touch."""
    looks = _looks(item, model, snapshot, item.low, item.high, order)
    sides = (item.pays_if != "high", item.pays_if != "low")
    unit = looks.cash() if item.pays_if == "none" else looks.hit(item.pays_at == "expiry", sides)
    return _times(item.amount, unit)


def _times(factor: float, jet: Float2D) -> Float2D:
    return np.array([factor * jet[0], abs(factor) * jet[1]])


def _values(jets: list[Float2D]) -> Values:
    found = np.array(jets)[:, :, 0]
    return Values(np.maximum(found[:, 0], 0.0), np.zeros(len(jets)), found[:, 1].copy())


def barriers(items: Sequence[Barrier | DoubleBarrier], model: Any, snapshot: Snapshot) -> Values:
    """Engine: single and double barrier options with `n_monitoring`."""
    return _values([option_jet(item, model, snapshot) for item in items])


def double_touches(items: Sequence[DoubleTouch], model: Any, snapshot: Snapshot) -> Values:
    """Engine: double touches with `n_monitoring`."""
    return _values([touch_jet(item, model, snapshot) for item in items])
