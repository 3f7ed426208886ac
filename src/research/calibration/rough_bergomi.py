"""Rough Bergomi fitted to a surface: the least sum of squared vol errors, on the same paths at every step.

Searched are H, eta, rho and one forward variance an expiry. The normals are drawn once, so the model's vols are smooth
functions of the parameters; the Jacobian is taken by differences and kept up by rank-one updates. The standard errors
add two sources: the misfit of the quotes, and the paths (the fit of each replicate, to first order).

References
----------
Bayer, Friz, Gatheral (2016), "Pricing under rough volatility", Quantitative Finance 16, 887-904.
Broyden (1965), "A class of methods for solving nonlinear simultaneous equations", Math. Comp. 19, 577-593.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from research.arrays import Float1D, Float2D
from research.calibration._options import Bounds, Weights, check_max_iter, read_bounds
from research.calibration._quotes import Quotes, read_quotes
from research.calibration._registry import fits
from research.calibration._verdict import verdict
from research.calibration.fit import Fit
from research.core._tasks import share
from research.errors import NumericalError, require
from research.market import Snapshot, Surface
from research.models import black
from research.models.rough_bergomi import RoughBergomi
from research.pricing import rough_bergomi as engine
from research.pricing._simulation import Settings, tables_of

BOUNDS = {"hurst": (0.01, 0.5), "eta": (0.05, 6.0), "rho": (-0.999, 0.999)}
LIMITS = {"hurst": (0.0, 0.5 + 1e-12), "eta": (0.0, np.inf), "rho": (-1.0, 1.0)}
_VARIANCE = (1e-6, 4.0)
_REPLICATES = 16
_FEW = 8
_RENEWALS = 4  # of the Jacobian, at most


@dataclass(frozen=True, slots=True, eq=False)
class _Paths:
    """The quotes and the normals that every evaluation shares."""

    quotes: Quotes
    options: engine.Options
    motions: list[Float2D]  # of some replicates each, one beside the other
    n_each: int  # pairs of a replicate
    n_steps: int
    scheme: str
    seed: int

    def vols(self, model: RoughBergomi) -> Float2D:
        """Implied vol of each quote, one row a replicate, shape (replicates, n); the mean is the last row."""
        grid = engine.make_grid(self.quotes.tau, model.hurst, self.n_steps, self.scheme)
        budget = engine.budgets(model, grid, self.seed)
        n, parts = self.options.at.size, len(self.motions)
        sums = np.empty((parts, _REPLICATES // parts, engine.N_SUMS, n))

        def work(rows: slice) -> None:
            for r in range(rows.start, rows.stop):
                found = engine.states(model, grid, self.motions[r])
                each = (v.reshape(n, -1, self.n_each) for v in engine.path_values(model, self.options, budget, found))
                sums[r] = engine.path_sums(*each).transpose(2, 0, 1)

        share(parts, work)
        exact = engine.control_mean(model, self.options, budget)
        each = engine.controlled(sums.reshape(_REPLICATES, engine.N_SUMS, n), self.n_each, exact)
        prices = np.vstack((each, each.mean(axis=0)))
        o = self.options
        tau = np.broadcast_to(self.quotes.table[5] ** 2, prices.shape)
        vol = black.implied_vol(
            np.maximum(prices, 1e-300), np.broadcast_to(o.forward, prices.shape),
            np.broadcast_to(o.strike, prices.shape), tau, is_call=np.broadcast_to(o.sign > 0.0, prices.shape),
            on_error="nan",
        )  # fmt: skip
        return np.where(np.isfinite(vol), vol, 0.0)


@fits(RoughBergomi)
def fit_rough_bergomi(
    data: Snapshot | Surface,
    *,
    weights: Weights = None,
    start: RoughBergomi | None = None,
    bounds: Bounds = None,
    n_paths: int = 2048,
    n_steps: int = 96,
    scheme: str = "hybrid",
    seed: int = 1,
    max_iter: int = 30,
    allow_arbitrage: bool = False,
    arbitrage_tolerance: float = 0.01,
) -> Fit[RoughBergomi]:
    """The rough Bergomi model nearest to the quoted implied vols.

    Parameters
    ----------
    data : Snapshot or Surface
    weights : array-like of shape (n,), "equal", "vega", "bid_ask" or None, default None
        Of the squared errors; None takes the surface's own.
    start : RoughBergomi, default found from the quotes
        With one forward variance an expiry.
    bounds : mapping of "hurst", "eta" or "rho" to (lower, upper), default `BOUNDS`
    n_paths : int, pairs of paths in all, a power of two a replicate (16 of them)
    n_steps, scheme, seed
        As for the engine, `research.pricing.rough_bergomi`.
    max_iter : int
        Most steps of the search.

    Returns
    -------
    Fit
        Unit "vol": residuals and rmse are decimal vols, model minus market.

    Raises
    ------
    InputError
        Fewer quotes than parameters plus one, arbitrage, weights that make no sense.
    NumericalError
        When the search leads nowhere.
    """
    quotes = read_quotes(data, weights, allow_arbitrage=allow_arbitrage, tolerance=arbitrage_tolerance)
    p = 3 + quotes.tau.size
    hint = "Rough Bergomi has three parameters and one an expiry."
    require(quotes.n_active >= p + 1, "quotes", quotes.n_active, f"number at least {p + 1}", hint=hint)
    require(256 <= n_paths <= 1 << 20, "n_paths", n_paths, f"lie in [256, {1 << 20}]")
    check_max_iter(max_iter)
    box = read_bounds(bounds, BOUNDS, LIMITS)
    clock = time.perf_counter()
    root = np.sqrt(quotes.weight)

    def residual(y: Float1D, paths: _Paths) -> Float1D:
        return np.asarray(root * (paths.vols(_model(y, quotes))[-1] - quotes.table[3]))

    low, high = _span(quotes, box)
    begin = _vector(start, quotes) if start is not None else _first(quotes)
    margin, evaluations = 1e-6 * (high - low), 0
    least = max(256, n_paths // _FEW)
    if start is None and 2 * least <= n_paths:  # a few of the paths lead near: most steps are taken with them
        some = _paths(quotes, least, n_steps, scheme, seed)
        near = _climb(
            lambda y: residual(y, some), np.clip(begin, low + margin, high - margin), low, high, max_iter, 1e-3
        )
        begin, evaluations = near.x, near.nfev
    paths = _paths(quotes, n_paths, n_steps, scheme, seed)
    found = _climb(lambda y: residual(y, paths), np.clip(begin, low + margin, high - margin), low, high, max_iter)
    evaluations += found.nfev
    if not np.isfinite(found.cost):
        raise NumericalError("the search must find a RoughBergomi surface; got none near these quotes.")
    return _answer(paths, found, low, high, evaluations, time.perf_counter() - clock)


@dataclass(slots=True, eq=False)
class _End:
    """Where the search ended; `jac` is that of the residuals there, by differences."""

    x: Float1D
    cost: float
    jac: Float2D
    active_mask: Float1D  # 0 where no bound holds
    status: int  # 0: stopped by max_iter
    nfev: int


def _climb(residual: Any, begin: Float1D, low: Float1D, high: Float1D, max_iter: int, tolerance: float = 1e-6) -> _End:
    """Least squares near the optimum: the Jacobian by differences once, then kept up by Broyden's rank-one updates.

    A Jacobian costs an evaluation a parameter, an update none. One more at the end, where a plain step from it must
    gain next to nothing; else the search goes on from there. A loose tolerance does without.
    """
    y, n = begin.copy(), 0
    r = residual(y)
    for _ in range(_RENEWALS):
        matrix = _differences(residual, y, r, low, high)
        damping, misses, settled = 1e-3, 0, False
        fresh = True
        while n < max_iter and misses < 3:
            step, expected = _damped(matrix, r, y, low, high, damping)
            settled = expected <= tolerance * float(r @ r)
            if settled:
                break
            after = residual(y + step)
            n += 1
            size = np.maximum(np.linalg.norm(matrix, axis=0), 1e-300)
            scaled = step * size
            matrix = matrix + np.outer((after - r - matrix @ step) / (scaled @ scaled), scaled * size)
            if after @ after < r @ r:
                y, r, damping, misses, fresh = y + step, after, damping / 3.0, 0, False
            else:
                damping, misses = 10.0 * damping, misses + 1
        if (settled and (fresh or tolerance > 1e-5)) or n >= max_iter:
            break
    if not fresh and tolerance <= 1e-5:
        matrix = _differences(residual, y, r, low, high)
    mask = np.where(y <= low + 1e-9 * (high - low), -1.0, np.where(y >= high - 1e-9 * (high - low), 1.0, 0.0))
    return _End(y, 0.5 * float(r @ r), matrix, mask, int(settled), n)


def _differences(residual: Any, y: Float1D, r: Float1D, low: Float1D, high: Float1D) -> Float2D:
    """The Jacobian by forward differences, inwards at a bound."""
    out = np.empty((r.size, y.size))
    for j in range(y.size):
        h = 1e-3 * max(abs(y[j]), 0.05)
        h = h if y[j] + h <= high[j] else -h
        moved = y.copy()
        moved[j] += h
        out[:, j] = (residual(moved) - r) / h
    return out


def _damped(
    matrix: Float2D, r: Float1D, y: Float1D, low: Float1D, high: Float1D, damping: float
) -> tuple[Float1D, float]:
    """The damped Gauss-Newton step within bounds, and how much r'r is predicted to fall."""
    gradient = matrix.T @ r
    free = ~(((y <= low) & (gradient > 0.0)) | ((y >= high) & (gradient < 0.0)))
    step, j = np.zeros(y.size), matrix[:, free]
    if free.any():
        normal = j.T @ j
        step[free] = -np.linalg.solve(
            normal + damping * np.diag(np.diag(normal)) + 1e-300 * np.eye(len(normal)), j.T @ r
        )
    step = np.clip(y + step, low, high) - y
    after = r + matrix @ step
    return step, float(r @ r - after @ after)


