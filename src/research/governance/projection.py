"""From the ledger to MLflow: register versions, write their tags, point the alias. Never the other way."""

from __future__ import annotations

from research.governance.inventory import load_card
from research.governance.lifecycle import Version
from research.governance.office import Office
from research.lineage import registry


def sync(office: Office) -> list[str]:
    """Make MLflow show what the ledger says; what was changed, one line each."""
    found = office.register()
    versions = [_registration(office, version) for version in found.versions]
    models = dict.fromkeys(v.model for v in found.versions)
    champions = {model: found.champion(model) for model in models}
    numbers = {office.realm.registered_name(m): v.number if v else None for m, v in champions.items()}
    return registry.project_versions(office.realm.project, versions, numbers)


def drift(office: Office) -> list[str]:
    """Where MLflow's alias differs from the ledger."""
    found, problems = office.register(), list[str]()
    if not registry.exists(office.realm.project):
        return problems
    for model in dict.fromkeys(v.model for v in found.versions):
        champion, name = found.champion(model), office.realm.registered_name(model)
        wanted, shown = champion.number if champion else None, registry.champion(office.realm.project, name)
        if wanted != shown:
            says = f"version {wanted}" if wanted is not None else "no version"
            problems.append(
                f"registry: alias champion of {name} must point to {says}; got {shown or 'no version of the ledger'}"
            )
    return problems


def _registration(office: Office, version: Version) -> registry.Registration:
    card = load_card(office.realm.inventory, version.model)
    tags = {
        "research.state": version.state,
        "research.tier": str(version.tier),
        "research.run": version.run,
        "research.record": version.record,
        "research.identity": version.identity,
        "research.payload": version.payload,
        "research.ledger_entry": version.entries[-1].hash,
        **{f"research.signed.{step}": ", ".join(version.signers(step)) for step in _STEPS if version.signers(step)},
    }
    return registry.Registration(
        name=office.realm.registered_name(version.model),
        number=version.number,
        run_id=version.run,
        description=f"{card.title}. {card.purpose}",
        tags=tags,
        reference=f"{version.model}@{version.number}",
        demo=office.realm.demo,
        inputs=[c.model_dump() for c in card.request],
        outputs=[c.model_dump() for c in card.outputs],
    )


_STEPS = ("submit", "validate", "approve", "promote", "retire")
