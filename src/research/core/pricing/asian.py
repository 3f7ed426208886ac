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

from research.arrays import Float1D, Float2D, Float3D, Int1D, Int2D, Int3D
from research.core._jit import inlined, kernel
from research.core.math._fused import fma
from research.core.math.elementary import exp, log
from research.core.pricing._moments import N_BASE, add_lanes, blend, gather_moments
from research.core.random.box_muller import four_normals
from research.core.random.brownian import brownian_block


@inlined
def _levels(fixings: Float2D, level: Float1D) -> float:
    """Mean logarithms of the fixings less their weighted average, which is returned."""
    left, centre = 0.0, 0.0
    for j in range(level.size):
        level[j] = log(fixings[j, 0]) - 0.5 * fixings[j, 1]
        left += fixings[j, 2]
        centre += fixings[j, 2] * level[j]
    centre /= left
    for j in range(level.size):
        level[j] -= centre
    return centre


@inlined
def _add_fixing(motion: Float1D, half: float, level: float, a: float, sums: Float2D) -> None:
    """Add a fixing to the sums of e^y, y and y^2, y the distance of a logarithm from its mean over all paths; half is
    -1.0 for the mirror image of the motion."""
    mean, path, square = sums[0], sums[1], sums[2]
    for i in range(motion.size):
        y = fma(half, motion[i], level)
        mean[i] = fma(a, exp(y), mean[i])
        path[i] = fma(a, y, path[i])
        square[i] = fma(a * y, y, square[i])


@inlined
def _value(
    last: Float1D, half: float, centre: float, sums: Float2D, fixings: Float2D, terms: Float1D, value: Float2D
) -> None:
    """value rows: 0 discounted payment, 1 that on the geometric average, 2 the average; shape (3, lanes)."""
    mean, path, square = sums[0], sums[1], sums[2]
    n, left = fixings.shape[0], 0.0
    for j in range(n):
        left += fixings[j, 2]
    end, scale = log(fixings[n - 1, 0]) - 0.5 * fixings[n - 1, 1], exp(centre)
    df, strike, sign, kind = terms[0], terms[1], terms[2], terms[3]
    for i in range(last.size):
        spot, average, off = exp(fma(half, last[i], end)), scale * mean[i], path[i] / left
        geometric = left * exp(off + centre)
        plain = spot - average - strike if kind == 1.0 else average - strike
        smooth = spot - geometric - strike if kind == 1.0 else geometric - strike
        spread = 0.5 * geometric * (square[i] / left - off * off) if kind == 0.0 else 0.0
        exercised = sign * (geometric - terms[4] if kind == 0.0 else smooth) > 0.0
        value[1, i] = df * sign * (smooth + spread) if exercised else 0.0
        value[0, i] = value[1, i] if kind == 2.0 else df * max(sign * plain, 0.0)
        value[2, i] = average


@inlined
def _walk(
    seed: int, stream: int, first_path: int, weights: Float2D, fixings: Float2D, level: Float1D, halves: int,
    motion: Float1D, normals: Float2D, sums: Float3D,
) -> None:  # fmt: skip
    """Step by step along Philox paths, summing on the way: all stays in the first-level cache. The bits of a block."""
    n = level.size
    for i in range(motion.size):
        motion[i] = 0.0
    for k in range(0, n, 4):
        four_normals(seed, stream, first_path, k // 4, normals[0], normals[1], normals[2], normals[3])
        for j in range(k, min(k + 4, n)):
            z, c = normals[j - k], weights[j, 2]
            for i in range(motion.size):
                motion[i] += c * z[i]
            _add_fixing(motion, 1.0, level[j], fixings[j, 2], sums[0])
            if halves == 2:
                _add_fixing(motion, -1.0, level[j], fixings[j, 2], sums[1])


@inlined
def _stepwise(table: Int2D, order: Int2D, weights: Float2D) -> bool:
    """Do Philox normals go from date to date, without a bridge?"""
    plain = table.shape[0] == 0
    for k in range(order.shape[0]):
        plain &= order[k, 0] == k + 1 and order[k, 1] == k and weights[k, 0] == 1.0 and weights[k, 1] == 0.0
    return plain


@inlined
def _asian_task(
    table: Int2D, seed: int, row: Int1D, order: Int2D, weights: Float2D, fixings: Float2D, terms: Float1D, out: Float1D
) -> None:
    """The sums of one row of `paths`."""
    n, lanes, halves, walked = fixings.shape[0], min(row[2], row[1]), 1 + row[3], _stepwise(table, order, weights)
    total, level = np.zeros((N_BASE, lanes)), np.empty(n)
    centre = _levels(fixings, level)
    for start in range(0, row[1], lanes):
        here = min(lanes, row[1] - start)
        w, sums = np.empty((5 if walked else n + 1, here)), np.zeros((2, 3, here))
        value, mean = np.empty((3, here)), np.empty((3, here))
        if walked:
            _walk(seed, row[5], row[0] + start, weights, fixings, level, halves, w[4], w[:4], sums)
        else:
            brownian_block(table, seed, row[5], row[0] + start, order, weights, w)
            for j in range(n):
                _add_fixing(w[j + 1], 1.0, level[j], fixings[j, 2], sums[0])
                if halves == 2:
                    _add_fixing(w[j + 1], -1.0, level[j], fixings[j, 2], sums[1])
        for half in range(halves):
            _value(w[4 if walked else n], 1.0 - 2.0 * half, centre, sums[half], fixings, terms, value)
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
