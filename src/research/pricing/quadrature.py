"""Quadrature engine: structured notes under Black-Scholes, date by date backwards; no sampling error.

The vol is one number or a term structure: time is then measured by the variance that has run. Between two dates the
value is moved by the exact normal law of the log price, on equal nodes, with what the rule misses at barriers and kinks
put back (`_breaks`). A note has two values at each node: knocked in or not yet. All dates are exact: daily barriers are
looked at daily. The error stated is five times the distance to a run on coarser nodes.

`pricing.note_grid` keeps the value at every date and spot, for several vols: what a hedge looks up.

References
----------
Andricopoulos, Widdicks, Duck, Newton (2003), "Universal option valuation using quadrature methods", J. Financial
Economics 67, 447-471.
Broadie, Yamamoto (2005), "A double-exponential fast Gauss transform for discrete path-dependent options", Operations
Research 53.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from research.arrays import Float1D, Float2D, FloatND
from research.errors import NoEngineError, require, rule
from research.market import Snapshot
from research.pricing import _notes
from research.pricing._breaks import REACH, Break, constant, exponential, sampled, step
from research.pricing._clock import Clock
from research.pricing.catalogue import Values

_FINE, _COARSE = 2.5, 1.5  # nodes in a standard deviation of the shortest step
_MOST = 8192  # nodes
_FEW = 64  # dates up to which twice the nodes cost little
_LEAST_VOL = 1e-4
_LEAST_NODES = 1.2  # in the standard deviation of a step


@dataclass(slots=True, kw_only=True, eq=False)
class _Walk:
    """A note on nodes z (the driving motion over sigma), from its last date to the first."""

    note: _notes.Note
    z: Float1D
    sigma: float
    times: Float1D  # every date, years
    clock: Float1D  # variance up to every date over sigma^2: the time in which z is a Brownian motion
    coarse: Float2D
    dense: Float2D
    terminal: Float2D
    kind: list[tuple[bool, int]]  # of each date: is it coarse, and its row

    def last(self) -> tuple[list[Float1D], list[list[Break]]]:
        """Both states at the last date: pieces a + b S between levels."""
        sigma, z = self.sigma, self.z
        scale = self.terminal[0, 0] * np.exp(-0.5 * self.terminal[0, 1])
        spot = scale * np.exp(sigma * z)
        values, breaks = [], []
        for knocked in (0, 1):
            levels, pieces = self._pieces(knocked, scale)
            f = np.zeros_like(z)
            for (a, b), low, high in zip(pieces, [-np.inf, *levels], [*levels, np.inf], strict=True):
                inside = (z >= low) & (z < high)
                f[inside] = a + b * spot[inside]
            values.append(f)
            jumps = zip(levels, pieces[:-1], pieces[1:], strict=True)
            breaks.append(
                [
                    exponential(at, q[0] - p[0], (q[1] - p[1]) * scale * float(np.exp(sigma * at)), sigma)
                    for at, p, q in jumps
                ]
            )
        self._coupons(self.coarse[-1], values, breaks)
        return values, breaks

    def _pieces(self, knocked: int, scale: float) -> tuple[list[float], list[tuple[float, float]]]:
        """(levels of z, pieces (a, b) between them): the payment at the end, discounted, is a + b S."""
        date, df = self.coarse[-1], float(self.terminal[0, 2])
        up, down, low = (float(date[k]) / self.sigma for k in (1, 2, 4))
        legs = self.terminal[1:, 1:9].reshape(2, 4, 2)

        def place(price: float) -> float:
            return float(np.log(price / scale) / self.sigma) if price > 0.0 else -np.inf

        def piece(x: float) -> tuple[float, float]:
            if x >= up or x < down:
                return float(date[3]), 0.0
            state = 1 if knocked or x < low else 0
            paid = [(k, b) for k, b in legs[state] if b != 0.0 and x >= place(k)]
            a = self.terminal[1 + state, 0] - sum(b * k for k, b in paid)
            return float(df * a), float(df * sum(b for _, b in paid))

        marks = [up, down, low] + [place(k) for k, b in legs.reshape(8, 2) if b != 0.0]
        levels = sorted({x for x in marks if np.isfinite(x)})
        if not levels:
            return [], [piece(0.0)]
        inner = [0.5 * (x + y) for x, y in pairwise(levels)]
        return levels, [piece(x) for x in (levels[0] - 1.0, *inner, levels[-1] + 1.0)]

    def _coupons(self, date: Float1D, values: list[Float1D], breaks: list[list[Break]]) -> None:
        """Add what a coarse date pays on its own: a coupon above a level, an accrual inside a range."""
        s = self.sigma
        jumps = [(date[5] / s, date[6] * date[7])]
        if date[10] != 0.0:
            if np.isneginf(date[8]):
                for f in values:
                    f += date[10]
            else:
                jumps.append((date[8] / s, date[10]))
            jumps.append((date[9] / s, -date[10]))
        for at, jump in jumps:
            if jump == 0.0 or np.isposinf(at):
                continue
            for state in (0, 1):
                values[state] += np.where(self.z >= at, jump, 0.0)
                breaks[state].append(constant(at, jump))

    def at(self, date: int, states: list[Float1D]) -> tuple[list[Float1D], list[list[Break]]]:
        """The states just before a date, from those just after it."""
        is_coarse, row = self.kind[date]
        s, z = self.sigma, self.z
        if is_coarse:
            here = self.coarse[row]
            up, down, low, pay = here[1] / s, here[2] / s, here[4] / s, here[3]
        else:
            here = self.dense[row]
            low, up, down, pay = here[2] / s, here[3] / s, here[4] / s, here[5]
        plain, knocked = states
        values, breaks = [plain, knocked], [[], []]  # type: list[Float1D], list[list[Break]]
        if np.isfinite(low):
            values[0] = np.where(z < low, knocked, plain)
            _add(breaks[0], sampled(low, z, plain - knocked))
        for state in (0, 1):
            if np.isfinite(up):
                _add(breaks[state], sampled(up, z, pay - states[state]))
                values[state] = np.where(z >= up, pay, values[state])
            if np.isfinite(down):
                lower = knocked if np.isfinite(low) and down < low else states[state]
                _add(breaks[state], sampled(down, z, lower - pay))
                values[state] = np.where(z < down, pay, values[state])
        values = [f.copy() if f is g else f for f, g in zip(values, states)]
        if is_coarse:
            self._coupons(here, values, breaks)
        return values, breaks

    def run(self, keep: bool, both: bool) -> FloatND:
        """Values after each date, discounted to today, shape (n, 2, m), n the number of dates; (1, 2, m) unless keep.

        Without `both` the state "knocked in" is a copy of the other where no barrier leads to it.
        """
        values, breaks = self.last()
        n = self.times.size
        stds = np.sqrt(np.diff(self.clock, prepend=0.0))
        watched = both or bool(np.isfinite(self.coarse[:, 4]).any() or np.isfinite(self.dense[:, 2]).any())
        out = np.empty((n if keep else 1, 2, self.z.size))
        for date in range(n - 1, -1, -1):
            std = float(np.round(stds[date], 14))
            after = [step(self.z, values[0], breaks[0], std, self.sigma)]
            after.append(step(self.z, values[1], breaks[1], std, self.sigma) if watched else after[0])
            out[date if keep else 0] = after
            if date > 0:
                values, breaks = self.at(date - 1, after)
        return out


def _add(breaks: list[Break], item: Break | None) -> None:
    if item is not None:
        breaks.append(item)


def _apart(note: _notes.Note, gap: float) -> None:
    """Leave out daily looks closer than `gap` years to a date of the schedule, which looks at the same barriers."""
    if note.dense.size:
        nearest = np.abs(note.dense[:, None] - note.times[None, :]).min(axis=1)
        note.dense = note.dense[nearest >= gap]


def walk_of(item: Any, sigma: Any, snapshot: Snapshot, nodes: float, reach: tuple[float, float] = (0.0, 0.0)) -> _Walk:
    """The note on nodes, `nodes` of them in a standard deviation of the shortest step; `reach` must be among them."""
    note = _notes.build(item, snapshot)
    if note.memory:
        raise NoEngineError(
            "quadrature has no way to price a note with memory: its state is more than one number. "
            "Available: 'monte_carlo'."
        )
    life = float(note.times[-1])
    _apart(note, (2.0 * REACH * nodes / _MOST) ** 2 * life)
    vol = max(float(np.sqrt(sigma(life) / life)) if callable(sigma) else sigma, _LEAST_VOL)
    _, coarse, dense, terminal = _notes.tables(note, sigma if callable(sigma) else vol, snapshot)
    times = np.concatenate((note.times, note.dense))
    order = np.argsort(times, kind="stable")
    kinds = [(int(i) < note.times.size, int(i) if i < note.times.size else int(i) - note.times.size) for i in order]
    times = times[order]
    clock = sigma(times) / vol**2 if callable(sigma) else times
    nodes = 2.0 * nodes if times.size <= _FEW else nodes
    h = float(np.sqrt(np.diff(clock, prepend=0.0).min())) / nodes
    h = max(h, 2.0 * REACH * np.sqrt(clock[-1]) / _MOST)
    _resolved(clock, h)
    life = REACH * float(np.sqrt(clock[-1]))
    low, high = min(-life, reach[0]), max(life, reach[1])
    z = np.arange(int(np.floor(low / h)), int(np.ceil(high / h)) + 1) * h
    return _Walk(
        note=note, z=z, sigma=vol, times=times, clock=clock, coarse=coarse, dense=dense, terminal=terminal, kind=kinds
    )


def _resolved(clock: Float1D, h: float) -> None:
    """Refuse dates between which next to no variance runs: the rule would not see such a step."""
    least = float(np.sqrt(np.diff(clock, prepend=0.0).min())) / h
    if least < _LEAST_NODES:
        raise NoEngineError(rule("forward vols", "be of similar size for method='quadrature'",
                                 f"a step of {least:.2g} nodes", "Use method='monte_carlo'."))  # fmt: skip


def price_note(item: Any, sigma: Any, snapshot: Snapshot, *, nodes: float = _FINE) -> float:
    """Present value of one note, currency; `nodes` in a standard deviation of the shortest step."""
    walk = walk_of(item, sigma, snapshot, nodes)
    knocked = int(walk.terminal[0, 5])
    found = walk.run(False, knocked == 1)[0, knocked]
    return float(found[int(np.argmin(np.abs(walk.z)))])


def value(items: Sequence[Any], model: Any, snapshot: Snapshot, *, nodes: float = _FINE) -> Values:
    """The engine's door for `pricing.price`."""
    require(1.5 <= nodes <= 20.0, "nodes", nodes, "lie in [1.5, 20]", hint="Nodes in a step's standard deviation.")
    vol = model.sigma if hasattr(model, "sigma") else Clock(model)
    fine = np.array([price_note(item, vol, snapshot, nodes=nodes) for item in items])
    coarse = np.array([price_note(item, vol, snapshot, nodes=nodes * _COARSE / _FINE) for item in items])
    floor = 1e-11 * np.array([item.notional for item in items])
    return Values(fine, np.zeros_like(fine), 5.0 * np.abs(fine - coarse) + floor)
