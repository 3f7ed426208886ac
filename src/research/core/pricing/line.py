"""A price grid in one dimension: theta scheme in S itself, for a diffusion whose size does not hang on the price.

    V_t = h(t) / 2 V_SS + c(t) S V_S - r V,    t the time to expiry, h the variance of S a year, c the carry

Differences of three points on a non-uniform grid in x = S / scale - 1; an end is an absorbing barrier of given value,
or free: there V_SS = 0. Exercise as in `pde`: exact where it pays at one end only, by splitting elsewhere.

References
----------
Brennan, Schwartz (1977), J. Finance 32, 449-462; Ikonen, Toivanen (2004), Applied Mathematics Letters 17.
"""

from __future__ import annotations

import numpy as np

from research.arrays import Float1D, Float2D
from research.core._jit import inlined, kernel
from research.core.pricing._differences import differences
from research.core.pricing.pde import _from_high, _from_low, close_system


@inlined
def _system(
    x: Float1D, dt: float, theta: float, r: float, carry: float, variance: float, d: Float2D, edges: Float1D,
    v: Float1D, push: Float1D, work: Float2D,
) -> None:  # fmt: skip
    """work[0 .. 2] = bands and work[3] = right side of the system for v a step of dt later."""
    n = v.size
    low, mid, up = work[0], work[1], work[2]
    half = 0.5 * variance
    for j in range(n):
        drift = carry * (1.0 + x[j])
        low[j] = drift * d[0, j] + half * d[3, j]
        mid[j] = drift * d[1, j] + half * d[4, j] - r
        up[j] = drift * d[2, j] + half * d[5, j]
    close_system(dt, theta, edges, v, push, work)


@kernel
def line_values(
    x: Float1D, dt: Float1D, theta: Float1D, market: Float1D, variance: Float1D, edges: Float1D, exercise: Float1D,
    v: Float2D,
) -> None:  # fmt: skip
    """Overwrite v, shape (m, n), one row a layer, by its values after all steps back from it.

    x (n,); dt, theta, variance (steps,): of S / scale, each step's mean; market (2 steps,): rates, then carries; edges
    (5,) and exercise (n,): as of `pde_values`.
    """
    n, steps = x.size, dt.size
    d, work = np.empty((6, n)), np.empty((4, n))
    push, never = np.zeros(n), np.full(n, -np.inf)
    differences(x, d)
    for i in range(v.shape[0]):
        value = v[i]
        push[:] = 0.0
        for k in range(steps):
            h = dt[k]
            _system(x, h, theta[k], market[k], market[steps + k], variance[k], d, edges, value, push, work)
            if edges[4] < 0.0:
                _from_low(work[0], work[1], work[2], work[3], exercise, value)
            else:
                _from_high(work[0], work[1], work[2], work[3], exercise if edges[4] == 1.0 else never, value)
            if edges[4] == 2.0:
                for j in range(n):
                    held = value[j]
                    value[j] = max(held - h * push[j], exercise[j])
                    push[j] = max(0.0, push[j] + (exercise[j] - held) / h)
