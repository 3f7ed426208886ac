"""Paths of a stock that pays cash: what is still to come is added to them, or they fall by the amount.

**Escrowed.** X moves by the model and the quoted spot is X + D(t), exact at every observation (`_escrow`). Between two
of them the variance of log S is that of log X times (X / S)^2, at the geometric mean of both ends: a bridge's error,
which falls with the gap and is estimated like that of other moving variances.

**Jump.** The spot falls to max(S - amount, 0), as on the grids. A model whose moves do not ask where the spot is (one
volatility, Heston, jumps, rough Bergomi) is walked once, its moves multiplied up; a local volatility, CEV, a shifted
lognormal price and SABR are walked from dividend to dividend, each stretch from where the spot fell to. Between
dividends bridges are those of the model.

**In a chart** (`charts`) escrowed cash moves the levels, not the coordinate, so bridges stay as good as without cash; a
fall goes to the model's lowest price at most, minus the shift of a shifted one. A normal price may go anywhere and its
moves do not ask where it is: there both kinds of cash are one model.

Contracts that are watched at every moment look on dividend days too, so that no bridge spans a fall; a fall through a
barrier touches it. An observation on a dividend's day sees the spot without it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from research.arrays import Float1D, Float2D, Int1D
from research.errors import NoEngineError
from research.market import Snapshot
from research.pricing._escrow import moving, to_come
from research.pricing.catalogue import abilities
from research.pricing.paths.charts import Chart
from research.pricing.paths.generators import GENERATORS, Generator, Logs, Request
from research.pricing.paths.motion import Motion

SAME = 1e-9  # years: a dividend this near to an observation is paid on it
_EVE = 1e-6  # years, half a minute
_RUINED = 1e-300  # of the forward: a spot of nothing, whose logarithm is finite
_FREE = frozenset({"deterministic_vol", "real_characteristic_function", "characteristic_function", "rough_paths"})


def between(snapshot: Snapshot, start: float, stop: float) -> tuple[Float1D, Float1D]:
    """Times and amounts of the dividends after `start`, up to `stop`."""
    cash = snapshot.cash_dividends
    if cash is None:
        return np.empty(0), np.empty(0)
    here = (cash.tau > start + SAME) & (cash.tau <= stop + SAME)
    return cash.tau[here], cash.cash[here]


def looked(times: Float1D, snapshot: Snapshot, start: float) -> Float1D:
    """Observations, and the dividend days between `start` and the last of them."""
    extra, _ = between(snapshot, start, float(times[-1]))
    far = np.abs(extra[:, None] - times).min(axis=1) > SAME if extra.size else np.zeros(0, dtype=bool)
    return np.union1d(times, extra[far]) if far.any() else times


def before_dividends(times: Float1D, snapshot: Snapshot) -> Float1D:
    """Exercise days, and the last moment before each dividend: a call is exercised there or nowhere."""
    extra = between(snapshot, 0.0, float(times[-1]))[0] - _EVE
    return np.union1d(times, extra[extra > _EVE]) if extra.size else times


def with_cash(model: Any, request: Request) -> Generator:
    """The paths of a model in a market that pays cash."""
    cash = request.snapshot.cash_dividends
    assert cash is not None
    alike = type(model).__name__ == "Bachelier"
    if request.limits is not None and cash.model == "jump" and not alike:
        raise NoEngineError("Paths of a stock that falls by its cash dividends cannot be kept within limits. Leave out "
                            "survival=True, or give the cash with model='escrowed'.")  # fmt: skip
    return _escrowed(model, request) if cash.model == "escrowed" or alike else _falling(model, request)


def _escrowed(model: Any, request: Request) -> Generator:
    """X and what is still to come; dividend days need no observation of their own."""
    there = moving(request.snapshot)
    at = request.origin + request.times
    after = np.asarray(to_come(request.snapshot, at + SAME))
    limits = None if request.limits is None else _less(request.limits, after, type(model).__name__ == "Bachelier")
    made = GENERATORS[type(model).__name__](model, replace(request, snapshot=there, limits=limits))
    if made.chart is not None:
        return replace(made, chart=replace(made.chart, held=_held(request)), lift=after)
    days, amounts = between(request.snapshot, request.origin, float(at[-1]))
    fallen = np.zeros(at.size)
    for day, amount in zip(days, amounts):
        row = int(np.abs(at - day).argmin())
        fallen[row] += amount if abs(at[row] - day) <= SAME else 0.0
    first = float(to_come(request.snapshot, request.origin + SAME))
    start = there.spot * float(there.growth(request.origin))

    def fill(w: Float2D, seed: int, stream: int, first_path: int) -> Logs:
        logs = made.fill(w, seed, stream, first_path)
        x = made.forward[:, None] * np.exp(logs.x)
        calm = x if logs.jump is None else x * np.exp(-logs.jump)
        late = calm + (after + fallen)[:, None]  # before what happens at the end of the gap
        begin = start * np.exp(request.begin(first_path, w.shape[1], 0.0)[:1])
        early = np.concatenate((begin / (begin + first), (x / (x + after[:, None]))[:-1]))
        jump = np.log((x + after[:, None]) / late)
        still = not fallen.any() and logs.jump is None
        exposed = None if logs.exposed is None else logs.exposed * early * (calm / late)
        return replace(logs, exposed=exposed, jump=None if still else jump)

    return replace(made, fill=fill, twin=None, lift=after)


def _less(limits: Float2D, coming: Float1D, any_sign: bool) -> Float2D:
    """Limits of what moves; a low of 0 is none."""
    low = np.where(limits[:, 0] > 0.0, limits[:, 0] - coming, -np.inf)
    high = limits[:, 1] - coming
    if not any_sign:
        low, high = np.maximum(low, 0.0), np.maximum(high, _RUINED)
    return np.column_stack((low, high))


def _held(request: Request) -> Callable[[Float1D], tuple[Float1D, Float1D]]:
    """Cash still to come after each time and before it, price units, as a function of years from the origin."""

    def held(times: Float1D) -> tuple[Float1D, Float1D]:
        at = request.origin + times
        every = (np.maximum(at + side, 0.0) for side in (SAME, -SAME))
        after, before = (np.asarray(to_come(request.snapshot, t)) for t in every)
        return after, before

    return held


@dataclass(frozen=True, slots=True, eq=False)
class _Falls:
    """Dividend days among the rows of a model's own paths, and which rows are looked at."""

    rows: Int1D  # of the dividends
    amounts: Float1D
    forward: Float1D  # without cash, shape (n,)
    seen: Int1D  # rows of the observations


