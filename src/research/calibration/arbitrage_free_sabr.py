"""Arbitrage-free SABR to one smile: `fit(ArbitrageFreeSABR, smile, beta=..., shift=...)`.

The objective is the weighted sum of squared vol residuals, the vols being those of the density's prices. The search
starts from the fit of the formula in Obloj's form, whose parameters are near, and runs in log(alpha), artanh(rho) and
log(nu). beta is given, as for `SABR`.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd

from research.arrays import Float1D
from research.calibration._options import Bounds, Weights, check_max_iter, quote_weights, read_bounds
from research.calibration._registry import fits
from research.calibration._verdict import covariance, std_errors, verdict
from research.calibration.fit import Fit
from research.calibration.sabr import fit_sabr
from research.errors import InputError, NumericalError, require
from research.market import NormalSmile, Smile
from research.models.arbitrage_free_sabr import ArbitrageFreeSABR

NAMES = ("alpha", "rho", "nu")
LEAST = 4  # quotes


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
    grid = {"n_space": n_space, "n_time": n_time}
    return _fit(smile, weight, beta, shift, start, grid, (lower, upper), max_iter)


def _fit(
    smile: Any, weight: Float1D, beta: float, shift: float, start: Any, grid: dict[str, int],
    box: tuple[Float1D, Float1D], max_iter: int,
) -> Fit[ArbitrageFreeSABR]:  # fmt: skip
    from scipy.optimize import least_squares

    clock, root, scale = perf_counter(), np.sqrt(weight), float(np.mean(smile.vol))
    normal = isinstance(smile, NormalSmile)

    def model(x: Float1D) -> ArbitrageFreeSABR:
        return ArbitrageFreeSABR(
            alpha=float(np.exp(x[0])), beta=beta, rho=float(np.tanh(x[1])), nu=float(np.exp(x[2])), shift=shift, **grid
        )

    def vols(x: Float1D) -> Float1D:
        found = model(x)
        of = found.normal_vol_at if normal else found.vol_at
        out: Float1D = np.asarray(of(smile.forward, smile.strike, smile.tau))
        return out

    def residual(x: Float1D) -> Float1D:
        try:
            vol = vols(x)
        except (NumericalError, InputError):
            vol = np.full(len(smile), np.nan)
        return root * (np.where(np.isfinite(vol), vol, 5.0 * scale) - smile.vol) / scale

    begin = _start(smile, beta, shift, start, normal)
    lower, upper = (np.array([begin[0] + far, np.arctanh(rho), np.log(nu)]) for far, (rho, nu) in zip((-4.0, 4.0), box))
    margin = 1e-3 * (upper - lower)
    end = least_squares(
        residual, np.clip(begin, lower + margin, upper - margin), bounds=(lower, upper), diff_step=1e-4, ftol=1e-9,
        xtol=1e-8, gtol=1e-10, max_nfev=max_iter,
    )  # fmt: skip
    vol = vols(end.x)
    if not np.isfinite(vol[weight > 0.0]).all():
        raise NumericalError("the density of the fitted SABR must price every quote; got one without time value.")
    found, free = model(end.x), end.active_mask == 0
    spread, condition = covariance(end.jac, free, 2.0 * float(end.cost), int(np.count_nonzero(weight)))
    slope = np.array([found.alpha, 1.0 - found.rho**2, found.nu])
    value = np.array([found.alpha, found.rho, found.nu])
    error = std_errors(spread, slope)
    sse = float(np.nansum(weight * (vol - smile.vol) ** 2))
    law = found.law(smile.forward, smile.tau)
    status, message = verdict(NAMES, value, error, ~free, end.status > 0, int(end.nfev), condition)
    message += f"; mass absorbed at {0.0 - shift:g}: {law.at_lower:.2g}"
    columns = ["expiry", "tau", "strike"]
    return Fit(
        model=found,
        parameters=pd.DataFrame(
            {
                "name": NAMES,
                "value": value,
                "std_error": error,
                "lower": (0.0, *box[0]),
                "upper": (np.inf, *box[1]),
            }
        ),
        residuals=smile.to_frame()[columns].assign(
            market=smile.vol, model=vol, residual=vol - smile.vol, weight=weight
        ),
        rmse=float(np.sqrt(sse / weight.sum())),
        unit="normal vol" if normal else "vol",
        sse=sse,
        status=status,
        n_iter=int(end.nfev),
        message=message,
        seconds=perf_counter() - clock,
    )


def _start(smile: Any, beta: float, shift: float, start: Any, normal: bool) -> Float1D:
    """(log alpha, artanh rho, log nu)."""
    if start is not None:
        require(isinstance(start, ArbitrageFreeSABR), "start", start, "be an ArbitrageFreeSABR")
        return np.array([np.log(start.alpha), np.arctanh(start.rho), np.log(max(start.nu, 2e-3))])
    if not normal:
        first = fit_sabr(smile, beta=beta, shift=shift).model
        nu = min(max(first.nu, 0.02), 10.0)
        return np.array([np.log(first.alpha), np.arctanh(np.clip(first.rho, -0.9, 0.9)), np.log(nu)])
    level = float(np.interp(smile.forward, smile.strike, smile.vol))
    return np.array([np.log(level * (smile.forward + shift) ** -beta), 0.0, np.log(0.4)])
