"""Lattice engine: European, American and Bermudan options under Black-Scholes on Leisen and Reimer's tree.

Rates and yields of either sign, also where an American option has two exercise boundaries. A Bermudan's exercise days
go to the nearest step. Early exercise makes the error fall with 1/n, while a European option's falls with its square
(tests/pricing/test_lattice.py measures both). So an American option is extrapolated from trees of n and n/2 steps, and
its stated error comes from the same with half the steps; elsewhere it is twice the distance from a tree of half the
steps, or half that of the half from the quarter. Numbers of steps are odd: between even and odd ones the error jumps.

References
----------
Leisen, Reimer (1996), "Binomial models for option valuation: examining and improving convergence", Applied
Mathematical Finance 3, 319-346.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from research.arrays import Float1D, reshape, vectors
from research.core.pricing.lattice import lattice_values
from research.errors import require, require_all
from research.instruments import American, Bermudan, European
from research.market import Snapshot
from research.models.black_scholes import BlackScholes
from research.pricing._flat import flat_rates
from research.pricing.catalogue import Values

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
    terms = (s, k, t, v, r, q, np.where(call > 0.5, 1.0, -1.0))
    sizes = [n | 1 for n in (n_steps, n_steps // 2)]
    fine, coarse = (_values(terms, exercise, n) for n in sizes)
    lost = np.isnan(fine) | np.isnan(coarse)
    wide = v * np.sqrt(t * n_steps) > 20.0
    hint = "The tree leaves the range of floats: use fewer n_steps." if np.any(lost & wide) else "Use more n_steps."
    require_all(~lost, "vol", v, "move the spot more than the rates do in a step, and not out of sight", hint=hint)
    rough = _values(terms, exercise, sizes[1] // 2 | 1) if sizes[1] > _FEWEST else coarse
    gap = np.maximum(np.abs(fine - coarse), 0.5 * np.nan_to_num(np.abs(coarse - rough)))
    bound = _BOUND if isinstance(exercise, str) else 2.0 * _BOUND  # days that fall between steps
    value, error = fine, bound * gap + _ROUNDING * np.maximum(s, k)
    if exercise == "american" and sizes[1] > _FEWEST:
        value, error = _extrapolated(terms, fine, coarse, rough, sizes)
    if exercise == "american":
        error = error + _unseen_time_value(terms, fine, sizes[0])
    return reshape(value, shape), reshape(error, shape)


def _extrapolated(
    terms: tuple[Float1D, ...], fine: Float1D, coarse: Float1D, rough: Float1D, sizes: list[int]
) -> tuple[Float1D, Float1D]:
    """Without the error of order 1 / n, and what may be left: the same from trees of half the steps, beside it."""
    s, k, sign = terms[0], terms[1], terms[-1]
    small = sizes[1] // 2 | 1
    value = fine + (fine - coarse) * (sizes[1] / (sizes[0] - sizes[1]))
    before = coarse + (coarse - rough) * (small / (sizes[1] - small))
    apart = np.where(np.isfinite(before), np.abs(value - before), np.abs(fine - coarse))
    left = _CAUTION * np.maximum(apart, _CHANCE * np.abs(fine - coarse))
    value = np.maximum(value, sign * (s - k))
    return value, left + _ROUNDING * np.maximum(s, k)


def _unseen_time_value(terms: tuple[Float1D, ...], value: Float1D, n: int) -> Float1D:
    """Where both trees exercise at once they agree, and see no boundary nearer than a node: the time value one away."""
    s, k, t, v, r, q, sign = terms
    out, inside = np.zeros_like(value), sign * (s - k)
    at = np.flatnonzero((inside > 0.0) & (value <= inside * (1.0 + 1e-14)))
    if at.size:
        moved = s[at] * np.exp(-sign[at] * v[at] * np.sqrt(t[at] / n))
        there = _values((moved, *(x[at] for x in (k, t, v, r, q, sign))), "american", n)
        out[at] = np.nan_to_num(there - np.maximum(sign[at] * (moved - k[at]), 0.0))
    return out


def _values(terms: tuple[Float1D, ...], exercise: str | Sequence[Sequence[float]], n: int) -> Float1D:
    """One tree of n steps for each option."""
    tau = terms[2]
    allowed = np.zeros((tau.size, n))
    if exercise == "american":
        allowed[:] = 1.0
    elif exercise != "european":
        require(len(exercise) == tau.size, "exercise", len(exercise), f"hold times for each of {tau.size} options")
        for i, times in enumerate(exercise):
            steps = np.rint(np.asarray(times, dtype=np.float64) / tau[i] * n).astype(np.int64)
            allowed[i, steps[steps < n]] = 1.0
    out = np.empty(tau.size)
    s, k, t, v, r, q, sign = terms
    lattice_values(s, k, t, v, r, q, sign, allowed, out)
    return out


def value(
    items: Sequence[European | American | Bermudan], model: BlackScholes, snapshot: Snapshot, *, n_steps: int = 501
) -> Values:
    """The engine's door for `pricing.price`; needs one zero rate up to expiry."""
    strike = np.array([item.strike for item in items])
    is_call = np.array([item.is_call for item in items])
    exercise: Any = "american" if isinstance(items[0], American) else "european"
    if isinstance(items[0], Bermudan):
        exercise = [item.exercise_times(snapshot.as_of) for item in items]  # type: ignore[union-attr]
        tau = np.array([times[-1] for times in exercise])
    else:
        tau = np.array([item.years(snapshot.as_of) for item in items])  # type: ignore[union-attr]
    found = price_with_error(
        snapshot.spot, strike, tau, model.sigma, rate=flat_rates(snapshot, tau, "lattice"),
        dividend_yield=snapshot.dividend_yield, is_call=is_call, exercise=exercise, n_steps=n_steps,
    )  # fmt: skip
    return Values(found[0], np.zeros_like(tau), found[1])
