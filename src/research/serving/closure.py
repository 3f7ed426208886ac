"""`python -m research.serving.closure FOLDER`: which `research` modules a payload's scorer runs, with their digests.

Runs in a fresh process: makes the scorer, lets it price its own example, and lists what that imported, file by
file. Modules imported by this command alone don't count.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from research.fingerprint import digest_file


def module_digests(package: Path, names: list[str]) -> dict[str, str]:
    """SHA-256 of the files of these modules, by path from the package's parent."""
    loaded = (getattr(sys.modules.get(name), "__file__", None) for name in names)
    files = {Path(file).resolve() for file in loaded if file}
    inside = sorted(file for file in files if package in file.parents and file.suffix == ".py")
    return {file.relative_to(package.parent).as_posix(): digest_file(file) for file in inside}


def trace(folder: Path) -> dict[str, str]:
    """Make the scorer of a payload, price its example, and digest what that imported."""
    import research
    from research.serving import _scorers

    scorer: dict[str, Any] = json.loads((folder / "scorer.json").read_bytes())
    made = _scorers.make(scorer, folder)
    made.price(made.example())
    own = {__name__, "__main__"}
    names = [name for name in sys.modules if name.split(".")[0] == "research" and name not in own]
    return module_digests(Path(research.__file__).resolve().parent, names)


def main(arguments: list[str]) -> int:
    """Print the digests as JSON; one line on stderr and exit code 1 when the scorer can't be made."""
    from research.errors import ResearchError

    try:
        print(json.dumps(trace(Path(arguments[0]))))
    except (ResearchError, KeyError, TypeError, ValueError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
