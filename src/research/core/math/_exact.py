"""Sums and products with their rounding error (Knuth; the product's by one fused operation)."""

from __future__ import annotations

from research.core._jit import inlined
from research.core.math._fused import fma

Pair = tuple[float, float]


@inlined
def two_sum(a: float, b: float) -> Pair:
    """a + b as rounded sum and exact error."""
    total = a + b
    back = total - a
    return total, (a - (total - back)) + (b - back)


@inlined
def two_product(a: float, b: float) -> Pair:
    """a * b as rounded product and exact error, for products above 1e-290 in size."""
    product = a * b
    return product, fma(a, b, -product)


@inlined
def two_square(x: float) -> Pair:
    """x * x as rounded square and exact error, for abs(x) > 1e-145."""
    square = x * x
    return square, fma(x, x, -square)
