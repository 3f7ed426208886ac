"""Experiments: a notebook with typed parameters becomes a recorded run that can be repeated.

| Question | Function | Where |
|---|---|---|
| What does this notebook take? | `parameters(globals())`, `read_cell` | schema |
| What did it find? | `record(metrics=, tables=, figures=, evidence=, model=, passed=)`, `table` | recording, tables |
| Run it and keep everything | `run_notebook(path, parameters)` | runner |
| Does it still give the same? | `reproduce(run)` | reproduction |

A kernel imports only what its notebook calls: everything loads when first used. So no module here may have the name
of a function below.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from research.experiments.comparison import compare
    from research.experiments.files import read_parameter_file
    from research.experiments.recording import record
    from research.experiments.reproduction import reproduce
    from research.experiments.runner import run_notebook
    from research.experiments.schema import Parameters, Schema, parameters, read_cell
    from research.experiments.tables import Table, table

_LAZY = {
    "Parameters": "schema",
    "Schema": "schema",
    "parameters": "schema",
    "read_cell": "schema",
    "record": "recording",
    "Table": "tables",
    "table": "tables",
    "read_parameter_file": "files",
    "run_notebook": "runner",
    "reproduce": "reproduction",
    "compare": "comparison",
}
__all__ = [
    "Parameters",
    "Schema",
    "Table",
    "compare",
    "parameters",
    "read_cell",
    "read_parameter_file",
    "record",
    "reproduce",
    "run_notebook",
    "table",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(f"research.experiments.{_LAZY[name]}"), name)
    raise AttributeError(f"module 'research.experiments' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
