"""Spectral engine: American options under Black-Scholes, by collocation of the exercise boundary.

The boundary depends on rate, yield, vol and expiry alone, so a chain of strikes shares one. It is found at rising
orders until two agree; the error stated with each price is a cautious bound on that of the finer order. A call is a
put with spot and strike, rate and yield, exchanged (McDonald and Schroder).

Where no order settles, a boundary so low that it is hardly ever reached, the price lies between the European one and a
bound (`_american_bounds`); it is given where the two are near.

Rates and yields may be negative. Where waiting is always better the price is the European one; a put with yield < rate
< 0 (a call with rate < yield < 0) has two boundaries and is left to the lattice and the finite differences.

References
----------
Andersen, Lake, Offengenden (2016), "High-performance American option pricing", J. Computational Finance 20, 39-87.
McDonald, Schroder (1998), "A parity result for American options", J. Computational Finance 1, 5-13.
Andersen, Lake (2021), "Fast American option pricing: the double-boundary case", Wilmott 116, 30-41.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from research.arrays import BoolND, Float1D, Float2D, Int1D, reshape, vectors
from research.core.math.quadrature import gauss_legendre
from research.core.pricing.american import american_boundaries, american_values, collocation_tables
from research.errors import NoEngineError, NumericalError, require, require_all
from research.instruments import American
from research.market import Snapshot
from research.models import black
from research.models.black_scholes import BlackScholes
from research.pricing._american_bounds import between_bounds
from research.pricing._flat import flat_rates
from research.pricing.catalogue import Values

# nodes of the boundary, of its integrals, of the price's integral
_ORDERS = ((4, 6, 20), (8, 8, 32), (16, 16, 64), (32, 32, 128), (64, 64, 256))
_PROBES = np.array([0.25, 1.5])  # standard deviations above the boundary: there the gap is taken too
_BOUND = 0.5  # of the finer order's error over the largest gap; the most seen in 27,000 prices was 0.41
_ROUNDING = 1e-14  # of the strike
_LOOSE = 1e-3  # the first order only begins: its last relative step of Newton's method
_NO_RATE = 1e-14  # stands for a rate of zero where the yield is negative: the boundary of a long expiry is then near 0

_WORST = 1e-4  # a price whose stated error is larger, as a share of the strike, is no price
_GONE = 40.0  # standard deviations that the spot has drifted away from the boundary: it never comes back

_TWO_BOUNDARIES = "There the exercise region has two boundaries: use method='lattice' or method='pde'."


def price(
    spot: ArrayLike,
    strike: ArrayLike,
    tau: ArrayLike,
    vol: ArrayLike,
    *,
    rate: ArrayLike = 0.0,
    dividend_yield: ArrayLike = 0.0,
    is_call: ArrayLike = False,
    tolerance: float = 1e-8,
    on_error: Literal["raise", "nan"] = "raise",
) -> Any:
    """Present value of American options; all arguments broadcast together.

    Parameters
    ----------
    spot, strike : array-like, price units
    tau : array-like, years (ACT/365F)
        Zero gives the intrinsic value.
    vol : array-like, 1/sqrt(year), decimal
    rate, dividend_yield : array-like, 1/year, continuously compounded, default 0.0
    is_call : array-like of bool, default False
    tolerance : float, default 1e-8
        Largest stated error, as a share of the strike (of the spot for a call); 1e-12 is within reach.
    on_error : "raise" or "nan", default "raise"
        What an option gets that cannot be priced: an error naming the first and the count, or nan in its place.

    Returns
    -------
    float or ndarray of the broadcast shape, price units

    Examples
    --------
    >>> round(price(36.0, 40.0, 1.0, 0.20, rate=0.06), 5)
    4.48667
    """
    return price_with_error(
        spot, strike, tau, vol, rate=rate, dividend_yield=dividend_yield, is_call=is_call, tolerance=tolerance,
        on_error=on_error,
    )[0]  # fmt: skip


def price_with_error(
    spot: ArrayLike,
    strike: ArrayLike,
    tau: ArrayLike,
    vol: ArrayLike,
    *,
    rate: ArrayLike = 0.0,
    dividend_yield: ArrayLike = 0.0,
    is_call: ArrayLike = False,
    tolerance: float = 1e-8,
    on_error: Literal["raise", "nan"] = "raise",
) -> tuple[Any, Any]:
    """As `price`, with an estimate of the largest error of each price, price units."""
    flags = np.asarray(is_call)
    require(flags.dtype == bool, "is_call", flags.dtype, "be bool")
    require(on_error in ("raise", "nan"), "on_error", on_error, "be 'raise' or 'nan'")
    require(1e-13 <= tolerance < 1.0, "tolerance", tolerance, "lie in [1e-13, 1)")
    (s, k, t, v, r, q, call), shape = vectors(spot, strike, tau, vol, rate, dividend_yield, flags)
    swap = call > 0.5
    base, moneyness = np.where(swap, s, k), np.where(swap, k / s, s / k)
    r, q = np.where(swap, q, r), np.where(swap, r, q)
    good = (s > 0.0) & (k > 0.0) & (t >= 0.0) & (v >= 0.0) & np.isfinite(base * moneyness * t * v * r * q)
    double = (r < 0.0) & (q < r) & (t > 0.0) & (v > 0.0)
    if on_error == "raise" and not (good.all() and not double.any()):
        _refuse(s, k, t, v, rate, dividend_yield)
        require_all(
            ~double | (call > 0.5),
            "rate",
            r,
            "not lie above the yield while both are negative",
            hint=_TWO_BOUNDARIES,
            error=NoEngineError,
        )
        require_all(
            ~double,
            "dividend_yield",
            r,
            "not lie above the rate while both are negative",
            hint=_TWO_BOUNDARIES,
            error=NoEngineError,
        )
    value, error = np.full_like(s, np.nan), np.full_like(s, np.nan)
    waits = (r < 0.0) | ((r == 0.0) & (q >= 0.0))
    certain = good & ((t == 0.0) | (v == 0.0))
    if certain.any():
        value[certain] = _without_chance(moneyness[certain], t[certain], r[certain], q[certain])
        error[certain] = _ROUNDING
    plain = good & ~certain & waits & ~double
    if plain.any():
        value[plain] = _european(moneyness[plain], t[plain], v[plain], r[plain], q[plain])
        error[plain] = _ROUNDING
    early = np.flatnonzero(good & ~certain & ~waits)
    if early.size:
        x, years, sigma, r1, q1 = (np.ascontiguousarray(a[early]) for a in (moneyness, t, v, r, q))
        r1 = np.maximum(r1, _NO_RATE)
        away = np.maximum((r1 - q1) / sigma - 0.5 * sigma, 1e-100)
        years = np.minimum(years, (_GONE / away) ** 2)
        value[early], error[early] = _spectral(x, years, sigma, r1, q1, tolerance)
        rest = early[~(error[early] <= _WORST)]
        if rest.size:
            value[rest], error[rest] = between_bounds(*(a[rest] for a in (moneyness, t, v, r, q)))
    value[~(error <= _WORST)] = error[~(error <= _WORST)] = np.nan
    lost = good & ~double & np.isnan(value)
    if on_error == "raise" and lost.any():
        i = int(np.argmax(lost))
        raise NumericalError(
            f"the exercise boundary must settle; it did not for vol {v[i]:g}, rate {r[i]:g}, yield {q[i]:g}, tau "
            f"{t[i]:g} ({lost.sum()} of {lost.size} options). Use method='pde', or on_error='nan'."
        )
    return reshape(base * value, shape), reshape(base * error, shape)


def value(items: Sequence[American], model: BlackScholes, snapshot: Snapshot, *, tolerance: float = 1e-8) -> Values:
    """The engine's door for `pricing.price`; needs one zero rate up to expiry."""
    strike = np.array([item.strike for item in items])
    tau = np.array([item.years(snapshot.as_of) for item in items])
    is_call = np.array([item.is_call for item in items])
    rate = flat_rates(snapshot, tau, "spectral")
    found = price_with_error(
        snapshot.spot, strike, tau, model.sigma, rate=rate, dividend_yield=snapshot.dividend_yield, is_call=is_call,
        tolerance=tolerance,
    )  # fmt: skip
    return Values(found[0], np.zeros_like(tau), found[1])


