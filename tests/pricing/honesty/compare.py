"""One contract by every engine that can price it: who is apart from whom by more than both errors together."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from research.errors import InputError, NoEngineError, NumericalError
from research.pricing import methods, price

FEW = {"paths": {"n_paths": 4096}, "monte_carlo": {"n_paths": 4096}, "longstaff_schwartz": {"n_paths": 4096}}


@dataclass(frozen=True, slots=True)
class Found:
    """What one engine says."""

    method: str
    value: float
    error: float  # numerical
    std_error: float

    def covers(self, other: Found, scale: float) -> bool:
        """Are the two within their errors, and four standard errors?"""
        noise = 4.0 * float(np.hypot(self.std_error, other.std_error))
        return abs(self.value - other.value) <= self.error + other.error + noise + 1e-14 * scale


def by_every_engine(item: Any, model: Any, snapshot: Any, only: set[str] | None = None,
                    without: set[str] = frozenset()) -> tuple[list[Found], list[str]]:  # fmt: skip
    """Values, and refusals in words; a warning or any other error is a finding of its own and is raised."""
    found, refused = [], []
    for method in methods(item, model).method.tolist():
        if (only and method not in only) or method in without:
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                p = price(item, model, snapshot, method=method, **FEW.get(method, {}))
        except (InputError, NoEngineError, NumericalError) as error:
            refused.append(f"{method}: {type(error).__name__}: {error}")
            continue
        found.append(Found(method, float(p.value), float(p.error), float(p.std_error)))
    return found, refused


def apart(found: list[Found], scale: float) -> list[tuple[Found, Found]]:
    """Pairs that no stated error explains."""
    return [(a, b) for a, b in combinations(found, 2) if not a.covers(b, scale) or not np.isfinite(a.value + b.value)]
