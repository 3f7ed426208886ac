"""MLflow is where people look: what the store has recorded is told to it from an outbox, by its API or in bulk.

The local record comes first and needs no MLflow. A flush may fail, at any point, and is made up for by the next
one: a run is found again by its tag, and everything in it is written in batches. One flusher at a time, under a
file lock, which also guards the creation of MLflow's schema (a fresh database kills processes that create it
together). Many runs at once, and sweeps, are told by `delivery`. Heavy: mlflow is imported inside functions.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import sqlite3
import tempfile
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from research.lineage import capsule, index, store
from research.lineage.capsule import Capsule
from research.lineage.locks import file_lock
from research.project import Project

_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "1",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
}
MAX_ATTEMPTS = 20


def database_uri(root: Path) -> str:
    return f"sqlite:///{root.resolve() / 'mlflow.db'}"


def is_off() -> bool:
    """RESEARCH_MLFLOW=off records locally only; the outbox keeps what MLflow has not heard."""
    return os.environ.get("RESEARCH_MLFLOW", "").lower() in ("off", "0", "false")


def client(root: Path) -> Any:
    """An MLflow client of the store at `root`; makes the database the first time, and follows a moved store."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    from mlflow import MlflowClient
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    root.mkdir(parents=True, exist_ok=True)
    with file_lock(root / ".mlflow.create.lock"):
        if not (root / "mlflow.db").is_file():  # directly, so that no artifact folder is named after the cwd
            SqlAlchemyStore(database_uri(root), str(root.resolve() / "artifacts"))
        _follow(root.resolve())
        made = MlflowClient(tracking_uri=database_uri(root), registry_uri=database_uri(root))
        made.search_experiments(max_results=1)
    return made


_PLACES = {
    "experiments": ("artifact_location",),
    "runs": ("artifact_uri",),
    "model_versions": ("source", "storage_location"),
    "logged_models": ("artifact_location",),
}


