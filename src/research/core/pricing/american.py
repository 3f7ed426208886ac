"""American puts under Black-Scholes by spectral collocation of the exercise boundary.

The boundary B(tau) of a put of strike 1, rate r and yield q, is written as ln B = ln X - sqrt(H(sqrt tau)), where
X = min(1, r/q) and H is a polynomial through Chebyshev points in sqrt(tau) that vanishes at 0 (Andersen, Lake,
Offengenden). Smooth pasting at each point, with s the time since then and B' = B(tau - s),

    e^(-q tau) Phi(d+(tau, B)) + q int e^(-q s) Phi(d+(s, B/B')) ds
        = int e^(-r s) phi(d-(s, B/B')) (r/B - q B'/B) / (sigma sqrt s) ds,

is an equation of the second kind (their system A, where both sides carry a further term that is equal). The
substitution s = tau sin(theta)^2 makes sqrt(s) and sqrt(tau - s) smooth in theta, and sqrt(tau - s) is a node times
cos(theta): the interpolation matrix is the same for every option. Newton's method solves all points at once; its
Jacobian costs no further exponential, because e^(-q s) phi(d+) B = e^(-r s) phi(d-) B'.

Newton starts from the boundary's law near expiry (Evans, Kuske, Keller), or from the solution on half as many points:
every other point is shared, and the polynomial in between is replaced near expiry by H / tau as a line in ln tau, which
is nearly so and which a polynomial is not. That halves the number of steps.

Arrays over quadrature node k and collocation node i are flat, at k n + i: the vector lanes are the nodes i.

References
----------
Andersen, Lake, Offengenden (2016), "High-performance American option pricing", J. Computational Finance 20, 39-87.
Bjerksund, Stensland (1993), "Closed-form approximation of American options" (the starting boundary).
Evans, Kuske, Keller (2002), "American options on assets with dividends near expiry", Mathematical Finance 12, 219-237.
Kim (1990), "The analytic valuation of American options", Rev. Financial Studies 3 (the integral for the premium).
"""

from __future__ import annotations

from math import sqrt

import numpy as np
from numba import prange

from research.arrays import Float1D, Float2D, Int1D
from research.core._jit import inlined, kernel, parallel
from research.core.math.elementary import cos, exp, log, sin
from research.core.math.normal import mills, norm_cdf
from research.core.models.black import black_time_value

_PI = 3.141592653589793
_PHI0 = 0.3989422804014327
_ROOT_PI = 1.772453850905516
_MAX_STEPS = 40


@inlined
def _basis(x: float, n: int, row: Float1D) -> None:
    """row[j - 1] = Lagrange polynomial j = 1 .. n at x, on the n + 1 Chebyshev points (1 - cos(pi j / n)) / 2."""
    total = 0.0
    hit = 0
    for j in range(n + 1):
        distance = x - 0.5 * (1.0 - cos(_PI * j / n))
        if distance == 0.0:
            hit, distance = j + 1, 1.0
        weight = (1.0 if j % 2 == 0 else -1.0) * (0.5 if j == 0 or j == n else 1.0) / distance
        total += weight
        if j > 0:
            row[j - 1] = weight
    for j in range(1, n + 1):
        row[j - 1] = row[j - 1] / total if hit == 0 else (1.0 if hit == j + 1 else 0.0)


@kernel
def collocation_tables(gauss: Float1D, gauss_weight: Float1D, nodes: Float1D, points: Float2D, inner: Float2D) -> None:
    """Fill what all options share, from Gauss-Legendre on (-1, 1), shape (l,), and nodes in (0, 1], shape (n,).

    points (3, l n): node times sine, twice weight times cosine times node, twice weight times cotangent, for theta on
    (0, pi/2); inner (degree, l n): the basis polynomials at node times cosine.
    """
    n = nodes.size
    row = np.empty(inner.shape[0])
    for k in range(gauss.size):
        theta = 0.25 * _PI * (1.0 + gauss[k])
        sine, cosine, weight = sin(theta), cos(theta), 0.5 * _PI * gauss_weight[k]
        for i in range(n):
            m = k * n + i
            points[0, m], points[1, m] = nodes[i] * sine, weight * cosine * nodes[i]
            points[2, m] = weight * cosine / sine
            _basis(nodes[i] * cosine, row.size, row)
            for j in range(row.size):
                inner[j, m] = row[j]


