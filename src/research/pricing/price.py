"""`price(instruments, model, snapshot, method=...) -> Price`: one verb; the engine is found by what the model can do.

Contracts of many kinds may come together: they are grouped by kind, and each group is priced in one call of its engine.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from dataclasses import dataclass, is_dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from research.errors import NoEngineError, NumericalError, require
from research.market import BasketSnapshot, Snapshot
from research.pricing import carry
from research.pricing.catalogue import CATALOGUE, Engine, Values, abilities, engines_for

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Price:
    """The value of one instrument (floats) or of several (arrays of shape (n,)), and how it was found."""

    value: Any  # price units, present value
    std_error: Any  # price units, of a simulation; 0 for a deterministic method
    error: Any  # price units: estimate of the largest numerical error
    method: Any  # "fourier"; an array of shape (n,) when kinds of contracts are mixed
    model: str  # name of the model's class
    why: str = ""  # why "auto" took this engine

    def __float__(self) -> float:
        return float(self.value)

    def to_frame(self) -> pd.DataFrame:
        """One row a contract: value, std_error, error, method."""
        import pandas as pd

        n = np.size(self.value)
        columns = {name: np.broadcast_to(getattr(self, name), n) for name in ("value", "std_error", "error", "method")}
        return pd.DataFrame(columns)

    def __repr__(self) -> str:
        if np.ndim(self.value):
            n, error = np.size(self.value), np.nanmax(self.error)
            how = ", ".join(dict.fromkeys(np.atleast_1d(self.method).tolist()))
            return f"Price({n} values by {how} under {self.model}, error <= {error:.1e})"
        spread = f", standard error {self.std_error:.1e}" if self.std_error else f", error <= {self.error:.1e}"
        return f"Price({self.value:.10g} by {self.method} under {self.model}{spread})"


def price(
    instruments: Any, model: Any, snapshot: Snapshot | BasketSnapshot, *, method: str = "auto", **options: Any
) -> Price:
    """Present value of contracts under a model, with the snapshot's spot, discount factors and yield.

    Parameters
    ----------
    instruments : a contract of `research.instruments`, or a sequence of them, kinds mixed as they come
    model : an object with `abilities`, e.g. BlackScholes, Heston or SVISurface
    snapshot : Snapshot, or BasketSnapshot for contracts on several underlyings
    method : str, default "auto"
        A method that `methods(instrument, model)` lists; "auto" takes the first of them that does not refuse.
    options
        Passed to the engine, e.g. `n_steps=501`.

    Returns
    -------
    Price
        Floats for one instrument, arrays in the given order for a sequence.

    Raises
    ------
    NoEngineError
        When no engine, or not this one, can price such a contract under such a model; names those that can.
    """
    one = not isinstance(instruments, Iterable)
    items: list[Any] = [instruments] if one else list(instruments)
    require(len(items) > 0, "instruments", items, "hold at least one instrument")
    groups: dict[str, list[int]] = {}
    for position, item in enumerate(items):
        groups.setdefault(type(item).__name__, []).append(position)
    able = {kind: choose(items[at[0]], model, method) for kind, at in groups.items()}  # refuse before any work
    check_currencies(items, snapshot)
    market: Any = snapshot
    plain = isinstance(snapshot, BasketSnapshot) or carry.only_borrow(snapshot)
    if plain and isinstance(snapshot, Snapshot):
        market = carry.folded(snapshot)
    chosen: dict[str, Engine] = {}
    value, std_error, error = np.empty(len(items)), np.empty(len(items)), np.empty(len(items))
    used = np.empty(len(items), dtype=object)
    for kind, at in groups.items():
        these = [items[i] for i in at]
        if plain:
            found, chosen[kind] = _first(able[kind], these, model, market, options)
        else:
            found, chosen[kind] = _carried(able[kind], these, model, market, method, options)
        value[at], std_error[at], error[at], used[at] = found.value, found.std_error, found.error, chosen[kind].method
    name, why = _name(model), "; ".join(dict.fromkeys(e.why for e in chosen.values()))
    if one:
        return Price(
            value=float(value[0]),
            std_error=float(std_error[0]),
            error=float(error[0]),
            method=used[0],
            model=name,
            why=why,
        )
    how = used[0] if len({e.method for e in chosen.values()}) == 1 else used
    return Price(value=value, std_error=std_error, error=error, method=how, model=name, why=why)


def methods(instrument: Any, model: Any) -> pd.DataFrame:
    """The engines that can price this contract under this model, best first: expected error, cost, when to use it.

    Returns
    -------
    DataFrame with columns method, error, cost, why
    """
    import pandas as pd

    first = {e.method: e for e in reversed(engines_for(instrument, model))}  # a method may ask for either ability
    rows = [(e.method, e.error, e.cost, e.why) for e in engines_for(instrument, model) if first[e.method] is e]
    return pd.DataFrame(rows, columns=["method", "error", "cost", "why"])


def _name(model: Any) -> str:
    return model.__name__ if isinstance(model, type) else type(model).__name__


def _first(
    engines: list[Engine], items: list[Any], model: Any, snapshot: Any, options: dict[str, Any]
) -> tuple[Values, Engine]:
    """What the first engine gives that does not refuse; a curve or rates may be beyond what its line can say."""
    refusal: Exception | None = None
    for engine in engines:
        function = engine.load()
        if refusal is not None and not _takes(function, options):
            continue  # the options were meant for an engine that has refused
        try:
            return function(items, model, snapshot, **options), engine
        except (NoEngineError, NumericalError) as error:
            refusal = error
    assert refusal is not None
    raise refusal


def _takes(function: Any, options: dict[str, Any]) -> bool:
    """Does an engine know these options?"""
    known = inspect.signature(function).parameters.values()
    return any(p.kind is p.VAR_KEYWORD for p in known) or {p.name for p in known} >= set(options)


def check_currencies(items: list[Any], snapshot: Snapshot | BasketSnapshot) -> None:
    """Refuse contracts of several currencies, or of another one than the market's."""
    found = {getattr(item, "currency", "") for item in items} | {snapshot.currency}
    named = sorted(name for name in found if isinstance(name, str) and name)
    require(len(named) <= 1, "currency", ", ".join(named), "be one in a call",
            hint="Price each currency under its own snapshot, then convert.")  # fmt: skip


