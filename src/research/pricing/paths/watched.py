"""Payoffs of what happens on the way, on blocks of paths: lookbacks, two barriers, barriers watched for a while.

Watched n times, by the looks themselves. Watched at every moment, by `Terms.watched` looks a year and the chance of
what may have happened between them (`watching`), so that a path pays its expectation given its looks: no jump is left
in the payoff, and nothing is moved by a continuity correction.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from research.arrays import Float1D, Float2D
from research.instruments import DoubleBarrier, DoubleTouch, Lookback, PartialBarrier, PartialLookback
from research.pricing.paths.generators import Block
from research.pricing.paths.payoffs import PAYOFFS, Payoff, Terms, looks, single
from research.pricing.paths.watching import Gaps, beyond, gaps, low_first, missed, stayed


def _expiry(item: object, terms: Terms) -> float:
    return float(single(item.years(terms.snapshot.as_of))[0])  # type: ignore[attr-defined]


def _vanilla(spot: Float1D, strike: float, is_call: bool) -> Float1D:
    out: Float1D = np.maximum(spot - strike if is_call else strike - spot, 0.0)
    return out


def _known(over: Gaps, discrete: bool) -> Gaps:
    """The gaps, with nothing in between where the contract looks at their ends only."""
    return replace(over, before=over.end, variance=None) if discrete else over


def lookback(item: Lookback, terms: Terms) -> Payoff:
    """The extreme, the price today and that of the past included."""
    tau, spot = _expiry(item, terms), terms.snapshot.spot
    side, so_far = 1.0 if item.looks_up else -1.0, item.extreme_so_far(spot)
    discrete = item.n_monitoring is not None
    df = float(terms.snapshot.discount.df(tau))
    strike = so_far if item.strike is None else item.strike
    level = max(side * so_far, side * strike) * side

    def value(block: Block) -> Float1D:
        excess = beyond(_known(gaps(block, spot), discrete), level, side)
        against = block.spot[-1] if item.strike is None else strike
        return np.asarray(df * (excess + side * (level - against)))

    return Payoff(times=looks(tau, terms, item, item.n_monitoring), value=value, bridged=not discrete)


def partial_lookback(item: PartialLookback, terms: Terms) -> Payoff:
    """The extreme up to the switch against the last price, or after it against a strike."""
    tau, snapshot = _expiry(item, terms), terms.snapshot
    switch, df = item.switch_years(snapshot.as_of), float(snapshot.discount.df(tau))
    side = 1.0 if item.is_call == (item.strike is not None) else -1.0
    if item.strike is None:
        times = np.append(looks(switch, terms), tau)
        rows = slice(0, times.size - 1)
    else:
        times = np.append(switch, looks(tau, terms, start=switch))
        rows = slice(1, times.size)

    def value(block: Block) -> Float1D:
        strike = block.spot[-1] / item.scale if item.strike is None else item.strike
        return np.asarray(df * item.scale * beyond(gaps(block, snapshot.spot, rows), strike, side))

    return Payoff(times=times, value=value, bridged=True)


def _middle(df: Float1D) -> Float2D:
    """Discount factors to the middle of each gap, a column."""
    out: Float2D = np.sqrt(df * np.concatenate(([1.0], df[:-1])))[:, None]
    return out


def _before(alive: Float2D) -> Float2D:
    return np.concatenate((np.ones((1, alive.shape[1])), alive[:-1]))


def double_barrier(item: DoubleBarrier, terms: Terms) -> Payoff:
    """Within limits where `terms.survival` asks for it, which a knock-out watched n times can do."""
    tau, snapshot = _expiry(item, terms), terms.snapshot
    item.check_alive(snapshot.spot)
    discrete, out = item.n_monitoring is not None, item.knock == "out"
    times = looks(tau, terms, item, item.n_monitoring)
    low, high = float(np.log(item.low)), float(np.log(item.high))
    df = np.asarray(snapshot.discount.df(times))
    when = df[:, None] if discrete else _middle(df)

    def value(block: Block) -> Float1D:
        alive: Float2D
        if block.logs.weight is not None:
            alive = block.logs.weight
        else:
            alive = np.cumprod(
                stayed(_known(gaps(block, snapshot.spot), discrete), low, high), axis=0, dtype=np.float64
            )
        paid = df[-1] * _vanilla(block.spot[-1], item.strike, item.is_call)
        if not out:
            return np.asarray(paid * (1.0 - alive[-1]) + df[-1] * item.rebate * alive[-1])
        gone = df[-1] * (1.0 - alive[-1]) if item.rebate_at == "expiry" else ((_before(alive) - alive) * when).sum(0)
        return np.asarray(paid * alive[-1] + item.rebate * gone)

    within = terms.survival and discrete and out
    limits = np.tile([item.low, item.high], (times.size, 1)) if within else None
    return Payoff(times=times, value=value, limits=limits, bridged=not discrete)


def double_touch(item: DoubleTouch, terms: Terms) -> Payoff:
    """Either barrier, none of them, or one before the other."""
    tau, snapshot = _expiry(item, terms), terms.snapshot
    item.check_alive(snapshot.spot)
    discrete = item.n_monitoring is not None
    times = looks(tau, terms, item, item.n_monitoring)
    low, high = float(np.log(item.low)), float(np.log(item.high))
    df = np.asarray(snapshot.discount.df(times))
    when = np.full((times.size, 1), df[-1]) if item.pays_at == "expiry" else df[:, None] if discrete else _middle(df)

    def value(block: Block) -> Float1D:
        over = _known(gaps(block, snapshot.spot), discrete)
        each = stayed(over, low, high)
        alive: Float2D = np.cumprod(each, axis=0, dtype=np.float64)
        if item.pays_if == "none":
            return np.asarray(item.amount * df[-1] * alive[-1])
        if item.pays_if == "either":
            hit = 1.0 - each
        else:
            lower = low_first(over, low, high)
            hit = lower if item.pays_if == "low" else np.maximum(1.0 - each - lower, 0.0)
        return np.asarray(item.amount * (_before(alive) * hit * when).sum(axis=0))

    return Payoff(times=times, value=value, bridged=not discrete)


def partial_barrier(item: PartialBarrier, terms: Terms) -> Payoff:
    """A barrier watched up to the switch, or from it on; "either" is a touch from any side."""
    tau, snapshot = _expiry(item, terms), terms.snapshot
    item.check_alive(snapshot.spot)
    switch, discrete = item.switch_years(snapshot.as_of), item.n_monitoring is not None
    first = item.watched == "start"
    if first:
        times = np.append(looks(switch, terms, item, item.n_monitoring), tau)
        rows = slice(0, times.size - 1)
    else:
        times = np.append(switch, looks(tau, terms, item, item.n_monitoring, start=switch))
        rows = slice(1, times.size)
    level, df = float(np.log(item.barrier)), float(snapshot.discount.df(tau))
    side = {"down": 1.0, "up": -1.0, "either": 0.0}[item.direction]

    def value(block: Block) -> Float1D:
        over = _known(gaps(block, snapshot.spot, rows), discrete)
        alive = np.prod(missed(over, level), axis=0)
        if side != 0.0:
            alive = np.where(side * (over.start - over.levels(level)[0])[0] > 0.0, alive, 0.0)
        paid = _vanilla(block.spot[-1], item.strike, item.is_call)
        if item.knock == "in":
            return np.asarray(df * (paid * (1.0 - alive) + item.rebate * alive))
        return np.asarray(df * (paid * alive + item.rebate * (1.0 - alive)))

    return Payoff(times=times, value=value, bridged=not discrete)


PAYOFFS |= {
    "Lookback": lookback, "PartialLookback": partial_lookback, "DoubleBarrier": double_barrier,
    "DoubleTouch": double_touch, "PartialBarrier": partial_barrier,
}  # fmt: skip
