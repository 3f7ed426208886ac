"""Arbitrage-free SABR to one smile: `fit(ArbitrageFreeSABR, smile, beta=..., shift=...)`.

The objective is the weighted sum of squared vol residuals, the vols being those of the density's prices. The search
starts from the fit of the formula in Obloj's form, whose parameters are near, and runs in log(alpha), artanh(rho) and
log(nu) by Levenberg-Marquardt with exact derivatives: the density's scheme itself is differentiated
(`models._sabr_slopes`). beta is given, as for `SABR`.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd

from research.arrays import Float1D, Float2D
from research.calibration._climb import climb
from research.calibration._options import Bounds, Weights, check_max_iter, quote_weights, read_bounds
from research.calibration._registry import fits
from research.calibration._verdict import covariance, std_errors, verdict
from research.calibration.fit import Fit
from research.calibration.sabr import fit_sabr
from research.errors import InputError, NumericalError, require
from research.market import NormalSmile, Smile
from research.models import bachelier, black
from research.models._sabr_slopes import prices_and_slopes
from research.models.arbitrage_free_sabr import ArbitrageFreeSABR, ForwardDensity

NAMES = ("alpha", "rho", "nu")
LEAST = 4  # quotes
_FAR = 5.0  # times the mean quoted vol: what stands for a price that has no implied vol


@fits(ArbitrageFreeSABR)
def fit_arbitrage_free_sabr(
    smile: Smile | NormalSmile,
    *,
    beta: float = 0.5,
    shift: float = 0.0,
    weights: Weights = None,
    bounds: Bounds = None,
    start: ArbitrageFreeSABR | None = None,
    n_space: int = 200,
    n_time: int = 20,
    max_iter: int = 60,
) -> Fit[ArbitrageFreeSABR]:
    """Fit alpha, rho and nu to the quotes of one expiry.

    Parameters
    ----------
    smile : Smile (lognormal vols of forward + shift) or NormalSmile
        At least 4 quotes.
    beta, shift : float, default 0.5 and 0
        shift in price units; the forward is absorbed at -shift.
    weights : array-like of shape (n,), "equal", "vega", "bid_ask" or None, default None
        Of the squared residuals; None takes the smile's own.
    bounds : mapping of "rho" or "nu" to (lower, upper), within (-0.995, 0.995) and (0.001, 20 / sqrt(tau))
    start : ArbitrageFreeSABR, default from the fit of the formula (Smile), or from the level at the money
    n_space, n_time : int, default 200 and 20
        Grid of the density.
    max_iter : int, default 60

    Returns
    -------
    Fit
        unit "vol", or "normal vol" (price units / sqrt(year)); residuals are model minus market.

    Raises
    ------
    InputError
        On fewer than 4 quotes, or forwards and strikes not above -shift.
    NumericalError
        When the density found does not price every quote.
    """
    require(isinstance(smile, (Smile, NormalSmile)), "data", type(smile).__name__, "be a market.Smile or NormalSmile")
    require(0.0 <= beta <= 1.0, "beta", beta, "lie in [0, 1]")
    check_max_iter(max_iter)
    lowest = min(smile.forward, float(smile.strike[0]))
    require(lowest + shift > 0.0, "forward and strikes", lowest, f"be > {0.0 - shift:g}", hint="Raise shift.")
    (weight,) = quote_weights([smile], weights)
    active = int(np.count_nonzero(weight))
    require(active >= LEAST, "quotes", active, f"be at least {LEAST}", hint="SABR has three parameters.")
    box = {"rho": (-0.995, 0.995), "nu": (1e-3, 20.0 / float(np.sqrt(min(smile.tau, 1.0))))}
    lower, upper = read_bounds(bounds, box, {name: (a - 1e-12, b + 1e-12) for name, (a, b) in box.items()})
    terms = {"beta": beta, "shift": shift, "n_space": n_space, "n_time": n_time}
    return _fit(smile, weight, start, terms, (lower, upper), max_iter)


@dataclass(frozen=True, slots=True, eq=False)
class _Residuals:
    """Vols less the quotes' as shares of their mean, and their derivatives in (log alpha, artanh rho, log nu)."""

    smile: Any
    root: Float1D  # of the weights
    scale: float
    terms: dict[str, Any]  # beta, shift and the grid

    def model(self, y: Float1D) -> ArbitrageFreeSABR:
        return ArbitrageFreeSABR(
            alpha=float(np.exp(y[0])), rho=float(np.tanh(y[1])), nu=float(np.exp(y[2])), **self.terms
        )

    def vols(self, y: Float1D) -> tuple[Float1D, Float2D, ForwardDensity]:
        """Vols, nan where a strike holds no time value; their derivatives, shape (3, n); the law."""
        m, smile = self.model(y), self.smile
        f, k, t, shift = smile.forward, smile.strike, smile.tau, m.shift
        law, call, slope = prices_and_slopes(m, f, k, t)
        value, is_call = np.maximum(call - np.where(k >= f, 0.0, f - k), 0.0), k >= f
        if isinstance(smile, NormalSmile):
            vol = np.asarray(bachelier.implied_vol(value, f, k, t, is_call=is_call, on_error="nan"))
            d, size = (f - k) / (vol * np.sqrt(t)), np.sqrt(t)
        else:
            vol = np.asarray(black.implied_vol(value, f + shift, k + shift, t, is_call=is_call, on_error="nan"))
            std = vol * np.sqrt(t)
            d, size = np.log((f + shift) / (k + shift)) / std + 0.5 * std, (f + shift) * np.sqrt(t)
        vega = size * np.exp(-0.5 * d * d) / np.sqrt(2.0 * np.pi)
        by_y = slope * np.array([[m.alpha], [1.0 - m.rho**2], [m.nu]])
        there = np.isfinite(vol) & (vega > 0.0)
        return vol, np.where(there, by_y / np.where(there, vega, 1.0), 0.0), law

    def __call__(self, y: Float1D) -> tuple[Float1D, Float2D] | None:
        try:
            vol, slope, _ = self.vols(y)
        except (NumericalError, InputError):  # no density there
            return None
        there = np.isfinite(vol)
        miss = np.where(there, vol, _FAR * self.scale) - self.smile.vol
        return self.root * miss / self.scale, np.where(there, self.root * slope / self.scale, 0.0)


