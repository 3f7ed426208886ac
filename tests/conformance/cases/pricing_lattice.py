"""A few small trees: puts and calls, exercise always, never and once; steps that differ; a strike out of reach."""

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
        [0.05, -0.015, -0.04, 0.003],
    ]  # fmt: skip
    drift, rate = (
        np.array([[0.05], [-0.03], [-0.02], [0.03]]) / 21.0,
        np.array([[0.05], [-0.01], [0.02], [0.03]]) / 21.0,
    )
    steps = 1.0 + np.linspace(-0.5, 0.5, 21)
    sign = np.array([-1.0, 1.0, -1.0, 1.0])
    rest = (drift * steps, rate * steps, sign, exercise, np.zeros(4))
    return (*(np.array(column) for column in columns), *rest)


CASES: dict[str, Callable[[], tuple[Any, ...]]] = {"research.core.pricing.lattice.lattice_values": _values}
