"""People, their public keys and their roles: `governance/roles.yaml`.

A key is never deleted: it is revoked, and what it signed before stays valid. A person may hold several keys over
time (rotation); `emails` and `users` tie git authors and operators to the person.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import AwareDatetime, Field, field_validator, model_validator

from research.errors import RefusedError, require
from research.governance import signatures
from research.governance.documents import Document, read

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner, SSlibKey

Role = Literal["developer", "validator", "approver", "owner", "auditor", "operator"]


class PublicKey(Document):
    """One public key and the time in which it may sign."""

    public: str  # ed25519:HEX
    since: AwareDatetime | None = None  # first moment it may sign
    revoked: AwareDatetime | None = None  # from here on it may not

    @field_validator("public")
    @classmethod
    def _well_formed(cls, value: str) -> str:
        signatures.public_key(value)
        return value

    @property
    def key(self) -> SSlibKey:
        return signatures.public_key(self.public)

    def valid_at(self, moment: datetime) -> bool:
        return (self.since is None or self.since <= moment) and (self.revoked is None or moment < self.revoked)


class Person(Document):
    """One person."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")  # short name, as in `--as NAME`
    full_name: str = ""
    emails: tuple[str, ...] = ()  # as in git commits
    users: tuple[str, ...] = ()  # login names
    roles: tuple[Role, ...] = ()
    keys: tuple[PublicKey, ...] = ()

    def may(self, roles: tuple[str, ...]) -> bool:
        return bool(set(roles) & set(self.roles))

    def key_at(self, keyid: str, moment: datetime) -> PublicKey | None:
        return next((k for k in self.keys if k.key.keyid == keyid and k.valid_at(moment)), None)


class People(Document):
    """The people of one realm."""

    people: tuple[Person, ...] = ()

    @model_validator(mode="after")
    def _unique(self) -> People:
        for what, values in {
            "names": [p.name for p in self.people],
            "keys": [k.public for p in self.people for k in p.keys],
            "emails": [e.lower() for p in self.people for e in p.emails],
        }.items():
            twice = sorted({v for v in values if values.count(v) > 1})
            if twice:
                raise ValueError(f"{what} of people must be unique; {twice[0]} stands twice")
        return self

    def find(self, name: str) -> Person | None:
        return next((p for p in self.people if p.name == name), None)

    def by_key(self, keyid: str) -> tuple[Person, PublicKey] | None:
        return next(((p, k) for p in self.people for k in p.keys if k.key.keyid == keyid), None)

    def with_role(self, roles: tuple[str, ...]) -> tuple[Person, ...]:
        return tuple(p for p in self.people if p.may(roles))


@dataclass(frozen=True, slots=True)
class Actor:
    """A person with the key at hand: who takes a step."""

    person: Person
    signer: CryptoSigner


def load_people(path: Path) -> People:
    """The people in a roles file."""
    return read(path, People)


def actor(people: People, name: str, key: str | Path, *, now: datetime) -> Actor:
    """The person `name`, holding the private key in file `key`."""
    person = people.find(name)
    known = ", ".join(p.name for p in people.people) or "nobody yet"
    require(
        person is not None,
        "--as",
        name,
        f"name someone in roles.yaml ({known})",
        hint="`research model keygen NAME --out DIR` prints the lines to add there.",
        error=RefusedError,
    )
    assert person is not None
    signer = signatures.read_key(key)
    owner = people.by_key(signer.public_key.keyid)
    if owner is None:
        raise RefusedError(f"key must be one of {name}'s in roles.yaml; got one that stands there for nobody.")
    if owner[0].name != name:
        raise RefusedError(f"key must be one of {name}'s in roles.yaml; got {owner[0].name}'s.")
    if not owner[1].valid_at(now):
        raise RefusedError(f"key of {name} must be valid now; got one that is revoked or not yet valid.")
    return Actor(person, signer)
