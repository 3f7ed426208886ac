"""Sums of Black prices: European options under Merton's model and Variance Gamma, exact at every expiry and vol.

Given the number of jumps, or the gamma clock, the price is lognormal: forward F exp(m), standard deviation s. With the
weights w of the cases, and w' = w exp(m) those under the measure of the underlying,

    put = sum of w put(F exp(m), K, s),    call = sum of w' call(F, K exp(-m), s),

and only the out-of-the-money one is summed: all terms are positive, so that no digit is lost however far the strike is.

| model | cases | error |
|---|---|---|
| `Merton` | n jumps, Poisson; those left out weigh less than 1e-40 of the largest | rounding |
| `VarianceGamma` | trapezoidal rule in t = log(G / nu), less the clock that stands still | the rules of step h and 2h |
| the same, sigma = 0 | the log price is a gamma variable: incomplete gamma functions | rounding |

A step of the rule is halved until it settles: sooner for a smooth mixture, later where sigma is small beside theta.

References
----------
Merton (1976), J. Financial Economics 3, 125-144, eqs. (16), (19); Madan, Carr, Chang (1998), European Finance Review 2,
79-105, eqs. (17), (22); Trefethen, Weideman (2014), "The exponentially convergent trapezoidal rule", SIAM Review 56.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammainc, gammaincc, ndtr

from research.arrays import Float1D
from research.errors import NumericalError, rule
from research.instruments import European
from research.market import Snapshot
from research.models import black
from research.models.jumps import Merton, VarianceGamma
from research.pricing._european import by_expiry, european_values, inputs, two_sides
from research.pricing.catalogue import Values

Cases = tuple[Float1D, Float1D, Float1D, float | None]  # weight, m, s; m of a clock that stands still, for what is left
Kernel = Callable[[Any, Any, Any], Any]  # of m, s and the log strike
_LEAST, _MOST = 1e-40, 200_000  # weight of the largest; cases
_LEFT, _FAR, _STEP = -80.0, 45.0, 0.16
FINEST = 11  # halvings of the step
# rules of step h and 2h that agree so well; the finer one's error is about the square of the gap, stated is a power
AGREE, POWER = 1e-9, 1.3
_ENOUGH = 1e-6  # the worst that is given away, with its error
_EPS = 2.3e-16
_CHUNK = 1 << 18  # Black prices at a time


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
    model : Merton or VarianceGamma
    forward, strike : array-like, price units
    tau : array-like, years (ACT/365F)
    df : array-like, default 1.0
    is_call : array-like of bool, default True

    Raises
    ------
    NumericalError
        When a mixture needs more than 200,000 cases (millions of jumps).
    """
    return by_expiry(otm, _EPS, model, inputs(forward, strike, tau, df, is_call))


def otm(model: Any, tau: float, log_strike: Float1D) -> tuple[Float1D, Float1D]:
    """Out-of-the-money options over the forward, and their errors; puts for log strikes up to 0."""

    def one_side(k: Float1D, share: bool) -> tuple[Float1D, Float1D]:
        size = 1.0 if share else np.exp(k)
        value, error = mixed(model, tau, k, share, _calls if share else _puts)
        return size * value, size * error

    return two_sides(one_side, log_strike)


def below(model: Any, tau: float, log_strike: Float1D) -> tuple[Float1D, Float1D]:
    """Probability to end below a log strike, and its error."""
    found, gap = mixed(model, tau, log_strike, False, _below)
    return np.clip(found, 0.0, 1.0), gap


def _puts(m: Any, s: Any, k: Any) -> Any:
    """Over the strike."""
    return black.price(np.exp(np.clip(m - k, -700.0, 700.0)), 1.0, 1.0, s, is_call=False)


def _calls(m: Any, s: Any, k: Any) -> Any:
    return black.price(1.0, np.exp(np.clip(k - m, -700.0, 700.0)), 1.0, s)


def _below(m: Any, s: Any, k: Any) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):
        return ndtr(np.where(s > 0.0, (k - m) / s + 0.5 * s, np.where(k > m, np.inf, -np.inf)))


def mixed(model: Any, tau: float, k: Float1D, share: bool, what: Kernel) -> tuple[Float1D, Float1D]:
    """The sum over the cases of weight times what(m, s, k), and its error; `share`: weights w'."""
    if isinstance(model, Merton):
        cases, size = _jumps(model, tau, share)
        return _sum(cases, k, what), np.full(k.size, _EPS * size)
    if model.sigma == 0.0:
        return _still(model, tau, k, share, what)
    found, gap = np.full(k.size, np.nan), np.full(k.size, np.inf)
    rest = np.arange(k.size)
    noise = _EPS * (20.0 + abs(drift(model)) * tau + np.sqrt(tau / model.nu))
    for halvings in range(FINEST):
        weight, m, s, still = clock_cases(model, tau, share, 0.5**halvings)
        trial = []
        for part in (slice(0, None, 2), slice(1, None, 2)):
            trial.append(_sum((2.0 * weight[part], m[part], s[part], still), k[rest], what))
        found[rest], gap[rest] = 0.5 * (trial[0] + trial[1]), np.abs(trial[0] - trial[1])
        rest = rest[gap[rest] > AGREE]
        if rest.size == 0:
            break
    if not (gap <= _ENOUGH).all():
        raise NumericalError(rule("the integral over the gamma clock", "settle", model, f"A gap of {gap.max():.1e}."))
    return found, np.where(gap > AGREE, gap, gap**POWER) + noise


