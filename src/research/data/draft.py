"""Draft a contract from a file: types, ranges, key and calendar as the data suggest them, for a person to review.

A draft always fits the file it was made from. What it cannot know (owner, licence, units, what a column means, which
limits are sensible) is for the reviewer; each guess that could be wrong carries a comment.
"""

from __future__ import annotations

import itertools
import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from research.data.catalog import Csv, Dataset, check_name, parse_dataset
from research.data.infer import Guess, guess_columns, read_any
from research.data.storage import read_bytes
from research.errors import DataError, InputError
from research.fingerprint import digest_bytes

_EXCHANGES = ("XNYS", "XSHG", "XHKG", "XLON", "XFRA", "XTKS", "TARGET", "WEEKDAYS", "MONTHS")
_LABELS = re.compile(
    r"strike|k|relative_strike|maturity\w*|tenor|term|tau|t|tte|days|expiry\w*", re.I
)  # numbers that name a row


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
    check_name(name, "NAME")
    file = Path(file)
    content = read_bytes(file, file.name)
    if not content:
        raise DataError(f"{file.name} must hold a header and rows; got an empty file.")
    csv, found = read_any(content, file)
    guesses = guess_columns(found, csv)
    text = _render(name, file, content, csv, guesses, owner)
    parse_dataset(name, _value(text, name), "draft")  # a draft that cannot be read would be a fault of ours
    return text


def _value(text: str, name: str) -> Any:
    from research.data.yaml12 import parse_yaml

    return parse_yaml(text, "draft")[name]


def _as_of(guesses: list[Guess]) -> Guess | None:
    """The date of observation: by name, else the only date, never one with holes."""
    dated = [guess for guess in guesses if guess.dated and guess.values.notna().all()]
    named = [
        guess
        for guess in dated
        if re.fullmatch(r"date|as_?of|day|month|time(stamp)?|trade_?date|trans_date", guess.name, re.I)
    ]
    return (named or dated or [None])[0]  # type: ignore[list-item]


def _key(guesses: list[Guess], as_of: Guess | None) -> list[str]:
    """The fewest leading columns, with the as-of date first, whose values never repeat."""
    frame = pd.DataFrame({guess.name: guess.values for guess in guesses})
    first = [as_of.name] if as_of else []
    rest = [g.name for g in guesses if g is not as_of and g.values.notna().all() and _labels(g)][:8]
    for size in range(0 if first else 1, 5):
        for names in itertools.combinations(rest, size):
            if not frame.duplicated([*first, *names]).any():
                return [*first, *names]
    return []


def _labels(guess: Guess) -> bool:
    """Whether a column names a row rather than measures something."""
    if guess.kind == "float":
        return bool(_LABELS.fullmatch(guess.name))
    return guess.kind in ("int", "str", "category", "date", "datetime")


_ORDERED = (("low", "open"), ("low", "close"), ("open", "high"), ("close", "high"), ("bid", "ask"))


def _rules(guesses: list[Guess], as_of: Guess | None) -> tuple[list[str], list[str]]:
    """Relations between columns: those that hold on every row, and those one would expect that do not."""
    by_name = {guess.name.lower(): guess for guess in guesses}
    holds: list[str] = []
    fails: list[str] = []
    for low, high in _ORDERED:
        if low in by_name and high in by_name:
            a, b = by_name[low], by_name[high]
            broken = int((a.values > b.values).sum())
            (fails if broken else holds).append(f"{a.name} <= {b.name}" + (f" in {broken} rows" if broken else ""))
    for guess in guesses:
        if as_of and guess.dated and guess is not as_of:
            held = guess.values.notna()
            if (guess.values >= as_of.values)[held].all():
                holds.append(f"{guess.name} >= {as_of.name}")
            elif (guess.values <= as_of.values)[held].all():
                holds.append(f"{guess.name} <= {as_of.name}")
    return holds, fails


