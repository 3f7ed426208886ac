"""Range, terms and error of a cosine recursion over dates, found once for all strikes and kept for the next spot.

The range holds the spot and what Doob's bound leaves of every later date; with barriers it ends half of one step's
reach beyond them, where a reflected price cannot return from. Terms are taken date by date until what is left out is
bounded by `TIGHT`, or there are `MOST` of them: then a recursion of half the terms stands beside, and the error is five
times the distance to it, or the bound where that is less (Variance Gamma between near dates, whose characteristic
function falls slowly; `tests/pricing/test_cosine_barriers.py` measures it by other means).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from research.arrays import Float1D, Float2D
from research.errors import NumericalError, rule
from research.market import Snapshot
from research.pricing.cosine_law import Law
from research.pricing.cosine_series import Frame, Intervals, Steps, exercised, watched

TIGHT = 1e-13  # of the largest payment: what the range and the terms of all dates may cost
LOOSE = 1e-8  # the same where an extrapolation in the dates costs more
MOST = 4096
_ENOUGH = 2e-5  # the worst that is given away, with its error
_LADDER = np.array([2**k * m // 8 for k in range(5, 13) for m in (8, 10, 12, 14)] + [8192])
_RELY = 2.0 * LOOSE  # a bound that is good enough
_ROUNDING = 4e-15
_CAUTION = 5.0  # times the distance to half the terms
_PASSED = float(np.exp(-0.5))  # of a frequency that passes a step
_GRAIN = 16  # parts of the range to which it is rounded, so that a spot nearby finds the same series
_EVERYWHERE = (-np.inf, np.inf)


@dataclass(frozen=True, slots=True)
class Dates:
    """What a market says of the dates, for a put on y = log(S / K) or, `flipped`, for a call on y = log(K / S)."""

    times: tuple[float, ...]  # years, increasing, > 0
    drift: tuple[float, ...]
    df: tuple[float, ...]


def dates_of(times: Any, snapshot: Snapshot, flipped: bool) -> Dates:
    """Drift of y and discount factors between the dates; of a call those of the underlying's own measure."""
    t = np.asarray(times, dtype=np.float64)
    log_forward = np.log(np.asarray(snapshot.growth(t)))  # the same to the last digit whatever the spot
    log_df = np.log(np.asarray(snapshot.discount.df(t)))
    drift, log_df = (-log_forward, log_df + log_forward) if flipped else (log_forward, log_df)
    moves = np.diff(drift, prepend=0.0), np.exp(np.diff(log_df, prepend=0.0))
    return Dates(tuple(t.tolist()), *(tuple(each.tolist()) for each in moves))


@dataclass(frozen=True, slots=True)
class Problem:
    """A contract of strike 1 in y; equal ones have equal series."""

    law: Law = field(compare=False)
    key: tuple[Any, ...]  # of the law
    dates: Dates
    frame: Frame
    n_terms: tuple[int, ...]
    leg: str  # "exercise", or as in `cosine_series.watched`
    alive: tuple[float, float] = _EVERYWHERE
    paid: tuple[tuple[float, float], ...] = ()
    amounts: tuple[float, ...] = ()  # paid at each date that ends the contract


@functools.lru_cache(maxsize=256)
def series(problem: Problem) -> Any:
    """Coefficients of the value today, shape (n_terms[0],); not to be written to."""
    dates = problem.dates
    steps = Steps(*(np.array(x) for x in (dates.times, dates.drift, dates.df, problem.n_terms)))
    if problem.leg == "exercise":
        found = exercised(problem.frame, problem.law, steps)
    else:
        paid: Intervals = list(problem.paid)
        found = watched(problem.frame, problem.law, steps, problem.alive, problem.leg, paid, problem.amounts)
    found.flags.writeable = False
    return found


def forget() -> None:
    """Forget every series: what a timing must do before each call."""
    series.cache_clear()
    _terms.cache_clear()


def planned(
    law: Law, dates: Dates, y: Float1D, leg: str, *, alive: tuple[float, float] = _EVERYWHERE,
    paid: Intervals | None = None, amounts: tuple[float, ...] = (), tolerance: float = TIGHT,
) -> tuple[Problem, float]:  # fmt: skip
    """The recursion that serves the prices y today, and a bound of what its range and terms leave out."""
    key = law.key(dates.times)
    frame, outside = _frame(law, dates, y, alive, 0.1 * tolerance)
    n_terms, left = _terms(_Asked(law, key, dates, frame, leg == "exercise", tolerance))
    size = max(1.0, float(np.max(np.cumprod(dates.df))), *amounts)
    problem = Problem(law, key, dates, frame, n_terms, leg, alive, tuple(paid or ()), amounts)
    return problem, (outside + left) * size


