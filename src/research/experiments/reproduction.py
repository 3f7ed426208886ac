"""Reproduce a run: its commit in a clean git worktree, its data by digest, its parameters; a verdict, and the cause.

The whole of `research run` of that commit does the work, in its own process with its own `src/` first on the
path (asserted there), into a store of its own; only the command line and the capsule are shared with today's code.
Three depths: here (the working tree), pinned (a worktree of the commit), and pinned in a fresh environment made from
the run's lock. The verdict is kept in the run's folder and in the index.
"""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from research.errors import DataError, IntegrityError, RefusedError
from research.experiments import causes, factors, fresh
from research.experiments.causes import Cause
from research.experiments.comparison import NOT_REPRODUCED, ResultVerdict, compare, overall
from research.experiments.jsonable import to_json
from research.experiments.place import Again, Place, Say, find_data, has, put_data, run_again, workplace
from research.fingerprint import canonical_json, digest_bytes
from research.lineage import git, store
from research.lineage.capsule import Capsule
from research.lineage.verify import verify_run
from research.project import Project, find_project

SCHEMA = "research.verdict/1"
LONG_S = 600.0  # a notebook that takes longer is not run again without being asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduction:
    """How a re-run ended."""

    run_id: str
    verdict: str  # REPRODUCED EXACTLY, REPRODUCED WITHIN TOLERANCE, NOT REPRODUCED
    results: list[ResultVerdict]
    causes: list[str]  # why it is not reproduced; else what was not the same besides the results
    explained: list[Cause]  # the causes, with what proved them
    message: str  # why there is nothing to compare, if so
    at: str
    seconds: float
    operator: str | None
    commit: str | None
    here: bool  # in the working tree, not in a clean checkout
    depth: str  # here, pinned, fresh environment
    hermetic: dict[str, Any] | None  # what a hermetic re-run was kept from, and by what
    record: str  # of the run
    identity: str  # of the run
    identity_again: str | None
    folder: str

    @property
    def reproduced(self) -> bool:
        return self.verdict != NOT_REPRODUCED

    def to_json(self) -> dict[str, Any]:
        names = [name for name in self.__dataclass_fields__ if name not in ("results", "explained")]
        facts = {name: getattr(self, name) for name in names}
        lists = {key: [item.to_json() for item in getattr(self, key)] for key in ("results", "explained")}
        return to_json({"schema": SCHEMA, **facts, **lists})


def reproduce(
    run: str = "latest",
    *,
    project: Project | None = None,
    here: bool = False,
    fresh_env: bool = False,
    hermetic: bool = False,
    explain: bool | None = None,
    packages: bool = False,
    python: Path | None = None,
    say: Say | None = None,
) -> Reproduction:
    """Re-run a recorded run and compare.

    Parameters
    ----------
    here : bool, default False
        Run in the working tree with today's code; the only way for a run that is not pinned.
    fresh_env : bool, default False
        In a new environment made from the run's own lock, kept for the next time.
    hermetic : bool, default False
        Without network and without files that are not declared; a hermetic run is always reproduced so.
    explain : bool, default None
        When it is not reproduced, run again with one thing swapped at a time until the cause is found. None: unless
        the notebook takes more than ten minutes; then what differs is listed, and nothing is swapped.
    packages : bool, default False
        Make the environment of the run's lock, if need be, to find the package that is the cause.
    python : Path
        The interpreter of the re-run; this one by default.
    say : callable
        Called with a line of text as the work goes on.

    Raises
    ------
    RefusedError
        When the run is not pinned, did not finish, was altered, its commit is gone, or its lock cannot be installed.
    DataError
        When data are missing; said before anything runs.
    """
    where = project or find_project()
    root = store.root_of(where)
    if here and fresh_env:
        raise RefusedError("--fresh-env must go with the commit of the run; got --here. Leave out one of them.")
    recorded = _reproducible(where, run, here)
    files, missing = find_data(where, recorded)
    if missing and (here and not _changed_only(where, missing)):
        raise _missing(recorded, missing)
    say = say or (lambda text: None)
    chosen = fresh.environment_of(where, recorded, say) if fresh_env else python
    started = time.monotonic()
    with _place(where, recorded, here, say) as bare:
        shut = hermetic or bool(recorded.raw.get("hermetic"))
        place = dataclasses.replace(bare, hermetic=shut, python=chosen or bare.python)
        if not here:
            put_data(place, files)
            _remake(place, recorded, missing, say)
        stamp = "".join(c for c in store.now() if c.isalnum())
        folder = root / "runs" / recorded.run_id / "reproductions" / stamp
        again = run_again(place, recorded.notebook, recorded.parameters, say)
        verdicts = compare(recorded, again.capsule) if again.capsule is not None else []
        bad = again.capsule is None or overall(verdicts) == NOT_REPRODUCED
        why: list[Cause] = []
        if bad and explain is not False:
            say("not reproduced; looking for the cause")
            swap = explain is True or time.monotonic() - started <= LONG_S
            if not swap:
                say("nothing is swapped: a trial takes more than ten minutes; --cause does it")
            maker = _maker(where, recorded, say, packages)
            why = _why(where, recorded, again, place, files, missing, say, maker if swap else None, swap=swap)
        depth = "here" if here else "fresh environment" if fresh_env else "pinned"
        seconds = time.monotonic() - started
        verdict = _judge(where, recorded, again, verdicts, why, depth, seconds, folder)
        _keep(root, verdict, again.capsule, folder)
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
        raise RefusedError(
            f"commit {recorded.commit} of run {recorded.run_id} must be in the repository; got none: it was rewritten, "
            "garbage-collected or never fetched. The notebook was not run. Try git fetch --all, or --here."
        )
    return recorded


