"""Serving: approved models, verified before anything of them is imported.

| Question | Function | Where |
|---|---|---|
| Give me the approved model | `load("heston_dax@champion")` | _load |
| Which scorers are there? | `SCORERS` | _scorers |
| How does the DAX surface price? | `HestonSurface` | heston_surface |
| Which modules does a payload run? | `python -m research.serving.closure FOLDER` | closure |

A scorer stands here and nowhere else: it turns an approved payload (parameters, tables) into prices, with the finance
rooms below. To add one: a module with a class like `HestonSurface`, and one line in `_scorers.SCORERS`.
"""

from __future__ import annotations

import importlib
from typing import Any

_NAMES = {"load": "_load", "ServedModel": "_load", "SCORERS": "_scorers"}
__all__ = list(_NAMES)


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(f"research.serving.{_NAMES[name]}"), name)
    raise AttributeError(f"module 'research.serving' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
