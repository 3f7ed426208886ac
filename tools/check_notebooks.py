"""Refuse notebooks that git would store with outputs or counts, or that could not be promoted (research check)."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from research.errors import ResearchError
from research.lab.inspection import inspect

ROOT = Path(__file__).resolve().parent.parent


def stored(path: Path) -> bytes:
    """What git has in its index: JupyterLab keeps outputs in the file, and the filter keeps them out of git."""
    name = path.relative_to(ROOT).as_posix()
    done = subprocess.run(["git", "show", f":{name}"], cwd=ROOT, capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else path.read_bytes()


def problems(path: Path) -> list[str]:
    """What is wrong with one notebook, in words; empty when nothing is."""
    name, data = path.relative_to(ROOT), stored(path)
    try:
        cells = json.loads(data)["cells"]
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / path.name
            copy.write_bytes(data)
            found = [f"{name}: {item}" for item in inspect(copy)]
    except (ValueError, KeyError, ResearchError) as error:
        return [f"{name}: not a notebook ({error})"]
    found += [f"{name}: cell {i} has outputs" for i, c in enumerate(cells, 1) if c.get("outputs")]
    return found + [
        f"{name}: cell {i} has an execution count" for i, c in enumerate(cells, 1) if c.get("execution_count")
    ]


def main() -> int:
    """Exit 1 when any notebook under notebooks/ has a problem."""
    folder = ROOT / "notebooks"
    paths = [p for p in sorted(folder.rglob("*.ipynb")) if ".ipynb_checkpoints" not in p.parts]
    paths = [p for p in paths if p.relative_to(folder).parts[0] != "opened"]
    found = [line for path in paths for line in problems(path)]
    print("\n".join(found) if found else f"{len(paths)} notebooks are clean")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
