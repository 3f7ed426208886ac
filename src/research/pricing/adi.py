"""Finite differences in two dimensions: Heston, with or without leverage; Bates.

European, American, digital, barrier and touch contracts; with dates (Bermudan, looks on given days, structured notes)
as in `_dated` and `_dated_plane`.

Alternating directions (modified Craig-Sneyd, or Hundsdorfer and Verwer) after four damped half-steps, on a sinh grid in
log spot with nodes on strike and barrier and a sinh grid in variance that starts at 0. Time steps grow away from
expiry. A second march at half the points and steps gives the leading error, of order 2, which is taken off
(Richardson). Early exercise, a projection after each step, is of order 1 in time: a third march at half the points
alone tells the two errors apart, and both are taken off; what is left is less than with the multiplier of Ikonen and
Toivanen, which `splitting` takes. The stated error is the sum of what was taken off.

Bates' jumps are an explicit part of the scheme (`_jump_plane`), which takes at least 8 steps of the coarse grid for
each jump that is expected.

Without leverage and cash dividends the equation does not know the strike: options of one expiry and kind share a march.
European options go by puts and parity, knock-ins through what they lack of the European option. Cash dividends shift
the spot by cubic interpolation.

References
----------
In 't Hout, Foulon (2010); Ikonen, Toivanen (2004); Haentjens, In 't Hout (2015): see `research.core.pricing.adi`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from research.arrays import Float1D, Float2D, FloatND
from research.core._tasks import share
from research.core.pricing.adi import CRAIG_SNEYD, DAMPED, HUNDSDORFER_VERWER, adi_march
from research.errors import NoEngineError, NumericalError, require, require_all
from research.instruments import American
from research.market import Snapshot
from research.models.heston import Heston
from research.models.jumps import Bates
from research.pricing._dated_contracts import march_of, terms_of
from research.pricing._dated_march import after_cash
from research.pricing._dated_plane import plane, std_of
from research.pricing._escrow import LEVERAGED
from research.pricing._grid_models import unseen_drift
from research.pricing._grid_read import CAUTION, exercised, extrapolated, read_plane, variance_today, with_theta
from research.pricing._jump_plane import PlaneModel, drift_of_jumps, finer_steps, heston_of, jump_rows
from research.pricing._pde_grid import (
    FINE,
    STARTS,
    WIDTH,
    Dividends,
    calendar,
    check_dividends,
    left_by_cash,
    market_rows,
    nodes,
    time_steps,
    variance_nodes,
)
from research.pricing._pde_problem import Problem, has_dates, problems
from research.pricing.catalogue import Values

Scheme = Literal["craig-sneyd", "hundsdorfer-verwer"]
_SCHEMES = {"craig-sneyd": CRAIG_SNEYD, "hundsdorfer-verwer": HUNDSDORFER_VERWER}
Layout = tuple[PlaneModel, Snapshot] | None
_ROUNDING, _LEFT = 1e-10, 2e-6  # of spot; of a contract with dates, of its largest amount: what may be left
_POINTS, _STEPS = (100, 200), (50, 100)  # without and with dates
_CALM, _STEEPEST = 5.0, 15.0  # deviations of the variance over which its mean goes
_ALIKE = 0.9, 2.0  # a correlation from which on spot and variance are nearly one, and what it multiplies errors by
_LEAST = 1  # steps of the coarse grid between two days of a contract
_EARLY_GROWTH = 1.5  # power in which time steps grow from expiry, 2 for other options


def value(
    items: Sequence[Any],
    model: PlaneModel,
    snapshot: Snapshot,
    *,
    n_space: int | None = None,
    n_variance: int = 50,
    n_time: int | None = None,
    dividends: Dividends = (),
    scheme: Scheme = "craig-sneyd",
    splitting: bool = False,
) -> Values:
    """The engine's door for `pricing.price`.

    Parameters
    ----------
    n_space, n_variance, n_time : int, default 100, 50 and 50; 200, 50 and 100 for contracts that look on given days
        Points in log spot and variance, steps in time, at least 20, 12 and 10.
    dividends : sequence of (years, cash in price units)
        Paid whatever the spot is, beside the snapshot's dividend yield; those after expiry are left out.
    scheme : {"craig-sneyd", "hundsdorfer-verwer"}
    splitting : bool, default False
        Early exercise by the multiplier of Ikonen and Toivanen instead of a projection after each step.
    """
    found, error = solve(items, model, snapshot, n_space=n_space, n_variance=n_variance, n_time=n_time,
                         dividends=dividends, scheme=scheme, splitting=splitting)  # fmt: skip
    return Values(found[0], np.zeros_like(found[0]), error[0])


def solve(
    items: Sequence[Any],
    model: PlaneModel,
    snapshot: Snapshot,
    *,
    n_space: int | None = None,
    n_variance: int = 50,
    n_time: int | None = None,
    dividends: Dividends = (),
    scheme: Scheme = "craig-sneyd",
    splitting: bool = False,
    n_rows: int = 1,
    layout: Layout = None,
) -> tuple[Float2D, Float2D]:
    """Rows of `_grid_read.NAMES`, shape (n_rows, n), 1 or 5 of them, and the error of each.

    `layout` is a model and a market: the nodes are laid out for them, so that prices of bumped ones share a grid.
    """
    for name, given, least in (("n_space", n_space, 20), ("n_variance", n_variance, 12), ("n_time", n_time, 10)):
        require(given is None or given >= least, name, given, f"be at least {least}")
    require(scheme in _SCHEMES, "scheme", scheme, f"be one of {', '.join(_SCHEMES)}")
    check_dividends(dividends)
    if not isinstance(model, (Heston, Bates, *LEVERAGED)):
        raise NoEngineError("Bates by 'adi' must not meet escrowed cash dividends: take model='jump', or 'paths'.")
    heston, hint = heston_of(model), "Without it the variance is a function of time: use BlackScholes or LocalVol."
    require(heston.sigma > 0.0, "sigma", heston.sigma, "be > 0 for method='adi'", hint=hint)
    days = np.array([has_dates(item) for item in items])
    value, error = np.empty((n_rows, days.size)), np.empty((n_rows, days.size))
    for dated, at in ((False, np.flatnonzero(~days)), (True, np.flatnonzero(days))):
        if at.size == 0:
            continue
        these = [items[i] for i in at.tolist()]
        sizes = (n_space or _POINTS[dated]) // 2, n_variance // 2, (n_time or _STEPS[dated]) // 2
        run = _Run(model, snapshot, sizes, tuple(dividends), _SCHEMES[scheme], splitting, n_rows, layout)
        value[:, at], error[:, at] = (_by_dates if dated else _at_every_moment)(these, run)
        error[0, at] += left_by_cash(dividends, 2 * sizes[0])
    error[0] += _ROUNDING * snapshot.spot
    return value, error


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """What all contracts of a call share."""

    model: PlaneModel
    snapshot: Snapshot
    sizes: tuple[int, int, int]  # intervals of the coarse grid in space and variance, steps in time
    dividends: Dividends
    scheme: int
    splitting: bool
    n_rows: int
    layout: Layout

    def by_jumps(self, years: float) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
        """Sizes for a life of so many years, and those of a grid that only judges the other two."""
        space, variance, time = self.sizes
        more = finer_steps((self.layout or (self.model,))[0], years, time)
        return (space, variance, time * more), (space // 2, variance // 2, (time // 2) * more)

    @property
    def heston(self) -> Heston:
        return heston_of(self.model)

    def finished(self, cuts: FloatND, ends: Sequence[float]) -> list[Float2D]:
        """With theta, where it is asked for."""
        if self.n_rows == 1:
            return list(cuts)
        variance = np.array([variance_today(self.model, self.snapshot, years) for years in ends])
        return [with_theta(rows, variance, self.snapshot) for rows in cuts]


def _by_dates(items: Sequence[Any], run: _Run) -> tuple[Float2D, Float2D]:
    """Values and errors; contracts share the threads."""
    plans = [terms_of(item, run.snapshot) for item in items]
    spot, cuts = run.snapshot.spot, np.empty((3, 5, len(items)))

    def work(rows: slice) -> None:
        for i in range(rows.start, rows.stop):
            at = float(np.log(spot / plans[i].scale))
            whole, halves = run.by_jumps(float(plans[i].times[-1]))
            for row, (sizes, level) in enumerate(((whole, 2), (whole, 1), (halves, 1))):
                grid = plane(plans[i], run.model, run.snapshot, sizes, level, run.dividends, _LEAST, run.layout)
                values = march_of(items[i], plans[i], grid)[0]
                jump = jump_rows(grid.x, run.model)
                cuts[row, :, i] = read_plane(grid.x, grid.v, values, at, spot, run.model, plans[i].breaks, jump)

    share(len(items), work)
    every = run.finished(cuts[:, : max(run.n_rows, 1)], [float(plan.times[-1]) for plan in plans])
    _refuse_lost(every[0][0])
    value, error = extrapolated(*every)
    floor, sign = np.array([(plan.today(spot), plan.exercise) for plan in plans]).T
    ends = [float(plan.times[-1]) for plan in plans]
    error[0] = (error[0] + _LEFT * np.array([plan.size(spot) for plan in plans])) * _carried(run, ends)
    return exercised(value, floor, sign), error


def _at_every_moment(items: Sequence[Any], run: _Run) -> tuple[Float2D, Float2D]:
    """Values and errors; problems that are one in units of their scales share a march."""
    tau = np.array([item.years(run.snapshot.as_of) for item in items])
    require_all(tau > 0.0, "tau", tau, "be > 0 years for method='adi'")
    has_cash = bool(run.dividends)
    marches = _marches(list(problems(items, run.snapshot, has_cash)), tau, run, has_cash)
    early = isinstance(items[0], American)
    # grid (0: that of `sizes`, 1: its half), level, cut of the steps
    cuts = [(0, 2, 2), (0, 1, 2 if early else 1), (1, 1, 2 if early else 1)]
    cuts += [(0, 1, 1), (1, 1, 1)] if early else []  # cut in time alone
    found: list[Any] = [None] * len(marches)

    def work(rows: slice) -> None:
        for i in range(rows.start, rows.stop):
            found[i] = [marches[i].solve(run, *cut) for cut in cuts]

    share(len(marches), work)
    total = np.zeros((len(cuts), run.n_rows, tau.size))
    for march, values in zip(marches, found):
        for position, problem in enumerate(march.problems):
            part = np.array([rows[position] for rows in values])
            total[:, :, problem.position] += problem.share(part, march.years, run.snapshot)
    _refuse_lost(total[:, 0])
    every = run.finished(total, tau.tolist())
    value, error = extrapolated(*every[:3])  # in space, and in time where both are of order 2
    if early:
        in_time = every[1] - every[3]
        left = np.maximum(np.abs(in_time), np.abs(in_time - (every[2] - every[4])))
        value, error = value + in_time, error + left * CAUTION[: run.n_rows, None]
    error[0] *= _carried(run, tau.tolist())
    return value, error


def _carried(run: _Run, ends: Sequence[float]) -> Float1D:
    """What errors are multiplied by where drifts of the price or of the variance carry values over many deviations."""
    heston, out = run.heston, np.empty(len(ends))
    for i, years in enumerate(ends):
        gone = 1.0 - float(np.exp(-heston.kappa * years))
        wide = heston.sigma * float(np.sqrt(0.5 * (heston.v0 + heston.theta) * gone / max(2.0 * heston.kappa, 1e-9)))
        steep = abs(heston.theta - heston.v0) * gone / max(wide, 1e-12)
        std = std_of(run.model, years)[0]
        out[i] = unseen_drift(std, years, run.snapshot) * min(max(steep - _CALM, 1.0), _STEEPEST)
        out[i] *= _ALIKE[1] if heston.rho > _ALIKE[0] else 1.0
    return out


def _refuse_lost(values: FloatND) -> None:
    lost = ~np.isfinite(np.atleast_2d(values)).all(axis=0)
    if lost.any():
        raise NumericalError(f"the march must stay finite; got {lost.sum()} of {lost.size} values that are not.")


@dataclass(frozen=True, slots=True, eq=False)
class _March:
    """Problems that are one in units of their scales."""

    problems: list[Problem]
    years: float
    at: Float1D  # log(spot / scale) of each

    def solve(self, run: _Run, which: int, level: int, faster: int) -> Float2D:
        """Readings of each problem, shape (problems, 5) or the values alone, (problems, 1)."""
        sizes = run.by_jumps(self.years)[which]
        first, heston, snapshot = self.problems[0], run.heston, run.snapshot
        scale, unit, leveraged = first.scale, first.unit, isinstance(run.model, LEVERAGED)
        x, v = self._nodes(run, sizes, level)
        growth = _EARLY_GROWTH if first.early else 2.0
        dt, cash = time_steps(self.years, sizes[2], run.dividends, faster, growth, leveraged)
        market, lever = market_rows(self.years, dt, snapshot), self._leverage(run, x, scale, dt)
        market[dt.size :] -= drift_of_jumps(run.model)
        if not first.discounted:
            market[: dt.size] = 0.0
        value, pays, edges = first.pay_off(x, True)
        value, pays, edges[1], edges[3] = value / unit, pays / unit, edges[1] / unit, edges[3] / unit
        edges[4] = (1.0 if run.splitting else 2.0) if first.early else 0.0
        u = np.repeat(value[:, None], v.size, axis=1)
        codes = np.where(np.arange(dt.size) < STARTS, DAMPED, run.scheme).astype(np.int64)
        five = np.array([heston.kappa, heston.theta, heston.sigma, heston.rho, 0.0])
        jump = jump_rows(x, run.model, (bool(edges[0] > 0.0), bool(edges[2] > 0.0)))
        stops = np.flatnonzero(cash > 0.0) + 1
        for start, stop in pairwise([0, *stops, dt.size] if dt.size not in stops else [0, *stops]):
            rates = np.concatenate([market[start:stop], market[dt.size + start : dt.size + stop]])
            rows = lever[start:stop] if lever.shape[0] > 1 else lever
            push = np.zeros_like(u)
            adi_march(x, v, dt[start:stop], codes[start:stop], rates, rows, five, pays, edges, jump, push, u)
            if stop < dt.size or cash[-1] > 0.0:
                u = after_cash(x, u.T, cash[stop - 1] / scale, edges[0] > 0.0).T
                u = np.ascontiguousarray(np.maximum(u, pays[:, None]))
        units = np.array([p.unit for p in self.problems])
        values: Float2D = (units * _read(v, _read(x, u, self.at).T, np.array([heston.v0]))[0])[:, None]
        if run.n_rows == 1:
            return values
        read = [p.unit * read_plane(x, v, u.T, float(at), snapshot.spot, run.model, jump=jump)
                for p, at in zip(self.problems, self.at)]  # fmt: skip
        return np.column_stack([values, np.array(read)[:, 1:]])

    def _nodes(self, run: _Run, sizes: tuple[int, int, int], level: int) -> tuple[Float1D, Float1D]:
        of, there = run.layout or (run.model, run.snapshot)
        std, below, above = std_of(of, self.years)
        at = self.at + np.log(there.spot / run.snapshot.spot)
        low, high, beside = self.problems[0].range(float(at.min()), float(at.max()), WIDTH * below, WIDTH * above)
        x = nodes(low, high, 0.0, FINE * min(std, high - low), sizes[0], level, beside)
        return x, variance_nodes(heston_of(of), self.years, sizes[1], level)

    def _leverage(self, run: _Run, x: Float1D, scale: float, dt: Float1D) -> Float2D:
        """L^2 of each step, from expiry back."""
        if not isinstance(run.model, LEVERAGED):
            return np.ones((1, x.size))
        times = calendar(self.years, dt)
        forward = run.snapshot.forward(0.5 * (times[1:] + times[:-1]))
        rows = run.model.leverage.variance_rows(times, x[None, :] - np.log(forward / scale)[:, None])
        return np.ascontiguousarray(rows[::-1])


def _marches(parts: list[Problem], tau: Float1D, run: _Run, has_cash: bool) -> list[_March]:
    """Problems grouped by what they are in units of the scale; each for itself where the scale matters."""
    alone = has_cash or isinstance(run.model, LEVERAGED)
    groups: dict[Any, list[Problem]] = {}
    for i, p in enumerate(parts):
        ends, hits = tuple(end / p.scale for end in p.ends), tuple(hit / p.unit for hit in p.hits)
        key = (float(tau[p.position]), p.pays, p.early, p.sign, ends, hits, p.discounted)
        groups.setdefault((key, i if alone else -1), []).append(p)
    return [
        _March(members, key[0], np.log(run.snapshot.spot / np.array([p.scale for p in members])))
        for (key, _), members in groups.items()
    ]


def _read(x: Float1D, u: Float2D, at: Float1D) -> Float2D:
    """Cubic interpolation along the first axis of u (n, k) at some points (p,), shape (p, k); end values outside."""
    point = np.clip(at, x[0], x[-1])
    start = np.clip(np.searchsorted(x, point, side="right") - 2, 0, x.size - 4)
    near = x[start[:, None] + np.arange(4)]
    out = np.zeros((at.size, u.shape[1]))
    for i in range(4):
        others = [j for j in range(4) if j != i]
        weight = np.prod([(point - near[:, j]) / (near[:, i] - near[:, j]) for j in others], axis=0)
        out += weight[:, None] * u[start + i]
    return out
