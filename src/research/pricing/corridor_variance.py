"""Corridor variance swaps by replication: options at every strike of the corridor, and at its ends on the way.

Let f'' = 1 / S^2 inside the corridor (L, H) and 0 outside, with f and f' being 0 at c, the spot put into the corridor,
and so at the spot. For continuous paths Ito's formula gives, with the carry mu(t) of the forward,

    E integral of sigma^2 1{L < S < H} dt = 2 (E f(S_T) - integral of mu(t) E[S_t f'(S_t)] dt)

f(S_T) is a portfolio of options at the strikes inside, 1 / K^2 of each (Carr and Madan); S f'(S) is a portfolio of four
options, (call(c) - put(c)) / c - call(H) / H + put(L) / L, taken at 16 and 32 dates between today and expiry. So every
smile up to expiry counts where there is carry, the last one alone where there is none.

References
----------
Carr, Madan (1998), "Towards a theory of volatility trading", in Jarrow (ed.), Volatility, 417-427.
Carr, Lewis (2004), "Corridor variance swaps", Risk 17(2), 67-72.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from research.core.models.levy import AFFINE
from research.errors import NoEngineError, require, rule
from research.instruments import CorridorVarianceSwap
from research.market import Snapshot
from research.pricing import _smile
from research.pricing._swaps import settled
from research.pricing.catalogue import Values, abilities

_ROUNDING = 1e-14
_DATES = (16, 32)
_FLAT = 1e-14  # of log(F / S): no carry


def fair_corridor_variance(
    model: Any, snapshot: Snapshot, tau: float, low: float = 0.0, high: float = np.inf
) -> tuple[float, float]:
    """Expected variance realised inside (low, high), per year of the life, and its error.

    Examples
    --------
    >>> from research.market import flat_snapshot
    >>> from research.models import BlackScholes
    >>> round(fair_corridor_variance(BlackScholes(sigma=0.2), flat_snapshot(spot=100.0), 1.0)[0], 12)
    0.04
    """
    require(np.isfinite(tau) and tau > 0.0, "tau", tau, "be finite and > 0 years")
    require(0.0 <= low < high, "low", low, f"lie in [0, high = {high:g})")
    _check_continuous(model)
    spot = snapshot.spot
    c = min(max(spot, low), high)
    at_end, gap = _held_to_expiry(model, snapshot.forward(tau), tau, c, low, high)
    drift, drift_gap = _on_the_way(model, snapshot, tau, c, low, high)
    return 2.0 * (at_end - drift) / tau, 2.0 * (gap + drift_gap) / tau


def _check_continuous(model: Any) -> None:
    if "real_characteristic_function" in abilities(model):
        kind, p = model.characteristic()
        steady = kind == AFFINE and p[5] == 0.0
        if not steady:
            raise NoEngineError(rule("model", "have continuous paths to be replicated by options", type(model).__name__,
                                     "Use method='paths'."))  # fmt: skip


def _held_to_expiry(model: Any, forward: float, tau: float, c: float, low: float, high: float) -> tuple[float, float]:
    """E f(S_T): options out of the money against the forward, and what those between c and it are worth more."""
    with np.errstate(divide="ignore"):
        start, stop = (float(np.log(np.float64(x) / forward)) for x in (low, high))
    found, gap = _smile.integral(lambda k: np.exp(-k), model, forward, tau, start, stop)
    m = min(max(forward, low), high)  # calls between c and m, or puts between m and c, are in the money
    return found + forward * (1.0 / c - 1.0 / m) - float(np.log(m / c)), gap


def _on_the_way(model: Any, snapshot: Snapshot, tau: float, c: float, low: float, high: float) -> tuple[float, float]:
    """Integral of mu(t) E[S_t f'(S_t)] over the life, in the root of time, and its error."""
    times = np.linspace(0.0, tau, 65)[1:]
    if np.abs(np.log(snapshot.forward(times) / snapshot.spot)).max() <= _FLAT:
        return 0.0, 0.0
    kinks = [t for t in snapshot.discount.tau.tolist() if t < tau]
    if snapshot.dividend_yields is not None:
        kinks += [t for t in snapshot.dividend_yields.tau.tolist() if t < tau]
    edges = np.sqrt(np.array(sorted({0.0, *kinks, tau})))
    totals = []
    for n in _DATES:
        nodes, weights = np.polynomial.legendre.leggauss(n)
        total = 0.0
        for a, b in pairwise(edges.tolist()):
            u, w = 0.5 * (a + b) + 0.5 * (b - a) * nodes, 0.5 * (b - a) * weights
            carry = (np.log(snapshot.forward(b * b)) - np.log(snapshot.forward(a * a))) / (b * b - a * a)
            total += float(carry) * sum(
                2.0 * x * y * _slope_mean(model, snapshot.forward(x * x), x * x, c, low, high)
                for x, y in zip(u.tolist(), w.tolist())
            )
        totals.append(total)
    return totals[-1], abs(totals[-1] - totals[0]) + _ROUNDING


def _slope_mean(model: Any, forward: float, t: float, c: float, low: float, high: float) -> float:
    """E[S f'(S)] at a date, of four options."""
    ends = [(c, 1.0, True), (c, -1.0, False)]
    ends += [(high, -1.0, True)] if np.isfinite(high) else []
    ends += [(low, 1.0, False)] if low > 0.0 else []
    k = np.log(np.array([strike for strike, _, _ in ends]) / forward)
    value = np.asarray(_smile.otm(model, forward, t, k)[0]) * forward
    total = 0.0
    for (strike, sign, is_call), option in zip(ends, value.tolist()):
        inside = forward - strike if is_call else strike - forward
        out_of_the_money = strike > forward if is_call else strike <= forward  # as `_smile.otm` has it
        total += sign / strike * (option if out_of_the_money else option + inside)
    return total


def value(items: Sequence[CorridorVarianceSwap], model: Any, snapshot: Snapshot) -> Values:
    """The engine's door for `pricing.price`; refuses a number of observations, of which a smile says nothing."""

    def fair(item: CorridorVarianceSwap, tau: float) -> tuple[float, float]:
        if item.n_observations is not None:
            hint = "Use method='paths', or None for every moment."
            raise NoEngineError(rule("n_observations", "be None for method='replication'", item.n_observations, hint))
        found, gap = fair_corridor_variance(model, snapshot, tau, *item.corridor)
        return found, gap + _ROUNDING * (item.elapsed + tau) / tau

    return settled(items, snapshot, fair, _ROUNDING)
