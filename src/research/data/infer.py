"""What the columns of a file seem to be: their type, the format of their dates, how the file is written."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from research.data.catalog import Csv
from research.data.sources import Found, csv_table
from research.data.storage import parquet_table

_DATES = ("%Y-%m-%d", "%Y/%m/%d", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%d-%b-%Y", "%d %B %Y", "%Y%m%d")
_TIMES = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M")
_CATEGORIES = 20  # more distinct texts than this are not a category


class Guess:
    """What one column seems to be."""

    def __init__(
        self,
        name: str,
        source: str,
        kind: str,
        values: pd.Series,
        *,
        form: str | None = None,
        notes: Iterable[str] = (),
    ) -> None:
        self.name, self.source, self.kind, self.values, self.form, self.notes = (
            name,
            source,
            kind,
            values,
            form,
            list(notes),
        )

    @property
    def dated(self) -> bool:
        return self.kind in ("date", "datetime")


def read_any(content: bytes, file: Path) -> tuple[Csv, Found]:
    """Find the encoding and delimiter that make a table of it."""
    if file.suffix.lower() in (".parquet", ".pq"):
        return Csv(), Found(parquet_table(content, file.name), None)
    encoding = next((e for e in ("utf8", "gb18030") if _decodes(content, e)), "latin-1")
    lines = content.decode("utf-8-sig" if encoding == "utf8" else encoding, "replace").splitlines()
    head = next((line for line in lines if line.strip() and not line.startswith("#")), "")
    delimiter = max(",;\t|", key=head.count)
    csv = Csv(delimiter=delimiter if head.count(delimiter) else ",", encoding=encoding)
    return csv, csv_table(content, csv, file.name)


def _decodes(content: bytes, encoding: str) -> bool:
    try:
        content.decode("utf-8-sig" if encoding == "utf8" else encoding)
    except UnicodeDecodeError:
        return False
    return True


def guess_columns(found: Found, csv: Csv) -> list[Guess]:
    guesses: list[Guess] = []
    taken: set[str] = set()
    for source in found.table.column_names:
        if not source.strip():
            continue
        name = (
            source
            if re.fullmatch(r"[A-Za-z0-9_]+", source)
            else re.sub(r"\W+", "_", source.strip()).strip("_").lower() or "column"
        )
        while name in taken:
            name += "_"
        taken.add(name)
        guesses.append(_guess(name, source, found.table[source], csv.missing))
    return guesses


def _guess(name: str, source: str, column: Any, missing: list[str]) -> Guess:
    import pyarrow as pa

    kind = column.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        values = column.to_pandas()
        words = {
            "bool": pa.types.is_boolean,
            "int": pa.types.is_integer,
            "float": pa.types.is_floating,
            "datetime": pa.types.is_temporal,
        }
        typed = next((word for word, test in words.items() if test(kind)), "str")
        if typed == "datetime":
            values = pd.Series(pd.to_datetime(values))
            typed = "date" if (values.dropna() == values.dropna().dt.normalize()).all() else "datetime"
        return Guess(name, source, typed, values)
    text = pd.Series(column.to_pandas()).str.strip()
    held = text[~text.isin(missing)]
    if not len(held):  # text, where only the empty cell is a missing one
        return Guess(name, source, "str", text.where(text != ""), notes=["no value in the file"])
    for typed, form, notes in _dates(name, held):
        return Guess(name, source, typed, _stamps(text, missing, form), form=form, notes=notes)
    if held.str.fullmatch(r"[-+]?(0|[1-9][0-9]{0,17})").all():
        return Guess(name, source, "int", pd.to_numeric(text.where(~text.isin(missing)), errors="coerce"))
    numbers = pd.to_numeric(held, errors="coerce")
    if (
        numbers.notna().all()
        and not held.str.contains("_").any()
        and np.isfinite(numbers).all()
        and not held.str.fullmatch(r"0\d+").any()
    ):
        return Guess(name, source, "float", pd.to_numeric(text.where(~text.isin(missing)), errors="coerce"))
    if held.str.lower().isin(["true", "false"]).all():
        return Guess(name, source, "bool", text.where(~text.isin(missing)))
    text = text.where(text != "")
    few = text.dropna().nunique() <= _CATEGORIES and len(text) > 3 * text.dropna().nunique()
    return Guess(name, source, "category" if few else "str", text)


def _dates(name: str, held: pd.Series) -> Iterable[tuple[str, str, list[str]]]:
    """The formats in which every distinct value is a date, best first."""
    distinct = list(held.unique())
    good: list[tuple[str, str]] = []
    for typed, forms in (("date", _DATES), ("datetime", _TIMES)):
        for form in forms:
            if form == "%Y%m%d" and not (
                re.search("date|day|maturity|expiry", name, re.I) and held.str.fullmatch(r"[12]\d{7}").all()
            ):
                continue
            if _reads(distinct[0], form) and all(_reads(value, form) for value in distinct):
                good.append((typed, form))
    if good:
        notes = [f"every value also reads as {form}: check" for _, form in good[1:2]]
        yield (*good[0], notes)


def _reads(value: str, form: str) -> bool:
    try:
        datetime.strptime(value, form)
    except ValueError:
        return False
    return True


def _stamps(text: pd.Series, missing: list[str], form: str) -> pd.Series:
    return pd.to_datetime(text.where(~text.isin(missing)), format=form)
