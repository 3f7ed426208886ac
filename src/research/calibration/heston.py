"""Heston fitted to a surface: the least sum of squared vol errors, by Levenberg-Marquardt with exact derivatives.

Starting values come from the quotes: a few candidates share the short and long at-the-money variances and differ in
mean reversion and skew; the best of them starts the search. Standard errors are s^2 (J'J)^-1 with s^2 = sse / (n - 5):
they assume independent errors of equal size, which neighbouring quotes do not have, so read them as lower bounds.

References
----------
Y. Cui, S. del Bano Rollin, G. Germano (2017), "Full and fast calibration of the Heston stochastic volatility model",
EJOR 263, 625-638.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import pandas as pd

from research.arrays import Float1D, Float2D, Int1D
from research.calibration._options import Bounds, Weights, check_max_iter, read_bounds
from research.calibration._quotes import Quotes, read_quotes
from research.calibration._registry import fits
from research.calibration._verdict import covariance, std_errors, verdict
from research.calibration.fit import Fit
from research.core.calibration.heston import heston_fit, heston_vol_errors
from research.core.calibration.levenberg_marquardt import MAX_ITERATIONS as KERNEL_MAX_ITERATIONS
from research.core.calibration.levenberg_marquardt import STUCK
from research.errors import NumericalError, require
from research.market import Snapshot, Surface
from research.models.heston import Heston

NAMES = ("v0", "kappa", "theta", "sigma", "rho")
BOUNDS: dict[str, tuple[float, float]] = {
    "v0": (1e-6, 4.0),
    "kappa": (1e-3, 100.0),
    "theta": (1e-6, 4.0),
    "sigma": (1e-3, 20.0),
    "rho": (-0.999, 0.999),
}
LIMITS = {name: (0.0, np.inf) if name != "rho" else (-1.0, 1.0) for name in BOUNDS}
_EXACT = 1e-8  # weighted rms vol error from which rounding of the integral hides what a step gains
# kappa, sigma / (4 sqrt(theta))
_CANDIDATES = ((1.5, 0.5), (1.5, 1.5), (5.0, 1.0), (5.0, 2.5), (15.0, 2.0), (15.0, 5.0))


@dataclass(frozen=True, slots=True)
class _Search:
    """Where a search ended."""

    p: Float1D
    jacobian: Float2D  # of the weighted residuals, in the transformed parameters, shape (5, n)
    model: Float2D  # implied vols, residuals, values
    sse: float
    gap: float
    status: int
    n_iter: int
    bound: Int1D  # 1 where a parameter lies on its bound


@fits(Heston)
def fit_heston(
    data: Snapshot | Surface,
    *,
    weights: Weights = None,
    start: Heston | None = None,
    bounds: Bounds = None,
    max_iter: int = 200,
    tolerance: float = 1e-11,
    allow_arbitrage: bool = False,
    arbitrage_tolerance: float = 0.01,
) -> Fit[Heston]:
    """The Heston model nearest to the quoted implied vols.

    Parameters
    ----------
    data : Snapshot or Surface
    weights : array-like of shape (n,), "equal", "vega", "bid_ask" or None, default None
        Of the squared errors, in the order of `surface.to_frame()`; None takes the surface's own.
    start : Heston, default found from the quotes
    bounds : mapping of a parameter's name to (lower, upper), default `BOUNDS`
    max_iter : int, default 200
        Most evaluations of the surface.
    tolerance : float, default 1e-11
        The search ends when the sum of squares falls by less than this share of itself.
    allow_arbitrage : bool, default False
        Fit quotes that allow a free lunch.
    arbitrage_tolerance : float, default 0.01
        Vol by which a quote may miss the no-arbitrage bounds before the fit refuses; 0.01 is one vol point.

    Returns
    -------
    Fit
        Unit "vol": residuals and rmse are decimal vols, model minus market.

    Raises
    ------
    InputError
        Fewer than 6 quotes, arbitrage, weights or bounds that make no sense.
    NumericalError
        When the search gets stuck or the integral does not settle.
    """
    quotes = read_quotes(data, weights, allow_arbitrage=allow_arbitrage, tolerance=arbitrage_tolerance)
    require(quotes.n_active >= 6, "quotes", quotes.n_active, "number at least 6", hint="Heston has 5 parameters.")
    check_max_iter(max_iter)
    require(0.0 < tolerance < 1.0, "tolerance", tolerance, "lie in (0, 1)")
    lower, upper = read_bounds(bounds, BOUNDS, LIMITS)
    clock = time.perf_counter()
    begin = _vector(start) if start is not None else _best_start(quotes, lower, upper)
    found = _search(quotes, begin, lower, upper, tolerance, max_iter)
    seconds = time.perf_counter() - clock
    if found.status == STUCK and found.sse > _EXACT**2 * float(quotes.weight.sum()):
        raise NumericalError(f"the search must lower the sum of squares; got stuck at {_model(found.p)!r}.")
    if found.status != KERNEL_MAX_ITERATIONS and not found.gap <= 1e-5:
        raise NumericalError(f"the Fourier integral must settle at the solution; got a gap of {found.gap:.1e}.")
    return _answer(quotes, found, lower, upper, seconds)


def _vector(model: Heston) -> Float1D:
    return np.array([getattr(model, name) for name in NAMES])


def _model(p: Float1D) -> Heston:
    return Heston(**{name: float(value) for name, value in zip(NAMES, p)})


def _transform(p: Float1D) -> Float1D:
    """To the searched coordinates: logarithms, and artanh of the correlation."""
    out: Float1D = np.append(np.log(p[:4]), np.arctanh(p[4]))
    return out


def _best_start(quotes: Quotes, lower: Float1D, upper: Float1D) -> Float1D:
    """The candidate with the least sum of squares over every other strike of the first, middle and last expiry."""
    short, long = quotes.at_the_money_variance()
    rho = -0.6 if quotes.skew() <= 0.0 else 0.6
    few = sorted({0, quotes.tau.size // 2, quotes.tau.size - 1})
    parts = [quotes.table[:, quotes.first[g] : quotes.first[g + 1] : 2] for g in few]
    table = np.hstack(parts)
    first = np.concatenate([[0], np.cumsum([part.shape[1] for part in parts])]).astype(np.int64)
    tau, n = quotes.tau[few], table.shape[1]
    best, least = np.empty(5), np.inf
    model, jacobian = np.empty((3, n)), np.empty((5, n))
    for kappa, spread in _CANDIDATES:
        p = np.clip([short, kappa, long, spread * 4.0 * np.sqrt(long), rho], lower, upper)
        heston_vol_errors(p, tau, first, table, 0.25, 1e-9, model, jacobian)
        total = float(np.sum(model[1] ** 2))
        if total < least:
            best, least = p, total
    return best


def _search(quotes: Quotes, begin: Float1D, lower: Float1D, upper: Float1D, tolerance: float, max_iter: int) -> _Search:
    y = _transform(np.clip(begin, lower, upper))
    low, high = _transform(lower), _transform(upper)
    p, model, jacobian = np.empty(5), np.empty((3, quotes.n)), np.empty((5, quotes.n))
    sse, gap, status, n_iter = heston_fit(
        y, quotes.tau, quotes.first, quotes.table, low, high, tolerance, max_iter, p, model, jacobian
    )
    bound = ((y <= low) | (y >= high)).astype(np.int64)
    return _Search(p, jacobian, model, float(sse), float(gap), int(status), int(n_iter), bound)


def _answer(quotes: Quotes, found: _Search, lower: Float1D, upper: Float1D, seconds: float) -> Fit[Heston]:
    bound = found.bound != 0
    spread, condition = covariance(found.jacobian.T, ~bound, found.sse, quotes.n_active)
    error = std_errors(spread, np.append(found.p[:4], 1.0 - found.p[4] ** 2))
    settled = found.status != KERNEL_MAX_ITERATIONS
    status, message = verdict(NAMES, found.p, error, bound, settled, found.n_iter, condition)
    return Fit(
        model=_model(found.p),
        parameters=pd.DataFrame({"name": NAMES, "value": found.p, "std_error": error, "lower": lower, "upper": upper}),
        residuals=quotes.residuals(found.model[0]),
        rmse=float(np.sqrt(found.sse / quotes.weight.sum())),
        unit="vol",
        sse=found.sse,
        status=status,
        n_iter=found.n_iter,
        message=message,
        seconds=seconds,
    )
