"""Delta, gamma and speed of European options under the integral: no bump, from the cosine series of the density.

With x = log(S_T / F), density f and k = log(K / F), undiscounted and by the forward,

    put delta = -E[e^x; x < k],    gamma = K f(k) / F^2,    speed = -(K / F^3) (2 f(k) + f'(k)).

The vol of such a model does not depend on the level of the spot, so
that delta is the model's own (sticky moneyness). Terms are doubled until gamma settles; a sum of Black prices
(`mixtures`) has these of its own.

References
----------
Fang & Oosterlee (2008), SIAM J. Scientific Computing 31, 826-848, eqs. (11), (22), (56).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from research.arrays import Float1D
from research.core.models.levy import levy_log_cfs
from research.errors import NumericalError, rule
from research.instruments import European
from research.market import Snapshot
from research.pricing import mixtures
from research.pricing.cosine import log_price_range

_ROUNDS = tuple((2**power, 2.0 * power - 4.0) for power in range(8, 16))
_AGREE = 1e-10


def spot_greeks(items: Sequence[European], model: Any, snapshot: Snapshot) -> dict[str, Float1D]:
    """delta, gamma, speed by the spot, shape (n,) each."""
    strike, is_call = np.array([i.strike for i in items]), np.array([i.is_call for i in items])
    tau = np.array([i.years(snapshot.as_of) for i in items])
    forward, df = np.asarray(snapshot.forward(tau)), np.asarray(snapshot.discount.df(tau))
    growth, k = forward / snapshot.spot, np.log(strike / forward)
    below, density, slope = (np.zeros(k.size) for _ in range(3))
    below[(tau == 0.0) & (k > 0.0)] = 1.0
    for years in np.unique(tau[tau > 0.0]):
        here = np.flatnonzero(tau == years)
        law = mixtures.density if "black_mixture" in model.abilities else _settled
        below[here], density[here], slope[here] = law(model, float(years), k[here])
    delta = df * (np.where(is_call, 1.0, 0.0) - below)
    gamma = df * strike / forward**2 * density
    speed = -df * strike / forward**3 * (2.0 * density + slope)
    return {"delta": growth * delta, "gamma": growth**2 * gamma, "speed": growth**3 * speed}


def _settled(model: Any, tau: float, k: Float1D) -> tuple[Float1D, Float1D, Float1D]:
    """E[e^x; x < k], f(k), f'(k)."""
    kind, p = model.characteristic()
    centre, spread, reach = log_price_range(kind, p, tau)
    before: Any = None
    for n_terms, width in _ROUNDS:
        half = width * spread + 0.1 * width * reach
        found = _series(kind, p, tau, centre - half, 2.0 * half, n_terms, k)
        if before is not None:
            gap = max(float(np.abs(found[0] - before[0]).max()), spread * float(np.abs(found[1] - before[1]).max()))
            if gap < _AGREE:
                return found
        before = found
    raise NumericalError(rule("the density", "settle to 1e-10", model, "Its tails may be too heavy: use differences."))


def _series(
    kind: int, p: Float1D, tau: float, low: float, width: float, n: int, k: Float1D
) -> tuple[Float1D, Float1D, Float1D]:
    u: Float1D = np.pi * np.arange(n, dtype=np.float64) / width
    re, im = np.empty(n), np.empty(n)
    levy_log_cfs(kind, u, tau, p, re, im)
    weight = 2.0 / width * np.exp(re) * np.cos(im - u * low)
    weight[0] *= 0.5
    at = np.clip(k, low, low + width)
    angle = u[None, :] * (at - low)[:, None]
    c, s = np.cos(angle), np.sin(angle)
    grown = np.exp(at)[:, None]
    chi = (c * grown - np.exp(low) + u * s * grown) / (1.0 + u * u)
    outside = at != k
    density, slope = np.where(outside, 0.0, c @ weight), np.where(outside, 0.0, -(s @ (weight * u)))
    return chi @ weight, density, slope
