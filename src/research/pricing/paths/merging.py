"""Likelihood ratios under a local volatility: a start that lies higher merges with the path it is compared with.

Where the volatility asks for the price, a path that starts d higher cannot be the same path drawn with another density.
But it can come to it: until t* the shifted path is x' = x + d (1 - s), s the share of the variance that has run, which
hangs on the variance's own path alone, so that the map from x to x' keeps volumes. Given that path every step of the
scheme is normal, and

    ratio = product over the steps until t* of p(x'_{k+1} | x'_k) / p(x_{k+1} | x_k)

weighs the payoff on x', which from t* on is x itself. It is the score of a first step of any length, exact for the
scheme (Fries and Joshi's proxy, that ends at t*); its noise falls with t*. A local volatility takes Euler's steps
until t*, with the volatility that each is expected to meet, and the model's own scheme after it; a leveraged one QE
throughout.

References
----------
Fries, Joshi (2008), "Partial proxy simulation schemes for generic and robust Monte Carlo Greeks", J. Comp. Finance
11(3). Glasserman (2004), Monte Carlo Methods in Financial Engineering, section 7.3.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from research.arrays import Float1D, Float2D, Int1D
from research.core.paths.diffusion import step_laws
from research.core.random import sobol
from research.market import Snapshot
from research.pricing.paths.cash import joined
from research.pricing.paths.generators import STREAM, Block, Generator, Logs, Request, generator, grid
from research.pricing.paths.heston import QE_STEPS, met, qe_tables
from research.pricing.paths.lognormal import local_euler, surface_on
from research.pricing.paths.payoffs import Payoff, Terms, payoff

MERGED = ("LocalVol", "LocalStochasticVol")
_STEPS = {"LocalVol": 100.0, "LocalStochasticVol": QE_STEPS}  # a year, until t*
_LEAST = 8  # steps until t*
_FEW = 64  # paths that tell a typical spread
_TINY = 1e-300


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Merged:
    """Paths whose steps until t* are known; `laws` gives mean and variance of each step's end (see `step_laws`)."""

    made: Generator
    paid: Payoff
    rows: Int1D  # of the payoff's times among those of the paths
    last: int  # row of t*
    start: float  # variance today, 1/year
    laws: Callable[[Float2D, Float2D], tuple[Float2D, Float2D]]

    def _until(self, logs: Logs) -> tuple[Float2D, Float2D, Float2D]:
        """(log(S / F) until t* from today on, v so too, share of the variance that is still to run)."""
        n = self.last + 1
        zero = np.zeros((1, logs.x.shape[1]))
        x = np.concatenate((zero, logs.x[:n]))
        v = np.full_like(x, self.start)
        if logs.variance is not None:
            v[1:] = logs.variance[:n]
        gaps = np.diff(self.made.times[:n], prepend=0.0)[:, None]
        run = np.concatenate((zero, np.cumsum(0.5 * (v[1:] + v[:-1]) * gaps, axis=0)))
        return x, v, 1.0 - run / np.maximum(run[-1], _TINY)

    def _log_density(self, x: Float2D, v: Float2D) -> tuple[Float1D, Float2D]:
        """(of a path until t*, but for a constant; variance given v of each step)."""
        mean, spread = self.laws(np.ascontiguousarray(x[:-1]), v)
        safe = np.maximum(spread, _TINY)
        return -0.5 * ((x[1:] - mean) ** 2 / safe + np.log(safe)).sum(axis=0), spread

    def spread(self, seed: int) -> float:
        """Standard deviation of the normal part of log S(t*), of a typical path."""
        w = self.made.motion.rows(np.zeros((0, sobol.COLUMNS), dtype=np.int64), seed, 0, _FEW)
        x, v, _ = self._until(self.made.fill(w, seed, STREAM, 0))
        return float(np.sqrt(np.median(self._log_density(x, v)[1].sum(axis=0))))

    def values(self, w: Float2D, logs: Logs, by: float, least: float) -> tuple[Float1D, Float1D]:
        """(payoff times ratio, ratio) of paths whose start lies `by` higher in log spot."""
        n, (x, v, left) = self.last + 1, self._until(logs)
        assert logs.exposed is not None
        base, before = self._log_density(x, v)
        moved = x + by * left
        there, after = self._log_density(moved, v)
        whole, exposed = np.array(logs.x), np.array(logs.exposed)
        whole[:n] = moved[1:]
        exposed[:n] *= after / np.maximum(before, _TINY)
        between = np.diff(np.cumsum(exposed, axis=0)[self.rows], axis=0, prepend=0.0)
        variance = None if logs.variance is None else logs.variance[self.rows]
        cut = Logs(x=whole[self.rows], variance=variance, exposed=between)
        spot = self.made.forward[self.rows][:, None] * np.exp(cut.x)
        ratio = np.exp(there - base)
        return self.paid.value(Block(times=self.paid.times, spot=spot, logs=cut)) * ratio, ratio


