"""Payments that bend or jump at expiry, and options on options, as `Dated` lists."""

from __future__ import annotations

from typing import Any

import numpy as np

from research.arrays import Float1D, FloatND
from research.instruments import Chooser, Compound, European, Gap, LogContract, Power, Supershare
from research.market import Snapshot
from research.pricing._dated import Dated, Leg, call_or_put, dated_rows, greater

_NOTHING: Leg = (0.0, ())


def _end(item: Any, snapshot: Snapshot) -> Float1D:
    return np.array([item.years(snapshot.as_of)])


def gap(item: Gap, snapshot: Snapshot) -> Dated:
    """An option struck at the trigger, and a digital of the gap."""
    jump = item.trigger - item.strike if item.is_call else item.strike - item.trigger
    side = (item.trigger, np.inf) if item.is_call else (0.0, item.trigger)
    option = call_or_put(item.is_call, item.trigger)
    return dated_rows(_end(item, snapshot), item.trigger, (option,), coupons=((0, jump, *side),))


def supershare(item: Supershare, snapshot: Snapshot) -> Dated:
    """The price over the lower level, between the two."""
    low, high = item.low, item.high
    legs = ((low, 1.0 / low), (high, -1.0 / low))
    coupons = ((0, 1.0, low, np.inf), (0, -high / low, high, np.inf))
    return dated_rows(_end(item, snapshot), low, ((0.0, legs),), coupons=coupons)


def power(item: Power, snapshot: Snapshot) -> Dated:
    """An option on a power of the price."""
    sign, kink = 1.0 if item.is_call else -1.0, float(item.strike ** (1.0 / item.power))

    def payoff(spot: Float1D) -> Float1D:
        out: Float1D = np.maximum(sign * (spot**item.power - item.strike), 0.0)
        return out

    return dated_rows(_end(item, snapshot), kink, (_NOTHING,), payoff=payoff, first=(kink,),
                      tilt=max(item.power - 1.0, 0.0))  # fmt: skip


def log_contract(item: LogContract, snapshot: Snapshot) -> Dated:
    """The logarithm of the price."""

    def payoff(spot: Float1D) -> Float1D:
        out: Float1D = np.log(spot / item.strike)
        return out

    return dated_rows(_end(item, snapshot), item.strike, (_NOTHING,), payoff=payoff)


def compound(item: Compound, snapshot: Snapshot) -> Dated:
    """The option goes back to the day on which it is bought or sold."""
    times = np.array([item.years(snapshot.as_of), item.option_years(snapshot.as_of)])
    sign, option = 1.0 if item.is_call else -1.0, item.option

    def decided(values: FloatND, x: Float1D, spot: Float1D) -> FloatND:
        return greater(sign * (values - item.strike), np.zeros_like(values), x)

    final = (call_or_put(option.is_call, option.strike),)
    return dated_rows(times, option.strike, final, turns=((0, decided),))


def chooser(item: Chooser, snapshot: Snapshot) -> Dated:
    """Call and put go back side by side to the day of the choice; the one that ends first begins on its day."""
    ends = item.option_years(snapshot.as_of)
    first, last = min(ends), max(ends)
    times = np.array([item.years(snapshot.as_of), first, last] if last > first else [item.years(snapshot.as_of), last])
    sides: list[European] = [item.call, item.put]
    scale = item.call.strike
    final = tuple(call_or_put(s.is_call, s.strike) if end == last else _NOTHING for s, end in zip(sides, ends))

    def begins(values: FloatND, x: Float1D, spot: Float1D) -> FloatND:
        out, late = values.copy(), 0 if ends[0] < last else 1
        sign = 1.0 if sides[late].is_call else -1.0
        out[late] = np.maximum(sign * (spot - sides[late].strike), 0.0)
        return out

    def chosen(values: FloatND, x: Float1D, spot: Float1D) -> FloatND:
        return np.concatenate([greater(values[:1], values[1:], x), values[1:]])

    turns = ((0, chosen), (1, begins)) if last > first else ((0, chosen),)
    return dated_rows(times, scale, final, turns=turns, first=(item.call.strike, item.put.strike))
