"""After a run: its page is made and MLflow is told, by a process beside the runner, within a second or so.

A run is complete when its capsule is closed; what follows can be done again at any time. Runs that wait are names in
a folder of the store, so that nothing is lost when a courier dies. One courier serves a store at a time; it is forked
by the warm process, or started on its own, and ends when nothing has come for a while.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Literal

from research.experiments import page
from research.experiments.warm import client, place
from research.lineage.locks import file_lock
from research.project import Project

When = Literal["soon", "now", "never"]
IDLE_S = 45.0
_FOLDER, _LOCK = ".courier", ".courier.lock"


def send(project: Project, run_id: str, *, when: When) -> str:
    """Have the page of a run made and MLflow told; why MLflow could not be told, where that is known at once."""
    if when == "never" or os.environ.get("RESEARCH_PAGES") == "off":  # a re-run that is only compared
        return ""
    if when == "now" or place.is_off():
        return _deliver_now(project, run_id)
    root = project.mlruns
    with contextlib.suppress(OSError):  # a full disk, a store that is gone: a later run makes up for it
        waiting = root / _FOLDER / run_id
        waiting.parent.mkdir(exist_ok=True)
        waiting.touch()
        with file_lock(root / _LOCK, wait_s=0.0) as free:
            pass
        if free:
            _start(project)
    return ""


def _deliver_now(project: Project, run_id: str) -> str:
    from research.lineage import tracking

    _make_page(project, run_id)
    return tracking.flush(project).waiting.get(run_id, "")


def _make_page(project: Project, run_id: str) -> None:
    from research.errors import ResearchError
    from research.lineage import store

    with contextlib.suppress(ResearchError, OSError):
        found = store.load_capsule(run_id, project=project)
        page.of_run(found.folder, str(found.raw["notebook"]["title"]))


def _start(project: Project) -> None:
    """A process of its own session, that outlives this one."""
    env = {**os.environ, "RESEARCH_PROJECT": str(project.root), "RESEARCH_STORE": str(project.mlruns)}
    answer = client.ask({"do": "courier", "root": str(project.root), "env": env})
    if answer is not None and "pid" in answer:
        return
    call = [sys.executable, "-P", "-m", "research.experiments.courier", str(project.root)]
    with open(os.devnull, "r+b") as nothing:
        process = subprocess.Popen(
            call, stdin=nothing, stdout=nothing, stderr=nothing, env=env, cwd="/", start_new_session=True
        )
    process.returncode = 0  # it outlives this process, which need not wait for it


def serve(project: Project) -> None:
    """Deliver what waits, and what comes, until nothing has come for a while."""
    root = project.mlruns
    with contextlib.suppress(OSError):
        os.nice(10)
    while True:
        with file_lock(root / _LOCK, wait_s=0.0) as mine:
            if not mine:
                return
            _deliver_all(project)
        if not _waiting(root):  # else one came as the lock was given back
            return


def _deliver_all(project: Project) -> None:
    from research.lineage import tracking

    root, last = project.mlruns, time.monotonic()
    while time.monotonic() - last < IDLE_S and root.is_dir():
        names = _waiting(root)
        for name in names:
            _make_page(project, name)
            (root / _FOLDER / name).unlink(missing_ok=True)
        if names:
            with contextlib.suppress(Exception):  # what failed stays pending in the outbox
                tracking.flush(project)
            last = time.monotonic()
        time.sleep(0.1)


def _waiting(root: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in os.scandir(root / _FOLDER))
    except OSError:
        return []


def wait_until_delivered(project: Project, *, timeout_s: float = 60.0) -> bool:
    """Whether every page is made and MLflow has heard of all, at the latest after `timeout_s`."""
    from research.lineage import tracking

    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if not _waiting(project.mlruns) and (tracking.is_off() or not tracking.pending(project.mlruns)):
            return True
        time.sleep(0.05)
    return False


if __name__ == "__main__":
    serve(Project(Path(sys.argv[1])))
