"""Elementary functions without libm and without branches, so that LLVM vectorises the loop that calls them.

Only + - * /, the fused a * b + c (`_fused`), comparisons that become selects, and integer operations on the bits:
every x86-64 CPU gives the same bits, scalar or vector. Polynomials are minimax fits (Remez, 60 digits) of the function
minus its leading terms.

Largest errors seen against 60 digits, in ulp of the result (tests/core/test_math_elementary.py):

| function | range and special values | error |
|---|---|---|
| exp | all; overflow gives inf, underflow goes through the denormals to 0 | 1.0 |
| expm1 | all; -1 far left | 1.1 |
| log | below 0 nan, at 0 -inf, at inf inf; denormals are exact arguments | 0.9 |
| log1p | below -1 nan, at -1 -inf | 0.9 |
| log_ratio | 0 < low <= high | 1.6 |
| power | as C pow, 0 ** negative is inf with the sign of an odd power | 1.0 |
| sin, cos, sincos | abs(x) <= 2**28; nan beyond | 0.8 |
| sinh, cosh, tanh | all | 2.0, 1.3, 2.5 |

nan in gives nan out (but nan ** 0 = 1 ** nan = 1, as in C). A result below 2.2e-308 may be rounded twice:
1 ulp of the denormal.

References
----------
Cody, Waite (1980), Software Manual for the Elementary Functions; Muller (2016), Elementary Functions, 3rd ed.
"""

from __future__ import annotations

from research.core._jit import inlined
from research.core.math._bits import copysign, from_bits, shift_left, shift_right, to_bits
from research.core.math._exact import two_product, two_square, two_sum
from research.core.math._fused import fma

_INF = float("inf")
_NAN = float("nan")
_ROUND = 6755399441055744.0  # 1.5 * 2**52: adding it rounds to an integer, which then stands in the low bits
_LOG2E = 1.4426950408889634
_LN2_HI = 0.6931471805592082  # 40 bits: times an exponent it is exact
_LN2_LO = 7.371002565167799e-13
_TWO_THIRDS = 0.6666666666666666
_TWO_THIRDS_LOW = 3.700743415417188e-17
_TWO52 = 4503599627370496.0
_LOG_13 = 1.47960608322542236e-01
_ATANH_15 = 1.32070800820693640e-01
_ATANH_17 = 1.36291107218612678e-01
_MIN_NORMAL = 2.2250738585072014e-308
_TWO54 = 18014398509481984.0
_ONE_BITS = 0x3FF0000000000000
_SQRT_HALF_BITS = 0x3FE6A09E667F3BCD
_MANTISSA = 0x000FFFFFFFFFFFFF
_EXPONENT = 0x7FF0000000000000
_ROUND_BITS = 0x4338000000000000
_HALF_STEP = 0x0008000000000000

_TWO_OVER_PI = 0.6366197723675814
_PIO2_1 = 1.5707963109016418  # pi/2 in three parts of 25 bits and one of 53
_PIO2_2 = 1.5893254712295857e-08
_PIO2_3 = 6.123233932053594e-17
_PIO2_4 = 6.36831716351095e-25
_TRIG_MAX = 268435456.0  # 2**28


@inlined
def _exp_tail(r: float) -> float:
    """(e^r - 1 - r) / r^2 for abs(r) <= ln(2)/2; relative to e^r the error is 2**-64."""
    r2 = r * r
    r4 = r2 * r2
    a = fma(r, 1.66666666666666824e-01, 5.0e-01)
    b = fma(r, 8.33333333331703723e-03, 4.16666666666660954e-02)
    c = fma(r, 1.98412698963789866e-04, 1.38888888891158346e-03)
    d = fma(r, 2.75572348652808015e-06, 2.48015869262913125e-05)
    e = fma(r, 2.51120360447707189e-08, 2.75575820931273564e-07)
    return fma(r4, fma(r4, fma(r2, 2.08265632271712377e-09, e), fma(r2, d, c)), fma(r2, b, a))


