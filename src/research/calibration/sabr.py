"""SABR to one smile, `fit(SABR, smile, beta=...)`, or to many at once, `fit_slices(...)`.

The objective is the weighted sum of squared vol residuals; beta is given, because a smile says little about it
(Hagan et al. 2002, section 3.1: rho and beta bend the smile the same way).
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from research.arrays import Float1D, Float2D, Int1D
from research.calibration._options import Bounds, Weights, check_max_iter, quote_weights, read_bounds
from research.calibration._registry import fits
from research.calibration._verdict import verdict
from research.calibration.fit import AT_BOUND, CONVERGED, MAX_ITERATIONS, Fit
from research.core._tasks import share
from research.core.calibration.sabr import sabr_fits
from research.errors import NumericalError, require, require_all
from research.market import Smile
from research.models.sabr import SABR, Formula

LEAST = 4  # quotes
NAMES = ("alpha", "rho", "nu")
_RHO_MAX = 0.9999
BOUNDS = {"alpha": (0.0, np.inf), "rho": (-_RHO_MAX, _RHO_MAX), "nu": (0.0, np.inf)}
_LIMITS = {"alpha": (-1e-300, np.inf), "rho": (-1.0, 1.0), "nu": (-1e-300, np.inf)}
_STUCK = 2  # of the kernel
_FLAT = 1e-6  # vol of vol over the life that no smile shows
_EXACT = 1e-12  # rms vol error that is rounding


@dataclass(frozen=True, slots=True, eq=False)
class SliceFits:
    """SABR of m slices; every array has shape (m,)."""

    alpha: Float1D
    rho: Float1D
    nu: Float1D
    rmse: Float1D  # decimal vol
    status: Int1D  # as of Fit
    n_iter: Int1D
    std_error: pd.DataFrame  # alpha, rho, nu; one row a slice

    @property
    def converged(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Which slices settled."""
        return self.status != MAX_ITERATIONS


@fits(SABR)
def fit_sabr(
    smile: Smile, *, beta: float = 1.0, shift: float = 0.0, formula: Formula = "obloj", weights: Weights = None,
    bounds: Bounds = None, start: SABR | None = None, max_iter: int = 100,
) -> Fit[SABR]:  # fmt: skip
    """Fit alpha, rho and nu to the quotes of one expiry.

    Parameters
    ----------
    smile : Smile
        At least 4 quotes; lognormal vols of forward + shift.
    beta : float, default 1.0
        1 for equity and FX, 0.5 often for rates.
    shift : float, default 0.0
        Price units.
    formula : {"obloj", "hagan"}, default "obloj"
    weights : array-like of shape (n,), "equal", "vega", "bid_ask" or None, default None
        Of the squared residuals; None takes the smile's own.
    bounds : mapping of "alpha", "rho" or "nu" to (lower, upper)
    start : SABR, default found from the quotes
        Tried beside the one found from the quotes; the better end is kept.

    Returns
    -------
    Fit
        unit "vol"; residuals are model minus market.

    Raises
    ------
    InputError
        On fewer than 4 quotes, or a beta outside [0, 1].
    NumericalError
        When no step lowers the sum of squares.
    """
    require(isinstance(smile, Smile), "data", type(smile).__name__, "be a market.Smile")
    (weight,) = quote_weights([smile], weights)
    lower, upper = read_bounds(bounds, BOUNDS, _LIMITS)
    began = perf_counter()
    require(start is None or isinstance(start, SABR), "start", start, "be a SABR")
    begin = None if start is None else np.array([[start.alpha, start.rho, start.nu]])
    found = fit_slices(
        [smile.forward], [smile.tau], smile.strike[None, :], smile.vol[None, :], beta=beta, shift=shift,
        formula=formula, weight=weight[None, :], bounds=bounds, start=begin, max_iter=max_iter,
    )  # fmt: skip
    seconds = perf_counter() - began
    alpha, rho, nu = float(found.alpha[0]), float(found.rho[0]), float(found.nu[0])
    model = SABR(alpha=alpha, beta=beta, rho=rho, nu=nu, shift=shift, formula=formula)
    fitted = np.asarray(model.vol_at(smile.forward, smile.strike, smile.tau))
    quotes = smile.to_frame()[["expiry", "tau", "strike", "log_moneyness", "vol"]].rename(columns={"vol": "market"})
    residuals = quotes.assign(model=fitted, residual=fitted - smile.vol, weight=weight)
    value, error = np.array([alpha, rho, nu]), found.std_error.iloc[0].to_numpy(copy=True)
    if nu * np.sqrt(smile.tau) < _FLAT:
        error[1] = np.nan  # without vol of vol the correlation leaves no trace
    on_bound = (value <= lower) | (value >= upper)
    settled = bool(found.converged[0])
    status, message = verdict(NAMES, value, error, on_bound, settled, int(found.n_iter[0]), np.nan)
    parameters = {"name": NAMES, "value": value, "std_error": error, "lower": lower, "upper": upper}
    return Fit(
        model=model,
        parameters=pd.DataFrame(parameters),
        residuals=residuals,
        rmse=float(found.rmse[0]),
        unit="vol",
        sse=float((weight * (fitted - smile.vol) ** 2).sum()),
        status=status,
        n_iter=int(found.n_iter[0]),
        message=message,
        seconds=seconds,
    )


