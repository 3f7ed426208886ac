"""The normal distribution: density, distribution function and what implied volatility needs of it.

One quotient of polynomials carries everything: m(x) = exp(x**2 / 2) Phi(-x) = phi(0) b(x) / (x b(x) + a(x)), in the
form of Laplace's continued fraction, a and b of degrees 9 and 10 with positive coefficients, so nothing cancels. It
meets m at 0 and at the roots of a Chebyshev polynomial of (x - 3.4) / (x + 3.4), which covers 0 <= x < infinity (made
with 70 digits; error 5e-17 with its rounded coefficients). The square in exp(-x**2 / 2) is carried to twice the
precision, so the left tail keeps its digits down to the smallest normal number.

| function | largest error seen (tests/core/test_math_accuracy.py) |
|---|---|
| norm_pdf | 1.0 ulp |
| norm_cdf | 3.4 ulp, -37.5 <= x |
| mills | 2.8 ulp, 0 <= x |
| mills_pair | 3.8 ulp, 0 <= x < 1e13 |
| erfc, erfcx | 3 ulp |
| norm_ppf | 2.5 ulp |

References
----------
Cody (1969), Rational Chebyshev approximations for the error function, Math. Comp. 23, 631-637.
Wichura (1988), Algorithm AS 241: the percentage points of the normal distribution, Appl. Statist. 37, 477-484.
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from research.arrays import Float1D
from research.core._jit import inlined
from research.core.math._exact import two_square
from research.core.math._fused import fma
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
def _mills_parts(x: float) -> Pair:
    """`mills` as a quotient, for 0 <= x < 1e25: phi(0) b / (x b + a), where the rounding of b cancels far out."""
    a = fma(x, 1.2459531626513382e-06, 3.613972868493055e-05)
    a = fma(x, a, 0.0005177302308870573)
    a = fma(x, a, 0.004742856445844363)
    a = fma(x, a, 0.03042269975380195)
    a = fma(x, a, 0.14142961198843204)
    a = fma(x, a, 0.477482709775155)
    a = fma(x, a, 1.136404587037058)
    a = fma(x, a, 1.7533658286114955)
    a = fma(x, a, 1.3755447128611995)
    b = fma(x, 1.2459531626523229e-06, 3.613972868446946e-05)
    b = fma(x, b, 0.0005202221372948484)
    b = fma(x, b, 0.004815135895619075)
    b = fma(x, b, 0.03145068491720254)
    b = fma(x, b, 0.1506984710701171)
    b = fma(x, b, 0.5352744592799306)
    b = fma(x, b, 1.3923167917418016)
    b = fma(x, b, 2.5471388427432085)
    b = fma(x, b, 2.9826740503280056)
    b = fma(x, b, 1.7239896351385318)
    return _INV_SQRT_2PI * b, fma(x, b, a)


@inlined
def mills(x: float) -> float:
    """exp(x**2 / 2) Phi(-x) for x >= 0: Mills' ratio times the density at 0. Falls as 1/x; 0 at infinity."""
    far = x > 1e20
    top, bottom = _mills_parts(x)
    return (_INV_SQRT_2PI if far else top) / (x if far else bottom)


@inlined
def mills_pair(x: float, y: float) -> Pair:
    """(mills(x), mills(y)) with one division: a rounding or two less exact than `mills`; x, y < 1e13."""
    a, b = _mills_parts(x)
    c, d = _mills_parts(y)
    inverse = 1.0 / (b * d)
    return a * (inverse * d), c * (inverse * b)


@inlined
def norm_pdf(x: float) -> float:
    """Standard normal density; 0 beyond abs(x) = 38.6."""
    x = 40.0 if x > 40.0 else x
    x = -40.0 if x < -40.0 else x
    high, low = two_square(x)
    v, one, other = exp_parts(-0.5 * high, -0.5 * low)
    return fma(_INV_SQRT_2PI, v + _INV_SQRT_2PI_LOW, _INV_SQRT_2PI) * one * other


@inlined
def norm_cdf(x: float) -> float:
    """Standard normal distribution function, with full relative precision in the left tail."""
    a = abs(x)
    a = 40.0 if a > 40.0 else a
    high, low = two_square(a)
    v, one, other = exp_parts(-0.5 * high, -0.5 * low)
    q = mills(a)
    tail = fma(q, v, q) * one * other
    return 1.0 - tail if x > 0.0 else tail


@inlined
def erfc(x: float) -> float:
    """Complementary error function, with full relative precision in the right tail."""
    a = abs(x)
    a = 30.0 if a > 30.0 else a
    high, low = two_square(a)
    v, one, other = exp_parts(-high, -low)
    q = 2.0 * mills(a * _SQRT2)
    tail = fma(q, v, q) * one * other
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
    top = fma(top, u, 37461.15127648592)
    top = fma(top, u, 87558.78351569026)
    top = fma(top, u, 62923.23417467678)
    top = fma(top, u, 19259.80115037159)
    top = fma(top, u, 2800.2776236561367)
    top = fma(top, u, 190.57839223908078)
    top = fma(top, u, 4.874765941399953)
    bottom = 20362.759899278215
    bottom = fma(bottom, u, 69025.38165292867)
    bottom = fma(bottom, u, 70701.50990921928)
    bottom = fma(bottom, u, 31375.96058120813)
    bottom = fma(bottom, u, 6931.271590585176)
    bottom = fma(bottom, u, 794.75565626101)
    bottom = fma(bottom, u, 45.11919838314787)
    bottom = fma(bottom, u, 1.0)
    return top, bottom


@inlined
def _ppf_tail(y: float) -> Pair:
    """w - abs(x) as a quotient, for w = y + 2.25 = sqrt(-2 log(p)) <= 38.7; error 2e-17 of x."""
    top = 1.045352479292659e-14
    top = fma(top, y, 9.342015746185379e-11)
    top = fma(top, y, 3.299080988895178e-08)
    top = fma(top, y, 3.2948571145640537e-06)
    top = fma(top, y, 0.00013390681562155458)
    top = fma(top, y, 0.0026381675639237587)
    top = fma(top, y, 0.02806044437758683)
    top = fma(top, y, 0.171368913442637)
    top = fma(top, y, 0.602116409628357)
    top = fma(top, y, 1.11911645827414)
    top = fma(top, y, 0.8419592959009243)
    bottom = 1.16984597784865e-11
    bottom = fma(bottom, y, 5.28871988269198e-09)
    bottom = fma(bottom, y, 6.425532731288513e-07)
    bottom = fma(bottom, y, 3.1551301581982135e-05)
    bottom = fma(bottom, y, 0.0007574168958651503)
    bottom = fma(bottom, y, 0.009982721989066787)
    bottom = fma(bottom, y, 0.07766712040363949)
    bottom = fma(bottom, y, 0.36726718467261027)
    bottom = fma(bottom, y, 1.033011610595998)
    bottom = fma(bottom, y, 1.5775761263764168)
    bottom = fma(bottom, y, 1.0)
    return top, bottom


@inlined
def _ppf_central(q: float) -> float:
    """x for p = 1/2 + q, abs(q) <= 0.4225."""
    square = q * q
    top, bottom = _ppf_centre(0.180625 - square)
    return fma(q, _SQRT_2PI, q * (square * top) / bottom)


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
