"""The contract of a data set as a pandera schema, and what breaks it, by rule, row and value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import pandas as pd

from research.data.catalog import Column, Dataset, split_rule
from research.data.parse import Violation
from research.errors import DataError

if TYPE_CHECKING:
    import pandera.pandas as pa

_COMPARE: dict[str, Any] = {
    "<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal, "==": np.equal, "!=": np.not_equal,
}  # fmt: skip
_NULL, _UNIQUE, _SORTED = "not be missing", "be unique", "be sorted by the key"


def _show(bound: Any) -> str:
    return bound.isoformat() if isinstance(bound, date) else f"{bound:g}"


def _bound(value: Any) -> Any:
    return pd.Timestamp(value) if isinstance(value, date) else value


def _checks(column: Column) -> list[Any]:
    import pandera.pandas as pa

    checks: list[Any] = []
    kinds = (
        ("minimum", pa.Check.ge, ">="),
        ("maximum", pa.Check.le, "<="),
        ("above", pa.Check.gt, ">"),
        ("below", pa.Check.lt, "<"),
    )
    for name, make, sign in kinds:
        bound = getattr(column, name)
        if bound is not None:
            checks.append(make(_bound(bound), error=f"be {sign} {_show(bound)}"))
    if column.type == "float":
        checks.append(pa.Check(lambda values: np.isfinite(values), error="be finite", name="finite"))
    if column.type == "date":
        checks.append(pa.Check(lambda values: values == values.dt.normalize(), error="be a whole day", name="day"))
    if column.allowed and column.type != "category":
        checks.append(pa.Check.isin(column.allowed, error=f"be one of {', '.join(map(str, column.allowed))}"))
    if column.regex:
        checks.append(
            pa.Check(
                lambda values, r=column.regex: values.str.fullmatch(r), error=f"match {column.regex}", name="regex"
            )
        )
    return checks


def _operand(frame: pd.DataFrame, word: str) -> Any:
    return frame[word] if word in frame.columns else float(word)


def holds(frame: pd.DataFrame, text: str) -> pd.Series:
    """Where a rule between columns holds; a missing value on either side breaks nothing."""
    left_name, sign, right_name, plus, shift_name = split_rule(text)
    left, right = frame[left_name], _operand(frame, right_name)
    if shift_name is not None:
        shift = _operand(frame, shift_name)
        if pd.api.types.is_datetime64_any_dtype(left.dtype):
            shift = pd.to_timedelta(shift, unit="D")
        right = right + shift if plus == "+" else right - shift
    good = _COMPARE[sign](left, right)
    missing = left.isna() | (right.isna() if isinstance(right, pd.Series) else False)
    return pd.Series(
        np.asarray(good.fillna(True) if hasattr(good, "fillna") else good, dtype=bool)
        | np.asarray(missing, dtype=bool),
        index=frame.index,
    )


def schema(entry: Dataset) -> pa.DataFrameSchema:
    """The pandera schema of a data set: column checks, rules between columns, a unique key."""
    import pandera.pandas as pa

    columns = {
        name: pa.Column(None, checks=_checks(column), nullable=column.nullable, unique=column.unique)
        for name, column in entry.columns.items()
    }
    rules = [pa.Check(lambda frame, r=text: holds(frame, r), error=text, name=text) for text in entry.rules]
    return pa.DataFrameSchema(columns, checks=rules, strict=True, ordered=True, name=entry.name)


def violations(frame: pd.DataFrame, entry: Dataset) -> list[Violation]:
    """Everything in `frame` that breaks the contract, in the order of the columns; empty when it holds."""
    from pandera.errors import SchemaErrors

    found: list[Violation] = []
    try:
        schema(entry).validate(frame, lazy=True)
    except SchemaErrors as error:
        found = _cases(error.failure_cases, frame, entry)
    if entry.key:
        found += _key_violations(frame, entry.key)
    return found


def _cases(cases: pd.DataFrame, frame: pd.DataFrame, entry: Dataset) -> list[Violation]:
    place = {name: i for i, name in enumerate(entry.columns)}
    seen: set[tuple[str, str, Any]] = set()
    out: list[tuple[tuple[int, str, int], Violation]] = []
    for case in cases.to_dict("records"):
        if pd.isna(case["index"]):
            raise DataError(
                f"{entry.name} must have its declared columns; got {case['check']}: {case['failure_case']}."
            )
        row, check = int(case["index"]), str(case["check"])
        if case["schema_context"] == "DataFrameSchema":
            column, sign, right, plus, shift = split_rule(check)
            value = ", ".join(
                f"{word} = {_cell(frame[word].iloc[row])}" for word in split_rule(check) if word in frame.columns
            )
            rule = f"be {sign} {right}" + (f" {plus} {shift}" if shift else "")
        else:
            column, value = str(case["column"]), _cell(frame[str(case["column"])].iloc[row])
            rule = {"not_nullable": _NULL, "field_uniqueness": _UNIQUE}.get(check, check)
        if (rule, column, row) not in seen:
            seen.add((rule, column, row))
            out.append(((place[column], rule, row), Violation(rule, column, row + 1, value)))
    return [violation for _, violation in sorted(out, key=lambda pair: pair[0])]


def _key_violations(frame: pd.DataFrame, key: list[str]) -> list[Violation]:
    name = ", ".join(key)
    out: list[Violation] = []
    twice = np.flatnonzero(frame.duplicated(key).to_numpy())
    for row in twice:
        out.append(
            Violation(f"{_UNIQUE} (the key)", name, int(row) + 1, ", ".join(_cell(frame[k].iloc[row]) for k in key))
        )
    if not frame[key].reset_index(drop=True).sort_values(key, kind="stable").index.equals(pd.RangeIndex(len(frame))):
        codes = frame[key].apply(lambda column: column.rank(method="dense"))
        steps = codes.diff().to_numpy()
        first = np.argmax([_falls(step) for step in steps])
        out.append(Violation(_SORTED, name, int(first) + 1, ", ".join(_cell(frame[k].iloc[first]) for k in key)))
    return out


def _falls(step: np.ndarray[Any, Any]) -> bool:
    moved = step[np.flatnonzero(step)]
    return bool(moved.size and moved[0] < 0)


def _cell(value: Any) -> str:
    if value is None or value is pd.NA or value is pd.NaT:
        return "missing"
    if isinstance(value, pd.Timestamp):
        return value.date().isoformat() if value == value.normalize() else value.isoformat(sep=" ")
    if isinstance(value, (float, np.floating)):
        return "missing" if np.isnan(value) else f"{float(value):.10g}"
    return str(value)


def trace(found: Sequence[Violation], rows: np.ndarray[Any, Any], first_line: int | None = None) -> list[Violation]:
    """The violations with the rows of the source, which curating may have sorted, and their lines in a text file."""
    out = []
    for violation in found:
        row = None if violation.row is None else int(rows[violation.row - 1])
        out.append(
            replace(violation, row=row, line=None if first_line is None or row is None else first_line + row - 1)
        )
    return out


def by_rule(found: Sequence[Violation]) -> dict[tuple[str, str], list[Violation]]:
    """Violations grouped by (column, rule), in the order they were found."""
    groups: dict[tuple[str, str], list[Violation]] = {}
    for violation in found:
        groups.setdefault((violation.column, violation.rule), []).append(violation)
    return groups


def refuse(name: str, found: Sequence[Violation], n_rows: int, hint: str = "") -> NoReturn:
    """One sentence for the first broken rule; the error carries all of them as `.violations`."""
    groups = by_rule(found)
    (column, rule), cases = next(iter(groups.items()))
    first = cases[0]
    place = "" if first.row is None else f" at line {first.line}" if first.line else f" at row {first.row}"
    count = "" if first.row is None else f" ({len(cases)} of {n_rows} rows)"
    rest = "" if len(groups) == 1 else f" {len(groups) - 1} more rule{'s are' if len(groups) > 2 else ' is'} broken."
    error = DataError(
        f"{name}: {column} must {rule}; got {first.value}{place}{count}.{rest}{' ' + hint if hint else ''}"
    )
    error.__dict__["violations"] = list(found)
    raise error