def _follow(root: Path) -> None:
    """MLflow keeps absolute paths; when the store was moved, rewrite their beginnings."""
    note = root / "artifacts" / ".location"
    before = note.read_text(encoding="utf-8") if note.is_file() else None
    if before == str(root):
        return
    if before is not None:
        connection = sqlite3.connect(root / "mlflow.db", timeout=60.0)
        with contextlib.closing(connection), connection:
            for table, columns in _PLACES.items():
                for column in columns:
                    for old, new in ((before, str(root)), (Path(before).as_uri(), root.as_uri())):
                        connection.execute(
                            f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",
                            (new, len(old) + 1, len(old), old),
                        )
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(str(root), encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Flushed:
    """What a flush did: runs told, and runs that must wait, with the reason."""

    done: list[str] = field(default_factory=list)
    waiting: dict[str, str] = field(default_factory=dict)


def pending(root: Path) -> list[str]:
    """Runs that MLflow has not heard of, oldest first."""
    if not (root / index.FILE).is_file():
        return []
    with index.reading(root) as db:
        query = "SELECT run_id FROM outbox WHERE done = 0 AND attempts < ? ORDER BY rowid"
        return [row["run_id"] for row in db.execute(query, (MAX_ATTEMPTS,))]


def flush(project: Project | None = None, *, wait_s: float = 30.0) -> Flushed:
    """Tell MLflow about every run it has not heard of. Never raises for MLflow's sake: what failed stays pending."""
    from research.lineage import delivery

    root = store.root_of(project)
    out = Flushed()
    if is_off() or not (pending(root) or delivery.ended_sweeps(root)):
        return out
    try:
        talker = client(root)
    except Exception as error:
        out.waiting.update(dict.fromkeys(pending(root), _why(error)))
        return out
    with file_lock(root / ".mlflow.flush.lock", wait_s=wait_s) as mine:
        if not mine:
            out.waiting.update(dict.fromkeys(pending(root), "another process is telling MLflow"))
            return out
        while waiting := [run for run in pending(root) if run not in out.waiting]:
            batch = waiting[: delivery.MOST]
            told = _flush_many(root, talker, batch) if len(batch) >= delivery.FEWEST else []
            out.done.extend(told)
            for run_id in set(batch) - set(told):
                _flush_one(root, talker, run_id, out)
        for sweep_id in delivery.ended_sweeps(root):
            try:
                delivery.close_sweep(root, talker, sweep_id)
            except Exception as error:
                out.waiting[sweep_id] = _why(error)
    return out


def _flush_many(root: Path, talker: Any, run_ids: list[str]) -> list[str]:
    """Tell MLflow of many runs at once; those that it was told of. The others are told one by one, with the reason."""
    from research.errors import IntegrityError
    from research.lineage import delivery

    runs = []
    for run_id in run_ids:
        with contextlib.suppress(IntegrityError):  # said again, and kept, when it is told alone
            runs.append(capsule.read(store.folder_of(root, run_id)))
    try:
        told = delivery.tell_many(root, talker, runs)
    except (sqlite3.Error, OSError):
        return []
    with index.writing(root) as db:
        query = "UPDATE outbox SET done = 1, error = NULL, tracking_id = ? WHERE run_id = ?"
        db.executemany(query, [(name, run_id) for run_id, name in told.items()])
    return list(told)


def _why(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def _flush_one(root: Path, talker: Any, run_id: str, out: Flushed) -> None:
    try:
        _tell(root, talker, capsule.read(store.folder_of(root, run_id)))
        change, values = "done = 1, error = NULL", ()
        out.done.append(run_id)
    except Exception as error:
        change, values = "attempts = attempts + 1, error = ?", (_why(error),)  # type: ignore[assignment]
        out.waiting[run_id] = _why(error)
    with index.writing(root) as db:
        db.execute(f"UPDATE outbox SET {change} WHERE run_id = ?", (*values, run_id))


def tracking_id(run_id: str, *, project: Project | None = None) -> str | None:
    """MLflow's own id of a run; None while MLflow has not heard of it."""
    with index.reading(store.root_of(project)) as db:
        row = db.execute("SELECT tracking_id FROM outbox WHERE run_id = ? AND done = 1", (run_id,)).fetchone()
    return row["tracking_id"] if row else None


def _tell(root: Path, talker: Any, run: Capsule) -> None:
    """One run, whole; may be repeated."""
    from research.lineage import delivery

    place = experiment_of(root, talker, run)
    found = talker.search_runs([place], f"tags.`research.run_id` = '{run.run_id}'", max_results=1)
    sweep = delivery.parents(root, [run.run_id]).get(run.run_id)
    facts = {**tags(run), **delivery.parent_tag(root, talker, sweep)}
    if found:
        name = found[0].info.run_id
    else:
        opened = milliseconds(run.times["started"])
        name = talker.create_run(place, start_time=opened, tags=facts, run_name=run.run_id).info.run_id
    with index.writing(root) as db:
        db.execute("UPDATE outbox SET tracking_id = ? WHERE run_id = ?", (name, run.run_id))
    _log_values(talker, name, run, facts)
    _log_datasets(talker, name, run)
    with tempfile.TemporaryDirectory(prefix=".staging-", dir=root) as folder:
        stage(run, Path(folder))
        talker.log_artifacts(name, folder)
    talker.set_terminated(name, status=run.status, end_time=milliseconds(run.times["ended"]))


def milliseconds(time: str) -> int:
    return int(datetime.fromisoformat(time).timestamp() * 1000)


def experiment_of(root: Path, talker: Any, run: Capsule) -> str:
    """One experiment per notebook, named `calibration/heston`."""
    name = run.notebook.removeprefix("notebooks/").removesuffix(".ipynb")
    return experiment(root, talker, name, f"**{run.raw['notebook']['title']}**: runs of `{run.notebook}`.")


def experiment(root: Path, talker: Any, name: str, note: str) -> str:
    """MLflow's id of an experiment; made, or restored, if need be."""
    found = talker.get_experiment_by_name(name)
    if found is not None:
        if found.lifecycle_stage == "deleted":
            talker.restore_experiment(found.experiment_id)
        return str(found.experiment_id)
    place = root.resolve() / "artifacts" / name.replace("/", "-")
    tags = {"mlflow.note.content": note, "mlflow.experimentKind": "custom_model_development"}  # runs, not traces, first
    return str(talker.create_experiment(name, artifact_location=str(place), tags=tags))


def tags(run: Capsule) -> dict[str, str]:
    """The tags of a run in MLflow."""
    code = run.raw["code"]
    facts = {
        "mlflow.source.name": run.notebook,
        "mlflow.source.type": "NOTEBOOK",
        "mlflow.source.git.commit": code["commit"],
        "mlflow.user": run.operator.get("git_email") or run.operator.get("user"),
        "mlflow.note.content": describe(run),
        "research.run_id": run.run_id,
        "research.notebook": run.notebook,
        "research.commit": code["commit"],
        "research.core": code["core"],
        "research.record": run.record,
        "research.recipe": run.recipe,
        "research.identity": run.identity,
        "research.pinned": str(run.pinned).lower(),
        "research.passed": None if run.passed is None else str(run.passed).lower(),
    }
    return {key: str(value)[:4999] for key, value in facts.items() if value is not None}


def describe(run: Capsule) -> str:
    """The description of a run: verdict, numbers with units, evidence, and how to repeat it (Markdown)."""
    verdict = (
        {True: "Passed", False: "Not passed", None: "Recorded"}[run.passed] if run.status == "FINISHED" else "Failed"
    )
    reasons = "; ".join(run.unpinned_reasons)
    lines = [f"### {run.raw['notebook']['title']}: {verdict}", ""]
    if run.status != "FINISHED":
        return "\n".join([*lines, str(run.raw.get("message", "")), "", f"`research show {run.run_id}`"])
    lines.append(f"Pinned at commit `{str(run.commit)[:12]}`." if run.pinned else f"Not pinned: {reasons}.")
    if run.metrics:
        rows = [f"| {name} | {_short(item['value'])} | {item['unit']} |" for name, item in run.metrics.items()]
        lines += ["", "| Metric | Value | Unit |", "|---|---:|---|", *rows]
    if run.evidence:
        rows = [f"| {e['test']} | {e['claim']} | {_short(e['p_value'])} | {e['verdict']} |" for e in run.evidence]
        lines += ["", "| Test | Claim | p value | Verdict |", "|---|---|---:|---|", *rows]
    if run.data:
        lines += ["", "Data: " + ", ".join(f"{r['name']} (`{str(r['sha256'])[:12]}`)" for r in run.data) + "."]
    lines += ["", f"`research show {run.run_id}`, `research reproduce {run.run_id}`"]
    return "\n".join(lines)


def _short(value: Any) -> str:
    return "" if value is None else (f"{value:,.6g}" if isinstance(value, (int, float)) else str(value))


def metric_values(run: Capsule) -> dict[str, float]:
    """What MLflow shows as metrics."""
    found = {key: float(item["value"]) for key, item in run.metrics.items()}
    return found if run.passed is None else {**found, "passed": float(run.passed)}


def parameter_texts(run: Capsule) -> dict[str, str]:
    """What MLflow shows as parameters."""
    return {key: (v if isinstance(v, str) else json.dumps(v))[:5999] for key, v in run.parameters.items()}


def datasets(run: Capsule) -> list[tuple[dict[str, str], dict[str, str]]]:
    """Every read, with our digest (MLflow's own hashes neither dates nor rows past 10,000), and its tags."""
    out = []
    for read in run.data:
        profile = json.dumps({key: read.get(key) for key in ("rows", "as_of", "columns", "sha256", "quality")})
        data = {
            "name": read["name"],
            "digest": str(read["sha256"])[:36],  # MLflow's limit; the whole one is in the tag
            "dataset_source_type": "local",
            "dataset_source": json.dumps({"uri": read["path"], "dvc_md5": read.get("dvc_md5")}),
            "dataset_profile": profile[:16_000_000],
        }
        out.append((data, {"mlflow.data.context": "read", "research.sha256": str(read["sha256"])}))
    return out


def _log_values(talker: Any, name: str, run: Capsule, facts: dict[str, str]) -> None:
    from mlflow.entities import Metric, Param, RunTag

    at = milliseconds(run.times["ended"])
    metrics = [Metric(key, number, at, 0) for key, number in metric_values(run).items()]
    params = [Param(key, text) for key, text in parameter_texts(run).items()]
    labels = [RunTag(key, value) for key, value in facts.items()]
    for start in range(0, max(len(metrics), len(params), 1), 100):
        part = slice(start, start + 100)
        talker.log_batch(name, metrics=metrics[part], params=params[part], tags=labels if start == 0 else [])


def _log_datasets(talker: Any, name: str, run: Capsule) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    inputs = []
    for data, labels in datasets(run):
        made = Dataset(
            name=data["name"],
            digest=data["digest"],
            source_type=data["dataset_source_type"],
            source=data["dataset_source"],
            profile=data["dataset_profile"],
        )
        inputs.append(DatasetInput(made, [InputTag(key, value) for key, value in labels.items()]))
    if inputs:
        talker.log_inputs(name, datasets=inputs)


def stage(run: Capsule, folder: Path) -> None:
    """The files of a run as MLflow should show them: all artifacts, the capsule, and tables also as CSV."""
    page = [name for name in ("notebook.html",) if (run.folder / name).is_file()]  # made after the capsule was closed
    for relative in dict.fromkeys([capsule.FILE, *run.artifacts, *page]):
        target = folder / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(run.folder / relative, target)
    for name, item in run.tables.items():
        if item["rows"] <= 5000:  # MLflow previews CSV as a table
            run.table(name).to_csv(folder / "tables" / f"{name}.csv", index=False)
