"""Finite differences in one dimension: under Black-Scholes, a vol by expiry or a local vol, with curves and cash.

European, American, digital, barrier and touch contracts; with dates (Bermudan, looks on given days, structured notes)
as in `_dated` and `_dated_march`. Bachelier's model has grids in the price itself: `normal_grid`.

Crank-Nicolson with four implicit half-steps at the start (Rannacher), time steps that grow away from expiry, a sinh
grid in log spot that is finest at strike and barrier, with nodes on both; early exercise by Brennan and Schwartz. Each
step takes the mean of the local variance over its time. The error falls with the square of both steps, so a second
grid of half the points and steps gives the leading term, which is taken off (Richardson); the stated error is that
term, and what is left is far less (tests/pricing/test_pde.py measures both). Of early exercise it is the distance of
extrapolated values, three of them (`_left`): in 800 random markets never below the distance to collocation, and where
that is over 1e-6 of the strike 13 times it at the median, about 30 times beyond 2 deviations.

Where a rate or yield is negative an American option may have two exercise boundaries: there the splitting of Ikonen
and Toivanen is taken, of order 1 in time, nothing is taken off and the stated error is the distance of the two grids.

References
----------
Rannacher (1984); Ikonen, Toivanen (2004); Tavella, Randall (2000): see `research.core.pricing.pde`.
Forsyth, Vetzal (2002), "Quadratic convergence for valuing American options using a penalty method", SIAM J. Sci.
Comput. 23 (time steps that grow).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from research.arrays import Float1D, Float2D, reshape, vectors
from research.core.pricing.pde import pde_values
from research.errors import NumericalError, require, require_all
from research.instruments import American, Digital, European
from research.market import Snapshot
from research.models import Bachelier
from research.models.local_vol import LocalVol
from research.pricing._dated_contracts import march_of, terms_of
from research.pricing._dated_march import STAGES, line
from research.pricing._escrow import base_of
from research.pricing._grid_models import (
    GridModel,
    check_model,
    drift,
    hangs_on_time,
    refinement,
    spreads,
    unseen_drift,
    variance_on_grid,
)
from research.pricing._grid_read import exercised, extrapolated, read_line, variance_today, with_theta
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
)
from research.pricing._pde_problem import has_dates, highest_boundary, may_exercise_anywhere, never_exercised, problems
from research.pricing.catalogue import Values

Layout = tuple[GridModel, Snapshot] | None
_ROUNDING, _LEFT = 1e-11, 5e-7  # of spot; of a contract with dates, of its largest amount: what may be left
_POINTS, _STEPS = (200, 400), (100, 200)  # without and with dates
# of half the variance: where it is more, what grows with the spot is worth most far above the rest
_TAIL, _MOST = 2.0, 12.0
_CALM = 2  # steps of the coarse grid that damp before Greeks are read
_KNEE = 1.0  # in the logarithm: an exercise boundary is no farther than that from the strike, whatever the deviation
_WIDE = 2.0, 4.0  # deviations from which on a call outgrows its grid, and a boundary may lie between coarse nodes
_CROSSED = 2e-5  # of the strike, at 200 points: where the leading term passes through 0 it says nothing of the rest
_CUTS = (
    (2, 2),
    (2, 1),
    (4, 1),
)  # the fine grid, half of it, a quarter: points are cut by the first, steps by the second
_ROUGHEST = (8, 1)  # an eighth, for options that may be exercised early
# of the third extrapolated value's distance, and of a third of the leading term: outside and in the money
_ACCIDENT, _KEPT, _LITTLE = 1.0 / 8.0, (0.1, 1.5), 0.1
_LEAST = 2  # full steps of the coarse grid between two days of a contract


def value(
    items: Sequence[Any],
    model: GridModel,
    snapshot: Snapshot,
    *,
    n_space: int | None = None,
    n_time: int | None = None,
    dividends: Dividends = (),
) -> Values:
    """The engine's door for `pricing.price`.

    Parameters
    ----------
    n_space, n_time : int, default 200 and 100, twice that for contracts that look at the price on given days
        Points in space and steps in time, at least 20 and 10; between two days of a contract there are always some.
    dividends : sequence of (years, cash in price units)
        Paid whatever the spot is, beside the snapshot's dividend yield; those after expiry are left out.
    """
    found, error = solve(items, model, snapshot, n_space=n_space, n_time=n_time, dividends=dividends)
    return Values(found[0], np.zeros_like(found[0]), error[0])


def solve(
    items: Sequence[Any],
    model: GridModel,
    snapshot: Snapshot,
    *,
    n_space: int | None = None,
    n_time: int | None = None,
    dividends: Dividends = (),
    n_rows: int = 1,
    layout: Layout = None,
) -> tuple[Float2D, Float2D]:
    """Rows of `_grid_read.NAMES`, shape (n_rows, n), 1 or 5 of them, and the error of each.

    `layout` is a model and a market: the nodes are laid out for them, so that prices of bumped ones share a grid.
    """
    require(n_space is None or n_space >= 20, "n_space", n_space, "be at least 20")
    require(n_time is None or n_time >= 10, "n_time", n_time, "be at least 10")
    check_dividends(dividends)
    if isinstance(model, Bachelier):
        from research.pricing import normal_grid

        sizes = tuple((n_space or _POINTS[dated], n_time or _STEPS[dated]) for dated in (False, True))
        return normal_grid.solve(items, model, snapshot, (sizes[0], sizes[1]), dividends, n_rows, layout)
    days = np.array([has_dates(item) for item in items])
    value, error = np.empty((n_rows, days.size)), np.empty((n_rows, days.size))
    for dated, at in ((False, np.flatnonzero(~days)), (True, np.flatnonzero(days))):
        if at.size:
            these = [items[i] for i in at.tolist()]
            found = _by_dates if dated else _at_every_moment
            sizes = (n_space or _POINTS[dated], n_time or _STEPS[dated])
            value[:, at], error[:, at] = found(these, model, snapshot, *sizes, dividends, n_rows, layout)
            error[0, at] += left_by_cash(dividends, sizes[0])
    if not np.isfinite(value[0]).all():
        raise NumericalError(
            f"value must be finite; got nan for {model!r}: its law reaches too near to 0 for a grid in logarithms."
        )
    return value, error


def _by_dates(
    items: Sequence[Any], model: GridModel, snapshot: Snapshot, n_space: int, n_time: int, dividends: Dividends,
    n_rows: int, layout: Layout,
) -> tuple[Float2D, Float2D]:  # fmt: skip
    """Values and errors, one contract after the other."""
    grids, variance = np.empty((3, 5, len(items))), np.empty(len(items))
    floor, size, sign, carried = np.empty((4, len(items)))
    for i, item in enumerate(items):
        plan = terms_of(item, snapshot)
        end = float(plan.times[-1])
        check_model(model, end, snapshot)
        for row, (base, level) in enumerate(_CUTS):
            sizes = (n_space // base, n_time // (2 * base), level)
            grid = line(plan, model, snapshot, *sizes, dividends, 2 * _LEAST // base, layout)
            grids[row, :, i] = read_line(grid.x, march_of(item, plan, grid)[0], grid.at, snapshot.spot, plan.breaks)
        floor[i], size[i], sign[i] = plan.today(snapshot.spot), plan.size(snapshot.spot), plan.exercise
        variance[i] = variance_today(model, snapshot, end)
        carried[i] = 1.0 if plan.free else unseen_drift(spreads(model, end, snapshot)[0], end, snapshot)
    value, error = extrapolated(*(with_theta(rows, variance, snapshot)[:n_rows] for rows in grids))
    error[0] = (error[0] + _LEFT * size) * carried
    return exercised(value, floor, sign), error


def _at_every_moment(
    items: Sequence[Any], model: GridModel, snapshot: Snapshot, n_space: int, n_time: int, dividends: Dividends,
    n_rows: int, layout: Layout,
) -> tuple[Float2D, Float2D]:  # fmt: skip
    """Values and errors, all in a few calls of the kernel."""
    tau = np.array([item.years(snapshot.as_of) for item in items])
    require_all(tau > 0.0, "tau", tau, "be > 0 years for method='pde'")
    for years in np.unique(tau).tolist():
        check_model(model, years, snapshot)
    finer, carried, (of, there) = np.ones(tau.size, dtype=int), np.ones(tau.size), layout or (model, snapshot)
    wide = np.array([spreads(of, years, there) for years in tau.tolist()])
    if dividends or type(items[0]) not in (European, Digital):  # these move with the forward
        finer[:] = [refinement(s, years, there) for s, years in zip(wide[:, 0].tolist(), tau.tolist())]
        carried[:] = [unseen_drift(s, years, there) for s, years in zip(wide[:, 0].tolist(), tau.tolist())]
    early = isinstance(items[0], American)
    cuts = _cuts(early, n_space, n_time)
    grids = np.empty((len(cuts), n_rows, tau.size))
    for times in np.unique(finer).tolist():
        at = np.flatnonzero(finer == times)
        these, (n, m) = [items[i] for i in at.tolist()], (n_space * times, n_time * times)
        for row, (base, level) in enumerate(cuts):
            grids[row][:, at] = _solve(these, tau[at], model, snapshot, n // base, m // base, dividends, level, n_rows,
                                       layout, wide[at])  # fmt: skip
    if n_rows > 1:
        variance = np.array([variance_today(model, snapshot, years) for years in tau.tolist()])
        grids = np.array([with_theta(rows, variance, snapshot) for rows in grids])
    value, error = extrapolated(*grids[: len(_CUTS)])
    if early and may_exercise_anywhere(snapshot):  # of order 1 in time
        value, error = grids[0], 1.5 * error
    elif early:
        strike, sign = np.array([(item.strike, 1.0 if item.is_call else -1.0) for item in items]).T
        error[0] = _left(grids[:, 0], sign * (snapshot.spot - strike), strike * np.minimum(wide[:, 0], 1.0))
    if early and not dividends and base_of(model) is model:  # no cash is paid
        _widened(value, error, grids, items, tau, wide[:, 0], model, snapshot, (n_space, n_time), layout)
    error[0] = error[0] * carried + _ROUNDING * snapshot.spot
    return value, error


def _cuts(early: bool, n_space: int, n_time: int) -> tuple[tuple[int, int], ...]:
    """Grids of a call; a fourth where early exercise makes errors jump about and it is not too small to say a thing."""
    base = _ROUGHEST[0]
    return (*_CUTS, _ROUGHEST) if early and n_space >= 4 * base and n_time >= 2 * base else _CUTS


def _left(grids: Float2D, gain: Float1D, size: Float1D) -> Float1D:
    """What extrapolated values of early exercise leave: the distance of two of them, from grids of rows.

    The boundary lies anywhere between two nodes, so errors jump about an order of 2: the distance may be next to
    nothing by accident, which a third extrapolated value shows. Deep in the money, near the boundary, all three may be
    off alike, as the jump is of the same side on every grid: there a part of the leading term is kept. `gain` is what
    exercise pays today, `size` the strike times a deviation of the spot: what little more an option is worth is small
    against.
    """
    third = (grids[:-1] - grids[1:]) / 3.0
    best = grids[:-1] + third
    far = np.abs(np.diff(best, axis=0))
    out = np.maximum(far[0], _ACCIDENT * far[-1] if far.shape[0] > 1 else 0.0)
    deep = (gain > 0.0) & (best[0] - gain < _LITTLE * size)
    part = np.where(deep, _KEPT[1], _KEPT[0])
    left: Float1D = np.maximum(out, part * np.abs(third[0]))
    return left


def _widened(
    value: Float2D, error: Float2D, grids: Any, items: Sequence[Any], tau: Float1D, std: Float1D, model: GridModel,
    snapshot: Snapshot, sizes: tuple[int, int], layout: Layout,
) -> None:  # fmt: skip
    """What a grid of many deviations leaves out of options that may be exercised early: changed in place.

    A call is worth much where the grid has ended: it is the European one where it never pays to exercise, and else at
    least that.
    """
    strike, n = np.array([item.strike for item in items]), sizes[0]
    error[0] += np.where(std > _WIDE[0], _CROSSED * strike * (200.0 / n) ** 2, 0.0)
    wide = std > _WIDE[1]
    error[:, wide] = (error + np.abs(grids[1] - grids[2]) / 12.0)[:, wide] * (std[wide] / _WIDE[1])
    at = np.flatnonzero([item.is_call and s > _WIDE[0] for item, s in zip(items, std)])
    if at.size == 0:
        return
    plain = [European(strike=items[i].strike, tau=float(tau[i])) for i in at.tolist()]
    whole, off = _at_every_moment(plain, model, snapshot, *sizes, (), value.shape[0], layout)
    lost = whole[0] - value[0, at]
    for j, i in enumerate(at.tolist()):
        if never_exercised(snapshot):
            value[:, i], error[:, i] = whole[:, j], off[:, j]
        elif lost[j] > 0.0:
            value[:, i], error[0, i] = whole[:, j], error[0, i] + off[0, j] + lost[j]


def price_with_error(
    spot: ArrayLike,
    strike: ArrayLike,
    tau: ArrayLike,
    vol: ArrayLike,
    *,
    rate: ArrayLike = 0.0,
    dividend_yield: ArrayLike = 0.0,
    is_call: ArrayLike = False,
    american: bool = True,
    n_space: int = 200,
    n_time: int = 100,
) -> tuple[Any, Any]:
    """Present values of American or European options with one rate and yield each, >= 0, and the error of each.

    All arguments broadcast together; rate and dividend_yield are 1/year, continuously compounded. The whole batch is
    one call of the kernel.

    Returns
    -------
    (value, error) : float or ndarray of the broadcast shape, price units
    """
    require(n_space >= 20, "n_space", n_space, "be at least 20")
    require(n_time >= 10, "n_time", n_time, "be at least 10")
    flags = np.asarray(is_call)
    require(flags.dtype == bool, "is_call", flags.dtype, "be bool")
    (s, k, t, v, r, q, call), shape = vectors(spot, strike, tau, vol, rate, dividend_yield, flags)
    for name, given in (("spot", s), ("strike", k), ("tau", t), ("vol", v)):
        require_all((given > 0.0) & np.isfinite(given), name, given, "be finite and > 0")
    for name, given in (("rate", r), ("dividend_yield", q)):
        require_all((given >= 0.0) & np.isfinite(given), name, given, "be finite and >= 0 here",
                    hint="With a snapshot, pricing.price(..., method='pde') takes rates of any sign.")  # fmt: skip
    sign = np.where(call > 0.5, 1.0, -1.0)
    grids = (_batch(s, k, t, v, r, q, sign, american, n_space // base, n_time // base, level) for base, level in _CUTS)
    value, error = extrapolated(*(grid[None] for grid in grids))
    return reshape(value[0], shape), reshape(error[0] + _ROUNDING * np.maximum(s, k), shape)


def _batch(
    s: Float1D, k: Float1D, t: Float1D, v: Float1D, r: Float1D, q: Float1D, sign: Float1D, american: bool,
    n: int, m: int, level: int,
) -> Float1D:  # fmt: skip
    """One grid an option, all of one size; the nodes are those of `_pde_grid.nodes`, all rows at once."""
    at, std = np.log(s / k), v * np.sqrt(t)
    start = np.arcsinh((np.minimum(at, 0.0) / std - WIDTH) / FINE)
    end = np.arcsinh((np.maximum(at, 0.0) / std + WIDTH) / FINE)
    first = np.clip(np.rint(-start / (end - start) * n), 1, n - 1)
    n, first = n * level, first * level
    place = np.arange(n + 1) - first[:, None]
    x = (FINE * std)[:, None] * np.sinh(
        np.where(place < 0, (-start / first)[:, None], (end / (n - first))[:, None]) * place
    )
    gain = (sign * k)[:, None] * (np.exp(x) - 1.0)
    steps, one = m * level + STARTS - 2, time_steps(1.0, m, (), level)[0]
    market = np.empty((s.size, 2 * steps))
    market[:, :steps], market[:, steps:] = r[:, None], (r - q)[:, None]
    edges = np.zeros((s.size, 5))
    edges[:, 4] = sign if american else 0.0
    pays = gain if american else np.full_like(gain, -np.inf)
    theta = np.where(np.arange(steps) < STARTS, 1.0, 0.5)
    out = np.empty(s.size)
    dt = t[:, None] * one
    variance = np.repeat((v * v)[:, None, None], n + 1, axis=2)
    pde_values(x, dt, theta, market, variance, np.zeros_like(dt), k, edges, pays, np.maximum(gain, 0.0), at, out)
    return out


def _solve(
    items: Sequence[Any], tau: Float1D, model: GridModel, snapshot: Snapshot, n: int, m: int,
    dividends: Dividends, level: int, n_rows: int = 1, layout: Layout = None, wide: Float2D | None = None,
) -> Float2D:  # fmt: skip
    """Values on grids of n x m, each step cut into `level`, by one call of the kernel; shape (n_rows, n).

    wide, shape (n, 3): `spreads` of each contract, where they are known.
    """
    of, there = layout or (model, snapshot)
    first = np.log(there.spot)
    parts = list(problems(items, snapshot, bool(dividends)))
    rows, space, steps = len(parts), n * level + 1, m * level + STARTS - 2
    calm = level * (_CALM if n_rows > 1 else 0 if parts[0].early else 1)
    steps += calm
    scale = np.array([p.scale for p in parts])
    at = np.log(snapshot.spot / scale)
    x, pays, v = np.empty((rows, space)), np.full((rows, space), -np.inf), np.empty((rows, space))
    dt, cash, market = np.empty((rows, steps)), np.empty((rows, steps)), np.empty((rows, 2 * steps))
    edges, local = np.zeros((rows, 5)), isinstance(base_of(model), LocalVol)
    variance = np.empty((rows, steps if hangs_on_time(model) else 1, space))
    for i, p in enumerate(parts):
        years = float(tau[p.position])
        std = spreads(of, years, there) if wide is None else wide[p.position].tolist()
        moving = p.moves and not dividends
        spot = float((np.log(there.forward(years)) if moving else first) - np.log(p.scale))
        if moving:
            at[i] = np.log(snapshot.forward(years) / p.scale)
        more = min(max(0.5 * std[2] ** 2 - _TAIL, 0.0), _MOST) if p.grows else 0.0
        low, high, beside = p.range(spot, spot, WIDTH * std[1], WIDTH * std[2] + more)
        if p.early and p.grows and not dividends:
            high = max(high, highest_boundary(std[2] ** 2 / years, snapshot) + _KNEE)
        fine = FINE * min(std[0] * (1.0 if moving else 1.0 + drift(std[0], years, there)), high - low)
        fine = min(fine, _KNEE) if p.early else fine
        x[i] = nodes(low, high, 0.0, fine, n, level, [*beside, *([spot] if local else [])])
        dt[i], cash[i] = _calmed(*time_steps(years, m, dividends, level, today=local), calm)
        market[i] = market_rows(years, dt[i], snapshot)
        if not p.discounted:
            market[i, :steps] = 0.0
        if moving:
            market[i, steps:] = 0.0
        v[i], pays[i], edges[i] = p.pay_off(x[i], may_exercise_anywhere(snapshot))
        variance[i] = variance_on_grid(model, x[i], p.scale, calendar(years, dt[i]), years, snapshot, of_forward=moving)
    theta = np.where(np.arange(steps) < STARTS, 1.0, 0.5)
    theta[steps - 2 * calm :] = np.tile(STAGES[1], calm)
    out, total = np.empty(rows), np.zeros((n_rows, len(items)))
    pde_values(x, dt, theta, market, variance, cash, scale, edges, pays, v, at, out)
    for i, p in enumerate(parts):
        found = read_line(x[i], v[i], float(at[i]), snapshot.spot) if n_rows > 1 else np.empty(1)
        found[0] = out[i]
        total[:, p.position] += p.share(found, float(tau[p.position]), snapshot)
    return total


def _calmed(dt: Float1D, cash: Float1D, n: int) -> tuple[Float1D, Float1D]:
    """The last n steps as two stages that damp: what Crank-Nicolson leaves of a kink at the spot would spoil gamma."""
    if n == 0:
        return dt, cash
    kept = dt.size - n
    stages = (dt[kept:, None] * STAGES[0]).ravel()
    paid = np.column_stack((np.zeros(n), cash[kept:])).ravel()
    return np.concatenate([dt[:kept], stages]), np.concatenate([cash[:kept], paid])
