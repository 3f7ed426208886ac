"""Small inputs for the fillers: tiles that end early, odd first and last steps, one path, negative seeds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

CASES: dict[str, Callable[[], tuple[Any, ...]]] = {
    "research.core.random.philox.fill_uniforms": lambda: (20260630, 1, 5, 3, np.zeros((4, 4099))),
    "research.core.random.philox.fill_normals": lambda: (-7, 2, 2**40, 2, np.zeros((3, 4099))),
    "research.core.random.philox.fill_normals[one path]": lambda: (7, 0, 0, 1, np.zeros((6, 1))),
}
