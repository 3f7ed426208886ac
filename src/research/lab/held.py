"""In a run that was opened again, `data.load` gives the bytes of then, or says why it cannot.

`hold(run)` stands in the opened notebook, after its parameters. Files that changed since are taken from DVC's cache
or remote; a read that was recorded is compared with its digest. Other reads (another date, another data set) go on
as usual.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from research.errors import DataError
from research.project import Project, find_project

_loads: list[Callable[..., Any]] = []  # data.load as it was, once something is held


def hold(run: str) -> None:
    """From here on `data.load` in this process reads what `run` read; prints what is held, and from where."""
    from research import data
    from research.experiments.place import find_data
    from research.lineage import load_capsule

    project = find_project()
    recorded = load_capsule(run, project=project)
    found, missing = find_data(project, recorded)
    changed = {path: source for path, source in found.items() if source != project.root / path}
    if not _loads:
        _loads.append(data.load)
    other = _overlay(project, changed) if changed else project
    lost = {read["name"]: read for read in missing}
    data.load = _holding(_loads[0], project, other, changed, lost, recorded)
    for read in recorded.data:
        place = "DVC's cache" if read["path"] in changed else "the project"
        where = "lost: see data.load" if read["name"] in lost else f"from {place}"
        as_of = f", as of {read['as_of']}" if read["as_of"] else ""
        print(f"{read['name']}{as_of}: {read['rows']:,} rows of {recorded.run_id}, {where}")


def _overlay(project: Project, files: Mapping[str, Path]) -> Project:
    """A folder that stands for the project with the data of then; gone with the process."""
    folder = Path(tempfile.mkdtemp(prefix="research-held-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for name in ("dvc.yaml", "dvc.lock", "data/catalog.yaml"):
        if (project.root / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(project.root / name, folder / name)
    for path, source in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / path)
    return Project(folder)


def _holding(
    load: Callable[..., Any],
    project: Project,
    other: Project,
    changed: Mapping[str, Path],
    lost: Mapping[str, dict[str, Any]],
    recorded: Any,
) -> Callable[..., Any]:
    from research.data import catalog, digest_frame

    paths = {read["name"]: read["path"] for read in recorded.data}

    def held(name: str, *, as_of: Any = None, columns: Any = None) -> Any:
        if name in lost:
            digest = str(lost[name]["file_sha256"])[:12]
            raise DataError(
                f"{name} must be as in run {recorded.run_id} (SHA-256 {digest}...); the file has changed, and neither "
                "DVC's cache nor its remote has the old one. Take out hold(...) to read what is there today."
            )
        where = other if paths.get(name) in changed else project
        frame = load(name, as_of=as_of, columns=columns, project=where)
        _compare(name, frame, as_of, list(frame.columns), recorded, digest_frame)
        return frame

    catalog(project)  # a damaged dictionary is said here, not at the first read
    held.__doc__ = load.__doc__
    return held


def _compare(name: str, frame: Any, as_of: Any, columns: list[str], recorded: Any, digest: Callable[..., str]) -> None:
    from research.data.reader import moment_of

    moment = moment_of(as_of)
    asked = (name, None if moment is None else moment.isoformat(), columns)
    same = [r for r in recorded.data if (r["name"], r["as_of"], list(r["columns"])) == asked]
    if same and digest(frame) not in {r["sha256"] for r in same}:
        raise DataError(
            f"{name} must be as in run {recorded.run_id} (digest {same[0]['sha256'][:12]}...); got {digest(frame)[:12]}"
            "... from the same file: its reader or its entry in data/catalog.yaml has changed since. "
            "Take out hold(...) to read on."
        )