def _paths(quotes: Quotes, n_paths: int, n_steps: int, scheme: str, seed: int) -> _Paths:
    x, forward, strike = quotes.table[0], quotes.table[1], quotes.table[2]
    at = np.repeat(np.arange(quotes.tau.size), np.diff(quotes.first))
    options = engine.Options(at=at, forward=forward, strike=strike, sign=np.where(x <= 0.0, 1.0, -1.0))
    settings = Settings(n_paths=n_paths, seed=seed, replicates=_REPLICATES)
    each = 1 << max(4, (n_paths // _REPLICATES - 1).bit_length())
    times = engine.time_grid(quotes.tau, n_steps)
    plan, tables = engine.motion_plan(times, True), tables_of(settings, 2 * times.size)
    single = [engine.make_motion(table, seed, 0, each, plan) for table in tables]
    together = max(1, min(_REPLICATES // 2, 1024 // each))
    motions = [np.hstack(single[k : k + together]) for k in range(0, _REPLICATES, together)]
    return _Paths(quotes, options, motions, each, n_steps, scheme, seed)


def _model(y: Float1D, quotes: Quotes) -> RoughBergomi:
    return RoughBergomi(
        hurst=float(y[0]), eta=float(y[1]), rho=float(y[2]), forward_variance=np.exp(y[3:]), forward_tau=quotes.tau
    )


def _vector(model: RoughBergomi, quotes: Quotes) -> Float1D:
    require(isinstance(model, RoughBergomi), "start", model, "be a RoughBergomi")
    level = np.diff(model.total_variance(quotes.tau), prepend=0.0) / np.diff(quotes.tau, prepend=0.0)
    return np.concatenate(([model.hurst, model.eta, model.rho], np.log(level)))


def _span(quotes: Quotes, box: tuple[Float1D, Float1D]) -> tuple[Float1D, Float1D]:
    low, high = box
    n = quotes.tau.size
    return np.append(low, np.full(n, np.log(_VARIANCE[0]))), np.append(high, np.full(n, np.log(_VARIANCE[1])))


def _first(quotes: Quotes) -> Float1D:
    """A usual index, its forward variances from the at-the-money vols, a little higher for the smile."""
    total = []
    for g, tau in enumerate(quotes.tau):
        here = slice(quotes.first[g], quotes.first[g + 1])
        total.append(1.08 * tau * float(np.interp(0.0, quotes.table[0, here], quotes.table[3, here])) ** 2)
    step = np.diff(quotes.tau, prepend=0.0)
    level = np.maximum(np.diff(total, prepend=0.0) / step, 0.1 * np.array(total) / quotes.tau)
    return np.concatenate(([0.15, 1.8, -0.7 if quotes.skew() <= 0.0 else 0.7], np.log(level)))


def _answer(paths: _Paths, found: Any, low: Float1D, high: Float1D, n_iter: int, seconds: float) -> Fit[RoughBergomi]:
    quotes, y = paths.quotes, found.x
    model, vols = _model(y, quotes), paths.vols(_model(y, quotes))
    names = (*BOUNDS, *(f"forward_variance_{k}" for k in range(quotes.tau.size)))
    slope = np.append(np.ones(3), np.exp(y[3:]))
    free = found.active_mask == 0
    error = np.full(y.size, np.nan)
    j = found.jac[:, free]
    inverse = np.linalg.pinv(j.T @ j)
    misfit = np.diag(inverse) * 2.0 * found.cost / max(quotes.n_active - free.sum(), 1)
    moves = (np.sqrt(quotes.weight) * (vols[:-1] - vols[-1])) @ j @ inverse  # first-order fit of each replicate
    simulated = moves.var(axis=0, ddof=1) / moves.shape[0]
    error[free] = np.sqrt(misfit + simulated) * slope[free]
    value = np.append(y[:3], slope[3:])
    condition = float(np.linalg.cond(j.T @ j))
    status, message = verdict(names, value, error, ~free, found.status != 0, n_iter, condition)
    share_of = float(np.sqrt(np.max(simulated / (misfit + simulated))))
    message += f"; the paths' share of the standard errors is at most {share_of:.0%}"
    return Fit(
        model=model,
        parameters=pd.DataFrame(
            {
                "name": names,
                "value": value,
                "std_error": error,
                "lower": np.append(low[:3], np.exp(low[3:])),
                "upper": np.append(high[:3], np.exp(high[3:])),
            }
        ),
        residuals=quotes.residuals(vols[-1]),
        rmse=float(np.sqrt(2.0 * found.cost / quotes.weight.sum())),
        unit="vol",
        sse=float(2.0 * found.cost),
        status=status,
        n_iter=n_iter,
        message=message,
        seconds=seconds,
    )
