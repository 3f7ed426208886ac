"""The bivariate normal distribution function, scaled by the exponential of a number.

    exp(a) P(X < h, Y < k),    corr(X, Y) = rho

is the integral of exp(a) phi(x) Phi((k - rho x) / sqrt(1 - rho^2)) over x < h: Gauss-Legendre on panels that are fine
where the second factor steps. The error is relative to exp(a) Phi(h), so a small probability keeps its digits, and any
rho up to +-1 will do. For a <= 30: behind a larger factor the mass may lie where this does not look.

Where neither the limits nor rho are large, one panel does for the derivative in rho (Plackett; Drezner and Wesolowsky):

    P = Phi(h) Phi(k) + int_0^asin(rho) exp(-(h^2 + k^2 - 2 h k sin t) / (2 cos^2 t)) dt / (2 pi).

References
----------
Drezner, Wesolowsky (1990), "On the computation of the bivariate normal integral", J. Statist. Comput. Simul. 35.
Genz (2004), "Numerical computation of rectangular bivariate and trivariate normal and t probabilities", Statistics and
Computing 14, 251-260.
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from research.arrays import Float1D
from research.core._jit import inlined, kernel
from research.core.math.complexes import atan2
from research.core.math.elementary import exp, sin
from research.core.math.normal import norm_cdf

NODES = 24  # of a panel
_FAR = 40.0  # exp(-40): what is left out of the tail, relative
_TOP = 9.5  # beyond it there is nothing
_LOG_ROOT = 0.9189385332046727  # log(2 pi) / 2
_EDGES = 12
_STEPS = np.array([-9.0, -5.0, -2.0, 0.0, 2.0, 5.0, 9.0])  # edges around the step, in its own width
_INF = float("inf")
_NEAR, _LOOSE = 6.0, 0.9  # limits and correlations up to which the angle does
_OVER = 0.15915494309189535  # 1 / (2 pi)


@inlined
def _by_angle(h: float, k: float, angle: float, nodes: Float1D, weights: Float1D, terms: Float1D) -> float:
    """P(X < h, Y < k) at correlation sin(angle)."""
    half, product, square = 0.5 * angle, h * k, 0.5 * (h * h + k * k)
    for n in range(NODES):
        s = sin(half + half * nodes[n])
        terms[n] = weights[n] * exp((s * product - square) / (1.0 - s * s))
    total = 0.0
    for n in range(NODES):
        total += terms[n]
    return norm_cdf(h) * norm_cdf(k) + _OVER * half * total


@inlined
def _edges(h: float, k: float, rho: float, rest: float, steps: Float1D, edges: Float1D) -> None:
    """The ends of the panels, in order."""
    top = min(max(h, -1e100), _TOP)
    peak, rise = min(top, 0.0), max(-top, 0.0)
    bottom = peak - 2.0 * _FAR / (sqrt(rise * rise + 2.0 * _FAR) + rise)
    for j in range(5):
        edges[j] = bottom + (top - bottom) * (0.25 * j)
    edges[4] = top
    step = k / rho if rho != 0.0 else _INF
    step = step if abs(step) < _INF else 0.0
    width = rest / abs(rho) if rho != 0.0 else 1.0
    for j in range(5, _EDGES):
        at = min(max(step + width * steps[j - 5], bottom), top)
        i = j  # insertion keeps the order
        while i > 0 and edges[i - 1] > at:
            edges[i] = edges[i - 1]
            i -= 1
        edges[i] = at


@kernel
def bivariate_cdfs(
    h: Float1D, k: Float1D, rho: Float1D, log_factor: Float1D, nodes: Float1D, weights: Float1D, out: Float1D
) -> None:
    """out[i] = exp(log_factor[i]) P(X < h[i], Y < k[i]); nodes and weights of NODES-point Gauss-Legendre on [-1, 1]."""
    edges, steps, terms = np.empty(_EDGES), _STEPS.copy(), np.empty(NODES)
    for i in range(out.size):
        total, a = 0.0, log_factor[i] - _LOG_ROOT
        if (abs(h[i]) < _NEAR) & (abs(k[i]) < _NEAR) & (abs(rho[i]) < _LOOSE):
            angle = atan2(rho[i], sqrt((1.0 - rho[i]) * (1.0 + rho[i])))
            total = exp(log_factor[i]) * _by_angle(h[i], k[i], angle, nodes, weights, terms)
        elif (h[i] > -_INF) & (k[i] > -_INF):
            slope = rho[i]
            rest = sqrt((1.0 - slope) * (1.0 + slope))
            _edges(h[i], k[i], slope, rest, steps, edges)
            for j in range(_EDGES - 1):
                half = 0.5 * (edges[j + 1] - edges[j])
                if half <= 0.0:
                    continue
                middle = edges[j] + half
                for n in range(NODES):
                    x = middle + half * nodes[n]
                    z = (k[i] - slope * x) / rest
                    z = z if z == z else 0.0
                    terms[n] = half * weights[n] * exp(a - 0.5 * x * x) * norm_cdf(z)
                for n in range(NODES):
                    total += terms[n]
        out[i] = total if (h[i] == h[i]) & (k[i] == k[i]) else h[i] + k[i]
