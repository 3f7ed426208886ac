"""`research demo`: kernels, pipeline, promotion, report, summary; what `make demo` runs."""

from __future__ import annotations

import time
from typing import Any

import typer

from research.project import Project, find_project

app = typer.Typer(add_completion=False)

MODEL, NOTEBOOK = "heston_dax", "notebooks/calibration/heston.ipynb"


@app.command()
def command() -> None:
    """Run the whole path on real data: kernels, pipeline, promotion, report, summary."""
    from research.cli.warmup import warm
    from research.lineage import pipeline

    started = time.perf_counter()
    project = find_project()
    count, seconds = warm()
    _say(f"Kernels: {count} compiled in {seconds:.0f} s" if seconds else f"Kernels: {count} warm")
    before = pipeline.read_lock(project)
    missing = pipeline.without_run(project)
    _say("Pipeline: dvc repro" + (f" --force ({len(missing)} notebooks have no run in this store)" if missing else ""))
    env = pipeline.environment(project)
    ran = pipeline.run_pipeline(project, env, _say, force=bool(missing))
    if stale := _stale(project):
        _say(f"Pipeline: dvc repro --force, for {len(stale)} notebooks have no run of this code in this store")
        ran += pipeline.run_pipeline(project, env, _say, force=True, only=stale)
    _say(
        f"Pipeline: {len(ran)} stages ran. {pipeline.settle_lock(project, before)}"
        if ran
        else "Pipeline: nothing changed."
    )
    changed = _promote(project) or bool(ran)
    _report(project, changed)
    _say(
        f"Done in {time.perf_counter() - started:.0f} s." + ("" if changed else " Nothing changed since the last time.")
    )


def _say(line: str) -> None:
    print(line, flush=True)


def _stale(project: Project) -> list[str]:
    """Stages whose notebook has no run of the code, data and parameters as they are.

    After a pull the committed dvc.lock fits the pulled code, so DVC has nothing to do; the runs here are of the old.
    """
    from research.experiments.runner import is_answered
    from research.lineage import pipeline

    return [
        stage.name
        for stage in pipeline.notebook_stages(project)
        if not is_answered(project.root / stage.notebook, _parameters(project, stage.parameters), project=project)
    ]


def _parameters(project: Project, place: str) -> dict[str, Any]:
    """The parameters at FILE:SECTION, read from the project's own folder."""
    from research.cli.run import read_parameters

    return dict(read_parameters([str(project.root / place)] if place else [], []))


def _promote(project: Project) -> bool:
    """Promote the newest run of the model's notebook in the demo's own ledger; was anything new?"""
    from research.lineage import list_runs

    runs = [run for run in list_runs(notebook=NOTEBOOK, status="FINISHED", project=project) if run.pinned]
    if not runs:
        _say(
            "Promotion: left out, because no run of the model is pinned to a commit. "
            "`research show latest` says why; commit and run again."
        )
        return False
    from research.governance.demo import promote_demo

    done = promote_demo(runs[0].run_id, MODEL, project=project)
    _say("Promotion:")
    for line in done.lines:
        _say(f"  {line}")
    return done.changed


def _report(project: Project, changed: bool) -> None:
    """Write the page when something changed; print the summary."""
    from research.report import index, summary

    if changed or not (project.reports / "index.html").is_file():
        index.write(project)
    _say("")
    _say(summary.summary(project))
