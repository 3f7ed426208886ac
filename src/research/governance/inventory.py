"""The inventory: one card a model, `governance/inventory/NAME.yaml`, written by its owner and never by a command.

A card says what the model is for, what it is not for, what it assumes and where it fails, and what counts as
evidence for it. Promotion reads it, copies its scope into the approved payload, and records its digest.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from research.errors import InputError, did_you_mean, rule
from research.fingerprint import digest_json
from research.governance.documents import Document, read

Text = Annotated[str, Field(min_length=1)]


class Use(Document):
    """One use, intended or out of scope."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    text: Text


class Bound(Document):
    """One quantity of a request and the range for which the model is approved."""

    column: str  # as the scorer computes it: "tau", "moneyness"
    min: float
    max: float
    unit: str = ""
    why: Text

    @model_validator(mode="after")
    def _ordered(self) -> Bound:
        if not self.min < self.max:
            raise ValueError(f"min of {self.column} must be < max")
        return self


class Column(Document):
    """One column of a request or of what the model returns."""

    name: str
    type: Literal["double", "long", "boolean", "string", "datetime"] = "double"
    unit: str = ""
    required: bool = True
    meaning: Text


class Monitor(Document):
    """One thing watched while the model is in use."""

    what: Text
    threshold: Text
    every: Text


class Card(Document):
    """What the inventory knows of one model."""

    schema_: Literal["research.card/1"] = Field(alias="schema")
    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: Text
    owner: Text
    model_class: Text
    tier: Literal[1, 2, 3]  # 1: most material
    tier_rationale: Text
    purpose: Text
    intended_use: tuple[Use, ...] = Field(min_length=1)
    out_of_scope_use: tuple[Use, ...] = Field(min_length=1)
    assumptions: tuple[Text, ...] = Field(min_length=1)
    limitations: tuple[Text, ...] = Field(min_length=1)
    inputs: tuple[str, ...]  # data set names
    request: tuple[Column, ...] = Field(min_length=1)
    outputs: tuple[Column, ...] = Field(min_length=1)
    scope: tuple[Bound, ...] = ()
    notebook: Text  # the notebook whose run is promoted
    evidence: tuple[str, ...] = ()  # notebooks whose runs are the validation evidence
    scorer: str
    methodology: tuple[Text, ...] = Field(min_length=1)
    monitoring: tuple[Monitor, ...] = ()
    next_review: date

    @field_validator("notebook", "evidence")
    @classmethod
    def _relative(cls, value: Any) -> Any:
        for path in (value,) if isinstance(value, str) else value:
            if Path(path).is_absolute() or ".." in Path(path).parts or not path.endswith(".ipynb"):
                raise ValueError(f"be notebooks by their path in the project; got {path}")
        return value

    @model_validator(mode="after")
    def _uses_apart(self) -> Card:
        both = {u.id for u in self.intended_use} & {u.id for u in self.out_of_scope_use}
        if both:
            raise ValueError(f"a use is intended or out of scope; {sorted(both)[0]} is both")
        return self

    @property
    def digest(self) -> str:
        """SHA-256 of the content: comments and layout of the file don't count."""
        return digest_json(self.to_json())

    def to_json(self) -> dict[str, Any]:
        return self.model_dump(mode="json", by_alias=True)


def names(folder: Path) -> list[str]:
    """Names of the cards in `folder`."""
    return sorted(p.stem for p in folder.glob("*.yaml"))


def load_card(folder: Path, name: str) -> Card:
    """The card of model `name`."""
    path = folder / f"{name}.yaml"
    if name not in names(folder):
        hint = did_you_mean(name, names(folder)) or "Write a card there first."
        raise InputError(rule("model", "have a card in governance/inventory", name, hint))
    card = read(path, Card)
    if card.name != name:
        raise InputError(f"name in {path.name} must be {name!r}, the name of the file; got {card.name!r}.")
    return card
