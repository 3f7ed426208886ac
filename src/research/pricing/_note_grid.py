"""A note on a grid of dates, spots and vols: value, delta and gamma by look-up, and what it pays along a path.

Made by the quadrature engine in one pass a vol; for hedges along years of daily prices, where each look must cost less
than a microsecond. Between vols the value is interpolated linearly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from research.arrays import BoolND, Float1D, Float2D, FloatND, vector
from research.errors import NoEngineError, require, require_all
from research.market import Snapshot
from research.pricing import _notes
from research.pricing._calls import check_snapshot
from research.pricing._escrow import moving, to_come
from research.pricing.carry import up_to_end
from research.pricing.quadrature import walk_of

_LEAST = 1e-8  # of a spot that holds nothing but dividends
_PAID = 1e-9  # years: a dividend this near to a date is paid on it
_LEVELS = ("up", "down", "pay", "knock_in", "coupon_level", "coupon", "low", "high", "accrual")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NoteGrid:
    """The value of a note after each date, as a function of spot and vol.

    Node i of date t under vol sigma is the spot D(t) + F(t) exp(sigma z_i - sigma^2 t / 2), F the forward of what moves
    and D the escrowed cash still to come.
    """

    vols: Float1D  # 1/sqrt(year), shape (v,), increasing
    times: Float1D  # years, shape (n + 1,); the first is 0
    forward: Float1D  # price units, of what moves, on each date
    held: Float1D  # price units, cash to come after each date
    df: Float1D  # discount factor of each date
    z: Float1D  # nodes, shape (m,)
    values: FloatND  # shape (v, n, 2, m): at times[0 .. n - 1], not knocked in and knocked in, currency of that date
    events: Float2D  # shape (n, 9): of the date after each of these, the columns of `settle`
    final: Float2D  # shape (2, 9): base, then pairs (k, b) of the payment at the end, by state
    knocked: bool  # from the start

    @property
    def n_dates(self) -> int:
        """Dates after today."""
        return int(self.times.size - 1)

    def look(self, date: int, spot: ArrayLike, vol: ArrayLike, knocked: ArrayLike) -> tuple[FloatND, FloatND, FloatND]:
        """(value, delta, gamma) right after date number `date` (0 is today); arrays of shape (k,).

        Vols beyond the first or last are taken as these; spots beyond the grid get the values at its end.
        """
        x = np.asarray(spot, dtype=np.float64)
        x, sigma = np.maximum(x - self.held[date], _LEAST * x), np.clip(vol, self.vols[0], self.vols[-1])
        which = np.asarray(knocked).astype(np.int64)
        if self.vols.size == 1:
            return self._at(date, x, np.zeros_like(which), which)
        low = np.clip(np.searchsorted(self.vols, sigma, side="right") - 1, 0, self.vols.size - 2)
        share = (sigma - self.vols[low]) / (self.vols[low + 1] - self.vols[low])
        left, right = self._at(date, x, low, which), self._at(date, x, low + 1, which)
        value, delta, gamma = (a + share * (b - a) for a, b in zip(left, right, strict=True))
        return value, delta, gamma

    def _at(self, date: int, x: FloatND, vol: Any, which: Any) -> tuple[FloatND, FloatND, FloatND]:
        """At nodes of vol: the polynomial through five nodes around the nearest."""
        z, h, sigma = self.z, float(self.z[1] - self.z[0]), self.vols[vol]
        where = np.log(x / self.forward[date]) / sigma + 0.5 * sigma * self.times[date]
        near = np.clip(np.rint((where - z[0]) / h).astype(np.int64), 2, z.size - 3)
        table = self.values[:, date]
        v = [table[vol, which, near + k] for k in (-2, -1, 0, 1, 2)]
        c1 = (v[0] - 8.0 * v[1] + 8.0 * v[3] - v[4]) / 12.0
        c2 = (-v[0] + 16.0 * v[1] - 30.0 * v[2] + 16.0 * v[3] - v[4]) / 24.0
        c3 = (-v[0] + 2.0 * v[1] - 2.0 * v[3] + v[4]) / 12.0
        c4 = (v[0] - 4.0 * v[1] + 6.0 * v[2] - 4.0 * v[3] + v[4]) / 24.0
        u = np.clip((where - z[near]) / h, -1.0, 1.0)
        value = v[2] + u * (c1 + u * (c2 + u * (c3 + u * c4)))
        slope = (c1 + u * (2.0 * c2 + u * (3.0 * c3 + u * 4.0 * c4))) / (h * sigma)
        bend = (2.0 * c2 + u * (6.0 * c3 + u * 12.0 * c4)) / (h * sigma) ** 2
        return value, slope / x, (bend - slope) / (x * x)

    def settle(self, date: int, spot: Float1D, knocked: BoolND) -> tuple[Float1D, BoolND, BoolND]:
        """(paid, has the note ended?, is it knocked in?) of paths that are alive at date number `date`, 1 ... n.

        What is owed for later stands with its value on that date.
        """
        up, down, pay, low, coupon_level, coupon, inside, outside, accrual = self.events[date - 1]
        out = (spot >= up) | (spot <= down)
        state = knocked | (spot < low)
        paid = np.where(spot >= coupon_level, coupon, 0.0)
        paid += np.where((spot >= inside) & (spot <= outside), accrual, 0.0)
        paid += np.where(out, pay, 0.0)
        if date < self.n_dates:
            return paid, out, state
        rows = self.final[state.astype(np.int64)]
        end = rows[:, 0].copy()
        for k in range(1, 9, 2):
            end += rows[:, k + 1] * np.maximum(spot - rows[:, k], 0.0)
        return paid + np.where(out, 0.0, end), np.ones_like(out), state


def note_grid(
    item: Any, vols: ArrayLike, snapshot: Snapshot, *, spots: tuple[float, float], nodes: float = 2.0
) -> NoteGrid:
    """The value of a note at every date, on nodes that hold the interval `spots` (price units) for each of `vols`.

    Parameters
    ----------
    item : a note without memory
    vols : array-like, 1/sqrt(year), shape (v,), increasing
    nodes : float, default 2.0
        In the standard deviation of the shortest step.
    """
    check_snapshot(snapshot)
    kind = type(item).__name__
    require(kind in _notes.BUILD, "instrument", kind, f"be one of {', '.join(_notes.BUILD)}", error=NoEngineError)
    snapshot = up_to_end(item, snapshot)
    hint = "A spot that falls by the amount is not lognormal after it: price(..., method='pde') or 'paths'."
    cash = "none" if snapshot.cash_dividends is None else snapshot.cash_dividends.model
    require(cash in ("none", "escrowed"), "cash_dividends", cash, "be None or model='escrowed' for a grid of notes",
            hint=hint, error=NoEngineError)  # fmt: skip
    v = vector(vols, "vols")
    require(v.size > 0, "vols", v.shape, "hold at least one vol")
    require_all(np.diff(v, prepend=0.0) > 0.0, "vols", v, "be > 0 and increase")
    require(0.0 < spots[0] < spots[1], "spots", spots, "increase from above 0")
    part = moving(snapshot)
    room = [float(np.log(max(s - to_come(snapshot, 0.0), _LEAST * s) / part.spot)) for s in spots]
    drift = float(np.abs(np.log(part.forward(1.0) / part.spot)))
    reach = min(room[0] / v[0] - drift / v[0], 0.0) - 1.0, max(room[1] / v[0] + drift / v[0], 0.0) + 1.0
    walks = [walk_of(item, float(sigma), snapshot, nodes, reach) for sigma in v]
    times = np.concatenate(([0.0], walks[0].times))
    df = np.asarray(snapshot.discount.df(times))
    values = np.stack([walk.run(True, True) for walk in walks]) / df[:-1, None, None]
    return NoteGrid(
        vols=v,
        times=times,
        forward=np.asarray(part.forward(times)),
        held=np.asarray(to_come(snapshot, times + _PAID)),
        df=df,
        z=walks[0].z,
        values=values,
        events=_events(walks[0].note, walks[0].kind, df),
        final=np.array([_final(walks[0].note.base, walks[0].note.legs),
                        _final(walks[0].note.knocked_base, walks[0].note.knocked_legs)]),
        knocked=walks[0].note.knocked,
    )  # fmt: skip


def _events(note: _notes.Note, kind: list[tuple[bool, int]], df: Float1D) -> Float2D:
    """One row a date: up, down, pay, knock_in, coupon_level, coupon, low, high, accrual; price units, currency."""
    out = np.zeros((len(kind), 9))
    n = note.times.size
    levels = {name: np.broadcast_to(note.level.get(name, _notes.COARSE[name][1]), n) for name in _LEVELS}
    nothing = [_notes.COARSE[name][1] for name in _LEVELS]
    for date, (is_coarse, row) in enumerate(kind):
        late = df[-1] / df[date + 1]
        if is_coarse:
            out[date] = [levels[name][row] for name in _LEVELS]
            out[date, 8] *= late
        else:
            out[date] = nothing
            out[date, :4] = note.daily_up, note.daily_down, note.daily_pay * late, note.daily_in
    return out


def _final(base: float, legs: _notes.Legs) -> Float1D:
    out = np.zeros(9)
    out[0] = base
    for i, leg in enumerate(legs):
        out[1 + 2 * i : 3 + 2 * i] = leg
    return out
