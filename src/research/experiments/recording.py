"""`record(...)`: what a notebook found, declared in the notebook and kept in its output.

The cell shows a summary; beside it, as the MIME type `application/vnd.research.record+json`, the output carries
every value with unit and tolerance. The runner collects these from the executed notebook, so a kernel needs no
tracking library, and the numbers by hand, by papermill and in the pipeline are the same.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from research.errors import InputError, require, rule
from research.evidence import Evidence, Metric, metric
from research.experiments import figures as _figures
from research.experiments.jsonable import to_json
from research.experiments.tables import (
    Table,
    as_frame,
    decode,
    digest,
    encode,
    from_parquet,
    table,
    to_parquet,
    tolerance,
)

MIME = "application/vnd.research.record+json"
SCHEMA = "research.record/1"
_METRIC_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./: -]*\Z")
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\Z")


def record(
    *,
    metrics: Mapping[str, Metric | float] | None = None,
    tables: Mapping[str, Any] | None = None,
    figures: Mapping[str, Any] | None = None,
    evidence: Sequence[Evidence] | None = None,
    model: Mapping[str, Any] | None = None,
    passed: bool | None = None,
) -> None:
    """Declare results. May be called more than once; a name is given once.

    Parameters
    ----------
    metrics : dict of name to Metric or float
        A bare float may differ by 1e-9 relative in a re-run; `metric(value, unit, rtol=, atol=)` says otherwise.
        rtol=inf marks a number that no re-run is held to, such as seconds.
    tables : dict of name to DataFrame, or `table(frame, rtol=, atol=, unit=)`
    figures : dict of name to matplotlib Figure or plotly Figure
    evidence : list of Evidence
    model : dict
        What a promoted version would load: `{"scorer": ..., "parameters": {...}, "tables": [names]}`.
    passed : bool
        Did the notebook meet its own "passes when"?
    """
    payload: dict[str, Any] = {
        "schema": SCHEMA,
        "metrics": {name: _metric(name, value) for name, value in (metrics or {}).items()},
        "tables": {name: _table(name, value) for name, value in (tables or {}).items()},
        "figures": {
            name: _figures.encode(_file_name("figure", name), value) for name, value in (figures or {}).items()
        },
        "evidence": [_evidence(item) for item in evidence or []],
        "model": None if model is None else to_json(_model(model, tables or {}), "model"),
        "passed": None if passed is None else bool(passed),
    }
    _remember(payload)
    _display(payload)


_declared: dict[str, Any] = {"metrics": {}, "tables": {}, "passed": None}


def _remember(payload: Mapping[str, Any]) -> None:
    """Keep what this process declared last, by name, for `%last`: by hand a cell runs more than once."""
    _declared["metrics"].update(payload["metrics"])
    for name, entry in payload["tables"].items():
        _declared["tables"][name] = {key: entry[key] for key in ("rows", "digest")}
    if payload["passed"] is not None:
        _declared["passed"] = payload["passed"]


def declared() -> dict[str, Any]:
    """Metrics, digests of tables, and the verdict that this process recorded so far; the newest of each name."""
    return {**_declared, "metrics": dict(_declared["metrics"]), "tables": dict(_declared["tables"])}


def _metric(name: str, value: Metric | float) -> dict[str, Any]:
    if not _METRIC_NAME.match(name):
        raise InputError(rule("metric name", "be letters, digits, spaces and _ . / : -", name))
    if not isinstance(value, Metric):
        try:
            value = metric(float(value))
        except (TypeError, ValueError):
            raise InputError(rule(f"metric {name}", "be a number", value)) from None
    return to_json({**value.to_json(), "value": float(value.value)}, f"metric {name}")


def _table(name: str, value: Any) -> dict[str, Any]:
    _file_name("table", name)
    held = value if isinstance(value, Table) else table(value)
    frame = as_frame(held.frame)
    columns = [
        {
            "name": column,
            "rtol": tolerance(held.rtol, column, 1e-9),
            "atol": tolerance(held.atol, column, 0.0),
            "unit": held.unit.get(column, "") if isinstance(held.unit, Mapping) else held.unit,
        }
        for column in frame.columns
    ]
    data = to_parquet(frame)
    again = from_parquet(data)  # what rests on disk is what is digested
    loose = {c["name"]: (c["rtol"], c["atol"]) for c in columns}
    exact = {name: (0.0, 0.0) for name, (rtol, atol) in loose.items() if math.isfinite(rtol + atol)}
    facts = {
        "rows": len(frame),
        "columns": columns,
        "digest": digest(again[list(exact)]),
        "rounded": digest(again, loose),
        "format": "parquet",
    }
    return to_json({**facts, "data": encode(data)}, f"table {name}")


def _file_name(kind: str, name: str) -> str:
    if not _FILE_NAME.match(name):
        raise InputError(rule(f"{kind} name", "be letters, digits and _ . - so that it names a file", name))
    return name


def _evidence(item: Evidence) -> dict[str, Any]:
    require(isinstance(item, Evidence), "evidence", item, "be a list of Evidence")
    return to_json(item.to_json(), f"evidence {item.test}")


def _model(model: Mapping[str, Any], tables: Mapping[str, Any]) -> Mapping[str, Any]:
    require(isinstance(model.get("scorer"), str), "model", dict(model), "name its scorer", hint='Add "scorer": "...".')
    for name in model.get("tables", ()):
        require(name in tables, "model tables", name, f"be among the recorded tables {sorted(tables)}")
    return model


def frame_of(entry: Mapping[str, Any]) -> Any:
    """The data frame in a table entry of a record."""
    return from_parquet(decode(entry["data"]))


def _display(payload: dict[str, Any]) -> None:
    from research.experiments.summary import html, text

    bundle = {MIME: payload, "text/html": html(payload), "text/plain": text(payload)}
    shell = _shell()
    if shell is None:
        print(bundle["text/plain"])
        return
    from IPython.display import display

    display(bundle, raw=True)


def _shell() -> Any:
    import sys

    module = sys.modules.get("IPython")
    return module.get_ipython() if module is not None else None


def merge(payloads: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The records of one notebook as one; a name declared twice is refused."""
    out: dict[str, Any] = {"metrics": {}, "tables": {}, "figures": {}, "evidence": [], "model": None, "passed": None}
    for payload in payloads:
        for kind in ("metrics", "tables", "figures"):
            for name, value in payload[kind].items():
                require(name not in out[kind], f"{kind[:-1]} name", name, "be recorded once")
                out[kind][name] = value
        out["evidence"].extend(payload["evidence"])
        if payload["model"] is not None:
            require(out["model"] is None, "model", payload["model"]["scorer"], "be recorded once")
            out["model"] = payload["model"]
        if payload["passed"] is not None:
            out["passed"] = bool(payload["passed"]) and out["passed"] is not False
    return out
