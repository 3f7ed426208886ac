"""Curate: from the table as found to the declared names, types and order of rows.

`typed_table` reports what cannot be read; `contract.violations` reports what is read and breaks a rule. Nothing is
repaired: a value is what the source says, or the data set is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from research.data.catalog import Column, Dataset, Derive, did_you_mean
from research.data.parse import Violation, arrow_type, parse_column, type_name
from research.data.sources import Found
from research.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa


def typed_table(found: Found, entry: Dataset, where: str) -> tuple[pa.Table, list[Violation], np.ndarray[Any, Any]]:
    """The curated table, its unreadable cells, and for each curated row the row it came from (from 1)."""
    import pyarrow as pa

    _same_columns(found.table.column_names, entry, where)
    columns: dict[str, Any] = {}
    bad: list[Violation] = []
    for source, name in entry.sources.items():
        columns[name], broken = parse_column(found.table[source], name, entry.columns[name], entry.csv.missing)
        bad += broken
    for name, column in entry.columns.items():
        if column.derive:
            columns[name] = _derive(columns[column.derive.column], column.derive)
    table = pa.table({name: columns[name] for name in entry.columns})
    rows = np.arange(1, table.num_rows + 1)
    if entry.drop_empty:
        held = np.zeros(table.num_rows, dtype=bool)
        for name, column in entry.columns.items():
            if name not in entry.key and not column.derive:
                held |= np.asarray(table[name].is_valid())
        # a cell that could not be read is not an empty one
        held |= np.isin(rows, [violation.row for violation in bad if violation.row is not None])
        table, rows = table.filter(pa.array(held)), rows[held]
    order = _order(table, entry.key)
    return table.take(pa.array(order)), bad, rows[order]


def _order(table: pa.Table, key: list[str]) -> np.ndarray[Any, Any]:
    """Rows sorted by the key; equal keys keep the order of the source."""
    import pyarrow.compute as pc

    if not key:
        return np.arange(table.num_rows)
    import pyarrow as pa

    table = table.select(key).combine_chunks()
    for i, name in enumerate(key):
        if pa.types.is_dictionary(table[name].type):  # by the order of the categories
            table = table.set_column(i, name, pa.array(table[name].combine_chunks().indices))
    return np.asarray(pc.sort_indices(table, sort_keys=[(name, "ascending") for name in key]))


def _same_columns(names: list[str], entry: Dataset, where: str) -> None:
    wanted = list(entry.sources)
    for name in wanted:
        if name not in names:
            raise DataError(f"{where} must have the column {name!r}; got {_list(names)}.{did_you_mean(name, names)}")
    for name in names:
        if name not in wanted and name not in entry.ignore:
            raise DataError(
                f"{where} must have only declared columns; got {name!r}.{did_you_mean(name, wanted)} "
                f"Declare it under columns of {entry.name}, or list it under ignore."
            )


def _list(names: list[str]) -> str:
    text = ", ".join(map(repr, names))
    return text if len(text) <= 120 else text[:117] + "..."


def _derive(dates: pa.Array, derive: Derive) -> pa.Array:
    import pandas as pd
    import pyarrow as pa

    shifted = pd.Series(dates.to_pandas()) + pd.DateOffset(months=derive.months, days=derive.days)
    return pa.array(shifted.astype("datetime64[us]"), pa.timestamp("us"), from_pandas=True)


def to_frame(table: pa.Table, entry: Dataset, where: str) -> Any:
    """The data frame of a curated table: dates as datetime64[us], text as str, missing whole numbers as Int64."""
    import pandas as pd

    for name, column in entry.columns.items():
        if name not in table.column_names:
            raise DataError(f"{where} must have the column {name!r}; got {_list(table.column_names)}. Curate it again.")
        if not table.schema.field(name).type.equals(arrow_type(column)):
            got = type_name(table.schema.field(name).type)
            raise DataError(f"{where}: {name} must be of type {column.type}; got {got}. Curate it again.")
    extra = [name for name in table.column_names if name not in entry.columns]
    if extra:
        raise DataError(f"{where} must have only declared columns; got {extra[0]!r}. Curate it again.")
    out: dict[str, Any] = {}
    for name, column in entry.columns.items():
        out[name] = _series(table[name], column)
    return pd.DataFrame(out, columns=list(entry.columns))


def _series(values: pa.ChunkedArray, column: Column) -> Any:
    import pandas as pd

    if column.type == "int" and values.null_count:
        return pd.Series(values.to_pandas(types_mapper=None, integer_object_nulls=True), dtype="Int64")
    if column.type == "bool" and values.null_count:
        return pd.Series(values.to_pandas(), dtype="boolean")
    if column.type == "category":
        kind = pd.CategoricalDtype([str(value) for value in column.allowed or []])
        return values.to_pandas().astype(kind)
    if column.type == "str":
        return pd.Series(values.to_pandas(), dtype="str")
    return values.to_pandas()
