"""Local volatility in one dimension: theta scheme on any grid in x = log(spot / scale), exercise by splitting.

    V_t = a(t, x) / 2 (V_xx - V_x) + (r - q) V_x - r V,    t the time to expiry, a the local variance.

Differences of three points on a non-uniform grid; an end is an absorbing barrier of given value, or free: there
V_SS = 0, so V_xx = V_x. Where early exercise pays at one end only, the constrained system of a step is solved exactly
by substitution from that end (Brennan and Schwartz). Elsewhere a multiplier l keeps V >= g (Ikonen and Toivanen):
solve with dt l added, then V = max(V~ - dt l, g), l = max(0, l + (g - V~) / dt). A cash dividend D at the end of a
step is V(S) <- V(S - D).

References
----------
Brennan, Schwartz (1977), "The valuation of American put options", J. Finance 32, 449-462.
Crank, Nicolson (1947); Rannacher (1984), "Finite element solution of diffusion problems with irregular data".
Ikonen, Toivanen (2004), "Operator splitting methods for American option pricing", Applied Mathematics Letters 17.
Tavella, Randall (2000), Pricing Financial Instruments: The Finite Difference Method, chapters 3 and 5.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from research.arrays import Float1D, Float2D, Float3D
from research.core._jit import inlined, parallel
from research.core.math.elementary import exp, log
from research.core.pricing._differences import differences, straight_ends


@inlined
def _differences(x: Float1D, d: Float2D) -> None:
    """As `differences`; at the ends V_xx = V_x, that is V_SS = 0."""
    differences(x, d)
    straight_ends(x, d)
    n = x.size
    for i in range(3, 6):
        d[i, 0], d[i, n - 1] = d[i - 3, 0], d[i - 3, n - 1]


@inlined
def close_system(dt: float, theta: float, edges: Float1D, v: Float1D, push: Float1D, work: Float2D) -> None:
    """From the bands of the operator in work[0 .. 2] those of a step of dt, and its right side in work[3]."""
    n = v.size
    low, mid, up, right = work[0], work[1], work[2], work[3]
    explicit, implicit = (1.0 - theta) * dt, theta * dt
    for j in range(1, n - 1):
        right[j] = v[j] + explicit * (low[j] * v[j - 1] + mid[j] * v[j] + up[j] * v[j + 1]) + dt * push[j]
    right[0] = v[0] + explicit * (mid[0] * v[0] + up[0] * v[1]) + dt * push[0]
    right[n - 1] = v[n - 1] + explicit * (low[n - 1] * v[n - 2] + mid[n - 1] * v[n - 1]) + dt * push[n - 1]
    for j in range(n):
        low[j], mid[j], up[j] = -implicit * low[j], 1.0 - implicit * mid[j], -implicit * up[j]
    if edges[0] > 0.0:
        mid[0], up[0], right[0] = 1.0, 0.0, edges[1]
    if edges[2] > 0.0:
        low[n - 1], mid[n - 1], right[n - 1] = 0.0, 1.0, edges[3]


@inlined
def _system(
    dt: float,
    theta: float,
    r: float,
    carry: float,
    variance: Float1D,
    d: Float2D,
    edges: Float1D,
    v: Float1D,
    push: Float1D,
    work: Float2D,
) -> None:
    """work[0 .. 2] = bands and work[3] = right side of the system for v a step of dt later; push as l above."""
    n = v.size
    low, mid, up = work[0], work[1], work[2]
    for j in range(n):
        half = 0.5 * variance[j]
        low[j] = (carry - half) * d[0, j] + half * d[3, j]
        mid[j] = (carry - half) * d[1, j] + half * d[4, j] - r
        up[j] = (carry - half) * d[2, j] + half * d[5, j]
    close_system(dt, theta, edges, v, push, work)


@inlined
def _from_low(low: Float1D, mid: Float1D, up: Float1D, right: Float1D, floor: Float1D, v: Float1D) -> None:
    """Solve the tridiagonal system with v >= floor, exercise lying at the low end; no exchange of rows."""
    n = v.size
    for j in range(n - 2, -1, -1):
        factor = up[j] / mid[j + 1]
        mid[j] -= factor * low[j + 1]
        right[j] -= factor * right[j + 1]
    v[0] = max(right[0] / mid[0], floor[0])
    for j in range(1, n):
        v[j] = max((right[j] - low[j] * v[j - 1]) / mid[j], floor[j])


@inlined
def _from_high(low: Float1D, mid: Float1D, up: Float1D, right: Float1D, floor: Float1D, v: Float1D) -> None:
    """As `_from_low`, exercise lying at the high end."""
    n = v.size
    for j in range(1, n):
        factor = low[j] / mid[j - 1]
        mid[j] -= factor * up[j - 1]
        right[j] -= factor * right[j - 1]
    v[n - 1] = max(right[n - 1] / mid[n - 1], floor[n - 1])
    for j in range(n - 2, -1, -1):
        v[j] = max((right[j] - up[j] * v[j + 1]) / mid[j], floor[j])


@inlined
def _cubic(x: Float1D, v: Float1D, at: float) -> float:
    """Cubic interpolation through the four nearest points; the end value beyond the grid."""
    n = x.size
    if at <= x[0]:
        return v[0]
    if at >= x[n - 1]:
        return v[n - 1]
    first, last = 0, n - 1
    while last - first > 1:
        middle = (first + last) // 2
        if x[middle] <= at:
            first = middle
        else:
            last = middle
    start = min(max(first - 1, 0), n - 4)
    total = 0.0
    for i in range(start, start + 4):
        weight = v[i]
        for j in range(start, start + 4):
            if j != i:
                weight *= (at - x[j]) / (x[i] - x[j])
        total += weight
    return total


@inlined
def _pay(cash: float, held: float, x: Float1D, v: Float1D, before: Float1D) -> None:
    """v(S) = v(max(S - cash, 0)), cash in units of the scale; below the grid v is a line in S, or `held` (1) flat."""
    for i in range(v.size):  # not before[:] = v, which takes seconds to compile
        before[i] = v[i]
    low = exp(x[0])
    slope = 0.0 if held > 0.0 else (before[1] - before[0]) / (exp(x[1]) - low)
    for j in range(x.size):
        left = exp(x[j]) - cash
        v[j] = _cubic(x, before, log(left)) if left > low else before[0] + slope * (max(left, 0.0) - low)


@parallel
def pde_values(
    x: Float2D,
    dt: Float2D,
    theta: Float1D,
    market: Float2D,
    variance: Float3D,
    cash: Float2D,
    scale: Float1D,
    edges: Float2D,
    exercise: Float2D,
    v: Float2D,
    at: Float1D,
    out: Float1D,
) -> None:
    """out[i] = value at x = at[i] of option i, after all steps from its pay-off v[i], shape (m, n), overwritten.

    x (m, n); dt, cash (m, steps); theta (steps,); market (m, 2 steps): rates, then rate less yield, of each step;
    variance (m, steps, n): a of each step, or (m, 1, n) where it does not change with time;
    edges (m, 5): (1, value) for a barrier at the low end, else (0, .), the same for the high end, and where it pays to
    exercise: -1 at the low end, 1 at the high end, 2 anywhere; exercise (m, n): what it pays, -inf where not allowed.
    """
    for i in prange(out.size):
        n, steps = x.shape[1], theta.size
        d, work = np.empty((6, n)), np.empty((4, n))
        push, never = np.zeros(n), np.full(n, -np.inf)
        _differences(x[i], d)
        value, pays, last = v[i], exercise[i], variance.shape[1] - 1
        for k in range(steps):
            h = dt[i, k]
            local = variance[i, min(k, last)]
            _system(h, theta[k], market[i, k], market[i, steps + k], local, d, edges[i], value, push, work)
            if edges[i, 4] < 0.0:
                _from_low(work[0], work[1], work[2], work[3], pays, value)
            else:
                _from_high(work[0], work[1], work[2], work[3], pays if edges[i, 4] == 1.0 else never, value)
            if edges[i, 4] == 2.0:
                for j in range(n):
                    held = value[j]
                    value[j] = max(held - h * push[j], pays[j])
                    push[j] = max(0.0, push[j] + (pays[j] - held) / h)
            if cash[i, k] > 0.0:
                _pay(cash[i, k] / scale[i], edges[i, 0], x[i], value, work[0])
                for j in range(n):
                    value[j] = max(value[j], pays[j])
        out[i] = _cubic(x[i], value, at[i])