def _refuse(s: Float1D, k: Float1D, t: Float1D, v: Float1D, rate: ArrayLike, dividend_yield: ArrayLike) -> None:
    require_all((s > 0.0) & np.isfinite(s), "spot", s, "be finite and > 0")
    require_all((k > 0.0) & np.isfinite(k), "strike", k, "be finite and > 0")
    require_all((t >= 0.0) & np.isfinite(t), "tau", t, "be finite and >= 0 years")
    require_all((v >= 0.0) & np.isfinite(v), "vol", v, "be finite and >= 0")
    require_all(np.isfinite(np.asarray(rate, dtype=np.float64)), "rate", rate, "be finite")
    require_all(
        np.isfinite(np.asarray(dividend_yield, dtype=np.float64)), "dividend_yield", dividend_yield, "be finite"
    )


def _european(x: Float1D, t: Float1D, v: Float1D, r: Float1D, q: Float1D) -> Float1D:
    out: Float1D = np.asarray(
        black.price(x * np.exp((r - q) * t), 1.0, t, v, df=np.exp(-r * t), is_call=np.array(False))
    )
    return out


def _without_chance(x: Float1D, t: Float1D, r: Float1D, q: Float1D) -> Float1D:
    """The best of all certain exercise values e^(-ru) - x e^(-qu): today, at expiry, or where the slope is 0."""
    with np.errstate(all="ignore"):
        turn = np.nan_to_num(np.log(r / (q * x)) / (r - q), nan=0.0, posinf=0.0, neginf=0.0)
    out = np.zeros_like(x)
    for u in (np.zeros_like(t), t, np.clip(turn, 0.0, t)):
        out = np.maximum(out, np.exp(-r * u) - x * np.exp(-q * u))
    return out


