"""Reproduce a run: its commit in a clean git worktree, its data by digest, its parameters; then a verdict.

The whole of `research run` of that commit does the work, in its own process with its own `src/` first on the
path (asserted there), into a store of its own; only the command line and the capsule are shared with today's code.
The verdict is kept in the run's folder and in the index.
"""

from __future__ import annotations

import configparser
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from research.errors import DataError, IntegrityError, RefusedError
from research.experiments.comparison import NOT_REPRODUCED, ResultVerdict, causes, compare, overall
from research.experiments.jsonable import to_json
from research.fingerprint import canonical_json, digest_bytes, digest_file
from research.lineage import capsule, git, store
from research.lineage.capsule import Capsule
from research.lineage.verify import verify_run
from research.project import Project, find_project

SCHEMA = "research.verdict/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduction:
    """How a re-run ended."""

    run_id: str
    verdict: str  # REPRODUCED EXACTLY, REPRODUCED WITHIN TOLERANCE, NOT REPRODUCED
    results: list[ResultVerdict]
    causes: list[str]  # what was not the same besides the results
    message: str  # why there is nothing to compare, if so
    at: str
    seconds: float
    operator: str | None
    commit: str | None
    here: bool  # in the working tree, not in a clean checkout
    record: str  # of the run
    identity: str  # of the run
    identity_again: str | None
    folder: str

    @property
    def reproduced(self) -> bool:
        return self.verdict != NOT_REPRODUCED

    def to_json(self) -> dict[str, Any]:
        names = [name for name in self.__dataclass_fields__ if name != "results"]
        facts = {name: getattr(self, name) for name in names}
        return to_json({"schema": SCHEMA, **facts, "results": [item.to_json() for item in self.results]})


def reproduce(
    run: str = "latest", *, project: Project | None = None, here: bool = False, say: Callable[[str], None] | None = None
) -> Reproduction:
    """Re-run a recorded run and compare.

    Parameters
    ----------
    here : bool, default False
        Run in the working tree with today's code; the only way for a run that is not pinned.
    say : callable
        Called with a line of text as the work goes on.

    Raises
    ------
    RefusedError
        When the run is not pinned, did not finish, was altered, or its commit is gone.
    DataError
        When data are missing; said before anything runs.
    """
    where = project or find_project()
    root = store.root_of(where)
    recorded = _reproducible(where, run, here)
    files, missing = _find_data(where, recorded)
    if missing and here:
        raise _missing(recorded, missing)
    say = say or (lambda text: None)
    started = time.monotonic()
    with _place(where, recorded, files, here, say) as place:
        _remake(place, recorded, missing, say)
        stamp = "".join(c for c in store.now() if c.isalnum())
        folder = root / "runs" / recorded.run_id / "reproductions" / stamp
        again, message = _run_again(place, recorded, say)
        verdict = _judge(where, recorded, again, message, here, time.monotonic() - started, folder)
        _keep(root, verdict, again, folder)
    return verdict


def _reproducible(project: Project, run: str, here: bool) -> Capsule:
    store.close_dead_runs(store.root_of(project))
    line = store.get_run(run, project=project)
    if line.status != "FINISHED":
        raise RefusedError(
            f"run {line.run_id} must have FINISHED to be reproduced; got {line.status}. {line.message}".strip()
        )
    problems = verify_run(line.run_id, project=project)
    if problems:
        raise IntegrityError(f"run {line.run_id} must be as recorded; {problems[0]}.")
    recorded = store.load_capsule(line.run_id, project=project)
    if here:
        return recorded
    if not recorded.pinned:
        reasons = "; ".join(recorded.unpinned_reasons)
        raise RefusedError(
            f"run {recorded.run_id} must be pinned to be reproduced; it is not: {reasons}. Commit and run again, "
            "or use --here to compare with what the working tree gives today."
        )
    if recorded.commit is None or not git.has_commit(project.root, recorded.commit):
        raise RefusedError(f"commit {recorded.commit} must be in the repository; got none. Fetch it.")
    return recorded


def _find_data(project: Project, recorded: Capsule) -> tuple[dict[str, Path], list[dict[str, Any]]]:
    """Path in the project and a file with the recorded bytes, for every read; and the reads without one."""
    found, missing = dict[str, Path](), list[dict[str, Any]]()
    for read in recorded.data:
        candidates = [project.root / read["path"], *_in_dvc_cache(project, read.get("dvc_md5"))]
        source = next((p for p in candidates if _has(p, read["file_sha256"])), None)
        if source is None:
            missing.append(read)
        else:
            found[read["path"]] = source
    return found, missing


def _has(path: Path, digest: str) -> bool:
    return path.is_file() and digest_file(path) == digest


def _missing(recorded: Capsule, reads: list[dict[str, Any]]) -> DataError:
    names = [f"{r['name']} ({r['path']}, SHA-256 {str(r['file_sha256'])[:12]}...)" for r in reads]
    return DataError(
        f"data of run {recorded.run_id} must be at hand with the recorded digest; missing: {', '.join(names)}. "
        "The notebook was not run. Try dvc checkout, or the ingest stage: dvc repro."
    )


