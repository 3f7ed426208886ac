"""Everything at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from research.report.facts.datasets import Dataset, datasets
from research.report.facts.models import Ledger, Model, models
from research.report.facts.notebooks import Notebook, notebooks

if TYPE_CHECKING:
    from research.project import Project


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What one page shows."""

    project: Project
    notebooks: list[Notebook]
    datasets: list[Dataset]
    models: list[Model]
    ledgers: list[Ledger]

    @property
    def ran(self) -> list[Notebook]:
        return [notebook for notebook in self.notebooks if notebook.run is not None]

    @property
    def waiting(self) -> list[Notebook]:
        return [notebook for notebook in self.notebooks if notebook.run is None]

    @property
    def latest(self) -> str:
        """When the newest shown run ended: the time of the page, so that the same store gives the same page."""
        return max((n.run.ended or n.run.started for n in self.notebooks if n.run is not None), default="")

    def count(self, verdict: str) -> int:
        return sum(notebook.verdict == verdict for notebook in self.notebooks)

    def to_json(self) -> dict[str, Any]:
        return {
            "latest": self.latest,
            "notebooks": [_notebook(notebook) for notebook in self.notebooks],
            "data": [
                {"name": d.name, "readers": d.readers, "sha256": [read["sha256"] for read in d.reads]}
                for d in self.datasets
            ],
            "models": [
                {"name": m.name, "version": m.version, "state": m.state, "demo": m.demo, "run": m.run}
                for m in self.models
            ],
            "ledgers": [
                {"demo": x.demo, "entries": x.entries, "head": x.head, "problem": x.problem} for x in self.ledgers
            ],
        }


def _notebook(notebook: Notebook) -> dict[str, Any]:
    run = notebook.run
    return {
        "notebook": notebook.path,
        "verdict": notebook.verdict,
        "run_id": run.run_id if run else None,
        "seconds": run.seconds if run else None,
        "pinned": run.pinned if run else None,
        "metrics": {name: {"value": m["value"], "unit": m["unit"]} for name, m in notebook.metrics.items()},
        "problems": notebook.problems,
    }


def collect(project: Project) -> Facts:
    """The facts of a project; an empty store gives the notebooks that could run."""
    found = notebooks(project)
    versions, ledgers = models(project)
    return Facts(project=project, notebooks=found, datasets=datasets(project, found), models=versions, ledgers=ledgers)
