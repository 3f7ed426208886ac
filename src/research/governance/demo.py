"""The demo's own little firm: three people, their keys and their ledger under `mlruns/demo/`, made on first use.

One runs and submits, one validates, one approves. The git authors of this repository are in the author set as they
are; the run's operator, whoever that is on this machine, is the demo's researcher. So the researcher's own attempt to
approve is refused, and the other two can act on any clone.
"""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from research.errors import RefusedError
from research.governance import payload, projection, promotion, signatures
from research.governance.lifecycle import Version
from research.governance.office import Office, open_office
from research.governance.promotion import Signer
from research.governance.realm import Realm
from research.lineage import git, load_capsule, reproductions
from research.lineage.locks import file_lock
from research.project import Project, find_project

RESEARCHER, VALIDATOR, APPROVER = "demo-researcher", "demo-validator", "demo-approver"
PEOPLE: dict[str, tuple[str, tuple[str, ...]]] = {
    RESEARCHER: ("Demo Researcher", ("developer", "operator", "approver")),  # may approve, but not his own work
    VALIDATOR: ("Demo Validator", ("validator",)),
    APPROVER: ("Demo Approver", ("approver", "owner")),
}
SIGNS = {"submit": RESEARCHER, "validate": VALIDATOR, "approve": APPROVER, "promote": APPROVER, "retire": APPROVER}


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What the demo did, line by line."""

    model: str
    version: int
    run: str
    changed: bool
    lines: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return "\n".join(self.lines)


def people(project: Project | None = None) -> Realm:
    """Make the demo's people and keys unless they are there; the demo's realm."""
    realm = Realm(project or find_project(), demo=True)
    with file_lock(realm.home / ".people.lock"):
        if not realm.roles.is_file():
            _make_people(realm)
    return realm


def _make_people(realm: Realm) -> None:
    from ruamel.yaml import YAML

    operator = git.operator(realm.project.root)
    mine = {str(operator["git_email"] or "researcher@demo.invalid"), "researcher@demo.invalid"}
    found: list[dict[str, Any]] = []
    for name, (full_name, roles) in PEOPLE.items():
        (realm.keys / f"{name}.pem").unlink(missing_ok=True)  # left by a first use that was killed
        _, public = signatures.generate_key(name, realm.keys)
        me = name == RESEARCHER
        emails = sorted(mine) if me else [f"{name.removeprefix('demo-')}@demo.invalid"]
        found.append(
            {
                "name": name,
                "full_name": full_name,
                "emails": emails,
                "users": [_login()] if me else [],
                "roles": list(roles),
                "keys": [{"public": signatures.public_text(public)}],
            }
        )
    partial = realm.roles.with_suffix(".partial")
    with open(partial, "w", encoding="utf-8") as out:
        out.write("# The demo's people: made on first use, known to the demo's ledger only.\n")
        YAML(typ="safe", pure=True).dump({"people": found}, out)
    partial.replace(realm.roles)


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def signer(realm: Realm, name: str) -> Signer:
    """A demo person with the key that lies beside the demo's ledger."""
    return Signer(name=name, key=realm.keys / f"{name}.pem")


def promote_demo(
    run: str, model: str = "heston_dax", *, evidence: Sequence[str] = (), project: Project | None = None
) -> Summary:
    """Take a run all the way to production in the demo's ledger, refuse the author once on the way, load it and price.

    Run again with the same run and code it checks ledger, payload, code and alias, changes nothing and says so; a new
    run, or new code, becomes a new version.

    Parameters
    ----------
    run : str
        A pinned run of the card's notebook: its id, a unique part of it, or "latest".
    evidence : run ids, default the newest fitting run of each validation notebook on the card
    """
    realm = people(project)
    office = open_office(realm)
    capsule = load_capsule(run, project=realm.project)
    lines: list[str] = []
    version = _current(office, model, capsule.run_id)
    changed = version is None
    if version is None:
        _submit(office, model, capsule.run_id, lines)
        _reproduce(realm.project, capsule.run_id, lines)
        _validate_and_approve(office, model, evidence, lines)
        version = office.register().champion(model)
        assert version is not None
    else:
        lines.append(
            f"{model} version {version.number} is in production already, from this run and this code: nothing changed."
        )
    if changed or projection.drift(office):
        lines += [f"registry: {line}" for line in projection.sync(office)]
    if changed:
        lines += _price(model, realm.project)
    return Summary(model=model, version=version.number, run=capsule.run_id, changed=changed, lines=lines)


def _usable(office: Office, version: Version) -> bool:
    """Whether a version's payload is whole and runs the code that is installed."""
    folder = office.realm.payload(version.model, version.number)
    return not (
        payload.problems(folder, version.payload) or payload.changed_modules(payload.read_scorer(folder)["modules"])
    )


def _current(office: Office, model: str, run: str) -> Version | None:
    """The champion, if it was made from this run and from the code that is installed."""
    champion = office.register().champion(model)
    return champion if champion is not None and champion.run == run and _usable(office, champion) else None


def _submit(office: Office, model: str, run: str, lines: list[str]) -> None:
    """Submit the run, unless an earlier demo was stopped after it."""
    waiting = [v for v in office.register().of(model) if v.state in ("submitted", "validated", "approved")]
    for version in waiting:
        if version.run == run and version is waiting[-1] and _usable(office, version):
            lines.append(f"submitted before: version {version.number}, {version.state}")
            return
        promotion.retire(
            office, f"{model}@{version.number}", signer(office.realm, APPROVER), reason="another was submitted"
        )
    entry = promotion.submit(office, run, model, signer(office.realm, RESEARCHER))
    authors = ", ".join(dict.fromkeys(str(a["name"] or a["email"] or a["user"]) for a in entry.facts["authors"]))
    lines.append(f"submitted: version {entry.version}, run {run}, by {RESEARCHER}; authors: {authors}")


def _reproduce(project: Project, run: str, lines: list[str]) -> None:
    """Re-run in a clean checkout, unless there is a verdict already."""
    if not reproductions(run, project=project):
        from research.experiments import reproduce

        reproduce(run, project=project)
    lines.append(f"reproduced: {reproductions(run, project=project)[0]['verdict']}")


def _validate_and_approve(office: Office, model: str, evidence: Sequence[str], lines: list[str]) -> None:
    state = office.register().of(model)[-1].state
    if state == "submitted":
        entry = promotion.validate(office, model, signer(office.realm, VALIDATOR), evidence=evidence)
        tests = ", ".join(found["run"] for found in entry.facts.get("evidence", {}).values())
        lines.append(f"validated: by {VALIDATOR}, on the evidence of {tests or 'its reproduction'}")
        state = "validated"
    if state == "validated":
        try:
            promotion.approve(office, model, signer(office.realm, RESEARCHER))
        except RefusedError as refusal:
            lines.append(f"refused, as it should be: {refusal}")
        promotion.approve(office, model, signer(office.realm, APPROVER))
        lines.append(f"approved: by {APPROVER}")
    entry = promotion.promote(office, model, signer(office.realm, APPROVER))
    lines.append(f"promoted: {model} version {entry.version}, ledger entry {entry.seq}, {entry.hash[:12]}")


def _price(model: str, project: Project) -> list[str]:
    """Load the champion through the public door, as a user would, and price its example."""
    import research

    served = research.load(f"{model}@champion", demo=True, project=project)
    return ["loaded:", *(f"  {line}" for line in f"{served!r}\n{served.price(served.example()).round(4)}".splitlines())]