def _frame(law: Law, dates: Dates, y: Float1D, alive: tuple[float, float], chance: float) -> tuple[Frame, float]:
    """The range, and the chance to leave it."""
    end, n = dates.times[-1], len(dates.times)
    path = np.cumsum(dates.drift)
    ends = []
    outside = 0.0
    pairs = list(zip((0.0, *dates.times[:-1]), dates.times))
    gaps = dict(enumerate(pairs)) if law.clock is not None else {round(b - a, 12): (a, b) for a, b in pairs}
    lean = float(np.max(np.abs(dates.drift)))
    for sign, level, edge in ((-1.0, alive[0], y.min() + min(path.min(), 0.0)),
                              (1.0, alive[1], y.max() + max(path.max(), 0.0))):  # fmt: skip
        far = edge + sign * law.reach(0.0, end, sign, chance)
        if np.isfinite(level):
            step = max(law.reach(*pair, sign, chance / n) for pair in gaps.values()) + lean
            near = level + sign * 0.5 * step
            far = max(far, near) if sign < 0.0 else min(far, near)
        ends.append(far)
        outside += chance
    low, high = ends
    width = high - low
    if not (np.isfinite(width) and width > 0.0):
        raise NumericalError(rule("the cosine series", "have a range", f"[{low:g}, {high:g}]", "Does the price move?"))
    grain = 2.0 ** np.floor(np.log2(width / _GRAIN))
    low = grain * np.floor(low / grain)
    return Frame(float(low), float(grain * np.ceil((high - low) / grain))), outside


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the number of terms depends on."""

    law: Law = field(compare=False)
    key: tuple[Any, ...]
    dates: Dates
    frame: Frame
    smooth: bool
    tolerance: float


@functools.lru_cache(maxsize=256)
def _terms(asked: _Asked) -> tuple[tuple[int, ...], float]:
    """Terms of the value at each date, and a bound of what those left out cost."""
    law, dates, frame = asked.law, asked.dates, asked.frame
    starts, n = np.array([0.0, *dates.times[:-1]]), len(dates.times)
    gaps = np.array(dates.times) - starts
    factor, power = (8.0 / np.pi, 2) if asked.smooth else (6.0 / np.pi, 1)
    found, cost = np.zeros(n, dtype=np.int64), np.zeros(n)
    known: dict[float, tuple[int, float]] = {}
    last = int(np.searchsorted(_LADDER, MOST, side="right")) - 1
    at = last  # ever longer steps need ever fewer terms
    for i in np.argsort(gaps, kind="stable"):
        label = round(float(gaps[i]), 12)
        if law.clock is not None or label not in known:
            at = at if law.clock is None else last
            left = factor * law.left_out(np.pi * _LADDER[at] / frame.width, starts[i], dates.times[i], power)
            while at > 0:
                less = factor * law.left_out(np.pi * _LADDER[at - 1] / frame.width, starts[i], dates.times[i], power)
                if less > asked.tolerance / n:
                    break
                at, left = at - 1, less
            known[label] = (int(_LADDER[at]), left)
        found[i], cost[i] = known[label]
    return tuple(found.tolist()), float(cost.sum())


def evaluated(problem: Problem, left: float, y: Float1D, order: int = 0) -> tuple[Float2D, Float2D]:
    """The value and its derivatives by y, and the error of each, shape (order + 1, m).

    A derivative acts on the first step alone: what that step leaves out counts with its frequency, all else with the
    width of the step's density.

    Raises
    ------
    NumericalError
        Where the terms do not settle.
    """
    found = problem.frame.at(series(problem), y, order)
    rounding = _ROUNDING * (10.0 + len(problem.n_terms)) + 1e-16 * max(problem.n_terms)
    error = np.full(found.shape, left)
    if left > _RELY:
        half = replace(problem, n_terms=tuple(n // 2 for n in problem.n_terms))
        apart = _CAUTION * np.abs(found - half.frame.at(series(half), y, order))
        error = np.minimum(error, apart) if order == 0 else np.vstack([np.minimum(error[:1], apart[:1]), apart[1:]])
    if error[0].max() > _ENOUGH:
        n = max(problem.n_terms)
        what = f"settle to {_ENOUGH:g} of the strike with {n} terms"
        hint = "Dates so near ask for a simulation: 'paths', 'longstaff_schwartz'."
        raise NumericalError(rule("the cosine series", what, float(error[0].max()), hint))
    error[0] += rounding
    if order:
        sharp, first = _sharpness(problem)
        for k in range(1, order + 1):
            error[k] = np.maximum(error[k], error[0]) * sharp**k if left <= _RELY else error[k]
            error[k] += rounding * sharp**k + first[k - 1]
    return found, error


def _sharpness(problem: Problem) -> tuple[float, list[float]]:
    """Frequencies that pass the first step, and what it leaves out of each derivative."""
    law, end, frame, n = problem.law, problem.dates.times[0], problem.frame, problem.n_terms[0]
    size = np.exp(law.log_cf(frame.u(n), 0.0, end).real)
    passed = float(frame.u(n)[int(np.argmax(size < _PASSED)) if (size < _PASSED).any() else n - 1])
    power, factor = (2, 8.0 / np.pi) if problem.leg == "exercise" else (1, 6.0 / np.pi)
    edge = np.pi * n / frame.width
    left = [factor * law.left_out(edge, 0.0, end, power - k) for k in (1, 2, 3)]
    return 1.5 * max(passed, 1.0), left
