"""Rough Bergomi fitted to a surface: the least sum of squared vol errors, on the same paths at every step.

Searched are H, eta, rho and one forward variance an expiry. The normals are drawn once, so the model's vols are smooth
functions of the parameters and a trust-region search with finite differences settles. The standard errors add two
sources: the misfit of the quotes, and the paths (the fit of each replicate, to first order).

References
----------
Bayer, Friz, Gatheral (2016), "Pricing under rough volatility", Quantitative Finance 16, 887-904.
Branch, Coleman & Li (1999), SIAM J. Scientific Computing 21 (SciPy's trust region).
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
    from scipy.optimize import least_squares

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
    for few in (_FEW, 1):  # an eighth of the paths lead near: most steps are taken with them
        if few > 1 and (start is not None or n_paths < 256 * few):
            continue
        paths = _paths(quotes, n_paths // few, n_steps, scheme, seed)
        found = least_squares(
            residual, np.clip(begin, low + margin, high - margin), bounds=(low, high), x_scale="jac", diff_step=1e-3,
            ftol=1e-6 if few == 1 else 1e-4, xtol=1e-6 if few == 1 else 1e-4, gtol=1e-10, max_nfev=max_iter,
            args=(paths,),
        )  # fmt: skip
        begin, evaluations = found.x, evaluations + int(found.nfev)
    if not np.isfinite(found.cost):
        raise NumericalError("the search must find a RoughBergomi surface; got none near these quotes.")
    return _answer(paths, found, low, high, evaluations, time.perf_counter() - clock)


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
