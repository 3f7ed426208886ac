"""Notes on the worst of several underlyings as tables of core.pricing.worst_of.

The terms of the inner note hold for one asset that moves like the worst performance: its tables are made with
volatility 1, so that the weights of the bridges are those of time, and the drifts of the true assets are laid over it.
A time at which an instantaneous vol changes becomes a date on which nothing happens, so that bridges in between are
exact.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from research.arrays import Float1D, Float2D, Int2D
from research.core.pricing.note import N_MOMENTS
from research.core.pricing.worst_of import worst_of_task
from research.core.random import brownian
from research.core.random.brownian import brownian_paths
from research.instruments import WorstOfNote
from research.market import Snapshot
from research.pricing import _notes, _rare
from research.pricing._lognormals import Lognormals, lognormals
from research.pricing._simulation import WIDEST, Problem, Settings, rows_of, summary, tables_of
from research.pricing.rainbow import extreme_value

_SAME = 1e-9  # years: dates closer than this are one
_LOOKS = 256  # wild paths that show what may be paid
_STILL = 1e-30  # variance of a price that does not move
_CERTAIN = 15.0  # exp(-2 * 15) = 1e-13: a barrier that far is not reached


def factor_plan(times: Float1D, n_factors: int, bridge: bool) -> tuple[Int2D, Float2D]:
    """A plan of core.random.brownian for independent motions, one after the other: factor a at rows a m + 1 to a m + m.

    Every factor gets its k-th normal before any gets the next: the first Sobol' dimensions are the largest moves.
    """
    m = times.size
    order, weights = brownian.plan(times, bridge)
    at = np.repeat(np.arange(m), n_factors)
    move = np.tile(np.arange(n_factors) * m, m)[:, None]
    rows = np.where(order[at] > 0, order[at] + move, 0)
    return np.ascontiguousarray(rows), np.ascontiguousarray(weights[at])


def principal(covariance: Float2D) -> Float2D:
    """L with L L' = covariance, columns by falling variance, shape (n, n)."""
    values, vectors = np.linalg.eigh(covariance)
    out: Float2D = np.ascontiguousarray((vectors * np.sqrt(np.maximum(values, 0.0)))[:, ::-1])
    return out


def _root(covariance: Float2D) -> Float2D:
    """Symmetric square root."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T)


def _with_dates(note: _notes.Note, nodes: Float1D) -> _notes.Note:
    """The note with coarse dates at `nodes` on which nothing happens, a knock-in aside where the day is watched."""
    inside = nodes[(nodes > _SAME) & (nodes < note.times[-1] - _SAME)]
    new = np.array([t for t in inside if np.abs(note.times - t).min() > _SAME])
    if new.size == 0:
        return note
    n, at = note.times.size, np.searchsorted(note.times, new)
    watched = np.array([note.dense.size > 0 and np.abs(note.dense - t).min() <= _SAME for t in new])
    level: dict[str, Any] = {}
    for name, (_, nothing) in _notes.COARSE.items():
        if name in note.level:
            fresh = np.where(watched, note.daily_in, nothing) if name == "knock_in" else nothing
            level[name] = np.insert(np.broadcast_to(note.level[name], n), at, fresh)
    dense = np.array([t for t in note.dense if np.abs(new - t).min() > _SAME])
    return replace(note, times=np.insert(note.times, at, new), dense=dense, level=level)


def _drifts(assets: Lognormals, initials: Float1D, single: Snapshot, initial: float, times: Float1D) -> Float2D:
    """What turns the motions of the assets into that of the note's own asset, shape (n_times, n)."""
    out = np.empty((times.size, initials.size))
    for row, t in zip(out, times):
        ratio = assets.forwards(float(t)) / initials * initial / single.forward(float(t))
        row[:] = np.log(ratio) - 0.5 * np.diag(assets.covariance(float(t))) + 0.5 * t
    return out


