"""Huber's loss around any fit that takes weights: fitted again and again, far quotes weighing less each time.

A residual r beyond `huber` weighs huber / |r| of what it did, which makes the least squares of the last round those of
Huber's loss. Stale and mistyped quotes then pull with a bounded force, whatever their size.

Standard errors are Huber's own: with psi(r), the residual cut at `huber`, and m the share of quotes inside,

    variance = K^2 (sum of psi^2 / (n - p)) / m^2 (J'J)^-1,      K = 1 + (p / n) (1 - m) / m,

so that a quote off by twenty vol points widens them no more than one that is off by `huber`.

References
----------
Huber (1964), "Robust estimation of a location parameter", Annals of Mathematical Statistics 35, 73-101;
Huber (1981), "Robust Statistics", Wiley, section 7.6 (standard errors);
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
    here = base > 0.0
    message = f"{found.message}; {beyond(size[here], huber)}"
    parameters = found.parameters
    if "std_error" in parameters and "quote_error" not in knows:  # those that come from the residuals
        # the last round states (sum of share r^2 / (n - p)) (J' share J)^-1, and J' share J is about m J'J
        stated, inside = float(np.sum(base * share * size**2)), float(np.mean(size[here] <= huber))
        if stated > 0.0 and inside > 0.0:
            noise = huber_noise(np.sqrt(base[here]) * share[here] * size[here], inside, len(parameters))
            parameters = parameters.assign(std_error=parameters["std_error"] * np.sqrt(noise * inside / stated))
    return replace(found, message=message, parameters=parameters, n_iter=n_iter, seconds=seconds)


def beyond(size: Float1D, huber: float) -> str:
    """What is said of quotes that pull less."""
    return f"{np.count_nonzero(size > huber)} of {size.size} quotes beyond huber={huber:g} pull less"


def huber_noise(psi: Float1D, inside: float, n_parameters: int) -> float:
    """What stands for the sum of squares in the standard errors: K^2 (sum of psi^2) / m^2."""
    grow = 1.0 + n_parameters / psi.size * (1.0 - inside) / inside
    return float(np.sum(psi**2)) * (grow / inside) ** 2


def _residual(found: Fit[Any]) -> Float1D:
    table = found.residuals
    if "error_bp" in table:
        return np.asarray(1e-4 * table["error_bp"].to_numpy(dtype=np.float64))
    return table["residual"].to_numpy(dtype=np.float64)
