"""Greeks by paths of any model: one sweep backwards, bumps on common paths, the likelihood ratio of the first step.

**pathwise.** Delta, vega, rho and the parameters of payoffs without jumps: `adjoint`; gamma, vanna, volga: `curvature`.

**likelihood_ratio.** Given the path of the variance, the logarithm of spot at t* is normal with a variance V that the
path met. A start that lies d higher reaches the same price at t* by a normal part that is d smaller, along a bridge
that is d (1 - V_t / V) higher before, and what comes after is the same path; it counts with the ratio of densities,

    exp((d Z - d^2 / 2) / V),    Z the normal part of log S(t*).

A path whose variance until t* is next to nothing would count with a ratio without a second moment, which few paths
show; it is moved whole instead, which hangs on its variance alone and so leaves no bias. Under Heston's and Bates'
models, where there are few looks, the integral of the variance is drawn from its law: QE's bias (32 steps a year) is
twice the sampling error of 4,096 paths where Feller's condition is far from met.

Differences in d of payoff times ratio are the score of the first step, and beside it see what happens before t*. No
payoff is too rough after t*; the noise falls with t*, which a trial chooses. Spot over its start must not feed back
into the model: one volatility, a term structure of it, stochastic variance and jumps of all kinds have that, given the
variance, the jumps and the clock of the path. Where a volatility is local, see `merging`.

**bumps.** Central differences on the same paths: Sobol' points or, where the path has too many dimensions, runs of
eight seeds.

References
----------
Glasserman (2004), Monte Carlo Methods in Financial Engineering, section 7.3; Broadie, Glasserman (1996), "Estimating
security price derivatives using simulation", Management Science 42 (likelihood ratios and bridges of a first step).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any

import numpy as np

from research.arrays import Float1D, Float2D
from research.core._tasks import share
from research.core.random import sobol
from research.errors import NoEngineError, require
from research.market import Snapshot
from research.pricing._bumps import DAYS, aged, bumped, in_years, noisy_step, shifted, still_dated, within
from research.pricing._simulation import Settings, tables_of
from research.pricing.paths import adjoint, engine
from research.pricing.paths.curvature import SECOND, second
from research.pricing.paths.generators import STREAM, Block, Generator, Logs, Request, generator
from research.pricing.paths.heston import LEAST_SIGMA, QE_STEPS
from research.pricing.paths.merging import MERGED, Merged, merged
from research.pricing.paths.payoffs import Payoff, Terms, payoff
from research.pricing.simulated_greeks import HOW, SCORED, Key, differenced, entry

# models whose later moves do not ask where spot started
FREE = ("BlackScholes", "BlackTermStructure", "Heston", "Bates", "Merton", "VarianceGamma", "RoughBergomi")
_ROWS = {"Heston": "steps", "Bates": "steps", "VarianceGamma": "steps", "RoughBergomi": "normals"}
_FIRST = (1.0, 0.25, 1.0 / 16.0)  # parts of the life tried as first step
_SEEDS = 8
_SHARE, _FEW = 0.1, 64  # of that deviation by which the start is moved at most; paths that tell it
_TRIAL = 1 << 11
_STILL = 2.0  # shifts of the start: with a smaller standard deviation until t* a path is moved whole
_EXACT_STEPS = 16.0  # a year: draws of the variance's integral are good for so long a step
_LEAST_FREE = 1e-6  # part of the variance that is not the variance's own motion's


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Scored:
    """Paths whose first step is known in full."""

    made: Generator
    paid: Payoff
    rows: Any  # of the payoff's times among those of the paths
    last: int  # row of t*
    free: float  # part of the variance that is not the variance's own motion's
    rows_of: str  # what the price's rows of the motion are: "moves" of log spot, "steps" in time, "normals" at the end

    def parts(self, w: Float2D, logs: Logs) -> tuple[Float2D, Float1D]:
        """(variance up to each row until t*, shape (last + 1, n); Z)."""
        n = self.last + 1
        met = logs.clock if logs.exposed is None else logs.exposed
        assert met is not None
        each = self.free * met[:n]
        if self.rows_of == "normals":
            first = w.shape[0] - self.made.times.size
            return np.cumsum(each, axis=0), (np.sqrt(each) * w[first : first + n]).sum(axis=0)
        gaps = np.diff(self.made.times[:n], prepend=0.0)[:, None]
        steps = np.diff(w[:n], axis=0, prepend=0.0)
        total = steps if self.rows_of == "moves" else np.sqrt(each / gaps) * steps
        return np.cumsum(each, axis=0), total.sum(axis=0)

    def spread(self, seed: int) -> float:
        """Standard deviation of the normal part of log S(t*), of a typical path."""
        w = self.made.motion.rows(np.zeros((0, sobol.COLUMNS), dtype=np.int64), seed, 0, _FEW)
        met, _ = self.parts(w, self.made.fill(w, seed, STREAM, 0))
        return float(np.sqrt(np.median(met[-1])))

    def values(self, w: Float2D, logs: Logs, by: float, least: float) -> tuple[Float1D, Float1D]:
        """(payoff times ratio, ratio) of paths whose start lies `by` higher in log spot.

        With less variance than `least` until t*, of the whole path that much higher.
        """
        met, z = self.parts(w, logs)
        spot = self.made.forward[:, None] * np.exp(logs.x)
        still = met[-1] < least
        whole = np.where(still, 1.0, met[-1])
        spot[: self.last + 1] *= np.where(still, np.exp(by), np.exp(by * (1.0 - met / whole)))
        spot[self.last + 1 :] *= np.where(still, np.exp(by), 1.0)
        exposed, jump = (None if each is None else self._summed(each) for each in (logs.exposed, logs.jump))
        variance = None if logs.variance is None else logs.variance[self.rows]
        cut = Logs(x=logs.x[self.rows], variance=variance, exposed=exposed, jump=jump)
        block = Block(times=self.paid.times, spot=spot[self.rows], logs=cut)
        ratio = np.where(still, 1.0, np.exp((by * z - 0.5 * by * by) / whole))
        return self.paid.value(block) * ratio, ratio

    def _summed(self, each: Float2D) -> Float2D:
        """Variance, or jumps, between the payoff's times."""
        total = np.cumsum(each, axis=0)[self.rows]
        return np.asarray(np.diff(total, axis=0, prepend=0.0))


