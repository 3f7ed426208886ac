"""Brownian paths in blocks: Philox or scrambled Sobol' normals, joined by a bridge or step by step.

Philox normals come by Box and Muller, four from a block; Sobol' ones by inversion, which keeps the order of the points.

A block is a matrix w, shape (n_times + 1, lanes): row 0 is time 0, row k + 1 the motion at variance time v[k]. The plan
says in which order the rows are made: normal number k makes row order[k, 0] out of rows order[k, 1] and order[k, 2],

    w[target] = weights[k, 0] w[left] + weights[k, 1] w[right] + weights[k, 2] z.

A bridge gives the first, best Sobol' dimensions to the largest moves (Moskowitz and Caflisch 1996); step by step the
motion at time k depends only on the normals up to k. Path p of replicate r is a function of (seed, r, p) alone.

References
----------
Moskowitz, Caflisch (1996), "Smoothness and dimension reduction in quasi-Monte Carlo methods", Math. Comput. Model. 23.
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from research.arrays import Float1D, Float2D, Int1D, Int2D
from research.core._jit import inlined, kernel
from research.core.math.normal import norm_ppf_row
from research.core.random.box_muller import four_normals
from research.core.random.sobol import sobol_row


def plan(variance: Float1D, bridge: bool) -> tuple[Int2D, Float2D]:
    """(order, weights), each of shape (n, 3), for variance times that do not fall; see the module."""
    n = variance.size
    v = np.concatenate(([0.0], variance))
    order, weights = np.zeros((n, 3), dtype=np.int64), np.zeros((n, 3))
    if not bridge:
        step = np.arange(n)
        order[:, 0], order[:, 1], order[:, 2] = step + 1, step, step
        weights[:, 0], weights[:, 2] = 1.0, np.sqrt(np.diff(v))
        return order, weights
    order[0], weights[0] = (n, 0, 0), (0.0, 0.0, sqrt(v[n]))
    todo, k = [(0, n)], 1
    while todo:  # breadth first: halve every gap before any is halved again
        left, right = todo.pop(0)
        if right - left < 2:
            continue
        middle, gap = (left + right) // 2, v[right] - v[left]
        share = (v[middle] - v[left]) / gap if gap > 0.0 else 0.0
        order[k] = middle, left, right
        weights[k] = 1.0 - share, share, sqrt(max((v[middle] - v[left]) * (1.0 - share), 0.0))
        todo += [(left, middle), (middle, right)]
        k += 1
    return order, weights


@inlined
def _join(row: Int1D, weight: Float1D, w: Float2D) -> None:
    """The motion out of its normals in w[row[0]] and of its neighbours."""
    target, left, right = w[row[0]], w[row[1]], w[row[2]]
    a, b, c = weight[0], weight[1], weight[2]
    for i in range(target.size):
        target[i] = a * left[i] + b * right[i] + c * target[i]


@inlined
def brownian_block(
    table: Int2D, seed: int, stream: int, first_path: int, order: Int2D, weights: Float2D, w: Float2D
) -> None:
    """Fill w, shape (n + 1, lanes), with paths first_path, first_path + 1, ...; Philox where `table` has no rows.

    For Sobol' points `lanes` is a power of two that divides first_path.
    """
    n, lanes = order.shape[0], w.shape[1]
    for i in range(lanes):
        w[0, i] = 0.0
    if table.shape[0] > 0:
        bits = np.empty(lanes, np.int64)
        for k in range(n):
            sobol_row(table[k], first_path, bits, w[order[k, 0]])
            norm_ppf_row(w[order[k, 0]])
            _join(order[k], weights[k], w)
    else:
        spare = np.empty((3, lanes))
        for k in range(0, n, 4):
            b = w[order[k + 1, 0]] if k + 1 < n else spare[0]
            c = w[order[k + 2, 0]] if k + 2 < n else spare[1]
            d = w[order[k + 3, 0]] if k + 3 < n else spare[2]
            four_normals(seed, stream, first_path, k // 4, w[order[k, 0]], b, c, d)
            for j in range(k, min(k + 4, n)):
                _join(order[j], weights[j], w)


@kernel
def brownian_paths(
    table: Int2D, seed: int, first_path: int, lanes: int, order: Int2D, weights: Float2D, out: Float2D
) -> None:
    """out[k, i] = motion at time k of path first_path + i; shape (n, n_paths)."""
    for start in range(0, out.shape[1], lanes):
        w = np.empty((out.shape[0] + 1, min(lanes, out.shape[1] - start)))
        brownian_block(table, seed, 0, first_path + start, order, weights, w)
        for k in range(out.shape[0]):
            for i in range(w.shape[1]):
                out[k, start + i] = w[k + 1, i]
