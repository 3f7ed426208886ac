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
from research.core._jit import inlined, parallel


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
