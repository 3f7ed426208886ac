"""Markets as plain data: `to_json(snapshot)` and `snapshot_from_json(terms)`, curves, quotes and dividends nested."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np

from research.conventions import check_terms, terms_in
from research.errors import InputError, require, rule


def to_json(snapshot: Any) -> dict[str, Any]:
    """A Snapshot, a BasketSnapshot or a part of one; JSON-able, fields left at None are left out.

    Examples
    --------
    >>> from research.market import flat_snapshot
    >>> to_json(flat_snapshot(spot=100.0, rate=0.03))["discount"]
    {'type': 'DiscountCurve', 'as_of': '2000-01-01', 'tau': [1.0], 'zero_rate': [0.03]}
    """
    name, known = type(snapshot).__name__, _kinds()
    require(known.get(name) is type(snapshot), "snapshot", snapshot, f"be one of {', '.join(known)}")
    given = {f.name: getattr(snapshot, f.name) for f in dataclasses.fields(snapshot) if f.init}
    return {"type": name} | {key: _plain(value) for key, value in given.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return to_json(value) if dataclasses.is_dataclass(value) else value


def snapshot_from_json(terms: Mapping[str, Any] | str) -> Any:
    """The market back from `to_json`, or from its JSON text; unknown types and terms are refused by name."""
    terms = terms_in("snapshot", terms)
    name, known = terms.get("type"), _kinds()
    if not isinstance(name, str) or name not in known:
        raise InputError(rule("type", f"be one of {', '.join(known)}", name))
    kind = known[name]
    hints = typing.get_type_hints(kind)
    return kind(**{k: _typed(f"{name}.{k}", v, hints[k]) for k, v in check_terms(kind, terms).items()})


def _typed(name: str, value: Any, hint: Any) -> Any:
    if isinstance(value, Mapping):
        return snapshot_from_json(value)
    if isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        return tuple(_typed(name, item, Any) for item in value)
    if isinstance(value, str) and date in (typing.get_args(hint) or (hint,)):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise InputError(rule(name, "be an ISO date such as 2030-01-31", value)) from None
    return value


def _kinds() -> dict[str, type]:
    from research.market.basket import BasketSnapshot, ForeignCurrency, Underlying
    from research.market.curves import DiscountCurve
    from research.market.dividends import CashDividends
    from research.market.snapshot import Snapshot
    from research.market.surface import Smile, Surface

    kinds = (Snapshot, BasketSnapshot, DiscountCurve, Surface, Smile, CashDividends, Underlying, ForeignCurrency)
    return {kind.__name__: kind for kind in kinds}
