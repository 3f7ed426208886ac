"""The sums that every simulation of this room keeps: of the value, of two controls, and of their products.

| column | sum over the sample of |
|---|---|
| 0, 1 | y, y^2 |
| 2, 3 | c1, c2 |
| 4, 5 | y c1, y c2 |
| 6, 7, 8 | c1^2, c1 c2, c2^2 |
| 9 ... | what else a product counts |

A task is summed lane by lane, then over the lanes in order: no sum depends on the number of threads. Tasks are the
rows of `paths`, shape (n_tasks, 7): first path, number of paths, lanes of a block, 1 for antithetic pairs, replicate
(a table of scrambled directions; Philox where it has no rows), stream, first column in `samples`.
"""

from __future__ import annotations

from research.arrays import Float1D, Float2D
from research.core._jit import inlined

N_BASE = 9


@inlined
def blend(value: Float2D, share: float, mean: Float2D) -> None:
    """mean = (1 - share) mean + share value: 1 for the first half of an antithetic pair, 1/2 for the second."""
    for k in range(value.shape[0]):
        for i in range(value.shape[1]):
            mean[k, i] = value[k, i] if share == 1.0 else 0.5 * (mean[k, i] + value[k, i])


@inlined
def gather_moments(value: Float2D, controls: Float2D, total: Float2D) -> None:
    """Add one block to `total`, shape (n_moments, lanes); value has n_moments - N_BASE + 1 rows, the first is y."""
    for i in range(value.shape[1]):
        y, a, b = value[0, i], controls[0, i], controls[1, i]
        total[0, i] += y
        total[1, i] += y * y
        total[2, i] += a
        total[3, i] += b
        total[4, i] += y * a
        total[5, i] += y * b
        total[6, i] += a * a
        total[7, i] += a * b
        total[8, i] += b * b
    for k in range(1, value.shape[0]):
        for i in range(value.shape[1]):
            total[8 + k, i] += value[k, i]


@inlined
def negate(w: Float2D) -> None:
    """w = -w in place: the other half of the antithetic pairs."""
    for k in range(w.shape[0]):
        for i in range(w.shape[1]):
            w[k, i] = -w[k, i]


@inlined
def add_lanes(total: Float2D, out: Float1D) -> None:
    """out[k] = sum of total[k], lane after lane."""
    for k in range(out.size):
        lanes = 0.0
        for i in range(total.shape[1]):
            lanes += total[k, i]
        out[k] = lanes
