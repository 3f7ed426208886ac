"""Rule packs: who may take which step and what it needs, per tier. Data (`governance/rules/*.yaml`), not code.

Each pack judges the steps taken from its `since` to that of the next pack, and a ledger entry names the digest of
its pack. So packs are never edited once used: a change is a new file with a higher version.
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, Field, field_validator

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
    since: AwareDatetime  # judges the steps taken from here on
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
    """Every pack of a project, oldest first; each judges the steps from its `since` to the next one's."""

    packs: tuple[Pack, ...]

    def at(self, moment: datetime) -> Pack:
        """The pack that judges a step taken at this moment."""
        found = [p for p in self.packs if p.since <= moment]
        return found[-1] if found else self.packs[0]


def load_rules(folder: Path) -> Rules:
    """The packs in `folder`, oldest first."""
    packs = sorted((read(p, Pack) for p in folder.glob("*.yaml")), key=lambda p: p.version)
    if not packs:
        raise ProjectError("governance/rules must hold a rule pack; got none.")
    for before, after in pairwise(packs):
        if before.version == after.version or before.since >= after.since:
            raise ProjectError(
                f"rule packs must follow each other in version and since; got {before.name} {before.version} since "
                f"{before.since:%Y-%m-%d} and {after.name} {after.version} since {after.since:%Y-%m-%d}."
            )
    return Rules(tuple(packs))
