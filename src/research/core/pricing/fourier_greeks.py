"""Probabilities, densities and derivatives in every parameter by the integral of `fourier`, on the same contour.

With q = xi^2 + 1/4, phi the characteristic function and phi_w that of Black's model of total variance w, the rows are

    row 0, 1, 2   1/pi integral of Re e^{i xi x} (phi - phi_w) (1, i xi + 1/2, i xi - 1/2) / q
    row 3, 4, 5   1/pi integral of Re e^{i xi x} phi (1, i xi, (i xi)^2)
    row 6 + 3m    1/pi integral of Re e^{i xi x} phi M / q, then with i xi / q, then with 1

where phi M is the m-th of these derivatives of phi: by the vol (sqrt(v0) and sqrt(theta) together), twice by the vol,
by the time to expiry, by v0, kappa, theta, sigma, rho. Only rows 0 to 2 have poles, which phi_w takes out; w stays as
the parameters move, since the price does not depend on it. Time enters by D' = sigma^2 D^2 / 2 - beta D - q / 2 and
C' = D; late in a life D' cancels, which its size says.

The sums over even and odd nodes are kept apart, and beside them the sum of what the terms are in size: it says how much
of a row is rounding, and what a difference between two rules is to be measured by.

References
----------
As for `fourier`; Lord, Kahl (2010), Mathematical Finance 20, 671-694 (D and C).
"""

from __future__ import annotations

from math import pi, sqrt

import numpy as np

from research.arrays import Float1D, Float2D, Float3D, Int1D
from research.core._jit import inlined, kernel
from research.core.math.elementary import exp
from research.core.models.heston import Six, heston_exponents, heston_scales, heston_shift
from research.core.pricing.fourier import (
    _IM,
    _NO_VARIANCE,
    _RE,
    _SLOPE_IM,
    _SLOPE_RE,
    BLOCK,
    MAX_BLOCKS,
    SCRATCH,
    _exp,
    _sincos,
    contour_block,
    contour_scale,
    nearest,
    split_sides,
)

PRICE_ROWS = 3
PLAIN_ROWS = 6
DERIVATIVES = 8  # vol, vol twice, time, v0, kappa, theta, sigma, rho
ROWS = PLAIN_ROWS + 3 * DERIVATIVES
_NEGLIGIBLE = 1e-18  # a block that adds less to the sizes of all rows ends the integrand
_LEAST_SIGMA = 1e-30  # as in `models.heston`
_SMALL_SIGMA = 1e-7  # below it the derivative by sigma is taken in proportion


@inlined
def _size(a: complex) -> float:
    """The modulus, or up to 1.42 times it: what C's hypot gives differs from machine to machine."""
    return abs(a.real) + abs(a.imag)


@inlined
def _store(row: int, n: int, weight: complex, size: float, weights: Float3D) -> None:
    weights[0, row, n], weights[1, row, n], weights[2, row, n] = weight.real, weight.imag, size


@inlined
def _store_three(row: int, n: int, xi: complex, q: complex, weight: complex, more: float, weights: Float3D) -> None:
    """weight / q is given; rows with 1 / q, i xi / q, 1; `more`: rounding beyond that of the weight, over its size."""
    size = _size(weight) + more
    _store(row, n, weight, size, weights)
    _store(row + 1, n, complex(-xi.imag, xi.real) * weight, _size(xi) * size, weights)
    _store(row + 2, n, q * weight, _size(q) * size, weights)