def problem(item: WorstOfNote, model: Any, snapshot: Any, settings: Settings) -> Problem:
    """The simulation; controls: the mean of S_i / F_i, and the put on the worst at the initial price (n <= 3)."""
    assets = lognormals(item.underlyings, item.fx, model, snapshot)
    initials, initial, n = np.array(item.initials), item.note.initial, len(item.underlyings)
    today = float((assets.spots / initials).min()) * initial
    single = Snapshot(as_of=snapshot.as_of, spot=today, discount=snapshot.discount)
    note = _with_dates(_notes.build(item.note, single), model.nodes)
    times, coarse, dense, terminal = _notes.tables(note, 1.0, single)
    m = times.size
    shifts = np.vstack([_drifts(assets, initials, single, initial, t) for t in (note.times, note.dense)])
    spent = np.array([assets.covariance(float(t)) for t in (0.0, *times)])
    turn = np.linalg.eigh(spent[-1])[1][:, ::-1]
    mix = np.vstack([_root(gap) @ turn for gap in np.diff(spent, axis=0) / np.diff(times, prepend=0.0)[:, None, None]])
    gaps = np.zeros((m + 1, 2 * n))
    gaps[m, :n] = 0.5 * np.diag(spent[-1])
    for c in range(m):
        first, last = int(coarse[c, 15]), int(coarse[c, 16])
        far = dense[first:last, 2:3] - shifts[m + first : m + last]
        gaps[c, :n] = far.max(axis=0) if last > first else -np.inf
        gaps[c, n:] = _CERTAIN * np.diag(spent[c + 1] - spent[c])
    order, weights = factor_plan(times, n, settings.sampler == "sobol")
    mix = np.ascontiguousarray(mix)

    def run(tables, seed, rows, _order, _weights, out, wild=1.0):  # type: ignore[no-untyped-def]
        noise = np.ascontiguousarray(dense * np.where(np.arange(dense.shape[1]) == 1, wild, 1.0))
        for row, sums in zip(rows, out):
            b = np.empty((n * m, row[1]))
            brownian_paths(tables[row[4]], seed, int(row[0]), int(row[2]), order, weights, b)
            worst_of_task(b, seed, row, wild * mix, shifts, coarse, noise, terminal, gaps, sums)

    put = float("nan")
    if n <= 3:
        final = single.forward(float(times[-1]))
        forward = assets.forwards(float(times[-1])) / initials * initial / final
        put = extreme_value(forward, spent[-1], terminal[0, 3], -1.0, False)[0]
    mean = 1.0 if float(np.diag(spent[-1]).max()) <= WIDEST**2 else float("nan")
    return Problem(
        variance=np.arange(1.0, n * m + 1.0), run=run, n_moments=N_MOMENTS, controls=(mean, put), spread=_spread(run),
        rare=_rare_events(assets, note.dense, (coarse, dense, terminal), shifts, spent),
    )  # fmt: skip


def _rare_events(
    assets: Lognormals, looks: Float1D, tables: tuple[Float2D, Float2D, Float2D], shifts: Float2D, spent: Any
) -> Float2D:
    """Rows for `_rare.added`: what each asset alone may do to the note, were it the worst; see core.pricing.note."""
    coarse, dense, terminal = tables
    seen, m, out = [np.diag(assets.covariance(float(t))) for t in looks], coarse.shape[0], []
    for i in range(spent.shape[1]):
        dates, gaps, end = coarse.copy(), dense.copy(), terminal.copy()
        dates[:, [1, 2, 4, 5, 8, 9]] -= shifts[:m, i : i + 1]  # levels of the asset's own motion
        gaps[:, 2:5] -= shifts[m:, i : i + 1]
        own = spent[1:, i, i]
        forward = terminal[0, 0] * np.exp(shifts[m - 1, i] + 0.5 * own[-1] - 0.5 * terminal[0, 1])
        end[0, 0], end[0, 1], end[0, 3] = forward, own[-1], terminal[0, 3] * terminal[0, 0] / forward
        between = np.array([one[i] for one in seen])
        out.append(_rare.note_events(np.maximum(own, _STILL), dates, gaps, np.maximum(between, _STILL), end))
    return np.vstack(out)


def _spread(run: Any) -> float:
    """What may be paid on wild paths, three standard deviations less what the mean of the prices explains."""
    sums = np.zeros((1, N_MOMENTS))
    philox = Settings(sampler="philox")
    run(tables_of(philox, 0), 1, rows_of(0, _LOOKS, 1, 1, philox), None, None, sums, _rare.WILD)
    seen = summary(sums, _LOOKS, None)
    return 3.0 * float(np.sqrt(seen.variance))
