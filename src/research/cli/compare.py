"""`research compare RUN... | -w TEST`: many runs on one page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command()
def compare(
    runs: Annotated[list[str] | None, typer.Argument(help="Runs, by name.", show_default=False)] = None,
    where: Annotated[
        str | None, typer.Option("-w", "--where", metavar="TEST", help='As in research runs: "rmse < 20 and age < 7d".')
    ] = None,
    notebook: Annotated[str | None, typer.Option("-n", "--notebook", help="Part of the notebook's path.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=2, help="At most so many, the newest.")] = 1000,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="The page; reports/compare.html by default.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; write a page only with --out.")] = False,
) -> None:
    """Put many runs on one page: table, scatter, parallel coordinates of what differs among them."""
    from research.errors import InputError
    from research.experiments.compare_page import compare_runs, write
    from research.lineage import store
    from research.project import find_project

    project = find_project()
    if runs and (where or notebook):
        raise InputError("runs must be named or chosen by --where; got both. Leave out one.")
    found = (
        [store.get_run(name, project=project) for name in dict.fromkeys(runs)]
        if runs
        else store.list_runs(where=where, notebook=notebook, status="FINISHED", limit=limit, project=project)
    )
    compared = compare_runs(found)
    page = write(compared, out or project.reports / "compare.html") if out or not as_json else None
    if as_json:
        print(json.dumps({**compared, "page": str(page) if page else None}))
        return
    print(f"{len(found)} runs, {len(compared['columns'])} columns differ: {page}")