def _carried(
    engines: list[Engine], items: list[Any], model: Any, snapshot: Snapshot, method: str, options: dict[str, Any]
) -> tuple[Values, Engine]:
    """As `_first`, where the stock pays cash or its yields have a term structure."""

    def plain(some: list[Any], market: Snapshot, wanted: str, extra: dict[str, Any]) -> tuple[Values, str]:
        found, used = _first(choose(some[0], model, wanted), some, model, market, extra)
        return found, used.method

    found, used = carry.value(items, model, snapshot, method, plain, options)
    return found, next(e for e in engines_for(items[0], model) if e.method == used)


def choose(item: Any, model: Any, method: str) -> list[Engine]:
    """The engines to try in turn, or NoEngineError with what would do."""
    kind, able = type(item).__name__, engines_for(item, model)
    lines = [e for e in CATALOGUE if e.contract == kind]
    if not lines or not is_dataclass(item):
        known = ", ".join(dict.fromkeys(e.contract for e in CATALOGUE))
        raise NoEngineError(f"instrument must be one of {known}; got {kind}.")
    available = f"Available: {', '.join(repr(e.method) for e in able) or 'none'}."
    if method == "auto":
        if not able:
            needs = ", ".join(dict.fromkeys(e.needs for e in lines))
            raise NoEngineError(f"{_name(model)} has none of {needs}, needed to price {kind}. {available}")
        return able
    every = dict.fromkeys(e.method for e in CATALOGUE)
    require(method in every, "method", method, f"be 'auto' or one of {', '.join(map(repr, every))}", hint=available)
    for engine in able:
        if engine.method == method:
            return [engine]
    needed = [e.needs for e in lines if e.method == method and e.needs not in abilities(model)]
    if needed:
        raise NoEngineError(f"{_name(model)} has no {needed[0]}, needed by '{method}'. {available}")
    raise NoEngineError(f"'{method}' has no way to price {kind}. {available}")
