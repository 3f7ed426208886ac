"""Finite differences under Bachelier's model, on grids in the price itself, which may be negative.

    dS = (r - q) S dt + sigma / growth dW,    growth = what one S today's forward for the contract's end is, over S's

so that the forward for the contract's own end is normal with the model's volatility, as its European options say. Cash
dividends are falls by the amount, of a price of any sign; since the variance does not ask where the price is, a stock
whose cash is escrowed moves just so, and both kinds are one. The
contracts, their dates and levels are those of `_pde_problem` and `_dated_contracts`; nodes and steps those of `pde`,
with x = S / scale - 1 in place of the logarithm. `pde.solve` sends this model here.

References
----------
Bachelier (1900), "Theorie de la speculation"; Rannacher (1984) and Alexander (1977) as in `pde` and `_dated_march`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from research.arrays import Float1D, Float2D
from research.core.pricing.line import line_values
from research.errors import NoEngineError, require, require_all
from research.instruments import American, DoubleTouch, Touch
from research.market import Snapshot
from research.models import Bachelier
from research.pricing._dated import Dated
from research.pricing._dated_contracts import march_of, terms_of
from research.pricing._dated_march import STAGES, Stretches, after_cash, stages, stretches
from research.pricing._grid_read import exercised, extrapolated, rates_today
from research.pricing._pde_grid import (
    FINE,
    STARTS,
    WIDTH,
    Dividends,
    calendar,
    check_dividends,
    left_by_cash,
    market_rows,
    near,
    nodes,
    pinned_nodes,
    steps_between,
    time_steps,
)
from research.pricing._pde_problem import Problem, has_dates, may_exercise_anywhere, problems

Layout = tuple[Any, Snapshot] | None
_ROUNDING, _LEFT = 1e-12, 5e-7  # of the standard deviation; of a contract with dates, of its largest amount
_LEAST = 2  # full steps of the coarse grid between two days of a contract
_CALM = 2  # steps of the coarse grid that damp before Greeks are read
_CUTS = ((2, 2), (2, 1), (4, 1))  # as in `pde`: the fine grid, half of it, a quarter
_CAUTION = 2.0  # of the stated error; three times that where a hit pays at once, a jump in the corner of the grid
_FAR = 10.0  # standard deviations beyond which a level does not matter
_ALL = slice(None)


def step_variance(model: Bachelier, snapshot: Snapshot, times: Float1D, end: float) -> Float1D:
    """Mean variance of S, price units^2 a year, of each step between increasing times; the contract ends at `end`."""
    middle = 0.5 * (times[1:] + times[:-1])
    growth = float(snapshot.growth(end)) / np.asarray(snapshot.growth(middle))
    return np.asarray((model.sigma / growth) ** 2)


def _std(model: Bachelier, snapshot: Snapshot, end: float) -> float:
    growth = float(snapshot.growth(end))
    return model.sigma * float(np.sqrt(end)) * max(1.0, 1.0 / growth)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Line:
    """A grid that goes from stop to stop of a contract's dates."""

    x: Float1D
    plan: Stretches
    scale: float
    df: float
    moves: tuple[tuple[Float1D, Float1D, Float1D, Float1D], ...]  # of a stretch: dt, theta, market, variance
    straight: bool = True  # x is the price over the scale, less 1

    @property
    def ahead(self) -> Float1D:
        """The grid stands: it is nowhere ahead of the price."""
        return np.zeros(self.plan.stops.size)

    def start(self, values: Float2D) -> Float2D:
        """Values at the end, on this grid's nodes."""
        return values

    def back(self, values: Float2D, i: int, edges: Float1D | None = None, part: slice = _ALL) -> Float2D:
        """Values, shape (layers, n), at stop i, from those at stop i + 1."""
        dt, theta, market, variance = self.moves[i]
        x, v = np.ascontiguousarray(self.x[part]), np.array(values, order="C")
        held = np.zeros(5) if edges is None else edges.copy()
        line_values(x, dt, theta, market, variance, held, np.full(x.size, -np.inf), v)
        return v


