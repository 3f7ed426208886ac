"""log_ratio and mills_pair: the forms with fewer divisions that Black's formula uses."""

from __future__ import annotations

from decimal import Decimal, getcontext

import numba
import numpy as np
import pytest

from research.core.math.elementary import log_ratio
from research.core.math.normal import mills, mills_pair

getcontext().prec = 50


@numba.njit(error_model="numpy")
def ratios(low, high, out):
    for i in range(out.size):
        out[i] = log_ratio(low[i], high[i])


@numba.njit(error_model="numpy")
def pairs(x, y, one, other):
    for i in range(x.size):
        one[i], other[i] = mills_pair(x[i], y[i])


@numba.njit(error_model="numpy")
def singles(x, out):
    for i in range(x.size):
        out[i] = mills(x[i])


@pytest.mark.parametrize("reach", [1e-15, 1e-8, 1e-3, 0.5, 5.0, 600.0])
def test_log_ratio_is_good_to_two_units_in_the_last_place(reach):
    rng = np.random.default_rng(3)
    low = np.exp(rng.uniform(-20.0, 20.0, 2000))
    high = low * np.exp(rng.uniform(0.0, reach, low.size))
    high = np.maximum(high, low)
    out = np.empty(low.size)
    ratios(low, high, out)
    true = [(Decimal(float(b)) / Decimal(float(a))).ln() for a, b in zip(low, high)]
    error = [abs(Decimal(float(x)) - y) for x, y in zip(out, true)]
    assert max(float(e) / np.spacing(max(float(y), 1e-300)) for e, y in zip(error, true) if y) < 2.0
    assert all(x == 0.0 for x, a, b in zip(out, low, high) if a == b)


def test_log_ratio_beside_powers_of_two_and_where_the_octave_changes():
    low = np.repeat([1.0, 1.3, 1.999999], 400)
    high = low * np.tile(np.linspace(1.0, 9.0, 400), 3)
    out = np.empty(low.size)
    ratios(low, high, out)
    np.testing.assert_allclose(out, np.log(high / low), rtol=4e-16, atol=3e-16)


def test_mills_pair_is_mills_twice():
    rng = np.random.default_rng(4)
    x, y = np.exp(rng.uniform(-20.0, 10.0, 20_000)), np.exp(rng.uniform(-20.0, 10.0, 20_000))
    x[0], y[0], x[1], y[1] = 0.0, 0.0, 1e12, 1e12
    one, other, true_x, true_y = (np.empty(x.size) for _ in range(4))
    pairs(x, y, one, other)
    singles(x, true_x)
    singles(y, true_y)
    np.testing.assert_allclose(one, true_x, rtol=1.2e-15)
    np.testing.assert_allclose(other, true_y, rtol=1.2e-15)
