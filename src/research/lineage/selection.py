"""Which runs, asked of the index: conditions on fields, metrics and parameters become one SQL question.

    query(Both((Comparison("rmse", "<", 20), Comparison("model", "=", "heston"))), sort=[("rmse", False)], limit=20)

A condition is a value (`Comparison`, `Both`, `Either`, `Not`), so a filter language only has to build it; no text of a
user gets into the SQL. A name is a field of a run, else a metric, else a parameter; `metric.NAME` and
`parameter.NAME` say which. A run without the name fulfils no test of it but `!=`. 10,000 runs take some 30 ms.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from research.errors import InputError, did_you_mean, rule
from research.lineage import index
from research.project import Project

if TYPE_CHECKING:
    from research.lineage.store import Run

FIELDS = {
    name: name
    for name in (
        "run_id", "notebook", "status", "started", "ended", "seconds", "operator", "pinned", "passed", "message",
        "recipe", "identity", "record", "sweep", "point",
    )
} | {"commit": "commit_id"}  # fmt: skip
SIGNS = ("<", "<=", ">", ">=", "=", "==", "!=", "~", "!~")
_TRUTH = {"true": 1, "yes": 1, "false": 0, "no": 0}


@dataclass(frozen=True, slots=True)
class Comparison:
    """NAME SIGN VALUE, where VALUE is a number, text, bool or None; `~` asks whether the text holds it, in any case."""

    name: str
    sign: str
    value: Any


@dataclass(frozen=True, slots=True)
class Both:
    """All of the terms hold."""

    terms: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """One of the terms holds."""

    terms: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The term does not hold."""

    term: Condition


Condition = Comparison | Both | Either | Not


def query(
    where: Condition | None = None,
    *,
    notebook: str | None = None,
    status: str | None = None,
    sweep: str | None = None,
    sort: Iterable[tuple[str, bool]] = (),
    limit: int | None = None,
    offset: int = 0,
    project: Project | None = None,
) -> list[Run]:
    """Recorded runs, newest first unless sorted.

    Parameters
    ----------
    where : condition
        Built of `Comparison`, `Both`, `Either`, `Not`.
    notebook : text
        A part of the notebook's path.
    sweep : text
        Runs of this sweep.
    sort : pairs (name, descending)
        Fields, metrics or parameters; runs without the name come last.

    Raises
    ------
    InputError
        A name that no run has, with the nearest one that some run has.
    """
    from research.lineage.store import root_of, row_to_run

    root = root_of(project)
    if not (root / index.FILE).is_file():
        return []
    values: list[Any] = []
    terms = [_condition(where, values)] if where is not None else []
    for test, given in (
        ("instr(notebook, ?) > 0", notebook),
        ("status = ?", status and status.upper()),
        ("sweep = ?", sweep),
    ):
        if given:
            terms.append(test)
            values.append(given)
    order = [
        f"{part} {'DESC' if down else 'ASC'} NULLS LAST" for part, down in ((_value(n, values), d) for n, d in sort)
    ]
    text = f"SELECT * FROM runs WHERE {' AND '.join(terms) or '1'} ORDER BY {', '.join([*order, 'rowid DESC'])}"
    if limit is not None or offset:
        text += f" LIMIT {-1 if limit is None else int(limit)} OFFSET {int(offset)}"
    with index.reading(root) as db:
        _check_names(db, [*_names(where), *(name for name, _ in sort)])
        return [row_to_run(row) for row in db.execute(text, values)]


def names(project: Project | None = None) -> dict[str, list[str]]:
    """The names that can be asked for: fields, metrics and parameters of the recorded runs."""
    from research.lineage.store import root_of

    root = root_of(project)
    if not (root / index.FILE).is_file():
        return {"fields": list(FIELDS), "metrics": [], "parameters": []}
    with index.reading(root) as db:
        return {"fields": list(FIELDS), **{kind: _keys(db, kind) for kind in ("metrics", "parameters")}}


def _keys(db: Any, column: str) -> list[str]:
    """Names in a JSON column: of each distinct shape once, since runs of one notebook share theirs."""
    found = db.execute(f"SELECT DISTINCT j.key FROM runs, json_each(runs.{column}) AS j ORDER BY 1")
    return [row[0] for row in found]


