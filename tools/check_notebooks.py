"""Refuse notebooks committed with outputs, execution counts, or without a parameters cell."""

from __future__ import annotations

import json
import sys
from pathlib import Path


def problems(path: Path) -> list[str]:
    """What is wrong with one notebook, in words; empty when nothing is."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    except (ValueError, KeyError) as error:
        return [f"{path}: not a notebook ({error})"]
    found = [f"{path}: cell {i} has outputs" for i, c in enumerate(cells) if c.get("outputs")]
    found += [f"{path}: cell {i} has an execution count" for i, c in enumerate(cells) if c.get("execution_count")]
    tagged = sum("parameters" in c.get("metadata", {}).get("tags", []) for c in cells)
    if tagged != 1:
        found.append(f"{path}: exactly one cell must be tagged 'parameters'; found {tagged}")
    return found


def main() -> int:
    """Exit 1 when any notebook under notebooks/ has a problem."""
    root = Path(__file__).resolve().parent.parent / "notebooks"
    paths = sorted(p for p in root.rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts)
    found = [line for path in paths for line in problems(path)]
    print("\n".join(found) if found else f"{len(paths)} notebooks are clean")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
