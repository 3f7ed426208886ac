"""Where one ledger and everything around it stand: the firm's realm, or the demo's.

    realm   ledger                            people                    payloads
    firm    mlruns/ledger/ledger.jsonl        governance/roles.yaml     mlruns/models/NAME/VERSION/
    demo    mlruns/demo/ledger/ledger.jsonl   mlruns/demo/roles.yaml    mlruns/demo/models/NAME/VERSION/

The firm's people keep their private keys where they like; the demo's lie in `mlruns/demo/keys/`.

Cards and rule packs are the same for both. A model promoted in the demo can't be mistaken for an approved one:
its entries stand in another ledger, signed with keys that `governance/roles.yaml` does not know, and the MLflow
name carries the prefix `demo.`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from research.project import Project, find_project


@dataclass(frozen=True, slots=True)
class Realm:
    """The paths of one realm; nothing is created by asking."""

    project: Project
    demo: bool = False

    @property
    def home(self) -> Path:
        return self.project.mlruns / "demo" if self.demo else self.project.mlruns

    @property
    def ledger(self) -> Path:
        return self.home / "ledger" / "ledger.jsonl"

    @property
    def roles(self) -> Path:
        return self.home / "roles.yaml" if self.demo else self.project.governance / "roles.yaml"

    @property
    def keys(self) -> Path:
        return self.home / "keys"

    @property
    def rules(self) -> Path:
        return self.project.governance / "rules"

    @property
    def inventory(self) -> Path:
        return self.project.governance / "inventory"

    def payload(self, model: str, version: int) -> Path:
        """The folder of one version's approved files."""
        return self.home / "models" / model / str(version) / "payload"

    def registered_name(self, model: str) -> str:
        """The name MLflow shows."""
        return f"demo.{model}" if self.demo else model

    @property
    def flag(self) -> str:
        """What a command needs to act in this realm."""
        return " --demo" if self.demo else ""


def realm(*, demo: bool = False, project: Project | None = None) -> Realm:
    """The firm's realm, or the demo's, of the project around the working directory."""
    return Realm(project or find_project(), demo)
