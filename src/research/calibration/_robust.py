"""Huber's loss around any fit that takes weights: fitted again and again, far quotes weighing less each time.

A residual r beyond `huber` weighs huber / |r| of what it did, which makes the least squares of the last round those of
Huber's loss. Stale and mistyped quotes then pull with a bounded force, whatever their size.

References
----------
Huber (1964), "Robust estimation of a location parameter", Annals of Mathematical Statistics 35, 73-101;
Holland, Welsch (1977), "Robust regression using iteratively reweighted least-squares", Communications in Statistics 6.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from research.arrays import Float1D
from research.calibration._options import quote_weights, smiles_of
from research.calibration._registry import option_names
from research.calibration.fit import Fit
from research.errors import require

_ROUNDS = 60
_SETTLED = 1e-7  # fall of the loss, as a share


def robust_fit(function: Callable[..., Fit[Any]], data: Any, huber: float, options: Mapping[str, Any]) -> Fit[Any]:
    """The fit of least Huber loss; `huber` is in the unit of the residuals, a vol in decimals."""
    require(huber > 0.0, "huber", huber, "be > 0", hint="A vol in decimals: 0.01 is one vol point.")
    knows = option_names(function)
    require("weights" in knows, "huber", huber, f"be None: {function.__name__} takes no weights")
    options = dict(options)
    base = np.concatenate(quote_weights(smiles_of(data), options.pop("weights", None)))
    share, before, n_iter, seconds = np.ones(base.size), np.inf, 0, 0.0
    for _ in range(_ROUNDS):
        found = function(data, weights=base * share, **options)
        n_iter, seconds = n_iter + found.n_iter, seconds + found.seconds
        size = np.abs(_residual(found))
        loss = float(np.sum(base * np.where(size <= huber, size**2, huber * (2.0 * size - huber))))
        share = np.where(size <= huber, 1.0, huber / np.maximum(size, huber))
        if before - loss <= _SETTLED * loss:
            break
        before = loss
        if "start" in knows:
            options["start"] = found.model
    far = int(np.count_nonzero(share[base > 0.0] < 1.0))
    message = f"{found.message}; {far} of {np.count_nonzero(base)} quotes beyond huber={huber:g} pull less"
    return replace(found, message=message, n_iter=n_iter, seconds=seconds)


def _residual(found: Fit[Any]) -> Float1D:
    table = found.residuals
    if "error_bp" in table:
        return np.asarray(1e-4 * table["error_bp"].to_numpy(dtype=np.float64))
    return table["residual"].to_numpy(dtype=np.float64)
