"""What would keep a notebook from promotion, found by reading it: nothing is run.

| kind | what is meant |
|---|---|
| `structure` | no parameters cell, a faulty one, no check of it, nothing recorded |
| `hidden state` | a name used before the cell that defines it, or defined nowhere; cells run out of order |
| `undeclared read` | data, network, programs or settings that do not come through `data.load` |
| `unseeded randomness` | draws that no parameter repeats |
| `wall clock` | today's date or time |
| `magic` | IPython and shell lines, which plain Python and a reader do not have |
| `absolute path` | a place that only this machine has |

A run finds out by watching (`unpinned_reasons`); this finds it sooner, with the cell, and says what to write instead.
A notebook can hide from it; a run of it cannot.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from research.errors import ParameterError
from research.lab import inspection_calls, inspection_names
from research.lab.inspection_calls import Found


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing that would keep the notebook from promotion."""

    cell: int  # counted from 1, all kinds of cells; 0 for the notebook as a whole
    line: int  # in the cell; 0 for the cell as a whole
    kind: str
    what: str
    hint: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        where = "" if not self.cell else f"cell {self.cell}" + (f", line {self.line}" if self.line else "") + ": "
        return f"{where}{self.kind}: {self.what}. {self.hint}"


_PYTHON_MAGICS = ("%%time", "%%timeit", "%%capture", "%%prun")
_HARMLESS = re.compile(r"\s*%(matplotlib|config)\b")
_SPECIAL = re.compile(r"\s*([%!?].*|.*\?\s*$|[\w.,\s]+=\s*[!%].*)")
_PLACE = re.compile(
    r"(/(?:home|Users|mnt|media|tmp|data|opt|var|root|srv|etc|usr|work|scratch)/|[A-Za-z]:[\\/]|~[\\/]|file:/)"
)


def inspect(path: str | Path) -> list[Finding]:
    """Everything found in the notebook at `path`, in the order of its cells; empty when nothing is.

    Raises
    ------
    InputError
        When there is no such file, or it is no notebook.
    """
    import json

    from research.experiments import notebooks

    notebook = notebooks.read(path)
    raw = json.loads(notebook.path.read_text(encoding="utf-8"))["cells"]
    found = [*_structure(notebook), *_order(raw)]
    cells: list[tuple[int, ast.Module]] = []
    for number, cell in enumerate(notebook.cells, 1):
        if cell["type"] != "code" or "injected-parameters" in cell["tags"]:
            continue
        source, magics = _without_magics(cell["source"])
        found += [Finding(number, line, "magic", what, _magic_hint(what)) for line, what in magics]
        try:
            cells.append((number, ast.parse(source)))
        except SyntaxError as error:
            what = f"not Python: {error.msg}"
            found.append(Finding(number, error.lineno or 0, "structure", what, "The run would stop here."))
    for number, item in _of_cells(cells):
        found.append(Finding(number, item.line, item.kind, item.what, item.hint))
    return sorted(set(found))


def _of_cells(cells: list[tuple[int, ast.Module]]) -> Iterator[tuple[int, Found]]:
    aliases = inspection_calls.aliases(tree for _, tree in cells)
    seeded = False
    for number, tree in cells:
        for item in inspection_calls.calls(tree, aliases, seeded):
            yield number, item
        seeded = seeded or inspection_calls.seeds_globally(tree, aliases)
        for item in _places(tree):
            yield number, item
    yield from inspection_names.hidden_state(cells)


def _structure(notebook: Any) -> Iterator[Finding]:
    tagged = [n for n, c in enumerate(notebook.cells, 1) if c["type"] == "code" and "parameters" in c["tags"]]
    code = [(n, c["source"]) for n, c in enumerate(notebook.cells, 1) if c["type"] == "code"]
    if not tagged:
        hint = "Add one after the title: annotated assignments, tagged 'parameters'."
        yield Finding(0, 0, "structure", "no parameters cell", hint)
    else:
        try:
            notebook.schema()
        except ParameterError as error:
            yield Finding(tagged[0], 0, "structure", str(error).rstrip("."), "See docs/jupyterlab.md.")
        after = next((source for n, source in code if n > tagged[0]), "")
        if not re.search(r"\bparameters\(\s*globals\(\)\s*\)", after):
            hint = "Write params = research.parameters(globals()) in the next cell."
            yield Finding(tagged[0], 0, "structure", "the parameters are not checked", hint)
    if not any(re.search(r"\brecord\(", source) for _, source in code):
        yield Finding(0, 0, "structure", "nothing is recorded", "End with record(metrics=..., passed=...).")


def _order(raw: list[dict[str, Any]]) -> Iterator[Finding]:
    """Cells that were run in another order than they stand in: what is on the screen is not what a run gives."""
    counts = [(n, c["execution_count"]) for n, c in enumerate(raw, 1) if c.get("execution_count")]
    for (_, before), (number, count) in pairwise(counts):
        if count < before:
            what = f"run as [{count}], after the cell above ran as [{before}]"
            yield Finding(number, 0, "hidden state", what, "Restart the kernel and run all cells.")
            return


def _without_magics(source: str) -> tuple[str, list[tuple[int, str]]]:
    """The source as plain Python (the same lines), and the magics that were in it."""
    try:
        ast.parse(source)
        return source, []
    except SyntaxError:
        pass
    lines, found = source.splitlines(), list[tuple[int, str]]()
    if lines and lines[0].startswith("%%") and not lines[0].startswith(_PYTHON_MAGICS):
        return "", [(1, lines[0].strip())]
    for i, line in enumerate(lines):
        if _SPECIAL.fullmatch(line) and not line.lstrip().startswith("#"):
            if not _HARMLESS.match(line):
                found.append((i + 1, line.strip()))
            lines[i] = line[: len(line) - len(line.lstrip())] + "pass"
    return "\n".join(lines), found


def _magic_hint(what: str) -> str:
    if what.startswith(("!", "%%bash", "%%sh", "%%script", "%sx", "%system")) or "= !" in what:
        return "A run may start no program; do this outside the notebook."
    if what.startswith(("%load_ext research", "%last", "%run_info", "%lineage")):
        return "Useful by hand; take it out before the notebook is committed."
    if "pip" in what or "conda" in what:
        return "Packages come from requirements.lock."
    return "Write it in Python, or take it out."


def _places(tree: ast.Module) -> Iterator[Found]:
    texts = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}  # a text that stands alone is a comment
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in texts:
            continue
        if _PLACE.match(node.value):
            hint = "Name data by its catalogue name: data.load('equity/...')."
            yield Found(node.lineno, "absolute path", repr(node.value), hint)
