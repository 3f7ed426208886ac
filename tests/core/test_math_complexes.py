"""Branches, symmetries and limits of the complex functions."""

from __future__ import annotations

import cmath
import math
from fractions import Fraction
from typing import Any

import numba
import numpy as np
import pytest

from research.core.math import complexes as c
from research.core.math import elementary as e

INF = math.inf


def points(n: int = 2000) -> tuple[Any, Any]:
    rng = np.random.default_rng(11)
    return rng.normal(size=n) * 3.0, rng.normal(size=n) * 3.0


def both(apply: Any, function: Any, x: Any, y: Any) -> Any:
    return apply(function, x, y, part=0) + 1j * apply(function, x, y, part=1)


def test_each_function_agrees_with_numpy(apply: Any) -> None:
    x, y = points()
    z = x + 1j * y
    for ours, theirs in ((c.cexp, np.exp), (c.clog, np.log), (c.csqrt, np.sqrt)):
        assert np.allclose(both(apply, ours, x, y), theirs(z), rtol=1e-15, atol=1e-15)


@pytest.mark.parametrize(
    ("y", "x"), [(0.0, 1.0), (0.0, -1.0), (0.0, 0.0), (1.0, 0.0), (INF, INF), (INF, 1.0), (1.0, INF), (5e-324, 1.0)]
)
def test_angles_have_the_quadrants_and_signed_zeros_of_c(y: float, x: float, apply: Any) -> None:
    for ys in (y, -y):
        for xs in (x, -x):
            got, wanted = apply(c.atan2, ys, xs), math.atan2(ys, xs)
            assert math.isclose(got, wanted, rel_tol=3e-16, abs_tol=0.0)
            assert math.copysign(1.0, got) == math.copysign(1.0, wanted)


def test_angle_of_nan_is_nan(apply: Any) -> None:
    assert np.isnan(apply(c.atan2, np.array([math.nan, 1.0, math.nan]), np.array([1.0, math.nan, INF]))).all()


def test_the_cut_of_log_and_sqrt_is_decided_by_the_sign_of_zero(apply: Any) -> None:
    for zero in (0.0, -0.0):
        x, y = np.array([-4.0]), np.array([zero])
        assert both(apply, c.clog, x, y)[0] == cmath.log(complex(-4.0, zero))
        root = both(apply, c.csqrt, x, y)[0]
        assert root == cmath.sqrt(complex(-4.0, zero)) and math.copysign(1.0, root.imag) == math.copysign(1.0, zero)


def test_no_size_overflows_or_underflows_on_the_way(apply: Any) -> None:
    for size in (1e-320, 1e-300, 1e-160, 1e160, 1e300, 1.5e308):
        x, y = np.array([size, -size, 0.5 * size, 0.0]), np.array([0.25 * size, size, -size, size])
        z = [complex(a, b) for a, b in zip(x, y)]
        assert np.allclose(both(apply, c.clog, x, y), [cmath.log(v) for v in z], rtol=1e-15, atol=0.0)
        assert np.allclose(both(apply, c.csqrt, x, y), [cmath.sqrt(v) for v in z], rtol=1e-15, atol=0.0)


@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="long double is no longer than double here")
def test_exp_of_a_large_real_part_meets_a_small_cosine(apply: Any) -> None:
    x, y = np.array([709.9, 710.3, -745.0, INF, -INF]), np.array([1.2, 1.4, 0.3, 1.0, 1.0])
    real, imaginary = apply(c.cexp, x, y, part=0), apply(c.cexp, x, y, part=1)
    wanted = np.exp(x[:3].astype(np.longdouble)) * np.cos(y[:3].astype(np.longdouble))
    assert np.allclose(real[:2], wanted[:2].astype(np.float64), rtol=4e-16, atol=0.0)
    assert real[2] == 5e-324 and real[4] == imaginary[4] == 0.0
    assert real[3] == imaginary[3] == INF


def test_log_near_modulus_one_keeps_the_digits_of_the_real_part(apply: Any) -> None:
    angle = np.linspace(-3.0, 3.0, 500)
    x, y = np.cos(angle), np.sin(angle)
    square = [float(Fraction(a) ** 2 + Fraction(b) ** 2 - 1) for a, b in zip(x, y)]
    assert np.allclose(apply(c.clog, x, y, part=0), 0.5 * np.log1p(square), rtol=1e-14, atol=0.0)


def test_zero_has_logarithm_minus_infinity_and_root_zero(apply: Any) -> None:
    zero = np.array([0.0])
    assert both(apply, c.csqrt, zero, zero)[0] == 0.0
    assert apply(c.clog, zero, zero, part=0)[0] == -INF


def test_square_of_the_root_gives_back_the_number(apply: Any) -> None:
    x, y = points()
    root = both(apply, c.csqrt, x, y)
    assert np.all(root.real >= 0.0)
    assert np.allclose(root * root, x + 1j * y, rtol=1e-15, atol=1e-15)


def test_conjugate_in_conjugate_out_to_the_bit(apply: Any) -> None:
    x, y = points()
    for function in (c.cexp, c.clog, c.csqrt):
        assert np.array_equal(both(apply, function, x, -y), np.conj(both(apply, function, x, y)))


def test_product_and_quotient_undo_each_other(apply: Any) -> None:
    @numba.njit(error_model="numpy")
    def roundtrip(x, y, u, v, out):  # type: ignore[no-untyped-def]
        for i in range(x.size):
            a, b = c.cmul(x[i], y[i], u[i], v[i])
            a, b = c.cdiv(a, b, u[i], v[i])
            out[i] = complex(a, b)

    x, y = points()
    for scale in (1.0, 1e-200, 1e150):
        out = np.empty(x.size, complex)
        roundtrip(x, y, y[::-1].copy() * scale, x[::-1].copy() * scale, out)
        assert np.allclose(out, x + 1j * y, rtol=2e-15, atol=2e-15)


def test_exp_on_the_imaginary_axis_is_sincos(apply: Any) -> None:
    y = np.linspace(-50.0, 50.0, 1001)
    got = both(apply, c.cexp, np.zeros(y.size), y)
    assert np.array_equal(got.real, apply(e.cos, y)) and np.array_equal(got.imag, apply(e.sin, y))
