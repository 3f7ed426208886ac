"""SVI by its natural or its jump-wings parameters: the raw fit, written in the other letters.

The smile is that of `fit(SVI, smile)`; only names and standard errors differ. Those are s^2 (J'J)^-1 with the
derivatives of the vols by the parameters themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from research.arrays import Float1D
from research.calibration._registry import fits
from research.calibration.fit import AT_BOUND, Fit
from research.calibration.svi import fit_svi
from research.errors import InputError, NumericalError
from research.market import Smile
from research.models.svi import SVI
from research.models.svi_forms import SVIJumpWings, SVINatural


@fits(SVINatural)
def fit_svi_natural(smile: Smile, **options: Any) -> Fit[SVINatural]:
    """Natural SVI of one expiry; options as of `fit_svi`."""
    return _fit(smile, options, SVINatural.from_raw, ("delta", "mu", "rho", "omega", "zeta"))


@fits(SVIJumpWings)
def fit_svi_jump_wings(smile: Smile, **options: Any) -> Fit[SVIJumpWings]:
    """Jump wings of one expiry; options as of `fit_svi`."""
    names = ("v", "psi", "p", "c", "least_v")
    return _fit(smile, options, lambda raw: SVIJumpWings.from_raw(raw, smile.tau), names)


def _fit(smile: Smile, options: dict[str, Any], to_form: Callable[[SVI], Any], names: tuple[str, ...]) -> Fit[Any]:
    if hasattr(options.get("start"), "raw"):
        options = options | {"start": options["start"].raw()}
    raw = fit_svi(smile, **options)
    try:
        model = to_form(raw.model)
        back = model.raw()
    except InputError as problem:
        raise NumericalError(f"the fitted smile, {raw.model!r}, has no such parameters: {problem}") from None
    if not np.allclose(back.vol(smile.log_moneyness, smile.tau), raw.model.vol(smile.log_moneyness, smile.tau)):
        raise NumericalError(f"the fitted smile, {raw.model!r}, is not determined by {', '.join(names)} to rounding.")
    value = [getattr(model, name) for name in names]
    positive = [name in ("omega", "zeta", "v", "p", "c", "least_v") for name in names]
    table = pd.DataFrame(
        {
            "name": names,
            "value": value,
            "std_error": np.full(5, np.nan) if raw.status == AT_BOUND else _errors(model, names, smile, raw),
            "lower": np.where(positive, 0.0, [-1.0 if name == "rho" else -np.inf for name in names]),
            "upper": [1.0 if name == "rho" else np.inf for name in names],
        }
    )
    fields = ("residuals", "rmse", "unit", "sse", "status", "n_iter", "message", "seconds")
    return Fit(model=model, parameters=table, **{name: getattr(raw, name) for name in fields})


def _errors(model: Any, names: tuple[str, ...], smile: Smile, raw: Fit[SVI]) -> Float1D:
    """Standard errors by central differences of the vols; nan without degrees of freedom."""
    weight = raw.residuals["weight"].to_numpy()
    freedom = int(np.count_nonzero(weight)) - len(names)
    columns = []
    for name in names:
        step = 1e-6 * max(abs(getattr(model, name)), 1e-3)
        try:
            up, down = (replace(model, **{name: getattr(model, name) + s * step}) for s in (1.0, -1.0))
        except InputError:  # on the edge of what is a smile
            return np.full(len(names), np.nan)
        slope = (up.vol(smile.log_moneyness, smile.tau) - down.vol(smile.log_moneyness, smile.tau)) / (2.0 * step)
        columns.append(np.sqrt(weight) * slope)
    j = np.stack(columns, axis=1)
    size = np.sqrt((j**2).sum(axis=0))
    if freedom < 1 or not (size > 0.0).all() or np.linalg.cond(j / size) > 1e7:
        return np.full(len(names), np.nan)
    matrix = np.linalg.inv((j / size).T @ (j / size))
    out: Float1D = np.sqrt(np.diag(matrix) * raw.sse / freedom) / size
    return out


OPTIONS_OF = fit_svi  # who takes the **options of the fits above
