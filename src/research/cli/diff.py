"""`research diff A B`: what differs between two runs, two commits of a notebook, or two sweeps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(add_completion=False)


@app.command()
def diff(
    a: Annotated[str, typer.Argument(help="A run, NOTEBOOK@REV, or a sweep.", show_default=False)],
    b: Annotated[str, typer.Argument(help="The other one; NOTEBOOK without @ is the working tree's.")] = "latest",
    everything: Annotated[bool, typer.Option("--all", help="Also parameters and metrics that are the same.")] = False,
    page: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write one page: tables, patches, pictures side by side."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what differs: parameters, data by row, code by cell, packages, results by value; by default nothing else.

    Exit code 0, whatever differs.
    """
    found = _differences(a, b, everything)
    if page is not None:
        from research.experiments.diff.page import write

        write(found, page)
    if as_json:
        print(json.dumps({**found, "page": str(page)} if page else found))
        return
    from research.cli import _print
    from research.experiments.diff.terminal import lines

    for text, style in lines(found):
        _print.line(text, style)
    if page is not None:
        _print.line(f"\npage: {page}", "dim")


def _differences(a: str, b: str, everything: bool) -> dict[str, Any]:
    from research.experiments.diff import notebooks
    from research.lineage import store
    from research.project import find_project

    project = find_project()
    if notebooks.is_notebook(a):
        other = b if notebooks.is_notebook(b) else a.partition("@")[0]
        return notebooks.diff_notebooks(project, a, other)
    from research.experiments.diff import sweeps

    named = [sweeps.resolve(project, name) for name in (a, b)] if a.startswith("sweep") else []
    if named and all(named):
        return sweeps.diff_sweeps(project, str(named[0]), str(named[1]))
    from research.experiments.diff.runs import diff_runs

    runs = [store.load_capsule(name, project=project) for name in (a, b)]
    return diff_runs(project, *runs, everything=everything)
