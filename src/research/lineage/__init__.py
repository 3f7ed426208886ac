"""Lineage: what was run, on what, and what came out; the only room that knows MLflow and DVC, and knows no finance.

| Question | Function | Where |
|---|---|---|
| What was this run? | `load_capsule(run)`, `get_run(run)` | capsule, store |
| Which runs are there? | `list_runs(notebook=, status=, where=, sort=, limit=)` | store, listing |
| Which, by any condition? | `query(condition, sort=, limit=)`, `Comparison`, `Both`, `Either`, `Not` | selection |
| Is it as it was recorded? | `verify_run(run)` | verify |
| When was it last reproduced? | `reproductions(run)` | store |
| Is it at HEAD? Who ran it? | `head`, `operator`, `contents` | git |
| What does MLflow know of it? | `flush` | tracking |
"""

from __future__ import annotations

import importlib
from typing import Any

_NAMES = {
    "Capsule": "capsule",
    "Run": "store",
    "load_capsule": "store",
    "get_run": "store",
    "list_runs": "store",
    "query": "selection",
    "names": "selection",
    "reproductions": "store",
    "close_dead_runs": "store",
    "root_of": "store",
    "verify_run": "verify",
    "flush": "tracking",
}
__all__ = list(_NAMES)


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(f"research.lineage.{_NAMES[name]}"), name)
    raise AttributeError(f"module 'research.lineage' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