@inlined
def _two_factors(k: float) -> tuple[float, float]:
    """2**k in two factors, so that nothing overflows before the result does; k whole, abs(k) <= 2100."""
    whole, half = to_bits(k + _ROUND), to_bits(fma(0.5, k, _ROUND))
    return from_bits(shift_left(half + 1023, 52)), from_bits(shift_left((whole - half) + 1023, 52))


@inlined
def exp_parts(x: float, low: float) -> tuple[float, float, float]:
    """exp(x + low) as (1 + v) * one * other, `one` and `other` powers of two; `low` is a small correction to x.

    A caller multiplies q * (1 + v) as q + q * v, which saves a rounding.
    """
    x = 1400.0 if x > 1400.0 else x  # a nan passes through
    x = -1400.0 if x < -1400.0 else x
    k = fma(x, _LOG2E, _ROUND) - _ROUND
    high = fma(-k, _LN2_HI, x)  # exact
    correction = fma(k, _LN2_LO, -low)
    r = high - correction
    v = r + fma(r * r, _exp_tail(r), (high - r) - correction)
    one, other = _two_factors(k)
    return v, one, other


@inlined
def exp(x: float) -> float:
    """e**x."""
    x = 1400.0 if x > 1400.0 else x  # a nan passes through
    x = -1400.0 if x < -1400.0 else x
    k = fma(x, _LOG2E, _ROUND) - _ROUND
    r = fma(-k, _LN2_LO, fma(-k, _LN2_HI, x))
    one, other = _two_factors(k)
    return fma(fma(r * r, _exp_tail(r), r), one, one) * other


@inlined
def expm1(x: float) -> float:
    """e**x - 1, without cancellation near 0."""
    bounded = 710.0 if x > 710.0 else x
    bounded = -60.0 if bounded < -60.0 else bounded
    k = fma(bounded, _LOG2E, _ROUND) - _ROUND
    high = fma(-k, _LN2_HI, bounded)
    correction = k * _LN2_LO
    r = high - correction
    tail = fma(r * r, _exp_tail(r), (high - r) - correction)  # e^r - 1 = r + tail
    huge = k > 1000.0
    k = k - 1.0 if huge else k
    scale = from_bits(shift_left(to_bits(k + _ROUND) + 1023, 52))
    total, lost = two_sum(scale - 1.0, scale * r)
    y = total + fma(scale, tail, lost)
    y = y * 2.0 if huge else y  # there the -1 has long been rounded away
    y = x if abs(x) < 1e-300 else y  # keeps the sign of zero
    return x if x != x else y


@inlined
def log_split(x: float) -> tuple[float, float]:
    """(k, f) with x = 2**k (1 + f) exactly and sqrt(1/2) <= 1 + f < sqrt(2), for 0 < x < inf."""
    tiny = x < _MIN_NORMAL
    bits = to_bits(x * _TWO54 if tiny else x) + (_ONE_BITS - _SQRT_HALF_BITS)
    k = from_bits(shift_right(bits, 52) | _ROUND_BITS) - (_ROUND + 1023.0)
    f = from_bits((bits & _MANTISSA) + _SQRT_HALF_BITS) - 1.0
    return (k - 54.0 if tiny else k), f


@inlined
def log_join(k: float, f: float, low: float) -> float:
    """k ln(2) + log(1 + f) + low, for a small correction `low`; f as from `log_split`."""
    return log_series(k, f, f / (2.0 + f), low)


@inlined
def log_series(k: float, f: float, s: float, low: float) -> float:
    """As `log_join`, with s = f / (2 + f) from a division that serves others too."""
    z = s * s
    w = z * z
    odd = fma(w, fma(w, fma(w, _LOG_13, 1.81835643676606901e-01), 2.85714287423223079e-01), 6.66666666666673402e-01)
    even = fma(w, fma(w, 1.53140443522071984e-01, 2.22221985762712571e-01), 3.99999999994150979e-01)
    half = 0.5 * f * f  # log(1 + f) = f - half + s (half + series): the leading terms carry no rounding of s
    small = fma(s, fma(z, fma(z, even, odd), half), fma(k, _LN2_LO, low))
    return fma(k, _LN2_HI, f - (half - small))


