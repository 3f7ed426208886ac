"""The models of the inventory: every version with its state and signatures, from the firm's ledger and the demo's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from research.errors import ResearchError

if TYPE_CHECKING:
    from research.governance.realm import Realm
    from research.project import Project


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One ledger entry."""

    step: str
    person: str
    at: str  # ISO time at which the ledger learned it
    keyid: str
    entry: int
    outcome: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One version of one model; version 0 stands for a card without a submission."""

    name: str
    title: str
    purpose: str
    owner: str
    tier: int | None
    demo: bool
    notebook: str = ""  # whose run is promoted
    evidence: tuple[str, ...] = ()  # notebooks whose runs validate it
    version: int = 0
    state: str = "proposed"
    run: str = ""
    record: str = ""
    signatures: list[Signature] = field(default_factory=list)

    @property
    def reference(self) -> str:
        return f"{self.name}@{'champion' if self.state == 'production' else self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The state of one ledger."""

    demo: bool
    entries: int
    head: str
    problem: str = ""


def models(project: Project) -> tuple[list[Model], list[Ledger]]:
    """Versions by name and number, the firm's before the demo's; and the ledgers that exist."""
    from research.governance.realm import Realm

    found: list[Model] = []
    ledgers: list[Ledger] = []
    for demo in (False, True):
        realm = Realm(project, demo)
        if realm.ledger.is_file():
            versions, ledger = _realm(realm)
            found += versions
            ledgers.append(ledger)
    submitted = {model.name for model in found}
    proposed = [Model(**_card(project, name), demo=False) for name in _cards(project) if name not in submitted]
    return proposed + sorted(found, key=lambda m: (m.demo, m.name, m.version)), ledgers


def _realm(realm: Realm) -> tuple[list[Model], Ledger]:
    from research.governance.office import open_office

    try:
        office = open_office(realm)
        register, head = office.register(), office.ledger.head()
    except ResearchError as error:
        return [], Ledger(demo=realm.demo, entries=0, head="", problem=str(error))
    state = Ledger(
        demo=realm.demo,
        entries=head.seq + 1 if head else 0,
        head=head.hash if head else "",
        problem="; ".join(register.problems),
    )
    return [_version(realm, version) for version in register.versions], state


def _version(realm: Realm, version: Any) -> Model:
    signatures = [
        Signature(
            step=entry.step,
            person=entry.person,
            at=entry.recorded.isoformat(),
            keyid=entry.keyid,
            entry=entry.seq,
            outcome=str(entry.facts.get("outcome", "")),
        )
        for entry in version.entries
    ]
    card = _card(realm.project, version.model) | {"tier": version.tier}
    return Model(
        **card,
        demo=realm.demo,
        version=version.number,
        state=version.state,
        run=version.run,
        record=version.record,
        signatures=signatures,
    )


def _cards(project: Project) -> list[str]:
    from research.governance.inventory import names

    return names(project.governance / "inventory")


def _card(project: Project, name: str) -> dict[str, Any]:
    from research.governance.inventory import load_card

    try:
        card = load_card(project.governance / "inventory", name)
    except ResearchError as error:
        return {"name": name, "title": name, "purpose": f"The card can't be read: {error}", "owner": "", "tier": None}
    return {
        "name": name,
        "title": card.title,
        "purpose": " ".join(card.purpose.split()),
        "owner": card.owner,
        "tier": card.tier,
        "notebook": card.notebook,
        "evidence": card.evidence,
    }
