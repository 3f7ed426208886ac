"""Small dense linear algebra without BLAS: plain loops in a fixed order, so the same bits on any CPU and thread count.

For the few unknowns of a calibration (n up to some tens); an inner product is one running sum.

| function | what | cost |
|---|---|---|
| cholesky | A = L L', lower triangle, in place; False where A is not positive definite | n**3 / 3 |
| cholesky_solve | A x = b from L, in place | 2 n**2 |
| least_squares | min |A x - b| by Householder reflections, in place; the rank | 2 m n**2 |
| copy, copy_rows | out = source, one element after the other | |

A kernel copies by `copy`, not by out[:] = source: numba takes into each such line the code that would tell, in words,
of two shapes that differ, which costs seconds to compile.

References
----------
Golub, Van Loan (2013), Matrix Computations, 4th ed., algorithms 4.2.1, 5.2.1.
"""

from __future__ import annotations

from math import sqrt

from research.arrays import Float1D, Float2D
from research.core._jit import inlined


@inlined
def copy(source: Float1D, out: Float1D) -> None:
    """out = source, both of shape (n,)."""
    for i in range(out.size):
        out[i] = source[i]


@inlined
def copy_rows(source: Float2D, out: Float2D) -> None:
    """out = source, both of shape (n, m)."""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = source[i, j]


@inlined
def cholesky(a: Float2D) -> bool:
    """Overwrite the lower triangle of the symmetric `a`, shape (n, n), by its Cholesky factor."""
    n = a.shape[0]
    for j in range(n):
        for i in range(j, n):
            total = a[i, j]
            for k in range(j):
                total -= a[i, k] * a[j, k]
            if i == j:
                if not total > 0.0:  # nan fails too
                    return False
                a[j, j] = sqrt(total)
            else:
                a[i, j] = total / a[j, j]
    return True


@inlined
def cholesky_solve(factor: Float2D, b: Float1D) -> None:
    """Overwrite b, shape (n,), by the solution of L L' x = b; L from `cholesky`."""
    n = b.size
    for i in range(n):
        total = b[i]
        for k in range(i):
            total -= factor[i, k] * b[k]
        b[i] = total / factor[i, i]
    for i in range(n - 1, -1, -1):
        total = b[i]
        for k in range(i + 1, n):
            total -= factor[k, i] * b[k]
        b[i] = total / factor[i, i]


@inlined
def _column_norm(a: Float2D, row: int, j: int) -> float:
    """Length of column j from `row` down."""
    total = 0.0
    for i in range(row, a.shape[0]):
        total += a[i, j] * a[i, j]
    return sqrt(total)


@inlined
def _reflect(a: Float2D, b: Float1D, row: int, j: int, norm: float) -> float:
    """Apply to `a` and `b` the Householder reflection that clears column j below `row`; the entry left there."""
    m, n = a.shape
    entry = -norm if a[row, j] > 0.0 else norm
    a[row, j] -= entry  # the column is now v, with v'v = -2 entry v[row]
    scale = -1.0 / (entry * a[row, j])
    for k in range(j + 1, n):
        total = 0.0
        for i in range(row, m):
            total += a[i, j] * a[i, k]
        for i in range(row, m):
            a[i, k] -= scale * total * a[i, j]
    total = 0.0
    for i in range(row, m):
        total += a[i, j] * b[i]
    for i in range(row, m):
        b[i] -= scale * total * a[i, j]
    return entry


@inlined
def least_squares(a: Float2D, b: Float1D, x: Float1D) -> int:
    """Fill x, shape (n,), with a minimiser of |a x - b|; overwrites a, shape (m, n) with m >= n, and b.

    Returns the rank r; the squares of b[r:] then sum to the squares of the residuals. A column that depends on
    those before it, to 1e-13 of its length, gets x = 0.
    """
    n = x.size
    for j in range(n):
        x[j] = _column_norm(a, 0, j)
    rank = 0
    for j in range(n):
        norm = _column_norm(a, rank, j) if rank < b.size else 0.0
        independent = norm > 1e-13 * x[j]
        x[j] = _reflect(a, b, rank, j, norm) if independent else 0.0  # the diagonal of R; 0 marks a dependent column
        rank += 1 if independent else 0
    row = rank
    for j in range(n - 1, -1, -1):
        if x[j] != 0.0:
            row -= 1
            total = b[row]
            for k in range(j + 1, n):
                total -= a[row, k] * x[k]
            x[j] = total / x[j]
    return rank
