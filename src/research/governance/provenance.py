"""Lineage of a run or a model: data -> notebook and code -> run -> evidence -> registered version, as plain facts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from research.governance import inventory, payload
from research.governance.lifecycle import Version
from research.governance.office import Office, open_office, resolve, split
from research.governance.realm import Realm
from research.lineage import load_capsule, reproductions, tracking
from research.lineage.capsule import Capsule
from research.project import Project


def offices(project: Project) -> list[Office]:
    """The firm's office, and the demo's once there is one."""
    demo = Realm(project, demo=True)
    return [open_office(Realm(project)), *([open_office(demo)] if demo.roles.is_file() else [])]


def is_model(project: Project, name: str) -> bool:
    """Whether `name`, or the part before its @, has a card."""
    return name.partition("@")[0] in inventory.names(project.governance / "inventory")


def of_run(project: Project, run: str) -> dict[str, Any]:
    """Where a run comes from, and what became of it."""
    capsule = load_capsule(run, project=project)
    every = [(office, version) for office in offices(project) for version in office.register().versions]
    return {
        "kind": "run",
        **_run(project, capsule),
        "versions": [_version(office, v) for office, v in every if v.run == capsule.run_id],
        "evidence_for": [
            {"model": v.model, "version": v.number, "demo": office.realm.demo}
            for office, v in every
            if capsule.run_id in {found["run"] for found in _evidence(v).values()}
        ],
    }


def of_model(project: Project, reference: str, *, demo: bool = False) -> dict[str, Any]:
    """Where a version comes from: without @, the one in production, else the newest."""
    office = open_office(Realm(project, demo=demo))
    model, which = split(reference)
    register = office.register()
    champion = register.champion(model)
    version = champion if not which and champion else resolve(register, reference)
    return {
        "kind": "model",
        **_version(office, version),
        "made_from": _run(project, load_capsule(version.run, project=project)),
        "evidence": list(_evidence_runs(project, version)),
    }


def _evidence(version: Version) -> dict[str, dict[str, Any]]:
    return {
        name: found for entry in version.steps("validate") for name, found in entry.facts.get("evidence", {}).items()
    }


def _evidence_runs(project: Project, version: Version) -> Iterator[dict[str, Any]]:
    for notebook, found in _evidence(version).items():
        capsule = load_capsule(found["run"], project=project)
        yield {
            "notebook": notebook,
            "run": found["run"],
            "record": found["record"],
            "unchanged": capsule.record == found["record"],
            "tests": [{"test": e["test"], "verdict": e["verdict"]} for e in capsule.evidence],
        }


def _run(project: Project, capsule: Capsule) -> dict[str, Any]:
    code, again = capsule.raw["code"], reproductions(capsule.run_id, project=project)
    return {
        "run": capsule.run_id,
        "status": capsule.status,
        "passed": capsule.passed,
        "pinned": capsule.pinned,
        "unpinned_reasons": capsule.unpinned_reasons,
        "operator": capsule.operator.get("git_email") or capsule.operator.get("user"),
        "started": capsule.times["started"],
        "record": capsule.record,
        "identity": capsule.identity,
        "mlflow_run": tracking.tracking_id(capsule.run_id, project=project),
        "data": [
            {k: read.get(k) for k in ("name", "as_of", "rows", "sha256", "dvc_md5", "path")} for read in capsule.data
        ],
        "notebook": {"path": capsule.notebook, "digest": capsule.raw["notebook"]["digest"]},
        "code": {
            "commit": capsule.commit,
            "files": len(capsule.closure),
            "core": code["core"],
            "digest": code["digest"],
        },
        "parameters": capsule.parameters,
        "metrics": {name: {"value": m["value"], "unit": m["unit"]} for name, m in capsule.metrics.items()},
        "tests": [{"test": e["test"], "verdict": e["verdict"]} for e in capsule.evidence],
        "reproduced": {k: again[0][k] for k in ("verdict", "at", "operator")} if again else None,
    }


def _version(office: Office, version: Version) -> dict[str, Any]:
    return {
        "model": version.model,
        "version": version.number,
        "demo": office.realm.demo,
        "registered_as": office.realm.registered_name(version.model),
        "state": version.state,
        "since": version.since.isoformat(),
        "tier": version.tier,
        "run_id": version.run,
        "payload": version.payload,
        "authors": list(dict.fromkeys(str(author) for author in version.authors)),
        "signatures": [
            {
                "step": entry.step,
                "person": entry.person,
                "recorded": entry.recorded.isoformat(),
                "effective": entry.effective.isoformat(),
                "entry": entry.seq,
                "hash": entry.hash,
                "note": entry.facts.get("note") or entry.facts.get("reason") or "",
            }
            for entry in version.entries
        ],
    }


def model(project: Project, reference: str, *, demo: bool = False, **when: Any) -> dict[str, Any]:
    """One model: its card, and every version in the firm's ledger and the demo's, with what has become of it."""
    name, which = split(reference)
    card = inventory.load_card(project.governance / "inventory", name)
    versions = []
    for office in offices(project):
        if demo and not office.realm.demo:
            continue
        register = office.register(**when)
        chosen = [resolve(register, reference)] if which and (demo or not office.realm.demo) else register.of(name)
        versions += [{**_version(office, v), **_now(office, v)} for v in chosen]
    return {"card": card.to_json(), "versions": versions}


def _now(office: Office, version: Version) -> dict[str, Any]:
    """Whether a version is still what was approved: does it reproduce, is its payload whole, is its code installed?"""
    folder, project = office.realm.payload(version.model, version.number), office.realm.project
    damage = payload.problems(folder, version.payload)
    changed = [] if damage else payload.changed_modules(payload.read_scorer(folder)["modules"])
    differs = f"{len(changed)} files differ from the approved ones: {', '.join(changed[:3])}"
    code = "unknown" if damage else differs if changed else "as approved"
    again = reproductions(version.run, project=project)
    return {
        "reproduced": again[0]["verdict"] if again else None,
        "payload_now": "whole" if not damage else "; ".join(damage),
        "code_now": code,
        "evidence": _evidence(version),
    }


def overview(project: Project, **when: Any) -> list[dict[str, Any]]:
    """One line a model and realm: what is in use, since when, by whose signature, and whether it still reproduces."""
    lines = []
    for name in inventory.names(project.governance / "inventory"):
        card = inventory.load_card(project.governance / "inventory", name)
        for office in offices(project):
            register = office.register(**when)
            versions = register.of(name)
            if not versions and office.realm.demo:
                continue
            version = register.champion(name) or (versions[-1] if versions else None)
            again = reproductions(version.run, project=project) if version else []
            lines.append(
                {
                    "model": name,
                    "demo": office.realm.demo,
                    "tier": card.tier,
                    "owner": card.owner,
                    "state": version.state if version else "proposed",
                    "version": version.number if version else None,
                    "since": version.since.isoformat() if version else None,
                    "run": version.run if version else None,
                    "signers": list(dict.fromkeys(e.person for e in version.entries)) if version else [],
                    "reproduced": again[0]["verdict"] if again else None,
                    "next_review": card.next_review.isoformat(),
                }
            )
    return lines
