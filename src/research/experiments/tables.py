"""Tables as results: a frame with the tolerance of its numbers, its exact bytes, its digest and its rounding.

Numbers travel and rest as Parquet, so that no bit and no type is lost. The digest is over the values (column
names, kinds, every row), not over Parquet bytes, which change with the writer's version.
"""

from __future__ import annotations

import base64
import hashlib
import io
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from research.errors import InputError, require, rule

Tolerance = float | Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Table:
    """A data frame and how closely a re-run must meet its numbers; tolerances may be given by column."""

    frame: Any
    rtol: Tolerance = 1e-9
    atol: Tolerance = 0.0
    unit: str | Mapping[str, str] = field(default="")

    def __post_init__(self) -> None:
        for name, value in (("rtol", self.rtol), ("atol", self.atol)):
            for each in value.values() if isinstance(value, Mapping) else [value]:
                require(each >= 0.0, name, each, "be >= 0")


def table(frame: Any, *, rtol: Tolerance = 1e-9, atol: Tolerance = 0.0, unit: str | Mapping[str, str] = "") -> Table:
    """A table for `record`, with the tolerance of a re-run: |again - value| <= atol + rtol |value|.

    Parameters
    ----------
    frame : DataFrame, Series, or what DataFrame() takes
        An index that is not 0, 1, 2, ... becomes a column.
    rtol, atol : float, or dict of column to float
        Both zero ask for the same bits; rtol=inf leaves a column out of comparison (wall-clock times).
    unit : str, or dict of column to str
    """
    return Table(frame=as_frame(frame), rtol=rtol, atol=atol, unit=unit)


def as_frame(value: Any) -> Any:
    """A data frame with text column names and an index of 0, 1, 2, ..."""
    import pandas as pd

    if isinstance(value, pd.Series):
        value = value.to_frame(value.name if value.name is not None else "value")
    frame = value if isinstance(value, pd.DataFrame) else pd.DataFrame(value)
    if not isinstance(frame.index, pd.RangeIndex) or frame.index.name is not None:
        levels = [name is not None for name in frame.index.names]
        frame = frame.reset_index(
            names=None if all(levels) else [n or f"index_{i}" for i, n in enumerate(frame.index.names)]
        )
    frame = frame.reset_index(drop=True)
    frame.columns = [" ".join(map(str, c)) if isinstance(c, tuple) else str(c) for c in frame.columns]
    if frame.columns.has_duplicates:
        raise InputError(rule("table columns", "be unique", frame.columns[frame.columns.duplicated()][0]))
    return frame


def tolerance(given: Tolerance, column: str, default: float) -> float:
    """The tolerance of one column."""
    return float(given.get(column, default) if isinstance(given, Mapping) else given)


def to_parquet(frame: Any) -> bytes:
    """The frame as Parquet bytes; columns of mixed objects as text."""
    import pyarrow as pa

    frame = as_frame(frame)
    buffer = io.BytesIO()
    try:
        frame.to_parquet(buffer, index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        mixed = frame.astype({c: str for c in frame.columns if frame[c].dtype == object})
        buffer = io.BytesIO()
        mixed.to_parquet(buffer, index=False)
    return buffer.getvalue()


def from_parquet(data: bytes) -> Any:
    """The frame in Parquet bytes."""
    import pandas as pd

    return pd.read_parquet(io.BytesIO(data))


def encode(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def decode(text: str) -> bytes:
    return base64.b64decode(text.encode("ascii"))


def kind_of(column: Any) -> str:
    """One of bool, int, float, time, text: what a column holds, whatever its storage."""
    from pandas.api import types

    dtype = column.dtype
    if types.is_bool_dtype(dtype):
        return "bool"
    if types.is_integer_dtype(dtype):
        return "int"
    if types.is_float_dtype(dtype):
        return "float"
    if types.is_datetime64_any_dtype(dtype):
        return "time"
    return "text"


def cells(column: Any) -> list[Any]:
    """The values of a column as plain Python: None for a missing one, ISO text for times."""
    import pandas as pd

    kind = kind_of(column)
    values = column.tolist()
    if kind == "float":
        return [math.nan if v is None or v is pd.NA else float(v) for v in values]
    if kind == "time":
        return [None if pd.isna(v) else v.isoformat() for v in values]
    return [
        None if v is None or v is pd.NA or (isinstance(v, float) and math.isnan(v)) else _plain(v, kind) for v in values
    ]


def _plain(value: Any, kind: str) -> Any:
    return {"bool": bool, "int": int}.get(kind, str)(value)


def digest(frame: Any, round_to: Mapping[str, tuple[float, float]] | None = None) -> str:
    """SHA-256 over column names, kinds and all values; with `round_to` {column: (rtol, atol)} over rounded ones.

    A column whose rtol is infinite is left out of a rounded digest.
    """
    frame, running = as_frame(frame), hashlib.sha256()
    for name in frame.columns:
        rtol, atol = round_to.get(name, (0.0, 0.0)) if round_to is not None else (0.0, 0.0)
        if math.isinf(rtol) or math.isinf(atol):
            continue
        column = frame[name]
        running.update(f"{name}\0{kind_of(column)}\0{len(column)}\n".encode())
        for value in cells(column):
            running.update(_bytes(rounded(value, rtol, atol) if isinstance(value, float) else value))
    return running.hexdigest()


def _bytes(value: Any) -> bytes:
    if isinstance(value, float):
        return b"f" + (b"nan" if math.isnan(value) else struct.pack("<d", value + 0.0))
    if value is None:
        return b"n"
    text = str(value).encode()
    return b"t" + len(text).to_bytes(4, "little") + text


def rounded(value: float, rtol: float, atol: float) -> float:
    """`value` rounded to the digits that its tolerance leaves: a power of ten of at least twice the tolerance.

    Examples
    --------
    >>> rounded(50.123456789, 0.0, 1e-4)
    50.123
    """
    width = 2.0 * (atol + rtol * abs(value))
    if width == 0.0 or not math.isfinite(value) or not math.isfinite(width):
        return value
    return round(value, -math.ceil(math.log10(width) - 1e-9)) + 0.0
