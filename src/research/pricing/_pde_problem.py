"""A contract without dates as the finite-difference engines see it: problems with a pay-off, ends and exercise."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from research.arrays import Float1D, FloatND
from research.instruments import American, Barrier, Digital, DoubleBarrier, DoubleTouch, European, Touch
from research.market import Snapshot
from research.pricing._pde_grid import share_above

NOWHERE = (0.0, np.inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One grid: `weight` times its value is part of the price of contract `position`."""

    position: int
    scale: float  # price units, the strike or a barrier: x = log(spot / scale) is 0 there
    pays: str  # at expiry, if no barrier is hit: "option", "cash" or "asset" beyond the scale; "one", "none"
    sign: float = 1.0  # 1 above the scale, -1 below
    weight: float = 1.0
    plus: str = ""  # added to the grid's value: "call" or "asset" by parity, "bond" is taken off
    ends: tuple[float, float] = NOWHERE  # barriers in price units, 0 and infinity where there is none
    hits: tuple[float, float] = (0.0, 0.0)  # what each pays at once
    early: bool = False  # may the holder exercise at any time?
    discounted: bool = True  # without: paid at expiry, weight times the discount factor

    @property
    def unit(self) -> float:
        """What the values are proportional to."""
        return self.scale if self.pays in ("option", "asset") else 1.0

    @property
    def moves(self) -> bool:
        """May the grid move with the forward? Neither a barrier nor exercise stands still then."""
        return self.ends == NOWHERE and not self.early

    @property
    def grows(self) -> bool:
        """Does it pay more and more with the spot?"""
        return self.pays in ("option", "asset") and self.sign > 0.0

    def added(self, years: float, snapshot: Snapshot) -> tuple[float, float]:
        """(factor, sum): what the value on the grid is multiplied by, then what is added."""
        df = float(snapshot.discount.df(years))
        if self.plus == "call":
            return 1.0, df * (snapshot.forward(years) - self.scale)
        if self.plus == "asset":
            return -1.0, df * snapshot.forward(years)
        return (1.0 if self.discounted else df), (-df if self.plus == "bond" else 0.0)

    def share(self, found: FloatND, years: float, snapshot: Snapshot) -> FloatND:
        """Its part of the contract's value and derivatives by spot; `found` of the grid, the value first on axis -1."""
        factor, more = self.added(years, snapshot)
        out = self.weight * factor * found
        out[..., 0] += self.weight * more
        if found.shape[-1] > 1 and self.plus in ("call", "asset"):
            out[..., 1] += self.weight * float(snapshot.discount.df(years)) * snapshot.forward(years) / snapshot.spot
        return out

    def range(
        self, first: float, last: float, below: float, above: float, straight: bool = False
    ) -> tuple[float, float, list[float]]:
        """Ends of the grid in log(spot / scale), with room below and above [first, last]; and the barriers.

        `straight`: in spot / scale - 1.
        """
        with np.errstate(divide="ignore"):
            low, high = (float(np.log(end / self.scale)) for end in self.ends)
        if straight:
            low, high = float(np.expm1(low)) if low > -np.inf else low, float(np.expm1(high))
        centre = min(max(0.0, low), high)  # a strike outside the barriers is not of interest
        barriers = [end for end in (low, high) if np.isfinite(end)]
        low = low if np.isfinite(low) else min(first, centre) - below
        high = high if np.isfinite(high) else max(last, centre) + above
        return low, high, barriers

    def pay_off(self, x: Float1D, anywhere: bool, straight: bool = False) -> tuple[Float1D, Float1D, Float1D]:
        """Value at expiry, what exercise pays (-inf where not allowed), and the ends as `pde_values` wants them."""
        edges, gain = np.zeros(5), self.sign * self.scale * (x if straight else np.expm1(x))
        if self.pays == "option":
            v = np.maximum(gain, 0.0)
        elif self.pays in ("cash", "asset"):
            share = share_above(x, 0.0)
            v = share if self.sign > 0.0 else 1.0 - share
            v = v * (self.scale * (1.0 + x if straight else np.exp(x)) if self.pays == "asset" else 1.0)
        else:
            v = np.full_like(x, 1.0 if self.pays == "one" else 0.0)
        below, above = self.ends
        for end, there, has, hit in ((0, 0, below > 0.0, self.hits[0]), (2, -1, above < np.inf, self.hits[1])):
            if has:
                edges[end : end + 2] = 1.0, hit
                v[there] = hit
        if not self.early:
            return v, np.full_like(x, -np.inf), edges
        edges[4] = 2.0 if anywhere else self.sign
        return v, gain, edges


def _vanilla(item: Any, i: int, has_cash: bool) -> Problem:
    """A call by a put and a forward: bounded, and so good for any vol and time."""
    by_parity = item.is_call and not isinstance(item, American) and not has_cash
    return Problem(
        position=i, scale=item.strike, pays="option", sign=1.0 if item.is_call and not by_parity else -1.0,
        plus="call" if by_parity else "", early=isinstance(item, American),
    )  # fmt: skip


def _european(item: European | American, i: int, has_cash: bool) -> Iterator[Problem]:
    yield _vanilla(item, i, has_cash)


def _barriers(item: Barrier | DoubleBarrier) -> tuple[float, float]:
    if isinstance(item, DoubleBarrier):
        return item.low, item.high
    return (item.barrier, np.inf) if item.direction == "down" else (0.0, item.barrier)


