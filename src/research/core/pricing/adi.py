"""Heston's equation with a leverage function, by alternating directions, backward for values or forward for densities.

    V_t = L^2 v / 2 (V_xx - V_x) + rho sigma v L V_xv + sigma^2 v / 2 V_vv + (r - q) V_x + kappa (theta - v) V_v - r V
          + l (E V(x + Z, v) - V(x, v))

The last line is Bates' jumps of intensity l and log size Z, whose drift the caller takes off r - q: a matrix from nodes
to nodes, which is part of A0 and so explicit (the first adaptation of In 't Hout and Toivanen; stable for l dt <= 1).

x = log(spot / scale), t the time to expiry, L(t, x) the leverage (1 for Heston). In space A = A0 (mixed, jumps) + A1
(x) + A2 (v), half of -r V in each of A1 and A2; three-point differences on any grid. At the ends of x an absorbing
barrier, or V_SS = 0; at v = 0 no second derivative and a forward difference of three points; at the largest v V_vv = 0.
With the transposed matrix the same march carries the masses of the nodes forward in time, and keeps their sum where r =
0.

The modified Craig-Sneyd scheme (1) with theta = 1/3 and Hundsdorfer and Verwer's (2) with 1/2 + sqrt(3)/6 are those of
In 't Hout and Foulon; (0) is Douglas' with theta = 1, which damps the kinks of a pay-off;
(3) is (2) with theta = 1 - 1 / sqrt(2): in each direction alone it is then L-stable (R = 0 at infinity), and so damps
at order 2 what a look at a barrier breaks anew. Early exercise by a
multiplier l, as in `core.pricing.pde`: a step with dt l added, then V = max(V~ - dt l, g) and
l = max(0, l + (g - V~) / dt); or with l = 0, a projection after each step.

References
----------
In 't Hout, Foulon (2010), "ADI finite difference schemes for option pricing in the Heston model with correlation",
Int. J. Numerical Analysis and Modeling 7, 303-320.
In 't Hout, Welfert (2009), "Unconditional stability of second-order ADI schemes ...", Applied Numerical Mathematics 59.
Ikonen, Toivanen (2004), "Operator splitting methods for American option pricing", Applied Mathematics Letters 17.
Haentjens, In 't Hout (2015), "ADI schemes for pricing American options under the Heston model", Applied Mathematical
Finance 22, 207-237.
In 't Hout, Toivanen (2018), "ADI schemes for valuing European options under the Bates model", Applied Numerical
Mathematics 130, 143-156.
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from research.arrays import Float1D, Float2D, Float3D, Float4D, Int1D, Int2D
from research.core._jit import inlined, kernel
from research.core.pricing._differences import differences, straight_ends

DAMPED, CRAIG_SNEYD, HUNDSDORFER_VERWER, SMOOTHING = 0, 1, 2, 3
_HV = 0.5 + sqrt(3.0) / 6.0
_LEAST = 1.0 - 0.5 * sqrt(2.0)


@inlined
def _transpose(band: Float2D) -> None:
    """The bands of the transposed matrix in the place of those of a tridiagonal one, low, middle, up."""
    n = band.shape[1]
    for j in range(n - 1):
        up = band[2, j]
        band[2, j] = band[0, j + 1]
        band[0, j + 1] = up
    band[0, 0], band[2, n - 1] = 0.0, 0.0


@inlined
def _variance_bands(v: Float1D, dv: Float2D, model: Float1D, rate: float, a2: Float2D, mv: Float2D) -> None:
    """a2[0 .. 2] = bands of A2, a2[3, :2] = its entries (0, 2) and (2, 0); mv = bands of rho sigma v d/dv."""
    n, kappa, theta, sigma, rho = v.size, model[0], model[1], model[2], model[3]
    for j in range(n):
        drift, half = kappa * (theta - v[j]), 0.5 * sigma * sigma * v[j]
        for k in range(3):
            a2[k, j] = drift * dv[k, j] + half * dv[3 + k, j]
            mv[k, j] = rho * sigma * v[j] * dv[k, j] if 0 < j < n - 1 else 0.0
    a, b = v[1] - v[0], v[2] - v[1]
    drift = kappa * (theta - v[0])
    a2[1, 0], a2[2, 0] = -drift * (2.0 * a + b) / (a * (a + b)), drift * (a + b) / (a * b)
    a2[3, 0], a2[3, 1] = -drift * a / (b * (a + b)), 0.0
    for j in range(n):
        a2[1, j] -= 0.5 * rate
    if model[4] > 0.0:
        _transpose(a2)
        _transpose(mv)
        a2[3, 1], a2[3, 0] = a2[3, 0], 0.0


@inlined
def _spot_bands(
    v: Float1D, dx: Float2D, lever: Float1D, market: Float1D, model: Float1D, edges: Float1D, a1: Float3D, mx: Float2D
) -> None:
    """a1[0 .. 2] = bands of A1 at each (x, v); mx = bands of L d/dx."""
    rate, carry = market[0], market[1]
    nx, nv = dx.shape[1], v.size
    for i in range(nx):
        inner = 0 < i < nx - 1
        held = (i == 0 and edges[0] > 0.0) or (i == nx - 1 and edges[2] > 0.0)
        for k in range(3):
            mx[k, i] = sqrt(lever[i]) * dx[k, i] if inner else 0.0
            first, second = (0.0, 0.0) if held else (dx[k, i], dx[3 + k, i])
            if not inner:
                second = first  # V_xx = V_x where V_SS = 0
            if model[4] > 0.0 and not inner:
                first, second = 0.0, 0.0  # no mass leaves
            kill = -0.5 * rate if k == 1 and not held else 0.0
            for j in range(nv):
                half = 0.5 * lever[i] * v[j]
                a1[k, i, j] = (carry - half) * first + half * second + kill
    if model[4] > 0.0:
        _transpose(mx)
        for i in range(nx - 1):
            for j in range(nv):
                up = a1[2, i, j]
                a1[2, i, j] = a1[0, i + 1, j]
                a1[0, i + 1, j] = up
        a1[0, 0, :] = 0.0
        a1[2, nx - 1, :] = 0.0


@inlined
def _factor(h: float, a1: Float3D, a2: Float2D, f1: Float3D, f2: Float2D) -> None:
    """1 - h A1 upwards: f1[0] = low, f1[1] = 1 / pivot, f1[2] = up / pivot; 1 - h A2 downwards in f2."""
    nx, nv = a1.shape[1], a1.shape[2]
    for i in range(nx):
        for j in range(nv):
            low = -h * a1[0, i, j]
            carried = f1[2, i - 1, j] if i > 0 else 0.0
            pivot = 1.0 / (1.0 - h * a1[1, i, j] - low * carried)
            f1[0, i, j], f1[1, i, j], f1[2, i, j] = low, pivot, -h * a1[2, i, j] * pivot
    # f2[0] = low, f2[1] = 1 / pivot, f2[2] = multiple of the row above that is taken off; f2[3, :2] for the two corners
    f2[3, 0], f2[3, 1] = 0.0, -h * a2[3, 1]
    for j in range(nv):
        f2[0, j] = -h * a2[0, j]
    f2[1, nv - 1], f2[2, nv - 1] = 1.0 / (1.0 - h * a2[1, nv - 1]), 0.0
    for j in range(nv - 2, -1, -1):
        up = -h * a2[2, j]
        if j == 0:
            f2[3, 0] = -h * a2[3, 0] * f2[1, 2]
            up -= f2[3, 0] * f2[0, 2]
        f2[2, j] = up * f2[1, j + 1]
        if j == 1:
            f2[0, 1] -= f2[2, 1] * f2[3, 1]
        f2[1, j] = 1.0 / (1.0 - h * a2[1, j] - f2[2, j] * f2[0, j + 1])


@inlined
def _apply(a1: Float3D, a2: Float2D, mx: Float2D, mv: Float2D, u: Float2D, t: Float2D, out: Float3D) -> None:
    """out[k] = Ak u for k = 0, 1, 2; t is scratch."""
    nx, nv = u.shape
    for i in range(nx):
        t[i, 0] = mv[1, 0] * u[i, 0] + mv[2, 0] * u[i, 1]
        out[2, i, 0] = a2[1, 0] * u[i, 0] + a2[2, 0] * u[i, 1] + a2[3, 0] * u[i, 2]
        for j in range(1, nv - 1):
            t[i, j] = mv[0, j] * u[i, j - 1] + mv[1, j] * u[i, j] + mv[2, j] * u[i, j + 1]
            out[2, i, j] = a2[0, j] * u[i, j - 1] + a2[1, j] * u[i, j] + a2[2, j] * u[i, j + 1]
        out[2, i, 2] += a2[3, 1] * u[i, 0]
        t[i, nv - 1] = mv[0, nv - 1] * u[i, nv - 2] + mv[1, nv - 1] * u[i, nv - 1]
        out[2, i, nv - 1] = a2[0, nv - 1] * u[i, nv - 2] + a2[1, nv - 1] * u[i, nv - 1]
    for i in range(nx):
        before, after = max(i - 1, 0), min(i + 1, nx - 1)  # the bands are 0 where there is no neighbour
        for j in range(nv):
            out[0, i, j] = mx[0, i] * t[before, j] + mx[1, i] * t[i, j] + mx[2, i] * t[after, j]
            out[1, i, j] = a1[0, i, j] * u[before, j] + a1[1, i, j] * u[i, j] + a1[2, i, j] * u[after, j]


@inlined
def _spans(jump: Float2D, span: Int2D) -> None:
    """span[0, i], span[1, i] = the first column of row i that is not 0, and the one after the last."""
    for i in range(jump.shape[0]):
        first, last = jump.shape[1], 0
        for j in range(jump.shape[1]):
            if jump[i, j] != 0.0:
                first, last = min(first, j), j + 1
        span[0, i], span[1, i] = first, last


@inlined
def _leap(jump: Float2D, span: Int2D, u: Float2D, out: Float2D) -> None:
    """out += jump u, four rows of u at a time."""
    nv = u.shape[1]
    for i in range(jump.shape[0]):
        j = span[0, i]
        while j + 4 <= span[1, i]:
            a, b, c, d = jump[i, j], jump[i, j + 1], jump[i, j + 2], jump[i, j + 3]
            for k in range(nv):
                out[i, k] += (a * u[j, k] + b * u[j + 1, k]) + (c * u[j + 2, k] + d * u[j + 3, k])
            j += 4
        while j < span[1, i]:
            a = jump[i, j]
            for k in range(nv):
                out[i, k] += a * u[j, k]
            j += 1


@inlined
def _hold(edges: Float1D, w: Float2D) -> None:
    """Barriers keep their values."""
    if edges[0] > 0.0:
        w[0, :] = edges[1]
    if edges[2] > 0.0:
        w[w.shape[0] - 1, :] = edges[3]


@inlined
def _solve(f1: Float3D, f2: Float2D, h: float, known: Float3D, edges: Float1D, w: Float2D) -> None:
    """(1 - h A1) y = w - h A1 known, then (1 - h A2) w = y - h A2 known; known[1 .. 2] are the two products."""
    nx, nv = w.shape
    _hold(edges, w)
    for i in range(nx):
        before = max(i - 1, 0)
        for j in range(nv):
            w[i, j] -= h * known[1, i, j] + (f1[0, i, j] * w[before, j] if i > 0 else 0.0)
            w[i, j] *= f1[1, i, j]
    for i in range(nx - 2, -1, -1):
        for j in range(nv):
            w[i, j] -= f1[2, i, j] * w[i + 1, j]
    for i in range(nx):
        for j in range(nv):
            w[i, j] -= h * known[2, i, j]
    for j in range(nv - 2, -1, -1):
        for i in range(nx):
            w[i, j] -= f2[2, j] * w[i, j + 1]
    for i in range(nx):
        w[i, 0] = (w[i, 0] - f2[3, 0] * w[i, 2]) * f2[1, 0]
        w[i, 1] = (w[i, 1] - f2[0, 1] * w[i, 0]) * f2[1, 1]
        w[i, 2] = (w[i, 2] - f2[0, 2] * w[i, 1] - f2[3, 1] * w[i, 0]) * f2[1, 2]
    for j in range(3, nv):
        for i in range(nx):
            w[i, j] = (w[i, j] - f2[0, j] * w[i, j - 1]) * f2[1, j]
    _hold(edges, w)


@inlined
def _copy(source: Float2D, out: Float2D) -> None:
    """out = source; out[:, :] = source takes seconds more to compile."""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = source[i, j]


@inlined
def _combine(h: float, mixed: float, rest: float, p: Float4D, push: Float2D, u: Float2D, base: Float2D) -> None:
    """base = Y0, u and its whole change; or, where rest > 0, base plus the corrections of the second stage."""
    for i in range(u.shape[0]):
        for j in range(u.shape[1]):
            before = p[0, 1, i, j] + p[0, 2, i, j]
            if rest > 0.0:
                first = p[1, 0, i, j] - p[0, 0, i, j]
                after = p[1, 1, i, j] + p[1, 2, i, j]
                base[i, j] += h * (mixed * first + rest * (first + after - before))
            else:
                base[i, j] = u[i, j] + h * (p[0, 0, i, j] + before + push[i, j])


@inlined
def _exercise(h: float, split: float, pays: Float1D, u: Float2D, push: Float2D) -> None:
    """Keep u >= pays and let the multiplier follow where split is 1."""
    for i in range(u.shape[0]):
        for j in range(u.shape[1]):
            held = u[i, j]
            u[i, j] = max(held - h * push[i, j], pays[i])
            push[i, j] = split * max(0.0, push[i, j] + (pays[i] - held) / h)


@kernel
def adi_march(
    x: Float1D,
    v: Float1D,
    dt: Float1D,
    scheme: Int1D,
    market: Float1D,
    leverage: Float2D,
    model: Float1D,
    exercise: Float1D,
    edges: Float1D,
    jump: Float2D,
    push: Float2D,
    u: Float2D,
) -> None:
    """u, shape (nx, nv), after all steps, overwritten; so is the multiplier push, 0 at the start.

    x (nx,); v (nv,), from 0; dt, scheme (steps,): 0 to 3; market (2 steps,): rates, then rate less yield; leverage
    (steps or 1, nx): L^2; model: kappa, theta, sigma, rho, and 1 to march masses forward; exercise (nx,): what it pays;
    edges: (1, value) for a barrier at the low end, the same for the high end; 1 for early exercise by the
    multiplier, 2 by projection; jump (nx, nx), or (0, 0) without: from values to l (E V(x + Z) - V(x)).
    """
    nx, nv, steps = x.size, v.size, dt.size
    dx, dv = np.empty((6, nx)), np.empty((6, nv))
    a1, a2, mx, mv = np.empty((3, nx, nv)), np.empty((4, nv)), np.empty((3, nx)), np.empty((3, nv))
    f1, f2, part = np.empty((3, nx, nv)), np.empty((4, nv)), np.empty((2, 3, nx, nv))
    y, base, scratch = np.empty((nx, nv)), np.empty((nx, nv)), np.empty((nx, nv))
    for which in range(2):
        differences(x if which == 0 else v, dx if which == 0 else dv)
    straight_ends(x, dx)
    now, ahead, span = np.empty(2), -1.0, np.empty((2, jump.shape[0]), np.int64)
    _spans(jump, span)
    for k in range(steps):
        h, kind = dt[k], scheme[k]
        theta = 1.0 if kind == DAMPED else (1.0 / 3.0 if kind == CRAIG_SNEYD else _HV)
        if kind == SMOOTHING:
            theta = _LEAST
        fresh = k == 0 or leverage.shape[0] > 1 or market[k] != now[0] or market[steps + k] != now[1]
        if fresh:
            now[0], now[1] = market[k], market[steps + k]
            _variance_bands(v, dv, model, now[0], a2, mv)
            _spot_bands(v, dx, leverage[min(k, leverage.shape[0] - 1)], now, model, edges, a1, mx)
        if fresh or theta * h != ahead:
            ahead = theta * h
            _factor(ahead, a1, a2, f1, f2)
        for stage in range(1 if kind == DAMPED else 2):
            known = u if stage == 0 else y
            _apply(a1, a2, mx, mv, known, scratch, part[stage])
            _leap(jump, span, known, part[stage, 0])
            mixed, rest = (theta, 0.5 - theta) if kind == CRAIG_SNEYD else (0.0, 0.5)
            _combine(h, mixed, 0.0 if stage == 0 else rest, part, push, u, base)
            _copy(base, y)
            _solve(f1, f2, ahead, part[1 if stage == 1 and kind >= HUNDSDORFER_VERWER else 0], edges, y)
        _copy(y, u)
        if edges[4] != 0.0:
            _exercise(h, 1.0 if edges[4] == 1.0 else 0.0, exercise, u, push)
