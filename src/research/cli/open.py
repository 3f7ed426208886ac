"""`research open RUN`: a run as a notebook to work in, with its parameters and data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command()
def command(
    run: Annotated[str, typer.Argument(help="A run, a unique beginning or end of its name, or latest.")] = "latest",
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="Where; default notebooks/opened/RUN.ipynb.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    lab: Annotated[bool, typer.Option("--lab", help="Start JupyterLab there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Open a run again as a notebook: the cells that ran, with its parameters, reading the data that it read."""
    import json

    from research.lab.reopen import reopen
    from research.project import find_project

    project = find_project()
    path = reopen(run, to=to, force=force, project=project).resolve()
    inside = path.is_relative_to(project.root.resolve())
    shown = path.relative_to(project.root.resolve()) if inside else path
    print(json.dumps({"notebook": str(path)}) if as_json else f"{shown}")
    if lab:
        from research.errors import InputError, rule
        from research.lab import server

        if not inside:
            raise InputError(rule("--to", f"lie inside the project {project.root} for --lab", str(path)))
        raise typer.Exit(server.launch(project, [f"--LabApp.default_url=/lab/tree/{shown.as_posix()}"]))
