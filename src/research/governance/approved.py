"""The runs behind what is approved: those whose numbers someone relies on today."""

from __future__ import annotations

from research.governance.office import open_office
from research.governance.realm import realm
from research.project import Project

IN_FORCE = ("approved", "production")


def approved_runs(*, demo: bool = False, project: Project | None = None) -> list[str]:
    """Runs of the versions that are approved or in production, each once; the ledger is verified first."""
    where = realm(demo=demo, project=project)
    if not where.ledger.is_file():
        return []
    versions = open_office(where).register().versions
    return sorted({version.run for version in versions if version.state in IN_FORCE})
