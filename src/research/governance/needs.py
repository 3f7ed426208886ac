"""What a step needs besides the right person: one function per need a rule pack can name.

| need | the step is refused unless |
|---|---|
| finished | the run ended without an error |
| pinned | the run's code is a commit, and it read nothing undeclared |
| passed | the notebook met its own "passes when" |
| payload | the payload is complete, and what it runs is committed and the run's own code |
| known_authors | roles.yaml knows every author |
| reviewed_card | the card's next review is not overdue |
| reproduced | somebody re-ran the run in a clean checkout and got the same |
| evidence | the card's validation notebooks passed, run on the code of this run, and no test failed |
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from research.governance.authorship import Author, unknown
from research.governance.inventory import Card
from research.governance.roles import People
from research.lineage.capsule import Capsule


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Everything a need looks at."""

    capsule: Capsule
    card: Card
    people: People
    authors: tuple[Author, ...] = ()
    payload_problems: tuple[str, ...] = ()
    reproduction: dict[str, Any] | None = None
    evidence: dict[str, Capsule] = field(default_factory=dict)  # by notebook

    @property
    def run(self) -> str:
        """How messages name the run."""
        return f"run {self.capsule.run_id}"


def _finished(case: Case) -> list[str]:
    status = case.capsule.status
    return [] if status == "FINISHED" else [f"{case.run} must be FINISHED; got {status}"]


def _pinned(case: Case) -> list[str]:
    if case.capsule.pinned:
        return []
    why = "; ".join(case.capsule.unpinned_reasons) or "no reason recorded"
    return [f"{case.run} must be pinned; got unpinned: {why}. Commit, then run the notebook again"]


def _passed(case: Case) -> list[str]:
    passed = case.capsule.passed
    return [] if passed is True else [f"{case.run} must meet its notebook's 'passes when'; got passed = {passed}"]


def _payload(case: Case) -> list[str]:
    return list(case.payload_problems)


def _known_authors(case: Case) -> list[str]:
    strangers = unknown(case.authors, case.people)
    return [f"every author must stand in roles.yaml; got {', '.join(strangers)} besides"] if strangers else []


def _reviewed_card(case: Case) -> list[str]:
    due = case.card.next_review
    return (
        []
        if due >= date.today()
        else [f"next_review of the card must lie ahead; got {due}. Its owner reviews it first"]
    )


def _reproduced(case: Case) -> list[str]:
    if case.reproduction is None:
        return [f"{case.run} must have been reproduced; got no verdict. research reproduce {case.capsule.run_id}"]
    verdict = str(case.reproduction["verdict"])
    if not verdict.startswith("REPRODUCED"):
        return [f"{case.run} must be reproduced; its verdict is {verdict}"]
    return []


def _evidence(case: Case) -> list[str]:
    found = []
    for notebook in case.card.evidence:
        capsule = case.evidence.get(notebook)
        if capsule is None:
            found.append(f"evidence must hold a passed, pinned run of {notebook}; got none. research run {notebook}")
            continue
        failed = [e["test"] for e in capsule.evidence if e["verdict"] == "fail"]
        if failed or not capsule.evidence:
            found.append(f"tests of {notebook} must pass; got {', '.join(failed) or 'no test'}")
        if capsule.raw["code"]["core"] != case.capsule.raw["code"]["core"]:
            found.append(
                f"{notebook} must have tested the core of this run; it ran on another. research run {notebook}"
            )
    own = [e["test"] for e in case.capsule.evidence if e["verdict"] == "fail"]
    return found + ([f"tests in {case.run} must pass; got {', '.join(own)} failed"] if own else [])


NEEDS: dict[str, Callable[[Case], list[str]]] = {
    "finished": _finished,
    "pinned": _pinned,
    "passed": _passed,
    "payload": _payload,
    "known_authors": _known_authors,
    "reviewed_card": _reviewed_card,
    "reproduced": _reproduced,
    "evidence": _evidence,
}


def unmet(names: tuple[str, ...], case: Case) -> list[str]:
    """Why the step is not possible yet, every reason; empty when it is."""
    return [reason for name in names for reason in NEEDS[name](case)]
