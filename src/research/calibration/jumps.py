"""Merton, Bates and Variance Gamma fitted to a surface: the least sum of squared vol errors, by trust-region search.

Searched are logarithms (artanh of a correlation) within bounds, from a few starts; derivatives are differences of the
cosine series, whose error is far below the step. Bates starts from the Heston fit, so it never ends above it.
Parameters that the quotes hardly tell apart are named in the message.

References
----------
Branch, Coleman & Li (1999), "A subspace, interior, and conjugate gradient method for large-scale bound-constrained
minimization problems", SIAM J. Scientific Computing 21 (SciPy's trust region).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from research.arrays import Float1D, Float2D
from research.calibration._quotes import Quotes, read_quotes
from research.calibration._registry import fits
from research.calibration.fit import AT_BOUND, CONVERGED, MAX_ITERATIONS, Fit
from research.calibration.heston import BOUNDS as HESTON_BOUNDS
from research.calibration.heston import fit_heston
from research.errors import NumericalError, require
from research.market import Snapshot, Surface
from research.models import black
from research.models.jumps import Bates, Merton, VarianceGamma
from research.pricing.cosine import price_with_error

_JUMPS = {"intensity": (1e-4, 50.0), "jump_mean": (-2.0, 2.0), "jump_std": (1e-4, 2.0)}
_JUMP_STARTS = ((0.2, -0.1, 0.1), (1.0, -0.05, 0.1), (0.2, -0.3, 0.2))
BOUNDS: dict[type, dict[str, tuple[float, float]]] = {
    Merton: {"sigma": (1e-3, 4.0), **_JUMPS},
    Bates: {**HESTON_BOUNDS, **_JUMPS},
    VarianceGamma: {"sigma": (1e-3, 4.0), "nu": (1e-4, 20.0), "theta": (-3.0, 3.0)},
}
_LINEAR = ("rho", "jump_mean", "theta")  # may be negative: searched as they are
_FAR = 5.0  # the vol that stands for a price outside the bounds


@dataclass(frozen=True, slots=True)
class _Coordinates:
    """Between a model's parameters and what is searched: logarithms of those that are positive."""

    model: type
    names: tuple[str, ...]
    positive: Any  # bool, shape (p,)
    lower: Float1D
    upper: Float1D

    def to_model(self, y: Float1D) -> Any:
        return self.model(**{n: float(v) for n, v in zip(self.names, self.values(y))})

    def values(self, y: Float1D) -> Float1D:
        return np.where(self.positive, np.exp(np.where(self.positive, y, 0.0)), y)

    def search(self, p: Float1D) -> Float1D:
        inside = np.clip(
            p, self.lower * (1.0 + 1e-9 * np.sign(self.lower)), self.upper * (1.0 - 1e-9 * np.sign(self.upper))
        )
        return np.where(self.positive, np.log(np.where(self.positive, inside, 1.0)), inside)


def _coordinates(model: type) -> _Coordinates:
    bounds = BOUNDS[model]
    both = np.array(list(bounds.values()))
    linear = np.array([n in _LINEAR and (n != "theta" or model is VarianceGamma) for n in bounds])
    return _Coordinates(model, tuple(bounds), ~linear, both[:, 0].copy(), both[:, 1].copy())


@fits(Merton)
def fit_merton(data: Snapshot | Surface, **options: Any) -> Fit[Merton]:
    """The jump diffusion nearest to the quoted implied vols; options as of `fit_bates`."""
    return _fit(Merton, data, **options)


@fits(VarianceGamma)
def fit_variance_gamma(data: Snapshot | Surface, **options: Any) -> Fit[VarianceGamma]:
    """The Variance Gamma model nearest to the quoted implied vols; options as of `fit_bates`."""
    return _fit(VarianceGamma, data, **options)


@fits(Bates)
def fit_bates(data: Snapshot | Surface, **options: Any) -> Fit[Bates]:
    """The Bates model nearest to the quoted implied vols.

    Parameters
    ----------
    data : Snapshot or Surface
    weights : array-like of shape (n,), "equal", "vega" or None, default None
        Of the squared errors; None takes the surface's own.
    start : the model, default found from the quotes
    max_iter : int, default 200
        Most evaluations of the surface a start, derivatives not counted.
    allow_arbitrage : bool, default False
        Fit quotes that allow a free lunch.
    arbitrage_tolerance : float, default 0.01
        Vol by which a quote may miss the no-arbitrage bounds before the fit refuses.

    Returns
    -------
    Fit
        Unit "vol": residuals and rmse are decimal vols, model minus market.

    Raises
    ------
    InputError
        Fewer quotes than parameters plus one, arbitrage, weights that make no sense.
    NumericalError
        When no start leads to a surface that can be priced.
    """
    return _fit(Bates, data, **options)


def _fit(
    model: type,
    data: Snapshot | Surface,
    *,
    weights: ArrayLike | Literal["equal", "vega"] | None = None,
    start: Any = None,
    max_iter: int = 200,
    allow_arbitrage: bool = False,
    arbitrage_tolerance: float = 0.01,
) -> Fit[Any]:
    from scipy.optimize import least_squares

    quotes = read_quotes(data, weights, allow_arbitrage=allow_arbitrage, tolerance=arbitrage_tolerance)
    where = _coordinates(model)
    n = len(where.names)
    hint = f"{model.__name__} has {n} parameters."
    require(quotes.n_active >= n + 1, "quotes", quotes.n_active, f"number at least {n + 1}", hint=hint)
    require(max_iter >= 1, "max_iter", max_iter, "be >= 1")
    clock = time.perf_counter()
    residual = _residual_function(quotes, where)
    starts = [_vector(start, where)] if start is not None else _starts(model, data, quotes, weights, where)
    ends = []
    span = (where.search(where.lower), where.search(where.upper))
    for begin in sorted(starts, key=lambda p: float(np.sum(residual(where.search(p)) ** 2)))[:2]:
        ends.append(
            least_squares(residual, where.search(begin), bounds=span, x_scale="jac", diff_step=1e-6,
                          ftol=1e-10, xtol=1e-10, gtol=1e-12, max_nfev=max_iter)
        )  # fmt: skip
    best = min(ends, key=lambda end: float(end.cost))
    if not np.isfinite(best.cost) or 2.0 * best.cost >= 0.5 * _FAR**2:
        raise NumericalError(f"the search must find a {model.__name__} surface; got none near these quotes.")
    return _answer(quotes, where, best, sum(int(end.nfev) for end in ends), time.perf_counter() - clock)


