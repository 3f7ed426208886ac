"""Draft a contract from a file: types, ranges, key and calendar as the data suggest them, for a person to review.

A draft always fits the file it was made from. What it cannot know (owner, licence, units, what a column means, which
limits are sensible) is for the reviewer; each guess that could be wrong carries a comment.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from research.data.catalog import Csv, Dataset, parse_dataset
from research.data.sources import Found, csv_table
from research.data.storage import parquet_table, read_bytes
from research.errors import DataError
from research.fingerprint import digest_bytes

_DATES = ("%Y-%m-%d", "%Y/%m/%d", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%d-%b-%Y", "%d %B %Y", "%Y%m%d")
_TIMES = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M")
_EXCHANGES = ("XNYS", "XSHG", "XHKG", "XLON", "XFRA", "XTKS", "TARGET", "WEEKDAYS", "MONTHS")
_CATEGORIES = 20  # more distinct texts than this are not a category


class _Guess:
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


def draft(file: str | Path, name: str, *, owner: str = "to be named") -> str:
    """The YAML of a catalogue entry that `file` fits.

    Parameters
    ----------
    file : path of a CSV or Parquet file
    name : str
        The name the data set will have: "vendor/option_quotes".
    owner : str
        Who answers for the data.
    """
    file = Path(file)
    content = read_bytes(file, file.name)
    if not content:
        raise DataError(f"{file.name} must hold a header and rows; got an empty file.")
    csv, found = _read(content, file)
    guesses = _columns(found, csv)
    text = _render(name, file, content, csv, guesses, owner)
    parse_dataset(name, _value(text, name), "draft")  # a draft that cannot be read would be a fault of ours
    return text


def _value(text: str, name: str) -> Any:
    from research.data.yaml12 import parse_yaml

    return parse_yaml(text, "draft")[name]


def _read(content: bytes, file: Path) -> tuple[Csv, Found]:
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


def _columns(found: Found, csv: Csv) -> list[_Guess]:
    guesses: list[_Guess] = []
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


def _guess(name: str, source: str, column: Any, missing: list[str]) -> _Guess:
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
        return _Guess(name, source, typed, values)
    text = pd.Series(column.to_pandas()).str.strip()
    held = text[~text.isin(missing)]
    if not len(held):
        return _Guess(name, source, "str", text, notes=["no value in the file"])
    for typed, form, notes in _dates(name, held):
        return _Guess(name, source, typed, _stamps(text, missing, form), form=form, notes=notes)
    if held.str.fullmatch(r"[-+]?(0|[1-9][0-9]{0,17})").all():
        return _Guess(name, source, "int", pd.to_numeric(text.where(~text.isin(missing)), errors="coerce"))
    numbers = pd.to_numeric(held, errors="coerce")
    if (
        numbers.notna().all()
        and not held.str.contains("_").any()
        and np.isfinite(numbers).all()
        and not held.str.fullmatch(r"0\d+").any()
    ):
        return _Guess(name, source, "float", pd.to_numeric(text.where(~text.isin(missing)), errors="coerce"))
    if held.str.lower().isin(["true", "false"]).all():
        return _Guess(name, source, "bool", text.where(~text.isin(missing)))
    text = text.where(text != "")
    few = text.dropna().nunique() <= _CATEGORIES and len(text) > 3 * text.dropna().nunique()
    return _Guess(name, source, "category" if few else "str", text)


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


def _as_of(guesses: list[_Guess]) -> _Guess | None:
    """The date of observation: by name, else the only date, never one with holes."""
    dated = [guess for guess in guesses if guess.dated and guess.values.notna().all()]
    named = [
        guess
        for guess in dated
        if re.fullmatch(r"date|as_?of|day|month|time(stamp)?|trade_?date|trans_date", guess.name, re.I)
    ]
    return (named or dated or [None])[0]  # type: ignore[list-item]


def _key(guesses: list[_Guess], as_of: _Guess | None) -> list[str]:
    """The fewest leading columns, with the as-of date first, whose values never repeat."""
    frame = pd.DataFrame({guess.name: guess.values for guess in guesses})
    whole = [guess.name for guess in guesses if guess is not as_of and guess.values.notna().all()]
    first = [as_of.name] if as_of else []
    labels = {guess.name for guess in guesses if guess.kind in ("int", "str", "category", "date", "datetime", "float")}
    rest = [name for name in whole if name in labels][:8]
    for size in range(0 if first else 1, 5):
        for names in itertools.combinations(rest, size):
            if not frame.duplicated([*first, *names]).any():
                return [*first, *names]
    return []


def _calendar(as_of: _Guess | None) -> tuple[str, int, int] | None:
    """The calendar that the dates follow best, with its gaps and extra days; None where none is near."""
    if as_of is None:
        return None
    from research.conventions import sessions

    days = pd.DatetimeIndex(as_of.values.dropna().unique()).normalize().unique().sort_values()
    if len(days) < 10:
        return None
    best: tuple[str, int, int] | None = None
    for name in _EXCHANGES:
        if name == "TARGET" and days[0].year < 1999:
            continue
        try:
            wanted = sessions(name, days[0].date(), days[-1].date()).as_unit("us")
        except DataError:
            raise
        except ValueError:  # the exchange's calendar does not reach so far
            continue
        gaps, extra = len(wanted.difference(days)), len(days.difference(wanted))
        if best is None or gaps + extra < best[1] + best[2]:
            best = (name, gaps, extra)
    return best if best and best[1] + best[2] <= 0.1 * len(days) else None


def _scalar(value: Any) -> str:
    """Plain YAML where that is safe, else quoted."""
    text = str(value)
    plain = re.fullmatch(r"[A-Za-z][\w ./()-]*\w|[A-Za-z]", text) and text.lower() not in (
        "true",
        "false",
        "null",
        "yes",
        "no",
        "on",
        "off",
        "y",
        "n",
    )
    return text if plain else json.dumps(text, ensure_ascii=False)


def _line(guess: _Guess) -> str:
    """One column of the entry, with what was seen in a comment."""
    held = guess.values.dropna()
    parts = [f"type: {guess.kind}", f"meaning: {_scalar('as in the source: ' + guess.source)}"]
    if guess.source != guess.name:
        parts.append(f"from: {_scalar(guess.source)}")
    if guess.form and guess.form not in ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S"):
        parts.append(f"format: {json.dumps(guess.form)}")
    if guess.values.isna().any():
        parts += ["nullable: true", f"max_missing: {np.ceil(guess.values.isna().mean() * 1000) / 1000:g}"]
    seen = ""
    if guess.kind in ("int", "float") and len(held):
        low, high = held.min(), held.max()
        if guess.kind == "int" and 1 < held.nunique() <= 12 and len(held) > 100:
            parts.append(f"allowed: [{', '.join(str(int(v)) for v in sorted(held.unique()))}]")
        else:
            parts += ["above: 0"] if low > 0 else ["min: 0"] if low == 0 else []
        seen = f"seen {low:.10g} to {high:.10g}"
    elif guess.dated and len(held):
        seen = f"seen {held.min().date()} to {held.max().date()}"
    elif guess.kind == "category":
        parts.append(f"allowed: [{', '.join(_scalar(v) for v in sorted(held.unique()))}]")
    elif guess.kind == "str" and len(held):
        seen = f"{held.nunique()} distinct"
    comment = "; ".join(filter(None, [seen, *guess.notes]))
    name = (
        guess.name
        if re.fullmatch(r"[A-Za-z_]\w*", guess.name) and _scalar(guess.name) == guess.name or "_" in guess.name
        else json.dumps(guess.name)
    )
    return f"    {name}: {{{', '.join(parts)}}}" + (f"  # {comment}" if comment else "")


def _render(name: str, file: Path, content: bytes, csv: Csv, guesses: list[_Guess], owner: str) -> str:
    as_of = _as_of(guesses)
    key = _key(guesses, as_of)
    calendar = _calendar(as_of)
    suffix = file.suffix.lower() or ".csv"
    out = [
        f"# Drafted from {file.name}; a person must review every line before the data enter.",
        f"{name}:",
        f"  description: {_scalar('Imported from ' + file.name)}",
        f"  owner: {_scalar(owner)}",
        f"  source: {_scalar(f'{file.name}, SHA-256 {digest_bytes(content)[:16]}')}",
        "  licence: not stated",
        f"  raw: data/raw/{name}{suffix}",
        f"  path: data/curated/{name}.parquet",
    ]
    options = [
        f"{k}: {json.dumps(v)}"
        for k, v in (("delimiter", csv.delimiter), ("encoding", csv.encoding))
        if v != getattr(Csv(), k)
    ]
    if options:
        out.append(f"  csv: {{{', '.join(options)}}}")
    out.append(f"  key: [{', '.join(key)}]" if key else "  key: []  # no few columns identify a row")
    if as_of:
        out.append(f"  as_of: {as_of.name}  # when was a row known? later than its date for revised or averaged data")
        last: date = as_of.values.max().date()
        out.append(f"  freshness: {{last: {last}}}")
    if calendar:
        out.append(f"  calendar: {calendar[0]}  # {calendar[1]} gaps, {calendar[2]} extra days")
    out.append("  columns:")
    out += [_line(guess) for guess in guesses]
    out += ["  quality:", "    max_missing: 0", f"    max_duplicates: {_repeated(guesses, key)}"]
    if calendar:
        out += [f"    max_gaps: {calendar[1]}", f"    max_extra: {calendar[2]}"]
    return "\n".join(out) + "\n"


def _repeated(guesses: list[_Guess], key: list[str]) -> int:
    if key:
        return 0
    return int(pd.DataFrame({guess.name: guess.values for guess in guesses}).duplicated().sum())


def drafted(text: str, name: str) -> Dataset:
    """The entry a draft holds."""
    return parse_dataset(name, _value(text, name), "draft")
