"""Merton (1973): the laws that option prices obey under any model without arbitrage.

All prices are undiscounted and of shape (n_expiries, n_strikes); strikes have shape (n_strikes,), increasing, or
(n_expiries, n_strikes); forwards have shape (n_expiries,). Violations are measured in units of the forward.

References
----------
Merton, R. (1973). Theory of rational option pricing. Bell Journal of Economics and Management Science 4, 141-183.
Gatheral, J., Jacquier, A. (2014). Arbitrage-free SVI volatility surfaces. Quantitative Finance 14, 59-71.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from research.errors import require
from research.evidence import Evidence
from research.validation.numerics.agreement import largest

_MERTON = "Merton (1973), Bell Journal of Economics 4, 141-183"


def _grid(prices: ArrayLike, strike: ArrayLike, forward: ArrayLike) -> tuple[NDArray[np.float64], ...]:
    """Prices and strikes over the forward, shape (n_expiries, n_strikes)."""
    value, f = np.asarray(prices, dtype=np.float64), np.asarray(forward, dtype=np.float64)
    require(value.ndim == 2, "prices", value.shape, "have shape (n_expiries, n_strikes)")
    require(f.shape == value.shape[:1], "forward", f.shape, f"have shape {value.shape[:1]}")
    k = np.broadcast_to(np.asarray(strike, dtype=np.float64), value.shape)
    require(bool((np.diff(k, axis=1) > 0.0).all()), "strike", "a row that falls", "increase along each row")
    return value / f[:, None], k / f[:, None]


def put_call_parity(
    calls: ArrayLike, puts: ArrayLike, strike: ArrayLike, forward: ArrayLike, *, tolerance: float = 1e-12
) -> Evidence:
    """Call less put is forward less strike."""
    c, k = _grid(calls, strike, forward)
    p, _ = _grid(puts, strike, forward)
    claim = "call less put is forward less strike"
    return largest("put_call_parity", np.abs(c - p - (1.0 - k)), tolerance, claim, _MERTON)


def price_bounds(calls: ArrayLike, strike: ArrayLike, forward: ArrayLike, *, tolerance: float = 1e-12) -> Evidence:
    """A call is worth at least max(F - K, 0) and at most F."""
    c, k = _grid(calls, strike, forward)
    violation = np.maximum(np.maximum(1.0 - k, 0.0) - c, c - 1.0)
    return largest("price_bounds", violation, tolerance, "calls lie between max(F - K, 0) and F", _MERTON)


def strike_monotonicity(
    calls: ArrayLike, strike: ArrayLike, forward: ArrayLike, *, tolerance: float = 1e-12
) -> Evidence:
    """A call falls in strike, and by no more than the strike rises."""
    c, k = _grid(calls, strike, forward)
    fall = -np.diff(c, axis=1)
    violation = np.maximum(-fall, fall - np.diff(k, axis=1))
    claim = "calls fall in strike, by no more than the strike rises"
    return largest("strike_monotonicity", violation, tolerance, claim, _MERTON)


def strike_convexity(calls: ArrayLike, strike: ArrayLike, forward: ArrayLike, *, tolerance: float = 1e-12) -> Evidence:
    """A call lies on or below the chord of its two neighbours in strike: no butterfly costs less than nothing."""
    c, k = _grid(calls, strike, forward)
    left = (k[:, 2:] - k[:, 1:-1]) / (k[:, 2:] - k[:, :-2])
    chord = left * c[:, :-2] + (1.0 - left) * c[:, 2:]
    claim = "calls are convex in strike: no butterfly has a negative price"
    return largest("strike_convexity", c[:, 1:-1] - chord, tolerance, claim, _MERTON)


def calendar_order(calls: ArrayLike, moneyness: ArrayLike, forward: ArrayLike, *, tolerance: float = 1e-12) -> Evidence:
    """At one moneyness K / F, the call over its forward does not fall with the expiry (rows in order of expiry).

    `moneyness` has shape (n_strikes,): the strikes of row i are moneyness times forward[i].
    """
    f = np.asarray(forward, dtype=np.float64)
    c, _ = _grid(calls, np.outer(f, np.asarray(moneyness, dtype=np.float64)), f)
    claim = "at one moneyness, calls over their forward do not fall with time"
    reference = "Gatheral and Jacquier (2014), Quantitative Finance 14, 59-71, lemma 2.1"
    return largest("calendar_order", c[:-1] - c[1:], tolerance, claim, reference)
