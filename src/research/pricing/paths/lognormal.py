"""Lognormal and local-volatility paths: exact at any times for one volatility; of local ones by `transition` or Euler.

A local volatility is a model with `tau` (m,), `log_moneyness` (k,), of log(S / F), and `vol` (m, k): variance linear
between the nodes, flat beyond them. Euler's step takes the mean variance of its time at the price where it starts: weak
order one in the step for a smooth volatility, one half for a rough one, on which it is too high by much (a price that
oscillates between two vols is slowed by the low one). It is taken within limits, for more observations than tables can
hold, and where `steps_per_year` is given.

References
----------
Glasserman (2004), Monte Carlo Methods in Financial Engineering, sections 3.2 and 6.2.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from research.arrays import Float1D, Float2D
from research.core._tasks import share
from research.core.paths.diffusion import diffusion_paths
from research.core.paths.lognormal import lognormal_paths
from research.errors import require, require_all
from research.market import Snapshot
from research.pricing.paths.generators import GENERATORS, STREAM, Generator, Grid, Logs, Request, grid, scheme_of
from research.pricing.paths.motion import motion
from research.pricing.paths.transition import fits, transition

_TILE = 256  # paths that the kernel walks together
_SMALL = 20_000  # path steps below which one thread is quicker
N_GRID = 801  # equal points of log(S / F) on which a step looks its volatility up
LOCAL_STEPS = 100.0  # a year
ROUGH = 4.0  # order 0.32: the error of Euler steps far longer than what the volatility does falls that slowly


def total_variance(model: Any, times: Float1D, origin: float = 0.0) -> Float1D:
    """Variance of log(S) from the origin to each time after it: the model's own term structure, or sigma^2 t."""
    if hasattr(model, "total_variance"):
        both = np.asarray(model.total_variance(origin + np.append(times, 0.0)), dtype=np.float64)
        return np.asarray(both[:-1] - both[-1])
    out: Float1D = max(float(model.sigma), 1e-8) ** 2 * times
    return out


def black_scholes(model: Any, request: Request) -> Generator:
    """One volatility, or a term structure of it; limits are met by conditioning each step."""
    if request.limits is not None:
        at = grid(request.times, 1e-6)
        each = np.sqrt(np.diff(total_variance(model, request.times, request.origin), prepend=0.0) / at.dt)
        return _euler(at, np.tile(each[:, None], (1, 2)), (0.0, 1.0), request, float(each[-1]))
    variance = total_variance(model, request.times, request.origin)
    gaps, half = np.diff(variance, prepend=0.0)[:, None], 0.5 * variance[:, None]

    def fill(w: Float2D, seed: int, stream: int, first_path: int) -> Logs:
        x = w - half
        if request.start is not None:
            x += request.start(first_path, w.shape[1])[0]
        return Logs(x=x, exposed=np.broadcast_to(gaps, w.shape))

    return Generator(times=request.times, forward=request.forward, motion=motion([variance], request.bridge), fill=fill)


def step_variance(surface: Any, edges: Float1D) -> Float2D:
    """Local variance of each step between `edges` at the nodes, shape (n, k): its mean, or that of its middle."""
    if hasattr(surface, "mean_variance"):
        return np.asarray(surface.mean_variance(edges))
    tau, squares = np.asarray(surface.tau, dtype=np.float64), np.asarray(surface.vol, dtype=np.float64) ** 2
    middle = 0.5 * (edges[1:] + edges[:-1])
    return np.stack([np.interp(middle, tau, column) for column in squares.T], axis=1)


def surface_on(surface: Any, at: Grid, origin: float = 0.0) -> tuple[Float2D, tuple[float, float]]:
    """A grid of volatilities in each step on N_GRID equal points of log(S / F): (n, N_GRID), (first, points a unit)."""
    x = np.asarray(surface.log_moneyness, dtype=np.float64)
    variance = step_variance(surface, origin + np.concatenate(([0.0], at.times)))
    require(variance.shape == (at.dt.size, x.size), "vol", variance.shape, f"have {x.size} values a time")
    points = np.linspace(x[0], x[-1], N_GRID) if x.size > 1 else x[0] + np.array([0.0, 1.0])
    rows = np.sqrt(np.stack([np.interp(points, x, row) for row in variance]))
    return rows, (float(points[0]), float(1.0 / (points[1] - points[0])))


