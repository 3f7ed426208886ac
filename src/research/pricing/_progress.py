"""How far a simulation is: a bar on a terminal, a plain line now and then elsewhere; the work left is the square of
the error left.

Runs that are over before anybody could read it show nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

from research.errors import require

Update = Callable[[int, float], None]  # (paths so far, standard error)
_PATIENCE, _BETWEEN = 0.3, 10.0  # seconds before a bar appears; between plain lines


@contextmanager
def shown(progress: Any, std_error: float | None) -> Iterator[Update | None]:
    """The callback of a simulation: the user's own; a bar or lines for True, and by default for a run to an error."""
    good = progress is None or isinstance(progress, bool) or callable(progress)
    require(good, "progress", progress, "be True, False, or a function of (paths, standard error)")
    if callable(progress):
        yield progress
    elif progress is True or (progress is None and std_error is not None):
        with (_bar if sys.stderr.isatty() else _lines)(std_error) as update:
            yield update
    else:
        yield None


def _done(std_error: float | None, error: float) -> float | None:
    """Share of the work, where an error is aimed at."""
    return None if not std_error else 1.0 if error <= 0.0 else min(1.0, (std_error / error) ** 2)


@contextmanager
def _bar(std_error: float | None) -> Iterator[Update]:
    """On standard error, gone when the run ends, however it ends."""
    started = monotonic()
    bars: list[Any] = []

    def update(n_paths: int, error: float) -> None:
        if not bars and monotonic() - started > _PATIENCE:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

            columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
            bars.append(Progress(*columns, transient=True, console=Console(stderr=True)))
            bars[0].start()
            bars[0].add_task("", total=1.0)
        for shown in bars:
            done = _done(std_error, error)
            text = f"{n_paths:,} paths, standard error {error:.2g}"
            shown.update(
                shown.task_ids[0], completed=done or 0.0, total=None if done is None else 1.0, description=text
            )

    try:
        yield update
    finally:
        for shown in bars:
            shown.stop()


@contextmanager
def _lines(std_error: float | None) -> Iterator[Update]:
    """On standard error, one line every ten seconds."""
    said = monotonic()

    def update(n_paths: int, error: float) -> None:
        nonlocal said
        if monotonic() - said > _BETWEEN:
            said = monotonic()
            done = _done(std_error, error)
            part = "" if done is None else f", {done:.0%} of the work"
            print(f"{n_paths:,} paths, standard error {error:.2g}{part}", file=sys.stderr, flush=True)

    yield update
