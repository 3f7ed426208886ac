"""Prices where the stock pays cash, yields have a term structure, or borrowing costs: what engines get instead.

| market | contracts | how | error |
|---|---|---|---|
| borrow | all | added to the yield | none |
| term structure of yields | one expiry, decided there (European, digital) | the mean yield up to expiry | none |
| the same | what reads forwards and discount factors only (notes, averages, paths) | as it is | none |
| the same | others by `pde` and `adi` | the yield of each step | stated by the engine |
| cash after the contract's end | all | left out | none |
| cash, escrowed | decided after the last one | the spot less the dividends' present value | none: it is the model |
| the same | others by `pde` and `adi` | a local vol in the quoted spot, see `_escrow` | stated by the engine |
| the same | others by `paths`, `longstaff_schwartz` | what is still to come is added | a standard error |
| the same | notes, averages by `monte_carlo`; notes by `quadrature` | levels less what is still to come | none |
| cash, jump | European, one vol or one by time | integrated dividend by dividend | stated |
| the same | European, American, Bermudan by `lattice` | a tree cut at each day of payment | stated |
| the same | others by `pde` and `adi` | jumps of the grid | stated by the engine |
| the same | others by `paths`, `longstaff_schwartz` | paths fall by the amount | a standard error |
| the same, Bachelier | all | as escrowed cash: its moves do not ask where the price is | none |

The integral (Haug, Haug and Lewis 2003, exact for one dividend) runs back from expiry: after the last dividend the
value is Black's, before each it is the mean over the spot just after, on a grid in log spot; two grids give the error.

References
----------
Haug, Haug, Lewis (2003), "Back to basics: a new approach to the discrete dividend problem", Wilmott, Sept., 37-47.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from research.arrays import Float1D
from research.errors import NoEngineError
from research.instruments import Digital, European
from research.market import Snapshot
from research.models import black
from research.pricing._escrow import moving, on_grid
from research.pricing.catalogue import Engine, Values, abilities, engines_for

_AT_EXPIRY = (European, Digital)
_AT_THE_END = ("European", "Digital", "Gap", "Supershare", "Power", "LogContract", "DualCurrencyDeposit")
_FIRST_LOOK: dict[str, Callable[[Any, Any], float]] = {  # contracts that ask for nothing before that day
    "Asian": lambda item, day: float(item.years(day)[0]), "ForwardStart": lambda item, day: item.start_years(day),
    "Compound": lambda item, day: item.years(day), "Chooser": lambda item, day: item.years(day),
}  # fmt: skip
_VARIANCE = ("VarianceSwap", "VolatilitySwap", "CorridorVarianceSwap", "GammaSwap")
GRIDS = ("pde", "adi")
_ESCROWED = ("monte_carlo", "quadrature")  # levels of the part that moves, under one vol or one by time
_COUNTED = "Give n_observations: 'paths' has it.", "Give the cash as a yield."
_CHARTED = ("CEV", "DisplacedDiffusion", "Bachelier", "ArbitrageFreeSABR")  # moves that are not of the logarithm
Plain = Callable[[list[Any], Snapshot], tuple[Values, Engine]]
Part = tuple[list[int], Values, Engine]  # positions, and what an engine says of them
_BY_FORWARDS = (*GRIDS, "paths", "monte_carlo", "quadrature", "convolution", "cosine", "fourier",
                "replication", "longstaff_schwartz", "lattice")  # fmt: skip
_CLOSED_BY_FORWARDS = ("Asian", "Chooser", "Compound", "ForwardStart", "Gap", "LogContract", "Power", "Supershare",
                       "VarianceSwap", "VolatilitySwap", "GammaSwap")  # fmt: skip
_REACH = 8.0  # standard deviations of the grid
_SAME, _EVE = 1e-9, 1e-6  # years: one day; half a minute before it
_POINTS = (120, 240)  # a standard deviation of the whole life holds 15, then 30


def only_borrow(snapshot: Snapshot) -> bool:
    """Is the borrow cost all that is special?"""
    return snapshot.cash_dividends is None and snapshot.dividend_yields is None


def takes_forwards(engine: Engine) -> bool:
    """Does an engine read the market by its forwards and discount factors only?"""
    return engine.method in _BY_FORWARDS or (engine.method == "analytic" and engine.contract in _CLOSED_BY_FORWARDS)


def folded(snapshot: Snapshot) -> Snapshot:
    """The same market with the borrow cost as yield."""
    return replace(snapshot, dividend_yield=snapshot.dividend_yield + snapshot.borrow, borrow=0.0)


def parts(
    items: list[Any], model: Any, snapshot: Snapshot, method: str, engines: Sequence[Engine], plain: Plain,
    carried: Callable[[list[Engine], list[Any], Snapshot], tuple[Values, Engine]],
) -> list[Part]:  # fmt: skip
    """Values of contracts of one kind where cash is paid or yields have a term, by the market that serves them.

    `plain` prices some of them in a market without cash; `carried` by the first of some engines that does not refuse.
    """
    out: list[Part] = []
    for at, there in _by_market(items, _one_kind(model, snapshot)):
        some = [items[i] for i in at]
        if there.cash_dividends is None:
            out.append((at, *plain(some, there)))
        elif engines[0].method == "analytic" and _integrable(some[0], model, there):
            out.append((at, _integrals(some, model, there), engines[0]))
        else:
            out.append((at, *carried(able(some[0], model, there, method, engines), some, there)))
    return out


def in_parts(item: Any, snapshot: Snapshot) -> bool:
    """Does a market serve contracts by their expiry only?"""
    return snapshot.cash_dividends is not None or (not only_borrow(snapshot) and isinstance(item, _AT_EXPIRY))


def _by_market(items: list[Any], snapshot: Snapshot) -> list[tuple[list[int], Snapshot]]:
    """Contracts that one market serves, and that market: plain where only what is left at the end counts."""
    groups: dict[tuple[int, float], list[int]] = {}
    cash = snapshot.cash_dividends
    for i, item in enumerate(items):
        end = end_of(item, snapshot)
        n = 0 if cash is None else int(np.count_nonzero(cash.tau <= end))
        jumps = n > 0 and cash is not None and cash.model == "jump"
        alone = type(item).__name__ in _AT_THE_END and not jumps  # one forward an expiry
        groups.setdefault((n, end if alone else 0.0), []).append(i)
    return [(at, _market(items[at[0]], until(snapshot, n), end)) for (n, end), at in groups.items()]


def by_cash(items: list[Any], snapshot: Snapshot) -> list[tuple[list[int], Snapshot]]:
    """Contracts by the cash that is paid up to their end, and the market with no more than that."""
    cash, groups = snapshot.cash_dividends, dict[int, list[int]]()
    for i, item in enumerate(items):
        n = 0 if cash is None else int(np.count_nonzero(cash.tau <= end_of(item, snapshot)))
        groups.setdefault(n, []).append(i)
    return [(at, until(snapshot, n)) for n, at in groups.items()]


def settled(item: Any, model: Any, snapshot: Snapshot, method: str, engines: Sequence[Engine]) -> Engine:
    """The engine that prices a contract in a market with cash up to its end, unless it refuses."""
    (_, there), *_ = _by_market([item], _one_kind(model, snapshot))
    closed = engines[0].method == "analytic" and _integrable(item, model, snapshot)
    if there.cash_dividends is None or closed:
        return engines[0]
    return able(item, model, there, method, engines)[0]


def _market(item: Any, snapshot: Snapshot, end: float) -> Snapshot:
    """`end` > 0: of contracts that are decided there."""
    cash = snapshot.cash_dividends
    if end > 0.0 and (cash is not None or isinstance(item, _AT_EXPIRY)):
        return snapshot if only_borrow(snapshot) else equivalent(snapshot, end)
    first = _FIRST_LOOK.get(type(item).__name__)
    late = cash is not None and first is not None and first(item, snapshot.as_of) >= cash.tau[-1]
    return moving(snapshot) if late and cash is not None and cash.model == "escrowed" else snapshot


def until(snapshot: Snapshot, n: int) -> Snapshot:
    """The market with the first n dividends only."""
    cash = snapshot.cash_dividends
    if cash is None or n == cash.tau.size:
        return snapshot
    first = replace(cash, tau=cash.tau[:n], cash=cash.cash[:n]) if n else None
    return replace(snapshot, cash_dividends=first)


def up_to_end(item: Any, snapshot: Snapshot) -> Snapshot:
    """The market without cash after a contract's end."""
    return snapshot if snapshot.cash_dividends is None else by_cash([item], snapshot)[0][1]


