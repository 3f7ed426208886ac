"""Where the evidence for a step is found: the files that are the model's own, its reproduction, its validation runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from research.errors import InputError, IntegrityError, RefusedError, rule
from research.fingerprint import digest_bytes
from research.governance.inventory import Card
from research.governance.rules import Pack
from research.lineage import git, list_runs, load_capsule, reproductions, verify_run
from research.lineage.capsule import Capsule
from research.project import Project

_ROOMS = "src/research/"
_CORE = "src/research/core/"


def damage(project: Project, run: str) -> list[str]:
    """What is wrong with a recorded run; also when a capsule is too damaged to be read."""
    try:
        return verify_run(run, project=project)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return [f"capsule.json of run {run} must hold what a capsule holds; got a damaged file ({error!r})"]


def own_files(root: Path, capsule: Capsule, modules: dict[str, str], pack: Pack) -> list[str]:
    """The notebook, and every file that the run or the scorer executed and that is not shared ground.

    The closure holds all of `core/` if any of it; of that, kernels that only other rooms use are left out. Kernels of
    `models/heston.py` live in `core/models/heston.py`, so a kernel file counts when its twin above does, or when it
    has no twin and its room does.
    """
    files = {capsule.notebook, *capsule.closure, *(f"src/{name}" for name in modules)}
    above = {path for path in files if not path.startswith(_CORE)}
    rooms = {path.removeprefix(_ROOMS).partition("/")[0] for path in above if path.startswith(_ROOMS)}

    def belongs(path: str) -> bool:
        if not path.startswith(_CORE):
            return True
        below = path.removeprefix(_CORE)
        twin = _ROOMS + below
        return twin in above or (("/" not in below or below.partition("/")[0] in rooms) and not (root / twin).is_file())

    return sorted(path for path in files if belongs(path) and not pack.is_shared(path))


def uncommitted(root: Path, capsule: Capsule, modules: dict[str, str]) -> list[str]:
    """Modules of the scorer that are not the run's own code, or not what is committed at HEAD."""
    wanted = {f"src/{name}": digest for name, digest in modules.items()}
    found = []
    for path, content in git.contents(root, wanted).items():
        if capsule.closure.get(path, wanted[path]) != wanted[path]:
            found.append(f"{path} must be the code of the run; it was edited since. Run the notebook again")
        elif content is None or digest_bytes(content) != wanted[path]:
            found.append(f"{path} must be committed; got {'edits' if content is not None else 'a new file'}")
    return found


def reproduction(project: Project, capsule: Capsule) -> dict[str, Any] | None:
    """The newest verdict of a re-run in a clean checkout, as its report says; None when there is none.

    Raises
    ------
    IntegrityError
        When the report is not the one whose digest was kept.
    """
    for found in reproductions(capsule.run_id, project=project):
        report = _report(project, found)
        if not report["here"] and report["record"] == capsule.record:
            return {key: found[key] for key in ("verdict", "at", "operator", "digest")}
    return None


def _report(project: Project, found: dict[str, Any]) -> dict[str, Any]:
    """The report behind one line of the index."""
    path = project.mlruns / "runs" / found["run_id"] / found["folder"] / "verdict.json"
    content = path.read_bytes() if path.is_file() else b""
    if digest_bytes(content) != found["digest"]:
        raise IntegrityError(
            f"report of the reproduction of {found['run_id']} must have the digest in the index; "
            "it was changed or removed."
        )
    report: dict[str, Any] = json.loads(content)
    if report["verdict"] != found["verdict"]:
        raise IntegrityError(
            f"verdict on {found['run_id']} must be the report's, {report['verdict']}; "
            f"the index says {found['verdict']}."
        )
    return report


def changed_reports(project: Project, run: str) -> list[str]:
    """Reports of reproductions of a run that are not as they were kept."""
    found = []
    for line in reproductions(run, project=project):
        try:
            _report(project, line)
        except IntegrityError as error:
            found.append(str(error))
    return found


def evidence_runs(project: Project, card: Card, candidate: Capsule, asked: Sequence[str]) -> dict[str, Capsule]:
    """A passed, pinned run for each validation notebook of the card: those asked for, else the newest fitting one."""
    if asked:
        given = {}
        for run in asked:
            capsule = load_capsule(run, project=project)
            if capsule.notebook not in card.evidence:
                known = ", ".join(card.evidence) or "none"
                raise InputError(
                    rule("evidence", f"be runs of the card's validation notebooks ({known})", capsule.notebook)
                )
            given[capsule.notebook] = capsule
        return {notebook: _sound(project, capsule) for notebook, capsule in given.items()}
    found = {}
    for notebook in card.evidence:
        runs = [
            run
            for run in list_runs(notebook=notebook, status="FINISHED", project=project)
            if run.pinned and run.passed and run.notebook == notebook
        ]
        capsules = [load_capsule(run.run_id, project=project) for run in runs[:20]]
        fitting = [c for c in capsules if c.raw["code"]["core"] == candidate.raw["code"]["core"]]
        if fitting or capsules:
            found[notebook] = _sound(project, (fitting or capsules)[0])
    return found


def _sound(project: Project, capsule: Capsule) -> Capsule:
    """The capsule, if its run is pinned, passed, and as recorded."""
    if not capsule.pinned or capsule.passed is not True:
        state = "unpinned" if not capsule.pinned else f"passed = {capsule.passed}"
        raise RefusedError(f"evidence must be a pinned run that passed; got {capsule.run_id}, {state}.")
    problems = damage(project, capsule.run_id)
    if problems:
        raise RefusedError(f"evidence must be as recorded; {problems[0]}")
    return capsule