def _falls(request: Request) -> tuple[Float1D, _Falls]:
    """All times, from the origin, and what falls when."""
    plain = replace(request.snapshot, cash_dividends=None)
    last = request.origin + float(request.times[-1])
    days, amounts = between(request.snapshot, request.origin, last)
    times = request.times
    near = np.abs((days - request.origin)[:, None] - times)
    own = near.min(axis=1) > SAME
    every = np.union1d(times, days[own] - request.origin)
    rows = np.abs((days - request.origin)[:, None] - every).argmin(axis=1)
    forward = np.asarray(plain.forward(request.origin + every))
    return every, _Falls(rows, amounts, forward, np.searchsorted(every, times))


def _falling(model: Any, request: Request) -> Generator:
    """The spot between dividends moves by the model, and falls by each."""
    every, falls = _falls(request)
    plain = replace(request.snapshot, cash_dividends=None)
    inner = replace(request, snapshot=plain, times=every)
    if abilities(model) & _FREE:
        made = GENERATORS[type(model).__name__](model, inner)
        walk = _walked(made, falls, request)
    else:
        made, walk = _in_stretches(model, inner, falls)
    seen = falls.seen

    def fill(w: Float2D, seed: int, stream: int, first_path: int) -> Logs:
        return _looked_at(walk(w, seed, stream, first_path), seen)

    return replace(made, times=request.times, forward=falls.forward[seen], fill=fill, twin=None)


def _fall(x: Float1D, forward: float, amount: float) -> Float1D:
    """log(S / F) after the spot has paid what it can."""
    left = np.exp(x) - amount / forward
    return np.asarray(np.log(np.maximum(left, _RUINED)))


def _walked(made: Generator, falls: _Falls, request: Request) -> Any:
    """A model's moves, multiplied up from where the spot has fallen to."""

    def walk(w: Float2D, seed: int, stream: int, first_path: int) -> Logs:
        logs = made.fill(w, seed, stream, first_path)
        x, jump = np.array(logs.x), np.zeros_like(logs.x) if logs.jump is None else np.array(logs.jump)
        offset, last = np.zeros(w.shape[1]), 0
        for row, amount in zip(falls.rows, falls.amounts):
            x[last : row + 1] += offset
            after = _fall(x[row], float(falls.forward[row]), float(amount))
            offset = offset + after - x[row]
            jump[row] += after - x[row]
            x[row], last = after, int(row) + 1
        x[last:] += offset
        return replace(logs, x=x, jump=jump, martingale=np.exp(logs.x))

    return walk