def _fit(
    smile: Any, weight: Float1D, start: Any, terms: dict[str, Any], box: tuple[Float1D, Float1D], max_iter: int
) -> Fit[ArbitrageFreeSABR]:
    clock, scale = perf_counter(), float(np.mean(smile.vol))
    at = _Residuals(smile, np.sqrt(weight), scale, terms)
    begin = _start(smile, terms["beta"], terms["shift"], start)
    lower, upper = (np.array([begin[0] + far, np.arctanh(rho), np.log(nu)]) for far, (rho, nu) in zip((-4.0, 4.0), box))
    margin = np.where(upper > lower, 1e-3 * (upper - lower), 0.0)
    end = climb(at, np.clip(begin, lower + margin, upper - margin), lower, upper, tolerance=1e-9, max_iter=max_iter)
    if end is None:
        raise NumericalError(f"the search must find a density near these quotes; got none from {at.model(begin)!r}.")
    vol, _, law = at.vols(end.y)
    if not np.isfinite(vol[weight > 0.0]).all():
        raise NumericalError("the density of the fitted SABR must price every quote; got one without time value.")
    found = at.model(end.y)
    spread, condition = covariance(end.jacobian.T, end.free, end.sse, int(np.count_nonzero(weight)))
    value = np.array([found.alpha, found.rho, found.nu])
    error = std_errors(spread, np.array([found.alpha, 1.0 - found.rho**2, found.nu]))
    sse = float(np.nansum(weight * (vol - smile.vol) ** 2))
    status, message = verdict(NAMES, value, error, ~end.free, end.settled, end.n_iter, condition)
    message += f"; mass absorbed at {0.0 - found.shift:g}: {law.at_lower:.2g}"
    columns = {"name": NAMES, "value": value, "std_error": error, "lower": (0.0, *box[0]), "upper": (np.inf, *box[1])}
    quotes = smile.to_frame()[["expiry", "tau", "strike"]]
    return Fit(
        model=found,
        parameters=pd.DataFrame(columns),
        residuals=quotes.assign(market=smile.vol, model=vol, residual=vol - smile.vol, weight=weight),
        rmse=float(np.sqrt(sse / weight.sum())),
        unit="normal vol" if isinstance(smile, NormalSmile) else "vol",
        sse=sse,
        status=status,
        n_iter=end.n_iter,
        message=message,
        seconds=perf_counter() - clock,
    )


def _start(smile: Any, beta: float, shift: float, start: Any) -> Float1D:
    """(log alpha, artanh rho, log nu)."""
    if start is not None:
        require(isinstance(start, ArbitrageFreeSABR), "start", start, "be an ArbitrageFreeSABR")
        return np.array([np.log(start.alpha), np.arctanh(start.rho), np.log(max(start.nu, 2e-3))])
    if not isinstance(smile, NormalSmile):
        first = fit_sabr(smile, beta=beta, shift=shift).model
        nu = min(max(first.nu, 0.02), 10.0)
        return np.array([np.log(first.alpha), np.arctanh(np.clip(first.rho, -0.9, 0.9)), np.log(nu)])
    level = float(np.interp(smile.forward, smile.strike, smile.vol))
    return np.array([np.log(level * (smile.forward + shift) ** -beta), 0.0, np.log(0.4)])
