"""`research lab`: JupyterLab on the project's notebooks, with this environment's kernel."""

from __future__ import annotations

import os
import subprocess
import sys

import typer

from research.project import find_project

app = typer.Typer(add_completion=False)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def command(ctx: typer.Context) -> None:
    """Open JupyterLab on notebooks/; further arguments go to jupyter lab (for example --no-browser --port 8890)."""
    project = find_project()
    notebooks = project.root / "notebooks"
    env = {**os.environ, "RESEARCH_PROJECT": str(project.root)}
    # ServerApp.root_dir is the project, so that a notebook can be opened beside its data and reports
    call = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={project.root}"]
    call += [f"--LabApp.default_url=/lab/tree/{notebooks.name}", "--LabApp.news_url=None", *ctx.args]
    raise typer.Exit(subprocess.call(call, env=env, cwd=project.root))
