"""The volatility a hedger believes in, day by day: each from what was known at that day's close.

| method | annual volatility at the close of day t |
|---|---|
| rolling | of the last `window` log returns, mean zero |
| ewma | exponentially weighted (RiskMetrics 1996) |
| garch | GARCH(1,1) estimated on the last `fit_window` returns, averaged over the `horizon` days to come |
| realised | of the `horizon` days to come: foresight, for comparison only |

A quoted volatility (the VIX over 100) needs no function: give it to the backtest as it is.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import pandas as pd

from research.arrays import Float1D, vector
from research.errors import require, require_all
from research.risk.forecasts import Settings, refit

Method = Literal["rolling", "ewma", "garch", "realised"]
METHODS: tuple[Method, ...] = get_args(Method)
YEAR = 252  # trading days


def hedge_vols(
    prices: pd.Series,
    method: Method,
    *,
    window: int = 63,
    decay: float = 0.94,
    horizon: int = 63,
    fit_window: int = 1000,
    refit_every: int = 21,
) -> pd.Series:
    """Annual volatility at each close; nan where there is not enough history.

    Parameters
    ----------
    prices : Series of closes with a date index, price units, shape (n,)
    method : {"rolling", "ewma", "garch", "realised"}
    window : int, days of "rolling", and of the start of "ewma"
    decay : float, of "ewma"
    horizon : int, days to come: the mean variance of "garch" and "realised"
    fit_window, refit_every : int, days, of "garch"

    Examples
    --------
    >>> steady = pd.Series(100.0 * 1.01 ** np.array([0, 1, 0, 1, 0, 1, 0]))
    >>> round(float(hedge_vols(steady, "rolling", window=3).iloc[-1]), 4)
    0.158
    """
    require(method in METHODS, "method", method, f"be one of {', '.join(METHODS)}")
    x = vector(prices, "prices")
    require_all(np.isfinite(x) & (x > 0.0), "prices", x, "be finite and > 0")
    least = {"rolling": window, "ewma": window, "garch": fit_window, "realised": horizon}[method]
    require(window >= 2 and horizon >= 1, "window", window, "be at least 2 days, and horizon at least 1")
    require(x.size > least, "prices", x.size, f"have more than {least} days for {method}")
    r = np.diff(np.log(x))
    daily = np.full(x.size, np.nan)
    if method == "rolling":
        daily[window:] = _means(r * r, window)
    elif method == "ewma":
        daily[window:] = _ewma(r, window, decay)
    elif method == "garch":
        settings = Settings(fit_window=fit_window, refit_every=refit_every)
        daily[fit_window:] = _garch(r, settings, horizon)
    else:
        daily[:-horizon] = _means(r * r, horizon)
    return pd.Series(np.sqrt(YEAR * daily), index=prices.index, name=method)


def _means(x: Float1D, n: int) -> Float1D:
    """Mean of every n neighbours, shape (x.size - n + 1,)."""
    out: Float1D = np.lib.stride_tricks.sliding_window_view(x, n).mean(axis=1)
    return out


def _ewma(r: Float1D, window: int, decay: float) -> Float1D:
    require(0.0 < decay < 1.0, "decay", decay, "lie in (0, 1)")
    out = np.empty(r.size - window + 1)
    out[0] = np.mean(r[:window] ** 2)
    for t in range(window, r.size):
        out[t - window + 1] = decay * out[t - window] + (1.0 - decay) * r[t] ** 2
    return out


def _garch(r: Float1D, settings: Settings, horizon: int) -> Float1D:
    """Mean expected variance of the next `horizon` returns, after each return from the first fit on.

    The variance runs on from the sample variance of the fit window under the parameters of the last refit.
    """
    width = settings.fit_window
    fits = refit(r, width, r.size + 1, settings)
    out = np.empty(r.size - width + 1)
    for i in range(fits.begin.size):
        mu, omega, alpha, beta = fits.fitted[i, :4]
        begin, end = int(fits.begin[i]), int(fits.end[i])
        past = r[begin - width : end] - mu
        h = omega + (alpha + beta) * float(np.mean(past[:width] ** 2))
        persistence = alpha + beta
        long_run = omega / max(1.0 - persistence, 1e-12)
        share = (1.0 - persistence**horizon) / (horizon * max(1.0 - persistence, 1e-12))
        for t in range(begin - width, end):
            if t >= begin:
                out[t - width] = long_run + (h - long_run) * share
            if t + 1 < end:
                h = omega + alpha * past[t - begin + width] ** 2 + beta * h
    return out