def _in_stretches(model: Any, request: Request, falls: _Falls) -> tuple[Generator, Any]:
    """From dividend to dividend, each stretch of a model that asks where the spot is from where it fell to."""
    state = threading.local()  # of the stretch that a thread is in: log(S / F) or the chart's y, and the variance
    cuts = np.unique(np.append(falls.rows + 1, request.times.size))
    starts = np.concatenate(([0], cuts[:-1]))
    made, parts = [], []
    for a, b in zip(starts, cuts):
        begin = 0.0 if a == 0 else float(request.times[a - 1])
        inner = replace(request, times=request.times[a:b] - begin, origin=request.origin + begin, end=request.horizon)
        if a > 0:
            inner = replace(inner, start=lambda first, many: state.now)
        made.append(GENERATORS[type(model).__name__](model, inner))
        parts.append(slice(int(a), int(b)))
    sizes = np.cumsum([0, *(one.motion.n_rows for one in made)])
    amount = np.zeros(request.times.size)
    np.add.at(amount, falls.rows, falls.amounts)
    place = _Logarithm(falls.forward) if made[0].chart is None else _Coordinate(made[0].chart, request.times)

    def walk(w: Float2D, seed: int, stream: int, first_path: int) -> Logs:
        n = w.shape[1]
        begin = place.first(n) if request.start is None else request.start(first_path, n)[0]
        size, out = place.size(begin), [np.empty((request.times.size, n)) for _ in range(5)]
        x, variance, exposed, jump, level = out
        jump[:] = 0.0
        moving_variance = False
        for k, (one, here) in enumerate(zip(made, parts)):
            logs = one.fill(np.ascontiguousarray(w[sizes[k] : sizes[k + 1]]), seed, stream, first_path)
            x[here], exposed[here] = logs.x, logs.exposed
            level[here] = place.moved(size, begin, logs.x)
            last = here.stop - 1
            after = x[last]
            if amount[last] > 0.0:
                after = place.fall(x[last], last, float(amount[last]))
                jump[last], x[last] = after - x[last], after
            moving_variance = logs.variance is not None
            variance[here] = logs.variance if logs.variance is not None else 1.0
            begin, size = after, level[last]
            state.now = np.stack((after, variance[last]))
        return Logs(x=x, variance=variance if moving_variance else None, exposed=exposed, jump=jump, martingale=level)

    whole = replace(made[0], motion=joined([one.motion for one in made]))
    return whole, walk


@dataclass(frozen=True, slots=True, eq=False)
class _Logarithm:
    """Stretches in log(S / F): what the spot has paid goes on moving with it, so that what is left has mean 1."""

    forward: Float1D  # without cash, of each row

    def first(self, n: int) -> Float1D:
        return np.zeros(n)

    def size(self, begin: Float1D) -> Float1D:
        return np.asarray(np.exp(begin))

    def moved(self, size: Float1D, begin: Float1D, x: Float2D) -> Float2D:
        return np.asarray(size * np.exp(x - begin))

    def fall(self, x: Float1D, row: int, amount: float) -> Float1D:
        return _fall(x, float(self.forward[row]), amount)


class _Coordinate:
    """Stretches in a chart: what has been paid is added to F again, so that the sum has F's mean."""

    def __init__(self, chart: Chart, times: Float1D) -> None:
        self.chart, self.growth = chart, np.asarray(chart.growth(times))

    def first(self, n: int) -> Float1D:
        return np.full(n, float(self.chart.to(self.chart.forward)))

    def size(self, begin: Float1D) -> Float1D:
        return np.asarray(self.chart.back(begin) / self.chart.forward)

    def moved(self, size: Float1D, begin: Float1D, x: Float2D) -> Float2D:
        return np.asarray(size + (self.chart.back(x) - self.chart.back(begin)) / self.chart.forward)

    def fall(self, x: Float1D, row: int, amount: float) -> Float1D:
        after = self.chart.to(self.chart.back(x) - amount * float(self.growth[row]))
        return np.asarray(np.minimum(np.maximum(after, self.chart.lowest), x))


def joined(motions: list[Motion]) -> Motion:
    """Stretches one after the other, their normals drawn in between each other as evenly as it goes."""
    parts, offset = [], 0
    for one in motions:
        parts.append((np.where(one.order > 0, one.order + offset, 0), one.weights))
        offset += one.n_rows
    rank = np.concatenate([(np.arange(one.n_rows) + 0.5) / one.n_rows for one in motions])
    by = np.argsort(rank, kind="stable")
    order, weights = (np.ascontiguousarray(np.concatenate([part[i] for part in parts])[by]) for i in (0, 1))
    return Motion(order=order, weights=weights, clock=motions[0].clock)


def _looked_at(logs: Logs, seen: Int1D) -> Logs:
    """The rows of the observations; what was met and what fell since the one before is summed."""
    if seen.size == logs.x.shape[0]:
        return logs
    starts = np.concatenate(([0], seen[:-1] + 1))

    def summed(rows: Any) -> Any:
        return None if rows is None else np.add.reduceat(np.asarray(rows)[: seen[-1] + 1], starts, axis=0)

    return Logs(
        x=logs.x[seen], variance=None if logs.variance is None else logs.variance[seen], exposed=summed(logs.exposed),
        jump=summed(logs.jump), martingale=None if logs.martingale is None else logs.martingale[seen],
    )  # fmt: skip


def ahead(snapshot: Snapshot, first: float, expiry: float) -> tuple[float, float, float]:
    """(D(first), growth, D(expiry)) for an option seen from a later day; refuses falls in between."""
    growth = float(snapshot.growth(expiry) / snapshot.growth(first))
    cash = snapshot.cash_dividends
    if cash is None:
        return 0.0, growth, 0.0
    if cash.model == "escrowed":
        return float(to_come(snapshot, first)), growth, float(to_come(snapshot, expiry))
    if between(snapshot, first, expiry)[0].size:
        raise NoEngineError(
            "Options on options by 'paths' must not meet cash dividends of model='jump' in the life of the option "
            "within. A model that 'pde' or 'adi' prices has them: BlackScholes, LocalVol, Heston."
        )
    return 0.0, growth, 0.0
