"""Contracts as plain data: `to_json(contract)` and `contract_from_json(terms)`, one dictionary a contract.

Dates are ISO text, `type` is the class name, fields left at None are left out. Nested contracts (a compound option, a
composed payoff) nest.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from datetime import date
from typing import Any

from research.conventions import terms_in
from research.errors import InputError, did_you_mean, require, rule


def to_json(contract: Any) -> dict[str, Any]:
    """The terms of a contract; JSON-able.

    Examples
    --------
    >>> from research.instruments import European
    >>> to_json(European(strike=100.0, expiry=date(2030, 1, 31)))
    {'type': 'European', 'strike': 100.0, 'expiry': '2030-01-31', 'is_call': True}
    """
    known = _kinds()
    known_kind = known.get(type(contract).__name__) is type(contract)
    require(known_kind, "contract", contract, f"be one of {', '.join(known)}")
    given = {f.name: getattr(contract, f.name) for f in dataclasses.fields(contract)}
    return {"type": type(contract).__name__} | {k: _plain(v) for k, v in given.items() if v is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return to_json(value) if dataclasses.is_dataclass(value) else value


def contract_from_json(terms: Mapping[str, Any] | str) -> Any:
    """The contract back from `to_json`, or from its JSON text; unknown types and terms are refused by name."""
    terms = terms_in("contract", terms)
    name = str(terms.get("type"))
    known = _kinds()
    if name not in known:
        raise InputError(rule("type", f"be one of {', '.join(known)}", name, did_you_mean(name, known)))
    contract = known[name]
    hints = typing.get_type_hints(contract)
    fields = {f.name: f for f in dataclasses.fields(contract)}
    given = {key: value for key, value in terms.items() if key != "type"}
    if unknown := sorted(set(given) - set(fields)):
        hint = did_you_mean(unknown[0], fields) or "Was it written by a newer version?"
        raise InputError(rule(f"terms of {name}", f"be among {', '.join(fields)}", unknown[0], hint))
    must = [
        n for n, f in fields.items() if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]
    if missing := [n for n in must if n not in given]:
        raise InputError(f"terms of {name} must have {', '.join(missing)}; got {', '.join(given) or 'none'}.")
    return contract(**{key: _typed(f"{name}.{key}", value, hints[key]) for key, value in given.items()})


def _typed(name: str, value: Any, hint: Any) -> Any:
    """JSON value as the field's type: ISO text to a date, a list to a tuple, an object to a contract."""
    if isinstance(value, Mapping):
        return contract_from_json(value)
    options = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    if isinstance(value, str) and date in options:
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise InputError(rule(name, "be an ISO date such as 2030-01-31", value)) from None
    if isinstance(value, list):
        inner = next((typing.get_args(o)[0] for o in options if typing.get_origin(o) is tuple), Any)
        return tuple(_typed(name, item, inner) for item in value)
    if isinstance(value, int) and not isinstance(value, bool) and float in options:
        return float(value)
    if float in options and not isinstance(value, (int, float)) and value is not None:
        raise InputError(rule(name, "be a number", value))
    return value


def _kinds() -> dict[str, type]:
    """Contracts, and the expressions that composed ones are written in."""
    from research.instruments.expressions import nodes

    return contracts() | nodes()


def contracts() -> dict[str, type]:
    """Every contract by name."""
    from research import instruments

    found = {name: getattr(instruments, name) for name in instruments.__all__}
    return {name: kind for name, kind in found.items() if dataclasses.is_dataclass(kind) and isinstance(kind, type)}
