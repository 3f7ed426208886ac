"""Option prices from a characteristic function: Lewis' integral on a tilted sinh contour, with Black's model taken out.

    C = df [Black(F, K, w) - sqrt(F K) / pi  integral over xi of Re exp(i xi x) (phi(xi) - phi_w(xi)) / (xi^2 + 1/4)]

with x = log(F/K) and phi_w(xi) = exp(-w (xi^2 + 1/4) / 2), the characteristic function of Black's model of total
variance w. Both agree at xi = 0 (by the choice of w) and at xi = +-i/2, so the integrand has no poles.
The contour is

    xi(y) = b (sinh(y + i omega) - i sin(omega)),   0 <= y < infinity

tilted up where exp(i xi x) phi(xi) decays upwards, else down: that sign is the `side` of a quote. On it the integrand
decays exponentially whatever rho and sigma are, and the trapezoidal rule in y converges like exp(-c / h). The terms
of even and of odd index are summed apart: 2h times the even sum is the rule of step 2h, so the difference of the two
bounds the error, and a squared difference estimates it.

References
----------
A. L. Lewis (2001), "A simple option formula for general jump-diffusion and other exponential Levy processes".
S. Boyarchenko, S. Levendorskii (2019), "Sinh-acceleration: efficient evaluation of probability distributions, option
pricing, and Monte Carlo simulations", IJTAF 22 (the contour and the trapezoidal rule).
L. Andersen, M. Lake (2018), "Robust high-precision option pricing by Fourier transforms: contour deformations and
double-exponential quadrature" (tilting; which side).
L. Andersen, V. Piterbarg (2010), Interest Rate Modeling, vol. 1, section 8.4 (Black's model as control variate).
"""

from __future__ import annotations

from math import pi, sqrt

import numpy as np

from research.arrays import Float1D, Float2D, Int1D
from research.core._jit import inlined, kernel
from research.core.math.elementary import exp, sincos
from research.core.models.black import black_time_value
from research.core.models.heston import heston_log_cf, heston_log_cf_gradient, heston_scales, heston_shift

BLOCK = 16  # nodes at a time: they stay in registers and the first cache
MAX_BLOCKS = 256  # far beyond where the weights, at most 1/abs(xi), are negligible
COS_TILT = 0.955336489125606  # omega = 0.3
SIN_TILT = 0.29552020666133955
NEGLIGIBLE = 1e-17  # a weight that ends the integrand, for prices to the last digit
_NO_VARIANCE = 1e-18  # total variance below which Black's model is the price
_REACH = 4.0  # b times the largest abs(x): else a far strike's integrand falls between the nodes
_PHASE_MAX = 1e8  # a term this far out is zero

# rows of the scratch block, each BLOCK long
_RE, _IM, _SLOPE_RE, _SLOPE_IM, _TURN_RE, _TURN_IM, _WEIGHT = (BLOCK * i for i in range(7))
SCRATCH = BLOCK * (6 + 12)


@inlined
def _sincos(phase: float) -> tuple[float, float]:
    return sincos(max(-_PHASE_MAX, min(_PHASE_MAX, phase)))


@inlined
def _exp(a: complex) -> complex:
    s, c = _sincos(a.imag)
    size = exp(a.real)
    return complex(size * c, size * s)


@inlined
def contour_scale(w: float, a: float, farthest: float) -> float:
    """b: the width of phi_w; less where a heavy tail brings the singularities of phi near, or strikes are far out."""
    return min(min(1.0 / sqrt(w), max(1.0, 2.0 * a / w)), _REACH / max(farthest, 1e-300))


@inlined
def contour_block(block: int, h: float, b: float, side: float, scratch: Float1D) -> None:
    """Nodes of one block, and d xi / dy over xi^2 + 1/4 there; half of it at y = 0."""
    first = block * BLOCK
    for n in range(BLOCK):
        grow = exp(h * (first + n))
        shrink = 1.0 / grow
        sinh, cosh = 0.5 * (grow - shrink), 0.5 * (grow + shrink)
        xi = complex(b * COS_TILT * sinh, side * (b * SIN_TILT * (cosh - 1.0)))
        q = xi * xi + 0.25
        size = b / (q.real * q.real + q.imag * q.imag)
        slope = complex(COS_TILT * cosh, side * (SIN_TILT * sinh)) * complex(size * q.real, -size * q.imag)
        scratch[_RE + n], scratch[_IM + n] = xi.real, xi.imag
        scratch[_SLOPE_RE + n], scratch[_SLOPE_IM + n] = slope.real, slope.imag
    if block == 0:
        scratch[_SLOPE_RE] *= 0.5
        scratch[_SLOPE_IM] *= 0.5


