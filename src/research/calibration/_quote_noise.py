"""How noisy quotes are, judged by their own smoothness: for models that pass through every quote and leave no residual.

Each quote is compared with the cubic through its two neighbours on either side. Of independent errors of deviation s
the gap has the deviation s (1 + sum of c^2)^(1/2), with c the neighbours' coefficients; what a smooth smile itself
leaves is of fourth order in the distance of strikes. The mean square over a smile is its s^2 (Gasser, Sroka and
Jennen-Steinmetz take the line through one neighbour on either side).

References
----------
Gasser, Sroka, Jennen-Steinmetz (1986), "Residual variance and residual pattern in nonlinear regression", Biometrika 73,
625-633.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from research.arrays import Float1D
from research.market import Smile

_ALONE = 4  # gaps from which a smile speaks for itself; others take the mean of all


def quote_noise(smiles: Sequence[Smile]) -> Float1D:
    """Standard deviation of the vols of each smile; nan where no smile has five quotes."""
    gaps = [_gaps(smile) for smile in smiles]
    every = np.concatenate(gaps)
    common = float(np.sqrt(np.mean(every**2))) if every.size else float("nan")
    return np.array([np.sqrt(np.mean(gap**2)) if gap.size >= _ALONE else common for gap in gaps])


def _gaps(smile: Smile) -> Float1D:
    """Quotes less the cubics through their neighbours, each over its standard deviation in units of a quote's."""
    counts = np.ones(len(smile), dtype=bool) if smile.weight is None else np.asarray(smile.weight) > 0.0
    x, vol = smile.log_moneyness[counts], np.asarray(smile.vol)[counts]
    out = []
    for i in range(2, x.size - 2):
        near = np.array([i - 2, i - 1, i + 1, i + 2])
        c = [np.prod([(x[i] - x[j]) / (x[k] - x[j]) for j in near if j != k]) for k in near]
        out.append((vol[i] - float(np.dot(c, vol[near]))) / np.sqrt(1.0 + float(np.dot(c, c))))
    return np.array(out)
