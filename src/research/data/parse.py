"""From text to the declared types, remembering each cell that cannot be read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from research.data.catalog import Column

if TYPE_CHECKING:
    import pyarrow as pa

_EXACT = 2.0**53  # integers beyond are not exact in a float
_TRUE, _FALSE = {"true", "1", "yes", "y", "t"}, {"false", "0", "no", "n", "f"}


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule at one place. `row` counts from 1; `line` is where it stands in a text file."""

    rule: str
    column: str
    row: int | None
    value: str
    line: int | None = None


def arrow_type(column: Column) -> pa.DataType:
    """How a column is stored."""
    import pyarrow as pa

    return {
        "date": pa.timestamp("us"),
        "datetime": pa.timestamp("us"),
        "float": pa.float64(),
        "int": pa.int64(),
        "str": pa.string(),
        "category": pa.dictionary(pa.int32(), pa.string(), ordered=False),
        "bool": pa.bool_(),
    }[column.type]


def type_name(kind: pa.DataType) -> str:
    """What the dictionary would call an Arrow type."""
    import pyarrow as pa

    names = (
        ("str", pa.types.is_string), ("str", pa.types.is_large_string), ("float", pa.types.is_floating),
        ("int", pa.types.is_integer), ("bool", pa.types.is_boolean), ("datetime", pa.types.is_timestamp),
        ("category", pa.types.is_dictionary),
    )  # fmt: skip
    return next((name for name, test in names if test(kind)), str(kind))


def parse_column(
    found: pa.ChunkedArray, name: str, column: Column, missing: list[str]
) -> tuple[pa.Array, list[Violation]]:
    """The typed column, and a violation for each cell that is not what the dictionary says."""
    import pyarrow as pa
    import pyarrow.compute as pc

    array = found.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], found.type)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if not (pa.types.is_string(array.type) or pa.types.is_large_string(array.type)):
        if column.type in ("str", "category"):
            array = array.cast(pa.string())
        else:
            return _typed(array, name, column)
    text = pc.utf8_trim_whitespace(array.cast(pa.string()))
    markers = [""] if column.type == "str" else missing
    text = pc.if_else(pc.is_in(text, value_set=pa.array(markers, pa.string())), pa.scalar(None, pa.string()), text)
    values, bad = _PARSERS[column.type](text, column)
    words = "read as " + {
        "date": "a date",
        "datetime": "a date and time",
        "int": "a whole number",
        "float": "a number",
        "bool": "true or false",
    }.get(column.type, column.type)
    if column.type in ("date", "datetime") and column.format:
        words += f" written {column.format}"
    if column.type == "category":
        words = f"be one of {', '.join(map(str, column.allowed or []))}"
    return values, [Violation(words, name, int(i) + 1, str(text[int(i)].as_py())) for i in bad]


def _typed(array: pa.Array, name: str, column: Column) -> tuple[pa.Array, list[Violation]]:
    """A column that already has a type, from Parquet: casts that lose nothing."""
    import pyarrow as pa

    try:
        if column.type == "bool" and not pa.types.is_boolean(array.type):
            raise pa.ArrowInvalid("not boolean")
        if column.type in ("float", "int") and (pa.types.is_temporal(array.type) or pa.types.is_boolean(array.type)):
            raise pa.ArrowInvalid("not a number")
        if column.type in ("date", "datetime") and not pa.types.is_temporal(array.type):
            raise pa.ArrowInvalid("not a date")
        if column.type in ("date", "datetime") and getattr(array.type, "tz", None):
            raise pa.ArrowInvalid("has a time zone")
        if column.type == "float" and pa.types.is_decimal(array.type):
            return array.cast(pa.float64()), []
        return array.cast(arrow_type(column)), []
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.nulls(len(array), arrow_type(column)), [
            Violation(f"be of type {column.type}", name, None, type_name(array.type))
        ]


def _floats(text: pa.Array, column: Column) -> tuple[pa.Array, list[int]]:
    import pyarrow as pa

    try:
        return text.cast(pa.float64()), []
    except pa.ArrowInvalid:
        return _slow(text, float, pa.float64())


def _ints(text: pa.Array, column: Column) -> tuple[pa.Array, list[int]]:
    import pyarrow as pa

    def whole(value: str) -> int:
        try:
            return int(value)
        except ValueError:
            number = float(value)
        if not number.is_integer() or abs(number) > _EXACT:
            raise ValueError(value)
        return int(number)

    try:
        return text.cast(pa.int64()), []
    except pa.ArrowInvalid:
        return _slow(text, whole, pa.int64())


def _slow(text: pa.Array, read: Any, kind: Any) -> tuple[pa.Array, list[int]]:
    """Cell by cell, where the fast cast met something it cannot read."""
    import pyarrow as pa

    values: list[Any] = []
    bad: list[int] = []
    for i, value in enumerate(text.to_pylist()):
        try:
            if value is not None and "_" in value:
                raise ValueError(value)
            values.append(None if value is None else read(value))
        except (ValueError, OverflowError):
            bad.append(i)
            values.append(None)
    return pa.array(values, kind), bad


def _dates(text: pa.Array, column: Column) -> tuple[pa.Array, list[int]]:
    """Each distinct text is parsed once, strictly: 30 February is refused."""
    import pyarrow as pa

    coded = text.dictionary_encode()
    form = column.format
    stamps: list[datetime | None] = []
    for value in coded.dictionary.to_pylist():
        try:
            stamp = datetime.strptime(value, form) if form else datetime.fromisoformat(value)
            good = stamp.tzinfo is None and (
                column.type == "datetime" or stamp == datetime(stamp.year, stamp.month, stamp.day)
            )
            stamps.append(stamp if good else None)
        except ValueError:
            stamps.append(None)
    values = (
        pa.array(stamps, pa.timestamp("us")).take(coded.indices) if stamps else pa.nulls(len(text), pa.timestamp("us"))
    )
    return values, _lost(text, values)


def _bools(text: pa.Array, column: Column) -> tuple[pa.Array, list[int]]:
    import pyarrow as pa

    words = {**dict.fromkeys(_TRUE, True), **dict.fromkeys(_FALSE, False)}
    values = pa.array([None if value is None else words.get(value.lower()) for value in text.to_pylist()], pa.bool_())
    return values, _lost(text, values)


def _texts(text: pa.Array, column: Column) -> tuple[pa.Array, list[int]]:
    return text, []


def _categories(text: pa.Array, column: Column) -> tuple[pa.Array, list[int]]:
    import pyarrow as pa
    import pyarrow.compute as pc

    allowed = pa.array([str(value) for value in column.allowed or []], pa.string())
    codes = pc.index_in(text, value_set=allowed)
    values = pa.DictionaryArray.from_arrays(codes.cast(pa.int32()), allowed)
    return values, _lost(text, codes)


def _lost(before: pa.Array, after: pa.Array) -> list[int]:
    lost = np.asarray(before.is_valid()) & np.asarray(after.is_null())
    return [int(i) for i in np.flatnonzero(lost)]


_PARSERS: dict[str, Any] = {
    "float": _floats, "int": _ints, "date": _dates, "datetime": _dates, "bool": _bools, "str": _texts,
    "category": _categories,
}  # fmt: skip
