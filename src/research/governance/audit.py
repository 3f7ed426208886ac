"""Audit: is everything that was recorded, signed and approved still what it was? Every byte, offline.

| looked at | against |
|---|---|
| the ledgers (the firm's, the demo's) | canonical form, chain, signatures, a published head |
| each entry's effect | the rule pack: roles, authorship, quorum, order |
| payloads of all versions | the digest that was signed, and the manifest |
| capsules of all runs | the index, the ledger, their own digests |
| artifacts of all runs, and MLflow's copies of them | the capsule |
| reports of reproductions | the index |
| MLflow's aliases | the ledger |
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from research.errors import IntegrityError, ResearchError
from research.governance import evidence, payload, projection
from research.governance.ledger import Head
from research.governance.office import Office, open_office
from research.governance.realm import Realm
from research.lineage import list_runs, load_capsule, registry
from research.project import Project


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What was looked at, and everything that is wrong."""

    problems: tuple[str, ...]
    checked: dict[str, int]  # what: how many
    heads: dict[str, Head | None]  # realm: last entry of its ledger

    @property
    def ok(self) -> bool:
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        heads = {name: {"seq": head.seq, "hash": head.hash} if head else None for name, head in self.heads.items()}
        return {"ok": self.ok, "problems": list(self.problems), "checked": self.checked, "heads": heads}


def verify(project: Project, *, head: str | None = None) -> Audit:
    """Look at everything.

    Parameters
    ----------
    head : str, optional
        The hash of a ledger's last entry as published earlier, at least 12 digits: finds a removed tail.
    """
    problems: list[str] = []
    checked = {"entries": 0, "versions": 0, "runs": 0, "artifacts": 0}
    heads: dict[str, Head | None] = {}
    realms = [Realm(project), Realm(project, demo=True)]
    offices = {"demo" if r.demo else "firm": open_office(r) for r in realms if r.ledger.is_file() or not r.demo}
    for name, office in offices.items():
        found = list(_office(office, checked))
        problems += [f"demo: {p}" for p in found] if office.realm.demo else found
        heads[name] = _head(office)
    if head is not None:
        missing = [office.ledger.verify(office.people, head=head)[-1:] for office in offices.values()]
        known = any(not m or "the published head" not in m[0] for m in missing)
        problems += [] if known else missing[0]
    problems += _runs(project, checked)
    return Audit(problems=tuple(problems), checked=checked, heads=heads)


def _head(office: Office) -> Head | None:
    try:
        return office.ledger.head()
    except IntegrityError:
        return None


def _office(office: Office, checked: dict[str, int]) -> Iterator[str]:
    """Problems of one ledger and of all that hangs on it."""
    broken = office.ledger.verify(office.people)
    yield from broken
    if broken:  # what a broken ledger says is not worth comparing anything with
        return
    register = office.register()
    yield from register.problems
    checked["entries"] += len(office.ledger.entries())
    for version in register.versions:
        checked["versions"] += 1
        name = f"{version.model} version {version.number}"
        yield from (
            f"{name}: {p}"
            for p in payload.problems(office.realm.payload(version.model, version.number), version.payload)
        )
        try:
            record = load_capsule(version.run, project=office.realm.project).record
        except ResearchError as error:
            yield f"{name}: its run must be there; {error}"
            continue
        if record != version.record:
            yield f"{name}: capsule of run {version.run} must have the digest that was signed; its file was changed"
    yield from projection.drift(office)


def _runs(project: Project, checked: dict[str, int]) -> Iterator[str]:
    """Problems of the recorded runs, and of what MLflow shows of them."""
    known = set()
    for run in list_runs(project=project):
        known.add(run.run_id)
        if run.status == "RUNNING":
            continue
        if run.record is None and not (project.mlruns / "runs" / run.run_id / "capsule.json").exists():
            continue  # killed before anything was recorded
        checked["runs"] += 1
        problems = evidence.damage(project, run.run_id)
        yield from (f"run {run.run_id}: {p}" for p in problems)
        if run.record is None or problems:
            continue
        capsule = load_capsule(run.run_id, project=project)
        checked["artifacts"] += len(capsule.artifacts)
        for name in registry.changed_copies(project, capsule):
            yield f"run {run.run_id}: MLflow's copy of {name} must be the recorded file; it was changed"
        yield from evidence.changed_reports(project, run.run_id)
    folders = project.mlruns / "runs"
    for folder in sorted(folders.iterdir()) if folders.is_dir() else []:
        if folder.is_dir() and folder.name not in known:
            yield f"run {folder.name}: its folder must stand in the index; it does not"
