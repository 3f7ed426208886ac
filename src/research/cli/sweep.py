"""`research sweep NOTEBOOK -g NAME=VALUES`: run a notebook at many points; durable, resumable, every point recorded."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from research.errors import ParameterError, rule

if TYPE_CHECKING:
    from research.experiments.sweep.spec import Spec
    from research.project import Project

app = typer.Typer(add_completion=False)
Words = list[str] | None


@app.command()
def sweep(
    what: Annotated[
        Path | None, typer.Argument(metavar="NOTEBOOK|FILE.yaml", help="The notebook, or a sweep file.")
    ] = None,
    grid: Annotated[
        Words, typer.Option("-g", "--grid", metavar="NAME=VALUES", help="1,2,3  0:1:11  1e-3:1:4:log  @DATA:month")
    ] = None,
    parameter: Annotated[
        Words, typer.Option("-p", "--parameter", metavar="NAME=VALUE", help="A fixed value, the same at all points.")
    ] = None,
    space: Annotated[
        Words, typer.Option("-s", "--space", metavar="NAME=LOW:HIGH[:log]", help="A range, for --random and the like.")
    ] = None,
    random: Annotated[int | None, typer.Option("--random", min=1, metavar="N", help="N random points.")] = None,
    latin: Annotated[int | None, typer.Option("--latin", min=1, metavar="N", help="N Latin hypercube points.")] = None,
    sobol: Annotated[int | None, typer.Option("--sobol", min=1, metavar="N", help="N Sobol points.")] = None,
    design_seed: Annotated[int, typer.Option("--design-seed", min=0, help="Seed of drawn points and seeds.")] = 1,
    where: Annotated[Words, typer.Option("-w", "--where", help='Keep points where, e.g. "a < b".')] = None,
    seeds: Annotated[int | None, typer.Option("--seeds", min=1, metavar="N", help="N seeds at every point.")] = None,
    best: Annotated[
        str | None, typer.Option("--best", metavar="METRIC", help="Show the points with the least.")
    ] = None,
    maximum: Annotated[bool, typer.Option("--max", help="With --best: the most is best.")] = False,
    jobs: Annotated[int, typer.Option("-j", "--jobs", min=0, help="Processes; 0 is one a processor.")] = 0,
    cluster: Annotated[
        str | None, typer.Option("--cluster", metavar="ADDRESS|local", help="Run on a Dask cluster.")
    ] = None,
    resume: Annotated[str | None, typer.Option("--resume", metavar="SWEEP", help="Go on with a stopped sweep.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="With --resume: try failed points again.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Run points even if earlier runs have the answer.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and show the points; run nothing.")] = False,
    list_all: Annotated[bool, typer.Option("--list", help="List the sweeps of this store.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run a notebook at many points; every point is checked first, and recorded as a run of its own.

    A point that was run before with the same code and data is answered by that run. A sweep that was stopped or
    killed goes on with --resume. Exit code 1: a point failed or was set aside.
    """
    from research.cli import _sweep
    from research.project import find_project

    project = find_project(os.environ.get("RESEARCH_PROJECT") or (what.resolve().parent if what else None))
    if list_all:
        _sweep.show_list(project, as_json)
        return
    if resume is not None:
        ledger = _sweep.open_sweep(project, resume, best)
        start = _sweep.starter(cluster, jobs)
        with _sweep.watching(project, ledger.metric, as_json) as watch:
            if ledger.kind == "tune":
                from research.experiments.tune import resume as go_on_tuning

                go_on_tuning(ledger, start, watch=watch)
            else:
                from research.experiments.sweep.scheduler import resume as go_on

                go_on(ledger, start, watch=watch, failed=failed)
        _sweep.finish(ledger, as_json)
        return
    if what is None:
        raise ParameterError(rule("sweep", "name a notebook or a sweep file", "none", "Or --resume SWEEP, or --list."))
    drawn = {"random": random, "latin_hypercube": latin, "sobol": sobol}
    spec = _spec(project, what, drawn, grid, parameter, space, design_seed, where, seeds, best, maximum)
    if dry_run:
        from research.experiments.sweep.scheduler import plan

        _sweep.show_points(plan(spec, project), as_json)
        return
    from research.experiments.sweep.scheduler import sweep as run_sweep

    with _sweep.watching(project, spec.metric, as_json) as watch:
        ledger = run_sweep(spec, project, _sweep.starter(cluster, jobs), watch=watch, force=force)
    _sweep.finish(ledger, as_json)


def _spec(
    project: Project,
    what: Path,
    drawn: dict[str, int | None],
    grid: Words,
    parameter: Words,
    space: Words,
    design_seed: int,
    where: Words,
    seeds: int | None,
    best: str | None,
    maximum: bool,
) -> Spec:
    """The sweep that the words ask for; of a file, words overrule only what is best."""
    import dataclasses

    from research.experiments.sweep import spec as specs

    if what.suffix in (".yaml", ".yml"):
        if any((grid, parameter, space, where, seeds, *drawn.values())):
            raise ParameterError(rule("a sweep file", "say all of its points itself", what.name, "Edit the file."))
        found = specs.read_file(what)
        if best is not None:
            found = dataclasses.replace(found, metric=best, goal="max" if maximum else "min")
        return found
    methods = [name for name, n in drawn.items() if n is not None]
    if len(methods) > 1:
        raise ParameterError(rule("--random, --latin, --sobol", "be given once", " and ".join(methods)))
    from research.cli import _sweep
    from research.cli.run import read_parameters

    return specs.from_words(
        _sweep.inside(project, what),
        grid=grid or [],
        fixed=read_parameters([], parameter or []),
        space=space or [],
        method=methods[0] if methods else "random",
        n=drawn[methods[0]] if methods else None,
        design_seed=design_seed,
        where=where or [],
        seeds=seeds,
        metric=best,
        goal="max" if maximum else "min",
    )
