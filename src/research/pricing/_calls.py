"""What a call of `price`, `greeks` and the like must be given: contracts, a model with parameters, a market, options.

An option goes to the engines that know it. One that no engine of the call knows is refused by name, with what was
probably meant and who takes it.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable, Iterable
from typing import Any

from research.conventions import check_kinds, options_in
from research.errors import InputError, NoEngineError, ResearchError, did_you_mean, require, rule
from research.market import BasketSnapshot, Snapshot
from research.pricing.catalogue import Engine, abilities

_MARKET = "flat_snapshot(spot=100.0, rate=0.03) makes one."


def items_of(instruments: Any) -> tuple[list[Any], bool]:
    """The contracts as a list, and whether there was one, not in a list."""
    one = not isinstance(instruments, Iterable) or isinstance(instruments, (str, type))
    items: list[Any] = [instruments] if one else list(instruments)
    require(len(items) > 0, "instruments", items, "hold at least one instrument")
    return items, one


_FITTED = {"Surface": "SVISurface", "Smile": "SVI"}


def check_model(model: Any) -> None:
    """Refuse a class, the result of a fit, and what is no model at all."""
    if isinstance(model, type):
        raise InputError(rule("model", "have parameters", model.__name__, f"Give them: {model.__name__}(...)."))
    if not hasattr(model, "abilities"):
        hint = "Give fit.model." if hasattr(model, "model") else "BlackScholes(sigma=0.2) is one."
        if type(model).__name__ in ("Surface", "Smile"):
            hint = f"Quotes are no model: calibration.fit({_FITTED[type(model).__name__]}, ...).model."
        raise NoEngineError(rule("model", "be a model of research.models", model, hint))


def check_snapshot(snapshot: Any) -> None:
    """Refuse what is no market."""
    if not isinstance(snapshot, (Snapshot, BasketSnapshot)):
        raise InputError(rule("snapshot", "be a market.Snapshot or a market.BasketSnapshot", snapshot, _MARKET))


def check_market(engine: Engine, item: Any, snapshot: Any) -> None:
    """Refuse a market of several underlyings for a contract on one; the engines for several refuse the converse."""
    if isinstance(snapshot, BasketSnapshot) and not engine.needs.startswith("multi"):
        what = f"be a market.Snapshot for a {type(item).__name__}"
        raise InputError(rule("snapshot", what, snapshot, "The contract is on one underlying."))


@functools.cache
def options_of(engine: Engine) -> dict[str, Any]:
    """The options that an engine takes, and what they must be (annotations).

    They stand in the signature of its function, or, where that takes `**options`, in what the module names in OPTIONS.
    """
    function = engine.load()
    module = importlib.import_module(f"research.pricing.{engine.module}")
    free = any(p.kind is p.VAR_KEYWORD for p in inspect.signature(function).parameters.values())
    out: dict[str, Any] = {}
    for source in (function, *(module.OPTIONS if free and hasattr(module, "OPTIONS") else ())):
        out |= options_in(source)
    return out


def check_options(engines: Iterable[Engine], options: dict[str, Any], able: Iterable[Engine] = ()) -> None:
    """Refuse an option that none of the engines of a call knows; `able` could price the contracts too."""
    if not options:
        return
    used = list(dict.fromkeys(engines))
    if not used:
        return
    known: set[str] = set()
    for engine in used:  # one by one: an engine that is not needed is not imported
        known |= set(options_of(engine))
        if known.issuperset(options):
            return
    for name in options:
        if name in known:
            continue
        methods = ", ".join(dict.fromkeys(repr(e.method) for e in used))
        takes = ", ".join(sorted(known)) or "none"
        near = did_you_mean(name, known)
        others = dict.fromkeys(repr(e.method) for e in able if e not in used and name in options_of(e))
        hint = near or (f"{', '.join(others)} would take it: name it as method." if others else "")
        raise InputError(rule("option", f"be one that {methods} takes ({takes})", name, hint))


def meant_by(engines: list[Engine], options: dict[str, Any]) -> list[Engine]:
    """Those that take all options, best first; all where the best does, or none."""
    if not options or set(options) <= set(options_of(engines[0])):
        return engines
    return [e for e in engines if set(options) <= set(options_of(e))] or engines


def taken(engine: Engine, options: dict[str, Any]) -> dict[str, Any]:
    """Those of the options that an engine knows, each of its kind."""
    if not options:
        return {}
    known = options_of(engine)
    return check_kinds(known, {name: value for name, value in options.items() if name in known})


def by_halves(
    at: list[int], attempt: Callable[[list[int]], None], refuse: Callable[[list[int], Exception], None], stop: bool
) -> None:
    """Attempt all rows in one call; where it is refused, halves by themselves, down to the rows that are to blame."""
    try:
        attempt(at)
    except ResearchError as error:
        if stop:
            raise
        if len(at) == 1:
            refuse(at, error)
            return
        half = len(at) // 2
        by_halves(at[:half], attempt, refuse, stop)
        by_halves(at[half:], attempt, refuse, stop)


def check_able(model: Any) -> None:
    """A model with a volatility of its own to simulate by; Heston's sigma is another thing."""
    check_model(model)
    if "deterministic_vol" not in abilities(model):
        hint = "pricing.paths has the paths of any model."
        raise NoEngineError(
            rule("model", "have one volatility, or one by time (BlackScholes, BlackTermStructure)", model, hint)
        )
