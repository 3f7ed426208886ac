"""Scorers by name: what a payload may load. Nothing outside this table is ever imported on a payload's word."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Protocol

from research.errors import InputError, did_you_mean, rule

SCORERS: dict[str, str] = {
    "heston_surface": "research.serving.heston_surface:HestonSurface",
}


class Scorer(Protocol):
    """What every scorer can do; its class also has `from_payload(parameters, tables)`."""

    def price(self, frame: Any) -> Any:
        """Results, one row for each row of `frame`."""
        ...

    def scope_columns(self, frame: Any) -> Any:
        """The quantities that the card's scope bounds, one row for each row of `frame`."""
        ...

    def example(self) -> Any:
        """A small frame that the scorer can price."""
        ...


def make(content: dict[str, Any], folder: Path) -> Scorer:
    """The scorer that `scorer.json` names, from its parameters and the payload's tables."""
    import pandas as pd

    name = content["scorer"]
    if name not in SCORERS:
        raise InputError(rule("scorer", f"be one of {', '.join(SCORERS)}", name, did_you_mean(name, SCORERS)))
    module, _, attribute = SCORERS[name].partition(":")
    kind: Any = getattr(importlib.import_module(module), attribute)
    tables = {key: pd.read_parquet(folder / path) for key, path in content["tables"].items()}
    scorer: Scorer = kind.from_payload(content["parameters"], tables)
    return scorer
