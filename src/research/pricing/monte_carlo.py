"""Monte Carlo engine: notes and Asian options on one lognormal underlying, each with its standard error.

The vol is one number or a term structure: paths are exact at every date of the contract. Where the stock pays escrowed
cash, levels are those of what moves: of the quoted spot less what is still to come.

Paths are a function of (seed, replicate, path): scrambled Sobol' points and a Brownian bridge by default, so that the
standard error comes from independent scrambles, or Philox (`sampler="philox"`), the classic kind. Barriers that are
looked at daily are filled in by a bridge only where they can be reached; nothing is approximated by that beyond 1e-13.

    price(note, BlackScholes(sigma=0.25), snapshot, std_error=0.01)      # runs until it is reached
    price(note, model, snapshot, n_paths=1_000_000, seed=7)              # a fixed number of paths

| option | meaning |
|---|---|
| n_paths | number of paths, rounded up to a power of two a scramble; with std_error, the most to use |
| std_error | stop when the standard error, price units, is at most this; NumericalError if n_paths do not do |
| seed | 64 bits |
| sampler | "sobol" or "philox" |
| antithetic | also the mirror image of each path |
| control | linear controls: spot and put at maturity; the geometric Asian option and the average |
| smooth | of a note: integrate the first step out on each path; all dates are walked, a tenth of the paths do. By |
| | itself where a standard error is asked for |
| replicates | scrambles, at least 16 |
| progress | called with (paths so far, standard error) after each round; True: a bar, or lines without a terminal |
| | (as is done for a run to a standard error); False: nothing |

References
----------
Glasserman (2004), Monte Carlo Methods in Financial Engineering, chapters 4 and 5.
L'Ecuyer (2018), "Randomized quasi-Monte Carlo", in Owen and Glynn (eds), MCQMC 2016 (errors by randomisation).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from research.arrays import Float1D, Float2D, numbers
from research.conventions import check_names
from research.core.pricing.note import N_MOMENTS, note_tasks
from research.core.random import brownian
from research.core.random.brownian import brownian_paths
from research.errors import NoEngineError, require, require_all
from research.instruments import Asian
from research.market import Snapshot
from research.models import black
from research.pricing import _asian, _clock, _notes, _rare
from research.pricing._calls import check_able, check_snapshot
from research.pricing._escrow import to_come
from research.pricing._progress import shown
from research.pricing._simulation import WIDEST, Estimate, Problem, Settings, estimate, rows_of, tables_of
from research.pricing.carry import up_to_end
from research.pricing.catalogue import Values


@dataclass(frozen=True, slots=True, kw_only=True)
class Smoothing:
    """What this engine takes beside `Settings`."""

    smooth: bool | None = None


OPTIONS = (Settings, Smoothing)  # what `value` takes
_PAID = 1e-9  # years: a dividend this near to a look is paid on it
_OF_AVERAGES = 1 << 14
_LEAST_VOL = 1e-8  # a vol of 0 is taken as this: paths stay forwards to 1e-8


def value(items: Sequence[Any], model: Any, snapshot: Snapshot, **options: Any) -> Values:
    """The engine's door for `pricing.price`; see the module for the options."""
    found = [simulate(item, model, snapshot, **_by_itself(item, snapshot, options)) for item in items]
    std_error = np.array([one.std_error for one in found])
    return Values(np.array([one.value for one in found]), std_error, 2.0 * std_error)


def _by_itself(item: Any, snapshot: Snapshot, options: dict[str, Any]) -> dict[str, Any]:
    """What an average and a note take that are priced alone: few paths, with a control; the first step integrated out.

    An average is off by some 1e-6 of the spot at 2^14 paths, and a book may hold hundreds.
    """
    if isinstance(item, Asian):
        plain = options.get("n_paths") is None and options.get("std_error") is None
        return {**options, "n_paths": _OF_AVERAGES} if plain else options
    if options.get("smooth") is not None or options.get("std_error") is None or options.get("antithetic"):
        return options
    from research.pricing import _smooth

    return {**options, "smooth": not _smooth.can(item, snapshot, options.get("sampler", "sobol"))}


