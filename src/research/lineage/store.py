"""The store under `mlruns/`: an index and a folder for every run, opened before its kernel starts, closed in one step.

    mlruns/index.db                     runs, outbox, reproductions
    mlruns/runs/RUN_ID/capsule.json     the record; beside it notebook, tables, figures
    mlruns/mlflow.db, mlruns/artifacts  what MLflow shows; written from the outbox

A run opens as RUNNING with the process that owns it. A process that is gone leaves a run that the next command
finds and closes as FAILED, with the partial notebook that is there.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from research.errors import InputError, did_you_mean, rule
from research.lineage import capsule, index
from research.lineage.capsule import Capsule
from research.lineage.processes import Process, is_dead, this_process
from research.project import Project, find_project

KILLED = "The process ended without closing the run (killed, or the machine stopped)."


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One line of the index."""

    run_id: str
    notebook: str
    status: str  # RUNNING, FINISHED, FAILED
    started: str
    ended: str | None
    seconds: float | None
    operator: str | None
    commit: str | None
    pinned: bool
    passed: bool | None
    message: str
    recipe: str | None
    identity: str | None
    record: str | None
    parameters: dict[str, Any]
    metrics: dict[str, Any]  # name: {"value", "unit"}
    unpinned_reasons: list[str]
    sweep: str | None = None
    point: int | None = None  # of the sweep

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def now() -> str:
    """The time in UTC, ISO, to the microsecond."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def root_of(project: Project | None = None) -> Path:
    """The store of a project; the nearest project when none is given."""
    return (project or find_project()).mlruns


def folder_of(root: Path, run_id: str) -> Path:
    return root / "runs" / run_id


def row_to_run(row: Any) -> Run:
    """A row of the index as a value."""
    return Run(
        run_id=row["run_id"],
        notebook=row["notebook"],
        status=row["status"],
        started=row["started"],
        ended=row["ended"],
        seconds=row["seconds"],
        operator=row["operator"],
        commit=row["commit_id"],
        pinned=bool(row["pinned"]),
        passed=None if row["passed"] is None else bool(row["passed"]),
        message=row["message"] or "",
        recipe=row["recipe"],
        identity=row["identity"],
        record=row["record"],
        parameters=json.loads(row["parameters"]),
        metrics=json.loads(row["metrics"]),
        unpinned_reasons=json.loads(row["reasons"]),
        sweep=row["sweep"],
        point=row["point"],
    )


_PART_OF: ContextVar[tuple[str, int] | None] = ContextVar("part_of", default=None)
_CLOCKS: dict[str, float] = {}  # of the runs that this process opened: the monotonic time


@contextmanager
def part_of(sweep: str, point: int) -> Iterator[None]:
    """Runs that are opened inside belong to this point of this sweep."""
    token = _PART_OF.set((sweep, point))
    try:
        yield
    finally:
        _PART_OF.reset(token)


def new_run_id(stem: str) -> str:
    """A name for people: notebook, UTC time, and six hex digits against collisions."""
    clean = "".join(c if c.isalnum() or c in "-_." else "-" for c in stem).strip("-.") or "run"
    return f"{clean}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def open_run(root: Path, skeleton: dict[str, Any], request: str) -> tuple[str, Path]:
    """Enter a run as RUNNING and make its folder. `skeleton` is the capsule as far as it is known.

    Returns
    -------
    (run_id, folder)
    """
    index.create(root)
    run_id = new_run_id(Path(skeleton["notebook"]["path"]).stem)
    folder, owner, started = folder_of(root, run_id), this_process(), now()
    try:
        folder.mkdir(parents=True)
        raw = {
            **skeleton,
            "run_id": run_id,
            "status": "RUNNING",
            "times": {"started": started, "ended": None, "cells": []},
        }
        (folder / "opened.json").write_text(json.dumps(raw), encoding="utf-8")
    except OSError as error:
        raise index.unwritable(root, error) from None
    values = (
        run_id,
        raw["notebook"]["path"],
        started,
        _operator(raw),
        raw["code"]["commit"],
        request,
        json.dumps(raw["parameters"]),
        owner.host,
        owner.boot_id,
        owner.pid,
        owner.start_ticks,
        *(_PART_OF.get() or (None, None)),
    )
    with index.writing(root) as db:
        db.execute(
            "INSERT INTO runs (run_id, notebook, status, started, operator, commit_id, request, parameters, host, "
            "boot_id, pid, start_ticks, sweep, point) VALUES (?, ?, 'RUNNING', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            values,
        )
    _CLOCKS[run_id] = time.monotonic()
    return run_id, folder


def _operator(raw: dict[str, Any]) -> str | None:
    person = raw["operator"]
    return person.get("git_email") or person.get("git_name") or person.get("user")


def close_run(root: Path, raw: dict[str, Any], message: str = "") -> Capsule:
    """Write the capsule, then close the run in the index and put it into the outbox; `message` says why it failed."""
    folder = folder_of(root, raw["run_id"])
    seconds = _seconds(raw)
    try:
        done = capsule.write(folder, {**raw, "message": message, "times": {**raw["times"], "seconds": seconds}})
    except OSError as error:
        raise index.unwritable(root, error) from None
    passed = done.passed
    values = {
        "status": done.status,
        "ended": raw["times"]["ended"],
        "seconds": seconds,
        "commit_id": done.commit,
        "pinned": int(done.pinned),
        "passed": None if passed is None else int(passed),
        "message": message,
        "recipe": done.recipe,
        "identity": done.identity,
        "record": done.record,
        "metrics": json.dumps({k: {"value": m["value"], "unit": m["unit"]} for k, m in done.metrics.items()}),
        "reasons": json.dumps(done.unpinned_reasons),
        "run_id": done.run_id,
    }
    fields = ", ".join(f"{name} = :{name}" for name in values if name != "run_id")
    with index.writing(root) as db:
        db.execute(f"UPDATE runs SET {fields} WHERE run_id = :run_id", values)
        db.execute("INSERT OR IGNORE INTO outbox (run_id) VALUES (?)", (done.run_id,))
    (folder / "opened.json").unlink(missing_ok=True)
    return done


def _seconds(raw: dict[str, Any]) -> float:
    """How long the run took, by a clock that nobody sets; of a run that another process opened, by its stamps."""
    opened = _CLOCKS.pop(raw["run_id"], None)
    if opened is not None:
        return round(time.monotonic() - opened, 6)
    started, ended = (datetime.fromisoformat(raw["times"][name]) for name in ("started", "ended"))
    return max(0.0, (ended - started).total_seconds())


def close_dead_runs(root: Path) -> list[str]:
    """Close as FAILED every open run whose process is gone; their names. Does nothing on a read-only store."""
    if not (root / index.FILE).is_file():
        return []
    with index.reading(root) as db:
        rows = db.execute("SELECT * FROM runs WHERE status = 'RUNNING'").fetchall()
    dead = [row for row in rows if is_dead(Process(row["host"], row["boot_id"], row["pid"], row["start_ticks"]))]
    closed = []
    for row in dead if os.access(root, os.W_OK) else []:
        folder = folder_of(root, row["run_id"])
        try:
            raw = json.loads((folder / "opened.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):  # closed by another command, or the folder was removed
            with index.writing(root) as db:
                db.execute(
                    "UPDATE runs SET status = 'FAILED', message = ? WHERE run_id = ? AND status = 'RUNNING'",
                    (KILLED, row["run_id"]),
                )
            continue
        raw["status"], raw["times"]["ended"] = "FAILED", now()
        raw["artifacts"] = artifacts(folder)
        raw["pinned"], raw["unpinned_reasons"] = False, [*raw["unpinned_reasons"], "the run did not finish"]
        close_run(root, raw, KILLED)
        closed.append(row["run_id"])
    return closed


def artifacts(folder: Path) -> dict[str, str]:
    """Every file of a run folder with its digest, but for the capsule and what is written later."""
    from research.fingerprint import digest_file

    own = {capsule.FILE, "opened.json"}
    paths = sorted(p for p in folder.rglob("*") if p.is_file())
    names = {p.relative_to(folder).as_posix(): p for p in paths}
    return {
        name: digest_file(path)
        for name, path in names.items()
        if name not in own and not name.startswith(("reproductions/", "."))
    }


def resolve(root: Path, run: str) -> str:
    """The run that a name, a unique part of its beginning or end, or `latest` stands for."""
    if not (root / index.FILE).is_file():
        raise InputError(rule("run", "be recorded first", run, "This store has no runs; try research run NOTEBOOK."))
    with index.reading(root) as db:
        if run == "latest":
            row = db.execute("SELECT run_id FROM runs ORDER BY rowid DESC LIMIT 1").fetchone()
            found = [row["run_id"]] if row else []
        else:
            found = [r["run_id"] for r in db.execute("SELECT run_id FROM runs WHERE run_id = ?", (run,))]
            if not found and run:
                like = run.replace("!", "!!").replace("%", "!%").replace("_", "!_")
                test = "run_id LIKE ? ESCAPE '!' OR run_id LIKE ? ESCAPE '!'"
                query = f"SELECT run_id FROM runs WHERE {test} ORDER BY started"
                found = [r["run_id"] for r in db.execute(query, (f"{like}%", f"%{like}"))]
        if len(found) == 1:
            return str(found[0])
        names = [r["run_id"] for r in db.execute("SELECT run_id FROM runs ORDER BY rowid DESC LIMIT 500")]
    if len(found) > 1:
        shown = ", ".join(found[:4]) + (", ..." if len(found) > 4 else "")
        raise InputError(rule("run", "name one run", run, f"It may be {shown}."))
    hint = did_you_mean(run, names, cutoff=0.4) or "See research runs."
    raise InputError(rule("run", "be a recorded run", run, hint))


def load_capsule(run: str = "latest", *, project: Project | None = None) -> Capsule:
    """The capsule of a run: its name, a unique beginning or end of it, or `latest`."""
    root = root_of(project)
    return capsule.read(folder_of(root, resolve(root, run)))


def get_run(run: str = "latest", *, project: Project | None = None) -> Run:
    """The index line of a run."""
    root = root_of(project)
    name = resolve(root, run)
    with index.reading(root) as db:
        return row_to_run(db.execute("SELECT * FROM runs WHERE run_id = ?", (name,)).fetchone())


def list_runs(
    *,
    notebook: str | None = None,
    status: str | None = None,
    where: str | None = None,
    sort: str | None = None,
    limit: int | None = None,
    project: Project | None = None,
) -> list[Run]:
    """Recorded runs, newest first; `notebook` is a part of the path, `where` like "rmse < 20 and status = FINISHED"."""
    from research.lineage.filters import parse
    from research.lineage.listing import has, ordered, selected
    from research.lineage.selection import prefilter

    root = root_of(project)
    if not (root / index.FILE).is_file():
        return []
    conditions, values = ["1"], list[Any]()
    if notebook:
        conditions.append("instr(notebook, ?) > 0")
        values.append(notebook)
    if status:
        conditions.append("status = ?")
        values.append(status.upper())
    tail = f" LIMIT {int(limit)}" if limit and not where and not sort else ""
    with index.reading(root) as db:
        likely, likely_values = prefilter(where or "")
        query = "SELECT * FROM runs WHERE {} ORDER BY rowid DESC" + tail
        some = query.format(" AND ".join([*conditions, *likely]))
        found = [row_to_run(row) for row in db.execute(some, [*values, *likely_values])]
        if where and likely and not all(any(has(run, name) for run in found) for name, _ in parse(where).names):
            found = [row_to_run(row) for row in db.execute(query.format(" AND ".join(conditions)), values)]
    if where:
        found = selected(found, where)
    if sort:
        found = ordered(found, sort)
    return found[:limit] if limit else found


def runs_of_request(root: Path, request: str) -> list[Run]:
    """Finished runs that were asked the same, newest first."""
    if not (root / index.FILE).is_file():
        return []
    with index.reading(root) as db:
        query = "SELECT * FROM runs WHERE request = ? AND status = 'FINISHED' ORDER BY rowid DESC LIMIT 20"
        return [row_to_run(row) for row in db.execute(query, (request,))]


def add_reproduction(
    root: Path, *, run_id: str, at: str, verdict: str, operator: str | None, seconds: float, folder: str, digest: str
) -> None:
    """Keep that a run was re-run, and how it ended."""
    with index.writing(root) as db:
        db.execute(
            "INSERT INTO reproductions (run_id, at, verdict, operator, seconds, folder, digest) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (run_id, at, verdict, operator, seconds, folder, digest),
        )


def reproductions(run: str = "latest", *, project: Project | None = None) -> list[dict[str, Any]]:
    """When a run was reproduced and with what verdict, newest first."""
    root = root_of(project)
    name = resolve(root, run)
    with index.reading(root) as db:
        rows = db.execute("SELECT * FROM reproductions WHERE run_id = ? ORDER BY number DESC", (name,)).fetchall()
    return [{key: row[key] for key in row.keys() if key != "number"} for row in rows]  # noqa: SIM118
