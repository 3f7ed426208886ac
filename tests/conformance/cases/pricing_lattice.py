"""A few small trees: puts and calls, exercise always, never and once; a strike out of the tree's reach."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def _values() -> tuple[Any, ...]:
    exercise = np.zeros((4, 21))
    exercise[0] = 1.0
    exercise[2, 10] = 1.0
    columns = [
        [100.0, 90.0, 100.0, 400.0], [100.0, 100.0, 110.0, 100.0], [1.0, 0.5, 2.0, 0.1], [0.2, 0.4, 0.3, 0.1],
        [0.05, -0.01, 0.02, 0.03], [0.0, 0.02, 0.04, 0.0], [-1.0, 1.0, -1.0, 1.0],
    ]  # fmt: skip
    return (*(np.array(column) for column in columns), exercise, np.zeros(4))


CASES: dict[str, Callable[[], tuple[Any, ...]]] = {"research.core.pricing.lattice.lattice_values": _values}
