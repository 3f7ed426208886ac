"""`research report`: write reports/index.html from the recorded runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command()
def command(
    output: Annotated[Path | None, typer.Option(help="Where to write the page (default: reports/index.html).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what the page shows, as JSON.")] = False,
) -> None:
    """Write reports/index.html from the recorded runs."""
    import json

    from research.project import find_project
    from research.report.facts import collect
    from research.report.index import write

    project = find_project()
    path = write(project, output)
    if as_json:
        typer.echo(json.dumps({"path": str(path), **collect(project).to_json()}))
    else:
        typer.echo(str(path))
