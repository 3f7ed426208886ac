"""Four normals from one Philox block by Box and Muller, in lanes.

A block of four 32-bit words makes two radii and two angles, so the normals of steps 4 j to 4 j + 3: a function of
(seed, stream, path, step) as everywhere, of 32-bit resolution, at most 6.8 in size; a normal in 1e11 would be larger.
Compared with inversion that is half the random bits, no branch and no long rational function. Inversion keeps the
order of a Sobol' point, which this does not: it is for pseudo-random paths alone.

References
----------
Box, Muller (1958), "A note on the generation of random normal deviates", Ann. Math. Statist. 29.
"""

from __future__ import annotations

from math import sqrt

from research.arrays import Float1D
from research.core._jit import inlined
from research.core.math._bits import from_bits, shift_left, shift_right, to_bits
from research.core.math._fused import fma
from research.core.math.elementary import cos_tail, log_join, log_split, sin_tail
from research.core.random.philox import philox4x32

LARGEST = 6.8  # normal

_LOW32 = 0xFFFFFFFF
_ONE_BITS = 0x3FF0000000000000
_HALF = 2.0**-33
_ROUND = 6755399441055744.0  # 1.5 * 2**52
_QUARTER = 1.5707963267948966  # turn, in radians


@inlined
def _unit(word: int) -> float:
    """32 bits to the middle of their cell in (0, 1)."""
    return from_bits(_ONE_BITS | shift_left(word, 20)) - 1.0 + _HALF


@inlined
def _sincos_turn(u: float) -> tuple[float, float]:
    """sin and cos of u turns, 0 < u < 1; 1 ulp of 1."""
    shifted = fma(4.0, u, _ROUND)
    quadrant = to_bits(shifted)
    t = fma(4.0, u, -(shifted - _ROUND)) * _QUARTER
    z = t * t
    sine = fma(t * z, fma(z, sin_tail(z), -1.66666666666666324e-01), t)
    cosine = fma(-z, fma(-z, cos_tail(z), 0.5), 1.0)
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
def four_normals(
    seed: int, stream: int, first_path: int, four: int, a: Float1D, b: Float1D, c: Float1D, d: Float1D
) -> None:
    """a[i], b[i], c[i], d[i] = the normals of steps 4 four, ..., 4 four + 3 of path first_path + i."""
    low, high = seed & _LOW32, shift_right(seed, 32)
    for i in range(a.size):
        at = first_path + i
        q, r, s, t = philox4x32(at & _LOW32, shift_right(at, 32), four & _LOW32, stream & _LOW32, low, high)
        a[i], b[i], c[i], d[i] = _unit(q), _unit(r), _unit(s), _unit(t)
    _pairs(a, b)
    _pairs(c, d)
