"""Experiments: a notebook with typed parameters becomes a recorded run that can be repeated.

| Question | Function | Where |
|---|---|---|
| What does this notebook take? | `parameters(globals())`, `read_cell` | parameters |
| What did it find? | `record(metrics=, tables=, figures=, evidence=, model=, passed=)`, `table` | record, tables |
| Run it and keep everything | `run_notebook(path, parameters)` | runner |
| Does it still give the same? | `reproduce(run)` | reproduction |

A kernel imports only what its notebook calls: the runner and its vendors load when first used.
"""

from __future__ import annotations

import importlib
from typing import Any

from research.experiments.parameters import Parameters, Schema, parameters, read_cell
from research.experiments.record import record
from research.experiments.tables import Table, table

_LAZY = {
    "read_parameter_file": "files",
    "run_notebook": "runner",
    "reproduce": "reproduction",
    "compare": "comparison",
}
__all__ = ["Parameters", "Schema", "Table", "parameters", "read_cell", "record", "table", *_LAZY]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(f"research.experiments.{_LAZY[name]}"), name)
    raise AttributeError(f"module 'research.experiments' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
