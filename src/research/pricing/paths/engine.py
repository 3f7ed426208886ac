"""The general simulation: any contract with a payoff on paths, under any model that has paths.

    price(snowball, Heston(...), snapshot, std_error=0.01)              # runs until it is reached
    price(barrier, LocalVol(...), snapshot, survival=True)              # paths kept inside the barriers
    price(composed, Bates(...), snapshot, n_paths=1_000_000, seed=7)

| option | meaning |
|---|---|
| n_paths, std_error, seed, antithetic, replicates | as for `monte_carlo` |
| progress | True shows how far it is, as is done for a run to a standard error; False; or a function |
| sampler | "sobol", "philox"; default Sobol' points where the path has few enough dimensions |
| control | True: discounted spot; "lognormal": also the same contract at one volatility on the same motion; False |
| scheme, steps_per_year | of the model, see `pricing.paths` |
| survival | True: keep paths inside knock-out barriers and weigh them; for payoffs that can |
| importance | True: the price's motion is pushed to where the payoff is, by a shift found on a few wide paths; or a |
| | number of standard deviations. For what is rare: far digitals, far knock-ins |
| check_scheme | True: the scheme's bias, by half as many steps on part of the paths, is counted in `error` |
| watched | looks a year at a barrier that is watched at every moment; a Brownian bridge in between |

The lognormal control pays with Philox (it halves the error of an Asian option under Heston); with Sobol' points what it
explains is already integrated well, and it costs a second payoff. Survival pays where a knock-out is likely: a barrier
3% away that is looked at weekly under one volatility has 5 times less error, so needs 25 times fewer paths.

A standard error is the error of the sampling. The bias of a scheme is estimated on the side, by the coarser scheme on
the same motion, and is in `Price.error` (`simulate(...).bias`); `bias` measures it to any accuracy. What a contract
that is watched at every moment loses between looks is estimated and added to `Price.error` too (`between`). Blocks of
at most 4,096 paths are made, paid and summed one after the other in each thread, so memory does not grow with the
number of paths, and no result depends on the number of threads.

References
----------
Glasserman (2004), Monte Carlo Methods in Financial Engineering, chapters 4 and 6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from research.arrays import Float1D, Float2D, Int1D, Int2D, Int3D
from research.conventions import check_names, check_number
from research.core.pricing._moments import N_BASE
from research.core.random import sobol
from research.errors import NoEngineError, NumericalError, require
from research.market import Snapshot
from research.models import BlackScholes
from research.pricing import _rare
from research.pricing._calls import check_snapshot
from research.pricing._progress import shown
from research.pricing._simulation import Estimate, Problem, Settings, estimate
from research.pricing.carry import up_to_end
from research.pricing.catalogue import Values
from research.pricing.paths.between import looks_error
from research.pricing.paths.generators import Block, Generator, Logs, Request, Turn, generator
from research.pricing.paths.payoffs import Payoff, Terms, payoff

_BYTES = 1 << 22  # of motion in one block
_MOST, _LEAST = 4096, 128  # paths in one block
N_COUNTS = 4  # of a note: life, knocked out, knocked in, redeemed below the notional
_WILD_PATHS, _WILD_FIRST = 256, 1 << 45  # of the look at what no path may have met; none of them is met elsewhere
_CALM = 1.0 / 3.0, 0.1
# standard deviation of the last log price up to which the price is a control: wider than in the fused simulations, as
# what no path met is judged by the payoff less the spot's part, which is without bound for a call
_WIDEST = 1.75
_SEEN, _MORE = 128, 2.0  # paths on which a rare event is seen; times its kind's mean square from which it is another
_SHIFT_PATHS = 1 << 11
_SCHEME_PATHS = 1 << 11  # at least, on which a scheme is judged
_TWIN_PATHS = 1 << 17  # of the fused engine, for the exact value of the control


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What this engine takes beside `Settings`."""

    scheme: str | None = None
    steps_per_year: float | None = None
    survival: bool = False
    watched: float = 64.0
    control: bool | str = True
    check_scheme: bool = True
    importance: bool | float = False

    def __post_init__(self) -> None:
        known = (True, False, "lognormal")
        require(self.control in known, "control", self.control, "be True, False or 'lognormal'")
        size = float(self.importance)
        require(abs(size) <= 12.0, "importance", size, "be True, False or at most 12 standard deviations")
        require(not (size and self.control == "lognormal"), "importance", size, "be left out with that control")
        require(0.0 < self.watched <= 1e5, "watched", self.watched, "lie in (0, 100000] looks a year")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Control:
    """The exact means of the two controls; nan for one that is not used."""

    spot: float
    twin: float
    twin_error: float = 0.0  # standard error of `twin`


