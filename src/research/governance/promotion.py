"""The five steps: submit, validate, approve, promote, retire. Each checks, signs and adds one ledger entry.

What is checked stands in the rule pack (who, how many, what evidence); here is only the order of things. A step is
checked and written while the ledger is held, so two people can't both be the last. A refusal gives every reason and
names who can help.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from research.errors import IntegrityError, RefusedError, require
from research.governance import evidence as proof
from research.governance import payload
from research.governance.authorship import Author, author_set, merge
from research.governance.inventory import Card, load_card
from research.governance.ledger import Entry, Step
from research.governance.lifecycle import BEFORE, Version
from research.governance.needs import Case, unmet
from research.governance.office import Office, resolve
from research.governance.roles import Actor, actor
from research.governance.rules import Pack
from research.lineage import git, load_capsule
from research.lineage.capsule import Capsule


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Whose name and which private key file a step is signed with."""

    name: str
    key: str | Path


def _actor(office: Office, signer: Signer) -> Actor:
    return actor(office.people, signer.name, signer.key, now=datetime.now(UTC))


def _refuse(office: Office, step: str, version: Version, why: list[str], pack: Pack, *, ask: bool) -> RefusedError:
    """The answer no, with every reason and, when another person could do it, who."""
    text = "; ".join(why)
    helpers = (
        [p.name for p in office.people.people if not version.why_not(step, p.name, office.people, pack)] if ask else []
    )
    who = f" Who can: {', '.join(helpers)}." if helpers else " Nobody in roles.yaml can." if ask else ""
    return RefusedError(f"{step} of {version.model} version {version.number} refused: {text}.{who}")


def verified_capsule(office: Office, run: str) -> Capsule:
    """The capsule of a run, after checking its folder against its digests."""
    capsule = load_capsule(run, project=office.realm.project)
    problems = proof.damage(office.realm.project, capsule.run_id)
    if problems:
        raise IntegrityError(f"run {capsule.run_id} must be as recorded; {problems[0]}")
    return capsule


