"""MLflow in bulk: many runs in one transaction, and the parent run of a sweep.

Through MLflow's API a run takes some 40 ms; a sweep of a thousand points would wait for a minute. Here the rows that
the API would write are written with a few statements into the same tables, and a test holds the two to the same
content. A run that MLflow has heard of before, or a table that has changed, is told through the API.

A sweep is a parent run, made before its first child is told (`mlflow.parentRunId`), and closed with counts, best
values and the summary as its artifacts.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from research.fingerprint import digest_bytes
from research.lineage import index, tracking
from research.lineage.capsule import Capsule

FEWEST = 4  # below, the API is quick enough
MOST = 250  # runs in one transaction


def parents(root: Path, run_ids: Iterable[str]) -> dict[str, str]:
    """The sweep of each run that belongs to one."""
    wanted = list(run_ids)
    with index.reading(root) as db:
        marks = ", ".join("?" * len(wanted))
        query = f"SELECT run_id, sweep FROM runs WHERE sweep IS NOT NULL AND run_id IN ({marks})"
        return {row["run_id"]: row["sweep"] for row in db.execute(query, wanted)}


def parent_tag(root: Path, talker: Any, sweep_id: str | None) -> dict[str, str]:
    """The tag that hangs a run under its sweep."""
    if sweep_id is None:
        return {}
    return {"mlflow.parentRunId": open_sweep(root, talker, sweep_id)}


def open_sweep(root: Path, talker: Any, sweep_id: str) -> str:
    """MLflow's id of a sweep; its run is made the first time."""
    with index.reading(root) as db:
        row = db.execute("SELECT * FROM sweeps WHERE sweep_id = ?", (sweep_id,)).fetchone()
    if row["tracking_id"]:
        return str(row["tracking_id"])
    name = str(row["notebook"]).removeprefix("notebooks/").removesuffix(".ipynb")
    experiment = tracking.experiment(root, talker, name, f"runs of `{row['notebook']}`")
    found = talker.search_runs([experiment], f"tags.`research.sweep` = '{sweep_id}'", max_results=1)
    if found:
        made = found[0].info.run_id
    else:
        facts = {
            "research.sweep": sweep_id,
            "research.kind": row["kind"],
            "research.spec": row["digest"],
            "mlflow.source.name": row["notebook"],
            "mlflow.source.type": "NOTEBOOK",
        }
        opened = tracking.milliseconds(row["started"])
        made = talker.create_run(experiment, start_time=opened, tags=facts, run_name=sweep_id).info.run_id
    with index.writing(root) as db:
        db.execute("UPDATE sweeps SET tracking_id = ? WHERE sweep_id = ?", (made, sweep_id))
    return str(made)


def ended_sweeps(root: Path) -> list[str]:
    """Sweeps whose end MLflow has not heard of."""
    if not (root / index.FILE).is_file():
        return []
    with index.reading(root) as db:
        query = "SELECT sweep_id FROM sweeps WHERE ended IS NOT NULL AND told IS NOT ended"
        return [row["sweep_id"] for row in db.execute(query)]


def close_sweep(root: Path, talker: Any, sweep_id: str) -> None:
    """Tell how a sweep ended: counts, best value, summary; may be repeated."""
    from mlflow.entities import Metric, Param, RunTag

    with index.reading(root) as db:
        row = db.execute("SELECT * FROM sweeps WHERE sweep_id = ?", (sweep_id,)).fetchone()
    name, folder = open_sweep(root, talker, sweep_id), root / "sweeps" / sweep_id
    at = tracking.milliseconds(row["ended"])
    summary = folder / "summary.json"
    if summary.is_file():
        found = json.loads(summary.read_text(encoding="utf-8"))
        metrics = [
            Metric(key, float(found[key]), at, 0)
            for key in ("points", "done", "hits", "failed", "set_aside", "trials")
            if key in found
        ]
        if found.get("best") and found["best"][0]["value"] is not None:
            metrics.append(Metric(f"best_{found['metric']}", float(found["best"][0]["value"]), at, 0))
        params = [Param("varied", ", ".join(found["varied"])[:5999] or "nothing")]
        note = RunTag("mlflow.note.content", describe(found))
        talker.log_batch(name, metrics=metrics, params=params, tags=[note])
        for path in sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith(".")):
            talker.log_artifact(name, str(path))
    status = {"finished": "FINISHED", "interrupted": "KILLED"}.get(row["state"], "FAILED")
    talker.set_terminated(name, status=status, end_time=at)
    with index.writing(root) as db:
        db.execute("UPDATE sweeps SET told = ? WHERE sweep_id = ?", (row["ended"], sweep_id))


def describe(found: dict[str, Any]) -> str:
    """The description of a sweep (Markdown)."""
    counts = ", ".join(
        f"{found[k]} {k.replace('_', ' ')}" for k in ("done", "hits", "failed", "set_aside", "waiting") if found[k]
    )
    lines = [
        f"### Sweep of `{found['notebook']}`: {found['points']} points",
        "",
        f"{counts}. {found['trials']} trials.",
    ]
    if found["best"]:
        names = found["varied"]
        lines += ["", f"| {found['metric']} | {' | '.join(names)} | run |", "|" + "---|" * (len(names) + 2)]
        for top in found["best"]:
            values = " | ".join(str(top["parameters"][n]) for n in names)
            lines.append(f"| {top['value']:.6g} | {values} | `{top['run_id']}` |")
    lines += [f"- {c['count']} x {c['cause']}" for c in found["causes"]]
    return "\n".join([*lines, "", f"`research sweep --resume {found['sweep_id']}`"])[:4999]


