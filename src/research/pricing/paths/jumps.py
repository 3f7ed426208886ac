"""Paths with jumps: compound Poisson on top of a diffusion (Merton, Bates), and Variance Gamma on its clock.

Between two observations the number of jumps is Poisson, by inversion of one normal's probability, and their sum is one
more normal; both are rows of the motion, so Sobol' points reach them too. When in the gap they come is not drawn: what
watches a barrier takes them at its end. Under limits the diffusion is conditioned
before the jump is added, which a knock-out does not allow: paths with jumps take none.

Where a life holds a jump with a probability below 10%, paths come in two strata, without any jump and with at least one
(the numbers of the gaps given that their sum is not 0): so a jump is met however rare it is. A gap that hardly any path
jumps in may still matter more than others (a strike that is set at its end): `Generator.seldom` shows those.

References
----------
Glasserman (2004), Monte Carlo Methods in Financial Engineering, section 3.5.
Madan, Carr, Chang (1998), European Finance Review 2, 79-105.
"""

from __future__ import annotations

from dataclasses import replace
from math import exp
from typing import Any

import numpy as np
from scipy import special, stats

from research.arrays import Float1D, Float2D
from research.core.paths.sampled import GAMMA_CLOCK, sampled_paths
from research.errors import NoEngineError, require
from research.models import BlackScholes, Heston
from research.pricing.paths.generators import GENERATORS, Generator, Logs, Request, Seldom, Turn, scheme_of
from research.pricing.paths.heston import heston
from research.pricing.paths.lognormal import black_scholes
from research.pricing.paths.motion import Motion, motion

_RARE = 0.1  # chance of a jump below which paths come in strata
_GAPS = 32  # of which a jump is looked at beside the run


def _appended(first: Motion, n_plain: int) -> Motion:
    """The same rows and n_plain standard normals after them, drawn in between as evenly as it goes."""
    n = first.n_rows
    plain = motion([], False, n_plain)
    order = np.concatenate((first.order, np.where(plain.order > 0, plain.order + n, 0)))
    weights = np.concatenate((first.weights, plain.weights))
    rank = np.concatenate(((np.arange(n) + 0.5) / n, (np.arange(n_plain) + 0.5) / n_plain))
    by = np.argsort(rank, kind="stable")
    return Motion(order=np.ascontiguousarray(order[by]), weights=np.ascontiguousarray(weights[by]), clock=first.clock)


def with_jumps(model: Any, request: Request, diffusion: Generator) -> Generator:
    """A diffusion's paths times compound Poisson jumps, kept a martingale."""
    if request.limits is not None:
        raise NoEngineError("Paths with jumps cannot be kept within limits. Leave out survival=True.")
    n, base = request.times.size, diffusion.motion.n_rows
    gaps = np.diff(request.times, prepend=0.0)
    compensator = model.intensity * (exp(model.jump_mean + 0.5 * model.jump_std**2) - 1.0)
    tables = []
    for mean in model.intensity * gaps:
        most = int(mean + 12.0 * np.sqrt(mean)) + 30  # more jumps have a probability below 1e-17
        tables.append(stats.poisson.cdf(np.arange(most), mean))

    def fill(w: Float2D, seed: int, stream: int, first_path: int) -> Logs:
        logs = diffusion.fill(w[:base], seed, stream, first_path)
        uniform, z = special.ndtr(w[base : base + n]), w[base + n :]
        x, total, jumps = np.array(logs.x), np.zeros(w.shape[1]), np.empty((n, w.shape[1]))
        for k in range(n):
            number = np.searchsorted(tables[k], uniform[k]).astype(np.float64)
            jumps[k] = number * model.jump_mean + np.sqrt(number) * model.jump_std * z[k]
            total += jumps[k] - compensator * gaps[k]
            x[k] += total
        return Logs(x=x, variance=logs.variance, exposed=logs.exposed, jump=jumps)

    twin = diffusion.twin
    return replace(
        diffusion,
        motion=_appended(diffusion.motion, 2 * n),
        fill=fill,
        twin=None if twin is None else lambda w: twin(w[:base]),
        strata=_strata(model.intensity * gaps, base),
        seldom=_seldom(model.intensity * gaps, base),
    )