@inlined
def log_edges(x: float, y: float) -> float:
    """y = log(x) mended where x is 0, negative, infinite or nan."""
    y = -_INF if x == 0.0 else y
    y = _NAN if x < 0.0 else y
    y = x if x == _INF else y
    return x if x != x else y


@inlined
def log(x: float) -> float:
    """Natural logarithm."""
    k, f = log_split(x)
    return log_edges(x, log_join(k, f, 0.0))


@inlined
def ratio_split(low: float, high: float) -> tuple[float, float, float]:
    """(k, a - b, a + b) with high / low = 2**k a / b, 1 <= a < 2 and a / b in [2/3, 3/2]; 0 < low <= high, both normal.

    The difference of the bits is the binary logarithm within 0.09; a - b is exact but for one rounding.
    """
    top, bottom = to_bits(high), to_bits(low)
    n = shift_right((top - bottom) + _HALF_STEP, 52)
    shift = (top & _EXPONENT) - _ONE_BITS
    a, b = from_bits(top - shift), from_bits((bottom + shift_left(n, 52)) - shift)
    return from_bits(n | _ROUND_BITS) - _ROUND, a - b, a + b


@inlined
def ratio_join(k: float, s: float) -> float:
    """k ln(2) + log((1 + s) / (1 - s)), for abs(s) <= 1/5 and of the sign of k where that is not 0."""
    z = s * s
    w = z * z
    odd = fma(w, fma(w, fma(w, _ATANH_15, 1.81817342464003218e-01), 2.85714285670146173e-01), 6.66666666666666630e-01)
    even = fma(w, fma(w, fma(w, _ATANH_17, 1.53890021251657294e-01), 2.22222230916411412e-01), 4.00000000000085232e-01)
    return fma(k, _LN2_HI, fma(2.0, s, fma(s, z * fma(z, even, odd), k * _LN2_LO)))


@inlined
def log_ratio(low: float, high: float) -> float:
    """log(high / low) for 0 < low <= high, without cancellation near 0 and with one division.

    Both normal, high / low < 2**1000.
    """
    k, difference, total = ratio_split(low, high)
    return ratio_join(k, difference / total)


@inlined
def log1p(x: float) -> float:
    """log(1 + x), without cancellation near 0."""
    u = 1.0 + x
    lost = (1.0 - (u - x)) if x >= 1.0 else (x - (u - 1.0))  # exactly what rounding took from u
    k, f = log_split(u)
    y = log_edges(u, log_join(k, f, lost / u))
    return x if abs(x) < 1e-300 else y  # keeps the sign of zero


@inlined
def _log_long(x: float) -> tuple[float, float]:
    """log(x) as high + low for 0 < x < inf; the pair is good to 2**-65 relative."""
    k, f = log_split(x)
    d, d_low = two_sum(2.0, f)
    s = f / d
    back, back_low = two_product(s, d)
    s_low = (((f - back) - back_low) - s * d_low) / d
    z, z_low = two_square(s)
    z_low += 2.0 * s * s_low
    cube, cube_low = two_product(s, z)
    cube_low += s * z_low + s_low * z
    third, third_low = two_product(cube, _TWO_THIRDS)
    third_low += cube_low * _TWO_THIRDS + cube * _TWO_THIRDS_LOW
    w = z * z
    odd = fma(w, 1.19889910949435047e-01, 1.33363168262770643e-01)
    odd = fma(w, fma(w, odd, 1.81818188698236904e-01), 2.85714285714450844e-01)
    even = fma(w, 1.16748253711838862e-01, 1.53845568945397138e-01)
    even = fma(w, fma(w, even, 2.22222222175418954e-01), 3.99999999999999800e-01)
    rest = cube * z * fma(z, odd, even)
    high, a = two_sum(k * _LN2_HI, 2.0 * s)
    high, b = two_sum(high, third)
    low = (a + b) + (2.0 * s_low + (third_low + (rest + k * _LN2_LO)))
    total = high + low
    return total, low - (total - high)


