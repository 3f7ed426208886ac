"""Notebooks as files: read with a clear refusal, their parameters cell, and the digest of what they say.

The digest covers type, source and tags of every cell; outputs, counts, ids and other metadata do not count, so a
notebook that was run by hand and saved is the same notebook.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from research.errors import InputError, ParameterError, rule
from research.experiments.schema import Schema, read_cell
from research.fingerprint import digest_json


@dataclass(frozen=True, slots=True)
class Notebook:
    """A notebook as far as a run needs it."""

    path: Path
    cells: tuple[dict[str, Any], ...]
    digest: str

    def schema(self) -> Schema:
        """What its parameters cell takes; nothing when it has none."""
        found = [(n, c) for n, c in enumerate(self.cells, 1) if "parameters" in c["tags"] and c["type"] == "code"]
        if len(found) > 1:
            numbers = " and ".join(str(n) for n, _ in found)
            must = "have one cell tagged 'parameters'"
            raise ParameterError(rule(self.path.name, must, len(found), f"They are cells {numbers}."))
        return read_cell(found[0][1]["source"]) if found else Schema()

    def title(self) -> str:
        """The first heading, without the mark; the file's name when there is none."""
        for cell in self.cells:
            for line in cell["source"].splitlines() if cell["type"] == "markdown" else []:
                if line.startswith("#"):
                    return line.lstrip("# ").strip()
        return self.path.stem


def parse(data: bytes, name: str) -> list[dict[str, Any]]:
    """Type, source and tags of the cells of a notebook file."""
    try:
        raw = json.loads(data)
    except ValueError as error:
        raise InputError(rule(name, "be a notebook (JSON)", data[:40].decode(errors="replace"), f"{error}.")) from None
    if not isinstance(raw, dict) or not isinstance(raw.get("cells"), list):
        found = sorted(raw)[:5] if isinstance(raw, dict) else type(raw).__name__
        raise InputError(rule(name, "be a notebook of format 4 (with a list of cells)", found))
    cells = []
    for number, cell in enumerate(raw["cells"], 1):
        source = cell.get("source") if isinstance(cell, dict) else None
        if not isinstance(source, (str, list)) or cell.get("cell_type") not in ("code", "markdown", "raw"):
            raise InputError(rule(f"cell {number} of {name}", "have a type and a source", cell))
        text = source if isinstance(source, str) else "".join(source)
        tags = sorted((cell.get("metadata") or {}).get("tags") or [])
        cells.append({"type": cell["cell_type"], "source": text, "tags": tags})
    return cells


def digest(data: bytes, name: str = "notebook") -> str:
    """The digest of what a notebook file says."""
    return digest_json([cell for cell in parse(data, name) if "injected-parameters" not in cell["tags"]])


def read(path: str | Path) -> Notebook:
    """The notebook at `path`.

    Raises
    ------
    InputError
        When there is no such file, or it is no notebook.
    """
    file = Path(path)
    if file.suffix != ".ipynb" or not file.is_file():
        near = sorted(file.parent.glob("*.ipynb")) if file.parent.is_dir() else []
        hint = _nearest(file, near)
        raise InputError(rule("notebook", "be an .ipynb file", str(path), hint))
    data = file.read_bytes()
    return Notebook(file.resolve(), tuple(parse(data, file.name)), digest(data, file.name))


def _nearest(file: Path, near: list[Path]) -> str:
    import difflib

    close = difflib.get_close_matches(file.stem, [p.stem for p in near], n=1)
    return f"Did you mean {file.parent / close[0]}.ipynb?" if close else ""
