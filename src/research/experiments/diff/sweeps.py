"""Two sweeps, point by point: what was asked, which points only one has, where a metric of a common point differs.

Points meet by their parameters. Code and environment are those of the first common point that was run for each.
"""

from __future__ import annotations

import json
import math
from typing import Any

from research.errors import ResearchError
from research.experiments.diff.runs import SCHEMA, diff_runs, leaves
from research.experiments.jsonable import to_json
from research.experiments.sweep.ledger import DONE, Ledger, Point
from research.fingerprint import canonical_json
from research.lineage import index, store
from research.project import Project


def diff_sweeps(project: Project, a: str, b: str) -> dict[str, Any]:
    """What differs between two sweeps, as JSON; points with the largest relative change come first."""
    ledgers = Ledger(project, a), Ledger(project, b)
    sides = [{canonical_json(p.parameters): p for p in ledger.points()} for ledger in ledgers]
    common = [key for key in sides[0] if key in sides[1]]
    runs = [_metrics(ledger, [side[key] for key in common]) for ledger, side in zip(ledgers, sides)]
    varied = _varied([p for side in sides for p in side.values()])
    points = [
        item
        for key in common
        for item in _point(sides[0][key], sides[1][key], runs[0].get(key, {}), runs[1].get(key, {}), varied)
    ]
    points.sort(key=lambda item: -abs(item["relative"]) if item["relative"] is not None else -math.inf)
    only = [len(sides[0]) - len(common), len(sides[1]) - len(common)]
    code = _code(project, [(sides[0][key], sides[1][key]) for key in common])
    asked = [i for i in leaves(ledgers[0].spec, ledgers[1].spec) if i["name"] != "notebook_digest"]
    same = not (points or asked or any(only) or code["code"]["cells"] or code["code"]["modules"])
    heads = [
        {"run_id": ledger.sweep_id, "notebook": ledger.notebook, "points": len(side), "state": ledger.state()}
        for ledger, side in zip(ledgers, sides)
    ]
    return to_json(  # type: ignore[no-any-return]
        {
            "schema": SCHEMA,
            "kind": "sweeps",
            "a": heads[0],
            "b": heads[1],
            "parameters": [{**item, "same": False} for item in asked],
            **code,
            "points": points,
            "common": len(common),
            "only": only,
            "same": same,
        }
    )


def _varied(points: list[Point]) -> list[str]:
    names = dict.fromkeys(name for point in points for name in point.parameters)
    return [n for n in names if len({json.dumps(p.parameters.get(n)) for p in points}) > 1]


def _metrics(ledger: Ledger, points: list[Point]) -> dict[bytes, dict[str, Any]]:
    """Metrics of the points that were done, by their parameters."""
    with index.reading(ledger.root) as db:
        wanted = {p.run_id: canonical_json(p.parameters) for p in points if p.run_id and p.state == DONE}
        out: dict[bytes, dict[str, Any]] = {}
        for run, key in wanted.items():
            row = db.execute("SELECT metrics FROM runs WHERE run_id = ?", (run,)).fetchone()
            out[key] = json.loads(row["metrics"]) if row else {}
    return out


def _point(a: Point, b: Point, old: dict[str, Any], new: dict[str, Any], varied: list[str]) -> list[dict[str, Any]]:
    """The metrics of one point that differ; its state, when that does."""
    name = ", ".join(f"{n} {a.parameters.get(n)}" for n in varied) or f"point {a.number}"
    if a.state != b.state:
        return [{"point": name, "name": "state", "old": a.state, "new": b.state, "change": None, "relative": None}]
    out = []
    for metric in dict.fromkeys([*old, *new]):
        x, y = (side.get(metric, {}).get("value") for side in (old, new))
        if x != y:
            numbers = isinstance(x, (int, float)) and isinstance(y, (int, float))
            change = y - x if numbers else None
            relative = change / abs(x) if numbers and x else None
            out.append({"point": name, "name": metric, "old": x, "new": y, "change": change, "relative": relative})
    return out


def _code(project: Project, pairs: list[tuple[Point, Point]]) -> dict[str, Any]:
    """What differs in code and environment, by two runs of one point."""
    for one, other in pairs:
        if one.run_id and other.run_id and one.run_id != other.run_id:
            try:
                runs = [store.load_capsule(p.run_id, project=project) for p in (one, other) if p.run_id]
            except ResearchError:
                continue
            found = diff_runs(project, runs[0], runs[1])
            return {key: found[key] for key in ("code", "environment", "data")}
    return {"code": {"cells": [], "modules": []}, "environment": [], "data": []}


def resolve(project: Project, name: str) -> str | None:
    """The sweep that a name stands for; None when it names none."""
    from research.experiments.sweep import ledger

    if not name.startswith("sweep"):
        return None
    return ledger.resolve(project, name)
