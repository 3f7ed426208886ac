"""A note with its first step integrated out, under many bumped markets at once: see core.pricing.note_smooth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from research.arrays import Float1D, Float2D, Float3D, Int2D
from research.core._tasks import share
from research.core.pricing._moments import N_BASE
from research.core.pricing.note_smooth import smooth_note_tasks
from research.core.random import sobol
from research.errors import NoEngineError
from research.market import Snapshot
from research.models import black
from research.pricing import _clock, _notes
from research.pricing._simulation import WIDEST, Problem, Settings, rows_of, summary, tables_of

_FIRST = 8.0  # the step that is integrated out is at least this part of the note's life


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A bumped market; `age` in years."""

    sigma: Any  # one volatility, or a clock of it
    snapshot: Snapshot
    age: float = 0.0


def pinned_plan(variance: Float1D, at: int) -> tuple[Int2D, Float2D]:
    """(order, weights) of core.random.brownian for a motion that is 0 at time number `at`, and a bridge before it.

    The pinned row comes first and uses no normal; then the end, then halves of the gaps, longest first.
    """
    n = variance.size
    v = np.concatenate(([0.0], variance))
    pin = at + 1
    order, weights = np.zeros((n, 3), dtype=np.int64), np.zeros((n, 3))
    order[0, 0] = pin
    todo, k = [(0, pin)], 1
    if pin < n:
        order[1], weights[1] = (n, pin, pin), (1.0, 0.0, np.sqrt(v[n] - v[pin]))
        todo, k = [(pin, n), (0, pin)], 2
    while todo:
        todo.sort(key=lambda ends: ends[0] - ends[1])  # by dates, not years: a note a day older has the same order
        left, right = todo.pop(0)
        if right - left < 2:
            continue
        middle = (left + right) // 2
        share_ = (v[middle] - v[left]) / (v[right] - v[left])
        order[k] = middle, left, right
        weights[k] = 1.0 - share_, share_, np.sqrt(max((v[middle] - v[left]) * (1.0 - share_), 0.0))
        todo += [(left, middle), (middle, right)]
        k += 1
    return order, weights


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Tables:
    """One scenario for the kernel."""

    variance: Float1D
    at: int  # date at which the integrated step ends
    dates: Float2D
    terminal: Float2D
    controls: tuple[float, float]


def _tables(note: _notes.Note, one: Scenario) -> _Tables:
    """All dates in order."""
    variance, coarse, dense, terminal = _notes.tables(note, one.sigma, one.snapshot, one.age)
    clock, later = _clock.clock_of(one.sigma), note.dense[note.dense.size - dense.shape[0] :]
    seen = clock(later - one.age)
    n, more = coarse.shape[0], dense.shape[0]
    v = np.concatenate((variance, seen))
    by = np.argsort(v, kind="stable")
    rows = np.zeros((n + more, 12))
    rows[:, 1:10] = np.inf, -np.inf, 0.0, -np.inf, np.inf, 0.0, -np.inf, np.inf, 0.0
    rows[:n, 1:6] = coarse[:, 1:6]
    rows[:n, 6], rows[:n, 7:10], rows[:n, 10] = coarse[:, 6] * coarse[:, 7], coarse[:, 8:11], 1.0
    rows[n:, 1], rows[n:, 2], rows[n:, 4] = dense[:, 3], dense[:, 4], dense[:, 2]
    rows[:, 11] = dense[0, 5] if more else 0.0
    # what is looked at after the last coarse date does not exist: the last date is coarse
    late = np.flatnonzero(by < n)
    young = clock(np.concatenate((note.times, later))[by][late])  # the same date at every age
    wanted = late[np.argmax(young >= young[-1] / _FIRST * (1.0 - 1e-12))]
    at = int(wanted)
    rows = rows[by]
    rows[:, 0] = np.minimum(v[by] / v[by][at], 1.0)
    put = float(black.price(1.0, terminal[0, 3], 1.0, float(np.sqrt(terminal[0, 1])), is_call=False))
    mean = 1.0 if terminal[0, 1] <= WIDEST**2 else float("nan")
    return _Tables(variance=v[by], at=at, dates=rows, terminal=terminal, controls=(mean, put))


def problem(note: _notes.Note, sigma: Any, snapshot: Snapshot) -> Problem:
    """A note under one volatility or a clock, ready to be simulated, its first step integrated out."""
    one = _tables(note, Scenario(sigma=sigma, snapshot=snapshot))
    plan = pinned_plan(one.variance, one.at)
    dates, terminal = one.dates[None], one.terminal[None]
    scale = np.array([(np.sqrt(one.variance[one.at]), 1.0)])

    def run(tables, seed, rows, order, weights, out):  # type: ignore[no-untyped-def]
        rolled = np.ascontiguousarray(np.roll(tables, 1, axis=1))  # the pinned row takes the last dimension
        smooth_note_tasks(rolled, seed, rows, order, weights, dates, terminal, scale, out)

    return Problem(variance=one.variance, run=run, n_moments=N_BASE, controls=one.controls, plan=plan)


def can(item: Any, snapshot: Snapshot, sampler: str = "sobol") -> str:
    """Empty, or why a contract cannot be smoothed."""
    kind = type(item).__name__
    if kind not in _notes.BUILD:
        return f"{kind} is no note"
    note = _notes.build(item, snapshot)
    if note.times.size + note.dense.size > sobol.MAX_DIMS:
        return (
            f"{note.times.size + note.dense.size} dates are more than the {sobol.MAX_DIMS} dimensions of Sobol' points"
        )
    return ""


def replicates(item: Any, scenarios: list[Scenario], settings: Settings) -> Float2D:
    """Estimates of each scramble under each scenario, shape (n_scenarios, n_replicates); the same paths in all.

    Scenarios of one age only, and of one clock: paths are drawn for the first one's volatility, and scaled.
    """
    reason = can(item, scenarios[0].snapshot)
    if reason:
        raise NoEngineError(f"estimator 'mixed' has no way to smooth this contract: {reason}.")
    note = _notes.build(item, scenarios[0].snapshot)
    each = [_tables(note, one) for one in scenarios]
    order, weights = pinned_plan(each[0].variance, each[0].at)
    n_dims, n_rep = order.shape[0], settings.replicates
    tables = np.ascontiguousarray(np.roll(tables_of(settings, n_dims), 1, axis=1))  # the pinned row takes the last one
    dates: Float3D = np.stack([one.dates for one in each])
    terminal: Float3D = np.stack([one.terminal for one in each])
    first = np.sqrt(each[0].variance[-1])
    scale = np.array([(np.sqrt(one.variance[one.at]), np.sqrt(one.variance[-1]) / first) for one in each])
    assert settings.n_paths is not None
    n = 1 << (-(-settings.n_paths // n_rep) - 1).bit_length()
    rows = rows_of(0, n, n_rep, n_dims, settings)
    out = np.empty((rows.shape[0], len(each) * N_BASE))

    def work(part: slice) -> None:
        smooth_note_tasks(tables, settings.seed, rows[part], order, weights, dates, terminal, scale, out[part])

    share(rows.shape[0], work, small=n_rep * n * n_dims < 20_000)
    sums = out.reshape(n_rep, -1, len(each), N_BASE).sum(axis=1)
    found = [summary(sums[:, j], n, one.controls if settings.control else None) for j, one in enumerate(each)]
    return np.stack([one.replicates for one in found])
