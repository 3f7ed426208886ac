"""Two runs side by side: parameters, data by row, code by cell, packages, results by value; only what differs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from research.experiments.comparison import Outcome, close
from research.experiments.diff.code import diff_cells, diff_modules
from research.experiments.factors import differing, first_cell, source_cells
from research.experiments.jsonable import float_from_json, to_json
from research.experiments.pictures import compare_pictures
from research.experiments.place import find_data
from research.experiments.results import read_table
from research.experiments.rows import compare_rows
from research.lineage.capsule import Capsule
from research.project import Project

SCHEMA = "research.diff/1"


def diff_runs(project: Project, a: Capsule, b: Capsule, *, everything: bool = False) -> dict[str, Any]:
    """What differs between runs `a` and `b`, as JSON.

    Parameters
    ----------
    everything : bool, default False
        Also what is the same: parameters and metrics.
    """
    found = {
        "schema": SCHEMA,
        "kind": "runs",
        "a": _head(a),
        "b": _head(b),
        "parameters": _parameters(a.parameters, b.parameters, everything),
        "data": _data(project, a, b),
        "code": {"cells": _cells(a, b), "modules": diff_modules(project, a, b)},
        "environment": [
            {"kind": f.kind, "name": f.name, "old": f.old, "new": f.new}
            for f in differing(a, b)
            if f.kind in ("package", "python", "threads", "processor", "platform")
        ],
        "results": {
            "metrics": _metrics(a.metrics, b.metrics, everything),
            "tables": _tables(a, b),
            "figures": _figures(a, b),
            "evidence": _evidence(a.evidence, b.evidence),
            "model": leaves(a.model, b.model),
            "passed": None if a.passed == b.passed else {"old": a.passed, "new": b.passed},
        },
        "first_cell": first_cell(a, b) if a.notebook == b.notebook else None,
        "seconds": [_seconds(a), _seconds(b)],
    }
    return to_json({**found, "same": is_same(found)})  # type: ignore[no-any-return]


def is_same(found: Mapping[str, Any]) -> bool:
    """Nothing differs but what no one is held to: commit, times, machine."""
    results = found["results"]
    lists = [found["data"], found["code"]["cells"], found["code"]["modules"]]
    lists += [results[name] for name in ("tables", "figures", "evidence", "model")]
    marked = [item for name in ("parameters",) for item in found[name]] + list(results["metrics"])
    return not any(lists) and all(item.get("same") for item in marked) and results["passed"] is None


def _head(run: Capsule) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "notebook": run.notebook,
        "title": run.raw["notebook"].get("title", run.notebook),
        "started": run.times["started"],
        "commit": run.commit,
        "pinned": run.pinned,
        "identity": run.identity,
        "operator": run.operator["git_email"] or run.operator["user"],
    }


def _seconds(run: Capsule) -> float:
    return round(sum(cell["seconds"] for cell in run.times["cells"]), 3)


def _parameters(old: Mapping[str, Any], new: Mapping[str, Any], everything: bool) -> list[dict[str, Any]]:
    out = []
    for name in dict.fromkeys([*old, *new]):
        same = name in old and name in new and old[name] == new[name]
        if everything or not same:
            out.append({"name": name, "old": old.get(name), "new": new.get(name), "same": same})
    return out


def _data(project: Project, a: Capsule, b: Capsule) -> list[dict[str, Any]]:
    """Data sets that differ; by row when the bytes of both are at hand."""
    old, new = ({read["name"]: read for read in run.data} for run in (a, b))
    files = [find_data(project, run)[0] for run in (a, b)]
    out = []
    for name in dict.fromkeys([*old, *new]):
        x, y = old.get(name), new.get(name)
        if x is not None and y is not None and x["sha256"] == y["sha256"] and x["as_of"] == y["as_of"]:
            continue
        entry: dict[str, Any] = {"name": name, "text": _data_text(x, y), "rows": None}
        if x is not None and y is not None and x["file_sha256"] != y["file_sha256"]:
            paths = [p for p in (files[0].get(x["path"]), files[1].get(y["path"])) if p is not None]
            if len(paths) == 2 and all(path.suffix in ("", ".parquet") for path in paths):
                import pandas as pd

                rows = compare_rows(*(pd.read_parquet(path) for path in paths))
                entry |= {"text": rows.text(), "rows": rows.to_json()}
            else:
                entry["text"] += "; the bytes of both are not at hand"
        out.append(entry)
    return out


def _data_text(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> str:
    if old is None or new is None:
        return "read by the second only" if old is None else "read by the first only"
    parts = []
    if old["as_of"] != new["as_of"]:
        parts.append(f"as of {old['as_of'] or 'all'} -> {new['as_of'] or 'all'}")
    if old["columns"] != new["columns"]:
        odd = sorted({*old["columns"]} ^ {*new["columns"]}) or ["another order"]
        parts.append(f"columns: {', '.join(odd)}")
    if old["rows"] != new["rows"]:
        parts.append(f"{old['rows']:,} -> {new['rows']:,} rows")
    return "; ".join(parts) or "other values"


def _cells(a: Capsule, b: Capsule) -> list[dict[str, Any]]:
    if a.raw["notebook"]["digest"] == b.raw["notebook"]["digest"]:
        return []
    try:
        return diff_cells(source_cells(a.folder), source_cells(b.folder))
    except (OSError, ValueError):
        return []


def _metrics(old: Mapping[str, Any], new: Mapping[str, Any], everything: bool) -> list[dict[str, Any]]:
    out = []
    for name in dict.fromkeys([*old, *new]):
        x, y = old.get(name), new.get(name)
        if x is None or y is None:
            item = x or y or {}
            out.append(
                {"name": name, "unit": item["unit"], "old": x and x["value"], "new": y and y["value"], "same": False}
            )
            continue
        a, b = float_from_json(x["value"]), float_from_json(y["value"])
        outcome: Outcome = close(a, b, float_from_json(x["rtol"]), float_from_json(x["atol"]))
        held = not math.isinf(float_from_json(x["rtol"])) and not math.isinf(float_from_json(x["atol"]))
        same = outcome == "EXACT" or not held
        if everything or not same:
            change = b - a
            relative = change / abs(a) if a and math.isfinite(change) else None
            fields = {"change": change, "relative": relative, "outcome": outcome if held else "NOT COMPARED"}
            out.append({"name": name, "unit": y["unit"], "old": x["value"], "new": y["value"], **fields, "same": same})
    return out


def _tables(a: Capsule, b: Capsule) -> list[dict[str, Any]]:
    def judge(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any] | None:
        if old["digest"] == new["digest"] and old["columns"] == new["columns"]:
            return None
        frames = read_table(a.folder, old), read_table(b.folder, new)
        free = [c for c in old["columns"] if "inf" in (old["rtol"].get(c), old["atol"].get(c))]
        rows = compare_rows(*(frame.drop(columns=[c for c in free if c in frame.columns]) for frame in frames))
        return None if rows.same else {"name": name, "text": rows.text(), "rows": rows.to_json()}

    return _named(a.tables, b.tables, judge)


def _figures(a: Capsule, b: Capsule) -> list[dict[str, Any]]:
    def judge(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any] | None:
        if old["sha256"] == new["sha256"]:
            return None
        paths = a.folder / old["path"], b.folder / new["path"]
        files = {"old": str(paths[0]), "new": str(paths[1])}
        if any(path.suffix != ".png" for path in paths):
            return {"name": name, "text": "what it draws differs", **files}
        apart = compare_pictures(paths[0].read_bytes(), paths[1].read_bytes())
        return None if apart.same else {"name": name, "text": apart.text(), "share": apart.share, **files}

    return _named(a.results["figures"], b.results["figures"], judge)


def _named(
    old: Mapping[str, Any], new: Mapping[str, Any], judge: Callable[[str, Any, Any], dict[str, Any] | None]
) -> list[dict[str, Any]]:
    out = []
    for name in dict.fromkeys([*old, *new]):
        if name not in old or name not in new:
            out.append({"name": name, "text": f"only in the {'second' if name in new else 'first'}"})
        elif (item := judge(name, old[name], new[name])) is not None:
            out.append(item)
    return out


def _evidence(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Tests whose verdict or statistic differs; several of one test are told apart by their order."""
    keys = ("verdict", "statistic", "p_value", "threshold")
    a, b = _by_test(old), _by_test(new)
    out = []
    for name in dict.fromkeys([*a, *b]):
        x, y = ({key: (side.get(name) or {}).get(key) for key in keys} for side in (a, b))
        if x != y:
            out.append({"name": name, "claim": (b.get(name) or a[name])["claim"], "old": x, "new": y})
    return out


def _by_test(items: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    out: dict[str, dict[str, Any]] = {}
    for item in items:
        count = sum(other["test"] == item["test"] for other in out.values())
        out[item["test"] if not count else f"{item['test']} {count + 1}"] = item
    return out


def leaves(old: Any, new: Any, path: str = "") -> list[dict[str, Any]]:
    """Leaves of two nested values that differ."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        keys = dict.fromkeys([*old, *new])
        return [
            leaf for key in keys for leaf in leaves(old.get(key), new.get(key), f"{path}.{key}" if path else str(key))
        ]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [leaf for i, (x, y) in enumerate(zip(old, new)) for leaf in leaves(x, y, f"{path}[{i}]")]
    return [] if old == new else [{"name": path or "model", "old": old, "new": new}]
