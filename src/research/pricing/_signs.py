"""Strikes and spots at or below zero: refused by name, unless the model says that it takes them ("signed").

A model of that ability refuses by itself what lies beyond its own end (minus the shift, for a displaced one).
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable
from typing import Any

from research.errors import require
from research.market import Snapshot
from research.pricing.catalogue import abilities

_SIGNED = ("European", "Digital", "Asian")  # contracts whose strike may have any sign
_NESTED = ("option", "call", "put")
_HINT = "Models of prices of any sign: Bachelier, and DisplacedDiffusion or SABR with a shift."


def check_signs(items: Iterable[Any], model: Any, snapshot: Any) -> None:
    """Refuse a spot or a strike at or below zero under a model of positive prices."""
    if "signed" in abilities(model):
        return
    name = model.__name__ if isinstance(model, type) else type(model).__name__
    if isinstance(snapshot, Snapshot):
        require(snapshot.spot > 0.0, "spot", snapshot.spot, f"be > 0 under {name}", hint=_HINT)
    for item in items:
        kind: Any = type(item)
        for part in _parts(kind):
            one = item if part == "" else getattr(item, part)
            strike = getattr(one, "strike", None) if type(one).__name__ in _SIGNED else None
            require(strike is None or strike > 0.0, "strike", strike, f"be > 0 under {name}", hint=_HINT)


@functools.cache
def _parts(kind: Any) -> tuple[str, ...]:
    """Where contracts of this class may hold a strike of any sign: "" is the contract itself, else a field."""
    names = {f.name for f in dataclasses.fields(kind)} if dataclasses.is_dataclass(kind) else set()
    own = ("",) if kind.__name__ in _SIGNED else ()
    return own + tuple(name for name in _NESTED if name in names)