def _begin(start: ArrayLike, m: int) -> Float2D:
    """Starts as the kernel reads them; 0 for those that are not given."""
    given = np.asarray(start, dtype=np.float64)
    require(given.shape == (m, 3), "start", given.shape, f"have shape ({m}, 3)")
    there = np.isfinite(given).all(axis=1)
    require_all(~there | ((given[:, 0] > 0.0) & (given[:, 2] >= 0.0)), "start", given[:, 0], "have alpha > 0, nu >= 0")
    out = np.zeros((m, 9))
    out[there, :3] = given[there]
    out[there, 2] = np.maximum(out[there, 2], 1e-3)  # at 0 the smile does not feel nu
    return out


def fit_slices(
    forward: ArrayLike,
    tau: ArrayLike,
    strike: ArrayLike,
    vol: ArrayLike,
    *,
    beta: float = 1.0,
    shift: float = 0.0,
    formula: Formula = "obloj",
    weight: ArrayLike | None = None,
    bounds: Bounds = None,
    start: ArrayLike | None = None,
    max_iter: int = 100,
) -> SliceFits:
    """Fit m smiles in one call, in parallel.

    Parameters
    ----------
    forward, tau : array-like, shape (m,)
        Price units; years (ACT/365F).
    strike, vol : array-like, shape (m, n)
        Quotes; nan in `vol` marks a missing one.
    weight : array-like, shape (m, n), default 1
        Of the squared residuals; 0 leaves a quote out.
    bounds : mapping of "alpha", "rho" or "nu" to (lower, upper)
    start : array-like, shape (m, 3), default none
        alpha, rho, nu of each slice, nan for none: tried beside a start from the quotes, the better end is kept.

    Raises
    ------
    InputError
        On a slice with fewer than 4 quotes, naming it.
    NumericalError
        When no step lowers the sum of squares of a slice.
    """
    f, t = np.atleast_1d(np.asarray(forward, dtype=float)), np.atleast_1d(np.asarray(tau, dtype=float))
    k, v = np.atleast_2d(np.asarray(strike, dtype=float)), np.atleast_2d(np.asarray(vol, dtype=float))
    w = np.ones_like(v) if weight is None else np.broadcast_to(np.asarray(weight, dtype=float), v.shape)
    require(
        f.shape == t.shape == v.shape[:1] and k.shape == v.shape, "vol", v.shape, f"have shape ({f.size}, n), as strike"
    )
    require(0.0 <= beta <= 1.0, "beta", beta, "lie in [0, 1]")
    require(formula in ("obloj", "hagan"), "formula", formula, "be obloj or hagan")
    check_max_iter(max_iter)
    lower, upper = read_bounds(bounds, BOUNDS, _LIMITS)
    require_all((f + shift > 0.0) & np.isfinite(f), "forward", f, f"be finite and > {-shift:g}")
    require_all((t > 0.0) & np.isfinite(t), "tau", t, "be finite and > 0 years")
    require_all(np.isfinite(w) & (w >= 0.0), "weight", w, "be finite and >= 0")
    here = ~np.isnan(v) & (w > 0.0)
    require_all(~here | ((v > 0.0) & np.isfinite(v)), "vol", v, "be finite and > 0")
    require_all(~here | ((k + shift > 0.0) & np.isfinite(k)), "strike", k, f"be finite and > {-shift:g}")
    count = here.sum(axis=1)
    require_all(count >= LEAST, "quotes of a slice", count, f"be at least {LEAST}", hint="SABR has three parameters.")
    first = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
    hagan = 1.0 if formula == "hagan" else 0.0
    quotes, forwards = np.array([k[here] + shift, v[here], np.sqrt(w[here])]), f + shift
    box = np.array([lower, upper])

    def search(out: Float2D) -> Float2D:
        def work(slices: slice) -> None:
            sabr_fits(slices.start, slices.stop, forwards, t, first, quotes, beta, hagan, box, max_iter, out)

        share(t.size, work, small=t.size <= 16)
        exact = out[:, 3] <= _EXACT**2 * np.add.reduceat(w[here], first[:-1])
        out[exact & (out[:, 4] == _STUCK), 4] = CONVERGED  # rounding hides what a step gains: a flat smile, say
        return out

    out = search(np.zeros((f.size, 9)))
    if start is not None:
        warm = search(_begin(start, f.size))
        better = (warm[:, 4] != _STUCK) & ((warm[:, 3] < out[:, 3]) | (out[:, 4] == _STUCK))
        out = np.where(better[:, None], warm, out)
    code = out[:, 4].astype(np.int64)
    if (code == _STUCK).any():
        slices = np.flatnonzero(code == _STUCK)
        raise NumericalError(
            f"the SABR search must lower the sum of squares; got stuck at slice {slices[0]} ({slices.size} of {f.size})"
        )
    bound = ((out[:, :3] <= lower) | (out[:, :3] >= upper)).any(axis=1)
    status = np.where(code == MAX_ITERATIONS, MAX_ITERATIONS, np.where(bound, AT_BOUND, CONVERGED))
    return SliceFits(
        alpha=out[:, 0].copy(),
        rho=out[:, 1].copy(),
        nu=out[:, 2].copy(),
        rmse=np.sqrt(out[:, 3] / np.add.reduceat(w[here], first[:-1])),
        status=status.astype(np.int64),
        n_iter=out[:, 5].astype(np.int64),
        std_error=pd.DataFrame(out[:, 6:], columns=["alpha", "rho", "nu"]),
    )
