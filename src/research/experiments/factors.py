"""What was not the same besides the results: code by file and cell, data, parameters, packages, processor, threads.

A factor has an original side (what was recorded) and a new side (what the re-run had). This is the quick, static
part of looking for a cause; `causes` swaps factors and runs again.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from research.lineage.capsule import Capsule

_ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}")
_KINDS = ("notebook", "code", "data", "parameters", "package", "python", "threads", "processor", "platform")


@dataclass(frozen=True, slots=True)
class Factor:
    """One thing that differs."""

    kind: str  # one of _KINDS
    name: str  # a path, a data set, a package; the kind itself where there is only one
    old: str  # in words
    new: str

    def text(self) -> str:
        """In one line: `scipy 1.16.0 -> 1.17.1`, `src/research/models/garch.py changed`."""
        if self.kind in ("code", "notebook", "data"):
            verb = {"absent": "added"}.get(self.old) or {"absent": "removed"}.get(self.new) or "changed"
            return f"{'data ' if self.kind == 'data' else ''}{self.name} {verb}"
        name = {"python": "Python"}.get(self.name, self.name)
        return f"{name} {self.old} -> {self.new}"

    def short(self) -> str:
        """What is swapped: a name, or a name with both sides."""
        return self.name if self.kind in ("code", "notebook", "data") else self.text()


def differing(recorded: Capsule, again: Capsule, cells: list[dict[str, Any]] | None = None) -> list[Factor]:
    """Every recorded factor in which two runs differ; `cells` are those of the later source notebook."""
    out = []
    if recorded.raw["notebook"]["digest"] != again.raw["notebook"]["digest"]:
        out += _cells(again.notebook, source_cells(recorded.folder), cells or source_cells(again.folder))
    out += _pairs("code", recorded.closure, again.closure, shown=lambda digest: digest[:12])
    out += _data(recorded.data, again.data)
    out += _pairs("parameters", recorded.parameters, again.parameters, shown=lambda value: json.dumps(value))
    old, new = recorded.environment, again.environment
    out += _pairs("package", packages(old), packages(new), shown=str)
    for key, kind in (("python", "python"), ("threads", "threads"), ("cpu", "processor"), ("platform", "platform")):
        if old[key] != new[key]:
            out.append(Factor(kind, kind, str(old[key]), str(new[key])))
    return out


def packages(environment: Mapping[str, Any]) -> dict[str, str]:
    """Versions by name, without this project: its code is compared file by file; a checkout is not installed."""
    return {name: version for name, version in environment["distributions"].items() if name != "research"}


def _pairs(kind: str, old: Mapping[str, Any], new: Mapping[str, Any], shown: Any) -> list[Factor]:
    return [
        Factor(kind, name, shown(old[name]) if name in old else "absent", shown(new[name]) if name in new else "absent")
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name) or (name in old) != (name in new)
    ]


def _data(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[Factor]:
    """Data sets whose rows differ, or that only one of the runs read."""
    a, b = ({(r["name"], r["as_of"], tuple(r["columns"])): r["sha256"] for r in reads} for reads in (old, new))
    out = {}
    for key in sorted({*a, *b}, key=str):
        if a.get(key) != b.get(key) and key[0] not in out:
            out[key[0]] = Factor("data", key[0], a.get(key, "absent")[:12], b.get(key, "absent")[:12])
    return list(out.values())


def source_cells(folder: Path) -> list[dict[str, Any]]:
    """The cells of an executed notebook as they stand in the source: without injected ones and without outputs."""
    raw = json.loads((folder / "notebook.ipynb").read_text(encoding="utf-8"))
    return [cell for cell in raw["cells"] if is_source(cell)]


def is_source(cell: Mapping[str, Any]) -> bool:
    """Whether a cell of an executed notebook stands in the source notebook too."""
    tags = cell.get("metadata", {}).get("tags", [])
    return "injected-parameters" not in tags and "papermill-error-cell-tag" not in tags


def text_of(cell: Mapping[str, Any]) -> str:
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)


def cell_changes(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[tuple[str, int, int, int, int]]:
    """The opcodes of difflib over cells, those that are not equal; a run of replaced cells is split cell by cell."""
    a, b = ([(c["cell_type"], text_of(c)) for c in cells] for cells in (old, new))
    out = []
    for what, i, j, k, m in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if what == "replace" and j - i == m - k:
            out += [("replace", i + n, i + n + 1, k + n, k + n + 1) for n in range(j - i)]
        elif what != "equal":
            out.append((what, i, j, k, m))
    return out


def _cells(notebook: str, old: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[Factor]:
    """One factor for each change of cells, in the order of `cell_changes`."""
    out = []
    for what, i, _, k, m in cell_changes(old, new):
        number = k + 1 if m > k else i + 1
        name = f"cell {number} of {notebook}" + (f" (to {m})" if m - k > 1 else "")
        sides = {"insert": ("absent", "cell"), "delete": ("cell", "absent")}.get(what, ("cell", "cell"))
        out.append(Factor("notebook", name, *sides))
    return out or [Factor("notebook", notebook, "tags", "tags")]


def first_cell(recorded: Capsule, again: Capsule) -> int | None:
    """The number of the first code cell whose outputs differ, in the source of the re-run; None when none does."""
    try:
        old, new = source_cells(recorded.folder), source_cells(again.folder)
    except (OSError, ValueError):
        return None
    for number, (a, b) in enumerate(zip(old, new), 1):
        if a["cell_type"] == "code" and _outputs(a) != _outputs(b):
            return number
    return None


def _outputs(cell: Mapping[str, Any]) -> list[Any]:
    """What a cell showed, without counters; text streams in one piece, however they were chunked."""
    streams: dict[str, str] = {}
    rest = []
    for output in cell.get("outputs", []):
        if output["output_type"] == "stream":
            text = output["text"]
            streams[output["name"]] = streams.get(output["name"], "") + (
                text if isinstance(text, str) else "".join(text)
            )
        else:
            data = output.get("data", {})
            kept = {kind: value for kind, value in data.items() if kind != "text/html"} or data
            rest.append({**{k: v for k, v in output.items() if k in ("ename", "evalue")}, "data": kept})
    return _without_addresses([streams, rest])


def _without_addresses(value: Any) -> Any:
    """`<object at 0x7f...>` is another one in every process."""
    if isinstance(value, str):
        return _ADDRESS.sub("0x", value) if len(value) < 100_000 else value
    if isinstance(value, dict):
        return {key: _without_addresses(item) for key, item in value.items()}
    return [_without_addresses(item) for item in value] if isinstance(value, list) else value