def _line(
    dated: Dated, model: Bachelier, snapshot: Snapshot, n: int, m: int, level: int, least: int, dividends: Dividends,
    layout: Layout,
) -> _Line:  # fmt: skip
    end, scale = float(dated.times[-1]), dated.scale
    of, there = layout or (model, snapshot)
    std, at = _std(of, there, end) / scale, dated.place(there.spot)
    ends = np.array([at, dated.place(float(there.forward(end))), at - _paid_in_all(dividends, end) / scale])
    pins = np.array([dated.place(one) for one in dated.levels().tolist()])
    pins = pins[(pins > ends.min() - _FAR * std) & (pins < ends.max() + _FAR * std)]
    low, high = min(ends.min(), *pins, np.inf), max(ends.max(), *pins, -np.inf)
    x = pinned_nodes(low - WIDTH * std, high + WIDTH * std, pins.tolist(), at, FINE * std, n, level)
    plan = stretches(dated.times, dividends, m, level, least)
    moves = []
    for times in plan.times:
        every, theta = stages(times)
        dt = np.diff(every)
        market = steps_between(every[:-1], every[1:], dt, snapshot).reshape(2, -1)[:, ::-1].ravel()
        variance = step_variance(model, snapshot, every, end)[::-1] / scale**2
        moves.append((dt[::-1].copy(), theta, market, variance.copy()))
    return _Line(x=x, plan=plan, scale=scale, df=float(snapshot.discount.df(end)), moves=tuple(moves))


def _read(x: Float1D, v: Float1D, at: float, scale: float) -> Float1D:
    """Value, delta, gamma, speed, and 0."""
    here, weights = near(x, at)
    return np.append((weights @ v[here]) / scale ** np.arange(4.0), 0.0)


def _with_theta(found: Float2D, model: Bachelier, snapshot: Snapshot, ends: Float1D) -> Float2D:
    """The last row by the equation that the grid solves."""
    rate, carry = rates_today(snapshot)
    out = found.copy()
    growth = np.asarray(snapshot.growth(ends))
    out[4] = rate * found[0] - carry * snapshot.spot * found[1] - 0.5 * (model.sigma / growth) ** 2 * found[2]
    return out


def solve(
    items: Sequence[Any], model: Bachelier, snapshot: Snapshot, sizes: tuple[tuple[int, int], tuple[int, int]],
    dividends: Dividends, n_rows: int, layout: Layout,
) -> tuple[Float2D, Float2D]:  # fmt: skip
    """As `pde.solve`; sizes: (n_space, n_time) without dates and with them."""
    require(model.sigma > 0.0, "sigma", model.sigma, "be > 0 for method='pde'", hint="Use the analytic engine.")
    check_dividends(dividends)
    value, error = np.empty((n_rows, len(items))), np.empty((n_rows, len(items)))
    for i, item in enumerate(items):
        find = _by_dates if has_dates(item) else _at_every_moment
        value[:, i : i + 1], error[:, i : i + 1] = find(
            item, model, snapshot, sizes[int(has_dates(item))], dividends, n_rows, layout
        )
        error[0, i] += left_by_cash(dividends, sizes[int(has_dates(item))][0])
    return value, error


def _paid_in_all(dividends: Dividends, end: float) -> float:
    return float(sum(amount for when, amount in dividends if when < end))


