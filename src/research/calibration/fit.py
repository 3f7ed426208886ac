"""`fit(Model, data, **options) -> Fit`: one verb for every model, one answer with what a reader needs to judge it."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from html import escape
from typing import Any, Generic, TypeVar

import numpy as np
import pandas as pd

from research.calibration._registry import ONE_SMILE, SERIES, checked, fit_function, option_names

M = TypeVar("M")

# Status codes that every fit uses
CONVERGED = 0  # the step or the gradient is below its tolerance
MAX_ITERATIONS = 1  # stopped by max_iter; the parameters are the best found
AT_BOUND = 2  # converged with a parameter on its bound: its standard error is not defined

_STATUS = {CONVERGED: "converged", MAX_ITERATIONS: "stopped by max_iter", AT_BOUND: "converged on a bound"}


class CalibrationWarning(UserWarning):
    """A search that did not settle."""


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
    def warnings(self) -> tuple[str, ...]:
        """What to know before the parameters are believed; empty where nothing speaks against them."""
        table, out = self.parameters, []
        if self.status == MAX_ITERATIONS:
            out.append(f"not settled: {self.message}")
        if self.status == AT_BOUND:
            out.append(f"a bound holds the fit: {self.message}")
        if not {"name", "value", "std_error"} <= set(table.columns):
            return tuple(out)
        value, error = table["value"].to_numpy(dtype=float), table["std_error"].to_numpy(dtype=float)
        tau = table["tau"] if "tau" in table else [np.nan] * len(table)
        names = [str(n) if np.isnan(t) else f"{n} at tau {t:.4g}" for n, t in zip(table["name"], tau)]
        vague = [n for n, v, e in zip(names, value, error) if e > abs(v)]
        if vague:
            out.append(f"standard error above the value itself: {', '.join(vague)}")
        lost = [n for n, e in zip(names, error) if np.isnan(e)]
        if lost and self.status == CONVERGED:
            out.append(f"without a standard error: {', '.join(lost[:5])}{' ...' if len(lost) > 5 else ''}")
        return tuple(out)

    @property
    def rmse_bp(self) -> float:
        """`rmse` times 10,000: basis points of volatility where `unit` is vol."""
        return 1e4 * self.rmse

    def __repr__(self) -> str:
        model = re.sub(r"\d+\.\d{6,}(e[-+]?\d+)?", lambda found: f"{float(found[0]):.6g}", repr(self.model))
        said = f"; {'; '.join(self.warnings)}" if self.warnings else ""
        return (
            f"Fit({model}, rmse={self.rmse:.6g} {self.unit}, "
            f"{_STATUS.get(self.status, self.status)} after {self.n_iter} iterations{said})"
        )

    def _repr_html_(self) -> str:
        size = f"{self.rmse_bp:.1f} bp of vol" if self.unit == "vol" else f"{self.rmse:.6g} {self.unit}"
        table = self.parameters.to_html(index=False, border=0, na_rep="", float_format=lambda x: f"{x:.6g}")
        said = "".join(f"<li>{escape(text)}</li>" for text in self.warnings)
        told = f"<p>To know before the parameters are believed:</p><ul>{said}</ul>" if said else ""
        head = f"<b>{type(self.model).__name__}</b>: rmse {size}; {escape(self.message)}"
        return f"<p>{head}</p>{table}{told}"


def fit(model: type[M], data: Any, *, huber: float | None = None, **options: Any) -> Fit[M]:
    """Fit `model` to `data`; the options are those of the model's own fit function.

    Parameters
    ----------
    model : class
        One of the room's table (`research.calibration`).
    data : what that model is fitted to
        A Smile, a Surface or a Snapshot; or the table of one day's quotes: implied_vol, nan where one is missing, as
        for `market.build_snapshot`, or prices as for `market.chains_from_quotes`.
    huber : float, default None
        Residual (vol, decimal) beyond which an error counts by its size, not its square: stale quotes then pull less.
    **options
        See `research.calibration.<model>`; most take weights ("vega", "bid_ask", an array), bounds and start.

    Raises
    ------
    InputError
        When the model has no fit, or the data cannot determine its parameters.
    NumericalError
        When the search fails.

    Warns
    -----
    CalibrationWarning
        When the search was stopped by max_iter before it settled.
    """
    function, said = fit_function(model), ""
    options = checked(model, options)
    if isinstance(data, pd.DataFrame) and model.__name__ not in SERIES:
        from research.calibration._options import from_frame

        data, said = from_frame(data, one=model.__name__ in ONE_SMILE)
    result: Fit[M] = run(function, data, huber, options)
    if said:
        result = replace(result, message=f"{result.message}; {said}")
    if not result.converged:
        hint = "The parameters are the best found, not the best there are. Raise max_iter, or give a start."
        warnings.warn(f"the fit of {model.__name__} did not settle: {result.message}. {hint}", CalibrationWarning, 2)
    return result


def run(function: Callable[..., Fit[Any]], data: Any, huber: float | None, options: Mapping[str, Any]) -> Fit[Any]:
    """The fit by `function`, of least squares or of Huber's loss."""
    if huber is None:
        return function(data, **options)
    if "huber" in option_names(function):
        return function(data, huber=huber, **options)
    from research.calibration._robust import robust_fit

    return robust_fit(function, data, huber, options)
