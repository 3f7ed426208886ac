"""Vols and correlations of several names from a history: `fit(MultiAssetBlackScholes, returns)`.

Sample moments about the mean, each vol from its own returns and each correlation from the days that both names have, so
that a missing or stale day of one name costs the others nothing. Such a matrix need not be positive semidefinite: the
model then takes the nearest one that is (Higham 2002), with a CorrelationWarning, and the fit says by how much.

Standard errors are those of the influence functions of vol and correlation, right whatever the tails of independent
returns are: with z the standardised returns, (z^2 - 1) sigma / 2 and z1 z2 - rho (z1^2 + z2^2) / 2.

References
----------
Devlin, Gnanadesikan, Kettenring (1975), "Robust estimation and outlier detection with correlation coefficients",
Biometrika 62, 531-545 (the influence function of a correlation).
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import numpy as np
import pandas as pd

from research.arrays import Float1D, Float2D
from research.calibration._registry import fits
from research.calibration.fit import CONVERGED, Fit
from research.errors import require, require_all
from research.models import MultiAssetBlackScholes

LEAST = 20  # returns of a name, and days that two names share


@fits(MultiAssetBlackScholes)
def fit_multi_asset(
    returns: pd.DataFrame, *, periods_per_year: float = 252.0, half_life: float | None = None, drop_stale: bool = False
) -> Fit[MultiAssetBlackScholes]:
    """Vols and correlations of the columns.

    Parameters
    ----------
    returns : DataFrame, one column a name, one row a period
        Log returns, decimal; nan where one is missing. At least 20 of each name, and 20 that any two share.
    periods_per_year : float, default 252
        Vols are those of a period times its root.
    half_life : float, default None
        Periods after which a return counts half; None counts all alike.
    drop_stale : bool, default False
        Take a return of exactly 0 for a missing one: a price that was not renewed.

    Returns
    -------
    Fit
        `parameters` has a row a vol ("vol A") and a pair ("correlation A B"); `residuals` a row a pair, the model's
        correlation less the sample's, 0 unless the matrix had to be repaired; unit "correlation".

    Raises
    ------
    InputError
        On too few returns, returns in percent, or a name that never moves.
    """
    require(isinstance(returns, pd.DataFrame), "returns", type(returns).__name__, "be a DataFrame, a column a name")
    require(returns.shape[1] >= 1, "returns", returns.shape[1], "have at least one column")
    require(periods_per_year > 0.0, "periods_per_year", periods_per_year, "be > 0")
    require(half_life is None or half_life > 0.0, "half_life", half_life, "be > 0 periods")
    clock, names = perf_counter(), tuple(str(name) for name in returns.columns)
    x = _numbers(returns, names, drop_stale)
    n = len(names)
    weight = np.ones(len(x)) if half_life is None else 0.5 ** (np.arange(len(x) - 1, -1, -1.0) / half_life)
    moments = [_moments(x, weight, i, i, names) for i in range(n)]
    vol = np.sqrt(np.array([one.square for one in moments]) * periods_per_year)
    vol_error = vol * [_error(0.5 * (one.z * one.z - 1.0), one.weight) for one in moments]
    sample, error = np.eye(n), np.zeros((n, n))
    for i in range(n):
        for j in range(i + 1, n):
            one = _moments(x, weight, i, j, names)
            rho = sample[i, j] = sample[j, i] = min(max(one.product, -1.0), 1.0)
            error[i, j] = _error(one.z * one.other - 0.5 * rho * (one.z**2 + one.other**2), one.weight)
    model = MultiAssetBlackScholes(names=names, vols=vol, correlation=sample)  # repaired, with a warning, if need be
    return _answer(model, sample, vol_error, error, int(np.isnan(x).sum()), len(x), perf_counter() - clock)


@dataclass(frozen=True, slots=True, eq=False)
class _Moments:
    """Of the rows that two names share (or one has)."""

    z: Float1D  # standardised returns
    other: Float1D
    weight: Float1D
    square: float  # variance of the first
    product: float  # mean of z times other


def _numbers(returns: pd.DataFrame, names: tuple[str, ...], drop_stale: bool) -> Float2D:
    """The returns as numbers, nan where one is missing."""
    x = returns.apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64, copy=True)
    x[~np.isfinite(x) | ((x == 0.0) & drop_stale)] = np.nan
    for i, name in enumerate(names):
        own = x[np.isfinite(x[:, i]), i]
        require(own.size >= LEAST, f"returns of {name}", own.size, f"number at least {LEAST}")
        require_all(np.abs(own) < 2.0, f"returns of {name}", own, "be below 2 in size", hint="1% is 0.01.")
        require(float(np.ptp(own)) > 0.0, f"returns of {name}", float(own[0]), "move; all are alike")
    return x


def _moments(x: Float2D, weight: Float1D, i: int, j: int, names: tuple[str, ...]) -> _Moments:
    both = np.isfinite(x[:, i]) & np.isfinite(x[:, j])
    pair = f"returns that {names[i]} and {names[j]} share"
    require(int(both.sum()) >= LEAST, pair, int(both.sum()), f"number at least {LEAST}")
    w = weight[both] / weight[both].sum()
    a, b = (x[both, k] - float(w @ x[both, k]) for k in (i, j))
    unbiased = 1.0 - float(w @ w)  # one over n of equal weights
    squares = [max(float(w @ c**2), 1e-300) for c in (a, b)]
    z, other = a / np.sqrt(squares[0]), b / np.sqrt(squares[1])
    return _Moments(z, other, w, squares[0] / unbiased, float(w @ (z * other)))


def _error(influence: Float1D, weight: Float1D) -> float:
    """Standard error of a mean of influences; weights add up to 1."""
    return float(np.sqrt(np.sum((weight * (influence - weight @ influence)) ** 2)))


def _answer(
    model: MultiAssetBlackScholes, sample: Float2D, vol_error: Float1D, error: Float2D, missing: int, n: int,
    seconds: float,
) -> Fit[MultiAssetBlackScholes]:  # fmt: skip
    names, above = model.names, np.triu_indices(len(model.names), 1)
    pairs = [f"{names[i]} {names[j]}" for i, j in zip(*above)]
    rho = model.correlation[above]
    parameters = pd.DataFrame(
        {
            "name": [*(f"vol {name}" for name in names), *(f"correlation {pair}" for pair in pairs)],
            "value": np.append(model.vols[:, 0], rho),
            "std_error": np.append(vol_error, error[above]),
            "lower": np.append(np.zeros(len(names)), np.full(rho.size, -1.0)),
            "upper": np.append(np.full(len(names), np.inf), np.ones(rho.size)),
        }
    )
    miss = rho - sample[above]
    message = f"sample moments of {n} rows, {missing} of {n * len(names)} returns missing"
    if model.repaired_by > 0.0:
        message += f"; correlation repaired, {model.repaired_by:.3g} away in the Frobenius norm"
    if n <= len(names):
        message += f"; not identified: {n} rows do not tell {len(names)} names apart"
    return Fit(
        model=model, parameters=parameters,
        residuals=pd.DataFrame({"pair": pairs, "market": sample[above], "model": rho, "residual": miss}),
        rmse=float(np.sqrt(np.mean(miss**2))) if rho.size else 0.0, unit="correlation", sse=float(miss @ miss),
        status=CONVERGED, n_iter=1, message=message, seconds=seconds,
    )  # fmt: skip
