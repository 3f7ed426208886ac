"""What a sweep asked and how far it is: rows in the index, a folder in the store, two locks.

    mlruns/sweeps/SWEEP/spec.json       what was asked, with its digest
    mlruns/sweeps/SWEEP/.scheduler      held by the one process that hands out points
    mlruns/sweeps/SWEEP/.workers        shared by its workers: free only when the last of them is gone

A point is `waiting`, `done`, `failed` (its notebook failed) or `set aside` (its worker died three times). The locks
belong to processes, so a killed sweep is free at once, and who goes on with it waits for the workers it left.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from research.errors import InputError, RefusedError, rule
from research.experiments.sweep.points import Points
from research.experiments.sweep.spec import Spec
from research.fingerprint import canonical_json
from research.lineage import index, store
from research.lineage.locks import file_lock
from research.project import Project

WAITING, DONE, FAILED, ASIDE = "waiting", "done", "failed", "set aside"
RUNNING, FINISHED, INTERRUPTED = "running", "finished", "interrupted"
FOLDER = "sweeps"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One point, and what became of it."""

    number: int
    parameters: dict[str, Any]
    state: str
    run_id: str | None
    hit: bool
    attempts: int
    cause: str | None
    message: str | None
    seconds: float | None
    value: float | None  # of the metric that says what is best


def _point(row: Any) -> Point:
    return Point(
        number=row["point"],
        parameters=json.loads(row["parameters"]),
        state=row["state"],
        run_id=row["run_id"],
        hit=bool(row["hit"]),
        attempts=row["attempts"],
        cause=row["cause"],
        message=row["message"],
        seconds=row["seconds"],
        value=row["value"],
    )


def new_sweep_id(stem: str) -> str:
    return f"sweep-{stem}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


class Ledger:
    """One sweep in the store."""

    def __init__(self, project: Project, sweep_id: str) -> None:
        self.project, self.sweep_id = project, sweep_id
        self.root = store.root_of(project)
        self.folder = self.root / FOLDER / sweep_id
        with index.reading(self.root) as db:
            row = db.execute("SELECT * FROM sweeps WHERE sweep_id = ?", (sweep_id,)).fetchone()
        self.notebook: str = row["notebook"]
        self.kind: str = row["kind"]
        self.spec: dict[str, Any] = json.loads(row["spec"])
        self.digest: str = row["digest"]
        self.started: str = row["started"]

    @classmethod
    def create(
        cls, project: Project, spec: Spec, points: Points | None, *, kind: str = "sweep", more: Mapping[str, Any]
    ) -> Ledger:
        """Enter a sweep with its points; `more` is kept with the spec (digest of the notebook, names that vary)."""
        root = store.root_of(project)
        index.create(root)
        sweep_id = new_sweep_id(Path(spec.notebook).stem)
        folder = root / FOLDER / sweep_id
        content = {**spec.to_json(), **more}
        try:
            folder.mkdir(parents=True)
            (folder / "spec.json").write_bytes(canonical_json({**content, "digest": spec.digest}) + b"\n")
        except OSError as error:
            raise index.unwritable(root, error) from None
        rows = [
            (sweep_id, number, json.dumps(parameters), WAITING)
            for number, parameters in enumerate(points.parameters if points else ())
        ]
        with index.writing(root) as db:
            db.execute(
                "INSERT INTO sweeps (sweep_id, kind, notebook, spec, digest, state, started) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (sweep_id, kind, spec.notebook, json.dumps(content), spec.digest, RUNNING, store.now()),
            )
            db.executemany("INSERT INTO sweep_points (sweep_id, point, parameters, state) VALUES (?, ?, ?, ?)", rows)
        return cls(project, sweep_id)

    @property
    def metric(self) -> str | None:
        found: str | None = self.spec["best"]["metric"]
        return found

    @property
    def goal(self) -> str:
        return str(self.spec["best"]["goal"])

    def state(self) -> str:
        with index.reading(self.root) as db:
            row = db.execute("SELECT state FROM sweeps WHERE sweep_id = ?", (self.sweep_id,)).fetchone()
        return str(row["state"])

    def points(self, *states: str) -> list[Point]:
        """The points in one of `states` (all of them when none is named), by number."""
        test = f" AND state IN ({', '.join('?' * len(states))})" if states else ""
        with index.reading(self.root) as db:
            query = f"SELECT * FROM sweep_points WHERE sweep_id = ?{test} ORDER BY point"
            return [_point(row) for row in db.execute(query, (self.sweep_id, *states))]

    def counts(self) -> dict[str, int]:
        """How many points are in each state, and how many of those done were answered by an earlier run."""
        out = {WAITING: 0, DONE: 0, FAILED: 0, ASIDE: 0, "hits": 0}
        with index.reading(self.root) as db:
            query = "SELECT state, COUNT(*), SUM(hit) FROM sweep_points WHERE sweep_id = ? GROUP BY state"
            for state, count, hits in db.execute(query, (self.sweep_id,)):
                out[state] = count
                out["hits"] += hits or 0
        return out

    def add_many(self, first: int, parameters: Sequence[Mapping[str, Any]]) -> None:
        """Enter more points, all or none of them (an optimisation finds them on the way)."""
        rows = [(self.sweep_id, first + i, json.dumps(dict(one)), WAITING) for i, one in enumerate(parameters)]
        with index.writing(self.root) as db:
            db.executemany("INSERT INTO sweep_points (sweep_id, point, parameters, state) VALUES (?, ?, ?, ?)", rows)

    def note(self, number: int, **facts: Any) -> None:
        """Write what became of a point."""
        fields = ", ".join(f"{name} = :{name}" for name in facts)
        with index.writing(self.root) as db:
            query = f"UPDATE sweep_points SET {fields} WHERE sweep_id = :_sweep AND point = :_point"
            db.execute(query, {**facts, "_sweep": self.sweep_id, "_point": number})

    def again(self, *states: str) -> None:
        """Let points in these states wait once more."""
        with index.writing(self.root) as db:
            query = (
                "UPDATE sweep_points SET state = ?, attempts = 0, cause = NULL, message = NULL, run_id = NULL "
                f"WHERE sweep_id = ? AND state IN ({', '.join('?' * len(states))})"
            )
            db.execute(query, (WAITING, self.sweep_id, *states))

    def close(self, state: str) -> None:
        with index.writing(self.root) as db:
            db.execute("UPDATE sweeps SET state = ?, ended = ? WHERE sweep_id = ?", (state, store.now(), self.sweep_id))

    def reopen(self) -> None:
        with index.writing(self.root) as db:
            db.execute("UPDATE sweeps SET state = ?, ended = NULL WHERE sweep_id = ?", (RUNNING, self.sweep_id))

    def finished_run(self, number: int) -> store.Run | None:
        """The finished run of a point, when its worker closed it but nobody heard."""
        with index.reading(self.root) as db:
            query = "SELECT * FROM runs WHERE sweep = ? AND point = ? AND status = 'FINISHED' ORDER BY rowid LIMIT 1"
            row = db.execute(query, (self.sweep_id, number)).fetchone()
        return store.row_to_run(row) if row else None

    @contextlib.contextmanager
    def scheduling(self, *, wait_s: float = 60.0) -> Iterator[None]:
        """Hold the sweep alone: refused while another process hands out its points; waits for workers left behind."""
        with file_lock(self.folder / ".scheduler", wait_s=0.0) as mine:
            if not mine:
                raise RefusedError(f"sweep {self.sweep_id} is going on in another process; wait for it, or stop it.")
            with file_lock(self.folder / ".workers", wait_s=wait_s) as alone:
                if not alone:
                    must = f"a worker of the former process is still at a point after {wait_s:g} s"
                    raise RefusedError(f"sweep {self.sweep_id} cannot go on: {must}.")
            store.close_dead_runs(self.root)
            yield


