"""Lattice engine: European, American and Bermudan options under Black-Scholes on Leisen and Reimer's tree.

Rates and yields of either sign, also where an American option has two exercise boundaries. A Bermudan's exercise days
go to the nearest step. Under a volatility by time every step takes the same variance, so that the tree recombines, and
as long as that takes; rates and yields are those of the curves over it. That is exact for a European option, and an
American one may be exercised where the steps fall. Where the stock pays cash: `lattice_cash`.

Early exercise makes the error fall with 1/n, while a European option's falls with its square
(tests/pricing/test_lattice.py measures both). So an American option is extrapolated from trees of n and n/2 steps, and
its stated error comes from the same with half the steps; elsewhere it is twice the distance from a tree of half the
steps, or half that of the half from the quarter. Numbers of steps are odd: between even and odd ones the error jumps.

References
----------
Leisen, Reimer (1996), "Binomial models for option valuation: examining and improving convergence", Applied
Mathematical Finance 3, 319-346.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from research.arrays import Float1D, Float2D, reshape, vectors
from research.core.pricing.lattice import lattice_values
from research.errors import require, require_all
from research.instruments import American, Bermudan, European
from research.market import Snapshot
from research.pricing._clock import Clock
from research.pricing._flat import is_flat
from research.pricing.catalogue import Values

Steps = tuple[Float2D | None, Float2D, Float2D]  # times (m, n + 1), or None for equal ones; drift; rate
_ROUNDING = 1e-13
_CAUTION, _CHANCE = 3.0, 0.15  # of an American option, whose error falls with 1/n only nearly
_FEWEST = 20  # steps of the coarser tree up to which nothing is extrapolated
_BOUND = 2.0  # an error that falls with 1/n is the gap to half the steps; twice that to be cautious


def price_with_error(
    spot: ArrayLike,
    strike: ArrayLike,
    tau: ArrayLike,
    vol: ArrayLike,
    *,
    rate: ArrayLike = 0.0,
    dividend_yield: ArrayLike = 0.0,
    is_call: ArrayLike = False,
    exercise: str | Sequence[Sequence[float]] = "american",
    n_steps: int = 501,
) -> tuple[Any, Any]:
    """Present values and an estimate of each error; all arguments broadcast together.

    Parameters
    ----------
    spot, strike : array-like, price units
    tau : array-like, years (ACT/365F), > 0
    vol : array-like, 1/sqrt(year), decimal, > 0
    rate, dividend_yield : array-like, 1/year, continuously compounded, default 0.0
    is_call : array-like of bool, default False
    exercise : "american", "european" or for each option its exercise times in years, default "american"
    n_steps : int, default 501
        Odd: then the strike lies between two last nodes; an even number is raised by one.

    Returns
    -------
    (value, error) : float or ndarray of the broadcast shape, price units
    """
    require(n_steps >= 5, "n_steps", n_steps, "be at least 5")
    flags = np.asarray(is_call)
    require(flags.dtype == bool, "is_call", flags.dtype, "be bool")
    (s, k, t, v, r, q, call), shape = vectors(spot, strike, tau, vol, rate, dividend_yield, flags)
    require_all((s > 0.0) & np.isfinite(s), "spot", s, "be finite and > 0")
    require_all((k > 0.0) & np.isfinite(k), "strike", k, "be finite and > 0")
    require_all((t > 0.0) & np.isfinite(t), "tau", t, "be finite and > 0 years")
    require_all((v > 0.0) & np.isfinite(v), "vol", v, "be finite and > 0")
    require_all(np.isfinite(r) & np.isfinite(q), "rate", r, "be finite, as must dividend_yield")
    terms = _Terms(s, k, t, v, np.where(call > 0.5, 1.0, -1.0), (r - q) * t, _flat(r, q, t))
    value, error = _priced(terms, exercise, n_steps)
    return reshape(value, shape), reshape(error, shape)


@dataclass(frozen=True, slots=True)
class _Terms:
    """Options on a tree; arrays of shape (m,)."""

    spot: Float1D
    strike: Float1D
    tau: Float1D
    vol: Float1D
    sign: Float1D
    lean: Float1D  # log of the forward over the spot
    steps: Callable[[int], Steps]  # number of steps -> what each of them does
    uneven: bool = False  # do days of exercise fall between steps of unequal length?

    def inside(self) -> Float1D:
        """What exercise brings today."""
        return np.asarray(self.sign * (self.spot - self.strike))


def _flat(rate: Float1D, dividend_yield: Float1D, tau: Float1D) -> Callable[[int], Steps]:
    """Equal steps in time."""

    def steps(n: int) -> Steps:
        dt = tau / n
        drift, rates = ((rate - dividend_yield) * dt)[:, None], (rate * dt)[:, None]
        return None, drift.copy(), rates.copy()

    return steps


def _priced(terms: _Terms, exercise: str | Sequence[Sequence[float]], n_steps: int) -> tuple[Float1D, Float1D]:
    """(value, error) of shape (m,)."""
    sizes = [n | 1 for n in (n_steps, n_steps // 2)]
    fine, coarse = (_values(terms, exercise, n) for n in sizes)
    lost, v = np.isnan(fine) | np.isnan(coarse), terms.vol
    wide = v * np.sqrt(terms.tau * n_steps) > 20.0
    hint = "The tree leaves the range of floats: use fewer n_steps." if np.any(lost & wide) else "Use more n_steps."
    require_all(~lost, "vol", v, "move the spot more than the rates do in a step, and not out of sight", hint=hint)
    rough = _values(terms, exercise, sizes[1] // 2 | 1) if sizes[1] > _FEWEST else coarse
    gap = np.maximum(np.abs(fine - coarse), 0.5 * np.nan_to_num(np.abs(coarse - rough)))
    bound = _BOUND if isinstance(exercise, str) else 2.0 * _BOUND  # days that fall between steps
    bound *= 2.0 if terms.uneven and exercise != "european" else 1.0
    value, error = fine, bound * gap + _ROUNDING * np.maximum(terms.spot, terms.strike)
    if exercise == "american" and sizes[1] > _FEWEST:
        value, error = _extrapolated(terms, fine, coarse, rough, sizes)
    if exercise == "american":
        error = error + _unseen_time_value(terms, fine, sizes[0])
    return value, error


def _extrapolated(
    terms: _Terms, fine: Float1D, coarse: Float1D, rough: Float1D, sizes: list[int]
) -> tuple[Float1D, Float1D]:
    """Without the error of order 1 / n, and what may be left: the same from trees of half the steps, beside it."""
    small = sizes[1] // 2 | 1
    value = fine + (fine - coarse) * (sizes[1] / (sizes[0] - sizes[1]))
    before = coarse + (coarse - rough) * (small / (sizes[1] - small))
    apart = np.where(np.isfinite(before), np.abs(value - before), np.abs(fine - coarse))
    left = _CAUTION * np.maximum(apart, _CHANCE * np.abs(fine - coarse))
    value = np.maximum(value, terms.inside())
    return value, left + _ROUNDING * np.maximum(terms.spot, terms.strike)


def _unseen_time_value(terms: _Terms, value: Float1D, n: int) -> Float1D:
    """Where both trees exercise at once they agree, and see no boundary nearer than a node: the time value one away."""
    inside = terms.inside()
    some = (inside > 0.0) & (value <= inside * (1.0 + 1e-14))
    if not some.any():
        return np.zeros_like(value)
    moved = replace(terms, spot=terms.spot * np.exp(-terms.sign * terms.vol * np.sqrt(terms.tau / n)))
    there = _values(moved, "american", n)
    return np.where(some, np.nan_to_num(there - np.maximum(moved.inside(), 0.0)), 0.0)


def _values(terms: _Terms, exercise: str | Sequence[Sequence[float]], n: int) -> Float1D:
    """One tree of n steps for each option."""
    tau = terms.tau
    allowed = np.zeros((tau.size, n))
    begins, drift, rate = terms.steps(n)
    if exercise == "american":
        allowed[:] = 1.0
    elif exercise != "european":
        require(len(exercise) == tau.size, "exercise", len(exercise), f"hold times for each of {tau.size} options")
        for i, times in enumerate(exercise):
            asked = np.asarray(times, dtype=np.float64)
            where = asked / tau[i] * n if begins is None else np.interp(asked, begins[i], np.arange(n + 1.0))
            steps = np.rint(where).astype(np.int64)
            allowed[i, steps[steps < n]] = 1.0
    out = np.empty(tau.size)
    lattice_values(terms.spot, terms.strike, tau, terms.vol, terms.lean, drift, rate, terms.sign, allowed, out)
    return out


def _by_time(model: Any, snapshot: Snapshot, tau: Float1D) -> Callable[[int], Steps]:
    """Steps of equal variance, and what the curves do in each."""
    clock = Clock(model)

    def steps(n: int) -> Steps:
        times = np.empty((tau.size, n + 1))
        for i, end in enumerate(tau.tolist()):
            nodes = np.array([t for t in getattr(model, "tau", ()) if t < end])
            knots = np.array([0.0, *nodes, end])
            variance = clock(knots)
            times[i] = np.interp(np.linspace(0.0, variance[-1], n + 1), variance, knots)
            times[i, -1] = end
        rate = -np.diff(np.log(snapshot.discount.df(times)), axis=1)
        drift = np.diff(np.log(snapshot.growth(times)), axis=1)
        return times, np.ascontiguousarray(drift), np.ascontiguousarray(rate)

    return steps


def _terms(model: Any, snapshot: Snapshot, strike: Float1D, tau: Float1D, sign: Float1D, on_days: bool) -> _Terms:
    """Options under curves and a volatility by time."""
    vol = np.sqrt(Clock(model)(tau) / tau)
    require_all(vol > 0.0, "vol", vol, "be > 0")
    lean, spot = np.log(np.asarray(snapshot.growth(tau))), np.full(tau.size, snapshot.spot)
    return _Terms(spot, strike, tau, vol, sign, lean, _by_time(model, snapshot, tau), uneven=on_days)


def value(
    items: Sequence[European | American | Bermudan], model: Any, snapshot: Snapshot, *, n_steps: int = 501
) -> Values:
    """The engine's door for `pricing.price`."""
    if snapshot.cash_dividends is not None:
        from research.pricing import lattice_cash

        return lattice_cash.value(items, model, snapshot, n_steps=n_steps)
    strike = np.array([item.strike for item in items])
    is_call = np.array([item.is_call for item in items])
    exercise: Any = "american" if isinstance(items[0], American) else "european"
    if isinstance(items[0], Bermudan):
        exercise = [item.exercise_times(snapshot.as_of) for item in items]  # type: ignore[union-attr]
        tau = np.array([times[-1] for times in exercise])
    else:
        tau = np.array([item.years(snapshot.as_of) for item in items])  # type: ignore[union-attr]
    plain = snapshot.dividend_yields is None
    if hasattr(model, "sigma") and plain and is_flat(snapshot, tau):
        found = price_with_error(
            snapshot.spot, strike, tau, model.sigma, rate=snapshot.discount.zero_rate_at(tau),
            dividend_yield=snapshot.dividend_yield, is_call=is_call, exercise=exercise, n_steps=n_steps,
        )  # fmt: skip
    else:
        require(n_steps >= 5, "n_steps", n_steps, "be at least 5")
        require_all(tau > 0.0, "tau", tau, "be > 0 years")
        sign, on_days = np.where(is_call, 1.0, -1.0), not isinstance(exercise, str)
        found = _priced(_terms(model, snapshot, strike, tau, sign, on_days), exercise, n_steps)
    return Values(found[0], np.zeros_like(tau), found[1])
