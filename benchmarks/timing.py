"""What every workload needs: the fastest of some calls, and one line of the table."""

from __future__ import annotations

import math
from collections.abc import Callable
from time import perf_counter
from typing import Any


def timed(call: Callable[[], Any], repeat: int) -> tuple[float, Any]:
    """Fastest of `repeat` calls after one that is not counted, in seconds, and the result."""
    result, best = call(), math.inf
    for _ in range(repeat):
        began = perf_counter()
        result = call()
        best = min(best, perf_counter() - began)
    return best, result


def row(name: str, seconds: float, accuracy: str, what: str, peer: bool) -> dict[str, Any]:
    """A line: who, its time, its accuracy, at what work, and whether it is a peer."""
    return {"name": name, "seconds": seconds, "accuracy": accuracy, "what": what, "peer": peer}