@inlined
def _heston_block(p: Float1D, tau: float, w: float, x0: float, scratch: Float1D) -> None:
    """exp(i xi x0) (phi - phi_w) times the slope."""
    v0, kappa, theta, sigma, rho = p[0], p[1], p[2], p[3], p[4]
    extra = p[5] if p.size > 5 else 0.0
    for n in range(BLOCK):
        xi = complex(scratch[_RE + n], scratch[_IM + n])
        shift = complex(-x0 * xi.imag, x0 * xi.real)
        half_q = -0.5 * (xi * xi + 0.25)
        model = _exp(heston_log_cf(xi, tau, v0, kappa, theta, sigma, rho) + extra * half_q + shift)
        black = _exp(w * half_q + shift)
        weight = (model - black) * complex(scratch[_SLOPE_RE + n], scratch[_SLOPE_IM + n])
        scratch[_WEIGHT + n], scratch[_WEIGHT + BLOCK + n] = weight.real, weight.imag


@inlined
def _heston_gradient_block(p: Float1D, tau: float, w: float, x0: float, scratch: Float1D) -> None:
    """As `_heston_block`, then the five derivatives of its first factor in v0, kappa, theta, sigma, rho."""
    v0, kappa, theta, sigma, rho = p[0], p[1], p[2], p[3], p[4]
    for n in range(BLOCK):
        xi = complex(scratch[_RE + n], scratch[_IM + n])
        slope = complex(scratch[_SLOPE_RE + n], scratch[_SLOPE_IM + n])
        shift = complex(-x0 * xi.imag, x0 * xi.real)
        log_cf, g0, g1, g2, g3, g4 = heston_log_cf_gradient(xi, tau, v0, kappa, theta, sigma, rho)
        model = _exp(log_cf + shift) * slope
        weight = model - _exp(-0.5 * w * (xi * xi + 0.25) + shift) * slope
        g0, g1, g2, g3, g4 = g0 * model, g1 * model, g2 * model, g3 * model, g4 * model
        scratch[_WEIGHT + n], scratch[_WEIGHT + BLOCK + n] = weight.real, weight.imag
        scratch[_WEIGHT + 2 * BLOCK + n], scratch[_WEIGHT + 3 * BLOCK + n] = g0.real, g0.imag
        scratch[_WEIGHT + 4 * BLOCK + n], scratch[_WEIGHT + 5 * BLOCK + n] = g1.real, g1.imag
        scratch[_WEIGHT + 6 * BLOCK + n], scratch[_WEIGHT + 7 * BLOCK + n] = g2.real, g2.imag
        scratch[_WEIGHT + 8 * BLOCK + n], scratch[_WEIGHT + 9 * BLOCK + n] = g3.real, g3.imag
        scratch[_WEIGHT + 10 * BLOCK + n], scratch[_WEIGHT + 11 * BLOCK + n] = g4.real, g4.imag


@inlined
def _largest_weight(scratch: Float1D) -> float:
    largest = 0.0
    for n in range(BLOCK):
        largest = max(largest, abs(scratch[_WEIGHT + n]) + abs(scratch[_WEIGHT + BLOCK + n]))
    return largest


@inlined
def _turn(dx: float, scratch: Float1D) -> None:
    """exp(i xi dx) at the nodes of the block."""
    for n in range(BLOCK):
        s, c = _sincos(dx * scratch[_RE + n])
        size = exp(-dx * scratch[_IM + n])
        scratch[_TURN_RE + n], scratch[_TURN_IM + n] = size * c, size * s


@inlined
def _dot(row: int, scratch: Float1D) -> tuple[float, float]:
    """Sums over the even and the odd nodes of Re(turn * weight), four chains in a fixed order."""
    re, im = _WEIGHT + 2 * BLOCK * row, _WEIGHT + (2 * row + 1) * BLOCK
    s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
    for n in range(0, BLOCK, 4):
        s0 += scratch[_TURN_RE + n] * scratch[re + n] - scratch[_TURN_IM + n] * scratch[im + n]
        s1 += scratch[_TURN_RE + n + 1] * scratch[re + n + 1] - scratch[_TURN_IM + n + 1] * scratch[im + n + 1]
        s2 += scratch[_TURN_RE + n + 2] * scratch[re + n + 2] - scratch[_TURN_IM + n + 2] * scratch[im + n + 2]
        s3 += scratch[_TURN_RE + n + 3] * scratch[re + n + 3] - scratch[_TURN_IM + n + 3] * scratch[im + n + 3]
    return s0 + s2, s1 + s3


@inlined
def nearest(x: Float1D, start: int, stop: int, side: float) -> float:
    """The x of the group for which exp(i xi x) is largest on the contour."""
    best = x[start]
    for i in range(start + 1, stop):
        best = x[i] if side * x[i] < side * best else best
    return best


