"""What jumps add to a plane of log spot and variance: a matrix from nodes to nodes, a drift, and room at the ends.

A jump carries a node x to x + Z, Z normal. Between two nodes the value is a line in S = e^x, so that each cell gives
its two nodes the probability and the mean of S that land in it, both in closed form; below and above the grid the line
of the last cell goes on, or, beyond a barrier, what its hit pays. So a bond and the spot itself come out exact, no
weight inside the grid is negative, and the error is of order 2, as of the differences.

References
----------
In 't Hout, Toivanen (2018), "ADI schemes for valuing European options under the Bates model", Applied Numerical
Mathematics 130, 143-156; Cont, Voltchkova (2005), "A finite difference scheme for option pricing in jump diffusion and
exponential Levy models", SIAM J. Numerical Analysis 43, 1596-1626.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from research.arrays import Float1D, Float2D
from research.models.heston import Heston
from research.models.jumps import Bates
from research.pricing._escrow import LEVERAGED, Leveraged
from research.pricing._pde_grid import WIDTH

PlaneModel = Heston | Bates | Leveraged

_SHARP = 1e-9  # stands for a jump of one size
_REACH = 3.0  # deviations of a jump that the grid has room for
_STEPS = 8.0  # of the coarse grid for each jump that is expected: explicit, they must stay below one jump a step
_HUGE = 700.0  # a logarithm
_STILL = 0.02  # of the whole deviation: what moves between jumps is given no finer grid


def heston_of(model: PlaneModel) -> Heston:
    """The stochastic variance of any model that the plane takes."""
    if isinstance(model, Heston):
        return model
    if isinstance(model, LEVERAGED):
        return model.heston
    return Heston(v0=model.v0, kappa=model.kappa, theta=model.theta, sigma=model.sigma, rho=model.rho)


def drift_of_jumps(model: PlaneModel) -> float:
    """What jumps add to the spot's growth, 1/year: taken off the carry."""
    if not isinstance(model, Bates):
        return 0.0
    return model.intensity * float(np.expm1(model.jump_mean + 0.5 * model.jump_std**2))


def finer_steps(model: PlaneModel, years: float, steps: int) -> int:
    """What the steps of the coarse grid are multiplied by."""
    jumps = model.intensity * years if isinstance(model, Bates) else 0.0
    return max(1, int(np.ceil(_STEPS * jumps / steps)))


def deviations(model: PlaneModel, std: float, years: float) -> tuple[float, float, float]:
    """`std` between jumps, widened where it is next to nothing; room below and above, in deviations of the grid."""
    if not isinstance(model, Bates) or model.intensity == 0.0:
        return std, std, std
    whole = float(np.sqrt(std**2 + model.intensity * years * (model.jump_mean**2 + model.jump_std**2)))
    down, up = (max(sign * model.jump_mean + _REACH * model.jump_std, 0.0) for sign in (-1.0, 1.0))
    return max(std, _STILL * whole), max(whole, std + down / WIDTH), max(whole, std + up / WIDTH)


def jump_rows(x: Float1D, model: PlaneModel, held: tuple[bool, bool] = (False, False)) -> Float2D:
    """l (E V(x + Z) - V(x)) of the values at the nodes x = log S, shape (n, n); (0, 0) without jumps.

    `held`: is there a barrier at the low, at the high end? Its node keeps its value.
    """
    if not isinstance(model, Bates) or model.intensity == 0.0:
        return np.zeros((0, 0))
    from scipy.special import ndtr

    mean, std = model.jump_mean, max(model.jump_std, _SHARP)
    ends = np.concatenate([[-np.inf], x, [np.inf]])
    away = (ends[None, :] - x[:, None] - mean) / std
    chance, price = _between(ndtr, away), _between(ndtr, away - std)
    # of S over that of the low node of each cell, less 1
    grown = np.exp(np.minimum(x[:, None] + mean + 0.5 * std**2 - np.concatenate([x[:1], x])[None, :], _HUGE))
    over = np.concatenate([x[1:2] - x[0], np.diff(x), [x[-1] - x[-2]]])
    low = np.expm1(over)
    low[-1] = -np.expm1(-over[-1])  # the line of the last cell, seen from its high node
    share = (grown * price - chance) / low
    inner = np.clip(share[:, 1:-1], 0.0, chance[:, 1:-1])
    out = np.zeros((x.size, x.size))
    out[:, 1:] += inner
    out[:, :-1] += chance[:, 1:-1] - inner
    below, above = (0.0 if end else share[:, at] for end, at in zip(held, (0, -1)))
    out[:, 0] += chance[:, 0] - below
    out[:, 1] += below
    out[:, -1] += chance[:, -1] + above
    out[:, -2] -= above
    out[np.diag_indices(x.size)] -= 1.0
    out[[0, -1]] *= 1.0 - np.array(held)[:, None]
    return np.ascontiguousarray(model.intensity * out)


def _between(cdf: Any, away: Float2D) -> Float2D:
    """Probabilities of the intervals between columns, small ones too: from the side on which they are in the tail."""
    left, right = away[:, :-1], away[:, 1:]
    out: Float2D = np.where(left > 0.0, cdf(-left) - cdf(-right), cdf(right) - cdf(left))
    return out


__all__ = ["PlaneModel", "deviations", "drift_of_jumps", "finer_steps", "heston_of", "jump_rows"]
