"""Which paths a model has: one function a model, all with the same result, a `Generator`.

A generator fills blocks. Path p of a sample is a function of (seed, p) and, with Sobol' points, of the replicate, so
that any slice can be made again alone. A model says that it has paths by the ability "paths"; a class of your own joins
by `GENERATORS[name] = function`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from research.arrays import Float1D, Float2D, Int2D
from research.errors import NoEngineError, require, require_all
from research.market import Snapshot
from research.pricing.paths.charts import Chart
from research.pricing.paths.motion import Motion

RUINED = -600.0  # log(S / F) below which a spot has paid all that it had
STREAM = 1 << 20  # Philox streams from here on belong to rejection draws, four a replicate
_LEAST_STEPS = 8.0  # of a life, for schemes with steps


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Logs:
    """What a scheme fills, one row an observation, one column a path."""

    x: Float2D  # log(spot / forward), or the coordinate of the model's chart
    variance: Float2D | None = None  # instantaneous, 1/year; None where it is not random
    exposed: Float2D | None = None  # variance of log(spot), or in the chart, met since the observation before
    weight: Float2D | None = None  # probability of having stayed inside the limits; None without limits
    jump: Float2D | None = None  # of log(spot), taken to come at the end of the gap; None for a continuous path
    martingale: Float2D | None = None  # of mean 1, where cash is paid and spot / forward is none; else exp(x)
    clock: Float2D | None = None  # variance of the normal part of each gap, where no bridge may be laid over it

    def level(self, row: int) -> Float1D:
        """What moves, over its forward: of mean 1."""
        return np.exp(self.x[row]) if self.martingale is None else np.asarray(self.martingale[row])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Block:
    """Paths first_path, first_path + 1, ...; arrays of shape (n_times, n_paths)."""

    times: Float1D  # years
    spot: Float2D  # price units
    logs: Logs
    twin: Float2D | None = None  # spot on the same motion at one volatility; None where there is none
    ratio: Float1D | None = None  # density of the model's paths over that of these, drawn with a shift; None: 1
    chart: Chart | None = None  # of a model that is not lognormal

    @property
    def n_paths(self) -> int:
        """Columns."""
        return int(self.spot.shape[1])

    def over_forward(self, row: int) -> Float1D:
        """What moves, over its forward, at an observation: of mean 1, shape (n_paths,)."""
        if self.chart is None:
            return self.logs.level(row)
        if self.logs.martingale is not None:
            return np.asarray(self.logs.martingale[row])
        return np.asarray(self.chart.back(self.logs.x[row]) / self.chart.forward)

    def columns(self, keep: slice) -> Block:
        """Some of the paths."""

        def cut(rows: Float2D | None) -> Any:
            return None if rows is None else rows[:, keep]

        logs = self.logs
        names = ("x", "variance", "exposed", "weight", "jump", "martingale", "clock")
        fewer = Logs(**{name: cut(getattr(logs, name)) for name in names})
        return Block(times=self.times, spot=cut(self.spot), logs=fewer, twin=cut(self.twin), chart=self.chart)


Turn = Callable[[Float2D], Float2D]  # motion rows -> motion rows


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seldom:
    """An event that a path may meet once in many: its probability, and motion rows with it and without it."""

    chance: float
    share: float  # of that probability in a stratum, or 1: how often a path of the run meets it is chance / share
    met: Turn
    missed: Turn


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Generator:
    """A model's paths at some times."""

    times: Float1D  # observations, years, shape (n,)
    forward: Float1D  # price units, shape (n,)
    motion: Motion
    fill: Callable[[Float2D, int, int, int], Logs]  # (motion rows, seed, stream, first path)
    twin: Callable[[Float2D], Float2D] | None = None  # log(spot / forward) at `twin_vol` on the same motion
    twin_vol: float = float("nan")  # 1/sqrt(year)
    bias_factor: float = 0.0  # times (value with the coarser scheme less this value): the bias; 0: the scheme is exact
    lift: Float1D | None = None  # added to what the forward carries: escrowed cash still to come, shape (n,)

    def control(self, block: Block) -> Float1D:
        """The last spot over its forward; of mean 1 whatever is paid on the way."""
        paid = self.lift is not None or block.logs.martingale is not None
        return block.over_forward(-1) if paid else np.asarray(block.spot[-1] / self.forward[-1])

    chart: Chart | None = None  # of a model that is not lognormal: then `fill` gives x in it
    strata: tuple[tuple[float, Turn], ...] = ()  # probabilities that sum to 1, each with its normals; (): not cut up
    seldom: tuple[Seldom, ...] = ()  # what a run may not meet, looked at beside it

    def block(
        self, table: Int2D, seed: int, replicate: int, first_path: int, n_paths: int, *, mirror: bool = False,
        with_twin: bool = False, shift: Float1D | float = 0.0, turn: Turn | None = None,
    ) -> Block:  # fmt: skip
        """One block; `mirror` the antithetic one: every normal with the other sign.

        `shift`, a number or one a path: the price's motion ends that many standard deviations further, in a straight
        line; `ratio` is the weight of the path. `turn` puts other normals in the place of those drawn: a stratum.
        """
        w = self.motion.rows(table, seed, first_path, n_paths)
        if mirror:
            np.negative(w, out=w)
        if turn is not None:
            w = turn(w)
        ratio, clock = None, self.motion.clock
        if np.any(shift):
            root = float(np.sqrt(clock[-1]))
            ratio = np.exp(-shift * (w[clock.size - 1] / root + 0.5 * shift))
            w[: clock.size] += (clock / root)[:, None] * shift
        logs = self.fill(w, seed, STREAM + 4 * replicate, first_path)
        if self.chart is None:
            spot = np.exp(logs.x)
            spot *= self.forward[:, None]
        else:
            spot = self.chart.back(logs.x) / self.chart.column(self.times)
        if self.lift is not None:
            spot += self.lift[:, None]
        if logs.martingale is not None and self.chart is None:
            spot[logs.x < RUINED] = 0.0
        twin = None
        if with_twin and self.twin is not None:
            twin = np.exp(self.twin(w))
            twin *= self.forward[:, None]
        return Block(times=self.times, spot=spot, logs=logs, twin=twin, ratio=ratio, chart=self.chart)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grid:
    """Steps of a scheme between observations; `observed[k]` is the row of the observation that ends step k, or -1."""

    times: Float1D  # ends of the steps, years, shape (n,)
    dt: Float1D  # shape (n,)
    observed: Any  # int, shape (n,)


