"""Merton, Bates and Variance Gamma fitted to a surface: the least sum of squared vol errors, exact derivatives.

Searched are logarithms (of what is positive) within bounds, from a few starts, by Levenberg-Marquardt. Bates starts
from the Heston fit calmed down, and from the fit itself where that ends above it. Parameters that the quotes hardly
tell apart are named in the message.

References
----------
Cui, del Bano Rollin, Germano (2017), EJOR 263, 625-638 (analytic gradients through implied vols).
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from research.arrays import Float1D, Float2D
from research.calibration._climb import Climb, climb
from research.calibration._options import Bounds, Weights, check_max_iter, read_bounds
from research.calibration._quotes import Quotes, read_quotes
from research.calibration._registry import fits
from research.calibration._verdict import covariance, std_errors, verdict
from research.calibration.fit import Fit
from research.calibration.heston import BOUNDS as HESTON_BOUNDS
from research.calibration.heston import fit_heston
from research.core.calibration.jumps import N_PARAMETERS, jump_vol_errors
from research.core.calibration.variance_gamma import variance_gamma_vol_errors
from research.core.models.levy import VARIANCE_GAMMA
from research.errors import NumericalError, require
from research.market import Snapshot, Surface
from research.models.jumps import Bates, Merton, VarianceGamma
from research.pricing.cosine import log_price_range

_JUMPS = {"intensity": (1e-4, 50.0), "jump_mean": (-2.0, 2.0), "jump_std": (1e-4, 2.0)}
_JUMP_STARTS = ((0.2, -0.1, 0.1), (1.0, -0.05, 0.1), (0.2, -0.3, 0.2))
BOUNDS: dict[type, dict[str, tuple[float, float]]] = {
    Merton: {"sigma": (1e-3, 4.0), **_JUMPS},
    Bates: {**HESTON_BOUNDS, **_JUMPS},
    VarianceGamma: {"sigma": (1e-3, 4.0), "nu": (1e-4, 20.0), "theta": (-3.0, 3.0)},
}
_LINEAR = ("rho", "jump_mean", "theta")  # may be negative: searched as they are
_CLIMBS = 2  # from the best of the starts
_NEAR = 0.0005  # rms error as a share of the mean vol: above it further starts are tried
_RATES, _LEANS = (0.3, 2.0, 10.0), (0.9, 0.3)  # of jumps that carry the variance: a year, mean over root mean square
_SHORT, _TOLERANCE = 0.03, 1e-9  # least fall of the sum of squares, as a share, in a short climb and in the last
_NEGLIGIBLE, _MOST_TERMS = 1e-13, 16384  # of a cosine series
_CUT = 1e-9  # a series cut at more than this says nothing


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
        inside = np.clip(p, self.lower, self.upper)
        return np.where(self.positive, np.log(np.where(self.positive, inside, 1.0)), inside)


def _coordinates(model: type, given: Bounds) -> _Coordinates:
    names = tuple(BOUNDS[model])
    linear = np.array([n in _LINEAR and (n != "theta" or model is VarianceGamma) for n in names])
    limits = {n: (-1.0, 1.0) if n == "rho" else (-np.inf if flag else 0.0, np.inf) for n, flag in zip(names, linear)}
    return _Coordinates(model, names, ~linear, *read_bounds(given, BOUNDS[model], limits))


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
    weights : array-like of shape (n,), "equal", "vega", "bid_ask" or None, default None
        Of the squared errors, in the order of `surface.to_frame()`; None takes the surface's own.
    start : the model, default found from the quotes
    bounds : mapping of a parameter's name to (lower, upper), default `BOUNDS`
    max_iter : int, default 200
        Most evaluations of the surface a start.
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
    weights: Weights = None,
    start: Any = None,
    bounds: Bounds = None,
    max_iter: int = 200,
    allow_arbitrage: bool = False,
    arbitrage_tolerance: float = 0.01,
) -> Fit[Any]:
    quotes = read_quotes(data, weights, allow_arbitrage=allow_arbitrage, tolerance=arbitrage_tolerance)
    where = _coordinates(model, bounds)
    n = len(where.names)
    hint = f"{model.__name__} has {n} parameters."
    require(quotes.n_active >= n + 1, "quotes", quotes.n_active, f"number at least {n + 1}", hint=hint)
    check_max_iter(max_iter)
    clock = time.perf_counter()
    surface = _Surface(quotes, where)
    points, last = _starts(model, data, quotes, weights, where)
    points = points if start is None else [_vector(start, where), *points]
    found, n_iter = _search(surface, [where.search(p) for p in points], last, where, max_iter)
    if model is not VarianceGamma and not _is_near(found, quotes):
        further = [where.search(p) for p in _further(model, data, quotes, weights, where)]
        other, more = _search(surface, further, None, where, max_iter, _CLIMBS)
        n_iter += more
        found = min((end for end in (found, other) if end is not None), key=lambda end: end.sse, default=None)
    if found is None or not np.isfinite(found.sse):
        raise NumericalError(f"the search must find a {model.__name__} surface; got none near these quotes.")
    return _answer(quotes, where, surface, found, n_iter, clock)


def _search(
    surface: _Surface, starts: list[Float1D], last: Float1D | None, where: _Coordinates, max_iter: int,
    climbs: int | None = None,
) -> tuple[Climb | None, int]:  # fmt: skip
    """The best end, and all evaluations: short climbs from the most promising starts, the best one to its end.

    The last resort is climbed from only if that ends above it.
    """
    span = (where.search(where.lower), where.search(where.upper))
    sums = [np.inf if r is None else float(r[0] @ r[0]) for r in (surface(y) for y in starts)]
    order = [k for k in np.argsort(sums, kind="stable").tolist() if np.isfinite(sums[k])]
    few = climbs or (_CLIMBS if last is not None else len(order))
    short = [climb(surface, starts[k], *span, tolerance=_SHORT, max_iter=max_iter) for k in order[:few]]
    ends = sorted((end for end in short if end is not None), key=lambda end: end.sse)
    n_iter = len(starts) + sum(end.n_iter for end in ends)
    found = climb(surface, ends[0].y, *span, tolerance=_TOLERANCE, max_iter=max_iter) if ends else None
    n_iter += 0 if found is None else found.n_iter
    if last is None:
        return found, n_iter
    floor = surface(where.search(last))
    if found is None or (floor is not None and found.sse > float(floor[0] @ floor[0])):
        found = climb(surface, where.search(last), *span, tolerance=_TOLERANCE, max_iter=max_iter)
        n_iter += 0 if found is None else found.n_iter
    return found, n_iter + 1


def _is_near(found: Climb | None, quotes: Quotes) -> bool:
    """Whether a climb ended near the quotes and inside its bounds: what ends elsewhere may be a ditch on the way."""
    if found is None:
        return False
    level = float(np.average(quotes.table[3], weights=quotes.weight))
    return bool(np.sqrt(found.sse / quotes.weight.sum()) <= _NEAR * level and found.free.all())


@dataclass(slots=True)
class _Surface:
    """Residuals of all quotes at a point and their derivatives; None where the model or the series says no."""

    quotes: Quotes
    where: _Coordinates

    def __call__(self, y: Float1D) -> tuple[Float1D, Float2D] | None:
        found = self.at(y)
        return None if found is None else (found[0][1], found[1])

    def at(self, y: Float1D) -> tuple[Float2D, Float2D] | None:
        """(vols, residuals, values), and the derivatives of the residuals in y, shape (p, n)."""
        try:
            model = self.where.to_model(y)
        except ValueError:  # VarianceGamma: no finite forward there
            return None
        kind, p = model.characteristic()
        q = self.quotes
        out, jacobian = np.empty((3, q.n)), np.empty((3 if kind == VARIANCE_GAMMA else N_PARAMETERS, q.n))
        if kind == VARIANCE_GAMMA:
            variance_gamma_vol_errors(p, q.tau, q.first, q.table, out, jacobian)
        else:
            span = np.array([_range(kind, p, float(t)) for t in q.tau])
            left = jump_vol_errors(p, q.tau, q.first, span, q.table, _NEGLIGIBLE, _MOST_TERMS, out, jacobian)
            if not left < _CUT:
                return None
        if not np.isfinite(out[1]).all():
            return None
        if isinstance(model, Merton):
            jacobian = jacobian[[0, 5, 6, 7]]
            jacobian[0] *= 2.0 * model.sigma  # its first parameter is a variance
        slope = np.where(self.where.positive, self.where.values(y), 1.0)
        return out, np.ascontiguousarray(jacobian * slope[:, None])


def _range(kind: int, p: Float1D, tau: float) -> tuple[float, float]:
    """Least log(S_T / F) and the width of a range that holds all but exp(-50) of the density."""
    centre, spread, reach = log_price_range(kind, p, tau)
    half = 10.0 * spread + reach
    return centre - half, 2.0 * half


def _vector(model: Any, where: _Coordinates) -> Float1D:
    require(isinstance(model, where.model), "start", model, f"be a {where.model.__name__}")
    return np.array([asdict(model)[name] for name in where.names])


def _starts(
    model: type, data: Any, quotes: Quotes, weights: Any, where: _Coordinates
) -> tuple[list[Float1D], Float1D | None]:
    """Candidates: level from the at-the-money vols, skew from jumps that fall; and the last resort of Bates, Heston."""
    short, long = quotes.at_the_money_variance()
    level = np.sqrt(0.5 * (short + long))
    fall = 1.0 if quotes.skew() <= 0.0 else -1.0
    jumps = [np.array([rate, fall * mean, deviation]) for rate, mean, deviation in _JUMP_STARTS]
    if model is VarianceGamma:
        return [np.array([level, nu, -fall * theta]) for nu, theta in ((0.1, 0.2), (0.5, 0.1), (1.0, 0.05))], None
    if model is Merton:
        return [np.array([0.8 * level, *jump]) for jump in jumps], None
    plain = fit_heston(data, weights=weights, allow_arbitrage=True).model
    base = np.array([plain.v0, plain.kappa, plain.theta, plain.sigma, plain.rho])
    calmer = base * np.array([0.8, 1.0, 0.9, 0.7, 1.0])
    none = np.array([where.lower[5], 0.0, 0.1])
    return [np.concatenate([calmer, jump]) for jump in jumps], np.concatenate([base, none])


def _further(model: type, data: Any, quotes: Quotes, weights: Any, where: _Coordinates) -> list[Float1D]:
    """Starts where jumps, large or many, carry most of the variance; of Bates, round the jump diffusion's own fit."""
    short, long = quotes.at_the_money_variance()
    fall = 1.0 if quotes.skew() <= 0.0 else -1.0
    if model is Merton:
        out = []
        for rate in _RATES:
            for lean in _LEANS:
                size = np.sqrt(0.9 * 0.5 * (short + long) / rate)  # of a jump, root mean square
                leaning = (-fall * lean * size, np.sqrt(1.0 - lean * lean) * size)
                out.append(np.array([np.sqrt(0.05 * (short + long)), rate, *leaning]))
        return out
    plain = fit_merton(data, weights=weights, allow_arbitrage=True).model
    jump = np.array([plain.intensity, plain.jump_mean, plain.jump_std])
    calm = plain.sigma**2
    rise = calm * float(np.clip(long / short, 0.2, 5.0))
    return [
        np.array([calm, kappa, rise, spread * np.sqrt(rise), -0.5 * fall, *jump])
        for kappa, spread in ((1.0, 1.0), (1.0, 4.0), (4.0, 2.0))
    ] + [
        np.array([0.8 * short, 2.0, 0.8 * long, np.sqrt(long), -0.5 * fall, rate, -fall * mean, deviation])
        for rate, mean, deviation in ((0.5, 0.3, 0.03), (3.0, 0.05, 0.1))
    ]


def _answer(
    quotes: Quotes, where: _Coordinates, surface: _Surface, found: Climb, n_iter: int, clock: float
) -> Fit[Any]:
    p = where.values(found.y)
    spread, condition = covariance(found.jacobian.T, found.free, found.sse, quotes.n_active)
    error = std_errors(spread, np.where(where.positive, p, 1.0))
    status, message = verdict(where.names, p, error, ~found.free, found.settled, n_iter, condition)
    last = surface.at(found.y)
    assert last is not None  # it was there
    return Fit(
        model=where.to_model(found.y),
        parameters=pd.DataFrame(
            {"name": where.names, "value": p, "std_error": error, "lower": where.lower, "upper": where.upper}
        ),
        residuals=quotes.residuals(last[0][0]),
        rmse=float(np.sqrt(found.sse / quotes.weight.sum())),
        unit="vol",
        sse=found.sse,
        status=status,
        n_iter=n_iter,
        message=message,
        seconds=time.perf_counter() - clock,
    )


OPTIONS_OF = _fit  # who takes the **options of the fits above
