"""The lineage as a picture: data sets, the runs that read them, the models they speak for. Inline SVG, no script."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from research.report.facts import Facts, Model, Notebook

_WIDTH, _BOX, _HEIGHT, _GAP, _TOP = 1080, (264, 300, 264), 46, 14, 34
_LEFT = (0, 390, 816)
_MARKS = {"passed": "✓", "not passed": "✗", "failed": "✗", "recorded": "•", "running": "…"}


@dataclass(frozen=True, slots=True)
class _Node:
    column: int
    key: str
    title: str
    note: str
    role: str  # class of its left edge
    link: str


@dataclass(frozen=True, slots=True)
class _Edge:
    start: tuple[int, str]
    end: tuple[int, str]
    role: str = ""


def lineage(facts: Facts) -> str:
    """The picture, or nothing when no run is recorded."""
    ran = facts.ran
    if not ran:
        return ""
    data = [_Node(0, d.name, d.name, _rows(d.reads), "data", f"data-{slug(d.name)}") for d in facts.datasets if d.reads]
    runs = [_Node(1, n.path, n.key, _note(n), slug(n.verdict), slug(n.key)) for n in ran]
    models = [_Node(2, _key(m), m.name, _state(m), slug(m.state), "models") for m in facts.models]
    nodes = [data, runs, models]
    keys = {n.key: n.path for n in ran}
    edges = [_Edge((0, d.name), (1, keys[r])) for d in facts.datasets for r in d.readers if r in keys]
    for model in facts.models:
        edges += [_Edge((1, p), (2, _key(model)), "evidence") for p in model.evidence if p in keys.values()]
        edges += [_Edge((1, model.notebook), (2, _key(model)))] if model.notebook in keys.values() else []
    return _svg(nodes, edges)


def slug(text: str) -> str:
    """A name as an anchor: calibration/heston becomes calibration-heston."""
    return "".join(c if c.isalnum() else "-" for c in text.lower())


def _key(model: Model) -> str:
    return f"{model.demo}/{model.name}/{model.version}"


def _rows(reads: Sequence[dict[str, object]]) -> str:
    rows = sorted({int(str(read["rows"])) for read in reads})
    return " and ".join(f"{n:,}" for n in rows) + " rows"


def _note(notebook: Notebook) -> str:
    pinned = "" if notebook.run is None or notebook.run.pinned else ", unpinned"
    return f"{_MARKS.get(notebook.verdict, '')} {notebook.verdict}{pinned}"


def _state(model: Model) -> str:
    version = f"version {model.version}, " if model.version else ""
    return f"{version}{model.state}" + (" (demo)" if model.demo else "")


def _svg(nodes: list[list[_Node]], edges: list[_Edge]) -> str:
    tall = max(len(column) for column in nodes)
    height = _TOP + tall * (_HEIGHT + _GAP)
    place: dict[tuple[int, str], float] = {}
    for i, column in enumerate(nodes):
        free = (tall - len(column)) * (_HEIGHT + _GAP) / 2
        for j, node in enumerate(column):
            place[i, node.key] = _TOP + free + j * (_HEIGHT + _GAP)
    lines = [_line(edge, place) for edge in edges if edge.start in place and edge.end in place]
    boxes = [_box(node, place[node.column, node.key]) for column in nodes for node in column]
    heads = ["data sets", "runs", "models"]
    titles = [f'<text class="head" x="{_LEFT[i]}" y="16">{heads[i]}</text>' for i in range(3) if nodes[i]]
    return (
        f'<svg class="lineage" viewBox="0 0 {_WIDTH} {height:g}" role="img" '
        'aria-label="Lineage: data sets, runs, models">' + "".join(titles + lines + boxes) + "</svg>"
    )


def _line(edge: _Edge, place: dict[tuple[int, str], float]) -> str:
    x0, y0 = _LEFT[edge.start[0]] + _BOX[edge.start[0]], place[edge.start] + _HEIGHT / 2
    x1, y1 = _LEFT[edge.end[0]], place[edge.end] + _HEIGHT / 2
    middle = (x0 + x1) / 2
    path = f"M{x0:g} {y0:g}C{middle:g} {y0:g} {middle:g} {y1:g} {x1:g} {y1:g}"
    return f'<path class="edge {edge.role}" d="{path}"/>'


def _box(node: _Node, y: float) -> str:
    x, width = _LEFT[node.column], _BOX[node.column]
    return (
        f'<a href="#{node.link}"><g class="node {node.role}"><rect x="{x + 0.5}" y="{y + 0.5:g}" width="{width - 1}" '
        f'height="{_HEIGHT - 1}" rx="6"/>'
        f'<rect class="edge-mark" x="{x}" y="{y:g}" width="4" height="{_HEIGHT}" rx="2"/>'
        f'<text class="title" x="{x + 14}" y="{y + 19:g}">{escape(node.title)}</text>'
        f'<text class="note" x="{x + 14}" y="{y + 36:g}">{escape(node.note)}</text></g></a>'
    )
