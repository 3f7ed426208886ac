"""Plain JSON of what a notebook hands over: NumPy scalars, dates, paths, and numbers that JSON does not know.

NaN and the infinities become the text "nan", "inf", "-inf"; an integer past 2**53 becomes text, as RFC 8785 asks.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from research.errors import InputError, rule

_LARGEST = 2**53 - 1


def to_json(value: Any, name: str = "value") -> Any:
    """`value` as dict, list, str, int, float, bool or None.

    Examples
    --------
    >>> to_json({"a": float("nan"), "b": (1, 2)})
    {'a': 'nan', 'b': [1, 2]}
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return value if -_LARGEST <= value <= _LARGEST else str(value)
    if isinstance(value, float):
        return float_to_json(value)
    if isinstance(value, Mapping):
        return {str(key): to_json(item, f"{name}.{key}") for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        items = sorted(value, key=repr) if isinstance(value, (set, frozenset)) else value
        return [to_json(item, f"{name}[{i}]") for i, item in enumerate(items)]
    if isinstance(value, (dt.date, dt.datetime, dt.time)):
        return value.isoformat()
    if isinstance(value, PurePath):
        return value.as_posix()
    if hasattr(value, "tolist"):  # NumPy scalars and arrays
        return to_json(value.tolist(), name)
    raise InputError(rule(name, "be a number, text, date, list or dict", value))


def float_to_json(value: float) -> float | str:
    """A finite float as it is; NaN and infinities as text."""
    if math.isfinite(value):
        return float(value)
    return "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")


def float_from_json(value: float | str | None) -> float:
    """The float that `float_to_json` wrote."""
    return math.nan if value is None else float(value)
