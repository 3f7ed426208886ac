"""`research lab`: JupyterLab on the project's notebooks."""

from __future__ import annotations

import typer

app = typer.Typer(add_completion=False)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def command(ctx: typer.Context) -> None:
    """Open JupyterLab on notebooks/; further arguments go to jupyter lab (for example --no-browser --port 8890).

    Notebook Jobs are recorded runs, MLflow is in the Launcher. Settings and job lists are kept in .lab/, which git
    ignores; nothing is written into the home folder, nothing is asked of the network.
    """
    from research.lab import server
    from research.project import find_project

    raise typer.Exit(server.launch(find_project(), ctx.args))