def end_of(item: Any, snapshot: Snapshot) -> float:
    """Years to the last day on which a contract looks at the price."""
    as_of = snapshot.as_of
    if hasattr(item, "exercise_times"):
        return float(item.exercise_times(as_of)[-1])
    if type(item).__name__ == "Composed":
        from research.pricing.paths.payoffs import Terms, payoff

        return float(payoff(item, Terms(snapshot=snapshot)).times[-1])
    return float(np.max(item.option_years(as_of) if hasattr(item, "option_years") else item.years(as_of)))


def takes_cash(engine: Engine, model: Any, snapshot: Any) -> bool:
    """Does an engine know what the market's cash does on the way?"""
    cash = getattr(snapshot, "cash_dividends", None)
    known = cash is not None and cash.model == "escrowed" and engine.module in _ESCROWED
    if engine.needs == "stochastic_variance_jumps" and cash is not None and cash.model == "escrowed":
        return False  # what jumps is the spot less what is still to come
    return known or engine.method in GRIDS or engine.module in ("paths.engine", "paths.exercise", "lattice")


def lines(engines: list[Engine], item: Any, model: Any, snapshot: Any) -> list[Engine]:
    """The engines of a call, and beside those that know no cash others of the same method that do."""
    if getattr(snapshot, "cash_dividends", None) is None or any(takes_cash(e, model, snapshot) for e in engines):
        return engines
    more = [e for e in engines_for(item, model) if takes_cash(e, model, snapshot) and e.method == engines[0].method]
    return engines + more


