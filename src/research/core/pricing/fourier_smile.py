"""The integral of `fourier` for many strikes of one expiry: on an even grid of log(F/K), then between its points.

As a function of x the integral is a sum of exp(i xi x) with abs(xi) at most U where the weights matter. On a grid of
step 0.5 / U the exponentials of neighbouring points differ by one rotation each, and 12-point Lagrange interpolation
misses by less than 6e-5 (0.5)^12 of the last weights, below 1e-12 of the sum. So a strike costs one interpolation
instead of one exponential a node. The sums over even and odd nodes are kept apart as in `fourier`.

References
----------
J.-P. Berrut, L. N. Trefethen (2004), "Barycentric Lagrange interpolation", SIAM Review 46, 501-517, eq. (5.1).
"""

from __future__ import annotations

from math import pi, sqrt

import numpy as np

from research.arrays import Float1D, Float2D, Int1D
from research.core._jit import inlined, kernel
from research.core.math.elementary import exp, sincos
from research.core.models.black import black_time_value
from research.core.models.heston import heston_scales, heston_shift
from research.core.pricing.fourier import (
    _NO_VARIANCE,
    _PHASE_MAX,
    _RE,
    _WEIGHT,
    BLOCK,
    MAX_BLOCKS,
    NEGLIGIBLE,
    SCRATCH,
    _heston_block,
    _largest_weight,
    cautious,
    contour_block,
    contour_scale,
    heston_group,
    nearest,
    split_sides,
)

POINTS = 12  # of the interpolation
_RESOLVED = 0.5  # grid step times U
_MATTERS = 1e-10  # weights below this share of the largest do not count for U
_RENEW = 64  # rotations between two true exponentials
_WORTH = 3  # grid points a strike up to which the grid is the quicker way
_LEAST = 64  # strikes

_TOGETHER = 64  # strikes interpolated together

# of 12 even points: 1 over the product of the distances of one to the others, (-1)^(11 - k) binomial(11, k) / 11!
_LAGRANGE = np.array([-1.0, 11.0, -55.0, 165.0, -330.0, 462.0, -462.0, 330.0, -165.0, 55.0, -11.0, 1.0]) / 39916800.0


@inlined
def _fill_turns(base: float, step: float, kept: Float1D, turns: Float2D) -> None:
    """turns: rows (re, im) of weight exp(i xi base), and (re, im) of exp(i xi step), at the nodes of a block."""
    for n in range(BLOCK):
        re, im, a, b = kept[n], kept[BLOCK + n], kept[2 * BLOCK + n], kept[3 * BLOCK + n]
        s, c = sincos(max(-_PHASE_MAX, min(_PHASE_MAX, base * re)))
        size = exp(-base * im)
        turns[0, n], turns[1, n] = size * (c * a - s * b), size * (c * b + s * a)
        s, c = sincos(max(-_PHASE_MAX, min(_PHASE_MAX, step * re)))
        size = exp(-step * im)
        turns[2, n], turns[3, n] = size * c, size * s


@kernel
def add_block(first: float, step: float, kept: Float1D, even: Float1D, odd: Float1D) -> None:
    """Add one block's terms to the sums at first + j step; `kept` holds its nodes and weights (re, im, re, im)."""
    turns = np.empty((4, BLOCK))
    for start in range(0, even.size, _RENEW):
        _fill_turns(first + start * step, step, kept, turns)
        for j in range(start, min(start + _RENEW, even.size)):
            s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
            for n in range(0, BLOCK, 4):
                s0 += turns[0, n]
                s1 += turns[0, n + 1]
                s2 += turns[0, n + 2]
                s3 += turns[0, n + 3]
            even[j] += s0 + s2
            odd[j] += s1 + s3
            for n in range(BLOCK):
                re, im = turns[0, n], turns[1, n]
                turns[0, n] = re * turns[2, n] - im * turns[3, n]
                turns[1, n] = re * turns[3, n] + im * turns[2, n]


@inlined
def _shares(here: Float1D, shares: Float2D, above: Float1D) -> None:
    """shares[k, i] *= the Lagrange polynomial of point k at here[i]: its weight times the distances to the others."""
    for k in range(1, POINTS):
        row, last, at = shares[k], shares[k - 1], k - 1.0
        for i in range(here.size):
            row[i] = last[i] * (here[i] - at)
    weight = _LAGRANGE.copy()
    for k in range(POINTS - 1, -1, -1):
        row, of, at = shares[k], weight[k], float(k)
        for i in range(here.size):
            row[i] = of * row[i] * above[i]
            above[i] *= here[i] - at


