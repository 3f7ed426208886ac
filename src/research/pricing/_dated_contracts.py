"""Bermudan options, barriers looked at on given days and structured notes as `Dated` lists.

The notes come from `_notes`, where their terms are written down once for every engine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from research.arrays import Float1D, FloatND
from research.errors import InputError, require
from research.instruments import Barrier, Bermudan, DoubleBarrier, DoubleTouch, PartialBarrier, Touch
from research.market import Snapshot
from research.pricing import _dated_claims, _notes
from research.pricing._agreed_looks import equal_looks
from research.pricing._dated import Dated, Leg, call_or_put, dated_rows
from research.pricing._dated_march import march
from research.pricing._partial_march import partial, partial_march


def _bermudan(item: Bermudan, snapshot: Snapshot) -> Dated:
    times = np.array(item.exercise_times(snapshot.as_of))
    require(times[-1] > 0.0, "times", float(times[-1]), "end after today for a grid")
    return dated_rows(times[times > 0.0], item.strike, (call_or_put(item.is_call, item.strike),),
                  exercise=1.0 if item.is_call else -1.0, at_once=bool(times[0] == 0.0))  # fmt: skip


def _knock(item: Barrier | DoubleBarrier, snapshot: Snapshot) -> Dated:
    item.check_alive(snapshot.spot)
    tau = item.years(snapshot.as_of)
    times = equal_looks(item, tau, item.n_monitoring or 1)
    if isinstance(item, DoubleBarrier):
        low, high = item.low, item.high
    else:
        low, high = (item.barrier, np.inf) if item.direction == "down" else (0.0, item.barrier)
    option = call_or_put(item.is_call, item.strike)
    if item.knock == "in":
        return dated_rows(times, item.strike, ((item.rebate, ()), option), in_low=low, in_high=high)
    df = np.asarray(snapshot.discount.df(times))
    pay = item.rebate * (df[-1] / df if item.rebate_at == "expiry" else np.ones_like(df))
    return dated_rows(times, item.strike, (option,), up=high, down=low, pay_up=pay, pay_down=pay)


def _touch(item: Touch, snapshot: Snapshot) -> Dated:
    item.check_alive(snapshot.spot)
    times = equal_looks(item, item.years(snapshot.as_of), item.n_monitoring or 1)
    df = np.asarray(snapshot.discount.df(times))
    paid = item.amount * (df[-1] / df if item.pays_at == "expiry" else np.ones_like(df)) * item.is_touch
    rest = 0.0 if item.is_touch else item.amount
    low, high = (item.barrier, np.inf) if item.direction == "down" else (0.0, item.barrier)
    return dated_rows(times, item.barrier, ((rest, ()),), up=high, down=low, pay_up=paid, pay_down=paid)


def _double_touch(item: DoubleTouch, snapshot: Snapshot) -> Dated:
    item.check_alive(snapshot.spot)
    times = equal_looks(item, item.years(snapshot.as_of), item.n_monitoring or 1)
    df = np.asarray(snapshot.discount.df(times))
    pay = item.amount * (df[-1] / df if item.pays_at == "expiry" else np.ones_like(df))
    wins = item.pays_if
    low, high = (pay if wins in ("either", side) else np.zeros_like(pay) for side in ("low", "high"))
    rest = item.amount if wins == "none" else 0.0
    scale = float(np.sqrt(item.low * item.high))
    return dated_rows(times, scale, ((rest, ()),), up=item.high, down=item.low, pay_up=high, pay_down=low)


def _partial(item: PartialBarrier, snapshot: Snapshot) -> Dated:
    item.check_alive(snapshot.spot)
    if item.direction == "either":
        raise InputError(f"n_monitoring must be None for direction 'either'; got {item.n_monitoring}.")
    tau, switch = item.years(snapshot.as_of), item.switch_years(snapshot.as_of)
    start = item.watched == "start"
    n = item.n_monitoring or 1
    # watched from the switch on, who stands beyond at the switch is out
    looks = equal_looks(item, switch, n) if start else np.append(switch, equal_looks(item, tau, n, switch))
    times = np.append(looks, tau) if looks[-1] < tau * (1.0 - 1e-12) else looks
    watched = np.arange(times.size) < looks.size
    down = item.direction == "down"
    low, high = np.where(watched & down, item.barrier, 0.0), np.where(watched & (not down), item.barrier, np.inf)
    option = call_or_put(item.is_call, item.strike)
    if item.knock == "in":
        return dated_rows(times, item.strike, ((item.rebate, ()), option), in_low=low, in_high=high)
    df = np.asarray(snapshot.discount.df(times))
    pay = item.rebate * df[-1] / df
    return dated_rows(times, item.strike, (option,), up=high, down=low, pay_up=pay, pay_down=pay)


def _note(item: Any, snapshot: Snapshot) -> Dated:
    """A structured note: its dates, coarse and dense, in order."""
    note = _notes.build(item, snapshot)
    n, more = note.times.size, note.dense.size
    times = np.concatenate((note.times, note.dense))
    by = np.argsort(times, kind="stable")
    df = np.asarray(snapshot.discount.df(times[by]))
    column = {name: np.broadcast_to(np.asarray(note.level.get(name, none), dtype=float), (n,))
              for name, (_, none) in _notes.COARSE.items()}  # fmt: skip

    def joined(coarse: Float1D, dense: float) -> Float1D:
        return np.concatenate((coarse, np.full(more, dense)))[by]

    late = np.where(by < n, 1.0, df[-1] / df)  # what dense dates owe is paid at the end
    pay = joined(column["pay"], note.daily_pay) * late
    place = np.argsort(by, kind="stable")[:n]  # of the coarse dates
    coupons = []
    for c, date in enumerate(place.tolist()):
        if column["coupon"][c] != 0.0:
            coupons.append((date, float(column["coupon"][c]), float(column["coupon_level"][c]), np.inf))
        if column["accrual"][c] != 0.0:
            amount = float(column["accrual"][c] * df[-1] / df[date])
            coupons.append((date, amount, float(column["low"][c]), float(column["high"][c])))
    knock_in = joined(column["knock_in"], note.daily_in)
    plain, knocked = (note.base, note.legs), (note.knocked_base, note.knocked_legs)
    watched = bool(np.any(knock_in > 0.0)) and not note.knocked
    final: tuple[Leg, ...] = (plain, knocked) if watched else ((knocked,) if note.knocked else (plain,))
    return dated_rows(
        times[by], note.initial, final, up=joined(column["up"], note.daily_up),
        down=joined(column["down"], note.daily_down), pay_up=pay, pay_down=pay,
        in_low=knock_in if watched else 0.0, coupons=tuple(coupons),
        memory=n if note.memory else 1,
    )  # fmt: skip


_BUILD: dict[str, Callable[[Any, Snapshot], Dated]] = {
    "Gap": _dated_claims.gap, "Supershare": _dated_claims.supershare, "Power": _dated_claims.power,
    "LogContract": _dated_claims.log_contract, "Compound": _dated_claims.compound, "Chooser": _dated_claims.chooser,

    "Bermudan": _bermudan, "Barrier": _knock, "DoubleBarrier": _knock, "Touch": _touch,
    "DoubleTouch": _double_touch,
    "PartialBarrier": _partial, **dict.fromkeys(_notes.BUILD, _note),
}  # fmt: skip


def _whole_time(item: Any) -> bool:
    return isinstance(item, PartialBarrier) and item.n_monitoring is None


def terms_of(item: Any, snapshot: Snapshot) -> Dated:
    """A contract as a list of dates."""
    return partial(item, snapshot) if _whole_time(item) else _BUILD[type(item).__name__](item, snapshot)


def march_of(item: Any, dated: Dated, grid: Any) -> FloatND:
    """Values today at every node, shape (layers, ..., n); the first layer is the contract's."""
    return partial_march(item, dated, grid) if _whole_time(item) else march(dated, grid)