def _knock(item: Barrier | DoubleBarrier, i: int, has_cash: bool) -> Iterator[Problem]:
    """Knock-ins through what they lack of the European option; a late rebate through a bond less one a hit ends."""
    ends, out = _barriers(item), item.knock == "out"
    late = item.rebate_at == "expiry"
    paid = item.rebate if out and not late else 0.0
    call = 1.0 if item.is_call else -1.0
    yield Problem(position=i, scale=item.strike, pays="option", sign=call, weight=1.0 if out else -1.0, ends=ends,
                  hits=(paid, paid))  # fmt: skip
    if item.rebate > 0.0 and (late or not out):
        yield Problem(position=i, scale=item.strike, pays="one", weight=-item.rebate if out else item.rebate,
                      ends=ends, plus="bond" if out else "")  # fmt: skip
    if not out:
        yield _vanilla(item, i, has_cash)


def _digital(item: Digital, i: int, has_cash: bool) -> Iterator[Problem]:
    by_parity = item.pays == "asset" and item.is_call and not has_cash
    yield Problem(position=i, scale=item.strike, pays=item.pays, sign=1.0 if item.is_call and not by_parity else -1.0,
                  weight=item.amount, plus="asset" if by_parity else "")  # fmt: skip


def _touch(item: Touch, i: int, has_cash: bool) -> Iterator[Problem]:
    ends = (item.barrier, np.inf) if item.direction == "down" else (0.0, item.barrier)
    at_hit = item.is_touch and item.pays_at == "hit"
    if at_hit:
        yield Problem(position=i, scale=item.barrier, pays="none", weight=item.amount, ends=ends, hits=(1.0, 1.0))
    else:
        weight, plus = (-item.amount, "bond") if item.is_touch else (item.amount, "")
        yield Problem(position=i, scale=item.barrier, pays="one", weight=weight, ends=ends, plus=plus)


def _double_touch(item: DoubleTouch, i: int, has_cash: bool) -> Iterator[Problem]:
    ends, amount = (item.low, item.high), item.amount
    scale = float(np.sqrt(item.low * item.high))
    if item.pays_if in ("low", "high") or item.pays_at == "hit":
        hits = float(item.pays_if != "high"), float(item.pays_if != "low")
        yield Problem(position=i, scale=scale, pays="none", weight=amount, ends=ends, hits=hits,
                      discounted=item.pays_at == "hit")  # fmt: skip
    else:
        either = item.pays_if == "either"
        yield Problem(position=i, scale=scale, pays="one", weight=-amount if either else amount, ends=ends,
                      plus="bond" if either else "")  # fmt: skip


_PROBLEMS: dict[type, Callable[[Any, int, bool], Iterator[Problem]]] = {
    European: _european, American: _european, Barrier: _knock, DoubleBarrier: _knock, Digital: _digital, Touch: _touch,
    DoubleTouch: _double_touch,
}  # fmt: skip


def problems(items: Sequence[Any], snapshot: Snapshot, has_cash: bool) -> Iterator[Problem]:
    """The problems of all contracts; refuses a barrier that is breached."""
    for i, item in enumerate(items):
        if hasattr(item, "check_alive"):
            item.check_alive(snapshot.spot)
        yield from _PROBLEMS[type(item)](item, i, has_cash)


def has_dates(item: Any) -> bool:
    """Does something happen on given days only: exercise, a look at a barrier?"""
    return type(item) not in _PROBLEMS or getattr(item, "n_monitoring", None) is not None


def _extremes(snapshot: Snapshot) -> tuple[float, float, float, float]:
    """Lowest and highest forward rate, lowest and highest forward yield, 1/year."""
    curve, paid = snapshot.dividend_yields, np.array([snapshot.dividend_yield])
    if curve is not None:
        paid = np.diff(curve.tau * curve.zero_rate, prepend=0.0) / np.diff(curve.tau, prepend=0.0)
    given = snapshot.discount
    rates = np.diff(given.tau * given.zero_rate, prepend=0.0) / np.diff(given.tau, prepend=0.0)
    low, high = float(paid.min()) + snapshot.borrow, float(paid.max()) + snapshot.borrow
    return float(rates.min()), float(rates.max()), low, high


def never_exercised(snapshot: Snapshot) -> bool:
    """Is an American call a European one: no yield, and no rate below 0?"""
    rate, _, _, paid = _extremes(snapshot)
    return paid <= 0.0 and rate >= 0.0


def highest_boundary(variance: float, snapshot: Snapshot) -> float:
    """log(boundary / strike) above which a call is exercised whatever its life; 0 where nothing bounds it.

    That of the perpetual call, b / (b - 1), v b (b - 1) / 2 + (r - q) b = r, with the highest rate and lowest yield.
    """
    _, rate, paid, _ = _extremes(snapshot)
    if paid <= 0.0 or rate < 0.0:
        return 0.0
    half = 0.5 * variance
    slope = rate - paid - half
    b = (-slope + np.sqrt(slope * slope + 4.0 * half * rate)) / (2.0 * half)
    less = 2.0 * paid / (half + rate - paid + np.sqrt(slope * slope + 4.0 * half * rate))  # b - 1, without cancelling
    return float(np.log(max(b, 1.0) / less))


def may_exercise_anywhere(snapshot: Snapshot) -> bool:
    """Negative rates or yields may give an American option two exercise boundaries."""
    curve, paid = snapshot.dividend_yields, snapshot.dividend_yield
    if curve is not None:  # forward yields
        paid = float(np.diff(curve.tau * curve.zero_rate, prepend=0.0).min())
    return float(min(snapshot.discount.zero_rate.min(), paid + min(snapshot.borrow, 0.0))) < 0.0
