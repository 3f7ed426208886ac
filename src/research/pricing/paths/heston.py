"""Heston and local-stochastic-volatility paths: QE-M steps, or near-exact ones from observation to observation.

| scheme | a step | bias | draws of a step |
|---|---|---|---|
| "qe" | 1/32 year | below 1e-4 of the forward for common parameters, falls with the step | 2 normals, any sampler |
| "poisson" | to the next observation | the integral's law only, whose mean and variance are exact | 1 normal, 3 laws |

"qe" keeps what quasi-random points need, a smooth map of few normals, and so is the first choice; "poisson" is for few,
far observations and as a check on the other. Broadie and Kaya's exact scheme inverts a characteristic function a step
and Tse and Wan's needs Bessel functions; conditioning on the Poisson number leaves elementary moments only.
With leverage L(t, S) (a model with `heston` and `leverage`, a grid as a local volatility is) only "qe" is defined; a
step takes the leverage that it is expected to meet (`met`), which on a rough one is some times nearer than where it
starts.

References
----------
Andersen (2008), J. Comp. Finance 11(3); Choi, Kwok (2024), EJOR 314.
Glasserman, Kim (2011), Finance and Stochastics 15.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from research.arrays import Float1D, Float2D
from research.core.paths.diffusion import diffusion_paths
from research.core.paths.sampled import HESTON, sampled_paths
from research.errors import require
from research.pricing.paths.generators import GENERATORS, Generator, Grid, Logs, Request, scheme_of
from research.pricing.paths.lognormal import ROUGH, surface_on
from research.pricing.paths.motion import motion

QE_STEPS = 32.0  # a year
LEAST_SIGMA = 0.01  # of the variance, from which on its integral is drawn from its law
_PARTS = 4  # of a step, in which the leverage that it meets is averaged
_LEAST_SIGMA = 1e-4  # of the variance: below, it is taken as this
_LEAST_KAPPA = 1e-8


def qe_steps(model: Any, at: Grid) -> Float2D:
    """The table of core.paths.diffusion, shape (n, 8)."""
    kappa, theta, sigma = max(model.kappa, _LEAST_KAPPA), model.theta, max(model.sigma, _LEAST_SIGMA)
    steps, x = np.empty((at.dt.size, 8)), kappa * at.dt
    decay, fall = np.exp(-x), -np.expm1(-x)
    steps[:, 0], steps[:, 1] = 1.0 / np.sqrt(at.dt), decay
    steps[:, 2], steps[:, 3] = sigma**2 * decay * fall / kappa, 0.5 * theta * sigma**2 * fall**2 / kappa
    steps[:, 4] = np.tanh(0.5 * x) / kappa
    steps[:, 5] = np.maximum(theta * (at.dt - 2.0 * steps[:, 4]), 0.0)
    steps[:, 6], steps[:, 7] = kappa * theta * at.dt, at.observed + 1
    return steps


def met(leverage: Float2D, gap: float, dt: Float1D, variance: Float1D) -> Float2D:
    """The leverage that a step is expected to meet, shape (n, n_x), instead of the one where it starts.

    u = E[integral of L^2 v over the step | x] solves u_t + L^2 v / 2 (u_xx - u_x) + L^2 v = 0 with v at its mean;
    sqrt(u / (v dt)) takes the place of L. All steps at once, in implicit parts.
    """
    a = leverage**2 * np.maximum(variance, 1e-8)[:, None]
    n_x, h = leverage.shape[1], (dt / _PARTS)[:, None]
    low, high = 0.5 * h * a * (1.0 / gap**2 + 0.5 / gap), 0.5 * h * a * (1.0 / gap**2 - 0.5 / gap)
    high = np.maximum(high, 0.0)
    low[:, 0], high[:, 0], low[:, -1], high[:, -1] = 0.0, 0.0, 0.0, 0.0
    u, factor = np.zeros_like(a), np.empty_like(a)
    for _ in range(_PARTS):
        u += h * a
        for j in range(n_x):
            before = factor[:, j - 1] if j else 0.0
            pivot = 1.0 / (1.0 + low[:, j] + high[:, j] - low[:, j] * before)
            factor[:, j] = high[:, j] * pivot
            u[:, j] = (u[:, j] + low[:, j] * (u[:, j - 1] if j else 0.0)) * pivot
        for j in range(n_x - 2, -1, -1):
            u[:, j] += factor[:, j] * u[:, j + 1]
    return np.asarray(np.sqrt(u / (np.maximum(variance, 1e-8) * dt)[:, None]))


def qe_tables(model: Any, request: Request, at: Grid, leverage: Any = None) -> tuple[Float1D, Float2D, Float2D]:
    """(terms, steps, leverage) of core.paths.diffusion."""
    if leverage is None:
        rows, where = np.empty((at.dt.size, 0)), (0.0, 0.0)
    else:
        rows, where = surface_on(leverage, at, request.origin)
        middle = request.origin + at.times - 0.5 * at.dt
        rows = met(rows, 1.0 / where[1], at.dt, model.theta + (model.v0 - model.theta) * np.exp(-model.kappa * middle))
    sigma = max(model.sigma, _LEAST_SIGMA)
    terms = np.array([max(model.kappa, _LEAST_KAPPA), model.theta, sigma, model.rho, *where])
    return terms, qe_steps(model, at), rows


def _qe(model: Any, request: Request, leverage: Any = None) -> Generator:
    at = request.grid(QE_STEPS)
    n, n_times = at.dt.size, request.times.size
    terms, steps, rows = qe_tables(model, request, at, leverage)
    limits = request.log_limits(at)

    def fill(w: Float2D, seed: int, stream: int, first_path: int) -> Logs:
        shape = (n_times, w.shape[1])
        x, v, exposed = np.empty(shape), np.empty(shape), np.empty(shape)
        weight = np.empty(shape if request.limits is not None else (0, 0))
        start = request.begin(first_path, w.shape[1], model.v0)
        diffusion_paths(w, terms, steps, rows, limits, start, x, v, exposed, weight)
        return Logs(x=x, variance=v, exposed=exposed, weight=weight if request.limits is not None else None)

    seen = np.flatnonzero(at.observed >= 0)
    vol = float(np.sqrt(max(float(model.average_variance(request.times[-1])), 1e-8)))
    free = np.sqrt(1.0 - model.rho**2)

    def twin(w: Float2D) -> Float2D:
        motion = free * w[seen] + model.rho * w[n + seen]
        out: Float2D = vol * motion - 0.5 * vol**2 * request.times[:, None]
        return out

    return Generator(
        times=request.times, forward=request.forward, motion=motion([at.times, at.times], request.bridge), fill=fill,
        twin=twin, twin_vol=vol, bias_factor=1.0 if leverage is None else ROUGH,
    )  # fmt: skip


def _series(kappa: float, sigma: float, dt: Float1D) -> tuple[Float1D, Float1D, Float1D, Float1D]:
    """Mean and variance of X1 over v + v', and of X2 over delta / 2: sums over Glasserman and Kim's series.

    With a = kappa dt and s_k = sum over n of (a^2 + 4 pi^2 n^2)^-k, in closed form; for small a by Taylor.
    """
    a = np.maximum(kappa * dt, 1e-12)
    h = 0.5 * a
    big = a > 0.2
    safe = np.where(big, h, 1.0)
    coth, csch2 = 1.0 / np.tanh(safe), 1.0 / np.sinh(np.minimum(safe, 300.0)) ** 2
    s1 = np.where(big, (safe * coth - 1.0) / (8.0 * safe**2), 1.0 / 24.0 - h**2 / 360.0 + h**4 / 3780.0)
    s2 = np.where(
        big,
        (safe * coth + safe**2 * csch2 - 2.0) / (64.0 * safe**4),
        1.0 / 1440.0 - h**2 / 7560.0 + h**4 / 50400.0,
    )
    s3 = np.where(
        big,
        (3.0 * safe * coth + 3.0 * safe**2 * csch2 + 2.0 * safe**3 * coth * csch2 - 8.0) / (1024.0 * safe**6),
        1.0 / 60480.0 - h**2 / 201600.0 + h**4 / 997920.0,
    )
    unit = 2.0 * sigma**2 * dt**2  # 1 / gamma_n = unit / (a^2 + 4 pi^2 n^2)
    # lambda_n = 16 pi^2 n^2 / (sigma^2 dt (a^2 + 4 pi^2 n^2)) = 4 / (sigma^2 dt) (1 - a^2 / (...))
    rate = 4.0 / (sigma**2 * dt)
    mean1 = rate * unit * (s1 - a * a * s2)
    var1 = 2.0 * rate * unit**2 * (s2 - a * a * s3)
    return mean1, var1, unit * s1, unit**2 * s2


def poisson_steps(model: Any, times: Float1D) -> tuple[Float2D, Float1D]:
    """(steps, terms) of core.paths.sampled for Heston."""
    kappa, sigma = max(model.kappa, _LEAST_KAPPA), model.sigma
    dt = np.diff(times, prepend=0.0)
    steps = np.empty((dt.size, 8))
    steps[:, 0] = 1.0 / np.sqrt(dt)
    steps[:, 1] = 2.0 * kappa / (sigma**2 * np.expm1(kappa * dt))
    steps[:, 2] = -0.5 * sigma**2 * np.expm1(-kappa * dt) / kappa
    steps[:, 3], steps[:, 4], steps[:, 5], steps[:, 6] = _series(kappa, sigma, dt)
    steps[:, 7] = kappa * model.theta * dt
    return steps, np.array([kappa, 4.0 * kappa * model.theta / sigma**2, sigma, model.rho])


def _poisson(model: Any, request: Request) -> Generator:
    require(model.sigma >= LEAST_SIGMA, "sigma", model.sigma, f"be >= {LEAST_SIGMA} for scheme='poisson'",
            hint="Take scheme='qe'.")  # fmt: skip
    steps, terms = poisson_steps(model, request.times)
    n_times = request.times.size

    def fill(w: Float2D, seed: int, stream: int, first_path: int) -> Logs:
        shape = (n_times, w.shape[1])
        x, v, exposed = np.empty(shape), np.empty(shape), np.empty(shape)
        start = request.begin(first_path, w.shape[1], model.v0)
        sampled_paths(HESTON, seed, stream, first_path, w, terms, steps, start, x, v, exposed)
        return Logs(x=x, variance=v, exposed=exposed)

    return Generator(
        times=request.times, forward=request.forward, motion=motion([request.times], request.bridge), fill=fill
    )


def heston(model: Any, request: Request) -> Generator:
    """Heston's model."""
    known = ("qe", "poisson") if request.limits is None else ("qe",)
    return _poisson(model, request) if scheme_of(request, known) == "poisson" else _qe(model, request)


def local_stochastic_vol(model: Any, request: Request) -> Generator:
    """Heston's variance times a leverage grid."""
    scheme_of(request, ("qe",))
    return _qe(model.heston, request, model.leverage)


GENERATORS |= {"Heston": heston, "LocalStochasticVol": local_stochastic_vol}