@inlined
def _limit(r: float, q: float) -> float:
    """ln X: the boundary just before expiry."""
    return log(r / q) if q > r else 0.0


@inlined
def _near_expiry(r: float, q: float, variance: float, t: float) -> float:
    """H a short time t^2 before expiry, by its law; 0 where the law does not hold."""
    unit = variance * t * t
    if q > r:
        return 0.408 * unit
    first, second = variance / (8.0 * _PI * t * t * (r - q) * (r - q)), 1.0 / (4.0 * _ROOT_PI * q * t * t)
    if first < 4.5:
        return 0.0
    out = unit * log(min(first, 1e300))
    if (second > 1.65) & (second < 1e300):  # the law where rate and yield are equal holds where it is the smaller
        out = min(out, 2.0 * unit * log(second))
    return out if (first < 1e300) | (second > 1.65) else 0.0


@inlined
def _start(r: float, q: float, sigma: float, root: float, nodes: Float1D, h: Float1D) -> None:
    """H by its law near expiry, else of Bjerksund and Stensland's flat boundary seen as a function of time."""
    top = _limit(r, q)
    x = exp(top)
    variance = sigma * sigma
    half = 0.5 - (r - q) / variance
    reach = sqrt(half * half + 2.0 * r / variance)
    beta = half - reach if half < 0.0 else -2.0 * r / (variance * (half + reach))
    forever = beta / (beta - 1.0)  # the boundary of an option that never expires
    deepest = log(forever) - top
    for i in range(h.size):
        t = root * nodes[i]
        h[i] = _near_expiry(r, q, variance, t)
        if h[i] == 0.0:
            decay = exp(-(abs(r - q) * t * t + 2.0 * sigma * t) * x / (x - forever))
            b = log((forever + (x - forever) * decay) / x)
            h[i] = b * b
        h[i] = min(h[i], 0.9 * deepest * deepest)


@inlined
def _lifted(coarse: Float1D, lift: Float2D, nodes: Float1D, h: Float1D) -> bool:
    """H from its values on half as many points; is it positive everywhere?"""
    n = h.size
    h[:] = 0.0
    for j in range(lift.shape[0]):
        for i in range(n):
            h[i] += lift[j, i] * coarse[j]
    early, late = h[1] / (nodes[1] * nodes[1]), h[2] / (nodes[2] * nodes[2])
    along = log(nodes[1] / nodes[0]) / log(nodes[2] / nodes[1])
    h[0] = nodes[0] * nodes[0] * (early + (early - late) * along)
    good = True
    for i in range(n):
        good = good and h[i] > 0.0
    return good


@inlined
def _interpolate(table: Float2D, h: Float1D, out: Float1D) -> None:
    """out[m] = the square root of the polynomial h at point m; 0 where it dips below 0."""
    out[:] = 0.0
    for j in range(h.size):
        for m in range(out.size):
            out[m] += table[j, m] * h[j]
    for m in range(out.size):
        out[m] = sqrt(max(out[m], 0.0))