def simulate(item: Any, model: Any, snapshot: Snapshot, **options: Any) -> Estimate:
    """Value, standard error, replicates and counted means of one contract; options as in the module."""
    check_able(model)
    check_snapshot(snapshot)
    check_names("a simulation", options, *OPTIONS)
    snapshot = up_to_end(item, snapshot)
    _check_cash(snapshot, isinstance(item, Asian) and item.average == "geometric")
    progress, smooth = options.pop("progress", None), options.pop("smooth", None)
    with shown(progress, options.get("std_error")) as callback:
        settings = Settings(progress=callback, **options)
        if isinstance(item, Asian):
            exact = _asian.closed_form(item, partial(_clock.variance, model), snapshot)
            if exact is not None:
                nothing = np.empty(0)
                each = np.array([exact])
                return Estimate(
                    value=exact, std_error=0.0, replicates=each, n_paths=0, means=nothing, mean_errors=nothing
                )
        if smooth:
            return estimate(_smoothed(item, _vol(model), snapshot, settings), settings)
        return estimate(problem_of(item, _vol(model), snapshot), settings)


def _check_cash(snapshot: Snapshot, multiplied: bool = False) -> None:
    """Escrowed cash is a part of the spot that is known; a spot that falls by an amount is not lognormal after it."""
    cash, hint = snapshot.cash_dividends, "price(..., method='paths') and 'pde' take them."
    kind = "none" if cash is None else cash.model
    require(kind in ("none", "escrowed"), "cash_dividends", kind, "be None or model='escrowed' for 'monte_carlo'",
            hint=hint, error=NoEngineError)  # fmt: skip
    require(kind == "none" or not multiplied, "cash_dividends", kind, "be None for a geometric average", hint=hint,
            error=NoEngineError)  # fmt: skip


def _vol(model: Any) -> Any:
    """One volatility, or a clock of it."""
    return model.sigma if hasattr(model, "sigma") else _clock.Clock(model)


def _smoothed(item: Any, sigma: Any, snapshot: Snapshot, settings: Settings) -> Problem:
    """A note with its first step integrated out, or why it cannot be."""
    from research.pricing import _smooth

    reason = _smooth.can(item, snapshot, settings.sampler)
    require(not reason, "smooth", True, "be False here", hint=f"{reason[:1].upper()}{reason[1:]}.")
    require(not settings.antithetic, "antithetic", True, "be False with smooth=True")
    vol = sigma if callable(sigma) else max(sigma, _LEAST_VOL)
    note = _notes.build(item, snapshot)
    return replace(_smooth.problem(note, vol, snapshot), rare=note_problem(note, vol, snapshot).rare)


def problem_of(item: Any, sigma: Any, snapshot: Snapshot, *, age: float = 0.0) -> Problem:
    """A contract under one volatility, or a clock of it (`_clock`), ready to be simulated."""
    vol = sigma if callable(sigma) else max(sigma, _LEAST_VOL)
    if isinstance(item, Asian):
        return _asian.problem(item, vol, snapshot, age)
    return note_problem(_notes.build(item, snapshot), vol, snapshot, age)


def note_problem(
    note: _notes.Note, sigma: Any, snapshot: Snapshot, age: float = 0.0, samples: Float2D | None = None
) -> Problem:
    """A note, ready to be simulated; controls: final spot over its forward, and the put on it at the initial price."""
    variance, coarse, dense, terminal = _notes.tables(note, sigma, snapshot, age)
    kept = np.empty((4, 0)) if samples is None else samples

    def run(tables, seed, rows, order, weights, out):  # type: ignore[no-untyped-def]
        note_tasks(tables, seed, rows, order, weights, coarse, dense, terminal, kept, out)

    put = float(black.price(1.0, terminal[0, 3], 1.0, math.sqrt(terminal[0, 1]), is_call=False))
    seen = _clock.clock_of(sigma)((note.dense - age)[-dense.shape[0] :]) if dense.size else np.empty(0)
    rare = _rare.note_events(variance, coarse, dense, seen, terminal)
    mean = 1.0 if terminal[0, 1] <= WIDEST**2 else float("nan")
    return Problem(variance=variance, run=run, n_moments=N_MOMENTS, controls=(mean, put), rare=rare)


