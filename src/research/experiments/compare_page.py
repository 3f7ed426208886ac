"""Many runs on one page: a table of what differs, a scatter, parallel coordinates. No network; plotly is inside.

A column is shown only when two of the runs differ in it. Colours are viridis: even steps for every eye, and in grey.
"""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from research.errors import InputError, rule
from research.experiments.diff.page import show
from research.lineage.store import Run

HERE = Path(__file__).parent
_FIELDS = ("notebook", "operator", "commit", "passed", "pinned", "status")
MAX_RUNS = 5_000


def compare_runs(runs: Sequence[Run]) -> dict[str, Any]:
    """What differs among runs, as JSON: columns of fields, parameters and metrics, and what is the same in all.

    Raises
    ------
    InputError
        When there are fewer than two runs, or too many for a page.
    """
    if not 2 <= len(runs) <= MAX_RUNS:
        raise InputError(rule("runs", f"be 2 to {MAX_RUNS:,} to be compared", len(runs), "Choose with -w or by name."))
    columns = [_column("field", name, [getattr(run, name) for run in runs]) for name in _FIELDS]
    columns.append(_column("field", "seconds", [run.seconds for run in runs]))
    for name in dict.fromkeys(name for run in runs for name in run.parameters):
        columns.append(_column("parameter", name, [run.parameters.get(name) for run in runs]))
    for name in dict.fromkeys(name for run in runs for name in run.metrics):
        held = [run.metrics.get(name) for run in runs]
        unit = next((item["unit"] for item in held if item), "")
        columns.append(_column("metric", name, [item["value"] if item else None for item in held], unit))
    differing = [column for column in columns if not column.pop("same")]
    same = {c["name"]: c["values"][0] for c in columns if c not in differing and c["values"][0] is not None}
    return {
        "schema": "research.compare/1",
        "runs": [run.run_id for run in runs],
        "started": [run.started for run in runs],
        "columns": differing,
        "same": same,
    }


def _column(kind: str, name: str, values: list[Any], unit: str = "") -> dict[str, Any]:
    if kind == "metric":
        values = [_number(value) for value in values]
    shown = [
        value if value is None or isinstance(value, (bool, int, float, str)) else json.dumps(value) for value in values
    ]
    numeric = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in shown if v is not None)
    same = all(value == shown[0] or (value != value and shown[0] != shown[0]) for value in shown)
    clean = [None if isinstance(v, float) and not math.isfinite(v) else v for v in shown]
    return {"kind": kind, "name": name, "unit": unit, "numeric": numeric, "values": clean, "same": same}


def _number(value: Any) -> Any:
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError):
        return value


def render(found: dict[str, Any], title: str = "Runs side by side") -> str:
    """The page as text."""
    from plotly.offline import get_plotlyjs

    css = (HERE / "diff" / "style.css").read_text(encoding="utf-8")
    template = (HERE / "compare_page.html").read_text(encoding="utf-8")
    shown = {name: show(value) for name, value in found["same"].items() if name not in ("status", "pinned", "operator")}
    same = ", ".join(f"{name} {value[:12] if name == 'commit' else value}" for name, value in shown.items())
    parts = {
        "@TITLE@": html.escape(title),
        "@COUNT@": f"{len(found['runs']):,}",
        "@SAME@": html.escape(same) or "nothing",
        "@CSS@": css,
        "@DATA@": json.dumps(found).replace("</", "<\\/"),
        "@PLOTLY@": get_plotlyjs(),
    }
    return re.sub("|".join(parts), lambda mark: parts[mark[0]], template)


def write(found: dict[str, Any], path: Path) -> Path:
    """Write the page, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(render(found), encoding="utf-8")
    partial.replace(path)
    return path
