"""Finite differences: European, American and barrier options under Black-Scholes, with curves and cash dividends.

Crank-Nicolson with four implicit half-steps at the start (Rannacher), time steps that grow away from expiry, a sinh
grid in log spot that is finest at the strike, with a node on the strike and the barrier at its end; early exercise by
Brennan and Schwartz. The error falls with the square of both steps, so a second grid of half the points and steps
gives the leading term, which is taken off (Richardson); the stated error is that term, and what is left is far less
(tests/pricing/test_pde.py measures both).

Where a rate or yield is negative an American option may have two exercise boundaries: there the splitting of Ikonen
and Toivanen is taken, of order 1 in time, nothing is taken off and the stated error is the distance of the two grids.

References
----------
Rannacher (1984); Ikonen, Toivanen (2004); Tavella, Randall (2000): see `research.core.pricing.pde`.
Forsyth, Vetzal (2002), "Quadratic convergence for valuing American options using a penalty method", SIAM J. Sci.
Comput. 23 (time steps that grow).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from research.arrays import Float1D, reshape, vectors
from research.core.pricing.pde import pde_values
from research.errors import InputError, require, require_all
from research.instruments import American, Barrier, European
from research.market import Snapshot
from research.models.black_scholes import BlackScholes
from research.pricing.catalogue import Values

Dividends = Sequence[tuple[float, float]]

_WIDTH = 5.0  # standard deviations of the grid beyond spot and strike
_FINE = 0.25  # of a standard deviation around the strike: there the steps stop shrinking
_STARTS = 4  # implicit half-steps
_ROUNDING = 1e-12


def value(
    items: Sequence[European | American | Barrier],
    model: BlackScholes,
    snapshot: Snapshot,
    *,
    n_space: int = 200,
    n_time: int = 100,
    dividends: Dividends = (),
) -> Values:
    """The engine's door for `pricing.price`.

    Parameters
    ----------
    n_space, n_time : int
        Points in space and steps in time, at least 20 and 10.
    dividends : sequence of (years, cash in price units)
        Paid whatever the spot is, beside the snapshot's dividend yield; those after expiry are left out.
    """
    require(n_space >= 20, "n_space", n_space, "be at least 20")
    require(n_time >= 10, "n_time", n_time, "be at least 10")
    for when, cash in dividends:
        require(when > 0.0 and cash >= 0.0, "dividends", (when, cash), "be pairs of years > 0 and cash >= 0")
    tau = np.array([item.years(snapshot.as_of) for item in items])
    require_all(tau > 0.0, "tau", tau, "be > 0 years for method='pde'")
    require(model.sigma > 0.0, "sigma", model.sigma, "be > 0 for method='pde'", hint="Use the analytic engine.")
    fine, coarse = (_solve(items, tau, model.sigma, snapshot, n, m, dividends) for n, m in
                    ((n_space, n_time), (n_space // 2, n_time // 2)))  # fmt: skip
    error = np.abs(fine - coarse) / 3.0
    slow = isinstance(items[0], American) and _may_exercise_anywhere(snapshot)
    value = fine if slow else fine + (fine - coarse) / 3.0
    return Values(value, np.zeros_like(tau), (3.0 if slow else 1.0) * error + _ROUNDING * snapshot.spot)


def _may_exercise_anywhere(snapshot: Snapshot) -> bool:
    """Negative rates or yields may give an American option two exercise boundaries."""
    return float(min(snapshot.discount.zero_rate.min(), snapshot.dividend_yield)) < 0.0


def price_with_error(
    spot: ArrayLike,
    strike: ArrayLike,
    tau: ArrayLike,
    vol: ArrayLike,
    *,
    rate: ArrayLike = 0.0,
    dividend_yield: ArrayLike = 0.0,
    is_call: ArrayLike = False,
    american: bool = True,
    n_space: int = 200,
    n_time: int = 100,
) -> tuple[Any, Any]:
    """Present values of American or European options with one rate and yield each, >= 0, and the error of each.

    All arguments broadcast together; rate and dividend_yield are 1/year, continuously compounded. The whole batch is
    one call of the kernel.

    Returns
    -------
    (value, error) : float or ndarray of the broadcast shape, price units
    """
    require(n_space >= 20, "n_space", n_space, "be at least 20")
    require(n_time >= 10, "n_time", n_time, "be at least 10")
    flags = np.asarray(is_call)
    require(flags.dtype == bool, "is_call", flags.dtype, "be bool")
    (s, k, t, v, r, q, call), shape = vectors(spot, strike, tau, vol, rate, dividend_yield, flags)
    for name, given in (("spot", s), ("strike", k), ("tau", t), ("vol", v)):
        require_all((given > 0.0) & np.isfinite(given), name, given, "be finite and > 0")
    for name, given in (("rate", r), ("dividend_yield", q)):
        require_all((given >= 0.0) & np.isfinite(given), name, given, "be finite and >= 0 here",
                    hint="With a snapshot, pricing.price(..., method='pde') takes rates of any sign.")  # fmt: skip
    sign = np.where(call > 0.5, 1.0, -1.0)
    fine, coarse = (_batch(s, k, t, v, r, q, sign, american, n, m) for n, m in
                    ((n_space, n_time), (n_space // 2, n_time // 2)))  # fmt: skip
    gap = fine - coarse
    return reshape(fine + gap / 3.0, shape), reshape(np.abs(gap) / 3.0 + _ROUNDING * np.maximum(s, k), shape)


def _batch(
    s: Float1D, k: Float1D, t: Float1D, v: Float1D, r: Float1D, q: Float1D, sign: Float1D, american: bool,
    n: int, m: int,
) -> Float1D:  # fmt: skip
    """One grid an option, all of one size."""
    at, std = np.log(s / k), v * np.sqrt(t)
    start = np.arcsinh((np.minimum(at, 0.0) / std - _WIDTH) / _FINE)
    end = np.arcsinh((np.maximum(at, 0.0) / std + _WIDTH) / _FINE)
    first = np.clip(np.rint(-start / (end - start) * n), 1, n - 1)
    step = (end - start) / n
    x = (_FINE * std)[:, None] * np.sinh(step[:, None] * (np.arange(n + 1) - first[:, None]))
    gain = (sign * k)[:, None] * (np.exp(x) - 1.0)
    steps, one = m + _STARTS - 2, _time(1.0, m, ())[0]
    market = np.empty((s.size, 2 * steps))
    market[:, :steps], market[:, steps:] = r[:, None], (r - q)[:, None]
    edges = np.zeros((s.size, 5))
    edges[:, 4] = sign if american else 0.0
    pays = gain if american else np.full_like(gain, -np.inf)
    theta = np.where(np.arange(steps) < _STARTS, 1.0, 0.5)
    out = np.empty(s.size)
    dt = t[:, None] * one
    pde_values(x, dt, theta, market, v, np.zeros_like(dt), k, edges, pays, np.maximum(gain, 0.0), at, out)
    return out


def _solve(
    items: Sequence[Any], tau: Float1D, sigma: float, snapshot: Snapshot, n: int, m: int, dividends: Dividends
) -> Float1D:
    """One grid for each option: knock-ins through what they lack of the European option."""
    problems: list[tuple[Any, ...]] = []  # (item, kind, weight, position)
    bonds = np.zeros(len(items))
    for i, item in enumerate(items):
        if isinstance(item, Barrier):
            item.check_alive(snapshot.spot)
            if item.n_monitoring is not None:
                raise InputError(
                    "n_monitoring must be None for method='pde'. Use method='analytic': it shifts the barrier."
                )
            out = item.knock == "out"
            late = out and item.rebate > 0.0 and item.rebate_at == "expiry"
            problems.append((replace(item, rebate=0.0) if late else item, "knock-out", 1.0 if out else -1.0, i))
            if late:  # a bond less one that a hit ends
                bonds[i] = item.rebate * snapshot.discount.df(tau[i])
                problems.append((item, "survival", -item.rebate, i))
            if not out:
                problems.append((item, "vanilla", 1.0, i))
                if item.rebate > 0.0:
                    problems.append((item, "survival", item.rebate, i))
        else:
            problems.append((item, "vanilla", 1.0, i))
    where = np.array([p[3] for p in problems])
    found = _grids(problems, tau[where], sigma, snapshot, n, m, dividends)
    total = bonds
    for (_, _, weight, i), one in zip(problems, found):
        total[i] += weight * one
    return total


def _grids(
    problems: Sequence[tuple[Any, ...]], tau: Float1D, sigma: float, snapshot: Snapshot, n: int, m: int,
    dividends: Dividends,
) -> Float1D:  # fmt: skip
    """Arrays of the kernel, one row a problem, and its answer."""
    rows, steps = len(problems), m + _STARTS - 2
    strike = np.array([p[0].strike for p in problems])
    at = np.log(snapshot.spot / strike)
    x, edges, pays, v = (
        np.empty((rows, n + 1)),
        np.zeros((rows, 5)),
        np.full((rows, n + 1), -np.inf),
        np.empty((rows, n + 1)),
    )
    dt, cash, market = np.empty((rows, steps)), np.zeros((rows, steps)), np.empty((rows, 2 * steps))
    anywhere = _may_exercise_anywhere(snapshot)
    for i, (item, kind, _, _) in enumerate(problems):
        x[i], edges[i] = _space(item, kind, at[i], sigma * np.sqrt(tau[i]), n)
        spot, sign = strike[i] * np.exp(x[i]), 1.0 if item.is_call else -1.0
        intrinsic = np.maximum(sign * (spot - strike[i]), 0.0)
        v[i] = np.ones(n + 1) if kind == "survival" else intrinsic
        if edges[i, 0] or edges[i, 2]:
            v[i, 0 if edges[i, 0] else -1] = edges[i, 1] + edges[i, 3]
        if isinstance(item, American):
            pays[i] = sign * (spot - strike[i])
            edges[i, 4] = 2.0 if anywhere else sign
        dt[i], cash[i] = _time(float(tau[i]), m, dividends)
    ends = np.cumsum(dt, axis=1)
    late, early = np.maximum(tau[:, None] - ends + dt, 0.0), np.maximum(tau[:, None] - ends, 0.0)
    rate = np.log(snapshot.discount.df(early) / snapshot.discount.df(late)) / dt
    market[:, :steps], market[:, steps:] = rate, rate - snapshot.dividend_yield
    theta = np.where(np.arange(steps) < _STARTS, 1.0, 0.5)
    out = np.empty(rows)
    pde_values(x, dt, theta, market, np.full(rows, sigma), cash, strike, edges, pays, v, at, out)
    return out


def _space(item: Any, kind: str, at: float, std: float, n: int) -> tuple[Float1D, Float1D]:
    """Nodes in log(spot / strike), shape (n + 1,), and what happens at the ends."""
    fine = _FINE * std
    low, high = min(at, 0.0) - _WIDTH * std, max(at, 0.0) + _WIDTH * std
    edges = np.zeros(5)
    barrier = None
    if kind in ("knock-out", "survival"):
        barrier = float(np.log(item.barrier / item.strike))
        rebate = item.rebate if kind == "knock-out" and item.knock == "out" else 0.0
        down = item.direction == "down"
        low, high = (
            (barrier, max(high, barrier + _WIDTH * std)) if down else (min(low, barrier - _WIDTH * std), barrier)
        )
        edges[: 2 if down else 4] = (1.0, rebate) if down else (0.0, 0.0, 1.0, rebate)
    centre = 0.0 if low < 0.0 < high else (low if low >= 0.0 else high)
    start, end = np.arcsinh((low - centre) / fine), np.arcsinh((high - centre) / fine)
    first = int(np.clip(round(-start / (end - start) * n), 0, n))
    if barrier is None or 0 in (first, n) or low < 0.0 < high:
        first = min(max(first, 1 if start < 0.0 else 0), n - 1 if end > 0.0 else n)
    h = (
        -start / first
        if barrier is not None and barrier == low and first > 0
        else (end / (n - first) if barrier is not None and barrier == high and first < n else (end - start) / n)
    )
    nodes: Float1D = centre + fine * np.sinh(h * (np.arange(n + 1) - first))
    if barrier is not None:
        nodes[0 if barrier == low else n] = barrier
    return nodes, edges


def _time(tau: float, m: int, dividends: Dividends) -> tuple[Float1D, Float1D]:
    """Steps from expiry back to today, and the cash paid at the end of each."""
    steps = m + _STARTS - 2
    paid = sorted((tau - when, amount) for when, amount in dividends if when < tau and amount > 0.0)
    stops = [0.0, *(when for when, _ in paid), tau]
    share = np.sqrt(np.diff(np.sqrt(np.array(stops) / tau)) + 1e-3)
    counts = np.maximum(np.floor(share / share.sum() * m).astype(int), 4)
    counts[int(np.argmax(counts))] += m - counts.sum()
    require(bool(np.all(counts >= 2)), "n_time", m, f"be enough for {len(paid)} dividends")
    dt, cash = [], []
    for i, count in enumerate(counts):
        grown = np.linspace(0.0, 1.0, count + 1) ** (2 if i == 0 else 1)
        widths = np.diff(grown) * (stops[i + 1] - stops[i])
        if i == 0:
            widths = np.concatenate([np.repeat(widths[:2] / 2.0, 2), widths[2:]])
        dt.append(widths)
        cash.append(np.zeros(widths.size))
        if i < len(paid):
            cash[-1][-1] = paid[i][1]
    out: Float1D = np.concatenate(dt)
    assert out.size == steps
    return out, np.concatenate(cash)
