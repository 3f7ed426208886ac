"""Contracts that look at the price on given days only, as one list of dates for the grids, from the last to the first.

A contract has one value at each spot, or two: layer 0 before a knock-in and layer 1 after it. At a date, in this order:
layer 0 takes the value of layer 1 beyond a knock-in level; both are paid out beyond a knock-out level; coupons are
added; the holder may exercise. `_dated_contracts` writes contracts so, `_dated_march` goes through the dates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from research.arrays import Float1D, FloatND

Turn = Callable[[FloatND, Float1D, Float1D], FloatND]  # (values, x, spots)
Leg = tuple[float, tuple[tuple[float, float], ...]]  # base, then pairs (k, b) of b max(S - k, 0), of b S for k = -inf


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dated:
    """Levels in price units, amounts in currency as of their date; arrays have shape (n,), one entry a date."""

    times: Float1D  # years, increasing, > 0; the last one is the end
    up: Float1D  # knock-out at or above, inf where there is none
    down: Float1D  # knock-out at or below, 0 where there is none
    pay_up: Float1D
    pay_down: Float1D
    in_low: Float1D  # knock-in below
    in_high: Float1D  # knock-in above
    coupons: tuple[tuple[int, float, float, float], ...] = ()  # date, amount, paid between two levels
    final: tuple[Leg, ...]  # paid at the end, by layer
    exercise: float = 0.0  # 1 to buy, -1 to sell at `scale` on every date
    scale: float  # price units, the strike or the initial price
    memory: int = 1  # states of a coupon that is remembered: how many have been missed, each a layer of its own
    at_once: bool = False  # may the holder exercise today?
    first: tuple[float, ...] = ()  # levels that must be nodes
    turns: tuple[tuple[int, Turn], ...] = ()  # date, values before it from those after
    payoff: Callable[[Float1D], Float1D] | None = None  # of the spot, instead of `final`
    side: tuple[float, float] = (0.0, np.inf)  # prices between which today's value is smooth: a barrier watched by now
    stands: bool = False  # is a barrier watched between the dates?
    tilt: float = 0.0  # power of the spot that the payment grows with, beyond 1: the grid reaches further
    straight: bool = False  # x is spot / scale - 1, in place of its logarithm

    def spots(self, x: Float1D) -> Float1D:
        """Prices at the nodes."""
        out: Float1D = self.scale * (1.0 + x if self.straight else np.exp(x))
        return out

    def place(self, level: float) -> float:
        """x of a price."""
        return level / self.scale - 1.0 if self.straight else float(np.log(level / self.scale))

    @property
    def free(self) -> bool:
        """Does no level stand on a day before the end? Then a grid may move with the forward."""
        last = self.times.size - 1
        fixed = (self.up < np.inf) | (self.down > 0.0) | (self.in_low > 0.0) | (self.in_high < np.inf)
        return (
            not self.stands
            and self.exercise == 0.0
            and not fixed[:last].any()
            and all(c[0] == last for c in self.coupons)
        )

    @property
    def breaks(self) -> tuple[float, float]:
        """`side` in log(spot / scale)."""
        with np.errstate(divide="ignore"):
            return float(np.log(self.side[0] / self.scale)), float(np.log(self.side[1] / self.scale))

    def levels(self) -> Float1D:
        """Every price at which a value breaks or bends, those first that jump."""
        of_coupons = [level for _, _, low, high in self.coupons for level in (low, high)]
        jumps = np.concatenate([self.first, self.down, self.up, self.in_low, self.in_high, of_coupons])
        every = np.concatenate([jumps, [k for _, legs in self.final for k, _ in legs]])
        every = every[(every > 0.0) & np.isfinite(every)]
        out: Float1D = every[np.sort(np.unique(every, return_index=True)[1])]
        return out

    def today(self, spot: float) -> float:
        """What exercise pays today, -inf where it is not allowed."""
        return self.exercise * (spot - self.scale) if self.at_once else -np.inf

    def size(self, spot: float) -> float:
        """The largest single amount in its terms, what a small error is small against."""
        if self.payoff is not None:
            return float(np.abs(self.payoff(spot * np.array([0.5, 1.0, 2.0]))).max())
        legs = [abs(b) * max(k, spot) for _, legs in self.final for k, b in legs]
        paid = [abs(amount) for _, amount, _, _ in self.coupons] + [abs(base) for base, _ in self.final]
        return float(max(*legs, *paid, np.abs(self.pay_up).max(), np.abs(self.pay_down).max()))

    def end(self, x: Float1D) -> FloatND:
        """Values at the end before its date is looked at, shape (layers, n), at x = log(spot / scale)."""
        spot = self.spots(x)
        if self.payoff is not None:
            return self.payoff(spot)[None]
        found = np.array([base + sum((b * above_strike(spot, k) for k, b in legs), np.zeros_like(spot))
                         for base, legs in self.final])  # fmt: skip
        return np.repeat(found, self.memory, axis=0)

    def at(self, date: int, values: FloatND, x: Float1D, above: Callable[[float], Float1D]) -> FloatND:
        """The values just before a date, from those just after it; x runs along the last axis.

        `above(level)` is the part of each node's cell above a price.
        """
        v = values.reshape(len(self.final), self.memory, *values.shape[1:]).copy()
        if self.in_low[date] > 0.0:
            v[0] += (1.0 - above(self.in_low[date])) * (v[-1] - v[0])
        if self.in_high[date] < np.inf:
            v[0] += above(self.in_high[date]) * (v[-1] - v[0])
        if self.up[date] < np.inf:
            v += above(self.up[date]) * (self.pay_up[date] - v)
        if self.down[date] > 0.0:
            v += (1.0 - above(self.down[date])) * (self.pay_down[date] - v)
        for when, amount, low, high in self.coupons:
            if when == date and self.memory > 1:
                v = _remembered(v, amount, above(low))
            elif when == date:
                v += amount * ((above(low) if low > 0.0 else 1.0) - (above(high) if high < np.inf else 0.0))
        for when, turn in self.turns:
            if when == date:
                v = turn(v, x, self.spots(x))
        if self.exercise != 0.0 and date < self.times.size - 1:
            v = greater(v, self.exercise * self.scale * (x if self.straight else np.expm1(x)), x)
        return v.reshape(values.shape)


def _remembered(v: FloatND, amount: float, share: Float1D) -> FloatND:
    """A coupon paid brings those missed before; one that is missed goes to the next state. States on axis 1."""
    owed = amount * np.arange(1.0, v.shape[1] + 1.0).reshape(-1, *([1] * (v.ndim - 2)))
    missed = np.concatenate([v[:, 1:], v[:, -1:]], axis=1)
    out: FloatND = share * (v[:, :1] + owed) + (1.0 - share) * missed
    return out


def greater(held: FloatND, paid: FloatND, x: Float1D) -> FloatND:
    """max(held, paid); between nodes where the sign of their difference changes, what straight lines add is kept."""
    gap = held - paid
    out = np.maximum(held, paid)
    a, b = gap[..., :-1], gap[..., 1:]
    crosses = a * b < 0.0
    with np.errstate(divide="ignore", invalid="ignore"):  # the area of a triangle less that of the trapezoid
        more = np.where(crosses, 0.5 * np.abs(a * b) / (np.abs(a) + np.abs(b)), 0.0) * np.diff(x)
    width = np.empty_like(x)
    width[1:-1], width[0], width[-1] = 0.5 * (x[2:] - x[:-2]), x[1] - x[0], x[-1] - x[-2]
    nearer = np.abs(a) / np.maximum(np.abs(a) + np.abs(b), 1e-300)  # share of the way at which the two meet
    out[..., :-1] -= more * (1.0 - nearer) / width[:-1]
    out[..., 1:] -= more * nearer / width[1:]
    return out


def call_or_put(is_call: bool, strike: float) -> Leg:
    return (0.0, ((strike, 1.0),)) if is_call else (strike, ((-np.inf, -1.0), (strike, 1.0)))


def above_strike(spot: Float1D, k: float) -> Float1D:
    """max(S - k, 0), and S itself, which may be negative, for k = -inf."""
    out: Float1D = np.maximum(spot - k, 0.0) if k > -np.inf else spot
    return out


def dated_rows(times: Float1D, scale: float, final: tuple[Leg, ...], **given: Any) -> Dated:
    """Arrays for what is given, nothing for the rest."""
    nothing = {"up": np.inf, "down": 0.0, "pay_up": 0.0, "pay_down": 0.0, "in_low": 0.0, "in_high": np.inf}
    rows: dict[str, Any] = {name: np.broadcast_to(np.asarray(given.pop(name, none), dtype=float), times.shape)
            for name, none in nothing.items()}  # fmt: skip
    return Dated(times=times, scale=scale, final=final, **rows, **given)
