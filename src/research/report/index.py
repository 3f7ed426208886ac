"""`reports/index.html`: one page that shows a newcomer what ran, what came out, and who approved it.

The page holds its pictures and its style; it needs no network and no script. The same store gives the same bytes.
"""

from __future__ import annotations

import base64
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from research.report import graph, text
from research.report.facts import Facts, collect

if TYPE_CHECKING:
    from research.project import Project
    from research.report.facts import Notebook

TEMPLATES = Path(__file__).parent / "templates"
_DENSITY = 1.44  # picture pixels for each pixel of the page: large, and crisp enough on a fine screen

_TONES = {
    "good": {"passed", "pass", "production", "approved", "validated"},
    "bad": {"not passed", "failed", "fail", "rejected", "warn"},
}
_MARKS = {
    "passed": "✓ ",
    "pass": "✓ ",
    "production": "✓ ",
    "not passed": "✗ ",
    "failed": "✗ ",
    "fail": "✗ ",
    "rejected": "✗ ",
}


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure inside the page."""

    caption: str
    data: str  # base64
    width: int  # pixels of the page
    wide: bool  # a row for itself; the others stand in pairs


def write(project: Project, path: Path | None = None) -> Path:
    """Write the page and the executed notebooks beside it; the path of the page."""
    facts = collect(project)
    target = path or project.reports / "index.html"
    target.parent.mkdir(parents=True, exist_ok=True)
    links = {n.path: link for n in facts.ran if (link := _copy(n, target.parent)) is not None}
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    partial.write_text(render(facts, links), encoding="utf-8")
    partial.replace(target)
    return target


def render(facts: Facts, links: Mapping[str, str] | None = None) -> str:
    """The page as text.

    Parameters
    ----------
    facts : Facts
    links : {path of a notebook: address of its executed page}, optional
    """
    import jinja2

    places = jinja2.FileSystemLoader(TEMPLATES)
    machine = jinja2.Environment(loader=places, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    commands = _commands(facts)
    return machine.get_template("index.html.j2").render(
        name=_name(facts.project),
        css=jinja2.filters.Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),
        lineage=jinja2.filters.Markup(graph.lineage(facts)),
        facts=facts,
        tiles=_tiles(facts),
        links=links or {},
        pictures={n.path: _pictures(n) for n in facts.ran},
        commands=commands,
        width=max(len(command) for command, _ in commands),
        slug=graph.slug,
        words=text.words,
        label=text.label,
        unit_beside=text.unit_beside,
        inline=lambda line: jinja2.filters.Markup(text.inline(line)),
        tone=_tone,
        mark=lambda word: _MARKS.get(word, ""),
        tail=lambda run_id: run_id.rsplit("-", 1)[-1],
        first=lambda items, n: list(items.items())[:n],
        quality=_quality,
        tolerance=_tolerance,
        percent=lambda value: "–" if value is None else f"{100 * float(value):.0f}%",
        number=text.number,
        quantity=text.quantity,
        when=text.when,
        duration=text.duration,
        short=text.short,
    )


def _name(project: Project) -> str:
    """The project's name, as in pyproject.toml."""
    import tomllib

    try:
        with open(project.root / "pyproject.toml", "rb") as handle:
            return str(tomllib.load(handle)["project"]["name"])
    except (OSError, KeyError, tomllib.TOMLDecodeError):
        return project.root.name


def _tone(word: str) -> str:
    return next((tone for tone, words in _TONES.items() if word in words), "")


def _tiles(facts: Facts) -> list[tuple[str, str, str]]:
    """Label, value, note."""
    ran = facts.ran
    tests = [item["verdict"] for n in ran for item in n.evidence]
    read = [d for d in facts.datasets if d.reads]
    live = [m for m in facts.models if m.state == "production"]
    tiles = [
        ("notebooks passed", f"{facts.count('passed')} of {len(ran)}", ""),
        ("runs recorded", f"{sum(n.runs for n in ran):,}", ""),
        ("tests passed", f"{tests.count('pass')} of {len(tests) - tests.count('not applicable')}", ""),
        ("data sets read", str(len(read)), f"of {len(facts.datasets)}"),
        ("models in production", str(len(live)), "demo ledger" if live and all(m.demo for m in live) else ""),
        ("run time", text.duration(sum(n.run.seconds or 0.0 for n in ran if n.run)), ""),
    ]
    return [tile for tile in tiles if tile[0] != "tests passed" or tests]


def _pictures(notebook: Notebook) -> list[Picture]:
    """The first figure large, the others in pairs; an odd one at the end is large again."""
    figures = [figure for figure in notebook.figures if figure.png and figure.path.is_file()]
    found = []
    for i, figure in enumerate(figures):
        data = figure.path.read_bytes()
        width = round(_pixels(data) / _DENSITY)
        wide = i == 0 or (i == len(figures) - 1 and i % 2 == 1)
        found.append(Picture(figure.caption, base64.b64encode(data).decode("ascii"), width, wide))
    return found


def _pixels(png: bytes) -> int:
    """Width in the header of a PNG."""
    return int(struct.unpack(">I", png[16:20])[0]) if png[:4] == b"\x89PNG" else 800


def _copy(notebook: Notebook, folder: Path) -> str | None:
    """Copy the executed notebook's page beside the index; its address."""
    source = notebook.html
    if source is None:
        return None
    address = f"notebooks/{notebook.key}.html"
    target, data = folder / address, source.read_bytes()
    if not target.is_file() or target.read_bytes() != data:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return address


def _quality(figures: Mapping[str, Any] | None) -> list[str]:
    """The figures of the quality report that are not zero."""
    told = ("verdict", "rows")
    shown = {k: v for k, v in (figures or {}).items() if k not in told and isinstance(v, (int, float)) and v}
    return [f"{key.replace('_', ' ')} {text.number(value, 3)}" for key, value in shown.items()]


def _tolerance(metric: Mapping[str, Any]) -> str:
    """How far a re-run may be from the value, in words."""
    rtol, atol = metric.get("rtol", 0.0), metric.get("atol", 0.0)
    if "inf" in (rtol, atol):
        return "anything: not compared"
    parts = [f"{text.number(rtol)} of the value"] if rtol else []
    parts += [text.quantity(atol, metric["unit"])] if atol else []
    return " + ".join(parts) or "nothing: the same bits"


def _commands(facts: Facts) -> list[tuple[str, str]]:
    """What a newcomer tries next; only what works on this store."""
    run = facts.ran[0].run if facts.ran else None
    found = [("make lab", "JupyterLab on the notebooks")]
    if run is not None:
        found += [
            ("make ui", "the runs in MLflow"),
            ("research runs", "every run; --where, --sort, --json"),
            (f"research show {run.run_id}", "one run in full"),
            (f"research reproduce {run.run_id}", "run it again from its commit; ends in a verdict"),
            (f"research lineage {run.run_id}", "what it read, what relies on it"),
        ]
    if any(m.version for m in facts.models):
        demo = " --demo" if any(m.demo for m in facts.models) else ""
        found += [
            (f"research model list{demo}", "versions and states"),
            (f"research audit verify{demo}", "every signature and digest"),
        ]
    return [*found, ("research data list", "the data dictionary")]
