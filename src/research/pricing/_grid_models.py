"""What the one-dimensional grids ask of a model: the local variance at their nodes, and how far the spot may go.

| model | variance of d log S at time t |
|---|---|
| `BlackScholes` | sigma^2 |
| `BlackTermStructure` | its mean over the step, from the total variance |
| `LocalVol` | the grid's, its mean over the step |
| `CEV` | sigma^2 F^(2 beta - 2), F the forward for the contract's own end: the law that prices its European options |
| `DisplacedDiffusion` | sigma^2 (1 + shift / F)^2, the same F; 0 where F lies below -shift |
| any of them, escrowed cash | that of X = S - D(t), times (X / S)^2 (`_escrow`) |
"""

from __future__ import annotations

from typing import Any

import numpy as np

from research.arrays import Float1D, Float2D
from research.errors import require
from research.market import Snapshot
from research.models import CEV, BlackScholes, BlackTermStructure, DisplacedDiffusion, LocalVol
from research.pricing._escrow import Escrowed, base_of, moving

GridModel = BlackScholes | BlackTermStructure | LocalVol | CEV | DisplacedDiffusion | Escrowed
_CALM_DRIFT, _FINEST, _UNSEEN_DRIFT = 5.0, 8, 4.0
_REACH = 3.0  # deviations over which the mean of a variance that hangs on the spot is taken


def check_model(model: GridModel, tau: float, snapshot: Snapshot) -> None:
    """Refuse a model under which nothing moves up to `tau`."""
    hint = "Use the analytic engine."
    if isinstance(model, Escrowed):
        snapshot, model = moving(model.market), base_of(model)
    if isinstance(model, (BlackScholes, DisplacedDiffusion)):
        require(model.sigma > 0.0, "sigma", model.sigma, "be > 0 for method='pde'", hint=hint)
    if isinstance(model, BlackTermStructure):
        total = float(model.total_variance(tau))
        require(total > 0.0, "implied", total, f"give a total variance > 0 at {tau:g} years", hint=hint)
    if isinstance(model, DisplacedDiffusion):
        low = float(snapshot.forward(tau)) + model.shift
        require(low > 0.0, "shift", model.shift, f"lie above minus the forward, {snapshot.forward(tau):g}")


def hangs_on_time(model: GridModel) -> bool:
    """Has the variance a row for each step?"""
    return not isinstance(model, BlackScholes)


def _of_forward(model: CEV | DisplacedDiffusion, forward: Any) -> Any:
    """Variance of the log at a forward."""
    if isinstance(model, CEV):
        return model.sigma**2 * forward ** (2.0 * model.beta - 2.0)
    return model.sigma**2 * np.maximum(1.0 + model.shift / forward, 0.0) ** 2


def _std(model: CEV | DisplacedDiffusion, forward: float, tau: float, reach: float) -> float:
    """sqrt(variance tau), the variance's mean over `reach` such deviations from the forward on."""
    out = float(np.sqrt(_of_forward(model, forward) * tau))
    for _ in range(3 if reach != 0.0 else 0):
        path = _of_forward(model, forward * np.exp(np.linspace(0.0, reach * out, 9)))
        out = float(np.sqrt(path.mean() * tau))
    return out


def spreads(model: GridModel, tau: float, snapshot: Snapshot) -> tuple[float, float, float]:
    """Standard deviations of the log spot at `tau`: around the forward, below it and above it."""
    if isinstance(model, Escrowed):  # S moves less than X
        return spreads(model.base, tau, moving(model.market))
    if isinstance(model, LocalVol):
        return model.std(tau), model.std(tau, -_REACH), model.std(tau, _REACH)
    if isinstance(model, (CEV, DisplacedDiffusion)):
        forward = float(snapshot.forward(tau))
        middle, low, high = (_std(model, forward, tau, reach) for reach in (0.0, -_REACH, _REACH))
        return middle, max(low, 0.5 * middle), max(high, 0.5 * middle)
    if isinstance(model, BlackTermStructure):
        std = float(np.sqrt(model.total_variance(tau)))
    else:
        std = float(model.sigma * np.sqrt(tau))
    return std, std, std


def drift(std: float, tau: float, snapshot: Snapshot) -> float:
    """How many standard deviations the forward goes from the spot, less a few: what a standing grid must follow."""
    far = abs(float(np.log(snapshot.forward(tau) / snapshot.spot))) / std
    return max(far - _CALM_DRIFT, 0.0)


def refinement(std: float, tau: float, snapshot: Snapshot) -> int:
    """What points and steps are multiplied by, so that a value that the drift carries along is still resolved."""
    return int(np.clip(np.ceil(drift(std, tau, snapshot) / _CALM_DRIFT), 1, _FINEST))


def unseen_drift(std: float, tau: float, snapshot: Snapshot) -> float:
    """What a stated error is multiplied by where the drift carries a value over many deviations."""
    return min(1.0 + drift(std, tau, snapshot) / _CALM_DRIFT, _UNSEEN_DRIFT)


def variance_on_grid(
    model: GridModel, x: Float1D | Float2D, scale: float, times: Float1D, end: float, snapshot: Snapshot, *,
    of_forward: bool = False,
) -> Float2D:  # fmt: skip
    """Mean local variance of each step between `times` (from today, increasing, steps + 1), latest step first.

    At the nodes x = log(spot / scale), or of the forward for `end`, the contract's; shape (n,) or one row a step,
    earliest first. The answer has shape (steps, n), or (1, n) where it does not change.
    """
    if isinstance(model, Escrowed):
        base, there, unit = model.base, moving(model.market), np.log(scale)

        def of_x(log_x: Float2D) -> Float2D:
            return variance_on_grid(base, log_x - unit, scale, times, end, there)[::-1]

        return np.ascontiguousarray(model.rows(times, np.atleast_2d(x) + unit, of_x)[::-1])
    at: Float2D = np.atleast_2d(x)
    if isinstance(model, BlackScholes):
        return np.full((1, at.shape[1]), model.sigma**2)
    if isinstance(model, BlackTermStructure):
        mean = np.diff(model.total_variance(times)) / np.diff(times)
        return np.ascontiguousarray(np.broadcast_to(mean[::-1, None], (mean.size, at.shape[1])))
    forward = snapshot.forward(0.5 * (times[1:] + times[:-1]))
    last = snapshot.forward(end)
    ahead = np.ones_like(forward) if of_forward else last / forward  # of x, as a factor
    if isinstance(model, LocalVol):
        rows = model.variance_rows(times, at + np.log(ahead * scale / last)[:, None])
    else:
        rows = _of_forward(model, np.exp(at) * (scale * ahead)[:, None])
    return np.ascontiguousarray(rows[::-1])
