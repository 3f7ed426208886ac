"""A run as a notebook to work in: its cells, its parameters, its data, as they were.

The cells come from the run's own executed copy, so they are those that ran, committed or not. After the parameters
cell stands one with the values of the run, and one that holds the data (`research.lab.held`). The run itself is not
touched: the notebook is a new file, under `notebooks/opened/` unless told otherwise, which git ignores.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from research.errors import InputError, RunError, rule
from research.project import Project, find_project

FOLDER = "notebooks/opened"


def reopen(run: str = "latest", *, to: Path | None = None, force: bool = False, project: Project | None = None) -> Path:
    """Write the notebook of a run; where it is.

    Parameters
    ----------
    run : str
        A run, a unique beginning or end of its name, or latest.
    to : path, default notebooks/opened/RUN.ipynb
    force : bool, default False
        Write over a file that is there.

    Raises
    ------
    InputError
        When there is no such run, or the file is there already.
    RunError
        When the run left no notebook.
    """
    from research.lineage import load_capsule

    where = project or find_project()
    recorded = load_capsule(run, project=where)
    executed = recorded.folder / "notebook.ipynb"
    if not executed.is_file():
        raise RunError(f"run {recorded.run_id} must have a notebook; got none in {recorded.folder}. It failed early.")
    target = to or where.root / FOLDER / f"{recorded.run_id}.ipynb"
    if target.suffix != ".ipynb":
        raise InputError(rule("--to", "end in .ipynb", str(target)))
    if target.exists() and not force:
        raise InputError(
            f"{_shown(where, target)} must not be there yet; it is. Open it, or write over it with --force."
        )
    made = notebook_of(json.loads(executed.read_text(encoding="utf-8")), recorded)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return target


def _shown(project: Project, path: Path) -> str:
    try:
        return str(path.resolve().relative_to(project.root.resolve()))
    except ValueError:
        return str(path)


def notebook_of(executed: dict[str, Any], recorded: Any) -> dict[str, Any]:
    """The cells that ran, without their outputs, with the run's parameters and data after the parameters cell."""
    from research.lab.strip import clean

    bare = json.loads(clean(json.dumps(executed).encode()))
    cells = [cell for cell in bare["cells"] if not _is_added(cell)]
    at = next((i for i, cell in enumerate(cells, 1) if "parameters" in cell["metadata"].get("tags", [])), 0)
    cells[at:at] = [*_values(recorded, at), *_data(recorded)]
    return {**bare, "cells": cells}


def _is_added(cell: dict[str, Any]) -> bool:
    """A cell that the runner put in: injected parameters, papermill's notes about an error."""
    tags = cell["metadata"].get("tags", [])
    return "injected-parameters" in tags or any(tag.startswith("papermill-error") for tag in tags)


def _values(recorded: Any, at: int) -> list[dict[str, Any]]:
    if not recorded.parameters or not at:
        return []
    lines = [f"{name} = {value!r}" for name, value in recorded.parameters.items()]
    return [_cell("parameters-of-run", ["# Parameters", *lines], "injected-parameters")]


def _data(recorded: Any) -> list[dict[str, Any]]:
    if not recorded.data:
        return []
    lines = [
        "from research.lab.held import hold",
        "",
        f'hold("{recorded.run_id}")  # data.load gives what the run read',
    ]
    return [_cell("data-of-run", lines)]


def _cell(name: str, lines: list[str], *tags: str) -> dict[str, Any]:
    source = "\n".join(lines).splitlines(keepends=True)
    metadata = {"tags": list(tags)} if tags else {}
    return {
        "cell_type": "code", "execution_count": None, "id": name, "metadata": metadata, "outputs": [], "source": source,
    }  # fmt: skip
