"""Lognormal paths, as fast as memory takes them: normals from `core.random.box_muller`, a product a step."""

from __future__ import annotations

import numpy as np

from research.arrays import Float1D, Float2D
from research.core._jit import inlined, kernel
from research.core.math.elementary import _exp_tail, exp
from research.core.random.box_muller import LARGEST, four_normals

_TILE = 256  # paths walked together: they stay in the first-level cache
_HALF_LN2 = 0.34  # moves up to here need no range reduction


@inlined
def _move(spot: Float1D, z: Float1D, mean: float, size: float, row: Float1D) -> None:
    """spot[i] *= exp(mean + size z[i]), and the same into `row`."""
    if abs(mean) + LARGEST * abs(size) < _HALF_LN2:
        for i in range(row.size):
            r = mean + size * z[i]
            spot[i] += spot[i] * (r + r * r * _exp_tail(r))
            row[i] = spot[i]
    else:
        for i in range(row.size):
            spot[i] *= exp(mean + size * z[i])
            row[i] = spot[i]


@kernel
def lognormal_paths(
    seed: int, stream: int, first_path: int, first: int, last: int, drift: Float1D, std: Float1D, out: Float2D
) -> None:
    """out[k, i] = exp(sum over steps j <= k of drift[j] + std[j] z[j]) for columns first <= i < last.

    Column i is path first_path + i; shape (n_steps, n_paths). A negative `std` gives the antithetic paths.
    """
    n = out.shape[0]
    normals, spot = np.empty((4, _TILE)), np.empty(_TILE)
    for start in range(first, last, _TILE):
        lanes = min(_TILE, last - start)
        for i in range(lanes):
            spot[i] = 1.0
        for k in range(0, n, 4):
            a, b, c, d = normals[0, :lanes], normals[1, :lanes], normals[2, :lanes], normals[3, :lanes]
            four_normals(seed, stream, first_path + start, k // 4, a, b, c, d)
            for j in range(k, min(k + 4, n)):
                _move(spot, normals[j - k], drift[j], std[j], out[j, start : start + lanes])