def _sum(cases: Cases, k: Float1D, what: Kernel) -> Float1D:
    weight, m, s, still = cases
    out = np.empty(k.size)
    step = max(1, _CHUNK // max(weight.size, 1))
    for at in range(0, k.size, step):
        here = k[at : at + step, None]
        each = np.asarray(what(m[None, :], s[None, :], here))
        if still is None:
            out[at : at + step] = each @ weight
            continue
        base = np.asarray(what(np.full((1, 1), still), np.zeros((1, 1)), here))
        out[at : at + step] = base[:, 0] + (each - base) @ weight
    return out


def poisson(mean: float) -> tuple[int, Float1D]:
    """The first count that matters, and the probabilities from it on: products outwards from the likeliest."""
    reach = 14.0 * np.sqrt(mean) + 40.0 + 100.0 / (1.0 + mean)
    if not reach < _MOST / 2:
        raise NumericalError(rule("the number of jumps", f"be less than {_MOST} or so", mean, "Fewer, or larger ones."))
    top = int(mean)
    down = np.cumprod(np.arange(top, max(top - int(reach), 0), -1, dtype=np.float64) / max(mean, 1e-300))[::-1]
    up = np.cumprod(mean / np.arange(top + 1, top + int(reach) + 1, dtype=np.float64))
    weight = np.concatenate([down, [1.0], up])
    first = top - down.size
    kept = np.flatnonzero(weight > _LEAST)
    weight = weight[kept[0] : kept[-1] + 1]
    return first + int(kept[0]), weight / weight.sum()


def jump_cases(
    intensity: float, mean: float, deviation: float, tau: float, share: bool
) -> tuple[Float1D, Float1D, Float1D]:
    """Weights, counts, and log forwards of the numbers of jumps."""
    growth = mean + 0.5 * deviation**2
    first, weight = poisson(intensity * tau * (float(np.exp(growth)) if share else 1.0))
    count = first + np.arange(weight.size, dtype=np.float64)
    return weight, count, count * growth - intensity * tau * np.expm1(growth)


def _jumps(model: Merton, tau: float, share: bool) -> tuple[Cases, float]:
    weight, count, m = jump_cases(model.intensity, model.jump_mean, model.jump_std, tau, share)
    s = np.sqrt(model.sigma**2 * tau + count * model.jump_std**2)
    size = 20.0 + count[-1] * abs(model.jump_mean + 0.5 * model.jump_std**2) + float(np.abs(m).max()) + 0.1 * count.size
    return (weight, m, s, None), size


def drift(model: VarianceGamma) -> float:
    """omega."""
    return float(np.log1p(-model.theta * model.nu - 0.5 * model.sigma**2 * model.nu) / model.nu)


def clock_cases(model: VarianceGamma, tau: float, share: bool, shrink: float) -> Cases:
    """Nodes in t = log y, y the clock over nu: weights alpha exp(alpha t - y) / Gamma(1 + alpha) dt, t from its peak.

    Under the measure of the underlying y is a gamma variable over 1 - theta nu - sigma^2 nu / 2.
    """
    alpha = tau / model.nu
    top = float(np.log(alpha))
    near = np.sqrt(3.0 * _FAR / alpha)
    low = max(_LEFT - top, -(near if near < 1.0 else 1.0 + 2.0 * _FAR / alpha))
    high = min(np.sqrt(2.0 * _FAR / alpha), 1.0 + np.log(1.0 + 2.0 * _FAR / alpha))
    step = shrink * min(_STEP, 0.35 / np.sqrt(1.0 + alpha))
    t = low + step * np.arange(int((high - low) / step) + 2)
    clock = alpha * np.exp(t)
    weight = np.exp(alpha * (t - np.expm1(t)))
    weight *= alpha / float(weight @ clock)
    own = 1.0 - model.theta * model.nu - 0.5 * model.sigma**2 * model.nu
    spent = model.nu * clock / (own if share else 1.0)
    shift = drift(model) * tau
    return weight, shift + (model.theta + 0.5 * model.sigma**2) * spent, model.sigma * np.sqrt(spent), shift


def _still(model: VarianceGamma, tau: float, k: Float1D, share: bool, what: Kernel) -> tuple[Float1D, Float1D]:
    """sigma = 0: the log price is a drift and a gamma variable times theta nu."""
    alpha, slope, own = tau / model.nu, model.theta * model.nu, 1.0 - model.theta * model.nu
    y = np.maximum((k - drift(model) * tau) / slope, 0.0)
    lower, upper = (gammainc, gammaincc) if slope > 0.0 else (gammaincc, gammainc)
    error = np.full(k.size, 1e-13 + _EPS * (20.0 + abs(drift(model)) * tau))
    if what is _below:
        return lower(alpha, y), error
    if what is _puts:
        return np.maximum(lower(alpha, y) - np.exp(-k) * lower(alpha, own * y), 0.0), error * (1.0 + np.exp(-k))
    return np.maximum(upper(alpha, own * y) - np.exp(k) * upper(alpha, y), 0.0), error * (1.0 + np.exp(k))


def value(items: Sequence[European], model: Any, snapshot: Snapshot) -> Values:
    """The engine's door for `pricing.price`."""
    return european_values(price_with_error, items, model, snapshot)
