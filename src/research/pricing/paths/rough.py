"""Rough Bergomi paths: the variance on a grid of times, and the spot given that variance.

The Volterra motion is exact on the grid, or that of the hybrid scheme, and the variance is held over each
step: the bias of the grid falls slowly where H is near 0 (`pricing.paths.bias`). The part of the spot that the
variance does not drive is lognormal given it, one normal an observation. The motion remembers its whole past, so paths
cannot start again from a state.

References
----------
Bayer, Friz, Gatheral (2016), Quantitative Finance 16, 887-904. Bennedsen, Lunde, Pakkanen (2017), Finance and
Stochastics 21, 931-965. Romano, Touzi (1997), Mathematical Finance 7, 399-412.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from research.arrays import Float2D
from research.core.pricing.rough import rough_paths
from research.errors import NoEngineError, require
from research.pricing.paths.generators import GENERATORS, Generator, Logs, Request, grid, scheme_of
from research.pricing.paths.motion import motion
from research.pricing.rough_bergomi import volterra_weights

_STEPS = 128.0  # a year
_MOST = 2000  # steps: the work is quadratic in them


def rough_bergomi(model: Any, request: Request) -> Generator:
    """Rough Bergomi."""
    scheme = scheme_of(request, ("exact", "hybrid"))
    if request.limits is not None:
        raise NoEngineError("RoughBergomi's paths cannot be kept within limits. Leave out survival=True.")
    if request.start is not None or request.origin != 0.0:
        raise NoEngineError(
            "RoughBergomi's paths cannot start again from a state, as an upper bound of an American "
            "option asks: they remember their whole past. Set upper=False."
        )
    at = grid(request.times, request.steps_per_year or _STEPS)
    n, m = at.dt.size, request.times.size
    require(n <= _MOST, "steps", n, f"be at most {_MOST}", hint="Lower steps_per_year, or look less often.")
    mean, rest = volterra_weights(at.times, model.hurst, scheme)
    spread = (mean**2) @ at.dt + (rest**2).sum(axis=1)
    xi = np.diff(model.total_variance(at.times), prepend=0.0) / at.dt
    kept = (at.observed >= 0).astype(np.float64)
    steps = np.column_stack((at.dt, xi, np.append(0.0, spread[:-1]), kept))
    terms, free = np.array([model.eta, model.rho]), 1.0 - model.rho**2

    def fill(w: Float2D, seed: int, stream: int, first_path: int) -> Logs:
        out = np.empty((4 * m, w.shape[1]))
        rough_paths(np.ascontiguousarray(w[: 2 * n]), mean, rest, steps, terms, out)
        driven, met = out[0::4], np.diff(out[1::4], axis=0, prepend=0.0)
        own = np.sqrt(free * met) * w[2 * n :] - 0.5 * free * met
        return Logs(x=driven + np.cumsum(own, axis=0), exposed=met)

    factors = motion([at.times], request.bridge, n + m)
    return Generator(times=request.times, forward=request.forward, motion=factors, fill=fill)


GENERATORS |= {"RoughBergomi": rough_bergomi}
