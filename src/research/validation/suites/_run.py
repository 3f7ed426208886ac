"""Find the suite of a model class by name, and run it."""

from __future__ import annotations

import importlib
from typing import Any

from research.errors import require
from research.evidence import Evidence

SUITES = ("heston", "value_at_risk")


def run(name: str, *data: Any, **options: Any) -> list[Evidence]:
    """All tests of the suite `name`, one of "heston" and "value_at_risk", over `data`; see the suite's own `run`."""
    require(name in SUITES, "name", name, f"be one of {', '.join(SUITES)}")
    found: list[Evidence] = importlib.import_module(f"research.validation.suites.{name}").run(*data, **options)
    return found
