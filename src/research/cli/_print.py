"""Tables and badges for a terminal: rich when there is one, plain text in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Literal

_COLOURS = {
    "FINISHED": "green",
    "FAILED": "red",
    "RUNNING": "yellow",
    "EXACT": "green",
    "WITHIN TOLERANCE": "green",
    "NOT COMPARED": "dim",
    "DIFFERS": "bold red",
    "pass": "green",
    "fail": "red",
    "passed": "green",
    "not passed": "red",
    "yes": "green",
    "no": "red",
}


def number(value: Any) -> str:
    """A number for people, six significant digits; other values as text, None as a dash."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        return f"{value:,.6g}" if abs(value) < 1e15 else f"{value:.6g}"
    return str(value)


def table(
    title: str, head: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = (), cut: bool = False
) -> None:
    """Print a table; columns in `right` are numbers; with `cut` the last one gives way on a narrow terminal."""
    if not sys.stdout.isatty():
        _plain_table(title, head, rows, right)
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    made = Table(
        title=title or None, title_justify="left", title_style="bold", header_style="dim", box=None, pad_edge=False
    )
    for i, name in enumerate(head):
        side: Literal["left", "right"] = "right" if i in right else "left"
        if i < len(head) - 1 or not cut:
            made.add_column(name, justify=side, no_wrap=i < len(head) - 1, overflow="fold")
        else:
            made.add_column(name, justify=side, no_wrap=True, overflow="ellipsis", ratio=1)
    for row in rows:
        made.add_row(*(f"[{_COLOURS[c]}]{c}[/]" if c in _COLOURS else escape(c) for c in row))
    Console().print(made)


def _plain_table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int]) -> None:
    if title:
        print(title)
    widths = [max(len(str(row[i])) for row in (head, *rows)) for i in range(len(head))]
    for row in (head, *rows):
        cells = [c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths))]
        print("  ".join(cells).rstrip())


def line(text: str, style: str = "") -> None:
    """Print one line, coloured on a terminal."""
    if not sys.stdout.isatty():
        print(text)
        return
    from rich.console import Console
    from rich.text import Text

    Console(highlight=False).print(Text(text, style=style))
