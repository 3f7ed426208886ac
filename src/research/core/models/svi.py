"""Raw SVI (Gatheral 2004): total variance of one expiry as a hyperbola in k = log(strike / forward).

    w(k) = a + b (rho (k - m) + sqrt((k - m)^2 + sigma^2))

References
----------
Gatheral (2004), "A parsimonious arbitrage-free implied volatility parameterization", Global Derivatives, Madrid.
Gatheral & Jacquier (2014), "Arbitrage-free SVI volatility surfaces", Quantitative Finance 14, 59-71.
"""

from __future__ import annotations

from math import sqrt

from numba import prange

from research.arrays import Float1D, Float2D
from research.core._jit import inlined, kernel, parallel

_SHARES = 128  # of the time between two slices, where a polynomial does not tell


@inlined
def svi_variance(k: float, a: float, b: float, rho: float, m: float, sigma: float) -> tuple[float, float, float]:
    """(w, w', w'') at k."""
    x = k - m
    root = sqrt(x * x + sigma * sigma)
    slope = b * (rho + x / root)
    bend = b * sigma * sigma / (root * root * root)
    return a + b * (rho * x + root), slope, bend


@inlined
def durrleman(k: float, w: float, slope: float, bend: float) -> float:
    """g(k) of eq. (2.1) in Gatheral and Jacquier: the implied density is positive where g > 0."""
    lean = 1.0 - 0.5 * k * slope / w
    return lean * lean - 0.25 * slope * slope * (1.0 / w + 0.25) + 0.5 * bend


@parallel
def svi_curves(k: Float1D, a: float, b: float, rho: float, m: float, sigma: float, out: Float2D) -> None:
    """Fill out[:, i], shape (4, n): w, w', w'' and g at k[i]."""
    for i in prange(k.size):
        w, slope, bend = svi_variance(k[i], a, b, rho, m, sigma)
        out[0, i], out[1, i], out[2, i] = w, slope, bend
        out[3, i] = durrleman(k[i], w, slope, bend)


@inlined
def _bernstein_least(c0: float, c1: float, c2: float, c3: float, c4: float) -> float:
    """The least Bernstein coefficient of c0 + c1 s + ... + c4 s^4 on [0, 1]: the polynomial is nowhere below it."""
    b1, b2 = c0 + 0.25 * c1, c0 + 0.5 * c1 + c2 / 6.0
    b3, b4 = c0 + 0.75 * c1 + 0.5 * c2 + 0.25 * c3, c0 + c1 + c2 + c3 + c4
    return min(min(min(c0, b1), min(b2, b3)), b4)


@kernel
def svi_between(k: Float1D, near: Float1D, far: Float1D, out: Float2D) -> None:
    """Fill out[0] with the least g at k[i] over the times between two slices, out[1] with its share of the way.

    near, far: (a, b, rho, m, sigma). w, w' and w'' are linear in the share s, so that

        g w^2 = (w - k w' / 2)^2 - w'^2 / 4 (w + w^2 / 4) + w'' w^2 / 2

    is a polynomial of degree 4 in s. Where no Bernstein coefficient is below 0 no time in between has g < 0, and out is
    the lower end's; elsewhere g is evaluated at 127 shares inside. Where an end is below 0 out is 0: no news.
    """
    for i in range(k.size):
        w0, p0, q0 = svi_variance(k[i], near[0], near[1], near[2], near[3], near[4])
        w1, p1, q1 = svi_variance(k[i], far[0], far[1], far[2], far[3], far[4])
        w, p, q = w1 - w0, p1 - p0, q1 - q0
        a, b = w0 - 0.5 * k[i] * p0, w - 0.5 * k[i] * p
        w_0, w_1, w_2 = w0 * w0, 2.0 * w0 * w, w * w
        p_0, p_1, p_2 = p0 * p0, 2.0 * p0 * p, p * p
        c0 = a * a - 0.25 * p_0 * (w0 + 0.25 * w_0) + 0.5 * q0 * w_0
        c1 = 2.0 * a * b - 0.25 * (p_1 * w0 + p_0 * w + 0.25 * (p_0 * w_1 + p_1 * w_0)) + 0.5 * (q0 * w_1 + q * w_0)
        c2 = b * b - 0.25 * (p_2 * w0 + p_1 * w + 0.25 * (p_0 * w_2 + p_1 * w_1 + p_2 * w_0))
        c2 += 0.5 * (q0 * w_2 + q * w_1)
        c3 = -0.25 * (p_2 * w + 0.25 * (p_1 * w_2 + p_2 * w_1)) + 0.5 * q * w_2
        c4 = -0.0625 * p_2 * w_2
        here, there = durrleman(k[i], w0, p0, q0), durrleman(k[i], w1, p1, q1)
        out[0, i], out[1, i] = max(min(here, there), 0.0), (0.0 if here <= there else 1.0)
        if min(here, there) >= 0.0 and _bernstein_least(c0, c1, c2, c3, c4) < 0.0:
            for j in range(1, _SHARES):
                s = j / _SHARES
                g = durrleman(k[i], w0 + s * w, p0 + s * p, q0 + s * q)
                if g < out[0, i]:
                    out[0, i], out[1, i] = g, s
