"""COS engine: European options under a model with a characteristic function on the real line, with an error for each.

The density of the log price is expanded in cosines on a range of some standard deviations. Each round doubles the
terms and widens the range; a price is taken when two rounds agree, and their difference is stated as its error. Smooth
densities settle in two rounds; those of Variance Gamma at short times decay slowly and take more. Two rounds can agree
and both be wrong in two ways, which are looked for: a tail like exp(-p x), p the moment that explodes at expiry, that
reaches beyond the range; and a characteristic function that dies and comes back, as it does for many jumps of one size.

References
----------
Fang & Oosterlee (2008), SIAM J. Scientific Computing 31, 826-848.
Andersen & Piterbarg (2007), "Moment explosions in stochastic volatility models", Finance and Stochastics 11, prop. 3.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from research.arrays import Float1D, reshape, vectors
from research.core.models.levy import VARIANCE_GAMMA, levy_cumulants, levy_log_cfs
from research.core.pricing.cosine import cosine_puts
from research.errors import NumericalError, require_all, rule
from research.instruments import European
from research.market import Snapshot
from research.pricing._european import european_values
from research.pricing.catalogue import Values

_ROUNDS = tuple((2**power, 2.0 * power - 4.0) for power in range(7, 17))  # terms, half width in standard deviations
_AGREE = 1e-11  # of the larger of forward and strike: prices that agree so well are settled
_ENOUGH = 1e-6  # the worst that is given away, with its error
_ROUNDING, _SUM = 2e-16, 5e-13  # a term; the sum, whose terms cancel where the range is narrow
_FAST, _DOUBT = 1e3, 20.0  # a smooth density gains thousands from round to round; else the last step is no bound
_TAIL = 23.0  # exp(-23) is 1e-10: what a tail may leave beyond the first range
_MANY = 5.0  # jumps in the life: two of them, of one size, leave a valley of exp(-10) in the characteristic function


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
    if spread + reach == 0.0:  # nothing moves: the price ends at its forward
        return np.maximum(-np.expm1(-log_strike), 0.0), np.zeros_like(log_strike)
    value, gap, last = (
        np.full(log_strike.size, np.nan),
        np.full(log_strike.size, np.inf),
        np.full(log_strike.size, np.inf),
    )
    rest = np.arange(log_strike.size)
    for n_terms, width in _ROUNDS:
        trial = np.empty(rest.size)
        half = width * spread + 0.1 * width * reach
        cosine_puts(kind, p, tau, centre - half, 2.0 * half, n_terms, log_strike[rest], trial)
        change = np.abs(trial - value[rest])
        change[np.isnan(change)] = np.inf
        with np.errstate(invalid="ignore"):
            slow = change > last[rest] / _FAST  # two rounds that agree no better than the two before say little
        value[rest], last[rest] = trial, change
        gap[rest] = np.where(slow, _DOUBT, 1.0) * change + _ROUNDING * n_terms * size[rest]
        if _comes_back(kind, p, tau, np.pi * n_terms / (2.0 * half)):
            gap[rest] = np.inf
        rest = rest[gap[rest] > _AGREE * size[rest]]
        if rest.size == 0:
            break
    bad = np.flatnonzero(~(gap <= _DOUBT * _ENOUGH * size))
    if bad.size:
        what = f"settle for every option; got a change of {gap[bad[0]]:.1e} at log moneyness {log_strike[bad[0]]:.3g}"
        raise NumericalError(rule("the cosine series", what, model, f"({bad.size} of {log_strike.size} options)."))
    return value, gap + _SUM * size


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
    spread = float(np.sqrt(cumulants[1] + np.sqrt(cumulants[2])))
    return centre, spread, reach + _tail(p, tau, 10.0 * spread)


def _tail(p: Float1D, tau: float, half: float) -> float:
    """How far the exponential tails of stochastic variance reach beyond `half`."""
    if p[3] <= 0.0 or half <= 0.0:
        return 0.0
    enough, least = _TAIL / half, np.inf
    for sign in (-1.0, 1.0):
        if enough <= 1.0 and sign > 0.0:
            continue  # the first moment never explodes
        high = enough
        if explosion(p, sign * high) > tau:
            continue
        low = 0.0 if sign < 0.0 else 1.0
        for _ in range(40):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if explosion(p, sign * middle) > tau else (low, middle)
        least = min(least, high)
    return max(_TAIL / least - half, 0.0) if np.isfinite(least) else 0.0


def explosion(p: Float1D, moment: float) -> float:
    """When E[S^moment] becomes infinite, years."""
    _, kappa, _, sigma, rho = p[:5]
    chi = rho * sigma * moment - kappa
    d = chi * chi - sigma * sigma * (moment * moment - moment)
    root = float(np.sqrt(abs(d)))
    if d < 0.0:
        return 2.0 / root * (np.arctan2(root, chi))
    if chi <= 0.0:
        return np.inf
    return np.inf if root == 0.0 else float(np.log((chi + root) / (chi - root)) / root) if chi > root else np.inf


def _comes_back(kind: int, p: Float1D, tau: float, u: float) -> bool:
    """Whether the characteristic function may return beyond u: jumps of one size never calm it, the rest not yet."""
    if kind == VARIANCE_GAMMA or p[5] * tau < _MANY or p[7] * u > 7.0:
        return False
    calm, log_size, angle = p.copy(), np.empty(1), np.empty(1)
    calm[5] = 0.0
    levy_log_cfs(kind, np.array([u]), tau, calm, log_size, angle)
    return bool(log_size[0] > -27.0)


def value(items: Sequence[European], model: Any, snapshot: Snapshot) -> Values:
    """The engine's door for `pricing.price`."""
    return european_values(price_with_error, items, model, snapshot)
