"""Structured notes on blocks of paths: knock-outs, knock-in, coupons, ranges, and the payment at the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from research.arrays import BoolND, Float1D, Float2D
from research.pricing._notes import COARSE, Legs, Note
from research.pricing.paths.generators import Block
from research.pricing.paths.payoffs import Payoff, Terms, first_true


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Dates:
    """A note's terms at every date, coarse and dense; arrays of shape (n,), levels in price units."""

    times: Float1D
    up: Float1D  # knock-out at or above
    down: Float1D  # at or below
    pay: Float1D  # present value of the knock-out
    knock_in: Float1D  # below
    due: Float1D  # years at which a knock-out is paid
    coarse: Any  # rows of the coarse dates
    df: Float1D  # of the coarse dates


def _column(note: Note, name: str) -> Float1D:
    out: Float1D = np.broadcast_to(np.asarray(note.level.get(name, COARSE[name][1]), dtype=float), note.times.shape)
    return out


def _floor(levels: Float1D) -> Float1D:
    """Levels from below; one of 0 is none, also where a price may be 0 or less."""
    return np.where(levels > 0.0, levels, -np.inf)


def _dates(note: Note, terms: Terms) -> _Dates:
    times = np.concatenate((note.times, note.dense))
    by = np.argsort(times, kind="stable")
    n, more = note.times.size, note.dense.size
    df = np.asarray(terms.snapshot.discount.df(note.times))

    def joined(coarse: Float1D, dense: float) -> Float1D:
        return np.concatenate((coarse, np.full(more, dense)))[by]

    coarse = np.flatnonzero(by < n)
    return _Dates(
        times=times[by],
        up=joined(_column(note, "up"), note.daily_up),
        down=_floor(joined(_column(note, "down"), note.daily_down)),
        pay=joined(_column(note, "pay") * df, note.daily_pay * float(df[-1])),
        knock_in=joined(_column(note, "knock_in"), note.daily_in),
        due=joined(note.times, float(note.times[-1])),
        coarse=coarse,
        df=df,
    )


def _legs(spot: Float1D, base: float, legs: Legs) -> Float1D:
    """base + sum of b max(S - k, 0)."""
    out = np.full(spot.size, base)
    for strike, slope in legs:
        out += slope * np.maximum(spot - strike, 0.0)
    return out


def _coupons(note: Note, dates: _Dates, spot: Float2D, end: Any) -> Float1D:
    """Present value of the coupons and accruals up to row `end`, that date included."""
    level, coupon = _floor(_column(note, "coupon_level")), _column(note, "coupon")
    low, high, accrual = _floor(_column(note, "low")), _column(note, "high"), _column(note, "accrual")
    total, missed = np.zeros(spot.shape[1]), np.zeros(spot.shape[1])
    for c, row in enumerate(dates.coarse):
        counts, here = row <= end, spot[row]
        if coupon[c] != 0.0:
            above = here >= level[c]
            total += np.where(above & counts, dates.df[c] * (coupon[c] + missed), 0.0)
            missed = np.where(above, 0.0, missed + coupon[c]) if note.memory else missed
        if accrual[c] != 0.0:
            total += np.where((here >= low[c]) & (here <= high[c]) & counts, accrual[c] * dates.df[-1], 0.0)
    return total


def note_payoff(note: Note, terms: Terms) -> Payoff:
    """A note; within limits where `terms.survival` asks for it and no coupon depends on being alive."""
    dates = _dates(note, terms)
    watched = np.flatnonzero((dates.up < np.inf) | (dates.down > -np.inf))
    looked = np.flatnonzero(dates.knock_in > 0.0)
    extras = bool(np.any(_column(note, "coupon") != 0.0) or np.any(_column(note, "accrual") != 0.0))
    within = terms.survival and not extras and watched.size > 0

    def knocked(block: Block) -> BoolND:
        """Is each path knocked in, had it not ended before?"""
        inside = np.full(block.n_paths, note.knocked)
        if looked.size:
            inside = inside | (block.spot[looked] < dates.knock_in[looked, None]).any(axis=0)
        return inside

    def redeemed(block: Block) -> Float1D:
        """Paid at maturity, not discounted."""
        last = block.spot[-1]
        safe = _legs(last, note.base, note.legs)
        if looked.size == 0 and not note.knocked:
            return safe
        return np.where(knocked(block), _legs(last, note.knocked_base, note.knocked_legs), safe)

    def final(block: Block) -> Float1D:
        paid: Float1D = dates.df[-1] * redeemed(block)
        return paid

    def ending(block: Block) -> Any:
        """Row of the knock-out, or the number of rows."""
        n = dates.times.size
        if watched.size == 0:
            return np.full(block.n_paths, n)
        spot = block.spot[watched]
        found = first_true((spot >= dates.up[watched, None]) | (spot <= dates.down[watched, None]))
        return np.append(watched, n)[found]

    def plain(block: Block) -> Float1D:
        n, end = dates.times.size, ending(block)
        value = np.where(end < n, np.append(dates.pay, 0.0)[end], final(block))
        return value + _coupons(note, dates, block.spot, end) if extras else value

    def counts(block: Block) -> Float2D:
        """Years to the last payment, and who was knocked out, knocked in, redeemed below the notional."""
        end = ending(block)
        out, short = end < dates.times.size, redeemed(block) < note.notional * (1.0 - 1e-12)
        life = np.append(dates.due, dates.times[-1])[end]
        return np.stack((life, out, ~out & knocked(block), ~out & short)).astype(np.float64)

    def inside(block: Block) -> Float1D:
        weight = block.logs.weight
        if weight is None:  # the twin's paths are not kept within limits
            return plain(block)
        before = np.concatenate((np.ones((1, block.n_paths)), weight[:-1]))
        called: Float1D = ((before - weight) * dates.pay[:, None]).sum(axis=0)
        return called + weight[-1] * final(block)

    limits = np.column_stack((np.maximum(dates.down, 0.0), dates.up)) if within else None
    return Payoff(
        times=dates.times, value=inside if within else plain, limits=limits, counts=None if within else counts
    )