def _steps_until(times: Float1D, end: float, per_year: float) -> Float1D:
    """The times up to `end` and enough between them that each gap is one step."""
    edges = np.concatenate(([0.0], times[times <= end + 1e-12]))
    per_year = max(per_year, _LEAST / end)
    gaps = [np.linspace(a, b, max(1, int(np.ceil((b - a) * per_year - 1e-9))) + 1)[1:] for a, b in pairwise(edges)]
    return np.concatenate(gaps)


def _local(model: Any, request: Request, fine: Float1D) -> tuple[Generator, Any]:
    """Euler's steps until t*, the model's own scheme after it, and the laws of the first steps."""
    at = grid(fine, 1e-6)
    rows, where = surface_on(model, at)
    rows = met(rows, 1.0 / where[1], at.dt, np.ones(fine.size))
    early = local_euler(at, rows, where, replace(request, times=fine))
    steps = np.zeros((at.dt.size, 8))
    steps[:, 4] = 0.5 * at.dt
    later = request.times[request.times > fine[-1] + 1e-12]
    made = early if later.size == 0 else _joined(model, request, early, later)
    return made, (np.array([0.0, 0.0, 0.0, 0.0, *where]), steps, rows)


def _joined(model: Any, request: Request, early: Generator, later: Float1D) -> Generator:
    """Paths that go on from where `early` ends."""
    state, origin = threading.local(), float(early.times[-1])
    late = generator(model, replace(request, times=later - origin, origin=origin, start=lambda first, many: state.now))
    cut = early.motion.n_rows

    def fill(w: Float2D, seed: int, stream: int, first_path: int) -> Logs:
        one = early.fill(np.ascontiguousarray(w[:cut]), seed, stream, first_path)
        state.now = np.stack((one.x[-1], np.ones(w.shape[1])))
        two = late.fill(np.ascontiguousarray(w[cut:]), seed, stream, first_path)
        assert one.exposed is not None and two.exposed is not None
        return Logs(x=np.concatenate((one.x, two.x)), exposed=np.concatenate((one.exposed, two.exposed)))

    forward = np.concatenate((early.forward, late.forward))
    return replace(early, times=np.concatenate((early.times, later)), fill=fill, twin=None, forward=forward,
                   motion=joined([early.motion, late.motion]))  # fmt: skip


def merged(item: Any, model: Any, snapshot: Snapshot, first: float) -> Merged:
    """`first`: part of the contract's life until t*."""
    paid, name = payoff(item, Terms(snapshot=snapshot, model=model)), type(model).__name__
    end = float(paid.times[-1]) * first
    end = float(paid.times[paid.times >= end * (1.0 - 1e-9)][0])
    fine = _steps_until(paid.times, end, _STEPS[name])
    request = Request(snapshot=snapshot, times=paid.times)
    if name == "LocalVol":
        made, (terms, steps, rows) = _local(model, request, fine)
        start = 1.0
    else:
        times = np.concatenate((fine, paid.times[paid.times > end + 1e-12]))
        made = generator(model, replace(request, times=times, scheme="qe", steps_per_year=max(QE_STEPS, _LEAST / end)))
        early = replace(request, times=fine)
        terms, steps, rows = qe_tables(model.heston, early, grid(fine, 1e-6), model.leverage)
        start = float(model.heston.v0)
    steps = np.ascontiguousarray(steps)

    def laws(x: Float2D, v: Float2D) -> tuple[Float2D, Float2D]:
        mean, spread = np.empty_like(x), np.empty_like(x)
        step_laws(x, v, terms, steps, rows, mean, spread)
        return mean, spread

    return Merged(made=made, paid=paid, rows=np.searchsorted(made.times, paid.times - 1e-12), last=fine.size - 1,
                  start=start, laws=laws)  # fmt: skip


__all__ = ["MERGED", "Merged", "merged"]
