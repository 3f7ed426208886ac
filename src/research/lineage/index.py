"""The index of the store: one SQLite file in WAL mode, made once under a file lock, opened by many processes.

The capsules are what is true; the index says which run folders there are, what each run's `record` digest was when
it was closed, which runs are still open and by which process, what the tracking server has not been told yet, and
when a run was last reproduced.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from research.errors import ProjectError
from research.lineage.locks import file_lock

_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    run_id TEXT PRIMARY KEY, notebook TEXT NOT NULL, status TEXT NOT NULL, started TEXT NOT NULL, ended TEXT,
    seconds REAL, operator TEXT, commit_id TEXT, pinned INTEGER, passed INTEGER, message TEXT,
    request TEXT, recipe TEXT, identity TEXT, record TEXT,
    parameters TEXT NOT NULL, metrics TEXT NOT NULL DEFAULT '{}', reasons TEXT NOT NULL DEFAULT '[]',
    host TEXT, boot_id TEXT, pid INTEGER, start_ticks INTEGER
);
CREATE INDEX IF NOT EXISTS runs_by_time ON runs (started);
CREATE INDEX IF NOT EXISTS runs_by_request ON runs (request, status);
CREATE INDEX IF NOT EXISTS runs_open ON runs (status) WHERE status = 'RUNNING';
CREATE TABLE IF NOT EXISTS outbox (
    run_id TEXT PRIMARY KEY, tracking_id TEXT, done INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0,
    error TEXT
);
CREATE TABLE IF NOT EXISTS reproductions (
    number INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL, at TEXT NOT NULL, verdict TEXT NOT NULL,
    operator TEXT, seconds REAL, folder TEXT NOT NULL, digest TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS reproductions_of ON reproductions (run_id, at);
"""
_VERSION = 1
FILE = "index.db"


def create(root: Path) -> None:
    """Make the index in `root` unless it is there; safe when many processes try at once."""
    path = root / FILE
    if path.is_file() and _version(path) == _VERSION:
        return
    try:
        root.mkdir(parents=True, exist_ok=True)
        with file_lock(root / ".index.lock"):
            connection = sqlite3.connect(path, timeout=60.0)
            try:
                connection.execute("PRAGMA journal_mode=WAL")
                connection.executescript(_SCHEMA)
                connection.execute(f"PRAGMA user_version={_VERSION}")
                connection.commit()
            finally:
                connection.close()
    except (OSError, sqlite3.OperationalError) as error:
        raise ProjectError(_unwritable(root, error)) from None


def _version(path: Path) -> int:
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=60.0)
        try:
            return int(connection.execute("PRAGMA user_version").fetchone()[0])
        finally:
            connection.close()
    except sqlite3.Error:
        return -1


def _unwritable(root: Path, error: Exception) -> str:
    return f"the store must be writable; got {root} ({error}). Set RESEARCH_STORE to a folder you may write."


@contextmanager
def reading(root: Path) -> Iterator[sqlite3.Connection]:
    """A connection for questions; works on a store that may only be read."""
    path = root / FILE
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=60.0)
    try:
        connection.row_factory = sqlite3.Row
        try:
            connection.execute("SELECT 1 FROM runs LIMIT 1")
        except sqlite3.OperationalError:  # a WAL file cannot be made beside a read-only database
            connection.close()
            connection = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
            connection.row_factory = sqlite3.Row
        yield connection
    finally:
        connection.close()


@contextmanager
def writing(root: Path) -> Iterator[sqlite3.Connection]:
    """One transaction; all of it or none of it."""
    create(root)
    connection = sqlite3.connect(root / FILE, timeout=60.0, isolation_level=None)
    try:
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA synchronous=FULL")
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise ProjectError(_unwritable(root, error)) from None
        try:
            yield connection
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
    finally:
        connection.close()