def _strata(means: Float1D, base: int) -> tuple[tuple[float, Turn], ...]:
    """No jump at all, and at least one, where the latter is rare; `means` the jumps expected in each gap."""
    left = np.append(np.cumsum(means[::-1])[::-1], 0.0)  # expected from each gap on
    some = -np.expm1(-left)
    if not 0.0 < some[0] < _RARE:
        return ()
    none = np.exp(-means)  # in the gap
    late = np.divide(
        none * some[1:], some[:-1], out=np.zeros_like(none), where=some[:-1] > 0.0
    )  # the first comes later

    def without(w: Float2D) -> Float2D:
        out = w.copy()
        out[base : base + means.size] = -np.inf
        return out

    def jumping(w: Float2D) -> Float2D:
        out, waits = w.copy(), np.ones(w.shape[1], dtype=bool)
        for k in range(means.size):
            u = special.ndtr(w[base + k])
            later = u < late[k]
            with np.errstate(divide="ignore", invalid="ignore"):
                zero = u / late[k] * none[k]
                more = -special.ndtri(np.minimum((1.0 - u) / (1.0 - late[k]), 1.0) * -np.expm1(-means[k]))
                given = np.where(later, special.ndtri(zero), more)
            out[base + k] = np.where(waits, given, w[base + k])
            waits &= later
        return out

    return (1.0 - float(some[0]), without), (float(some[0]), jumping)


def _seldom(means: Float1D, base: int) -> tuple[Seldom, ...]:
    """One jump in a gap, for the gaps of which the fewest paths know."""
    some = float(-np.expm1(-means.sum()))

    def turned(row: int, z: float) -> Turn:
        def turn(w: Float2D) -> Float2D:
            out = w.copy()
            out[base : base + means.size] = -np.inf
            out[row] = z
            return out

        return turn

    out = []
    for k in np.sort(np.argsort(means, kind="stable")[:_GAPS]):
        chance = float(-np.expm1(-means[k]))
        if chance > 0.0:
            once = float(-special.ndtri(chance - 0.5 * means[k] * np.exp(-means[k])))
            row = base + int(k)
            out.append(Seldom(chance=chance, share=some if some < _RARE else 1.0,
                              met=turned(row, once), missed=turned(row, -np.inf)))  # fmt: skip
    return tuple(out)


def merton(model: Any, request: Request) -> Generator:
    """One volatility and jumps."""
    return with_jumps(model, request, black_scholes(BlackScholes(sigma=model.sigma), request))


def bates(model: Any, request: Request) -> Generator:
    """Heston and jumps."""
    inner = Heston(v0=model.v0, kappa=model.kappa, theta=model.theta, sigma=model.sigma, rho=model.rho)
    return with_jumps(model, request, heston(inner, request))


def variance_gamma(model: Any, request: Request) -> Generator:
    """Brownian motion with drift on a gamma clock."""
    scheme_of(request, ("exact",))
    require(request.limits is None, "limits", "some", "be None for VarianceGamma")
    times, n_times = request.times, request.times.size
    gaps = np.diff(times, prepend=0.0)
    omega = float(np.log1p(-model.theta * model.nu - 0.5 * model.sigma**2 * model.nu) / model.nu)
    steps = np.zeros((n_times, 8))
    steps[:, 0], steps[:, 1], steps[:, 2], steps[:, 3] = 1.0 / np.sqrt(gaps), gaps / model.nu, model.nu, omega * gaps
    terms = np.array([model.theta, 0.0, model.sigma, 0.0])

    def fill(w: Float2D, seed: int, stream: int, first_path: int) -> Logs:
        shape = (n_times, w.shape[1])
        x, v, exposed = np.empty(shape), np.empty(shape), np.empty(shape)
        start = request.begin(first_path, w.shape[1], 0.0)
        sampled_paths(GAMMA_CLOCK, seed, stream, first_path, w, terms, steps, start, x, v, exposed)
        return Logs(x=x, clock=exposed)  # a path of jumps: nothing is known between two observations

    return Generator(times=times, forward=request.forward, motion=motion([times], request.bridge), fill=fill)


GENERATORS |= {"Merton": merton, "Bates": bates, "VarianceGamma": variance_gamma}
