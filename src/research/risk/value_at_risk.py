"""Value at risk and expected shortfall of the next return, by four methods.

| method | law of the next return | reference |
|---|---|---|
| historical | one of the last `window` returns, each as likely | |
| ewma | normal, mean 0, exponentially weighted variance | RiskMetrics (1996) |
| garch | normal, GARCH(1,1) estimated on the last `fit_window` returns | Bollerslev (1986) |
| filtered_historical | one of the last `window` standardised returns, rescaled | Barone-Adesi et al. (1999) |

Filtered historical simulation standardises each return by its GARCH volatility (or EWMA, as Hull and White 1998)
and multiplies by today's. VaR and ES are in units of the return, positive = loss.

Of `window` equally likely returns the VaR is the ceil(window (1 - level))-th worst: of 500 days at 99% the fifth
worst, as in Hull's textbook. The ES is the mean of the worst window (1 - level), the last counted in part (Acerbi
and Tasche 2002), so that ES >= VaR.

References
----------
Acerbi, C. and Tasche, D. (2002). On the coherence of expected shortfall. J. Banking and Finance 26, 1487-1503.
Barone-Adesi, G., Giannopoulos, K. and Vosper, L. (1999). VaR without correlations. J. Futures Markets 19, 583-602.
Hull, J. and White, A. (1998). Incorporating volatility updating into historical simulation. J. of Risk 1(1).
RiskMetrics (1996). Technical document, 4th ed., J. P. Morgan/Reuters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from research.arrays import FloatND, vector
from research.models.garch import GARCH
from research.risk.forecasts import Method, Settings, check_history, check_levels, refit, tails


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TailRisk:
    """What can be lost over the next period; scalars, or arrays with one entry a level."""

    method: Method
    level: float | FloatND
    value_at_risk: float | FloatND  # return units, positive = loss
    expected_shortfall: float | FloatND  # return units, positive = loss
    volatility: float | None  # forecast standard deviation; historical simulation has none
    n: int  # returns given
    model: GARCH | None = None  # where one was fitted

    def to_frame(self) -> pd.DataFrame:
        """One row a level: method, level, value_at_risk, expected_shortfall."""
        columns = np.broadcast_arrays(*map(np.atleast_1d, (self.level, self.value_at_risk, self.expected_shortfall)))
        names = ("level", "value_at_risk", "expected_shortfall")
        return pd.DataFrame({"method": self.method, **dict(zip(names, columns))})

    def _repr_html_(self) -> str:
        return str(self.to_frame().to_html(index=False, float_format=lambda v: f"{v:.6g}"))


def value_at_risk(
    returns: ArrayLike, *, level: ArrayLike = 0.99, method: Method = "historical", settings: Settings | None = None
) -> TailRisk:
    """VaR and ES of the return that follows `returns`.

    Parameters
    ----------
    returns : array-like, decimal, shape (n,)
        In order of time, the last one yesterday's.
    level : float or sequence, default 0.99
        99% is 0.99.
    method : {"historical", "ewma", "garch", "filtered_historical"}
    settings : Settings, optional
        Windows and decay; the defaults of `risk.Settings`: 500 days, 0.94, 1000 days for GARCH.

    Returns
    -------
    TailRisk

    Examples
    --------
    >>> import numpy as np
    >>> losses = np.arange(500.0) / 1e4  # the worst is 4.99%
    >>> found = value_at_risk(-losses, level=0.99)
    >>> round(found.value_at_risk, 4), round(found.expected_shortfall, 4)
    (0.0495, 0.0497)
    """
    x, chosen = vector(returns, "returns"), settings or Settings()
    levels = np.array(level, dtype=np.float64, ndmin=1)
    check_history(x, chosen, method)
    check_levels(levels, chosen, method)
    fits = refit(x, x.size, x.size + 1, chosen) if chosen.fits_garch(method) else None
    var, es, sd = tails(x, x.size, x.size + 1, levels, method, chosen, fits)
    scalar = np.ndim(level) == 0
    return TailRisk(
        method=method,
        level=float(levels[0]) if scalar else levels,
        value_at_risk=float(var[0, 0]) if scalar else var[0],
        expected_shortfall=float(es[0, 0]) if scalar else es[0],
        volatility=None if sd is None else float(sd[0]),
        n=x.size,
        model=None
        if fits is None
        else GARCH(**dict(zip(("mu", "omega", "alpha", "beta"), map(float, fits.fitted[0])))),
    )
