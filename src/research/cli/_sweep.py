"""How a sweep looks in a terminal: a bar with rate and time left, the best so far; plain lines elsewhere."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from research.cli import _print

if TYPE_CHECKING:
    import threading
    from pathlib import Path

    from research.experiments.sweep.ledger import Ledger
    from research.experiments.sweep.points import Points
    from research.experiments.sweep.scheduler import Progress
    from research.project import Project

_EVERY_S = 2.0  # between plain lines
_TELL_EVERY_S = 60.0  # between deliveries to MLflow
_SHOWN = 20


def duration(seconds: float | None) -> str:
    """A time for people: 8 s, 3 min 20 s, 2 h 5 min."""
    if seconds is None:
        return "-"
    whole = int(seconds + 0.5)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def rate(per_second: float) -> str:
    """Points a second, or a minute where that says more."""
    return f"{per_second:.1f}/s" if per_second >= 0.95 else f"{60 * per_second:.1f}/min"


def _counts(progress: Progress) -> str:
    parts = [f"{progress.hits} hits" if progress.hits else "", f"{progress.failed} failed" if progress.failed else ""]
    parts += [f"{progress.aside} set aside" if progress.aside else ""]
    parts += [f"{progress.lost} workers lost" if progress.lost else ""]
    return ", ".join(part for part in parts if part)


def _values(parameters: dict[str, Any], names: list[str]) -> str:
    return " ".join(f"{name}={_print.number(parameters[name])}" for name in names)


class _Lines:
    """A line every two seconds, and one at the end."""

    def __init__(self, stream: Any) -> None:
        self._stream, self._said, self._ended = stream, time.monotonic(), -1

    def __call__(self, progress: Progress) -> None:
        now, over = time.monotonic(), progress.ended == progress.total
        if progress.ended == self._ended or not (over or now - self._said >= _EVERY_S):
            return
        self._said, self._ended = now, progress.ended
        line = f"  {progress.ended}/{progress.total} points  {rate(progress.rate) if progress.here else 'starting'}"
        line += f"  {duration(progress.left_s)} left" if progress.here and not over else ""
        line += f"  {counts}" if (counts := _counts(progress)) else ""
        if progress.best and progress.metric:
            line += (
                f"  best {progress.metric} {_print.number(progress.best[0].value)} (point {progress.best[0].number})"
            )
        print(line, file=self._stream, flush=True)


class _Live:
    """Bar and table of the best, redrawn in place."""

    def __init__(self, metric: str | None) -> None:
        from rich.live import Live
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._metric = metric
        self._bar = Progress(
            TextColumn("[bold]sweep"),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[rate]}"),
            TextColumn("[dim]{task.fields[left]}"),
            TextColumn("[yellow]{task.fields[counts]}"),
        )
        self._task = self._bar.add_task("", total=None, rate="", left="starting", counts="")
        self._live = Live(self._bar, refresh_per_second=8, transient=True)
        self._live.start()

    def __call__(self, progress: Progress) -> None:
        from rich.console import Group

        left = f"{duration(progress.left_s)} left" if progress.here else "starting"
        self._bar.update(
            self._task,
            total=progress.total,
            completed=progress.ended,
            rate=rate(progress.rate) if progress.here else "",
            left=left,
            counts=_counts(progress),
        )
        if progress.best and self._metric:
            self._live.update(Group(self._bar, _best_table(progress)))

    def close(self) -> None:
        self._live.stop()


def _best_table(progress: Progress) -> Any:
    from rich.table import Table

    names = [n for n in progress.best[0].parameters if len({str(p.parameters[n]) for p in progress.best}) > 1]
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for name in (str(progress.metric), "point", *names):
        table.add_column(name, justify="right")
    for point in progress.best:
        cells = [_print.number(point.value), str(point.number)]
        table.add_row(*cells, *(_print.number(point.parameters[n]) for n in names))
    return table


@contextlib.contextmanager
def watching(project: Project, metric: str | None, as_json: bool) -> Iterator[Callable[[Progress], None]]:
    """What shows the progress (live on a terminal, lines elsewhere, on standard error beside JSON) and tells MLflow."""
    live = None if as_json or not sys.stdout.isatty() else _Live(metric)
    show = live or _Lines(sys.stderr if as_json else sys.stdout)
    teller = Teller(project)

    def watch(progress: Progress) -> None:
        show(progress)
        teller()

    try:
        yield watch
    finally:
        if live is not None:
            live.close()
        teller.wait()


class Teller:
    """Lets MLflow hear of a long sweep once a minute, in a thread beside the scheduler."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._thread: threading.Thread | None = None
        self._told = time.monotonic()

    def __call__(self) -> None:
        if time.monotonic() - self._told < _TELL_EVERY_S or (self._thread and self._thread.is_alive()):
            return
        import threading

        from research.lineage import tracking

        self._told = time.monotonic()
        self._thread = threading.Thread(target=tracking.flush, args=(self._project,), name="mlflow", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        if self._thread is not None:
            self._thread.join()


def tell_tracking(ledger: Ledger, as_json: bool) -> None:
    """Let MLflow hear of the sweep and its runs."""
    from research.lineage import tracking

    told = tracking.flush(ledger.project)
    if told.waiting and not as_json:
        why = next(iter(told.waiting.values()))
        print(f"  MLflow will be told of {len(told.waiting)} runs by a later command: {why}", file=sys.stderr)


def show_list(project: Project, as_json: bool) -> None:
    from research.experiments.sweep.ledger import list_sweeps

    found = list_sweeps(project)
    if as_json:
        print(json.dumps(found))
        return
    if not found:
        _print.line("No sweeps. Try research sweep NOTEBOOK -g NAME=V1,V2")
        return
    names = ("done", "hits", "failed", "set aside", "waiting")
    rows = [[s["sweep_id"], s["state"], *(str(s[name]) for name in names), s["notebook"]] for s in found]
    _print.table("", ["sweep (UTC)", "state", *names, "notebook"], rows, right=[2, 3, 4, 5, 6])


def show_points(points: Points, as_json: bool) -> None:
    if as_json:
        counts = {"points": len(points), "left_out": points.left_out, "doubles": points.doubles}
        print(json.dumps({**counts, "varied": points.varied, "parameters": points.parameters}))
        return
    names = list(points.varied)
    rows = [[str(i), *(_print.number(p[n]) for n in names)] for i, p in enumerate(points.parameters[:_SHOWN])]
    _print.table(f"{len(points):,} points", ["point", *names], rows, right=range(len(names) + 1))
    if len(points) > _SHOWN:
        print(f"... and {len(points) - _SHOWN:,} more")
    if points.left_out or points.doubles:
        print(f"left out by a condition: {points.left_out}; asked twice: {points.doubles}")


def show_end(ledger: Ledger, found: dict[str, Any]) -> None:
    """The closing lines: counts, the best points, failures by cause, where the summary is."""
    state = f"{found['done']} of {found['points']} points done"
    rest = [
        f"{found[name]} {name.replace('_', ' ')}" for name in ("hits", "failed", "set_aside", "waiting") if found[name]
    ]
    good = not (found["failed"] or found["set_aside"] or found["waiting"])
    _print.line(f"{ledger.sweep_id}: {state}" + (f", {', '.join(rest)}" if rest else ""), "green" if good else "yellow")
    if found["best"]:
        names = found["varied"]
        head = [ledger.metric or "", "point", *names, "run"]
        rows = [
            [
                _print.number(b["value"]),
                str(b["point"]),
                *(_print.number(b["parameters"][n]) for n in names),
                b["run_id"],
            ]
            for b in found["best"]
        ]
        _print.table(f"best ({ledger.goal} {ledger.metric})", head, rows, right=range(len(names) + 2))
    for cause in found["causes"]:
        shown = ", ".join(map(str, cause["points"][:8])) + (" ..." if cause["count"] > 8 else "")
        _print.line(f"  {cause['count']} x {cause['cause']}  (points {shown})", "red")
    print(f"  {found['trials']} trials of this notebook so far; summary: {found['page']}")


def open_sweep(project: Project, name: str, best: str | None) -> Ledger:
    from research.errors import ParameterError, rule
    from research.experiments.sweep import ledger

    if best is not None:
        raise ParameterError(rule("--best", "not be given with --resume", best, "The sweep keeps its metric."))
    return ledger.Ledger(project, ledger.resolve(project, name))


def starter(cluster: str | None, jobs: int) -> Any:
    from research.experiments.sweep import scheduler
    from research.lineage.environment import threads

    count = jobs or threads()
    if cluster is None:
        return scheduler.local(count)
    from research.experiments.sweep.cluster import on_cluster

    return on_cluster(cluster, count)


def finish(ledger: Ledger, as_json: bool) -> None:
    """Summary, MLflow, the closing lines, and the exit code."""
    import typer

    from research.experiments.sweep import summary

    summary.write(ledger)
    tell_tracking(ledger, as_json)
    found = summary.facts(ledger)
    if as_json:
        print(json.dumps(found))
    else:
        show_end(ledger, found)
    if found["failed"] or found["set_aside"]:
        raise typer.Exit(1)


def inside(project: Project, path: Path) -> str:
    """The path of a notebook in the project."""
    from research.errors import InputError, rule

    try:
        return path.resolve().relative_to(project.root.resolve()).as_posix()
    except ValueError:
        raise InputError(rule("notebook", f"lie inside the project {project.root}", str(path))) from None
