"""Characteristic functions of log(S_T / F) on the real line: affine jump diffusions and Variance Gamma.

    affine (kind 0): Heston's exponents plus compound Poisson jumps with normal sizes (Merton 1976; Bates 1996),
        lambda tau (exp(i u mu - delta^2 u^2 / 2) - 1 - i u (exp(mu + delta^2 / 2) - 1)),
        p = v0, kappa, theta, sigma, rho, lambda, mu, delta; Merton's model has kappa = sigma = 0;
    Variance Gamma (kind 1): -tau / nu log(1 - i theta nu u + sigma^2 nu u^2 / 2) + i u tau omega,
        omega = log(1 - theta nu - sigma^2 nu / 2) / nu, p = sigma, nu, theta.

Both are martingales: phi(-i) = 1.

References
----------
Merton (1976), J. Financial Economics 3, 125-144; Bates (1996), Review of Financial Studies 9, 69-107;
Madan, Carr, Chang (1998), European Finance Review 2, 79-105.
"""

from __future__ import annotations

from math import sqrt

from research.arrays import Float1D
from research.core._jit import inlined, kernel
from research.core.math.elementary import exp, expm1, log1p, sincos
from research.core.models.heston import heston_log_cf, log_one_plus

AFFINE, VARIANCE_GAMMA = 0, 1
_PHASE_MAX = 1e8


@inlined
def exp_minus_one(a: complex) -> complex:
    """exp(a) - 1, without cancellation near 0."""
    m = expm1(a.real)
    s, _ = sincos(max(-_PHASE_MAX, min(_PHASE_MAX, 0.5 * a.imag)))
    sine, _ = sincos(max(-_PHASE_MAX, min(_PHASE_MAX, a.imag)))
    return complex(m * (1.0 - 2.0 * s * s) - 2.0 * s * s, (1.0 + m) * sine)


@inlined
def levy_log_cf(kind: int, u: float, tau: float, p: Float1D) -> complex:
    """log E exp(i u log(S_T / F)) for real u."""
    if kind == VARIANCE_GAMMA:
        sigma, nu, theta = p[0], p[1], p[2]
        drift = log1p(-theta * nu - 0.5 * sigma * sigma * nu)
        inside = log_one_plus(complex(0.5 * sigma * sigma * nu * u * u, -theta * nu * u))
        scale = tau / nu
        return complex(-scale * inside.real, scale * (u * drift - inside.imag))
    if u == 0.0:
        return complex(0.0, 0.0)
    if p[1] == 0.0 and p[3] == 0.0:  # Merton: the variance stands still
        out = complex(-0.5 * p[0] * tau * u * u, -0.5 * p[0] * tau * u)
    else:
        out = heston_log_cf(complex(u, 0.5), tau, p[0], p[1], p[2], p[3], p[4])
    if p[5] > 0.0:
        jump = exp_minus_one(complex(-0.5 * p[7] * p[7] * u * u, u * p[6]))
        mean = expm1(p[6] + 0.5 * p[7] * p[7])
        rate = p[5] * tau
        out = complex(out.real + rate * jump.real, out.imag + rate * (jump.imag - u * mean))
    return out


@kernel
def levy_log_cfs(kind: int, u: Float1D, tau: float, p: Float1D, out_re: Float1D, out_im: Float1D) -> None:
    """Fill out with log phi(u). Every array but p has shape (n,)."""
    for i in range(u.size):
        value = levy_log_cf(kind, u[i], tau, p)
        out_re[i], out_im[i] = value.real, value.imag


@inlined
def levy_cf(kind: int, u: float, tau: float, p: Float1D) -> tuple[float, float]:
    """(Re, Im) of phi(u)."""
    value = levy_log_cf(kind, u, tau, p)
    s, c = sincos(max(-_PHASE_MAX, min(_PHASE_MAX, value.imag)))
    size = exp(value.real)
    return size * c, size * s


@kernel
def levy_cumulants(kind: int, tau: float, p: Float1D, out: Float1D) -> None:
    """Fill out, shape (3,), with mean, variance and fourth cumulant of log(S_T / F), by central differences.

    The step is a tenth of the inverse standard deviation: good to about 1e-6 relative, enough to choose a range.
    """
    h = 1e-3
    for _ in range(2):
        here = levy_log_cf(kind, h, tau, p)
        variance = max(-2.0 * here.real / (h * h), 1e-30)
        h = 0.1 / sqrt(variance)
    one, two = levy_log_cf(kind, h, tau, p), levy_log_cf(kind, 2.0 * h, tau, p)
    out[0] = (8.0 * one.imag - two.imag) / (6.0 * h)
    out[1] = -(16.0 * one.real - two.real) / (6.0 * h * h)
    out[2] = max((2.0 * two.real - 8.0 * one.real) / (h * h * h * h), 0.0)
