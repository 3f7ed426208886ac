"""The executed notebook: the source with its parameters, outputs and times, written to disk as it grows.

What papermill writes, papermill's readers find: a cell tagged `injected-parameters` after the one tagged
`parameters`, times by cell and for the whole under `metadata.papermill`, a mark on the cell that failed.
"""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from research.experiments.outputs import Outputs, spill

SAVE_EVERY_S = 0.5
INJECTED, FAILED = "injected-parameters", "papermill-error-cell-tag"
_ERROR = "<span style='color:red; font-weight:bold'>{}</span>"


class Executed:
    """A notebook that is being run."""

    def __init__(self, source: Path, target: Path, parameters: Mapping[str, Any], *, limit: int | None = None) -> None:
        self.target = target
        self.raw = json.loads(source.read_bytes())
        self.outputs = Outputs() if limit is None else Outputs(limit=limit)
        self._saved, self._cost = 0.0, 0.0
        self._begun = time.monotonic()
        self.raw.setdefault("metadata", {}).setdefault("language_info", {"name": "python"})
        minor = int(self.raw.get("nbformat_minor", 5))
        cells = [_clean(number, cell, minor) for number, cell in enumerate(self.raw["cells"], 1)]
        self.raw["cells"] = _with_parameters(cells, parameters, minor)
        self._own: dict[str, Any] = {
            "start_time": _now(),
            "end_time": None,
            "duration": None,
            "exception": None,
            "parameters": dict(parameters),
            "input_path": str(source),
            "output_path": str(target),
            "version": "research",
        }
        self.raw["metadata"]["papermill"] = self._own

    @property
    def total(self) -> int:
        """Cells of the source notebook."""
        return sum(not is_injected(cell) for cell in self.raw["cells"])

    def to_run(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """The code cells in order, each with its number in the source notebook, from 1."""
        number = 0
        for cell in self.raw["cells"]:
            number += not is_injected(cell)
            if cell["cell_type"] == "code" and "".join(cell["source"]).strip() and "skip-execution" not in tags(cell):
                yield number, cell

    def begin(self, cell: dict[str, Any]) -> None:
        """`cell` starts."""
        self.outputs.begin(cell)
        cell["metadata"]["papermill"] = {"status": "running", "start_time": _now(), "exception": False}
        cell["metadata"]["papermill"] |= {"duration": None, "end_time": None}
        self._cell_begun = time.monotonic()
        self.save(now=False)

    def end(self, cell: dict[str, Any], *, count: int | None, failed: bool) -> float:
        """`cell` is done; its seconds."""
        seconds = time.monotonic() - self._cell_begun
        self.outputs.end()
        spill(cell, self.target.parent)
        cell["execution_count"] = count
        times = cell["metadata"]["papermill"]
        times |= {"status": "failed" if failed else "completed", "exception": failed}
        times |= {"duration": round(seconds, 6), "end_time": _now()}
        return seconds

    def finish(self, failed: dict[str, Any] | None = None) -> None:
        """The run is over; `failed` is the cell that failed."""
        self.outputs.settle()
        self._own |= {"end_time": _now(), "duration": round(time.monotonic() - self._begun, 6)}
        self._own["exception"] = failed is not None
        if failed is not None:
            self._mark(failed)
        self.save()

    def _mark(self, failed: dict[str, Any]) -> None:
        cells = self.raw["cells"]
        minor = int(self.raw.get("nbformat_minor", 5))
        at = next(index for index, cell in enumerate(cells) if cell is failed)
        link = "The run failed here:"
        cells.insert(at, _markdown(_ERROR.format(link), "failed-here", minor))
        top = f'{_ERROR.format("The run failed.")} <a href="#failed-here">To the cell that failed.</a>'
        cells.insert(0, _markdown(top, "failed-top", minor))

    def save(self, *, now: bool = True) -> None:
        """Write the file; without `now` only when the last time was a while ago."""
        if not now and time.monotonic() - self._saved < max(SAVE_EVERY_S, 10 * self._cost):
            return
        begun = time.monotonic()
        self.outputs.settle()
        text = json.dumps(self.raw, ensure_ascii=False, indent=1, default=str)
        partial = self.target.with_name(f".{self.target.name}.partial")
        partial.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")
        partial.replace(self.target)
        self._saved = time.monotonic()
        self._cost = self._saved - begun


def _now() -> str:
    return datetime.now(UTC).isoformat()


def tags(cell: Mapping[str, Any]) -> list[str]:
    return list((cell.get("metadata") or {}).get("tags") or [])


def is_injected(cell: Mapping[str, Any]) -> bool:
    return INJECTED in tags(cell)


def first_line(cell: Mapping[str, Any]) -> str:
    """The first line of a cell that is code."""
    lines = [line.strip() for line in "".join(cell["source"]).splitlines()]
    code = [line for line in lines if line and not line.startswith("#")]
    line = (code or lines or [""])[0]
    return line if len(line) <= 72 else line[:69] + "..."


def _clean(number: int, cell: Mapping[str, Any], minor: int) -> dict[str, Any]:
    """The cell as it is before anything has run."""
    out = copy.deepcopy(dict(cell))
    out["metadata"] = dict(out.get("metadata") or {})
    out["metadata"].pop("papermill", None)
    if out["cell_type"] == "code":
        out["outputs"], out["execution_count"] = [], None
    if minor >= 5:
        out.setdefault("id", f"cell-{number}")
    return out


def _with_parameters(cells: list[dict[str, Any]], parameters: Mapping[str, Any], minor: int) -> list[dict[str, Any]]:
    """The cells with `parameters` in a cell of their own, in the place of an earlier one."""
    kept = [cell for cell in cells if not is_injected(cell)]
    if not parameters:
        return kept
    source = "# Parameters\n" + "".join(f"{name} = {literal(value)}\n" for name, value in parameters.items())
    cell: dict[str, Any] = {"cell_type": "code", "metadata": {"tags": [INJECTED]}, "source": source}
    cell |= {"outputs": [], "execution_count": None}
    if minor >= 5:
        cell["id"] = "injected"
    at = next((i + 1 for i, c in enumerate(kept) if "parameters" in tags(c)), 0)
    return [*kept[:at], cell, *kept[at:]]


def literal(value: Any) -> str:
    """Python source of a JSON value."""
    if isinstance(value, float) and not math.isfinite(value):
        return f"float({str(value)!r})"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{literal(k)}: {literal(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(literal(v) for v in value) + "]"
    return repr(value)


def _markdown(source: str, anchor: str, minor: int) -> dict[str, Any]:
    cell: dict[str, Any] = {"cell_type": "markdown", "metadata": {"tags": [FAILED]}}
    cell["source"] = f'<a id="{anchor}"></a>{source}'
    if minor >= 5:
        cell["id"] = anchor
    return cell
