"""The normal distribution: density, distribution function and what implied volatility needs of it.

One polynomial of degree 24 carries everything: (1 + x) exp(x**2 / 2) Phi(-x), as a function of
t = (x - 5) / (x + 5) on [-1, 1), which covers 0 <= x < infinity (the mapping of Schonfelder 1978; coefficients
from a 50-digit Chebyshev expansion, error 1e-17). The square in exp(-x**2 / 2) is carried to twice the
precision, so the left tail keeps its digits down to the smallest normal number.

| function | largest error seen (tests/core/test_math_accuracy.py) |
|---|---|
| norm_pdf | 1.0 ulp |
| norm_cdf | 3.2 ulp, -37.5 <= x |
| mills | 3.4 ulp, 0 <= x |
| mills_pair | 4.6 ulp, 0 <= x |
| erfc, erfcx | 4.2 ulp, 4 ulp |
| norm_ppf | 2.5 ulp |

References
----------
Schonfelder (1978), Chebyshev expansions for the error and related functions, Math. Comp. 32, 1232-1240.
Wichura (1988), Algorithm AS 241: the percentage points of the normal distribution, Appl. Statist. 37, 477-484.
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from research.arrays import Float1D
from research.core._jit import inlined
from research.core.math._exact import two_square
from research.core.math.elementary import exp_parts, log_join, log_split

Pair = tuple[float, float]

_INF = float("inf")
_NAN = float("nan")
_INV_SQRT_2PI = 0.3989422804014327
_INV_SQRT_2PI_LOW = -6.247337834861335e-17  # what the constant above lacks, relative
_SQRT2 = 1.4142135623730951
_SQRT_2PI = 2.5066282746310007
_PPF_CENTRE = 0.4225  # abs(p - 1/2) up to which the central formula holds


@inlined
def _scaled_tail(t: float) -> float:
    """(1 + x) exp(x**2 / 2) Phi(-x) with x = 5 (1 + t) / (1 - t); between 0.3989 and 0.5255."""
    t2 = t * t
    t4 = t2 * t2
    t8 = t4 * t4
    a0 = t * -9.15522818340090416e-02 + t2 * (3.10303684259628475e-02 + t * 1.00023523852293822e-02)
    a4 = (-2.64010429662672533e-02 + t * 2.45369632436786521e-02) + t2 * (
        -1.51704154032812240e-02 + t * 6.52200066778389591e-03
    )
    a8 = (-1.67607233716456972e-03 + t * 7.79159740933899899e-06) + t2 * (
        1.82334103076117553e-04 + t * -5.36075811148722023e-05
    )
    a12 = (-9.89594615933473454e-06 + t * 9.05982468125663925e-06) + t2 * (
        -7.07062884631771474e-08 + t * -1.30744860192375865e-06
    )
    a16 = (1.28447971064963391e-07 + t * 1.96278099200911868e-07) + t2 * (
        -2.68820212928021495e-08 + t * -3.09520175580420679e-08
    )
    a20 = (4.02249338216871701e-09 + t * 4.40115962275992543e-09) + t2 * (
        (-4.32729711008209415e-10 + t * -3.81581626263295296e-10) + t2 * 2.50869980169851325e-11
    )
    return 4.61515829850037751e-01 + (
        (a0 + t4 * a4) + t8 * ((a8 + t4 * a12) + t8 * (a16 + t4 * a20))
    )  # one rounding at full size


@inlined
def mills(x: float) -> float:
    """exp(x**2 / 2) Phi(-x) for x >= 0: Mills' ratio times the density at 0. Falls as 1/x; 0 at infinity."""
    return _scaled_tail(1.0 - 10.0 / (x + 5.0)) / (1.0 + x)


@inlined
def mills_pair(x: float, y: float) -> Pair:
    """(mills(x), mills(y)) with one division for four: a rounding or two less exact than `mills`; x y < 1e70."""
    a, b, c, d = x + 5.0, x + 1.0, y + 5.0, y + 1.0
    ab, cd = a * b, c * d
    inverse = 1.0 / (ab * cd)
    by_x, by_y = inverse * cd, inverse * ab
    one = _scaled_tail(1.0 - 10.0 * (b * by_x)) * (a * by_x)
    other = _scaled_tail(1.0 - 10.0 * (d * by_y)) * (c * by_y)
    return one, other


@inlined
def norm_pdf(x: float) -> float:
    """Standard normal density; 0 beyond abs(x) = 38.6."""
    x = 40.0 if x > 40.0 else x
    x = -40.0 if x < -40.0 else x
    high, low = two_square(x)
    v, one, other = exp_parts(-0.5 * high, -0.5 * low)
    return (_INV_SQRT_2PI + _INV_SQRT_2PI * (v + _INV_SQRT_2PI_LOW)) * one * other


@inlined
def norm_cdf(x: float) -> float:
    """Standard normal distribution function, with full relative precision in the left tail."""
    a = abs(x)
    a = 40.0 if a > 40.0 else a
    high, low = two_square(a)
    v, one, other = exp_parts(-0.5 * high, -0.5 * low)
    q = mills(a)
    tail = (q + q * v) * one * other
    return 1.0 - tail if x > 0.0 else tail


