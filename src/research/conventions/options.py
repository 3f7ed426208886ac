"""Options of a function or of a settings class: unknown names refused with what was meant, values of the right kind."""

from __future__ import annotations

import functools
import inspect
import typing
from typing import Any

from research.conventions.fields import check_kinds
from research.errors import InputError, did_you_mean, rule


@functools.cache
def options_in(source: Any) -> dict[str, Any]:
    """Options and annotations of a function (what is keyword only) or of a dataclass (its fields)."""
    hints = typing.get_type_hints(source)
    if isinstance(source, type):
        return {name: hints[name] for name in getattr(source, "__dataclass_fields__", ())}
    known = inspect.signature(source).parameters.values()
    return {p.name: hints.get(p.name, Any) for p in known if p.kind is p.KEYWORD_ONLY}


def check_names(who: str, given: dict[str, Any], *sources: Any) -> None:
    """Refuse options that `who` does not take; `sources` as in `options_in`."""
    known = [name for source in sources for name in options_in(source)]
    for name in given:
        if name not in known:
            must = f"be one that {who} takes ({', '.join(known) or 'none'})"
            raise InputError(rule("option", must, name, did_you_mean(name, known)))


def check_call(who: str, functions: tuple[Any, ...], given: dict[str, Any]) -> dict[str, Any]:
    """The options of a call, each of its kind; refuses unknown names and says which are lacking."""
    check_names(who, given, *functions)
    for p in (p for function in functions for p in inspect.signature(function).parameters.values()):
        if p.kind is p.KEYWORD_ONLY and p.default is p.empty and p.name not in given:
            raise InputError(f"{who} must have the option {p.name}; got {', '.join(given) or 'none'}.")
    kinds: dict[str, Any] = {}
    for function in reversed(functions):  # what the first says of a name holds
        kinds |= options_in(function)
    return check_kinds(kinds, given)