@lru_cache(maxsize=32)
def _tables(n: int, n_quadrature: int, where: str) -> tuple[Float1D, Float2D, Float2D]:
    """(nodes, points, basis) for n Chebyshev points, at the "nodes" or at the "end", the longest time."""
    nodes = 0.5 * (1.0 - np.cos(np.pi * np.arange(1, n + 1) / n)) if where == "nodes" else np.ones(1)
    gauss, weight = np.empty(n_quadrature), np.empty(n_quadrature)
    gauss_legendre(gauss, weight)
    points, basis = np.empty((3, n_quadrature * nodes.size)), np.empty((n, n_quadrature * nodes.size))
    collocation_tables(gauss, weight, nodes, points, basis)
    return nodes, points, basis


@lru_cache(maxsize=32)
def _lift(coarse: int, fine: int) -> Float2D:
    """Basis polynomials of `coarse` Chebyshev points at the nodes of `fine`; shape (coarse, fine)."""
    nodes = _tables(fine, 8, "nodes")[0]
    out = np.empty((coarse, fine))
    collocation_tables(np.array([-1.0]), np.zeros(1), nodes, np.empty((3, fine)), out)  # theta = 0
    return out


def _groups(*columns: Float1D) -> tuple[Int1D, Int1D]:
    """(first, which): one option of each distinct row, and the row of each option."""
    order = np.lexsort(columns)
    new = np.zeros(order.size, dtype=bool)
    new[0] = True
    for column in columns:
        new[1:] |= np.diff(column[order]) != 0.0
    which = np.empty(order.size, dtype=np.int64)
    which[order] = np.cumsum(new) - 1
    return order[new], which


def _spectral(
    x: Float1D, tau: Float1D, sigma: Float1D, r: Float1D, q: Float1D, tolerance: float
) -> tuple[Float1D, Float1D]:
    """Values and errors of puts of strike 1 at spot x; nan where no order settled."""
    value, error = np.full_like(x, np.nan), np.full_like(x, np.nan)
    first, which = _groups(tau, sigma, q, r)
    sets = [np.ascontiguousarray(a[first]) for a in (r, q, sigma, tau)]
    settled = float(np.clip(0.1 * np.sqrt(tolerance), 1e-5, 3e-4))
    boundary, _ = _boundaries(sets, np.zeros((first.size, 0)), _ORDERS[0], _LOOSE)
    probes = _probes(sets, boundary)
    rest: Int1D = np.arange(x.size)
    before = _values(x, which, probes, sets, boundary, _ORDERS[0])
    for order in _ORDERS[1:]:
        boundary, done = _boundaries(sets, boundary, order, settled)
        found = _values(x[rest], which, probes, sets, boundary, order)
        gap = np.abs(found - before)
        worst = np.maximum(gap[: rest.size], gap[rest.size :].reshape(-1, 2).max(axis=1)[which])
        bound = np.where(done[which], _BOUND * worst + _ROUNDING, np.nan)
        better = ~np.isnan(bound)
        value[rest[better]], error[rest[better]] = found[: rest.size][better], bound[better]
        again = ~(bound <= tolerance)
        if not again.any():
            break
        kept, which = np.unique(which[again], return_inverse=True)
        before = np.concatenate([found[: rest.size][again], found[rest.size :].reshape(-1, 2)[kept].reshape(-1)])
        rest, probes, boundary = rest[again], probes[kept], boundary[kept]
        sets = [np.ascontiguousarray(a[kept]) for a in sets]
    return value, error


def _probes(sets: list[Float1D], boundary: Float2D) -> Float2D:
    """Spots a little above each boundary, shape (m, 2)."""
    r, q, sigma, tau = sets
    limit = np.minimum(r / np.where(q > 0.0, q, r), 1.0)
    out: Float2D = limit[:, None] * np.exp(sigma[:, None] * np.sqrt(tau)[:, None] * _PROBES - np.sqrt(boundary[:, -1:]))
    return out


def _values(
    x: Float1D, which: Int1D, probes: Float2D, sets: list[Float1D], boundary: Float2D, order: tuple[int, int, int]
) -> Float1D:
    """Values at the spots x of the sets `which`, then at the probes of every set."""
    _, points, outer = _tables(order[0], order[2], "end")
    spots = np.concatenate([x, probes.reshape(-1)])
    of = np.concatenate([which, np.repeat(np.arange(probes.shape[0]), 2)])
    out = np.empty(spots.size)
    r, q, sigma, tau = sets
    american_values(spots, of, r, q, sigma, tau, points, outer, boundary, out)
    return out


def _boundaries(
    sets: list[Float1D], coarse: Float2D, order: tuple[int, int, int], settled: float
) -> tuple[Float2D, BoolND]:
    """The boundary of each set at this order, from a coarser one; which of them settled."""
    nodes, points, inner = _tables(order[0], order[1], "nodes")
    lift = _lift(coarse.shape[1], order[0]) if coarse.shape[1] else np.empty((0, order[0]))
    out, n_steps = np.empty((sets[0].size, order[0])), np.empty(sets[0].size, dtype=np.int64)
    r, q, sigma, tau = sets
    american_boundaries(r, q, sigma, tau, nodes, points, inner, coarse, lift, settled, out, n_steps)
    out[n_steps == 0] = 0.0
    return out, n_steps > 0
