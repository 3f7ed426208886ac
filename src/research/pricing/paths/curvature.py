"""Second derivatives along paths: differences of the adjoint's first ones, on the same paths.

A path's own first derivative jumps at a kink, so it has no second one; the difference of two sweeps sees the jump as
often as a path passes the kink between them, and its noise falls with the root of the width, where that of a second
difference of prices falls with its square. So the width is wide, a tenth of the last price's standard deviation (of
the volatility, for volga), and its bias is taken off by a second pair twice as far apart; what that has taken off is
in the error.

References
----------
Glasserman (2004), Monte Carlo Methods in Financial Engineering, sections 7.1 and 7.2.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from research.arrays import Float1D
from research.core.random import sobol
from research.market import Snapshot
from research.pricing._bumps import bumped, shifted, within
from research.pricing._simulation import Settings
from research.pricing.paths import adjoint
from research.pricing.paths.generators import Request, generator
from research.pricing.paths.payoffs import Terms, payoff
from research.pricing.simulated_greeks import entry

_WIDTH = 0.1  # of the standard deviation of the last log price, and of a volatility
_FEW = 256
_LEAST, _MOST = 1e-4, 0.2
SECOND = ("gamma", "vanna", "volga")
_HOW = "pathwise: differences of sweeps"
Found = tuple[str, float, Float1D, float]  # name, expiry, each replicate, bias


def _spread(item: Any, model: Any, snapshot: Snapshot, seed: int) -> tuple[float, float]:
    """Standard deviation of the last log price, and the volatility that makes it."""
    times = payoff(item, Terms(snapshot=snapshot, model=model)).times
    made = generator(model, Request(snapshot=snapshot, times=times))
    block = made.block(np.zeros((0, sobol.COLUMNS), dtype=np.int64), seed, 0, 0, _FEW)
    std = float(np.log(block.spot[-1]).std())
    return std, std / float(np.sqrt(times[-1]))


def _differenced(four: list[Float1D], h: float) -> tuple[Float1D, float]:
    """(each replicate, what the wider pair has taken off), h half the width of the nearer pair."""
    up, down, far_up, far_down = four
    near, far = (up - down) / (2.0 * h), (far_up - far_down) / (4.0 * h)
    best = near + (near - far) / 3.0
    return best, abs(float((best - near).mean()))


def curvature(item: Any, model: Any, snapshot: Snapshot, settings: Settings, bias_factor: float) -> list[Found]:
    """Gamma, vanna, volga, and the delta by every parameter; a scheme's bias by half as many steps on some paths."""
    found = _differences(item, model, snapshot, settings)
    if bias_factor == 0.0:
        return found
    assert settings.n_paths is not None
    few = replace(settings, n_paths=max(adjoint.SCHEME_PATHS, settings.n_paths // 32))
    fine, rough = (_differences(item, model, snapshot, few, coarse=one) for one in (False, True))
    out = []
    for row, a, b in zip(found, fine, rough):
        gap = a[2] - b[2]
        off = bias_factor * (abs(float(gap.mean())) + 2.0 * float(gap.std(ddof=1) / np.sqrt(gap.size)))
        out.append((*row[:3], row[3] + off))
    return out


def second(item: Any, model: Any, snapshot: Snapshot, settings: Settings) -> dict[str, dict[str, Any]]:
    """Gamma, vanna and volga as `greeks` shows them."""
    times = payoff(item, Terms(snapshot=snapshot, model=model)).times
    factor = generator(model, Request(snapshot=snapshot, times=times)).bias_factor
    out = {}
    for name, _, each, off in curvature(item, model, snapshot, settings, factor)[: len(SECOND)]:
        out[name] = entry(each, _HOW)
        out[name]["error"] = out[name]["error"] + off
    return out


def _differences(item: Any, model: Any, snapshot: Snapshot, settings: Settings, coarse: bool = False) -> list[Found]:
    std, vol = _spread(item, model, snapshot, settings.seed)
    h, g = (float(np.clip(_WIDTH * one, _LEAST, _MOST)) for one in (std, vol))
    moves = (1.0, -1.0, 2.0, -2.0)
    spots = [_at(item, within(model, k * h), bumped(snapshot, spot=k * h), settings, coarse) for k in moves]
    vols = [_at(item, shifted(model, k * g, snapshot), snapshot, settings, coarse) for k in moves]
    width = h * snapshot.spot
    gamma = _differenced([one["delta"] for one in spots], width)
    vanna = _differenced([one["vega"] for one in spots], width)
    volga = _differenced([one["vega"] for one in vols], g)
    out: list[Found] = [("gamma", np.nan, *gamma), ("vanna", np.nan, *vanna), ("volga", np.nan, *volga)]
    for n, (name, tau, _) in enumerate(spots[0]["parameters"]):
        each = _differenced([one["parameters"][n][2] for one in spots], width)
        out.append(("vanna" if name == "vega" else f"delta_{name}", tau, *each))
    return out


def _at(item: Any, model: Any, snapshot: Snapshot, settings: Settings, coarse: bool) -> dict[str, Any]:
    """First derivatives in a moved market."""
    sums = adjoint.sweep(item, model, snapshot, settings, coarse)
    return {"delta": sums.spot / snapshot.spot, "vega": adjoint.vega(sums, model, snapshot),
            "parameters": adjoint.parameters(sums, model)}  # fmt: skip


__all__ = ["SECOND", "curvature", "second"]