def _changed_only(project: Project, missing: list[dict[str, Any]]) -> bool:
    """Whether every data set has a file here, if not with the recorded bytes: --here runs on what there is today."""
    return all((project.root / read["path"]).is_file() for read in missing)


def _missing(recorded: Capsule, reads: list[dict[str, Any]]) -> DataError:
    names = [f"{r['name']} ({r['path']}, SHA-256 {str(r['file_sha256'])[:12]}...)" for r in reads]
    return DataError(
        f"data of run {recorded.run_id} must be at hand with the recorded digest; missing: {', '.join(names)}. "
        "The notebook was not run. Try dvc checkout, dvc fetch, or the ingest stage: dvc repro."
    )


def _remake(place: Place, recorded: Capsule, missing: list[dict[str, Any]], say: Say) -> None:
    """Make missing data anew with the ingest of the recorded commit, and check the digest."""
    names = sorted({read["name"] for read in missing})
    for step in ("ingest", "curate") if names else ():
        say(f"missing data: {step} {', '.join(names)}")
        call = [str(place.python), "-m", "research", "data", step, *names]
        subprocess.run(call, cwd=place.root, env=place.env(), capture_output=True, check=False)
    wrong = [read for read in missing if not has(place.root / read["path"], read["file_sha256"])]
    if wrong:
        raise _missing(recorded, wrong)


@contextmanager
def _place(project: Project, recorded: Capsule, here: bool, say: Say) -> Iterator[Place]:
    if not here:
        say(f"clean checkout of {str(recorded.commit)[:12]}")
    with workplace(project, here=here, commit=recorded.commit) as place:
        yield place


def _maker(project: Project, recorded: Capsule, say: Say, wanted: bool) -> Callable[[], Path] | None:
    """Gives the locked environment if it may be made or is there; None when packages are not to be swapped."""
    try:
        lock = fresh.lock_of(project, recorded)
    except RefusedError:
        return None
    if not wanted and not fresh.is_made(fresh.folder_of(lock, str(recorded.environment["python"]))):
        return None
    return lambda: fresh.environment_of(project, recorded, say)


def _why(
    project: Project,
    recorded: Capsule,
    again: Again,
    place: Place,
    files: dict[str, Path],
    missing: list[dict[str, Any]],
    say: Say,
    python: Callable[[], Path] | None,
    *,
    swap: bool,
) -> list[Cause]:
    """The causes; on a worktree of its own, so that what ran stays as it is."""
    commit = recorded.commit
    gone = commit is None or not git.has_commit(project.root, commit) or (missing and place.root == project.root)
    if commit is None or gone or not swap:
        if missing and place.root == project.root:
            names = ", ".join(sorted({read["name"] for read in missing}))
            say(f"nothing is swapped: the recorded bytes of {names} are gone")
        return causes.explain(project, recorded, again, place, None, files, say)
    held = {
        read["path"]: place.root / read["path"]
        for read in recorded.data
        if has(place.root / read["path"], read["file_sha256"])
    }
    with workplace(project, commit=commit) as original:
        original = dataclasses.replace(original, python=place.python, hermetic=place.hermetic)
        return causes.explain(project, recorded, again, place, original, {**held, **files}, say, python=python)


def _judge(
    project: Project,
    recorded: Capsule,
    again: Again,
    verdicts: list[ResultVerdict],
    why: list[Cause],
    depth: str,
    seconds: float,
    folder: Path,
) -> Reproduction:
    person = git.operator(project.root)
    made = again.capsule
    differences = [factor.text() for factor in factors.differing(recorded, made)] if made is not None else []
    return Reproduction(
        run_id=recorded.run_id,
        verdict=overall(verdicts) if made is not None else NOT_REPRODUCED,
        results=verdicts,
        causes=[cause.sentence() for cause in why] or differences[:20],
        explained=why,
        message=again.message,
        at=store.now(),
        seconds=round(seconds, 3),
        operator=person["git_email"] or person["user"],
        commit=recorded.commit,
        here=depth == "here",
        depth=depth,
        hermetic=made.raw.get("hermetic") if made is not None else None,
        record=recorded.record,
        identity=recorded.identity,
        identity_again=made.identity if made is not None else None,
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