@inlined
def erfc(x: float) -> float:
    """Complementary error function, with full relative precision in the right tail."""
    a = abs(x)
    a = 30.0 if a > 30.0 else a
    high, low = two_square(a)
    v, one, other = exp_parts(-high, -low)
    q = 2.0 * mills(a * _SQRT2)
    tail = (q + q * v) * one * other
    return 2.0 - tail if x < 0.0 else tail


@inlined
def erfcx(x: float) -> float:
    """exp(x**2) erfc(x): 1 at 0, 1 / (x sqrt(pi)) far right; overflows to inf below -26.7."""
    a = abs(x)
    scaled = 2.0 * mills(a * _SQRT2)
    bounded = 30.0 if a > 30.0 else a
    high, low = two_square(bounded)
    v, one, other = exp_parts(high, low)
    return 2.0 * (1.0 + v) * one * other - scaled if x < 0.0 else scaled


@inlined
def _ppf_centre(u: float) -> Pair:
    """(x / q - sqrt(2 pi)) / q**2 as a quotient, for q = p - 1/2 and u = 0.180625 - q**2 > 0; error 8e-18 of x."""
    top = 588.3570015832571
    top = top * u + 37461.15127648592
    top = top * u + 87558.78351569026
    top = top * u + 62923.23417467678
    top = top * u + 19259.80115037159
    top = top * u + 2800.2776236561367
    top = top * u + 190.57839223908078
    top = top * u + 4.874765941399953
    bottom = 20362.759899278215
    bottom = bottom * u + 69025.38165292867
    bottom = bottom * u + 70701.50990921928
    bottom = bottom * u + 31375.96058120813
    bottom = bottom * u + 6931.271590585176
    bottom = bottom * u + 794.75565626101
    bottom = bottom * u + 45.11919838314787
    bottom = bottom * u + 1.0
    return top, bottom


@inlined
def _ppf_tail(y: float) -> Pair:
    """w - abs(x) as a quotient, for w = y + 2.25 = sqrt(-2 log(p)) <= 38.7; error 2e-17 of x."""
    top = 1.045352479292659e-14
    top = top * y + 9.342015746185379e-11
    top = top * y + 3.299080988895178e-08
    top = top * y + 3.2948571145640537e-06
    top = top * y + 0.00013390681562155458
    top = top * y + 0.0026381675639237587
    top = top * y + 0.02806044437758683
    top = top * y + 0.171368913442637
    top = top * y + 0.602116409628357
    top = top * y + 1.11911645827414
    top = top * y + 0.8419592959009243
    bottom = 1.16984597784865e-11
    bottom = bottom * y + 5.28871988269198e-09
    bottom = bottom * y + 6.425532731288513e-07
    bottom = bottom * y + 3.1551301581982135e-05
    bottom = bottom * y + 0.0007574168958651503
    bottom = bottom * y + 0.009982721989066787
    bottom = bottom * y + 0.07766712040363949
    bottom = bottom * y + 0.36726718467261027
    bottom = bottom * y + 1.033011610595998
    bottom = bottom * y + 1.5775761263764168
    bottom = bottom * y + 1.0
    return top, bottom


@inlined
def _ppf_central(q: float) -> float:
    """x for p = 1/2 + q, abs(q) <= 0.4225."""
    square = q * q
    top, bottom = _ppf_centre(0.180625 - square)
    return q * _SQRT_2PI + q * (square * top) / bottom


@inlined
def _ppf_outer(p: float) -> float:
    """abs(x) for the smaller tail probability p <= 0.0775."""
    k, f = log_split(p)
    w = sqrt(-2.0 * log_join(k, f, 0.0))
    top, bottom = _ppf_tail(w - 2.25)
    return w - top / bottom


@inlined
def norm_ppf(p: float) -> float:
    """Inverse of `norm_cdf`: -inf at 0, inf at 1, nan outside [0, 1]; takes every p down to the denormals.

    A centre and a tail as in Wichura's AS 241 (1988), but each is a leading term, sqrt(2 pi) q and
    sqrt(-2 log(p)), plus a smaller rational function: fewer roundings at full size, and one tail for all p.
    """
    q = p - 0.5
    outer = p if q < 0.0 else 1.0 - p  # exact
    tail = _ppf_outer(outer)
    tail = _INF if outer == 0.0 else tail
    x = _ppf_central(q) if abs(q) <= _PPF_CENTRE else (-tail if q < 0.0 else tail)
    return x if outer >= 0.0 else _NAN


@inlined
def norm_ppf_row(row: Float1D) -> None:
    """row[i] = norm_ppf(row[i]) in place, same bits, for uniforms inside (0, 1).

    Only 15% of uniforms lie in the tails: they are gathered and done together, so that both loops vectorise.
    """
    where = np.empty(row.size, np.int64)
    tails = np.empty(row.size, np.float64)
    n = 0
    for i in range(row.size):
        where[n] = i
        tails[n] = row[i]
        n += abs(row[i] - 0.5) > _PPF_CENTRE
    for i in range(row.size):
        row[i] = _ppf_central(row[i] - 0.5)
    for i in range(n):
        p = tails[i]
        x = _ppf_outer(p if p < 0.5 else 1.0 - p)
        tails[i] = -x if p < 0.5 else x
    for i in range(n):
        row[where[i]] = tails[i]
