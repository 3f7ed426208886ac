"""The digest of a data frame: SHA-256 over every row and column, independent of how the frame is stored.

What counts: column names and their order, logical types, row order, every value, and where values are missing.
What does not: the index (reset it first if it holds data), chunking, the Parquet encoding, the resolution of the
time stamps (the same instants give the same digest), the library versions.

Each column is hashed by itself, two at a time, over canonical little-endian bytes; the digest of the frame is the
SHA-256 of a canonical header with the column digests. So `digest_columns` also says *which* column changed.

    float        IEEE bits; -0.0 and 0.0 differ; every NaN is the same NaN; NaN and a missing value differ
    time stamp   microseconds since 1970 as int64, nanoseconds only where they are needed; the zone is part of the type
    text         UTF-8 with int64 offsets
    category     the categories in order, whether they are ordered, and the codes
    missing      a byte a row, written only where something is missing
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from research.errors import DataError

_SCHEMA = "research.frame/1"
_BIG = 1 << 20  # bytes in a frame from which a second thread pays


def _missing(mask: np.ndarray[Any, Any]) -> list[Any]:
    return [b"missing", np.ascontiguousarray(mask, dtype=np.uint8)] if mask.any() else []


def _numbers(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    values = np.ascontiguousarray(values)
    if values.dtype.kind == "f":
        bad = np.isnan(values)
        if bad.any():
            values = np.where(bad, values.dtype.type("nan"), values)
    return np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))


def _instants(values: np.ndarray[Any, Any], zone: str) -> tuple[str, list[Any]]:
    """datetime64 or timedelta64 of any resolution."""
    kind = values.dtype.kind  # "M" or "m"
    mask = np.isnat(values)
    unit = "us"
    if np.datetime_data(values.dtype)[0] == "ns" and bool((values.view(np.int64)[~mask] % 1000).any()):
        unit = "ns"
    whole = values.astype(f"{kind}8[{unit}]").view(np.int64)
    if mask.any():
        whole = np.where(mask, 0, whole)
    name = "timestamp" if kind == "M" else "duration"
    return f"{name}[{unit}{', ' + zone if zone else ''}]", [np.ascontiguousarray(whole, dtype="<i8"), *_missing(mask)]


def _text(values: Any) -> tuple[str, list[Any]]:
    """Text through Arrow: offsets and UTF-8 bytes, nothing under a missing value."""
    import pyarrow as pa
    import pyarrow.compute as pc

    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    if isinstance(array, pa.ChunkedArray):  # several chunks stay where there are none
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], pa.large_string())
    array = array.cast(pa.large_string())
    mask = np.asarray(array.is_null())
    full = pc.fill_null(array, "") if mask.any() else array
    offsets = (
        np.frombuffer(full.buffers()[1], dtype=np.int64)[full.offset : full.offset + len(full) + 1]
        if len(full)
        else np.zeros(1, np.int64)
    )
    data = full.buffers()[2]
    raw = memoryview(data)[int(offsets[0]) : int(offsets[-1])] if data is not None else b""
    return "text", [np.ascontiguousarray(offsets - offsets[0], dtype="<i8"), raw, *_missing(mask)]


def _one(value: Any) -> bytes:
    """A single Python value with its kind."""
    if value is None:
        return b"none"
    if value is pd.NA or value is pd.NaT:
        return b"missing"
    if isinstance(value, (bool, np.bool_)):
        return b"true" if value else b"false"
    if isinstance(value, (int, np.integer)):
        return b"int:" + str(int(value)).encode()
    if isinstance(value, (float, np.floating)):
        return b"float:" + (b"nan" if value != value else struct.pack("<d", float(value)))
    if isinstance(value, str):
        return b"text:" + value.encode()
    if isinstance(value, bytes):
        return b"bytes:" + value
    if isinstance(value, (datetime, date)):
        return f"{'datetime' if isinstance(value, datetime) else 'date'}:{value.isoformat()}".encode()
    if isinstance(value, Decimal):
        return f"decimal:{value}".encode()
    raise DataError(
        f"a value in a data frame must be a number, text, date or missing to have a digest; got {type(value).__name__}."
    )


def _objects(values: Iterable[Any]) -> tuple[str, list[Any]]:
    out = bytearray()
    for value in values:
        piece = _one(value)
        out += struct.pack("<q", len(piece)) + piece
    return "object", [bytes(out)]


def _arrow(series: pd.Series) -> tuple[str, list[Any]]:
    """Columns of pandas' Arrow-backed types: the same digest as the NumPy type holding the same values."""
    import pyarrow as pa

    array = pa.chunked_array(series.array._pa_array)
    kind = array.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _text(array)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        mask = np.asarray(array.is_null())
        zero = pa.scalar(False if pa.types.is_boolean(kind) else 0, kind)
        values = np.asarray(array.fill_null(zero).to_numpy())
        return str(values.dtype), [_numbers(values), *_missing(mask)]
    if pa.types.is_timestamp(kind) or pa.types.is_duration(kind):
        zone = getattr(kind, "tz", None) or ""
        plain = array.cast(pa.timestamp(kind.unit)) if pa.types.is_timestamp(kind) else array
        return _instants(np.asarray(plain.to_numpy()), zone)
    return _objects(array.to_pylist())


