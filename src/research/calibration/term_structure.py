"""`fit(BlackTermStructure, surface)`: one vol an expiry, the weighted mean of its quotes, total variance never falling.

Where the means would let total variance fall, neighbouring expiries are pooled: the least squares of vol residuals
linearised at the means (isotonic regression of total variance). Standard errors are those of a weighted mean, s^2 from
the residuals of the expiry: they say how far a smile is from flat.

References
----------
Barlow, Bartholomew, Bremner, Brunk (1972), "Statistical inference under order restrictions", Wiley (pooling).
"""

from __future__ import annotations

from time import perf_counter

import numpy as np
import pandas as pd

from research.arrays import Float1D
from research.calibration._options import Weights, quote_weights, surface_of
from research.calibration._registry import fits
from research.calibration.fit import AT_BOUND, CONVERGED, Fit
from research.errors import require
from research.market import Snapshot, Surface
from research.models import BlackTermStructure


@fits(BlackTermStructure)
def fit_term_structure(data: Snapshot | Surface, *, weights: Weights = "vega") -> Fit[BlackTermStructure]:
    """One vol an expiry.

    Parameters
    ----------
    data : Snapshot or Surface
    weights : array-like of shape (n,), "equal", "vega", "bid_ask" or None, default "vega"
        Of the squared errors: by vega the quotes near the money count most. None takes the surface's own.

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
    weight = quote_weights(surface.smiles, weights)
    total = np.array([w.sum() for w in weight])
    for tau, one in zip(surface.tau, total):
        require(one > 0.0, "weights", one, f"be > 0 for a quote at least at tau {tau:.6g}")
    mean = np.array([float(w @ s.vol) / w.sum() for s, w in zip(surface, weight)])
    # in total variance v = vol^2 tau, dv = 2 vol tau dvol
    pooled, group = _isotonic(mean**2 * surface.tau, total / (2.0 * mean * surface.tau) ** 2)
    vol = np.sqrt(pooled / surface.tau)
    model = BlackTermStructure(tau=tuple(surface.tau), implied=tuple(vol))
    parts = [s.to_frame()[["expiry", "tau", "strike", "log_moneyness", "vol"]] for s in surface]
    table = pd.concat(parts, ignore_index=True).rename(columns={"vol": "market"})
    fitted = np.repeat(vol, [len(s) for s in surface])
    flat = np.concatenate(weight)
    table = table.assign(model=fitted, residual=fitted - table["market"], weight=flat)
    held = np.bincount(group)[group] > 1
    error = np.array([_error(s.vol, w, v) for s, w, v in zip(surface, weight, mean)])
    sse = float((flat * table["residual"] ** 2).sum())
    names = ", ".join(f"{t:.4g}" for t in surface.tau[held])
    return Fit(
        model=model,
        parameters=pd.DataFrame(
            {"name": "implied", "value": vol, "std_error": np.where(held, np.nan, error), "lower": 0.0,
             "upper": np.inf, "tau": surface.tau}
        ),
        residuals=table,
        rmse=float(np.sqrt(sse / flat.sum())),
        unit="vol",
        sse=sse,
        status=AT_BOUND if held.any() else CONVERGED,
        n_iter=1,
        message=f"weighted means; total variance held level at tau {names}" if held.any() else "weighted means",
        seconds=perf_counter() - clock,
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
