"""Bates' model by the number of jumps: Heston prices with a normal variable beside them, weighted by Poisson.

Given n jumps the log price is Heston's, moved by n jumps, plus a normal variable of variance n jump_std^2 whose factor
enters the contour integral of `fourier`. So a life of an hour or a variance of nothing is as easy as any other: no
characteristic function has to die of the jumps alone, which is what a cosine series waits for.

References
----------
Bates (1996), Review of Financial Studies 9, 69-107; Merton (1976), J. Financial Economics 3, 125-144, eq. (16).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from research.arrays import Float1D, Float2D
from research.core._tasks import share as shared
from research.core.pricing.fourier import heston_values
from research.errors import NumericalError, rule
from research.instruments import European
from research.market import Snapshot
from research.models.heston import Heston
from research.models.jumps import Bates
from research.pricing._european import by_expiry, european_values, inputs, two_sides
from research.pricing.catalogue import Values
from research.pricing.fourier import most
from research.pricing.mixtures import jump_cases

_STEPS = (0.1, 0.05, 0.025, 0.0125)
_RULES_AGREE, _POWER, _ROUNDING = 2e-9, 1.15, 8e-15  # as in `fourier`
_LEAST = 1e-17  # numbers of jumps that are less likely are left out, and counted as error


def price_with_error(
    model: Bates,
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
    model : Bates
    forward, strike : array-like, price units
    tau : array-like, years (ACT/365F)
    df : array-like, default 1.0
    is_call : array-like of bool, default True

    Raises
    ------
    NumericalError
        When the finest rule does not settle an option.
    """
    return by_expiry(otm, _ROUNDING, model, inputs(forward, strike, tau, df, is_call))


def otm(model: Bates, tau: float, log_strike: Float1D) -> tuple[Float1D, Float1D]:
    """Out-of-the-money options over the forward, and their errors; puts for log strikes up to 0."""
    return two_sides(lambda k, share: _one_side(model, tau, k, share), log_strike)


def _one_side(model: Bates, tau: float, k: Float1D, share: bool) -> tuple[Float1D, Float1D]:
    """Calls (`share`: weights under the measure of the underlying, strikes moved) or puts (forwards moved)."""
    weight, count, m = jump_cases(model.intensity, model.jump_mean, model.jump_std, tau, share)
    kept = weight > _LEAST
    weight, count, m = weight[kept], count[kept], m[kept]
    order = np.argsort(-k, kind="stable")  # x = log(F / K) increases
    x = np.clip(m[:, None] - k[order][None, :], -700.0, 700.0)
    forward = np.ones_like(x) if share else np.exp(x) * np.exp(k[order])
    strike = np.exp(-x) if share else np.broadcast_to(np.exp(k[order]), x.shape)
    forward, strike = np.ascontiguousarray(forward), np.ascontiguousarray(strike)
    value, gap = _settled(model, tau, count * model.jump_std**2, x, forward, strike)
    value += np.maximum((forward - strike) if share else (strike - forward), 0.0)
    size = 1.0 if share else np.exp(k[order])
    rounding = 2.3e-16 * float(np.abs(m).max() + 0.1 * m.size) + _LEAST * 100.0
    found, error = np.empty_like(k), np.empty_like(k)
    found[order] = weight @ value
    error[order] = weight @ (np.sqrt(forward * strike) * gap**_POWER) + rounding * size
    return found, error


def _settled(model: Bates, tau: float, extra: Float1D, x: Any, forward: Any, strike: Any) -> tuple[Any, Any]:
    """Time values, shape (cases, strikes), and the gaps between their rules; refined until two rules agree."""
    calm = Heston(v0=model.v0, kappa=model.kappa, theta=model.theta, sigma=model.sigma, rho=model.rho)
    one = [calm.v0, calm.kappa, calm.theta, calm.sigma, calm.rho]
    side = calm.rho * (calm.v0 + calm.kappa * calm.theta * tau) / max(calm.sigma, 1e-30)
    x_all, f_all, k_all = x.ravel(), forward.ravel(), strike.ravel()
    case = np.repeat(np.arange(extra.size), x.shape[1])
    value, gap = np.empty_like(x_all), np.empty_like(x_all)
    rest = np.arange(x_all.size)
    tries = [(h, ()) for h in _STEPS] + [(h, (shift,)) for shift in (0.0, side) for h in _STEPS[1:]]
    for i, (h, given) in enumerate(tries):
        if i == 2:  # strikes that are worth nothing: their gaps hide those of their neighbours
            bound = most(calm, x_all[rest], np.full(rest.size, tau), extra[case[rest]])
            lost = bound <= 4e-15 * np.exp(0.5 * np.abs(x_all[rest]))
            value[rest[lost]], gap[rest[lost]] = 0.0, 0.0
            rest = rest[~lost]
            if rest.size == 0:
                break
        start = np.flatnonzero(np.diff(case[rest], prepend=-1))
        p = np.array([[*one, extra[c], *given] for c in case[rest[start]]])
        found = _one_rule(p, tau, np.append(start, rest.size), x_all[rest], f_all[rest], k_all[rest], h)
        value[rest], gap[rest] = found
        done = gap[rest] <= _RULES_AGREE
        if given:  # as in `fourier`
            gap[rest] **= 1.0 / _POWER
        rest = rest[~done]
        if rest.size == 0:
            break
    if rest.size:
        what = f"settle for every option; got a gap of {gap[rest[0]]:.1e} after {case[rest[0]]} jumps"
        raise NumericalError(rule("the Fourier integral", what, model))
    return value.reshape(x.shape), gap.reshape(x.shape)


def _one_rule(
    p: Float2D, tau: float, first: Any, x: Float1D, forward: Float1D, strike: Float1D, h: float
) -> tuple[Float1D, Float1D]:
    """Values and gaps, group g with parameters p[g]."""
    value, gap, years = np.empty_like(x), np.empty_like(x), np.full(p.shape[0], tau)

    def work(part: slice) -> None:
        ends = first[part.start : part.stop + 1]
        heston_values(p[part], years[part], ends, x, forward, strike, h, value, gap)

    shared(years.size, work, small=x.size < 512)
    return value, gap


def value(items: Sequence[European], model: Bates, snapshot: Snapshot) -> Values:
    """The engine's door for `pricing.price`."""
    return european_values(price_with_error, items, model, snapshot)
