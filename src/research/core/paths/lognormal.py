"""Lognormal paths, as fast as memory takes them: four normals from one Philox block by Box and Muller.

A block of four 32-bit words makes two radii and two angles, so the normals of steps 4 j to 4 j + 3: a function of
(seed, stream, path, step) as everywhere, of 32-bit resolution, at most 6.8 in size. Compared with inversion that is
half the random bits, no branch and no long rational function. Inversion keeps the order of a Sobol' point, which this
does not: quasi-random paths are made by `core.random.brownian`.

References
----------
Box, Muller (1958), "A note on the generation of random normal deviates", Ann. Math. Statist. 29.
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from research.arrays import Float1D, Float2D
from research.core._jit import inlined, kernel
from research.core.math._bits import from_bits, shift_left, shift_right, to_bits
from research.core.math.elementary import _exp_tail, exp, log_join, log_split
from research.core.random.philox import philox4x32

_LOW32 = 0xFFFFFFFF
_ONE_BITS = 0x3FF0000000000000
_HALF = 2.0**-33
_ROUND = 6755399441055744.0  # 1.5 * 2**52
_QUARTER = 1.5707963267948966  # turn, in radians
_TILE = 256  # paths walked together: they stay in the first-level cache
_LARGEST = 6.8  # normal
_HALF_LN2 = 0.34  # moves up to here need no range reduction


@inlined
def _unit(word: int) -> float:
    """32 bits to the middle of their cell in (0, 1)."""
    return from_bits(_ONE_BITS | shift_left(word, 20)) - 1.0 + _HALF


@inlined
def _sincos_turn(u: float) -> tuple[float, float]:
    """sin and cos of u turns, 0 < u < 1; 1 ulp of 1."""
    shifted = 4.0 * u + _ROUND
    quadrant = to_bits(shifted)
    t = (4.0 * u - (shifted - _ROUND)) * _QUARTER
    z = t * t
    w = z * z
    s = (8.33333333332242875e-03 + z * -1.98412698298176197e-04) + w * (
        (2.75573136946494688e-06 + z * -2.50507584508401082e-08) + w * 1.58968106231778980e-10
    )
    c = (4.16666666666666019e-02 + z * -1.38888888888741291e-03) + w * (
        (2.48015872894842714e-05 + z * -2.75573143527359634e-07)
        + w * (2.08757233079889755e-09 + z * -1.13596488286980548e-11)
    )
    sine = t + t * z * (-1.66666666666666324e-01 + z * s)
    cosine = 1.0 - z * (0.5 - z * c)
    swap = (quadrant & 1) != 0
    one, other = (cosine if swap else sine), (sine if swap else cosine)
    one = -one if (quadrant & 2) != 0 else one
    return one, (-other if ((quadrant + 1) & 2) != 0 else other)


@inlined
def _pairs(radius: Float1D, angle: Float1D) -> None:
    """Uniforms to standard normals in place, two by two."""
    for i in range(radius.size):
        k, f = log_split(radius[i])
        size = sqrt(-2.0 * log_join(k, f, 0.0))
        sine, cosine = _sincos_turn(angle[i])
        radius[i], angle[i] = size * sine, size * cosine


@inlined
def _move(spot: Float1D, z: Float1D, mean: float, size: float, row: Float1D) -> None:
    """spot[i] *= exp(mean + size z[i]), and the same into `row`."""
    if abs(mean) + _LARGEST * abs(size) < _HALF_LN2:
        for i in range(row.size):
            r = mean + size * z[i]
            spot[i] += spot[i] * (r + r * r * _exp_tail(r))
            row[i] = spot[i]
    else:
        for i in range(row.size):
            spot[i] *= exp(mean + size * z[i])
            row[i] = spot[i]


@kernel
def lognormal_paths(
    seed: int, stream: int, first_path: int, first: int, last: int, drift: Float1D, std: Float1D, out: Float2D
) -> None:
    """out[k, i] = exp(sum over steps j <= k of drift[j] + std[j] z[j]) for columns first <= i < last.

    Column i is path first_path + i; shape (n_steps, n_paths). A negative `std` gives the antithetic paths.
    """
    n, low, high = out.shape[0], seed & _LOW32, shift_right(seed, 32)
    normals, spot = np.empty((4, _TILE)), np.empty(_TILE)
    a, b, c, d = normals[0], normals[1], normals[2], normals[3]
    for start in range(first, last, _TILE):
        lanes = min(_TILE, last - start)
        for i in range(lanes):
            spot[i] = 1.0
        for k in range(0, n, 4):
            for i in range(lanes):
                at = first_path + start + i
                q, r, s, t = philox4x32(at & _LOW32, shift_right(at, 32), k // 4, stream & _LOW32, low, high)
                a[i], b[i], c[i], d[i] = _unit(q), _unit(r), _unit(s), _unit(t)
            _pairs(a[:lanes], b[:lanes])
            _pairs(c[:lanes], d[:lanes])
            for j in range(k, min(k + 4, n)):
                _move(spot, normals[j - k], drift[j], std[j], out[j, start : start + lanes])
