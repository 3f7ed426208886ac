"""Levenberg (1944), Marquardt (1963): the pieces of a damped Gauss-Newton search that every least-squares fit shares.

The model's own kernel fills residuals and Jacobian; these functions turn them into the next step within bounds.
Sums run in a fixed order. References: Nielsen (1999), "Damping parameter in Marquardt's method", IMM-REP-1999-05
(the update of the damping); Kanzow, Yamashita, Fukushima (2004), J. Comput. Appl. Math. 172 (projection on bounds).
"""

from __future__ import annotations

from math import sqrt

from research.arrays import Float1D, Float2D, Int1D
from research.core._jit import kernel

CONVERGED = 0
MAX_ITERATIONS = 1
STUCK = 2  # no step lowers the sum of squares, yet the gradient is not small
START_DAMPING = 1e-3
MAX_DAMPING = 1e12


@kernel
def sum_of_squares(residual: Float1D) -> float:
    """Sum of squares, in order."""
    total = 0.0
    for i in range(residual.size):
        total += residual[i] * residual[i]
    return total


@kernel
def normal_equations(jacobian: Float2D, residual: Float1D, matrix: Float2D, gradient: Float1D) -> None:
    """Fill matrix = J'J, shape (p, p), and gradient = J'r, shape (p,); jacobian has shape (p, n)."""
    p, n = jacobian.shape
    for a in range(p):
        total = 0.0
        for i in range(n):
            total += jacobian[a, i] * residual[i]
        gradient[a] = total
        for b in range(a + 1):
            total = 0.0
            for i in range(n):
                total += jacobian[a, i] * jacobian[b, i]
            matrix[a, b] = total
            matrix[b, a] = total


@kernel
def solve_positive(matrix: Float2D, rhs: Float1D, out: Float1D) -> bool:
    """out = matrix^-1 rhs by Cholesky; False where the matrix is not positive definite. Destroys `matrix`."""
    p = rhs.size
    for j in range(p):
        for i in range(j, p):
            total = matrix[i, j]
            for k in range(j):
                total -= matrix[i, k] * matrix[j, k]
            if i == j:
                if not total > 0.0:
                    return False
                matrix[j, j] = sqrt(total)
            else:
                matrix[i, j] = total / matrix[j, j]
    for i in range(p):
        total = rhs[i]
        for k in range(i):
            total -= matrix[i, k] * out[k]
        out[i] = total / matrix[i, i]
    for i in range(p - 1, -1, -1):
        total = out[i]
        for k in range(i + 1, p):
            total -= matrix[k, i] * out[k]
        out[i] = total / matrix[i, i]
    return True


@kernel
def free_parameters(x: Float1D, gradient: Float1D, lower: Float1D, upper: Float1D, free: Int1D) -> float:
    """Mark with 1 the parameters that may move; the largest absolute gradient among them."""
    largest = 0.0
    for j in range(x.size):
        outwards = (x[j] <= lower[j] and gradient[j] > 0.0) or (x[j] >= upper[j] and gradient[j] < 0.0)
        free[j] = 0 if outwards or upper[j] <= lower[j] else 1
        if free[j] == 1:
            largest = max(largest, abs(gradient[j]))
    return largest


@kernel
def damped_step(
    x: Float1D, matrix: Float2D, gradient: Float1D, damping: float, free: Int1D, lower: Float1D, upper: Float1D,
    work: Float2D, step: Float1D,
) -> bool:  # fmt: skip
    """step with (J'J + damping diag J'J) step = -J'r over the free parameters, cut at the bounds.

    `work` has shape (p + 1, p). False where the equations cannot be solved: raise the damping.
    """
    p = x.size
    for a in range(p):
        for b in range(p):
            both = free[a] == 1 and free[b] == 1
            work[a, b] = matrix[a, b] if both else 0.0
        work[a, a] = matrix[a, a] * (1.0 + damping) + 1e-300 if free[a] == 1 else 1.0
        work[p, a] = -gradient[a] if free[a] == 1 else 0.0
    if not solve_positive(work[:p], work[p], step):
        return False
    for a in range(p):
        after = min(max(x[a] + step[a], lower[a]), upper[a])
        step[a] = after - x[a]
    return True


@kernel
def predicted_decrease(matrix: Float2D, gradient: Float1D, step: Float1D) -> float:
    """How much the sum of squares falls along `step` if the residuals are linear."""
    total = 0.0
    for a in range(step.size):
        curve = 0.0
        for b in range(step.size):
            curve += matrix[a, b] * step[b]
        total -= step[a] * (2.0 * gradient[a] + curve)
    return total


@kernel
def next_damping(damping: float, growth: float, gain: float) -> tuple[float, float]:
    """Nielsen's rule: (damping, growth) after a step whose actual over predicted decrease is `gain`."""
    if gain > 0.0:
        bend = 2.0 * gain - 1.0
        return damping * max(1.0 / 3.0, 1.0 - bend * bend * bend), 2.0
    return min(damping * growth, MAX_DAMPING), 2.0 * growth
