"""Sweeps: one notebook, many points; durable, resumable, recorded point by point.

| Question | Function | Where |
|---|---|---|
| What is asked? | `Spec`, `read_file`, `from_words` | spec |
| Which values does `a=0:1:11` stand for? | `values`, `read_range` | values |
| Which points? | `draw` (grid, list, random, Latin hypercube, Sobol, dates) | design |
| Are they allowed? | `check` | points |
| What has been done? | `Ledger` | ledger |
| Who runs them? | `Pool` (this machine), `Cluster` (Dask) | pool, cluster |
| Run it, go on with it | `sweep`, `resume` | scheduler |
| What came out? | `write` (notebook, page, table) | summary |
"""

from __future__ import annotations

import importlib
from typing import Any

_NAMES = {
    "Spec": "spec",
    "read_file": "spec",
    "from_words": "spec",
    "Ledger": "ledger",
    "list_sweeps": "ledger",
    "trials": "ledger",
    "sweep": "scheduler",
    "resume": "scheduler",
}
__all__ = list(_NAMES)


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(f"research.experiments.sweep.{_NAMES[name]}"), name)
    raise AttributeError(f"module 'research.experiments.sweep' has no attribute {name!r}")
