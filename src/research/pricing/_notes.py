"""Structured notes as the tables of one state machine (core.pricing.note): dates, levels in price units, amounts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import numpy as np

from research.arrays import Float1D, Float2D
from research.errors import require
from research.instruments import (
    Airbag,
    Autocallable,
    DoubleNoTouch,
    Phoenix,
    RangeAccrual,
    SharkFin,
    StructuredDeposit,
)
from research.instruments._schedule import daily, levels
from research.market import Snapshot
from research.pricing._clock import clock_of
from research.pricing._escrow import to_come

Legs = tuple[tuple[float, float], ...]  # (k, b): b max(S - k, 0)
_SAME = 1e-9  # years: dates closer than this are one
_PAID = 1e-9  # years: a dividend this near to a look is paid on it


@dataclass(slots=True, kw_only=True)
class Note:
    """A note in price units and currency, before it meets a model; levels inf or 0 where there are none."""

    times: Float1D  # coarse dates, years; the last one is the maturity
    dense: Float1D  # dates in between at which only barriers are looked at
    level: dict[str, Float1D | float] = field(default_factory=dict)  # of coarse dates, by column name
    daily_in: float = 0.0  # knock-in below, at dense dates
    daily_up: float = np.inf
    daily_down: float = 0.0
    daily_pay: float = 0.0  # paid at maturity after a knock-out at a dense date
    base: float  # payment at maturity, never knocked in, and its legs
    legs: Legs = ()
    knocked_base: float = 0.0
    knocked_legs: Legs = ()
    memory: bool = False
    knocked: bool = False
    notional: float
    initial: float


COARSE = {  # column of the core's table, and what stands there where the product says nothing
    "up": (1, np.inf), "down": (2, 0.0), "pay": (3, 0.0), "knock_in": (4, 0.0), "coupon_level": (5, np.inf),
    "coupon": (6, 0.0), "low": (8, 0.0), "high": (9, np.inf), "accrual": (10, 0.0),
}  # fmt: skip


def _between(steps: Float1D, coarse: Float1D) -> Float1D:
    """The steps that are no coarse date."""
    nearest = np.abs(steps[:, None] - coarse[None, :]).min(axis=1)
    out: Float1D = steps[nearest > _SAME]
    return out


def _unbreached(item: Any, spot: float, low: float | None, high: float | None) -> None:
    """Refuse a spot at or beyond a barrier that is looked at every day."""
    x = spot / item.initial
    if low is not None:
        hint = "Set knocked_in=True where the level has been reached before." if hasattr(item, "knocked_in") else ""
        require(x > low, "spot", spot, f"lie above the barrier, {low * item.initial:g}: it is breached", hint=hint)
    if high is not None:
        hint = "The note has ended or paid its rebate already."
        require(x < high, "spot", spot, f"lie below the barrier, {high * item.initial:g}: it is breached", hint=hint)


def _knock_in(item: Autocallable | Phoenix, times: Float1D, spot: float) -> dict[str, Any]:
    """The knock-in terms that snowball and phoenix share."""
    n, level = times.size, item.knock_in
    watched = level is not None and not item.knocked_in
    if not watched or level is None:
        return {"dense": np.empty(0), "row": np.zeros(n), "daily_in": 0.0}
    if not item.knock_in_daily:
        row = np.zeros(n)
        row[-1] = level * item.initial
        return {"dense": np.empty(0), "row": row, "daily_in": 0.0}
    _unbreached(item, spot, level, None)
    price = level * item.initial
    return {
        "dense": _between(daily(times[-1], item.steps_per_year), times),
        "row": np.full(n, price),
        "daily_in": price,
    }


def _autocallable(item: Autocallable, snapshot: Snapshot) -> Note:
    times = item.years(snapshot.as_of)
    inside = _knock_in(item, times, snapshot.spot)
    final = item.coupon if item.maturity_coupon is None else item.maturity_coupon
    unit, s0 = item.notional, item.initial
    return Note(
        times=times,
        dense=inside["dense"],
        level={
            "up": levels("knock_out", item.knock_out, times.size) * s0,
            "pay": unit * (1.0 + item.coupon * (times + item.accrued)),
            "knock_in": inside["row"],
        },
        daily_in=inside["daily_in"],
        base=unit * (1.0 + final * (times[-1] + item.accrued)),
        knocked_base=unit * item.floor,
        knocked_legs=(((item.strike - 1.0 + item.floor) * s0, unit / s0), (item.strike * s0, -unit / s0)),
        knocked=item.knocked_in,
        notional=unit,
        initial=s0,
    )


def _phoenix(item: Phoenix, snapshot: Snapshot) -> Note:
    times = item.years(snapshot.as_of)
    inside = _knock_in(item, times, snapshot.spot)
    unit, s0 = item.notional, item.initial
    return Note(
        times=times,
        dense=inside["dense"],
        level={
            "up": levels("knock_out", item.knock_out, times.size) * s0,
            "pay": unit,
            "knock_in": inside["row"],
            "coupon_level": item.coupon_barrier * s0,
            "coupon": unit * item.coupon,
        },
        daily_in=inside["daily_in"],
        base=unit,
        knocked_legs=(((item.strike - 1.0) * s0, unit / s0), (item.strike * s0, -unit / s0)),
        memory=item.memory,
        knocked=item.knocked_in,
        notional=unit,
        initial=s0,
    )


def _shark_fin(item: SharkFin, snapshot: Snapshot) -> Note:
    times = np.array([item.years(snapshot.as_of)])
    if item.daily:
        _unbreached(item, snapshot.spot, None if item.is_call else item.barrier, item.barrier if item.is_call else None)
    unit, s0 = item.notional, item.initial
    strike, slope, pay = item.strike * s0, unit * item.participation / s0, unit * (1.0 + item.rebate)
    up = item.barrier * s0 if item.is_call else np.inf
    down = 0.0 if item.is_call else item.barrier * s0
    put = () if item.is_call else ((0.0, -slope),)
    return Note(
        times=times,
        dense=_between(daily(times[0], item.steps_per_year), times) if item.daily else np.empty(0),
        level={"up": up, "down": down, "pay": pay},
        daily_up=up,
        daily_down=down,
        daily_pay=pay,
        base=unit * (1.0 + item.base) + (0.0 if item.is_call else slope * strike),
        legs=(*put, (strike, slope)),
        notional=unit,
        initial=s0,
    )


def _range_accrual(item: RangeAccrual, snapshot: Snapshot) -> Note:
    times = daily(item.years(snapshot.as_of), item.steps_per_year)
    unit = item.notional
    return Note(
        times=times,
        dense=np.empty(0),
        level={
            "low": item.low * item.initial,
            "high": item.high * item.initial,
            "accrual": unit * item.rate / times.size,
        },
        base=unit * (1.0 + item.base),
        notional=unit,
        initial=item.initial,
    )


def _double_no_touch(item: DoubleNoTouch, snapshot: Snapshot) -> Note:
    times = np.array([item.years(snapshot.as_of)])
    _unbreached(item, snapshot.spot, item.low, item.high)
    unit, s0 = item.notional, item.initial
    pay = unit * (item.principal + item.touched_rate)
    return Note(
        times=times,
        dense=_between(daily(times[0], item.steps_per_year), times),
        level={"up": item.high * s0, "down": item.low * s0, "pay": pay},
        daily_up=item.high * s0,
        daily_down=item.low * s0,
        daily_pay=pay,
        base=unit * (item.principal + item.rate),
        notional=unit,
        initial=s0,
    )


def _airbag(item: Airbag, snapshot: Snapshot) -> Note:
    times = np.array([item.years(snapshot.as_of)])
    watched = not item.knocked_in
    if item.daily and watched:
        _unbreached(item, snapshot.spot, item.knock_in, None)
    unit, s0 = item.notional, item.initial
    return Note(
        times=times,
        dense=_between(daily(times[0], item.steps_per_year), times) if item.daily and watched else np.empty(0),
        level={"knock_in": item.knock_in * s0 if watched else 0.0},
        daily_in=item.knock_in * s0 if watched else 0.0,
        base=unit,
        legs=((s0, unit * item.participation / s0),),
        knocked_legs=((0.0, unit / s0), (s0, unit * (item.knocked_participation - 1.0) / s0)),
        knocked=item.knocked_in,
        notional=unit,
        initial=s0,
    )


def _structured_deposit(item: StructuredDeposit, snapshot: Snapshot) -> Note:
    unit, s0, k = item.notional, item.initial, item.strike * item.initial
    slope, base = unit * item.participation / s0, unit * (item.protection + item.base)
    far = None if item.width is None else item.width * s0
    if item.is_call:
        legs: Legs = ((k, slope),) if far is None else ((k, slope), (k + far, -slope))
    elif far is None:
        base, legs = base + slope * k, ((0.0, -slope), (k, slope))
    else:
        base, legs = base + slope * far, ((k - far, -slope), (k, slope))
    times = np.array([item.years(snapshot.as_of)])
    return Note(times=times, dense=np.empty(0), base=base, legs=legs, notional=unit, initial=s0)


BUILD: dict[str, Callable[[Any, Snapshot], Note]] = {
    "Autocallable": _autocallable,
    "Phoenix": _phoenix,
    "SharkFin": _shark_fin,
    "RangeAccrual": _range_accrual,
    "DoubleNoTouch": _double_no_touch,
    "Airbag": _airbag,
    "StructuredDeposit": _structured_deposit,
}


def build(item: Any, snapshot: Snapshot) -> Note:
    """A contract's note; of one that `_bumps.aged` has made older, the dates of the younger one, nearer by its age."""
    make = BUILD[type(item).__name__]
    if not hasattr(item, "younger"):
        return make(item, snapshot)
    days = float(item.older_by)
    note, age = make(item.younger, replace(snapshot, as_of=snapshot.as_of - timedelta(days=days))), days / 365.0
    first = float(note.times[0]) - age
    require(first > 0.0, "tau", first, "be > 0 years to the first date of a note", hint="Leave theta out of `which`.")
    dense = note.dense - age
    return replace(note, times=note.times - age, dense=dense[dense > _SAME])