OPTIONS = (Settings, Options)  # what `value` takes


def block_size(n_rows: int, n: int) -> int:
    """Paths in one block, a power of two unless there are fewer."""
    fit = _BYTES // (8 * max(n_rows, 1))
    return min(n, max(_LEAST, min(_MOST, 1 << max(fit.bit_length() - 1, 0))))


def value(items: Sequence[Any], model: Any, snapshot: Snapshot, **options: Any) -> Values:
    """The engine's door for `pricing.price`; see the module for the options."""
    found = [simulate(item, model, snapshot, **options) for item in items]
    std_error, scheme = np.array([one.std_error for one in found]), np.array([abs(one.bias) for one in found])
    unseen = np.array([_unseen(item, model, snapshot, options) for item in items])
    return Values(np.array([one.value for one in found]), std_error, 2.0 * std_error + scheme + unseen)


def _unseen(item: Any, model: Any, snapshot: Snapshot, options: dict[str, Any]) -> float:
    """What looking at some times only may cost a contract that is watched at every moment."""
    chosen = Options(**{name: options[name] for name in Options.__dataclass_fields__ if name in options})
    snapshot = up_to_end(item, snapshot)
    paid = payoff(item, Terms(snapshot=snapshot, survival=chosen.survival, watched=chosen.watched, model=model))
    seed = int(options.get("seed", 1))
    return looks_error(item, model, snapshot, paid, chosen.scheme, chosen.steps_per_year, seed)


def simulate(item: Any, model: Any, snapshot: Snapshot, **options: Any) -> Estimate:
    """Value, standard error, replicates, what a note counts (`means`); options as in the module."""
    check_names("a simulation", options, *OPTIONS)
    snapshot = up_to_end(item, snapshot)
    progress = options.pop("progress", None)
    target = options.pop("std_error", None)
    own = {name: options.pop(name) for name in Options.__dataclass_fields__ if name in options}
    chosen, sampler = Options(**own), options.pop("sampler", None)
    paid = payoff(item, Terms(snapshot=snapshot, survival=chosen.survival, watched=chosen.watched, model=model))
    made = _made(model, snapshot, paid, chosen, sampler or "sobol")
    if sampler is None:
        sampler = "sobol" if made.motion.n_rows <= sobol.MAX_DIMS else "philox"
        if sampler == "philox":
            made = _made(model, snapshot, paid, chosen, sampler)
    control = _controls(item, made, paid, snapshot, chosen, target)
    shift = float(chosen.importance) if chosen.importance is not True else _shift(made, paid, options.get("seed", 1))
    stop = target if target is None or control.twin_error == 0.0 else 0.94 * target
    with shown(progress, target) as callback:
        settings = Settings(progress=callback, sampler=sampler, std_error=stop, control=bool(chosen.control), **options)
        found = estimate(_problem(made, paid, control, settings, shift), settings)
        if chosen.check_scheme and made.bias_factor > 0.0:
            found = replace(
                found, bias=_scheme_bias(model, snapshot, paid, chosen, made, control, settings, found, shift)
            )
    if not np.isfinite(found.value):
        raise NumericalError(f"value must be finite; got {found.value}. The payoff is not finite on some path.")
    if control.twin_error == 0.0:
        return found
    return replace(found, std_error=float(np.hypot(found.std_error, control.twin_error)))


