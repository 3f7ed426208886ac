"""The Brownian motions behind a block of paths: several factors, one order of draws, any sampler.

The first Sobol' dimensions go to the largest moves of every factor in turn. Rows are those of
`core.random.brownian`: factor by factor, one row a step.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from research.arrays import Float1D, Float2D, Int2D
from research.core.random import brownian
from research.core.random.brownian import brownian_paths

_LANES = 128  # paths that one pass of the kernel walks together


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Motion:
    """How the rows of a block are made out of independent normals; see core.random.brownian."""

    order: Int2D  # (n_rows, 3)
    weights: Float2D  # (n_rows, 3)
    clock: Float1D = field(default_factory=lambda: np.empty(0))  # variance times of the first factor, the price's own

    @property
    def n_rows(self) -> int:
        """Normals a path."""
        return int(self.order.shape[0])

    def rows(self, table: Int2D, seed: int, first_path: int, n_paths: int) -> Float2D:
        """Motions of paths first_path, first_path + 1, ...; shape (n_rows, n_paths). Sobol' points with a `table`.

        For Sobol' points n_paths is a power of two that divides first_path.
        """
        out = np.empty((self.n_rows, n_paths))
        if self.n_rows:
            brownian_paths(table, seed, first_path, min(_LANES, n_paths), self.order, self.weights, out)
        return out


def motion(factors: list[Float1D], bridge: bool, n_plain: int = 0) -> Motion:
    """Factors given by their variance times, one row each, and `n_plain` rows of plain standard normals."""
    parts, offset = [], 0
    for times in factors:
        order, weights = brownian.plan(times, bridge)
        parts.append((np.where(order > 0, order + offset, 0), weights))
        offset += times.size
    if n_plain:
        order, weights = np.zeros((n_plain, 3), dtype=np.int64), np.zeros((n_plain, 3))
        order[:, 0], weights[:, 2] = offset + 1 + np.arange(n_plain), 1.0
        parts.append((order, weights))
    # normal k of a factor with n rows comes at (k + 1/2) / n of the whole, ties in the order given
    rank = np.concatenate([(np.arange(o.shape[0]) + 0.5) / o.shape[0] for o, _ in parts])
    first = np.argsort(rank, kind="stable")
    order, weights = (np.concatenate([part[i] for part in parts])[first] for i in (0, 1))
    clock = factors[0] if factors else np.empty(0)
    return Motion(order=np.ascontiguousarray(order), weights=np.ascontiguousarray(weights), clock=clock)
