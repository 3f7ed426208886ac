"""The index of the store: one SQLite file in WAL mode, made once under a file lock, opened by many processes.

The capsules are what is true; the index says which run folders there are, what each run's `record` digest was when
it was closed, which runs are still open and by which process, which sweep a run belongs to, what the tracking
server has not been told yet, and when a run was last reproduced.

Each thread keeps its connection: opening one and closing the last one cost more than recording a run. A connection
belongs to the process and the file it was opened on; after a fork, or when the file was replaced, a new one is made.
WAL needs memory shared between processes, which a network file system does not give: there the store is refused,
unless RESEARCH_JOURNAL=delete asks for SQLite's slower journal.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from research.errors import ProjectError, ResearchError
from research.lineage.locks import file_lock

_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    run_id TEXT PRIMARY KEY, notebook TEXT NOT NULL, status TEXT NOT NULL, started TEXT NOT NULL, ended TEXT,
    seconds REAL, operator TEXT, commit_id TEXT, pinned INTEGER, passed INTEGER, message TEXT,
    request TEXT, recipe TEXT, identity TEXT, record TEXT,
    parameters TEXT NOT NULL, metrics TEXT NOT NULL DEFAULT '{}', reasons TEXT NOT NULL DEFAULT '[]',
    host TEXT, boot_id TEXT, pid INTEGER, start_ticks INTEGER, sweep TEXT, point INTEGER
);
CREATE INDEX IF NOT EXISTS runs_by_time ON runs (started);
CREATE INDEX IF NOT EXISTS runs_by_request ON runs (request, status);
CREATE INDEX IF NOT EXISTS runs_open ON runs (status) WHERE status = 'RUNNING';
CREATE INDEX IF NOT EXISTS runs_of_sweep ON runs (sweep, point) WHERE sweep IS NOT NULL;
CREATE TABLE IF NOT EXISTS outbox (
    run_id TEXT PRIMARY KEY, tracking_id TEXT, done INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0,
    error TEXT
);
CREATE INDEX IF NOT EXISTS outbox_waiting ON outbox (done) WHERE done = 0;
CREATE TABLE IF NOT EXISTS reproductions (
    number INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL, at TEXT NOT NULL, verdict TEXT NOT NULL,
    operator TEXT, seconds REAL, folder TEXT NOT NULL, digest TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS reproductions_of ON reproductions (run_id, at);
CREATE TABLE IF NOT EXISTS sweeps (
    sweep_id TEXT PRIMARY KEY, kind TEXT NOT NULL, notebook TEXT NOT NULL, spec TEXT NOT NULL, digest TEXT NOT NULL,
    state TEXT NOT NULL, started TEXT NOT NULL, ended TEXT, tracking_id TEXT, told TEXT
);
CREATE TABLE IF NOT EXISTS sweep_points (
    sweep_id TEXT NOT NULL, point INTEGER NOT NULL, parameters TEXT NOT NULL, state TEXT NOT NULL, run_id TEXT,
    hit INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0, cause TEXT, message TEXT, seconds REAL,
    value REAL, PRIMARY KEY (sweep_id, point)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sweep_points_of_run ON sweep_points (run_id);
"""
_ADDED = {"runs": ("sweep TEXT", "point INTEGER")}  # columns that came with version 2
_VERSION = 2
_NETWORK = ("nfs", "cifs", "smb", "9p", "afs", "ceph", "lustre", "gpfs", "glusterfs", "fuse.sshfs", "fuse.glusterfs")
_WAIT_S = 60.0
FILE = "index.db"


class _Mine(threading.local):
    """The connections of this thread, by what they were opened on."""

    def __init__(self) -> None:
        self.open: dict[tuple[Any, ...], sqlite3.Connection] = {}


_mine = _Mine()
_of_a_parent: list[Any] = []  # never closed here: they belong to the process that forked this one


def _after_fork() -> None:
    global _mine
    _of_a_parent.append(_mine)
    _mine = _Mine()


os.register_at_fork(after_in_child=_after_fork)


def create(root: Path) -> None:
    """Make the index in `root` unless it is there; safe when many processes try at once."""
    path = root / FILE
    if _key(path, "rw") in _mine.open or (path.is_file() and _version(path) == _VERSION):
        return
    try:
        root.mkdir(parents=True, exist_ok=True)
        with file_lock(root / ".index.lock"):
            connection = sqlite3.connect(path, timeout=_WAIT_S)
            try:
                _make(connection, root)
            finally:
                connection.close()
    except (OSError, sqlite3.Error) as error:
        raise unwritable(root, error) from None


def _make(connection: sqlite3.Connection, root: Path) -> None:
    connection.execute(f"PRAGMA journal_mode={_journal(root)}")
    for table, columns in _ADDED.items():
        have = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
        for column in columns if have else ():
            if column.split()[0] not in have:
                connection.execute(f"ALTER TABLE {table} ADD COLUMN {column}")
    connection.executescript(_SCHEMA)
    connection.execute(f"PRAGMA user_version={_VERSION}")
    connection.commit()


