"""What came out of a sweep: facts as JSON, every point as a table, a page and a notebook to look at it.

mlruns/sweeps/SWEEP/summary.json   counts, best points, failures by cause, number of trials
mlruns/sweeps/SWEEP/points.parquet parameters, state, run and metrics of every point
mlruns/sweeps/SWEEP/summary.html   the page; summary.ipynb the same, to go on from
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from research.experiments.sweep.ledger import ASIDE, DONE, FAILED, WAITING, Ledger, Point, best, trials
from research.fingerprint import canonical_json

if TYPE_CHECKING:
    from pandas import DataFrame


def facts(ledger: Ledger) -> dict[str, Any]:
    """A sweep in one JSON object."""
    points, counts = ledger.points(), ledger.counts()
    top = [
        {"value": p.value, "point": p.number, "parameters": p.parameters, "run_id": p.run_id}
        for p in best(points, ledger.goal, 5)
    ]
    return {
        "sweep_id": ledger.sweep_id,
        "kind": ledger.kind,
        "notebook": ledger.notebook,
        "spec": ledger.digest,
        "state": ledger.state(),
        "points": len(points),
        "done": counts[DONE],
        "hits": counts["hits"],
        "failed": counts[FAILED],
        "set_aside": counts[ASIDE],
        "waiting": counts[WAITING],
        "varied": varied(points),
        "metric": ledger.metric,
        "goal": ledger.goal,
        "best": top,
        "causes": causes(points),
        "trials": trials(ledger.project, ledger.notebook),
        "page": str(ledger.folder / "summary.html"),
    }


def varied(points: list[Point]) -> list[str]:
    """Names of the parameters that take more than one value."""
    if not points:
        return []
    return [n for n in points[0].parameters if len({json.dumps(p.parameters.get(n)) for p in points}) > 1]


def causes(points: list[Point]) -> list[dict[str, Any]]:
    """Failures by cause, the commonest first, each with one message and its points."""
    groups: dict[str, list[Point]] = {}
    for point in points:
        if point.state in (FAILED, ASIDE):
            groups.setdefault(point.cause or "unknown", []).append(point)
    found = sorted(groups.items(), key=lambda item: -len(item[1]))
    return [
        {
            "cause": cause,
            "count": len(members),
            "points": [p.number for p in members],
            "message": members[0].message,
            "run_id": members[0].run_id,
        }
        for cause, members in found
    ]


def frame(ledger: Ledger) -> DataFrame:
    """One row a point: number, state, run, seconds, the parameters that vary, every metric."""
    import pandas as pd

    from research.lineage import index

    points = ledger.points()
    names = varied(points)
    with index.reading(ledger.root) as db:
        query = "SELECT p.point, r.metrics FROM sweep_points p JOIN runs r ON r.run_id = p.run_id WHERE p.sweep_id = ?"
        metrics = {row["point"]: json.loads(row["metrics"]) for row in db.execute(query, (ledger.sweep_id,))}
    rows = []
    for p in points:
        found = {name: item["value"] for name, item in metrics.get(p.number, {}).items()}
        values = {name: p.parameters[name] for name in names}
        rows.append(
            {"point": p.number, "state": p.state, "run_id": p.run_id, "hit": p.hit, "seconds": p.seconds}
            | values
            | found
        )
    made = pd.DataFrame(rows)
    for name in made.columns:  # NaN and infinities are text in a record; lists are text in a table
        if made[name].map(lambda v: isinstance(v, (list, dict))).any():
            made[name] = made[name].map(json.dumps)
        elif name not in names and made[name].map(lambda v: v in ("nan", "inf", "-inf")).any():
            made[name] = made[name].astype(float)
    return made


def write(ledger: Ledger) -> None:
    """Write the summary into the sweep's folder."""
    table = frame(ledger)
    table.to_parquet(ledger.folder / "points.parquet", index=False)
    found = facts(ledger)
    (ledger.folder / "summary.json").write_bytes(canonical_json(found) + b"\n")
    from research.experiments.sweep import page

    page.write(ledger.folder, found, table)
