"""`research ui`: the MLflow UI on the local store."""

from __future__ import annotations

import os
import subprocess
import sys

import typer

from research.errors import ProjectError
from research.project import find_project

app = typer.Typer(add_completion=False)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def command(ctx: typer.Context, port: int = typer.Option(5000, help="Port on the loopback address.")) -> None:
    """Open the MLflow UI on mlruns/mlflow.db at http://127.0.0.1:PORT; further arguments go to mlflow ui."""
    store = find_project().mlruns
    if not (store / "mlflow.db").is_file():
        raise ProjectError(
            f"mlruns must hold mlflow.db; got none in {store}. Run `make demo` or `research run NOTEBOOK` first."
        )
    env = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "1"}
    call = [sys.executable, "-m", "mlflow", "ui", "--host", "127.0.0.1", "--port", str(port)]
    call += ["--backend-store-uri", f"sqlite:///{store / 'mlflow.db'}", *ctx.args]
    print(f"MLflow UI on http://127.0.0.1:{port} (Ctrl-C ends it)")
    raise typer.Exit(subprocess.call(call, env=env))
