"""Heston (1993): exponents of the characteristic function, and their derivatives in the five parameters.

    phi(xi) = E[exp(i z X)] = exp(v0 D + kappa theta C),  z = xi - i/2,  X = log(S_T / F)

on complex xi with Re xi >= 0; xi = 0 is the middle of the strip of regularity. With q = xi^2 + 1/4 = z^2 + i z,

    beta = kappa - i rho sigma z,   d = sqrt(beta^2 + sigma^2 q), Re d >= 0,   e = exp(-d T),   E = 1 - e
    N = (d + beta) + (d - beta) e,   D = -q E / N,   C = -q T / (beta + d) - 2 / sigma^2 log(N / 2d)

which is the form without branch crossing (Albrecher et al. 2007, Lord & Kahl 2010), written so that nothing cancels
as sigma or T goes to 0: d - beta = sigma^2 q / (d + beta), N / 2d = 1 - sigma^2 q E / (2 d (d + beta)) goes into log1p,
and d^2 = (kappa - rho sigma / 2)^2 + sigma^2 / 4 - 2 i rho sigma (kappa - rho sigma / 2) xi + (1 - rho^2) sigma^2 xi^2
keeps its digits as abs(rho) goes to 1. The singularities of phi lie on the imaginary axis only, so a contour may be
tilted anywhere in the right half plane.

References
----------
S. L. Heston (1993), RFS 6, 327-343.
H. Albrecher, P. Mayer, W. Schoutens, J. Tistaert (2007), "The little Heston trap", Wilmott.
R. Lord, C. Kahl (2010), "Complex logarithms in Heston-like models", Mathematical Finance 20, 671-694.
Y. Cui, S. del Bano Rollin, G. Germano (2017), "Full and fast calibration of the Heston stochastic volatility model",
EJOR 263, 625-638 (the gradient; derived here from D and C above).
"""

from __future__ import annotations

from research.arrays import Float1D
from research.core._jit import inlined, kernel
from research.core.math.complexes import atan2, csqrt
from research.core.math.elementary import expm1, log1p, sincos

Six = tuple[complex, complex, complex, complex, complex, complex]
_SIGMA_MIN = 1e-30  # sigma = 0 is the limit, reached in floating point long before
_TILT = 0.30933624960962325  # tan(0.3): the tilt of the contour in `research.core.pricing.fourier`
_EARLY = 3000.0
_ANGLE_MAX = 1e8  # beyond it exp(-d T) is zero, and sincos has no digits


@inlined
def inverse(a: complex) -> complex:
    """1 / a, unscaled: the magnitudes here lie well inside the range of float64."""
    scale = 1.0 / (a.real * a.real + a.imag * a.imag)
    return complex(a.real * scale, -a.imag * scale)


@inlined
def one_minus_exp(a: complex) -> complex:
    """1 - exp(-a), without cancellation near 0."""
    m = expm1(-a.real)
    s, c = sincos(max(-_ANGLE_MAX, min(_ANGLE_MAX, 0.5 * a.imag)))  # 1 - cos b = 2 sin^2(b/2)
    return complex(2.0 * s * s - m * (1.0 - 2.0 * s * s), (1.0 + m) * 2.0 * s * c)


@inlined
def log_one_plus(a: complex) -> complex:
    """log(1 + a), principal branch, without cancellation near a = 0."""
    return complex(0.5 * log1p(a.real * (2.0 + a.real) + a.imag * a.imag), atan2(a.imag, 1.0 + a.real))


