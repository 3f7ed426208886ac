"""Where the project is: the nearest parent with `dvc.yaml` and `data/catalog.yaml`, and the paths inside it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from research.errors import ProjectError


@dataclass(frozen=True, slots=True)
class Project:
    """Paths of one project; nothing is created by asking."""

    root: Path

    @property
    def catalog(self) -> Path:
        return self.root / "data" / "catalog.yaml"

    @property
    def mlruns(self) -> Path:
        """The store: RESEARCH_STORE if set (tests, shared stores), else `mlruns/`.

        `dvc exp run --temp` and `--queue` work in a copy under `.dvc/tmp/exps/`; their runs belong to the project's own
        store, which outlives the copy.
        """
        other = os.environ.get("RESEARCH_STORE")
        if other:
            return Path(other).resolve()
        places = [p for p in self.root.parents if p.parts[-3:] == (".dvc", "tmp", "exps")]
        return (places[0].parents[2] if places else self.root) / "mlruns"

    @property
    def reports(self) -> Path:
        return self.root / "reports"

    @property
    def governance(self) -> Path:
        return self.root / "governance"

    @property
    def lock(self) -> Path:
        return self.root / "requirements.lock"


def find_project(start: str | Path | None = None) -> Project:
    """The project around `start` (default: RESEARCH_PROJECT, else the working directory).

    Raises
    ------
    ProjectError
        When no parent holds both files.
    """
    given = start or os.environ.get("RESEARCH_PROJECT") or Path.cwd()
    here = Path(given).resolve()
    for folder in (here, *here.parents):
        if (folder / "dvc.yaml").is_file() and (folder / "data" / "catalog.yaml").is_file():
            return Project(folder)
    raise ProjectError(
        f"the working directory must lie inside a project (a folder with dvc.yaml and data/catalog.yaml); got {here}. "
        "Change into the project, or set RESEARCH_PROJECT."
    )