def _one_kind(model: Any, snapshot: Snapshot) -> Snapshot:
    """Under Bachelier's model, whose moves do not ask where the price is, a fall by the amount is escrowed cash too."""
    cash = snapshot.cash_dividends
    if cash is None or cash.model == "escrowed" or type(model).__name__ != "Bachelier":
        return snapshot
    return replace(snapshot, cash_dividends=replace(cash, model="escrowed"))


def listed(engines: list[Engine], item: Any, model: Any, snapshot: Any) -> list[Engine]:
    """Those of the engines that take the market's cash; `item` may be the name of a contract."""
    if getattr(snapshot, "cash_dividends", None) is None:
        return engines
    known = not isinstance(item, str)
    if known and _by_market([item], _one_kind(model, snapshot))[0][1].cash_dividends is None:
        return engines
    whole = engines[:1] if known and engines and _integrable(item, model, snapshot) else []
    return whole + _grids_first([e for e in engines if takes_cash(e, model, snapshot)])


def _grids_first(engines: list[Engine]) -> list[Engine]:
    """Beside engines that know escrowed cash only, grids have no sampling error, and know both kinds."""
    if not any(e.module in _ESCROWED for e in engines):
        return engines
    return sorted(engines, key=lambda e: e.method not in GRIDS)


def able(item: Any, model: Any, snapshot: Snapshot, method: str, engines: Sequence[Engine]) -> list[Engine]:
    """Those of the engines that a contract has under cash on the way; NoEngineError with what would do."""
    cash = snapshot.cash_dividends
    assert cash is not None
    lost = type(item).__name__ == "LogContract"  # of a spot of 0: infinite, which the lowest node of a grid is not
    every = [e for e in engines_for(item, model) if takes_cash(e, model, snapshot)]
    every = [e for e in every if not (lost and e.method in GRIDS)]
    found = [e for e in engines if e in every]
    kind, name = type(item).__name__, type(model).__name__
    watched = kind in _VARIANCE and getattr(item, "n_observations", None) is None
    if watched and (name in _CHARTED or (name == "VarianceGamma" and cash.model == "escrowed")):
        raise NoEngineError(
            f"{kind} under {name} must not meet cash dividends of model='{cash.model}' where it is watched at every "
            f"moment: what log S does between two looks is not known. {_COUNTED[kind == 'VolatilitySwap']}"
        )
    if found:
        return _grids_first(found)
    others = [repr(e.method) for e in every]
    if cash.model == "jump" and kind == "European" and "deterministic_vol" in abilities(model):
        others.insert(0, "'analytic'")
    lines = ", ".join(dict.fromkeys(others)) or "none; a model with paths has one, or give the cash as a yield"
    raise NoEngineError(
        f"{kind} under {name} by '{method}' must not meet cash dividends of model='{cash.model}'. Available: {lines}."
    )


