"""Reproducible quantitative research. `import research` is light: rooms load when first used.

In a notebook: `research.parameters(globals())` checks the parameters cell, `research.data.load(name)` reads,
`research.record(...)` declares results, `research.load("model@champion")` gives an approved model;
`%load_ext research` adds `%run_info`, `%last` and `%lineage`.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_ROOMS = (
    "backtest", "calibration", "conventions", "core", "data", "experiments", "governance", "instruments",
    "lab", "lineage", "market", "models", "pricing", "report", "risk", "serving", "validation",
)  # fmt: skip
_NAMES = {
    "parameters": "research.experiments",
    "record": "research.experiments",
    "step": "research.experiments.step",
    "metric": "research.evidence",
    "Metric": "research.evidence",
    "Evidence": "research.evidence",
    "load": "research.serving",
}
__all__ = [*_ROOMS, *_NAMES]


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    if name in _ROOMS:
        return importlib.import_module(f"research.{name}")
    raise AttributeError(f"module 'research' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext research`: `%run_info`, `%last` and `%lineage` in this notebook."""
    importlib.import_module("research.lab.magics").register(shell)