@contextlib.contextmanager
def working(folder: Path) -> Iterator[None]:
    """What a worker holds while it lives."""
    with open(folder / ".workers", "a+b") as handle:
        fcntl.flock(handle, fcntl.LOCK_SH)
        yield


def list_sweeps(project: Project) -> list[dict[str, Any]]:
    """All sweeps, newest first, with their counts."""
    root = store.root_of(project)
    if not (root / index.FILE).is_file():
        return []
    with index.reading(root) as db:
        rows = db.execute("SELECT sweep_id, kind, notebook, state, started, ended FROM sweeps ORDER BY rowid DESC")
        found = [dict(row) for row in rows]
    return [{**row, **Ledger(project, row["sweep_id"]).counts()} for row in found]


def resolve(project: Project, name: str) -> str:
    """The sweep that a name, a unique part of it, or `latest` stands for."""
    known = [row["sweep_id"] for row in list_sweeps(project)]
    if name == "latest" and known:
        return str(known[0])
    found = [n for n in known if n == name] or [n for n in known if name and name in n]
    if len(found) == 1:
        return str(found[0])
    hint = f"It may be {', '.join(found[:4])}." if found else "See research sweep --list."
    raise InputError(rule("sweep", "name one sweep" if found else "be a recorded sweep", name, hint))


def trials(project: Project, notebook: str) -> int:
    """How many different recipes of a notebook have been run in all: the count that overfitting statistics need.

    Failed runs count too: somebody looked at what came out of the others.
    """
    root = store.root_of(project)
    if not (root / index.FILE).is_file():
        return 0
    with index.reading(root) as db:
        query = "SELECT COUNT(DISTINCT parameters) FROM runs WHERE notebook = ? AND status != 'RUNNING'"
        return int(db.execute(query, (notebook,)).fetchone()[0])


def best(points: Sequence[Point], goal: str, count: int = 1) -> list[Point]:
    """The best points so far, the best first."""
    known = [p for p in points if p.state == DONE and p.value is not None]
    return sorted(known, key=lambda p: (p.value if goal == "min" else -(p.value or 0.0), p.number))[:count]