def _encode(series: pd.Series) -> tuple[str, list[Any]]:
    """The logical type of a column and its canonical bytes."""
    kind = series.dtype
    if isinstance(kind, pd.CategoricalDtype):
        categories = digest_columns(pd.DataFrame({"categories": pd.Series(kind.categories)}))[0]
        header = json.dumps([categories, bool(kind.ordered)]).encode()
        return "category", [header, np.ascontiguousarray(series.cat.codes.to_numpy(), dtype="<i4")]
    if isinstance(kind, pd.DatetimeTZDtype):
        return _instants(series.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy(), str(kind.tz))
    if isinstance(kind, pd.StringDtype):
        import pyarrow as pa

        return _text(pa.array(series, from_pandas=True))
    if isinstance(kind, pd.ArrowDtype):
        return _arrow(series)
    if hasattr(series.array, "_mask") and hasattr(series.array, "_data"):  # Int64, Float64, boolean
        mask = np.asarray(series.array._mask)
        values = np.where(mask, series.array._data.dtype.type(0), series.array._data)
        return str(values.dtype), [_numbers(values), *_missing(mask)]
    if isinstance(kind, np.dtype) and kind.kind in "fiub":
        return str(kind), [_numbers(series.to_numpy())]
    if isinstance(kind, np.dtype) and kind.kind in "mM":
        return _instants(series.to_numpy(), "")
    return _objects(series.to_numpy(dtype=object))


def _digest_column(series: pd.Series) -> tuple[str, str]:
    kind, parts = _encode(series)
    running = hashlib.sha256()
    for part in parts:
        view = memoryview(part)
        running.update(struct.pack("<q", view.nbytes))
        if view.nbytes:
            running.update(view.cast("B"))
    return kind, running.hexdigest()


def digest_columns(frame: pd.DataFrame) -> list[list[str]]:
    """[name, logical type, SHA-256] of every column, in order."""
    columns = [frame.iloc[:, i] for i in range(frame.shape[1])]
    if len(columns) > 1 and frame.shape[0] * 8 * len(columns) >= _BIG:
        with ThreadPoolExecutor(2) as pool:
            found = list(pool.map(_digest_column, columns))
    else:
        found = [_digest_column(column) for column in columns]
    return [[str(name), kind, digest] for name, (kind, digest) in zip(frame.columns, found, strict=True)]


def digest_frame(frame: pd.DataFrame) -> str:
    """SHA-256 over all rows and columns of `frame`, lowercase hex.

    Examples
    --------
    >>> a = pd.DataFrame({"x": [1.0, 2.0]})
    >>> digest_frame(a) == digest_frame(a.copy()), digest_frame(a) == digest_frame(-a)
    (True, False)
    """
    header = json.dumps([_SCHEMA, int(frame.shape[0]), digest_columns(frame)], separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(header.encode()).hexdigest()
