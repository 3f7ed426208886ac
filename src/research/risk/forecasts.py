"""One-day-ahead forecasts of VaR and ES by four methods: what a single number and a backtest share.

The forecast for day t uses the returns before t only. A whole history may be given: EWMA and its filter run
through all of it from the mean square of its first `window` returns; quantiles are of the last `window` values,
and GARCH is estimated on the last `fit_window` returns at every refit.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, pi, sqrt
from statistics import NormalDist
from typing import Literal, get_args

import numpy as np

from research.arrays import Float1D, Float2D, FloatND, Int1D
from research.core.calibration.garch import garch_refits
from research.core.risk.value_at_risk import ewma_variances, garch_filtered_tails, garch_forecasts, rolling_tails
from research.errors import InputError, NumericalError, require, require_all, rule

Method = Literal["historical", "ewma", "garch", "filtered_historical"]
METHODS: tuple[Method, ...] = get_args(Method)
MAX_ITERATIONS, NOT_FINITE = 1, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the four methods look back; times in days."""

    window: int = 500  # returns, or standardised returns, in a quantile
    decay: float = 0.94  # of EWMA; RiskMetrics (1996) for daily data
    fit_window: int = 1000  # returns that GARCH is estimated on
    refit_every: int = 21  # days between GARCH estimations
    filter: Literal["garch", "ewma"] = "garch"  # of filtered historical simulation

    def __post_init__(self) -> None:
        require(self.window >= 2, "window", self.window, "be at least 2 days")
        require(0.0 < self.decay < 1.0, "decay", self.decay, "lie in (0, 1)", hint="RiskMetrics takes 0.94.")
        require(
            self.fit_window >= 250, "fit_window", self.fit_window, "be at least 250 days", hint="GARCH needs a year."
        )
        require(self.refit_every >= 1, "refit_every", self.refit_every, "be at least 1 day")
        require(self.filter in ("garch", "ewma"), "filter", self.filter, "be garch or ewma")

    def fits_garch(self, method: Method) -> bool:
        return method == "garch" or (method == "filtered_historical" and self.filter == "garch")

    def history(self, method: Method) -> int:
        """Returns that must come before the first forecast."""
        if method == "garch":
            return self.fit_window
        return max(self.window, self.fit_window) if self.fits_garch(method) else self.window


@dataclass(frozen=True, slots=True, kw_only=True)
class Refits:
    """GARCH estimations of a range of days: at `begin[i]`, used up to `end[i]`."""

    begin: Int1D
    end: Int1D
    fitted: Float2D  # shape (m, 9): mu, omega, alpha, beta, log-likelihood, search coordinates
    status: Int1D
    n_iter: Int1D


def check_levels(levels: FloatND, settings: Settings, method: Method) -> None:
    """Levels in (0, 1), and a window that holds at least one day of the tail."""
    hint = "Use 0.99 for a 99% VaR, not 99."
    require(levels.ndim == 1 and levels.size > 0, "level", levels.shape, "be one number or a list of them")
    if levels.size == 1:
        require(0.0 < float(levels[0]) < 1.0, "level", float(levels[0]), "lie in (0, 1)", hint=hint)
    require_all((levels > 0.0) & (levels < 1.0), "level", levels, "lie in (0, 1)", hint=hint)
    if method in ("historical", "filtered_historical"):
        deepest = float(levels.max())
        least = int(np.ceil(1.0 / (1.0 - deepest) - 1e-9))
        must = f"be at least {least} days at level {deepest:g}"
        require(settings.window >= least, "window", settings.window, must, hint="It must hold one day of the tail.")


def check_history(x: Float1D, settings: Settings, method: Method) -> None:
    """Finite returns, enough of them, and not all equal."""
    require(method in METHODS, "method", method, f"be one of {', '.join(METHODS)}")
    require_all(np.isfinite(x), "returns", x, "be finite", hint="Drop or fill missing returns first.")
    least = settings.history(method)
    require(x.size >= least, "returns", x.size, f"have at least {least} observations for {method}")
    require(float(np.ptp(x)) > 0.0, "returns", float(x[0]), "vary; all are equal", hint="A stale price?")


def refit(x: Float1D, first: int, last: int, settings: Settings, *, max_iter: int = 200) -> Refits:
    """Estimate GARCH at day `first` and every `refit_every` days, each time on the `fit_window` returns before.

    Raises
    ------
    InputError, NumericalError
        When the returns of a fit window are all equal; when a search does not converge.
    """
    begin = np.arange(first, last, settings.refit_every, dtype=np.int64)
    end = np.minimum(begin + settings.refit_every, last)
    m = begin.size
    fitted, status, n_iter = np.empty((m, 9)), np.empty(m, dtype=np.int64), np.empty(m, dtype=np.int64)
    garch_refits(x, begin, settings.fit_window, 0.0, max_iter, fitted, status, n_iter)
    if (status == NOT_FINITE).any():
        day = int(begin[status == NOT_FINITE][0])
        raise InputError(
            rule("returns", "vary within every fit window", f"one without a fit, before observation {day}")
        )
    if (status == MAX_ITERATIONS).any():
        day = int(begin[status == MAX_ITERATIONS][0])
        raise NumericalError(
            f"GARCH must converge at every refit; it did not before observation {day}. Raise max_iter."
        )
    return Refits(begin=begin, end=end, fitted=fitted, status=status, n_iter=n_iter)


def tails(
    x: Float1D, first: int, last: int, levels: Float1D, method: Method, settings: Settings, refits: Refits | None = None
) -> tuple[Float2D, Float2D, Float1D | None]:
    """VaR and ES, shape (last - first, levels), and the volatility forecast of the methods that have one."""
    p = 1.0 - levels
    var, es = np.empty((last - first, levels.size)), np.empty((last - first, levels.size))
    if method == "historical":
        rolling_tails(x, first, last, settings.window, p, var, es)
        return var, es, None
    if settings.fits_garch(method):
        fits = refits or refit(x, first, last, settings)
        sd = np.empty(last - first)
        garch_forecasts(x, fits.begin, fits.end, settings.fit_window, fits.fitted, sd, first)
        if method == "filtered_historical":
            garch_filtered_tails(
                x, fits.begin, fits.end, settings.fit_window, settings.window, fits.fitted, p, var, es, first
            )
            return var, es, sd
        mu = np.repeat(fits.fitted[:, 0], fits.end - fits.begin)
        return *_normal(sd, levels, mu), sd
    h = np.empty(x.size + 1)
    ewma_variances(x, settings.window, settings.decay, h)
    vol = np.sqrt(h)
    sd = vol[first:last]
    if method == "ewma":
        return *_normal(sd, levels, np.zeros(sd.size)), sd
    rolling_tails(x / vol[:-1], first, last, settings.window, p, var, es)
    return var * sd[:, None], es * sd[:, None], sd


def _normal(sd: Float1D, levels: Float1D, mu: Float1D) -> tuple[Float2D, Float2D]:
    """VaR and ES of normal returns."""
    quantile = np.array([NormalDist().inv_cdf(float(level)) for level in levels])
    density = np.array([exp(-0.5 * q * q) / sqrt(2.0 * pi) for q in quantile])
    shortfall = density / (1.0 - levels)
    return np.outer(sd, quantile) - mu[:, None], np.outer(sd, shortfall) - mu[:, None]