@inlined
def _integrands(r: float, q: float, sigma: float, root: float, points: Float2D, depth: Float1D, work: Float2D) -> None:
    """From depth (of B') and work[0] = depth of B, work[1] = 1/B, at each point: the integrands of `_terms` in work."""
    drift = (r - q) / sigma - 0.5 * sigma
    over, scale = 1.0 / (sigma * root), _PHI0 / sigma
    own_depth, gain, rise, turn, alive = work[0], work[1], work[2], work[3], work[4]
    for m in range(depth.size):
        z = root * points[0, m]
        ahead = depth[m] - own_depth[m]  # ln(B / B')
        d = ahead * over / points[0, m] + drift * z
        density = exp(-0.5 * d * d - r * z * z)
        paid = r * gain[m]
        value = points[1, m] * root * scale * density
        rise[m] = value * paid
        if q != 0.0:
            other = exp(-ahead)
            tail = other * density * mills(abs(d + sigma * z))  # e^(-qs) phi(d+) B = e^(-rs) phi(d-) B'
            alive[m] = q * points[1, m] * root * z * (exp(-q * z * z) - tail if d + sigma * z > 0.0 else tail)
            paid -= q * other
        gain[m] = value * paid
        turn[m] = points[2, m] * scale * density / sigma * d * paid