def _remake(place: _Place, recorded: Capsule, missing: list[dict[str, Any]], say: Callable[[str], None]) -> None:
    """Make missing data anew with the ingest of the recorded commit, and check the digest."""
    names = sorted({read["name"] for read in missing})
    for step in ("ingest", "curate") if names else ():
        say(f"missing data: {step} {', '.join(names)}")
        call = [sys.executable, "-m", "research", "data", step, *names]
        subprocess.run(call, cwd=place.root, env=place.env(), capture_output=True, check=False)
    wrong = [read for read in missing if not _has(place.root / read["path"], read["file_sha256"])]
    if wrong:
        raise _missing(recorded, wrong)


def _in_dvc_cache(project: Project, md5: str | None) -> list[Path]:
    """Where DVC keeps content of this name."""
    if not md5:
        return []
    caches = [project.root / ".dvc" / "cache"]
    for name in ("config", "config.local"):
        settings = configparser.ConfigParser()
        settings.read(project.root / ".dvc" / name, encoding="utf-8")
        if given := settings.get("cache", "dir", fallback=None):
            caches.append(project.root / ".dvc" / given)  # an absolute path stays what it is
    return [cache / "files" / "md5" / md5[:2] / md5[2:] for cache in caches]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a re-run takes place."""

    root: Path  # of the project
    source: Path | None  # its src/, when the code must come from there
    store: Path

    def env(self) -> dict[str, str]:
        """The environment of a command that works here, with the code that stands here."""
        own = {"RESEARCH_PROJECT": str(self.root), "RESEARCH_STORE": str(self.store), "RESEARCH_MLFLOW": "off"}
        code = {"RESEARCH_SOURCE": str(self.source), "PYTHONPATH": str(self.source)} if self.source else {}
        return {**os.environ, **own, **code}


@contextmanager
def _place(
    project: Project, recorded: Capsule, files: dict[str, Path], here: bool, say: Callable[[str], None]
) -> Iterator[_Place]:
    with tempfile.TemporaryDirectory(prefix="research-reproduce-") as folder:
        base = Path(folder).resolve()
        if here:
            yield _Place(project.root, None, base / "store")
            return
        tree = base / "tree"
        say(f"clean checkout of {str(recorded.commit)[:12]}")
        try:
            root = git.add_worktree(project.root, str(recorded.commit), tree)
            for path, source in files.items():
                target = root / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.unlink(missing_ok=True)
                shutil.copyfile(source, target)
            source_folder = root / "src"
            yield _Place(root, source_folder if (source_folder / "research").is_dir() else None, base / "store")
        finally:
            git.remove_worktree(project.root, tree)


def _run_again(place: _Place, recorded: Capsule, say: Callable[[str], None]) -> tuple[Capsule | None, str]:
    """The capsule of the re-run, or why there is none."""
    place.store.mkdir(parents=True)
    parameters = place.store / "parameters.json"
    parameters.write_text(json.dumps(recorded.parameters), encoding="utf-8")
    call = [sys.executable, "-m", "research", "run", recorded.notebook, "-f", str(parameters), "--force", "--json"]
    with tempfile.TemporaryFile("w+") as output:  # a pipe that nobody empties would stop the child
        with subprocess.Popen(
            call, cwd=place.root, env=place.env(), stdout=output, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stderr is not None
            tail: list[str] = []
            for line in process.stderr:
                tail = [*tail[-5:], line.rstrip()]
                if line.startswith("  cell "):
                    say(line.rstrip())
        output.seek(0)
        answer = output.read()
    if process.returncode == 0:
        return capsule.read(Path(json.loads(answer)["folder"])), ""
    try:
        message = str(json.loads(answer)["message"])
    except (ValueError, KeyError):
        message = " ".join(tail) or f"exit code {process.returncode}"
    return None, f"the re-run failed: {message}"


def _judge(
    project: Project, recorded: Capsule, again: Capsule | None, message: str, here: bool, seconds: float, folder: Path
) -> Reproduction:
    verdicts = compare(recorded, again) if again is not None else []
    person = git.operator(project.root)
    return Reproduction(
        run_id=recorded.run_id,
        verdict=overall(verdicts) if again is not None else NOT_REPRODUCED,
        results=verdicts,
        causes=causes(recorded, again) if again is not None else [],
        message=message,
        at=store.now(),
        seconds=round(seconds, 3),
        operator=person["git_email"] or person["user"],
        commit=recorded.commit,
        here=here,
        record=recorded.record,
        identity=recorded.identity,
        identity_again=again.identity if again is not None else None,
        folder=f"reproductions/{folder.name}",
    )


def _keep(root: Path, verdict: Reproduction, again: Capsule | None, folder: Path) -> None:
    """Verdict and re-run into the run's folder, and a line into the index."""
    if again is not None:
        shutil.copytree(again.folder, folder, ignore=shutil.ignore_patterns("*.html", "opened.json"))
    folder.mkdir(parents=True, exist_ok=True)
    data = canonical_json(verdict.to_json())
    (folder / "verdict.json").write_bytes(data)
    store.add_reproduction(
        root,
        run_id=verdict.run_id,
        at=verdict.at,
        verdict=verdict.verdict,
        operator=verdict.operator,
        seconds=verdict.seconds,
        folder=verdict.folder,
        digest=digest_bytes(data),
    )
