"""Paths of SABR's own dynamics, with absorption at minus the shift: what `ArbitrageFreeSABR` expands.

    dF = a (F + shift)^beta dW1,    da = nu a dW2,    d<W1, W2> = rho dt,    F today's forward for the last time

The volatility is lognormal, exactly. Given it over a step, F is a CEV process on the clock (1 - rho^2) a^2 dt, drawn
by the quantiles of its Bessel process (`cev.table`); the correlated part moves the level where it starts, as if the
volatility were lognormal over the step, which keeps the mean (Choi, Hu and Kwok). Without correlation, and at beta = 1,
only the integral of a^2 given both its ends is approximate. What the steps cost is in `Price.error`, by half as many.

References
----------
Islah (2009), "Solving SABR in exact form and unifying it with LIBOR market model", SSRN 1489428.
Choi, Hu, Kwok (2024), "Efficient and accurate simulation of the stochastic-alpha-beta-rho model", arXiv:2408.01898.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from research.arrays import Float1D, Float2D
from research.core.paths.bessel import sabr_paths
from research.errors import NoEngineError, require
from research.models import ArbitrageFreeSABR
from research.pricing.paths.cev import table
from research.pricing.paths.charts import TINY, Chart, chart_of
from research.pricing.paths.generators import Generator, Logs, Request, scheme_of
from research.pricing.paths.motion import motion

_STEPS = 32.0  # a year
_LEAST_NU = 1e-6
_NEAR_ONE = 1e-4  # nearer to 1 than this, beta must be 1


def _chart(model: ArbitrageFreeSABR, request: Request) -> Chart:
    one, shift = 1.0 - model.beta, model.shift

    def to(price: Any) -> Any:
        moved = np.maximum(np.asarray(price) + shift, 0.0)
        with np.errstate(divide="ignore"):
            return np.log(moved) if one == 0.0 else moved**one / one

    def back(y: Any) -> Any:
        return (np.exp(y) if one == 0.0 else (one * np.maximum(y, 0.0)) ** (1.0 / one)) - shift

    def slope(y: Any) -> Any:
        if one == 0.0:
            return np.exp(y)
        base = one * np.maximum(y, 0.0)
        return np.where(base > 0.0, np.where(base > 0.0, base, 1.0) ** (model.beta / one), 0.0)

    forward = float(request.snapshot.forward(request.horizon))
    require(forward + shift > 0.0, "shift", shift, f"lie above minus the forward, {forward:g}")
    lowest = float(np.log(TINY)) if one == 0.0 else 0.0
    return chart_of(request.snapshot, request.horizon, request.origin, to=to, back=back, slope=slope, exact=False,
                    lowest=lowest)  # fmt: skip


def _tables(beta: float, coarse: bool) -> tuple[Float2D, Float1D, Float1D]:
    """(table, edges, terms) of core.paths.bessel."""
    if beta == 1.0:
        return np.zeros((1, 1)), np.zeros(1), np.zeros(4)
    rows, edges, z, c = table(beta)
    if coarse:
        rows, edges, z = np.ascontiguousarray(rows[::2, ::2]), np.ascontiguousarray(edges[::2]), z[::2]
    return rows, edges, np.array([c, 1.0, z[0], 1.0 / (z[1] - z[0])])


def sabr(model: ArbitrageFreeSABR, request: Request) -> Generator:
    """The generator."""
    if request.limits is not None:
        raise NoEngineError("Paths of SABR cannot be kept within limits. Leave out survival=True.")
    scheme_of(request, ("cev",))
    require(model.beta == 1.0 or 1.0 - model.beta >= _NEAR_ONE, "beta", model.beta,
            f"be 1 or differ from it by {_NEAR_ONE:g} for paths", error=NoEngineError)  # fmt: skip
    chart, at = _chart(model, request), request.grid(_STEPS)
    rows, edges, first = _tables(model.beta, request.coarse)
    terms = np.concatenate((first, [model.beta, model.rho, max(model.nu, _LEAST_NU)]))
    steps = np.column_stack((at.dt, np.sqrt(at.dt), at.observed + 1.0))
    today, n_times = float(chart.to(chart.forward)), request.times.size

    def fill(w: Float2D, seed: int, stream: int, first_path: int) -> Logs:
        shape = (n_times, w.shape[1])
        x, variance, exposed = np.empty(shape), np.empty(shape), np.empty(shape)
        if request.start is None:
            start = np.stack((np.full(w.shape[1], today), np.full(w.shape[1], model.alpha**2)))
        else:
            start = np.ascontiguousarray(request.start(first_path, w.shape[1]))
        sabr_paths(w, terms, steps, rows, edges, start, x, variance, exposed)
        return Logs(x=x, variance=variance, exposed=exposed)

    return Generator(
        times=request.times, forward=request.forward, motion=motion([at.times, at.times], request.bridge), fill=fill,
        bias_factor=1.0, chart=chart,
    )  # fmt: skip
