"""Rule packs: who may take which step and what it needs, per tier. Data (`governance/rules/*.yaml`), not code.

A ledger entry names the pack that it was judged by. Packs are never edited once used: a change is a new file with a
higher version, and old entries stay judged by the old one.
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from research.errors import ProjectError
from research.fingerprint import digest_json
from research.governance.documents import Document, read
from research.governance.roles import Role

StepName = Literal["submit", "validate", "approve", "promote", "retire"]
Need = Literal["finished", "pinned", "passed", "payload", "known_authors", "reviewed_card", "reproduced", "evidence"]


class StepRule(Document):
    """What one step needs."""

    roles: tuple[Role, ...] = Field(min_length=1)
    quorum: int = Field(default=1, ge=1)  # how many different people
    independent: bool = False  # nobody of the author set
    distinct_from: tuple[StepName, ...] = ()  # nobody who took one of these steps
    needs: tuple[Need, ...] = ()


class Tier(Document):
    """The steps of one tier."""

    submit: StepRule
    validate_: StepRule = Field(alias="validate")
    approve: StepRule
    promote: StepRule
    retire: StepRule

    def rule(self, step: str) -> StepRule:
        out: StepRule = getattr(self, "validate_" if step == "validate" else step)
        return out


class Pack(Document):
    """One rule pack."""

    schema_: Literal["research.rules/1"] = Field(alias="schema")
    name: str
    version: int = Field(ge=1)
    shared_ground: tuple[str, ...]  # patterns of paths whose authors are not authors of the model
    tiers: dict[int, Tier]

    @field_validator("tiers")
    @classmethod
    def _all_tiers(cls, value: dict[int, Tier]) -> dict[int, Tier]:
        if set(value) != {1, 2, 3}:
            raise ValueError("be the tiers 1, 2 and 3")
        return value

    @property
    def digest(self) -> str:
        """SHA-256 of the content: comments and layout of the file don't count."""
        return digest_json(self.model_dump(mode="json", by_alias=True))

    def is_shared(self, path: str) -> bool:
        """Whether a file is shared ground: whoever wrote it is not for that an author of the model."""
        return any(fnmatch.fnmatchcase(path, pattern) for pattern in self.shared_ground)


@dataclass(frozen=True, slots=True)
class Rules:
    """Every pack of a project; the newest one judges new steps."""

    packs: tuple[Pack, ...]

    @property
    def current(self) -> Pack:
        return self.packs[-1]

    def by_digest(self, digest: str) -> Pack | None:
        return next((p for p in self.packs if p.digest == digest), None)


def load_rules(folder: Path) -> Rules:
    """The packs in `folder`, oldest first."""
    packs = sorted((read(p, Pack) for p in folder.glob("*.yaml")), key=lambda p: p.version)
    if not packs:
        raise ProjectError("governance/rules must hold a rule pack; got none.")
    versions = [p.version for p in packs]
    if len(set(versions)) != len(versions):
        raise ProjectError(f"rule packs must have different versions; got {versions}.")
    return Rules(tuple(packs))
