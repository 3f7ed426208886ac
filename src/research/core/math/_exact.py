"""Sums and products with their rounding error, from + - * alone (Dekker 1971, Knuth)."""

from __future__ import annotations

from research.core._jit import inlined

Pair = tuple[float, float]

_SPLIT = 134217729.0  # 2**27 + 1


@inlined
def two_sum(a: float, b: float) -> Pair:
    """a + b as rounded sum and exact error."""
    total = a + b
    back = total - a
    return total, (a - (total - back)) + (b - back)


@inlined
def _halves(x: float) -> Pair:
    """x as a sum of two numbers of 26 bits (Veltkamp), for abs(x) < 1e300."""
    c = _SPLIT * x
    high = c - (c - x)
    return high, x - high


@inlined
def two_product(a: float, b: float) -> Pair:
    """a * b as rounded product and exact error, for factors and products between 1e-140 and 1e300 in size."""
    product = a * b
    ah, al = _halves(a)
    bh, bl = _halves(b)
    return product, ((ah * bh - product) + ah * bl + al * bh) + al * bl


@inlined
def two_square(x: float) -> Pair:
    """x * x as rounded square and exact error, for 1e-145 < abs(x) < 1e150."""
    square = x * x
    high, low = _halves(x)
    return square, ((high * high - square) + 2.0 * high * low) + low * low
