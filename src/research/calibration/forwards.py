"""Bachelier, displaced diffusion and CEV fitted to implied vols: one expiry or several, of one set of parameters.

Quotes are lognormal vols (`Smile`, `Surface`, `Snapshot`) or normal vols (`NormalSmile`); residuals are in what was
quoted. The search is SciPy's trust region within bounds, in coordinates free of units: the vol at the money, and shift
over forward or beta. Gradients are analytic; of CEV that by sigma is (with p the density at the strike it is sigma tau
K^(2 beta) p), that by beta would need a Bessel function's derivative by its order, which has no closed form, and is a
difference. A smile under CEV is nearly a power of the mean of forward and strike with exponent beta - 1 (Hagan and
Woodward 1999): that line is where its search starts, others follow only if that leads nowhere. A flat smile does not
tell shift or beta: the message says so.

References
----------
Hagan, Woodward (1999), "Equivalent Black volatilities", Applied Mathematical Finance 6, 147-157.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd

from research.arrays import Float1D, Float2D
from research.calibration._options import Bounds, Weights, check_max_iter, quote_weights, smiles_of
from research.calibration._registry import fits
from research.calibration._ssvi_search import check_bounds
from research.calibration._verdict import covariance
from research.calibration.fit import AT_BOUND, CONVERGED, MAX_ITERATIONS, Fit
from research.errors import NumericalError, require, require_all
from research.market import NormalSmile, Smile, Snapshot, Surface
from research.models import bachelier, black
from research.models.bachelier import Bachelier
from research.models.cev import CEV
from research.models.displaced_diffusion import DisplacedDiffusion

_FAR = 5.0  # times the mean quoted vol: what stands for a price that has no implied vol
_BETA = (-5.0, 4.0)
_GAP = 1e-4  # nearer to 1 than this, beta is 1
_ASIDE = 1e-6  # of beta


@dataclass(frozen=True, slots=True, eq=False)
class _Quotes:
    """Quotes of one kind, side by side; every array has shape (n,)."""

    frame: pd.DataFrame
    forward: Float1D
    strike: Float1D
    tau: Float1D
    vol: Float1D
    weight: Float1D
    normal: bool

    @property
    def level(self) -> float:
        """Normal vol at the forward, about."""
        near = int(np.argmin(np.abs(self.strike - self.forward) / np.sqrt(self.tau)))
        return float(self.vol[near] * (1.0 if self.normal else self.forward[near]))


@fits(Bachelier)
def fit_bachelier(data: NormalSmile | Smile | Surface | Snapshot, **options: Any) -> Fit[Bachelier]:
    """The normal vol nearest to the quotes; options as of `fit_cev`."""
    return _fit(Bachelier, data, **options)


@fits(DisplacedDiffusion)
def fit_displaced_diffusion(data: NormalSmile | Smile | Surface | Snapshot, **options: Any) -> Fit[DisplacedDiffusion]:
    """The displaced diffusion nearest to the quotes; options as of `fit_cev`, bounds of shift in price units."""
    return _fit(DisplacedDiffusion, data, **options)


@fits(CEV)
def fit_cev(data: Smile | NormalSmile | Surface | Snapshot, **options: Any) -> Fit[CEV]:
    """The CEV model nearest to the quotes.

    Parameters
    ----------
    data : Smile, NormalSmile, Surface or Snapshot
    weights : array-like of shape (n,), "equal", "vega", "bid_ask" or None, default None
        Of the squared residuals, smile by smile in order of strike; None takes the quotes' own.
    bounds : mapping of "beta" or "shift" to (lower, upper)
    start : the model, default found from the quotes
    max_iter : int, default 200
        Most evaluations of each climb.

    Returns
    -------
    Fit
        Residuals are model minus market: unit "vol" (lognormal, decimal), or "normal vol" (price units / sqrt(year)).

    Raises
    ------
    InputError
        On no more quotes than parameters, or forwards that the model does not admit.
    NumericalError
        When no start leads to prices.
    """
    return _fit(CEV, data, **options)


def _fit(
    model: type, data: Any, *, weights: Weights = None, bounds: Bounds = None, start: Any = None, max_iter: int = 200
) -> Fit[Any]:  # fmt: skip
    from scipy.optimize import least_squares

    quotes = _read(data, weights)
    require(start is None or isinstance(start, model), "start", start, f"be a {model.__name__}")
    check_max_iter(max_iter)
    lower, upper, starts = _box(model, quotes, bounds, start)
    n, active = lower.size, int(np.count_nonzero(quotes.weight))
    require(active > n, "quotes", active, f"number at least {n + 1}", hint=f"{model.__name__} has {n} parameters.")
    clock, root = perf_counter(), np.sqrt(quotes.weight)
    scale = float(np.mean(quotes.vol))

    def residual(y: Float1D) -> Float1D:
        vol = _vols(_model(model, y, quotes), quotes)
        return root * (np.where(np.isfinite(vol), vol, _FAR * scale) - quotes.vol) / scale

    def slope(y: Float1D) -> Float2D:
        found = _model(model, y, quotes)
        vol = _vols(found, quotes)
        by_y = _of_cev(y, found, vol, quotes) if model is CEV else _derivatives(found, vol, quotes)
        return np.where(np.isfinite(by_y), root[:, None] * by_y / scale, 0.0)

    def climbed(y: Float1D) -> Any:
        inside = np.clip(y, lower + 1e-6, upper - 1e-6)
        return least_squares(residual, inside, bounds=(lower, upper), x_scale="jac", jac=slope, ftol=1e-13, xtol=1e-12,
                             gtol=1e-14, max_nfev=max_iter)  # fmt: skip

    ends = []
    for some in starts:  # the rest only where the first lead to a bound, or to prices without a vol
        ends += [climbed(y) for y in some]
        best = min(ends, key=lambda end: float(end.cost))
        if best.status > 0 and (best.active_mask == 0).all() and np.abs(best.fun).max() < _FAR:
            break
    found = _model(model, best.x, quotes)
    vol = _vols(found, quotes)
    if not np.isfinite(vol).all():
        raise NumericalError(f"the search must find a {model.__name__} that prices every quote; got none.")
    return _answer(model, found, quotes, best, (lower, upper), vol, sum(int(end.nfev) for end in ends), clock)


def _read(data: Any, weights: Weights) -> _Quotes:
    smiles = smiles_of(data)
    frame = pd.concat([smile.to_frame() for smile in smiles], ignore_index=True)
    column = {name: frame[name].to_numpy(dtype=np.float64) for name in ("forward", "strike", "tau", "vol")}
    weight = np.concatenate(quote_weights(smiles, weights))
    return _Quotes(frame, **column, weight=weight, normal=isinstance(smiles[0], NormalSmile))


def _box(model: type, quotes: _Quotes, bounds: Any, start: Any) -> tuple[Float1D, Float1D, list[list[Float1D]]]:
    """Bounds, and starts in the order of their trial, in (log of the normal vol at the money, shape)."""
    level, forward = np.log(quotes.level), float(np.mean(quotes.forward))
    vol = (level - 5.0, level + 5.0)
    if model is Bachelier:
        check_bounds(bounds, {})
        return np.array([vol[0]]), np.array([vol[1]]), [[np.array([level])]]
    if model is CEV:
        both = np.minimum(quotes.forward, quotes.strike)
        require_all(both > 0.0, "forwards and strikes", both, "be > 0", hint="Fit a DisplacedDiffusion.")
        shape = check_bounds(bounds, {"beta": (-20.0, 20.0)}).get("beta", _BETA)
        own = None if start is None else [np.log(start.sigma * forward**start.beta), start.beta]
        first = [(level, beta) for beta in (0.5, -0.9, 1.5)]
    else:
        most = float(np.max(np.abs([quotes.forward, quotes.strike])))
        lowest = -float(np.min([quotes.forward, quotes.strike]))
        room = (lowest + 1e-6 * most, lowest + 100.0 * most)
        low, high = check_bounds(bounds, {"shift": (-np.inf, np.inf)}).get("shift", room)
        shape = (float(np.log(max(low, room[0]) - lowest)), float(np.log(high - lowest)))
        own = (
            None
            if start is None
            else [np.log(start.sigma * (forward + start.shift)), np.log(max(start.shift - lowest, 1e-9))]
        )
        first = [(level, np.log(most * share)) for share in (0.1, 1.0, 10.0)]
    starts = [[np.array(y) for y in (first if own is None else [own])]]
    if model is CEV and own is None:
        starts.insert(0, [_power_of_smile(quotes)])
    return np.array([vol[0], shape[0]]), np.array([vol[1], shape[1]]), starts


def _power_of_smile(quotes: _Quotes) -> Float1D:
    """The start of CEV: log vol against log((F + K) / 2) is a line of slope beta - 1."""
    f, k, w = quotes.forward, quotes.strike, np.sqrt(quotes.weight)
    vol = quotes.vol / np.sqrt(f * k) if quotes.normal else quotes.vol
    x, mean = np.log(0.5 * (f + k)), float(np.log(np.mean(f)))
    columns = np.stack([np.ones_like(x), x - mean], axis=1)
    level, power = np.linalg.lstsq(columns * w[:, None], np.log(vol) * w, rcond=None)[0]
    return np.array([level + mean, power + 1.0])


def _model(model: type, y: Float1D, quotes: _Quotes) -> Any:
    normal, forward = float(np.exp(y[0])), float(np.mean(quotes.forward))
    if model is Bachelier:
        return Bachelier(sigma=normal)
    if model is CEV:
        beta = 1.0 if abs(y[1] - 1.0) < _GAP else float(y[1])
        return CEV(sigma=normal * forward**-beta, beta=beta)
    shift = float(np.exp(y[1])) - float(np.min([quotes.forward, quotes.strike]))
    return DisplacedDiffusion(sigma=normal / (forward + shift), shift=shift)


def _vols(model: Any, quotes: _Quotes) -> Float1D:
    """Implied vols of the model, as quoted; nan where a price has none."""
    f, k, t = quotes.forward, quotes.strike, quotes.tau
    value = model.price(f, k, t, is_call=k >= f)
    implied = bachelier.implied_vol if quotes.normal else black.implied_vol
    out: Float1D = np.asarray(implied(value, f, k, t, is_call=k >= f, on_error="nan"))
    return out


def _density(x: Float1D) -> Float1D:
    return np.asarray(np.exp(-0.5 * x * x) / np.sqrt(2.0 * np.pi))


def _derivatives(model: Any, vol: Float1D, quotes: _Quotes) -> Float2D:
    """Of the vols as quoted, by the coordinates (log normal vol, log shift) of Bachelier and displaced diffusion.

    A price's derivative over the vega of the quoted vol. With sigma (F + shift) = exp(y0) and shift = exp(y1) - lowest,
    sigma falls as shift rises.
    """
    from scipy.special import ndtr

    f, k, root = quotes.forward, quotes.strike, np.sqrt(quotes.tau)
    x, vega = f - k, _vega(vol, quotes)
    if isinstance(model, Bachelier):
        by_level = model.sigma * root * _density(x / (model.sigma * root))
        return np.asarray((by_level / vega)[:, None])
    std = model.sigma * root
    d1 = np.log((f + model.shift) / (k + model.shift)) / std + 0.5 * std
    by_sigma = (f + model.shift) * root * _density(d1)
    by_shift = ndtr(d1) - ndtr(d1 - std)  # of the call, and of the put: they differ by F - K
    grow = model.shift + float(np.min([f, k]))  # d shift / d y1
    level = float(np.mean(f)) + model.shift
    by_shape = grow * (by_shift - by_sigma * model.sigma / level)
    return np.stack([by_sigma * model.sigma / vega, by_shape / vega], axis=1)


def _vega(vol: Float1D, quotes: _Quotes) -> Float1D:
    """Of the vol as quoted."""
    f, k, root = quotes.forward, quotes.strike, np.sqrt(quotes.tau)
    if quotes.normal:
        return np.asarray(root * _density((f - k) / (vol * root)))
    return np.asarray(f * root * _density(np.log(f / k) / (vol * root) + 0.5 * vol * root))


def _of_cev(y: Float1D, found: CEV, vol: Float1D, quotes: _Quotes) -> Float2D:
    """Of the vols, by log sigma in closed form and by beta as a difference, with the vol at the money held."""
    f, k, t = quotes.forward, quotes.strike, quotes.tau
    density = np.empty_like(f)
    for forward, tau in set(zip(f.tolist(), t.tolist())):
        here = (f == forward) & (t == tau)
        density[here] = found.density(forward, k[here], tau)
    by_sigma = found.sigma * t * k ** (2.0 * found.beta) * density
    aside = _ASIDE if abs(y[1] - 1.0) > 2.0 * _GAP else 4.0 * _GAP
    moved = _model(CEV, y + np.array([0.0, aside]), quotes)
    by_beta = (_vols(moved, quotes) - vol) / (moved.beta - found.beta)
    vega = _vega(vol, quotes)
    by_level = np.divide(found.sigma * by_sigma, vega, out=np.full_like(vega, np.nan), where=vega > 0.0)
    return np.stack([by_level, by_beta], axis=1)


def _answer(
    model: type, found: Any, quotes: _Quotes, best: Any, box: tuple[Float1D, Float1D], vol: Float1D, evaluations: int,
    clock: float,
) -> Fit[Any]:  # fmt: skip
    weight = quotes.weight
    sse = float(np.sum(weight * (vol - quotes.vol) ** 2))
    free = best.active_mask == 0
    spread, condition = covariance(best.jac, free, 2.0 * float(best.cost), int(np.count_nonzero(weight)))
    names = tuple(found.to_json())
    value = np.array([found.to_json()[name] for name in names])
    change = np.stack([_slope(model, best.x, quotes, j, names) for j in range(best.x.size)], axis=1)
    error = np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", change, spread, change), 0.0))
    error = np.where(error > 0.0, error, np.nan)
    settled, seconds = best.status > 0, perf_counter() - clock
    message = f"{'settled' if settled else 'stopped by max_iter'} after {evaluations} evaluations"
    if not free.all():
        message += f"; on its bound: {names[-1]}"
    if len(names) > 1 and not error[1] < max(abs(value[1]), 0.5 * (model is CEV)):
        message += f"; hardly identified by these quotes: {names[1]} (condition {condition:.0e})"
    limits = {"sigma": (0.0, np.inf), "beta": (box[0][-1], box[1][-1]), "shift": (-np.inf, np.inf)}
    columns = [name for name in ("expiry", "tau", "strike") if name in quotes.frame]
    residuals = quotes.frame[columns].assign(market=quotes.vol, model=vol, residual=vol - quotes.vol, weight=weight)
    return Fit(
        model=found,
        parameters=pd.DataFrame(
            {"name": names, "value": value, "std_error": error,
             "lower": [limits[name][0] for name in names], "upper": [limits[name][1] for name in names]}
        ),
        residuals=residuals,
        rmse=float(np.sqrt(sse / weight.sum())),
        unit="normal vol" if quotes.normal else "vol",
        sse=sse,
        status=MAX_ITERATIONS if not settled else CONVERGED if free.all() else AT_BOUND,
        n_iter=evaluations,
        message=message,
        seconds=seconds,
    )  # fmt: skip


def _slope(model: type, y: Float1D, quotes: _Quotes, j: int, names: tuple[str, ...]) -> Float1D:
    """Derivatives of the model's parameters by coordinate j."""
    step = np.zeros(y.size)
    step[j] = 1e-6
    up, down = (_model(model, y + s * step, quotes).to_json() for s in (1.0, -1.0))
    return np.array([(up[name] - down[name]) / 2e-6 for name in names])


OPTIONS_OF = _fit  # who takes the **options of the fits above
