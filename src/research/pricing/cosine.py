"""COS engine: European options under a model with a characteristic function on the real line, with an error for each.

The density of the log price is expanded in cosines on a range of some standard deviations. Each round doubles the
terms and widens the range; a price is taken when two rounds agree, and their difference is stated as its error. Smooth
densities settle in two rounds; those of Variance Gamma at short times decay slowly and take more.

References
----------
Fang & Oosterlee (2008), SIAM J. Scientific Computing 31, 826-848.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from research.arrays import Float1D, reshape, vectors
from research.core.models.levy import VARIANCE_GAMMA, levy_cumulants
from research.core.pricing.cosine import cosine_puts
from research.errors import NumericalError, require_all, rule
from research.instruments import European
from research.market import Snapshot
from research.pricing._european import european_values
from research.pricing.catalogue import Values

_ROUNDS = tuple((2**power, 2.0 * power - 4.0) for power in range(7, 17))  # terms, half width in standard deviations
_AGREE = 1e-11  # of the larger of forward and strike: prices that agree so well are settled
_ENOUGH = 1e-6  # the worst that is given away, with its error
_ROUNDING = 2e-16  # a term


def price_with_error(
    model: Any,
    forward: ArrayLike,
    strike: ArrayLike,
    tau: ArrayLike,
    *,
    df: ArrayLike = 1.0,
    is_call: ArrayLike = True,
) -> tuple[Any, Any]:
    """Present values and their errors, price units; all arguments broadcast together.

    Parameters
    ----------
    model : an object with `characteristic()`: Heston, Merton, Bates, VarianceGamma
    forward, strike : array-like, price units
    tau : array-like, years (ACT/365F)
    df : array-like, default 1.0
    is_call : array-like of bool, default True

    Raises
    ------
    NumericalError
        When 65,536 terms do not settle an option to 1e-6 of its forward.
    """
    sign = np.where(np.asarray(is_call, dtype=bool), 1.0, -1.0)
    (f, k, t, d, s), shape = vectors(forward, strike, tau, df, sign)
    require_all((f > 0.0) & np.isfinite(f), "forward", f, "be finite and > 0")
    require_all((k > 0.0) & np.isfinite(k), "strike", k, "be finite and > 0")
    require_all((t >= 0.0) & np.isfinite(t), "tau", t, "be finite and >= 0 years")
    require_all((d > 0.0) & np.isfinite(d), "df", d, "be finite and > 0")
    value, error = np.maximum(s * (f - k), 0.0), np.zeros_like(f)
    for years in np.unique(t[t > 0.0]):
        here = np.flatnonzero(t == years)
        puts, gap = _puts(model, float(years), np.log(k[here] / f[here]), np.maximum(f[here] / k[here], 1.0))
        put = np.clip(k[here] * puts, np.maximum(k[here] - f[here], 0.0), k[here])
        value[here] = np.where(s[here] > 0.0, put + f[here] - k[here], put)
        error[here] = k[here] * gap
    return reshape(d * value, shape), reshape(d * error, shape)


def _puts(model: Any, tau: float, log_strike: Float1D, size: Float1D) -> tuple[Float1D, Float1D]:
    """Undiscounted puts over their strikes, and errors; `size` is the larger of forward and strike over strike."""
    kind, p = model.characteristic()
    centre, spread, reach = log_price_range(kind, p, tau)
    value, gap = np.full(log_strike.size, np.nan), np.full(log_strike.size, np.inf)
    rest = np.arange(log_strike.size)
    for n_terms, width in _ROUNDS:
        trial = np.empty(rest.size)
        half = width * spread + 0.1 * width * reach
        cosine_puts(kind, p, tau, centre - half, 2.0 * half, n_terms, log_strike[rest], trial)
        change = np.abs(trial - value[rest])
        value[rest], gap[rest] = trial, np.where(np.isnan(change), np.inf, change) + _ROUNDING * n_terms * size[rest]
        rest = rest[gap[rest] > _AGREE * size[rest]]
        if rest.size == 0:
            break
    bad = np.flatnonzero(~(gap <= _ENOUGH * size))
    if bad.size:
        what = f"settle for every option; got a change of {gap[bad[0]]:.1e} at log moneyness {log_strike[bad[0]]:.3g}"
        raise NumericalError(rule("the cosine series", what, model, f"({bad.size} of {log_strike.size} options)."))
    return value, gap


def log_price_range(kind: int, p: Float1D, tau: float) -> tuple[float, float, float]:
    """(centre, spread, reach) of log(S_T / F): ten spreads and one reach to each side hold nearly all of it.

    A rare jump or an exponential tail is not seen by a variance, so their reach is added.
    """
    if kind == VARIANCE_GAMMA:
        sigma, nu, theta = p
        square, drift = sigma * sigma, theta * nu
        omega = np.log1p(-drift - 0.5 * square * nu) / nu
        fourth = 3.0 * (square**2 * nu + 2.0 * theta**4 * nu**3 + 4.0 * square * drift**2) * tau
        slow = np.hypot(0.5 * drift, np.sqrt(0.5 * square * nu)) + 0.5 * abs(
            drift
        )  # the tails fall like exp(-x / slow)
        return (theta + omega) * tau, np.sqrt((square + nu * theta**2) * tau + np.sqrt(fourth)), 34.0 * slow
    intensity, mean, deviation = p[5:]
    calm = p.copy()
    calm[5] = 0.0
    cumulants = np.empty(3)
    levy_cumulants(kind, tau, calm, cumulants)
    rate = intensity * tau
    centre = cumulants[0] + rate * (mean - np.expm1(mean + 0.5 * deviation**2))
    reach = abs(mean) + 8.0 * deviation + 8.0 * np.sqrt(rate * (mean**2 + deviation**2)) if rate > 0.0 else 0.0
    return centre, np.sqrt(cumulants[1] + np.sqrt(cumulants[2])), reach


def value(items: Sequence[European], model: Any, snapshot: Snapshot) -> Values:
    """The engine's door for `pricing.price`."""
    return european_values(price_with_error, items, model, snapshot)
