"""Many raw SVI slices in one call, each by itself: plain least squares, in parallel.

Where slices must be free of arbitrage, or a surface is wanted, use `fit(SVI, ...)` and `fit(SVISurface, ...)`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from research.arrays import FloatND
from research.calibration._svi_search import LEAST
from research.calibration.fit import AT_BOUND, CONVERGED, MAX_ITERATIONS
from research.core._tasks import share
from research.core.calibration.svi_lanes import LANES, svi_slices
from research.errors import NumericalError, require, require_all
from research.models.svi import LEE, SVI

# shares of the quoted range: (m, sigma) of the starts, in groups of one width each
_STARTS = np.array([[m, s] for s in (0.1, 0.28, 0.8) for m in (1 / 6, 1 / 3, 1 / 2, 2 / 3, 5 / 6)])
_CLIMBS = 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SVISlices:
    """Plain least squares of many slices, each by itself; arrays of shape (m,)."""

    parameters: pd.DataFrame  # a row a slice: a, b, rho, m, sigma
    rmse: FloatND  # of the vols
    status: FloatND  # CONVERGED, AT_BOUND or MAX_ITERATIONS
    n_iter: FloatND

    def models(self) -> list[SVI]:
        """The smiles."""
        return [SVI(**{str(k): float(v) for k, v in row.items()}) for row in self.parameters.to_dict("records")]


def fit_slices(
    log_moneyness: ArrayLike,
    tau: ArrayLike,
    vol: ArrayLike,
    *,
    weight: ArrayLike | None = None,
    least_width: float = 0.05,
    max_iter: int = 200,
) -> SVISlices:
    """Fit m smiles in one call, in parallel: no arbitrage is looked for, in quotes or in fits (`SVI.butterflies` does).

    Parameters
    ----------
    log_moneyness, vol : array-like, shape (m, n)
        Quotes, log(strike / forward) increasing along a row; nan in `vol` marks a missing one.
    tau : array-like, shape (m,), years
    weight : array-like, shape (m, n), default 1
        Of the squared residuals; 0 leaves a quote out.

    Raises
    ------
    InputError
        On a slice with fewer than 5 quotes, or one out of order.
    NumericalError
        When no start leads to a smile.
    """
    k, v = np.atleast_2d(np.asarray(log_moneyness, dtype=float)), np.atleast_2d(np.asarray(vol, dtype=float))
    t = np.atleast_1d(np.array(tau, dtype=float))
    w = np.ones_like(v) if weight is None else np.broadcast_to(np.asarray(weight, dtype=float), v.shape)
    require(
        k.shape == v.shape and t.shape == v.shape[:1], "vol", v.shape, f"have shape ({t.size}, n), as log_moneyness"
    )
    require(0.0 < least_width <= 1.0, "least_width", least_width, "lie in (0, 1]", hint="A share of the quoted range.")
    require(max_iter >= 1, "max_iter", max_iter, "be at least 1")
    require_all((t > 0.0) & np.isfinite(t), "tau", t, "be finite and > 0 years")
    require_all(np.isfinite(w) & (w >= 0.0), "weight", w, "be finite and >= 0")
    here = ~np.isnan(v) & (w > 0.0)
    require_all(~here | ((v > 0.0) & np.isfinite(v)), "vol", v, "be finite and > 0")
    require_all(~here | np.isfinite(k), "log_moneyness", k, "be finite")
    count = here.sum(axis=1)
    require_all(count >= LEAST, "quotes of a slice", count, f"be at least {LEAST}", hint="SVI has five parameters.")
    offset, quoted = np.concatenate([[0], np.cumsum(count)]).astype(np.int64), k[here]
    row = np.repeat(np.arange(t.size), count)
    rising = (np.diff(quoted) > 0.0) | (np.diff(row) > 0)
    require_all(rising, "log_moneyness", quoted[1:], "increase along a slice")
    out, info = np.empty((t.size, LEAST)), np.empty((t.size, 3))
    quotes = np.array([quoted, v[here], np.sqrt(w[here])])

    def work(groups: slice) -> None:
        begin, end = LANES * groups.start, min(LANES * groups.stop, t.size)
        svi_slices(begin, end, offset, quotes, t, _STARTS, _CLIMBS, least_width, max_iter, out, info)

    share(-(-t.size // LANES), work, small=t.size <= 4 * LANES)
    lost = np.flatnonzero(~np.isfinite(info[:, 0]))
    if lost.size:
        raise NumericalError(f"the SVI search must find a smile; none fits slice {lost[0]} ({lost.size} of {t.size}).")
    level, left, right, centre, sigma = out.T
    b, rho = 0.5 * (left + right), (right - left) / (right + left)
    a = np.maximum(level - b * sigma, -b * sigma * np.sqrt(1.0 - rho * rho))
    bound = (left <= 1e-9) | (right <= 1e-9) | (np.maximum(left, right) >= LEE - 1e-3)
    status = np.where(info[:, 1] == MAX_ITERATIONS, MAX_ITERATIONS, np.where(bound, AT_BOUND, CONVERGED))
    return SVISlices(
        parameters=pd.DataFrame({"a": a, "b": b, "rho": rho, "m": centre, "sigma": sigma}),
        rmse=np.sqrt(info[:, 0] / np.add.reduceat(w[here], offset[:-1])),
        status=status,
        n_iter=info[:, 2].copy(),
    )