def grid(times: Float1D, steps_per_year: float, coarse: bool = False) -> Grid:
    """Every gap between observations in equal steps of at most 1 / steps_per_year; `coarse`: half as many."""
    gaps = np.diff(times, prepend=0.0)
    n = np.maximum(1, np.ceil(gaps * steps_per_year - 1e-9)).astype(np.int64)
    n = np.maximum(1, n // 2) if coarse else n
    dt = np.repeat(gaps / n, n)
    ends = np.cumsum(n) - 1
    observed = np.full(dt.size, -1, dtype=np.int64)
    observed[ends] = np.arange(times.size)
    out = np.cumsum(dt)
    out[ends] = times
    return Grid(times=out, dt=dt, observed=observed)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Request:
    """What a generator is asked for."""

    snapshot: Snapshot
    times: Float1D  # observations, years, increasing, > 0
    bridge: bool = True  # Brownian bridges (for Sobol' points), or step by step
    scheme: str | None = None  # None: the model's first
    steps_per_year: float | None = None  # None: the scheme's own
    limits: Float2D | None = None  # (n, 2) low and high of the spot, inside which paths are kept
    start: Callable[[int, int], Float2D] | None = None  # (first path, n paths) -> log(S / F) and v, shape (2, n paths)
    coarse: bool = False  # the scheme with half as many steps (or nodes), to judge the one with all of them
    origin: float = 0.0  # years from the snapshot's day at which paths start; `times` count from there
    end: float | None = None  # years from the snapshot's day, whose forward a chart speaks of; None: the last time

    @property
    def forward(self) -> Float1D:
        """Today's forward for the observations."""
        return np.asarray(self.snapshot.forward(self.origin + self.times))

    @property
    def horizon(self) -> float:
        """`end`, or the last of the times, years from the snapshot's day."""
        return self.origin + float(self.times[-1]) if self.end is None else self.end

    def grid(self, per_year: float) -> Grid:
        """The steps asked for; else `per_year` of them and at least eight: a step is judged by those beside it."""
        default = max(per_year, _LEAST_STEPS / float(self.times[-1]))
        return grid(self.times, self.steps_per_year or default, self.coarse)

    def log_limits(self, at: Grid) -> Float2D:
        """Limits of log(S / F) at the steps of a grid, shape (n, 2); no rows where there are none."""
        if self.limits is None:
            return np.empty((0, 2))
        out = np.tile([-np.inf, np.inf], (at.dt.size, 1))
        with np.errstate(divide="ignore"):
            out[at.observed >= 0] = np.log(self.limits / self.forward[:, None])
        return out

    def begin(self, first_path: int, n_paths: int, variance: float) -> Float2D:
        """Where paths start."""
        if self.start is not None:
            return self.start(first_path, n_paths)
        return np.stack((np.zeros(n_paths), np.full(n_paths, variance)))


GENERATORS: dict[str, Callable[[Any, Request], Generator]] = {}


def generator(model: Any, request: Request) -> Generator:
    """The paths of a model; NoEngineError where it has none."""
    from research.pricing.paths import cash, charted, heston, jumps, lognormal, rough  # noqa: F401  (they enter themselves)

    t = request.times
    require(t.ndim == 1 and t.size > 0, "times", t.shape, "be a vector of at least one time")
    require_all(np.isfinite(t) & (np.diff(t, prepend=0.0) > 0.0), "times", t, "be finite, > 0 and increase")
    require(request.snapshot.spot > 0.0, "spot", request.snapshot.spot, f"be > 0 for paths of {type(model).__name__}")
    if request.steps_per_year is not None:
        good = 0.0 < request.steps_per_year <= 1e5
        require(good, "steps_per_year", request.steps_per_year, "lie in (0, 100000]")
    name = type(model).__name__
    if name not in GENERATORS:
        raise NoEngineError(f"{name} has no paths. Models that have: {', '.join(sorted(GENERATORS))}.")
    pays = request.snapshot.cash_dividends is not None
    if not pays:
        return GENERATORS[name](model, request)
    return cash.with_cash(model, request)


def scheme_of(request: Request, known: tuple[str, ...]) -> str:
    """The scheme that is asked for, or the first of those known."""
    found = request.scheme or known[0]
    hint = "" if request.limits is None or found in ("qe", "euler") else "Paths within limits need 'qe' or 'euler'."
    require(found in known, "scheme", found, f"be one of {', '.join(map(repr, known))}", hint=hint)
    return found