@kernel
def heston_group(
    p: Float1D, tau: float, side: float, start: int, stop: int, x: Float1D, h: float, negligible: float,
    even: Float1D, odd: Float1D,
) -> tuple[float, int]:  # fmt: skip
    """Quotes start..stop of one expiry and side: the sums over even and odd nodes (times h/pi), w, and the node count.

    p holds v0, kappa, theta, sigma, rho, and may hold the variance of a normal variable beside the log price, and the
    log moneyness at which the contour changes its side. Nodes are added until a block's weights are all below
    `negligible`. The count is -1 where MAX_BLOCKS did not get there.
    """
    w, a = heston_scales(tau, p[0], p[1], p[2], p[3], p[4])
    w += p[5] if p.size > 5 else 0.0
    for i in range(start, stop):
        even[i], odd[i] = 0.0, 0.0
    if w <= _NO_VARIANCE:
        return w, 0
    b, x0 = contour_scale(w, a, max(abs(x[start]), abs(x[stop - 1]))), nearest(x, start, stop, side)
    scratch = np.empty(SCRATCH)
    for block in range(MAX_BLOCKS):
        contour_block(block, h, b, side, scratch)
        _heston_block(p, tau, w, x0, scratch)
        for i in range(start, stop):
            _turn(x[i] - x0, scratch)
            here, there = _dot(0, scratch)
            even[i] += here * (h / pi)
            odd[i] += there * (h / pi)
        if _largest_weight(scratch) < negligible:
            return w, (block + 1) * BLOCK
    return w, -1


@inlined
def split_sides(x: Float1D, start: int, stop: int, shift: float) -> int:
    """The first quote with x >= shift, where the contour turns up; x increases."""
    i = start
    while i < stop and x[i] < shift:
        i += 1
    return i


@inlined
def cautious(gap: Float1D) -> None:
    """gap[i] = the largest gap among two neighbours to each side: it swings with x, and its zeros say nothing."""
    n, before, last = gap.size, 0.0, 0.0
    for i in range(n):
        here = gap[i]
        after, then = gap[min(i + 1, n - 1)], gap[min(i + 2, n - 1)]
        gap[i] = max(max(before, last), max(here, max(after, then)))
        before, last = last, here


@kernel
def heston_values(
    parameters: Float2D, tau: Float1D, first: Int1D, x: Float1D, forward: Float1D, strike: Float1D, h: float,
    value: Float1D, gap: Float1D,
) -> None:  # fmt: skip
    """Undiscounted values of out-of-the-money options.

    m groups share an expiry each: group g has parameters[g], tau[g] and the quotes first[g]..first[g+1], where
    x = log(F/K) increases. gap gets the difference between the rules of step h and 2h, relative to sqrt(F K), the
    largest of five neighbours.
    """
    for g in range(tau.size):
        p, start, stop = parameters[g], first[g], first[g + 1]
        even, odd = value, gap
        split = split_sides(x, start, stop, heston_shift(tau[g], p))
        w = 0.0
        for part in range(2):  # one call: the compiler would write the function out at each
            low, high, side = (start, split, -1.0) if part == 0 else (split, stop, 1.0)
            if high > low:
                w, _ = heston_group(p, tau[g], side, low, high, x, h, NEGLIGIBLE, even, odd)
        for i in range(start, stop):
            total, difference = even[i] + odd[i], abs(even[i] - odd[i])
            black = black_time_value(forward[i], strike[i], sqrt(w))
            value[i] = max(black - sqrt(forward[i] * strike[i]) * total, 0.0)
            gap[i] = difference
        cautious(gap[start:stop])


@kernel
def heston_group_gradient(
    p: Float1D, tau: float, side: float, start: int, stop: int, x: Float1D, h: float, negligible: float, out: Float2D
) -> tuple[float, int]:
    """As `heston_group`, with derivatives: out[i] gets even, odd, and the sums for v0, kappa, theta, sigma, rho."""
    w, a = heston_scales(tau, p[0], p[1], p[2], p[3], p[4])
    for i in range(start, stop):
        for j in range(7):
            out[i, j] = 0.0
    if w <= _NO_VARIANCE:
        return w, 0
    b, x0 = contour_scale(w, a, max(abs(x[start]), abs(x[stop - 1]))), nearest(x, start, stop, side)
    scratch = np.empty(SCRATCH)
    for block in range(MAX_BLOCKS):
        contour_block(block, h, b, side, scratch)
        _heston_gradient_block(p, tau, w, x0, scratch)
        for i in range(start, stop):
            _turn(x[i] - x0, scratch)
            here, there = _dot(0, scratch)
            out[i, 0] += here * (h / pi)
            out[i, 1] += there * (h / pi)
            for j in range(1, 6):
                here, there = _dot(j, scratch)
                out[i, j + 1] += (here + there) * (h / pi)
        if _largest_weight(scratch) < negligible:
            return w, (block + 1) * BLOCK
    return w, -1