def _journal(root: Path) -> str:
    """WAL; on a network file system only what RESEARCH_JOURNAL asks for."""
    asked = os.environ.get("RESEARCH_JOURNAL", "").lower()
    if asked in ("delete", "wal"):
        return asked
    kind = file_system(root)
    if kind.startswith(_NETWORK):
        raise ProjectError(
            f"the store must lie on a local disk; got {root} ({kind}, which has no memory shared between machines, so "
            "SQLite's WAL is not possible). Set RESEARCH_STORE to a local folder, or RESEARCH_JOURNAL=delete to go on "
            "with a slower journal."
        )
    return "wal"


def file_system(path: Path) -> str:
    """The kind of the file system that holds `path`, such as ext4 or nfs4; empty where the system does not tell."""
    try:
        lines = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    here, best, kind = f"{path.resolve()}/", "", ""
    for line in lines:
        _, place, found, *_ = line.split(" ")
        place = place.replace("\\040", " ").rstrip("/") + "/"
        if here.startswith(place) and len(place) >= len(best):
            best, kind = place, found
    return kind


def _version(path: Path) -> int:
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=_WAIT_S)
        try:
            return int(connection.execute("PRAGMA user_version").fetchone()[0])
        finally:
            connection.close()
    except sqlite3.Error:
        return -1


def unwritable(root: Path, error: BaseException) -> ResearchError:
    """One sentence for a store that cannot be written: full, read-only, damaged, busy, or not there."""
    if isinstance(error, ResearchError):
        return error
    text = str(error)
    if getattr(error, "errno", None) == 28 or "disk is full" in text:
        return ProjectError(f"the disk of the store must have room; got none left at {root}. Nothing was recorded.")
    if "malformed" in text or "not a database" in text:
        return ProjectError(
            f"{root / FILE} must be a SQLite database; got a damaged file ({text}). "
            "The run folders beside it are whole: move the index away and ask for a copy of it."
        )
    if "locked" in text or "busy" in text:
        return ProjectError(f"the store must be free within {_WAIT_S:g} s; got {root} held by another process.")
    return ProjectError(
        f"the store must be writable; got {root} ({error}). Set RESEARCH_STORE to a folder you may write."
    )


def _key(path: Path, mode: str) -> tuple[Any, ...] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return (str(path), mode, found.st_dev, found.st_ino)


def _connection(path: Path, mode: str) -> sqlite3.Connection:
    """This thread's connection to the file that is at `path` now."""
    key = _key(path, mode)
    if key is not None and key in _mine.open:
        return _mine.open[key]
    for old in [k for k in _mine.open if k[0] == str(path) and k[1] == mode]:
        _mine.open.pop(old).close()  # the file was replaced
    while len(_mine.open) >= 8:
        _mine.open.pop(next(iter(_mine.open))).close()
    made = sqlite3.connect(f"file:{path}?mode={mode}", uri=True, timeout=_WAIT_S, isolation_level=None)
    made.row_factory = sqlite3.Row
    if mode == "rw":
        made.execute("PRAGMA synchronous=FULL")
    if (key := _key(path, mode)) is not None:
        _mine.open[key] = made
    return made


@contextmanager
def reading(root: Path) -> Iterator[sqlite3.Connection]:
    """A connection for questions; works on a store that may only be read."""
    path = root / FILE
    if _key(path, "ro") not in _mine.open and _version(path) < _VERSION and os.access(root, os.W_OK):
        create(root)
    connection = _connection(path, "ro")
    try:
        connection.execute("SELECT 1 FROM runs LIMIT 1").fetchone()
    except sqlite3.OperationalError:  # a WAL file cannot be made beside a read-only database
        forget(root)
        connection = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
        connection.row_factory = sqlite3.Row
        try:
            yield connection
        finally:
            connection.close()
        return
    except sqlite3.DatabaseError as error:
        forget(root)
        raise unwritable(root, error) from None
    yield connection


@contextmanager
def writing(root: Path) -> Iterator[sqlite3.Connection]:
    """One transaction; all of it or none of it."""
    create(root)
    try:
        connection = _connection(root / FILE, "rw")
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.Error as error:
        forget(root)
        raise unwritable(root, error) from None
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException as error:
        with suppress(sqlite3.Error):  # SQLite rolls back by itself when the disk is full
            connection.execute("ROLLBACK")
        if isinstance(error, sqlite3.OperationalError) and not isinstance(error, sqlite3.ProgrammingError):
            forget(root)
            raise unwritable(root, error) from None
        raise


def forget(root: Path) -> None:
    """Close this thread's connections to the index in `root`."""
    for key in [k for k in _mine.open if k[0] == str(root / FILE)]:
        _mine.open.pop(key).close()
