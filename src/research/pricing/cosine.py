"""COS engine: European options under a model with a characteristic function on the real line, with an error for each.

The density of the log price is expanded in cosines on a range [low, high]. What that costs a put over its strike is
bounded, not guessed from two tries (Fang and Oosterlee, section 4):

    2 P(outside the range)                       by Chernoff's bound, E[S^p] at the best p on each side;
    4 / pi integral from U of abs(phi(u)) / u^2  for the terms left out, U the last frequency: at most
                                                 4 / pi abs(phi(U)) / U where abs(phi) falls;
    rounding.

The range is the narrowest multiple of the width that mean, variance and fourth cumulant suggest whose bound holds, the
terms the fewest. A jump factor that dies and comes back, as for jumps of one size, counts with its upper envelope.

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

from research.arrays import Float1D, reshape
from research.core.models.heston import heston_log_cfs
from research.core.models.levy import VARIANCE_GAMMA, levy_cumulants, levy_log_cfs
from research.core.pricing.cosine import cosine_puts
from research.errors import NumericalError, rule
from research.instruments import European
from research.market import Snapshot
from research.pricing._european import european_values, inputs
from research.pricing.catalogue import Values

_WIDTHS = tuple(2.0**power for power in np.arange(2.0, 10.1, 0.5))  # half ranges, in standard deviations
_TERMS = tuple(2**power for power in range(7, 17))
_AGREE = 1e-12  # over the strike: what the range and the terms may cost
_ENOUGH = 2e-5  # the worst that is given away, with its error
_ROUNDING, _SUM = 2e-16, 5e-13  # a term; the sum, whose terms cancel where the range is narrow
_TAIL = 23.0  # exp(-23) is 1e-10: what a tail may leave beyond the first range
_POWERS = 0.02 * 2.0 ** np.arange(0.0, 16.0, 0.25)  # moments beyond those of the price that are tried
_LATER = np.array([1.0, 1.1, 1.3, 1.7, 2.5, 5.0, 20.0, 100.0])  # frequencies at which phi is looked at again


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
        When 65,536 terms do not bring the bound below 2e-5 of the strike.
    """
    (f, k, t, d, s), shape = inputs(forward, strike, tau, df, is_call)
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
    half, outside = _range(kind, p, tau, centre, spread)
    n_terms, left = _terms(kind, p, tau, half)
    if outside + left > _ENOUGH:
        what = f"settle; got an error of {outside + left:.1e}, {left:.1e} of it by the terms left out"
        raise NumericalError(rule("the cosine series", what, model))
    value = np.empty_like(log_strike)
    cosine_puts(kind, p, tau, centre - half, 2.0 * half, n_terms, log_strike, value)
    return value, outside + left + (_ROUNDING * n_terms + _SUM) * size


def _range(kind: int, p: Float1D, tau: float, centre: float, spread: float) -> tuple[float, float]:
    """Half the range, and what lies outside costs."""
    grid = [log_moments(kind, p, tau, sign) for sign in (-1.0, 1.0)]
    best = (_WIDTHS[0] * spread, np.inf)
    for width in _WIDTHS:
        half = width * max(spread, 1e-12)
        outside = 0.0
        for sign, (power, log_moment) in zip((-1.0, 1.0), grid):
            edge = centre + sign * half
            lost = log_moment - power * edge
            outside += float(np.exp(min(lost.min(initial=0.0), 0.0)))
        if 2.0 * outside < best[1]:
            best = (half, 2.0 * outside)
        if best[1] <= _AGREE:
            break
    return best


def log_moments(kind: int, p: Float1D, tau: float, sign: float) -> tuple[Float1D, Float1D]:
    """Powers above 1, or below 0, and log E[(S / F)^power], where that is finite."""
    power = 1.0 + _POWERS if sign > 0.0 else -_POWERS
    if kind == VARIANCE_GAMMA:
        sigma, nu, theta = p
        inside = -theta * nu * power - 0.5 * sigma * sigma * nu * power**2
        fine = inside > -1.0
        omega = np.log1p(-theta * nu - 0.5 * sigma * sigma * nu) / nu
        return power[fine], tau * (omega * power[fine] - np.log1p(inside[fine]) / nu)
    power = power[[explosion(p, float(each)) > tau for each in power]]
    size, angle = np.empty(power.size), np.empty(power.size)
    if p[1] == 0.0 and p[3] == 0.0:
        size = 0.5 * p[0] * tau * power * (power - 1.0)
    else:
        v0, kappa, theta, sigma, rho = p[:5].tolist()
        heston_log_cfs(np.zeros(power.size), 0.5 - power, tau, v0, kappa, theta, sigma, rho, size, angle)
    if p[5] > 0.0:
        with np.errstate(over="ignore"):
            jump = np.expm1(p[6] * power + 0.5 * p[7] ** 2 * power**2) - power * np.expm1(p[6] + 0.5 * p[7] ** 2)
            size = size + p[5] * tau * jump
    fine = np.isfinite(size)
    return power[fine], size[fine]


def _terms(kind: int, p: Float1D, tau: float, half: float) -> tuple[int, float]:
    """How many terms, and what those left out cost."""
    calm, jumps = p, np.zeros(_LATER.size)
    if kind != VARIANCE_GAMMA and p[5] > 0.0:
        calm = p.copy()
        calm[5] = 0.0
    best = (_TERMS[0], np.inf)
    for n_terms in _TERMS:
        u = np.pi * n_terms / (2.0 * half) * _LATER
        size, angle = np.empty(u.size), np.empty(u.size)
        levy_log_cfs(kind, u, tau, calm, size, angle)
        if calm is not p:
            jumps = p[5] * tau * np.expm1(-0.5 * (p[7] * u) ** 2)
        left = 4.0 / np.pi * float(np.exp(np.max(size + jumps)) / u[0])
        if left < best[1]:
            best = (n_terms, left)
        if left <= _AGREE:
            break
    return best


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


def value(items: Sequence[European], model: Any, snapshot: Snapshot) -> Values:
    """The engine's door for `pricing.price`."""
    return european_values(price_with_error, items, model, snapshot)