@inlined
def power(x: float, y: float) -> float:
    """x ** y as in C: negative x for whole y only (else nan), anything ** 0 and 1 ** anything are 1."""
    size = abs(x)
    positive = (size > 0.0) & (size < _INF)
    log_high, log_low = _log_long(size if positive else 2.0)
    log_high = (-_INF if size == 0.0 else _INF) if not positive else log_high
    high, low = two_product(y, log_high)
    low = low + y * log_low if abs(high) < 1400.0 else 0.0
    v, one, other = exp_parts(high, low)
    result = (1.0 + v) * one * other
    t = abs(y)  # whole? odd?
    whole = ((t + _TWO52) - _TWO52 == t) | (t >= _TWO52)
    half = 0.5 * t
    odd = whole & (t < 2.0 * _TWO52) & ((half + _TWO52) - _TWO52 != half)
    result = -result if odd & (to_bits(x) < 0) else result
    result = _NAN if (x < 0.0) & (x > -_INF) & (not whole) else result
    result = x + y if (x != x) | (y != y) else result
    return 1.0 if (y == 0.0) | (x == 1.0) | ((x == -1.0) & (t == _INF)) else result


@inlined
def cosh(x: float) -> float:
    """Hyperbolic cosine."""
    v, one, other = exp_parts(abs(x), 0.0)
    half = fma(0.5, v, 0.5) * one * other
    return half + 0.25 / half


@inlined
def sinh(x: float) -> float:
    """Hyperbolic sine, without cancellation near 0."""
    a = abs(x)
    v, one, other = exp_parts(a, 0.0)
    e = expm1(a)
    y = 0.5 * (e + e / (1.0 + e)) if a < 20.0 else fma(0.5, v, 0.5) * one * other
    return copysign(y, x)


@inlined
def tanh(x: float) -> float:
    """Hyperbolic tangent, without cancellation near 0."""
    e = expm1(2.0 * abs(x))
    y = e / (e + 2.0) if e < 2.0 else 1.0 - 2.0 / (e + 2.0)
    return copysign(y, x)


@inlined
def sin_tail(z: float) -> float:
    """(sin(r) - r + r^3 / 6) / r^5 for z = r^2, abs(r) <= pi / 4."""
    w = z * z
    a = fma(z, -1.98412698298176197e-04, 8.33333333332242875e-03)
    return fma(w, fma(w, 1.58968106231778980e-10, fma(z, -2.50507584508401082e-08, 2.75573136946494688e-06)), a)


@inlined
def cos_tail(z: float) -> float:
    """(cos(r) - 1 + r^2 / 2) / r^4 for z = r^2, abs(r) <= pi / 4."""
    w = z * z
    a = fma(z, -1.38888888888741291e-03, 4.16666666666666019e-02)
    b = fma(z, -2.75573143527359634e-07, 2.48015872894842714e-05)
    c = fma(z, -1.13596488286980548e-11, 2.08757233079889755e-09)
    return fma(w, fma(w, c, b), a)


@inlined
def sincos(x: float) -> tuple[float, float]:
    """(sin x, cos x), the price of one range reduction."""
    x = _NAN if abs(x) > _TRIG_MAX else x
    shifted = fma(x, _TWO_OVER_PI, _ROUND)
    n = shifted - _ROUND
    quadrant = to_bits(shifted)
    a = fma(-n, _PIO2_2, fma(-n, _PIO2_1, x))  # both are exact
    b = n * _PIO2_3
    r = a - b
    low = fma(-n, _PIO2_4, (a - r) - b)
    z = r * r
    v = z * r
    s = r - fma(v, 1.66666666666666324e-01, fma(z, fma(-v, sin_tail(z), 0.5 * low), -low))
    half = 0.5 * z
    one = 1.0 - half
    c = one + (((1.0 - one) - half) + fma(z * z, cos_tail(z), -(r * low)))
    swap = (quadrant & 1) != 0
    sine = c if swap else s
    cosine = s if swap else c
    sine = -sine if (quadrant & 2) != 0 else sine
    cosine = -cosine if ((quadrant + 1) & 2) != 0 else cosine
    return sine, cosine


@inlined
def sin(x: float) -> float:
    """Sine."""
    return sincos(x)[0]


@inlined
def cos(x: float) -> float:
    """Cosine."""
    return sincos(x)[1]
