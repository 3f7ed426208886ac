"""`research tune NOTEBOOK --best METRIC`: search for the best parameters; every trial is a recorded run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from research.errors import InputError, ParameterError, rule

app = typer.Typer(add_completion=False)
Words = list[str] | None


@app.command()
def tune(
    what: Annotated[Path | None, typer.Argument(metavar="NOTEBOOK", help="The notebook.")] = None,
    best: Annotated[str | None, typer.Option("--best", metavar="METRIC", help="The metric to make small.")] = None,
    maximum: Annotated[bool, typer.Option("--max", help="Make it large instead.")] = False,
    space: Annotated[
        Words,
        typer.Option("-s", "--space", metavar="NAME=LOW:HIGH[:log]", help="A range; without -s: all bounded ones."),
    ] = None,
    parameter: Annotated[
        Words, typer.Option("-p", "--parameter", metavar="NAME=VALUE", help="A fixed value, the same in all trials.")
    ] = None,
    trials: Annotated[int | None, typer.Option("-n", "--trials", min=1, help="So many; 50 unless given.")] = None,
    sampler: Annotated[str, typer.Option("--sampler", help="tpe, random or sobol.")] = "tpe",
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed and batch give the same trials.")] = 1,
    batch: Annotated[int, typer.Option("--batch", min=0, help="Trials proposed together; 0 is one a process.")] = 0,
    jobs: Annotated[int, typer.Option("-j", "--jobs", min=0, help="Processes; 0 is one a processor.")] = 0,
    cluster: Annotated[
        str | None, typer.Option("--cluster", metavar="ADDRESS|local", help="Run on a Dask cluster.")
    ] = None,
    resume: Annotated[
        str | None, typer.Option("--resume", metavar="SWEEP", help="Go on; with -n, to more trials.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Search for the parameters of a notebook that make a metric best; every trial is a recorded run, and counted.

    The search space is every parameter with both bounds, a Literal or a bool in the notebook's parameters cell, or
    what -s says. A tuning that was stopped or killed goes on with --resume and proposes what it would have proposed.
    """
    from research.cli import _sweep
    from research.cli.run import read_parameters
    from research.experiments import notebooks
    from research.experiments import tune as tuning
    from research.lineage.environment import threads
    from research.project import find_project

    project = find_project(os.environ.get("RESEARCH_PROJECT") or (what.resolve().parent if what else None))
    start = _sweep.starter(cluster, jobs)
    if resume is not None:
        ledger = _sweep.open_sweep(project, resume, best)
        if ledger.kind != "tune":
            raise InputError(rule("--resume", "name a tuning", ledger.sweep_id, "See research sweep --resume."))
        with _sweep.watching(project, ledger.metric, as_json) as watch:
            tuning.resume(ledger, start, watch=watch, trials=trials)
        _sweep.finish(ledger, as_json)
        return
    if what is None or best is None:
        raise ParameterError(rule("tune", "name a notebook and --best METRIC", "less", "Or --resume SWEEP."))
    spec = tuning.spec_from_words(
        _sweep.inside(project, what),
        notebooks.read(what).schema(),
        space=space or [],
        fixed=read_parameters([], parameter or []),
        metric=best,
        goal="max" if maximum else "min",
        trials=trials or 50,
        sampler=sampler,
        seed=seed,
        batch=batch or jobs or threads(),
    )
    with _sweep.watching(project, best, as_json) as watch:
        ledger = tuning.tune(spec, project, start, watch=watch)
    _sweep.finish(ledger, as_json)
