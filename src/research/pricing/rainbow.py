"""Options on the best or the worst of n lognormal prices: Stulz' formula for two, Johnson's for more.

    E[max(M - K, 0)] = sum of F_i P_i(S_i is M, S_i > K) - K P(M > K),    M the best or the worst,

P_i the measure of asset i; each probability is a normal one in n variables. Puts by parity.

References
----------
Stulz (1982), "Options on the minimum or the maximum of two risky assets", J. Financial Economics 10, 161-185.
Johnson (1987), "Options on the maximum or the minimum of several assets", J. Financial Quant. Analysis 22, 277-283.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from research.arrays import Float1D, Float2D
from research.errors import require
from research.instruments import BestOf, WorstOf
from research.market import BasketSnapshot
from research.models.multi_asset import MultiAssetBlackScholes
from research.pricing._lognormals import lognormals
from research.pricing.catalogue import Values
from research.pricing.normal_probabilities import mean_and_error, replicates

_SURE = 1e9  # a normal limit that is always, or never, passed
_WORK = 1 << 23  # factors of the probabilities of one option, each about 15 ns
_MOST, _LEAST = 1 << 18, 1 << 15  # points of a probability


def _ratio(log_ratio: float, std: float, tie: float = 1.0) -> float:
    """(log ratio) / std + std / 2, its limit where std is 0; `tie` decides between equals."""
    if std > 1e-12:
        return log_ratio / std + 0.5 * std
    return float(np.copysign(_SURE, log_ratio if abs(log_ratio) > 1e-15 else tie))


def _points(n: int) -> int:
    """Of each probability of n variables: n + 1 of them share the work."""
    return max(min(1 << (_WORK // (n * (n + 1))).bit_length() - 1, _MOST), _LEAST)


def _is_extreme(i: int, forward: Float1D, c: Float2D, strike: float, side: float) -> Float1D:
    """P_i(S_i beats the others and, strike > 0, exceeds it), by replicates; side 1 best, -1 worst."""
    n = forward.size
    others = [j for j in range(n) if j != i]
    rows = np.array([-np.eye(n)[j] + np.eye(n)[i] for j in others]).reshape(-1, n)  # log S_i - log S_j
    std = np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", rows, c, rows), 0.0))
    limits = [side * _ratio(np.log(forward[i] / forward[j]), s, side if i < j else -side) for j, s in zip(others, std)]
    rows = side * rows
    if strike > 0.0:
        rows = np.vstack((rows, np.eye(n)[i]))
        std = np.append(std, np.sqrt(c[i, i]))
        limits.append(_ratio(np.log(forward[i] / strike), float(std[-1])))
    inverse = np.where(std > 1e-12, 1.0 / np.where(std > 1e-12, std, 1.0), 0.0)
    joint = np.clip((rows @ c @ rows.T) * inverse[:, None] * inverse[None, :], -1.0, 1.0)
    np.fill_diagonal(joint, 1.0)
    return replicates(limits, joint, n_points=_points(n))


def _exceeds(forward: Float1D, c: Float2D, strike: float, side: float) -> Float1D:
    """P(best > strike) or P(worst > strike), by replicates."""
    std = np.sqrt(np.diag(c))
    d2 = np.array([_ratio(np.log(f / strike), s) - s for f, s in zip(forward, std)])
    inverse = np.where(std > 1e-12, 1.0 / np.where(std > 1e-12, std, 1.0), 0.0)
    joint = np.clip(c * inverse[:, None] * inverse[None, :], -1.0, 1.0)
    np.fill_diagonal(joint, 1.0)
    found = replicates(-side * d2, joint, n_points=_points(forward.size))
    return 1.0 - found if side > 0.0 else found


def extreme_value(forward: Float1D, c: Float2D, strike: float, side: float, is_call: bool) -> tuple[float, float]:
    """Undiscounted value of an option on the best (side 1) or worst (-1), and its standard error."""
    if not is_call and strike == 0.0:
        return 0.0, 0.0
    each = _calls(forward, c, strike, side)
    if not is_call:
        each = strike - _calls(forward, c, 0.0, side) + each
    value, error = mean_and_error(each)
    return max(value, 0.0), error


def _calls(forward: Float1D, c: Float2D, strike: float, side: float) -> Float1D:
    """The call by each replicate of the probabilities: what they have in common stays in its error."""
    each = sum(f * _is_extreme(i, forward, c, strike, side) for i, f in enumerate(forward))
    return np.asarray(each - strike * _exceeds(forward, c, strike, side) if strike > 0.0 else each)


def value(
    items: Sequence[BestOf | WorstOf], model: MultiAssetBlackScholes, snapshot: BasketSnapshot, **_: Any
) -> Values:
    """Engine: exact for two and three underlyings, with a standard error of the probabilities for more."""
    found = np.empty((len(items), 3))
    for row, item in zip(found, items):
        require(len(item.underlyings) <= 20, "underlyings", len(item.underlyings), "number at most 20")
        tau = item.years(snapshot.as_of)
        assets = lognormals(item.underlyings, item.fx, model, snapshot)
        initials = np.array(item.initials if item.initials is not None else np.ones(len(item.underlyings)))
        forward = assets.forwards(tau) / initials
        side = 1.0 if isinstance(item, BestOf) else -1.0
        unit = float(snapshot.discount.df(tau)) * item.notional
        covariance = assets.covariance(tau)
        one, error = extreme_value(forward, covariance, item.strike, side, item.is_call)
        size = forward.max() + item.strike
        with np.errstate(divide="ignore"):
            logs = min(4e-16 / float(np.sqrt(np.diag(covariance).min())), 1.0)  # of logs over deviations
        row[:] = unit * one, unit * error, unit * (3.0 * error + (1e-14 + logs) * size)
    return Values(found[:, 0].copy(), found[:, 1].copy(), found[:, 2].copy())
