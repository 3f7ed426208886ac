"""Two commits of a notebook: the cells that changed, and the defaults of its parameters. `NOTEBOOK@REV`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from research.errors import InputError, ResearchError, rule
from research.experiments.diff.code import diff_cells
from research.experiments.notebooks import Notebook, digest, parse
from research.lineage import git
from research.project import Project


def is_notebook(text: str) -> bool:
    """Whether an argument names a notebook, with or without `@REV`."""
    return text.partition("@")[0].endswith(".ipynb")


def read_at(project: Project, text: str) -> tuple[bytes, str, str]:
    """The bytes of NOTEBOOK@REV, its path in the project, and the revision; without @ the working tree's.

    Raises
    ------
    InputError
        When there is no such revision, or no such notebook in it.
    """
    name, _, revision = text.partition("@")
    file = Path(name).resolve()
    try:
        path = file.relative_to(project.root.resolve()).as_posix()
    except ValueError:
        raise InputError(rule("notebook", f"lie inside the project {project.root}", name)) from None
    if not revision:
        if not file.is_file():
            raise InputError(rule("notebook", "be an .ipynb file", name, "Or name a commit: NOTEBOOK@REV."))
        return file.read_bytes(), path, "working tree"
    if not git.has_commit(project.root, revision):
        raise InputError(rule("revision", "be a commit of this repository", revision, "Is it fetched? See git log."))
    content = git.contents(project.root, [path], revision)[path]
    if content is None:
        raise InputError(rule("notebook", f"be in {revision}", path, "See git log --follow."))
    return content, path, revision


def diff_notebooks(project: Project, a: str, b: str) -> dict[str, Any]:
    """What differs between two versions of notebooks, as JSON."""
    sides = [read_at(project, text) for text in (a, b)]
    books = [(parse(data, path), digest(data, path)) for data, path, _ in sides]
    old, new = ([{"cell_type": c["type"], "source": c["source"]} for c in json_cells] for json_cells, _ in books)
    cells = diff_cells(old, new)
    heads = [
        {"run_id": f"{path}@{revision}", "notebook": path, "revision": revision, "digest": book[1]}
        for (_, path, revision), book in zip(sides, books)
    ]
    defaults = [_defaults(data, path, book[0]) for (data, path, _), book in zip(sides, books)]
    names = dict.fromkeys([*defaults[0], *defaults[1]])
    parameters = [
        {"name": n, "old": defaults[0].get(n), "new": defaults[1].get(n), "same": False}
        for n in names
        if defaults[0].get(n) != defaults[1].get(n)
    ]
    return {
        "schema": "research.diff/1",
        "kind": "notebooks",
        "a": heads[0],
        "b": heads[1],
        "parameters": parameters,
        "code": {"cells": cells, "modules": []},
        "same": not cells,
    }


def _defaults(data: bytes, path: str, cells: list[dict[str, Any]]) -> dict[str, Any]:
    """The defaults of the parameters; none when the cell cannot be read as a schema."""
    try:
        notebook = Notebook(Path(path), tuple(cells), "")
        return dict(json.loads(json.dumps(notebook.schema().check({}).to_json(), default=str)))
    except ResearchError:
        return {}
