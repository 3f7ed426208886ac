"""Finite differences: European, American and barrier options under Black-Scholes or a local vol, with curves and cash.

Crank-Nicolson with four implicit half-steps at the start (Rannacher), time steps that grow away from expiry, a sinh
grid in log spot that is finest at strike and barrier, with nodes on both; early exercise by Brennan and Schwartz. Each
step takes the mean of the local variance over its time. The error falls with the square of both steps, so a second
grid of half the points and steps gives the leading term, which is taken off (Richardson); the stated error is that
term, and what is left is far less (tests/pricing/test_pde.py measures both).

Where a rate or yield is negative an American option may have two exercise boundaries: there the splitting of Ikonen
and Toivanen is taken, of order 1 in time, nothing is taken off and the stated error is the distance of the two grids.

References
----------
Rannacher (1984); Ikonen, Toivanen (2004); Tavella, Randall (2000): see `research.core.pricing.pde`.
Forsyth, Vetzal (2002), "Quadratic convergence for valuing American options using a penalty method", SIAM J. Sci.
Comput. 23 (time steps that grow).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from research.arrays import Float1D, reshape, vectors
from research.core.pricing.pde import pde_values
from research.errors import InputError, require, require_all
from research.instruments import American, Barrier, European
from research.market import Snapshot
from research.models.black_scholes import BlackScholes
from research.models.local_vol import LocalVol
from research.pricing._pde_grid import (
    FINE,
    STARTS,
    WIDTH,
    Dividends,
    check_dividends,
    market_rows,
    nodes,
    spreads,
    time_steps,
    variance_on_grid,
)
from research.pricing.catalogue import Values

_ROUNDING = 1e-12


def value(
    items: Sequence[European | American | Barrier],
    model: BlackScholes | LocalVol,
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
    check_dividends(dividends)
    tau = np.array([item.years(snapshot.as_of) for item in items])
    require_all(tau > 0.0, "tau", tau, "be > 0 years for method='pde'")
    if isinstance(model, BlackScholes):
        require(model.sigma > 0.0, "sigma", model.sigma, "be > 0 for method='pde'", hint="Use the analytic engine.")
    fine, coarse = (_solve(items, tau, model, snapshot, n_space // 2, n_time // 2, dividends, level) for level in
                    (2, 1))  # fmt: skip
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
    fine, coarse = (_batch(s, k, t, v, r, q, sign, american, n_space // 2, n_time // 2, level) for level in (2, 1))
    gap = fine - coarse
    return reshape(fine + gap / 3.0, shape), reshape(np.abs(gap) / 3.0 + _ROUNDING * np.maximum(s, k), shape)


def _batch(
    s: Float1D, k: Float1D, t: Float1D, v: Float1D, r: Float1D, q: Float1D, sign: Float1D, american: bool,
    n: int, m: int, level: int,
) -> Float1D:  # fmt: skip
    """One grid an option, all of one size; the nodes are those of `_pde_grid.nodes`, all rows at once."""
    at, std = np.log(s / k), v * np.sqrt(t)
    start = np.arcsinh((np.minimum(at, 0.0) / std - WIDTH) / FINE)
    end = np.arcsinh((np.maximum(at, 0.0) / std + WIDTH) / FINE)
    first = np.clip(np.rint(-start / (end - start) * n), 1, n - 1)
    n, first = n * level, first * level
    place = np.arange(n + 1) - first[:, None]
    x = (FINE * std)[:, None] * np.sinh(
        np.where(place < 0, (-start / first)[:, None], (end / (n - first))[:, None]) * place
    )
    gain = (sign * k)[:, None] * (np.exp(x) - 1.0)
    steps, one = m * level + STARTS - 2, time_steps(1.0, m, (), level)[0]
    market = np.empty((s.size, 2 * steps))
    market[:, :steps], market[:, steps:] = r[:, None], (r - q)[:, None]
    edges = np.zeros((s.size, 5))
    edges[:, 4] = sign if american else 0.0
    pays = gain if american else np.full_like(gain, -np.inf)
    theta = np.where(np.arange(steps) < STARTS, 1.0, 0.5)
    out = np.empty(s.size)
    dt = t[:, None] * one
    variance = np.repeat((v * v)[:, None, None], n + 1, axis=2)
    pde_values(x, dt, theta, market, variance, np.zeros_like(dt), k, edges, pays, np.maximum(gain, 0.0), at, out)
    return out


@dataclass(frozen=True, slots=True)
class _Problem:
    """One grid: what its value adds to the price of contract `position`."""

    item: Any
    kind: str  # "vanilla"; "knock-out" pays the option, "survival" one unit, if no barrier is hit
    weight: float
    position: int

    @property
    def ends(self) -> tuple[float, float]:
        """Barriers in price units, 0 and infinity where there is none."""
        if self.kind == "vanilla":
            return 0.0, np.inf
        down = self.item.direction == "down"
        return (self.item.barrier, np.inf) if down else (0.0, self.item.barrier)

    def by_parity(self, has_cash: bool) -> bool:
        """Whether a call is found as a put and a forward: bounded, and so good for any vol and time."""
        return self.kind == "vanilla" and self.item.is_call and not isinstance(self.item, American) and not has_cash

    @property
    def rebate(self) -> float:
        """What a hit pays at once."""
        return float(self.item.rebate) if self.kind == "knock-out" and self.item.knock == "out" else 0.0


def _problems(items: Sequence[Any], snapshot: Snapshot) -> Iterator[_Problem]:
    """Knock-ins through what they lack of the European option."""
    for i, item in enumerate(items):
        if not isinstance(item, Barrier):
            yield _Problem(item, "vanilla", 1.0, i)
            continue
        item.check_alive(snapshot.spot)
        if item.n_monitoring is not None:
            raise InputError(
                "n_monitoring must be None for method='pde'. Use method='analytic': it shifts the barrier."
            )
        yield _Problem(item, "knock-out", 1.0 if item.knock == "out" else -1.0, i)
        if item.knock == "in":
            yield _Problem(item, "vanilla", 1.0, i)
            if item.rebate > 0.0:
                yield _Problem(item, "survival", item.rebate, i)


def _solve(
    items: Sequence[Any], tau: Float1D, model: BlackScholes | LocalVol, snapshot: Snapshot, n: int, m: int,
    dividends: Dividends, level: int,
) -> Float1D:  # fmt: skip
    """Values on grids of n x m, each step cut into `level`, by one call of the kernel."""
    problems = list(_problems(items, snapshot))
    rows, space, steps = len(problems), n * level + 1, m * level + STARTS - 2
    scale = np.array([p.item.strike for p in problems])
    at = np.log(snapshot.spot / scale)
    x, pays, v = np.empty((rows, space)), np.full((rows, space), -np.inf), np.empty((rows, space))
    dt, cash, market = np.empty((rows, steps)), np.empty((rows, steps)), np.empty((rows, 2 * steps))
    edges = np.zeros((rows, 5))
    variance = np.empty((rows, steps if isinstance(model, LocalVol) else 1, space))
    for i, p in enumerate(problems):
        years = float(tau[p.position])
        x[i] = _space(p, float(at[i]), spreads(model, years), n, level)
        dt[i], cash[i] = time_steps(years, m, dividends, level)
        market[i] = market_rows(years, dt[i], snapshot)
        v[i], pays[i], edges[i] = _pay_off(p, x[i], snapshot, bool(dividends))
        variance[i] = variance_on_grid(model, x[i], float(scale[i]), years, dt[i], snapshot)
    theta = np.where(np.arange(steps) < STARTS, 1.0, 0.5)
    out, total = np.empty(rows), np.zeros(len(items))
    pde_values(x, dt, theta, market, variance, cash, scale, edges, pays, v, at, out)
    for p, one in zip(problems, out):
        years = float(tau[p.position])
        forward = snapshot.discount.df(years) * (snapshot.forward(years) - p.item.strike)
        total[p.position] += p.weight * (one + (forward if p.by_parity(bool(dividends)) else 0.0))
    return total


def _space(problem: _Problem, at: float, std: tuple[float, float, float], n: int, level: int) -> Float1D:
    """Nodes in log(spot / strike); a barrier is an end."""
    below, above = problem.ends
    low = np.log(below / problem.item.strike) if below > 0.0 else -np.inf
    high = np.log(above / problem.item.strike) if above < np.inf else np.inf
    barriers = [float(end) for end in (low, high) if np.isfinite(end)]
    # a strike outside the barriers is not of interest, and where there is one barrier it bounds the other side
    outer = [at, min(max(0.0, low), high)]
    low = low if np.isfinite(low) else min(outer) - WIDTH * std[1]
    high = high if np.isfinite(high) else max(outer) + WIDTH * std[2]
    return nodes(float(low), float(high), 0.0, FINE * min(std[0], high - low), n, level, barriers)


def _pay_off(problem: _Problem, x: Float1D, snapshot: Snapshot, has_cash: bool) -> tuple[Float1D, Float1D, Float1D]:
    """Value at expiry, what exercise pays (-inf where not allowed), and the ends as the kernel wants them."""
    item, edges = problem.item, np.zeros(5)
    sign = 1.0 if item.is_call and not problem.by_parity(has_cash) else -1.0
    gain = sign * item.strike * np.expm1(x)
    v = np.ones_like(x) if problem.kind == "survival" else np.maximum(gain, 0.0)
    below, above = problem.ends
    for end, there, has in ((0, 0, below > 0.0), (2, -1, above < np.inf)):
        if has:
            edges[end : end + 2] = 1.0, problem.rebate
            v[there] = problem.rebate
    if not isinstance(item, American):
        return v, np.full_like(x, -np.inf), edges
    edges[4] = 2.0 if _may_exercise_anywhere(snapshot) else sign
    return v, gain, edges
