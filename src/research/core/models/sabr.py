"""SABR (Hagan, Kumar, Lesniewski, Woodward 2002): implied lognormal vol by Obloj's leading term, with its gradient.

    vol = I0 (1 + I1 tau),   I0 = alpha (x / B) g(z),   z = nu B / alpha,   g = z / chi(z),
    B = (F^(1-beta) - K^(1-beta)) / (1 - beta),   x = log(F / K),   R = sqrt(1 - 2 rho z + z^2),
    chi(z) = log((R + z - rho) / (1 - rho)),
    I1 = (1-beta)^2 alpha^2 / (24 m^2) + rho beta nu alpha / (4 m) + (2 - 3 rho^2) nu^2 / 24,   m = (F K)^((1-beta)/2)

Hagan's formula (2.17a) differs in I0 only: z and the leading factor use m and a series in x for B; at beta = 1 the two
agree. What does not depend on (alpha, rho, nu) is prepared once a quote: shape = x / B, width = B, middle = m.
Nothing cancels as z goes to 0: R - 1 = z (z - 2 rho) / (R + 1) goes into log1p, in the form that keeps its digits.

References
----------
Hagan, Kumar, Lesniewski, Woodward (2002), "Managing smile risk", Wilmott, September, 84-108.
Obloj (2008), "Fine-tune your smile: correction to Hagan et al.", arXiv:0708.0998, eqs. (6)-(8).
"""

from __future__ import annotations

from math import sqrt

from numba import prange

from research.arrays import Float1D, Float2D
from research.core._jit import inlined, parallel
from research.core.math.elementary import expm1, log, log1p, power

_TINY_Z = 1e-4  # below it dg/dz is taken from its series


@inlined
def sabr_geometry(forward: float, strike: float, beta: float, hagan: float) -> tuple[float, float, float]:
    """(shape, width, middle) of one quote: x / B, B and m; with hagan = 1.0 those of Hagan's series."""
    x = log(forward / strike)
    one = 1.0 - beta
    middle = power(forward, 0.5 * one) * power(strike, 0.5 * one)
    scaled = one * x
    ratio = expm1(scaled) / scaled if scaled != 0.0 else 1.0
    chord = power(strike, one) * ratio  # B / x
    square = scaled * scaled
    series = middle * (1.0 + square / 24.0 + square * square / 1920.0)
    shape = 1.0 / (series if hagan != 0.0 else chord)
    return shape, (middle if hagan != 0.0 else chord) * x, middle


@inlined
def sabr_vol_gradient(
    shape: float, width: float, middle: float, tau: float, alpha: float, beta: float, rho: float, nu: float
) -> tuple[float, float, float, float]:
    """(vol, by alpha, by rho, by nu); abs(rho) < 1, alpha > 0."""
    z = nu * width / alpha
    root = sqrt(max(1.0 - 2.0 * rho * z + z * z, 0.0))
    bend = z * (z - 2.0 * rho) / (root + 1.0)  # root - 1
    up = (z < 0.0) if abs(z) > 1.0 else (rho >= 0.0)
    chi = log1p((bend - z) / (1.0 + rho)) if up else log1p((bend + z) / (1.0 - rho))
    chi = -chi if up else chi
    tiny = abs(z) < _TINY_Z
    safe = chi if chi != 0.0 else 1.0
    g = z / safe if chi != 0.0 else 1.0
    series = -0.5 * rho + z * (2.0 - 3.0 * rho * rho) / 6.0
    g_z = series if tiny else (1.0 - g / max(root, 1e-300)) / safe
    q = 1.0 + rho * z - 2.0 * rho * rho + root
    deep = (root + 1.0) * (root + 1.0) * max(root, 1e-300) * (1.0 - rho) * (1.0 + rho)
    g_rho = -g * g * z * q / deep  # -z chi_rho / chi^2 with chi_rho = z^2 q / deep
    one = 1.0 - beta
    over = 1.0 / middle
    i0 = alpha * shape * g
    i1 = (
        one * one * alpha * alpha * over * over / 24.0
        + 0.25 * rho * beta * nu * alpha * over
        + (2.0 - 3.0 * rho * rho) * nu * nu / 24.0
    )
    grow = 1.0 + i1 * tau
    by_alpha = shape * (g - z * g_z) * grow + i0 * tau * (
        one * one * alpha * over * over / 12.0 + 0.25 * rho * beta * nu * over
    )
    by_rho = alpha * shape * g_rho * grow + i0 * tau * (0.25 * beta * nu * alpha * over - 0.25 * rho * nu * nu)
    by_nu = shape * width * g_z * grow + i0 * tau * (
        0.25 * rho * beta * alpha * over + (2.0 - 3.0 * rho * rho) * nu / 12.0
    )
    return i0 * grow, by_alpha, by_rho, by_nu


@parallel
def sabr_vols(
    forward: Float1D, strike: Float1D, tau: Float1D, alpha: float, beta: float, rho: float, nu: float, hagan: float,
    out: Float2D,
) -> None:  # fmt: skip
    """Fill out[:, i], shape (4, n): lognormal vol of quote i, and its derivatives in alpha, rho, nu."""
    for i in prange(out.shape[1]):
        shape, width, middle = sabr_geometry(forward[i], strike[i], beta, hagan)
        vol, by_alpha, by_rho, by_nu = sabr_vol_gradient(shape, width, middle, tau[i], alpha, beta, rho, nu)
        out[0, i], out[1, i], out[2, i], out[3, i] = vol, by_alpha, by_rho, by_nu
