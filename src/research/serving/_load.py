"""`load("NAME@champion")`: verify, then import. The order is the point.

    1  ledger          every byte of the chain, every signature                      research audit verify
    2  state           in production now, by lawful entries; else approval is missing
    3  registry        MLflow's alias says the same; else it was moved behind the ledger's back
    4  payload         every file has the digest that was signed
    5  use             the purpose is one of the card's intended uses, when one is given
    6  code            every module that the scorer runs is, byte for byte, the approved one
    7  only now the scorer is imported (with `pinned=True` from a checkout of the approved commit, instead of 6)

Each refusal says which of these failed and why. Paths are relative to `mlruns/`, so a moved checkout loads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from research.errors import IntegrityError, RefusedError
from research.governance import payload
from research.governance.lifecycle import Version
from research.governance.office import Office, open_office, resolve, split
from research.governance.realm import Realm, realm
from research.lineage import registry
from research.project import Project
from research.serving._pinned import PinnedScorer
from research.serving._scorers import Scorer, make


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ServedModel:
    """An approved model: `price(frame)`, and what stands behind it."""

    name: str
    version: int
    run: str  # run id of the capsule
    record: str
    signers: dict[str, tuple[str, ...]]  # step: people
    since: str  # in production from
    scope: tuple[dict[str, Any], ...]
    uses: dict[str, list[str]]
    demo: bool
    scorer: Scorer

    def price(self, frame: Any) -> Any:
        """Results for each row of `frame`; rows outside the approved scope are refused.

        Raises
        ------
        RefusedError
            When a row lies outside the scope on the model's card.
        """
        import numpy as np

        columns = self.scorer.scope_columns(frame) if self.scope else None
        for bound in self.scope:
            assert columns is not None
            values = np.asarray(columns[bound["column"]], dtype=float)
            outside = ~((values >= bound["min"]) & (values <= bound["max"]))
            if outside.any():
                raise RefusedError(
                    f"{bound['column']} must lie in [{bound['min']:g}, {bound['max']:g}] {bound['unit']}, the scope of "
                    f"{self.name} version {self.version}; got {values[outside][0]:g} "
                    f"({outside.sum()} of {values.size} rows). {bound['why']}"
                )
        return self.scorer.price(frame)

    def example(self) -> Any:
        """A small request that the model can price."""
        return self.scorer.example()

    def __repr__(self) -> str:
        signed = ", ".join(f"{step} {' and '.join(people)}" for step, people in self.signers.items())
        demo = "\n  DEMO: signed by demo people, not approved for any use" if self.demo else ""
        scope = (
            "; ".join(f"{b['column']} {b['min']:g} to {b['max']:g} {b['unit']}".rstrip() for b in self.scope) or "any"
        )
        return (
            f"{self.name} version {self.version}, in production since {self.since}{demo}\n"
            f"  run     {self.run}\n  record  {self.record}\n  signed  {signed}\n  scope   {scope}\n"
            f"  uses    {', '.join(self.uses['intended'])}\n  scorer  {self.scorer!r}"
        )

    def _repr_html_(self) -> str:
        from html import escape

        return f"<pre>{escape(repr(self))}</pre>"


def load(
    reference: str,
    *,
    demo: bool = False,
    purpose: str | None = None,
    pinned: bool = False,
    project: Project | None = None,
) -> ServedModel:
    """An approved model, after verifying everything that its approval rests on.

    Parameters
    ----------
    reference : str
        "heston_dax@champion", or "heston_dax@3" for a version that must be in production.
    demo : bool, default False
        Take it from the demo's ledger, whose people and keys are not the firm's.
    purpose : str, optional
        What it is for; refused unless the card names it as an intended use.
    pinned : bool, default False
        Run the approved code from a clean checkout, in a process of its own, whatever is installed here.

    Raises
    ------
    IntegrityError
        Ledger, payload, alias or installed code is not what was approved.
    RefusedError
        The model is not in production, or not for this purpose.
    """
    where = realm(demo=demo, project=project)
    version, since = _approved(where, reference)
    _check_alias(where, version)
    folder = where.payload(version.model, version.number)
    damage = payload.problems(folder, version.payload)
    if damage:
        raise IntegrityError(f"{version.model} version {version.number} refused: {'; '.join(damage)}")
    content = payload.read_scorer(folder)
    _check_purpose(version, content["uses"], purpose)
    commit = str(version.steps("submit")[0].facts["head"])
    if pinned:
        scorer: Scorer = PinnedScorer(where.project.root, commit, folder, content["modules"])
    else:
        _check_code(version, content["modules"], commit)
        scorer = make(content, folder)
    steps = ("submit", "validate", "approve", "promote")
    return ServedModel(
        name=version.model,
        version=version.number,
        run=version.run,
        record=version.record,
        signers={step: version.signers(step) for step in steps},
        since=since,
        scope=tuple(content["scope"]),
        uses=content["uses"],
        demo=demo,
        scorer=scorer,
    )


def _check_code(version: Version, modules: dict[str, str], commit: str) -> None:
    """What is installed must be, file by file, what was approved."""
    changed = payload.changed_modules(modules)
    if changed:
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        raise IntegrityError(
            f"{version.model} version {version.number} refused: installed code must be the approved code; "
            f"{', '.join(changed[:3])}{more}. Load it with pinned=True (runs commit {commit[:12]}), or promote a run "
            "of this code."
        )


def _approved(where: Realm, reference: str) -> tuple[Version, str]:
    """The version in production that the reference names, and since when."""
    model, which = split(reference)
    if where.demo and not where.roles.is_file():
        raise RefusedError(f"{model} must have been promoted in the demo; got no demo here. make demo")
    office = open_office(where)
    try:
        version = resolve(office.register(), f"{model}@{which or 'champion'}")
    except RefusedError as error:
        if isinstance(error, IntegrityError) or where.demo or not _in_demo(where, model):
            raise
        raise RefusedError(
            f"{error} The demo has one: load({reference!r}, demo=True), not approved for any use."
        ) from None
    if version.state != "production":
        raise RefusedError(
            f"{model} version {version.number} must be in production; it is {version.state}. "
            f"{_missing(office, version)}"
        )
    return version, f"{version.steps('promote')[-1].effective:%Y-%m-%d %H:%M} UTC"


def _missing(office: Office, version: Version) -> str:
    after = {"submitted": "validate", "validated": "approve", "approved": "promote"}.get(version.state)
    return f"research model {after} {version.model}@{version.number}{office.realm.flag}" if after else ""


def _in_demo(where: Realm, model: str) -> bool:
    other = Realm(where.project, demo=True)
    return other.roles.is_file() and open_office(other).register().champion(model) is not None


def _check_alias(where: Realm, version: Version) -> None:
    """MLflow's alias is a projection of the ledger: anything else was written by someone else."""
    if not registry.exists(where.project):
        return
    name = where.registered_name(version.model)
    shown = registry.champion(where.project, name)
    if shown != version.number:
        places = {None: "points to no version", 0: "points to a version that no one promoted"}
        what = places.get(shown, f"points to version {shown}")
        raise IntegrityError(
            f"alias champion of {name} in MLflow must point to version {version.number}, as the ledger says; "
            f"it {what}. Somebody moved it: research audit verify; research model sync{where.flag} writes it again."
        )


def _check_purpose(version: Version, uses: dict[str, list[str]], purpose: str | None) -> None:
    if purpose is None or purpose in uses["intended"]:
        return
    raise RefusedError(
        f"purpose must be an intended use of {version.model} ({', '.join(uses['intended'])}); got {purpose!r}"
        + (", which its card rules out." if purpose in uses["out_of_scope"] else ".")
    )
