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

from research.arrays import Float1D, reshape, vectors
from research.core._tasks import share as shared
from research.core.pricing.fourier import heston_values
from research.errors import NumericalError, require_all, rule
from research.instruments import European
from research.market import Snapshot
from research.models.heston import Heston
from research.models.jumps import Bates
from research.pricing._european import european_values
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
    sign = np.where(np.asarray(is_call, dtype=bool), 1.0, -1.0)
    (f, k, t, d, s), shape = vectors(forward, strike, tau, df, sign)
    for name, x in (("forward", f), ("strike", k), ("df", d)):
        require_all((x > 0.0) & np.isfinite(x), name, x, "be finite and > 0")
    require_all((t >= 0.0) & np.isfinite(t), "tau", t, "be finite and >= 0 years")
    value, error = np.maximum(s * (f - k), 0.0), np.zeros_like(f)
    for years in np.unique(t[t > 0.0]):
        here = np.flatnonzero(t == years)
        found, gap = otm(model, float(years), np.log(k[here] / f[here]))
        value[here] += f[here] * found
        error[here] = f[here] * gap + _ROUNDING * np.maximum(f[here], k[here])
    return reshape(d * value, shape), reshape(d * error, shape)


def otm(model: Bates, tau: float, log_strike: Float1D) -> tuple[Float1D, Float1D]:
    """Out-of-the-money options over the forward, and their errors; puts for log strikes up to 0."""
    found, gap = np.empty_like(log_strike), np.empty_like(log_strike)
    for share, here in ((False, log_strike <= 0.0), (True, log_strike > 0.0)):
        if here.any():
            found[here], gap[here] = _one_side(model, tau, log_strike[here], share)
    return found, gap


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


def _settled(
    model: Bates, tau: float, extra: Float1D, x: Any, forward: Any, strike: Any
) -> tuple[Any, Any]:
    """Time values, shape (cases, strikes), and the gaps between their rules; refined until two rules agree."""
    calm = Heston(v0=model.v0, kappa=model.kappa, theta=model.theta, sigma=model.sigma, rho=model.rho)
    one = np.array([calm.v0, calm.kappa, calm.theta, calm.sigma, calm.rho])
    p = np.column_stack([np.tile(one, (extra.size, 1)), extra])
    value, gap = np.empty_like(x), np.empty_like(x)
    rest = np.arange(extra.size)
    for h in _STEPS:
        n, each = rest.size, x.shape[1]
        a, b, c = (np.ascontiguousarray(y[rest]).ravel() for y in (x, forward, strike))
        some, open_gap, some_p = np.empty(n * each), np.empty(n * each), np.ascontiguousarray(p[rest])
        first, years = np.arange(n + 1, dtype=np.int64) * each, np.full(n, tau)

        def work(part: slice, args: Any = (some_p, years, first, a, b, c, h, some, open_gap)) -> None:
            q, t, ends, *others = args
            heston_values(q[part], t[part], ends[part.start : part.stop + 1], *others)

        shared(n, work, small=n * each < 512)
        value[rest], gap[rest] = some.reshape(n, each), open_gap.reshape(n, each)
        rest = rest[~(gap[rest] <= _RULES_AGREE).all(axis=1)]
        if rest.size == 0:
            return value, gap
    for i in rest:
        far = np.flatnonzero(~(gap[i] <= _RULES_AGREE))
        nothing = most(calm, x[i, far], np.full(far.size, tau), extra[i]) <= 4e-15 * np.exp(0.5 * np.abs(x[i, far]))
        value[i, far[nothing]], gap[i, far[nothing]] = 0.0, 0.0
        if not nothing.all():
            what = f"settle for every option; got a gap of {np.max(gap[i]):.1e} after {i} jumps"
            raise NumericalError(rule("the Fourier integral", what, model))
    return value, gap


def value(items: Sequence[European], model: Bates, snapshot: Snapshot) -> Values:
    """The engine's door for `pricing.price`."""
    return european_values(price_with_error, items, model, snapshot)
