"""`research ui`: the MLflow UI on the local store."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command()
def command(
    port: Annotated[int, typer.Option(help="Port on the loopback address.")] = 5000,
    socket: Annotated[
        str | None, typer.Option(metavar="PATH", help="Serve on a Unix socket instead (as JupyterLab does).")
    ] = None,
    browser: Annotated[bool, typer.Option(help="Open a browser.")] = True,
) -> None:
    """Show the recorded runs in the MLflow UI, at http://127.0.0.1:PORT; first MLflow is told of the newest.

    MLflow's own assistant, which would run commands on this machine, is refused.
    """
    from research.lineage import ui
    from research.project import find_project

    project = find_project()
    if socket is None:
        ui.require_free(port)
    told = ui.settle(project, create=socket is not None)  # JupyterLab's tile shows an empty store too
    for run, why in told.waiting.items():
        print(f"MLflow has not heard of {run}: {why}")
    if socket is None:
        address = f"http://127.0.0.1:{port}/{ui.VIEW}"
        print(f"MLflow UI on {address} (Ctrl-C ends it)", flush=True)
        if browser:
            ui.open_when_ready(port, address)
    ui.serve(project, port=port, socket=socket)