@inlined
def heston_exponents(xi: complex, tau: float, kappa: float, sigma: float, rho: float) -> Six:
    """D, C, and what their derivatives need: D_beta, C_beta (sigma fixed), D_sigma, C_sigma (beta fixed)."""
    centre = kappa - 0.5 * rho * sigma
    turn = rho * sigma
    q = xi * xi + 0.25
    beta = complex(centre + turn * xi.imag, -turn * xi.real)
    square = (1.0 - rho) * (1.0 + rho) * sigma * sigma * (xi * xi) + complex(
        centre * centre + 0.25 * sigma * sigma + 2.0 * turn * centre * xi.imag, -2.0 * turn * centre * xi.real
    )
    d_re, d_im = csqrt(square.real, square.imag)
    d = complex(d_re, d_im)
    total = d + beta
    over_total, over_d = inverse(total), inverse(d)
    big_e = one_minus_exp(tau * d)
    e = 1.0 - big_e
    ratio = q * over_total  # (d - beta) / sigma^2
    s2 = sigma * sigma
    change = -0.5 * s2 * (ratio * big_e * over_d)
    over_n = 0.5 * over_d * inverse(1.0 + change)
    d_term = -(q * big_e * over_n)
    c_term = -tau * ratio - (2.0 / s2) * log_one_plus(change)
    # derivatives: see the module docstring; dN = dd (1 + e) + dbeta E - (d - beta) T e dd
    te = tau * e
    bend = 2.0 * d * te - big_e * (1.0 + e)
    outer = q * over_n * over_n
    ahead = beta * over_d
    d_beta = outer * (big_e * big_e - ahead * bend)
    c_beta = ratio * over_d * (tau - 2.0 * (total * big_e - beta * d * te) * (over_n * over_d))
    along = q * over_d  # dd / dsigma at fixed beta, over sigma
    d_sigma = -sigma * (along * outer * bend)
    c_sigma = (along * (2.0 * over_d - tau - 2.0 * (1.0 + e - s2 * ratio * te) * over_n) - 2.0 * c_term) * (
        1.0 / sigma
    )  # complex division is rounded otherwise with the JIT off
    return d_term, c_term, d_beta, c_beta, d_sigma, c_sigma


@inlined
def heston_log_cf(xi: complex, tau: float, v0: float, kappa: float, theta: float, sigma: float, rho: float) -> complex:
    """log phi(xi)."""
    terms = heston_exponents(xi, tau, kappa, max(sigma, _SIGMA_MIN), rho)
    return v0 * terms[0] + kappa * theta * terms[1]


@inlined
def heston_log_cf_gradient(
    xi: complex, tau: float, v0: float, kappa: float, theta: float, sigma: float, rho: float
) -> Six:
    """log phi(xi), and its derivatives in v0, kappa, theta, sigma, rho."""
    d_term, c_term, d_beta, c_beta, d_sigma, c_sigma = heston_exponents(xi, tau, kappa, max(sigma, _SIGMA_MIN), rho)
    mean = kappa * theta
    minus_iz = complex(xi.imag - 0.5, -xi.real)
    by_beta = v0 * d_beta + mean * c_beta
    return (
        v0 * d_term + mean * c_term,
        d_term,
        by_beta + theta * c_term,
        kappa * c_term,
        rho * minus_iz * by_beta + v0 * d_sigma + mean * c_sigma,
        sigma * minus_iz * by_beta,
    )


@inlined
def heston_scales(tau: float, v0: float, kappa: float, theta: float, sigma: float, rho: float) -> tuple[float, float]:
    """(w, a): phi(0) = exp(-w/8), Black's at total variance w; far out abs(phi) falls like exp(-a sqrt(1-rho^2) u)."""
    w = -8.0 * heston_log_cf(complex(0.0, 0.0), tau, v0, kappa, theta, sigma, rho).real
    return max(w, 0.0), (v0 + kappa * theta * tau) / max(sigma, _SIGMA_MIN)


@inlined
def heston_shift(tau: float, p: Float1D) -> float:
    """Far out phi(xi) turns like exp(-i shift xi); 0 where it has died as a Gaussian before it gets there."""
    if p.size > 6:
        return p[6]  # given: a second try where abs(rho) is nearly 1
    a = (p[0] + p[1] * p[2] * tau) / max(p[3], _SIGMA_MIN)
    decay = -expm1(-p[1] * tau) / p[1] if p[1] > 0.0 else tau
    w = p[2] * tau + (p[0] - p[2]) * decay  # expected total variance
    thin = (1.0 - p[4]) * (1.0 + p[4])
    tame = _TILT * _TILT * p[4] * p[4] < thin  # the tilted contour decays whichever side it takes
    depth = 2.0 * a * a * (w + p[5] if p.size > 5 else w)  # p[5]: variance of a normal variable beside the model's
    early = depth > _EARLY * w * w  # dead long before abs(rho) = 1 matters, by more than a block of nodes
    return 0.0 if early or depth * (1.0 if tame else thin) > 40.0 * w * w else p[4] * a


@kernel
def heston_log_cfs(
    xi_re: Float1D, xi_im: Float1D, tau: float, v0: float, kappa: float, theta: float, sigma: float, rho: float,
    out_re: Float1D, out_im: Float1D,
) -> None:  # fmt: skip
    """Fill out with log phi(xi). Every array has shape (n,)."""
    for i in range(xi_re.size):
        value = heston_log_cf(complex(xi_re[i], xi_im[i]), tau, v0, kappa, theta, sigma, rho)
        out_re[i], out_im[i] = value.real, value.imag