def _extremes(guesses: list[Guess], key: list[str], as_of: Guess | None) -> list[str]:
    """Limits on outliers and still values of time series, at what was seen."""
    if as_of is None or key != [as_of.name]:
        return []
    from research.data.quality import longest_run, robust_z

    order = as_of.values.argsort()
    series = {
        g.name: g.values.iloc[order].dropna() for g in guesses if g.kind == "float" and g.values.notna().sum() > 50
    }
    if not series:
        return []
    positive = all((values > 0).all() for values in series.values())
    count = 0
    for values in series.values():
        steps = np.diff(np.log(values.to_numpy()) if positive else values.to_numpy())
        count += int((robust_z(steps) > 20.0).sum())
    run = max(longest_run(values)[0] for values in series.values())
    kind = "log_returns" if positive else "differences"
    names = ", ".join(_column_name(name) for name in series)
    return [
        f"    max_run: {run}  # rows in which the stillest column does not move",
        f"    outliers: {{columns: [{names}], of: {kind}, threshold: 20, max: {count}}}  # 20 robust sigmas",
    ]


def _calendar(as_of: Guess | None) -> tuple[str, int, int] | None:
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
        except InputError:  # the exchange's calendar does not reach so far
            continue
        gaps, extra = len(wanted.difference(days)), len(days.difference(wanted))
        if best is None or gaps + extra < best[1] + best[2]:
            best = (name, gaps, extra)
        if gaps + extra == 0:
            break
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


def _column_name(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_]\w*", name) and (_scalar(name) == name or "_" in name) else json.dumps(name)


def _line(guess: Guess) -> str:
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
        if (re.fullmatch(r"[A-Za-z_]\w*", guess.name) and _scalar(guess.name) == guess.name) or "_" in guess.name
        else json.dumps(guess.name)
    )
    return f"    {name}: {{{', '.join(parts)}}}" + (f"  # {comment}" if comment else "")


def _render(name: str, file: Path, content: bytes, csv: Csv, guesses: list[Guess], owner: str) -> str:
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
    out.append(f"  key: [{', '.join(map(_column_name, key))}]" if key else f"  key: []  # {_no_key(guesses, as_of)}")
    if as_of:
        out.append(f"  as_of: {_column_name(as_of.name)}  # when is a row known? later for revised or averaged data")
        last: date = as_of.values.max().date()
        out.append(f"  freshness: {{last: {last}}}")
    if calendar:
        out.append(f"  calendar: {calendar[0]}  # {calendar[1]} gaps, {calendar[2]} extra days")
    out.append("  columns:")
    out += [_line(guess) for guess in guesses]
    holds, fails = _rules(guesses, as_of)
    if holds or fails:
        out.append(f"  rules: [{', '.join(holds)}]" + (f"  # broken: {', '.join(fails)}" if fails else ""))
    out += ["  quality:", "    max_missing: 0", f"    max_duplicates: {_repeated(guesses, key)}"]
    if calendar:
        out += [f"    max_gaps: {calendar[1]}", f"    max_extra: {calendar[2]}"]
    return "\n".join([*out, *_extremes(guesses, key, as_of)]) + "\n"


def _no_key(guesses: list[Guess], as_of: Guess | None) -> str:
    """Why no key was found: the nearest one and how often it repeats."""
    names = [guess.name for guess in guesses if guess is as_of or (_labels(guess) and guess.values.notna().all())][:4]
    if not names:
        return "no column names a row"
    repeats = int(pd.DataFrame({g.name: g.values for g in guesses}).duplicated(names).sum())
    return f"{', '.join(names)} repeats in {repeats} rows"


def _repeated(guesses: list[Guess], key: list[str]) -> int:
    if key:
        return 0
    return int(pd.DataFrame({guess.name: guess.values for guess in guesses}).duplicated().sum())


def drafted(text: str, name: str) -> Dataset:
    """The entry a draft holds."""
    return parse_dataset(name, _value(text, name), "draft")
