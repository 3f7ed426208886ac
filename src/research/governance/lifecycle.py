"""The states of a model version, folded from the ledger by the rules that each entry was judged by.

    proposed -> submitted -> validated -> approved -> production -> retired

`proposed` is a card without a submission. A valid signature is not enough: an entry counts only if its signer had a
role for the step, was not an author, and stood in no other step that the pack keeps apart; otherwise the entry has
no effect and is reported. So a key alone, used past the commands, promotes nothing.

Any past state can be asked for, by two times: `effective` (what held then) and `known` (what the ledger said then).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from research.governance.authorship import Author, merge, reasons
from research.governance.ledger import Entry
from research.governance.roles import People
from research.governance.rules import Pack, Rules

State = Literal["proposed", "submitted", "validated", "rejected", "approved", "production", "retired"]
BEFORE: dict[str, tuple[State, ...]] = {
    "validate": ("submitted",),
    "approve": ("validated",),
    "promote": ("approved",),
    "retire": ("submitted", "validated", "rejected", "approved", "production", "retired"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One submitted version of a model, and every lawful entry about it."""

    model: str
    number: int
    run: str
    record: str
    identity: str
    payload: str  # digest of the payload's manifest
    tier: int
    pack: str  # digest of the rule pack
    authors: tuple[Author, ...]
    state: State
    entries: tuple[Entry, ...]

    def steps(self, step: str) -> tuple[Entry, ...]:
        return tuple(e for e in self.entries if e.step == step and e.version == self.number)

    def signers(self, step: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(e.person for e in self.steps(step)))

    @property
    def since(self) -> datetime:
        """From when the present state holds."""
        return self.entries[-1].effective

    def why_not(self, entry_step: str, person_name: str, people: People, pack: Pack) -> str:
        """Why this person may not take this step; empty when he may."""
        rule, person = pack.tiers[self.tier].rule(entry_step), people.find(person_name)
        if person is None:
            return f"{person_name} stands in no roles.yaml"
        if not person.may(rule.roles):
            return (
                f"needs one of the roles {', '.join(rule.roles)}; {person.name} has {', '.join(person.roles) or 'none'}"
            )
        why = reasons(self.authors, person) if rule.independent else []
        if why:
            return f"must come from someone who is not an author; {person.name} is one ({'; '.join(why[:3])})"
        for other in rule.distinct_from:
            if person.name in self.signers(other):
                return f"must come from someone else than the {other} step; {person.name} signed that"
        if person.name in self.signers(entry_step):
            return f"{person.name} has signed it already"
        return ""


@dataclass(frozen=True, slots=True)
class Register:
    """Every version of every model, as the ledger tells it."""

    versions: tuple[Version, ...]
    problems: tuple[str, ...]  # entries without effect, and why

    def of(self, model: str) -> tuple[Version, ...]:
        return tuple(v for v in self.versions if v.model == model)

    def version(self, model: str, number: int) -> Version | None:
        return next((v for v in self.of(model) if v.number == number), None)

    def champion(self, model: str) -> Version | None:
        """The version in production."""
        return next((v for v in self.of(model) if v.state == "production"), None)


def fold(entries: Iterable[Entry], people: People, rules: Rules) -> Register:
    """All versions after these entries, in the order in which they were recorded."""
    versions: dict[tuple[str, int], Version] = {}
    problems: list[str] = []
    for entry in entries:
        try:
            problem = _apply(versions, entry, people, rules)
        except (KeyError, TypeError, ValueError, AttributeError):  # signed, yet not what a step looks like
            problem = "its facts must be those of the step; got others"
        if problem:
            problems.append(f"ledger entry {entry.seq}: {entry.step} {entry.model} version {entry.version}: {problem}")
    return Register(tuple(versions.values()), tuple(problems))


