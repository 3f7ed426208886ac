"""Paths with jumps: compound Poisson on top of a diffusion (Merton, Bates), and Variance Gamma on its clock.

Between two observations the number of jumps is Poisson, by inversion of one normal's probability, and their sum is one
more normal; both are rows of the motion, so Sobol' points reach them too. When in the gap they come is not drawn: what
watches a barrier takes them at its end. Under limits the diffusion is conditioned
before the jump is added, which a knock-out does not allow: paths with jumps take none.

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

from research.arrays import Float2D
from research.core.paths.sampled import GAMMA_CLOCK, sampled_paths
from research.errors import NoEngineError, require
from research.models import BlackScholes, Heston
from research.pricing.paths.generators import GENERATORS, Generator, Logs, Request, scheme_of
from research.pricing.paths.heston import heston
from research.pricing.paths.lognormal import black_scholes
from research.pricing.paths.motion import Motion, motion


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
    )


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
