"""Which schemes can be gone through backwards: one function a scheme, with the numbers it was given as one vector.

A `Reverse` knows the vector of a scheme's numbers (weights of a bridge, rows of steps, a leverage grid) as a function
of the model, and adds up the derivative of what paths pay by each of them. What that means for any parameter of the
model, for a bucket of its term structure, or for a bump of its volatility, is then a product with the derivative of the
vector, which costs no path.

| model | scheme | vector |
|---|---|---|
| BlackScholes, BlackTermStructure, Merton | exact | weights of the Brownian bridge, variance at each time |
| Heston, Bates, LocalStochasticVol | QE-M | rows of steps, kappa, theta, sigma, rho, v0, the leverage |
| LocalVol | transition, Euler | the level of the volatility in each gap; its grid in each step |

Jumps do not depend on the diffusion, and their own parameters are left to bumps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from research.arrays import Float1D, Float2D
from research.core.paths.adjoint import diffusion_adjoint, lognormal_adjoint, transition_adjoint
from research.core.random import brownian
from research.models import BlackScholes, Heston
from research.pricing.paths import heston as qe
from research.pricing.paths import lognormal
from research.pricing.paths.generators import Request, scheme_of
from research.pricing.paths.transition import fits, tables

_LEVEL = 1e-4  # of a volatility: half the step over which tables are differenced


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reverse:
    """A scheme backwards; `back(w, by_x, by_met)` gives (by the vector, by log(S / F) at the start of each path)."""

    vector: Callable[[Any], Float1D]  # of a model, shape (m,)
    back: Callable[[Float2D, Float2D, Float2D], tuple[Float1D, Float1D]]


def _lognormal(model: Any, request: Request) -> Reverse:
    def variance(one: Any) -> Float1D:
        vol = BlackScholes(sigma=one.sigma) if type(one).__name__ == "Merton" else one
        return lognormal.total_variance(vol, request.times, request.origin)

    n = request.times.size
    order, weights = brownian.plan(variance(model), request.bridge)

    def vector(one: Any) -> Float1D:
        total = variance(one)
        return np.concatenate((brownian.plan(total, request.bridge)[1].ravel(), total))

    def back(w: Float2D, by_x: Float2D, by_met: Float2D) -> tuple[Float1D, Float1D]:
        sums, own, start = np.zeros((n, 3)), np.zeros(n), np.empty(w.shape[1])
        lognormal_adjoint(np.ascontiguousarray(w[:n]), order, weights, by_x, by_met, sums, own, start)
        return np.concatenate((sums.ravel(), own)), start

    return Reverse(vector=vector, back=back)


def _qe(model: Any, request: Request) -> Reverse:
    at = request.grid(qe.QE_STEPS)

    def parts(one: Any) -> tuple[Float1D, Float2D, Float2D, float]:
        base = getattr(one, "heston", one)
        if type(base).__name__ == "Bates":
            base = Heston(v0=one.v0, kappa=one.kappa, theta=one.theta, sigma=one.sigma, rho=one.rho)
        return *qe.qe_tables(base, request, at, getattr(one, "leverage", None)), float(base.v0)

    terms, steps, rows, v0 = parts(model)
    n = at.dt.size

    def vector(one: Any) -> Float1D:
        terms, steps, rows, v0 = parts(one)
        return np.concatenate((steps.ravel(), terms[:4], [v0], rows.ravel()))

    def back(w: Float2D, by_x: Float2D, by_met: Float2D) -> tuple[Float1D, Float1D]:
        lanes = w.shape[1]
        start = request.begin(0, lanes, v0)
        sums, levels, first = np.zeros((n + 1, 8)), np.zeros(rows.shape), np.empty((2, lanes))
        own = np.ascontiguousarray(w[: 2 * n])
        diffusion_adjoint(own, terms, steps, rows, start, by_x, by_met, sums, levels, first)
        return np.concatenate((sums.ravel()[: 8 * n + 4], [first[1].sum()], levels.ravel())), first[0]

    return Reverse(vector=vector, back=back)


def _local(model: Any, request: Request) -> Reverse:
    """By the law of each step, or Euler's steps, as `lognormal.local_vol` chooses."""
    few = fits(request.times) and request.steps_per_year is None
    if scheme_of(request, ("transition", "euler") if few else ("euler", "transition")) == "euler":
        return _local_euler(model, request)
    made, up, down = (
        tables(one, request, lognormal.step_variance, layout=model)
        for one in (model, replace(model, vol=model.vol + _LEVEL), replace(model, vol=model.vol - _LEVEL))
    )
    d_moves, d_spread = ((a - b) / (2.0 * _LEVEL) for a, b in ((up.moves, down.moves), (up.spread, down.spread)))

    def back(w: Float2D, by_x: Float2D, by_met: Float2D) -> tuple[Float1D, Float1D]:
        sums, start = np.zeros(made.scale.size), np.empty(w.shape[1])
        transition_adjoint(
            w, made.scale, made.terms, made.moves, made.spread, d_moves, d_spread, by_x, by_met, sums, start
        )
        return sums, start

    def vector(one: Any) -> Float1D:
        """The level in each gap, at the middle of the grid: shifts of the whole grid alone are meant."""
        middle = int(np.abs(np.asarray(one.log_moneyness)).argmin())
        return np.full(made.scale.size, float(np.asarray(one.vol)[0, middle]))

    return Reverse(vector=vector, back=back)


def _local_euler(model: Any, request: Request) -> Reverse:
    at = request.grid(lognormal.LOCAL_STEPS)
    rows, where = lognormal.surface_on(model, at, request.origin)
    steps, terms = np.zeros((at.dt.size, 8)), np.array([0.0, 0.0, 0.0, 0.0, *where])
    steps[:, 0], steps[:, 4], steps[:, 7] = 1.0 / np.sqrt(at.dt), 0.5 * at.dt, at.observed + 1

    def back(w: Float2D, by_x: Float2D, by_met: Float2D) -> tuple[Float1D, Float1D]:
        start, lanes = request.begin(0, w.shape[1], 1.0), w.shape[1]
        sums, levels, first = np.zeros((at.dt.size + 1, 8)), np.zeros(rows.shape), np.empty((2, lanes))
        diffusion_adjoint(w, terms, steps, rows, start, by_x, by_met, sums, levels, first)
        return levels.ravel(), first[0]

    return Reverse(vector=lambda one: lognormal.surface_on(one, at, request.origin)[0].ravel(), back=back)


REVERSE: dict[str, Callable[[Any, Request], Reverse]] = {
    "BlackScholes": _lognormal, "BlackTermStructure": _lognormal, "Merton": _lognormal,
    "Heston": _qe, "Bates": _qe, "LocalStochasticVol": _qe, "LocalVol": _local,
}  # fmt: skip


def reverse(model: Any, request: Request) -> Reverse:
    """The scheme of a model backwards; `adjoint.why_not` has asked whether there is one."""
    return REVERSE[type(model).__name__](model, request)


__all__ = ["REVERSE", "Reverse", "reverse"]