@inlined
def _derivatives(n: int, xi: complex, q: complex, p: Float1D, model: complex, terms: Six, weights: Float3D) -> None:
    """Rows of phi M; `model` is phi e^{i xi x0} times the slope over q, terms those of `heston_exponents`."""
    d_term, c_term, d_beta, c_beta, d_sigma, c_sigma = terms
    v0, kappa, theta, sigma, rho = p[0], p[1], p[2], p[3], p[4]
    minus_iz, mean, size = complex(xi.imag - 0.5, -xi.real), kappa * theta, _size(model)
    by_beta = v0 * d_beta + mean * c_beta
    vol = 2.0 * sqrt(v0) * d_term + 2.0 * sqrt(theta) * (kappa * c_term)
    bent, pulled = 0.5 * sigma * sigma * (d_term * d_term), (kappa + rho * sigma * minus_iz) * d_term
    by_time = v0 * (bent - pulled - 0.5 * q) + mean * d_term
    late = v0 * (_size(bent) + _size(pulled) + _size(q))
    _store_three(PLAIN_ROWS, n, xi, q, model * vol, 0.0, weights)
    twice = model * (vol * vol + 2.0 * (d_term + kappa * c_term))
    _store_three(PLAIN_ROWS + 3, n, xi, q, twice, size * _size(vol) * _size(vol), weights)
    _store_three(PLAIN_ROWS + 6, n, xi, q, model * by_time, size * late, weights)
    _store_three(PLAIN_ROWS + 9, n, xi, q, model * d_term, 0.0, weights)
    _store_three(PLAIN_ROWS + 12, n, xi, q, model * (by_beta + theta * c_term), size * theta * _size(c_term), weights)
    _store_three(PLAIN_ROWS + 15, n, xi, q, model * (kappa * c_term), 0.0, weights)
    by_sigma = rho * minus_iz * by_beta + v0 * d_sigma + mean * c_sigma
    lost = size * mean * _size(c_term) / max(sigma, _SMALL_SIGMA)
    _store_three(PLAIN_ROWS + 18, n, xi, q, model * by_sigma, lost, weights)
    _store_three(PLAIN_ROWS + 21, n, xi, q, model * (sigma * minus_iz * by_beta), 0.0, weights)


@inlined
def _terms(xi: complex, tau: float, p: Float1D, rows: int) -> Six:
    """`heston_exponents`; where sigma is tiny its derivatives, which rounding eats, in proportion to a larger one."""
    sigma = max(p[3], _LEAST_SIGMA)
    d_term, c_term, d_beta, c_beta, d_sigma, c_sigma = xi, xi, xi, xi, xi, xi
    for k in range(2 if rows > PLAIN_ROWS and sigma < _SMALL_SIGMA else 1):  # one call: it is written out at each
        d, c, db, cb, ds, cs = heston_exponents(xi, tau, p[1], sigma if k == 0 else _SMALL_SIGMA, p[4])
        if k == 0:
            d_term, c_term, d_beta, c_beta, d_sigma, c_sigma = d, c, db, cb, ds, cs
        else:
            d_sigma, c_sigma = (sigma / _SMALL_SIGMA) * ds, (sigma / _SMALL_SIGMA) * cs
    return d_term, c_term, d_beta, c_beta, d_sigma, c_sigma


@inlined
def _row_block(p: Float1D, tau: float, w: float, x0: float, rows: int, scratch: Float1D, weights: Float3D) -> None:
    """Weights of the first rows at the nodes of a block: re, im, size."""
    extra = p[5] if p.size > 5 else 0.0
    for n in range(BLOCK):
        xi = complex(scratch[_RE + n], scratch[_IM + n])
        slope = complex(scratch[_SLOPE_RE + n], scratch[_SLOPE_IM + n])
        q = xi * xi + 0.25
        turn, ixi = complex(-x0 * xi.imag, x0 * xi.real), complex(-xi.imag, xi.real)
        terms = _terms(xi, tau, p, rows)
        log_cf = p[0] * terms[0] + p[1] * p[2] * terms[1] - 0.5 * extra * q
        model, black = _exp(log_cf + turn) * slope, _exp(-0.5 * w * q + turn) * slope
        size = _size(model) + _size(black)
        _store(0, n, model - black, size, weights)
        _store(1, n, (model - black) * (ixi + 0.5), size * _size(ixi + 0.5), weights)
        _store(2, n, (model - black) * (ixi - 0.5), size * _size(ixi - 0.5), weights)
        if rows > PRICE_ROWS:
            plain = model * q
            _store(3, n, plain, _size(plain), weights)
            _store(4, n, plain * ixi, _size(plain) * _size(xi), weights)
            _store(5, n, plain * (ixi * ixi), _size(plain) * (_size(xi) * _size(xi)), weights)
        if rows > PLAIN_ROWS:
            _derivatives(n, xi, q, p, model, terms, weights)