def tell_many(root: Path, talker: Any, runs: Sequence[Capsule]) -> dict[str, str]:
    """Tell MLflow of runs in one transaction; MLflow's id of each. Runs that it knows are left out."""
    sweeps = parents(root, [run.run_id for run in runs])
    tags = {sweep: parent_tag(root, talker, sweep) for sweep in set(sweeps.values())}
    connection = sqlite3.connect(root / "mlflow.db", timeout=60.0, isolation_level=None)
    with contextlib.closing(connection) as db:
        new = [run for run in runs if not _is_known(db, run.run_id)]
        rows, places = _Rows(), dict[str, tuple[str, Path]]()
        for run in new:
            if run.notebook not in places:
                found = tracking.experiment_of(root, talker, run)
                places[run.notebook] = found, Path(talker.get_experiment(found).artifact_location)
            experiment, place = places[run.notebook]
            name = digest_bytes(run.run_id.encode())[:32]
            facts = {**tracking.tags(run), **tags.get(sweeps.get(run.run_id, ""), {}), "mlflow.runName": run.run_id}
            rows.add(run, name, experiment, place, facts)
            rows.add_datasets(db, run, name, experiment)
            target = place / name / "artifacts"
            target.mkdir(parents=True, exist_ok=True)
            tracking.stage(run, target)
        db.execute("BEGIN IMMEDIATE")
        try:
            for table, content in rows.tables.items():
                for columns, values in content.items():
                    marks = ", ".join("?" * len(columns))
                    db.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", values)
            db.execute("COMMIT")
        except BaseException:
            db.execute("ROLLBACK")
            raise
    return {run.run_id: digest_bytes(run.run_id.encode())[:32] for run in new}


def _is_known(db: sqlite3.Connection, run_id: str) -> bool:
    query = "SELECT 1 FROM runs r JOIN tags t USING (run_uuid) WHERE r.name = ? AND t.key = 'research.run_id' LIMIT 1"
    return db.execute(query, (run_id,)).fetchone() is not None


class _Rows:
    """What the API would write, by table and columns."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[tuple[str, ...], list[tuple[Any, ...]]]] = {}
        self._datasets: dict[tuple[str, str, str], str] = {}

    def _put(self, table: str, **values: Any) -> None:
        columns = tuple(values)
        self.tables.setdefault(table, {}).setdefault(columns, []).append(tuple(values.values()))

    def add(self, run: Capsule, name: str, experiment: str, place: Path, facts: dict[str, str]) -> None:
        at = tracking.milliseconds(run.times["ended"])
        self._put(
            "runs",
            run_uuid=name,
            name=run.run_id,
            source_type="UNKNOWN",
            source_name="",
            entry_point_name="",
            user_id=facts.get("mlflow.user", "unknown"),
            status=run.status,
            start_time=tracking.milliseconds(run.times["started"]),
            end_time=at,
            source_version="",
            lifecycle_stage="active",
            artifact_uri=f"{place}/{name}/artifacts",
            experiment_id=int(experiment),
        )
        for key, value in facts.items():
            self._put("tags", key=key, value=value, run_uuid=name)
        for key, value in tracking.parameter_texts(run).items():
            self._put("params", key=key, value=value, run_uuid=name)
        for key, number in tracking.metric_values(run).items():
            is_nan = number != number
            kept = 0.0 if is_nan else max(-1.7976931348623157e308, min(1.7976931348623157e308, number))
            row = {"key": key, "value": kept, "timestamp": at, "step": 0, "is_nan": int(is_nan), "run_uuid": name}
            self._put("metrics", **row)
            self._put("latest_metrics", **row)

    def add_datasets(self, db: sqlite3.Connection, run: Capsule, name: str, experiment: str) -> None:
        seen = set()
        for data, labels in tracking.datasets(run):
            key = (experiment, data["name"], data["digest"])
            if key in seen:
                continue
            seen.add(key)
            known = self._datasets.get(key) or _known_dataset(db, key)
            if known is None:
                known = uuid.uuid4().hex
                self._put("datasets", dataset_uuid=known, experiment_id=int(experiment), dataset_schema=None, **data)
            self._datasets[key] = known
            edge = uuid.uuid4().hex
            self._put(
                "inputs",
                input_uuid=edge,
                source_type="DATASET",
                source_id=known,
                destination_type="RUN",
                destination_id=name,
            )
            for label, value in labels.items():
                self._put("input_tags", input_uuid=edge, name=label, value=value)


def _known_dataset(db: sqlite3.Connection, key: tuple[str, str, str]) -> str | None:
    query = "SELECT dataset_uuid FROM datasets WHERE experiment_id = ? AND name = ? AND digest = ?"
    row = db.execute(query, (int(key[0]), *key[1:])).fetchone()
    return row[0] if row else None