def _euler(at: Grid, leverage: Float2D, where: tuple[float, float], request: Request, typical: float) -> Generator:
    """Log-Euler steps with a volatility looked up in `leverage`."""
    n, n_times = at.dt.size, request.times.size
    steps = np.zeros((n, 8))
    steps[:, 0], steps[:, 4], steps[:, 7] = 1.0 / np.sqrt(at.dt), 0.5 * at.dt, at.observed + 1
    terms = np.array([0.0, 0.0, 0.0, 0.0, *where])
    limits = request.log_limits(at)

    def fill(w: Float2D, seed: int, stream: int, first_path: int) -> Logs:
        shape = (n_times, w.shape[1])
        x, v, exposed = np.empty(shape), np.empty(shape), np.empty(shape)
        weight = np.empty(shape if request.limits is not None else (0, 0))
        start = request.begin(first_path, w.shape[1], 1.0)
        diffusion_paths(w, terms, steps, leverage, limits, start, x, v, exposed, weight)
        return Logs(x=x, exposed=exposed, weight=weight if request.limits is not None else None)

    rows = np.flatnonzero(at.observed >= 0)

    def twin(w: Float2D) -> Float2D:
        out: Float2D = typical * w[rows] - 0.5 * typical**2 * request.times[:, None]
        return out

    return Generator(
        times=request.times, forward=request.forward, motion=motion([at.times], request.bridge), fill=fill, twin=twin,
        twin_vol=typical,
    )  # fmt: skip


def local_vol(model: Any, request: Request) -> Generator:
    """A grid of local volatilities: by the law of each step, or in Euler's steps."""
    few = fits(request.times) and request.steps_per_year is None
    shape, n_nodes = step_variance(model, np.array([0.0, request.times[-1]])).shape, np.size(model.log_moneyness)
    require(shape[1] == n_nodes, "vol", shape, f"have {n_nodes} values a time")
    known = ("euler",) if request.limits is not None else ("transition", "euler") if few else ("euler", "transition")
    if scheme_of(request, known) == "transition":
        return transition(model, request, step_variance)
    at = request.grid(LOCAL_STEPS)
    rows, where = surface_on(model, at, request.origin)
    return local_euler(at, rows, where, request)


def local_euler(at: Grid, rows: Float2D, where: tuple[float, float], request: Request) -> Generator:
    """Euler's steps with the volatilities of `surface_on`."""
    middle = min(max(round(-where[0] * where[1]), 0), rows.shape[1] - 1)
    typical = float(np.sqrt(np.average(rows[:, middle] ** 2, weights=at.dt)))
    return replace(_euler(at, rows, where, request, typical), bias_factor=ROUGH)


def spots(
    model: Any,
    snapshot: Snapshot,
    times: Any,
    *,
    n_paths: int,
    seed: int = 1,
    first_path: int = 0,
    mirror: bool = False,
    out: Float2D | None = None,
) -> Float2D:
    """Lognormal prices at `times` (years, increasing, > 0), as fast as memory takes them; shape (n_times, n_paths).

    Paths first_path, first_path + 1, ... by Philox and Box-Muller: a function of (seed, path, step), the same bits on
    any number of threads. Other paths than `sample` gives, which inverts.

    Parameters
    ----------
    mirror : bool
        The antithetic paths.
    out : ndarray, shape (n_times, n_paths), optional
        Filled and returned; a fresh array costs as much as the paths.
    """
    t = np.array(times, dtype=np.float64)
    require(t.ndim == 1 and t.size > 0, "times", t.shape, "be a vector of at least one time")
    require_all(np.isfinite(t) & (np.diff(t, prepend=0.0) > 0.0), "times", t, "be finite, > 0 and increase")
    require(n_paths >= 1 and first_path >= 0, "n_paths", n_paths, "be >= 1, and first_path >= 0")
    variance = np.diff(total_variance(model, t), prepend=0.0)
    growth = np.diff(np.log(snapshot.forward(t)), prepend=np.log(snapshot.spot))
    std, drift = np.sqrt(variance) * (-1.0 if mirror else 1.0), growth - 0.5 * variance
    drift[0] += np.log(snapshot.spot)
    filled = np.empty((t.size, n_paths)) if out is None else out
    good = filled.shape == (t.size, n_paths) and filled.dtype == np.float64 and filled.flags.c_contiguous
    require(good, "out", filled.shape, f"be a C-contiguous float64 array of shape ({t.size}, {n_paths})")
    n_tiles = -(-n_paths // _TILE)

    def work(part: slice) -> None:
        last = min(part.stop * _TILE, n_paths)
        lognormal_paths(seed, STREAM - 1, first_path, part.start * _TILE, last, drift, std, filled)

    share(n_tiles, work, small=t.size * n_paths < _SMALL)
    return filled


GENERATORS |= {"BlackScholes": black_scholes, "BlackTermStructure": black_scholes, "LocalVol": local_vol}
