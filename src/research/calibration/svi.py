"""Raw SVI to a smile, or to a surface slice by slice: `fit(SVI, smile)`, `fit(SVISurface, snapshot)`.

The objective is the (weighted) sum of squared vol residuals. Each slice is first fitted alone. Where a fitted slice
has butterflies, or slices cross, all are fitted again together with penalties for both; strikes at which a violation
is left join the penalised grid until none is left on the whole line. The model that comes back is free of static
arbitrage unless `arbitrage_free=False`.

References
----------
Gatheral & Jacquier (2014), "Arbitrage-free SVI volatility surfaces", Quantitative Finance 14, 59-71.
De Marco & Martini (2009), "Quasi-explicit calibration of Gatheral's SVI model", Zeliade Systems.
"""

from __future__ import annotations

from datetime import date
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd

from research.arrays import FloatND
from research.calibration._options import Bounds, Weights, check_max_iter, quote_weights, read_bounds
from research.calibration._quotes import refuse_arbitrage
from research.calibration._registry import fits
from research.calibration._svi_search import LEAST, Search, search
from research.calibration.fit import AT_BOUND, MAX_ITERATIONS, Fit
from research.errors import require
from research.market import Smile, Snapshot, Surface
from research.models.svi import LEE, SVI, SVISurface

NAMES = ("a", "b", "rho", "m", "sigma")


@fits(SVI)
def fit_svi(
    smile: Smile,
    *,
    weights: Weights = None,
    bounds: Bounds = None,
    start: SVI | None = None,
    allow_arbitrage: bool = False,
    arbitrage_tolerance: float = 0.0,
    arbitrage_free: bool = True,
    least_width: float = 0.05,
    max_iter: int = 200,
) -> Fit[SVI]:
    """Fit one slice of raw SVI to the quotes of one expiry.

    Parameters
    ----------
    smile : Smile
        At least 5 quotes with a positive weight.
    weights : array-like of shape (n,), "equal", "vega", "bid_ask" or None, default None
        Of the squared vol residuals; None takes the smile's own. Scaled to mean 1.
    bounds : mapping of "m" or "sigma" to (lower, upper), log moneyness
        The search bounds the wings' slopes by Lee's 2 and the least variance from below; a, b and rho follow.
    start : SVI (for a surface: SVISurface, of any expiries), default found from the quotes
        Tried beside the starts found from the quotes; the best end is kept. A surface that must be kept free of
        arbitrage is searched from the start alone, and from the others too only where that ends unfair, unsettled, or
        at more than 1.25 times the sum of squares of the slices alone, below which no fair surface can be.
    allow_arbitrage : bool, default False
        Fit *quotes* that allow a butterfly, instead of refusing them.
    arbitrage_tolerance : float, default 0
        Vol by which a quote may miss the rules before the fit refuses.
    arbitrage_free : bool, default True
        Keep the fitted *slice* free of butterflies, if need be by penalties; its least total variance is then at
        least a fifth of the lowest quoted one. False gives the plain least squares.
    least_width : float, default 0.05
        Lower bound of sigma, as a share of the quoted range of log moneyness. A bend narrower than the gap between
        quotes rests on one of them, and says much about the strikes beyond; 0.2 asks for smooth slices.
    max_iter : int, default 200
        Of each climb.

    Returns
    -------
    Fit
        unit "vol"; rmse is weighted. Residuals are model minus market. Standard errors take binding penalties as exact.

    Raises
    ------
    InputError
        On fewer than 5 quotes, or quotes with butterfly arbitrage.
    NumericalError
        When no start leads to a smile.
    """
    require(isinstance(smile, Smile), "data", type(smile).__name__, "be a market.Smile")
    _check_options(least_width, max_iter)
    if not allow_arbitrage:
        alone = Surface(as_of=date.min, spot=smile.forward, smiles=(smile,))
        refuse_arbitrage(alone, arbitrage_tolerance)
    require(start is None or isinstance(start, SVI), "start", start, "be an SVI")
    begin = None if start is None else SVISurface(tau=(smile.tau,), slices=(start,))
    fitted = _fit([smile], weights, bounds, begin, arbitrage_free, least_width, max_iter)
    return Fit(**{**fitted, "model": fitted["model"].slices[0], "parameters": fitted["parameters"].drop(columns="tau")})


@fits(SVISurface)
def fit_svi_surface(
    data: Snapshot | Surface,
    *,
    weights: Weights = None,
    bounds: Bounds = None,
    start: SVISurface | None = None,
    allow_arbitrage: bool = False,
    arbitrage_tolerance: float = 0.0,
    arbitrage_free: bool = True,
    least_width: float = 0.05,
    max_iter: int = 200,
) -> Fit[SVISurface]:
    """Fit a slice of raw SVI to every expiry.

    Parameters
    ----------
    data : Snapshot or Surface
        At least 5 quotes with a positive weight an expiry.
    weights, bounds, start, least_width, max_iter, arbitrage_tolerance
        As for one slice.
    allow_arbitrage : bool, default False
        Fit *quotes* that allow a butterfly or a calendar, instead of refusing them.
    arbitrage_free : bool, default True
        Keep the fitted *surface* free of butterflies and calendars; False gives the plain least squares.

    Returns
    -------
    Fit
        One row of `parameters` a parameter and expiry (column tau).

    Raises
    ------
    InputError
        On too few quotes, or quotes with arbitrage.
    NumericalError
        When no start leads to a smile.
    """
    require(isinstance(data, (Snapshot, Surface)), "data", type(data).__name__, "be a market.Snapshot or Surface")
    surface = data.quotes if isinstance(data, Snapshot) else data
    _check_options(least_width, max_iter)
    if not allow_arbitrage:
        refuse_arbitrage(surface, arbitrage_tolerance)
    require(start is None or isinstance(start, SVISurface), "start", start, "be an SVISurface")
    return Fit(**_fit(list(surface), weights, bounds, start, arbitrage_free, least_width, max_iter))