def _scored(item: Any, model: Any, snapshot: Snapshot, first: float) -> _Scored:
    """`first`: part of the contract's life that is the first step."""
    paid, name = payoff(item, Terms(snapshot=snapshot, model=model)), type(model).__name__
    heston = name in ("Heston", "Bates")
    few = paid.times.size <= QE_STEPS * float(paid.times[-1]) + 1.0
    exact = heston and few and model.sigma >= LEAST_SIGMA
    end = float(paid.times[-1]) * first
    later = paid.times[paid.times >= end * (1.0 - 1e-9)]
    end = float(later[0])
    times = paid.times
    if heston:  # every step until t* is seen; of draws from a law, all
        inside, per_year = times if exact else times[times <= end], _EXACT_STEPS if exact else QE_STEPS
        fine = [np.linspace(a, b, max(1, int(np.ceil((b - a) * per_year - 1e-9))) + 1)[1:]
                for a, b in pairwise(np.concatenate(([0.0], inside)))]  # fmt: skip
        times = np.concatenate((*fine, times[inside.size :]))
    scheme = ("poisson" if exact else "qe") if heston else None
    made = generator(model, Request(snapshot=snapshot, times=times, scheme=scheme))
    rows = np.searchsorted(times, paid.times - 1e-12)
    return _Scored(made=made, paid=paid, rows=rows, last=int(np.searchsorted(times, end - 1e-12)),
                   free=1.0 - getattr(model, "rho", 0.0) ** 2, rows_of=_ROWS.get(name, "moves"))  # fmt: skip


