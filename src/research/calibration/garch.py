"""Gaussian quasi maximum likelihood of GARCH(1,1): `fit(GARCH, returns)`.

The estimates are consistent also when the returns are not normal given the past; standard errors are then those
of Bollerslev and Wooldridge (1992), H^-1 (sum of s s') H^-1, which are reported beside those of the Hessian.
A parameter that ends on its bound has no standard error, and the status says so; a series without any clustering
gives alpha = beta = 0.
"""

from __future__ import annotations

from time import perf_counter
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from research.arrays import Float1D, FloatND, vector
from research.calibration._registry import fits
from research.calibration.fit import AT_BOUND, MAX_ITERATIONS, Fit
from research.core.calibration.garch import C, garch_derivatives, garch_fit, garch_scores
from research.core.models.garch import garch_variances
from research.errors import NumericalError, require, require_all
from research.models.garch import GARCH, Initial, initial_code

LEAST = 250  # returns
NOT_FINITE = 3
NAMES = ("mu", "omega", "alpha", "beta")


@fits(GARCH)
def fit_garch(
    returns: ArrayLike,
    *,
    initial: Initial = "sample",
    covariance: Literal["robust", "hessian"] = "robust",
    max_iter: int = 200,
) -> Fit[GARCH]:
    """Fit GARCH(1,1) to a series of returns.

    Parameters
    ----------
    returns : array-like, decimal, shape (n,)
        At least 250. Any unit works: the search runs on the standardised series.
    initial : float or "sample", default "sample"
        Stands for the squared residual and the variance before the first return. "sample" is the mean squared
        residual at each mu, as in the benchmark of Fiorentini et al. (1996); `arch` takes an exponentially
        weighted mean of the first 75 squared residuals, which can be passed here as a number.
    covariance : {"robust", "hessian"}, default "robust"
        What `std_error` is; the frame has both.
    max_iter : int, default 200
        Of each climb; a series with little clustering is climbed from 20 starts.

    Returns
    -------
    Fit
        Residuals are standardised, in units of their conditional standard deviation, beside return and variance.
        `message` has the log-likelihood.

    Raises
    ------
    InputError
        On fewer than 250 returns, on one that is not finite, on constant returns.
    NumericalError
        When the search fails.
    """
    x, start = check_returns(returns), initial_code(initial)
    require(covariance in ("robust", "hessian"), "covariance", covariance, "be robust or hessian")
    require(max_iter >= 1, "max_iter", max_iter, "be at least 1")
    out, began = np.empty(9), perf_counter()
    status, n_iter = garch_fit(x, start, max_iter, np.empty_like(x), out)
    seconds = perf_counter() - began
    if status == NOT_FINITE:
        raise NumericalError("the GARCH likelihood must be finite; the search left its domain. Check the returns.")
    model = GARCH(**{name: float(value) for name, value in zip(NAMES, out[:4])})
    variance = np.empty(x.size + 1)
    garch_variances(x, model.mu, model.omega, model.alpha, model.beta, start, variance)
    z = (x - model.mu) / np.sqrt(variance[:-1])
    hessian, robust = standard_errors(x, out, start)
    sse = float(z @ z)
    return Fit(
        model=model,
        parameters=pd.DataFrame(
            {
                "name": NAMES,
                "value": out[:4],
                "std_error": robust if covariance == "robust" else hessian,
                "lower": [-np.inf, 0.0, 0.0, 0.0],
                "upper": [np.inf, np.inf, 1.0, 1.0],
                "std_error_robust": robust,
                "std_error_hessian": hessian,
            }
        ),
        residuals=pd.DataFrame({"return": x, "variance": variance[:-1], "residual": z}),
        rmse=float(np.sqrt(sse / x.size)),
        unit="standard deviations",
        sse=sse,
        status=int(status),
        n_iter=int(n_iter),
        message=_message(int(status), float(out[4]), x.size),
        seconds=seconds,
    )


def check_returns(returns: ArrayLike) -> Float1D:
    """A series that GARCH can be fitted to."""
    x = vector(returns, "returns")
    require_all(np.isfinite(x), "returns", x, "be finite", hint="Drop or fill missing returns first.")
    require(
        x.size >= LEAST, "returns", x.size, f"have at least {LEAST} observations", hint="GARCH needs a year of days."
    )
    spread = float(np.std(x))
    require(spread > 1e-12 * float(np.abs(x).max()), "returns", x[0], "vary; all are equal", hint="A stale price?")
    return x


def standard_errors(x: Float1D, out: Float1D, initial: float) -> tuple[FloatND, FloatND]:
    """Of (mu, omega, alpha, beta), from the Hessian and robust; nan where a parameter has none.

    Both are computed in the coordinates that are free at the optimum and carried over by their Jacobian.
    """
    scale = float(np.std(x))
    w, p, u = out[6], out[7], out[8]
    level = np.exp(w)
    scaled = (out[5], level * (C - p), p * u, p * (1.0 - u))
    raw, scores = np.empty(15), np.empty((x.size, 4))
    garch_derivatives(x / scale, *scaled, initial / scale**2, raw)
    garch_scores(x / scale, *scaled, initial / scale**2, scores)
    second = np.zeros((4, 4))
    second[np.triu_indices(4)] = raw[5:15]
    information = -(second + second.T - np.diag(np.diag(second)))
    # columns: how (mu, omega, alpha, beta) move with the free coordinates
    columns = [np.array([1.0, 0.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0, 0.0])]
    interior = 0.0 < u < 1.0 and 0.0 < p < 1.0 - 1e-6
    if interior:
        columns += [np.array([0.0, 0.0, 1.0, 0.0]), np.array([0.0, 0.0, 0.0, 1.0])]
    elif p > 0.0 and u in (0.0, 1.0):
        columns.append(np.array([0.0, 0.0, u, 1.0 - u]))
    elif 0.0 < u < 1.0 and p > 0.0:  # alpha + beta on its bound
        columns.append(np.array([0.0, 0.0, 1.0, -1.0]))
    jacobian = np.stack(columns, axis=1)
    unit = np.array([scale, scale**2, 1.0, 1.0])
    reduced = jacobian.T @ information @ jacobian
    outer = jacobian.T @ (scores.T @ scores) @ jacobian
    size = np.diag(reduced)
    if size.min() <= 0.0 or np.linalg.eigvalsh(reduced / np.sqrt(np.outer(size, size)))[0] <= 1e-12:
        return np.full(4, np.nan), np.full(4, np.nan)  # a flat likelihood has no curvature to read errors from
    inverse = np.linalg.inv(reduced)
    both = []
    for cov in (inverse, inverse @ outer @ inverse):
        error = np.sqrt(np.diag(jacobian @ cov @ jacobian.T)) * unit
        both.append(np.where(error > 0.0, error, np.nan))
    return both[0], both[1]


def _message(status: int, value: float, n: int) -> str:
    what = {MAX_ITERATIONS: "stopped by max_iter", AT_BOUND: "converged on a bound"}.get(status, "converged")
    return f"{what}; log-likelihood {value:.10g} of {n} returns"