def _fit(
    smiles: list[Smile], weights: Weights, bounds: Bounds, start: SVISurface | None, arbitrage_free: bool,
    least_width: float, max_iter: int,
) -> dict[str, Any]:  # fmt: skip
    """The fields of a Fit of SVISurface."""
    weight = _weights(smiles, weights)
    wide = {"m": (-np.inf, np.inf), "sigma": (0.0, np.inf)}
    box = read_bounds(bounds, wide, {"m": (-np.inf, np.inf), "sigma": (-1e-300, np.inf)})
    began = perf_counter()
    found = search(smiles, weight, arbitrage_free, least_width, max_iter, box, start)
    seconds = perf_counter() - began
    residuals = _residual_table(smiles, found.model, weight)
    sse = float((residuals["weight"] * residuals["residual"] ** 2).sum())
    tables = [_parameter_table(*row) for row in zip(smiles, found.model.slices, found.std_error)]
    return {
        "model": found.model,
        "parameters": pd.concat(tables, ignore_index=True),
        "residuals": residuals,
        "rmse": float(np.sqrt(sse / residuals["weight"].sum())),
        "unit": "vol",
        "sse": sse,
        "status": found.status,
        "n_iter": found.n_iter,
        "message": _message(found, tables),
        "seconds": seconds,
    }


def _check_options(least_width: float, max_iter: int) -> None:
    require(0.0 < least_width <= 1.0, "least_width", least_width, "lie in (0, 1]", hint="A share of the quoted range.")
    check_max_iter(max_iter)


def _weights(smiles: list[Smile], weights: Weights) -> list[FloatND]:
    """Weight of each squared residual, with mean 1 over the quotes that count."""
    found = quote_weights(smiles, weights)
    for smile, weight in zip(smiles, found):
        n = int((weight > 0.0).sum())
        rule = f"be at least {LEAST} with a positive weight at tau {smile.tau:.6g}"
        require(n >= LEAST, "quotes", n, rule, hint="SVI has five parameters.")
    flat = np.concatenate(found)
    scale = np.count_nonzero(flat) / flat.sum()
    return [weight * scale for weight in found]


def _parameter_table(smile: Smile, model: SVI, error: FloatND) -> pd.DataFrame:
    value = [getattr(model, name) for name in NAMES]
    lower, upper = [-np.inf, 0.0, -1.0, -np.inf, 0.0], [np.inf, LEE, 1.0, np.inf, np.inf]
    columns = {"name": NAMES, "value": value, "std_error": error, "lower": lower, "upper": upper, "tau": smile.tau}
    return pd.DataFrame(columns)


def _residual_table(smiles: list[Smile], model: SVISurface, weight: list[FloatND]) -> pd.DataFrame:
    columns = ["expiry", "tau", "strike", "log_moneyness", "vol"]
    quotes = pd.concat([smile.to_frame() for smile in smiles], ignore_index=True)[columns]
    fitted = np.concatenate([one.vol(smile.log_moneyness, smile.tau) for smile, one in zip(smiles, model.slices)])
    quotes = quotes.rename(columns={"vol": "market"})
    return quotes.assign(model=fitted, residual=fitted - quotes["market"], weight=np.concatenate(weight))


def _message(found: Search, tables: list[pd.DataFrame]) -> str:
    what = {MAX_ITERATIONS: "stopped by max_iter", AT_BOUND: "converged on a bound"}.get(found.status, "converged")
    how = (
        "together, with arbitrage penalised"
        if found.penalised
        else "each slice alone"
        if len(found.std_error) > 1
        else ""
    )
    left = found.model.arbitrage()["kind"].value_counts()
    count = ", ".join(f"{n} {kind}" for kind, n in left.items()) or "no"
    out = f"{what}{', ' + how if how else ''}; {count} arbitrage in the fit"
    vague = [f"{row.name} at tau {row.tau:.4g}" for row in _vague(pd.concat(tables)).itertuples(index=False)]
    return out + (f"; hardly identified by these quotes: {', '.join(vague)}" if vague else "")


def _vague(table: pd.DataFrame) -> pd.DataFrame:
    """Parameters whose standard error exceeds their size: of b, rho and sigma, since a and m may be 0."""
    size = np.where(table["name"] == "rho", np.maximum(table["value"].abs(), 0.5), table["value"].abs())
    return table[(table["std_error"] > size) & table["name"].isin(("b", "rho", "sigma"))]
