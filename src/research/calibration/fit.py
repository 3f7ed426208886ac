"""`fit(Model, data, **options) -> Fit`: one verb for every model, one answer with what a reader needs to judge it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import pandas as pd

from research.calibration._registry import checked, fit_function

M = TypeVar("M")

# Status codes that every fit uses
CONVERGED = 0  # the step or the gradient is below its tolerance
MAX_ITERATIONS = 1  # stopped by max_iter; the parameters are the best found
AT_BOUND = 2  # converged with a parameter on its bound: its standard error is not defined

_STATUS = {CONVERGED: "converged", MAX_ITERATIONS: "stopped by max_iter", AT_BOUND: "converged on a bound"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fit(Generic[M]):
    """The outcome of a calibration: the model, and the evidence of how well it fits.

    Residuals are model minus market, in `unit`.
    """

    model: M
    parameters: pd.DataFrame  # name, value, std_error, lower, upper; one row a parameter
    residuals: pd.DataFrame  # one row an observation
    rmse: float  # root mean squared (weighted) residual, in `unit`
    unit: str  # "vol" (decimal volatility), "nats per observation", ...
    sse: float  # sum of squared (weighted) residuals, in `unit` squared: the objective
    status: int  # 0 converged, 1 stopped by max_iter, 2 converged on a bound
    n_iter: int
    message: str
    seconds: float  # wall-clock time of the search; not part of any digest

    @property
    def converged(self) -> bool:
        """True unless the search was stopped before it settled."""
        return self.status != MAX_ITERATIONS

    @property
    def rmse_bp(self) -> float:
        """`rmse` times 10,000: basis points of volatility where `unit` is vol."""
        return 1e4 * self.rmse

    def __repr__(self) -> str:
        return (
            f"Fit({self.model!r}, rmse={self.rmse:.6g} {self.unit}, "
            f"{_STATUS.get(self.status, self.status)} after {self.n_iter} iterations)"
        )

    def _repr_html_(self) -> str:
        table = self.parameters.to_html(index=False, float_format=lambda x: f"{x:.6g}")
        return f"<p><b>{type(self.model).__name__}</b>: rmse {self.rmse:.6g} {self.unit}; {self.message}</p>{table}"


def fit(model: type[M], data: Any, **options: Any) -> Fit[M]:
    """Fit `model` to `data`; the options are those of the model's own fit function.

    Parameters
    ----------
    model : class
        `Heston` (data: a market Snapshot), `SVI` (a Smile), `SVISurface` (a Surface or Snapshot), `GARCH` (returns).
    data : what that model is fitted to
    **options
        See `research.calibration.<model>`.

    Raises
    ------
    InputError
        When the model has no fit, or the data cannot determine its parameters.
    NumericalError
        When the search fails.
    """
    function = fit_function(model)
    result: Fit[M] = function(data, **checked(model, options))
    return result
