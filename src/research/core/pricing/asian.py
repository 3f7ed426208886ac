"""Asian options on one lognormal underlying, with the geometric average as control.

The average is A = sum of a_j S(t_j), the geometric one G = g exp(sum of a_j log S(t_j) / g), g the sum of the weights
that are still to come. Controls: the option on G in the place of A, and A itself; both have closed forms.

fixings, shape (n, 3): forward, total variance, weight. terms: 0 discount factor, 1 strike less what is fixed already, 2
sign, 3 kind (0 average price, 1 average strike: the strike is the average plus terms[1], 2 geometric average price).

References
----------
Kemna, Vorst (1990), "A pricing method for options based on average asset values", J. Banking and Finance 14, 113-129.
"""

from __future__ import annotations

import numpy as np

from research.arrays import Float1D, Float2D, Int1D, Int2D, Int3D
from research.core._jit import inlined, kernel
from research.core.math.elementary import exp, log
from research.core.pricing._moments import N_BASE, add_lanes, blend, gather_moments, negate
from research.core.random.brownian import brownian_block


@inlined
def _asian_block(w: Float2D, fixings: Float2D, terms: Float1D, value: Float2D) -> None:
    """value rows: 0 discounted payment, 1 that on the geometric average, 2 the average; shape (3, lanes)."""
    n = fixings.shape[0]
    left, shift = 0.0, 0.0
    for j in range(n):
        left += fixings[j, 2]
        shift += fixings[j, 2] * (log(fixings[j, 0]) - 0.5 * fixings[j, 1])
    mean, path, last = value[2], value[1], value[0]
    for i in range(w.shape[1]):
        mean[i], path[i] = 0.0, 0.0
    for j in range(n):
        row, a = w[j + 1], fixings[j, 2]
        scale, half = fixings[j, 0], 0.5 * fixings[j, 1]
        for i in range(w.shape[1]):
            mean[i] += a * scale * exp(row[i] - half)
            path[i] += a * row[i]
    forward, half = fixings[n - 1, 0], 0.5 * fixings[n - 1, 1]
    df, strike, sign, kind = terms[0], terms[1], terms[2], terms[3]
    for i in range(w.shape[1]):
        spot = forward * exp(w[n, i] - half)
        geometric = left * exp((path[i] + shift) / left)
        plain = spot - mean[i] - strike if kind == 1.0 else mean[i] - strike
        smooth = spot - geometric - strike if kind == 1.0 else geometric - strike
        path[i] = df * max(sign * smooth, 0.0)
        last[i] = path[i] if kind == 2.0 else df * max(sign * plain, 0.0)


@inlined
def _asian_task(
    table: Int2D, seed: int, row: Int1D, order: Int2D, weights: Float2D, fixings: Float2D, terms: Float1D, out: Float1D
) -> None:
    """The sums of one row of `paths`."""
    lanes = min(row[2], row[1])
    total = np.zeros((N_BASE, lanes))
    for start in range(0, row[1], lanes):
        here = min(lanes, row[1] - start)
        w, value, mean = np.empty((order.shape[0] + 1, here)), np.empty((3, here)), np.empty((3, here))
        brownian_block(table, seed, row[5], row[0] + start, order, weights, w)
        for half in range(1 + row[3]):
            if half == 1:
                negate(w)
            _asian_block(w, fixings, terms, value)
            blend(value, 1.0 / (1 + half), mean)
        gather_moments(mean[:1], mean[1:], total)
    add_lanes(total, out)


@kernel
def asian_tasks(
    tables: Int3D, seed: int, paths: Int2D, order: Int2D, weights: Float2D, fixings: Float2D, terms: Float1D,
    out: Float2D,
) -> None:  # fmt: skip
    """out[t] = the N_BASE sums of task t, shape (n_tasks, N_BASE); `paths` as in `_moments`."""
    for t in range(out.shape[0]):
        _asian_task(tables[paths[t, 4]], seed, paths[t], order, weights, fixings, terms, out[t])
