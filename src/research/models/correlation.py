"""Correlation matrices: what makes one valid, and the nearest valid one.

`nearest_correlation` alternates between the two sets that a correlation matrix lies in, positive semidefinite matrices
and matrices of unit diagonal, with Dykstra's correction: the limit is the matrix nearest in the Frobenius norm.

References
----------
Higham (2002), "Computing the nearest correlation matrix: a problem from finance", IMA J. Numer. Anal. 22, 329-343.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from research.arrays import Float2D, numbers
from research.errors import InputError, NumericalError, require, require_all, rule

_ZERO = 1e-12  # an eigenvalue above minus this is not negative


class CorrelationWarning(UserWarning):
    """A correlation matrix was not positive semidefinite, and the nearest one stands in its place."""


def check_correlation(value: ArrayLike, names: tuple[str, ...]) -> Float2D:
    """The matrix as floats, exactly symmetric; refuses a wrong shape or diagonal, and an entry outside [-1, 1]."""
    matrix: Any = np.array(numbers(value, "correlation"))
    n = len(names)
    if matrix.shape != (n, n):
        raise InputError(rule("correlation", f"have shape ({n}, {n}), one row a name", matrix.shape))
    for i in range(n):
        for j in range(n):
            what = f"correlation of {names[i]} and {names[j]}"
            hint = "Decimals are wanted: 60% is 0.60." if abs(matrix[i, j]) > 1.0 else ""
            require(-1.0 <= matrix[i, j] <= 1.0, what, float(matrix[i, j]), "lie in [-1, 1]", hint=hint)
            same = abs(matrix[i, j] - matrix[j, i]) <= 1e-12
            require(same, what, float(matrix[i, j]), f"equal that of {names[j]} and {names[i]}, {matrix[j, i]:g}")
    require_all(np.abs(np.diag(matrix) - 1.0) <= 1e-12, "diagonal of correlation", np.diag(matrix), "be 1")
    out: Float2D = 0.5 * (matrix + matrix.T)
    np.fill_diagonal(out, 1.0)
    return out


def is_semidefinite(matrix: Float2D) -> bool:
    """Whether no eigenvalue is below -1e-12 times the number of rows."""
    return bool(np.linalg.eigvalsh(matrix)[0] >= -_ZERO * matrix.shape[0])


def _clipped(matrix: Float2D) -> Float2D:
    """The nearest positive semidefinite matrix: negative eigenvalues become 0."""
    values, vectors = np.linalg.eigh(matrix)
    out: Float2D = (vectors * np.maximum(values, 0.0)) @ vectors.T
    return 0.5 * (out + out.T)


def nearest_correlation(matrix: Float2D, *, tolerance: float = 1e-11, max_iter: int = 20_000) -> tuple[Float2D, float]:
    """(nearest correlation matrix, its distance in the Frobenius norm) of a symmetric matrix, shape (n, n).

    Examples
    --------
    >>> nearest, distance = nearest_correlation(np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 1.0]]))
    >>> nearest[0].round(4).tolist(), round(distance, 4)
    ([1.0, 0.7607, 0.1573], 0.5278)
    """
    matrix = numbers(matrix, "correlation")  # type: ignore[assignment]
    square = matrix.ndim == 2 and matrix.shape[0] == matrix.shape[1] and bool(np.isfinite(matrix).all())
    require(square, "correlation", matrix.shape, "be a square matrix of finite numbers")
    y, correction = matrix.copy(), np.zeros_like(matrix)
    for _ in range(max_iter):
        r = y - correction
        x = _clipped(r)
        correction = x - r
        before, y = y, x.copy()
        np.fill_diagonal(y, 1.0)
        if max(np.linalg.norm(y - before), np.linalg.norm(y - x)) <= tolerance * np.linalg.norm(y):
            break
    else:
        raise NumericalError(f"the nearest correlation matrix must be found within {max_iter} steps; it was not.")
    scale = 1.0 / np.sqrt(np.diag(x))  # from the side that is semidefinite, with a diagonal of exactly 1
    out: Float2D = np.clip(x * scale[:, None] * scale[None, :], -1.0, 1.0)
    np.fill_diagonal(out, 1.0)
    return out, float(np.linalg.norm(out - matrix))