@inlined
def _add(i: int, dx: float, h: float, rows: int, turn: Float2D, weights: Float3D, out: Float3D) -> None:
    """One quote: turn the weights of the block and add them to the sums over even and odd nodes, and their sizes.

    turn holds the nodes (re, im), and gets e^{i xi dx} (re, im) and its size; four chains in a fixed order.
    """
    for n in range(BLOCK):
        sine, cosine = _sincos(dx * turn[0, n])
        grow = exp(-dx * turn[1, n])
        turn[2, n], turn[3, n], turn[4, n] = grow * cosine, grow * sine, grow
    for row in range(rows):
        s0, s1, s2, s3, t0, t1, t2, t3 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for n in range(0, BLOCK, 4):
            s0 += turn[2, n] * weights[0, row, n] - turn[3, n] * weights[1, row, n]
            s1 += turn[2, n + 1] * weights[0, row, n + 1] - turn[3, n + 1] * weights[1, row, n + 1]
            s2 += turn[2, n + 2] * weights[0, row, n + 2] - turn[3, n + 2] * weights[1, row, n + 2]
            s3 += turn[2, n + 3] * weights[0, row, n + 3] - turn[3, n + 3] * weights[1, row, n + 3]
            t0 += turn[4, n] * weights[2, row, n]
            t1 += turn[4, n + 1] * weights[2, row, n + 1]
            t2 += turn[4, n + 2] * weights[2, row, n + 2]
            t3 += turn[4, n + 3] * weights[2, row, n + 3]
        out[0, row, i] += (s0 + s2) * (h / pi)
        out[1, row, i] += (s1 + s3) * (h / pi)
        out[2, row, i] += ((t0 + t2) + (t1 + t3)) * (h / pi)


@inlined
def _is_over(rows: int, weights: Float3D, largest: Float1D) -> bool:
    """Whether no row of this block counts beside the largest weight so far."""
    over = True
    for row in range(rows):
        top = 0.0
        for n in range(BLOCK):
            top = max(top, weights[2, row, n])
        largest[row] = max(largest[row], top)
        if top > _NEGLIGIBLE * largest[row]:
            over = False
    return over


@kernel
def heston_row_group(
    p: Float1D, tau: float, side: float, start: int, stop: int, x: Float1D, h: float, rows: int, out: Float3D
) -> float:
    """Quotes start..stop of one expiry and side, p and x as for `fourier.heston_group`: the control's variance.

    out, shape (3, rows, n), gets the sums over even and over odd nodes, and of sizes, of the first rows: 3, 6 or all.
    """
    w, a = heston_scales(tau, p[0], p[1], p[2], p[3], p[4])
    w += p[5] if p.size > 5 else 0.0
    for part in range(3):
        for row in range(rows):
            for i in range(start, stop):
                out[part, row, i] = 0.0
    if w <= _NO_VARIANCE:
        return w
    b, x0 = contour_scale(w, a, max(abs(x[start]), abs(x[stop - 1]))), nearest(x, start, stop, side)
    scratch, turn = np.empty(SCRATCH), np.empty((5, BLOCK))
    weights, largest = np.empty((3, ROWS, BLOCK)), np.zeros(ROWS)
    for block in range(MAX_BLOCKS):
        contour_block(block, h, b, side, scratch)
        _row_block(p, tau, w, x0, rows, scratch, weights)
        for n in range(BLOCK):
            turn[0, n], turn[1, n] = scratch[_RE + n], scratch[_IM + n]
        for i in range(start, stop):
            _add(i, x[i] - x0, h, rows, turn, weights, out)
        if _is_over(rows, weights, largest):
            break
    return w


@kernel
def heston_rows(
    parameters: Float2D, tau: Float1D, first: Int1D, x: Float1D, h: float, rows: int, control: Float1D, out: Float3D
) -> None:
    """Rows of the quotes of m groups, as `fourier.heston_values`; control[i] gets the variance of the control."""
    for g in range(tau.size):
        p, start, stop = parameters[g], first[g], first[g + 1]
        split = split_sides(x, start, stop, heston_shift(tau[g], p))
        for part in range(2):  # one call: the compiler would write the function out at each
            low, high, side = (start, split, -1.0) if part == 0 else (split, stop, 1.0)
            if high > low:
                w = heston_row_group(p, tau[g], side, low, high, x, h, rows, out)
                for i in range(low, high):
                    control[i] = w
