"""What a grid says at the spot: value, delta, gamma, speed and theta, by the polynomial through the nearest nodes.

Theta comes from the equation that the grid solves: V_t = r V - (r - q) S V_S - ... at the local variance of today.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from research.arrays import Float1D, Float2D
from research.market import Snapshot
from research.models import CEV, Bates, BlackScholes, DisplacedDiffusion, Heston, LocalVol
from research.pricing._grid_models import variance_on_grid
from research.pricing._pde_grid import near, steps_between

NAMES = ("value", "delta", "gamma", "speed", "theta")
Side = tuple[float, float]  # in x
EVERYWHERE: Side = (-np.inf, np.inf)
_CHANCE = 1.0 / 6.0  # the distance of two grids may pass through 0 where their error does not
_MOMENT = 1e-7  # years: the rates of today
_STEADY = (BlackScholes, CEV, DisplacedDiffusion, Heston, Bates)


# what two grids leave, in units of a third of their distance: derivatives lose some of the order to the polynomial
CAUTION = np.array([2.0, 3.0, 3.0, 30.0, 3.0])


def extrapolated(fine: Float2D, coarse: Float2D, rough: Float2D) -> tuple[Float2D, Float2D]:
    """Rows of `NAMES` (or the value alone) without the leading error, and what may be left.

    `rough` has half the points and steps of `coarse`. Where the order is 2 the two extrapolated values are far closer
    to each other than their grids are; where it is not, their distance says so.
    """
    third, wider = (fine - coarse) / 3.0, (coarse - rough) / 3.0  # the second is four times the first
    value, before = fine + third, coarse + wider
    left = np.maximum(np.maximum(np.abs(third), np.abs(value - before)), _CHANCE * np.abs(wider))
    return value, left * CAUTION[: fine.shape[0], None]


def exercised(found: Float2D, floor: Float1D, sign: Float1D) -> Float2D:
    """Where exercise today pays more, that and its slope `sign`; floor is -inf where it is not allowed."""
    out, now = found.copy(), found[0] < floor
    out[0] = np.maximum(found[0], floor)
    if out.shape[0] > 1:
        out[1:, now] = 0.0
        out[1, now] = sign[now]
    return out


def rates_today(snapshot: Snapshot) -> tuple[float, float]:
    """Short rate, and the rate less the yield, 1/year."""
    rate, carry = steps_between(np.zeros(1), np.array([_MOMENT]), np.array([_MOMENT]), snapshot)
    return float(rate), float(carry)


def steady(model: Any, snapshot: Snapshot, end: float) -> bool:
    """Is a contract that is one day younger the same as one that has one day less to go?"""
    times = np.linspace(0.01 * end, end, 50)
    rates = np.asarray(snapshot.discount.zero_rate_at(np.append(times, snapshot.discount.tau)))
    if snapshot.dividend_yields is not None:
        return False
    grid = model if isinstance(model, LocalVol) else getattr(model, "leverage", None)
    if isinstance(grid, LocalVol):  # its nodes move with the forward
        calm = grid.tau.size == 1 and (grid.log_moneyness.size == 1 or rates_today(snapshot)[1] == 0.0)
    else:
        calm = isinstance(model, _STEADY)
    return calm and float(np.ptp(rates)) < 1e-12


def by_spot(derivatives: Any, spot: float) -> Float1D:
    """Value and three derivatives by the spot, from those by its logarithm."""
    v, d1, d2, d3 = derivatives
    return np.array([v, d1 / spot, (d2 - d1) / spot**2, (d3 - 3.0 * d2 + 2.0 * d1) / spot**3])


def read_line(x: Float1D, v: Float1D, at: float, spot: float, side: Side = EVERYWHERE) -> Float1D:
    """Value, delta, gamma, speed at x = at, and 0; from nodes on one `side` of where the values break."""
    here, weights = near(x, at, side=side)
    return np.append(by_spot(weights @ v[here], spot), 0.0)


def read_plane(
    x: Float1D, v: Float1D, values: Float2D, at: float, spot: float, model: Any, side: Side = EVERYWHERE,
    jump: Float2D | None = None,
) -> Float1D:  # fmt: skip
    """Value, delta, gamma, speed at x = at and today's variance, and what theta owes to jumps and to the variance.

    values has shape (n_variance, n); `jump` is the matrix of `_jump_plane`.
    """
    heston = getattr(model, "heston", model)
    lever = float(model.leverage.local_vol(0.0, 0.0)) if hasattr(model, "leverage") else 1.0
    here, weights = near(x, at, side=side)
    there, others = near(v, heston.v0, 3)
    mixed = others[:3] @ values[there][:, here] @ weights.T  # row: derivative by v, column: by x
    rest = heston.kappa * (heston.theta - heston.v0) * mixed[1, 0]
    rest += heston.sigma * heston.v0 * (heston.rho * lever * mixed[1, 1] + 0.5 * heston.sigma * mixed[2, 0])
    if jump is not None and jump.size:
        compensated = model.intensity * np.expm1(model.jump_mean + 0.5 * model.jump_std**2)
        rest += others[0] @ values[there] @ jump[here].T @ weights[0] - compensated * mixed[0, 1]
    return np.append(by_spot(mixed[0], spot), -rest)


def variance_today(model: Any, snapshot: Snapshot, end: float) -> float:
    """Variance of the log spot, 1/year."""
    if isinstance(model, (Heston, Bates)):
        return model.v0
    if hasattr(model, "leverage"):
        return float(model.heston.v0 * model.leverage.local_vol(0.0, 0.0) ** 2)
    times = np.array([0.0, _MOMENT])
    return float(variance_on_grid(model, np.zeros(1), snapshot.spot, times, end, snapshot)[0, 0])


def with_theta(found: Float2D, variance: Float1D, snapshot: Snapshot) -> Float2D:
    """The rows of `NAMES`, shape (5, n), from the readings of n contracts, shape (5, n)."""
    rate, carry = rates_today(snapshot)
    s, out = snapshot.spot, found.copy()
    out[4] += rate * found[0] - carry * s * found[1] - 0.5 * variance * s * s * found[2]
    return out
