"""Laplace transforms of the realised variance V (1/year; jumps with their squares), and E sqrt(V) from them.

    E sqrt(V) = 1 / (2 sqrt(pi)) integral over s > 0 of (1 - E exp(-s V)) s^(-3/2) ds,

in y = log s by the trapezoidal rule, which converges exponentially there. With x = s / T,

| model | log E exp(-s V) |
|---|---|
| Heston | Cox, Ingersoll and Ross: of the integral of the variance |
| Merton, Bates | and lambda T (E exp(-x J^2) - 1), J normal |
| Variance Gamma | -T / nu (g(x a^2) + g(x b^2)), 1/a and 1/b the decay of up and down jumps |

V of Variance Gamma is the sum of squared jumps, whose Levy density is exp(-y / a) / (nu y) upwards, with b downwards:

    g(z) = integral of (1 - exp(-z y^2)) e^-y / y dy,   z g'(z) = 1/2 - sqrt(pi / z) / 4 erfcx(1 / (2 sqrt(z))).

References
----------
Cox, Ingersoll, Ross (1985), Econometrica 53, 385-407. Broadie, Jain (2008), International J. Theoretical and Applied
Finance 11, 761-797. Carr, Geman, Madan, Yor (2005), "Pricing options on realized variance", Finance and Stochastics 9,
453-475 (the transform of squared jumps). Madan, Carr, Chang (1998), European Finance Review 2, 79-105.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import erfcx

from research.arrays import Float1D

_STEP, _REACH = 0.05, 80.0
_START = 1e-4  # g by its series up to there
_SERIES = (1.0, -3.0, 20.0, -210.0, 3024.0, -55440.0)  # (-1)^n (2n + 1)! / (n! (n + 1))
_LAG = tuple((-1.0) ** n / math.factorial(n + 2) for n in range(16))  # of (y - 1 + exp(-y)) / y^2
_BEND = tuple(1.0 / (n + 2.0) for n in range(16))  # of (-log(1 - c) - c) / c^2
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)
_ROUNDING = 1e-13  # relative


def root_mean(log_laplace: Callable[[Float1D], Any], size: float) -> tuple[float, float]:
    """E sqrt(V) and its error; log_laplace of an even grid of log s, `size` about the mean of V."""
    y: Float1D = np.arange(-_REACH, _REACH + _STEP, _STEP)
    terms = -np.expm1(log_laplace(np.exp(y) / size)) * np.exp(-0.5 * y)
    scale = _STEP * np.sqrt(size) / (2.0 * np.sqrt(np.pi))
    fine, coarse = float(scale * terms.sum()), float(2.0 * scale * terms[::2].sum())
    return fine, abs(fine - coarse) + _ROUNDING * fine


def log_laplace_affine(s: Float1D, p: Float1D, tau: float) -> Float1D:
    """log E exp(-s V) under Heston, Merton, Bates; p as in `core.models.levy`."""
    v0, kappa, theta, sigma = p[:4]
    x, square = s / tau, sigma * sigma
    gamma = np.sqrt(kappa**2 + 2.0 * x * square)
    y = gamma * tau
    part = -np.expm1(-y)
    with np.errstate(divide="ignore", invalid="ignore"):
        length = np.where(y > 0.0, part / gamma, tau)
        by_variance = -2.0 * x * length / ((gamma + kappa) * length + 2.0 * (1.0 - part))
        a = np.where(gamma > 0.0, x * length / (kappa + gamma), 0.0)
        late = np.where(gamma > 0.0, x * lag(y) / (gamma * (kappa + gamma)), 0.0)
        bent = _bend(square * a) / square if square > 1e-200 else np.zeros_like(s)
    level = 2.0 * kappa * theta * (bent - late)
    wide = 2.0 * x * p[7] ** 2
    jumps = p[5] * tau * np.expm1(-x * p[6] ** 2 / (1.0 + wide) - 0.5 * np.log1p(wide))
    out: Float1D = np.asarray(level + by_variance * v0 + jumps)
    return out


def lag(y: Float1D) -> Float1D:
    """y - (1 - exp(-y)), without cancellation near 0."""
    near = np.minimum(y, 1.0)
    series = near * near * np.polynomial.polynomial.polyval(near, _LAG)
    out: Float1D = np.where(y < 0.5, series, y + np.expm1(-y))
    return out


def _bend(c: Float1D) -> Float1D:
    """-log(1 - c) - c, without cancellation near 0."""
    near = np.minimum(c, 0.1)
    series = near * near * np.polynomial.polynomial.polyval(near, _BEND)
    out: Float1D = np.where(c < 0.1, series, -np.log1p(-np.minimum(c, 1.0)) - c)
    return out


def log_laplace_gamma(s: Float1D, p: Float1D, tau: float) -> Float1D:
    """log E exp(-s V) under Variance Gamma, p = sigma, nu, theta; s an even grid in its logarithm."""
    sigma, nu, theta = p
    drift, spread = 0.5 * theta * nu, np.hypot(0.5 * theta * nu, sigma * np.sqrt(0.5 * nu))
    small = 0.5 * sigma * sigma * nu / (spread + abs(drift))  # spread - abs(drift), without cancellation
    out: Float1D = -tau / nu * (_g(s / tau * (spread + abs(drift)) ** 2) + _g(s / tau * small**2))
    return out


def _g(z: Float1D) -> Float1D:
    """g on a grid even in log z that begins where its series holds; from there z g' dlog z from node to node."""
    out = np.zeros_like(z)
    first = int(np.searchsorted(z, _START))
    low = z[: first + 1]
    out[: first + 1] = low * np.polynomial.polynomial.polyval(np.minimum(low, 2.0 * _START), _SERIES)
    if z[-1] <= 0.0 or first + 1 >= z.size:
        return out
    logs = np.log(z[first:])
    half = 0.5 * np.diff(logs)
    at = np.exp(logs[:-1, None] + half[:, None] * (1.0 + _NODES))
    slope = 0.5 - 0.25 * np.sqrt(np.pi / at) * erfcx(0.5 / np.sqrt(at))
    out[first + 1 :] = out[first] + np.cumsum(half * (slope @ _WEIGHTS))
    return out
