"""European options under rough Bergomi: conditional Black values on simulated variance paths, with standard errors.

Given the path of the variance and of the part of the spot that it drives, S1, the spot is lognormal, so a path gives

    X = Black(F S1, K, variance (1 - rho^2) Q),    Y = Black(F S1, K, variance rho^2 (budget - Q)),  Q the sum of V dt.

Y is what an option that runs until S1 has spent a fixed budget of variance is worth: its mean is Black's formula, and
X less a multiple of Y less that mean has a small variance. S1, whose mean is 1, is a second control: put and call
meet. Each path comes with its mirror image. The budget lies 4.5 standard deviations of log Q above its mean; a
path beyond it (three in a million) counts as one that just spent it.

The Volterra motion is exact on the grid of times (`scheme="exact"`) or that of the hybrid scheme with kappa = 1
("hybrid"); the variance is held over each step. A path is a function of (seed, replicate, path).

| option | meaning |
|---|---|
| n_paths | pairs of paths, default 2^14; a power of two a replicate; with std_error, the most to use (default 2^20) |
| std_error | stop when no price has a larger standard error, price units |
| n_steps | steps of the grid, default 128: equal steps for one expiry, in proportion to the time for several |
| scheme | "exact" or "hybrid" |
| check_scheme | True: the grid's bias, by half as many steps on part of the paths, is counted in `error` |
| seed, sampler, replicates | as in `monte_carlo`; Philox too is cut in replicates |

References
----------
Bayer, Hall, Tempone (2022), "Weak error rates for option pricing under linear rough volatility", Int. J. Theor. Appl.
Finance 25 (order H + 1/2).
Bennedsen, Lunde, Pakkanen (2017), Finance and Stochastics 21, 931-965 (hybrid scheme).
McCrickerd, Pakkanen (2018), "Turbocharging Monte Carlo pricing for the rough Bergomi model", Quant. Finance 18.
Romano, Touzi (1997), Mathematical Finance 7, 399-412 (conditional values).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from research.arrays import Float1D, Float2D, Int2D
from research.core._tasks import share
from research.core.pricing.rough import rough_paths
from research.core.random import brownian
from research.core.random.brownian import brownian_paths
from research.errors import NumericalError, require, require_all
from research.instruments import European
from research.market import Snapshot
from research.models import black
from research.models.rough_bergomi import RoughBergomi, volterra_covariance
from research.pricing._simulation import Settings, tables_of
from research.pricing.catalogue import Values

_CHUNK = 1024  # pairs simulated together
_PILOT = 1 << 61  # number of the first path of the pilot run
_FEW_PATHS = 1 << 10  # pairs, at least, on which a grid is judged
_SPREAD = 4.5  # standard deviations of log Q to the budget


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grid:
    """A grid of times and the Volterra motion on it, for one Hurst exponent."""

    times: Float1D  # years, shape (n,)
    kept: Any  # bool, shape (n,): where states are wanted
    mean: Float2D  # see core.pricing.rough
    rest: Float2D
    variance: Float1D  # of the simulated motion, shape (n,)


def time_grid(maturities: Float1D, n_steps: int, *, even: bool = True) -> Float1D:
    """About n_steps times that hold the maturities: equal steps to the first one, then in proportion to the time.

    A step h loses the correlation of spot and variance over lags below h, a share (h / t)^(H + 1/2) of the skew of an
    option of maturity t: in proportion to t all are off alike, where in proportion to root t the nearest has a handful.
    `even`: an even number in each interval, so that every second time is a grid too.
    """
    ends = np.append(0.0, maturities)
    size = np.append(1.0, np.log(ends[2:] / ends[1:-1]))
    by = 2 if even else 1
    number = by * np.maximum(np.round(n_steps * size / size.sum() / by), 4 // by).astype(int)
    parts = [np.linspace(0.0, ends[1], number[0] + 1)[1:]]
    parts += [np.append(np.geomspace(a, b, n + 1)[1:-1], b) for a, b, n in zip(ends[1:-1], ends[2:], number[1:])]
    return np.concatenate(parts)


def volterra_weights(times: Float1D, hurst: float, scheme: str) -> tuple[Float2D, Float2D]:
    """(mean, rest) of the Volterra motion on a grid: X = mean dw + rest z; see core.pricing.rough."""
    require(scheme in ("exact", "hybrid"), "scheme", scheme, "be 'exact' or 'hybrid'")
    starts, step, power = np.append(0.0, times[:-1]), np.diff(times, prepend=0.0), hurst + 0.5
    since = np.maximum(times[:, None] - starts, 0.0) ** power - np.maximum(times[:, None] - times, 0.0) ** power
    mean = np.tril(np.sqrt(2.0 * hurst) / power * since / step)
    own = step ** (2.0 * hurst) * (1.0 - 2.0 * hurst / power**2)  # what dw does not explain of the last step
    if scheme == "hybrid" or hurst == 0.5:
        return mean, np.diag(np.sqrt(np.maximum(own, 0.0)))
    left = volterra_covariance(times, hurst) - (mean * step) @ mean.T
    floor = 4e-15 * float(times[-1]) ** (2.0 * hurst)
    rest = np.linalg.cholesky(left + floor * np.eye(times.size))
    return mean, np.where(np.abs(rest) > 1e-7 * np.sqrt(own)[:, None], rest, 0.0)


def make_grid(maturities: Float1D, hurst: float, n_steps: int, scheme: str) -> Grid:
    """The grid for these maturities (years, increasing)."""
    return grid_of(time_grid(maturities, n_steps), maturities, hurst, scheme)


def grid_of(times: Float1D, maturities: Float1D, hurst: float, scheme: str = "exact") -> Grid:
    """A grid of these times, which hold the maturities."""
    mean, rest = volterra_weights(times, hurst, scheme)
    variance = (mean**2) @ np.diff(times, prepend=0.0) + (rest**2).sum(axis=1)
    kept = np.abs(times[:, None] - maturities).min(axis=1) < 1e-12
    return Grid(times=times, kept=kept, mean=mean, rest=rest, variance=variance)


def motion_plan(times: Float1D, bridge: bool) -> tuple[Int2D, Float2D]:
    """A plan of core.random.brownian for the motion w, and after it as many independent normals."""
    order, weights = brownian.plan(times, bridge)
    n = times.size
    alone, unit = np.zeros((n, 3), dtype=np.int64), np.zeros((n, 3))
    alone[:, 0], unit[:, 2] = np.arange(n + 1, 2 * n + 1), 1.0
    return np.vstack((order, alone)), np.vstack((weights, unit))


def states(model: RoughBergomi, grid: Grid, motion: Float2D) -> Float2D:
    """(log S1, Q, mirrored log S1, mirrored Q) at each kept time, shape (4 n_kept, n_paths)."""
    n = grid.times.size
    step = np.diff(grid.times, prepend=0.0)
    xi = np.diff(model.total_variance(grid.times), prepend=0.0) / step
    before = np.append(0.0, grid.variance[:-1])
    steps = np.column_stack((step, xi, before, grid.kept.astype(np.float64)))
    out = np.empty((4 * int(grid.kept.sum()), motion.shape[1]))
    assert motion.shape[0] == 2 * n
    rough_paths(motion, grid.mean, grid.rest, steps, np.array([model.eta, model.rho]), out)
    return out


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Options:
    """European options out of the money, sorted by maturity; arrays of shape (n,)."""

    at: Any  # int: which maturity
    forward: Float1D
    strike: Float1D
    sign: Float1D


def black_rows(options: Options, here: Any, spot_ratio: Float1D, variance: Float1D) -> Float2D:
    """Undiscounted Black values, shape (n_here, n_paths), of the options `here` given S1 and a variance to come."""
    n, paths = int(here.sum()), spot_ratio.size
    shape = (n, paths)
    forward = (options.forward[here][:, None] * spot_ratio).reshape(-1)
    strike = np.repeat(options.strike[here], paths)
    sign = np.repeat(options.sign[here], paths)
    vol = np.ascontiguousarray(np.broadcast_to(np.sqrt(np.maximum(variance, 0.0)), shape)).reshape(-1)
    out: Float2D = black.price(forward, strike, 1.0, vol, is_call=sign > 0.0).reshape(shape)
    return out


def path_values(
    model: RoughBergomi, options: Options, budget: Float1D, found: Float2D
) -> tuple[Float2D, Float2D, Float2D]:
    """X, Y and S1 of each option and pair of paths, shape (n_options, n_paths) each."""
    x, y, s = np.zeros((3, options.at.size, found.shape[1]))
    for m in range(budget.size):
        here = options.at == m
        for half in range(2):
            ratio, spent = np.exp(found[4 * m + 2 * half]), found[4 * m + 2 * half + 1]
            x[here] += 0.5 * black_rows(options, here, ratio, (1.0 - model.rho**2) * spent)
            y[here] += 0.5 * black_rows(options, here, ratio, model.rho**2 * (budget[m] - spent))
            s[here] += 0.5 * ratio
    return x, y, s


def make_motion(table: Int2D, seed: int, first: int, n: int, plan: tuple[Int2D, Float2D]) -> Float2D:
    """Motions and normals of n paths, shape (2 n_steps, n)."""
    out = np.empty((plan[0].shape[0], n))
    brownian_paths(table, seed, first, min(256, n), *plan, out)
    return out


def budgets(model: RoughBergomi, grid: Grid, seed: int) -> Float1D:
    """The variance budget of each maturity, from 512 pairs of their own."""
    table = np.zeros((0, 33), dtype=np.int64)
    found = states(model, grid, make_motion(table, seed, _PILOT, 512, motion_plan(grid.times, False)))
    q = np.log(np.maximum(np.concatenate((found[1::4], found[3::4]), axis=1), 1e-300))
    return np.asarray(np.exp(q.mean(axis=1) + _SPREAD * q.std(axis=1)))


def control_mean(model: RoughBergomi, options: Options, budget: Float1D) -> Float1D:
    """E[Y]: Black at the budget."""
    std = np.sqrt(model.rho**2 * budget[options.at])
    return np.asarray(black.price(options.forward, options.strike, 1.0, std, is_call=options.sign > 0.0))


N_SUMS = 8  # x, y, s, x y, x s, y y, y s, s s


def path_sums(x: Any, y: Any, s: Any) -> Any:
    """The N_SUMS sums over the paths, the last axis."""
    return np.array([part.sum(axis=-1) for part in (x, y, s, x * y, x * s, y * y, y * s, s * s)])


def controlled(sums: Any, n: int, exact: Float1D) -> Float2D:
    """Estimates of each replicate, shape (replicates, n_options), from sums, shape (replicates, N_SUMS, n_options)."""
    m = sums / n
    x, y, s, xy, xs, yy, ys, ss = m.mean(axis=0)
    xy, xs, yy, ys, ss = xy - x * y, xs - x * s, np.maximum(yy - y * y, 0.0), ys - y * s, np.maximum(ss - s * s, 0.0)
    det = yy * ss - ys * ys
    both, one = (det > 1e-8 * yy * ss) & (ss > 1e-12), yy > 1e-12 * np.maximum(y * y, 1e-300)
    safe, alone = np.where(both, det, 1.0), np.where(one, xy / np.where(one, yy, 1.0), 0.0)
    a = np.where(both, (xy * ss - xs * ys) / safe, alone)
    b = np.where(both, (xs * yy - xy * ys) / safe, 0.0)
    out: Float2D = m[:, 0] - a * (m[:, 1] - exact) - b * (m[:, 2] - 1.0)
    return out


def estimate(
    model: RoughBergomi,
    maturities: Float1D,
    options: Options,
    unit: float = 1.0,
    *,
    n_paths: int | None = None,
    std_error: float | None = None,
    n_steps: int = 128,
    scheme: str = "exact",
    seed: int = 1,
    sampler: str = "sobol",
    replicates: int = 32,
) -> tuple[Float2D, int]:
    """Undiscounted values, one row a replicate, shape (replicates, n_options), and the number of pairs.

    `std_error` is of a value times `unit`.
    """
    settings = Settings(n_paths=n_paths, seed=seed, std_error=std_error, sampler=sampler, replicates=replicates)
    require(8 <= n_steps <= 2000, "n_steps", n_steps, "lie in [8, 2000]")
    grid = make_grid(maturities, model.hurst, n_steps, scheme)
    quasi = sampler == "sobol"
    tables = tables_of(settings, 2 * grid.times.size) if quasi else np.zeros((replicates, 0, 33), dtype=np.int64)
    plan, budget = motion_plan(grid.times, quasi), budgets(model, grid, seed)
    exact = control_mean(model, options, budget)
    wanted = n_paths if n_paths is not None else (1 << 20 if std_error else 1 << 14)
    most = 1 << max(6, (-(-wanted // replicates) - 1).bit_length())
    sums, done = np.zeros((replicates, N_SUMS, options.at.size)), 0
    while True:
        until = min(most, max(64, 2 * done)) if std_error else most
        width = min(_CHUNK, until - done)
        starts = [(r, first) for r in range(replicates) for first in range(done, until, width)]
        parts = np.empty((len(starts), N_SUMS, options.at.size))

        def work(rows: slice, starts: Any = starts, parts: Any = parts, width: int = width) -> None:
            for task in range(rows.start, rows.stop):
                r, first = starts[task]
                path = first if quasi else (r << 40) + first
                found = states(model, grid, make_motion(tables[r], seed, path, width, plan))
                parts[task] = path_sums(*path_values(model, options, budget, found))

        share(len(starts), work)
        np.add.at(sums, [r for r, _ in starts], parts)
        done = until
        each = controlled(sums, done, exact)
        error = unit * float((each.std(axis=0, ddof=1) / np.sqrt(replicates)).max())
        if std_error is None or error <= std_error:
            return each, done * replicates
        if done >= most:
            raise NumericalError(
                f"std_error must reach {std_error:g}; got {error:g} with {done * replicates} pairs. Raise n_paths."
            )


OPTIONS = (estimate,)  # what `value` takes


def value(
    items: Sequence[European], model: RoughBergomi, snapshot: Snapshot, *, check_scheme: bool = True, **options: Any
) -> Values:
    """The engine's door for `pricing.price`; options as in the module. The error counts the grid's own."""
    tau = np.array([item.years(snapshot.as_of) for item in items])
    strike = np.array([item.strike for item in items])
    require_all(tau > 0.0, "tau", tau, "be > 0 years")
    forward, df = np.asarray(snapshot.forward(tau)), np.asarray(snapshot.discount.df(tau))
    maturities, at = np.unique(tau, return_inverse=True)
    sign = np.where(strike >= forward, 1.0, -1.0)
    given, unit = Options(at=at, forward=forward, strike=strike, sign=sign), float(df.max())
    each, used = estimate(model, maturities, given, unit=unit, **options)
    out, error = each.mean(axis=0), each.std(axis=0, ddof=1) / np.sqrt(each.shape[0])
    grid = _grid_bias(model, maturities, given, used, options) if check_scheme else np.zeros_like(strike)
    wanted = np.where([item.is_call for item in items], 1.0, -1.0)
    out = np.where(wanted == sign, out, out + wanted * (forward - strike))  # parity
    return Values(df * out, df * error, 2.0 * df * error + df * grid)


def _grid_bias(model: RoughBergomi, maturities: Float1D, given: Options, used: int, options: dict[str, Any]) -> Float1D:
    """How far the grid may put each value off: from every second of its times on part of the paths, order H + 1/2.

    That order is the one that is proved for the linear case (Bayer, Hall and Tempone 2022); common options do better.
    Both grids on the same motions: what one of them lacks is a small part of what either is worth.
    """
    replicates, scheme = int(options.get("replicates", 32)), str(options.get("scheme", "exact"))
    seed, quasi = int(options.get("seed", 1)), options.get("sampler", "sobol") == "sobol"
    fine = make_grid(maturities, model.hurst, int(options.get("n_steps", 128)), scheme)
    grids, n = (fine, grid_of(fine.times[1::2], maturities, model.hurst, scheme)), fine.times.size
    settings = Settings(seed=seed, replicates=replicates)
    tables = tables_of(settings, 2 * n) if quasi else np.zeros((replicates, 0, 33), dtype=np.int64)
    plan, budget = motion_plan(fine.times, quasi), budgets(model, fine, seed)
    exact, each = control_mean(model, given, budget), 1 << (max(_FEW_PATHS, used // 8) // replicates - 1).bit_length()
    sums = np.empty((2, replicates, N_SUMS, given.at.size))

    def work(rows: slice) -> None:
        for r in range(rows.start, rows.stop):
            motion = make_motion(tables[r], seed, 0 if quasi else r << 40, each, plan)
            for g, one in enumerate(grids):
                own = motion if g == 0 else np.ascontiguousarray(np.vstack((motion[1:n:2], motion[n + 1 :: 2])))
                sums[g, r] = path_sums(*path_values(model, given, budget, states(model, one, own)))

    share(replicates, work)
    gap = controlled(sums[1], each, exact) - controlled(sums[0], each, exact)
    seen = np.abs(gap.mean(axis=0)) + 2.0 * gap.std(axis=0, ddof=1) / np.sqrt(replicates)
    return np.asarray(seen / (2.0 ** (model.hurst + 0.5) - 1.0))
