"""Asian options on one lognormal underlying, with the geometric average and what it lacks as control.

The average is A = sum of a_j S(t_j), the geometric one G = g exp(sum of a_j log S(t_j) / g), g the sum of the weights
that are still to come. To second order in the spread of the logarithms A = G (1 + V / 2), V their variance along the
path, of weights a_j / g. Controls: A itself, and for an average price what that option would pay on G (1 + V / 2) if it
were exercised where G passes a level, for an average strike the option on G. All have closed forms.

fixings, shape (n, 3): forward, total variance, weight. terms: 0 discount factor, 1 strike less what is fixed already, 2
sign, 3 kind (0 average price, 1 average strike: the strike is the average plus terms[1], 2 geometric average price), 4
the level of G (kind 0).

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
    n, lanes = fixings.shape[0], w.shape[1]
    left, centre = 0.0, 0.0
    for j in range(n):
        left += fixings[j, 2]
        centre += fixings[j, 2] * (log(fixings[j, 0]) - 0.5 * fixings[j, 1])
    centre /= left
    sums = np.zeros((3, lanes))  # of e^y, y and y^2, y the distance of a logarithm from its mean over all paths
    mean, path, square = sums[0], sums[1], sums[2]
    for j in range(n):
        row, a = w[j + 1], fixings[j, 2]
        level = log(fixings[j, 0]) - 0.5 * fixings[j, 1] - centre
        for i in range(lanes):
            y = row[i] + level
            mean[i] += a * exp(y)
            path[i] += a * y
            square[i] += a * y * y
    last = log(fixings[n - 1, 0]) - 0.5 * fixings[n - 1, 1]
    df, strike, sign, kind = terms[0], terms[1], terms[2], terms[3]
    for i in range(lanes):
        spot, average, off = exp(w[n, i] + last), exp(centre) * mean[i], path[i] / left
        geometric = left * exp(off + centre)
        plain = spot - average - strike if kind == 1.0 else average - strike
        smooth = spot - geometric - strike if kind == 1.0 else geometric - strike
        spread = 0.5 * geometric * (square[i] / left - off * off) if kind == 0.0 else 0.0
        exercised = sign * (geometric - terms[4] if kind == 0.0 else smooth) > 0.0
        value[1, i] = df * sign * (smooth + spread) if exercised else 0.0
        value[0, i] = value[1, i] if kind == 2.0 else df * max(sign * plain, 0.0)
        value[2, i] = average


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
