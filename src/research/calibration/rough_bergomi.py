"""Rough Bergomi fitted to a surface: the least sum of squared vol errors, on the same paths at every step.

Searched are H, eta, rho and one forward variance an expiry. The normals are drawn once, so the model's vols are smooth
functions of the parameters, and their derivatives are pathwise (`_rough_vols`): one pass gives vols and Jacobian. Most
steps are taken on an eighth of the paths. What a grid of n steps leaves out of the skew is taken off: vols are
extrapolated from those of n / 2 and n steps at order 1, the order that is seen (Bayer, Hall and Tempone 2022 prove
H + 1/2), with a gap that is held during a search and taken again near its end. The standard errors add two sources: the
misfit of the quotes, and the paths (the fit of each replicate, to first order, the extrapolation's noise included).

References
----------
Bayer, Friz, Gatheral (2016), "Pricing under rough volatility", Quantitative Finance 16, 887-904.
Bayer, Hall, Tempone (2022), "Weak error rates for option pricing under linear rough volatility", Int. J. Theor. Appl.
Finance 25.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pandas as pd

from research.arrays import Float1D, Float2D
from research.calibration._climb import Climb, climb
from research.calibration._options import Bounds, Weights, check_max_iter, read_bounds
from research.calibration._quotes import Quotes, read_quotes
from research.calibration._registry import fits
from research.calibration._rough_vols import Held, RoughVols, rough_vols
from research.calibration._verdict import verdict
from research.calibration.fit import Fit
from research.errors import NumericalError, require
from research.market import Snapshot, Surface
from research.models.rough_bergomi import RoughBergomi

BOUNDS = {"hurst": (0.01, 0.5), "eta": (0.05, 6.0), "rho": (-0.999, 0.999)}
LIMITS = {"hurst": (0.0, 0.5 + 1e-12), "eta": (0.0, np.inf), "rho": (-1.0, 1.0)}
_VARIANCE = (1e-6, 4.0)
_FEW = 8  # times fewer paths for the first steps
_REACH = 1.0  # of a step: of eta and the logarithms of variances
_NEAR, _TOLERANCE = 1e-2, 1e-5  # fall of the sum of squares that ends a search, as a share


@fits(RoughBergomi)
def fit_rough_bergomi(
    data: Snapshot | Surface,
    *,
    weights: Weights = None,
    start: RoughBergomi | None = None,
    bounds: Bounds = None,
    n_paths: int = 2048,
    n_steps: int = 256,
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
    n_steps : int, default 256
        Steps to the last expiry, in [16, 512]; half as many are simulated beside them.
    scheme, seed
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
    require(16 <= n_steps <= 512, "n_steps", n_steps, "lie in [16, 512]")
    check_max_iter(max_iter)
    box = read_bounds(bounds, BOUNDS, LIMITS)
    clock = time.perf_counter()
    low, high = _span(quotes, box)
    at = _vector(start, quotes) if start is not None else _first(quotes)
    margin, evaluations = 1e-6 * (high - low), 0
    least = max(256, n_paths // _FEW)
    if start is None and 2 * least <= n_paths:  # a few of the paths lead near: most steps are taken with them
        some = rough_vols(quotes, least, n_steps, scheme, seed)
        near, *_ = _search((some,), np.clip(at, low + margin, high - margin), low, high, max_iter, (_NEAR,))
        at, evaluations = near.y, near.n_iter
    paths = tuple(rough_vols(quotes, n_paths, n, scheme, seed) for n in (n_steps, n_steps // 2))
    begin = np.clip(at, low + margin, high - margin)
    found, held, gap = _search(paths, begin, low, high, max_iter, (_NEAR, _TOLERANCE))
    return _answer(paths[0], held, gap, found, low, high, evaluations + found.n_iter, time.perf_counter() - clock)


def _search(
    paths: tuple[RoughVols, ...], begin: Float1D, low: Float1D, high: Float1D, max_iter: int,
    tolerances: tuple[float, ...],
) -> tuple[Climb, Held, Float2D]:  # fmt: skip
    """A climb to each tolerance, with the controls and the gap between grids of where it begins."""
    fine, market = paths[0], paths[0].quotes.table[3]
    root, y, n_iter = np.sqrt(fine.quotes.weight), begin, 0
    for tolerance in tolerances:
        held = fine.held(y)
        gap = _gap(fine.vols(y, held), paths[-1].vols(y, paths[-1].held(y)))

        def evaluate(y: Float1D, held: Held = held, gap: Float1D = gap[-1]) -> tuple[Float1D, Float2D] | None:
            vol, by_y = fine.vols_and_slopes(y, held)
            if not (np.isfinite(vol).all() and np.isfinite(by_y).all()):
                return None
            return root * (vol + gap - market), np.ascontiguousarray(root * by_y)

        most = max(max_iter - n_iter, 2)
        found = climb(evaluate, y, low, high, tolerance=tolerance, max_iter=most, reach=_REACH, curved=True)
        if found is None or not np.isfinite(found.sse):
            raise NumericalError("the search must find a RoughBergomi surface; got none near these quotes.")
        end, y, n_iter = found, found.y, n_iter + found.n_iter
    return replace(end, n_iter=n_iter), held, gap


def _gap(fine: Float2D, coarse: Float2D) -> Float2D:
    """What to add to vols of n steps beside those of n / 2, at order 1; nothing where a price had no vol."""
    return np.where((fine > 0.0) & (coarse > 0.0), fine - coarse, 0.0)


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


def _answer(
    paths: RoughVols, held: Held, gap: Float2D, found: Climb, low: Float1D, high: Float1D, n_iter: int, seconds: float
) -> Fit[RoughBergomi]:
    quotes, y = paths.quotes, found.y
    model, vols = paths.model(y), paths.vols(y, held) + gap
    names = (*BOUNDS, *(f"forward_variance_{k}" for k in range(quotes.tau.size)))
    slope = np.append(np.ones(3), np.exp(y[3:]))
    free = found.free
    error = np.full(y.size, np.nan)
    j = found.jacobian[free].T
    inverse = np.linalg.pinv(j.T @ j)
    misfit = np.diag(inverse) * found.sse / max(quotes.n_active - free.sum(), 1)
    moves = (np.sqrt(quotes.weight) * (vols[:-1] - vols[-1])) @ j @ inverse  # first-order fit of each replicate
    simulated = moves.var(axis=0, ddof=1) / moves.shape[0]
    error[free] = np.sqrt(misfit + simulated) * slope[free]
    value = np.append(y[:3], slope[3:])
    condition = float(np.linalg.cond(j.T @ j))
    status, message = verdict(names, value, error, ~free, found.settled, n_iter, condition)
    share_of = float(np.sqrt(np.max(simulated / (misfit + simulated))))
    message += f"; the paths' share of the standard errors is at most {share_of:.0%}"
    message += f"; {1e4 * float(np.sqrt(np.mean(gap[-1] ** 2))):.0f} bp of vol taken off for the grid of time"
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
        rmse=float(np.sqrt(found.sse / quotes.weight.sum())),
        unit="vol",
        sse=found.sse,
        status=status,
        n_iter=n_iter,
        message=message,
        seconds=seconds,
    )
