"""A progress bar for runs that stop at a standard error: the work left is the square of the error left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def bar(std_error: float | None) -> Iterator[Callable[[int, float], None]]:
    """A bar on the terminal; the callback takes (paths so far, standard error)."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    with Progress(TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), transient=True) as shown:
        task = shown.add_task("simulating", total=1.0)

        def update(n_paths: int, error: float) -> None:
            done = min(1.0, (std_error / error) ** 2) if std_error and error > 0.0 else 0.5
            shown.update(task, completed=done, description=f"{n_paths:,} paths, standard error {error:.2g}")

        yield update