def run(engine: Engine, items: list[Any], model: Any, snapshot: Any, options: dict[str, Any]) -> Values:
    """What an engine gives; a grid takes the cash as jumps."""
    if engine.method not in GRIDS or getattr(snapshot, "cash_dividends", None) is None:
        return engine.load()(items, model, snapshot, **options)
    there, pairs = on_grids(snapshot, items)
    own = options | {"dividends": (*pairs, *options.get("dividends", ()))}
    return engine.load()(items, on_grid(model, snapshot), there, **own)


def equivalent(snapshot: Snapshot, tau: float) -> Snapshot:
    """A plain market with the same forward at `tau`; its spot is the part of the spot that moves."""
    moving = snapshot.forward(tau) / snapshot.growth(tau)
    return replace(snapshot, spot=moving, dividend_yield=snapshot.yield_at(tau), dividend_yields=None, borrow=0.0,
                   cash_dividends=None)  # fmt: skip


def on_grids(snapshot: Snapshot, items: Sequence[Any] = ()) -> tuple[Snapshot, tuple[tuple[float, float], ...]]:
    """The market as finite differences take it, and the cash that jumps: pairs of years and amounts.

    What is paid on a contract's last day is off when that day is looked at: it falls on the eve.
    """
    cash = snapshot.cash_dividends
    plain = replace(snapshot, cash_dividends=None)
    pairs: tuple[tuple[float, float], ...] = ()
    if cash is not None:
        ends = np.array([end_of(item, snapshot) for item in items])
        last = [ends.size > 0 and bool(np.abs(ends - t).min() < _SAME) for t in cash.tau]
        pairs = tuple(zip((cash.tau - np.where(last, _EVE, 0.0)).tolist(), cash.cash.tolist()))
    return (folded(plain) if plain.dividend_yields is None else plain), pairs


def _integrable(item: Any, model: Any, snapshot: Snapshot) -> bool:
    cash = snapshot.cash_dividends
    jump = cash is not None and cash.model == "jump"
    return jump and isinstance(item, European) and "deterministic_vol" in abilities(model)


def _integrals(items: list[Any], model: Any, snapshot: Snapshot) -> Values:
    """The integral on two grids."""
    tau = np.array([item.years(snapshot.as_of) for item in items])
    strike, is_call = np.array([i.strike for i in items]), np.array([i.is_call for i in items])
    coarse, fine = (integrated(strike, tau, is_call, model, snapshot, n) for n in _POINTS)
    return Values(fine, np.zeros_like(fine), np.abs(fine - coarse) + 1e-12 * snapshot.spot)


