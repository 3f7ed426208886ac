"""Complex exp, log, sqrt, product and quotient on (re, im) pairs.

Pairs of float64, not complex128: numba's complex division and power branch or call the C library, pairs become
plain registers, and a loop over separate arrays of real and imaginary parts vectorises.
Principal branches, -pi <= arg <= pi; on the cut (the negative real axis) the sign of a zero imaginary part decides.

| function | largest error seen, in ulp of each part |
|---|---|
| cexp | 1.8, abs(im) <= 2**28, nan beyond |
| clog | 0.9 and 1.8; nearer to modulus 1 than 1e-9 the real part loses digits slowly, 8 ulp at 1e-16 |
| csqrt | 2.0 |
| atan2 | 1.8 |
| cmul, cdiv | a few ulp of the modulus |
"""

from __future__ import annotations

from math import sqrt

from research.core._jit import inlined
from research.core.math._bits import copysign, from_bits, shift_left, shift_right, to_bits
from research.core.math._exact import two_square
from research.core.math._fused import fma
from research.core.math.elementary import exp_parts, log_edges, log_join, log_split, sincos

Pair = tuple[float, float]

_PI = 3.141592653589793
_PI_LOW = 1.2246467991473532e-16
_PI_4 = 0.7853981633974483
_PI_4_LOW = 3.061616997868383e-17
_PI_2 = 1.5707963267948966
_PI_2_LOW = 6.123233995736766e-17
_INF = float("inf")
_TAN_PI_8 = 0.41421356237309503


@inlined
def atan2(y: float, x: float) -> float:
    """Angle of the point (x, y), in [-pi, pi], signed zeros as in C."""
    ax, ay = abs(x), abs(y)
    steep = ay > ax
    top = ax if steep else ay
    bottom = ay if steep else ax
    bottom = 1.0 if bottom == 0.0 else bottom
    shrink = 0.25 if bottom > 1e300 else 1.0  # the sum below must not overflow
    top, bottom = top * shrink, bottom * shrink
    infinite = (top == _INF) & (bottom == _INF)
    far = (top > _TAN_PI_8 * bottom) | infinite  # atan(q) = pi/4 + atan((q - 1) / (q + 1))
    q = (top - bottom if far else top) / (top + bottom if far else bottom)
    q = 0.0 if infinite else q
    angle = _PI_4 * far + (q + (q * _atan_tail(q * q) + _PI_4_LOW * far))
    angle = _PI_2 - (angle - _PI_2_LOW) if steep else angle
    angle = _PI - (angle - _PI_LOW) if to_bits(x) < 0 else angle
    return copysign(angle, y) if angle == angle else angle


@inlined
def _atan_tail(z: float) -> float:
    """(atan(q) - q) / q for z = q**2, abs(q) <= tan(pi/8); relative to atan(q)/q the error is 2**-64."""
    w = z * z
    w2 = w * w
    a = fma(
        w,
        fma(z, 1.11111110883329228e-01, -1.42857142853904967e-01),
        fma(z, 1.99999999999976891e-01, -3.33333333333333259e-01),
    )
    b = fma(
        w,
        fma(z, 5.87704012885926635e-02, -6.66622862828556290e-02),
        fma(z, 7.69228288529664739e-02, -9.09090815012695841e-02),
    )
    c = fma(
        w,
        fma(z, 1.52065326180414427e-02, -3.34856514371417516e-02),
        fma(z, 4.50402988641777427e-02, -5.21852246310270315e-02),
    )
    return z * fma(w2, fma(w2, c, b), a)


@inlined
def _exponent(x: float, y: float) -> int:
    """A power of two e, abs(e) <= 1000, that brings max(|x|, |y|) near 1 as m * 2**-e."""
    e = shift_right(to_bits(max(abs(x), abs(y))), 52) - 1023
    e = 1000 if e > 1000 else e
    return -1000 if e < -1000 else e


@inlined
def _two_to(e: int) -> float:
    """2.0**e for abs(e) <= 1022."""
    return from_bits(shift_left(e + 1023, 52))


@inlined
def cmul(a: float, b: float, c: float, d: float) -> Pair:
    """(a + ib) (c + id)."""
    return a * c - b * d, a * d + b * c


@inlined
def cdiv(a: float, b: float, c: float, d: float) -> Pair:
    """(a + ib) / (c + id); the divisor is scaled, so its square neither overflows nor underflows."""
    scale = _two_to(-_exponent(c, d))
    cs, ds = c * scale, d * scale
    inverse = scale / (cs * cs + ds * ds)
    return (a * cs + b * ds) * inverse, (b * cs - a * ds) * inverse


@inlined
def cexp(x: float, y: float) -> Pair:
    """exp(x + iy)."""
    v, one, other = exp_parts(x, 0.0)
    s, c = sincos(y)
    return fma(c, v, c) * one * other, fma(s, v, s) * one * other


@inlined
def clog(x: float, y: float) -> Pair:
    """log(x + iy), principal branch; the real part is accurate also where the modulus is near 1."""
    e = _exponent(x, y)
    scale = _two_to(-e)
    a, a_low = two_square(max(abs(x), abs(y)) * scale)
    b, b_low = two_square(min(abs(x), abs(y)) * scale)
    u = a + b  # |z|**2, and what its rounding lost
    lost = (b - (u - a)) + (a_low + b_low)
    k, f = log_split(u)
    size = log_edges(u, log_join(k + 2.0 * e, f, lost / u))
    size = x + y if (x != x) | (y != y) else size
    size = _INF if (abs(x) == _INF) | (abs(y) == _INF) else size
    return 0.5 * size, atan2(y, x)


@inlined
def csqrt(x: float, y: float) -> Pair:
    """Square root of x + iy with real part >= 0; the imaginary part has the sign of y."""
    half = shift_right(_exponent(x, y) + 2048, 1) - 1024  # floor(e / 2)
    scale = _two_to(-2 * half)
    xs, ys = abs(x) * scale, abs(y) * scale
    t = sqrt(0.5 * (xs + sqrt(xs * xs + ys * ys)))
    other = ys / (2.0 * t if t > 0.0 else 1.0)
    t, other = t * _two_to(half), other * _two_to(half)
    t = x + y if (x != x) | (y != y) else t
    other = x + y if (x != x) | (y != y) else other
    t = _INF if abs(y) == _INF else t
    other = _INF if abs(y) == _INF else other
    positive = x >= 0.0
    return (t if positive else other), copysign(other if positive else t, y)
