"""The office: one realm's people, rules and ledger, read together and verified before anyone relies on them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from research.errors import InputError, IntegrityError, RefusedError
from research.governance.ledger import Entry, Ledger
from research.governance.lifecycle import Register, Version, fold, register
from research.governance.realm import Realm
from research.governance.roles import People, load_people
from research.governance.rules import Rules, load_rules

_REFERENCE = re.compile(r"(?P<model>[a-z][a-z0-9_]*)(@(?P<which>[A-Za-z0-9]+))?")


@dataclass(frozen=True, slots=True)
class Office:
    """What every step and every question needs."""

    realm: Realm
    people: People
    rules: Rules

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.realm.ledger)

    def verified(self) -> list[Entry]:
        """The entries of the ledger, chain and signatures checked.

        Raises
        ------
        IntegrityError
            With everything that is wrong.
        """
        problems = self.ledger.verify(self.people)
        if problems:
            more = f" And {len(problems) - 1} more: research audit verify." if len(problems) > 1 else ""
            raise IntegrityError(f"{problems[0]}{more}")
        return self.ledger.entries()

    def register(self, *, effective: datetime | None = None, known: datetime | None = None) -> Register:
        """The versions of every model, now or as of two times; see `lifecycle.register`."""
        return register(self.verified(), self.people, self.rules, effective=effective, known=known)

    def objection(self, entries: list[Entry]) -> str:
        """Why the last of these entries would have no effect; empty when it has one."""
        problems = fold(entries, self.people, self.rules).problems
        last = f"ledger entry {entries[-1].seq}: "
        return next((p.removeprefix(last) for p in problems if p.startswith(last)), "")


def open_office(realm: Realm) -> Office:
    """The office of a realm."""
    return Office(realm, load_people(realm.roles), load_rules(realm.rules))


def split(reference: str) -> tuple[str, str]:
    """`heston_dax@3` gives ("heston_dax", "3"); without @ the second is empty."""
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise InputError(f"model must look like NAME, NAME@VERSION or NAME@champion; got {reference!r}.")
    return match["model"], match["which"] or ""


def resolve(found: Register, reference: str, *, newest_in: tuple[str, ...] = ()) -> Version:
    """The version that a reference names; without @ the newest one in one of the states `newest_in`."""
    model, which = split(reference)
    versions = found.of(model)
    if not versions:
        raise RefusedError(
            f"{model} must have a submitted version; got none. research model submit RUN --model {model}; "
            "--demo looks at the demo's own."
        )
    if which == "champion":
        champion = found.champion(model)
        if champion is None:
            states = ", ".join(f"version {v.number} {v.state}" for v in versions)
            raise RefusedError(f"{model} must have a version in production; got {states}. Approval is missing.")
        return champion
    if which:
        version = found.version(model, int(which)) if which.isdigit() else None
        if version is None:
            known = ", ".join(str(v.number) for v in versions)
            raise InputError(f"version of {model} must be champion or one of {known}; got {which!r}.")
        return version
    fitting = [v for v in versions if not newest_in or v.state in newest_in]
    return (fitting or list(versions))[-1]
