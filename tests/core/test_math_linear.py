"""Small linear algebra against NumPy, and its refusals."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest

from research.core.math import linear


@numba.njit(error_model="numpy")
def solve(a: Any, b: Any) -> Any:
    good = linear.cholesky(a)
    if good:
        linear.cholesky_solve(a, b)
    return good


@numba.njit(error_model="numpy")
def fit(a: Any, b: Any, x: Any) -> Any:
    return linear.least_squares(a, b, x)


@pytest.mark.parametrize("n", [1, 2, 5, 8, 20])
def test_cholesky_solves_positive_definite_systems(n: int) -> None:
    rng = np.random.default_rng(n)
    root = rng.normal(size=(n, n))
    a = root @ root.T + 0.1 * np.eye(n)
    x = rng.normal(size=n)
    factor, b = a.copy(), a @ x
    assert solve(factor, b)
    assert np.allclose(b, x, rtol=1e-13 * np.linalg.cond(a), atol=0.0)
    assert np.allclose(np.tril(factor), np.linalg.cholesky(a), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("bad", [[[1.0, 2.0], [2.0, 1.0]], [[0.0, 0.0], [0.0, 1.0]], [[np.nan, 0.0], [0.0, 1.0]]])
def test_cholesky_refuses_what_is_not_positive_definite(bad: list[list[float]]) -> None:
    assert not solve(np.array(bad), np.ones(2))


@pytest.mark.parametrize(("m", "n"), [(1, 1), (5, 5), (104, 5), (30, 8)])
def test_least_squares_agrees_with_numpy(m: int, n: int) -> None:
    rng = np.random.default_rng(m)
    a, b, x = rng.normal(size=(m, n)), rng.normal(size=m), np.empty(n)
    wanted, _, _, _ = np.linalg.lstsq(a, b, rcond=None)
    rest = b.copy()
    assert fit(a.copy(), rest, x) == n
    assert np.allclose(x, wanted, rtol=1e-11, atol=1e-13)
    assert np.isclose((rest[n:] ** 2).sum(), ((a @ wanted - b) ** 2).sum(), rtol=1e-12, atol=1e-25)


def test_least_squares_counts_independent_columns() -> None:
    rng = np.random.default_rng(1)
    a = rng.normal(size=(12, 4))
    a[:, 2] = a[:, 0] - 2.0 * a[:, 1]
    b, x = rng.normal(size=12), np.empty(4)
    assert fit(a.copy(), b.copy(), x) == 3
    assert x[2] == 0.0
    assert np.allclose(a.T @ (a @ x - b), 0.0, atol=1e-12)  # still a minimiser
    assert fit(np.zeros((3, 2)), np.ones(3), np.empty(2)) == 0
