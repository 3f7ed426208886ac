"""Quadrature rules of odd and even size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

CASES: dict[str, Callable[[], tuple[Any, ...]]] = {
    "research.core.math.quadrature.gauss_legendre": lambda: (np.zeros(33), np.zeros(33)),
    "research.core.math.quadrature.gauss_legendre[even]": lambda: (np.zeros(8), np.zeros(8)),
    "research.core.math.quadrature.tanh_sinh": lambda: (np.zeros(65), np.zeros(65)),
}