@inlined
def _terms(
    r: float,
    q: float,
    sigma: float,
    root: float,
    nodes: Float1D,
    points: Float2D,
    inner: Float2D,
    h: Float1D,
    work: Float2D,
    sums: Float2D,
) -> None:
    """At boundary h, G being the left minus the right side of smooth pasting at each node:

    work[0] = dG/d ln B' of each point over its depth; sums[0], sums[1] = G, dG/d ln B of each node.
    """
    n = nodes.size
    top = _limit(r, q)
    drift = (r - q) / sigma + 0.5 * sigma
    for i in range(n):
        t, depth = root * nodes[i], sqrt(h[i])
        d = (top - depth) / (sigma * t) + drift * t
        fade = exp(-q * t * t)
        sums[0, i] = fade * norm_cdf(d)
        sums[1, i] = fade * _PHI0 * exp(-0.5 * d * d) / (sigma * t)
        work[0, i], work[1, i] = depth, exp(depth - top)
    for m in range(n, work.shape[1]):
        work[0, m], work[1, m] = work[0, m - n], work[1, m - n]
    work[4, :] = 0.0
    _interpolate(inner, h, work[5])
    _integrands(r, q, sigma, root, points, work[5], work)
    for k in range(work.shape[1] // n):
        for i in range(n):
            m = k * n + i
            sums[0, i] += work[4, m] - work[1, m]
            sums[1, i] += work[3, m] + work[2, m]
    for m in range(work.shape[1]):
        work[0, m] = work[3, m] / work[5, m] if work[5, m] > 0.0 else 0.0


@inlined
def _solve(a: Float2D, x: Float1D) -> None:
    """x = solution of the n equations a[:, :n] x = a[:, n], by elimination with row exchange; overwrites a."""
    n = x.size
    for c in range(n):
        best = c
        for i in range(c + 1, n):
            best = i if abs(a[i, c]) > abs(a[best, c]) else best
        if best != c:
            for j in range(c, n + 1):
                a[c, j], a[best, j] = a[best, j], a[c, j]
        inverse = 1.0 / a[c, c]
        for i in range(c + 1, n):
            factor = a[i, c] * inverse
            for j in range(c + 1, n + 1):
                a[i, j] -= factor * a[c, j]
    for i in range(n - 1, -1, -1):
        total = a[i, n]
        for j in range(i + 1, n):
            total -= a[i, j] * x[j]
        x[i] = total / a[i, i]


@inlined
def _newton(inner: Float2D, h: Float1D, work: Float2D, sums: Float2D, matrix: Float2D, step: Float1D) -> float:
    """One Newton step of h; the largest change of a depth, relative."""
    n = h.size
    total = sums[2]
    for j in range(n):
        total[:] = 0.0
        for k in range(work.shape[1] // n):
            for i in range(n):
                total[i] += work[0, k * n + i] * inner[j, k * n + i]
        for i in range(n):
            matrix[i, j] = 0.5 * total[i]
    for i in range(n):
        matrix[i, i] -= 0.5 * sums[1, i] / sqrt(h[i])
        matrix[i, n] = -sums[0, i]
    _solve(matrix, step)
    largest = 0.0
    for i in range(n):
        new = min(max(h[i] + step[i], 0.25 * h[i]), 4.0 * h[i])
        change = abs(sqrt(new / h[i]) - 1.0)
        largest = change if not change <= largest else largest  # a nan stays
        h[i] = new
    return largest


@inlined
def _boundary(
    r: float, q: float, sigma: float, tau: float, nodes: Float1D, points: Float2D, inner: Float2D, settled: float,
    h: Float1D,
) -> int:  # fmt: skip
    """Improve h until the largest relative step is below `settled`; the number of steps, 0 when it does not settle."""
    n = nodes.size
    work, sums = np.empty((6, inner.shape[1])), np.empty((3, n))
    matrix, step = np.empty((n, n + 1)), np.empty(n)
    for i in range(_MAX_STEPS):
        _terms(r, q, sigma, sqrt(tau), nodes, points, inner, h, work, sums)
        largest = _newton(inner, h, work, sums, matrix, step)
        if largest < settled:
            return i + 1
        if not largest < 1e300:
            return 0
    return 0


@parallel
def american_boundaries(
    r: Float1D, q: Float1D, sigma: Float1D, tau: Float1D, nodes: Float1D, points: Float2D, inner: Float2D,
    coarse: Float2D, lift: Float2D, settled: float, h: Float2D, n_steps: Int1D,
) -> None:  # fmt: skip
    """Fill h[m], shape (m, n), with H at the nodes times sqrt(tau[m]); needs r > 0.

    coarse[m] > 0 is a boundary on n / 2 nodes, to start from, and lift[j, i] its basis polynomial j at nodes[i].
    A step below `settled`, relative, leaves an error of half its square. n_steps[m] = 0 marks a row where Newton's
    method did not settle.
    """
    for m in prange(n_steps.size):
        row = h[m]
        good = lift.shape[0] > 0
        if good:
            good = _lifted(coarse[m], lift, nodes, row)
        if not good:
            _start(r[m], q[m], sigma[m], sqrt(tau[m]), nodes, row)
        n_steps[m] = _boundary(r[m], q[m], sigma[m], tau[m], nodes, points, inner, settled, row)


@inlined
def american_value(
    s: float, r: float, q: float, sigma: float, tau: float, points: Float2D, outer: Float2D, h: Float1D
) -> float:
    """Value of the put of strike 1 at spot s, from its boundary."""
    top = _limit(r, q)
    if s <= exp(top - sqrt(h[h.size - 1])):
        return 1.0 - s
    root = sqrt(tau)
    drift = (r - q) / sigma - 0.5 * sigma
    x = log(s) - top
    past = np.empty(points.shape[1])
    _interpolate(outer, h, past)
    for k in range(past.size):
        z = root * points[0, k]
        d = (x + past[k]) / (sigma * z) + drift * z
        gain = r * exp(-r * z * z) * norm_cdf(-d)
        past[k] = points[1, k] * root * z * (gain - q * s * exp(-q * z * z) * norm_cdf(-d - sigma * z))
    premium = 0.0
    for k in range(past.size):
        premium += past[k]
    forward, df = s * exp((r - q) * tau), exp(-r * tau)
    european = df * (black_time_value(forward, 1.0, sigma * root) + max(1.0 - forward, 0.0))
    return max(european + premium, 1.0 - s)


@parallel
def american_values(
    s: Float1D,
    which: Int1D,
    r: Float1D,
    q: Float1D,
    sigma: Float1D,
    tau: Float1D,
    points: Float2D,
    outer: Float2D,
    h: Float2D,
    out: Float1D,
) -> None:
    """out[i] = value of the put of strike 1 at spot s[i] whose boundary is row which[i] of h; out has shape (n,)."""
    for i in prange(out.size):
        m = which[i]
        out[i] = american_value(s[i], r[m], q[m], sigma[m], tau[m], points, outer, h[m])