def tables(note: Note, sigma: Any, snapshot: Snapshot, age: float = 0.0) -> tuple[Float1D, Float2D, Float2D, Float2D]:
    """(variance times, coarse, dense, terminal) of a note under one volatility or a clock; see core.pricing.note.

    `age` shifts the snapshot's day by that many years at unchanged curves, for theta.
    """
    times, dense_times = note.times - age, note.dense - age
    dense_times = dense_times[dense_times > _SAME]
    require(bool(times[0] > 0.0), "tau", float(times[0]), "be > 0 years to the first date of a note")
    clock, plain = clock_of(sigma), snapshot.cash_dividends is None
    variance, n = clock(times), times.size

    def motion(level: Any, t: Float1D) -> Float1D:
        """A price level as a level of the driving motion: of what moves, less the escrowed cash that is to come."""
        held = 0.0 if plain else np.asarray(to_come(snapshot, t + _PAID))
        above = np.broadcast_to(level, t.shape) if plain else np.maximum(level - held, 0.0)
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(above / (snapshot.forward(t) - held)) + 0.5 * clock(t))

    coarse = np.zeros((n, 18))
    coarse[:, 0] = times + age
    for name, (column, nothing) in COARSE.items():
        coarse[:, column] = np.broadcast_to(note.level.get(name, nothing), n)
    df = np.asarray(snapshot.discount.df(times))
    for column in (1, 2, 4, 5, 8, 9):
        coarse[:, column] = motion(coarse[:, column], times)
    coarse[:, 3] *= df
    coarse[:, 7] = df
    coarse[:, 10] *= df[-1]
    dense = np.zeros((dense_times.size, 7))
    for column, level in ((2, note.daily_in), (3, note.daily_up), (4, note.daily_down)):
        dense[:, column] = motion(level, dense_times)
    dense[:, 5], dense[:, 6] = note.daily_pay * df[-1], times[-1] + age
    _gaps(coarse, dense, variance, clock(dense_times), np.searchsorted(dense_times, times))
    terminal = np.zeros((3, 9))
    forward = snapshot.forward(float(times[-1]))
    memory, knocked = float(note.memory), float(note.knocked)
    head = (forward, variance[-1], df[-1], note.initial / forward, memory, knocked, note.notional, times[-1] + age)
    terminal[0, :8] = head
    for row, base, legs in ((1, note.base, note.legs), (2, note.knocked_base, note.knocked_legs)):
        terminal[row, 0] = base
        for position, (strike, slope) in enumerate(legs):
            terminal[row, 1 + 2 * position : 3 + 2 * position] = strike, slope
    return variance, coarse, dense, terminal


def _gaps(coarse: Float2D, dense: Float2D, variance: Float1D, dense_variance: Float1D, ends: Any) -> None:
    """Bridge weights of the dense dates, and bounds of the barriers in each gap; `ends` the last dense row of each."""
    n = variance.size
    step, first, before = 2 * ((n + 1) // 2), 0, 0.0
    for c in range(n):
        last = int(ends[c])
        coarse[c, 11:18] = -np.inf, np.inf, -np.inf, variance[c] - before, first, last, step
        here = before
        for j in range(first, last):
            left, move = variance[c] - here, dense_variance[j] - here
            dense[j, 0] = move / left
            dense[j, 1] = np.sqrt(move * (variance[c] - dense_variance[j]) / left)
            here = dense_variance[j]
        if last > first:
            part = dense[first:last]
            coarse[c, 11:14] = part[:, 2].max(), part[:, 3].min(), part[:, 4].max()
        step += 2 * ((last - first + 1) // 2)
        first, before = last, variance[c]