def _by_dates(
    item: Any, model: Bachelier, snapshot: Snapshot, sizes: tuple[int, int], dividends: Dividends, n_rows: int,
    layout: Layout,
) -> tuple[Float2D, Float2D]:  # fmt: skip
    plan = replace(terms_of(item, snapshot), straight=True)
    end, grids = plan.times[-1:], []
    for base, level in _CUTS:
        parts = (sizes[0] // base, sizes[1] // (2 * base), level, 2 * _LEAST // base)
        grid = _line(plan, model, snapshot, *parts, dividends, layout)
        found = _read(grid.x, march_of(item, plan, grid)[0], plan.place(snapshot.spot), plan.scale)
        grids.append(_with_theta(found[:, None], model, snapshot, end)[:n_rows])
    value, error = extrapolated(*grids)
    error[0] += _LEFT * plan.size(snapshot.spot)
    return exercised(value, np.array([plan.today(snapshot.spot)]), np.array([plan.exercise])), error


def _at_every_moment(
    item: Any, model: Bachelier, snapshot: Snapshot, sizes: tuple[int, int], dividends: Dividends, n_rows: int,
    layout: Layout,
) -> tuple[Float2D, Float2D]:  # fmt: skip
    years = float(item.years(snapshot.as_of))
    require_all(np.array([years]) > 0.0, "tau", np.array([years]), "be > 0 years for method='pde'")
    parts = list(problems([item], snapshot, bool(dividends)))
    hint = "Use the analytic engine."
    least = min(p.scale for p in parts)
    require(least > 0.0, "strike", least, "be > 0 for a grid", hint=hint, error=NoEngineError)
    anywhere = may_exercise_anywhere(snapshot)
    grids = []
    for base, level in _CUTS:
        total = np.zeros(5)
        for p in parts:
            found = _solved(
                p,
                years,
                model,
                snapshot,
                sizes[0] // base,
                sizes[1] // base,
                level,
                anywhere,
                dividends,
                n_rows,
                layout,
            )
            total += p.share(found, years, snapshot)
        grids.append(_with_theta(total[:, None], model, snapshot, np.array([years]))[:n_rows])
    value, error = extrapolated(*grids)
    if isinstance(item, American) and anywhere:  # of order 1 in time
        value, error = grids[0], 3.0 * error
    error *= _CAUTION * (3.0 if isinstance(item, (Touch, DoubleTouch)) else 1.0)
    error[0] += _ROUNDING * (abs(snapshot.spot) + _std(model, snapshot, years))
    return value, error


def _solved(
    p: Problem, years: float, model: Bachelier, snapshot: Snapshot, n: int, m: int, level: int, anywhere: bool,
    dividends: Dividends, n_rows: int, layout: Layout,
) -> Float1D:  # fmt: skip
    """Value and derivatives by the spot of one problem on one grid."""
    of, there = layout or (model, snapshot)
    std, at = _std(of, there, years) / p.scale, snapshot.spot / p.scale - 1.0
    first = there.spot / p.scale - 1.0
    last = float(there.forward(years)) / p.scale - 1.0
    least = min(first, last, first - _paid_in_all(dividends, years) / p.scale)
    low, high, beside = p.range(least, max(first, last), WIDTH * std, WIDTH * std, straight=True)
    x = nodes(low, high, 0.0, FINE * min(std, high - low), n, level, [*beside, first])
    dt, cash = time_steps(years, m, dividends, level)
    theta = np.where(np.arange(dt.size) < STARTS, 1.0, 0.5)
    calm = _CALM * level if n_rows > 1 else 0
    if calm:
        kept = dt.size - calm
        dt = np.concatenate([dt[:kept], (dt[kept:, None] * STAGES[0]).ravel()])
        cash = np.concatenate([cash[:kept], np.column_stack((np.zeros(calm), cash[kept:])).ravel()])
        theta = np.concatenate([theta[:kept], np.tile(STAGES[1], calm)])
    market = market_rows(years, dt, snapshot)
    if not p.discounted:
        market[: dt.size] = 0.0
    variance = step_variance(model, snapshot, calendar(years, dt), years)[::-1] / p.scale**2
    v, pays, edges = p.pay_off(x, anywhere, straight=True)
    values = v[None].copy()
    stops = [0, *(np.flatnonzero(cash[:-1]) + 1).tolist(), dt.size]
    for k, stop in pairwise(stops):
        here = slice(k, stop)
        between = np.concatenate((market[: dt.size][here], market[dt.size :][here]))
        line_values(x, dt[here].copy(), theta[here].copy(), between, variance[here].copy(), edges, pays, values)
        if cash[stop - 1] > 0.0:
            fallen = after_cash(x, values, cash[stop - 1] / p.scale, edges[0] > 0.0, straight=True)
            values = np.ascontiguousarray(np.maximum(fallen, pays))  # on the eve it may be exercised
    return _read(x, values[0], at, p.scale)