def _scheme_bias(
    model: Any, snapshot: Snapshot, paid: Payoff, chosen: Options, made: Generator, control: _Control,
    settings: Settings, found: Estimate, shift: float,
) -> float:  # fmt: skip
    """How far the scheme may be off: its value less that of the coarser one on the same motion, as far as it is seen.

    Both on a part of the paths; twice the standard error of the difference is added, since the sign is not known.
    """
    few = replace(settings, n_paths=max(_SCHEME_PATHS, found.n_paths // 32), std_error=None, progress=None)
    rough = _made(model, snapshot, paid, chosen, settings.sampler, coarse=True)
    each = [estimate(_problem(one, paid, control, few, shift), few) for one in (rough, made)]
    gap = each[0].replicates - each[1].replicates
    noise = float(np.hypot(each[0].std_error, each[1].std_error))
    if gap.size > 1:
        noise = float(gap.std(ddof=1) / np.sqrt(gap.size))
    return made.bias_factor * (abs(float(gap.mean())) + 2.0 * noise)


def _made(
    model: Any, snapshot: Snapshot, paid: Payoff, chosen: Options, sampler: str, coarse: bool = False
) -> Generator:
    """The model's paths at the payoff's times."""
    request = Request(
        snapshot=snapshot, times=paid.times, bridge=sampler == "sobol", scheme=chosen.scheme,
        steps_per_year=chosen.steps_per_year, limits=paid.limits, coarse=coarse,
    )  # fmt: skip
    return generator(model, request)


def _controls(
    item: Any, made: Generator, paid: Payoff, snapshot: Snapshot, chosen: Options, target: float | None
) -> _Control:
    """Which controls are used, and their exact means."""
    nothing = _Control(spot=np.nan, twin=np.nan)
    if not chosen.control or paid.limits is not None or _wide(made):  # within limits the measure is another one
        return nothing
    if made.twin is None or chosen.control != "lognormal":
        return _Control(spot=1.0, twin=np.nan)
    from research.pricing.price import price

    name, twin = type(item).__name__, BlackScholes(sigma=made.twin_vol)
    if name == "Composed" or (name in ("Barrier", "Touch") and item.n_monitoring is not None):
        return _Control(spot=1.0, twin=np.nan)  # no exact value of its own
    simulated = name not in ("European", "Digital", "Barrier", "Touch")
    options: dict[str, Any] = {"n_paths": _TWIN_PATHS} if simulated and target is None else {}
    if simulated and target is not None:
        options = {"std_error": target / 3.0}
    try:
        exact = price(item, twin, snapshot, **options)
    except (NoEngineError, NumericalError):
        return _Control(spot=1.0, twin=np.nan)
    return _Control(spot=1.0, twin=float(exact.value), twin_error=float(exact.std_error))


def _twin_block(block: Block, made: Generator) -> Block:
    """The block of the control's own paths."""
    assert block.twin is not None
    gaps = made.twin_vol**2 * np.diff(block.times, prepend=0.0)
    logs = Logs(x=block.twin, exposed=np.broadcast_to(gaps[:, None], block.twin.shape))
    return Block(times=block.times, spot=block.twin, logs=logs)


def _problem(made: Generator, paid: Payoff, control: _Control, settings: Settings, shift: float = 0.0) -> Problem:
    """The simulation for `_simulation.estimate`."""
    with_twin = not np.isnan(control.twin)
    counted = paid.counts
    n_counts = 0 if counted is None else N_COUNTS

    def work(tables: Int3D, seed: int, row: Int1D, first: int, n: int) -> Float2D:
        """(y, c1, c2) of one block and what the payoff counts, shape (3 + n_counts, n)."""
        total = np.zeros((3 + n_counts, n))
        halves = 2 if row[3] else 1
        for half, (share, turn) in product(range(halves), made.strata or ((1.0, None),)):
            block = made.block(
                tables[row[4]], seed, int(row[5]), first, n, mirror=half == 1, with_twin=with_twin, shift=shift,
                turn=turn,
            )  # fmt: skip
            weight = share if block.ratio is None else share * block.ratio
            with np.errstate(divide="ignore", invalid="ignore"):
                total[0] += paid.value(block) * weight
            total[1] += made.control(block) * weight
            if block.ratio is not None:
                total[2] += weight  # a second control, of mean 1
            if with_twin:
                total[2] += share * paid.value(_twin_block(block, made))
            if counted is not None:
                total[3:] += counted(block) * weight
        if not np.isfinite(total[0]).all():
            raise NumericalError("value must be finite; got nan. The payoff is not finite on some path.")
        total /= halves
        return total

    def run(tables: Int3D, seed: int, rows: Int2D, order: Int2D, weights: Float2D, out: Float2D) -> None:
        for t, row in enumerate(rows):
            out[t], size = 0.0, block_size(made.motion.n_rows, int(row[1]))
            for start in range(0, int(row[1]), size):
                y, a, b, *more = work(tables, seed, row, int(row[0]) + start, min(size, int(row[1]) - start))
                out[t] += [
                    np.sum(each) for each in (y, y * y, a, b, y * a, y * b, a * a, a * b, b * b, *more)
                ]  # fmt: skip

    plan = (made.motion.order, made.motion.weights)
    controlled = not np.isnan(control.spot)
    spread = 0.0 if shift else _spread(made, paid, settings, controlled)
    return Problem(
        rare=_seldom(made, paid, settings, controlled),
        variance=paid.times, run=run, n_moments=N_BASE + n_counts, plan=plan,
        controls=(control.spot, 1.0 if shift else control.twin),
        spread=spread, jump=0.0 if shift else paid.jump,
    )  # fmt: skip


def _shift(made: Generator, paid: Payoff, seed: int) -> float:
    """The shift of least second moment, judged on paths that end three times as far out."""
    table = np.zeros((0, sobol.COLUMNS), dtype=np.int64)
    clock = made.motion.clock
    z = made.motion.rows(table, seed, _WILD_FIRST, _SHIFT_PATHS)[clock.size - 1] / np.sqrt(clock[-1])
    block = made.block(table, seed, 0, _WILD_FIRST, _SHIFT_PATHS, shift=(_rare.WILD - 1.0) * z)
    far = _rare.WILD * z
    with np.errstate(over="ignore"):
        square = paid.value(block) ** 2 * _rare.WILD * np.exp(0.5 * z * z - 0.5 * far * far)
        tried = np.arange(-24, 25) / 4.0
        moments = [float((square * np.exp(0.5 * m * m - m * far)).mean()) for m in tried]
    return float(tried[int(np.nanargmin(moments))])


def _wide(made: Generator) -> bool:
    """Do the paths end so far apart that a few of them make the mean of the last price? Then it controls nothing."""
    block = made.block(np.zeros((0, sobol.COLUMNS), dtype=np.int64), 0, 0, _WILD_FIRST, _WILD_PATHS)
    with np.errstate(all="ignore"):
        logs = np.log(block.spot[-1])
    return not bool(np.std(logs[np.isfinite(logs)]) < _WIDEST)


def _spread(made: Generator, paid: Payoff, settings: Settings, controlled: bool) -> float:
    """Range of what is paid on paths whose normals are three times as large, less the spot's part.

    Where all of those end alike, small ones are looked at too: for what pays if nothing happens.
    """
    none: Int2D = np.zeros((0, sobol.COLUMNS), dtype=np.int64)
    values, controls = [], []
    for size in (_rare.WILD, *_CALM):
        far = made.motion.weights * np.array([1.0, 1.0, size])
        wild = replace(made, motion=replace(made.motion, weights=far))
        found, moved = np.zeros((2, _WILD_PATHS))
        for share, turn in made.strata or ((1.0, None),):
            block = wild.block(none, settings.seed, 0, _WILD_FIRST, _WILD_PATHS, turn=turn)
            with np.errstate(all="ignore"):
                found += share * np.where(np.isfinite(block.spot[-1]), paid.value(block), np.nan)
                moved += share * made.control(block)
        good = np.isfinite(found)
        values.append(found[good])
        controls.append(moved[good])
    if not values[0].size:
        return 0.0
    wild_only = _rare.spread_of(values[0], controls[0] if controlled else None)
    return wild_only if wild_only > 0.0 else _rare.spread_of(np.concatenate(values), None)


def _seldom(made: Generator, paid: Payoff, settings: Settings, controlled: bool) -> Float2D:
    """Events that hardly any path meets and that matter more than others of their kind: rows for `_rare.added`.

    What one of them changes is seen on paths with and without it. Those that are met show, in the spread of the run,
    what such an event changes in the mean of all; what one of them changes beyond that they do not.
    """
    if not made.seldom:
        return np.zeros((0, 3))
    plain, control = _seen(made, paid, settings, None)
    away = control - control.mean()
    square = float((away * away).sum())
    slope = float((plain * away).sum()) / square if controlled and square > 0.0 else 0.0
    size = np.empty(len(made.seldom))
    for k, one in enumerate(made.seldom):
        with_it, without = (_seen(made, paid, settings, turn) for turn in (one.met, one.missed))
        change = with_it[0] - without[0] - slope * (with_it[1] - without[1])
        size[k] = (change * change).mean()
    chance, share = (np.array([getattr(one, name) for one in made.seldom]) for name in ("chance", "share"))
    usual = float(chance @ size) / float(chance.sum())
    more = np.where(size > _MORE * usual, size - usual, 0.0)
    return np.column_stack((chance / share, share * np.sqrt(more), np.zeros(chance.size)))


def _seen(made: Generator, paid: Payoff, settings: Settings, turn: Turn | None) -> tuple[Float1D, Float1D]:
    """(paid, control) on a few paths that no run meets."""
    none: Int2D = np.zeros((0, sobol.COLUMNS), dtype=np.int64)
    block = made.block(none, settings.seed, 0, _WILD_FIRST, _SEEN, turn=turn)
    with np.errstate(all="ignore"):
        return np.nan_to_num(paid.value(block), posinf=0.0, neginf=0.0), made.control(block)


def _table(settings: Settings, n_rows: int) -> Int2D:
    """Directions of the first replicate; none for Philox."""
    if settings.sampler == "philox":
        return np.zeros((0, sobol.COLUMNS), dtype=np.int64)
    return sobol.directions(n_rows)


def sample(
    model: Any,
    snapshot: Snapshot,
    times: Any,
    *,
    n_paths: int,
    seed: int = 1,
    first_path: int = 0,
    sampler: str = "philox",
    replicate: int = 0,
    mirror: bool = False,
    scheme: str | None = None,
    steps_per_year: float | None = None,
) -> Block:
    """Paths first_path, first_path + 1, ... of any model at `times` (years, increasing, > 0).

    Where the stock pays cash these are quoted spots: under escrowed cash all of the snapshot's dividends are in them.

    Any slice can be made again alone: `sample(..., first_path=1_000_000, n_paths=10)`.

    Returns
    -------
    Block
        `spot`, shape (n_times, n_paths), price units; `logs.variance` where the model has one.

    Examples
    --------
    >>> from research.market import flat_snapshot
    >>> block = sample(BlackScholes(sigma=0.2), flat_snapshot(spot=100.0), [0.5, 1.0], n_paths=3)
    >>> block.spot.shape
    (2, 3)
    """
    check_number("n_paths", n_paths)
    check_snapshot(snapshot)
    require(n_paths >= 1 and first_path >= 0, "n_paths", n_paths, "be >= 1, and first_path >= 0")
    settings = Settings(sampler=sampler, seed=seed, replicates=max(16, replicate + 1))
    request = Request(
        snapshot=snapshot, times=np.array(times, dtype=np.float64), bridge=sampler == "sobol", scheme=scheme,
        steps_per_year=steps_per_year,
    )  # fmt: skip
    made = generator(model, request)
    if sampler == "philox":
        table = _table(settings, made.motion.n_rows)
        return made.block(table, seed, replicate, first_path, n_paths, mirror=mirror)
    from research.pricing._simulation import tables_of

    table = tables_of(settings, made.motion.n_rows)[replicate]
    skip = first_path % _LEAST  # blocks of Sobol' points are aligned
    width = -(-(n_paths + skip) // _LEAST) * _LEAST
    block = made.block(table, seed, 1 + replicate, first_path - skip, width, mirror=mirror)
    return block.columns(slice(skip, skip + n_paths))


def bias(item: Any, model: Any, snapshot: Snapshot, *, steps_per_year: float, **options: Any) -> tuple[float, float]:
    """How much a scheme's steps matter: the value with `steps_per_year` less that with twice as many.

    Returns
    -------
    (difference, standard error) : floats, price units
        The value at `steps_per_year` is off by about twice this for a scheme of order one, 4/3 of it for order two.
    """
    coarse = simulate(item, model, snapshot, steps_per_year=steps_per_year, **options)
    fine = simulate(item, model, snapshot, steps_per_year=2.0 * steps_per_year, **options)
    return coarse.value - fine.value, float(np.hypot(coarse.std_error, fine.std_error))


__all__ = ["Options", "bias", "block_size", "sample", "simulate", "value"]
