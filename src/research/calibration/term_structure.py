"""`fit(BlackTermStructure, surface)`: one vol an expiry, the weighted mean of its quotes, total variance never falling.

`fit(BlackScholes, data)` is one vol for all of them, from a smile, a surface or a snapshot.

Where the means would let total variance fall, neighbouring expiries are pooled: the least squares of vol residuals
linearised at the means (isotonic regression of total variance). Standard errors are those of a weighted mean, s^2 from
the residuals of the expiry: they say how far a smile is from flat.

References
----------
Barlow, Bartholomew, Bremner, Brunk (1972), "Statistical inference under order restrictions", Wiley (pooling).
"""

from __future__ import annotations

from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd

from research.arrays import Float1D
from research.calibration._options import Bounds, Weights, quote_weights, read_bounds, smiles_of, surface_of
from research.calibration._registry import fits
from research.calibration.fit import AT_BOUND, CONVERGED, Fit
from research.errors import require
from research.market import Smile, Snapshot, Surface
from research.models import BlackScholes, BlackTermStructure


@fits(BlackScholes)
def fit_black_scholes(
    data: Smile | Snapshot | Surface, *, weights: Weights = "vega", bounds: Bounds = None
) -> Fit[BlackScholes]:
    """One vol for every quote: their weighted mean.

    Parameters
    ----------
    data : Smile, Snapshot or Surface
    weights : array-like of shape (n,), "equal", "vega", "bid_ask" or None, default "vega"
        Of the squared vol residuals: by vega the quotes near the money, and the long ones, count most.
    bounds : mapping of "sigma" to (lower, upper)

    Returns
    -------
    Fit
        Unit "vol". The standard error is that of a weighted mean: it says how far the quotes are from flat.

    Raises
    ------
    InputError
        Where no quote has a positive weight.
    """
    smiles = smiles_of(data)
    clock = perf_counter()
    (low,), (high,) = read_bounds(bounds, {"sigma": (0.0, np.inf)}, {"sigma": (-1e-300, np.inf)})
    weight = np.concatenate(quote_weights(smiles, weights))
    require(weight.sum() > 0.0, "weights", weight.sum(), "be > 0 for a quote at least")
    vol = np.concatenate([smile.vol for smile in smiles])
    mean = float(weight @ vol) / float(weight.sum())
    sigma = min(max(mean, float(low)), float(high))
    held = sigma != mean
    parameters = pd.DataFrame(
        {"name": "sigma", "value": [sigma], "std_error": [np.nan if held else _error(vol, weight, mean)], "lower": low,
         "upper": high}
    )  # fmt: skip
    return _answer(BlackScholes(sigma=sigma), parameters, smiles, [sigma] * len(smiles), weight, clock,
                   "weighted mean; on its bound: sigma" if held else "weighted mean", held)  # fmt: skip


@fits(BlackTermStructure)
def fit_term_structure(
    data: Snapshot | Surface, *, weights: Weights = "vega", bounds: Bounds = None
) -> Fit[BlackTermStructure]:
    """One vol an expiry.

    Parameters
    ----------
    data : Snapshot or Surface
    weights : array-like of shape (n,), "equal", "vega", "bid_ask" or None, default "vega"
        Of the squared errors: by vega the quotes near the money count most. None takes the surface's own.
    bounds : mapping of "implied" to (lower, upper)
        Of every expiry's vol, within which total variance still rises.

    Returns
    -------
    Fit
        Unit "vol"; "on a bound" where expiries were pooled.

    Raises
    ------
    InputError
        On an expiry without a quote of positive weight.
    """
    surface = surface_of(data)
    clock = perf_counter()
    (low,), (high,) = read_bounds(bounds, {"implied": (0.0, np.inf)}, {"implied": (-1e-300, np.inf)})
    weight = quote_weights(surface.smiles, weights)
    total = np.array([w.sum() for w in weight])
    for tau, one in zip(surface.tau, total):
        require(one > 0.0, "weights", one, f"be > 0 for a quote at least at tau {tau:.6g}")
    mean = np.array([float(w @ s.vol) / w.sum() for s, w in zip(surface, weight)])
    # in total variance v = vol^2 tau, dv = 2 vol tau dvol
    pooled, group = _isotonic(mean**2 * surface.tau, total / (2.0 * mean * surface.tau) ** 2)
    raw = np.sqrt(pooled / surface.tau)
    vol = np.clip(raw, low, high)  # clipped at one level, total variance still rises
    vol = np.sqrt(np.maximum.accumulate(vol**2 * surface.tau) / surface.tau)
    held = (np.bincount(group)[group] > 1) | (vol != raw)
    error = np.array([_error(s.vol, w, v) for s, w, v in zip(surface, weight, mean)])
    names = ", ".join(f"{t:.4g}" for t in surface.tau[held])
    parameters = pd.DataFrame(
        {"name": "implied", "value": vol, "std_error": np.where(held, np.nan, error), "lower": low, "upper": high,
         "tau": surface.tau}
    )  # fmt: skip
    message = "weighted means"
    if held.any():
        message += f"; total variance held level at tau {names}" if bounds is None else f"; held at tau {names}"
    model = BlackTermStructure(tau=tuple(surface.tau), implied=tuple(vol))
    return _answer(model, parameters, surface.smiles, vol, np.concatenate(weight), clock, message, bool(held.any()))


def _answer(
    model: Any, parameters: pd.DataFrame, smiles: Any, vol: Any, weight: Float1D, clock: float, message: str, held: bool
) -> Fit[Any]:
    """The Fit of flat smiles, `vol` one a smile."""
    parts = [s.to_frame()[["expiry", "tau", "strike", "log_moneyness", "vol"]] for s in smiles]
    table = pd.concat(parts, ignore_index=True).rename(columns={"vol": "market"})
    fitted = np.repeat(np.asarray(vol, dtype=np.float64), [len(s) for s in smiles])
    table = table.assign(model=fitted, residual=fitted - table["market"], weight=weight)
    sse = float((weight * table["residual"] ** 2).sum())
    return Fit(
        model=model, parameters=parameters, residuals=table, rmse=float(np.sqrt(sse / weight.sum())), unit="vol",
        sse=sse, status=AT_BOUND if held else CONVERGED, n_iter=1, message=message, seconds=perf_counter() - clock,
    )  # fmt: skip


def _error(vol: Float1D, weight: Float1D, mean: float) -> float:
    """Of a weighted mean; nan for one quote."""
    n = int(np.count_nonzero(weight))
    if n < 2:
        return float("nan")
    return float(np.sqrt(weight @ (vol - mean) ** 2 / (n - 1) / weight.sum()))


def _isotonic(value: Float1D, weight: Float1D) -> tuple[Float1D, Float1D]:
    """The nearest values that do not fall, and the block of each (pool adjacent violators)."""
    blocks: list[list[float]] = []  # mean, weight, members
    for v, w in zip(value.tolist(), weight.tolist()):
        blocks.append([v, w, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            b, a = blocks.pop(), blocks.pop()
            both = a[1] + b[1]
            blocks.append([(a[0] * a[1] + b[0] * b[1]) / both, both, a[2] + b[2]])
    sizes = [int(b[2]) for b in blocks]
    return np.repeat([b[0] for b in blocks], sizes), np.repeat(np.arange(len(blocks)), sizes)
