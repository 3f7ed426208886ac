"""Laws, limits and special values of the elementary functions."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from research.core.math import _bits, _exact, _fused
from research.core.math import elementary as e
from research.core.math._fused import fma

INF, NAN = math.inf, math.nan
SMALLEST, LARGEST = 5e-324, 1.7976931348623157e308

SPECIAL = {
    "exp": [(0.0, 1.0), (-0.0, 1.0), (INF, INF), (-INF, 0.0), (710.0, INF), (-746.0, 0.0), (-745.0, SMALLEST)],
    "expm1": [(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -1.0), (-100.0, -1.0), (710.0, INF)],
    "log": [(1.0, 0.0), (0.0, -INF), (-0.0, -INF), (-1.0, NAN), (-INF, NAN), (SMALLEST, -744.4400719213812)],
    "log1p": [(0.0, 0.0), (-0.0, -0.0), (-1.0, -INF), (-1.5, NAN), (INF, INF), (SMALLEST, SMALLEST), (1e-20, 1e-20)],
    "sin": [(0.0, 0.0), (-0.0, -0.0), (INF, NAN), (-INF, NAN), (2.0**28, math.sin(2.0**28)), (2.0**28 + 1.0, NAN)],
    "cos": [(0.0, 1.0), (-0.0, 1.0), (INF, NAN), (2.0**28, math.cos(2.0**28)), (-(2.0**29), NAN)],
    "sinh": [(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -INF), (711.0, INF)],
    "cosh": [(0.0, 1.0), (INF, INF), (-INF, INF), (711.0, INF)],
    "tanh": [(0.0, 0.0), (-0.0, -0.0), (INF, 1.0), (-INF, -1.0), (30.0, 1.0)],
}  # fmt: skip


@pytest.mark.parametrize("name", SPECIAL)
def test_special_values(name: str, apply: Any) -> None:
    x, wanted = np.array([*SPECIAL[name], (NAN, NAN)]).T
    got = apply(getattr(e, name), x)
    assert np.array_equal(got, wanted, equal_nan=True)
    assert np.array_equal(np.signbit(got[wanted == 0.0]), np.signbit(wanted[wanted == 0.0]))


def test_power_has_the_special_values_of_c(apply: Any) -> None:
    values = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        2.0,
        -2.0,
        0.5,
        -0.5,
        3.0,
        -3.0,
        1e300,
        -1e300,
        SMALLEST,
        INF,
        -INF,
        NAN,
        2.0**52 + 1,
        2.0**53,
        0.3,
    ]
    x, y = (part.ravel() for part in np.meshgrid(values, values))
    with np.errstate(all="ignore"):
        wanted = np.power(x, y)
    got = apply(e.power, x, y)
    special = ~np.isfinite(wanted) | (wanted == 0.0)
    assert np.array_equal(got[special], wanted[special], equal_nan=True)
    assert np.array_equal(np.signbit(got[~np.isnan(wanted)]), np.signbit(wanted[~np.isnan(wanted)]))
    assert np.allclose(got[~special], wanted[~special], rtol=4e-16, atol=0.0)


def test_whole_powers_are_within_one_ulp_of_the_exact_value(apply: Any) -> None:
    for base in (3, 7, 10, -13):
        y = np.arange(1.0, 60.0)
        exact = [float(Fraction(base) ** int(k)) for k in y]
        assert np.all(np.abs(apply(e.power, np.full(y.size, float(base)), y) - exact) <= np.spacing(np.abs(exact)))


def test_exp_underflows_through_the_denormals(apply: Any) -> None:
    x = np.linspace(-745.0, -708.5, 400)
    exact = np.exp(x.astype(np.longdouble)).astype(np.float64)
    assert np.all(np.abs(apply(e.exp, x) - exact) <= SMALLEST * (1.0 + 2.0**-52 * exact / SMALLEST))


def test_exp_and_log_are_monotonic_where_pieces_meet(apply: Any) -> None:
    for k in (-3, -1, 1, 2, 5):
        x = np.sort((k + 0.5) * math.log(2.0) * (1.0 + np.arange(-300, 300) * 2.0**-52))
        assert np.all(np.diff(apply(e.exp, x)) >= 0.0)
    x = math.sqrt(2.0) * (1.0 + np.arange(-300, 300) * 2.0**-52)
    assert np.all(np.diff(apply(e.log, x)) >= 0.0)


def test_sine_is_odd_and_cosine_even_to_the_bit(apply: Any) -> None:
    x = np.random.default_rng(3).uniform(0.0, 1e6, 5000)
    assert np.array_equal(apply(e.sin, -x), -apply(e.sin, x))
    assert np.array_equal(apply(e.cos, -x), apply(e.cos, x))


def test_sincos_gives_what_sin_and_cos_give(apply: Any) -> None:
    x = np.random.default_rng(4).normal(size=1000) * 100.0
    assert np.array_equal(apply(e.sincos, x, part=0), apply(e.sin, x))
    assert np.array_equal(apply(e.sincos, x, part=1), apply(e.cos, x))


@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="long double is no longer than double here")
def test_reduction_holds_next_to_multiples_of_half_pi(apply: Any) -> None:
    x = np.array([n * (math.pi / 2.0) for n in (1.0, 2.0, 3.0, 355.0, 103993.0, 1e6, 1e8)])
    for function, true in ((e.sin, np.sin(x.astype(np.longdouble))), (e.cos, np.cos(x.astype(np.longdouble)))):
        got = apply(function, x)
        assert np.all(np.abs(got - true) <= 0.9 * np.spacing(np.abs(got)))


def test_log_undoes_exp(apply: Any) -> None:
    x = np.random.default_rng(5).uniform(-700.0, 700.0, 10_000)
    back = apply(e.log, apply(e.exp, x))
    assert np.all(np.abs(back - x) <= 1.5 * np.spacing(np.abs(x)) + 2.0**-52)


def test_log_of_a_power_of_two_is_the_rounded_multiple(apply: Any) -> None:
    k = np.arange(-1074.0, 1024.0)
    assert np.all(np.abs(apply(e.log, 2.0**k) - k * math.log(2.0)) <= np.spacing(np.abs(k)))


def test_expm1_and_log1p_meet_exp_and_log(apply: Any) -> None:
    x = np.random.default_rng(6).normal(size=5000) * 5.0
    assert np.allclose(apply(e.expm1, x), apply(e.exp, x) - 1.0, rtol=0.0, atol=4e-16 * (1.0 + np.exp(np.abs(x)).max()))
    assert np.array_equal(apply(e.log1p, apply(e.expm1, np.array([1e-12]))) / 1e-12 - 1.0 < 1e-15, [True])


def test_squares_of_sine_and_cosine_sum_to_one(apply: Any) -> None:
    x = np.random.default_rng(7).uniform(-1e6, 1e6, 5000)
    assert np.all(np.abs(apply(e.sin, x) ** 2 + apply(e.cos, x) ** 2 - 1.0) <= 4.5e-16)


finite = st.floats(min_value=-1e100, max_value=1e100).filter(lambda v: v == 0.0 or abs(v) > 1e-60)


@given(a=finite, b=finite)
def test_sums_and_products_are_exact_with_their_error(apply: Any, a: float, b: float) -> None:
    for function, arguments, exact in (
        (_exact.two_sum, (a, b), Fraction(a) + Fraction(b)),
        (_exact.two_product, (a, b), Fraction(a) * Fraction(b)),
        (_exact.two_square, (a,), Fraction(a) ** 2),
    ):
        assert sum(Fraction(apply(function, *arguments, part=part)) for part in (0, 1)) == exact


@numba.njit(error_model="numpy")
def fused(a, b, c):  # type: ignore[no-untyped-def]
    return fma(a, b, c)


@given(a=finite, b=finite, c=finite)
def test_a_fused_product_is_rounded_once_compiled_or_not(a: float, b: float, c: float) -> None:
    exact = float(Fraction(a) * Fraction(b) + Fraction(c))
    assert fused(a, b, c) == exact and _fused._py_fma()(a, b, c) == exact


def test_python_and_compiled_bits_are_the_same(apply: Any) -> None:
    values = np.array([0.0, -0.0, 1.0, -2.5, SMALLEST, LARGEST, INF, -INF, math.pi])
    assert [_bits._py_to_bits(v) for v in values] == values.view(np.int64).tolist()
    assert [_bits._py_from_bits(b) for b in values.view(np.int64)] == values.tolist()
    assert _bits._py_shift_right(-1, 52) == 0xFFF
    assert _bits._py_shift_left(0x43F, 60) == -(2**60)
    signs = values[::-1].copy()
    assert np.array_equal(apply(_bits.copysign, values, signs), np.copysign(values, signs))
