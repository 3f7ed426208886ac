"""Elementary functions without libm and without branches, so that LLVM vectorises the loop that calls them.

Only + - * /, comparisons that become selects, and integer operations on the bits: every x86-64 CPU gives the
same bits, scalar or vector. Polynomials are minimax fits (Remez, 60 digits) of the function minus its leading terms.

| function | range | largest error seen, ulp |
|---|---|---|
| exp | all; overflow gives inf, underflow goes through the denormals to 0 | 0.8 |
| log | x < 0 and nan give nan, 0 gives -inf, inf gives inf, denormals are exact arguments | 0.9 |
| sin, cos, sincos | abs(x) <= 2**28; nan beyond | 0.8 |

References
----------
Cody, Waite (1980), Software Manual for the Elementary Functions; Muller (2016), Elementary Functions, 3rd ed.
"""

from __future__ import annotations

from research.core._jit import inlined
from research.core.math._bits import from_bits, shift_left, shift_right, to_bits

_INF = float("inf")
_NAN = float("nan")
_ROUND = 6755399441055744.0  # 1.5 * 2**52: adding it rounds to an integer, which then stands in the low bits
_LOG2E = 1.4426950408889634
_LN2_HI = 0.6931471805592082  # 40 bits: times an exponent it is exact
_LN2_LO = 7.371002565167799e-13
_MIN_NORMAL = 2.2250738585072014e-308
_TWO54 = 18014398509481984.0
_ONE_BITS = 0x3FF0000000000000
_SQRT_HALF_BITS = 0x3FE6A09E667F3BCD
_MANTISSA = 0x000FFFFFFFFFFFFF
_ROUND_BITS = 0x4338000000000000

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
    a = 5.0e-01 + r * 1.66666666666666824e-01
    b = 4.16666666666660954e-02 + r * 8.33333333331703723e-03
    c = 1.38888888891158346e-03 + r * 1.98412698963789866e-04
    d = 2.48015869262913125e-05 + r * 2.75572348652808015e-06
    e = 2.75575820931273564e-07 + r * 2.51120360447707189e-08
    return (a + r2 * b) + r4 * ((c + r2 * d) + r4 * (e + r2 * 2.08265632271712377e-09))


@inlined
def exp_parts(x: float, low: float) -> tuple[float, float, float]:
    """exp(x + low) as (1 + v) * one * other, `one` and `other` powers of two; `low` is a small correction to x.

    A caller multiplies q * (1 + v) as q + q * v, which saves a rounding.
    """
    x = 710.0 if x > 710.0 else x  # a nan passes through
    x = -746.0 if x < -746.0 else x
    k = (x * _LOG2E + _ROUND) - _ROUND
    high = x - k * _LN2_HI  # exact
    correction = k * _LN2_LO - low
    r = high - correction
    v = r + (r * r * _exp_tail(r) + ((high - r) - correction))
    half = (0.5 * k + _ROUND) - _ROUND  # 2**k in two factors: no overflow before the result overflows
    one = from_bits(shift_left(to_bits(half + _ROUND) + 1023, 52))
    other = from_bits(shift_left(to_bits((k - half) + _ROUND) + 1023, 52))
    return v, one, other


@inlined
def exp(x: float) -> float:
    """e**x."""
    v, one, other = exp_parts(x, 0.0)
    return (1.0 + v) * one * other


@inlined
def log(x: float) -> float:
    """Natural logarithm."""
    tiny = x < _MIN_NORMAL
    scaled = x * _TWO54 if tiny else x
    bits = to_bits(scaled) + (_ONE_BITS - _SQRT_HALF_BITS)
    k = from_bits(shift_right(bits, 52) | _ROUND_BITS) - (_ROUND + 1023.0)
    k = k - 54.0 if tiny else k
    f = from_bits((bits & _MANTISSA) + _SQRT_HALF_BITS) - 1.0  # x = 2**k (1 + f), sqrt(1/2) <= 1 + f < sqrt(2)
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    odd = 6.66666666666673402e-01 + w * (
        2.85714287423223079e-01 + w * (1.81835643676606901e-01 + w * 1.47960608322542236e-01)
    )
    even = 3.99999999994150979e-01 + w * (2.22221985762712571e-01 + w * 1.53140443522071984e-01)
    series = z * (odd + z * even)
    half = 0.5 * f * f  # log(1 + f) = f - half + s (half + series): the leading terms carry no rounding of s
    y = k * _LN2_HI - ((half - (s * (half + series) + k * _LN2_LO)) - f)
    y = -_INF if x == 0.0 else y
    y = _NAN if x < 0.0 else y
    y = x if x == _INF else y
    return x if x != x else y


@inlined
def sincos(x: float) -> tuple[float, float]:
    """(sin x, cos x), the price of one range reduction."""
    x = _NAN if abs(x) > _TRIG_MAX else x
    shifted = x * _TWO_OVER_PI + _ROUND
    n = shifted - _ROUND
    quadrant = to_bits(shifted)
    a = (x - n * _PIO2_1) - n * _PIO2_2  # both products and both differences are exact
    b = n * _PIO2_3
    r = a - b
    low = ((a - r) - b) - n * _PIO2_4
    r_low = low
    z = r * r
    tail = 8.33333333332242875e-03 + z * (
        -1.98412698298176197e-04
        + z * (2.75573136946494688e-06 + z * (-2.50507584508401082e-08 + z * 1.58968106231778980e-10))
    )
    v = z * r
    s = r - ((z * (0.5 * r_low - v * tail) - r_low) - v * -1.66666666666666324e-01)
    tail = 4.16666666666666019e-02 + z * (
        -1.38888888888741291e-03
        + z
        * (
            2.48015872894842714e-05
            + z * (-2.75573143527359634e-07 + z * (2.08757233079889755e-09 + z * -1.13596488286980548e-11))
        )
    )
    half = 0.5 * z
    w = 1.0 - half
    c = w + (((1.0 - w) - half) + (z * (z * tail) - r * r_low))
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
