"""Weights of finite differences on a grid of unequal steps, for the engines in one and in two dimensions."""

from __future__ import annotations

from research.arrays import Float1D, Float2D
from research.core._jit import inlined
from research.core.math.elementary import expm1


@inlined
def differences(x: Float1D, d: Float2D) -> None:
    """d[0 .. 2] = weights of the first derivative, d[3 .. 5] of the second; one-sided and 0 at the ends."""
    n = x.size
    for j in range(1, n - 1):
        a, b = x[j] - x[j - 1], x[j + 1] - x[j]
        d[0, j], d[1, j], d[2, j] = -b / (a * (a + b)), (b - a) / (a * b), a / (b * (a + b))
        d[3, j], d[4, j], d[5, j] = 2.0 / (a * (a + b)), -2.0 / (a * b), 2.0 / (b * (a + b))
    a, b = x[1] - x[0], x[n - 1] - x[n - 2]
    d[0, 0], d[1, 0], d[2, 0] = 0.0, -1.0 / a, 1.0 / a
    d[0, n - 1], d[1, n - 1], d[2, n - 1] = -1.0 / b, 1.0 / b, 0.0
    for i in range(3, 6):
        d[i, 0], d[i, n - 1] = 0.0, 0.0


@inlined
def straight_ends(x: Float1D, d: Float2D) -> None:
    """At the ends of a grid in logarithms the first derivative of a line in e^x, exactly: where drift carries values
    in from an end, a straight line in x would leave an error of order 1."""
    n = x.size
    d[2, 0], d[1, n - 1] = 1.0 / expm1(x[1] - x[0]), -1.0 / expm1(x[n - 2] - x[n - 1])
    d[1, 0], d[0, n - 1] = -d[2, 0], -d[1, n - 1]