def _names(where: Condition | None) -> list[str]:
    if where is None:
        return []
    if isinstance(where, Comparison):
        return [where.name]
    return [name for term in ((where.term,) if isinstance(where, Not) else where.terms) for name in _names(term)]


def _check_names(db: Any, wanted: Sequence[str]) -> None:
    asked = [name for name in wanted if name not in FIELDS]
    if not asked or db.execute("SELECT 1 FROM runs LIMIT 1").fetchone() is None:
        return
    metrics, parameters = _keys(db, "metrics"), _keys(db, "parameters")
    known = {*metrics, *parameters, *(f"metric.{n}" for n in metrics), *(f"parameter.{n}" for n in parameters)}
    for name in asked:
        if name not in known:
            plain = sorted({*FIELDS, *metrics, *parameters})
            hint = did_you_mean(name, plain) or f"Known: {', '.join(plain[:30])}."
            raise InputError(rule("name", "be a field, metric or parameter of a run", name, hint))


def _value(name: str, values: list[Any]) -> str:
    """The SQL of a name; paths into the JSON columns are bound, never written into the text."""
    if name in FIELDS:
        return FIELDS[name]
    kind, _, rest = name.partition(".")
    if kind == "metric" and rest:
        values.append(_path(rest, ".value"))
        return "json_extract(metrics, ?)"
    if kind == "parameter" and rest:
        values.append(_path(rest))
        return "json_extract(parameters, ?)"
    values.extend([_path(name, ".value"), _path(name)])
    return "COALESCE(json_extract(metrics, ?), json_extract(parameters, ?))"


def _path(name: str, tail: str = "") -> str:
    return f"${'.' + json.dumps(name, ensure_ascii=False)}{tail}"


def _condition(where: Condition, values: list[Any]) -> str:
    if isinstance(where, Comparison):
        return _test(where, values)
    if isinstance(where, Not):
        return f"NOT COALESCE({_condition(where.term, values)}, 0)"
    word = " AND " if isinstance(where, Both) else " OR "
    return f"({word.join(_condition(term, values) for term in where.terms)})" if where.terms else "1"


def _test(test: Comparison, values: list[Any]) -> str:
    if test.sign not in SIGNS:
        raise InputError(rule("comparison", f"be one of {' '.join(SIGNS)}", test.sign))
    sign, wanted = "=" if test.sign == "==" else test.sign, test.value
    if sign in ("~", "!~"):
        found = _value(test.name, values)
        values.append(str(wanted))
        return f"instr(lower(CAST({found} AS TEXT)), lower(?)) {'>' if sign == '~' else '='} 0"
    if wanted is None or (isinstance(wanted, str) and wanted.lower() in ("none", "null")):
        return f"{_value(test.name, values)} IS {'NOT ' if sign == '!=' else ''}NULL"
    choices = [wanted]
    if isinstance(wanted, str):
        choices += [_TRUTH[wanted.lower()]] if wanted.lower() in _TRUTH else []
        choices += [number] if (number := _number(wanted)) is not None else []
    elif isinstance(wanted, bool):
        choices = [int(wanted)]
    parts = []
    for choice in choices:
        kinds = "('text')" if isinstance(choice, str) else "('integer', 'real')"
        first, second = _value(test.name, values), _value(test.name, values)
        values.append(choice)
        parts.append(f"(typeof({first}) IN {kinds} AND {second} {sign if sign != '!=' else '='} ?)")
    joined = f"COALESCE({' OR '.join(parts)}, 0)"
    return f"NOT {joined}" if sign == "!=" else joined


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def prefilter(where: str) -> tuple[list[str], list[Any]]:
    """SQL tests that every run passes which passes a filter in words, and perhaps some others.

    Parsing the JSON of 10,000 runs is most of the work of a filter; this leaves it to those that may pass.
    """
    from research.lineage.filters import conjunction

    tests, values = [], list[Any]()
    for name, sign, wanted in conjunction(where):
        if name in FIELDS or "." in name or name in ("age", "name", "state"):
            continue
        number = isinstance(wanted, float)
        inner = [_value(name, values)]
        if number:
            values.append(wanted)
            test = f"{inner[0]} {sign} ?"
        else:
            values.append(wanted)
            test = f"CAST({inner[0]} AS TEXT) = ?"
        other = _value(name, values)
        tests.append(f"({test} OR typeof({other}) = '{'text' if number else 'integer'}')")
    return tests, values