def integrated(strike: Float1D, tau: Float1D, is_call: Any, model: Any, snapshot: Snapshot, n_points: int) -> Float1D:
    """European options on a spot that falls by the cash amounts (to 0 where it is less), by integration."""
    out = np.empty(strike.size)
    assert snapshot.cash_dividends is not None
    for years in np.unique(tau):
        at = np.flatnonzero(tau == years)
        paid = snapshot.cash_dividends.tau <= years
        times, cash = snapshot.cash_dividends.tau[paid], snapshot.cash_dividends.cash[paid]
        variance = _variance(model, np.append(times, years))
        if times.size == 0 or variance[0] == 0.0:
            forward, df, vol = snapshot.forward(years), snapshot.discount.df(years), np.sqrt(variance.sum() / years)
            out[at] = black.price(forward, strike[at], years, vol, df=df, is_call=is_call[at])
        else:
            out[at] = _backwards(strike[at], float(years), is_call[at], variance, snapshot, times, cash, n_points)
    return out


def _variance(model: Any, times: Float1D) -> Float1D:
    """Variance of the log price between neighbours of 0 and `times`."""
    total = model.total_variance(times) if hasattr(model, "total_variance") else model.sigma**2 * times
    return np.asarray(np.diff(total, prepend=0.0))


def _backwards(
    strike: Float1D, tau: float, is_call: Any, variance: Float1D, snapshot: Snapshot, times: Float1D, cash: Float1D,
    n: int,
) -> Float1D:  # fmt: skip
    """All strikes of one expiry: puts, so that values are bounded; calls by parity of what the floor at 0 leaves."""
    from scipy.interpolate import CubicSpline

    half = _REACH * float(np.sqrt(variance.sum()))
    moves = half * np.linspace(-1.0, 1.0, 2 * n + 1)  # log of spot over its start, at each date
    centre, late = np.log(snapshot.spot), times.size - 1
    grid = centre + moves
    left, growth = tau - times[-1], _forward_growth(snapshot, times[-1], tau)
    df = snapshot.discount.df(tau) / snapshot.discount.df(times[-1])
    vol = float(np.sqrt(variance[-1] / max(left, 1e-300)))

    def after_last(spot: Any) -> Any:
        forward = np.maximum(spot * growth, 1e-300 + 1e-12 * strike.min())
        found = black.price(forward[:, None], strike[None, :], left, vol, df=df, is_call=False)
        return np.column_stack((found, np.zeros(forward.size)))  # the last: cash that the spot could not pay

    held: Any = after_last
    for m in range(late, -1, -1):
        start = times[m - 1] if m > 0 else 0.0
        up = _forward_growth(snapshot, start, times[m])
        discount = snapshot.discount.df(times[m]) / snapshot.discount.df(start)
        std = float(np.sqrt(variance[m]))
        z = np.linspace(-_REACH, _REACH, 2 * n + 1)
        weight = np.exp(-0.5 * z * z)
        weight /= weight.sum()  # the trapezoidal rule of an analytic integrand with Gaussian ends
        starts = np.array([snapshot.spot]) if m == 0 else np.exp(grid)
        found = np.empty((starts.size, strike.size + 1))
        later = _forward_growth(snapshot, times[m], tau) * snapshot.discount.df(tau) / snapshot.discount.df(times[m])
        for i, spot in enumerate(starts):
            before = spot * up * np.exp(std * z - 0.5 * std * std)
            found[i] = discount * (weight @ held(np.maximum(before - cash[m], 0.0)))
            found[i, -1] += discount * later * (weight @ np.maximum(cash[m] - before, 0.0))
        if m > 0:
            spline = CubicSpline(np.exp(grid), found, axis=0)
            low, high, floor = np.exp(grid[0]), np.exp(grid[-1]), found[0]

            def held(spot: Any, f: Any = spline, a: float = low, b: float = high, at: Any = floor) -> Any:
                inside = f(np.clip(spot, a, b))
                return np.where((spot < a)[:, None], at, inside)

    puts: Float1D = found[0, :-1]
    forward, df_all = snapshot.forward(tau), snapshot.discount.df(tau)
    return np.where(is_call, puts + df_all * (forward - strike) + found[0, -1], puts)


def _forward_growth(snapshot: Snapshot, start: float, stop: float) -> float:
    return float(snapshot.growth(stop) / snapshot.growth(start))