def _apply(versions: dict[tuple[str, int], Version], entry: Entry, people: People, rules: Rules) -> str:
    """Let one entry take effect; why not, when it may not."""
    key = (entry.model, entry.version)
    pack = rules.at(entry.recorded)
    if pack.digest != entry.facts["rules"]:
        return f"it must be judged by rule pack {pack.name} {pack.version}; it names another, or the pack was edited"
    if entry.step == "submit":
        if key in versions:
            return "this version was submitted before"
        candidate = _submitted(entry)
    else:
        found = versions.get(key)
        if found is None:
            return "this version was never submitted"
        if (found.run, found.record, found.identity) != (entry.run, entry.record, entry.identity):
            return "it must name the run that was submitted; got another"
        if (entry.facts["payload"], entry.facts["tier"]) != (found.payload, found.tier):
            return "it must name the payload and tier that were submitted; got others"
        if found.state not in BEFORE.get(entry.step, ()):
            return f"the version must be {' or '.join(BEFORE.get(entry.step, ('known',)))}; it is {found.state}"
        candidate = replace(found, authors=merge(found.authors, _authors(entry)))
    wrong_time = _wrong_time(candidate, entry)
    if wrong_time:
        return wrong_time
    why = candidate.why_not(entry.step, entry.person, people, pack)
    if why:
        return why
    after = replace(candidate, entries=(*candidate.entries, entry))
    versions[key] = after if entry.step == "submit" else replace(after, state=_next(after, entry, pack))
    if entry.step == "promote":
        _retire_others(versions, versions[key], entry)
    return ""


def _wrong_time(version: Version, entry: Entry) -> str:
    """Opinions hold from when they are given; a promotion or retirement may hold from another day, within reason."""
    if entry.step in ("submit", "validate", "approve"):
        return "" if entry.effective == entry.recorded else "it must hold from when it is recorded; got another time"
    allowed_by = version.steps("approve" if entry.step == "promote" else "submit")
    if allowed_by and entry.effective < allowed_by[-1].recorded:
        return f"it must not hold from before the {allowed_by[-1].step} step; got an earlier time"
    return ""


def _submitted(entry: Entry) -> Version:
    facts = entry.facts
    return Version(
        model=entry.model,
        number=entry.version,
        run=entry.run,
        record=entry.record,
        identity=entry.identity,
        payload=str(facts["payload"]),
        tier=int(facts["tier"]),
        pack=str(facts["rules"]),
        authors=_authors(entry),
        state="submitted",
        entries=(),
    )


def _authors(entry: Entry) -> tuple[Author, ...]:
    return tuple(map(Author.from_json, entry.facts.get("authors", ())))


def _next(version: Version, entry: Entry, pack: Pack) -> State:
    if entry.step == "retire":
        return "retired"
    if entry.step == "validate" and entry.facts.get("outcome") == "rejected":
        return "rejected"
    if len(version.signers(entry.step)) < pack.tiers[version.tier].rule(entry.step).quorum:
        return version.state
    after: dict[str, State] = {"validate": "validated", "approve": "approved", "promote": "production"}
    return after[entry.step]


def _retire_others(versions: dict[tuple[str, int], Version], champion: Version, entry: Entry) -> None:
    """One version of a model is in production at a time: a promotion retires the one before."""
    for key, other in versions.items():
        if other.model == champion.model and other.number != champion.number and other.state == "production":
            versions[key] = replace(other, state="retired", entries=(*other.entries, entry))


def register(
    entries: Iterable[Entry],
    people: People,
    rules: Rules,
    *,
    effective: datetime | None = None,
    known: datetime | None = None,
) -> Register:
    """The register as of two times.

    Parameters
    ----------
    effective : datetime, default now
        What held at this moment. An entry whose fact holds only later is left out.
    known : datetime, default now
        What the ledger said at this moment. An entry recorded later is left out.
    """
    then = effective or datetime.now(UTC)
    seen = [e for e in entries if known is None or e.recorded <= known]
    everything = fold(seen, people, rules)
    lawful = {e.seq for v in everything.versions for e in v.entries}
    held = sorted((e for e in seen if e.seq in lawful and e.effective <= then), key=lambda e: (e.effective, e.seq))
    return Register(fold(held, people, rules).versions, everything.problems)