def _residual_function(quotes: Quotes, where: _Coordinates) -> Callable[[Float1D], Float1D]:
    root = np.sqrt(quotes.weight)

    def residual(y: Float1D) -> Float1D:
        try:
            model = where.to_model(y)
        except ValueError:  # VarianceGamma: no finite forward there
            return root * _FAR
        return root * (_vols(model, quotes) - quotes.table[3])

    return residual


def _vols(model: Any, quotes: Quotes) -> Float1D:
    """Implied vols of the model at the quotes, from out-of-the-money prices."""
    forward, strike, tau = quotes.table[1], quotes.table[2], quotes.table[5] ** 2
    is_call = strike >= forward
    try:
        value = price_with_error(model, forward, strike, tau, is_call=is_call)[0]
    except NumericalError:
        return np.full(quotes.n, _FAR)
    vol = black.implied_vol(value, forward, strike, tau, is_call=is_call, on_error="nan")
    return np.where(np.isfinite(vol), vol, 0.0)


def _vector(model: Any, where: _Coordinates) -> Float1D:
    require(isinstance(model, where.model), "start", model, f"be a {where.model.__name__}")
    return np.array([asdict(model)[name] for name in where.names])


def _starts(model: type, data: Any, quotes: Quotes, weights: Any, where: _Coordinates) -> list[Float1D]:
    """Candidates: level from the at-the-money vols, skew from jumps that fall."""
    short, long = quotes.at_the_money_variance()
    level = np.sqrt(0.5 * (short + long))
    fall = 1.0 if quotes.skew() <= 0.0 else -1.0
    jumps = [np.array([rate, fall * mean, deviation]) for rate, mean, deviation in _JUMP_STARTS]
    if model is VarianceGamma:
        return [np.array([level, nu, -fall * theta]) for nu, theta in ((0.1, 0.2), (0.5, 0.1), (1.0, 0.05))]
    if model is Merton:
        return [np.array([0.8 * level, *jump]) for jump in jumps]
    plain = fit_heston(data, weights=weights, allow_arbitrage=True).model
    base = np.array([plain.v0, plain.kappa, plain.theta, plain.sigma, plain.rho])
    calmer = base * np.array([0.8, 1.0, 0.9, 0.7, 1.0])
    none = np.array([where.lower[5], 0.0, 0.1])
    return [np.concatenate([base, none]), *(np.concatenate([calmer, jump]) for jump in jumps)]


def _std_errors(jacobian: Float2D, free: Any, cost: float, n_active: int, slope: Float1D) -> tuple[Float1D, float]:
    """Standard errors in the model's own units (nan on a bound), and the condition number of the scaled J'J."""
    out = np.full(free.size, np.nan)
    j = jacobian[:, free]
    size = np.sqrt((j**2).sum(axis=0))
    if n_active <= free.sum() or not (size > 0.0).all():
        return out, np.inf
    matrix = (j / size).T @ (j / size)
    condition = float(np.linalg.cond(matrix))
    if condition < 1e14:
        variance = np.diag(np.linalg.inv(matrix)) * 2.0 * cost / (n_active - free.sum())
        out[free] = np.sqrt(variance) / size * slope[free]
    return out, condition


def _answer(quotes: Quotes, where: _Coordinates, found: Any, n_iter: int, seconds: float) -> Fit[Any]:
    p = where.values(found.x)
    free = found.active_mask == 0
    slope = np.where(where.positive, p, 1.0)
    error, condition = _std_errors(found.jac, free, float(found.cost), quotes.n_active, slope)
    bound = [name for name, ok in zip(where.names, free) if not ok]
    status = MAX_ITERATIONS if found.status == 0 else AT_BOUND if bound else CONVERGED
    message = (
        f"stopped by max_iter after {n_iter} evaluations"
        if found.status == 0
        else f"settled after {n_iter} evaluations"
    )
    message += f"; on its bound: {', '.join(bound)}" if bound else ""
    with np.errstate(invalid="ignore"):
        vague = [name for name, e, v in zip(where.names, error, p) if e > abs(v)]
    if vague:
        message += f"; hardly identified by these quotes: {', '.join(vague)} (condition {condition:.0e})"
    vols = _vols(where.to_model(found.x), quotes)
    return Fit(
        model=where.to_model(found.x),
        parameters=pd.DataFrame(
            {"name": where.names, "value": p, "std_error": error, "lower": where.lower, "upper": where.upper}
        ),
        residuals=quotes.residuals(vols),
        rmse=float(np.sqrt(2.0 * found.cost / quotes.weight.sum())),
        unit="vol",
        sse=float(2.0 * found.cost),
        status=status,
        n_iter=n_iter,
        message=message,
        seconds=seconds,
    )


OPTIONS_OF = _fit  # who takes the **options of the fits above