def submit(office: Office, run: str, model: str, by: Signer, *, note: str = "") -> Entry:
    """Propose a run as the next version of a model.

    Raises
    ------
    RefusedError
        When the person may not submit, or the run is unpinned, failed, or not what its payload needs.
    """
    who, card, capsule = _actor(office, by), load_card(office.realm.inventory, model), verified_capsule(office, run)
    pack = office.rules.at(datetime.now(UTC))
    draft = _draft(capsule, card, pack, number=1 + max((v.number for v in office.register().of(model)), default=0))
    _check_person(office, "submit", draft, who, pack)
    rule = pack.tiers[card.tier].submit
    early = tuple(n for n in rule.needs if n in ("finished", "pinned", "passed", "reviewed_card"))
    why = unmet(early, Case(capsule=capsule, card=card, people=office.people))
    if capsule.notebook != card.notebook:
        why.append(f"the run must be one of {card.notebook}, as on the card; it ran {capsule.notebook}")
    if why:
        raise _refuse(office, "submit", draft, why, pack, ask=False)
    folder = office.realm.home / "models" / model / f".building-{uuid.uuid4().hex[:8]}"
    try:
        digest = payload.build(folder, capsule, card)
        modules = payload.read_scorer(folder)["modules"]
        root = office.realm.project.root
        authors = author_set(
            root,
            commit=str(capsule.commit),
            paths=proof.own_files(root, capsule, modules, pack),
            operator=capsule.operator,
            submitter=who.person,
            run=capsule.run_id,
        )
        problems = tuple(proof.uncommitted(root, capsule, modules))
        case = Case(capsule=capsule, card=card, people=office.people, authors=authors, payload_problems=problems)
        why = unmet(tuple(n for n in rule.needs if n not in early), case)
        if why:
            raise _refuse(office, "submit", draft, why, pack, ask=False)
        return _submit(office, replace(draft, payload=digest, authors=authors), card, who, folder, note)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _submit(office: Office, draft: Version, card: Card, who: Actor, folder: Path, note: str) -> Entry:
    """Number the version, put its payload in place and write the entry, as one step."""
    with office.ledger.exclusive() as writer:
        versions = office.register().of(draft.model)
        same = [v for v in versions if (v.record, v.payload) == (draft.record, draft.payload)]
        open_ones = [v for v in same if v.state not in ("rejected", "retired")]
        if open_ones:
            raise RefusedError(
                f"run must be new to {draft.model}; got {draft.run}, which is version {open_ones[0].number} "
                f"({open_ones[0].state})."
            )
        number = 1 + max((v.number for v in versions), default=0)
        target = office.realm.payload(draft.model, number)
        if target.exists():  # left by a submission that was killed before its entry was written
            shutil.rmtree(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(target)
        version = replace(draft, number=number)
        head = git.head(office.realm.project.root).commit
        facts = {**_facts(version, card), "commit": capsule_commit(target), "head": head, "note": note}
        return writer.append(_step("submit", version, facts), who, objection=office.objection)


def capsule_commit(folder: Path) -> str:
    """The commit that a payload's run was made from."""
    return str(payload.read_scorer(folder)["capsule"]["commit"])


def validate(
    office: Office,
    reference: str,
    by: Signer,
    *,
    evidence: Sequence[str] = (),
    reject: str = "",
    note: str = "",
) -> Entry:
    """State, as someone who did not make it, that a version does what its card says; or reject it with a reason.

    Parameters
    ----------
    evidence : run ids, default the latest fitting run of each validation notebook on the card
    reject : str
        The reason; needs no evidence.
    """
    if reject:
        return _take(office, "validate", reference, by, {"outcome": "rejected", "reason": reject, "note": note})
    return _take(office, "validate", reference, by, {"outcome": "passed", "note": note}, evidence=tuple(evidence))


def approve(office: Office, reference: str, by: Signer, *, note: str = "") -> Entry:
    """Allow a validated version to be used for what its card says."""
    return _take(office, "approve", reference, by, {"note": note})


def promote(office: Office, reference: str, by: Signer, *, effective: datetime | None = None, note: str = "") -> Entry:
    """Put an approved version in production, now or from `effective` on; the one before is retired."""
    return _take(office, "promote", reference, by, {"note": note}, effective=effective)


def retire(office: Office, reference: str, by: Signer, *, reason: str, effective: datetime | None = None) -> Entry:
    """Take a version out of use."""
    require(bool(reason.strip()), "reason", reason, "say why the version is retired")
    return _take(office, "retire", reference, by, {"reason": reason}, effective=effective)


def _take(
    office: Office,
    step: str,
    reference: str,
    by: Signer,
    facts: dict[str, Any],
    *,
    evidence: tuple[str, ...] | None = None,
    effective: datetime | None = None,
) -> Entry:
    """One step on a submitted version: check and append while the ledger is held."""
    who = _actor(office, by)
    with office.ledger.exclusive() as writer:
        pack = office.rules.at(datetime.now(UTC))
        version = resolve(office.register(), reference, newest_in=BEFORE[step])
        _check_person(office, step, version, who, pack)
        _check_state(office, step, version, pack)
        card, capsule = load_card(office.realm.inventory, version.model), verified_capsule(office, version.run)
        rejecting = facts.get("outcome") == "rejected"
        version, why, found = _judge(office, step, version, card, capsule, pack, evidence, rejecting)
        if why:
            raise _refuse(office, step, version, why, pack, ask=False)
        _check_person(office, step, version, who, pack)
        version = replace(version, pack=pack.digest)
        complete = {**_facts(version, card), **facts, **found, "based_on": [e.hash for e in version.entries]}
        return writer.append(_step(step, version, complete, effective), who, objection=office.objection)


def _judge(
    office: Office,
    step: str,
    version: Version,
    card: Card,
    capsule: Capsule,
    pack: Pack,
    evidence: tuple[str, ...] | None,
    rejecting: bool,
) -> tuple[Version, list[str], dict[str, Any]]:
    """The version with its author set computed anew, why the step is refused, and the facts found on the way."""
    folder, root = office.realm.payload(version.model, version.number), office.realm.project.root
    damage = payload.problems(folder, version.payload)
    why = []
    if capsule.record != version.record:
        why.append(f"the record digest of run {capsule.run_id} must be the one submitted; the capsule is another")
    if step == "retire" or rejecting:
        return version, why if rejecting else [], {}
    if damage:
        return version, [*why, *damage], {}
    modules = payload.read_scorer(folder)["modules"]
    authors: tuple[Author, ...] = version.authors
    if pack.tiers[version.tier].rule(step).independent:
        submitter = office.people.find(version.signers("submit")[0])
        assert submitter is not None  # an entry of an unknown person has no effect
        authors = merge(
            authors,
            author_set(
                root,
                commit=str(capsule.commit),
                paths=proof.own_files(root, capsule, modules, pack),
                operator=capsule.operator,
                submitter=submitter,
                run=capsule.run_id,
            ),
        )
        if card.digest != version.steps("submit")[0].facts["card"]:
            why.append(
                f"the card must be the one submitted; governance/inventory/{card.name}.yaml was edited since. "
                "Submit again"
            )
    needs = pack.tiers[version.tier].rule(step).needs
    reproduction = proof.reproduction(office.realm.project, capsule) if "reproduced" in needs else None
    runs = (
        proof.evidence_runs(office.realm.project, card, capsule, evidence)
        if evidence is not None and "evidence" in needs
        else {}
    )
    case = Case(
        capsule=capsule,
        card=card,
        people=office.people,
        authors=authors,
        reproduction=reproduction,
        evidence=runs,
        payload_problems=tuple(f"{text}: not the approved code" for text in payload.changed_modules(modules)),
    )
    found: dict[str, Any] = {"reproduction": reproduction} if reproduction else {}
    if runs:
        found["evidence"] = {n: {"run": c.run_id, "record": c.record, "identity": c.identity} for n, c in runs.items()}
    return replace(version, authors=authors), [*why, *unmet(needs, case)], found


def _check_person(office: Office, step: str, version: Version, who: Actor, pack: Pack) -> None:
    why = version.why_not(step, who.person.name, office.people, pack)
    if why:
        raise _refuse(office, step, version, [why], pack, ask=True)


def _check_state(office: Office, step: str, version: Version, pack: Pack) -> None:
    allowed = tuple(s for s in BEFORE[step] if s != "retired")
    if version.state not in allowed:
        why = f"the version must be {' or '.join(allowed)}; it is {version.state}"
        raise _refuse(office, step, version, [why], pack, ask=False)


def _draft(capsule: Capsule, card: Card, pack: Pack, *, number: int) -> Version:
    return Version(
        model=card.name,
        number=number,
        run=capsule.run_id,
        record=capsule.record,
        identity=capsule.identity,
        payload="",
        tier=card.tier,
        pack=pack.digest,
        authors=(),
        state="submitted",
        entries=(),
    )


def _facts(version: Version, card: Card) -> dict[str, Any]:
    return {
        "rules": version.pack,
        "tier": version.tier,
        "card": card.digest,
        "payload": version.payload,
        "authors": [a.to_json() for a in version.authors],
    }


def _step(step: str, version: Version, facts: dict[str, Any], effective: datetime | None = None) -> Step:
    return Step(
        step=step,
        model=version.model,
        version=version.number,
        run=version.run,
        record=version.record,
        identity=version.identity,
        facts=facts,
        effective=effective,
    )
