"""Laws and limits of the normal distribution functions."""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
import pytest
from scipy import special

from research.core.math import normal as m

INF, NAN = math.inf, math.nan

SPECIAL = {
    "norm_pdf": [(0.0, 0.3989422804014327), (INF, 0.0), (-INF, 0.0), (39.0, 0.0), (1e200, 0.0)],
    "norm_cdf": [
        (0.0, 0.5),
        (-0.0, 0.5),
        (INF, 1.0),
        (-INF, 0.0),
        (9.0, 1.0),
        (-39.0, 0.0),
        (1e300, 1.0),
        (-1e300, 0.0),
    ],
    "erfc": [(0.0, 1.0), (INF, 0.0), (-INF, 2.0), (28.0, 0.0), (-7.0, 2.0)],
    "erfcx": [(0.0, 1.0), (INF, 0.0), (-INF, INF), (-27.0, INF), (1e300, 1e-300 / math.sqrt(math.pi))],
    "mills": [(0.0, 0.5), (INF, 0.0), (1e300, 1e-300 / math.sqrt(2.0 * math.pi))],
    "norm_ppf": [(0.0, -INF), (-0.0, -INF), (1.0, INF), (0.5, 0.0), (-0.1, NAN), (1.1, NAN), (INF, NAN), (-INF, NAN)],
}


@pytest.mark.parametrize("name", SPECIAL)
def test_special_values(name: str, apply: Any) -> None:
    x, wanted = np.array([*SPECIAL[name], (NAN, NAN)]).T
    assert np.allclose(apply(getattr(m, name), x), wanted, rtol=4e-16, atol=0.0, equal_nan=True)


def test_left_tail_keeps_its_digits(apply: Any) -> None:
    x = np.linspace(-37.5, -1.0, 2000)
    assert np.allclose(np.log(apply(m.norm_cdf, x)), special.log_ndtr(x), rtol=1e-15, atol=1e-15)


def test_distribution_and_its_mirror_sum_to_one(apply: Any) -> None:
    x = np.random.default_rng(1).normal(size=5000) * 3.0
    assert np.all(np.abs(apply(m.norm_cdf, x) + apply(m.norm_cdf, -x) - 1.0) <= 2.0**-52)


def test_distribution_is_monotonic(apply: Any) -> None:
    x = np.linspace(-38.0, 9.0, 100_001)
    assert np.all(np.diff(apply(m.norm_cdf, x)) >= 0.0)


def test_density_is_even_to_the_bit(apply: Any) -> None:
    x = np.random.default_rng(2).normal(size=1000)
    assert np.array_equal(apply(m.norm_pdf, x), apply(m.norm_pdf, -x))


def test_density_is_the_slope_of_the_distribution(apply: Any) -> None:
    x, h = np.linspace(-8.0, 0.0, 500), 1e-4
    slope = (apply(m.norm_cdf, x + h) - apply(m.norm_cdf, x - h)) / (2.0 * h)
    assert np.allclose(slope, apply(m.norm_pdf, x), rtol=2e-7, atol=0.0)  # h**2 (x**2 - 1) / 6


def test_mills_ratio_lies_between_its_classical_bounds(apply: Any) -> None:
    """Gordon (1941): x / (1 + x**2) < Phi(-x) / phi(x) < 1 / x."""
    x = np.exp(np.linspace(-5.0, 18.0, 5000))
    ratio = apply(m.mills, x) * math.sqrt(2.0 * math.pi)
    assert np.all(ratio * (1.0 - 1e-15) < 1.0 / x) and np.all(ratio * (1.0 + 1e-15) > x / (1.0 + x * x))


def test_erfc_and_erfcx_agree_with_scipy(apply: Any) -> None:
    x = np.linspace(-5.0, 26.0, 3001)
    assert np.allclose(apply(m.erfc, x), special.erfc(x), rtol=2e-13, atol=0.0)
    assert np.allclose(apply(m.erfcx, x), special.erfcx(x), rtol=2e-15, atol=0.0)
    assert np.allclose(apply(m.erfcx, -x), special.erfcx(-x), rtol=2e-13, atol=0.0)


def test_inverse_undoes_the_distribution(apply: Any) -> None:
    p = np.concatenate([np.exp(-np.linspace(0.7, 700.0, 4000)), np.linspace(0.001, 0.999, 999)])
    x = apply(m.norm_ppf, p)
    slope = np.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)
    assert np.all(np.abs(apply(m.norm_cdf, x) - p) <= slope * 2.5 * np.spacing(np.abs(x)) + 4.0 * np.spacing(p))


def test_inverse_reaches_the_smallest_probabilities(apply: Any) -> None:
    p = np.array([5e-324, 1e-320, 2.3e-308, 1e-300])
    assert np.allclose(apply(m.norm_ppf, p), special.ndtri_exp(np.log(p)), rtol=1e-14, atol=0.0)


def test_inverse_is_odd_around_one_half_to_the_bit(apply: Any) -> None:
    p = np.random.default_rng(3).integers(1, 2**52, 5000) * 2.0**-53
    assert np.array_equal(apply(m.norm_ppf, 1.0 - p), -apply(m.norm_ppf, p))


def test_rows_have_the_bits_of_single_numbers(apply: Any) -> None:
    @numba.njit(error_model="numpy")
    def fill(row):  # type: ignore[no-untyped-def]
        m.norm_ppf_row(row)

    for size in (0, 1, 5, 4097):
        p = np.random.default_rng(size).random(size)
        row = p.copy()
        fill(row)
        assert np.array_equal(row, apply(m.norm_ppf, p))