def sample(
    item: Any, model: Any, snapshot: Snapshot, *, n_paths: int = 10_000, seed: int = 1, first_path: int = 0
) -> dict[str, Float1D]:
    """Paths of a note one by one, by Philox: the pay-off picture, distributions of gains.

    Returns
    -------
    dict of arrays, shape (n_paths,)
        value (present value of what the path pays), time (years to its last payment), outcome (0 knocked out, 1 at
        maturity, 2 at maturity after a knock-in), spot (at maturity, knocked out or not)
    """
    check_able(model)
    check_snapshot(snapshot)
    kind = type(item).__name__
    require(kind in _notes.BUILD, "instrument", kind, f"be one of {', '.join(_notes.BUILD)}", error=NoEngineError)
    require(n_paths >= 1, "n_paths", n_paths, "be >= 1")
    require(first_path >= 0, "first_path", first_path, "be >= 0")
    samples = np.empty((4, n_paths))
    note = _notes.build(item, snapshot)
    _check_cash(snapshot := up_to_end(item, snapshot))
    problem = note_problem(note, _clock.Clock(model), snapshot, samples=samples)
    settings = Settings(sampler="philox", seed=seed)
    rows = rows_of(first_path, n_paths, 1, problem.variance.size, settings)
    rows[:, 6] = rows[:, 0] - first_path
    order, weights = brownian.plan(problem.variance, False)
    problem.run(tables_of(settings, 0), seed, rows, order, weights, np.empty((rows.shape[0], N_MOMENTS)))
    return dict(zip(("value", "time", "outcome", "spot"), samples, strict=True))


def paths(
    model: Any,
    snapshot: Snapshot,
    times: Any,
    *,
    n_paths: int,
    seed: int = 1,
    first_path: int = 0,
    sampler: str = "philox",
    replicate: int = 0,
) -> Float2D:
    """Spot at `times` (years, increasing, > 0) on paths first_path, first_path + 1, ...; shape (n_times, n_paths).

    A path is a function of (seed, path) and, with Sobol' points, of the replicate: any slice can be made again alone.
    Escrowed cash is in them; for a spot that falls by its dividends see `pricing.paths.sample`.
    """
    check_able(model)
    check_snapshot(snapshot)
    _check_cash(snapshot)
    t = np.array(numbers(times, "times"))
    require(t.ndim == 1 and t.size > 0, "times", t.shape, "be a vector of at least one time")
    require_all(np.diff(t, prepend=0.0) > 0.0, "times", t, "be > 0 and increase")
    require(n_paths >= 1 and first_path >= 0, "n_paths", n_paths, "be >= 1, and first_path >= 0")
    settings = Settings(sampler=sampler, seed=seed, replicates=max(16, replicate + 1))
    table = tables_of(settings, t.size)[replicate if sampler == "sobol" else 0]
    lanes = 128
    skip = first_path % lanes if sampler == "sobol" else 0  # blocks of Sobol' points are aligned
    width = -(-(n_paths + skip) // lanes) * lanes if sampler == "sobol" else n_paths
    out = np.empty((t.size, width))
    variance = _clock.variance(model, t)
    brownian_paths(table, seed, first_path - skip, lanes, *brownian.plan(variance, sampler == "sobol"), out)
    out = out[:, skip : skip + n_paths]
    held = np.asarray(to_come(snapshot, t + _PAID))[:, None]
    spots: Float2D = (snapshot.forward(t)[:, None] - held) * np.exp(out - 0.5 * variance[:, None]) + held
    return spots