def _observations(
    one: _Scored | Merged, settings: Settings, which: Sequence[str], by: float, spot: float
) -> dict[str, Float1D]:
    """Each Greek's replicates, the ratio and the ratio times spot as controls."""
    tables = tables_of(settings, one.made.motion.n_rows)
    n_rep = tables.shape[0]
    assert settings.n_paths is not None
    n = 1 << (-(-settings.n_paths // n_rep) - 1).bit_length()
    size = min(n, engine.block_size(one.made.motion.n_rows, n))
    jobs = [(r, start) for r in range(n_rep) for start in range(0, n, size)]
    moves, least = {k: float(np.log1p(k * by)) for k in (-2, -1, 0, 1, 2)}, (_STILL * by) ** 2
    names = [name for name in which if name in SCORED]
    sums = np.empty((len(jobs), len(names), 5))

    def difference(name: str, f: dict[int, Float1D]) -> Float1D:
        h = spot * by
        if name == "value":
            return f[0]
        if name == "delta":
            return np.asarray((f[1] - f[-1]) / (2.0 * h))
        if name == "gamma":
            return np.asarray((f[1] - 2.0 * f[0] + f[-1]) / h**2)
        return np.asarray((f[2] - 2.0 * f[1] + 2.0 * f[-1] - f[-2]) / (2.0 * h**3))

    def work(part: slice) -> None:
        for at in range(part.start, part.stop):
            r, start = jobs[at]
            w = one.made.motion.rows(tables[r], settings.seed, start, size)
            logs = one.made.fill(w, settings.seed, (1 << 20) + 4 * (1 + r), start)
            needed = (-2, -1, 0, 1, 2) if "speed" in names else (-1, 0, 1)
            both = {k: one.values(w, logs, moves[k], least) for k in needed}
            for j, name in enumerate(names):
                y = difference(name, {k: both[k][0] for k in needed})
                c = difference(name, {k: both[k][1] for k in needed}) - (1.0 if name == "value" else 0.0)
                sums[at, j] = y.sum(), c.sum(), (y * c).sum(), (c * c).sum(), (y * y).sum()

    share(len(jobs), work)
    total = sums.reshape(n_rep, -1, len(names), 5).sum(axis=1) / n
    out = {}
    for j, name in enumerate(names):
        y, c, yc, cc, _ = total[:, j].mean(axis=0)
        room = cc - c * c
        slope = (yc - y * c) / room if room > 1e-300 else 0.0
        out[name] = np.asarray(total[:, j, 0] - slope * total[:, j, 1])
    return out


def why_not(model: Any, which: Sequence[str]) -> str:
    """Empty, or why the likelihood ratio cannot be used."""
    if type(model).__name__ not in (*FREE, *MERGED):
        return f"later moves of {type(model).__name__} depend on more than the price at the end of a normal first step"
    if 1.0 - getattr(getattr(model, "heston", model), "rho", 0.0) ** 2 < _LEAST_FREE:
        return "the price has no normal part of its own, given its variance, where rho is 1 or -1"
    other = [name for name in which if name not in SCORED]
    return f"the first step's score gives {', '.join(SCORED[1:])}; not {other[0]}" if other else ""


def scored(
    item: Any, model: Any, snapshot: Snapshot, which: Sequence[str], settings: Settings, *, spot_bump: float
) -> dict[str, dict[str, Any]]:
    """Delta, gamma and speed by the likelihood ratio of the first step, its length chosen on a few paths."""
    reason = why_not(model, which)
    if reason:
        raise NoEngineError(f"estimator 'likelihood_ratio' cannot be used: {reason}. Can: bumps.")
    best, by, _ = _quietest(item, model, snapshot, which, settings, spot_bump)
    found = _observations(best, settings, which, by, snapshot.spot)
    return {name: entry(found[name], HOW["likelihood_ratio"]) for name in which}


def _quietest(
    item: Any, model: Any, snapshot: Snapshot, which: Sequence[str], settings: Settings, spot_bump: float
) -> tuple[_Scored | Merged, float, dict[str, float]]:
    """The first step of least noise on a few paths, the shift of the start, and each Greek's standard error on all."""
    assert settings.n_paths is not None
    few = replace(settings, n_paths=min(_TRIAL, settings.n_paths))
    make: Callable[..., _Scored | Merged] = merged if type(model).__name__ in MERGED else _scored
    best, by, least, each = None, 0.0, np.inf, {}
    for first in _FIRST:
        one = make(item, model, snapshot, first)
        size = min(0.5 * spot_bump, _SHARE * one.spread(settings.seed))
        found = _observations(one, few, which, size, snapshot.spot)
        noise = sum(float(each.std()) * snapshot.spot**k for k, each in enumerate(found.values()))
        if noise < least:
            best, by, least, each = one, size, noise, found
    assert best is not None and few.n_paths is not None
    fall = float(np.sqrt(few.n_paths / settings.n_paths))
    return best, by, {name: fall * float(entry(rows, "")["std_error"][0]) for name, rows in each.items()}


def path_greeks(
    item: Any, model: Any, snapshot: Snapshot, which: Sequence[str], bumps: dict[str, Any], *, estimator: str = "auto",
    **options: Any,
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """Greeks by name for `sensitivities`: bumps on common paths, or the likelihood ratio where it is the quieter."""
    known = ("auto", "bumps", "pathwise", "likelihood_ratio")
    require(estimator in known, "estimator", estimator, f"be one of {', '.join(known)} for 'paths'",
            hint="Mixed ones are those of 'monte_carlo', under one volatility.")  # fmt: skip
    require("std_error" not in options, "std_error", options.get("std_error"), "be left out", hint="Give n_paths.")
    size = bumps["spot"] or 0.01
    base = {k: v for k, v in options.items() if k in ("n_paths", "seed", "replicates")}
    settings = Settings(**{"n_paths": 1 << 15, **base})
    if estimator == "likelihood_ratio":
        return scored(item, model, snapshot, which, settings, spot_bump=size)
    if estimator == "pathwise":
        return _pathwise(item, model, snapshot, which, settings)
    first: dict[str, Any] = {}
    if estimator == "auto" and set(options) <= set(base) | {"progress", "n_seeds"} and not adjoint.why_not(item, model):
        first = adjoint.pathwise(item, model, snapshot, [n for n in which if n in adjoint.FIRST[1:]], settings)
    left = [name for name in which if name not in first]
    out = first | _bumps(item, model, snapshot, left, bumps, size, {"n_paths": 1 << 15, **options})
    out = {name: out[name] for name in which}
    some = [name for name in ("delta", "gamma", "speed") if name in which]
    if estimator == "auto" and some and not why_not(model, some) and options.get("scheme") in (None, "qe"):
        best, by, likely = _quietest(item, model, snapshot, some, settings, size)
        some = [name for name in some if likely[name] < 2.0 * out[name]["std_error"][0]]
        found = _observations(best, settings, some, by, snapshot.spot) if some else {}
        other = {name: entry(rows, HOW["likelihood_ratio"]) for name, rows in found.items()}
        out |= {k: v for k, v in other.items() if v["std_error"][0] < out[k]["std_error"][0]}
    return out


def parameter_greeks(
    item: Any, model: Any, snapshot: Snapshot, *, estimator: str = "auto", **options: Any
) -> dict[str, dict[str, Any]]:
    """The derivative by each parameter of the model: out of one sweep, else by bumps on common paths."""
    base = {k: v for k, v in options.items() if k in ("n_paths", "seed", "replicates")}
    if estimator in ("auto", "pathwise") and not adjoint.why_not(item, model):
        return adjoint.by_parameter(item, model, snapshot, Settings(**{"n_paths": 1 << 15, **base}))
    rest = {"n_paths": 1 << 15, "check_scheme": False, **options}
    seed, n_seeds = int(rest.pop("seed", 1)), int(rest.pop("n_seeds", _SEEDS))
    out: dict[str, dict[str, Any]] = {}
    for name, at in ((f.name, getattr(model, f.name)) for f in fields(model)):
        room = min(abs(at), 1.0 - abs(at) if name == "rho" else np.inf) if isinstance(at, float) else 0.0
        h = min(0.05 * max(abs(at), 0.02), 0.4 * room) if room > 0.0 else 0.0
        if h > 0.0:
            up, down = (_replicates(item, replace(model, **{name: at + s * h}), snapshot, seed, n_seeds, rest)
                        for s in (1.0, -1.0))  # fmt: skip
            out[f"by_{name}"] = entry((up - down) / (2.0 * h), HOW["bumps"])
    return out


def _replicates(item: Any, model: Any, snapshot: Snapshot, seed: int, n_seeds: int, rest: dict[str, Any]) -> Float1D:
    """Estimates of each scramble or, where there is one only, of runs of several seeds."""
    first = engine.simulate(item, model, snapshot, seed=seed, **rest).replicates
    if first.size > 1:
        return first
    more = [engine.simulate(item, model, snapshot, seed=seed + i, **rest).value for i in range(1, n_seeds)]
    return np.array([first[0], *more])


def _pathwise(
    item: Any, model: Any, snapshot: Snapshot, which: Sequence[str], settings: Settings
) -> dict[str, dict[str, Any]]:
    """First derivatives out of one sweep, second ones as differences of eight, or why there are none."""
    known = (*adjoint.FIRST, *SECOND)
    other = [name for name in which if name not in known]
    reason = f"sweeps give {', '.join(known[1:])}; not {other[0]}" if other else ""
    reason = adjoint.why_not(item, model) or reason
    if reason:
        raise NoEngineError(f"estimator 'pathwise' cannot be used: {reason}. Can: bumps.")
    out = adjoint.pathwise(item, model, snapshot, [name for name in which if name in adjoint.FIRST], settings)
    if any(name in SECOND for name in which):
        out |= second(item, model, snapshot, settings)
    return {name: out[name] for name in which}


def _bumps(
    item: Any, model: Any, snapshot: Snapshot, which: Sequence[str], bumps: dict[str, Any], size: float,
    options: dict[str, Any],
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """Central differences on the same paths."""
    rest = {"check_scheme": False, **options}
    seed, n_seeds = int(rest.pop("seed", 1)), int(rest.pop("n_seeds", _SEEDS))

    def replicates(old: Any, moved: Any, there: Snapshot) -> Float1D:
        return _replicates(old, moved, there, seed, n_seeds, rest)

    return common_paths(replicates, item, model, snapshot, which, bumps | {"spot": size})


def common_paths(
    replicates: Callable[[Any, Any, Snapshot], Float1D], item: Any, model: Any, snapshot: Snapshot,
    which: Sequence[str], bumps: dict[str, Any],
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """Central differences of `replicates(contract, model, market)`, estimates on paths that do not change."""
    size, dr, days = bumps["spot"] or 0.01, bumps["rate"] or 0.01, 0.5 * bumps["days"]  # two steps of time
    if {"theta", "charm"} & set(which):
        item = in_years(item, snapshot.as_of)
        days = max(1.0, bumps["days"]) if still_dated(item, snapshot.as_of) else days
    dv = bumps["vol"] or noisy_step(model)

    def run(keys: list[Key]) -> dict[Key, Float1D]:
        out: dict[Key, Float1D] = {}
        for spot, vol, rate, age in keys:
            there = bumped(snapshot, spot=spot * size, rate=rate * dr, days=age * days)
            moved = within(shifted(model, vol * dv, snapshot) if vol else model, spot * size)
            old = aged(item, age * days) if age else item
            out[(spot, vol, rate, age)] = replicates(old, moved, there)
        return out

    return differenced(run, which, snapshot.spot * size, dv, dr, days / DAYS, HOW["bumps"])
