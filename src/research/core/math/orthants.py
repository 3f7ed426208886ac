"""The chance that n normal variables stay below their limits, by separation of variables on Sobol' points.

    P(X_i <= b_i) = E prod of e_i,    e_i = Phi((b_i - sum of L_ij y_j) / L_ii),  y_j = Phi^-1(u_j e_j),  j < i

with L the Cholesky factor of the correlation. The last variable needs no number of its own. Where L_ii is 0 the
variable is known from those before: e_i is 1 or 0.

References
----------
Genz (1992), "Numerical computation of multivariate normal probabilities", J. Comput. Graph. Statist. 1, 141-149.
"""

from __future__ import annotations

import numpy as np

from research.arrays import Float1D, Float2D, Int2D, Int3D
from research.core._jit import inlined, kernel
from research.core.math.normal import norm_cdf, norm_ppf_row
from research.core.random.sobol import sobol_row

LANES = 256  # points of a block
_KNOWN = 1e-7  # of L_ii: less is nothing
_LEAST = 1e-300  # a uniform that inversion takes


@inlined
def _factor(limit: float, row: Float1D, spread: float, y: Float2D, chance: Float1D, product: Float1D) -> None:
    """chance = e_i at each point, and product times it; row = L_ij, j < i."""
    for k in range(chance.size):
        chance[k] = limit
    for j in range(row.size):
        own, slope = y[j], row[j]
        for k in range(chance.size):
            chance[k] -= slope * own[k]
    if spread > _KNOWN:
        for k in range(chance.size):
            chance[k] = norm_cdf(chance[k] / spread)
    else:
        for k in range(chance.size):
            chance[k] = 1.0 if chance[k] >= 0.0 else 0.0
    for k in range(chance.size):
        product[k] *= chance[k]


@inlined
def _block(table: Int2D, first: int, limits: Float1D, lower: Float2D, y: Float2D, work: Float2D, bits: Int2D) -> float:
    """Sum of the products at LANES points."""
    chance, product = work[0], work[1]
    for k in range(LANES):
        product[k] = 1.0
    for i in range(limits.size):
        if i > 0:
            uniform = y[i - 1]
            sobol_row(table[i - 1], first, bits[0], uniform)
            for k in range(LANES):
                uniform[k] = max(uniform[k] * chance[k], _LEAST)
            norm_ppf_row(uniform)
        _factor(limits[i], lower[i, :i], lower[i, i], y, chance, product)
    total = 0.0
    for k in range(LANES):
        total += product[k]
    return total


@kernel
def orthants(tables: Int3D, n_points: int, limits: Float1D, lower: Float2D, out: Float1D) -> None:
    """out[r] = mean over the first n_points, a multiple of LANES, of replicate r.

    tables (replicates, >= n - 1, 33): scrambled directions; limits (n,), lower (n, n): Cholesky's factor.
    """
    n = limits.size
    y, work, bits = np.empty((n, LANES)), np.empty((2, LANES)), np.empty((1, LANES), np.int64)
    for r in range(out.size):
        total = 0.0
        for first in range(0, n_points, LANES):
            total += _block(tables[r], first, limits, lower, y, work, bits)
        out[r] = total / n_points