@inlined
def _between(
    x: Float1D, first: float, step: float, grid: Float1D, other: Float1D, scale: float, one: Float1D, two: Float1D
) -> None:
    """one, two = both grids at x, times scale; point j of the grids lies at first + j step."""
    left, here, above = np.empty(_TOGETHER, np.int64), np.empty(_TOGETHER), np.empty(_TOGETHER)
    shares = np.empty((POINTS, _TOGETHER))
    for start in range(0, x.size, _TOGETHER):
        n = min(_TOGETHER, x.size - start)
        for i in range(n):
            t = (x[start + i] - first) / step
            left[i] = min(max(int(t) - (POINTS // 2 - 1), 0), grid.size - POINTS)
            here[i], above[i], shares[0, i] = t - left[i], 1.0, scale
        _shares(here[:n], shares, above)
        for i in range(n):
            a, b = 0.0, 0.0
            for k in range(POINTS):
                a += shares[k, i] * grid[left[i] + k]
                b += shares[k, i] * other[left[i] + k]
            one[start + i], two[start + i] = a, b


@inlined
def _finish(w: float, forward: Float1D, strike: Float1D, value: Float1D, gap: Float1D) -> None:
    """The sums over even and odd nodes to a value and a gap; w is the variance of the control variate."""
    std = sqrt(w)
    for i in range(value.size):
        total, difference = value[i] + gap[i], abs(value[i] - gap[i])
        black = black_time_value(forward[i], strike[i], std)
        value[i] = max(black - sqrt(forward[i] * strike[i]) * total, 0.0)
        gap[i] = difference
    cautious(gap)


@kernel
def heston_smile(
    p: Float1D, tau: float, side: float, start: int, stop: int, x: Float1D, h: float, even: Float1D, odd: Float1D
) -> float:
    """As `fourier.heston_group`, for many quotes; the total variance of the control variate.

    Falls back on `heston_group` where a grid would cost more.
    """
    w, a = heston_scales(tau, p[0], p[1], p[2], p[3], p[4])
    span, count = x[stop - 1] - x[start], stop - start
    if w <= _NO_VARIANCE or count < _LEAST or not span > 0.0:
        w, _ = heston_group(p, tau, side, start, stop, x, h, NEGLIGIBLE, even, odd)
        return w
    b, x0 = contour_scale(w, a, max(abs(x[start]), abs(x[stop - 1]))), nearest(x, start, stop, side)
    scratch, kept = np.empty(SCRATCH), np.empty((MAX_BLOCKS, 4 * BLOCK))
    bandwidth, blocks, largest = 0.0, 0, 0.0
    for block in range(MAX_BLOCKS):
        contour_block(block, h, b, side, scratch)
        _heston_block(p, tau, w, x0, scratch)
        for n in range(2 * BLOCK):
            kept[block, n], kept[block, 2 * BLOCK + n] = scratch[_RE + n], scratch[_WEIGHT + n]
        blocks, here = block + 1, _largest_weight(scratch)
        largest = max(largest, here)
        if here < NEGLIGIBLE:
            break
    for block in range(blocks):
        for n in range(BLOCK):
            if abs(kept[block, 2 * BLOCK + n]) + abs(kept[block, 3 * BLOCK + n]) > _MATTERS * largest:
                bandwidth = max(bandwidth, kept[block, n])
    size = int(span * bandwidth / _RESOLVED) + 2
    if size + POINTS > _WORTH * count:
        w, _ = heston_group(p, tau, side, start, stop, x, h, NEGLIGIBLE, even, odd)
        return w
    step = span / (size - 1)
    first = x[start] - (POINTS // 2 - 1) * step
    grid_even, grid_odd = np.zeros(size + POINTS - 2), np.zeros(size + POINTS - 2)
    for block in range(blocks):
        add_block(first - x0, step, kept[block], grid_even, grid_odd)
    _between(x[start:stop], first, step, grid_even, grid_odd, h / pi, even[start:stop], odd[start:stop])
    return w


@kernel
def heston_smiles(
    parameters: Float2D, tau: Float1D, first: Int1D, x: Float1D, forward: Float1D, strike: Float1D, h: float,
    value: Float1D, gap: Float1D,
) -> None:  # fmt: skip
    """As `fourier.heston_values`, for groups of many quotes."""
    for g in range(tau.size):
        p, start, stop = parameters[g], first[g], first[g + 1]
        split = split_sides(x, start, stop, heston_shift(tau[g], p))
        w = 0.0
        for part in range(2):  # one call: the compiler would write the function out at each
            low, high, side = (start, split, -1.0) if part == 0 else (split, stop, 1.0)
            if high > low:
                w = heston_smile(p, tau[g], side, low, high, x, h, value, gap)
        _finish(w, forward[start:stop], strike[start:stop], value[start:stop], gap[start:stop])
