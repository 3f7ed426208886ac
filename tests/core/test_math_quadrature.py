"""Quadrature rules against exact integrals."""

from __future__ import annotations

import math

import numpy as np
import pytest

from research.core.math.quadrature import gauss_legendre, tanh_sinh


def rule(n: int) -> tuple[np.ndarray, np.ndarray]:
    node, weight = np.empty(n), np.empty(n)
    gauss_legendre(node, weight)
    return node, weight


@pytest.mark.parametrize("n", [1, 2, 3, 8, 33, 64, 200])
def test_nodes_and_weights_agree_with_numpy(n: int) -> None:
    node, weight = rule(n)
    wanted_node, wanted_weight = np.polynomial.legendre.leggauss(n)
    assert np.allclose(node, wanted_node, rtol=0.0, atol=1e-15)
    assert np.allclose(weight, wanted_weight, rtol=3e-11, atol=0.0)  # NumPy's own error at n = 200 is 2e-11


@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="long double is no longer than double here")
@pytest.mark.parametrize("n", [8, 33, 200])
def test_weights_keep_their_digits_at_the_ends(n: int) -> None:
    """One more Newton step and the weight in long double."""
    node, weight = rule(n)
    x = node.astype(np.longdouble)
    for _ in range(2):
        previous, value = np.ones_like(x), x
        for k in range(2, n + 1):
            previous, value = value, ((2 * k - 1) * x * value - (k - 1) * previous) / k
        slope = n * (x * value - previous) / (x * x - 1)
        x = x - value / slope
    exact = 2 / ((1 - x * x) * slope * slope)
    assert np.allclose((weight / exact).astype(np.float64), 1.0, rtol=0.0, atol=1e-13)


@pytest.mark.parametrize("n", [1, 4, 9])
def test_rule_is_exact_up_to_degree_2n_minus_1(n: int) -> None:
    node, weight = rule(n)
    for degree in range(2 * n):
        exact = 0.0 if degree % 2 else 2.0 / (degree + 1)
        assert float((weight * node**degree).sum()) == pytest.approx(exact, abs=1e-15)
    assert abs((weight * node ** (2 * n)).sum() - 2.0 / (2 * n + 1)) > 1e-6  # and no further


def test_nodes_are_symmetric_to_the_bit() -> None:
    node, weight = rule(31)
    assert np.array_equal(node, -node[::-1]) and np.array_equal(weight, weight[::-1])
    assert np.all(np.diff(node) > 0.0)


def test_tanh_sinh_takes_singular_ends() -> None:
    distance, weight = np.empty(129), np.empty(129)
    tanh_sinh(distance, weight)
    assert weight.sum() == pytest.approx(2.0, abs=1e-15)
    assert (weight * np.log(distance * (2.0 - distance))).sum() == pytest.approx(4.0 * math.log(2.0) - 4.0, abs=1e-14)
    inverse_root = (weight / np.sqrt(distance * (2.0 - distance))).sum()
    assert inverse_root == pytest.approx(math.pi, abs=1e-12)  # 1 / sqrt(1 - x**2)
