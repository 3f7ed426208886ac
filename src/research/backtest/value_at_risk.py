"""Rolling, out-of-sample backtest of value at risk: each day's forecast uses the returns before it, and no other.

GARCH is estimated anew every `refit_every` days on the `fit_window` returns before; in between its parameters
stay and its variance follows the returns. All methods are compared on the same days. Same bits on any number of
threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from research.arrays import vector
from research.errors import require
from research.risk.forecasts import METHODS, Method, Refits, Settings, check_history, check_levels, refit, tails


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Backtest:
    """Forecasts beside what came.

    `frame` has one row a level, method and day: date, return, method, level, value_at_risk, expected_shortfall,
    exception.
    """

    frame: pd.DataFrame
    garch: (
        pd.DataFrame
    )  # one row a refit: date, mu, omega, alpha, beta, persistence, log_likelihood, on_bound; or empty
    settings: Settings
    n_days: int  # out of sample

    def exceptions(self, method: Method, level: float) -> np.ndarray:
        """0 or 1 each day."""
        return self.rows(method, level)["exception"].to_numpy(dtype=np.int64)

    def rows(self, method: Method, level: float) -> pd.DataFrame:
        """The days of one method and level."""
        found = self.frame[(self.frame["method"] == method) & (self.frame["level"] == level)]
        known = sorted({(m, float(v)) for m, v in zip(self.frame["method"], self.frame["level"])})
        require(len(found) > 0, "(method, level)", (method, level), f"be one of {known}")
        return found

    def summary(self) -> pd.DataFrame:
        """One row a method and level: exceptions, expected, rate, mean VaR and ES, mean loss beyond the VaR."""
        rows = []
        for key, days in self.frame.groupby(["level", "method"], sort=False, observed=True):
            level, method = float(key[0]), str(key[1])  # type: ignore[index, arg-type]
            beyond = days.loc[days["exception"], "return"]
            rows.append(
                {
                    "method": method,
                    "level": level,
                    "days": len(days),
                    "exceptions": int(days["exception"].sum()),
                    "expected": round((1.0 - level) * len(days), 9),
                    "rate": float(days["exception"].mean()),
                    "mean_value_at_risk": float(days["value_at_risk"].mean()),
                    "mean_expected_shortfall": float(days["expected_shortfall"].mean()),
                    "mean_exception_loss": float(-beyond.mean()) if len(beyond) else float("nan"),
                }
            )
        return pd.DataFrame(rows)

    def by_year(self) -> pd.DataFrame:
        """Exceptions in each calendar year: one row a year, one column a method and level, and the days."""
        year = pd.DatetimeIndex(self.frame["date"]).year.rename("year")
        label = self.frame["method"].astype(str) + " " + (100.0 * self.frame["level"]).map("{:.6g}%".format)
        count = self.frame["exception"].astype(int).groupby([year, label], sort=False).sum().unstack()
        first = self.frame["method"].eq(self.frame["method"].iloc[0]) & self.frame["level"].eq(
            self.frame["level"].iloc[0]
        )
        count.insert(0, "days", year[first].value_counts().sort_index().to_numpy())
        return count.rename_axis(columns=None).reset_index()


def value_at_risk(
    returns: ArrayLike | pd.Series,
    *,
    dates: Sequence[object] | pd.Index | None = None,
    levels: Sequence[float] = (0.99, 0.975),
    methods: Sequence[Method] = METHODS,
    settings: Settings | None = None,
    start: int | None = None,
) -> Backtest:
    """Forecast VaR and ES of every day from the days before it, and mark the exceptions.

    Parameters
    ----------
    returns : Series with a date index, or array-like, decimal, shape (n,)
    dates : sequence, shape (n,), optional
        The index of a Series by default; 0, 1, 2, ... for an array.
    levels : sequence of float, default (0.99, 0.975)
    methods : sequence of {"historical", "ewma", "garch", "filtered_historical"}
    settings : Settings, optional
        Windows, decay, refit schedule.
    start : int, optional
        First day with a forecast; by default the first for which every method has its history.

    Returns
    -------
    Backtest

    Examples
    --------
    >>> import numpy as np
    >>> r = np.random.default_rng(0).normal(0.0, 0.01, 700)
    >>> value_at_risk(r, methods=["historical"], levels=[0.99]).n_days
    200
    """
    x, chosen = vector(returns, "returns"), settings or Settings()
    index = _dates(returns, dates, x.size)
    wanted = np.array(levels, dtype=np.float64, ndmin=1)
    require(len(methods) > 0, "methods", methods, f"name at least one of {', '.join(METHODS)}")
    for method in methods:
        check_history(x, chosen, method)
        check_levels(wanted, chosen, method)
    least = max(chosen.history(method) for method in methods)
    first = least if start is None else start
    require(least <= first < x.size, "start", first, f"lie in [{least}, {x.size})", hint="Days before it are history.")
    fits = refit(x, first, x.size, chosen) if any(chosen.fits_garch(m) for m in methods) else None
    parts = []
    found = {method: tails(x, first, x.size, wanted, method, chosen, fits) for method in methods}
    for j, level in enumerate(wanted):
        for method in methods:
            var, es, _ = found[method]
            parts.append(
                pd.DataFrame(
                    {
                        "date": index[first:],
                        "return": x[first:],
                        "method": str(method),
                        "level": float(level),
                        "value_at_risk": var[:, j],
                        "expected_shortfall": es[:, j],
                        "exception": -x[first:] > var[:, j],
                    }
                )
            )
    frame = pd.concat(parts, ignore_index=True)
    return Backtest(frame=frame, garch=_garch_frame(fits, index), settings=chosen, n_days=x.size - first)


def _dates(returns: object, dates: object, n: int) -> Any:
    if dates is not None:
        index = pd.Index(np.asarray(dates))
    else:
        index = returns.index if isinstance(returns, pd.Series) else pd.RangeIndex(n)
    require(len(index) == n, "dates", len(index), f"have one entry a return, {n}")
    require(
        index.is_monotonic_increasing and index.is_unique, "dates", index[0], "increase from one return to the next"
    )
    return index


def _garch_frame(fits: Refits | None, index: Any) -> pd.DataFrame:
    names = ["date", "mu", "omega", "alpha", "beta", "persistence", "log_likelihood", "on_bound"]
    if fits is None:
        return pd.DataFrame(columns=names)
    f = fits.fitted
    values = [index[fits.begin], f[:, 0], f[:, 1], f[:, 2], f[:, 3], f[:, 2] + f[:, 3], f[:, 4], fits.status == 2]
    return pd.DataFrame(dict(zip(names, values)))
